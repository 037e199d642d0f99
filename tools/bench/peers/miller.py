"""Miller, piped to pigz: filter then sort then cut. It has no dedupe that keeps whole rows apart by four columns, so it
leaves that out, which is less work than ours."""
import shutil
import subprocess
import time

import work


class Miller:
    name = "Miller filter, sort, cut | pigz, without dedupe"
    compare = work.COUNT

    def missing(self, job):
        for program in ("mlr", "pigz"):
            if shutil.which(program) is None:
                return f"no {program} on PATH (Debian: {'miller' if program == 'mlr' else program})"
        return None

    def run(self, job, data):
        path = job.top / "miller.csv.gz"
        # -S: fields are text, which spares it looking for numbers
        command = ["mlr", "-S", "--icsv", "--ocsv", "--ofs", ";",
                   "filter", f'${work.WHERE_COLUMN} == "{work.WHERE_VALUE}"',
                   "then", "sort", *(word for column in work.ORDER for word in ("-f", column)),
                   "then", "cut", "-o", "-f", ",".join(work.COLUMNS), job.recipients(job.options.rows)]
        started = time.monotonic()
        with open(path, "wb") as out, subprocess.Popen(command, stdout=subprocess.PIPE) as rows:
            subprocess.run(["pigz", "-6", f"-p{work.THREADS}"], stdin=rows.stdout, stdout=out, check=True)
        if rows.returncode != 0:
            raise work.Broken(f"mlr ended with {rows.returncode}")
        return time.monotonic() - started, path
