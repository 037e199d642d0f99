#!/usr/bin/env python3
"""Proofs of online deliveries: asked for by a decision, sent to the proof target alone, told in the journal."""
import csv
import email
import email.policy
import signal
import socket
import time
import unittest

import house

CONF = """
campaign = "spring-2027"; channel = "email"; label = "Spring offer, mail";
target = { file = "recipients.csv"; key = "recipient_id"; %(target)s };
content = { subject = "Hello {{last_name}} 📮"; text = "mail.txt"; from = "Shop <shop@example.net>"; };
approvals = { content = { reviewers = [ "bob" ]; }; %(proof)s };
%(more)s
"""
PROOF = 'proof = { target = [ "one@proof.example", "two@proof.example" ]; };'
TEXT = "Hello {{first_name}} {{last_name}}, {{recipient_id}}, written to {{email}}"
OTHERS = ['{ name = "bob"; user = "nobody"; email = "bob@example.net"; groups = [ ]; }']


def files(count=5, **more):
    return {"recipients.csv": house.recipients(count), "mail.txt": TEXT, **more}


def conf(proof=PROOF, target="", more=""):
    return CONF % {"proof": proof, "target": target, "more": more}


def messages(h):
    """Every message that the embedded transport keeps, parsed."""
    found = []
    for path in sorted((h.spool / "outbox/messages/email").rglob("*")):
        if path.is_file():
            found.append(email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
    return found


def proofs(h):
    return [m for m in messages(h) if m["Subject"].startswith("[Proof")]


class Proofs(house.Case):
    def taken(self, id="a", house_settings=None, count=5, **settings):
        h = self.house(operators=OTHERS, **(house_settings or {}))
        h.drop(id, files(count), conf=conf(**settings))
        h.once()
        self.assertEqual(h.refused(), {})
        return h

    def test_proof_goes_to_the_proof_target_with_the_values_of_real_recipients(self):
        h = self.taken()
        h.decide("a", "proof", "send", more='note = "first look";')
        h.once()
        self.assertEqual(h.refused(), {})
        sent = {m["To"]: m for m in messages(h)}
        self.assertEqual(sorted(sent), ["one@proof.example", "two@proof.example"])
        self.assertEqual(sent["one@proof.example"]["Subject"], "[Proof 1] Hello Durand1 📮")
        self.assertEqual(sent["two@proof.example"]["Subject"], "[Proof 1] Hello Durand2 📮")
        self.assertIn("Hello Zoé Durand1, R000001, written to one@proof.example",
                      sent["one@proof.example"].get_content())
        shown = h.show("a")
        self.assertEqual((shown["state"], shown["progress"]["done"], shown["sent"]), ("target-ready", 0, 0))
        self.assertEqual([(p["proof"], p["state"], p["who"], p["note"], p["sent"], p["failed"]) for p in shown["proofs"]],
                         [(1, "sent", "alice", "first look", 2, 0)])
        self.assertRegex(h.journal("a"), r"proof-wanted alice step=proof file=\S+ sha256=\S+ proof=1 note=\"first look\"")
        self.assertRegex(h.journal("a"), r"proof-sent postroomd step=proof proof=1 sent=2 failed=0 uncertain=0")
        self.assertIn("proof 1", h.cli("show", "a", check=0).stdout)
        self.assertIn("proof-sent", h.cli("log", "a", check=0).stdout)
        rows = list(csv.reader(open(h.where("a") / "proofs/1/sending/recipients.csv", encoding="utf-8")))
        self.assertEqual([row[1] for row in rows], ["key", "proof-1-1", "proof-1-2"])

    def test_proofs_count_up_also_over_revisions_and_the_delivery_is_sent_as_ever(self):
        h = self.taken()
        for _ in range(2):
            h.decide("a", "proof", "send")
            h.once()
        h.drop("a", files(**{"mail.txt": "Another {{first_name}}"}), conf=conf())
        h.once()
        h.decide("a", "proof", "send")
        h.once()
        self.assertEqual([(p["proof"], p["revision"]) for p in h.show("a")["proofs"]], [(1, 1), (2, 1), (3, 2)])
        self.assertEqual(sorted(m["Subject"][:9] for m in proofs(h)), ["[Proof 1]"] * 2 + ["[Proof 2]"] * 2 + ["[Proof 3]"] * 2)
        h.decide("a", "content", "approve")
        h.decide("a", "delivery", "confirm")
        h.once()
        self.assertEqual((h.show("a")["state"], h.show("a")["sent"]), ("finished", 5))
        ids = [m["Message-ID"] for m in messages(h)]
        self.assertEqual(len(set(ids)), 11)

    def test_in_confirmation_pending_and_on_hold_a_proof_is_sent_too(self):
        h = self.taken()
        h.decide("a", "content", "approve")
        h.decide("a", "delivery", "hold")
        h.once()
        h.decide("a", "proof", "send")
        h.once()
        shown = h.show("a")
        self.assertEqual((shown["state"], shown["held"], shown["proofs"][0]["sent"]), ("confirmation-pending", True, 2))

    def test_who_may_ask(self):
        self.need_root()
        h = self.house(operators=OTHERS + ['{ name = "carol"; user = "daemon"; email = "c@example.net"; groups = [ ]; }'])
        h.drop("a", files(), conf=conf())
        h.once()
        h.decide("a", "proof", "send", uid=1)
        h.once()
        self.assertRegex(next(iter(h.refused().values())),
                         r"carol may not send proof of this delivery: that is for its owner and those who review its content; "
                         r"ask bob, alice \(owner\)")
        self.assertEqual(messages(h), [])
        h.decide("a", "proof", "send", uid=65534)  # bob reviews the content
        h.once()
        self.assertEqual([(p["who"], p["sent"]) for p in h.show("a")["proofs"]], [("bob", 2)])

    def test_what_cannot_be_is_refused_with_the_mend(self):
        h = self.house(operators=OTHERS)
        for id, proof, reason in (("none", "proof = true;", "proof: target is missing; write proof = {"),
                                  ("empty", "proof = { target = [ ]; };", "proof: target is missing"),
                                  ("bad", 'proof = { target = [ "one@proof.example", "two words@proof.example" ]; };',
                                   r"delivery.conf:5: proof: address 2 of target is none")):
            with self.subTest(id=id):
                h.drop(id, files(), conf=conf(proof))
                h.once()
                self.assertIn(reason, h.refused()[id])
                self.assertNotIn("two words", h.refused()[id])
        h.drop("paper", more='approvals = { proof = { target = [ "a@example.net" ]; }; };')
        h.drop("off", files(), conf=conf(proof=""))
        h.drop("letter", more='confirm = true;')
        h.once()
        self.assertIn("proofs are not available in this version; write proof = false;", h.refused()["paper"])
        for id, reason in (("off", "proofs are off for off; say who gets them"), ("letter", "proofs of mail are not available")):
            h.decide(id, "proof", "send")
            h.once()
            self.assertTrue(any(reason in text for text in h.refused().values()), h.refused())
        h.drop("a", files(), conf=conf())
        h.once()
        h.decide("a", "proof", "approve")
        h.once()
        self.assertTrue(any("proof approve is not available" in text for text in h.refused().values()), h.refused())

    def test_nobody_selected_is_told_and_the_delivery_stays(self):
        h = self.taken(target="where = \"last_name = 'Nobody'\";")
        h.decide("a", "proof", "send")
        h.once()
        shown = h.show("a")
        self.assertEqual((shown["state"], shown["proofs"][0]["state"], shown["reason"]), ("target-ready", "failed", ""))
        self.assertIn("nobody is selected", shown["proofs"][0]["reason"])
        self.assertEqual(messages(h), [])

    def test_cli_sends_a_proof_and_waits(self):
        h = self.taken(house_settings={"settle": "0.1"})
        h.start()
        done = h.cli("proof", "send", "a", "-m", "look at the sender", check=0)
        self.assertIn("a: proof asked for by alice", done.stdout)
        h.until(lambda: h.show("a")["proofs"][0]["state"] == "sent", "the proof")
        self.assertEqual(h.show("a")["proofs"][0]["note"], "look at the sender")
        self.assertEqual(h.cli("proof", "submit", "a").returncode, 69)
        self.assertEqual(h.cli("proof", "sned", "a").returncode, 64)
        self.assertEqual(h.cli("proof", "send").returncode, 64)
        self.assertEqual(h.cli("proof", "send", "nobody").returncode, 66)

    def test_while_the_relay_is_away_a_proof_waits_and_a_delivery_that_goes_on_gives_it_up(self):
        with socket.socket() as free:  # bound, and nobody listens
            free.bind(("127.0.0.1", 0))
            top = 'channels = { email = { transport = "smtp"; host = "127.0.0.1"; port = %d; tls = "none"; }; };' % free.getsockname()[1]
            h = self.taken(house_settings={"top": top})
            h.start()
            h.decide("a", "proof", "send")
            h.until(lambda: "proof-later" in h.log(), "a try")
            h.decide("a", "proof", "send")
            h.until(lambda: h.refused(), "the second is refused")
            self.assertRegex(next(iter(h.refused().values())), "proof 1, which alice asked for, is not sent yet; 'postroom log a'")
            self.assertEqual(h.show("a")["proofs"][0]["state"], "sending")
            self.assertLess(h.log().count("proof-later"), 5)  # it is not tried again and again
            h.stop()
            h.once()
            self.assertEqual(h.show("a")["proofs"][0]["state"], "sending")
            h.drop("a", files(), conf=conf())
            h.once()
            self.assertEqual([p["state"] for p in h.show("a")["proofs"]], ["given-up"])
            self.assertIn("given-up", h.cli("show", "a", check=0).stdout)

    def test_killed_at_any_moment_a_proof_goes_on_and_doubles_nothing(self):
        h = self.taken(count=2000)
        for n in range(1, 9):
            h.decide("a", "proof", "send")
            h.start()
            time.sleep(0.012 * n)  # any moment will do
            h.stop(signal.SIGKILL)
            h.once()
            self.assertEqual(h.refused(), {})
            shown = h.show("a")["proofs"]
            self.assertEqual([(p["proof"], p["state"], p["sent"]) for p in shown], [(i, "sent", 2) for i in range(1, n + 1)])
        subjects = sorted((m["Subject"][:9], m["To"]) for m in proofs(h))
        self.assertEqual(subjects, sorted((f"[Proof {n}]", to) for n in range(1, 9) for to in ("one@proof.example", "two@proof.example")))

    def test_every_state_that_a_crash_leaves_is_gone_on_from(self):
        """docs/SPOOL.md T1 to T4, made by hand from a proof that was sent."""
        h = self.taken()
        h.decide("a", "proof", "send")
        h.once()
        journal = h.where("a") / "journal"
        whole = journal.read_text()
        before = len(messages(h))
        folder = h.where("a") / "proofs/1"
        cut = "".join(line for line in whole.splitlines(True) if " proof-sent " not in line)
        # T4: everything sent, the line is lost: only the line is written again
        journal.write_text(cut)
        h.once()
        self.assertEqual((h.show("a")["proofs"][0]["sent"], len(messages(h))), (2, before))
        # T2: the list is whole, nobody was tried
        journal.write_text(cut)
        (folder / "progress").unlink()
        h.once()
        self.assertEqual((h.show("a")["proofs"][0]["sent"], len(messages(h))), (2, before))  # the same names in the Maildir
        # T1: half a list
        journal.write_text(cut)
        (folder / "progress").unlink()
        (folder / "sending").rename(folder / "sending.tmp")
        (folder / "sending.tmp/recipients.csv").write_text("number,key,address\n1,x")
        h.once()
        self.assertEqual(h.show("a")["proofs"][0]["sent"], 2)
        self.assertFalse((folder / "sending.tmp").exists())


if __name__ == "__main__":
    house.main()
