"""A house with many finished deliveries: the start, and how soon a drop is taken, do not depend on them."""
import os
import shutil
import signal
import statistics
import time

import house
import memory
import table
import work

ROWS = 10
LINKS_MAX = 50_000  # of one file; ext4 allows 65,000
LOOK_EVERY_S = 0.001
WAIT_S = 60
REACH_START_S, REACH_TAKEN_S, REACH_MIB = 2, 0.2, 64
PLACES = ("pending", "extract", "outbox/deliveries", "done")


def fill(done, template, count):
    """Finished deliveries like `template`, as the daemon leaves them; their files are links: nobody looks into them."""
    source = done / template
    for number in range(1, count):
        if number % LINKS_MAX == 0:  # this one has files of its own, and is what the next ones link to
            shutil.copytree(source, done / f"done-{number:06d}")
            source = done / f"done-{number:06d}"
            continue
        copy_by_links(os.fspath(source), os.fspath(done / f"done-{number:06d}"))


def copy_by_links(source, target):
    os.mkdir(target, 0o750)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir():
                copy_by_links(entry.path, f"{target}/{entry.name}")
            else:
                os.link(entry.path, f"{target}/{entry.name}")


def wait_until(holds, daemon, home):
    """Seconds until it holds."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > WAIT_S or daemon.poll() is not None:
            raise work.Broken(f"the daemon did not get there: {home.log.read_text()[-2000:]}")
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - started


def is_taken(home, id):
    return any((home.spool / place / id).exists() for place in PLACES)


class Visit:
    """One start of the daemon, and one drop while it runs."""

    def __init__(self, home, id, recipients, results):
        home.stage(id, recipients)
        status = home.spool / "run/status.json"
        status.unlink(missing_ok=True)
        work.settle()
        daemon = home.start()
        sampler = memory.Sampler(daemon.pid)
        try:
            self.start = wait_until(status.exists, daemon, home)
            home.drop(id)
            self.taken = wait_until(lambda: is_taken(home, id), daemon, home)
            wait_until((home.spool / "done" / id).exists, daemon, home)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate()
            sampler.stop()
        self.mib = sampler.peaks.get("postroomd", 0) / 1024
        results.used(sampler)


def measure(job, results):
    count = job.options.done
    home = house.House(job, finish_on="hand-over")
    recipients = job.recipients(ROWS, seed=7)
    home.stage("done-000000", recipients)
    home.drop("done-000000")
    home.once()
    if not (home.spool / "done/done-000000").exists():
        raise work.Broken(f"the first delivery did not finish: {home.log.read_text()[-2000:]}")
    work.say(f"making {count:,} finished deliveries")
    fill(home.spool / "done", "done-000000", count)
    work.say("the daemon among them")
    visits = [Visit(home, f"visit-{number}", recipients, results) for number in range(job.options.rounds)]
    results.section(f"A house with {count:,} finished deliveries")
    results.row("start, until it is up", [visit.start for visit in visits], reach=table.at_most(REACH_START_S))
    results.row("a drop is taken after", [visit.taken for visit in visits], reach=table.at_most(REACH_TAKEN_S))
    results.row("daemon, peak memory", [visit.mib for visit in visits], "MiB", reach=table.at_most(REACH_MIB))
    highest = statistics.median(visit.mib for visit in visits)
    if highest > REACH_MIB:
        results.broken(f"the daemon used {highest:.0f} MiB, more than the {REACH_MIB} MiB promised")
