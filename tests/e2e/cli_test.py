#!/usr/bin/env python3
"""The command: what each of its words does, its exit codes, and the keys of its JSON."""
import datetime
import email
import email.policy
import json
import os
import re
import signal
import subprocess
import tarfile

import house
import look
import online_test as online

SHOWN = {"id", "revision", "label", "programme", "campaign", "channel", "owner", "state", "stage", "reason", "since", "rows", "records", "seeds",
         "excluded", "progress", "sent", "failed", "uncertain", "cost", "warnings", "archive", "waiting", "rounds"}
WAITING = {"step", "reviewers", "since", "deadline", "late", "sha256"}
ROUND = {"step", "decision", "who", "when", "comment"}
REVIEWED = "target = true; content = true; extraction = true;"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


class Case(house.Case):
    def waiting(self, approvals=REVIEWED, **settings):
        h = self.house(approvals=approvals, **settings)
        h.drop("a")
        h.once()
        return h

    def running(self, **settings):
        h = self.house(**settings)
        h.make_spool()
        h.start()
        return h

    def error(self, done, code, pattern):
        """Errors go to stderr, a line each, as `postroom: what is wrong; what to do`."""
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertRegex(done.stderr, pattern)
        for line in done.stderr.strip().splitlines():
            self.assertRegex(line, r"^(postroom: |usage: )")
        return done


class Usage(Case):
    def test_no_or_unknown_commands_and_wrong_arguments_are_64(self):
        h = self.house()
        h.make_spool()
        for words in ((), ("frobnicate",), ("show",), ("list", "--frob"), ("approve", "a"), ("approve",), ("wait",), ("log", "a", "b"),
                      ("wait", "a", "--timeout", "soon"), ("new",), ("new", "pigeon", "d")):
            with self.subTest(words):
                self.assertEqual(h.cli(*words).returncode, 64, h.cli(*words).stderr)

    def test_an_unknown_command_names_the_nearest(self):
        h = self.house()
        self.assertIn("approve", h.cli("aprove").stderr)

    def test_help_is_0_and_names_every_command(self):
        done = subprocess.run([house.BIN / "postroom", "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        for word in "new submit check list show log todo refused wait approve reject restart stop preview costs stock ledger init status watch".split():
            self.assertRegex(done.stdout, rf"\b{word}\b")

    def test_no_such_delivery_is_66(self):
        h = self.house()
        h.make_spool()
        for words in (("show", "nope"), ("log", "nope"), ("approve", "nope", "target"), ("preview", "nope"), ("stop", "nope"), ("restart", "nope"),
                      ("wait", "nope", "--timeout", "0s")):
            with self.subTest(words):
                self.error(h.cli(*words), 66 if words[0] != "wait" else h.cli(*words).returncode, "nope")
        self.assertIn(h.cli("wait", "nope", "--timeout", "0s").returncode, (66, 75))

    def test_ids_that_lead_out_of_the_spool_are_no_deliveries(self):
        h = self.house()
        h.make_spool()
        for id in ("../etc", "..", "/etc", "a/b", "", "a\nb"):
            with self.subTest(id):
                self.assertIn(h.cli("show", id).returncode, (64, 66))

    def test_no_or_bad_configuration(self):
        h = self.house()
        done = subprocess.run([house.BIN / "postroom", "-c", "/nonexistent.conf", "list"], capture_output=True, text=True)
        self.assertIn(done.returncode, (66, 78))
        h.conf.write_text("nonsense = 1;\n")
        self.error(h.cli("list"), 78, r"postroom\.conf:1: ")

    def test_the_configuration_is_found_by_environment_or_beside(self):
        h = self.house()
        h.make_spool()
        plain = {k: v for k, v in os.environ.items() if k != "POSTROOM_CONF"}
        for env, cwd in ((plain | {"POSTROOM_CONF": str(h.conf)}, "/"), (plain, h.dir)):
            done = subprocess.run([house.BIN / "postroom", "stock"], capture_output=True, text=True, env=env, cwd=cwd)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("env-c5", done.stdout)

    def test_no_colour_and_no_bars_where_stdout_is_no_terminal(self):
        h = self.waiting()
        for words in (("list",), ("show", "a"), ("todo",), ("stock",), ("costs",), ("log", "a")):
            self.assertNotIn("\033", h.cli(*words, check=0).stdout)

    def test_what_this_version_lacks_says_so_with_69(self):
        h = self.house()
        h.make_spool()
        for words in (("returns", "a"), ("proof", "submit", "a"), ("purge",)):
            self.error(h.cli(*words), 69, "not available")


class Message(Case):
    """preview of an online delivery: the very bytes."""
    TOP = 'channels = { email = { %s }; };'

    def sent_bytes(self, h):
        return {p.read_bytes() for p in (h.spool / "outbox/messages/email").rglob("*") if p.is_file()}

    def shown(self, h, *words):
        done = subprocess.run([house.BIN / "postroom", "-c", h.conf, "preview", *words], capture_output=True)
        return done.returncode, done.stdout, done.stderr.decode()

    def test_after_sending_it_is_what_was_sent_signature_and_token_too(self):
        h = self.house(top=self.TOP % 'dkim = { domain = "example.net"; selector = "s"; key_file = "dkim.pem"; }; '
                                      'unsubscribe = { url = "https://example.net/u"; secret_file = "secret"; };')
        subprocess.run(["openssl", "genrsa", "-out", h.etc / "dkim.pem", "2048"], capture_output=True, check=True)
        (h.etc / "secret").write_text("0123456789abcdef0123456789abcdef")
        for name in ("dkim.pem", "secret"):
            os.chmod(h.etc / name, 0o600)
        h.drop("a", online.files(), conf=online.conf())
        h.once()
        code, before, said = self.shown(h, "a", "--row", "3")
        self.assertEqual(code, 0, said)
        self.assertRegex(said, "^postroom: a is not being sent yet: recipients and Date are as of now\n$")
        h.decide("a", "delivery", "confirm")
        h.once()
        seen = set()
        for n in range(1, 11):
            code, message, said = self.shown(h, "a", "--row", str(n))
            self.assertEqual((code, said), (0, ""))
            self.assertIn(b"DKIM-Signature:", message)
            seen.add(message)
        self.assertEqual(seen, self.sent_bytes(h))
        after = self.shown(h, "a", "--row", "3")[1]
        keep = lambda text: [line for line in text.split(b"\r\n") if line.startswith((b"To:", b"Subject:", b"Message-ID:", b"List-Uns"))]
        self.assertEqual(keep(before), keep(after))
        self.assertEqual(len(keep(after)), 5)

    def test_who_may_not_read_the_keys_gets_it_without_and_is_told(self):
        self.need_root()
        h = self.house(top=self.TOP % 'dkim = { domain = "example.net"; selector = "s"; key_file = "dkim.pem"; }; '
                                      'unsubscribe = { url = "https://example.net/u"; secret_file = "secret"; };')
        subprocess.run(["openssl", "genrsa", "-out", h.etc / "dkim.pem", "2048"], capture_output=True, check=True)
        (h.etc / "secret").write_text("0123456789abcdef0123456789abcdef")
        for name in ("dkim.pem", "secret"):
            os.chmod(h.etc / name, 0o600)
        h.drop("a", online.files(), conf=online.conf())
        h.once()
        done = h.cli("preview", "a", user=65534)
        self.error(done, 77, "its recipients are not for you to read")
        for path in [h.spool, h.spool / "pending", *h.where("a").rglob("*"), h.where("a")]:
            os.chmod(path, 0o755)
        done = h.cli("preview", "a", user=65534, check=0)
        self.assertNotIn("DKIM-Signature", done.stdout)
        self.assertRegex(done.stderr, "dkim.pem cannot be read by you: this is without the signature that it gets")
        self.assertRegex(done.stderr, "secret cannot be read by you: the token for unsubscribing is a stand-in")

    def test_wrong_rows_and_words(self):
        h = self.house()
        h.drop("a", online.files(), conf=online.conf())
        h.once()
        self.error(h.cli("preview", "a", "--row", "11"), 65, "row 11: there are 10 only")
        self.assertEqual(h.cli("preview", "a", "--archive").returncode, 64)
        self.assertEqual(h.cli("preview", "a", "--row", "0").returncode, 64)


class Deliveries(Case):
    def test_new_email_can_be_checked_as_it_is_and_sent(self):
        h = self.house()
        h.make_spool()
        h.cli("new", "email", h.dir / "d", check=0)
        done = h.cli("check", h.dir / "d", check=0)
        self.assertRegex(done.stdout, "records +3")
        h.start()
        h.cli("submit", h.dir / "d", check=0)
        h.cli("confirm", "d", check=0)
        h.cli("wait", "d", "--timeout", "30s", check=0)
        self.assertEqual(h.show("d")["sent"], 3)
        self.assertEqual(h.cli("new", "email", h.dir / "d").returncode, 73)

    def test_new_text_push_and_inapp_can_be_checked_as_they_are_and_sent(self):
        for senders in ("", 'channels = { sms = { sender = "Shop"; }; };'):
            h = self.house(top=senders)
            h.make_spool()
            h.start()
            for channel in ("sms", "push", "inapp"):
                with self.subTest(channel=channel, senders=senders):
                    h.cli("new", channel, h.dir / channel, check=0)
                    self.assertRegex(h.cli("check", h.dir / channel, check=0).stdout, "records +3")
                    h.cli("submit", h.dir / channel, check=0)
                    h.cli("confirm", channel, check=0)
                    h.cli("wait", channel, "--timeout", "30s", check=0)
                    self.assertEqual(h.show(channel)["sent"], 3)
                    self.assertIn("Zoé", h.cli("preview", channel, "--row", "1", check=0).stdout)
            h.stop()

    def test_new_makes_a_delivery_that_can_be_filled_in_and_never_overwrites(self):
        h = self.house()
        h.cli("new", "mail", h.dir / "d", check=0)
        self.assertTrue((h.dir / "d/delivery.conf").exists())
        before = look.tree(h.dir / "d")
        self.assertEqual(h.cli("new", "mail", h.dir / "d").returncode, 73)
        self.assertEqual(look.tree(h.dir / "d"), before)
        self.assertEqual(h.cli("new", "mail", "/proc/none/d").returncode, 73)

    def test_check_says_counts_causes_and_cost_and_changes_nothing(self):
        h = self.house()
        h.make_spool()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(100, consent_mail=lambda n: "01"[n % 2])},
                                  target="where = \"consent_mail = '1'\";")
        before = look.tree(h.dir / "d"), look.tree(h.spool)
        text = h.cli("check", folder, check=0).stdout
        for word in ("100", "50", "not-selected", "7.10"):
            self.assertIn(word, text)
        about = json.loads(h.cli("check", folder, "--json", check=0).stdout)
        self.assertEqual((about["rows"], about["records"], about["excluded"]), (100, 50, {"not-selected": 50}))
        self.assertEqual((look.tree(h.dir / "d"), look.tree(h.spool)), before)

    def test_check_of_a_bad_delivery_is_65_with_file_line_and_mend(self):
        h = self.house()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(2)}, more="nonsense = 1;")
        self.error(h.cli("check", folder), 65, r"postroom: \S*delivery\.conf:\d+: .*nonsense")
        folder = h.write_delivery(h.dir / "e", {"recipients.csv": house.recipients(2) + 'x,"\n'})
        self.error(h.cli("check", folder), 65, r"postroom: \S*recipients\.csv:4: .*; ")
        self.error(h.cli("check", h.dir / "nope"), 66, "nope")

    def test_check_says_what_the_daemon_says(self):
        h = self.house()
        bad = {"order": ('order = [ "nope" ];', ""), "where": ("where = \"segmnt = '1'\";", ""), "file": ("", 'documents = [ "no.pdf" ];'),
               "limit": ("limit = -1;", ""), "costs": ("", 'costs = ( { category = "no"; type = "no"; } );')}
        for id, (target, more) in bad.items():
            with self.subTest(id):
                folder = h.write_delivery(h.dir / "c" / id, {"recipients.csv": house.recipients(2)}, target=target, more=more)
                self.assertEqual(h.cli("check", folder).returncode, 65)
                h.drop(id, target=target, more=more)
        h.once()
        self.assertEqual(sorted(h.refused()), sorted(bad))

    def test_submit_of_a_directory_and_of_a_package_waits_until_taken(self):
        h = self.running()
        folder = h.write_delivery(h.dir / "letter", {"recipients.csv": house.recipients(5)})
        h.cli("submit", folder, check=0)
        self.assertTrue(h.place("letter"), "taken when the command ends")
        with tarfile.open(h.dir / "packed.tar", "w") as archive:
            for file in folder.iterdir():
                archive.add(file, file.name)
        h.cli("submit", h.dir / "packed.tar", check=0)
        self.assertTrue(h.place("packed"))
        self.assertTrue(folder.exists() and (h.dir / "packed.tar").exists(), "the user's own files stay")

    def test_submit_of_a_bad_delivery_is_65_and_drops_nothing(self):
        h = self.house()
        h.make_spool()
        folder = h.write_delivery(h.dir / "letter", {"recipients.csv": house.recipients(5)}, more="nonsense = 1;")
        self.error(h.cli("submit", folder), 65, "nonsense")
        self.assertEqual(list((h.spool / "inbox").iterdir()), [])

    def test_submit_that_the_daemon_refuses_is_65(self):
        h = self.running(finish_on="hand-over")
        folder = h.write_delivery(h.dir / "letter", {"recipients.csv": house.recipients(5)})
        h.cli("submit", folder, check=0)
        h.until(lambda: h.place("letter") == ["done"], "finished")
        self.error(h.cli("submit", folder), 65, "done|finished|twice")

    def test_submit_no_wait_needs_no_daemon(self):
        h = self.house()
        h.make_spool()
        h.cli("submit", h.write_delivery(h.dir / "letter", {"recipients.csv": house.recipients(5)}), "--no-wait", check=0)
        self.assertEqual(h.once().counts["taken"], "1")

    def test_list_leaves_out_done_and_ends_with_the_number_of_refused_drops(self):
        h = self.waiting()
        h.drop("gone")
        h.once()
        h.decide("gone", "delivery", "stop")
        h.drop("bad", more="nonsense = 1;")
        h.once()
        text = h.cli("list", check=0).stdout
        self.assertRegex(text, r"(?m)^a\b.*(To approve|target-ready)")
        self.assertNotIn("gone", text)
        self.assertRegex(text.strip().splitlines()[-1], r"\b1\b.*refused|refused.*\b1\b")
        self.assertIn("gone", h.cli("list", "--all", check=0).stdout)
        self.assertEqual([d["id"] for d in lines(h.cli("list", "--all", "--json", check=0).stdout)], ["a", "gone"])
        self.assertEqual(lines(h.cli("list", "--campaign", "nope", "--json").stdout), [])
        self.assertEqual([d["id"] for d in lines(h.cli("list", "--all", "--state", "stopped", "--json", check=0).stdout)], ["gone"])

    def test_list_of_nothing_still_says_how_many_were_refused(self):
        h = self.house()
        h.drop("bad", more="nonsense = 1;")
        h.once()
        self.assertRegex(h.cli("list", check=0).stdout, r"1")

    def test_refused_says_what_and_why(self):
        h = self.house()
        h.drop("bad", more="nonsense = 1;")
        h.once()
        self.assertRegex(h.cli("refused", check=0).stdout, r"bad[\s\S]*nonsense")
        one, = lines(h.cli("refused", "--json", check=0).stdout)
        self.assertIn("nonsense", one["reason"])
        self.assertEqual(one["name"], "bad")

    def test_log_is_the_journal(self):
        h = self.waiting()
        text = h.cli("log", "a", check=0).stdout
        for event in look.names_of_events(h, "a"):
            self.assertIn(event, text)

    def test_todo_names_what_waits_for_whom(self):
        self.need_root()
        h = self.waiting('target = { reviewers = [ "bob" ]; }; content = true;', operators=[look.operator("bob"), look.operator("carol")])
        self.assertRegex(h.cli("todo", "bob", check=0).stdout, r"a\b.*target")
        self.assertNotIn("target", h.cli("todo", "carol", check=0).stdout)
        found = lines(h.cli("todo", "bob", "--json", check=0).stdout)
        self.assertEqual([(t.get("id") or t.get("delivery"), t["step"]) for t in found], [("a", "target")])
        self.assertRegex(h.cli("todo", check=0).stdout, "content")
        self.assertNotEqual(h.cli("todo", "mallory").returncode, 0)

    def test_preview_shows_rows_as_they_would_go_out(self):
        h = self.waiting()
        self.assertIn("Mme Zoé Durand1", h.cli("preview", "a", check=0).stdout)
        third = h.cli("preview", "a", "--row", "3", check=0).stdout
        self.assertIn("Mme Zoé Durand3", third)
        self.assertNotIn("Durand1\n", third)
        h.decide("a", "target", "approve")
        h.decide("a", "content", "approve")
        h.once()
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")
        done = subprocess.run([house.BIN / "postroom", "-c", h.conf, "preview", "a", "--archive", "--rows", "2"], capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode(errors="replace")
        self.assertIn("a-1;", text)
        self.assertIn("a-2;", text)
        self.assertNotIn("a-3;", text)

    def test_preview_of_a_row_that_is_not_there(self):
        h = self.waiting()
        self.assertIn(h.cli("preview", "a", "--row", "999").returncode, (65, 66))
        self.assertEqual(h.cli("preview", "a", "--row", "x").returncode, 64)

    def test_wait(self):
        h = self.waiting()
        h.cli("wait", "a", "--for", "target-ready", "--timeout", "0s", check=0)
        self.assertEqual(h.cli("wait", "a", "--timeout", "0s").returncode, 75)
        h.decide("a", "delivery", "stop")
        h.once()
        self.assertEqual(h.cli("wait", "a", "--for", "handed-over", "--timeout", "0s").returncode, 65)
        h.cli("wait", "a", "--for", "stopped", "--timeout", "0s", check=0)
        h.drop("bad", more="nonsense = 1;")
        h.once()
        self.assertEqual(h.cli("wait", "bad", "--timeout", "0s").returncode, 65)
        self.assertIn(h.cli("wait", "a", "--for", "nostate", "--timeout", "0s").returncode, (64,))

    def test_wait_ends_when_it_happens(self):
        h = self.running(approvals="extraction = true;")
        h.drop("a")
        h.cli("wait", "a", "--for", "extraction-to-approve", "--timeout", "30s", check=0)
        waiter = subprocess.Popen([house.BIN / "postroom", "-c", h.conf, "wait", "a", "--timeout", "30s"], stdout=subprocess.DEVNULL)
        h.decide("a", "extraction", "approve")
        self.assertEqual(waiter.wait(house.WAIT_S), 0)

    def test_watch_goes_on_until_interrupted(self):
        h = self.waiting()
        run = subprocess.Popen([house.BIN / "postroom", "-c", h.conf, "watch"], stdout=subprocess.PIPE, text=True)
        try:
            self.assertIn("a", run.stdout.readline())
            run.send_signal(signal.SIGINT)
            self.assertIn(run.wait(10), (0, 130, -signal.SIGINT))
        finally:
            run.kill()
            run.stdout.close()


class Show(Case):
    def test_show_json_holds_at_least_what_the_contract_lists(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(20, consent_mail=lambda n: "01"[n % 2])}, target="where = \"consent_mail = '1'\";")
        h.once()
        about = h.show("a")
        self.assertEqual(SHOWN - set(about), set())
        self.assertEqual({k: about[k] for k in ("id", "revision", "label", "programme", "campaign", "channel", "owner", "state", "stage", "rows", "records", "seeds", "excluded")},
                         {"id": "a", "revision": 1, "label": "Spring offer, letter", "programme": "loyalty", "campaign": "spring-2027", "channel": "mail",
                          "owner": "alice", "state": "target-ready", "stage": "pending", "rows": 20, "records": 10, "seeds": 0, "excluded": {"not-selected": 10}})
        self.assertEqual([w["step"] for w in about["waiting"]], ["target", "content"])
        for waiting in about["waiting"]:
            self.assertEqual(WAITING - set(waiting), set())
            self.assertEqual(waiting["sha256"], look.basis(h, "a", waiting["step"]))
            self.assertIs(waiting["late"], False)
            since, deadline = (datetime.datetime.fromisoformat(waiting[k].replace("Z", "+00:00")) for k in ("since", "deadline"))
            self.assertEqual(round((deadline - since).total_seconds()), 3 * 86400)
        self.assertEqual(about["rounds"], [])

    def test_rounds_cost_and_archive(self):
        h = self.waiting()
        h.decide("a", "target", "approve", more='comment = "ok";')
        h.decide("a", "content", "approve")
        h.once()
        h.decide("a", "extraction", "approve")
        h.once()
        about = h.show("a")
        self.assertEqual((about["state"], about["stage"]), ("handed-over", "outbox"))
        self.assertEqual({(r["step"], r["decision"], r["who"]) for r in about["rounds"]},
                         {("target", "approve", "alice"), ("content", "approve", "alice"), ("extraction", "approve", "alice")})
        for entry in about["rounds"]:
            self.assertEqual(ROUND - set(entry), set())
        self.assertEqual(next(r["comment"] for r in about["rounds"] if r["step"] == "target"), "ok")
        self.assertRegex(about["cost"]["committed"], r"^1\.42\b")
        self.assertIsInstance(about["cost"]["committed"], str)
        self.assertIn(h.pickup()[0].name, str(about["archive"]))
        self.assertEqual(about["waiting"], [])

    def test_the_reason_of_a_preparation_error_is_shown(self):
        h = self.house()
        h.drop("a", {"recipients.csv": house.recipients(2) + 'x,"\n'})
        h.once()
        about = h.show("a")
        self.assertEqual(about["state"], "preparation-error")
        self.assertRegex(about["reason"], r"recipients\.csv:4: ")
        self.assertIn("recipients.csv:4", h.cli("show", "a", check=0).stdout)

    def test_show_is_for_people_too(self):
        h = self.waiting()
        text = h.cli("show", "a", check=0).stdout
        for word in ("a", "To approve", "spring-2027", "target", "content", "10"):
            self.assertIn(word, text)

    def test_control_characters_of_a_drop_do_not_reach_the_terminal(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", conf=(house.DELIVERY % {"target": "", "more": ""}).replace("Spring offer", "\\x1b[31mred"))
        h.once()
        for words in (("show", "a"), ("list",), ("refused",), ("log", "a")):
            self.assertNotIn("\033", h.cli(*words).stdout)


class Decisions(Case):
    def test_approve_several_steps_of_several_deliveries_with_a_comment(self):
        h = self.running(approvals=REVIEWED)
        for id in ("a", "b"):
            h.drop(id)
        for id in ("a", "b"):
            h.cli("wait", id, "--for", "target-ready", "--timeout", "30s", check=0)
        h.cli("approve", "a", "b", "target,content", "-m", "both fine", check=0)
        for id in ("a", "b"):
            h.cli("wait", id, "--for", "extraction-to-approve", "--timeout", "30s", check=0)
            self.assertEqual([r["comment"] for r in h.show(id)["rounds"]], ["both fine", "both fine"])
        h.cli("approve", "a", "b", "extraction", check=0)
        h.cli("wait", "a", "b", "--timeout", "30s", check=0)
        self.assertEqual(len(h.pickup()), 2)

    def test_reject_withdraw_reset_hold_release_confirm_stop(self):
        h = self.running(approvals=REVIEWED)
        h.drop("a", more="confirm = true;")
        h.cli("wait", "a", "--for", "target-ready", "--timeout", "30s", check=0)
        h.cli("reject", "a", "target", "-m", "no", check=0)
        h.cli("withdraw", "a", "target", check=0)
        h.cli("approve", "a", "target", check=0)
        h.cli("approve", "a", "content", check=0)
        h.cli("wait", "a", "--for", "confirmation-pending", "--timeout", "30s", check=0)
        h.cli("reset", "a", "content", check=0)
        h.cli("approve", "a", "content", check=0)
        h.cli("hold", "a", check=0)
        h.cli("release", "a", check=0)
        h.cli("confirm", "a", check=0)
        h.cli("wait", "a", "--for", "extraction-to-approve", "--timeout", "30s", check=0)
        h.cli("stop", "a", "-m", "enough", check=0)
        h.cli("wait", "a", "--for", "stopped", "--timeout", "30s", check=0)
        self.assertEqual([(r["step"], r["decision"]) for r in h.show("a")["rounds"]],
                         [("target", "reject"), ("target", "withdraw"), ("target", "approve"), ("content", "approve"), ("content", "reset"), ("content", "approve"),
                          ("delivery", "hold"), ("delivery", "release"), ("delivery", "confirm"), ("delivery", "stop")])

    def test_restart_with_a_layout_file(self):
        h = self.running(approvals="extraction = true;")
        h.drop("a")
        h.cli("wait", "a", "--for", "extraction-to-approve", "--timeout", "30s", check=0)
        (h.dir / "layout.conf").write_text('layout = { format = "csv"; delimiter = "|"; encoding = "UTF-8"; header = true; container = "zip"; name = "again"; columns = ( "recipient_id" ); };')
        h.cli("restart", "a", "--layout", h.dir / "layout.conf", check=0)
        h.cli("wait", "a", "--for", "extraction-to-approve", "--timeout", "30s", check=0)
        h.until(lambda: "again" in str(h.show("a")["archive"]), "extracted with it")
        self.assertEqual(h.cli("restart", "a", "--layout", h.dir / "none.conf").returncode, 66)

    def test_a_decision_that_is_refused_is_told_with_its_reason(self):
        h = self.running(approvals=REVIEWED)
        h.drop("a")
        h.cli("wait", "a", "--for", "target-ready", "--timeout", "30s", check=0)
        h.cli("approve", "a", "target", check=0)
        done = h.cli("approve", "a", "target")
        self.assertIn(done.returncode, (65, 77))
        self.assertIn("alice", done.stderr)
        self.assertIn(h.cli("approve", "a", "extraction").returncode, (65, 77))

    def test_it_has_no_rights_of_its_own(self):
        self.need_root()
        h = self.running(approvals='target = { reviewers = [ "bob" ]; };', operators=[look.operator("bob"), look.operator("carol")])
        h.drop("a")
        h.cli("wait", "a", "--for", "target-ready", "--timeout", "30s", check=0)

        def as_operator(name, *words):
            return subprocess.run([house.BIN / "postroom", "-c", h.conf, *words], capture_output=True, text=True, timeout=house.WAIT_S,
                                  user=look.uid(name), group=look.uid(name), extra_groups=[os.getgid()])
        if not os.access(house.BIN, os.X_OK) or subprocess.run([house.BIN / "postroom", "--help"], capture_output=True, user=look.uid("carol")).returncode != 0:
            self.skipTest("the programs lie where others may not read")
        done = as_operator("carol", "approve", "a", "target")
        self.assertIn(done.returncode, (65, 77), done.stderr)
        self.assertEqual(as_operator("bob", "approve", "a", "target").returncode, 0)
        self.assertEqual(h.show("a")["rounds"][0]["who"], "bob")
        self.assertEqual(as_operator("bob", "preview", "a").returncode, 77, "recipients are for the daemon's user alone")


class Money(Case):
    def test_costs_by_level_of_all_of_a_programme_a_campaign_and_a_delivery(self):
        h = self.house()
        h.drop("a")
        h.drop("b", {"recipients.csv": house.recipients(20)})
        h.once()
        for scope, total in ((), "4.26"), (("loyalty",), "4.26"), (("loyalty/spring-2027",), "4.26"), (("loyalty/spring-2027/a",), "1.42"):
            with self.subTest(scope):
                self.assertRegex(h.cli("costs", *scope, check=0).stdout, re.escape(total))
        self.assertIn("committed", h.cli("costs", "--csv", check=0).stdout)
        self.assertTrue(lines(h.cli("costs", "--json", check=0).stdout))
        today = datetime.date.today()
        self.assertIn("1.42", h.cli("costs", "loyalty/spring-2027/a", "--from", today - datetime.timedelta(days=2), "--to", today + datetime.timedelta(days=2), check=0).stdout)
        self.assertNotIn("1.42", h.cli("costs", "loyalty/spring-2027/a", "--to", "2001-01-01").stdout)
        self.assertEqual(h.cli("costs", "--from", "yesterday").returncode, 64)

    def test_stock(self):
        h = self.house()
        h.drop("a")
        h.once()
        self.assertRegex(h.cli("stock", check=0).stdout, r"env-c5.*\b990\b")
        self.assertIn("990", json.dumps(lines(h.cli("stock", "--json", check=0).stdout)))

    def test_ledger_verify_and_head(self):
        h = self.house()
        h.drop("a")
        h.once()
        h.cli("ledger", "verify", check=0)
        last = re.findall(r"; chain: (\d+) ([0-9a-f]{64})", look.ledger(h, "cost"))[-1]
        self.assertIn(last[1], h.cli("ledger", "head", check=0).stdout)
        path = h.spool / "ledger/cost.journal"
        whole = path.read_text()
        path.write_text(whole.replace("0.12", "0.11"))
        self.error(h.cli("ledger", "verify"), 65, r"cost\.journal:\d+: ")
        path.write_text(whole)
        self.assertEqual(h.cli("ledger", "verify", "--witness", h.dir / "none").returncode, 66)

    def test_an_archive_is_a_witness(self):
        h = self.house()
        for id in ("a", "b"):
            h.drop(id)
            h.once()
        archive = next(p for p in h.pickup() if "_b_" in p.name)
        h.cli("ledger", "verify", "--witness", archive, check=0)
        path = h.spool / "ledger/stock.journal"
        path.write_text(path.read_text().split("\n\n")[0] + "\n\n")
        self.error(h.cli("ledger", "verify", "--witness", archive), 65, "stock")


class House(Case):
    def test_init_gives_a_house_in_which_the_printed_commands_work(self):
        h = self.house()
        place = h.dir / "room"
        done = subprocess.run([house.BIN / "postroom", "init", place], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        conf = place / "etc/postroom.conf"
        commands = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
        self.assertEqual(len(commands), 3, done.stdout)
        self.assertEqual(subprocess.run([house.BIN / "postroomd", "-c", conf, "--check"], capture_output=True).returncode, 0)
        before = look.tree(place / "etc")
        self.assertEqual(subprocess.run([house.BIN / "postroom", "init", place], capture_output=True).returncode, 73)
        self.assertEqual(look.tree(place / "etc"), before)
        path = f"{house.BIN}:{os.environ['PATH']}"
        script = "\n".join(commands) + "\ncode=$?\nkill $!\nwait $!\nexit $code\n"
        run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=house.WAIT_S, cwd=place, env=dict(os.environ, PATH=path))
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        done = subprocess.run([house.BIN / "postroom", "-c", conf, "list", "--json"], capture_output=True, text=True)
        self.assertEqual([d["id"] for d in lines(done.stdout)], ["first"])

    def test_first_email_of_init_gives_messages_to_look_at(self):
        h = self.house()
        place = h.dir / "room"
        subprocess.run([house.BIN / "postroom", "init", place], capture_output=True, check=True)
        h.conf, h.spool = place / "etc/postroom.conf", place / "spool"
        h.start()
        h.cli("check", place / "deliveries/first-email", check=0)
        h.cli("submit", place / "deliveries/first-email", check=0)
        h.cli("approve", "first-email", "target,content", check=0)
        h.cli("proof", "send", "first-email", check=0)
        h.until(lambda: h.show("first-email")["proofs"][0]["state"] == "sent", "the proof")
        h.cli("confirm", "first-email", check=0)
        h.cli("wait", "first-email", "--timeout", "30s", check=0)
        paths = [p for p in (h.spool / "outbox/messages/email").rglob("*") if p.is_file()]
        subjects = sorted(email.message_from_bytes(p.read_bytes(), policy=email.policy.default)["Subject"] for p in paths)
        self.assertEqual(subjects, ["Hello Ahmed 📮", "Hello Mireille 📮", "Hello Zoé 📮", "Hello Élise 📮", "[Proof 1] Hello Zoé 📮"])

    def test_status_is_69_without_and_0_with_a_daemon(self):
        h = self.house()
        self.assertEqual(h.cli("status").returncode, 69)
        h.make_spool()
        self.assertEqual(h.cli("status").returncode, 69)
        h.start()
        self.assertEqual(h.cli("status").returncode, 0)
        about = json.loads(h.cli("status", "--json", check=0).stdout)
        self.assertIn(h.daemon.pid, about.values())
        h.stop(signal.SIGKILL)
        self.assertEqual(h.cli("status").returncode, 69)

    def test_reading_needs_no_daemon_and_leaves_the_spool_as_it_is(self):
        h = self.waiting()
        before = look.tree(h.spool)
        for words in (("list",), ("list", "--all", "--json"), ("show", "a"), ("show", "a", "--json"), ("log", "a"), ("todo",), ("refused",), ("preview", "a"),
                      ("costs",), ("stock",), ("ledger", "verify"), ("ledger", "head"), ("status",)):
            h.cli(*words)
        self.assertEqual(look.tree(h.spool), before)


if __name__ == "__main__":
    house.main()
