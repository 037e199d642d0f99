#!/usr/bin/env python3
"""Push and in-app messages: the HTTPS transport against nghttpd and a scripted service, and whole deliveries."""
import json
import os

import house
import pusher
import relay
import steering


class Answers(pusher.Case):
    def test_answers_have_their_verdicts(self):
        self.peer()
        for path, verdict, code, about, text in (
                ("/ok", "sent", 200, "-", "HTTP 200"),
                ("/long", "sent", 200, "-", "HTTP 200"),
                ("/status/404", "permanent", 404, "a", "HTTP 404 UNREGISTERED: what is wrong"),
                ("/status/403", "permanent", 403, "a", "HTTP 403 SENDER_ID_MISMATCH: what is wrong"),
                ("/status/400", "permanent", 400, "-", "HTTP 400 INVALID_ARGUMENT: what is wrong"),
                ("/apns/BadDeviceToken/400", "permanent", 400, "a", "HTTP 400 BadDeviceToken"),
                ("/apns/Unregistered/410", "permanent", 410, "a", "HTTP 410 Unregistered"),
                ("/plain/410", "permanent", 410, "a", "HTTP 410"),
                ("/status/500", "temporary", 500, "-", "HTTP 500 INTERNAL: what is wrong"),
                ("/plain/503", "temporary", 503, "-", "HTTP 503"),
                ("/reset", "uncertain", 0, "-", "HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)")):
            with self.subTest(path=path):
                told = self.knock(path)
                line, = [line for line in told.verdicts if line[0] == "1"]
                self.assertEqual((line[1], int(line[2]), line[3], line[4]), (verdict, code, about, text))

    def test_faults_of_ours_cost_nobody_an_attempt(self):
        self.peer()
        for path, reason in (("/apns/ExpiredProviderToken/403", "HTTP 403 ExpiredProviderToken"), ("/plain/401", "HTTP 401"),
                             ("/plain/404", "HTTP 404"), ("/plain/405", "HTTP 405"), ("/redirect", "HTTP 302")):
            with self.subTest(path=path):
                told = self.knock(path, count=5, give_up_ms=300)
                self.assertEqual((told.count("untried"), told.down[0]), (5, f"localhost: {reason}"))
        self.assertNotIn("/ok", [one["path"] for one in self.got()])  # no redirect was followed

    def test_retry_after_is_waited_for(self):
        self.peer()
        told = self.knock("/status/429?after=3600", count=50, again=1, give_up_ms=2500)
        self.assertEqual((told.count("temporary"), told.of(1)[:2]), (1, ("temporary", 429)))
        self.assertEqual(len(self.got()), 1)
        told = self.knock("/status/503?after=3600", count=50, again=1, give_up_ms=2500)
        self.assertEqual((told.count("temporary"), len(self.got())), (1, 2))

    def test_reason_holds_neither_token_nor_address(self):
        self.peer()
        secret = self.dir / "token"
        secret.write_text("tanstaaf-secret\n")
        told = self.knock("/echo/{{address}}", to="device-0123", token_file=secret)
        self.assertEqual(told.of(1), ("permanent", 400, "HTTP 400 BAD"))
        self.assertNotIn("tanstaaf", told.text)
        self.assertNotIn("device-0123", told.text)
        self.assertEqual(self.got()[0]["auth"], "Bearer tanstaaf-secret")

    def test_request_carries_key_headers_and_an_escaped_address(self):
        self.peer()
        self.knock("/ok/{{address}}", to="a/b c?d", header="apns-topic: com.example.app")
        got, = self.got()
        self.assertEqual((got["path"], got["key"], got["topic"], got["type"]),
                         ("/ok/a%2Fb%20c%3Fd", "trial.1", "com.example.app", "application/json"))


class Connections(pusher.Case):
    def once_each(self, count):
        """Everybody was told once, and the service got nobody twice that was not refused before."""
        keys = [one["key"] for one in self.got()]
        self.assertEqual((len(keys), len(set(keys))), (count, count))

    def test_answers_without_a_length_do_not_wear_out_a_connection(self):
        """Who resets their streams is refused by node's nghttp2 after 1,000 of them, though it processes what it refuses."""
        self.peer()
        told = self.knock(count=4000)
        self.assertEqual((told.count("sent"), told.count("untried")), (4000, 0))
        self.once_each(4000)

    def test_many_on_one_connection(self):
        self.peer()
        told = self.knock("/ok", count=900)
        self.assertEqual(told.count("sent"), 900)
        self.once_each(900)
        self.assertEqual({one["session"] for one in self.got()}, {1})

    def test_goaway__what_was_not_processed_goes_again_and_nothing_twice(self):
        self.peer()
        told = self.knock("/goaway/10", count=60, again=1, timeout_ms=3000)
        self.assertEqual((told.count("sent"), told.count("uncertain")), (60, 0))
        self.assertGreaterEqual(told.count("untried"), 50)
        self.once_each(60)
        self.assertGreaterEqual(len({one["session"] for one in self.got()}), 6)

    def test_refused_streams_go_again(self):
        self.peer()
        told = self.knock("/refuse/1", count=20, again=1, give_up_ms=10000)
        self.assertEqual((told.count("sent"), told.count("uncertain")), (20, 0))

    def test_connection_lost_with_requests_on_it__they_are_uncertain_and_not_sent_again(self):
        self.peer()
        told = self.knock("/cut/10", count=30, connections=1)
        self.assertGreaterEqual(told.count("uncertain"), 1)
        self.assertEqual(told.count("sent") + told.count("uncertain"), 30)
        keys = [one["key"] for one in self.got()]
        self.assertEqual(len(keys), len(set(keys)))

    def test_http_1_connection_lost__libcurl_does_not_send_again_by_itself(self):
        self.peer(kind="h1")
        told = self.knock("/h1cut", count=2, connections=1, give_up_ms=500)
        self.assertEqual((told.count("sent"), told.count("uncertain")), (1, 1))
        self.once_each(2)

    def test_http_1__all_are_sent(self):
        self.peer(kind="h1")
        self.assertEqual(self.knock("/h1", count=200, connections=4).count("sent"), 200)
        self.once_each(200)

    def test_no_answer_in_time__is_uncertain_and_the_others_wait(self):
        self.peer()
        told = self.knock("/silent", count=5, timeout_ms=500, give_up_ms=2500)
        self.assertEqual((told.count("uncertain"), len(self.got())), (1, 1))
        self.assertIn("no answer in time", told.down[0])

    def test_slow_answers__all_are_sent(self):
        self.peer()
        self.assertEqual(self.knock("/slow/300", count=100).count("sent"), 100)

    def test_nobody_there__costs_nobody_an_attempt(self):
        told = self.knock(url=f"https://localhost:{relay.free_port()}", count=3, give_up_ms=500)
        self.assertEqual(told.count("untried"), 3)
        self.assertIn("connect: Connection refused", told.down[0])

    def test_nginx_that_says_goaway_after_each_hundred__all_are_sent_and_nobody_twice(self):
        answered = self.nginx(100)
        told = self.knock("/ok", count=3000, connections=2, again=1)
        self.assertEqual((told.count("sent"), told.count("uncertain")), (3000, 0))
        rows = relay.until(lambda: len(answered()) >= 3000 and answered(), "nginx has written down all of them")
        self.assertEqual((len(rows), len({key for _, _, key in rows})), (3000, 3000))
        self.assertGreaterEqual(len({connection for _, connection, _ in rows}), 20)

    def test_nghttpd__all_are_sent(self):
        url = self.nghttpd()
        told = self.knock(url=url, count=5000, connections=2, quiet=1)
        self.assertEqual(told.count("sent"), 5000)


class Certificates(pusher.Case):
    def refused(self, **options):
        told = self.knock(count=3, give_up_ms=500, **options)
        self.assertEqual((told.count("untried"), told.count("sent")), (3, 0))
        self.assertEqual(self.got(), [])
        return told.down[0]

    def test_wrong_certificates_are_refused(self):
        for name, how in (("other", {"san": "DNS:other.example"}), ("cn", {"cn": "localhost"}),
                          ("own", {"san": "DNS:localhost", "own": True}),
                          ("old", {"san": "DNS:localhost", "dates": ("20200101000000Z", "20210101000000Z")})):
            with self.subTest(name=name):
                self.peer(self.authority.make(name, **how))
                self.assertIn("certificate", self.refused())

    def test_client_certificate_is_shown(self):
        mine = self.authority.make("mine", "DNS:us.example")
        self.peer(ca=self.authority.pem)
        self.assertEqual(self.knock(cert=mine, key=mine.with_suffix(".key"), count=2).count("sent"), 2)
        self.assertEqual(self.knock(count=2, give_up_ms=500).count("sent"), 0)


class Deliveries(pusher.Case):
    def check_end(self, made, id="a", **counts):
        self.assertEqual(made.place(id), ["done"], made.log()[-2000:])
        shown = made.show(id)
        self.assertEqual({name: shown[name] for name in counts}, counts)

    def test_by_file__from_the_drop_to_finished(self):
        made = self.house_of()
        self.drop(made)
        made.once()
        self.check_end(made, state="finished", sent=10, failed=0)
        folder = made.spool / "outbox/messages/push"
        names = sorted(path.name for path in folder.iterdir())
        self.assertEqual(names, sorted(f"a.1.{n}.json" for n in range(1, 11)))
        message = json.loads((folder / "a.1.3.json").read_text())
        self.assertEqual(message, {
            "reference": "a-3", "campaign": "spring-2027", "delivery": "a", "key": "R000003", "address": "token-3",
            "title": "Hello Zoé \"you\" \U0001F381", "body": "For Durand3\nnow", "image": "https://x.example/i.png",
            "video": "", "data": {"offer": "o-R000003", "count": 3, "is_new": True}})
        self.assertEqual(oct((folder / "a.1.3.json").stat().st_mode & 0o777), oct(0o640))

    def test_inapp__the_key_is_the_address_and_a_file_goes_along(self):
        made = self.house_of("inapp")
        self.drop(made, channel="inapp", content='body = "Hello"; image = "dot.gif";')
        made.once()
        self.check_end(made, state="finished", sent=10)
        message = json.loads((made.spool / "outbox/messages/inapp/a.1.1.json").read_text())
        self.assertEqual((message["address"], message["image"]), ("R000001", "data:image/gif;base64,R0lGODlh"))

    def test_by_http__results_and_quarantine_are_as_they_should_be(self):
        self.peer()
        made = self.by_http("/{{address}}")
        kinds = {1: "ok", 2: "status/404", 3: "apns/Unregistered/410", 4: "status/400", 5: "ok"}
        self.drop(made, count=5, mobile=lambda n: kinds[n])
        made.once()
        self.check_end(made, state="finished", sent=2, failed=3)
        self.assertEqual({key: (verdict, code) for key, (_, verdict, code) in self.results(made).items()}, {
            "R000001": ("sent", "200"), "R000002": ("permanent", "404"), "R000003": ("permanent", "410"),
            "R000004": ("permanent", "400"), "R000005": ("sent", "200")})
        quarantine = (made.spool / "quarantine/push.csv").read_text()
        self.assertEqual(sorted(line.split(",")[0] for line in quarantine.splitlines()[1:]), ["apns/Unregistered/410", "status/404"])
        self.drop(made, "b", count=5, mobile=lambda n: kinds[n])
        made.once()
        self.assertEqual(made.show("b")["excluded"], {"quarantined": 2})

    def test_an_answer_that_does_not_come_holds_up_no_pause_resume_or_stop(self):
        self.peer()
        made = self.by_http("/{{address}}", "rate = 100;", timeout="60s")
        self.drop(made, count=2000, mobile=lambda n: "silent" if n == 3 else "ok")
        answered = lambda: sum(one["path"] == "/ok" for one in self.got())
        silent = lambda: sum(one["path"] == "/silent" for one in self.got()) == 1
        self.assertEqual(steering.check(self, made, answered, silent), 1)

    def test_two_deliveries_share_rate_and_connections_and_nothing_is_lost(self):
        self.peer()
        made = self.by_http("/ok", "rate = 400;")
        for id in "ab":
            self.drop(made, id, count=600)
        made.once()
        for id in "ab":
            self.check_end(made, id, state="finished", sent=600, uncertain=0)
        keys = [one["key"] for one in self.got()]
        self.assertEqual((len(keys), len(set(keys))), (1200, 1200))

    def test_body_of_the_channel_is_used(self):
        self.peer()
        made = self.by_http("/ok", f'body = "{house.TOP}/templates/push-fcm.json";')
        self.drop(made, count=3)
        made.once()
        self.check_end(made, state="finished", sent=3)
        message = json.loads(self.got()[0]["body"])["message"]
        self.assertEqual((message["notification"]["body"], message["data"]["count"]), (f"For Durand{message['token'][6:]}\nnow", "3"))

    def test_samples_of_bodies_give_json(self):
        for name in ("push-fcm.json", "push-apns.json", "push-webhook.json"):
            made = self.house_of(settings=f'body = "{house.TOP}/templates/{name}";')
            self.drop(made, count=1)
            self.drop(made, "b", count=1, content='body = "b";')
            made.once()
            for id in "ab":
                self.check_end(made, id, state="finished", sent=1)
                json.loads((made.spool / f"outbox/messages/push/{id}.1.1.json").read_text())

    def test_body_that_gives_no_json_refuses_the_delivery(self):
        body = self.dir / "b.json"
        for text, reason in (('{"a": {{title}}}', "gives no JSON"), ('{"a": "{{titel}}"}', 'did you mean "title"')):
            body.write_text(text)
            made = self.house_of(settings=f'body = "{body}";')
            self.drop(made)
            made.once()
            self.assertIn(reason, made.refused()["a"])
            self.assertIn(f"{body}:1:", made.refused()["a"])

    def test_token_that_is_replaced_is_taken_up(self):
        self.peer()
        token = self.dir / "token"
        token.write_text("old\n")
        os.chmod(token, 0o600)
        made = self.by_http("/token/new", f'token_file = "{token}";')
        self.drop(made)
        made.start()
        made.until(lambda: "HTTP 401" in made.log() or made.place("a") == ["done"], "the old token is refused")
        self.assertEqual(made.place("a"), ["outbox"])
        other = self.dir / "token.new"
        other.write_text("new\n")
        os.chmod(other, 0o600)
        other.rename(token)
        made.until(lambda: made.place("a") == ["done"], "the new token is used")
        made.stop()
        self.check_end(made, state="finished", sent=10, failed=0)
        self.assertNotIn("old", "".join(line for line in made.log().splitlines() if "401" in line))

    def test_token_that_is_renewed_in_time_is_taken_up_by_a_worker_at_work(self):
        self.peer()
        token = self.dir / "token"
        token.write_text("old\n")
        os.chmod(token, 0o600)
        made = self.by_http("/ok", f'token_file = "{token}"; rate = 4;')
        self.drop(made, count=400)
        made.start()
        made.until(lambda: len(self.got()) > 2, "sending goes on")
        other = self.dir / "token.new"
        other.write_text("new\n")
        os.chmod(other, 0o600)
        other.rename(token)
        made.until(lambda: self.got()[-1]["auth"] == "Bearer new", "the new token is used", 30)
        made.stop()
        keys = [one["key"] for one in self.got()]
        self.assertEqual(len(keys), len(set(keys)))

    def test_secrets_that_others_can_read_are_refused_with_78(self):
        token = self.dir / "token"
        token.write_text("t\n")
        os.chmod(token, 0o644)
        made = self.house(top=f'channels = {{ push = {{ transport = "http"; url = "https://x.example/"; token_file = "{token}"; }}; }};')
        done = made.check()
        self.assertEqual(done.returncode, 78)
        self.assertIn("can be read or changed by others", done.stderr)

    def test_body_that_is_not_there_is_told_by_check(self):
        done = self.house(top='channels = { push = { body = "nowhere.json"; }; };').check()
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"postroom\.conf:\d+: body .*nowhere.json cannot be opened; make it")


if __name__ == "__main__":
    house.main()
