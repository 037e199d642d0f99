"""pigz over nothing but the finished data: what compression alone takes."""
import shutil
import subprocess
import time

import work


class Pigz:
    name = f"pigz -6 -p{work.THREADS} of the finished data"

    def missing(self, job):
        return None if shutil.which("pigz") else "no pigz on PATH (Debian: pigz)"

    def run(self, job, data):
        path = job.top / "pigz.csv.gz"
        started = time.monotonic()
        with open(path, "wb") as out:
            subprocess.run(["pigz", "-6", f"-p{work.THREADS}", "-c", data], stdout=out, check=True)
        return time.monotonic() - started, path
