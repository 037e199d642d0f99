#!/usr/bin/env python3
"""Sending with the real programs: from the drop to the relay, and what becomes of everybody."""
import collections
import datetime
import email
import email.policy
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import unittest
import unittest.mock

import house
import look
import postfix
import relay
import sending
import steering

# Of a worker, the fourth sync of a file fails.
BAD_SYNC = """
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
static int first, count;
__attribute__((constructor)) static void begin(void) { first = getpid(); }
int fdatasync(int fd)
{
    if (getpid() != first && ++count >= 4) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
"""


def to(number):
    return f"r{number}@example.net"


def everybody(count):
    return sorted(to(n) for n in range(1, count + 1))


def cpu_s(pid):
    """Processor time of a process so far: the 14th and 15th field, behind the name in parentheses (proc(5))."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Read(sending.Case):
    def check_message(self, raw, number):
        message = email.message_from_bytes(raw, policy=email.policy.default)
        self.assertEqual((message["From"], message["Subject"]), ("Shop <shop@example.net>", "Hello Zoé \U0001F4EE"))
        self.assertEqual(message["To"], to(number))
        text = message.get_body(("plain",)).get_payload(decode=True).decode()
        self.assertEqual(text.replace("\r\n", "\n"), f"Hello Zoé Durand{number},\n.\nyours\n")
        return message

    def check_all(self, got, count):
        """got: [(address, bytes)]"""
        self.assertEqual(sorted(address for address, _ in got), everybody(count))
        ids = {self.check_message(raw, re.match(r"r(\d+)@", address)[1])["Message-ID"] for address, raw in got}
        self.assertEqual(len(ids), count)

    def cost(self, made, id="a"):
        cost = made.show(id)["cost"]
        return cost["committed"], cost["spent"]

    def check_end(self, made, state="finished", id="a", **counts):
        """Where it ended, what show says, and that the ledger holds."""
        self.assertEqual((self.state(made, id), made.place(id)), (state, ["done"]), made.log()[-2000:])
        shown = made.show(id)
        self.assertEqual({name: shown[name] for name in counts}, counts)
        made.cli("ledger", "verify", check=0)
        if shutil.which("hledger"):
            done = subprocess.run(["hledger", "-f", made.spool / "ledger/cost.journal", "bal", "-N", "committed"],
                                  capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout.strip()), (0, ""), done.stderr)
        return shown


class Way(Read):
    """The plain way of a delivery."""

    def test_confirmed_and_due__arrives_as_written_and_is_finished(self):
        office = self.office()
        made = self.post(office.port)
        self.drop(made, confirm="true")
        made.once()
        self.assertEqual((self.state(made), made.place("a")), ("confirmation-pending", ["pending"]))
        self.assertEqual(made.show("a")["cost"]["committed"], "0.00")
        made.decide("a", "delivery", "confirm")
        done = made.once()
        self.check_end(made, sent=10, failed=0, uncertain=0)
        self.assertEqual(done.counts["sent"], "1")
        self.check_all(office.got, 10)
        states = re.findall(r" state=(\S+)", made.journal("a"))
        self.assertEqual(states[-4:], ["confirmation-pending", "scheduled", "sending", "finished"])
        self.assertEqual(self.cost(made), ("0.00", "0.10"))
        results = self.results(made)
        self.assertEqual({key: value[1:] for key, value in results.items()},
                         {f"R{n:06d}": ("sent", "250") for n in range(1, 11)})
        self.assertEqual(sorted(reference for reference, _, _ in results.values()), sorted(f"a-{n}" for n in range(1, 11)))

    def test_maildir__holds_the_same_messages(self):
        made = self.post(maildir=True)
        self.drop(made)
        made.once()
        self.check_end(made, sent=10)
        got = [path.read_bytes() for path in (made.spool / "outbox/messages/email/new").iterdir()]
        self.check_all([(email.message_from_bytes(raw)["To"], raw) for raw in got], 10)

    def test_client_certificate__is_shown_where_it_is_asked_for(self):
        own = self.authority.make("shop", "DNS:shop.example")
        own.with_suffix(".key").chmod(0o600)
        keys = f'client_cert_file = "{own}"; client_key_file = "{own.with_suffix(".key")}";'
        port, = self.front([(self.pem, self.sink(), f"ssl_verify_client on; ssl_client_certificate {self.authority.pem};")])
        for more, state, sent in (("", "sending", 0), (keys, "finished", 10)):
            with self.subTest(more):
                made = self.post(port, more=more)
                self.drop(made)
                made.once()
                self.assertEqual((self.state(made), made.show("a")["sent"]), (state, sent), made.log())

    def test_client_certificate__is_checked_with_the_settings(self):
        own = self.authority.make("shop", "DNS:shop.example")
        key = own.with_suffix(".key")
        key.chmod(0o644)
        for more, tls, fault in ((f'client_cert_file = "{own}";', "connect", "stand together"),
                                 (f'client_key_file = "{key}";', "connect", "stand together"),
                                 (f'client_cert_file = "{own}"; client_key_file = "{key}";', "none", "without TLS nobody asks"),
                                 (f'client_cert_file = "{own}"; client_key_file = "{key}";', "connect", "read or changed by others")):
            with self.subTest(fault):
                done = self.configured(1, tls=tls, more=more).check()
                self.assertEqual(done.returncode, 78)
                self.assertIn(fault, done.stderr)

    def test_contact_at_in_the_future__waits_for_it(self):
        office = self.office()
        made = self.post(office.port)
        at = in_seconds(3)
        self.drop(made, more=f'schedule = {{ contact_at = "{at}"; }};')
        made.start()
        self.until_state(made, "scheduled")
        self.assertEqual(office.got, [])
        self.until_state(made, "finished")
        self.assertGreaterEqual(min(office.times), datetime.datetime.fromisoformat(at).timestamp())
        self.check_end(made, sent=10)

    def test_seeds__get_messages_and_cost_money(self):
        office = self.office()
        made = self.post(office.port)
        files = sending.files(5)
        files["seeds.csv"] = house.recipients(2, recipient_id=lambda n: f"SEED{n}", email=lambda n: f"seed{n}@example.net")
        made.drop("a", files, conf=sending.conf(target='seeds = "seeds.csv"; seed_mode = "end";'))
        made.once()
        self.check_end(made, sent=7)
        self.assertEqual(sorted(office.to()), sorted(everybody(5) + ["seed1@example.net", "seed2@example.net"]))
        self.assertEqual(self.cost(made), ("0.00", "0.07"))
        self.assertEqual(self.results(made)["SEED2"][:2], ("a-7", "sent"))

    def test_nobody_selected__ends_as_the_delivery_says(self):
        office = self.office()
        made = self.post(office.port)
        seeds = house.recipients(1, recipient_id="SEED", email="seed@example.net")
        for word, state, count in (("finish", "finished", 0), ("fail", "failed", 0), ("send", "finished", 1)):
            files = dict(sending.files(3), **{"seeds.csv": seeds})
            made.drop(word, files, conf=sending.conf(
                target=f'seeds = "seeds.csv"; where = "segment = \'none\'"; empty = "{word}";'))
            made.once()
            self.assertEqual((self.state(made, word), made.place(word)), (state, ["done"]), word)
            self.assertEqual(len(office.got), count, word)
        self.assertEqual(office.to(), ["seed@example.net"])
        self.assertEqual(self.cost(made, "finish"), ("0.00", "0.00"))

    def test_nobody_to_send_to_and_empty_is_send__is_finished(self):
        office = self.office()
        made = self.post(office.port)
        made.drop(
            "a", sending.files(3), conf=sending.conf(target="where = \"segment = 'none'\"; empty = \"send\";"))
        made.once()
        self.check_end(made, sent=0)
        self.assertEqual(office.got, [])

    def test_limits_broken_when_sending_starts__is_back_in_pending(self):
        office = self.office()
        made = self.post(office.port, more='suppress = [ "optout.csv" ];')
        (made.etc / "optout.csv").write_text("recipient_id\n")
        made.drop("a", sending.files(10), conf=sending.conf(target="min = 10;", confirm="true"))
        made.once()
        self.assertEqual(self.state(made), "confirmation-pending")
        (made.etc / "optout.csv").write_text("recipient_id\nR000001\n")
        made.decide("a", "delivery", "confirm")
        made.once()
        self.assertEqual((self.state(made), made.place("a"), office.got), ("preparation-error", ["pending"], []))
        self.assertIn("min", made.show("a")["reason"])
        self.assertEqual(self.cost(made), ("0.00", "0.00"))


class ThroughPostfix(postfix.Case, Read):
    names = "DNS:localhost"

    def test_both_kinds_of_tls__messages_reach_the_mailbox_byte_for_byte(self):
        for tls, port in (("connect", self.connect), ("starttls", self.starttls)):
            with self.subTest(tls):
                before = set(self.box())
                made = self.post(port, tls=tls)
                self.drop(made, count=20)
                made.once()
                self.check_end(made, sent=20)
                relay.until(lambda: len(set(self.box()) - before) == 20, "all are in the mailbox", 30)
                raws = [path.read_bytes() for path in set(self.box()) - before]
                self.check_all([(email.message_from_bytes(raw)["X-Original-To"], raw) for raw in raws], 20)
                self.assertTrue(all(b"with ESMTPS id" in raw for raw in raws))


class Away(Read):
    """A relay that cannot be used costs nobody an attempt."""

    def check_nobody_was_tried(self, made):
        progress = self.progress(made)
        self.assertEqual({word for word, _, _ in progress.events} - {"try", "untried"}, set())
        self.assertEqual(collections.Counter(progress.numbers("try")), collections.Counter(progress.numbers("untried")))
        self.assertEqual({rest for word, _, rest in progress.events if word == "try"} - {"1"}, set())

    def check_waits(self, made, reason, timeout=None):
        made.until(lambda: made.place("a") and reason in (made.show("a")["reason"] or ""), f"reason {reason}", timeout)
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["stage"], shown["sent"], shown["failed"], shown["retrying"]),
                         ("sending", "outbox", 0, 0, 0))
        self.assertEqual({value[1] for value in self.results(made).values()} - {"intended"}, {"unsent"})
        self.check_nobody_was_tried(made)

    def test_wrong_certificate__nothing_is_sent_until_it_is_right(self):
        wrong = sending.Office(self, self.authority.make("wrong", "DNS:other.example"))
        made = self.post(wrong.port)
        self.drop(made)
        made.start()
        self.check_waits(made, "certificate is for other.example, not localhost")
        self.assertEqual((wrong.got, wrong.asked), ([], {}))
        wrong.close()
        office = self.office(port=wrong.port)
        self.until_state(made, "finished")
        self.check_all(office.got, 10)
        self.assertEqual([event for event in self.progress(made).events if event[0] == "try" and event[2] != "1"], [])

    def test_system_store__is_used_where_no_ca_file_is_set(self):
        office = self.office()
        made = self.post(office.port, ca=False)
        self.drop(made)
        made.start()
        self.check_waits(made, "who is not trusted")
        self.assertEqual(office.got, [])

    def test_nothing_listens__then_all_are_sent_at_their_first_attempt(self):
        port = relay.free_port()
        made = self.post(port)
        self.drop(made)
        made.start()
        self.check_waits(made, "refused")
        office = self.office(port=port)
        self.until_state(made, "finished")
        self.check_all(office.got, 10)
        self.assertEqual([event for event in self.progress(made).events if event[0] == "try" and event[2] != "1"], [])
        self.assertFalse(made.show("a")["reason"])

    def test_starttls_not_offered__nothing_goes_in_clear(self):
        heard = []

        def script(line, _):
            line.begin()
            while True:
                heard.append(line.hear())
        made = self.post(relay.Peer(self, script).port, tls="starttls")
        self.drop(made)
        made.start()
        self.check_waits(made, "does not offer STARTTLS")
        self.assertEqual(heard, [])

    def test_name_that_nobody_knows__is_the_reason(self):
        made = self.post(relay.free_port())
        made.conf.write_text(made.conf.read_text().replace('"localhost"', '"relay.invalid"'))
        self.drop(made)
        made.start()
        self.check_waits(made, "relay.invalid", 90)

    def test_reason_that_names_a_recipient__is_said_once_and_without_the_address(self):
        office = self.office(at_rcpt=lambda address, nth: f"421 4.7.0 <{address}> try later")
        made = self.post(office.port, connections=1)
        self.drop(made, count=30)
        made.start()
        made.until(lambda: made.log().count("sending-later") >= 2, "two workers came back")
        self.assertIn("421 4.7.0 * try later", made.show("a")["reason"])
        self.assertNotIn("@example.net", made.log() + made.journal("a") + made.cli("show", "a", check=0).stdout)
        self.assertEqual(len(re.findall(r"^\S+ delayed ", made.journal("a"), re.M)), 1)

    def test_relay_that_says_nothing__is_waited_for_without_work(self):
        peer = relay.Peer(self, lambda line, number: line.wait_for_end())
        made = self.post(peer.port, timeout="4s")
        self.drop(made)
        made.start()
        made.until(lambda: peer.count == 2, "a second connection, while it is down")
        pid, = sending.workers(made)
        before = cpu_s(pid)
        time.sleep(2)  # what it uses in that time
        self.assertLess(cpu_s(pid) - before, 0.5)

    def test_endless_greeting_long_lines_and_silence__cost_nobody_an_attempt(self):
        def endless(line):
            while True:
                line.say("220-and more\r\n" * 100)

        def long(line):
            line.say("220 " + "x" * 65536 + "\r\n")
            line.wait_for_end()

        def silent(line):
            line.wait_for_end()

        def late(line):
            line.begin()
            line.wait_for_end()
        for trouble in (endless, long, silent, late):
            with self.subTest(trouble.__name__):
                office = self.office(trouble=lambda line, number: trouble(line) if number == 1 else None)
                made = self.post(office.port, timeout="1s")
                self.drop(made)
                made.once()
                self.check_end(made, sent=10, failed=0, uncertain=0)
                self.check_all(office.got, 10)
                self.assertEqual([e for e in self.progress(made).events if e[0] == "try" and e[2] != "1"], [])


class Verdicts(Read):
    def test_451_once__is_temporary_with_a_next_try(self):
        office = self.office(at_rcpt=lambda address, nth: "451 4.3.0 later" if address == to(3) and nth == 1 else "250 ok")
        made = self.post(office.port)
        self.drop(made)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["failed"], shown["retrying"]), ("sending", 9, 0, 1))
        number, = self.progress(made).numbers("temporary")
        self.assertRegex(self.progress(made).of(number)[-1][1], r"^451 30 4\.3\.0 later$")
        self.assertEqual(self.results(made)["R000003"][1:], ("temporary", "451"))
        self.assertEqual(self.cost(made), ("0.10", "0.00"))

    def test_550__is_permanent_and_excluded_the_next_time(self):
        office = self.office(at_rcpt=lambda address, nth: "550 5.1.1 no such user" if address.startswith("r3@") else "250 ok")
        made = self.post(office.port)
        self.drop(made, email=lambda n: "r3@Example.NET" if n == 3 else to(n))
        made.once()
        self.check_end(made, sent=9, failed=1)
        self.assertEqual(self.results(made)["R000003"][1:], ("permanent", "550"))
        self.assertEqual(self.cost(made), ("0.00", "0.09"))
        rows = (made.spool / "quarantine/email.csv").read_text().splitlines()
        self.assertEqual((rows[0], len(rows)), ("address,key,since,cause,delivery", 2))
        self.assertRegex(rows[1], r"^r3@[Ee]xample.(NET|net),[^,]*,[^,]+,permanent,a$")
        self.assertEqual(oct((made.spool / "quarantine/email.csv").stat().st_mode & 0o777), "0o600")
        self.drop(made, "b", email=lambda n: "r3@EXAMPLE.net" if n == 3 else to(n))
        made.once()
        shown = self.check_end(made, id="b", sent=9, failed=0)
        self.assertEqual(shown["excluded"], {"quarantined": 1})
        self.assertEqual(office.asked["r3@Example.NET"] + office.asked["r3@EXAMPLE.net"], 1)
        self.assertEqual((made.spool / "quarantine/email.csv").read_text().splitlines(), rows)

    def test_550_that_cannot_be_noted__costs_nobody_elses_result(self):
        first, go = [], threading.Event()
        office = self.office(at_rcpt=lambda address, nth: go.wait(60) and
                             ("550 5.1.1 no such user" if address == first[1] else "451 4.3.0 later"))
        self.addCleanup(go.set)
        made = self.post(office.port, connections=4, timeout="60s")
        self.drop(made, count=13)
        made.start()
        made.until(lambda: len(office.asked) == 4, "four are asked for")
        first.extend(sorted(office.asked))
        (made.where("a") / "sending/email.csv").mkdir()
        pid, = sending.workers(made)
        os.kill(pid, signal.SIGSTOP)
        go.set()
        time.sleep(0.5)  # all four answers lie in the sockets
        os.kill(pid, signal.SIGCONT)
        made.until(lambda: pid not in sending.workers(made), "the worker came back")
        made.stop()
        bad, *others = (int(re.match(r"r(\d+)@", address)[1]) for address in (first[1], first[0], *first[2:]))
        progress = self.progress(made)
        self.assertEqual(set(others) - set(progress.numbers("temporary")), set())
        self.assertEqual(set(progress.numbers("uncertain")) - {bad}, set())

    def test_550_for_the_content__quarantines_nobody(self):
        office = self.office(at_dot=lambda address, nth: "554 5.7.1 spam" if address == to(2) else "250 ok")
        made = self.post(office.port)
        self.drop(made)
        made.once()
        self.check_end(made, sent=9, failed=1)
        self.assertFalse((made.spool / "quarantine/email.csv").exists())

    def test_421_in_the_middle__that_one_is_tried_again_and_the_rest_is_sent(self):
        office = self.office(at_dot=lambda address, nth: "421 4.3.2 closing" if address == to(4) and nth == 1 else "250 ok")
        made = self.post(office.port)
        self.drop(made, count=20)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["state"], shown["sent"], shown["retrying"], shown["uncertain"]), ("sending", 19, 1, 0))
        number, = self.progress(made).numbers("temporary")
        self.assertEqual(self.results(made)["R000004"], (f"a-{number}", "temporary", "421"))
        self.assertEqual(sorted(office.to() + [to(4)]), everybody(20))

    def test_closed_after_the_final_dot__is_uncertain_and_sent_again_as_it_was(self):
        office = self.office(at_dot=lambda address, nth: None if address == to(4) and nth == 1 else "250 ok")
        made = self.post(office.port)
        self.drop(made)
        made.start()
        made.until(lambda: len(office.got) >= 10, "all were sent")
        made.until(lambda: self.progress(made).numbers("uncertain"), "one is uncertain")
        self.until_state(made, "finished", timeout=60)
        shown = self.check_end(made, sent=10, failed=0, uncertain=0)
        number, = self.progress(made).numbers("uncertain")
        self.assertEqual(self.results(made)["R000004"], (f"a-{number}", "sent", "250"))
        self.assertEqual([word for word, _ in self.progress(made).of(number)], ["try", "uncertain", "resend", "try", "sent"])
        raws = [raw for address, raw in office.got if address == to(4)]
        self.assertEqual((len(raws), len(set(raws))), (2, 1))
        self.assertEqual(len(office.got), 11)

    def test_closed_after_the_final_dot__is_held_where_the_channel_says_so(self):
        office = self.office(at_dot=lambda address, nth: None if address == to(4) and nth == 1 else "250 ok")
        made = self.post(office.port, more='uncertain = "hold";')
        self.drop(made)
        made.once()
        self.check_end(made, sent=9, failed=0, uncertain=1)
        self.assertEqual(self.results(made)["R000004"][1], "held")
        self.assertEqual(office.asked[to(4)], 1)
        self.assertEqual(self.cost(made), ("0.00", "0.09"))

    def test_lost_250_of_smtp_sink__ends_as_uncertain_not_as_failed(self):
        port, = self.front([(self.pem, self.sink("-q", "."), "")])
        for word in ("hold", "resend"):
            with self.subTest(word):
                made = self.post(port, more=f'uncertain = "{word}"; retry_for = "1s";')
                self.drop(made, count=4)
                made.start()
                self.until_state(made, "finished", timeout=60)
                self.check_end(made, sent=0, failed=0, uncertain=4)
                self.assertEqual({value[1] for value in self.results(made).values()}, {"held"})

    def test_endless_reply_in_the_middle__has_a_verdict_and_the_rest_is_sent(self):
        office = self.office(at_rcpt=lambda address, nth: "250-x\r\n" * 200000 + "250 ok" if address == to(5) and nth == 1
                             else "250 ok")
        made = self.post(office.port, timeout="2s")
        self.drop(made)
        made.once()
        shown = made.show("a")
        self.assertEqual((shown["failed"], shown["uncertain"], shown["sent"] + shown["retrying"]), (0, 0, 10))
        self.assertGreaterEqual(shown["sent"], 9)


class Steered(Read):
    def begin(self, count=3000, rate=300, confirm="false", more="", **settings):
        office = self.office()
        made = self.post(office.port, more=f"rate = {rate}; {settings.pop('channel', '')}", **settings)
        self.drop(made, count=count, more=more, confirm=confirm)
        made.start()
        made.until(lambda: len(office.got) > 50, "some were sent")
        return office, made

    def ways(self, made):
        """Each verb by the command and by an approval file."""
        return {"command": lambda verb: made.cli(verb, "a", check=0), "file": lambda verb: made.decide("a", "delivery", verb)}

    def test_pause_and_resume_and_stop__take_effect_within_a_second(self):
        for way in ("command", "file"):
            with self.subTest(way):
                office, made = self.begin(settle="2.0")
                say = self.ways(made)[way]
                began = time.monotonic()
                say("pause")
                made.until(lambda: self.state(made) == "paused", "paused", 2)
                made.until(lambda: not sending.workers(made), "the worker's end", 3)
                took, count = time.monotonic() - began, len(office.got)
                self.assertLess(took, steering.SOON)
                time.sleep(0.6)  # nothing comes: there is no other way to see that
                self.assertEqual(len(office.got), count)
                shown = made.show("a")
                self.assertEqual((shown["state"], shown["stage"], shown["sent"], shown["uncertain"]), ("paused", "outbox", count, 0))
                say("resume")
                made.until(lambda: len(office.got) > count + 50, "more are sent")
                self.assertEqual(self.state(made), "sending")
                began = time.monotonic()
                say("stop")
                self.until_state(made, "stopped", timeout=3)
                took, count = time.monotonic() - began, len(office.got)
                self.assertLess(took, steering.SOON)
                self.check_end(made, "stopped", sent=count, uncertain=0)
                self.assertEqual(self.cost(made), ("0.00", f"{count // 100}.{count % 100:02d}"))
                self.assertEqual(len(set(office.to())), count)
                self.assertEqual(collections.Counter(v for _, v, _ in self.results(made).values()),
                                 {"sent": count, "unsent": 3000 - count})
                made.stop()

    def test_a_relay_that_is_silent_on_one_connection__holds_up_no_pause_resume_or_stop(self):
        let_go = threading.Event()
        self.addCleanup(let_go.set)
        office = self.office(at_rcpt=lambda address, nth: let_go.wait(60 if address == to(1) else 0) and "250 ok" or "250 ok")
        made = self.post(office.port, timeout="60s", connections=2, more="rate = 300;")
        self.drop(made, count=3000)
        steering.check(self, made, lambda: len(office.got), lambda: office.asked[to(1)] == 1 and not let_go.is_set())
        self.assertEqual(len(set(office.to())), len(office.got))

    def test_pause_of_a_relay_that_is_away__and_stop(self):
        made = self.post(relay.free_port())
        self.drop(made)
        made.start()
        made.until(lambda: made.place("a") == ["outbox"] and made.show("a")["reason"], "a reason")
        made.cli("pause", "a", check=0)
        made.until(lambda: self.state(made) == "paused", "paused", 2)
        made.cli("stop", "a", check=0)
        self.until_state(made, "stopped", timeout=3)
        self.check_end(made, "stopped", sent=0, uncertain=0)
        self.assertEqual(self.cost(made), ("0.00", "0.00"))

    def test_end_of_the_daemon_in_the_middle__within_ten_seconds_and_it_goes_on(self):
        office, made = self.begin(1500, 500)
        began = time.monotonic()
        self.assertEqual(made.stop(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - began, 10)
        count = len(office.got)
        self.assertEqual((made.show("a")["sent"], made.show("a")["uncertain"], self.state(made)), (count, 0, "sending"))
        self.assertLess(count, 1500)
        made.once()
        self.check_end(made, sent=1500)
        self.assertEqual(sorted(office.to()), everybody(1500))

    @unittest.skipIf(house.SAN, "the sanitizers' library has to be the first one")
    def test_failed_sync_of_progress__ends_the_daemon_with_74_and_it_goes_on_when_started_again(self):
        (self.dir / "sync.c").write_text(BAD_SYNC)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.dir / "sync.so", self.dir / "sync.c"], check=True, timeout=60)
        office = self.office()
        made = self.post(office.port, more="rate = 100;")
        self.drop(made, count=200)
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=str(self.dir / "sync.so")):
            made.start()
        self.assertEqual(made.daemon.wait(30), 74, made.log())
        made.start()
        self.until_state(made, "finished")
        self.check_end(made, sent=200)

    def test_end_of_the_daemon_while_the_relay_is_silent__within_ten_seconds(self):
        office = self.office(at_dot=lambda address, nth: time.sleep(20) or "250 ok")
        made = self.post(office.port, timeout="60s")
        self.drop(made)
        made.start()
        made.until(lambda: office.ends, "a message is there")
        began = time.monotonic()
        self.assertEqual(made.stop(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - began, 10)

    def test_pause_while_the_relay_is_slow_to_answer__is_paused_at_once_and_nobody_is_uncertain(self):
        office = self.office(at_dot=lambda address, nth: time.sleep(7 if address == to(1) else 0) or "250 ok")
        made = self.post(office.port, timeout="60s", connections=1)
        self.drop(made, count=1)
        made.start()
        made.until(lambda: office.ends, "a message is there")
        made.cli("pause", "a", check=0)
        made.until(lambda: self.state(made) == "paused", "paused", 2)
        made.until(lambda: not sending.workers(made), "the worker's end", 15)
        self.assertEqual([word for word, _ in self.progress(made).of(1)], ["try", "sent"])
        made.cli("resume", "a", check=0)
        self.until_state(made, "finished")
        self.check_end(made, sent=1, uncertain=0)

    def test_uncertain_after_a_second_try__is_not_sent_again_at_once(self):
        let_go = threading.Event()
        office = self.office(at_rcpt=lambda address, nth: let_go.wait(60) and "250 ok")
        self.addCleanup(let_go.set)
        made = self.post(office.port, timeout="60s", connections=1)
        self.drop(made, count=1)
        for nth in (1, 2):
            made.start()
            made.until(lambda: office.asked[to(1)] == nth and self.progress(made).numbers("try") == [1] * nth, f"try {nth}")
            pid, = sending.workers(made)
            made.stop(signal.SIGKILL)
            made.until(lambda: not sending.workers(made), "the worker dies with the daemon", 10)
        made.start()
        made.until(lambda: made.show("a")["reason"], "it waits")
        rests = [rest for word, rest in self.progress(made).of(1) if word == "resend"]
        self.assertEqual([rest.split()[1] for rest in rests], ["0", "60"])
        self.assertEqual(office.asked[to(1)], 2)

    def test_addresses_that_failed_for_good_elsewhere__recall_no_other_delivery(self):
        office = self.office(at_rcpt=lambda address, nth: "550 5.1.1 no such user" if address.startswith("gone") else "250 ok")
        made = self.post(office.port, more="rate = 100;")
        self.drop(made, count=1200)
        made.start()
        made.until(lambda: len(office.got) > 50, "some were sent")
        pids = sending.workers(made)
        self.drop(made, "b", count=1, email=lambda n: "gone@example.net")
        self.until_state(made, "finished", id="b")
        self.assertIn("gone@example.net", (made.spool / "quarantine/email.csv").read_text())
        self.until_state(made, "finished")
        self.check_end(made, sent=1200, uncertain=0)
        self.assertEqual(len(pids), 1)
        self.assertNotIn("sending-later", made.log())

    def test_list_that_is_written_all_the_time__recalls_once_in_a_while(self):
        office = self.office()
        made = self.post(office.port, more='rate = 100; suppress = [ "optout.csv" ];')
        (made.etc / "optout.csv").write_text("recipient_id\n")
        self.drop(made, count=1200)
        made.start()
        made.until(lambda: len(office.got) > 50, "some were sent")
        while self.state(made) == "sending":
            (made.etc / "optout.csv").write_text(f"recipient_id\nX{len(office.got)}\n")
            time.sleep(1)  # the list's own pace
        self.until_state(made, "finished")
        self.check_end(made, sent=1200, uncertain=0)
        self.assertEqual(made.log().count("sending-later"), 1)

    def test_list_of_who_is_not_contacted_changes_while_sending__is_obeyed(self):
        office = self.office()
        made = self.post(office.port, more='rate = 100; suppress = [ "optout.csv" ];')
        (made.etc / "optout.csv").write_text("recipient_id\n")
        self.drop(made, count=2000)
        made.start()
        made.until(lambda: len(office.got) > 50, "some were sent")
        (made.etc / "optout.csv").write_text("recipient_id\nR001999\nR002000\n")
        known = made.spool / "quarantine/email.csv"
        known.write_text("address,key\nr1998@example.net,\n")
        made.until(lambda: "sending-later" in made.log(), "the worker came back", 30)
        made.conf.write_text(made.conf.read_text().replace("rate = 100", "rate = 0"))
        made.stop()
        made.once()
        self.check_end(made, sent=1997, uncertain=0)
        self.assertEqual(sorted(office.to()), sorted(set(everybody(2000)) - {to(1998), to(1999), to(2000)}))
        self.assertEqual(sorted(rest for word, _, rest in self.progress(made).events if word == "suppressed"),
                         ["quarantined", "suppressed", "suppressed"])


class Together(Read):
    """Two deliveries of one channel: to the relay they are one."""

    def test_rate__is_that_of_the_channel(self):
        office = self.office()
        made = self.post(office.port, more="rate = 200;")
        for id in "ab":
            self.drop(made, id, count=400)
        made.once()
        for id in "ab":
            self.check_end(made, id=id, sent=400)
        times = sorted(office.times)
        self.assertGreater(times[-1] - times[0], (800 - 20) / 200)  # 20: what a pause of a twentieth of a second lets go at once

    def test_one_connection__one_delivery_after_the_other(self):
        office = self.office()
        made = self.post(office.port, connections=1)
        for id in "abc":
            self.drop(made, id, count=200)
        made.once()
        for id in "abc":
            self.check_end(made, id=id, sent=200)
        self.assertEqual(office.most, 1)

    def test_connections__are_shared_while_both_are_sent(self):
        office = self.office(at_dot=lambda address, nth: time.sleep(0.005) or "250 ok")
        made = self.post(office.port, connections=4, more="rate = 400;")
        self.drop(made, "a", count=4000)
        made.start()
        made.until(lambda: office.open == 4, "the first one has all")
        self.drop(made, "b", count=4000)
        made.until(lambda: len(sending.workers(made)) == 2 and made.show("b")["sent"] > 50, "both are sent")
        made.until(lambda: office.open <= 4, "they share", 10)
        at = made.show("a")["sent"], made.show("b")["sent"]
        for _ in range(20):
            self.assertLessEqual(office.open, 4)
            time.sleep(0.05)  # what is looked at is a time
        made.until(lambda: made.show("a")["sent"] > at[0] and made.show("b")["sent"] > at[1], "both go on")
        made.cli("stop", "b", check=0)
        self.until_state(made, "stopped", id="b")
        made.until(lambda: office.open == 4, "the first one has all again")
        made.cli("stop", "a", check=0)
        self.until_state(made, "stopped")

    def test_a_long_one_makes_room_for_those_that_wait(self):
        office = self.office()
        made = self.post(office.port, connections=1, more="rate = 50;")
        self.drop(made, "a", count=10000)
        made.start()
        made.until(lambda: len(office.got) > 5, "it is being sent")
        self.drop(made, "b", count=5)
        self.until_state(made, "finished", id="b", timeout=60)
        count = len(office.got)
        self.assertEqual(self.state(made), "sending")
        made.until(lambda: len(office.got) > count + 50, "the long one goes on")
        self.assertEqual((office.most, made.show("a")["uncertain"]), (1, 0))
        made.cli("stop", "a", check=0)
        self.until_state(made, "stopped")


class Hours(Read):
    def test_waves__each_begins_at_its_time(self):
        for size, ends in (("3", [3, 6, 9, 10]), ('"50%"', [5, 10])):
            with self.subTest(size):
                office = self.office()
                made = self.post(office.port)
                self.drop(made, more=f'waves = {{ size = {size}; every = "2s"; }};')
                made.start()
                self.until_state(made, "finished")
                fixed = re.search(r"^(\S+) fixed ", made.journal("a"), re.M)[1]
                began = datetime.datetime.fromisoformat(fixed).timestamp()
                counts = collections.Counter(int((at - began) // 2) for at in office.times)
                self.assertEqual([sum(counts[k] for k in range(n + 1)) for n in range(len(ends))], ends, counts)
                self.check_all(office.got, 10)

    def test_not_after_between_waves__is_finished_then_with_the_rest_expired(self):
        office = self.office()
        made = self.post(office.port)
        late = in_seconds(5)
        self.drop(made, more=f'waves = {{ size = 3; every = "1h"; }}; schedule = {{ not_after = "{late}"; }};')
        made.start()
        self.until_state(made, "finished", "failed", timeout=15)
        self.check_end(made, sent=3, expired=7, failed=0)
        self.assertEqual(self.cost(made), ("0.00", "0.03"))
        self.assertEqual(collections.Counter(v for _, v, _ in self.results(made).values()), {"sent": 3, "expired": 7})

    def test_not_after_and_nobody_was_sent_to__is_failed_too_late(self):
        made = self.post(relay.free_port())
        late = in_seconds(5)
        self.drop(made, more=f'schedule = {{ not_after = "{late}"; }};')
        made.start()
        self.until_state(made, "finished", "failed", timeout=15)
        shown = self.check_end(made, "failed", sent=0, expired=10)
        self.assertEqual(shown["reason"], "too late")
        self.assertEqual(self.cost(made), ("0.00", "0.00"))

    def test_not_after_while_it_waits_to_be_confirmed__is_failed_too_late(self):
        made = self.post(relay.free_port())
        self.drop(made, more=f'schedule = {{ not_after = "{in_seconds(3)}"; }};', confirm="true")
        made.start()
        self.until_state(made, "confirmation-pending")
        self.until_state(made, "failed", timeout=10)
        self.assertEqual(made.show("a")["reason"], "too late")

    def test_not_after_while_it_is_paused__is_finished_with_the_rest_expired(self):
        office = self.office()
        made = self.post(office.port)
        self.drop(made, more=f'waves = {{ size = 3; every = "1h"; }}; schedule = {{ not_after = "{in_seconds(6)}"; }};')
        made.start()
        made.until(lambda: len(office.got) == 3, "the first wave")
        made.cli("pause", "a", check=0)
        self.until_state(made, "paused")
        self.until_state(made, "finished", timeout=15)
        self.check_end(made, sent=3, expired=7, failed=0)

    def test_not_after_before_an_uncertain_one_could_be_sent_again__it_is_held_as_it_may_have_come(self):
        let_go = threading.Event()
        self.addCleanup(let_go.set)
        office = self.office(at_dot=lambda address, nth: let_go.wait(60 if address == to(3) else 0) and "250 ok" or "250 ok")
        made = self.post(office.port, timeout="60s", connections=1)
        self.drop(made, more=f'schedule = {{ not_after = "{in_seconds(8)}"; }};')
        made.start()
        made.until(lambda: office.ends[to(3)] == 1, "its last byte has left")
        made.stop(signal.SIGKILL)
        let_go.set()
        office.close()
        made.start()
        self.until_state(made, "finished", "failed", timeout=20)
        verdicts = collections.Counter(verdict for _, verdict, _ in self.results(made).values())
        self.assertEqual(verdicts["held"], made.show("a")["uncertain"])
        self.assertEqual(self.results(made)["R000003"][1], "held")
        self.assertEqual(verdicts["held"] + verdicts["sent"] + verdicts["expired"], 10)

    def test_not_after_before_a_temporary_failure_is_tried_again__is_the_end(self):
        office = self.office(at_rcpt=lambda address, nth: "451 4.3.0 later" if address == to(3) else "250 ok")
        made = self.post(office.port)
        self.drop(made, more=f'schedule = {{ not_after = "{in_seconds(5)}"; }};')
        made.start()
        self.until_state(made, "finished", timeout=15)
        self.check_end(made, sent=9, expired=1)


if __name__ == "__main__":
    house.main()
