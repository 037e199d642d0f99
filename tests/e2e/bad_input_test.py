#!/usr/bin/env python3
"""Bad deliveries: what is wrong in delivery.conf, in columns and in rows is told with file, line, rule and mend.

Every test drops something bad beside a good delivery and sees the good one handed over by the same run of a daemon
that ends with 0: it did not crash, hang or lose anything.
"""
import gzip
import os

import bad
import house
import look


class DeliveryConf(bad.Case):
    def test_include_is_refused_and_reads_nothing(self):
        h = self.house()
        secret = h.dir / "secret.conf"
        secret.write_text('label = "the secret";\n')
        h.drop("bad", conf=bad.CONF + f'@include "{secret}"\n')
        self.beside_good(h)
        self.assertNotIn("the secret", self.refusal(h, "bad", rf"delivery\.conf:{bad.lines_of(bad.CONF)}: .*@include"))

    def test_a_comment_never_closed(self):
        self.refused_conf(bad.CONF + "/* and so on\n\n\n", rf"delivery\.conf:{bad.lines_of(bad.CONF)}: .*comment")

    def test_an_integer_past_32_bits(self):
        conf = bad.CONF.replace('key = "recipient_id"', '\n limit = 4294967297; key = "recipient_id"')
        self.refused_conf(conf, r"delivery\.conf:4: .*32 bits")

    def test_an_integer_far_past_64_bits_and_below_zero(self):
        for number in ("99999999999999999999999", "-4294967297", "0xFFFFFFFFFFFFFFFFF"):
            with self.subTest(number):
                self.refused_conf(bad.CONF.replace("key =", f"limit = {number}; key ="), r"delivery\.conf:3: ")

    def test_over_1_mib(self):
        self.refused_conf(bad.CONF + "#" * (1 << 20), r"delivery\.conf(:\d+)?: .*1 MiB")

    def test_just_under_1_mib_is_read(self):
        h = self.house()
        h.drop("a", conf=bad.CONF + "#" * ((1 << 20) - len(bad.CONF.encode())))
        self.beside_good(h)
        self.assertEqual(h.refused(), {})

    def test_syntax_names_the_line(self):
        self.refused_conf('campaign = "spring-2027";\nchannel = ;\n', r"delivery\.conf:2: ")

    def test_a_comma_before_a_closing_bracket(self):
        self.refused_conf(bad.CONF + 'documents = [ "a.pdf", ];\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: ")

    def test_a_setting_twice(self):
        self.refused_conf(bad.CONF + 'label = "again";\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: ")

    def test_a_text_where_a_number_is_wanted(self):
        self.refused_conf(bad.CONF.replace("key =", 'limit = "many"; key ='), r"delivery\.conf:3: .*limit")

    def test_empty(self):
        self.refused_conf("", r"delivery\.conf: .*campaign")

    def test_random_bytes_and_nul_and_latin1(self):
        for content in (os.urandom(4096), bad.CONF.encode() + b"\0", bad.CONF.replace("Spring", "Fr\xfchling").encode("latin-1")):
            with self.subTest(content[-20:]):
                self.refused_conf(content, r"delivery\.conf(:\d+)?: ")

    def test_ten_thousand_open_groups(self):
        self.refused_conf("a = { " * 10000, r"delivery\.conf(:\d+)?: ")

    def test_one_line_of_a_megabyte(self):
        self.refused_conf('label = "' + "x" * 1000000 + '";' + bad.CONF, r"delivery\.conf(:\d+)?: ")

    def test_a_file_that_is_not_there(self):
        self.refused_conf(bad.CONF + 'documents = [ "brochure.pdf" ];\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: .*brochure\.pdf")

    def test_paths_that_lead_out(self):
        for name in ("../x", "/etc/passwd", "a/b", "..", ""):
            with self.subTest(name):
                self.refused_conf(bad.CONF + f'documents = [ "{name}" ];\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: ")

    def test_delivery_conf_named_as_recipients(self):
        h = self.house()
        h.drop("bad", conf=bad.CONF.replace("recipients.csv", "delivery.conf"))
        self.beside_good(h)
        self.assertIn("bad", h.refused())

    def test_a_channel_not_built_yet_is_refused_and_says_so(self):
        self.refused_conf(bad.CONF.replace('channel = "mail"', 'channel = "sms"'), r"delivery\.conf:\d+: .*sms")

    def test_an_estimate_that_is_no_amount(self):
        self.refused_conf(bad.CONF + 'estimate = "12,50 EUR";\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: .*estimate")

    def test_a_time_without_zone_or_impossible(self):
        for when in ("2027-03-01 22:00", "2027-02-30T22:00:00+01:00", "yesterday"):
            with self.subTest(when):
                self.refused_conf(bad.CONF + f'schedule = {{ extract_at = "{when}"; }};\n', rf"delivery\.conf:{bad.lines_of(bad.CONF)}: .*extract_at")


class Columns(bad.Case):
    """A column that does not exist is told when the delivery is dropped, with the place that names it."""

    def test_in_where(self):
        self.refused_conf(house.DELIVERY % {"target": "\nwhere = \"segmnt = 'gold'\";", "more": ""}, r'\.(conf|csv):\d+: .*segmnt')

    def test_in_dedupe(self):
        self.refused_conf(house.DELIVERY % {"target": 'dedupe = [ "nope" ];', "more": ""}, r"\.(conf|csv):\d+: .*nope")

    def test_in_order(self):
        self.refused_conf(house.DELIVERY % {"target": 'order = [ "postcode", "-nope" ];', "more": ""}, r"\.(conf|csv):\d+: .*nope")

    def test_the_key(self):
        self.refused_conf(bad.CONF.replace('"recipient_id"', '"nope"'), r"\.(conf|csv):\d+: .*nope")

    def test_the_key_in_an_exclusion_file(self):
        h = self.house()
        h.drop("bad", {"recipients.csv": house.recipients(2), "no.csv": "id\nR000001\n"}, target='exclude = [ "no.csv" ];')
        self.beside_good(h)
        self.refusal(h, "bad", r"no\.csv:1: .*recipient_id")

    def test_in_the_value_of_a_layouts_column(self):
        h = self.house()
        h.conf.write_text(h.conf.read_text().replace("{{title}} {{first_name}}", "{{titel}} {{first_name}}"))
        h.drop("bad")
        h.once()
        self.assertIn("titel", self.refusal(h, "bad", "titel"))

    def test_in_the_columns_of_a_layout(self):
        h = self.house()
        h.conf.write_text(h.conf.read_text().replace('"address1", "postcode"', '"adress1", "postcode"'))
        h.drop("bad")
        h.once()
        self.refusal(h, "bad", "adress1")

    def test_a_template_that_does_not_close(self):
        h = self.house()
        h.conf.write_text(h.conf.read_text().replace("{{first_name}} {{last_name}}", "{{first_name}} {{last_name"))
        done = h.check()
        if done.returncode == 0:  # told by the drop if not by the configuration
            h.drop("bad")
            h.once()
            self.refusal(h, "bad", "clos")
        else:
            self.assertEqual(done.returncode, 78)
            self.assertRegex(done.stderr, r"postroom\.conf:\d+: .*clos.*; ")

    def test_a_section_that_does_not_close_in_a_restart_layout(self):
        h = self.house(approvals="extraction = true;")
        h.drop("a")
        h.once()
        h.decide("a", "extraction", "restart", more='layout = { format = "csv"; container = "zip"; name = "x"; '
                 'columns = ( { name = "l"; value = "{{#title}}never"; } ); };')
        h.once()
        self.assertRegex(next(iter(h.refused().values())), r"title.*|clos")
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")

    def test_where_that_is_no_expression(self):
        for where in ("segment = 'gold", "segment", "(segment = 'a'", "segment = 'a' or", "and", "((" * 5000, "1 = 1 1"):
            with self.subTest(where[:20]):
                self.refused_conf(house.DELIVERY % {"target": f'\nwhere = "{where}";', "more": ""}, r"delivery\.conf:4: .*where")

    def test_a_header_with_one_name_twice_or_empty(self):
        for header in ("recipient_id,a,a", "recipient_id,,b", ""):
            with self.subTest(header):
                h = self.house()
                h.drop("bad", {"recipients.csv": header + "\n1,2,3\n"})
                self.beside_good(h)
                self.refusal(h, "bad", r"recipients\.csv:1: ")


class Rows(bad.Case):
    """What only the rows show is a preparation-error: taken, and left by a revision or a stop."""

    def preparation_error(self, content, pattern, name="recipients.csv", conf=bad.CONF):
        h = self.house()
        h.drop("bad", {name: content}, conf=conf)
        self.beside_good(h)
        self.assertEqual((h.place("bad"), look.state(h, "bad")), (["pending"], "preparation-error"), h.refused())
        reason = next(e["reason"] for e in reversed(look.events(h, "bad")) if "reason" in e)
        self.assertRegex(reason, pattern)
        self.assertIn("; ", reason)
        self.assertEqual((h.where("bad") / name).read_bytes(), content if isinstance(content, bytes) else content.encode())
        return h, reason

    def test_a_quote_never_closed_names_the_line_that_opens_it(self):
        self.preparation_error(house.recipients(30) + 'R9,"half\n' + house.recipients(20), r"recipients\.csv:32: .*quote")

    def test_a_file_cut_in_the_middle_of_a_row(self):
        self.preparation_error(house.recipients(30)[:-40], r"recipients\.csv:31: ")

    def test_a_row_with_too_few_or_too_many_fields(self):
        self.preparation_error(house.recipients(3) + "R9,a,b\n", r"recipients\.csv:5: .*fields")
        self.preparation_error(house.recipients(3) + "R9" + ",x" * 40 + "\n", r"recipients\.csv:5: .*fields")

    def test_the_line_counts_newlines_in_quotes(self):
        self.preparation_error(house.recipients(3, address2="a\nb") + "R9,a,b\n", r"recipients\.csv:8: ")

    def test_bytes_that_are_not_utf8(self):
        self.preparation_error(house.recipients(3).encode() + b"R9,\xff\xfe" + b",x" * 14 + b"\n", r"recipients\.csv:5: .*UTF-8")

    def test_text_behind_a_closing_quote(self):
        self.preparation_error(house.recipients(3) + '"R9"x' + ",x" * 15 + "\n", r"recipients\.csv:5: ")

    def test_on_bad_row_exclude_leaves_it_out_as_malformed(self):
        h = self.house()
        h.drop("a", {"recipients.csv": house.recipients(3) + "R9,a,b\n"}, target='on_bad_row = "exclude";')
        self.beside_good(h)
        self.assertEqual(look.target(h, "a")["excluded"], {"malformed": 1})
        self.assertEqual(look.manifest(next(p for p in h.pickup() if "_a_" in p.name))["records"], 3)
        self.assertEqual([(line, cause) for line, _, cause in look.excluded(h, "a")], [("5", "malformed")])

    def test_gz_cut_short_or_damaged(self):
        conf = bad.CONF.replace("recipients.csv", "recipients.csv.gz")
        whole = gzip.compress(house.recipients(2000).encode())
        for content in (whole[: len(whole) // 2], whole[:200] + b"\0\1\2" * 50 + whole[350:]):
            with self.subTest(len(content)):
                h = self.house()
                h.drop("bad", {"recipients.csv.gz": content}, conf=conf)
                self.beside_good(h)
                said = h.refused().get("bad") or h.journal("bad")  # the header may be readable or not
                self.assertRegex(said, r"recipients\.csv\.gz:\d+: .*; ")

    def test_a_gz_that_is_none(self):
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": os.urandom(3000)}, bad.CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.beside_good(h)
        self.assertTrue("bad" in h.refused() or look.state(h, "bad") == "preparation-error")

    def test_no_reason_and_no_log_line_holds_what_a_row_says(self):
        mark = "Wxyzzy-Personal"
        for row in (f'{mark},"never closed\n', f"{mark},too,few\n", f'"{mark}"x' + ",x" * 15 + "\n"):
            with self.subTest(row):
                h, reason = self.preparation_error(house.recipients(3, last_name=mark) + row, ":5: ")
                for text in (reason, h.log(), h.journal("bad"), (h.spool / "run/status.json").read_text()):
                    self.assertNotIn(mark, text)

    def test_counts_that_the_delivery_promised(self):
        for setting, word in (("rows = 5;", "rows|5"), ("min = 11;", "min|11"), ("max = 9;", "max|9")):
            with self.subTest(setting):
                self.preparation_error(house.recipients(10), word, conf=house.DELIVERY % {"target": setting, "more": ""})


class AllAtOnce(bad.Case):
    def test_a_running_daemon_goes_on_through_everything(self):
        h = self.house()
        h.make_spool()
        daemon = h.start()
        door = h.spool / "inbox"
        for n in range(3):
            h.drop(f"include{n}", conf=bad.CONF + '@include "/etc/passwd"\n')
            h.drop(f"comment{n}", conf=bad.CONF + "/*")
            h.drop(f"quote{n}", {"recipients.csv": house.recipients(5) + 'x,"\n'})
            (door / f"random{n}.zip").write_bytes(os.urandom(3000))
            (door / f"random{n}.tar.zst").write_bytes(os.urandom(3000))
            os.mkfifo(door / f"fifo{n}")
            h.decide("nope", "target", "approve")
            h.drop(f"good{n}")
            h.until(lambda: h.place(f"good{n}") == ["outbox"], "the next good delivery")
        h.until(lambda: len(h.refused()) == 18, "every bad drop answered", timeout=20)
        self.assertIsNone(daemon.poll())
        self.assertEqual(h.stop(), 0)


if __name__ == "__main__":
    house.main()
