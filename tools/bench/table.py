"""The one table: what, median, spread, ratio, the figure to reach and what became of it."""
import statistics

HEAD = ("what", "median", "min..max", "ratio", "to reach", "")
WIDTHS = (58, 13, 19, 9, 11, 12)
PROCESSES = {"postroomd": "daemon", "postroom-intake": "intake worker", "postroom-extrac": "extract worker"}


def at_least(limit):
    return ">=", limit, lambda value: value >= limit


def at_most(limit):
    return "<=", limit, lambda value: value <= limit


def number(value):
    """Three digits that matter, at most two of them behind the point"""
    return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"


class Table:
    def __init__(self):
        self.lines, self.is_broken, self.highest = [], False, {}

    def section(self, title):
        self.lines += ["", title]

    def row(self, what, values=(), unit="s", ratio=None, reach=None):
        """values: one a round. ratio: to be compared with reach; without a ratio the median is"""
        middle = statistics.median(values) if values else None
        cells = [what,
                 f"{number(middle)} {unit}" if values else "",
                 f"{number(min(values))}..{number(max(values))}" if len(values) > 1 else "",
                 f"{ratio:.2f}" if ratio is not None else "", "", ""]
        if reach:
            sign, limit, holds = reach
            cells[4] = f"{sign} {limit:g}"
            cells[5] = "reached" if holds(middle if ratio is None else ratio) else "NOT reached"
        self.lines.append(joined(cells))

    def note(self, what, text):
        self.lines.append(f"{what:{WIDTHS[0]}} {text}")

    def missing(self, what, why):
        self.lines.append(f"{what:{WIDTHS[0]}} MISSING: {why}")

    def broken(self, text):
        self.is_broken = True
        self.lines.append(f"BROKEN: {text}")

    def used(self, run):
        """Raises the peaks of memory to those of a run."""
        for name, kib in run.peaks.items():
            self.highest[name] = max(self.highest.get(name, 0), kib)

    def together(self, kib, promised_mib):
        """What a delivery's processes used at the same time; more than promised is broken."""
        self.row("memory of daemon and workers together (RssAnon + RssShmem)", [kib / 1024], "MiB",
                 reach=at_most(promised_mib))
        if kib > promised_mib * 1024:
            self.broken(f"{kib / 1024:.0f} MiB of memory, more than the {promised_mib} MiB promised")

    def peaks(self):
        if self.highest:
            self.section("Peak memory of a process, all parts (VmHWM, mapped files included)")
        for name, kib in sorted(self.highest.items()):
            self.row(PROCESSES.get(name, name), [kib / 1024], "MiB")

    def text(self, title):
        return "\n".join([title, "", joined(HEAD), *self.lines])


def joined(cells):
    return "".join(f"{cell:<{width}}" if at == 0 else f" {cell:>{width}}"
                   for at, (cell, width) in enumerate(zip(cells, WIDTHS))).rstrip()
