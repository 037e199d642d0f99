"""Python's csv and zipfile, as a careful script would use them. Run as a program it does the work: IN OUT."""
import csv
import io
import operator
import pathlib
import platform
import subprocess
import sys
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import work


class PythonCsv:
    name = f"Python {platform.python_version()} csv + zipfile"
    compare = work.EXACT

    def missing(self, job):
        return None

    def run(self, job, data):
        path = job.top / "python.zip"
        started = time.monotonic()
        subprocess.run([sys.executable, __file__, job.recipients(job.options.rows), path], check=True)
        return time.monotonic() - started, path


def chosen(source):
    """The rows that stay, as (sort key, columns)."""
    reader = csv.reader(source)
    at = {name: place for place, name in enumerate(next(reader))}
    where, key = at[work.WHERE_COLUMN], at[work.KEY]
    dedupe = operator.itemgetter(*(at[name] for name in work.DEDUPE))
    order = operator.itemgetter(*(at[name] for name in work.ORDER))
    columns = operator.itemgetter(*(at[name] for name in work.COLUMNS))
    keys, people = set(), set()
    for row in reader:
        if row[where] != work.WHERE_VALUE or row[key] in keys:
            continue
        person = dedupe(row)
        if person in people:
            continue
        keys.add(row[key])
        people.add(person)
        yield order(row), columns(row)


def do_the_work(recipients, archive):
    with open(recipients, encoding="utf-8", newline="") as source:
        rows = list(chosen(source))
    rows.sort(key=operator.itemgetter(0))  # code points of UTF-8 order as its bytes
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as file:
        with io.TextIOWrapper(file.open("data.csv", "w"), encoding="utf-8", newline="") as out:
            writer = csv.writer(out, delimiter=";", lineterminator="\n")
            writer.writerow(work.COLUMNS)
            writer.writerows(columns for _, columns in rows)


if __name__ == "__main__":
    do_the_work(sys.argv[1], sys.argv[2])
