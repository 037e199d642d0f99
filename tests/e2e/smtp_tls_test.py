"""TLS of the e-mail channel: who is let through and who is not, and what STARTTLS does not let anybody slip in.

The certificates stand before a real nginx in front of a real smtp-sink; only what no server does (bytes behind the 220
of STARTTLS, an old protocol) comes from a script.
"""
import pathlib
import shutil
import ssl
import tempfile
import threading

import house
import relay

HOST = "relay.example"


class Certified(relay.Case):
    @classmethod
    def setUpClass(cls):
        cls.keys = pathlib.Path(tempfile.mkdtemp(prefix="postroom-keys-"))
        cls.addClassCleanup(shutil.rmtree, cls.keys, ignore_errors=True)
        cls.authority = relay.Authority(cls.keys)
        other = cls.keys / "other"
        other.mkdir()
        cls.stranger = relay.Authority(other)

    def knock(self, port, host=HOST, **options):
        options.setdefault("ca", self.authority.pem)
        return self.send(port, host, address="127.0.0.1", give_up_ms=400, **options)


class Names(Certified):
    def certificates(self):
        """name -> (file, host that is asked for, what is said: None for let through)."""
        make = self.authority.make
        nul = "DER:30:1c:82:1a:" + ":".join(f"{byte:02x}" for byte in b"relay.example\0evil.example")
        return {
            "good": (make("good", f"DNS:{HOST}"), HOST, None),
            "second name": (make("second", f"DNS:www.example,DNS:{HOST}"), HOST, None),
            "wildcard": (make("wild", "DNS:*.relay.example"), "a.relay.example", None),
            "address": (make("address", "IP:127.0.0.1"), "127.0.0.1", None),
            "wrong name": (make("wrong", "DNS:other.example"), HOST, "certificate is for other.example, not relay.example"),
            "name only in CN": (make("cn", cn=HOST), HOST, "a common name does not count"),
            "CN beside another name": (make("cn2", "DNS:other.example", cn=HOST), HOST, "certificate is for other.example"),
            "other authority": (self.stranger.make("other", f"DNS:{HOST}"), HOST, "who is not trusted"),
            "self-signed": (make("self", f"DNS:{HOST}", own=True), HOST, "signed by itself"),
            "expired": (make("expired", f"DNS:{HOST}", dates=("200101000000Z", "210101000000Z")), HOST, "has expired"),
            "not yet valid": (make("early", f"DNS:{HOST}", dates=("20900101000000Z", "20910101000000Z")), HOST,
                              "not valid before"),
            "wildcard for the domain itself": (self.keys / "wild.pem", HOST, "certificate is for *.relay.example"),
            "wildcard two labels deep": (self.keys / "wild.pem", "a.b.relay.example", "certificate is for *.relay"),
            "part of a label": (make("part", "DNS:re*.shop.example"), "relay.shop.example", "certificate is for re*.shop.example"),
            "address as a name": (make("dns-ip", "DNS:127.0.0.1"), "127.0.0.1", "certificate is for 127.0.0.1"),
            "other address": (make("other-ip", "IP:127.0.0.2"), "127.0.0.1", "certificate is for 127.0.0.2, not"),
            "NUL in the name": (make("nul", nul), HOST, r"certificate is for relay.example\x00evil.example, not"),
        }

    def test_certificates__only_the_right_ones_pass(self):
        dump = self.dir / "dump"
        dump.mkdir(mode=0o777)
        dump.chmod(0o777)
        self.dir.chmod(0o755)
        sink = self.sink("-d", f"{dump}/%M.")
        certificates = self.certificates()
        ports = self.front([(pem, sink, "") for pem, _, _ in certificates.values()])
        for (name, (_, host, why)), port in zip(certificates.items(), ports):
            with self.subTest(name):
                before = len(list(dump.iterdir()))
                told = self.knock(port, host)
                self.assertEqual(told.of(1)[0], "sent" if why is None else "untried", told.text)
                self.assertEqual(len(list(dump.iterdir())) - before, why is None)
                if why is not None:
                    self.assertIn(why, told.down[0])

    def test_system_store__does_not_know_our_authority(self):
        port, = self.front([(self.authority.make("good", f"DNS:{HOST}"), self.sink(), "")])
        told = self.knock(port, ca="/dev/null")
        self.assertIn("who is not trusted", told.down[0])

    def test_old_protocol__is_refused(self):
        pem = self.authority.make("good", f"DNS:{HOST}")
        port, = self.front([(pem, self.sink(), "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;")])
        told = self.knock(port)
        self.assertEqual(told.of(1)[0], "untried")
        self.assertIn("TLS handshake", told.down[0])

    def test_tls_1_2__is_spoken(self):
        pem = self.authority.make("good", f"DNS:{HOST}")
        port, = self.front([(pem, self.sink(), "ssl_protocols TLSv1.2;")])
        self.assertEqual(self.knock(port, count=50, connections=3).count("sent"), 50)

    def test_server_in_clear__is_refused(self):
        told = self.knock(self.sink())
        self.assertEqual(told.of(1)[0], "untried")
        self.assertIn("TLS handshake", told.down[0])

    def test_client_certificate__is_shown_where_it_is_asked_for(self):
        pem = self.authority.make("good", f"DNS:{HOST}")
        own = self.authority.make("client", "DNS:client.example")
        port, = self.front([(pem, self.sink(), f"ssl_verify_client on; ssl_client_certificate {self.authority.pem};")])
        self.assertEqual(self.knock(port, cert=own, key=own.with_suffix(".key")).count("sent"), 1)
        self.assertEqual(self.knock(port).count("sent"), 0)

    def test_key_of_another_certificate__is_bad_configuration(self):
        own = self.authority.make("client", "DNS:client.example")
        other = self.authority.make("second-client", "DNS:client.example")
        done = relay.subprocess.run([relay.TRY, f"cert={own}", f"key={other.with_suffix('.key')}", HOST, "1"],
                                    capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 78)
        self.assertIn("private key of the client certificate", done.stderr)


class Peers(Certified):
    def test_later_connections__resume_the_session(self):
        def script(line, _):
            line.begin()
            while True:
                line.message()
        peer = relay.Wrapped(self, script, self.authority.make("good", f"DNS:{HOST}"))
        told = self.knock(peer.port, count=6, max_messages=2)
        self.assertEqual(told.count("sent"), 6)
        self.assertEqual(peer.sessions, [False, True, True])

    def test_end_of_tls_behind_the_final_dot__is_uncertain(self):
        def script(line, _):
            line.begin()
            line.message(reply=None)
            line.socket.unwrap()
        told = self.knock(relay.Wrapped(self, script, self.authority.make("good", f"DNS:{HOST}")).port)
        self.assertEqual(told.of(1)[0], "uncertain")

    def test_login_over_tls_alone__and_in_one_of_two_ways(self):
        secret = self.dir / "password"
        secret.write_text("tanstaaftanstaaf")
        heard = []

        def script(line, _):
            line.begin(offers=["AUTH LOGIN"])
            heard.append(line.hear())
            line.say("334 VXNlcm5hbWU6\r\n")
            heard.append(line.hear())
            line.say("334 UGFzc3dvcmQ6\r\n")
            heard.append(line.hear())
            line.say("535 5.7.8 no\r\n")
            line.wait_for_end()
        pem = self.authority.make("good", f"DNS:{HOST}")
        told = self.knock(relay.Wrapped(self, script, pem).port, user="tim", password_file=secret)
        self.assertEqual(heard, [b"AUTH LOGIN", b"dGlt", b"dGFuc3RhYWZ0YW5zdGFhZg=="])
        self.assertIn("the peer refuses the login: 535 5.7.8 no", told.down[0])
        self.assertNotIn("dGFu", told.text)
        done = relay.subprocess.run([relay.TRY, "tls=none", "user=tim", HOST, "1"], capture_output=True, text=True,
                                    timeout=20)
        self.assertEqual(done.returncode, 78)
        self.assertIn("a password never goes out in clear", done.stderr)


class StartTls(Certified):
    def upgrade(self, line, behind=b"", offers=("STARTTLS",)):
        line.begin(offers=offers)
        assert line.hear() == b"STARTTLS", line.heard
        line.say(b"220 go\r\n" + behind)

    def wrap(self, line):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = self.authority.make("good", f"DNS:{HOST}")
        context.load_cert_chain(pem, pem.with_suffix(".key"))
        return relay.Line(context.wrap_socket(line.socket, server_side=True))

    def test_starttls__ehlo_comes_again_and_messages_go(self):
        def script(line, _):
            self.upgrade(line)
            secure = self.wrap(line)
            assert secure.hear().startswith(b"EHLO ")
            secure.say("250-peer\r\n250 PIPELINING\r\n")
            while True:
                secure.message()
        told = self.knock(relay.Peer(self, script).port, tls="starttls", count=5)
        self.assertEqual(told.count("sent"), 5)

    def test_not_offered__is_no_reason_to_send_in_clear(self):
        heard = []

        def script(line, _):
            line.begin(offers=("PIPELINING", "XSTARTTLS"))
            heard.append(line.socket.recv(1000))
        told = self.knock(relay.Peer(self, script).port, tls="starttls")
        self.assertEqual(told.of(1)[0], "untried")
        self.assertIn("the peer does not offer STARTTLS", told.down[0])
        relay.until(lambda: heard, "the connection ends")
        self.assertEqual(heard, [b""])

    def test_refused__is_no_reason_to_send_in_clear(self):
        def script(line, _):
            line.begin(offers=("STARTTLS",))
            line.hear()
            line.say("454 4.7.0 TLS not available\r\n")
            assert not line.socket.recv(1000)
        told = self.knock(relay.Peer(self, script).port, tls="starttls")
        self.assertIn("the peer refuses STARTTLS: 454 4.7.0 TLS not available", told.down[0])

    def test_bytes_behind_the_220__end_the_connection(self):
        for behind in (b"250-peer\r\n250 PIPELINING\r\n", b"2"):
            heard = []
            ended = threading.Event()

            def script(line, _):
                self.upgrade(line, behind)
                heard.append(line.socket.recv(1000))
                ended.set()
            told = self.knock(relay.Peer(self, script).port, tls="starttls")
            self.assertIn("the peer sent bytes between STARTTLS and the handshake", told.down[0])
            self.assertTrue(ended.wait(10))
            self.assertEqual(heard, [b""])

    def test_what_was_offered_in_clear__does_not_count(self):
        seen = []

        def script(line, _):
            self.upgrade(line, offers=("AUTH PLAIN LOGIN", "STARTTLS"))
            secure = self.wrap(line)
            secure.hear()
            secure.say("250 peer\r\n")
            seen.append(secure.socket.recv(1000))
        secret = self.dir / "password"
        secret.write_text("secret")
        told = self.knock(relay.Peer(self, script).port, tls="starttls", user="tim", password_file=secret)
        self.assertIn("the peer offers neither AUTH PLAIN nor AUTH LOGIN", told.down[0])


if __name__ == "__main__":
    house.main()
