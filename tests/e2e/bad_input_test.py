#!/usr/bin/env python3
"""Bad input: whatever is dropped, it gets a reason with file, line, rule and mend, and holds nobody else up.

Every test drops something bad beside a good delivery and sees the good one handed over by the same run of a daemon
that ends with 0: it did not crash, hang or lose anything.
"""
import gzip
import io
import os
import pathlib
import resource
import shutil
import socket
import struct
import tarfile
import time
import zipfile

import house
import look

CONF = house.DELIVERY % {"target": "", "more": ""}
MEMORY_KIB = 256 * 1024
RUN_S = 30 * (4 if house.SAN else 1)  # far more than any of these takes; a hang is the failure


def lines_of(text):
    return text.count("\n") + 1


class Case(house.Case):
    def beside_good(self, h, approvals=None):
        """Runs the daemon once with a good delivery beside what was dropped."""
        h.drop("good")
        start = time.monotonic()
        done = h.once(timeout=RUN_S)
        self.assertLess(time.monotonic() - start, RUN_S)
        self.assertEqual((h.place("good"), look.state(h, "good")), (["outbox"], "handed-over"))
        for line in h.log().splitlines():
            self.assertRegex(line, r"^(debug|info|notice|warning|error) ", "an event is one line of the log")
        return done

    def refusal(self, h, name, pattern):
        """The reason for which one drop was refused; the drop lies beside it, and its place in the inbox is empty."""
        self.assertIn(name, h.refused())
        self.assertTrue(os.path.lexists(h.spool / "refused" / name), "the drop is kept")
        self.assertEqual([p.name for p in (h.spool / "inbox").iterdir()], [])
        self.assertEqual([s for s in h.place(name.split(".")[0])], [])
        reason = h.refused()[name]
        self.assertRegex(reason, pattern)
        self.assertRegex(reason, r"\S; \S|wants a", "a reason ends with how to mend it")
        return reason

    def refused_conf(self, conf, pattern, files=None):
        h = self.house()
        h.drop("bad", files, conf=conf)
        before = look.tree(h.spool / "inbox/bad")
        self.beside_good(h)
        self.refusal(h, "bad", pattern)
        self.assertEqual(look.tree(h.spool / "refused/bad"), before, "byte for byte")
        return h


class DeliveryConf(Case):
    def test_include_is_refused_and_reads_nothing(self):
        h = self.house()
        secret = h.dir / "secret.conf"
        secret.write_text('label = "the secret";\n')
        h.drop("bad", conf=CONF + f'@include "{secret}"\n')
        self.beside_good(h)
        self.assertNotIn("the secret", self.refusal(h, "bad", rf"delivery\.conf:{lines_of(CONF)}: .*@include"))

    def test_a_comment_never_closed(self):
        self.refused_conf(CONF + "/* and so on\n\n\n", rf"delivery\.conf:{lines_of(CONF)}: .*comment")

    def test_an_integer_past_32_bits(self):
        conf = CONF.replace('key = "recipient_id"', '\n limit = 4294967297; key = "recipient_id"')
        self.refused_conf(conf, r"delivery\.conf:4: .*32 bits")

    def test_an_integer_far_past_64_bits_and_below_zero(self):
        for number in ("99999999999999999999999", "-4294967297", "0xFFFFFFFFFFFFFFFFF"):
            with self.subTest(number):
                self.refused_conf(CONF.replace("key =", f"limit = {number}; key ="), r"delivery\.conf:3: ")

    def test_over_1_mib(self):
        self.refused_conf(CONF + "#" * (1 << 20), r"delivery\.conf(:\d+)?: .*1 MiB")

    def test_just_under_1_mib_is_read(self):
        h = self.house()
        h.drop("a", conf=CONF + "#" * ((1 << 20) - len(CONF.encode())))
        self.beside_good(h)
        self.assertEqual(h.refused(), {})

    def test_syntax_names_the_line(self):
        self.refused_conf('campaign = "spring-2027";\nchannel = ;\n', r"delivery\.conf:2: ")

    def test_a_comma_before_a_closing_bracket(self):
        self.refused_conf(CONF + 'documents = [ "a.pdf", ];\n', rf"delivery\.conf:{lines_of(CONF)}: ")

    def test_a_setting_twice(self):
        self.refused_conf(CONF + 'label = "again";\n', rf"delivery\.conf:{lines_of(CONF)}: ")

    def test_a_text_where_a_number_is_wanted(self):
        self.refused_conf(CONF.replace("key =", 'limit = "many"; key ='), r"delivery\.conf:3: .*limit")

    def test_empty(self):
        self.refused_conf("", r"delivery\.conf: .*campaign")

    def test_random_bytes_and_nul_and_latin1(self):
        for content in (os.urandom(4096), CONF.encode() + b"\0", CONF.replace("Spring", "Fr\xfchling").encode("latin-1")):
            with self.subTest(content[-20:]):
                self.refused_conf(content, r"delivery\.conf(:\d+)?: ")

    def test_ten_thousand_open_groups(self):
        self.refused_conf("a = { " * 10000, r"delivery\.conf(:\d+)?: ")

    def test_one_line_of_a_megabyte(self):
        self.refused_conf('label = "' + "x" * 1000000 + '";' + CONF, r"delivery\.conf(:\d+)?: ")

    def test_a_file_that_is_not_there(self):
        self.refused_conf(CONF + 'documents = [ "brochure.pdf" ];\n', rf"delivery\.conf:{lines_of(CONF)}: .*brochure\.pdf")

    def test_paths_that_lead_out(self):
        for name in ("../x", "/etc/passwd", "a/b", "..", ""):
            with self.subTest(name):
                self.refused_conf(CONF + f'documents = [ "{name}" ];\n', rf"delivery\.conf:{lines_of(CONF)}: ")

    def test_delivery_conf_named_as_recipients(self):
        h = self.house()
        h.drop("bad", conf=CONF.replace("recipients.csv", "delivery.conf"))
        self.beside_good(h)
        self.assertIn("bad", h.refused())

    def test_a_channel_not_built_yet_is_refused_and_says_so(self):
        self.refused_conf(CONF.replace('channel = "mail"', 'channel = "email"'), r"delivery\.conf:\d+: .*email")

    def test_an_estimate_that_is_no_amount(self):
        self.refused_conf(CONF + 'estimate = "12,50 EUR";\n', rf"delivery\.conf:{lines_of(CONF)}: .*estimate")

    def test_a_time_without_zone_or_impossible(self):
        for when in ("2027-03-01 22:00", "2027-02-30T22:00:00+01:00", "yesterday"):
            with self.subTest(when):
                self.refused_conf(CONF + f'schedule = {{ extract_at = "{when}"; }};\n', rf"delivery\.conf:{lines_of(CONF)}: .*extract_at")


class Columns(Case):
    """A column that does not exist is told when the delivery is dropped, with the place that names it."""

    def test_in_where(self):
        self.refused_conf(house.DELIVERY % {"target": "\nwhere = \"segmnt = 'gold'\";", "more": ""}, r'\.(conf|csv):\d+: .*segmnt')

    def test_in_dedupe(self):
        self.refused_conf(house.DELIVERY % {"target": 'dedupe = [ "nope" ];', "more": ""}, r"\.(conf|csv):\d+: .*nope")

    def test_in_order(self):
        self.refused_conf(house.DELIVERY % {"target": 'order = [ "postcode", "-nope" ];', "more": ""}, r"\.(conf|csv):\d+: .*nope")

    def test_the_key(self):
        self.refused_conf(CONF.replace('"recipient_id"', '"nope"'), r"\.(conf|csv):\d+: .*nope")

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


class Rows(Case):
    """What only the rows show is a preparation-error: taken, and left by a revision or a stop."""

    def preparation_error(self, content, pattern, name="recipients.csv", conf=CONF):
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
        conf = CONF.replace("recipients.csv", "recipients.csv.gz")
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
        h.drop("bad", {"recipients.csv.gz": os.urandom(3000)}, CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.beside_good(h)
        self.assertTrue("bad" in h.refused() or look.state(h, "bad") == "preparation-error")

    def test_counts_that_the_delivery_promised(self):
        for setting, word in (("rows = 5;", "rows|5"), ("min = 11;", "min|11"), ("max = 9;", "max|9")):
            with self.subTest(setting):
                self.preparation_error(house.recipients(10), word, conf=house.DELIVERY % {"target": setting, "more": ""})


class Big(Case):
    def bounded(self, run):
        """What every process of this run held at most, in KiB: those before it were smaller or it shows here."""
        run()
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, MEMORY_KIB * (4 if house.SAN else 1))

    def test_a_field_of_a_gigabyte_is_an_error_with_its_line_in_bounded_memory(self):
        start = gzip.compress((house.recipients(3) + 'R9,"').encode())
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": start + gzip.compress(b"x" * (1 << 20)) * 1024},
               CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.bounded(lambda: self.beside_good(h))
        self.assertEqual(look.state(h, "bad"), "preparation-error", h.refused())
        self.assertRegex(h.journal("bad"), r"recipients\.csv\.gz:5: ")

    def test_a_gigabyte_without_a_newline_or_quote(self):
        start = gzip.compress(house.recipients(3).encode())
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": start + gzip.compress(b"x" * (1 << 20)) * 1024},
               CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.bounded(lambda: self.beside_good(h))
        self.assertEqual(look.state(h, "bad"), "preparation-error", h.refused())

    def test_a_plain_file_with_a_field_of_64_mb(self):
        h = self.house()
        h.drop("bad", {"recipients.csv": house.recipients(3).encode() + b'R9,"' + b"x" * (64 << 20)})
        self.bounded(lambda: self.beside_good(h))
        self.assertRegex(h.journal("bad"), r"recipients\.csv:5: ")

    def test_a_header_of_a_gigabyte_and_one_of_a_million_columns(self):
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": gzip.compress(b"x" * (1 << 20)) * 1024}, CONF.replace("recipients.csv", "recipients.csv.gz"))
        h.drop("wide", {"recipients.csv": "recipient_id," + ",".join(f"c{n}" for n in range(1000000)) + "\n"})
        self.bounded(lambda: self.beside_good(h))
        self.refusal(h, "bad", r"recipients\.csv\.gz:1: ")
        self.refusal(h, "wide", r"recipients\.csv:1: ")

    def test_a_sparse_file_of_8_tib_fills_no_disk_and_no_time(self):
        h = self.house()
        h.drop("bad")
        try:
            os.truncate(h.spool / "inbox/bad/recipients.csv", 8 << 40)
        except OSError as fault:
            self.skipTest(f"this file system has no file of 8 TiB: {fault}")
        free = shutil.disk_usage(h.spool).free
        self.bounded(lambda: self.beside_good(h))
        self.assertTrue("bad" in h.refused() or look.state(h, "bad") == "preparation-error")
        self.assertLess(free - shutil.disk_usage(h.spool).free, 1 << 30)

    def test_a_sparse_document_of_8_tib(self):
        h = self.house()
        h.drop("bad", {"recipients.csv": house.recipients(2), "d.pdf": ""}, more='documents = [ "d.pdf" ];')
        try:
            os.truncate(h.spool / "inbox/bad/d.pdf", 8 << 40)
        except OSError as fault:
            self.skipTest(f"this file system has no file of 8 TiB: {fault}")
        self.bounded(lambda: self.beside_good(h))
        self.refusal(h, "bad", "bytes|size|large")


class Kinds(Case):
    """What is no regular file with one link and one owner."""

    def spoiled(self, spoil, pattern):
        h = self.house()
        h.drop("bad")
        spoil(h.spool / "inbox/bad")
        self.beside_good(h)
        self.refusal(h, "bad", pattern)
        return h

    def test_a_symlink(self):
        h = self.spoiled(lambda d: os.symlink("/etc/passwd", d / "x"), r"x: .*link")
        self.assertTrue((h.spool / "refused/bad/x").is_symlink())

    def test_a_symlink_as_recipients(self):
        def spoil(folder):
            (folder / "recipients.csv").unlink()
            os.symlink("/etc/passwd", folder / "recipients.csv")
        self.spoiled(spoil, r"recipients\.csv: .*link")

    def test_a_symlink_as_delivery_conf(self):
        h = self.house()
        h.drop("bad")
        other = h.dir / "other.conf"
        other.write_text(CONF)
        (h.spool / "inbox/bad/delivery.conf").unlink()
        os.symlink(other, h.spool / "inbox/bad/delivery.conf")
        self.beside_good(h)
        self.refusal(h, "bad", r"delivery\.conf: .*link")

    def test_a_fifo(self):
        self.spoiled(lambda d: os.mkfifo(d / "x"), r"x: .*FIFO")

    def test_a_fifo_as_recipients(self):
        def spoil(folder):
            (folder / "recipients.csv").unlink()
            os.mkfifo(folder / "recipients.csv")
        self.spoiled(spoil, r"recipients\.csv: .*FIFO")

    def test_a_fifo_as_delivery_conf(self):
        def spoil(folder):
            (folder / "delivery.conf").unlink()
            os.mkfifo(folder / "delivery.conf")
        self.spoiled(spoil, r"delivery\.conf: .*FIFO")

    def test_a_socket(self):
        def spoil(folder):
            listener = socket.socket(socket.AF_UNIX)
            self.addCleanup(listener.close)
            here = os.getcwd()
            os.chdir(folder)  # a socket's name has at most 107 bytes
            try:
                listener.bind("x")
            finally:
                os.chdir(here)
        self.spoiled(spoil, r"x: .*socket")

    def test_a_device(self):
        self.need_root()
        def spoil(folder):
            try:
                os.mknod(folder / "x", 0o20600, os.makedev(1, 3))
            except PermissionError:
                self.skipTest("no right to make a device")
        self.spoiled(spoil, r"x: .*device")

    def test_a_hard_link(self):
        self.spoiled(lambda d: os.link(d / "recipients.csv", d / "x"), r"recipients\.csv|x: .*link")

    def test_a_folder_inside(self):
        self.spoiled(lambda d: os.mkdir(d / "x"), r"x: .*director")

    def test_folders_many_deep(self):
        def spoil(folder):
            here = os.getcwd()
            os.chdir(folder)
            for _ in range(300):
                os.mkdir("d")
                os.chdir("d")
            os.chdir(here)
        h = self.house()
        h.drop("bad")
        spoil(h.spool / "inbox/bad")
        self.beside_good(h)
        self.assertIn("bad", h.refused())

    def test_links_fifos_sockets_and_plain_files_in_the_door_itself(self):
        h = self.house()
        h.make_spool()
        os.symlink("/etc", h.spool / "inbox/link")
        os.mkfifo(h.spool / "inbox/fifo")
        (h.spool / "inbox/plain").write_text("hello")
        (h.spool / "inbox/empty.zip").write_text("")
        self.beside_good(h)
        for name in ("link", "fifo", "plain", "empty.zip"):
            self.refusal(h, name, ".")
        self.assertTrue((h.spool / "refused/link").is_symlink())

    def test_more_files_than_a_delivery_may_have(self):
        h = self.house()
        h.drop("bad", {"recipients.csv": house.recipients(1)} | {f"f{n}": "" for n in range(20000)})
        self.beside_good(h)
        self.assertTrue("bad" in h.refused() or h.place("bad"), "answered one way or the other")


class Packages(Case):
    def dropped(self, name, content, pattern=".", good_too=True):
        h = self.house()
        h.make_spool()
        outside = sorted(p.name for p in h.dir.iterdir())
        (h.dir / "part").write_bytes(content)
        os.rename(h.dir / "part", h.spool / "inbox" / name)
        self.beside_good(h)
        self.refusal(h, name, pattern)
        self.assertEqual((h.spool / "refused" / name).read_bytes(), content, "byte for byte")
        self.assertEqual(sorted(set(p.name for p in h.dir.iterdir()) - {"daemon.log", "staged"}), [n for n in outside if n not in ("daemon.log", "staged")])
        return h

    def tar(self, *extra, mode="w"):
        """A good delivery as tar, and members of our own: (TarInfo, content)."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode) as archive:
            for name, text in (("delivery.conf", CONF), ("recipients.csv", house.recipients(3))):
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                archive.addfile(info, io.BytesIO(text.encode()))
            for info, content in extra:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return packed.getvalue()

    def member(self, name, kind=tarfile.REGTYPE, link=""):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        return info

    def zip(self, *extra):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("delivery.conf", CONF)
            archive.writestr("recipients.csv", house.recipients(3))
            for name, content in extra:
                archive.writestr(name, content)
        return packed.getvalue()

    def test_names_that_lead_out(self):
        for name in ("../escaped", "a/../../escaped", "/tmp/postroom-escaped", "top/../../escaped", ".."):
            with self.subTest(name):
                self.dropped("bad.tar", self.tar((self.member(name), b"x")))
                self.dropped("bad.zip", self.zip((name, b"x")))
                self.assertFalse(os.path.exists("/tmp/postroom-escaped"))

    def test_a_symbolic_link(self):
        self.dropped("bad.tar", self.tar((self.member("x", tarfile.SYMTYPE, "/etc/passwd"), b"")), r"x.*link")

    def test_a_link_and_then_a_file_through_it(self):
        self.dropped("bad.tar", self.tar((self.member("d", tarfile.SYMTYPE, "/tmp"), b""), (self.member("d/postroom-escaped"), b"x")))
        self.assertFalse(os.path.exists("/tmp/postroom-escaped"))

    def test_a_hard_link(self):
        self.dropped("bad.tar", self.tar((self.member("x", tarfile.LNKTYPE, "recipients.csv"), b"")), r"x.*link")

    def test_a_symbolic_link_in_a_zip(self):
        info = zipfile.ZipInfo("x")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        self.dropped("bad.zip", self.zip((info, "/etc/passwd")), r"x.*link")

    def test_devices_and_fifos(self):
        for kind in (tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
            with self.subTest(kind):
                self.dropped("bad.tar", self.tar((self.member("x", kind), b"")), "x")

    def test_one_name_twice(self):
        self.dropped("bad.tar", self.tar((self.member("recipients.csv"), b"recipient_id\n1\n")), r"recipients\.csv.*twice|twice.*recipients\.csv")

    def test_two_top_folders(self):
        self.dropped("bad.tar", self.tar((self.member("one/x"), b"1"), (self.member("two/x"), b"2")))

    def test_no_delivery_conf(self):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.addfile(self.member("recipients.csv"), io.BytesIO(b""))
        self.dropped("bad.tar", packed.getvalue(), r"delivery\.conf")

    def test_cut_short(self):
        whole = self.tar(mode="w:gz")
        for content in (whole[:50], whole[: len(whole) // 2], whole[:-1]):
            with self.subTest(len(content)):
                self.dropped("bad.tar.gz", content)
        whole = self.zip()
        self.dropped("bad.zip", whole[: len(whole) // 2])
        whole = self.tar()
        self.dropped("bad.tar", whole[: 1024])

    def test_a_byte_turned(self):
        whole = bytearray(self.zip())
        whole[whole.index(b"recipients.csv") + 60] ^= 0x20
        self.dropped("bad.zip", bytes(whole))

    def test_random_bytes_and_nothing_at_all(self):
        for name in ("bad.tar", "bad.tar.gz", "bad.tgz", "bad.tar.zst", "bad.zip"):
            for content in (os.urandom(7000), b""):
                with self.subTest((name, len(content))):
                    self.dropped(name, content)

    def test_one_kind_under_the_name_of_another(self):
        self.dropped("bad.zip", self.tar())

    def test_encrypted_zip_members(self):
        content = bytearray(self.zip())
        for mark in (b"PK\x03\x04", b"PK\x01\x02"):
            at = content.index(mark) + (6 if mark[2] == 3 else 8)
            content[at] |= 1
        self.dropped("bad.zip", bytes(content))

    def test_a_bomb_in_gzip(self):
        info = self.member("recipients.csv")
        info.size = 64 << 30
        conf = self.member("delivery.conf")
        conf.size = len(CONF.encode())
        head = conf.tobuf() + CONF.encode() + b"\0" * (-len(CONF.encode()) % 512) + info.tobuf()
        start = time.monotonic()
        h = self.dropped("bad.tar.gz", gzip.compress(head) + gzip.compress(b"\0" * (1 << 20)) * 4096, r"bad|ratio|times|large|big|bytes")
        self.assertLess(time.monotonic() - start, 20)
        self.assertLess(sum(p.stat().st_size for p in h.spool.rglob("*") if p.is_file()), 100 << 20)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, MEMORY_KIB * (4 if house.SAN else 1))

    def test_what_was_unpacked_of_a_refused_package_does_not_stay(self):
        h = self.house()
        h.make_spool()
        (h.spool / "inbox/bad.tar").write_bytes(self.tar((self.member("../x"), b"x")))
        self.beside_good(h)
        self.assertEqual(list((h.spool / "run/intake").iterdir()), [])

    def test_a_bomb_in_zip(self):
        self.dropped("bad.zip", self.zip(("bomb", b"\0" * (300 << 20))))

    def test_a_zip_that_lies_about_its_sizes(self):
        content = bytearray(self.zip())
        at = content.index(b"PK\x01\x02")
        content[at + 24:at + 28] = struct.pack("<I", 7)
        h = self.house()
        h.make_spool()
        (h.spool / "inbox/lies.zip").write_bytes(bytes(content))
        self.beside_good(h)
        self.assertTrue("lies.zip" in h.refused() or h.place("lies"))

    def test_a_hundred_thousand_members(self):
        packed = io.BytesIO()
        block = b"".join(self.member(f"f{n:06d}").tobuf() for n in range(100000))
        packed.write(self.tar()[:-1024 * 9] + block + b"\0" * 1024)
        self.dropped("bad.tar.gz", gzip.compress(packed.getvalue(), 1))

    def test_setuid_and_owner_of_a_member_mean_nothing(self):
        h = self.house()
        h.make_spool()
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, text in (("delivery.conf", CONF), ("recipients.csv", house.recipients(3))):
                info = self.member(name)
                info.size, info.mode, info.uid, info.gid = len(text.encode()), 0o6777, 12345, 12345
                archive.addfile(info, io.BytesIO(text.encode()))
        (h.spool / "inbox/a.tar").write_bytes(packed.getvalue())
        self.beside_good(h)
        self.assertEqual((h.where("a") / "recipients.csv").stat().st_mode & 0o7777, 0o600)
        self.assertEqual((h.where("a") / "recipients.csv").stat().st_uid, os.getuid())


class Names(Case):
    NAMES = [b"new\nline", b"-rf", b"x" * 255, b"\xff\xfe\x80", b"$(reboot)", b"a b", b"\x1b[31mred", b"'", b"%s%n"]

    def test_directories_of_every_name(self):
        h = self.house()
        h.make_spool()
        inbox = os.fsencode(h.spool / "inbox")
        for name in self.NAMES:
            os.rename(h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(1)}), os.path.join(inbox, name))
        self.beside_good(h)
        self.assertEqual(os.listdir(inbox), [])
        self.kept(h, len(self.NAMES))

    def test_packages_of_every_name(self):
        h = self.house()
        h.make_spool()
        inbox = os.fsencode(h.spool / "inbox")
        for name in self.NAMES:
            with open(os.path.join(inbox, name[:251] + b".zip"), "wb") as file:
                file.write(b"PK")
        self.beside_good(h)
        self.assertEqual(os.listdir(inbox), [])
        self.kept(h, len(self.NAMES))

    def test_decisions_of_every_name(self):
        h = self.house(approvals="target = true;")
        h.drop("a")
        h.once()
        door = os.fsencode(h.spool / "approved")
        for n, name in enumerate(self.NAMES):
            with open(os.path.join(door, name[:250] + b".conf"), "w") as file:
                file.write('delivery = "a"; step = "target"; decision = "%s";' % ("approve" if name == b"a b" else "frobnicate"))
        h.once()
        self.assertEqual(os.listdir(door), [])
        self.assertEqual(look.state(h, "a"), "handed-over")
        self.kept(h, len(self.NAMES) - 1)

    def test_files_of_every_name_in_a_delivery(self):
        h = self.house()
        h.drop("a")
        for name in self.NAMES:
            with open(os.path.join(os.fsencode(h.spool / "inbox/a"), name), "wb"):
                pass
        self.beside_good(h)
        self.assertTrue("a" in h.refused() or h.place("a"))

    def kept(self, h, count):
        names = os.listdir(os.fsencode(h.spool / "refused"))
        reasons = [n for n in names if n.endswith(b".reason")]
        self.assertEqual((len(reasons), len(names) - len(reasons)), (count, count), names)


class Decisions(Case):
    GOOD = 'delivery = "a"; step = "target"; decision = "approve";'

    def waiting(self, **settings):
        h = self.house(approvals="target = true;", **settings)
        h.drop("a")
        h.drop("other", {"recipients.csv": house.recipients(4)})
        h.once()
        self.assertEqual(look.state(h, "a"), "target-ready")
        return h

    def refused_decision(self, h, pattern, name="d.conf"):
        """One bad answer is refused with a reason, and the next good one is taken by the same run."""
        h.decide("other", "target", "approve")
        h.once(timeout=RUN_S)
        self.assertEqual(look.state(h, "a"), "target-ready")
        self.assertEqual(look.state(h, "other"), "handed-over", "the next good answer counts")
        self.assertIn(name, h.refused())
        self.assertRegex(h.refused()[name], pattern)
        self.assertRegex(h.refused()[name], r"\S; \S", "a reason ends with how to mend it")
        self.assertTrue(os.path.lexists(h.spool / "refused" / name))

    def test_from_a_stranger(self):
        self.need_root()
        h = self.waiting()
        h.approval("d.conf", self.GOOD, uid=look.uid(look.STRANGER))
        self.refused_decision(h, r"d\.conf: .*(nobody|65534)")

    def test_for_something_else(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + f' sha256 = "{look.basis(h, "other", "target")}";')
        self.refused_decision(h, r"d\.conf.*: .*sha256|not what")

    def test_with_a_sha256_that_is_none(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + ' sha256 = "9f86d0";')
        self.refused_decision(h, r"d\.conf.*sha256")

    def test_older_than_what_it_decides_on(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD)
        before = (h.where("a") / "basis/target").stat().st_mtime_ns - 1
        os.utime(h.spool / "approved/d.conf", ns=(before, before))
        self.refused_decision(h, r"d\.conf: .*(old|earlier|before|stale)")

    def test_that_others_may_write(self):
        for mode in (0o660, 0o646):
            with self.subTest(oct(mode)):
                h = self.waiting()
                h.approval("d.conf", self.GOOD, mode=mode)
                self.refused_decision(h, r"d\.conf: .*writ")

    def test_over_64_kib(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD + "#" * (64 << 10))
        self.refused_decision(h, r"d\.conf(:\d+)?: .*64 KiB")

    def test_for_an_unknown_delivery(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD.replace('"a"', '"nope"'))
        self.refused_decision(h, r"d\.conf(:\d+)?: .*nope")

    def test_for_a_delivery_that_is_no_id(self):
        h = self.waiting()
        h.approval("d.conf", self.GOOD.replace('"a"', '"../pending/a"'))
        self.refused_decision(h, r"d\.conf:1: ")

    def test_twice_the_late_one_is_told_who_was_first(self):
        h = self.waiting()
        h.approval("one.conf", self.GOOD)
        h.once()
        h.approval("two.conf", self.GOOD)
        h.once()
        self.assertRegex(h.refused()["two.conf"], "alice|handed-over")

    def test_two_at_once_one_counts(self):
        h = self.house(approvals="target = true; content = true;")
        h.drop("a")
        h.once()
        h.approval("one.conf", self.GOOD)
        h.approval("two.conf", self.GOOD)
        h.once()
        self.assertEqual(len(h.refused()), 1)
        self.assertIn("alice", next(iter(h.refused().values())))
        self.assertEqual([e for e in look.names_of_events(h, "a") if e == "approved"], ["approved"])

    def test_syntax_include_comment_integer_and_unknown_setting(self):
        for text, pattern in (("\ndelivery = ;", r":2: "), (self.GOOD + '\n@include "/etc/passwd"', r":2: .*@include"),
                              (self.GOOD + "\n/* never", r":2: .*comment"), (self.GOOD + "\nx = 4294967297;", r":2: "),
                              (self.GOOD + '\ncoment = "x";', r":2: .*coment.*comment"), ("", "empty"), (b"\0\1\2", ".")):
            with self.subTest(text[:70]):
                h = self.waiting()
                h.approval("d.conf", text)
                self.refused_decision(h, r"d\.conf" + pattern if pattern[0] == ":" else pattern)

    def test_a_hard_link_and_a_symbolic_link(self):
        h = self.waiting()
        (h.dir / "mine.conf").write_text(self.GOOD)
        os.chmod(h.dir / "mine.conf", 0o640)
        os.link(h.dir / "mine.conf", h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: .*link")
        h = self.waiting()
        (h.dir / "mine.conf").write_text(self.GOOD)
        os.symlink(h.dir / "mine.conf", h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: .*(link|regular)")

    def test_a_fifo_and_a_directory(self):
        h = self.waiting()
        os.mkfifo(h.spool / "approved/d.conf")
        self.refused_decision(h, r"d\.conf: ")
        h = self.waiting()
        (h.spool / "approved/d.conf").mkdir()
        (h.spool / "approved/d.conf/x").write_text("")
        h.decide("other", "target", "approve")
        h.once(timeout=RUN_S)
        self.assertEqual(look.state(h, "other"), "handed-over")
        self.assertTrue((h.spool / "approved/d.conf").exists() or "d.conf" in h.refused(), "never lost")

    def test_hundreds_at_once(self):
        h = self.waiting()
        for n in range(300):
            (h.spool / f"approved/n{n}.conf").write_text(self.GOOD.replace("approve", "frobnicate"))
        self.assertEqual(h.once(timeout=RUN_S).counts["refused"], "300")
        h.decide("a", "target", "approve")
        h.once()
        self.assertEqual(look.state(h, "a"), "handed-over")


class AllAtOnce(Case):
    def test_a_running_daemon_goes_on_through_everything(self):
        h = self.house()
        h.make_spool()
        daemon = h.start()
        door = h.spool / "inbox"
        for n in range(3):
            h.drop(f"include{n}", conf=CONF + '@include "/etc/passwd"\n')
            h.drop(f"comment{n}", conf=CONF + "/*")
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
