"""DuckDB by its binding for node, installed below BUILD. Only the statement is timed, not the start of node."""
import shutil
import subprocess

import work

PACKAGE, VERSION = "@duckdb/node-api", "1.5.6-r.1"
SCRIPT = __file__.removesuffix(".py") + ".cjs"
INSTALL_S_MAX = 300


class DuckDB:
    name = f"DuckDB {VERSION}, threads {work.THREADS}"
    compare = work.NEARLY

    def missing(self, job):
        if shutil.which("node") is None:
            return "no node on PATH (Debian: nodejs)"
        home = job.build / "bench/npm"
        if (home / "node_modules" / PACKAGE).exists():
            return None
        if job.options.no_install:
            return f"{PACKAGE} is not installed, and --no-install was given"
        if shutil.which("npm") is None:
            return "no npm on PATH (Debian: npm)"
        home.mkdir(parents=True, exist_ok=True)
        work.say(f"npm install {PACKAGE}@{VERSION} in {home}")
        try:
            done = subprocess.run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"],
                                  capture_output=True, text=True, timeout=INSTALL_S_MAX)
        except subprocess.TimeoutExpired:
            return f"npm install took more than {INSTALL_S_MAX} s"
        return None if done.returncode == 0 else f"npm install: {' '.join(done.stderr.split())[-200:]}"

    def run(self, job, data):
        path = job.top / "duckdb.csv.gz"
        done = subprocess.run(["node", SCRIPT, job.build / "bench/npm", str(work.THREADS),
                               statement(job.recipients(job.options.rows), path)], capture_output=True, text=True)
        if done.returncode != 0:
            raise work.Broken(f"DuckDB: {done.stderr[-1000:]}")
        return float(done.stdout), path


def statement(recipients, path):
    """The work as SQL. Empty fields are NULL here: they are equal to each other, and come first."""
    columns, dedupe = ", ".join(work.COLUMNS), ", ".join(work.DEDUPE)
    order = ", ".join(f"{column} NULLS FIRST" for column in work.ORDER)
    return f"""
COPY (
  WITH numbered AS (
    SELECT *, row_number() OVER () AS line
    FROM read_csv('{recipients}', header = true, delim = ',', quote = '"', escape = '"', all_varchar = true)),
  people AS (
    SELECT * FROM numbered WHERE {work.WHERE_COLUMN} = '{work.WHERE_VALUE}'
    QUALIFY row_number() OVER (PARTITION BY {dedupe} ORDER BY line) = 1),
  once AS (
    SELECT * FROM people QUALIFY row_number() OVER (PARTITION BY {work.KEY} ORDER BY line) = 1)
  SELECT {columns} FROM once ORDER BY {order}, line
) TO '{path}' (FORMAT csv, HEADER, DELIMITER ';', COMPRESSION gzip)"""
