"""kill -9 of the daemon: restarted, it does what it would have done, once.

Points are chosen by what the daemon is about to do. strace (without -f: the daemon alone, not its workers) kills it
at the entry of the N-th call of one name on one path, so that this call is not made: the renames between stages, the
journal lines, the syncs before and after them, the ledger appends, the move into pickup. Behind each kill the house is
started again (at every point of the main run twice into another kill, at the first rename and at the first sync of the
restart), then plainly, twice; what lies there then is compared with a run that nobody killed.
"""
import collections
import hashlib
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import zipfile

import house
import sending

ROWS, SEED = 20000, 31
CHANCE = 20270301  # of the wall-clock kills
WRITE, RENAME, SYNC = "write,pwrite64,writev,pwritev2", "rename,renameat,renameat2,linkat", "syncfs,fsync,fdatasync"

TARGET = """where = "consent_mail = '1' and not segment = 'bronze'"; exclude = [ "suppressed.csv" ];
    seeds = "seeds.csv"; dedupe = [ "last_name", "address1", "postcode" ]; order = [ "postcode", "city", "address1" ]"""

# what is about to happen, the calls, their path below spool/, which of them, what the trace ends with
POINTS = [
    ("line taken", WRITE, "run/intake/d1/journal", 1, " taken "),
    ("sync before admission", SYNC, "", 2, "syncfs"),
    ("admission to pending", RENAME, "pending", 1, '/pending>, "d1"'),
    ("sync behind admission", SYNC, "", 3, "syncfs"),
    ("removal of the original", RENAME, "inbox", 1, '.taken-d1"'),
    ("line extracting", WRITE, "pending/d1/journal", 2, " extracting "),
    ("move to extract", RENAME, "extract", 1, '/extract>, "d1"'),
    ("sync of the extraction", SYNC, "", 4, "syncfs"),
    ("extraction whole", RENAME, "extract/d1", 1, '"extraction.tmp"'),
    ("cost line", WRITE, "ledger/cost.journal", 1, "(d1/extraction/1)"),
    ("sync of the cost line", SYNC, "ledger/cost.journal", 1, "fdatasync"),
    ("stock line", WRITE, "ledger/stock.journal", 1, "(d1/extraction/1)"),
    ("line extracted", WRITE, "extract/d1/journal", 1, " extracted "),
    ("line publishing", WRITE, "extract/d1/journal", 2, " publishing "),
    ("move to outbox", RENAME, "outbox/deliveries", 1, '/outbox/deliveries>, "d1"'),
    ("digest into pickup", "linkat", "outbox/routers/nord-routage/pickup", 1, '.zip.sha256"'),
    ("archive into pickup", "renameat2", "outbox/routers/nord-routage/pickup", 1, '.zip"'),
    ("line handed-over", WRITE, "outbox/deliveries/d1/journal", 1, " handed-over "),
]

# of a small delivery, whose extraction is made with its count
SMALL_ROWS = 500
SMALL_POINTS = [
    ("line taken", WRITE, "run/intake/d1/journal", 1, " taken "),
    ("admission to pending", RENAME, "pending", 1, '/pending>, "d1"'),
    ("sync behind admission", SYNC, "", 3, "syncfs"),
    ("removal of the original", RENAME, "inbox", 1, '.taken-d1"'),
    ("line ready", WRITE, "pending/d1/journal", 1, " ready "),
    ("line extracting", WRITE, "pending/d1/journal", 2, " extracting "),
    ("move to extract", RENAME, "extract", 1, '/extract>, "d1"'),
    ("sync of the extraction", SYNC, "", 4, "syncfs"),
    ("extraction whole", RENAME, "extract/d1", 1, '"extraction.tmp"'),
    ("sync behind it", SYNC, "", 5, "syncfs"),
    ("cost line", WRITE, "ledger/cost.journal", 1, "(d1/extraction/1)"),
    ("line extracted", WRITE, "extract/d1/journal", 1, " extracted "),
    ("move to outbox", RENAME, "outbox/deliveries", 1, '/outbox/deliveries>, "d1"'),
]


def generated(*args):
    return subprocess.run([house.BUILD / "tools/make-recipients", *args], check=True, capture_output=True).stdout


def restart(made):
    """postroomd --once; one that never ends is a failure of this test, not of the patience of all."""
    return made.once(timeout=house.WAIT_S)


def processes(made):
    """Pids of the house's daemons and workers. A worker is forked and keeps the command line; of its other files in
    /proc most are closed to people like us."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if str(made.conf).encode() in words and words[0].endswith(b"/postroomd"):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def tree(made):
    """What lies in the spool, run/ apart (nothing there is needed after a crash)."""
    return {str(path.relative_to(made.spool)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in made.spool.rglob("*") if path.relative_to(made.spool).parts[0] != "run"}


def entries(path):
    """[(key, postings)] of a ledger file, once its chain holds; dates are not compared."""
    previous, out = "0" * 64, []
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n\n"), f"{path.name} is torn"
    for n, block in enumerate(data.split(b"\n\n")[:-1], 1):
        body = block[:block.rindex(b"\n") + 1]
        digest = hashlib.sha256(previous.encode() + body).hexdigest()
        assert block.split(b"\n")[-1].split() == [b";", b"chain:", b"%d" % n, digest.encode()], f"{path.name}: {n}"
        previous = digest
        lines = block.decode().split("\n")
        out.append((re.search(r"\(([^)]*)\)", lines[0])[1], sorted(" ".join(line.split()) for line in lines[1:-1])))
    return out


class Killed(house.Case):
    """A daemon killed at a point of its work, and what must hold of every spool then."""

    def killed(self, made, calls, path="", when=1):
        """postroomd --once, killed at the entry of the when-th of these calls on spool/path (None: on anything). False:
        it ended well before."""
        where = [] if path is None else ["-P", made.spool / path]
        command = ["strace", "-qq", "-y", "-s", "80", "-o", made.dir / "trace", *where, "-e", f"trace={calls}", "-e",
                   f"inject={calls}:signal=KILL:when={when}", house.BIN / "postroomd", "-c", made.conf, "--once"]
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # LeakSanitizer cannot work below a tracer
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=5 * house.WAIT_S)
        with open(made.stderr_file, "a") as log:
            log.write(done.stderr)
        made.until(lambda: not processes(made), "the end of all workers of a killed daemon", 10)
        if done.returncode != -signal.SIGKILL:
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return done.returncode == -signal.SIGKILL

    def settle(self, made):
        """Plain restarts: the second one must find nothing left to do."""
        restart(made)
        before = tree(made)
        restart(made)
        self.assertEqual(tree(made), before, "a second restart changed something")

    # -- what must hold
    def events(self, made, id):
        text = made.journal(id)
        self.assertTrue(text.endswith("\n"), f"{id}: torn journal")
        lines = text.splitlines()
        for line in lines:
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [a-z-]+ [A-Za-z0-9._-]+( [a-z0-9]+=.*)?$")
        return collections.Counter(line.split()[1] for line in lines)


class Crash(Killed):
    recipients = {}

    def files(self, rows=ROWS):
        if rows not in Crash.recipients:
            Crash.recipients[rows] = {"recipients.csv": generated(str(rows), str(SEED)),
                                      "suppressed.csv": generated("--suppressed", str(rows), str(SEED)),
                                      "seeds.csv": generated("--seeds")}
        return Crash.recipients[rows]

    # -- what must hold
    def data_digest(self, made, id="d1"):
        path, = [p for p in made.pickup() if f"_{id}_" in p.name]
        line = path.with_name(path.name + ".sha256").read_text().split()
        self.assertEqual(line, [hashlib.sha256(path.read_bytes()).hexdigest(), path.name])
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            return hashlib.sha256(archive.read(path.stem + "/data.csv")).hexdigest()

    def outcome(self, made, id="d1"):
        """What must be the same with and without a kill, checked for what must hold in any case."""
        self.assertEqual(made.place(id), ["outbox"])
        self.assertEqual(made.refused(), {})
        for door in ("inbox", "approved", "run/intake", "pending", "extract"):
            self.assertEqual(list((made.spool / door).iterdir()), [], door)
        pickup = made.spool / "outbox/routers/nord-routage/pickup"
        names = sorted(p.name for p in pickup.iterdir())
        self.assertEqual(len(names), 2, names)
        self.assertEqual(names[1], names[0] + ".sha256")
        self.assertEqual(list(made.spool.glob("ledger/*.torn*")), [])
        self.assertFalse((made.where(id) / "extraction.tmp").exists())
        self.assertFalse((made.where(id) / "extraction" / names[0]).exists(), "the archive moves, it is no copy")
        events = self.events(made, id)
        self.assertEqual((events["taken"], events["handed-over"]), (1, 1))
        cost, stock = (entries(made.spool / f"ledger/{n}.journal") for n in ("cost", "stock"))
        for name, ledger in (("cost", cost), ("stock", stock)):
            self.assertEqual(len({key for key, _ in ledger}), len(ledger), f"{name}: a key stands twice")
        return {"data": self.data_digest(made, id), "cost": cost, "stock": stock,
                "excluded": hashlib.sha256((made.where(id) / "excluded.csv").read_bytes()).hexdigest()}

    # -- the tests
    def at_points(self, points, rows):
        """Kills at each of them; [(name, the spool as the kill left it)]."""
        self.need("strace")
        clean = self.house()
        clean.drop("d1", self.files(rows), target=TARGET)
        self.settle(clean)
        wanted, again, left = self.outcome(clean), 0, []
        self.assertEqual([key for key, _ in wanted["cost"]], ["d1/extraction/1"])
        self.assertEqual([key for key, _ in wanted["stock"]], ["opening/nord/env-c5", "d1/extraction/1"])
        for name, calls, path, when, end in points:
            with self.subTest(name):
                made = house.House()
                try:
                    made.drop("d1", self.files(rows), target=TARGET)
                    self.assertTrue(self.killed(made, calls, path, when), "the daemon never came to this point")
                    call = [line for line in (made.dir / "trace").read_text().splitlines() if line.endswith(" = ?")][-1]
                    self.assertIn(end, call, "another call than was meant: choose its number anew")
                    left.append((name, set(tree(made))))
                    again += self.killed(made, "renameat2", None, 1) + self.killed(made, SYNC, "", 1)
                    self.settle(made)
                    self.assertEqual(self.outcome(made), wanted)
                finally:
                    made.close()
        self.assertGreaterEqual(again, len(points), "restarts were killed too")
        return left

    def test_killed_at_chosen_points_of_the_main_run__ends_as_if_it_had_not_been(self):
        self.at_points(POINTS, ROWS)

    def test_killed_before_the_original_leaves_its_door__one_restart_leaves_nothing_of_it(self):
        self.need("strace")
        made = self.house()
        made.drop("d1", self.files(SMALL_ROWS), target=TARGET)
        self.assertTrue(self.killed(made, RENAME, "inbox", 1))
        self.assertIn('.taken-d1"', (made.dir / "trace").read_text())
        self.assertEqual(os.listdir(made.spool / "inbox"), ["d1"])
        restart(made)
        self.assertEqual((os.listdir(made.spool / "inbox"), os.listdir(made.spool / "run/intake")), ([], []))

    def test_killed_where_the_extraction_was_made_with_the_count__it_is_made_again(self):
        left = self.at_points(SMALL_POINTS, SMALL_ROWS)
        waits = [name for name, names in left if "pending/d1/extraction.tmp/manifest.json" in names]
        self.assertEqual(waits, ["sync behind admission", "removal of the original", "line ready", "line extracting",
                                 "move to extract"])

    def test_killed_before_its_extraction_begins_and_held_then__nothing_of_it_stays(self):
        self.need("strace")
        made = self.house()
        made.drop("d1", self.files(SMALL_ROWS), target=TARGET)
        self.assertTrue(self.killed(made, WRITE, "pending/d1/journal", 1), "the daemon never came to this point")
        self.assertTrue((made.where("d1") / "extraction.tmp/manifest.json").exists())
        text = made.conf.read_text()
        made.conf.write_text(text.replace("threads = 2;", f'threads = 2; window = "{house.closed_window()}";'))
        self.settle(made)
        self.assertEqual(made.place("d1"), ["pending"])
        self.assertFalse((made.where("d1") / "extraction.tmp").exists())
        made.conf.write_text(text)
        self.settle(made)
        self.outcome(made)

    def test_killed_between_a_decision_and_its_line__it_counts_once(self):
        self.need("strace")
        steps = ("target", "content", "extraction")
        places = {"target": "pending", "content": "pending", "extraction": "extract"}
        wanted = None
        for name, step, calls, path in [("nobody", None, None, None)] + [
                (f"{step}, {what}", step, calls, path) for step in steps for what, calls, path in (
                    ("before the move", RENAME, "approved"),
                    ("before the line", WRITE, f"{places[step]}/d1/journal"),
                    ("before the sync", SYNC, ""))]:
            with self.subTest(name):
                made = house.House(approvals="target = true; content = true; extraction = true;")
                try:
                    made.drop("d1", target='order = [ "postcode" ]')
                    restart(made)
                    for one in steps:
                        made.decide("d1", one, "approve")
                        if one == step:
                            self.assertTrue(self.killed(made, calls, path, 2 if calls == SYNC else 1),  # 1: recovery's
                                            "the daemon never came to this point")
                        restart(made)
                    self.settle(made)
                    got = self.outcome(made)
                    self.assertEqual(self.events(made, "d1")["approved"], 3)
                    self.assertEqual(len(list((made.where("d1") / "decisions").iterdir())), 3)
                    wanted = wanted or got
                    self.assertEqual(got, wanted)
                finally:
                    made.close()

    def test_killed_while_an_extraction_is_restarted__reversed_once_and_written_anew(self):
        self.need("strace")
        wanted = None
        for name, calls, path, when in (
                ("nobody", None, None, 0),
                ("before the move", RENAME, "approved", 1),
                ("cost reversal", WRITE, "ledger/cost.journal", 1),
                ("sync of it", SYNC, "ledger/cost.journal", 1),
                ("stock reversal", WRITE, "ledger/stock.journal", 1),
                ("line restarted", WRITE, "extract/d1/journal", 1),
                ("move to pending", RENAME, "pending", 1),
                ("new cost line", WRITE, "ledger/cost.journal", 2),
                ("new stock line", WRITE, "ledger/stock.journal", 2)):
            with self.subTest(name):
                made = house.House(approvals="extraction = true;")
                try:
                    made.drop("d1", target='order = [ "postcode" ]')
                    restart(made)
                    made.decide("d1", "extraction", "restart")
                    if calls:
                        self.assertTrue(self.killed(made, calls, path, when), "the daemon never came to this point")
                    restart(made)
                    self.assertEqual(made.place("d1"), ["extract"])
                    self.assertEqual(made.pickup(), [])
                    made.decide("d1", "extraction", "approve")
                    self.settle(made)
                    got = self.outcome(made)
                    keys = [f"d1/extraction/1", "d1/extraction/1/reversed", "d1/extraction/2"]
                    self.assertEqual([key for key, _ in got["cost"]], keys)
                    self.assertEqual([key for key, _ in got["stock"]], ["opening/nord/env-c5"] + keys)
                    self.assertEqual(self.events(made, "d1")["restarted"], 1)
                    wanted = wanted or got
                    self.assertEqual(got, wanted)
                finally:
                    made.close()

    def test_killed_while_a_delivery_is_stopped__reversed_once_and_done(self):
        self.need("strace")
        for name, calls, path in (("before the move", RENAME, "approved"), ("reversal", WRITE, "ledger/cost.journal"),
                                  ("stock", WRITE, "ledger/stock.journal"), ("line", WRITE, "extract/d1/journal"),
                                  ("move to done", RENAME, "done")):
            with self.subTest(name):
                made = house.House(approvals="extraction = true;")
                try:
                    made.drop("d1")
                    restart(made)
                    made.decide("d1", "delivery", "stop")
                    self.assertTrue(self.killed(made, calls, path), "the daemon never came to this point")
                    self.settle(made)
                    self.assertEqual((made.place("d1"), made.pickup(), made.refused()), (["done"], [], {}))
                    self.assertEqual(self.events(made, "d1")["stopped"], 1)
                    for ledger in ("cost", "stock"):
                        keys = [key for key, _ in entries(made.spool / f"ledger/{ledger}.journal")]
                        self.assertEqual([key for key in keys if key.startswith("d1/")],
                                         ["d1/extraction/1", "d1/extraction/1/reversed"])
                finally:
                    made.close()

    def test_archive_fetched_and_removed_before_the_restart__is_not_published_again(self):
        self.need("strace")
        made = self.house()
        made.drop("d1")
        self.assertTrue(self.killed(made, WRITE, "outbox/deliveries/d1/journal", 1))
        fetched, = made.pickup()
        for path in (fetched, fetched.with_name(fetched.name + ".sha256")):
            path.unlink()
        self.settle(made)
        self.assertEqual(made.pickup(), [])
        self.assertEqual(self.events(made, "d1")["handed-over"], 1)
        self.assertIn("state=handed-over", made.journal("d1"))

    def test_torn_tails__are_cut_and_kept_and_the_work_goes_on(self):
        """What a power cut leaves of an append: the beginning of a line."""
        made = self.house(approvals="extraction = true;")
        made.drop("d1")
        restart(made)
        ledger = made.spool / "ledger/cost.journal"
        whole = ledger.read_bytes()
        with open(ledger, "ab") as file:
            file.write(b"2027-03-01 * (d1/extraction/9) comm")
        with open(made.where("d1") / "journal", "ab") as file:
            file.write(b"2027-03-01T00:00:00.000000Z appro")
        made.decide("d1", "extraction", "approve")
        restart(made)
        self.assertEqual(ledger.read_bytes(), whole)
        torn, = made.spool.glob("ledger/cost.journal.torn-*")
        self.assertEqual(torn.read_bytes(), b"2027-03-01 * (d1/extraction/9) comm")
        torn.unlink()
        self.outcome(made)
        self.assertEqual(self.events(made, "d1")["approved"], 1)

    def test_daemon_killed_while_a_worker_works__the_worker_dies_with_it(self):
        """Seen with a worker that is stopped: it cannot end by itself, be it done or not."""
        made = self.house()
        made.make_spool()
        made.start()
        made.drop("d1", {"recipients.csv": generated("1000000" if not house.SAN else "200000", "5")},
                  target='order = [ "city", "last_name" ]; dedupe = [ "last_name", "address1" ]')
        made.until(lambda: set(processes(made)) - {made.daemon.pid}, "a worker")
        worker, = set(processes(made)) - {made.daemon.pid}
        os.kill(worker, signal.SIGSTOP)
        made.stop(signal.SIGKILL)
        made.until(lambda: not processes(made), "the worker's end", 5)
        self.assertEqual(made.place("d1"), [])
        self.assertTrue((made.spool / "inbox/d1/delivery.conf").exists())
        self.settle(made)
        self.outcome(made)

    def test_killed_at_ten_moments_with_fifty_deliveries_in_flight__each_is_handed_over_once(self):
        count, chance = 50, random.Random(CHANCE)
        made = self.house()
        made.make_spool()
        text = generated("4000", "9")
        for n in range(count):
            made.write_delivery(made.dir / "staged" / f"d{n}", {"recipients.csv": text}, target='order = [ "city" ]')
        for n in range(count):
            os.rename(made.dir / "staged" / f"d{n}", made.spool / "inbox" / f"d{n}")
        pauses, states = [], []
        for _ in range(10):
            made.start()
            pauses.append(chance.uniform(0.02, 0.4))
            time.sleep(pauses[-1])  # the chance that this test is about
            self.assertEqual(made.stop(signal.SIGKILL), -signal.SIGKILL)
            made.until(lambda: not processes(made), "the workers' end", 10)
            states.append([len(list((made.spool / p).iterdir()))
                           for p in ("inbox", "pending", "extract", "outbox/deliveries")])
        print("kills left (inbox, pending, extract, outbox):", states, flush=True)
        restart(made)
        before = tree(made)
        restart(made)
        self.assertEqual(tree(made), before)
        self.assertEqual(made.refused(), {}, f"seed {CHANCE}, pauses {pauses}")
        for n in range(count):
            self.assertEqual(made.place(f"d{n}"), ["outbox"], f"d{n}; seed {CHANCE}, pauses {pauses}")
            events = self.events(made, f"d{n}")
            self.assertEqual((events["taken"], events["handed-over"]), (1, 1), f"d{n}")
            self.data_digest(made, f"d{n}")
        self.assertEqual(len(made.pickup()), count)
        pickup = made.spool / "outbox/routers/nord-routage/pickup"
        self.assertEqual(len(list(pickup.iterdir())), 2 * count, "nothing half visible is left")
        for ledger, more in (("cost", []), ("stock", ["opening/nord/env-c5"])):
            keys = [key for key, _ in entries(made.spool / f"ledger/{ledger}.journal")]
            self.assertEqual(sorted(keys), sorted(more + [f"d{n}/extraction/1" for n in range(count)]), ledger)
        self.assertTrue(any(0 < s[0] < count or s[1] or s[2] for s in states), "no kill came in mid-work")


# The same of a delivery that is sent, by e-mail; its worker is not at work at any of these points.
SENDING_POINTS = [
    ("line sending", WRITE, "pending/e1/journal", 2, " sending "),
    ("move to outbox", RENAME, "outbox/deliveries", 1, '/outbox/deliveries>, "e1"'),
    ("sync of the list", SYNC, "", 4, "syncfs"),
    ("list whole", RENAME, "outbox/deliveries/e1", 1, '"sending.tmp"'),
    ("sync behind it", SYNC, "", 5, "syncfs"),
    ("cost line", WRITE, "ledger/cost.journal", 1, "(e1/sending/1)"),
    ("sync of the cost line", SYNC, "ledger/cost.journal", 1, "fdatasync"),
    ("line fixed", WRITE, "outbox/deliveries/e1/journal", 1, " fixed "),
    ("who could not be reached", RENAME, "quarantine", 1, '"email.csv"'),
    ("removal of the note of it", "unlinkat", "outbox/deliveries/e1", 2, '"sending/email.csv"'),
    ("reversal", WRITE, "ledger/cost.journal", 2, "(e1/sending/1/reversed)"),
    ("what was spent", WRITE, "ledger/cost.journal", 3, "(e1/spent/1)"),
    ("line finished", WRITE, "outbox/deliveries/e1/journal", 2, " finished "),
    ("sync of the end", SYNC, "", 7, "syncfs"),
    ("move to done", RENAME, "done", 1, '/done>, "e1"'),
]


class CrashOfSending(Killed, sending.Case):
    def post_office(self):
        return self.office(at_rcpt=lambda to, nth: "550 5.1.1 no such user" if to == "r3@example.net" else "250 ok")

    def ended(self, made, office, state="finished"):
        """What must be the same with and without a kill."""
        self.assertEqual((made.place("e1"), self.state(made, "e1"), made.refused()), (["done"], state, {}))
        for door in ("inbox", "approved", "run/intake", "pending", "outbox/deliveries"):
            self.assertEqual(list((made.spool / door).iterdir()), [], door)
        self.assertEqual(len(office.to()), len(set(office.to())), "somebody got it twice")
        events = self.events(made, "e1")
        self.assertEqual((events["taken"], events["sending"], events["fixed"], events[state]), (1, 1, 1, 1))
        self.assertFalse((made.where("e1") / "sending.tmp").exists())
        known = made.spool / "quarantine/email.csv"
        rows = [row.split(",")[0] for row in known.read_text().splitlines()] if known.exists() else []
        return {"cost": entries(made.spool / "ledger/cost.journal"), "got": sorted(office.to()), "known": rows,
                "list": (made.where("e1") / "sending/recipients.csv").read_bytes(), "results": self.results(made, "e1")}

    def test_killed_at_chosen_points_of_a_sending__ends_as_if_it_had_not_been(self):
        self.need("strace")
        wanted = None
        for name, calls, path, when, end in [("nobody", None, None, 0, None)] + SENDING_POINTS:
            with self.subTest(name):
                office = self.post_office()
                made = self.post(office.port)
                self.drop(made, "e1")
                if calls:
                    self.assertTrue(self.killed(made, calls, path, when), "the daemon never came to this point")
                    call = [line for line in (made.dir / "trace").read_text().splitlines() if line.endswith(" = ?")][-1]
                    self.assertIn(end, call, "another call than was meant: choose its number anew")
                    self.killed(made, "renameat2", None, 1)
                    self.killed(made, SYNC, "", 1)
                self.settle(made)
                got = self.ended(made, office)
                wanted = wanted or got
                self.assertEqual(got, wanted)
        self.assertEqual([key for key, _ in wanted["cost"]], ["e1/sending/1", "e1/sending/1/reversed", "e1/spent/1"])
        self.assertEqual((len(wanted["got"]), wanted["known"]), (9, ["address", "r3@example.net"]))

    def test_killed_while_a_sending_is_stopped__what_was_sent_is_spent_once(self):
        self.need("strace")
        for name, calls, path, when in (
                ("before the move", RENAME, "approved", 1), ("reversal", WRITE, "ledger/cost.journal", 1),
                ("spent", WRITE, "ledger/cost.journal", 2), ("sync of it", SYNC, "ledger/cost.journal", 2),
                ("line", WRITE, "outbox/deliveries/e1/journal", 1), ("move to done", RENAME, "done", 1)):
            with self.subTest(name):
                office = self.office()
                made = self.post(office.port)
                self.drop(made, "e1", more='waves = { size = 3; every = "1h"; };')
                restart(made)
                self.assertEqual((self.state(made, "e1"), len(office.got)), ("sending", 3))
                made.decide("e1", "delivery", "stop")
                self.assertTrue(self.killed(made, calls, path, when), "the daemon never came to this point")
                self.settle(made)
                got = self.ended(made, office, "stopped")
                self.assertEqual([key for key, _ in got["cost"]], ["e1/sending/1", "e1/sending/1/reversed", "e1/spent/1"])
                self.assertIn("0.03 EUR", " ".join(got["cost"][2][1]))
                self.assertEqual(len(got["got"]), 3)

    def test_stopped_before_who_could_not_be_reached_was_taken_over__is_in_quarantine_all_the_same(self):
        self.need("strace")
        office = self.post_office()
        made = self.post(office.port)
        self.drop(made, "e1", more='waves = { size = 3; every = "1h"; };')
        self.assertTrue(self.killed(made, RENAME, "quarantine", 1), "the daemon never came to this point")
        made.decide("e1", "delivery", "stop")
        self.settle(made)
        self.assertEqual(self.ended(made, office, "stopped")["known"], ["address", "r3@example.net"])
        self.assertFalse((made.where("e1") / "sending/email.csv").exists())


if __name__ == "__main__":
    house.main()
