"""The benchmark at a small size: its table is whole, who is missing is named, and broken work fails it. No times."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import house

BENCH = house.TOP / "tools/bench/run"
SIZES = ("-n", "1", "--rows", "20000", "--small", "100", "--middle", "5", "--done", "30", "--no-install")
RUN_S = 120
PEERS = ("pigz -6", "DuckDB", "Python", "Miller")


class Bench(house.Case):
    def setUp(self):
        if house.SAN:
            self.skipTest("measures nothing with sanitizers")
        folder = tempfile.TemporaryDirectory(prefix="postroom-bench-test-")
        self.addCleanup(folder.cleanup)
        self.bin = pathlib.Path(folder.name)

    def run_bench(self, *args, path):
        return subprocess.run([sys.executable, BENCH, house.BUILD, *SIZES, *args], env=dict(os.environ, PATH=path),
                              capture_output=True, text=True, timeout=RUN_S)

    def put(self, name, text):
        """A program of the test's own, found before others."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def line(self, done, start):
        lines = [line for line in done.stdout.splitlines() if line.startswith(start)]
        self.assertEqual(1, len(lines), f"{start!r} in\n{done.stdout}{done.stderr}")
        return lines[0]

    def test_the_table_has_every_part_and_every_peer(self):
        done = self.run_bench("--levels", path=os.environ["PATH"])
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for start in ("One delivery: 20,000 recipients", "postroom, extraction alone", "postroom, whole run", *PEERS,
                      *(f"extraction as tar.gz, level {level}" for level in range(1, 10)), "extraction as zip",
                      "extraction as gz", "extraction as tar.zst", "memory of daemon and workers together",
                      "where; 1 thread", "where, dedupe on four; 2 threads", "5 of 1,000 rows", "10 of 10 rows",
                      "100 of 10 rows", "A house with 30 finished", "start, until", "a drop is taken", "daemon, peak",
                      "extract worker", "intake worker"):
            self.line(done, start)
        self.assertNotIn(" 0.00 MB", done.stdout)  # of an archive
        self.assertRegex(done.stdout, r"(?m)^Python .*\n  its rows +\d+,\d+ records, the same in the same order$")

    def test_peers_that_cannot_run_are_named_as_missing(self):
        for program in ("rm",):
            os.symlink(shutil.which(program), self.bin / program)
        done = self.run_bench("--part", "peers", path=str(self.bin))
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        for peer, program in (("pigz -6", "pigz"), ("DuckDB", "node"), ("Miller", "mlr")):
            self.assertIn(f"MISSING: no {program} on PATH", self.line(done, peer))
        self.assertNotIn("MISSING", self.line(done, "Python"))

    def test_a_peer_that_does_other_work_breaks_the_run(self):
        self.need("pigz")
        self.put("mlr", '#!/bin/sh\nprintf "recipient_id;city\\nR1;Lille\\n"\n')
        done = self.run_bench("--part", "peers", path=f"{self.bin}:{os.environ['PATH']}")
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertTrue(re.search(r"BROKEN: counts differ: Miller .* has 1 records", done.stdout), done.stdout)


if __name__ == "__main__":
    house.main()
