"""A delivery `a` whose peer leaves one message without an answer, while it is paused, resumed and stopped."""
import collections
import time

import house
import sending

SOON = 1.5 if not house.SAN else 6  # within a second, and what the command itself takes


def state(made):
    return made.show("a")["state"]


def soon(case, made, verb, fact):
    began = time.monotonic()
    made.cli(verb, "a", check=0)
    made.until(fact, f"{verb} takes effect")
    case.assertLess(time.monotonic() - began, SOON, verb)


def check(case, made, count, silent):
    """count() is how many messages the peer answered, silent() whether it still owes the one answer: nothing waits for that."""
    made.start()
    made.until(lambda: count() > 20 and silent(), "some were sent")
    soon(case, made, "pause", lambda: state(made) == "paused")
    before = count()
    soon(case, made, "resume", lambda: count() > before + 10)
    case.assertTrue(silent())
    soon(case, made, "stop", lambda: made.place("a") == ["done"])
    case.assertTrue(silent())
    case.assertFalse(sending.workers(made))
    shown = made.show("a")
    rows = made.cli("results", "a", check=0).stdout.splitlines()[1:]
    verdicts = collections.Counter(row.split(",")[2] for row in rows)
    case.assertEqual((shown["state"], shown["uncertain"], shown["sent"]), ("stopped", verdicts["uncertain"], count()))
    case.assertEqual((verdicts["sent"] + verdicts["delivered"], verdicts["unsent"]), (count(), len(rows) - count() - shown["uncertain"]))
    made.cli("ledger", "verify", check=0)
    return shown["uncertain"]
