#!/usr/bin/env python3
"""Bad decisions: from a stranger, for something else, too old, altered by others, twice, or no decision at all.

Each lies beside a good answer that the same run takes.
"""
import os

import bad
import house
import look


class Decisions(bad.Case):
    GOOD = 'delivery = "a"; step = "target"; decision = "approve";'

    def waiting(self, **settings):
        h = self.house(approvals="target = true;", **settings)
        h.drop("a")
        h.drop("other", {"recipients.csv": house.recipients(4)})
        h.once()
        self.assertEqual(look.state(h, "a"), "target-ready")
        return h

    def refused_decision(self, h, pattern, name="d.conf"):
        """One bad answer is refused with a reason, and the next good one is taken by the same run."""
        h.decide("other", "target", "approve")
        h.once(timeout=bad.RUN_S)
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.assertEqual(look.state(h, "other"), "handed-over", "the next good answer counts")
        self.assertIn(name, h.refused())
        self.assertRegex(h.refused()[name], pattern)
        self.assertRegex(h.refused()[name], r"\S; \S", "a reason ends with how to mend it")
        self.assertTrue(os.path.lexists(h.spool / "refused" / name))

    def test_from_a_stranger(self):
        self.need_root()
        h = self.waiting()
        h.approval("d.conf", self.GOOD, uid=look.uid(look.STRANGER))
        self.refused_decision(h, r"d\.conf: .*(nobody|65534)")

    def test_for_something_else(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + f' sha256 = "{look.basis(h, "other", "target")}";')
        self.refused_decision(h, r"d\.conf.*: .*sha256|not what")

    def test_with_a_sha256_that_is_none(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + ' sha256 = "9f86d0";')
        self.refused_decision(h, r"d\.conf.*sha256")

    def test_older_than_what_it_decides_on(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD)
        before = (h.where("a") / "basis/target").stat().st_mtime_ns - 1
        os.utime(h.spool / "approved/d.conf", ns=(before, before))
        self.refused_decision(h, r"d\.conf: .*(old|earlier|before|stale)")

    def test_that_others_may_write(self):
        for mode in (0o660, 0o646):
            with self.subTest(oct(mode)):
                h = self.waiting()
                h.approval("d.conf", self.GOOD, mode=mode)
                self.refused_decision(h, r"d\.conf: .*writ")

    def test_over_64_kib(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + "#" * (64 << 10))
        self.refused_decision(h, r"d\.conf(:\d+)?: .*64 KiB")

    def test_for_an_unknown_delivery(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD.replace('"a"', '"nope"'))
        self.refused_decision(h, r"d\.conf(:\d+)?: .*nope")

    def test_for_a_delivery_that_is_no_id(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD.replace('"a"', '"../pending/a"'))
        self.refused_decision(h, r"d\.conf:1: ")

    def test_twice_the_late_one_is_told_who_was_first(self):
        h = self.waiting()
        h.approval("one.conf", self.GOOD)
        h.once()
        h.approval("two.conf", self.GOOD)
        h.once()
        self.assertRegex(h.refused()["two.conf"], "alice|handed-over")

    def test_two_at_once_one_counts(self):
        h = self.house(approvals="target = true; content = true;")
        h.drop("a")
        h.once()
        h.approval("one.conf", self.GOOD)
        h.approval("two.conf", self.GOOD)
        h.once()
        self.assertEqual(len(h.refused()), 1)
        self.assertIn("alice", next(iter(h.refused().values())))
        self.assertEqual([e for e in look.names_of_events(h, "a") if e == "approved"], ["approved"])

    def test_syntax_include_comment_integer_and_unknown_setting(self):
        for text, pattern in (("\ndelivery = ;", r":2: "), (self.GOOD + '\n@include "/etc/passwd"', r":2: .*@include"),
                              (self.GOOD + "\n/* never", r":2: .*comment"), (self.GOOD + "\nx = 4294967297;", r":2: "),
                              (self.GOOD + '\ncoment = "x";', r":2: .*coment.*comment"), ("", "empty"), (b"\0\1\2", ".")):
            with self.subTest(text[:70]):
                h = self.waiting()
                h.approval("d.conf", text)
                self.refused_decision(h, r"d\.conf" + pattern if pattern[0] == ":" else pattern)

    def test_a_hard_link_and_a_symbolic_link(self):
        h = self.waiting()
        (h.dir / "mine.conf").write_text(self.GOOD)
        os.chmod(h.dir / "mine.conf", 0o640)
        os.link(h.dir / "mine.conf", h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: .*link")
        h = self.waiting()
        (h.dir / "mine.conf").write_text(self.GOOD)
        os.symlink(h.dir / "mine.conf", h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: .*(link|regular)")

    def test_a_fifo_and_a_directory(self):
        h = self.waiting()
        os.mkfifo(h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: ")
        h = self.waiting()
        (h.spool / "approved/d.conf").mkdir()
        (h.spool / "approved/d.conf/x").write_text("")
        h.decide("other", "target", "approve")
        h.once(timeout=bad.RUN_S)
        self.assertEqual(look.state(h, "other"), "handed-over")
        self.assertTrue((h.spool / "approved/d.conf").exists() or "d.conf" in h.refused(), "never lost")

    def test_hundreds_at_once(self):
        h = self.waiting()
        for n in range(300):
            (h.spool / f"approved/n{n}.conf").write_text(self.GOOD.replace("approve", "frobnicate"))
        self.assertEqual(h.once(timeout=bad.RUN_S).counts["refused"], "300")
        h.decide("a", "target", "approve")
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")


if __name__ == "__main__":
    house.main()
