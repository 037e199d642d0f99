"""What the tests of bad input share: a bad drop beside a good one, and what its refusal must look like."""
import os
import time

import house
import look

CONF = house.DELIVERY % {"target": "", "more": ""}
MEMORY_KIB = 256 * 1024
RUN_S = 30 * (4 if house.SAN else 1)  # far more than any of these takes; a hang is the failure


def lines_of(text):
    return text.count("\n") + 1


class Case(house.Case):
    def beside_good(self, h):
        """Runs the daemon once with a good delivery beside what was dropped."""
        h.drop("good")
        start = time.monotonic()
        done = h.once(timeout=RUN_S)
        self.assertLess(time.monotonic() - start, RUN_S)
        self.assertEqual((h.place("good"), look.state(h, "good")), (["outbox"], "handed-over"))
        for line in h.log().splitlines():
            self.assertRegex(line, r"^(debug|info|notice|warning|error) ", "an event is one line of the log")
        return done

    def refusal(self, h, name, pattern):
        """The reason for which one drop was refused; the drop lies beside it, and its place in the inbox is empty."""
        self.assertIn(name, h.refused())
        self.assertTrue(os.path.lexists(h.spool / "refused" / name), "the drop is kept")
        self.assertEqual([p.name for p in (h.spool / "inbox").iterdir()], [])
        self.assertEqual(h.place(name.split(".")[0]), [])
        reason = h.refused()[name]
        self.assertRegex(reason, pattern)
        self.assertRegex(reason, r"\S; \S|wants a", "a reason ends with how to mend it")
        return reason

    def refused_conf(self, conf, pattern, files=None):
        h = self.house()
        h.drop("bad", files, conf=conf)
        before = look.tree(h.spool / "inbox/bad")
        self.beside_good(h)
        self.refusal(h, "bad", pattern)
        self.assertEqual(look.tree(h.spool / "refused/bad"), before, "byte for byte")
        return h
