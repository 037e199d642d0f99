"""Ten times the rows, once: within the memory promised, and not much more than ten times the time."""
import house
import table
import work
from parts import large

TIMES = 10


def measure(job, results):
    rows = job.options.rows
    few = large.Ours(*large.DEFAULT)
    for number in range(job.options.rounds):
        work.say(f"{rows:,} rows, round {number + 1} of {job.options.rounds}")
        few.turn(job, results)
    work.say(f"{TIMES * rows:,} rows, once")
    home = house.House(job)
    recipients = job.recipients(TIMES * rows)
    home.stage("large", recipients)
    megabytes = recipients.stat().st_size / 1e6
    recipients.unlink()
    home.drop("large")
    work.settle()
    run = home.hand_over(["large"])
    events = home.journal("large")
    records = home.target("large")["records"]
    home.remove()
    extraction = events["extracted"] - events["extracting"]
    results.used(run)
    results.section(f"{TIMES} times the rows: {TIMES * rows:,} ({megabytes:,.1f} MB), {records:,} records")
    results.row("extraction; against the one of a tenth", [extraction],
                ratio=extraction / large.middle(few.extractions), reach=table.at_most(14))
    results.row("whole run; against the one of a tenth", [run.seconds],
                ratio=run.seconds / large.middle(few.wholes), reach=table.at_most(14))
    results.together(run.together, work.MEMORY_MIB)
