#!/usr/bin/env python3
"""The benchmark of sending at a small size: its table is whole, who is missing is named. No times."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import house

BENCH = house.TOP / "tools/bench/send-run"
SIZES = ("-n", "1", "--count", "400", "--many", "2000", "--no-install")
RUN_S = 120


class BenchSend(house.Case):
    def setUp(self):
        if house.SAN:
            self.skipTest("measures nothing with sanitizers")

    def run_bench(self, *args):
        return subprocess.run([sys.executable, BENCH, house.BUILD, *SIZES, *args], capture_output=True, text=True,
                              timeout=RUN_S)

    def line(self, done, start):
        lines = [line for line in done.stdout.splitlines() if line.startswith(start)]
        self.assertEqual(1, len(lines), f"{start!r} in\n{done.stdout}{done.stderr}")
        return lines[0]

    def rate(self, done, start):
        """What stands in the column of the median, as a number."""
        return float(self.line(done, start)[58:].split()[0].replace(",", ""))

    def whole(self, *args):
        done = self.run_bench(*args)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        lost = [line for line in done.stdout.splitlines() if line.startswith(("all of", "everything"))]
        if lost:
            self.skipTest(lost[0])
        return done

    def test_sending__every_sender_and_every_transport_has_its_row(self):
        done = self.whole("--part", "sending")
        for start in ("the sink's limit", "postroom, smtp", "postroom, maildir", "postroom, null", "Python 3"):
            self.assertGreater(self.rate(done, start), 0)
        for start in ("nodemailer", "Postfix, private"):  # measured, or named as missing
            self.assertRegex(self.line(done, start), r" /s .*reached$|MISSING: ")
        syncs = [line for line in done.stdout.splitlines() if line.startswith("  syncs of progress")]
        self.assertEqual(2, len(syncs))
        for line in syncs:
            self.assertGreater(float(line.split()[3]), 1)

    def test_signing_and_many__keys_of_both_kinds_sign_and_memory_is_told(self):
        done = self.whole("--part", "signing", "--part", "many")
        for start in ("openssl speed rsa2048", "postroom, RSA-2048, null", "postroom, RSA-2048, smtp",
                      "postroom, Ed25519, smtp", "postroom, null; 2,000", "postroom, smtp; 200", "postroom, smpp; 2,000",
                      "postroom, http; 2,000"):
            self.assertGreater(self.rate(done, start), 0)
        peaks = [line for line in done.stdout.splitlines() if line.startswith("  send worker, peak")]
        self.assertEqual(4, len(peaks))

    def test_sms_and_push__both_smscs_and_nghttpd_have_our_row_and_their_client(self):
        done = self.whole("--part", "sms", "--part", "push")
        for start in ("smsc-sink: its limit", "postroom, smpp; 2,000", "the transport alone", "postroom, http; 800",
                      "Node's http2 as client"):
            self.assertGreater(self.rate(done, start), 0)
        npm_smsc = self.line(done, "npm's SMSC")  # measured with what was asked for, or named as missing
        self.assertRegex(npm_smsc, r" /s$|MISSING: ")
        if "MISSING" not in npm_smsc:
            self.assertRegex(self.line(done, "  asked for"), "its limit is higher|its limit, which is lower")
        clients = [line for line in done.stdout.splitlines() if line.startswith("smpp 0.5.1 of npm")]
        self.assertGreaterEqual(len(clients), 1)
        for line in clients:
            self.assertRegex(line, r" /s +.*\d+\.\d\d|MISSING: ")

    def test_broken_work__ends_with_1(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postroom-bench-send-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "bin").mkdir()
        (folder / "bin/postroomd").write_text("#!/bin/sh\necho nothing is done >&2; exit 75\n")
        (folder / "bin/postroomd").chmod(0o755)
        os.symlink(house.BUILD / "tools", folder / "tools")
        done = subprocess.run([sys.executable, BENCH, folder, *SIZES, "--part", "many"], capture_output=True, text=True,
                              timeout=RUN_S)
        if "everything" in done.stdout:
            self.skipTest(done.stdout.splitlines()[-1])
        self.assertEqual(1, done.returncode, done.stdout + done.stderr)
        self.assertIn("BROKEN: postroomd --once ended with 75: nothing is done", done.stdout)


if __name__ == "__main__":
    house.main()
