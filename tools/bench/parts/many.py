"""Very many recipients in one delivery: what the send worker holds, and whether it grows."""
import table
import work
from parts import sending

LIMIT_MIB = 64
GROWTH_MIB = 2  # of the worker's own memory from its first tenth to its last: what the allocator keeps
# The states of all recipients are allocated at once and touched as they are sent to, so that the kernel counts them
# page by page: struct progress_entry, nine tenths of it between the first tenth and the last.
STATE_BYTES = 12


def one(job, results, transport, count):
    work.say(f"{count:,} recipients, {transport}")
    sent = sending.ours(job, transport, count)
    sending.show(results, f"postroom, {transport}; {count:,}", [sent])
    results.row("  send worker, peak (VmHWM)", [sent.peak_kib / 1024], "MiB", reach=table.at_most(LIMIT_MIB))
    if sent.growth_mib is None:
        results.note("  growth from its first tenth to its last", "too short to tell")
    else:
        states_mib = STATE_BYTES * count * 0.9 / 2**20
        results.row("  growth from its first tenth to its last", [sent.growth_mib], "MiB")
        results.row(f"  of that more than the {states_mib:.1f} MiB of states", [max(sent.growth_mib - states_mib, 0)], "MiB",
                    reach=table.at_most(GROWTH_MIB))


def measure(job, results):
    results.section(f"{job.options.many:,} recipients in one delivery, once")
    one(job, results, "null", job.options.many)
    one(job, results, "smtp", job.options.many // 10)
