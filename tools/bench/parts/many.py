"""Very many recipients in one delivery: what the send worker holds, and whether it grows."""
import send_house
import table
import work
from parts import sending

LIMIT_MIB = 64
GROWTH_MIB = 2  # of the worker's own memory from its first tenth to its last: what the allocator keeps
# The states of all recipients are allocated at once and touched as they are sent to, so that the kernel counts them
# page by page: struct progress_entry, nine tenths of it between the first tenth and the last.
STATE_BYTES = 12


NEEDS = ()
ALL = (("email", "null", None, 1, None), ("email", "smtp", None, 10, "smtp"), ("sms", "smpp", "smsc", 1, "smsc"),
       ("push", "http", "nghttpd", 1, "nghttpd"))  # channel, transport, how, a part of --many, the peer it needs


def one(job, results, channel, transport, how, count):
    work.say(f"{count:,} recipients, {transport}")
    sent = send_house.once(job, count, channel, transport, how)
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
    for channel, transport, how, part, peer in ALL:
        why_missing = peer and job.relays.missing(peer)
        if why_missing:
            results.missing(f"postroom, {transport}", why_missing)
        else:
            one(job, results, channel, transport, how, job.options.many // part)
