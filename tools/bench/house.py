"""A house for one measurement: a fresh spool with its configuration, deliveries dropped by rename, the daemon run."""
import datetime
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import time

import memory
import work

CONF = """
spool = "../spool"; templates = "../templates"; settle = 0; timezone = "UTC"; currency = "EUR"; notices = false;
extract = { memory = "%(memory)dMiB"; };
operators = ( { name = "alice"; user = "%(user)s"; admin = true; } );
programmes = ( { name = "loyalty"; } );
campaigns = ( { name = "bench"; programme = "loyalty"; owner = "alice"; } );
providers = ( { name = "router"; services = ( { name = "letter"; channel = "mail"; finish_on = "%(finish_on)s";
  costs = ( { category = "postage"; type = "eco"; rule = "linear"; amount = "0.11"; stock = "paper/env"; } );
  layout = { delimiter = ";"; container = "%(container)s"; level = %(level)d; columns = ( %(columns)s ); }; } ); } );
stocks = ( { name = "paper"; lines = ( { name = "env"; initial = 100000000; } ); } );
"""
DELIVERY = """
campaign = "bench"; channel = "mail"; provider = "router"; service = "letter";
target = { file = "recipients.csv"; key = "%(key)s"; where = "%(column)s = '%(value)s'";
  dedupe = [ %(dedupe)s ]; order = [ %(order)s ]; };
"""


def listed(names):
    return ", ".join(f'"{name}"' for name in names)


class Run:
    """What one run of the daemon showed."""

    def __init__(self, began, seconds, counts, sampler):
        self.began = began  # wall time of the start
        self.seconds, self.counts = seconds, counts
        self.peaks, self.together = sampler.peaks, sampler.together  # KiB


class House:
    def __init__(self, job, container="tar.gz", level=6, finish_on="report"):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=job.top))
        self.conf = self.dir / "etc/postroom.conf"
        self.spool = self.dir / "spool"
        self.log = self.dir / "log"
        for name in ("etc", "templates", "staged"):
            (self.dir / name).mkdir()
        # "reference" stands for the key, which routers do not get
        self.conf.write_text(CONF % {
            "user": pwd.getpwuid(os.getuid()).pw_name, "memory": work.MEMORY_MIB, "finish_on": finish_on,
            "container": container, "level": level, "columns": listed(("reference", *work.COLUMNS[1:]))})
        self.postroomd = job.build / "bin/postroomd"
        self.once()

    def stage(self, id, recipients):
        """A delivery ready to be dropped."""
        (self.dir / "staged" / id).mkdir()
        (self.dir / "staged" / id / "delivery.conf").write_text(DELIVERY % {
            "key": work.KEY, "column": work.WHERE_COLUMN, "value": work.WHERE_VALUE,
            "dedupe": listed(work.DEDUPE), "order": listed(work.ORDER)})
        shutil.copyfile(recipients, self.dir / "staged" / id / "recipients.csv")

    def drop(self, id):
        os.rename(self.dir / "staged" / id, self.spool / "inbox" / id)

    def start(self, *args):
        return subprocess.Popen([self.postroomd, "-c", self.conf, *args], stdout=subprocess.PIPE,
                                stderr=open(self.log, "a", encoding="utf-8"), text=True)

    def once(self):
        """Runs the daemon until nothing moves."""
        began, started = time.time(), time.monotonic()
        daemon = self.start("--once")
        sampler = memory.Sampler(daemon.pid)
        lines = daemon.communicate()[0].splitlines()
        seconds = time.monotonic() - started
        sampler.stop()
        if daemon.returncode != 0 or not lines:
            raise work.Broken(f"postroomd --once ended with {daemon.returncode}: {self.log.read_text()[-2000:]}")
        return Run(began, seconds, dict(pair.split("=") for pair in lines[-1].split()), sampler)

    def hand_over(self, ids):
        """once(), after which these deliveries are with the router."""
        run = self.once()
        missing = [id for id in ids if not (self.spool / "outbox/deliveries" / id).exists()]
        if missing:
            raise work.Broken(f"{len(missing)} of {len(ids)} deliveries were not handed over: {run.counts} "
                              f"{self.log.read_text()[-2000:]}")
        return run

    def journal(self, id):
        """event -> wall time of its first line"""
        events = {}
        with open(self.spool / "outbox/deliveries" / id / "journal", encoding="utf-8") as journal:
            for line in journal:
                at, event = line.split(" ", 2)[:2]
                events.setdefault(event, datetime.datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp())
        return events

    def target(self, id):
        """The counts: rows, records, excluded by cause"""
        return json.loads((self.spool / "outbox/deliveries" / id / "target.json").read_text())

    def archive(self):
        """The archive in the router's pickup: a gz has its manifest, which is small, beside it"""
        return max((self.spool / "outbox/routers/router/pickup").iterdir(), key=lambda path: path.stat().st_size)

    def remove(self):
        work.remove(self.dir)
