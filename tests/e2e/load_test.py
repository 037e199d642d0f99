"""10,000 small deliveries dropped at once: all are handed over, each once, and the last ones as fast as the first.

That the time for each does not grow with their number is asked twice, with a factor of three:
- from the journals of the run: the last 2,000 handed over may take three times as long as the first 2,000;
- from the clock: each of 10,000 may take three times as long as each of 1,000 in a house of its own.
A cost that grows with their number (a listing of a stage for each delivery, a ledger read again for each entry) shows
as a factor of nine in the first and of ten in the second. Less than three is what groups (the deliveries of one group
carry one time) and a machine that others use too can make.

Where root can mount it the house stands on a fresh ext4 with a journal, as Debian installs it, in a file. Elsewhere it
stands in TMPDIR: an ext4 without a journal is slow for a minute or more after many files were removed (it steps over
each lately freed inode to make a new one), so that what ran before would be measured.
"""
import collections
import datetime
import hashlib
import os
import re
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import zipfile

import house

COUNT = 300 if house.SAN else 10000
EDGE = COUNT // 5
FACTOR = 3.0
FEW = COUNT // 10
TOTAL_S = 120.0 * (4 if house.SAN else 1)  # five times what it took on two cores that others used too
DAEMON_KIB = 64 * 1024


class Sampler(threading.Thread):
    """Peak resident memory of a process (VmHWM), read until it ends; the highest of its children too."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_kib, self.worker_kib, self.workers = pid, 0, 0, 0

    @staticmethod
    def high_water(pid):
        try:
            with open(f"/proc/{pid}/status") as file:
                return int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)[1])
        except (OSError, TypeError):
            return 0

    def run(self):
        while os.path.exists(f"/proc/{self.pid}"):
            high = self.high_water(self.pid)
            if high == 0:
                return  # a zombie has no memory any more
            self.peak_kib = max(self.peak_kib, high)
            try:
                with open(f"/proc/{self.pid}/task/{self.pid}/children") as file:
                    children = file.read().split()
            except OSError:
                return
            self.workers = max(self.workers, len(children))
            self.worker_kib = max([self.worker_kib, *map(self.high_water, children)])
            time.sleep(0.02)


class Load(house.Case):
    def place(self):
        """A fresh file system to stand on, or None for TMPDIR."""
        if os.getuid() != 0 or not shutil.which("mkfs.ext4"):
            return None
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postroom-load-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "fs").mkdir()
        with open(folder / "image", "w") as image:
            image.truncate(4 << 30)  # sparse; 10,000 deliveries take about 600 MiB of it
        for command in (["mkfs.ext4", "-q", "-m0", "-N", "400000", folder / "image"],
                        ["mount", "-o", "loop", folder / "image", folder / "fs"]):
            if subprocess.run(command, capture_output=True).returncode != 0:
                return None
        self.addCleanup(subprocess.run, ["umount", folder / "fs"], check=True)
        os.chmod(folder, 0o755)
        return folder / "fs"

    def run_house(self, place, count):
        """A house whose inbox gets `count` deliveries at once: (house, seconds, memory, ids)."""
        tempfile.tempdir = place and str(place)
        try:
            made = self.house()
        finally:
            tempfile.tempdir = None
        made.make_spool()
        text = house.recipients(3)
        ids = [f"load-{n:05d}" for n in range(count)]
        for id in ids:
            made.write_delivery(made.dir / "staged" / id, {"recipients.csv": text})
        for id in ids:
            os.rename(made.dir / "staged" / id, made.spool / "inbox" / id)
        start = time.monotonic()
        with open(made.dir / "out", "w+") as out, open(made.stderr_file, "a") as log:
            daemon = subprocess.Popen([house.BIN / "postroomd", "-c", made.conf, "--once"], stdout=out, stderr=log)
            sampler = Sampler(daemon.pid)
            sampler.start()
            try:
                code = daemon.wait(2 * TOTAL_S)
            finally:
                daemon.kill()
            total = time.monotonic() - start
            sampler.join()
            out.seek(0)
            last = out.read().strip().splitlines()[-1:]
        self.assertEqual((code, last), (0, [f"taken={count} refused=0 handed-over={count} sent=0 waiting=0 failed=0"]))
        return made, total, sampler, ids

    def test_ten_thousand_small_deliveries__all_are_handed_over_and_none_waits_for_their_number(self):
        place = self.place()
        few, few_s, _, _ = self.run_house(place, FEW)
        few.close()
        made, total, sampler, ids = self.run_house(place, COUNT)

        # all, and each once
        self.assertEqual(sorted(p.name for p in (made.spool / "outbox/deliveries").iterdir()), ids)
        for empty in ("inbox", "pending", "extract", "done", "refused", "run/intake"):
            self.assertEqual(list((made.spool / empty).iterdir()), [], empty)
        pickup = {p.name for p in (made.spool / "outbox/routers/nord-routage/pickup").iterdir()}
        self.assertEqual(len(pickup), 2 * COUNT)
        archives = collections.Counter(re.match(r"spring-2027_(load-\d{5})_.*\.zip(\.sha256)?$", n)[1] for n in pickup)
        self.assertEqual(archives, {id: 2 for id in ids})
        times, taken = [], []
        for id in ids:
            lines = (made.spool / "outbox/deliveries" / id / "journal").read_text().splitlines()
            events = collections.Counter(line.split()[1] for line in lines)
            self.assertEqual((events["taken"], events["extracted"], events["handed-over"]), (1, 1, 1), id)
            stamp = {line.split()[1]: datetime.datetime.fromisoformat(line.split()[0]).timestamp() for line in lines}
            times.append(stamp["handed-over"])
            taken.append(stamp["taken"])
        for id in ids[::COUNT // 20]:
            path, = (made.spool / "outbox/routers/nord-routage/pickup").glob(f"spring-2027_{id}_*.zip")
            digest = path.with_name(path.name + ".sha256").read_text().split()[0]
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), digest)
            with zipfile.ZipFile(path) as archive:
                self.assertIn(f"{id}-3;R000003;".encode(), archive.read(path.stem + "/data.csv"))

        # the ledgers: one key for each, and a whole chain
        for name, more in (("cost", 0), ("stock", 1)):
            blocks = (made.spool / f"ledger/{name}.journal").read_bytes().split(b"\n\n")
            self.assertEqual(blocks.pop(), b"")
            keys = [re.match(rb"\S+ \* \(([^)]*)\)", block)[1].decode() for block in blocks]
            self.assertEqual(len(keys), COUNT + more)
            self.assertEqual(set(keys) - {"opening/nord/env-c5"}, {f"{id}/extraction/1" for id in ids}, name)
            previous = b"0" * 64
            for n, block in enumerate(blocks, 1):
                body = block[:block.rindex(b"\n") + 1]
                previous = hashlib.sha256(previous + body).hexdigest().encode()
                self.assertTrue(block.endswith(b"; chain: %d %s" % (n, previous)), f"{name}: entry {n}")

        # the last ones as fast as the first, and many as fast as few
        times.sort()
        first_s = times[EDGE - 1] - min(taken)
        last_s = times[-1] - times[-EDGE - 1]
        print(f"{COUNT} deliveries in {total:.1f} s: {COUNT / total:.0f}/s ({FEW} alone: {FEW / few_s:.0f}/s); first "
              f"{EDGE} within {first_s:.2f} s of the first drop taken, last {EDGE} in {last_s:.2f} s; daemon "
              f"{sampler.peak_kib // 1024} MiB, workers {sampler.worker_kib // 1024} MiB, {sampler.workers} at a time; "
              f"{'ext4 of its own' if place else 'TMPDIR'}", flush=True)
        self.assertLess(last_s, FACTOR * first_s, "the last ones are slower than the first")
        self.assertLess(total / COUNT, FACTOR * few_s / FEW, "many are slower than few")
        self.assertLess(total, TOTAL_S)
        self.assertGreater(sampler.peak_kib, 0)
        if not house.SAN:  # AddressSanitizer's shadow counts as resident
            self.assertLess(sampler.peak_kib, DAEMON_KIB, "memory of the daemon")


if __name__ == "__main__":
    house.main()
