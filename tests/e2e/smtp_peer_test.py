"""Relays that misbehave: no hang, no loss, the right verdict for each message, and nothing of it costs the wrong one."""
import os
import signal
import subprocess
import threading
import time

import house
import relay


class Misbehaving(relay.Case):
    def peer(self, script):
        self.made = relay.Peer(self, script)
        return self.made.port

    def messages_for_ever(self, line):
        while True:
            line.message()

    def test_refusals_of_some_recipients__reach_those_and_no_others(self):
        def script(line, _):
            line.begin()
            for number in range(1, 7):
                rcpt = {2: "550 5.1.1 unknown", 4: "451 4.3.0 later"}.get(number, "250 ok")
                if rcpt == "250 ok":
                    line.message()
                else:
                    line.envelope(rcpt=rcpt, data="554 nobody")
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=6)
        self.assertEqual([told.of(n)[:2] for n in range(1, 7)],
                         [("sent", 250), ("permanent", 550), ("sent", 250), ("temporary", 451), ("sent", 250), ("sent", 250)])
        self.assertIn("2 permanent 550 a 5.1.1 unknown", told.text)

    def test_421_in_the_middle__the_rest_goes_over_a_new_connection(self):
        def script(line, number):
            line.begin()
            if number == 1:
                line.message()
                line.message("421 4.3.2 shutting down")
                return
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=6, again=1)
        self.assertEqual(told.of(1)[0], "sent")
        self.assertEqual(told.of(2), ("temporary", 421, "4.3.2 shutting down"))
        self.assertEqual((told.count("sent"), told.count("temporary"), told.count("uncertain")), (5, 1, 0))
        self.assertEqual(self.made.count, 2)

    def test_closed_after_the_final_dot__is_uncertain_and_the_next_is_untried(self):
        def script(line, number):
            line.begin()
            if number == 1:
                line.message(reply=None)
                return
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=3, again=1)
        self.assertEqual(told.of(1)[0], "uncertain")
        self.assertEqual(told.of(2)[0], "untried")
        self.assertEqual((told.count("sent"), told.count("uncertain"), told.count("temporary")), (2, 1, 0))

    def test_closed_in_the_middle_of_a_body__is_temporary(self):
        def script(line, number):
            line.begin()
            if number == 1:
                line.envelope()
                line.hear()
                return
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=1, size=4000000)
        self.assertEqual(told.of(1)[0], "temporary")

    def test_closed_at_mail__costs_no_attempt_however_often(self):
        def script(line, number):
            line.begin()
            if number < 3:
                line.hear()
                return
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=1, again=1)
        self.assertEqual((told.count("sent"), told.count("untried"), told.count("temporary")), (1, 2, 0))
        self.assertEqual(len(told.down), 2)  # it waited before it came again

    def test_endless_reply_and_line_of_64_kilobytes__end_the_connection(self):
        def endless(line, _):
            line.say("220 peer\r\n")
            line.hear()
            while True:
                line.say("250-more\r\n" * 50)
        told = self.send(self.peer(endless), tls="none", give_up_ms=300)
        self.assertIn("the peer's reply has more than 100 lines", told.down[0])

        def long_line(line, _):
            line.begin()
            line.envelope(mail=None)
            line.say(b"250 " + b"x" * 65536)
            line.wait_for_end()
        told = self.send(self.peer(long_line), tls="none", give_up_ms=300)
        self.assertIn("the peer's line is longer than 4096 bytes", told.down[0])
        self.assertEqual(told.of(1)[0], "untried")

        def endless_at_the_dot(line, _):
            line.begin()
            line.message(reply=None)
            while True:
                line.say("250-more\r\n" * 50)
        told = self.send(self.peer(endless_at_the_dot), tls="none")
        self.assertEqual(told.of(1)[0], "uncertain")

    def test_250_to_data__is_temporary_and_no_body_is_sent(self):
        seen = []

        def script(line, _):
            line.begin()
            line.envelope(data="250 sure")
            try:
                seen.append(line.hear())
            except EOFError:
                pass
        told = self.send(self.peer(script), tls="none")
        self.assertEqual(told.of(1)[:2], ("temporary", 250))
        self.assertEqual(seen, [])

    def test_no_answer__ends_after_the_timeout_wherever_it_is(self):
        def silent(line, _):
            line.wait_for_end()

        def at_rcpt(line, _):
            line.begin()
            line.envelope(rcpt=None)
            line.wait_for_end()

        def at_the_dot(line, _):
            line.begin()
            line.message(reply=None)
            line.wait_for_end()
        for script, verdict, why in ((silent, "untried", "the greeting"), (at_rcpt, "temporary", "a reply to RCPT"),
                                     (at_the_dot, "uncertain", "a reply to the end of the message")):
            start = time.monotonic()
            told = self.send(self.peer(script), tls="none", timeout_ms=500)
            self.assertEqual(told.of(1)[0], verdict)
            self.assertIn(f"waited for {why}", told.of(1)[2])
            self.assertLess(time.monotonic() - start, 5)

    def test_lines_that_never_end_a_reply__gain_no_time(self):
        def script(line, _):
            line.begin()
            line.envelope(rcpt=None)
            while True:
                line.say("250-wait\r\n")
                time.sleep(0.1)
        start = time.monotonic()
        told = self.send(self.peer(script), tls="none", timeout_ms=700)
        self.assertEqual(told.of(1)[0], "temporary")
        self.assertLess(time.monotonic() - start, 5)

    def test_peer_that_reads_nothing__is_left_after_the_timeout(self):
        def script(line, _):
            line.begin()
            line.envelope()
            stop.wait(30)
        stop = threading.Event()
        self.addCleanup(stop.set)
        port = self.peer(script)
        told = self.send(port, tls="none", size=30000000, timeout_ms=1000, limit_s=20)
        stop.set()
        self.assertEqual(told.of(1)[0], "temporary")
        self.assertIn("waited for the peer to take a message", told.of(1)[2])

    def test_nobody_listens__is_down_with_reason_and_costs_nobody_an_attempt(self):
        told = self.send(relay.free_port(), tls="none", count=20, give_up_ms=1500, connections=5)
        self.assertEqual(told.count("untried"), 20)
        self.assertIn("Connection refused", told.down[0])
        self.assertEqual(told.count("temporary"), 0)

    def test_name_with_several_addresses__the_one_that_answers_is_found(self):
        def script(line, _):
            line.begin()
            self.messages_for_ever(line)
        told = self.send(self.peer(script), host="localhost", tls="none", count=3)  # ::1 first, where it is known
        self.assertEqual(told.count("sent"), 3)

    def test_name_that_nobody_knows__holds_nobody_up(self):
        start = time.monotonic()
        told = self.send(25, host="relay.invalid", tls="none", count=3, give_up_ms=500)
        self.assertEqual((told.count("untried"), told.count("temporary")), (3, 0))
        self.assertLess(time.monotonic() - start, 5)

    def test_relay_that_comes_back__gets_every_message_once(self):
        port = relay.free_port()
        seen = []

        def later():
            time.sleep(0.4)
            with relay.socket.create_server(("127.0.0.1", port)) as listener:
                made, _ = listener.accept()
                with made:
                    line = relay.Line(made)
                    line.begin()
                    try:
                        while True:
                            seen.append(line.message()[0])
                    except (EOFError, KeyError):
                        pass
        thread = threading.Thread(target=later, daemon=True)
        thread.start()
        told = self.send(port, tls="none", count=10, again=1)
        thread.join(10)
        self.assertEqual((told.count("sent"), told.count("temporary"), told.count("uncertain")), (10, 0, 0))
        self.assertEqual(len(seen), len(set(seen)))
        self.assertGreaterEqual(told.counts["seconds"], 0.9)  # the first back-off is a second

    def test_no_pipelining__one_command_at_a_time(self):
        def script(line, _):
            line.begin(offers=())
            for number in range(3):
                for word, reply in ((b"MAIL", "250 ok"), (b"RCPT", "250 ok"), (b"DATA", "354 go")):
                    assert line.hear().startswith(word)
                    assert line.buffer == b"", line.buffer
                    line.say(reply + "\r\n")
                line.body()
                assert line.buffer == b"", line.buffer
                line.say("250 ok\r\n")
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=3)
        self.assertEqual(told.count("sent"), 3)
        self.assertEqual(self.made.count, 1)

    def test_dots__arrive_as_they_were_sent(self):
        bodies = []

        def script(line, _):
            line.begin()
            bodies.append(line.message()[1])
            self.messages_for_ever(line)
        message = self.dir / "message"
        lines = [b"Subject: dots", b"", b".", b"..", b".hidden", b"RCPT TO:<x@example.net>", b".", b"end."]
        message.write_bytes(b"\r\n".join(lines) + b"\r\n")
        told = self.send(self.peer(script), tls="none", file=message)
        self.assertEqual(told.count("sent"), 1)
        self.assertEqual(bodies[0], [b"." + line if line.startswith(b".") else line for line in lines])

    def test_bare_line_feed_in_a_message__is_never_sent(self):
        seen = []

        def script(line, _):
            line.begin()
            while True:
                seen.append(line.hear())
                line.say("221 bye\r\n")
        message = self.dir / "message"
        message.write_bytes(b"Subject: smuggling\r\n\r\nhello\n.\r\nMAIL FROM:<evil@example.net>\r\n")
        told = self.send(self.peer(script), tls="none", file=message)
        self.assertEqual(told.of(1)[0], "permanent")
        self.assertNotIn(True, [line.startswith(b"MAIL") for line in seen])

    def test_most_messages_of_a_connection__then_quit_and_a_new_one(self):
        ends = []

        def script(line, _):
            line.begin()
            try:
                self.messages_for_ever(line)
            finally:
                ends.append([word for word in line.heard if word in (b"QUIT",) or word.startswith(b"MAIL")])
        told = self.send(self.peer(script), tls="none", count=10, max_messages=4)
        self.assertEqual(told.count("sent"), 10)
        relay.until(lambda: len(ends) == 3, "three connections ended")
        self.assertEqual(sorted(len(words) for words in ends), [3, 5, 5])
        self.assertTrue(all(words[-1] == b"QUIT" for words in ends))

    def test_answer_that_lies_there_after_a_standstill_of_ours__is_heard(self):
        gone, stopped, said = [], threading.Event(), threading.Event()

        def script(line, _):
            line.begin()
            line.envelope()
            line.body()
            gone.append(True)
            stopped.wait(30)
            line.say("250 ok\r\n")
            said.set()
            self.messages_for_ever(line)
        port = self.peer(script)
        trial = subprocess.Popen([relay.TRY, "tls=none", "timeout-ms=1500", "127.0.0.1", str(port)], stdout=subprocess.PIPE,
                                 text=True)
        relay.until(lambda: gone, "the message was taken")
        os.kill(trial.pid, signal.SIGSTOP)
        stopped.set()
        said.wait(30)
        time.sleep(2)  # longer than the timeout: that is what this is about
        os.kill(trial.pid, signal.SIGCONT)
        text, _ = trial.communicate(timeout=30)
        self.assertEqual(relay.Told(text).of(1)[:2], ("sent", 250))

    def test_rate__is_kept(self):
        def script(line, _):
            line.begin()
            self.messages_for_ever(line)
        told = self.send(self.peer(script), tls="none", count=30, rate=20, connections=4)
        self.assertEqual(told.count("sent"), 30)
        self.assertGreater(told.counts["seconds"], 1.3)
        self.assertLess(told.counts["seconds"], 3.0)

    def test_fewer_connections_than_asked_for__are_enough(self):
        lock = threading.Lock()
        live = [0]

        def script(line, _):
            with lock:
                live[0] += 1
                many = live[0] > 2
            try:
                if many:
                    line.say("421 4.7.0 too many connections\r\n")
                    return
                line.begin()
                self.messages_for_ever(line)
            finally:
                with lock:
                    live[0] -= 1
        told = self.send(self.peer(script), tls="none", count=1000, connections=10, again=1)
        self.assertEqual((told.count("sent"), told.count("temporary"), told.count("uncertain")), (1000, 0, 0))
        self.assertEqual(told.down, [])


if __name__ == "__main__":
    house.main()
