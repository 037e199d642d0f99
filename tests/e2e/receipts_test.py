#!/usr/bin/env python3
"""Delivery receipts: `delivered` in results, whenever they come and however often, and what an SMSC may say instead."""
import collections
import os
import random
import signal
import time

import house
import sending
import smsc

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Checks(smsc.Case):
    def results(self, made, id="a"):
        """number of the recipient -> (verdict, code, time)"""
        rows = [row.split(",") for row in made.cli("results", id, check=0).stdout.splitlines()[1:]]
        return {int(reference.rsplit("-", 1)[1]): (verdict, code, when) for _, reference, verdict, code, when in rows}

    def verdicts(self, made, id="a"):
        return [verdict for verdict, _, _ in self.results(made, id).values()]

    def counts(self, made, id="a"):
        shown = made.show(id)
        return {name: shown[name] for name in ("state", "sent", "delivered", "undelivered", "failed")}

    def heard(self, made):
        """What still waits for the daemon: id of the delivery -> lines"""
        return {path.name: path.read_text().splitlines() for path in (made.spool / "outbox/receipts/sms").iterdir() if path.stat().st_size}

    def nobody_is_named(self, made, smsc):
        """No number in the log, nor in what is kept of receipts."""
        kept = [made.log()] + [path.read_text() for path in made.spool.rglob("receipts/sms/*")]
        kept += [path.read_text() for name in ("progress", "receipts") for path in made.spool.rglob(name) if path.is_file()]
        for number in {got["to"] for got in smsc.heard("got")}:
            for text in kept:
                self.assertNotIn(number, text)


class Session(Checks):
    """Receipts that come to the worker that sent."""

    def test_delivered_with_its_time_and_costs_as_before(self):
        smsc, made = self.post()
        self.drop(made, count=30)
        made.once()
        self.assertEqual(self.counts(made), {"state": "finished", "sent": 30, "delivered": 30, "undelivered": 0, "failed": 0}, made.log())
        for verdict, code, when in self.results(made).values():
            self.assertEqual((verdict, code), ("delivered", "1"))
            self.assertRegex(when, f"^{TIME}$")
        self.assertRegex(made.cli("show", "a", check=0).stdout, r"delivered +30")
        self.assertEqual(made.show("a")["cost"]["spent"], "1.50")
        self.assertIn(" sent=30 failed=0", made.journal("a"))
        self.assertEqual([told["status"] for told in smsc.heard("told")], [0] * 30)
        progress = sending.Progress((made.where("a") / "progress").read_bytes())
        self.assertEqual(sorted(progress.numbers("delivered")), list(range(1, 31)))
        self.assertEqual(collections.Counter(progress.numbers("id")), collections.Counter(range(1, 31)))
        self.assertFalse((made.where("a") / "receipts").exists())
        self.assertEqual(self.heard(made), {})
        self.nobody_is_named(made, smsc)

    def test_a_message_of_several_parts_is_delivered_when_all_are(self):
        smsc, made = self.post()
        numbers = {2: "442512345678"}  # its second part is never told of
        self.drop(made, count=3, text="x" * 200, mobile=lambda n: numbers.get(n, f"3361234567{n}"))
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered", "sent", "delivered"])
        self.assertEqual([code for _, code, _ in self.results(made).values()], ["2"] * 3)
        self.assertEqual((made.show("a")["cost"]["spent"], self.counts(made)["sent"]), ("0.30", 3))

    def test_each_way_an_smsc_says_it(self):
        smsc, made = self.post()
        numbers = {1: "442212345678", 2: "442312345678", 3: "442412345678", 4: "442612345678", 5: "442812345678"}
        self.drop(made, count=6, mobile=lambda n: numbers.get(n, f"3361234567{n}"))
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered", "sent", "undelivered", "delivered", "delivered", "delivered"], made.log())
        self.assertEqual(self.counts(made), {"state": "finished", "sent": 6, "delivered": 4, "undelivered": 1, "failed": 0})
        self.assertEqual(made.show("a")["cost"]["spent"], "0.30")
        progress = sending.Progress((made.where("a") / "progress").read_bytes())
        self.assertEqual(collections.Counter(progress.numbers("delivered")), collections.Counter([1, 4, 5, 6]))
        self.assertEqual(progress.of(3)[-1], ("undelivered", "1 UNDELIV/001"))
        self.assertEqual({told["status"] for told in smsc.heard("told")}, {0})
        self.assertRegex(made.log(), r"receipts-taken a delivered=0 undelivered=0 known=0 gone=0 unknown=[1-9]")
        self.assertFalse((made.spool / "quarantine/sms.csv").exists())
        self.nobody_is_named(made, smsc)

    def test_a_receipt_that_is_quicker_than_the_answer_it_speaks_of(self):
        for connections in (1, 3):
            with self.subTest(connections=connections):
                smsc, made = self.post(window=4, more=f"connections = {connections};")
                self.drop(made, count=60, mobile=lambda n: f"4433123456{n:02d}")
                made.once()
                self.assertEqual(self.counts(made), {"state": "finished", "sent": 60, "delivered": 60, "undelivered": 0, "failed": 0}, made.log())
                self.assertEqual(len(smsc.heard("bind")), connections)
                self.assertEqual(self.heard(made), {})

    def test_finished_does_not_wait_and_who_sent_listens_until_all_is_known(self):
        smsc, made = self.post(wait="1m")
        self.drop(made, count=3, mobile=lambda n: "442912345678" if n == 2 else f"3361234567{n}")  # 2: after a while
        made.start()
        made.until(lambda: made.place("a") == ["done"], "its end")
        self.assertEqual(sorted(collections.Counter(self.verdicts(made)))[-1], "sent")
        self.assertEqual([bind["good"] for bind in smsc.heard("bind")], [True])
        made.until(lambda: self.verdicts(made) == ["delivered"] * 3, "the last receipt")
        made.until(lambda: smsc.heard("unbind"), "nothing is waited for any more", 10)
        self.assertEqual({told["status"] for told in smsc.heard("told")}, {0})
        self.assertEqual(len(smsc.heard("bind")), 1)

    def test_once_ends_though_a_receipt_never_comes(self):
        smsc, made = self.post(wait="1h")
        self.drop(made, count=3, mobile=lambda n: f"44231234567{n}")
        began = time.monotonic()
        made.once()
        self.assertLess(time.monotonic() - began, 60)
        self.assertEqual((self.verdicts(made), len(smsc.heard("unbind"))), (["sent"] * 3, 1))

    def test_who_listens_makes_room_for_the_next_and_for_the_end(self):
        smsc, made = self.post(wait="1h")
        never = lambda n: f"44231234567{n}"
        self.drop(made, count=3, mobile=never)
        made.start()
        made.until(lambda: made.place("a") == ["done"], "its end")
        made.until(lambda: "a receipts" in str(made.status().get("working")), "it listens")
        self.drop(made, "b", count=3, mobile=never)
        made.until(lambda: made.place("b") == ["done"], "the next one's", 20)
        self.assertEqual((len(smsc.heard("bind")), len(smsc.heard("unbind"))), (2, 1))  # one after the other
        began = time.monotonic()
        self.assertEqual(made.stop(), 0)
        self.assertLess(time.monotonic() - began, 6)
        self.assertEqual(len(smsc.heard("unbind")), 2)
        self.assertEqual(self.verdicts(made, "b"), ["sent"] * 3)


class Late(Checks):
    """Receipts that come when their delivery has ended."""

    def test_they_come_by_the_next_delivery_and_count_once(self):
        smsc, made = self.post(wait="0s")
        late = {1: "442112345671", 2: "442112345672", 3: "442712345673"}
        self.drop(made, count=4, text="x" * 200, mobile=lambda n: late.get(n, "442312345674"))
        made.once()
        self.assertEqual((made.place("a"), self.verdicts(made)), (["done"], ["sent"] * 4))
        before = (made.where("a") / "progress").read_bytes()
        self.drop(made, "b", count=2)
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered", "delivered", "undelivered", "sent"], made.log())
        self.assertEqual(self.counts(made), {"state": "finished", "sent": 4, "delivered": 2, "undelivered": 1, "failed": 0})
        self.assertRegex(made.log(), r"receipts-taken b delivered=4 undelivered=1 known=1 gone=0 unknown=0 later=0")
        self.assertEqual(self.heard(made), {})
        self.assertEqual((made.where("a") / "progress").read_bytes(), before)
        kept = sending.Progress((made.where("a") / "receipts").read_bytes())
        self.assertEqual(kept.total, 4)
        self.assertEqual(sorted(kept.events)[:4], [("delivered", 1, "1"), ("delivered", 1, "2"), ("delivered", 2, "1"), ("delivered", 2, "2")])
        self.assertEqual([(word, number) for word, number, _ in kept.events[4:]], [("undelivered", 3)])
        self.assertEqual(made.show("a")["cost"]["spent"], "0.40")
        self.nobody_is_named(made, smsc)

    def test_a_number_that_the_network_does_not_know_is_quarantined_and_no_other(self):
        smsc, made = self.post(wait="0s")
        numbers = {1: "443012345671", 2: "443112345672", 3: "443212345673", 4: "442412345674"}
        self.drop(made, count=5, mobile=lambda n: numbers.get(n, "442312345675"))
        made.once()
        quarantine = lambda: [row.split(",")[::2] for row in (made.spool / "quarantine/sms.csv").read_text().splitlines()[1:]]
        self.drop(made, "b", count=2)
        made.once()
        self.assertEqual(self.verdicts(made), ["undelivered"] * 4 + ["sent"], made.log())
        self.assertEqual(sorted(row[0] for row in quarantine()), [numbers[1], numbers[2]])
        self.assertEqual({row[2] for row in quarantine()}, {"a"})
        self.assertEqual(len(made.log().split("gone=1")), 3)
        self.nobody_is_named(made, smsc)
        self.drop(made, "c", count=5, mobile=lambda n: numbers.get(n, "442312345675"))
        made.once()
        self.assertEqual((made.show("c")["excluded"], made.show("c")["records"]), ({"quarantined": 2}, 3))

    def test_what_a_crash_left_is_taken_over_at_the_next_start(self):
        smsc, made = self.post(wait="0s")
        self.drop(made, count=3, mobile=lambda n: f"44231234567{n}")
        made.once()
        ids = {number: part.split()[1] for word, number, part in
               sending.Progress((made.where("a") / "progress").read_bytes()).events if word == "id"}
        path = made.spool / "outbox/receipts/sms/a"
        line = "2027-03-01T08:00:00Z delivered DELIVRD/000 %s\n"
        path.write_text(line % ids[1] + line % ids[1] + line % "nobody" + "\0" * 40 + "\n" + (line % ids[3])[:-2])  # torn
        made.once()
        self.assertEqual(self.results(made)[1], ("delivered", "1", "2027-03-01T08:00:00Z"))
        self.assertEqual(self.verdicts(made), ["delivered", "sent", "sent"])
        self.assertIn("receipts-taken a delivered=1 undelivered=0 known=1 gone=0 unknown=2", made.log())
        path.write_text(line % ids[1] + line % ids[3])  # again, as if the end of the file had not reached the disk
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered", "sent", "delivered"])
        self.assertIn("receipts-taken a delivered=1 undelivered=0 known=1 gone=0 unknown=0", made.log())
        with open(made.where("a") / "receipts", "ab") as out:
            out.write(b"group 000000")
        path.write_text(line % ids[2])
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered"] * 3)

    def test_a_damaged_delivery_keeps_nobody_elses_back(self):
        smsc, made = self.post(wait="0s")
        for id in ("a", "b"):
            self.drop(made, id, count=2, mobile=lambda n: f"44211234{ord(id)}7{n}")
            made.once()
        damaged = made.where("b") / "progress"
        damaged.write_bytes(damaged.read_bytes().replace(b"\nsent 1", b"\nsent 2"))
        self.drop(made, "c", count=1)
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered"] * 2)
        self.assertIn("what was written here has changed", made.log())
        self.assertEqual(self.verdicts(made, "c"), ["delivered"])

    def test_marks_are_removed_after_a_week(self):
        smsc, made = self.post(wait="0s")
        self.drop(made, count=1)
        made.once()
        path = made.spool / "outbox/receipts/sms/a"
        self.assertEqual(oct(path.stat().st_mode & 0o777), oct(0o640))
        os.utime(path, (time.time() - 6 * 86400,) * 2)
        made.once()
        self.assertTrue(path.exists())
        os.utime(path, (time.time() - 8 * 86400,) * 2)
        made.once()
        self.assertFalse(path.exists())


class Feedback(Checks):
    """Receipts that somebody drops as a file."""

    def feed(self, made, name, text, channel="sms"):
        path = made.dir / ("." + name)
        path.write_text(text)
        os.chmod(path, 0o640)
        os.rename(path, made.spool / "outbox/feedback" / channel / name)

    def test_rows_that_name_their_delivery_are_delivered_in_it(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };")
        self.drop(made, count=8)
        self.drop(made, "b", count=2)
        made.once()
        self.assertEqual(self.verdicts(made), ["sent"] * 8)
        rows = ["a-1,,,delivered,", "a-1,,,delivered,a", "a-99,,,delivered,", ",R000002,,delivered,a", ",,0033 6 12-34 00 03,delivered,a",
                ",R000004,,delivered,", ",R000005,,delivered,nobody", ",R000006,+33612340007,delivered,a", ",R000008,,unsubscribed,a",
                "x-y-1,,,delivered,", ",R000001,,delivered,b"]
        text = "reference,key,address,status,delivery\n" + "\n".join(rows) + "\n"
        self.feed(made, "monday.csv", text)
        made.once()
        self.assertEqual(made.refused(), {})
        self.assertEqual(self.verdicts(made), ["delivered"] * 3 + ["sent"] * 2 + ["delivered"] + ["sent"] * 2, made.log())
        self.assertEqual(self.verdicts(made, "b"), ["delivered", "sent"])
        self.assertEqual(self.counts(made), {"state": "finished", "sent": 8, "delivered": 4, "undelivered": 0, "failed": 0})
        self.assertRegex(made.log(), r'feedback-taken sms file="monday.csv" rows=11 .*delivered=10 quarantined=1 recorded=5')
        kept = (made.where("a") / "receipts").read_bytes()
        self.feed(made, "again.csv", text)
        made.once()
        self.assertIn("quarantined=0 recorded=0", made.log())
        self.assertEqual((made.where("a") / "receipts").read_bytes(), kept)
        for secret in ("R00000", "0612", "+336", "12-34"):
            self.assertNotIn(secret, made.log())

    def test_other_channels_and_who_was_not_sent_to_are_left_alone(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };", approvals="content = true;")
        self.drop(made, count=2)
        made.once()
        text = "reference,status\na-1,delivered\n"
        self.feed(made, "early.csv", text)  # it waits to be approved
        made.once()
        self.assertFalse((made.where("a") / "receipts").exists())
        made.decide("a", "content", "approve")
        made.once()
        self.feed(made, "other.csv", text, channel="push")
        made.once()
        self.assertEqual((made.refused(), self.verdicts(made)), ({}, ["sent"] * 2))
        self.feed(made, "right.csv", text)
        made.once()
        self.assertEqual(self.verdicts(made), ["delivered", "sent"])

    def test_while_it_is_sending_and_after_a_crash(self):
        smsc, made = self.post(wait="0s", more='rate = 40;')
        self.drop(made, count=120, mobile=lambda n: f"4423123{n:04d}")
        made.start()
        made.until(lambda: made.place("a") and self.counts(made)["sent"] >= 20, "some are sent")
        self.feed(made, "now.csv", "key,delivery,status\nR000003,a,delivered\nR000120,a,delivered\n")  # the second is not sent yet
        made.until(lambda: self.verdicts(made)[2] == "delivered", "the receipt")
        made.stop(signal.SIGKILL)
        made.until(lambda: not sending.workers(made), "the worker dies with the daemon", 10)
        made.start()
        made.until(lambda: made.place("a") == ["done"], "its end")
        self.assertEqual(made.stop(), 0)
        verdicts = collections.Counter(self.verdicts(made))
        self.assertEqual((verdicts["delivered"], set(verdicts) - {"delivered", "sent", "held"}), (1, set()))

    def test_killed_at_any_moment_each_is_recorded_once(self):
        made = self.office("channels = { sms = { sender = \"Shop\"; }; };")
        count = 3000
        self.drop(made, count=count)
        made.once()
        for n in range(1, 6):
            self.feed(made, f"f{n}.csv", "key,delivery,status\n" + "".join(f"R{i:06d},a,delivered\n" for i in range(1, count * n // 5 + 1)))
            made.start()
            time.sleep(0.004 * n * n)  # any moment will do
            made.stop(signal.SIGKILL)
            made.once()
            self.assertEqual((made.refused(), self.counts(made)["delivered"]), ({}, count * n // 5))
        kept = sending.Progress((made.where("a") / "receipts").read_bytes())
        self.assertEqual(collections.Counter(kept.numbers("delivered")), collections.Counter(range(1, count + 1)))


class Crash(Checks):
    def test_killed_at_random_no_receipt_is_lost(self):
        """A receipt that was answered is on disk; one that was not comes again."""
        count = 1500
        for seed in range(20270601, 20270601 + int(os.environ.get("POSTROOM_CRASH_RUNS", 2 if not house.SAN else 1))):
            with self.subTest(seed=seed):
                chance = random.Random(seed)
                smsc, made = self.post(wait="1m", timeout="10s")
                late = set(chance.sample(range(1, count + 1), 300))
                self.drop(made, count=count, mobile=lambda n: f"{4421 if n in late else 3361}9{n:06d}")
                made.start()
                for _ in range(4):
                    at = len(smsc.heard("told")) + chance.randrange(20, 200)
                    made.until(lambda: len(smsc.heard("told")) >= at or made.place("a") == ["done"], f"{at} receipts")
                    time.sleep(chance.uniform(0, 0.01))  # the chance that this test is about
                    pids = sending.workers(made)
                    if chance.random() < 0.5 and pids:
                        os.kill(pids[0], signal.SIGKILL)
                        made.until(lambda: pids[0] not in sending.workers(made), "its end")
                    else:
                        made.stop(signal.SIGKILL)
                        made.until(lambda: not sending.workers(made), "the worker dies with the daemon", 10)
                        made.start()
                made.until(lambda: made.place("a") == ["done"], "its end")
                self.assertEqual(made.stop(), 0)
                for n in (1, 2):  # late ones of a, then what the first of these did not answer
                    self.drop(made, f"b{n}", count=1)
                    made.once()
                answered = {told["id"] for told in smsc.heard("told") if told["status"] == 0}
                ids = {part.split()[1]: number for word, number, part in
                       sending.Progress((made.where("a") / "progress").read_bytes()).events if word == "id"}
                results = self.results(made)
                self.assertEqual({results[ids[id]][0] for id in answered if id in ids}, {"delivered"})
                tally = collections.Counter(verdict for verdict, _, _ in results.values())
                print(f"{tally}, {len(answered)} receipts answered", flush=True)
                self.assertEqual(set(tally), {"delivered", "held"})
                self.assertEqual(tally["delivered"], len(ids))
                self.assertEqual(self.heard(made), {})


if __name__ == "__main__":
    house.main()
