"""The other end of text messages: npm's smpp as an SMSC (smsc.js), on 127.0.0.1 behind TLS, and a house that sends to it."""
import collections
import json
import pathlib
import re
import shutil
import subprocess
import threading

import house
import relay

SMPP = "smpp@0.5.1"
SERVICE = """services = (
    { name = "sms"; channel = "sms"; costs = (
      { category = "part"; type = "one"; rule = "linear"; amount = "50.00"; per = 1000; } ); },"""
CHANNEL = """channels = { sms = { transport = "smpp"; host = "localhost"; port = %(port)d; tls = "connect"; ca_file = "%(ca)s";
  system_id = "shop"; password_file = "smpp.password"; window = %(window)d; timeout = "%(timeout)s"; sender = "Shop"; receipts_wait = "%(wait)s"; %(more)s }; };"""
DELIVERY = """
campaign = "spring-2027"; channel = "sms"; label = "Spring offer, text"; provider = "nord-routage"; service = "sms";
target = { file = "recipients.csv"; key = "recipient_id"; %(target)s };
content = { text = "%(text)s"; %(sender)s };
confirm = false;
%(more)s
"""


def conf(text="Hello {{first_name}}, {{last_name}}", target="", more="", sender=""):
    return DELIVERY % {"text": text, "target": target, "more": more, "sender": sender}


class Smsc:
    """tests/e2e/smsc.js; heard(kind) is what it printed of a kind."""

    def __init__(self, case):
        modules = case.npm() / "node_modules/smpp"
        script = pathlib.Path(__file__).with_name("smsc.js")
        self.lines = []
        self.process = subprocess.Popen(["node", script, modules], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        case.addCleanup(self.close)
        first = self.process.stdout.readline()
        self.port = int(re.match(r"port (\d+)", first)[1])
        self.thread = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.thread.start()

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def heard(self, kind):
        return [json.loads(line.split(" ", 1)[1]) for line in list(self.lines) if line.startswith(kind + " ")]

    def texts(self):
        """number -> texts of its whole messages, parts put together."""
        parts = collections.defaultdict(list)
        for got in self.heard("got"):
            parts[got["to"]].append(got)
        return {to: "".join(part["text"] for part in sorted(all, key=lambda part: part["part"])) for to, all in parts.items()}


class Case(relay.Case):
    def npm(self):
        if shutil.which("node") is None or shutil.which("npm") is None:
            self.skipTest("node and npm are not installed")
        place = house.BUILD / "npm"
        if not (place / "node_modules/smpp").exists():
            place.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(place), SMPP],
                                  capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                self.skipTest(f"npm cannot install {SMPP}: {done.stderr.strip()[:200]}")
        return place

    def office(self, top, **settings):
        made = self.house(top=top, **settings)
        made.conf.write_text(made.conf.read_text().replace("services = (", SERVICE, 1))
        secret = made.etc / "smpp.password"
        secret.write_text("secret\n")
        secret.chmod(0o600)
        made.make_spool()
        return made

    def post(self, window=8, timeout="2s", san="DNS:localhost", more="", front="", wait="1s", **settings):
        """A house whose channel leads to an SMSC behind nginx; front: more directives of nginx."""
        authority = relay.Authority(self.dir)
        smsc = Smsc(self)
        port, = self.front([(authority.make("localhost", san), smsc.port, front)])
        return smsc, self.office(CHANNEL % {"port": port, "ca": authority.pem, "window": window, "timeout": timeout, "more": more,
                                            "wait": wait}, **settings)

    def drop(self, made, id="a", count=10, mobile=lambda n: f"+3361234{n:04d}", **how):
        made.drop(id, {"recipients.csv": house.recipients(count, mobile=mobile)}, conf=conf(**how))
