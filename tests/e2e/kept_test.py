#!/usr/bin/env python3
"""What the count of a large list keeps for the extraction: taken over where nothing changed since, and never else."""
import contextlib
import gzip
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import house
import look

SUPPRESS = 'channels = { mail = { suppress = [ "%s" ]; }; };'
ROWS = 15000
LARGE = house.recipients(ROWS, address2="x" * 260, last_name=lambda n: f"Durand{n // 2 * 2}")  # half are duplicates
TARGET = 'dedupe = [ "last_name" ]; order = [ "postcode" ]; where = "consent_mail = 1"'
SETTLED_S = 3  # a list that was changed this moment is not relied on
READS_MAX = 4  # of the header and its block; all of it takes 20
OPTOUT = "recipient_id\nR000007\nR000008\nR000009\n"


class Lists:
    """Suppression lists that were not changed for a while, made for all tests before the first."""

    def __init__(self, count):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postroom-lists-"))
        self.lists = [self.folder / f"optout-{n}.csv" for n in range(count)]
        for path in self.lists:
            path.write_text(OPTOUT)
        self.made = time.time()

    def take(self):
        time.sleep(max(0, self.made + SETTLED_S - time.time()))
        return self.lists.pop()


@contextlib.contextmanager
def changing(path):
    """The file is touched all the time."""
    is_over = threading.Event()

    def touch():
        while not is_over.wait(0.05):
            path.touch()
    path.touch()
    thread = threading.Thread(target=touch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


class Kept(house.Case):
    @classmethod
    def setUpClass(cls):
        cls.lists = Lists(30)
        cls.addClassCleanup(shutil.rmtree, cls.lists.folder)

    def counted(self, more="approvals = { target = {}; };", rows=LARGE, target=TARGET, settled=True, **settings):
        """A house whose delivery "a" waits for its target to be approved."""
        self.optout = self.lists.take()
        h = self.house(top=SUPPRESS % self.optout, **settings)
        h.drop("a", {"recipients.csv": rows}, target=target, more=more)
        with contextlib.nullcontext() if settled else changing(self.optout):
            h.once()
        self.kept = h.spool / "pending/a/.selection"
        return h

    def extracted(self, h, id="a"):
        """Approves and extracts; how often the recipients were read by the extract worker."""
        self.need("strace")
        h.decide(id, "target", "approve")
        trace = h.dir / "trace"
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        done = subprocess.run(["strace", "-f", "-qq", "-y", "-e", "trace=pread64", "-o", trace, house.BIN / "postroomd", "-c", h.conf,
                               "--once"], capture_output=True, text=True, env=env, timeout=10 * house.WAIT_S)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        self.assertEqual(h.place(id), ["outbox"])
        self.assertFalse((h.where(id) / ".selection").exists())
        return len(re.findall(r"pread64\(\d+<[^>]*/recipients.csv>", trace.read_text()))

    def result(self, h, id="a"):
        path, = h.pickup()
        manifest = look.manifest(path)
        for moment in ("created", "cost", "stock", "ledger", "witness"):
            manifest.pop(moment, None)
        where = h.where(id)
        return (look.records(path), manifest, (where / "excluded.csv").read_bytes(), (where / "target.json").read_bytes(),
                [(key, look.keys(h, key)) for key in ("cost", "stock")])

    def test_nothing_changed__taken_over__what_comes_out_is_the_same(self):
        h = self.counted()
        self.assertEqual(self.kept.stat().st_mode & 0o7777, 0o600)
        self.assertLessEqual(self.extracted(h), READS_MAX)
        other = self.counted()
        self.kept.unlink()
        self.assertGreater(self.extracted(other), READS_MAX)
        self.assertEqual(self.result(h), self.result(other))
        self.assertEqual(look.target(h, "a")["excluded"]["suppressed"], 3)
        self.assertGreater(look.target(h, "a")["excluded"]["duplicate"], ROWS // 3)

    def test_nobody_looks_at_it__counted_extracted_and_handed_over_at_once(self):
        h = self.counted(more="")
        self.assertEqual(h.place("a"), ["outbox"])
        self.assertFalse((h.where("a") / ".selection").exists())
        other = self.counted()
        self.kept.unlink()
        self.extracted(other)
        self.assertEqual(self.result(h)[0], self.result(other)[0])

    # -- what changed
    def leaves_out(self, h, key="R000021"):
        self.assertGreater(self.extracted(h), READS_MAX)
        self.assertIn(key, {row[1] for row in look.excluded(h, "a") if row[2] == "suppressed"})
        path, = h.pickup()
        self.assertNotIn(key, {row["recipient_id"] for row in look.records(path)})

    def test_a_list_changed_in_place__as_long__its_time_set_back__is_obeyed(self):
        h = self.counted()
        before = self.optout.stat()
        with open(self.optout, "r+") as file:
            file.write("recipient_id\nR000021")
        os.utime(self.optout, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.optout.stat().st_size, before.st_size)
        self.leaves_out(h)

    def test_a_list_replaced__is_obeyed(self):
        h = self.counted()
        new = self.optout.with_suffix(".new")
        new.write_text("recipient_id\nR000021\nR000008\nR000009\n")
        os.rename(new, self.optout)
        self.leaves_out(h)

    def test_another_list_in_the_configuration__is_obeyed(self):
        h = self.counted()
        (h.etc / "more.csv").write_text("recipient_id\nR000021\n")
        h.conf.write_text(h.conf.read_text().replace(f'[ "{self.optout}" ]', f'[ "{self.optout}", "more.csv" ]'))
        self.leaves_out(h)

    def test_a_list_taken_out_of_the_configuration__is_obeyed(self):
        h = self.counted()
        h.conf.write_text(h.conf.read_text().replace(f'[ "{self.optout}" ]', "[]"))
        self.assertGreater(self.extracted(h), READS_MAX)
        self.assertNotIn("suppressed", {cause for _, _, cause in look.excluded(h, "a")})

    def test_a_list_changed_just_before_the_count__nothing_is_kept(self):
        h = self.counted(settled=False)
        self.assertFalse(self.kept.exists())
        with open(self.optout, "r+") as file:
            file.write("recipient_id\nR000021")
        self.leaves_out(h)

    def test_recipients_changed_by_somebody__are_read(self):
        h = self.counted()
        path = h.spool / "pending/a/recipients.csv"
        text = path.read_text()
        path.write_text(text.replace("R000021", "S000021"))
        self.assertGreater(self.extracted(h), READS_MAX)

    def test_settings_changed_by_somebody__are_obeyed(self):
        h = self.counted(more='schedule = { extract_at = "2099-01-01T08:00:00+01:00"; };')
        self.assertTrue(self.kept.exists())
        path = h.spool / "pending/a/settings.conf"
        path.write_text(path.read_text().replace("consent_mail = 1", "consent_mail = 1 and city = 'Paris'").replace("2099-01-01T07", "2020-01-01T07"))
        h.once()
        self.assertEqual((look.target(h, "a")["records"], look.target(h, "a")["excluded"]["not-selected"]), (0, ROWS))

    def test_the_list_of_excluded_ones_lost__is_written_again(self):
        h = self.counted()
        before = (h.spool / "pending/a/excluded.csv").read_bytes()
        (h.spool / "pending/a/excluded.csv").unlink()
        self.assertGreater(self.extracted(h), READS_MAX)
        self.assertEqual((h.where("a") / "excluded.csv").read_bytes(), before)

    def test_damaged__is_passed_over(self):
        h = self.counted()
        with open(self.kept, "r+b") as file:
            file.seek(100)
            file.write(b"\0" * 8)
        self.assertGreater(self.extracted(h), READS_MAX)
        other = self.counted()
        self.extracted(other)
        self.assertEqual(self.result(h), self.result(other))

    # -- where it goes
    def test_stopped__revised__is_not_left_behind(self):
        h = self.counted()
        self.assertTrue(self.kept.exists())
        h.drop("a", {"recipients.csv": house.recipients(5)}, target='limit = 3', more="approvals = { target = {}; };")
        h.once()
        self.assertEqual(h.show("a")["records"], 3)
        self.assertFalse(self.kept.exists())
        self.assertTrue((h.spool / "pending/a/revisions/1/recipients.csv").exists())
        self.assertFalse((h.spool / "pending/a/revisions/1/.selection").exists())
        other = self.counted()
        self.assertTrue(self.kept.exists())
        other.decide("a", "delivery", "stop")
        other.once()
        self.assertEqual(other.place("a"), ["done"])
        self.assertFalse((other.where("a") / ".selection").exists())

    def test_a_revision_of_a_large_list__keeps_its_own(self):
        h = self.counted()
        h.drop("a", {}, target=TARGET + "; limit = 700", more="approvals = { target = {}; };")
        h.once()
        self.assertEqual(h.show("a")["records"], 700)
        self.assertTrue(self.kept.exists())
        self.assertLessEqual(self.extracted(h), READS_MAX)
        path, = h.pickup()
        self.assertEqual(len(look.records(path)), 700)

    def test_packed__who_is_out_is_taken_from_the_list(self):
        packed = gzip.compress(house.recipients(200000, address2=lambda n: hashlib.sha256(str(n).encode()).hexdigest() * 2, last_name=lambda n: f"Durand{n // 2 * 2}").encode(), 1)
        self.assertGreater(len(packed), 4 << 20)
        results = []
        for is_kept in (True, False):
            h = self.counted(rows=packed)
            self.assertEqual(h.show("a")["rows"], 200000)
            self.assertLess(self.kept.stat().st_size, 8192, "no rows")
            if not is_kept:
                self.kept.unlink()
            self.extracted(h)
            results.append(self.result(h))
        self.assertEqual(*results)

    def test_damaged_rows__selected_by_the_list_of_the_count(self):
        results = []
        for is_damaged in (True, False):
            h = self.counted()
            if is_damaged:
                with open(self.kept, "r+b") as file:
                    file.seek(-8, os.SEEK_END)
                    file.write(b"\0" * 8)
            self.assertEqual(self.extracted(h) > READS_MAX, is_damaged)
            results.append(self.result(h))
        self.assertEqual(*results)

    def test_only_checked__bad_rows__small__nothing_is_kept(self):
        lines = LARGE.splitlines(keepends=True)
        bad = "".join([*lines[:9000], "too,few\n", *lines[9000:]])
        h = self.counted(rows=bad)
        self.assertEqual(look.state(h, "a"), "preparation-error")
        self.assertFalse(self.kept.exists())
        h = self.counted(target=TARGET + f"; min = {ROWS}")
        self.assertEqual(look.state(h, "a"), "preparation-error")
        self.assertFalse(self.kept.exists())
        h = self.counted(rows=house.recipients(10))
        self.assertFalse(self.kept.exists())
        folder = h.write_delivery(h.dir / "check", {"recipients.csv": LARGE}, target=TARGET)
        h.cli("check", folder, check=0)
        self.assertFalse((folder / ".selection").exists())

    def test_its_worker_dies__extracted_again_from_the_recipients_themselves__the_same(self):
        self.need("strace")
        h = self.counted()
        h.decide("a", "target", "approve")
        # when its archive is whole and gets its name
        h.start(wrapper=("strace", "-D", "-f", "-qq", "-o", h.dir / "trace", "-P", "archive.tmp", "-e", "inject=renameat2:signal=KILL"))
        h.until(lambda: "worker-died" in h.log(), "the worker's end")
        self.assertEqual(h.place("a"), ["extract"])
        self.assertFalse((h.where("a") / ".selection").exists())
        h.stop(signal.SIGKILL)
        h.once()
        self.assertEqual(h.place("a"), ["outbox"])
        other = self.counted()
        self.extracted(other)
        self.assertEqual(self.result(h)[0], self.result(other)[0])


if __name__ == "__main__":
    house.main()
