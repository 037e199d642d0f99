"""Messages signed with DKIM: as many a second as the processor signs, or the relay takes."""
import os
import re
import statistics
import subprocess

import send_house
import senders.nodemailer
import table
import work
from parts import sending

NEEDS = ("smtp",)


def signatures(cores):
    """RSA-2048 signatures a second on all cores, by OpenSSL itself."""
    done = subprocess.run(["openssl", "speed", "-seconds", "2", "-multi", str(cores), "rsa2048"], capture_output=True,
                          text=True, timeout=120)
    found = re.search(r"^rsa 2048 bits\s+\S+\s+\S+\s+([\d.]+)", done.stdout, re.M)
    if done.returncode != 0 or not found:
        raise work.Broken(f"openssl speed: {done.stdout[-300:]} {done.stderr[-300:]}")
    return float(found.group(1))


def measure(job, results):
    count, cores = job.options.count, os.cpu_count()
    peer = senders.nodemailer.Nodemailer()
    why_missing = peer.missing(job)
    speed, rsa, rsa_smtp, ed25519, plain, signed = [], [], [], [], [], []
    for at in range(job.options.rounds):
        work.say(f"signing, round {at + 1}")
        speed.append(signatures(cores))
        rsa.append(sending.ours(job, "null", count // 4, "rsa"))
        rsa_smtp.append(sending.ours(job, "smtp", count // 4, "rsa"))
        ed25519.append(sending.ours(job, "smtp", count // 2, "ed25519"))
        if why_missing is None:
            plain.append(peer.run(job, peer.count(job)))
            signed.append(peer.run(job, max(peer.count(job) // 5, 1), signed="rsa"))
    results.section(f"Signing with DKIM, {send_house.CONNECTIONS} connections, TLS; ratio: to openssl speed, to nodemailer unsigned")
    middle = statistics.median(speed)
    results.row(f"openssl speed rsa2048, {cores} cores", speed, "/s")
    sending.show(results, f"postroom, RSA-2048, null; {count // 4:,}", rsa, sending.median_rate(rsa) / middle,
                 table.at_least(0.75))
    sending.show(results, f"postroom, RSA-2048, smtp: the sink shares the cores; {count // 4:,}", rsa_smtp,
                 sending.median_rate(rsa_smtp) / middle)
    against = (sending.median_rate(ed25519) / sending.median_rate(plain), table.at_least(6)) if plain else (None, None)
    sending.show(results, f"postroom, Ed25519, smtp; {count // 2:,}", ed25519, *against)
    if why_missing is not None:
        results.missing(peer.name, why_missing)
        return
    sending.show(results, f"{peer.name}, unsigned", plain)
    sending.show(results, f"{peer.name}, RSA-2048", signed)
