"""One large delivery, and everybody else at the same work; containers and levels of ours."""
import shutil
import statistics
import subprocess
import tarfile

import house
import peers
import table
import work

DEFAULT = ("tar.gz", 6)
CONTAINERS = (("zip", 6), ("gz", 6), ("tar.zst", 6))
FASTEST, SMALLEST = ("tar.gz", 1), ("tar.gz", 9)
# class of the peer -> the extraction, and the whole run, are this many times faster
REACH = {"DuckDB": (8, 5), "PythonCsv": (20, None), "Miller": (20, None)}


class Ours:
    """Extractions of one kind: seconds of each, of the whole runs, and what came out."""

    def __init__(self, container, level):
        self.container, self.level = container, level
        self.extractions, self.wholes, self.archive_bytes, self.together = [], [], 0, 0

    def turn(self, job, results, keep=None):
        """One whole run. keep: called with the house before it is removed"""
        home = house.House(job, self.container, self.level)
        home.stage("large", job.recipients(job.options.rows))
        home.drop("large")
        work.settle()
        run = home.hand_over(["large"])
        events = home.journal("large")
        self.extractions.append(events["extracted"] - events["extracting"])
        self.wholes.append(run.seconds)
        self.archive_bytes = home.archive().stat().st_size
        self.together = max(self.together, run.together)
        results.used(run)
        kept = keep(home) if keep else None
        home.remove()
        return kept


class Again:
    """Extractions for which nothing was kept of a count (a list changed since, mostly): everybody is selected again."""

    def __init__(self):
        self.seconds = []

    def turn(self, job):
        work.settle()
        done = subprocess.run([job.build / "tools/bench/extract-target", "--threads", "2", job.recipients(job.options.rows)], cwd=job.top,
                              capture_output=True, text=True, check=True)
        times = dict(pair.split("=") for pair in done.stdout.split())
        self.seconds.append(float(times["select"]) + float(times["pack"]))


class Theirs:
    def __init__(self, peer, job):
        self.peer, self.seconds, self.path = peer, [], None
        self.agreed = ""  # what comparing its rows with ours said
        self.why_missing = peer.missing(job)

    def turn(self, job, data):
        if self.why_missing is None:
            work.settle()
            seconds, self.path = self.peer.run(job, data)
            self.seconds.append(seconds)


def finished(job, home):
    """(target, path of the data file) of a delivery that is handed over."""
    path = job.top / "data.csv"
    with tarfile.open(home.archive()) as tar:
        member = next(m for m in tar if m.name.endswith("/data.csv"))
        with tar.extractfile(member) as data, open(path, "wb") as out:
            shutil.copyfileobj(data, out, 1 << 20)
    return home.target("large"), path


def kinds(options):
    """container and level of what is measured of ours, in turn"""
    found = [DEFAULT]
    if "containers" in options.part:
        found += [*CONTAINERS, FASTEST, SMALLEST]
    if options.levels:
        found += [("tar.gz", level) for level in range(1, 10) if ("tar.gz", level) not in found]
    return found


def rounds(job, results, ours, again, pigz, workers, data):
    for number in range(job.options.rounds):
        work.say(f"large delivery, round {number + 1} of {job.options.rounds}")
        ours[DEFAULT].turn(job, results)
        pigz.turn(job, data)
        again.turn(job)
        for kind, each in ours.items():
            if kind != DEFAULT:
                each.turn(job, results)
        for theirs in workers:
            theirs.turn(job, data)


def measure(job, results):
    ours = {kind: Ours(*kind) for kind in kinds(job.options)}
    pigz = Theirs(peers.PIGZ, job)
    workers = [Theirs(peer, job) for peer in (peers.WORKERS if "peers" in job.options.part else ())]
    work.say("large delivery, once without being measured")
    target, data = Ours(*DEFAULT).turn(job, results, lambda home: finished(job, home))
    own = peers.rows_of(data)
    if len(own) != target["records"]:
        raise work.Broken(f"counts differ: {len(own):,} records in our archive, {target['records']:,} counted")
    again = Again()
    rounds(job, results, ours, again, pigz, workers, data)
    for theirs in workers:
        if theirs.path:
            theirs.agreed = peers.check(theirs.peer, theirs.path, own, target["excluded"].get("duplicate", 0))
    show(job, results, target, data, ours, again, pigz, workers)


def middle(values):
    return statistics.median(values) if values else None


def show(job, results, target, data, ours, again, pigz, workers):
    recipients = job.recipients(job.options.rows)
    results.section(f"One delivery: {target['rows']:,} recipients ({recipients.stat().st_size / 1e6:.1f} MB), "
                    f"{target['records']:,} records ({data.stat().st_size / 1e6:.1f} MB of data)")
    default = ours[DEFAULT]
    results.row("postroom, extraction alone: tar.gz, level 6", default.extractions, ratio=1)
    results.row("postroom, whole run from the drop", default.wholes,
                ratio=middle(default.wholes) / middle(default.extractions))
    results.row("  extraction that selects again (a list changed since)", again.seconds,
                ratio=middle(again.seconds) / middle(default.extractions))
    show_pigz(results, default, pigz)
    for theirs in workers:
        show_worker(results, default, theirs)
    show_kinds(results, ours, pigz)
    results.together(max(each.together for each in ours.values()), work.MEMORY_MIB)


def show_pigz(results, default, pigz):
    if pigz.why_missing:
        results.missing(pigz.peer.name, pigz.why_missing)
        return
    alone, size = middle(pigz.seconds), pigz.path.stat().st_size
    results.row(pigz.peer.name, pigz.seconds, ratio=alone / middle(default.extractions))
    results.row("  our extraction / pigz", ratio=middle(default.extractions) / alone, reach=table.at_most(0.9))
    results.row("  our whole run / pigz", ratio=middle(default.wholes) / alone, reach=table.at_most(1.6))
    results.row("  our archive / pigz's", [default.archive_bytes / 1e6], "MB", ratio=default.archive_bytes / size,
                reach=table.at_most(1.03))


def show_worker(results, default, theirs):
    if theirs.why_missing:
        results.missing(theirs.peer.name, theirs.why_missing)
        return
    extraction, whole = REACH[type(theirs.peer).__name__]
    results.row(theirs.peer.name, theirs.seconds, ratio=middle(theirs.seconds) / middle(default.extractions),
                reach=table.at_least(extraction))
    if whole:
        results.row("  against our whole run", ratio=middle(theirs.seconds) / middle(default.wholes),
                    reach=table.at_least(whole))
    results.note("  its rows", theirs.agreed)


def show_kinds(results, ours, pigz):
    """Extractions of other containers and levels, each with its archive's size."""
    default = middle(ours[DEFAULT].extractions)
    alone = middle(pigz.seconds)
    for kind, each in sorted(ours.items(), key=lambda item: (item[0][0] == "tar.gz", item[0])):
        reach = table.at_most(1.15) if kind in CONTAINERS else None
        if len(ours) > 1:
            results.row(f"extraction as {each.container}, level {each.level}: {each.archive_bytes / 1e6:.2f} MB",
                        each.extractions, ratio=middle(each.extractions) / default, reach=reach)
        if kind == FASTEST and alone:
            results.row("  level 1 / pigz", ratio=middle(each.extractions) / alone, reach=table.at_most(0.4))
