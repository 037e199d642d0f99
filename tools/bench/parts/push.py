"""Push messages over HTTP/2 and TLS to nghttpd: ours with every intent and result on disk, and Node's client."""
import re
import subprocess

import send_house
import senders.node_http2
import table
import work
from parts import sending

NEEDS = ("nghttpd",)
REQUESTS_A_SECOND = 5000
BODY_BYTES = 300  # about what one of our bodies has


def alone(job):
    """Requests a second of the transport alone: nothing made, nothing on disk."""
    words = (job.build / "tools/http-try", f"connections={send_house.PUSH_CONNECTIONS}", f"count={job.options.count}",
             f"size={BODY_BYTES}", "quiet=1", f"ca={job.relays.ca}", f"https://localhost:{job.relays.nghttpd}/push")
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    counts = dict(re.findall(r"(\w+)=([\d.]+)", done.stdout))
    if done.returncode != 0 or counts.get("sent") != str(job.options.count):
        raise work.Broken(f"http-try: {done.stdout[-300:]} {done.stderr[-300:]}")
    return float(counts["rate"])


def measure(job, results):
    count = job.options.count
    client = senders.node_http2.NodeHttp2()
    why_no_client = client.missing(job)
    limits, ours, theirs = [], [], []
    for at in range(job.options.rounds):
        work.say(f"push, round {at + 1}")
        limits.append(alone(job))
        ours.append(send_house.once(job, 2 * count, "push", "http", "nghttpd"))
        if why_no_client is None:
            theirs.append(client.run(job, 2 * count, "nghttpd"))
    results.section(f"Push over HTTP/2 and TLS to nghttpd, {send_house.PUSH_CONNECTIONS} connections, "
                    f"{send_house.PUSH_STREAMS} requests at once on each; ratio: ours to theirs")
    results.row("the transport alone, nothing made", limits, "/s")
    sending.show(results, f"postroom, http; {2 * count:,}", ours, reach=table.at_least(REQUESTS_A_SECOND))
    if why_no_client is not None:
        results.missing(client.name, why_no_client)
        return
    ratio = sending.median_rate(ours) / sending.median_rate(theirs)
    sending.show(results, client.name, theirs, ratio, table.at_least(3))
    sending.show_cpu_ratio(results, ours, theirs)
