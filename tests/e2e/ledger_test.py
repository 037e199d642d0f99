#!/usr/bin/env python3
"""The ledgers: what an extraction costs and uses, that it is undone by a restart or stop, and that nobody can alter it unseen."""
import datetime
import hashlib
import re
import zoneinfo

import house
import look

RULES = """
      costs = (
        { category = "a"; type = "fixed"; rule = "fixed"; amount = "150.00"; },
        { category = "b"; type = "linear"; rule = "linear"; amount = "12.00"; per = 1000; },
        { category = "c"; type = "threshold"; rule = "linear_by_threshold"; steps = ( { upto = 100; amount = "0.13"; }, { upto = 1000; amount = "0.12"; } ); beyond = "0.11"; },
        { category = "d"; type = "flat"; rule = "constant_by_threshold"; steps = ( { upto = 100; amount = "12"; }, { upto = 1000; amount = "100"; } ); beyond = "500"; },
        { category = "e"; type = "unselected"; rule = "fixed"; amount = "9.00"; selected = false; },
        { category = "f"; type = "least"; rule = "linear"; amount = "0.01"; minimum = "7.50"; } );
"""


def chain_of(text):
    """Checks every chain line of a journal by its own definition; number and hash of the last."""
    number, last = 0, "0" * 64
    assert text.endswith("\n\n")
    for entry in text.removesuffix("\n\n").split("\n\n"):
        body, chain = entry.rsplit("\n", 1)
        number += 1
        last = hashlib.sha256((last + body + "\n").encode()).hexdigest()
        assert chain.strip() == f"; chain: {number} {last}", (chain, number, last)
    return number, last


class Case(house.Case):
    def postings(self, h, name, key):
        """Account -> amount of one entry."""
        entry = next(e for e in look.ledger(h, name).split("\n\n") if f"({key})" in e.split("\n")[0])
        found = {}
        for line in entry.split("\n")[1:]:
            if not line.strip().startswith(";"):
                account, amount = re.match(r"\s+(\S+)\s\s+(.*\S)", line).groups()
                found[account] = amount
        return found

    def sent(self, count=10, files=None, more="", target="", rules=None, **settings):
        h = self.house(**settings)
        if rules:
            conf = h.conf.read_text()
            start, end = conf.index("      costs = ("), conf.index("      layout = ")
            h.conf.write_text(conf[:start] + rules + conf[end:])
        h.drop("a", files or {"recipients.csv": house.recipients(count)}, more=more, target=target)
        h.once()
        self.assertEqual(h.refused(), {})
        return h


class Rules(Case):
    def costs(self, count):
        h = self.sent(count, rules=RULES)
        found = self.postings(h, "cost", "a/extraction/1")
        due = found.pop("due:committed:nord-routage:letter")
        total = sum(round(float(v.split()[0]) * 100) for v in found.values())
        self.assertEqual(round(float(due.split()[0]) * 100), -total)
        prefix = "cost:committed:loyalty:spring-2027:a:"
        self.assertTrue(all(account.startswith(prefix) for account in found))
        return {account.removeprefix(prefix): amount for account, amount in found.items()}

    def test_each_rule_on_both_sides_of_a_threshold(self):
        for count, b, c, d, f in ((100, "1.20", "13.00", "12.00", "7.50"), (101, "1.21", "12.12", "100.00", "7.50"),
                                  (1000, "12.00", "120.00", "100.00", "10.00"), (1001, "12.01", "110.11", "500.00", "10.01")):
            with self.subTest(count):
                self.assertEqual(self.costs(count), {"a:fixed": "150.00 EUR", "b:linear": f"{b} EUR", "c:threshold": f"{c} EUR",
                                                     "d:flat": f"{d} EUR", "f:least": f"{f} EUR"})

    def test_a_line_is_rounded_half_away_from_zero(self):
        h = self.sent(5, rules='costs = ( { category = "x"; type = "y"; rule = "linear"; amount = "1.00"; per = 1000; } );')
        self.assertEqual(self.postings(h, "cost", "a/extraction/1")["cost:committed:loyalty:spring-2027:a:x:y"], "0.01 EUR")
        h = self.sent(4, rules='costs = ( { category = "x"; type = "y"; rule = "linear"; amount = "1.00"; per = 1000; }, '
                               '{ category = "x"; type = "z"; rule = "fixed"; amount = "1.00"; } );')
        self.assertNotIn("0.01", " ".join(self.postings(h, "cost", "a/extraction/1").values()))

    def test_named_costs_and_no_others_and_a_surcharge_is_a_line_of_its_own(self):
        h = self.sent(10, more='costs = ( { category = "postage"; type = "eco"; surcharge = "2.50"; }, { category = "setup"; type = "flat"; } );')
        amounts = re.findall(r"^    (\S+) +(\S+) EUR$", look.ledger(h, "cost"), re.M)
        self.assertEqual(sorted(amount for _, amount in amounts), sorted(["1.30", "2.50", "150.00", "-153.80"]))
        self.assertFalse(any("envelope" in account for account, _ in amounts))

    def test_seeds_are_pieces_too(self):
        seeds = ",".join(house.HEADER) + "\n" + "".join(f"S{n}" + "," * 15 + "\n" for n in range(3))
        h = self.sent(files={"recipients.csv": house.recipients(100), "seeds.csv": seeds}, target='seeds = "seeds.csv";')
        self.assertEqual(self.postings(h, "cost", "a/extraction/1")["cost:committed:loyalty:spring-2027:a:postage:eco"], "12.36 EUR")
        self.assertEqual(self.postings(h, "stock", "a/extraction/1")["consumed:loyalty:spring-2027:a"], '103 "env-c5"')

    def test_an_unknown_cost_is_refused_with_the_line_that_names_it(self):
        h = self.house()
        h.drop("a", more='costs = ( { category = "postage"; type = "express"; } );')
        h.once()
        self.assertRegex(h.refused()["a"], r"delivery\.conf:\d+: .*express")


class Entries(Case):
    def test_entry_key_date_chain_and_blank_line_as_the_contract_writes_them(self):
        h = self.sent(797)
        day = datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Paris")).date().isoformat()
        text = look.ledger(h, "cost")
        self.assertRegex(text, rf"\A{day} \* \(a/extraction/1\) committed\n"
                               r"    cost:committed:loyalty:spring-2027:a:envelope:c5 {2,}9\.56 EUR\n"
                               r"    cost:committed:loyalty:spring-2027:a:postage:eco {2,}95\.64 EUR\n"
                               r"    due:committed:nord-routage:letter {2,}-105\.20 EUR\n"
                               r"    ; chain: 1 [0-9a-f]{64}\n\n\Z")
        chain_of(text)
        self.assertEqual(chain_of(look.ledger(h, "stock"))[0], 2)
        self.assertEqual(self.postings(h, "stock", "a/extraction/1"), {"consumed:loyalty:spring-2027:a": '797 "env-c5"', "stock:nord:env-c5": '-797 "env-c5"'})

    def test_the_journal_and_the_manifest_are_witnesses_of_the_chain(self):
        h = self.sent(3, approvals="extraction = true;")
        h.drop("b")
        h.once()
        cost = chain_of(look.ledger(h, "cost"))
        line = next(e for e in look.events(h, "b") if e["event"] == "extracted")
        self.assertEqual(line["cost"], f"{cost[0]}:{cost[1]}")
        h.decide("b", "extraction", "approve")
        h.once()
        heads = look.manifest(h.pickup()[0])["ledger"]
        first = re.search(r"; chain: (1) ([0-9a-f]{64})", look.ledger(h, "cost")).groups()
        self.assertIn(first[1], str(heads["cost"]), "the head when the rows were fixed: b's entry came after it")

    def test_the_opening_is_written_once(self):
        h = self.sent(3)
        for id in ("b", "c"):
            h.drop(id)
            h.once()
        self.assertEqual([k for k in look.keys(h, "stock") if "opening" in k], [k for k in look.keys(h, "stock")][:1])
        self.assertEqual(len(look.keys(h, "stock")), len(set(look.keys(h, "stock"))))

    def test_stock_may_go_negative_with_a_warning_and_is_handed_over(self):
        self.need("hledger")
        h = self.sent(1200, approvals="target = true; extraction = true;")
        self.assertIn("env-c5", str(h.show("a")["warnings"]), "told where the target is approved")
        h.decide("a", "target", "approve")
        h.once()
        self.assertIn("env-c5", str(h.show("a")["warnings"]), "and where the file is approved")
        h.decide("a", "extraction", "approve")
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")
        self.assertEqual(look.balances(h, "stock", "hledger")["stock:nord:env-c5"], "-200 env-c5")

    def test_an_order_is_received_by_itself_on_its_date_once(self):
        h = self.house()
        h.conf.write_text(h.conf.read_text().replace('alert = 200;', 'alert = 200; orders = ( { id = "o-17"; date = "2024-03-05"; quantity = 500; }, '
                                                                      '{ id = "o-18"; date = "2099-03-05"; quantity = 9000; } );'))
        for id in ("a", "b"):
            h.drop(id)
            h.once()
        text = look.ledger(h, "stock")
        self.assertEqual(text.count("o-17"), 1, text)
        self.assertNotIn("o-18", text)
        self.assertIn('500 "env-c5"', text)
        chain_of(text)

    def test_dates_are_in_the_houses_timezone(self):
        h = self.house()
        far = "Pacific/Kiritimati" if datetime.datetime.now(datetime.timezone.utc).hour >= 10 else "Pacific/Pago_Pago"
        h.conf.write_text(h.conf.read_text().replace("Europe/Paris", far))
        h.drop("a")
        h.once()
        day = datetime.datetime.now(zoneinfo.ZoneInfo(far)).date().isoformat()
        self.assertTrue(look.ledger(h, "cost").startswith(day))
        self.assertIn(day, h.pickup()[0].name)

    def test_dates_never_go_back(self):
        h = self.sent(3)
        conf = h.conf.read_text()
        h.conf.write_text(conf.replace("Europe/Paris", "Pacific/Kiritimati"))
        h.drop("b")
        h.once()
        h.conf.write_text(conf.replace("Europe/Paris", "Pacific/Pago_Pago"))
        h.drop("c")
        h.once()
        for name in ("cost", "stock"):
            dates = re.findall(r"^(\d{4}-\d\d-\d\d) ", look.ledger(h, name), re.M)
            self.assertEqual(dates, sorted(dates))

    def test_many_in_one_run_share_one_chain_and_no_key_stands_twice(self):
        h = self.house()
        for n in range(25):
            h.drop(f"d{n}", {"recipients.csv": house.recipients(n + 1)})
        h.once()
        for name, count in (("cost", 25), ("stock", 26)):
            self.assertEqual(chain_of(look.ledger(h, name))[0], count)
            self.assertEqual(len(set(look.keys(h, name))), count)


class Undone(Case):
    def test_restart_reverses_and_writes_anew(self):
        h = self.sent(10, approvals="extraction = true;")
        before = self.postings(h, "cost", "a/extraction/1")
        h.decide("a", "extraction", "restart")
        h.once()
        for name in ("cost", "stock"):
            self.assertEqual([k for k in look.keys(h, name) if k.startswith("a/")], ["a/extraction/1", "a/extraction/1/reversed", "a/extraction/2"])
        turned = self.postings(h, "cost", "a/extraction/1/reversed")
        self.assertEqual({a: v.lstrip("-") for a, v in turned.items()}, {a: v.lstrip("-") for a, v in before.items()})
        self.assertTrue(all(v.startswith("-") != before[a].startswith("-") for a, v in turned.items()))
        self.assertEqual(self.postings(h, "cost", "a/extraction/2"), before)

    def test_stop_reverses_cost_and_stock_to_nothing(self):
        self.need("hledger")
        h = self.sent(10, approvals="extraction = true;")
        h.decide("a", "delivery", "stop")
        h.once()
        self.assertEqual(look.balances(h, "cost", "hledger"), {})
        self.assertEqual(look.balances(h, "stock", "hledger"), {"stock:nord:env-c5": "1000 env-c5", "equity:opening": "-1000 env-c5"})

    def test_recalled_reverses_too(self):
        h = self.sent(10)
        h.decide("a", "delivery", "stop", more="recalled = true;")
        h.once()
        self.assertEqual([k for k in look.keys(h, "cost")], ["a/extraction/1", "a/extraction/1/reversed"])


class Readers(Case):
    def test_hledger_and_ledger_balance_to_the_same_figures(self):
        for program in ("hledger", "ledger"):
            self.need(program)
        h = self.sent(797, approvals="extraction = true;")
        h.decide("a", "extraction", "restart")
        h.drop("b", {"recipients.csv": house.recipients(50)}, more='costs = ( { category = "postage"; type = "eco"; surcharge = "2.50"; } );')
        h.once()
        for name in ("cost", "stock"):
            one, other = look.balances(h, name, "hledger"), look.balances(h, name, "ledger")
            def figures(found):
                return {a: (float(v.split()[0]), v.split()[1]) for a, v in found.items()}
            self.assertEqual(figures(one), figures(other))
        self.assertEqual(look.balances(h, "cost", "hledger")["due:committed:nord-routage:letter"], "-114.20 EUR")  # 105.20 + 6.50 + 2.50
        for name in ("cost", "stock"):
            look.run(f"hledger -f {h.spool}/ledger/{name}.journal check ordereddates")


class Damage(Case):
    def test_a_torn_tail_is_cut_at_start_and_kept_aside(self):
        h = self.sent(3)
        whole = look.ledger(h, "cost")
        for torn in (whole[-len(whole) // 2:-30], "2027-03-01 * (x/extraction/1) committed\n    cost:comm", whole.split("\n\n")[0].replace("(a/", "(z/") + "\n"):
            with self.subTest(torn[-20:]):
                path = h.spool / "ledger/cost.journal"
                path.write_text(whole + torn)
                h.once()
                self.assertEqual(look.ledger(h, "cost"), whole)
                kept = [p.read_text() for p in (h.spool / "ledger").iterdir() if p.name.startswith("cost.journal.torn-")]
                self.assertIn(torn, kept)
        h.drop("b")
        h.once()
        self.assertEqual(chain_of(look.ledger(h, "cost"))[0], 2)

    def test_a_tail_that_lacks_its_blank_line_alone_is_torn_too(self):
        h = self.sent(3)
        path = h.spool / "ledger/cost.journal"
        whole = path.read_text()
        path.write_text(whole + whole.replace("(a/", "(z/").removesuffix("\n"))
        h.once()
        self.assertEqual(path.read_text(), whole)

    def test_a_flipped_byte_stops_the_daemon_with_65_and_changes_nothing(self):
        h = self.sent(3)
        h.drop("b")
        h.once()
        for name in ("cost", "stock"):
            path = h.spool / f"ledger/{name}.journal"
            whole = path.read_bytes()
            for at in (len(whole) // 3, whole.index(b"; chain") + 30, 0):
                with self.subTest((name, at)):
                    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
                    damaged = path.read_bytes()
                    done = h.once(check=False)
                    self.assertEqual(done.returncode, 65, done.stderr)
                    self.assertIn(f"{name}.journal", done.stderr)
                    self.assertEqual(path.read_bytes(), damaged)
            path.write_bytes(whole)
        h.drop("c")
        self.assertEqual(h.once().counts["handed-over"], "1")

    def test_an_entry_taken_out_or_turned_round_stops_it_too(self):
        h = self.sent(3)
        for id in ("b", "c"):
            h.drop(id)
            h.once()
        path = h.spool / "ledger/cost.journal"
        whole = path.read_text()
        one, two, three = whole.removesuffix("\n\n").split("\n\n")
        for entries in ((one, three), (two, three), (one, three, two), (one, two, two, three)):
            path.write_text("".join(e + "\n\n" for e in entries))
            self.assertEqual(h.once(check=False).returncode, 65)

    def test_a_ledger_cut_at_an_entrys_end_is_known_by_a_manifest(self):
        h = self.sent(3)
        for id in ("b", "c"):
            h.drop(id)
            h.once()
        witness = h.where("c") / "extraction/manifest.json"
        h.cli("ledger", "verify", "--witness", witness, check=0)
        path = h.spool / "ledger/cost.journal"
        path.write_text(path.read_text().split("\n\n")[0] + "\n\n")
        done = h.cli("ledger", "verify", "--witness", witness, check=65)
        self.assertIn("cost", done.stdout + done.stderr)


if __name__ == "__main__":
    house.main()
