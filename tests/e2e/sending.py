"""Online deliveries with the real programs: a house with an e-mail channel, a relay that keeps what it is given.

`Office` is a TLS relay in Python that records each message before it answers the final dot. What a delivery says of itself is read
from its files, without postroom: `Progress` is the file progress, as docs/SPOOL.md has its grammar.
"""
import collections
import os
import re
import ssl
import threading
import time

import house
import relay

CHANNEL = """channels = { email = { transport = "smtp"; host = "localhost"; port = %(port)d; tls = "%(tls)s"; %(ca)s
  from = "Shop <shop@example.net>"; connections = %(connections)d; timeout = "%(timeout)s"; %(more)s }; };"""
MAILDIR = 'channels = { email = { from = "Shop <shop@example.net>"; %s }; };'
SERVICE = """services = (
    { name = "bulk"; channel = "email"; costs = (
      { category = "message"; type = "one"; rule = "linear"; amount = "10.00"; per = 1000; } ); },"""

DELIVERY = """
campaign = "spring-2027"; channel = "email"; label = "Spring offer, mail"; provider = "nord-routage"; service = "bulk";
target = { file = "recipients.csv"; key = "recipient_id"; %(target)s };
content = { subject = "Hello {{first_name}} \U0001F4EE"; html = "mail.html"; text = "mail.txt"; };
confirm = %(confirm)s;
%(more)s
"""
FILES = {"mail.html": "<p>Hello {{first_name}} {{last_name}}</p>\n", "mail.txt": "Hello {{first_name}} {{last_name}},\n.\nyours\n"}


def conf(target="", more="", confirm="false"):
    return DELIVERY % {"target": target, "more": more, "confirm": confirm}


def files(count=10, **columns):
    return {"recipients.csv": house.recipients(count, **columns), **FILES}


class Office(relay.Wrapped):
    """Keeps what it takes: got is [(recipient, message bytes)] in the order of its answers; asked counts what it was asked.

    at_rcpt(address, nth time) gives the reply to RCPT, at_dot(address, nth time) that to the final dot: None closes the
    connection without a word. trouble(line, number of the connection) comes before the greeting. open is how many connections
    there are, most how many there were at once.
    """

    def __init__(self, case, pem, at_rcpt=None, at_dot=None, trouble=None, port=0):
        self.trouble = trouble or (lambda line, number: None)
        self.at_rcpt = at_rcpt or (lambda to, nth: "250 ok")
        self.at_dot = at_dot or (lambda to, nth: "250 ok")
        self.got = []
        self.times = []
        self.asked = collections.Counter()
        self.ends = collections.Counter()
        self.guard = threading.Lock()
        self.open = self.most = 0  # connections now, and at most
        super().__init__(case, self.serve_one, pem, port)

    def serve_one(self, line, number):
        with self.guard:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            self.trouble(line, number)
            line.begin()
            while True:
                self.one_message(line)
        finally:
            with self.guard:
                self.open -= 1

    def one_message(self, line):
        while not line.hear().startswith(b"MAIL "):
            line.say({b"QUIT": "221 bye\r\n", b"RSET": "250 ok\r\n"}[line.heard[-1]])
        line.say("250 ok\r\n")
        to = re.match(rb"RCPT TO:<([^>]*)>", line.hear())[1].decode()
        with self.guard:
            self.asked[to] += 1
            nth = self.asked[to]
        reply = self.at_rcpt(to, nth)
        line.say(reply + "\r\n")
        assert line.hear() == b"DATA"
        if not reply.startswith("2"):
            line.say("554 5.5.1 nobody\r\n")
            return
        line.say("354 go\r\n")
        body = b"\r\n".join(row[1:] if row.startswith(b".") else row for row in line.body()) + b"\r\n"
        line.heard.clear()
        with self.guard:
            self.ends[to] += 1
            reply = self.at_dot(to, self.ends[to])
            if reply is None or reply.startswith("2"):
                self.got.append((to, body))
                self.times.append(time.time())
        if reply is None:
            raise EOFError
        line.say(reply + "\r\n")
        if reply.startswith("421"):
            raise EOFError

    def to(self):
        with self.guard:
            return [address for address, _ in self.got]


class Progress:
    """What a file progress says: events is [(word, number, rest)], of whole groups."""

    def __init__(self, data):
        self.events, self.total, at = [], 0, 0
        while True:
            head = re.match(rb"group (\d{8}) \d{6} [0-9a-f]{16} [0-9a-f]{16}\n", data[at:at + 56])
            if head is None or at + 56 + int(head[1]) > len(data):
                break
            for line in data[at + 56:at + 56 + int(head[1])].decode().splitlines():
                word, *rest = line.split(" ", 2)
                if word == "recipients":
                    self.total = int(rest[0])
                elif word != "@":
                    self.events.append((word, int(rest[0]), rest[1] if len(rest) > 1 else ""))
            at += 56 + int(head[1])
        self.torn = len(data) - at

    def numbers(self, word):
        return [number for kind, number, _ in self.events if kind == word]

    def of(self, number):
        return [(word, rest) for word, n, rest in self.events if n == number]


class Case(relay.Case):
    """Tests that send; self.post(...) is a house whose channel leads to a relay."""

    def setUp(self):
        super().setUp()
        self.authority = relay.Authority(self.dir)
        self.pem = self.authority.make("localhost", "DNS:localhost")

    def configured(self, port=None, tls="connect", ca=True, connections=2, timeout="5s", more="", maildir=False, **settings):
        ca_file = f'ca_file = "{self.authority.pem}";' if ca else ""
        top = MAILDIR % more if maildir else CHANNEL % {
            "port": port, "tls": tls, "ca": ca_file, "connections": connections, "timeout": timeout, "more": more}
        made = self.house(top=top, **settings)
        made.conf.write_text(made.conf.read_text().replace("services = (", SERVICE, 1))
        return made

    def post(self, port=None, **how):
        made = self.configured(port, **how)
        made.make_spool()
        return made

    def office(self, **how):
        return Office(self, self.pem, **how)

    def drop(self, made, id="a", count=10, target="", more="", confirm="false", **columns):
        made.drop(id, files(count, **columns), conf=conf(target, more, confirm))

    def progress(self, made, id="a"):
        try:
            return Progress(made.read(id, "progress"))
        except FileNotFoundError:
            return Progress(b"")

    def until_state(self, made, *states, id="a", timeout=None):
        """A place that is not the state's yet is waited for, too: the line comes first."""
        ends = ("finished", "stopped", "failed")
        made.until(lambda: made.place(id) and self.state(made, id) in states
                   and (made.place(id) == ["done"]) == (self.state(made, id) in ends), f"{id} is {states}", timeout)

    def state(self, made, id="a"):
        return re.findall(r" state=(\S+)", made.journal(id))[-1]

    def results(self, made, id="a"):
        """key -> (reference, verdict, code)"""
        rows = made.cli("results", id, check=0).stdout.splitlines()
        assert rows[0] == "key,reference,verdict,code,time", rows[0]
        return {key: (reference, verdict, code) for key, reference, verdict, code, _ in (row.split(",") for row in rows[1:])}

    def verify_money(self, made):
        made.cli("ledger", "verify", check=0)


def workers(made):
    """Pids of the house's send workers."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                with open(f"/proc/{name}/comm") as comm, open(f"/proc/{name}/cmdline", "rb") as command:
                    if comm.read().startswith("postroom-send") and str(made.conf).encode() in command.read().split(b"\0"):
                        found.append(int(name))
        except OSError:
            pass
    return found
