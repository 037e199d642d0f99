#!/usr/bin/env python3
"""kill -9 of the send worker and of the daemon while they send: nobody is lost, and who comes twice is named.

The relay writes down each message before it answers, so that it knows what arrived whatever became of the answer. The moments are
chosen by what has arrived, at random with the seed that a failure prints. POSTROOM_CRASH_RUNS sets the number of runs.
"""
import collections
import csv
import os
import random
import signal
import time

import house
import sending

COUNT = 5000
KILLS = 4
RUNS = int(os.environ.get("POSTROOM_CRASH_RUNS", 6 if not house.SAN else 3))
SEED = 20270301


class Run:
    """One delivery, killed KILLS times and brought to its end."""

    def __init__(self, case, seed, uncertain):
        self.case, self.chance, self.what = case, random.Random(seed), []
        self.office = case.office()
        self.made = case.post(self.office.port, connections=8, more=f'uncertain = "{uncertain}";')
        self.before = []  # for each kill: numbers recorded as sent by then, what had arrived by then
        case.drop(self.made, count=COUNT)
        self.made.start()
        for at in sorted(self.chance.sample(range(20, COUNT * 7 // 10), KILLS)):
            self.kill(at, self.chance.choice(("worker", "daemon")), self.chance.uniform(0, 0.01))
        case.until_state(self.made, "finished", timeout=house.WAIT_S)
        self.made.stop()
        with open(self.made.where("a") / "sending/recipients.csv", newline="") as file:
            self.number_of = {row["address"]: int(row["number"]) for row in csv.DictReader(file)}
        self.arrived = self.count(self.office.to())
        self.progress = case.progress(self.made)

    def kill(self, at, victim, pause):
        made = self.made
        made.until(lambda: len(self.office.got) >= at and sending.workers(made) or made.place("a") == ["done"], f"{at} messages")
        time.sleep(pause)  # the chance that this test is about
        pids = sending.workers(made)
        self.what.append((victim if pids else "nobody", at))
        if victim == "daemon":
            made.stop(signal.SIGKILL)
            made.until(lambda: not sending.workers(made), "the worker dies with the daemon", 10)
            self.remember()
            made.start()
        elif pids:
            os.kill(pids[0], signal.SIGKILL)
            made.until(lambda: pids[0] not in sending.workers(made), "its end")
            self.remember()

    def remember(self):
        """Before anybody sends again: what lay on the way when the sender died is there, or will never be."""
        sent = set(self.case.progress(self.made).numbers("sent"))
        for thread in self.office.threads:
            thread.join(10)
        self.before.append((sent, self.office.to()))

    def count(self, addresses):
        return collections.Counter(self.number_of[address] for address in addresses)

    def sent_again(self):
        """Who was recorded as sent before a kill and got it once more behind it."""
        again = set()
        for sent, addresses in self.before:
            then = self.count(addresses)
            again |= {number for number in sent if self.arrived[number] != then[number]}
        return again

    def twice(self):
        return {number for number, count in self.arrived.items() if count > 1}


class Crash(sending.Case):
    def check(self, run, wanted):
        """What holds in both ways; wanted: verdicts that may stand at the end."""
        uncertain = set(run.progress.numbers("uncertain"))
        self.assertEqual(len(run.before), KILLS, run.what)
        self.assertEqual(run.sent_again(), set(), "recorded as sent before a kill, and sent again behind it")
        self.assertEqual(run.twice() - uncertain, set(), "came twice and is not in the list of uncertain ones")
        verdicts = collections.Counter(verdict for _, verdict, _ in self.results(run.made).values())
        self.assertLessEqual(set(verdicts), wanted)
        shown = run.made.show("a")
        self.assertEqual((shown["sent"], shown["uncertain"], shown["failed"]), (verdicts["sent"], verdicts["held"], 0))
        self.assertEqual(shown["cost"]["spent"], f"{verdicts['sent'] // 100}.{verdicts['sent'] % 100:02d}")
        self.assertEqual(shown["cost"]["committed"], "0.00")
        run.made.cli("ledger", "verify", check=0)
        return uncertain

    def report(self, way, seed, run, uncertain):
        print(f"{way}, seed {seed}: {run.what}; uncertain {len(uncertain)}, twice {len(run.twice())}, "
              f"missing {COUNT - len(run.arrived)}", flush=True)

    def test_killed_at_random__everybody_gets_it_and_who_gets_it_twice_is_named(self):
        for seed in range(SEED, SEED + RUNS - RUNS // 3):
            with self.subTest(seed=seed):
                run = Run(self, seed, "resend")
                uncertain = self.check(run, {"sent"})
                self.report("resend", seed, run, uncertain)
                self.assertEqual(COUNT - len(run.arrived), 0, "somebody got nothing")
                self.assertEqual(collections.Counter(run.progress.numbers("sent")).most_common(1)[0][1], 1)

    def test_killed_at_random_and_uncertain_is_held__nobody_gets_it_twice_and_who_may_lack_it_is_named(self):
        for seed in range(SEED + 1000, SEED + 1000 + RUNS // 3):
            with self.subTest(seed=seed):
                run = Run(self, seed, "hold")
                uncertain = self.check(run, {"sent", "held"})
                self.report("hold", seed, run, uncertain)
                self.assertEqual(run.twice(), set())
                held = set(run.progress.numbers("hold"))
                self.assertEqual(held, uncertain)
                named = {int(reference.removeprefix("a-")) for reference, verdict, _ in self.results(run.made).values()
                         if verdict == "held"}
                self.assertEqual(named, held)
                self.assertEqual(set(range(1, COUNT + 1)) - set(run.arrived) - held, set(), "lacks it and is not named")


if __name__ == "__main__":
    house.main()
