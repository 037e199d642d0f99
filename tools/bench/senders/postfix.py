"""A private Postfix that relays a prepared queue: only the relaying is timed, from the first delivery to the last.

Its queue is filled while delivery is deferred, then flushed. Connections stay open (smtp_tls_connection_reuse).
"""
import os
import pwd
import shutil
import subprocess
import time

import relays
import send_house
import work
from senders import turn

FILL_S_MAX, RELAY_S_MAX, LOOK_S = 120, 180, 0.01
MAIN_CF = """
compatibility_level = 3.6
queue_directory = %(dir)s/queue
data_directory = %(dir)s/data
maillog_file = %(dir)s/log
maillog_file_prefixes = %(dir)s
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [%(host)s]:%(port)d
smtp_host_lookup = native
smtp_tls_wrappermode = yes
smtp_tls_security_level = verify
smtp_tls_verify_cert_match = nexthop
smtp_tls_CAfile = %(ca)s
smtp_tls_connection_reuse = yes
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [%(host)s]:%(port)d
default_destination_concurrency_limit = %(connections)d
initial_destination_concurrency = %(connections)d
in_flow_delay = 0
defer_transports = smtp
"""
MASTER_CF = """
127.0.0.1:%(into)d inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - %(connections)d smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def program(name):
    return shutil.which(name, path=relays.PATHS)


def until(fact, what, limit_s):
    end = time.monotonic() + limit_s
    while not fact():
        if time.monotonic() > end:
            raise work.Broken(f"Postfix: not in {limit_s} s: {what}")
        time.sleep(LOOK_S)


class Log:
    """Counts deliveries in a log that grows."""

    def __init__(self, path):
        self.path, self.at, self.sent = path, 0, 0

    def look(self):
        with open(self.path, "rb") as log:
            log.seek(self.at)
            more = log.read()
        whole = more[:more.rfind(b"\n") + 1]
        self.at += len(whole)
        self.sent += whole.count(b"status=sent")
        return self.sent


class Postfix:
    name = "Postfix, private, relaying its queue"

    @staticmethod
    def missing(job):
        del job
        if os.getuid() != 0:
            return "a private Postfix is started by root alone"
        for name in ("postfix", "smtp-source", "postqueue", "postconf"):
            if program(name) is None:
                return f"no {name} (Debian: postfix)"
        return None

    @staticmethod
    def count(job):
        return job.options.count // 10

    def run(self, job, count):
        home = job.top / "postfix"
        work.remove(home)
        into = relays.free_port()
        for name in ("conf", "queue", "data"):
            (home / name).mkdir(parents=True)
        home.chmod(0o755)
        owner = pwd.getpwnam("postfix")
        os.chown(home / "data", owner.pw_uid, owner.pw_gid)
        values = {"dir": home, "host": relays.HOST, "port": job.relays.smtp, "ca": job.relays.ca, "into": into,
                  "connections": send_house.CONNECTIONS}
        (home / "conf/main.cf").write_text(MAIN_CF % values)
        (home / "conf/master.cf").write_text(MASTER_CF % values)
        self.call(home, "postfix", "start")
        try:
            return self.measure(home, into, count)
        finally:
            self.call(home, "postfix", "stop", check=False)

    def call(self, home, name, *words, check=True):
        done = subprocess.run([program(name), "-c", home / "conf", *words], capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise work.Broken(f"{self.name}: {name} {words[0]}: {done.stderr[-500:]}")

    def measure(self, home, into, count):
        log = Log(home / "log")
        until(lambda: relays.answers(into), "it answers", 20)
        done = subprocess.run([program("smtp-source"), "-N", "-s", str(send_house.CONNECTIONS), "-m", str(count), "-l",
                               str(send_house.TEXT_BYTES), "-f", "shop@example.net", "-t", "ann@example.net",
                               f"127.0.0.1:{into}"], capture_output=True, text=True, timeout=FILL_S_MAX)
        if done.returncode != 0:
            raise work.Broken(f"smtp-source: {done.stderr[-500:]}")
        queue = home / "queue"
        until(lambda: not any(files(queue, "incoming", "active", "maildrop")), "the queue is deferred", FILL_S_MAX)
        self.call(home, "postconf", "-e", "defer_transports=")
        self.call(home, "postfix", "reload")
        pid = int((queue / "pid/master.pid").read_text())
        used = processor_seconds(pid)
        self.call(home, "postqueue", "-f")
        until(lambda: log.look() > 0, "the first delivery", 60)
        began, before = time.monotonic(), log.sent
        until(lambda: log.look() >= count, "the last delivery", RELAY_S_MAX)
        seconds = time.monotonic() - began
        return turn.Turn(count - before, seconds, (processor_seconds(pid) - used) * (count - before) / count)


def files(queue, *names):
    for name in names:
        for _, _, found in os.walk(queue / name):
            yield from found


def processor_seconds(pid):
    """Of the master, those it has waited for, and those that live."""
    total = 0
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        pids = [pid, *map(int, children.read().split())]
    for at in pids:
        try:
            with open(f"/proc/{at}/stat", encoding="ascii", errors="replace") as stat:
                total += sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:15]))
        except OSError:
            pass  # it has ended: the master's now
    return total / os.sysconf("SC_CLK_TCK")
