"""A house for one end-to-end test: a folder with etc/ and spool/, the built programs, and what people drop.

Everything runs below one temporary folder that is removed at the end. Daemons are ended by their pid. Waiting is
always for a fact, with a limit, never for luck.
"""
import csv
import datetime
import io
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zoneinfo

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTROOM_BUILD", TOP / "build"))
BIN = BUILD / "bin"
SAN = os.environ.get("POSTROOM_SAN") == "1"
ME = pwd.getpwuid(os.getuid()).pw_name
WAIT_S = 60.0 * (4 if SAN else 1)

CONF = """
spool = "../spool"; templates = "../templates"; settle = %(settle)s;
timezone = "Europe/Paris"; currency = "EUR"; notices = false;
%(top)s
defaults = { approvals = { %(approvals)s }; };
extract = { memory = "256MiB"; threads = %(threads)d; };
operators = (
  { name = "alice"; user = "%(user)s"; email = "alice@example.net"; groups = [ "marketing" ]; admin = %(admin)s; }%(operators)s );
programmes = ( { name = "loyalty"; budget = { allocated = "50000.00"; }; } );
campaigns = ( { name = "spring-2027"; programme = "loyalty"; owner = "alice"; budget = { allocated = "10000.00"; }; } );
providers = (
  { name = "nord-routage"; email = [ "prod@nord.example" ]; services = (
    { name = "letter"; channel = "mail"; finish_on = "%(finish_on)s";
      costs = (
        { category = "envelope"; type = "c5"; rule = "linear"; amount = "12.00"; per = 1000; stock = "nord/env-c5"; },
        { category = "postage"; type = "eco"; rule = "linear_by_threshold";
          steps = ( { upto = 100; amount = "0.13"; }, { upto = 1000; amount = "0.12"; } ); beyond = "0.11"; },
        { category = "setup"; type = "flat"; rule = "fixed"; amount = "150.00"; selected = false; } );
      layout = { format = "csv"; delimiter = ";"; encoding = "windows-1252"; header = true; container = "%(container)s";
        name = "{{campaign}}_{{delivery}}_{{date}}";
        columns = ( "reference", "recipient_id", "last_name",
          { name = "line1"; value = "{{title}} {{first_name}} {{last_name}}"; }, "address1", "postcode", "city" ); };
    } ); } );
stocks = ( { name = "nord"; provider = "nord-routage"; lines = (
  { name = "env-c5"; initial = 1000; alert = 200; } ); } );
"""

DELIVERY = """
campaign = "spring-2027"; channel = "mail"; label = "Spring offer, letter";
target = { file = "recipients.csv"; key = "recipient_id"; %(target)s };
provider = "nord-routage"; service = "letter";
%(more)s
"""

HEADER = ["recipient_id", "title", "first_name", "last_name", "company", "address1", "address2", "postcode", "city",
          "country", "email", "mobile", "segment", "balance", "consent_mail", "language"]


def recipients(count, **columns):
    """CSV text of `count` plain recipients; a column given as a function of the row number (from 1) replaces it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for n in range(1, count + 1):
        row = {"recipient_id": f"R{n:06d}", "title": "Mme", "first_name": "Zoé", "last_name": f"Durand{n}", "company": "",
               "address1": f"{n} rue des Lilas", "address2": "", "postcode": f"{(n * 37) % 95000 + 1000:05d}",
               "city": "Lille", "country": "FR", "email": f"r{n}@example.net", "mobile": "", "segment": "gold",
               "balance": "10.00", "consent_mail": "1", "language": "fr"}
        for name, value in columns.items():
            row[name] = value(n) if callable(value) else value
        writer.writerow([row[name] for name in HEADER])
    return out.getvalue()


def children(pid, name=""):
    """Pids of the workers of a daemon, or of those with this name: 15 bytes of it at most."""
    try:
        found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(p) for p in found if name in ("", pathlib.Path(f"/proc/{p}/comm").read_text().rstrip("\n"))]
    except OSError:
        return []


def closed_window():
    """A `window` of extractions that opens in two hours, by the clock of the house."""
    now = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Paris"))
    return "-".join(f"{now + datetime.timedelta(hours=hours):%H:%M}" for hours in (2, 4))


class House:
    def __init__(self, approvals="", settle="0.0", admin="true", operators="", top="", container="zip", threads=2,
                 finish_on="report", conf=None, user=ME):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postroom-e2e-"))
        os.chmod(self.dir, 0o755)
        self.etc = self.dir / "etc"
        self.etc.mkdir()
        (self.dir / "templates").mkdir()
        self.conf = self.etc / "postroom.conf"
        self.spool = self.dir / "spool"
        self.conf.write_text(conf or CONF % {
            "settle": settle, "approvals": approvals, "admin": admin, "top": top, "container": container,
            "operators": ("".join(",\n  " + o for o in operators) if not isinstance(operators, str) else operators),
            "threads": threads, "finish_on": finish_on, "user": user})
        self.daemon = None
        self.stderr_file = self.dir / "daemon.log"

    # -- programs
    def once(self, *args, check=True, timeout=None):
        done = subprocess.run([BIN / "postroomd", "-c", self.conf, "--once", *args], capture_output=True, text=True,
                              timeout=timeout or 10 * WAIT_S)
        with open(self.stderr_file, "a") as log:
            log.write(done.stderr)
        if check and done.returncode != 0:
            raise AssertionError(f"postroomd --once ended with {done.returncode}:\n{done.stderr[-3000:]}")
        done.last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        done.counts = dict(pair.split("=") for pair in done.last.split()) if done.last else {}
        return done

    def check(self):
        """postroomd --check: what it says of the configuration."""
        return subprocess.run([BIN / "postroomd", "-c", self.conf, "--check"], capture_output=True, text=True, timeout=WAIT_S)

    def start(self, *args, wrapper=()):
        (self.spool / "run/status.json").unlink(missing_ok=True)  # that of an earlier run says nothing about this one
        self.daemon = subprocess.Popen([*wrapper, BIN / "postroomd", "-c", self.conf, *args], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=open(self.stderr_file, "a"))
        self.until(lambda: (self.spool / "run/status.json").exists() or self.daemon.poll() is not None, "daemon up")
        return self.daemon

    def status(self):
        """run/status.json, or {} where no daemon has written it yet."""
        try:
            return json.loads((self.spool / "run/status.json").read_text())
        except (OSError, ValueError):
            return {}

    def stop(self, sig=signal.SIGTERM, timeout=20):
        if self.daemon is not None:
            if self.daemon.poll() is None:
                self.daemon.send_signal(sig)
            code = self.daemon.wait(timeout)
            self.daemon = None
            return code
        return None

    def cli(self, *args, check=None, env=None, user=None):
        command = [str(BIN / "postroom"), "-c", str(self.conf), *map(str, args)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2 * WAIT_S,
                              env=dict(os.environ, **(env or {})), user=user)
        if check is not None and done.returncode != check:
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}, not {check}:\n"
                                 f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def show(self, id):
        return json.loads(self.cli("show", id, "--json", check=0).stdout)

    # -- what people drop
    def write_delivery(self, folder, files=None, conf=None, target="", more=""):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (files or {}).items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        text = conf if conf is not None else DELIVERY % {"target": target, "more": more}
        (folder / "delivery.conf").write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    def drop(self, id, files=None, conf=None, target="", more="", uid=None):
        """Prepares a delivery beside the spool and moves it into the inbox by rename."""
        if files is None:
            files = {"recipients.csv": recipients(10)}
        staged = self.write_delivery(self.dir / "staged" / id, files, conf, target, more)
        if uid is not None:
            for path in [staged, *staged.iterdir()]:
                os.chown(path, uid, uid)
        self.make_spool()
        os.rename(staged, self.spool / "inbox" / id)

    def approval(self, name, text, uid=None, mode=0o640, operator=None):
        self.make_spool()
        path = self.dir / ("." + name)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        if uid is not None:
            os.chown(path, uid, uid)
        door = self.spool / "approved"
        if operator:
            door = door / operator
            door.mkdir(exist_ok=True)
        os.rename(path, door / name)

    def decide(self, id, step, decision, uid=None, more=""):
        self.approval(f"{id}-{step}-{decision}-{time.monotonic_ns()}.conf",
                      f'delivery = "{id}"; step = "{step}"; decision = "{decision}"; {more}', uid=uid)

    def make_spool(self):
        if not (self.spool / "inbox").exists():
            self.once()

    # -- what there is
    def place(self, id):
        return [stage for stage, path in (("pending", "pending"), ("extract", "extract"), ("outbox", "outbox/deliveries"),
                                          ("done", "done")) if (self.spool / path / id).exists()]

    def where(self, id):
        for _ in range(2):  # one look goes past what is moved back meanwhile
            for path in ("pending", "extract", "outbox/deliveries", "done"):
                if (self.spool / path / id).exists():
                    return self.spool / path / id
        raise AssertionError(f"{id} stands nowhere; refused: {self.refused()}")

    def read(self, id, name):
        """Bytes of a delivery's file; the delivery may be on its way to the next place."""
        try:
            place = os.open(self.where(id), os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return self.read(id, name)
        try:
            with open(name, "rb", opener=lambda path, flags: os.open(path, flags, dir_fd=place)) as file:
                return file.read()
        finally:
            os.close(place)

    def pickup(self, provider="nord-routage"):
        folder = self.spool / "outbox/routers" / provider / "pickup"
        return sorted(p for p in folder.iterdir() if not p.name.endswith(".sha256")) if folder.exists() else []

    def refused(self):
        return {p.name.removesuffix(".reason"): p.read_text() for p in (self.spool / "refused").glob("*.reason")}

    def journal(self, id):
        return self.read(id, "journal").decode()

    def log(self):
        return self.stderr_file.read_text() if self.stderr_file.exists() else ""

    def until(self, fact, what, timeout=None):
        end = time.monotonic() + (timeout or WAIT_S)
        while not fact():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for: {what}\n{self.log()[-3000:]}")
            time.sleep(0.02)

    def close(self):
        try:
            self.stop(signal.SIGKILL)
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)


class Case(unittest.TestCase):
    """A test with a house of its own: self.house(...) makes one that ends with the test."""

    def house(self, **settings):
        house = House(**settings)
        self.addCleanup(house.close)
        return house

    def need_root(self):
        if os.getuid() != 0:
            self.skipTest("needs root (several user ids)")

    def need(self, program):
        if shutil.which(program) is None:
            self.skipTest(f"{program} is not installed")


def whole_tests(tests):
    """Their ids; several subtests of one test count as that test."""
    return {getattr(test, "test_case", test).id() for test in tests}


def main():
    """Runs the calling script's tests, or those that an argument names; the COUNTS line is read by tests/run."""
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{name}*" for name in sys.argv[1:]] or None
    suite = loader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    for test, reason in result.skipped:
        print(f"SKIPPED: {test.id().removeprefix('__main__.')}: {reason}")
    failed = whole_tests(test for test, _ in result.failures + result.errors) | whole_tests(result.unexpectedSuccesses)
    skipped = whole_tests(test for test, _ in result.skipped) - failed
    print(f"COUNTS {max(0, result.testsRun - len(failed) - len(skipped))} {len(failed)} {len(skipped)}")
    sys.exit(1 if failed else 0)
