"""Text messages by SMPP over TLS, a part each: ours with every intent and result on disk, and npm's client.

Two SMSCs: npm's, which is what our tests know and has a limit of its own, and one that is faster than whoever sends,
so that the sender is what is measured.
"""
import re
import statistics
import subprocess

import send_house
import senders.npm_smpp
import table
import work
from parts import sending

NEEDS = ("smsc",)
PARTS_A_SECOND = 5000
SENDERS = 2  # at most, that together find an SMSC's limit


def one_text():
    """What a recipient gets: one part, as all of them."""
    values = {"first_name": "Ann976", "city": "Lille", "points": "9999"}
    return re.sub(r"\{\{(\w+)\}\}", lambda name: values[name[1]], send_house.SMS)


def taken(job, peer, senders_, count):
    """Parts a second that the SMSC takes from so many transports at once: nothing made, nothing on disk."""
    password = job.top / "smpp.password"
    password.write_text("secret")
    words = (job.build / "tools/smtp-try", "protocol=smpp", "user=shop", f"password-file={password}", "from=Shop",
             f"connections={send_house.SMS_CONNECTIONS}", f"window={send_house.SMS_WINDOW}", f"count={count}",
             "to=+3361000%d0", f"text={one_text()}", "quiet=1", f"ca={job.relays.ca}", "localhost",
             str(getattr(job.relays, peer)))
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(senders_)]
    rates = []
    for process in running:
        told = process.communicate(timeout=300)[0]
        counts = dict(re.findall(r"(\w+)=([\d.]+)", told))
        if process.returncode != 0 or counts.get("sent") != str(count):
            raise work.Broken(f"smtp-try: {told[-300:]}")
        rates.append(float(counts["rate"]))
    return sum(rates)


def limit(job, peer, count):
    """What the SMSC takes at most: several share its attention, and the cores with it."""
    return max(taken(job, peer, senders_, count // senders_) for senders_ in range(1, SENDERS + 1))


class Against:
    """One SMSC, and the turns of those who sent to it."""

    def __init__(self, job, peer, title, count):
        self.peer, self.title, self.count = peer, title, count
        self.client = senders.npm_smpp.NpmSmpp()
        self.why_missing = job.relays.missing(peer)
        self.why_no_client = self.client.missing(job)
        self.limits, self.ours, self.theirs = [], [], []

    def turn(self, job):
        if self.why_missing is not None:
            return
        self.limits.append(limit(job, self.peer, self.count))
        self.ours.append(send_house.once(job, self.count, "sms", "smpp", self.peer))
        if self.why_no_client is None:
            self.theirs.append(self.client.run(job, self.count, self.peer))

    def show(self, results, least, times):
        """least: parts a second; times: as many as npm's client; None: not asked for against this one"""
        if self.why_missing is not None:
            results.missing(self.title, self.why_missing)
            return
        results.row(f"{self.title}: its limit, 1 to {SENDERS} transports at once", self.limits, "/s")
        reach = None
        if least is not None:
            own = statistics.median(self.limits)
            reach = table.at_least(min(least, round(own)))
            results.note("  asked for", f"{least:,} /s, its limit is higher" if own > least else "its limit, which is lower")
        sending.show(results, f"postroom, smpp; {self.count:,}", self.ours, reach=reach)
        if self.why_no_client is not None:
            results.missing(self.client.name, self.why_no_client)
            return
        ratio = sending.median_rate(self.ours) / sending.median_rate(self.theirs)
        sending.show(results, self.client.name, self.theirs, ratio, times and table.at_least(times))
        sending.show_cpu_ratio(results, self.ours, self.theirs)


def measure(job, results):
    count = job.options.count
    peers = (Against(job, "npm_smsc", "npm's SMSC", 2 * count), Against(job, "smsc", "smsc-sink", 5 * count))
    for at in range(job.options.rounds):
        work.say(f"SMS, round {at + 1}")
        for peer in peers:
            peer.turn(job)
    results.section(f"SMPP over TLS, {send_house.SMS_CONNECTIONS} connections, window {send_house.SMS_WINDOW}; "
                    "`fixed` to `finished`; ratio: ours to theirs")
    peers[0].show(results, PARTS_A_SECOND, None)
    peers[1].show(results, None, 3)
