"""Messages over TLS: ours with every intent and result on disk, and those who send for comparison."""
import re
import statistics
import subprocess

import send_house
import senders.nodemailer
import senders.postfix
import senders.python_smtplib
import table
import work

PEERS = ((senders.nodemailer.Nodemailer, 12), (senders.python_smtplib.PythonSmtplib, 4), (senders.postfix.Postfix, 4))
NEEDS = ("smtp",)
WIRE_BYTES = 2500  # about what one of our messages has on the wire, for the sink's own limit


def ceiling(job):
    """Messages a second that the sink takes from the transport alone: nothing made, nothing on disk."""
    words = (job.build / "tools/smtp-try", f"connections={send_house.CONNECTIONS}", f"count={job.options.count}",
             f"size={WIRE_BYTES}", "quiet=1", f"ca={job.relays.ca}", "127.0.0.1", str(job.relays.smtp))
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    counts = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if done.returncode != 0 or counts.get("sent") != str(job.options.count):
        raise work.Broken(f"smtp-try: {done.stdout[-300:]} {done.stderr[-300:]}")
    return float(counts["rate"])


def ours(job, transport, count, dkim=None):
    return send_house.once(job, count, "email", transport, dkim)


def show(results, name, turns, ratio=None, reach=None):
    """Two rows: messages a second, processor time. ratio: of the rates, where it is compared"""
    results.row(name, [turn.rate() for turn in turns], "/s", ratio, reach)
    results.row("  processor time for 10,000", [turn.cpu() for turn in turns])


def show_cpu_ratio(results, ours_, theirs):
    """How many times the processor time of ours a peer's messages take."""
    results.row("  their processor time / ours",
                ratio=statistics.median(turn.cpu() for turn in theirs) / statistics.median(turn.cpu() for turn in ours_))


def median_rate(turns):
    return statistics.median(turn.rate() for turn in turns)


def measure(job, results):
    count = job.options.count
    peers = [(peer(), least) for peer, least in PEERS]
    missing = {peer.name: peer.missing(job) for peer, _ in peers}
    turns = {peer.name: [] for peer, _ in peers}
    sent, limits, stored, nowhere = [], [], [], []
    for at in range(job.options.rounds):
        work.say(f"sending, round {at + 1}")
        limits.append(ceiling(job))
        sent.append(ours(job, "smtp", count))
        for peer, _ in peers:
            if missing[peer.name] is None:
                turns[peer.name].append(peer.run(job, peer.count(job)))
        stored.append(ours(job, "maildir", count // 4))
        nowhere.append(ours(job, "null", count * 5))
    results.section(f"Sending {count:,} messages of 2 KB over TLS, {send_house.CONNECTIONS} connections; `fixed` to `finished`")
    results.row("the sink's limit: the transport alone, nothing made", limits, "/s")
    show(results, "postroom, smtp", sent)
    results.row("  syncs of progress", [turn.groups for turn in sent], "")
    results.note("  in ours", "all of the daemon is counted: taking in, counting, fixing the list, sending")
    for peer, least in peers:
        if missing[peer.name] is not None:
            results.missing(peer.name, missing[peer.name])
            continue
        ratio = median_rate(sent) / median_rate(turns[peer.name])
        show(results, f"{peer.name}; {peer.count(job):,}", turns[peer.name], ratio, table.at_least(least))
    show(results, f"postroom, maildir; {count // 4:,}", stored)
    show(results, f"postroom, null; {count * 5:,}", nowhere)
    results.row("  syncs of progress", [turn.groups for turn in nowhere], "")
