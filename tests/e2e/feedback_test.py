#!/usr/bin/env python3
"""The feedback door: what came back of messages fills the channel's quarantine, whole or not at all."""
import os
import signal
import time
import unittest

import house
import online_test as online

GOOD = "address,key,status,reason,delivery\nr1@EXAMPLE.net,,bounced,550 no such user,spring-1\n,R000002,unsubscribed,,\nr3@example.net,,delivered,,\nr4@example.net,R000004,complained,,\n"


class Feedback(house.Case):
    def feed(self, h, name, text, uid=None, mode=0o640):
        h.make_spool()
        path = h.dir / ("." + name)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        if uid is not None:
            os.chown(path, uid, uid)
        os.rename(path, self.door(h) / name)

    def door(self, h):
        return h.spool / "outbox/feedback/email"

    def quarantine(self, h):
        path = h.spool / "quarantine/email.csv"
        lines = path.read_text().splitlines()[1:] if path.exists() else []
        return [(c[0], c[1], c[3], c[4]) for c in (line.split(",") for line in lines)]

    def kept(self, h):
        folder = h.spool / "quarantine/taken/email"
        return sorted(p.name.split("-", 3)[3] for p in folder.iterdir()) if folder.exists() else []

    WANTED = [("r1@EXAMPLE.net", "", "bounced", "spring-1"), ("", "R000002", "unsubscribed", ""), ("r4@example.net", "R000004", "complained", "")]

    def test_good_file_fills_the_quarantine_is_kept_and_counts(self):
        h = self.house()
        self.feed(h, "monday.csv", GOOD)
        h.once()
        self.assertEqual(h.refused(), {})
        self.assertEqual(self.quarantine(h), self.WANTED)
        self.assertEqual((self.kept(h), list(self.door(h).iterdir())), (["monday.csv"], []))
        self.assertRegex(h.log(), r'feedback-taken email file="monday.csv" rows=4 bounced=1 complained=1 unsubscribed=1 delivered=1 quarantined=3')
        for secret in ("r1@", "R000002", "550 no such"):
            self.assertNotIn(secret, h.log())
        self.assertEqual(h.status()["feedback"], 1)
        self.assertIn("postroom_feedback_total 1", (h.spool / "run/metrics.prom").read_text())
        self.assertEqual(oct((h.spool / "quarantine/taken").stat().st_mode & 0o777), oct(0o700))
        h.drop("a", online.files(), conf=online.conf())
        h.once()
        self.assertEqual(h.show("a")["excluded"], {"quarantined": 3})

    def test_twice_the_same_is_as_once_and_both_files_are_kept(self):
        h = self.house()
        for _ in range(2):
            self.feed(h, "monday.csv", GOOD)
            h.once()
        self.feed(h, "other.csv", GOOD)
        h.once()
        self.assertEqual(self.quarantine(h), self.WANTED)
        self.assertEqual(self.kept(h), ["monday.csv", "monday.csv", "other.csv"])

    def test_bad_file_is_refused_whole_with_line_and_mend(self):
        h = self.house()
        cases = {"status.csv": (GOOD + "r5@example.net,,gone,,\n", r"status\.csv:6: status is not bounced, .*; write one of these"),
                 "who.csv": ("status\nbounced\n", r"who\.csv:1: neither a column"),
                 "nobody.csv": ("address,status\n,bounced\n", r"nobody\.csv:2: neither key nor address; say who"),
                 "torn.csv": (GOOD + '"r6', r"torn\.csv:6: "),
                 "bytes.csv": (b"address,status\nr\xff@x.example,bounced\n", r"bytes\.csv:2: "),
                 "empty.csv": ("", r"empty\.csv: it is empty"),
                 "note.txt": (GOOD, r"note\.txt: is no feedback; give it a name that ends in \.csv")}
        for name, (text, _) in cases.items():
            self.feed(h, name, text)
        self.feed(h, "others.csv", GOOD, mode=0o666)
        os.symlink("/etc/passwd", self.door(h) / "link.csv")
        (self.door(h) / "folder.csv").mkdir()
        h.once()
        refused = h.refused()
        for name, (_, reason) in cases.items():
            with self.subTest(name=name):
                self.assertRegex(refused.get(name, ""), reason)
                self.assertTrue((h.spool / "refused" / name).exists())
        self.assertIn("others than its owner may write it", refused["others.csv"])
        self.assertIn("link.csv", refused)
        self.assertIn("folder.csv", refused)
        self.assertEqual((self.quarantine(h), self.kept(h), list(self.door(h).iterdir())), ([], [], []))

    def test_stranger_is_refused(self):
        self.need_root()
        h = self.house()
        self.feed(h, "a.csv", GOOD, uid=65534)
        h.once()
        self.assertRegex(h.refused()["a.csv"], "it belongs to user nobody, who is no operator")
        self.assertEqual(self.quarantine(h), [])

    def test_quarantine_that_was_edited_wrongly_keeps_the_file_in_its_door(self):
        h = self.house()
        h.make_spool()
        path = h.spool / "quarantine/email.csv"
        path.write_text("address,key\nalone\n")
        self.feed(h, "a.csv", GOOD)
        h.once()
        self.assertEqual(([p.name for p in self.door(h).iterdir()], h.refused()), (["a.csv"], {}))
        self.assertIn("email.csv:2: malformed", h.log())
        path.write_text("address,key,since,cause,delivery\n")
        h.once()
        self.assertEqual((self.quarantine(h), self.kept(h)), (self.WANTED, ["a.csv"]))

    def test_daemon_takes_what_arrives_by_rename_at_once_and_what_is_copied_after_it_settled(self):
        h = self.house(settle="0.3")
        h.make_spool()
        h.start()
        self.feed(h, "a.csv", GOOD)
        h.until(lambda: self.kept(h) == ["a.csv"], "by rename", 5)
        slow = self.door(h) / "slow.csv"
        with open(slow, "w") as out:
            out.write("address,status\nr7@example.net,")
            out.flush()
            os.chmod(slow, 0o640)
            for _ in range(5):  # growing: never settled
                time.sleep(0.1)
                out.write("")
                os.utime(slow)
            self.assertTrue(slow.exists())
            out.write("bounced\n")
        h.until(lambda: self.kept(h) == ["a.csv", "slow.csv"], "settled", 5)
        self.assertEqual(self.quarantine(h)[-1][0], "r7@example.net")
        for name in ("b.csv.part", ".c.csv", "d.csv~"):
            (self.door(h) / name).write_text(GOOD)
        self.feed(h, "z.csv", GOOD)
        h.until(lambda: "z.csv" in self.kept(h), "the last")
        self.assertEqual(len(list(self.door(h).iterdir())), 3)

    def test_killed_at_any_moment_nothing_is_lost_and_nobody_stands_twice(self):
        h = self.house()
        many = 3000
        for n in range(1, 7):
            rows = "".join(f"r{i}@example.net,bounced\n" for i in range(1, many * n))
            self.feed(h, f"f{n}.csv", "address,status\n" + rows)
            h.start()
            time.sleep(0.004 * n * n)  # any moment will do
            h.stop(signal.SIGKILL)
            h.once()
            self.assertEqual((h.refused(), self.kept(h)), ({}, [f"f{i}.csv" for i in range(1, n + 1)]))
            addresses = [row[0] for row in self.quarantine(h)]
            self.assertEqual(len(addresses), many * n - 1)
            self.assertEqual(len(set(addresses)), len(addresses))

    def test_every_online_channel_has_a_door_and_a_quarantine_of_its_own(self):
        h = self.house()
        h.make_spool()
        for channel in ("email", "sms", "push", "inapp"):
            (h.dir / "x").write_text("key,status\nR-%s,unsubscribed\n" % channel)
            os.rename(h.dir / "x", h.spool / "outbox/feedback" / channel / "x.csv")
        h.once()
        self.assertEqual(h.refused(), {})
        for channel in ("email", "sms", "push", "inapp"):
            lines = (h.spool / "quarantine" / (channel + ".csv")).read_text().splitlines()
            self.assertRegex(lines[1], "^,R-%s,.*,unsubscribed,$" % channel)
            self.assertEqual(len(lines), 2)
            self.assertEqual(len(list((h.spool / "quarantine/taken" / channel).iterdir())), 1)
        self.assertFalse((h.spool / "outbox/feedback/mail").exists())

    def test_who_complains_while_a_delivery_waits_is_not_sent_to(self):
        h = self.house()
        h.drop("a", online.files(), conf=online.conf())
        h.once()
        self.feed(h, "a.csv", "key,status\nR000001,complained\n")
        h.once()
        h.decide("a", "delivery", "confirm")
        h.once()
        shown = h.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["excluded"]), ("finished", 9, {"quarantined": 1}))


if __name__ == "__main__":
    house.main()
