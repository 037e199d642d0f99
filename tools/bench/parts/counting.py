"""Counting a target as taking in does, from page cache, with neither order nor archive: MB/s for each core."""
import subprocess

import table
import work

REACH_MB_S = 1500
SELECTIONS = (("where", ()), ("where, dedupe on four", work.DEDUPE))


def count_once(job, threads, dedupe):
    """What count-target says: rows, records, bytes, seconds."""
    command = [job.build / "tools/bench/count-target", "--threads", str(threads), "--key", work.KEY,
               "--where", f"{work.WHERE_COLUMN} = '{work.WHERE_VALUE}'"]
    for column in dedupe:
        command += ["--dedupe", column]
    done = subprocess.run([*command, job.recipients(job.options.rows)], cwd=job.top, capture_output=True, text=True)
    if done.returncode != 0:
        raise work.Broken(f"count-target: {done.stderr}")
    return {name: float(value) for name, value in (pair.split("=") for pair in done.stdout.split())}


def measure(job, results):
    rates = {}
    recipients = job.recipients(job.options.rows)
    work.settle()
    with open(recipients, "rb") as file:
        while file.read(1 << 20):
            pass  # into page cache
    work.say("counting the target")
    for _ in range(job.options.rounds):
        for threads in (1, 2):
            for name, dedupe in SELECTIONS:
                seen = count_once(job, threads, dedupe)
                if seen["rows"] != job.options.rows:
                    raise work.Broken(f"count-target counted {seen['rows']:,.0f} rows of {job.options.rows:,}")
                rates.setdefault((threads, name), []).append(seen["bytes"] / seen["seconds"] / threads / 1e6)
    results.section(f"Counting {job.options.rows:,} recipients from page cache, for each core")
    for (threads, name), values in sorted(rates.items()):
        results.row(f"{name}; {threads} thread{'s' if threads > 1 else ''}", values, "MB/s",
                    reach=table.at_least(REACH_MB_S))
