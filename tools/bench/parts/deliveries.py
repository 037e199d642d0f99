"""Many deliveries at once, all dropped before the start: how many a second are handed over, with everything on disk."""
import house
import table
import work

REACH_A_SECOND = 500
SMALL_ROWS, MIDDLE_ROWS = 10, 1000
EDGES_FROM = 100  # deliveries; with fewer, the first and the last tenth say nothing


class Many:
    """Runs with `count` deliveries of `rows` rows each."""

    def __init__(self, count, rows):
        self.count, self.rows = count, rows
        self.rates, self.firsts, self.lasts = [], [], []

    def turn(self, job, results):
        home = house.House(job)  # stays until the end: ext4 is slow for a while after many files were removed
        ids = [f"small-{number:06d}" for number in range(1, self.count + 1)]
        for id in ids:
            home.stage(id, job.recipients(self.rows, seed=7))
        for id in ids:
            home.drop(id)
        work.settle()
        run = home.hand_over(ids)
        results.used(run)
        self.rates.append(self.count / run.seconds)
        if self.count >= EDGES_FROM:
            ends = sorted(home.journal(id)["handed-over"] for id in ids)
            tenth = self.count // 10
            self.firsts.append((ends[tenth - 1] - run.began) / tenth * 1000)
            self.lasts.append((ends[-1] - ends[-1 - tenth]) / tenth * 1000)

    def show(self, results, reach=None):
        results.row(f"{self.count:,} of {self.rows:,} rows each", self.rates, "/s", reach=reach)
        if self.firsts:
            results.row("  each of the first tenth, the start included", self.firsts, "ms")
            results.row("  each of the last tenth", self.lasts, "ms")


def measure(job, results):
    middle = Many(job.options.middle, MIDDLE_ROWS)
    for number in range(job.options.rounds):
        work.say(f"many deliveries, round {number + 1} of {job.options.rounds}")
        middle.turn(job, results)
    small = [Many(count, SMALL_ROWS) for count in (job.options.small // 10, job.options.small)]
    for many in small:
        work.say(f"{many.count:,} deliveries of {SMALL_ROWS} rows, once")
        many.turn(job, results)
    results.section("Many deliveries, all dropped before the start: handed over a second, everything durable")
    middle.show(results, table.at_least(REACH_A_SECOND))
    for many in small:
        many.show(results)
