"""Text messages from a dropped delivery to `finished`: the embedded transport, and SMPP to npm's smpp behind TLS."""
import collections
import json

import house
import relay
import steering
from smsc import Case, conf

EMOJI = "Bonjour {{first_name}} \U0001F600, "


class File(Case):
    def test_a_delivery_ends_as_readable_files_and_its_parts_are_what_costs(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };")
        long = "x" * 150
        self.drop(made, text="Hello {{last_name}} " + long)  # 6 + 7..8 + 1 + 150 units: one or two parts
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["records"]), ("finished", 10, 10), made.log())
        kept = sorted((made.spool / "outbox/messages/sms").iterdir())
        self.assertEqual(len(kept), 10)
        texts = {path.read_text() for path in kept}
        self.assertEqual(texts, {f"Hello Durand{n} {long}" for n in range(1, 11)})
        self.assertTrue(all(path.suffix == ".txt" for path in kept))
        self.assertEqual(shown["parts"], 20)
        self.assertEqual(shown["cost"]["spent"], "1.00")

    def test_numbers_are_checked_and_check_shows_the_parts(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };")
        mobiles = ["+33612345678", "33612345679", "0612345678", "+33 6 12 34 56 78", "", "+3361234567890123"]
        folder = made.write_delivery(made.dir / "d", {"recipients.csv": house.recipients(6, mobile=lambda n: mobiles[n - 1])},
                                     conf=conf(EMOJI + "y" * 50))
        told = json.loads(made.cli("check", "--json", folder, check=0).stdout)
        self.assertEqual((told["records"], told["excluded"]), (2, {"incomplete-address": 1, "bad-address": 3}))
        self.assertEqual((told["parts"], told["total"]), (2, "0.10"))  # 65 units each
        self.assertIn("which GSM 03.38 lacks", " ".join(told["warnings"]))
        folder = made.write_delivery(made.dir / "e", {"recipients.csv": house.recipients(3, mobile=lambda n: mobiles[0])},
                                     conf=conf(EMOJI + "y" * 60, target="limit = 2;"))
        told = json.loads(made.cli("check", "--json", folder, check=0).stdout)
        self.assertEqual((told["records"], told["parts"], told["total"]), (2, 4, "0.20"))
        self.assertRegex(made.cli("check", folder, check=0).stdout, r"parts +4")

    def test_preview_shows_the_text_its_alphabet_and_parts(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };", approvals="content = true;")
        self.drop(made, text=EMOJI + "z" * 60 + "{{last_name}}")
        made.once()
        shown = made.cli("preview", "a", "--row", "2", check=0).stdout
        text = "Bonjour Zo\u00e9 \U0001F600, " + "z" * 60 + "Durand2"
        self.assertEqual(shown.rstrip("\n"), f"To: +33612340002\nFrom: Shop\nEncoding: UCS-2\nUnits: {len(text) + 1}\nParts: 2\n\n{text}")

    def test_a_proof_says_so_and_goes_to_the_proof_target(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };", approvals="content = true;")
        self.drop(made, more='approvals = { proof = { target = [ "+33699999999" ]; }; };')
        made.once()
        made.cli("proof", "send", "a", check=75)  # it lies in approved/ until the daemon runs
        made.once()
        kept = [path.read_text() for path in (made.spool / "outbox/messages/sms").iterdir()]
        self.assertEqual(kept, ["[proof 1] Hello Zo\u00e9, Durand1"])

    def test_what_no_sms_can_carry_is_refused_with_its_line(self):
        made = self.office("channels = { sms = { }; };")
        for id, how, reason in (("tag", {"text": "Hello {{first_nam}}"}, 'did you mean "first_name"'),
                                ("sender", {"sender": 'sender = "A sender of many letters";'}, "1 to 11 letters"),
                                ("html", {"sender": 'html = "a.html";'}, "content: html is not for channel sms")):
            with self.subTest(id):
                self.drop(made, id, **how)
                made.once()
                self.assertIn(reason, made.refused()[id])

    def test_settings_of_the_channel_are_checked(self):
        made = self.house(top='channels = { sms = { transport = "smpp"; host = "localhost"; tls = "starttls"; }; };')
        done = made.check()
        self.assertEqual(done.returncode, 78)
        self.assertIn("SMPP has no starttls", done.stderr)
        self.assertIn("needs a system_id", done.stderr)


class Peer(Case):
    def test_parts_arrive_whole_and_receipts_are_acknowledged(self):
        smsc, made = self.post()
        text = EMOJI + "voici notre offre du mois de mars, valable dans tous nos magasins. R\u00e9pondez STOP. {{last_name}}"
        self.drop(made, count=30, text=text)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"]), ("finished", 30), made.log())
        want = text.replace("{{first_name}}", "Zo\u00e9")
        self.assertEqual(smsc.texts(), {f"3361234{n:04d}": want.replace("{{last_name}}", f"Durand{n}") for n in range(1, 31)})
        got = smsc.heard("got")
        self.assertEqual({(part["from"], part["coding"], part["parts"]) for part in got}, {("Shop", 8, 2)})
        self.assertEqual((len(got), shown["parts"], shown["cost"]["spent"]), (60, 60, "3.00"))
        self.assertEqual([bind["good"] for bind in smsc.heard("bind")], [True])
        self.assertEqual(len(smsc.heard("unbind")), 1)

    def test_refusals_are_told_apart(self):
        smsc, made = self.post(more='retry_for = "1s";')
        numbers = {1: "441112345678", 2: "441212345678", 3: "441912345678"}
        self.drop(made, count=4, mobile=lambda n: numbers.get(n, "33612345678"), text="x" * 200)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["failed"]), ("finished", 1, 3), made.log())
        self.assertEqual(shown["cost"]["spent"], "0.10")
        self.assertIn("441112345678", (made.spool / "quarantine/sms.csv").read_text())
        self.assertNotIn("441912345678", (made.spool / "quarantine/sms.csv").read_text())

    def test_throttled_and_queue_full_cost_nobody_a_message(self):
        smsc, made = self.post(more='retry_for = "1s";')
        numbers = {1: "441312345671", 2: "441312345672", 3: "441412345678"}
        self.drop(made, count=6, mobile=lambda n: numbers.get(n, f"3361234567{n}"))
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["failed"]), ("finished", 5, 1), made.log())
        times = collections.Counter(got["to"] for got in smsc.heard("got"))
        self.assertEqual(set(times.values()), {1})
        self.assertEqual([refused["status"] for refused in smsc.heard("refused") if refused["to"] == numbers[3]], [20] * 4)

    def test_a_lost_answer_is_uncertain_and_held(self):
        smsc, made = self.post(timeout="1s")
        self.drop(made, count=5, mobile=lambda n: "441512345678" if n == 3 else f"3361234567{n}")
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["uncertain"]), ("finished", 4, 1), made.log())
        self.assertEqual(len(smsc.heard("lost")), 1)  # it was not sent again

    def test_a_broken_connection_and_an_unbind_lose_nobody_else(self):
        smsc, made = self.post(window=1)
        self.drop(made, count=8, mobile=lambda n: {3: "441612345678", 6: "441712345678"}.get(n, f"3361234567{n}"))
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["uncertain"]), ("finished", 7, 1), made.log())
        self.assertEqual(sorted(smsc.texts()), sorted([f"3361234567{n}" for n in (1, 2, 4, 5, 7, 8)] + ["441712345678"]))
        self.assertEqual(len(smsc.heard("bind")), 3)

    def test_a_wrong_certificate_sends_nothing_and_costs_nobody_an_attempt(self):
        smsc, made = self.post(san="DNS:other.example")
        self.drop(made, count=3)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["failed"]), ("sending", 0, 0))
        self.assertIn("certificate is for other.example", shown["reason"] or "")
        self.assertEqual(smsc.heard("bind"), [])

    def test_an_answer_that_does_not_come_holds_up_no_pause_resume_or_stop(self):
        smsc, made = self.post(timeout="60s", more="rate = 100;")
        self.drop(made, count=2000, mobile=lambda n: "441512345678" if n == 3 else f"3361234{n:04d}")
        self.assertEqual(steering.check(self, made, lambda: len(smsc.heard("got")), lambda: len(smsc.heard("lost")) == 1), 1)

    def test_a_client_certificate_is_shown_where_it_is_asked_for(self):
        authority = relay.Authority(self.dir)
        own = authority.make("shop", "DNS:shop.example")
        keys = f'client_cert_file = "{own}"; client_key_file = "{own.with_suffix(".key")}";'
        own.with_suffix(".key").chmod(0o600)
        asks = f"ssl_verify_client on; ssl_client_certificate {authority.pem};"
        for settings, state, sent in (("", "sending", 0), (keys, "finished", 3)):
            with self.subTest(settings):
                smsc, made = self.post(front=asks, more=settings)
                self.drop(made, count=3)
                made.once()
                shown = made.show("a")
                self.assertEqual((shown["state"], shown["sent"], len(smsc.heard("got"))), (state, sent, sent), made.log())


if __name__ == "__main__":
    house.main()
