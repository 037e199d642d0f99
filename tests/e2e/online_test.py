#!/usr/bin/env python3
"""Online deliveries as far as they are read, checked and frozen; their channel in etc/; what is known of results."""
import csv
import io
import os
import unittest

import house
import look

EMAIL = """
campaign = "spring-2027"; channel = "email"; label = "Spring offer, mail";
target = { file = "recipients.csv"; key = "recipient_id"; };
content = { subject = "%(subject)s"; html = "mail.html"; text = "mail.txt"; from = "Shop <shop@example.net>";
  images = [ "dot.gif" ]; };
%(more)s
"""
FILES = {"mail.html": "<p>Hello {{first_name}} <img src='cid:dot.gif'></p>", "mail.txt": "Hello {{first_name}}",
         "dot.gif": b"GIF89a"}


def conf(subject="Hello {{first_name}} 📮", more=""):
    return EMAIL % {"subject": subject, "more": more}


def files(**more):
    return {"recipients.csv": house.recipients(10), **FILES, **more}


class Online(house.Case):
    def taken(self, h, id, text=None, more=None):
        h.drop(id, files(**(more or {})), conf=text or conf())
        h.once()
        self.assertEqual(h.refused(), {})
        return h.show(id)

    def test_email_is_taken_frozen_and_waits_for_its_content(self):
        h = self.house(approvals="content = true;")
        shown = self.taken(h, "a")
        self.assertEqual((shown["channel"], shown["state"], shown["records"]), ("email", "target-ready", 10))
        self.assertEqual([step["step"] for step in shown["waiting"]], ["content"])
        self.assertEqual((shown["progress"], shown["sent"], shown["failed"], shown["uncertain"]),
                         ({"done": 0, "of": 10}, 0, 0, 0))
        settings = (h.where("a") / "settings.conf").read_text()
        self.assertIn('subject = "Hello {{first_name}} 📮";', settings)
        self.assertIn('address = "email";', settings)
        names = [line.split("  ", 1)[1] for line in (h.where("a") / "basis/content").read_text().splitlines()]
        self.assertEqual(names, ["mail.html", "mail.txt", "dot.gif", "settings-of-content"])
        self.assertEqual(oct((h.where("a") / "mail.html").stat().st_mode & 0o777), oct(0o600))

    def test_revision_of_the_content_reopens_content_alone(self):
        h = self.house(approvals="content = true; target = true;")
        self.taken(h, "a")
        h.decide("a", "target", "approve")
        h.decide("a", "content", "approve")
        h.once()
        self.assertEqual(h.show("a")["state"], "confirmation-pending")
        for change in ({"text": conf("Another subject")}, {"more": {"mail.txt": "Another text"}}):
            with self.subTest(change=change):
                shown = self.taken(h, "a", **change)
                self.assertEqual((shown["state"], [step["step"] for step in shown["waiting"]]), ("target-ready", ["content"]))
                h.decide("a", "content", "approve")
                h.once()
                self.assertEqual(h.show("a")["state"], "confirmation-pending")

    def test_files_of_the_content_are_wanted_with_the_line_that_names_them(self):
        h = self.house()
        lacking = files()
        del lacking["dot.gif"]
        h.drop("a", lacking, conf=conf())
        h.once()
        self.assertRegex(h.refused()["a"], r"delivery\.conf:5: names dot\.gif, which is not there; drop the file along")

    def test_what_cannot_be_sent_is_refused(self):
        h = self.house()
        for id, text, reason in (
                ("no-sender", conf().replace('from = "Shop <shop@example.net>";', ""), "from is missing; add from"),
                ("documents", conf(more='documents = [ "mail.txt" ];'), "documents is not for channel email"),
                ("push", conf().replace('channel = "email"', 'channel = "push"'), "subject is not for channel push"),
                ("header", conf().replace("shop@example.net", "shop@example.net\\r\\nBcc: x@y.example"), "control character")):
            with self.subTest(id=id):
                h.drop(id, files(), conf=text)
                h.once()
                self.assertIn(reason, h.refused()[id])

    def test_who_has_no_address_is_incomplete_and_a_missing_column_is_told(self):
        h = self.house()
        h.drop("a", files(**{"recipients.csv": house.recipients(10, email=lambda n: "" if n % 5 == 0 else f"r{n}@example.net")}),
               conf=conf())
        h.drop("b", files(), conf=conf().replace('key = "recipient_id";', 'key = "recipient_id"; address = "e-mail";'))
        h.once()
        shown = h.show("a")
        self.assertEqual((shown["rows"], shown["records"], shown["excluded"]), (10, 8, {"incomplete-address": 2}))
        self.assertIn('recipients.csv:1: no column "e-mail" for the address; did you mean "email"?', h.refused()["b"])

    def test_quarantine_and_the_channels_own_lists_count_and_a_broken_one_keeps_everybody(self):
        h = self.house(top='channels = { mail = { suppress = [ "paper.csv" ]; }; email = { suppress = [ "optout.csv" ]; }; };')
        h.make_spool()
        (h.etc / "paper.csv").write_text("recipient_id\nR000001\n")
        (h.etc / "optout.csv").write_text("recipient_id\nR000002\nR000003\n")
        quarantine = h.spool / "quarantine/email.csv"
        quarantine.write_text("address,key,since,cause,delivery\nr4@EXAMPLE.net,,,by hand,\n,R000005,,,\nr3@example.net,,,,\n")
        shown = self.taken(h, "a")
        self.assertEqual((shown["records"], shown["excluded"]), (6, {"suppressed": 2, "quarantined": 2}))
        h.drop("paper")
        h.once()
        self.assertEqual(h.show("paper")["excluded"], {"suppressed": 1})
        folder = h.write_delivery(h.dir / "d", files(), conf=conf())
        self.assertIn("quarantined", h.cli("check", folder, check=0).stdout)
        quarantine.write_text("address,key\nr4@example.net\n")
        h.drop("b", files(), conf=conf())
        h.once()
        self.assertEqual((h.place("b"), h.refused()), ([], {}))
        self.assertIn("quarantine/email.csv:2: malformed", h.log())
        quarantine.write_text("address,key\nr4@example.net,\n")
        h.once()  # the drop was left where it lay, and is looked at again
        self.assertEqual(h.show("b")["excluded"], {"suppressed": 2, "quarantined": 1})

    def test_results_before_sending_are_a_header(self):
        h = self.house()
        self.taken(h, "a")
        h.drop("paper")
        h.once()
        rows = list(csv.reader(io.StringIO(h.cli("results", "a", check=0).stdout)))
        self.assertEqual(rows, [["key", "reference", "verdict", "code", "time"]])
        self.assertEqual(h.cli("results", "nobody").returncode, 66)
        self.assertEqual(h.cli("results", "paper").returncode, 69)
        self.assertEqual(h.cli("results").returncode, 64)

    def test_check_of_a_whole_email_says_what_would_happen(self):
        h = self.house()
        h.make_spool()
        folder = h.write_delivery(h.dir / "d", files(), conf=conf())
        before = look.tree(h.spool)
        done = h.cli("check", folder, check=0)
        self.assertIn("email, campaign spring-2027", done.stdout)
        self.assertEqual(look.tree(h.spool), before)


class Channel(house.Case):
    def checked(self, settings, secret=None):
        h = self.house(top="channels = { email = { %s }; };" % settings)
        if secret is not None:
            (h.etc / "secret").write_text("s")
            os.chmod(h.etc / "secret", secret)
        return h, h.check()

    def test_secrets_that_others_can_read_are_refused_with_78(self):
        settings = 'transport = "smtp"; host = "127.0.0.1"; user = "u"; password_file = "secret";'
        for mode, code in ((0o600, 0), (0o640, 0), (0o644, 78), (0o604, 78)):
            with self.subTest(mode=oct(mode)):
                h, done = self.checked(settings, mode)
                self.assertEqual(done.returncode, code, done.stderr)
                if code:
                    self.assertRegex(done.stderr, r"postroom\.conf:\d+: password_file .*secret can be read or changed by others;")
                    self.assertEqual(h.once(check=False).returncode, 78)
        _, done = self.checked(settings)
        self.assertEqual(done.returncode, 78)
        self.assertIn("does not exist", done.stderr)

    def test_no_tls_is_warned_of(self):
        _, done = self.checked('transport = "smtp"; host = "127.0.0.1"; tls = "none";')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, "warning: .*tls is none")
        self.assertNotIn("not used by this version", done.stderr)

    def test_transport_that_no_channel_has_is_refused(self):
        _, done = self.checked('transport = "smpp";')
        self.assertEqual(done.returncode, 78)
        self.assertIn("transport 'smpp' is none of \"maildir\", \"smtp\"; write one of these", done.stderr)


if __name__ == "__main__":
    house.main()
