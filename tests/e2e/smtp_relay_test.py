"""The e-mail channel against real relays: Postfix into a mailbox, smtp-sink behind TLS, npm's smtp-server with a login."""
import email
import email.policy
import json
import pathlib
import shutil
import subprocess

import house
import postfix
import relay

HOST = "relay.example"
SMTP_SERVER = "smtp-server@3.13.6"

MESSAGE = """From: =?utf-8?q?Zo=C3=A9?= <shop@example.net>\r
To: <r1@example.net>\r
Subject: =?utf-8?q?=F0=9F=8E=81_for_you?=\r
Message-ID: <1.spring@example.net>\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: 8bit\r
\r
Bonjour Zoé 🎁\r
.hidden\r
.\r
..\r
the end\r
"""


class Postfix(postfix.Case):
    def test_both_kinds_of_tls__messages_reach_the_mailbox_byte_for_byte(self):
        message = self.dir / "message"
        message.write_text(MESSAGE, newline="")
        for count, (port, tls) in enumerate(((self.connect, "connect"), (self.starttls, "starttls")), 1):
            told = self.send(port, HOST, tls=tls, address="127.0.0.1", ca=self.authority.pem, file=message)
            verdict, code, text = told.of(1)
            self.assertEqual((verdict, code), ("sent", 250))
            self.assertIn("queued as", text)
            relay.until(lambda: len(self.box()) == count, "the message is in the mailbox", 20)
        for path in self.box():
            raw = path.read_bytes()
            body = raw.split(b"\n\n", 1)[1]
            self.assertEqual(body.decode(), MESSAGE.split("\r\n\r\n", 1)[1].replace("\r\n", "\n"))
            read = email.message_from_bytes(raw, policy=email.policy.default)
            self.assertEqual(read["Subject"], "🎁 for you")
            self.assertEqual(read["X-Original-To"], "r1@example.net")
            self.assertIn("with ESMTPS id", raw.decode())

    def test_many_over_several_connections__all_arrive_once(self):
        told = self.send(self.starttls, HOST, tls="starttls", address="127.0.0.1", ca=self.authority.pem, count=200,
                         connections=5, max_messages=17)
        self.assertEqual(told.count("sent"), 200)
        relay.until(lambda: len(self.box()) == 200, "all are in the mailbox", 40)
        to = {email.message_from_bytes(path.read_bytes())["X-Original-To"] for path in self.box()}
        self.assertEqual(to, {f"r{n}@example.net" for n in range(1, 201)})

    def test_refused_recipients_and_utf8_and_size__get_their_verdicts(self):
        def verdict(to, **more):
            told = self.send(self.connect, HOST, address="127.0.0.1", ca=self.authority.pem, to=to, **more)
            return told.of(1)[:2]
        self.assertEqual(verdict("unknown@example.net"), ("permanent", 550))
        self.assertEqual(verdict("late@example.net"), ("temporary", 450))
        self.assertEqual(verdict("stranger@elsewhere.example", size=300000), ("permanent", 0))
        self.assertEqual(verdict("zoé@example.net", utf8=1), ("sent", 250))
        self.assertEqual(verdict("zoé@example.net"), ("permanent", 0))
        relay.until(lambda: len(self.box()) == 1, "the message is in the mailbox", 20)
        self.assertIn(b"zo\xc3\xa9@example.net", self.box()[0].read_bytes())


class Sink(relay.Case):
    def front_of(self, *options):
        self.authority = relay.Authority(self.dir)
        port, = self.front([(self.authority.make("good", f"DNS:{HOST}"), self.sink(*options), "")])
        return port

    def knock(self, port, **options):
        return self.send(port, HOST, address="127.0.0.1", ca=self.authority.pem, **options)

    def test_ten_connections__all_are_sent(self):
        told = self.knock(self.front_of(), count=5000, connections=10, quiet=1)
        self.assertEqual(told.count("sent"), 5000)

    def test_stunnel_in_front__all_are_sent(self):
        stunnel = shutil.which("stunnel4") or shutil.which("stunnel")
        self.need_path(stunnel, "stunnel4")
        authority = relay.Authority(self.dir)
        pem = authority.make("good", f"DNS:{HOST}")
        port = relay.free_port()
        conf = self.dir / "stunnel.conf"
        conf.write_text(f"foreground = yes\npid =\n[smtps]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{self.sink()}\n"
                        f"cert = {pem}\nkey = {pem.with_suffix('.key')}\n")
        self.start([stunnel, str(conf)], port)
        told = self.send(port, HOST, address="127.0.0.1", ca=authority.pem, count=500, connections=4, max_messages=60)
        self.assertEqual(told.count("sent"), 500)

    def test_lost_250__is_uncertain_not_failed(self):
        told = self.knock(self.front_of("-q", "."), count=2)
        self.assertEqual((told.count("sent"), told.count("temporary"), told.count("permanent")), (0, 0, 0))
        self.assertEqual(told.of(1)[0], "uncertain")

    def test_answers_that_the_sink_can_give__have_their_verdicts(self):
        for option, verdict in (("-r", "temporary"), ("-f", "permanent")):
            for command in ("MAIL", "RCPT", "DATA", "."):
                told = self.knock(self.front_of(option, command))
                self.assertEqual(told.of(1)[0], verdict, (option, command, told.text))
        told = self.knock(self.front_of("-Q", "RCPT"))
        self.assertEqual(told.of(1)[:2], ("temporary", 421))

    def test_no_pipelining_and_late_answers__all_are_sent(self):
        told = self.knock(self.front_of("-p", "-W", ".:1"), count=4, connections=2)
        self.assertEqual(told.count("sent"), 4)


class SmtpServer(relay.Case):
    def setUp(self):
        super().setUp()
        if shutil.which("node") is None or shutil.which("npm") is None:
            self.skipTest("node and npm are not installed")
        place = house.BUILD / "npm"
        package = place / "node_modules/smtp-server"
        if not package.exists():
            place.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(place), SMTP_SERVER],
                                  capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                self.skipTest(f"{SMTP_SERVER} cannot be installed: {done.stderr.strip()[-200:]}")
        self.authority = relay.Authority(self.dir)
        pem = self.authority.make("good", f"DNS:{HOST}")
        self.out = self.dir / "out"
        script = pathlib.Path(__file__).with_name("smtp-server.js")
        with open(self.out, "wb") as out:
            process = subprocess.Popen(["node", str(script), str(package), str(pem), str(pem.with_suffix(".key"))],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        line = relay.until(lambda: next((line for line in self.out.read_text().splitlines() if line.startswith("ports ")),
                                        None), "smtp-server answers", 30)
        self.connect, self.starttls = map(int, line.split()[1:])
        self.secret = self.dir / "password"
        self.secret.write_text("tanstaaftanstaaf")

    def knock(self, port, tls="connect", **options):
        options.setdefault("user", "tim")
        return self.send(port, HOST, tls=tls, address="127.0.0.1", ca=self.authority.pem, password_file=self.secret,
                         give_up_ms=5000, **options)

    def got(self):
        return [json.loads(line[4:]) for line in self.out.read_text().splitlines() if line.startswith("got ")]

    def test_login__good_over_both_kinds_of_tls(self):
        for port, tls in ((self.connect, "connect"), (self.starttls, "starttls")):
            told = self.knock(port, tls, count=20, connections=3)
            self.assertEqual(told.count("sent"), 20)
        self.assertEqual(len(self.got()), 40)
        self.assertTrue(all(one["secure"] for one in self.got()))

    def test_login__bad_or_none_costs_nobody_an_attempt(self):
        told = self.knock(self.connect, user="tom", count=3)
        self.assertEqual((told.count("untried"), told.count("sent")), (3, 0))
        self.assertIn("the peer refuses the login: 535", told.down[0])
        told = self.send(self.connect, HOST, address="127.0.0.1", ca=self.authority.pem, count=3, give_up_ms=300)
        self.assertEqual((told.count("untried"), told.count("permanent")), (3, 0))
        self.assertIn("530", told.down[0])

    def test_refused_recipient_size_and_utf8__get_their_verdicts(self):
        told = self.knock(self.connect, to="unknown%d@example.net", count=3)
        self.assertEqual(told.count("permanent"), 3)
        self.assertEqual(told.of(1)[:2], ("permanent", 550))
        told = self.knock(self.connect, size=200000)
        self.assertEqual(told.of(1)[0], "permanent")
        told = self.knock(self.connect, to="zoé@example.net", utf8=1)
        self.assertEqual(told.count("sent"), 1)
        self.assertEqual(self.got()[-1]["to"], "zoé@example.net")
        self.assertTrue(self.got()[-1]["args"]["SMTPUTF8"])


if __name__ == "__main__":
    house.main()
