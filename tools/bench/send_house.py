"""A house that sends by one channel, for one measurement: a spool, a delivery of N recipients, the daemon run once."""
import datetime
import json
import os
import pathlib
import pwd
import subprocess
import tempfile
import threading

import memory
import relays
import work

RUN_S_MAX = 900
CONF = """
spool = "../spool"; templates = "../templates"; settle = 0; timezone = "UTC"; currency = "EUR"; notices = false;
operators = ( { name = "alice"; user = "%(user)s"; admin = true; } );
programmes = ( { name = "loyalty"; } );
campaigns = ( { name = "bench"; programme = "loyalty"; owner = "alice"; } );
channels = { %(channel)s = { %(settings)s }; };
"""
DELIVERY = """
campaign = "bench"; channel = "%(channel)s"; confirm = false;
target = { file = "recipients.csv"; key = "recipient_id"; %(target)s };
content = { %(content)s };
"""
COLUMNS = "recipient_id,email,mobile,token,first_name,city,points"

# e-mail
CONNECTIONS = 10
EMAIL = """from = "Shop <shop@example.net>"; unsubscribe = { url = "https://example.net/u"; secret_file = "secret"; }; %s"""
SMTP = """transport = "smtp"; host = "127.0.0.1"; port = %d; tls = "connect"; connections = %d; ca_file = "%s";"""
DKIM = """dkim = { domain = "example.net"; selector = "bench"; key_file = "dkim.pem"; };"""
MAIL = 'subject = "{{first_name}}, spring is here"; text = "mail.txt";'

# SMS: what a part holds in GSM 03.38, so that a text is a part
SMS_CONNECTIONS, SMS_WINDOW = 2, 250
SMPP = """transport = "smpp"; host = "localhost"; port = %d; tls = "connect"; connections = %d; window = %d; ca_file = "%s";
  system_id = "shop"; password_file = "secret"; sender = "Shop";"""
SMS = ("{{first_name}}, spring is here: a hundred new things wait in our shop in {{city}}. You have {{points}} points. "
       "Reply STOP to end")

# push: the body that is built in
PUSH_CONNECTIONS, PUSH_STREAMS = 2, 100
HTTP = """transport = "http"; url = "https://localhost:%d/push"; connections = %d; ca_file = "%s";"""
PUSH = {"title": "{{first_name}}, spring is here", "body": "A hundred new things wait in our shop in {{city}}.",
        "image": "https://example.net/i.png", "data": {"points": "{{points}}"}}

LINE = "Spring is coming, and with it a hundred new things in our shop.\n"
TEXT_BYTES = 2048
DKIM_KINDS = {"rsa": ("RSA", "rsa_keygen_bits:2048"), "ed25519": ("ED25519", None)}


def text():
    """2 KB of mustache text with five values in it, as a campaign has them."""
    head = "Dear {{first_name}} of {{city}},\n\n"
    tail = "You have {{points}} points, {{first_name}}: {{unsubscribe}}\n"
    return head + LINE * ((TEXT_BYTES - len(head) - len(tail)) // len(LINE)) + tail


def write_recipients(path, count):
    with open(path, "w", encoding="ascii") as out:
        out.write(COLUMNS + "\n")
        for n in range(1, count + 1):
            out.write(f"R{n:08d},ann.{n}@example.net,+336{n:08d},token-{n:08d},Ann{n % 977},Lille,{n * 7 % 10000}\n")


class Flat(threading.Thread):
    """KiB that the send worker holds of its own (RssAnon), again and again while it lives."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.seen, self.is_over = pid, [], threading.Event()
        self.start()

    def run(self):
        while not self.is_over.wait(0.1):
            try:
                with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                    found = [memory.numbers(int(pid)) for pid in children.read().split()]
            except OSError:
                return
            self.seen += [own for name, _, own in filter(None, found) if name == "postroom-send"]

    def growth(self):
        """How much the last tenth of the looks is above the first tenth after half a second, in MiB."""
        looks = self.seen[5:]
        if len(looks) < 20:
            return None
        tenth = len(looks) // 10
        return (max(looks[-tenth:]) - max(looks[:tenth])) / 1024


class Sent:
    """What sending one delivery showed: seconds from `fixed` to `finished`, processor seconds, syncs, memory."""

    def __init__(self, count, seconds, cpu_seconds, groups, sampler, flat):
        self.count, self.seconds, self.cpu_seconds, self.groups = count, seconds, cpu_seconds, groups
        self.peak_kib = sampler.peaks.get("postroom-send", 0)
        self.growth_mib = flat.growth()

    def rate(self):
        return self.count / self.seconds

    def cpu(self):
        """seconds for 10,000 messages"""
        return self.cpu_seconds / self.count * 10000


def email(job, transport, dkim):
    """What channel and delivery say of e-mail: (settings, target, content)."""
    way = (SMTP % (job.relays.smtp, CONNECTIONS, job.relays.ca) if transport == "smtp" else f'transport = "{transport}";')
    return way + EMAIL % (DKIM if dkim else ""), "", MAIL


def sms(job, transport, peer):
    """peer: "smsc" or "npm_smsc" of relays"""
    way = (SMPP % (getattr(job.relays, peer), SMS_CONNECTIONS, SMS_WINDOW, job.relays.ca) if transport == "smpp"
           else f'transport = "{transport}";')
    return way, "", f'text = "{SMS}";'


def push(job, transport, peer):
    """peer: "nghttpd" of relays"""
    way = (HTTP % (getattr(job.relays, peer), PUSH_CONNECTIONS, job.relays.ca) if transport == "http"
           else f'transport = "{transport}";')
    return way, 'address = "token";', " ".join(
        f'{name} = "{value}";' if isinstance(value, str) else
        f"{name} = {{ {' '.join(f'{key} = {json.dumps(text)};' for key, text in value.items())} }};"
        for name, value in PUSH.items())


CHANNELS = {"email": email, "sms": sms, "push": push}


class SendHouse:
    """how: of e-mail, the kind of the key that signs; of others, the peer"""

    def __init__(self, job, channel="email", transport="smtp", how=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=job.top))
        self.spool, self.conf, self.log = self.dir / "spool", self.dir / "etc/postroom.conf", self.dir / "log"
        self.postroomd = job.build / "bin/postroomd"
        for name in ("etc", "templates"):
            (self.dir / name).mkdir()
        settings, target, content = CHANNELS[channel](job, transport, how)
        self.delivery = DELIVERY % {"channel": channel, "target": target, "content": content}
        self.conf.write_text(CONF % {"user": pwd.getpwuid(os.getuid()).pw_name, "channel": channel, "settings": settings})
        # a token's key of 32 bytes for e-mail, the password of SMPP
        self.keep("secret", b"0123456789abcdef0123456789abcdef" if channel == "email" else b"secret")
        if channel == "email" and how:
            kind, option = DKIM_KINDS[how]
            relays.openssl(self.dir / "etc", "genpkey", "-algorithm", kind, *(["-pkeyopt", option] if option else []),
                           "-out", "dkim.pem")
            (self.dir / "etc/dkim.pem").chmod(0o600)
        self.once()

    def keep(self, name, data):
        (self.dir / "etc" / name).write_bytes(data)
        (self.dir / "etc" / name).chmod(0o600)

    def drop(self, id, count):
        folder = self.dir / id
        folder.mkdir()
        (folder / "delivery.conf").write_text(self.delivery)
        (folder / "mail.txt").write_text(text())
        write_recipients(folder / "recipients.csv", count)
        os.rename(folder, self.spool / "inbox" / id)

    def once(self):
        """(processor seconds of the daemon and its workers, memory.Sampler, Flat)"""
        with open(self.log, "a", encoding="utf-8") as log:
            daemon = subprocess.Popen([self.postroomd, "-c", self.conf, "--once"], stdout=subprocess.DEVNULL, stderr=log)
        sampler, flat = memory.Sampler(daemon.pid), Flat(daemon.pid)
        timer = threading.Timer(RUN_S_MAX, daemon.kill)
        timer.start()
        _, status, used = os.wait4(daemon.pid, 0)
        timer.cancel()
        daemon.returncode = os.waitstatus_to_exitcode(status)
        sampler.stop()
        flat.is_over.set()
        if daemon.returncode != 0:
            raise work.Broken(f"postroomd --once ended with {daemon.returncode}: {self.log.read_text()[-2000:]}")
        return used.ru_utime + used.ru_stime, sampler, flat

    def send(self, count, id="spring"):
        """One delivery from the drop to its end. Processor time is that of everything: taking in, counting, sending."""
        self.drop(id, count)
        work.settle()
        cpu_seconds, sampler, flat = self.once()
        done = self.spool / "done" / id
        if not done.exists():
            raise work.Broken(f"{id} was not sent: {self.log.read_text()[-2000:]}")
        began, ended = self.journal(done)
        groups = (done / "progress").read_bytes().count(b"\ngroup ")
        if f" sent={count} " not in ended[1] + " ":
            raise work.Broken(f"{id}: not all of {count:,} were sent: {ended[1]}")
        return Sent(count, (ended[0] - began[0]).total_seconds(), cpu_seconds, groups, sampler, flat)

    @staticmethod
    def journal(done):
        """(time, line) of the event `fixed` and of `finished`"""
        lines = {}
        for line in (done / "journal").read_text().splitlines():
            at, event = line.split(" ", 2)[:2]
            lines.setdefault(event, (datetime.datetime.fromisoformat(at.replace("Z", "+00:00")), line))
        if "fixed" not in lines or "finished" not in lines:
            raise work.Broken(f"no `fixed` or no `finished` in {done}/journal")
        return lines["fixed"], lines["finished"]

    def remove(self):
        work.remove(self.dir)


def once(job, count, channel, transport, how=None):
    """A delivery of that many through a house of its own: Sent."""
    home = SendHouse(job, channel, transport, how)
    sent = home.send(count)
    home.remove()
    return sent
