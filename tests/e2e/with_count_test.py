"""A small delivery that nobody has to look at before is extracted by the worker that counts it; every other one is
extracted when its hour has come, by a worker of its own."""
import collections
import os
import pathlib
import re
import signal
import subprocess

import house
import look

SUPPRESS = 'channels = { mail = { suppress = [ "optout.csv" ]; }; };'
LONG = 60000  # of one field: 300 of them are more than a column may have


def has_ended_worker(daemon):
    """A child of the daemon that nobody has waited for yet."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if (state, parent) == ("Z", str(daemon)):
            return True
    return False


class WithCount(house.Case):
    def workers(self, h):
        """Runs postroomd --once; how many workers of each kind it had (a process has 15 letters)."""
        self.need("strace")
        trace = h.dir / "trace"
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # LeakSanitizer cannot work below a tracer
        done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=prctl", "-o", trace, house.BIN / "postroomd", "-c", h.conf,
                               "--once"], capture_output=True, text=True, env=env, timeout=10 * house.WAIT_S)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        with open(h.stderr_file, "a") as log:
            log.write(done.stderr)
        return collections.Counter(re.findall(r'PR_SET_NAME, "postroom-(intake|extrac)', trace.read_text()))

    def events(self, h, id="a"):
        return [line["event"] for line in look.events(h, id)]

    def rows(self, h):
        path, = h.pickup()
        return look.records(path)

    # -- which ones
    def test_nobody_looks_at_it__one_worker_does_both_and_the_journal_says_the_same(self):
        h = self.house()
        h.drop("a")
        self.assertEqual(self.workers(h), {"intake": 1})
        self.assertEqual(self.events(h), ["taken", "ready", "extracting", "extracted", "publishing", "handed-over"])
        made = look.manifest(h.pickup()[0])
        self.assertEqual((made["rows"], made["records"]), (10, 10))
        self.assertFalse((h.where("a") / "extraction.tmp").exists())

    def test_what_comes_out_is_what_an_extract_worker_makes(self):
        target = 'where = "not city = \'Lyon\'"; dedupe = [ "last_name" ]; order = [ "postcode" ]; seeds = "seeds.csv"'
        found = []
        for more in ("", 'approvals = { target = {}; };'):
            h = self.house()
            h.drop("a", {"recipients.csv": house.recipients(50), "seeds.csv": house.recipients(2)}, target=target, more=more)
            kinds = self.workers(h)
            if more:
                self.assertEqual(h.place("a"), ["pending"])
                self.assertFalse((h.where("a") / "extraction.tmp").exists())
                h.decide("a", "target", "approve")
                kinds += self.workers(h)
            self.assertEqual(kinds["extrac"], 1 if more else 0)
            where = h.where("a")
            manifest = look.manifest(h.pickup()[0])
            for moment in ("created", "cost", "stock", "ledger", "witness"):
                manifest.pop(moment, None)
            found.append((self.rows(h), manifest, (where / "excluded.csv").read_bytes(), (where / "target.json").read_bytes(),
                          [(key, look.keys(h, key)) for key in ("cost", "stock")]))
        self.assertEqual(found[0], found[1])

    def test_its_extraction_is_looked_at_afterwards__it_is_made_with_the_count_and_waits(self):
        h = self.house()
        h.drop("a", more='approvals = { extraction = {}; };')
        self.assertEqual(self.workers(h), {"intake": 1})
        self.assertEqual((h.place("a"), look.state(h, "a")), (["extract"], "extraction-to-approve"))
        self.assertTrue((h.where("a") / "extraction/manifest.json").exists())

    def test_somebody_looks_at_it__later__large__closed__it_is_only_counted(self):
        large = house.recipients(2) + "".join(f"R9{n:05d},M,A,B,," + "x" * 900 + ",,75001,Paris,FR,,,gold,1,1,fr\n" for n in range(1200))
        for name, files, more in (
                ("a step", None, 'approvals = { content = {}; };'),
                ("confirmed", None, 'confirm = true;'),
                ("later", None, 'schedule = { extract_at = "2099-01-01T08:00:00+01:00"; };'),
                ("closed", None, ""),
                ("large", {"recipients.csv": large}, "")):
            with self.subTest(name):
                h = self.house()
                if name == "closed":
                    text = h.conf.read_text()
                    h.conf.write_text(text.replace("threads = 2;", f'threads = 2; window = "{house.closed_window()}";'))
                h.drop("a", files, more=more)
                kinds = self.workers(h)
                self.assertEqual(h.refused(), {})
                self.assertEqual(kinds, {"intake": 1, "extrac": 1} if name == "large" else {"intake": 1})
                self.assertFalse((h.where("a") / "extraction.tmp").exists())
                self.assertFalse(name != "large" and (h.where("a") / "extraction").exists())

    # -- what holds for the first look only
    def test_held_when_it_is_taken__it_is_extracted_when_released_without_who_is_not_contacted_then(self):
        self.need("strace")
        h = self.house(top=SUPPRESS)
        (h.etc / "optout.csv").write_text("recipient_id\n")
        h.drop("a")
        # the daemon stands still until its worker has ended and the hold lies there: it hears of both at once
        h.start(wrapper=("strace", "-D", "-qq", "-o", h.dir / "trace", "-e", "inject=epoll_wait:signal=STOP:when=2"))
        h.until(lambda: has_ended_worker(h.daemon.pid), "the worker's end")
        self.assertTrue((h.spool / "run/intake/a/extraction.tmp/manifest.json").exists(), "made with its count")
        h.decide("a", "delivery", "hold")
        h.daemon.send_signal(signal.SIGCONT)
        h.until(lambda: h.place("a") and " held " in h.journal("a"), "the hold")
        h.until(lambda: not (h.where("a") / "extraction.tmp").exists(), "the end of what was made")
        self.assertEqual(h.place("a"), ["pending"])
        h.stop()
        (h.etc / "optout.csv").write_text("recipient_id\nR000003\n")
        h.decide("a", "delivery", "release")
        self.assertEqual(self.workers(h), {"extrac": 1})
        self.assertEqual(look.manifest(h.pickup()[0])["records"], 9)
        self.assertNotIn("R000003", {row["recipient_id"] for row in self.rows(h)})

    # -- what a count does not look at
    def test_a_row_that_cannot_be_rendered__it_is_counted_and_its_extraction_fails(self):
        h = self.house()
        column = '{ name = "line1"; value = "%s"; }' % ("{{address1}}" * 300)
        h.conf.write_text(h.conf.read_text().replace('{ name = "line1"; value = "{{title}} {{first_name}} {{last_name}}"; }', column))
        rows = house.recipients(3, address1=lambda n: "x" * LONG if n == 2 else "short")
        h.drop("a", {"recipients.csv": rows})
        self.assertEqual(self.workers(h), {"intake": 1, "extrac": 1})
        self.assertEqual(self.events(h), ["taken", "ready", "extracting", "preparation-error"])
        self.assertIn("is over", look.events(h, "a")[-1]["reason"])
        self.assertEqual(h.show("a")["records"], 3)
        self.assertFalse((h.where("a") / "extraction.tmp").exists())


if __name__ == "__main__":
    house.main()
