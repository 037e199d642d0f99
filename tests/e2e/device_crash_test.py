#!/usr/bin/env python3
"""kill -9 of the send worker and of the daemon while they send texts, push or in-app messages: nobody gets one twice, and who
may lack it is held and named.

The other end writes down what it takes; its list and the file progress are compared, without postroom. The moments are chosen
by what has arrived, at random with the seed that a failure prints. POSTROOM_CRASH_RUNS sets the number of runs of a channel.
"""
import collections
import json
import os
import random
import signal
import time

import house
import pusher
import sending
import smsc

COUNT = 5000
KILLS = 4
RATE = "rate = 10000;"  # each kill has to find somebody who sends: all of them would be gone in a tenth of a second
RUNS = int(os.environ.get("POSTROOM_CRASH_RUNS", 2 if not house.SAN else 1))
SEED = 20270401


class Checks:
    """For a class of cases that has begin(), which gives a house with COUNT dropped, and arrived(), numbers in their order."""

    def kill(self, made, at, victim, pause):
        made.until(lambda: len(self.arrived()) >= at and sending.workers(made) or made.place("a") == ["done"], f"{at} messages")
        time.sleep(pause)  # the chance that this test is about
        pids = sending.workers(made)
        if victim == "daemon":
            made.stop(signal.SIGKILL)
            made.until(lambda: not sending.workers(made), "the worker dies with the daemon", 10)
            made.start()
        elif pids:
            os.kill(pids[0], signal.SIGKILL)
            made.until(lambda: pids[0] not in sending.workers(made), "its end")
        return (victim if pids else "nobody", at)

    def run_one(self, chance):
        made = self.begin()
        made.start()
        part = COUNT // 2 // KILLS  # each kill keeps hundreds from arriving: the last one has to find somebody
        killed = [self.kill(made, part * n + chance.randrange(20, part // 4), chance.choice(("worker", "daemon")), chance.uniform(0, 0.01))
                  for n in range(KILLS)]
        made.until(lambda: made.place("a") == ["done"], "its end")
        made.stop()
        times = collections.Counter(self.arrived())
        progress = sending.Progress((made.where("a") / "progress").read_bytes())
        uncertain = set(progress.numbers("uncertain"))
        held = set(progress.numbers("hold"))
        lacking = set(range(1, COUNT + 1)) - set(times)
        print(f"{type(self).__name__}: {killed}; held {len(held)}, missing {len(lacking)}", flush=True)
        self.assertNotIn("nobody", [victim for victim, _ in killed])
        self.assertEqual([number for number, count in times.items() if count > 1], [], "came twice")
        self.assertEqual(held, uncertain)
        self.assertEqual(lacking - held, set(), "lacks it and is not named")
        self.assertEqual(collections.Counter(progress.numbers("sent")), collections.Counter(set(range(1, COUNT + 1)) - held))
        rows = [row.split(",") for row in made.cli("results", "a", check=0).stdout.splitlines()[1:]]
        self.assertEqual({int(row[1].removeprefix("a-")) for row in rows if row[2] == "held"}, held)
        verdicts = collections.Counter("sent" if row[2] == "delivered" else row[2] for row in rows)  # a receipt came, or not yet
        self.assertEqual(verdicts, +collections.Counter(sent=COUNT - len(held), held=len(held)))
        made.cli("ledger", "verify", check=0)

    def test_killed_at_random__nobody_gets_it_twice_and_who_may_lack_it_is_named(self):
        for seed in range(SEED, SEED + RUNS):
            with self.subTest(seed=seed):
                self.run_one(random.Random(seed))


class Text(Checks, smsc.Case):
    def begin(self):
        self.office_of_run, made = self.post(timeout="10s", more=RATE)
        self.drop(made, count=COUNT, text="Hello {{first_name}}", mobile=lambda n: f"+3363998{n:04d}")
        return made

    def arrived(self):
        return [int(got["to"].removeprefix("3363998")) for got in self.office_of_run.heard("got")]


class Device(Checks, pusher.Case):
    channel = "push"

    def begin(self):
        self.peer()
        made = self.by_http("/ok", more=RATE, channel=self.channel)
        self.drop(made, count=COUNT, channel=self.channel, content='title = "Hello"; body = "For {{last_name}}";')
        return made

    def arrived(self):
        """A request that its sender's death cut short is no message: its JSON has no end."""
        numbers = []
        for got in self.got():
            try:
                numbers.append(int(json.loads(got["body"])["reference"].removeprefix("a-")))
            except json.JSONDecodeError:
                pass
        return numbers


class InApp(Device):
    channel = "inapp"


if __name__ == "__main__":
    house.main()
