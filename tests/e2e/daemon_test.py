#!/usr/bin/env python3
"""The daemon as a program: its exit codes, signals, hours, readiness, and that big work holds up nothing else."""
import datetime
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import zoneinfo

import house
import look

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
BIG_ROWS = 300_000 if not house.SAN else 60_000


def big():
    """Many recipients, as tools/make-recipients makes them."""
    return subprocess.run([house.BUILD / "tools/make-recipients", str(BIG_ROWS)], capture_output=True, check=True).stdout


class Case(house.Case):
    def slow_house(self, **settings):
        """A house whose extractions take their time: one thread, a high level, every column."""
        h = self.house(threads=1, **settings)
        self.replace(h, 'header = true;', 'header = true; level = 7;')
        self.replace(h, '"address1", "postcode", "city" );',
                     '"address1", "postcode", "city", "email", "mobile", { name = "again"; value = "{{email}} {{mobile}} {{balance}} {{address1}} {{last_name}}"; } );')
        return h

    def replace(self, h, old, new):
        text = h.conf.read_text()
        assert old in text
        h.conf.write_text(text.replace(old, new))


class Check(Case):
    def test_a_good_configuration_is_0_and_makes_nothing(self):
        h = self.house()
        self.assertEqual(h.check().returncode, 0)
        self.assertFalse(h.spool.exists())

    def test_a_bad_one_is_78_with_file_line_and_mend_for_every_error(self):
        h = self.house()
        self.replace(h, 'settle = 0.0;', 'settle = "soon";\ncurency = "EUR";')
        done = h.check()
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"postroomd: /\S*/etc/postroom\.conf:3: .*curency.*currency")
        self.assertRegex(done.stderr, r"/etc/postroom\.conf:2: .*settle")

    def test_syntax_and_what_names_nothing(self):
        for old, new, word in (('programme = "loyalty"', 'programme = "loyalti"', "loyalti"), ("per = 1000;", "per = 0;", "per"),
                               ('stock = "nord/env-c5"', 'stock = "nord/env-c6"', "env-c6"), ("Europe/Paris", "Europe/Pariss", "Pariss"),
                               ('amount = "12.00"', 'amount = "12,00"', "amount"), ("providers = (", "providers = (,", ""),
                               ('encoding = "windows-1252"', 'encoding = "klingon"', "encoding"),
                               ('name = "letter"', 'name = "let ter"', "name")):
            with self.subTest(new):
                h = self.house()
                self.replace(h, old, new)
                done = h.check()
                self.assertEqual(done.returncode, 78, done.stderr)
                self.assertRegex(done.stderr, rf"postroom\.conf:\d+: .*{word}")

    def test_conf_d_is_read_in_name_order_lists_join_and_a_name_twice_is_an_error(self):
        h = self.house()
        (h.etc / "conf.d").mkdir()
        (h.etc / "conf.d/more.conf").write_text('campaigns = ( { name = "autumn"; programme = "loyalty"; owner = "alice"; } );\n')
        self.assertEqual(h.check().returncode, 0)
        (h.etc / "conf.d/twice.conf").write_text('\ncampaigns = ( { name = "autumn"; programme = "loyalty"; owner = "alice"; } );\n')
        done = h.check()
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"conf\.d/twice\.conf:2: .*autumn")

    def test_a_configuration_that_is_not_there(self):
        done = subprocess.run([house.BIN / "postroomd", "-c", "/nonexistent.conf", "--check"], capture_output=True, text=True)
        self.assertIn(done.returncode, (66, 78))
        self.assertIn("/nonexistent.conf", done.stderr)

    def test_an_option_that_is_none_is_64(self):
        h = self.house()
        self.assertEqual(subprocess.run([house.BIN / "postroomd", "-c", h.conf, "--frob"], capture_output=True).returncode, 64)

    def test_the_daemon_itself_ends_with_78(self):
        h = self.house()
        self.replace(h, "threads = 2", "threads = 2; treads = 2")
        self.assertEqual(h.once(check=False).returncode, 78)

    def test_the_samples_in_etc_are_good(self):
        done = subprocess.run([house.BIN / "postroomd", "-c", house.TOP / "etc/postroom.conf", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class Once(Case):
    def test_the_last_line_is_exact(self):
        h = self.house(approvals="target = true;")
        self.assertEqual(h.once().stdout.splitlines()[-1], "taken=0 refused=0 handed-over=0 sent=0 waiting=0 failed=0")
        h.drop("a")
        h.drop("bad", more="nonsense = 1;")
        h.drop("off", more="approvals = { target = false; };")
        self.assertEqual(h.once().stdout.splitlines()[-1], "taken=2 refused=1 handed-over=1 sent=0 waiting=1 failed=0")

    def test_a_second_daemon_is_75_and_touches_nothing(self):
        h = self.house()
        h.make_spool()
        h.start()
        done = h.once(check=False)
        self.assertEqual(done.returncode, 75)
        self.assertIn(str(h.daemon.pid), done.stderr)
        self.assertEqual(h.stop(), 0)
        h.once()


class Hours(Case):
    def test_extract_at_in_the_future_waits_and_in_the_past_does_not(self):
        h = self.house()
        soon = (datetime.datetime.now(PARIS) + datetime.timedelta(seconds=6)).isoformat(timespec="seconds")
        h.drop("later", more='schedule = { extract_at = "2099-03-01T22:00:00+01:00"; };')
        h.drop("past", more='schedule = { extract_at = "2020-03-01T22:00:00+01:00"; };')
        h.drop("soon", more=f'schedule = {{ extract_at = "{soon}"; }};')
        self.assertEqual(h.once().counts["waiting"], "2")
        self.assertEqual((h.place("later"), look.state(h, "later")), (["pending"], "extraction-pending"))
        self.assertEqual(look.state(h, "past"), "handed-over")
        h.start()
        h.until(lambda: h.place("soon") == ["outbox"], "extracted by itself at its hour", timeout=15)
        self.assertGreaterEqual(datetime.datetime.now(PARIS), datetime.datetime.fromisoformat(soon))
        self.assertEqual(h.place("later"), ["pending"])

    def test_a_closed_window_waits_an_open_one_does_not(self):
        h = self.house()
        now = datetime.datetime.now(PARIS)
        def window(start, end):
            return f'"{(now + datetime.timedelta(hours=start)):%H:%M}-{(now + datetime.timedelta(hours=end)):%H:%M}"'
        plain = h.conf.read_text()
        h.conf.write_text(plain.replace("threads = 2;", f"threads = 2; window = {window(2, 4)};"))
        h.drop("a")
        self.assertEqual(h.once().counts["waiting"], "1")
        self.assertEqual(look.state(h, "a"), "extraction-pending")
        h.conf.write_text(plain.replace("threads = 2;", f"threads = 2; window = {window(-2, 2)};"))
        self.assertEqual(h.once().counts["handed-over"], "1")

    def test_a_restart_of_the_extraction_respects_the_window(self):
        h = self.house(approvals="extraction = true;")
        h.drop("a")
        h.once()
        now = datetime.datetime.now(PARIS)
        closed = f'"{(now + datetime.timedelta(hours=2)):%H:%M}-{(now + datetime.timedelta(hours=3)):%H:%M}"'
        self.replace(h, "threads = 2;", f"threads = 2; window = {closed};")
        h.decide("a", "extraction", "restart")
        h.once()
        self.assertEqual((h.place("a"), look.state(h, "a")), (["pending"], "extraction-pending"))

    def test_until_ends_at_its_time(self):
        h = self.house()
        h.make_spool()
        # A time that has come this minute: it ends at once or is tomorrow's; then it must still be running.
        before = f"{datetime.datetime.now(PARIS) - datetime.timedelta(minutes=1):%H:%M}"
        run = subprocess.Popen([house.BIN / "postroomd", "-c", h.conf, "--once", "--until", before], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            time.sleep(0.5)
            if run.poll() is None:
                h.drop("a")
                h.until(lambda: h.place("a") == ["outbox"], "it goes on working until then")
                run.send_signal(signal.SIGTERM)
            self.assertRegex(run.communicate(timeout=15)[0], r"taken=\d")
            self.assertEqual(run.returncode, 0)
        finally:
            run.kill()


class Signals(Case):
    def test_sigterm_ends_it_within_10_seconds_in_the_middle_of_an_extraction_that_is_done_later(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        daemon = h.start()
        h.until(lambda: h.place("a") == ["extract"] and (h.where("a") / "extraction.tmp").exists(), "being extracted")
        start = time.monotonic()
        self.assertEqual(h.stop(), 0)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(house.children(daemon.pid), [])
        self.assertEqual(h.place("a"), ["extract"])
        self.assertEqual(h.pickup(), [])
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")
        self.assertEqual(look.manifest(h.pickup()[0])["rows"], BIG_ROWS)
        self.assertEqual(look.keys(h, "cost"), ["a/extraction/1"])

    def test_sigterm_in_the_middle_of_taking_in(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        h.start()
        h.until(lambda: house.children(h.daemon.pid) or h.place("a"), "a worker at it")
        self.assertEqual(h.stop(timeout=10), 0)
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")
        self.assertEqual(look.target(h, "a")["rows"], BIG_ROWS)

    def test_sigint_is_as_sigterm(self):
        h = self.house()
        h.start()
        self.assertEqual(h.stop(signal.SIGINT), 0)

    def test_sighup_with_a_good_configuration(self):
        h = self.house()
        h.make_spool()
        h.start()
        h.drop("before", conf=house.DELIVERY.replace("spring-2027", "autumn") % {"target": "", "more": ""})
        h.until(lambda: "before" in h.refused(), "a campaign unknown yet")
        (h.etc / "conf.d").mkdir()
        (h.etc / "conf.d/more.conf").write_text('campaigns = ( { name = "autumn"; programme = "loyalty"; owner = "alice"; } );\n')
        h.daemon.send_signal(signal.SIGHUP)
        self.settled(h)
        h.drop("after", conf=house.DELIVERY.replace("spring-2027", "autumn") % {"target": "", "more": ""})
        h.until(lambda: h.place("after") == ["outbox"], "the campaign known now")

    def test_sighup_with_a_wrong_configuration_keeps_the_old_one_and_says_why(self):
        h = self.house()
        h.make_spool()
        h.start()
        h.conf.write_text(h.conf.read_text().replace("settle", "setle"))
        h.daemon.send_signal(signal.SIGHUP)
        h.until(lambda: "setle" in h.log(), "told in the log")
        self.assertRegex(h.log(), r"postroom\.conf:2.*setle")
        h.drop("a")
        h.until(lambda: h.place("a") == ["outbox"], "it goes on as before")
        self.assertIsNone(h.daemon.poll())

    def test_a_delivery_keeps_the_settings_it_was_taken_in_with(self):
        h = self.house(approvals="target = true;")
        h.drop("a")
        h.once()
        self.replace(h, 'amount = "12.00"', 'amount = "99999.00"')
        self.replace(h, 'delimiter = ";"', 'delimiter = "|"')
        h.decide("a", "target", "approve")
        h.once()
        self.assertIn("-1.42 EUR", look.ledger(h, "cost"))
        self.assertEqual(look.records(h.pickup()[0])[0]["recipient_id"], "R000001")

    def settled(self, h):
        """After a signal: the daemon has read it when it logs so, or after a small drop went through."""
        h.until(lambda: re.search(r"(reload|configuration|SIGHUP)", h.log()), "the signal seen")


class Readiness(Case):
    def test_sd_notify_says_ready_and_stopping(self):
        h = self.house()
        path = str(h.dir / "notify")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.settimeout(house.WAIT_S)
        os.environ["NOTIFY_SOCKET"] = path
        try:
            h.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        self.assertIn("READY=1", listener.recv(4096).decode().split("\n"))
        self.assertTrue((h.spool / "inbox").is_dir(), "ready means: the doors are open")
        h.stop()
        self.assertIn("STOPPING=1", listener.recv(4096).decode())

    def test_status_tells_what_was_done(self):
        h = self.house()
        h.make_spool()
        h.start()
        for n in range(3):
            h.drop(f"a{n}")
            h.until(lambda: h.place(f"a{n}") == ["outbox"], "handed over")
        h.until(lambda: h.status().get("handed_over") == 3, "the last change is told too", timeout=5)
        self.assertEqual(h.status()["deliveries"], {"handed-over": 3})

    def test_modes_of_the_doors_and_the_rest(self):
        h = self.house()
        h.make_spool()
        mode = lambda path: (h.spool / path).stat().st_mode & 0o7777
        for path in ("inbox", "approved"):
            self.assertEqual(oct(mode(path)), oct(0o3730), path)
        router = "outbox/routers/nord-routage"
        self.assertEqual(oct(mode(f"{router}/returns")), oct(0o3770))
        for path in (f"{router}/pickup", f"{router}/answers", "pending", "extract", "outbox/deliveries", "done", "refused", "ledger", "run"):
            self.assertEqual(oct(mode(path)), oct(0o750), path)


class SideBySide(Case):
    def test_a_small_delivery_is_taken_decided_and_handed_over_while_a_big_one_is_extracted(self):
        h = self.slow_house(approvals="extraction = true;")
        h.drop("big", {"recipients.csv": big()})
        h.start()
        h.until(lambda: h.place("big") == ["extract"], "the big one at its extraction")
        h.drop("small", {"recipients.csv": house.recipients(3)})
        h.until(lambda: h.place("small") and look.state(h, "small") == "extraction-to-approve", "the small one extracted meanwhile")
        h.decide("small", "extraction", "approve")
        h.until(lambda: h.place("small") == ["outbox"], "and handed over")
        busy = look.state(h, "big") == "extracting"
        h.until(lambda: look.state(h, "big") == "extraction-to-approve", "the big one too")
        when = {id: next(e["time"] for e in look.events(h, id) if e["event"] == "extracted") for id in ("big", "small")}
        self.assertTrue(busy or when["small"] < when["big"], "the small one was done before the big one")

    def test_a_stop_in_the_middle_of_an_extraction_ends_it_without_archive_or_cost(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        daemon = h.start()
        h.until(lambda: h.place("a") == ["extract"] and house.children(daemon.pid), "being extracted")
        h.decide("a", "delivery", "stop")
        h.until(lambda: h.place("a") == ["done"], "stopped")
        self.assertEqual((look.state(h, "a"), h.pickup()), ("stopped", []))
        for name in ("cost", "stock"):
            keys = [k for k in look.keys(h, name) if k.startswith("a/")]
            self.assertIn(keys, ([], ["a/extraction/1", "a/extraction/1/reversed"]))
        self.assertEqual(h.refused(), {})

    def test_a_hold_in_the_middle_of_an_extraction_keeps_it_from_the_router(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        h.start()
        h.until(lambda: h.place("a") == ["extract"], "being extracted")
        h.decide("a", "delivery", "hold")
        h.until(lambda: "extracted" in look.names_of_events(h, "a") or "held" in look.names_of_events(h, "a"), "held")
        h.drop("small", {"recipients.csv": house.recipients(3)})
        h.until(lambda: h.place("small") == ["outbox"], "another goes past it")
        h.until(lambda: "held" in look.names_of_events(h, "a"), "held")
        self.assertEqual([p.name for p in h.pickup() if "_a_" in p.name], [])
        h.decide("a", "delivery", "release")
        h.until(lambda: h.place("a") == ["outbox"], "handed over once it is released")

    def test_a_revision_in_the_middle_of_an_extraction_replaces_it(self):
        h = self.slow_house(approvals="extraction = true;")
        h.drop("a", {"recipients.csv": big()})
        h.start()
        h.until(lambda: h.place("a") == ["extract"], "being extracted")
        h.drop("a", {"recipients.csv": house.recipients(4)})
        h.until(lambda: h.place("a") and [e for e in look.events(h, "a") if e["event"] == "taken"][-1]["revision"] == "2"
                and look.state(h, "a") == "extraction-to-approve", "the revision extracted")
        self.assertEqual(h.refused(), {})
        h.decide("a", "extraction", "approve")
        h.until(lambda: look.state(h, "a") == "handed-over", "handed over")
        self.assertEqual([look.manifest(p)["records"] for p in h.pickup()], [4])
        keys = [k for k in look.keys(h, "cost")]
        self.assertEqual(len([k for k in keys if not k.endswith("/reversed")]) - len([k for k in keys if k.endswith("/reversed")]), 1, keys)

    def test_progress_is_told_while_it_works(self):
        h = self.slow_house()
        h.drop("big", {"recipients.csv": big()})
        h.start()
        seen = set()

        def watched():
            for entry in h.status().get("working", []):
                seen.add(str(entry))
            return h.place("big") == ["outbox"]
        h.until(watched, "handed over")
        self.assertTrue(any("big" in entry and re.search(r"[1-9]\d{3,}", entry) for entry in seen), seen)

    def test_a_worker_that_is_killed_does_not_take_the_daemon_along(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        daemon = h.start()
        h.until(lambda: h.place("a") == ["extract"] and house.children(daemon.pid), "being extracted")
        for pid in house.children(daemon.pid):
            os.kill(pid, signal.SIGKILL)
        h.drop("small", {"recipients.csv": house.recipients(3)})
        h.until(lambda: h.place("small") == ["outbox"], "the next delivery")
        h.until(lambda: look.state(h, "a") == "handed-over", "done again later")
        self.assertIsNone(daemon.poll())
        self.assertEqual(look.manifest(next(p for p in h.pickup() if "_a_" in p.name))["rows"], BIG_ROWS)
        self.assertEqual(look.keys(h, "cost").count("a/extraction/1"), 1)
        self.assertEqual(h.stop(), 0)

    def test_a_large_original_is_removed_while_a_worker_is_at_work(self):
        h = self.slow_house()
        rows = house.recipients(50000, address2="x" * 340)
        self.assertGreater(len(rows), 16 << 20)
        h.drop("a", {"recipients.csv": rows})
        daemon = h.start()
        h.until(lambda: house.children(daemon.pid, "postroom-extrac"), "being extracted")
        worker, = house.children(daemon.pid, "postroom-extrac")
        os.kill(worker, signal.SIGSTOP)  # it does not just happen to be done
        h.until(lambda: not (h.spool / "run/intake/.taken-a").exists(), "the original removed beside it")
        h.until(lambda: house.children(daemon.pid) == [worker], "the end of who gave back what it took")
        self.assertEqual(h.place("a"), ["extract"])
        open_files = [os.readlink(file) for file in pathlib.Path(f"/proc/{daemon.pid}/fd").iterdir()]
        self.assertEqual([name for name in open_files if "(deleted)" in name and "memfd" not in name], [])
        os.kill(worker, signal.SIGCONT)
        h.until(lambda: h.place("a") == ["outbox"], "handed over")
        self.assertEqual(h.stop(), 0)

    def test_workers_end_with_a_daemon_that_is_killed(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        daemon = h.start()
        h.until(lambda: h.place("a") == ["extract"] and house.children(daemon.pid), "being extracted")
        workers = house.children(daemon.pid)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)  # not one of them may just happen to be done
        h.stop(signal.SIGKILL)
        h.until(lambda: not any(os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().split()[2] != "Z" for pid in workers),
                "no orphan writes beside a restarted daemon", timeout=5)
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")

    def test_workers_have_no_capabilities_and_no_new_privileges(self):
        h = self.slow_house()
        h.drop("a", {"recipients.csv": big()})
        daemon = h.start()
        seen = []

        def confined():
            for pid in house.children(daemon.pid):
                try:
                    status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
                    if "CapEff" in status and status.get("NoNewPrivs") == "1" and status.get("Seccomp") == "2":
                        seen.append(int(status["CapEff"], 16))
                except OSError:
                    pass
            return seen or h.place("a") == ["outbox"]
        h.until(confined, "a confined worker")
        if not seen:
            self.skipTest("this kernel shows no confined worker")
        self.assertEqual(seen[-1], 0)


if __name__ == "__main__":
    house.main()
