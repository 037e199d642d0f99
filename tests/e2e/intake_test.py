#!/usr/bin/env python3
"""Taking in: what is a drop, when it is complete, who may drop what, and what a second drop of an id does."""
import gzip
import io
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tarfile
import time
import zipfile

import house
import look

REVIEWED = "target = true; content = true; extraction = true;"


def package(path, folder, top):
    """Packs a delivery's folder: with `top` as its one folder, or without one where top is empty."""
    prefix = f"{top}/" if top else ""
    if str(path).endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.iterdir():
                archive.write(file, prefix + file.name)
        return
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for file in folder.iterdir():
            archive.add(file, prefix + file.name)
    if str(path).endswith(".zst"):
        subprocess.run(["zstd", "-q", "-o", path], input=plain.getvalue(), check=True)
    elif str(path).endswith("gz"):
        path.write_bytes(gzip.compress(plain.getvalue()))
    else:
        path.write_bytes(plain.getvalue())


class Drops(house.Case):
    def test_directory_by_rename_is_taken_and_leaves_the_door_empty(self):
        h = self.house()
        h.drop("a")
        self.assertEqual(h.once().last, "taken=1 refused=0 handed-over=1 sent=0 waiting=0 failed=0")
        self.assertEqual(list((h.spool / "inbox").iterdir()), [])
        self.assertEqual(h.place("a"), ["outbox"])

    def test_what_was_dropped_is_kept_byte_for_byte_in_the_daemons_own_copy(self):
        h = self.house(approvals=REVIEWED)
        files = {"recipients.csv": house.recipients(3), "leaflet.pdf": bytes(range(256)) * 9}
        h.drop("a", files, more='documents = [ "leaflet.pdf" ];')
        dropped = look.tree(h.spool / "inbox/a")
        h.once()
        kept = h.where("a")
        for name, content in dropped.items():
            self.assertEqual((kept / name).read_bytes(), content, name)
        self.assertEqual((kept / "recipients.csv").stat().st_mode & 0o7777, 0o600)
        self.assertEqual((kept / "excluded.csv").stat().st_mode & 0o7777, 0o600)
        self.assertEqual((kept / "delivery.conf").stat().st_mode & 0o7777, 0o640)
        self.assertEqual((kept / "journal").stat().st_mode & 0o7777, 0o640)

    def test_packages_of_every_kind_with_and_without_top_folder(self):
        h = self.house()
        h.make_spool()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(3)})
        kinds = ["tar", "tar.gz", "tgz", "zip"] + (["tar.zst"] if shutil.which("zstd") else [])
        ids = []
        for kind in kinds:
            for top in ("", "letter"):
                id = f"p-{kind.replace('.', '')}-{'top' if top else 'flat'}"
                package(h.dir / f"{id}.{kind}", folder, top)
                os.rename(h.dir / f"{id}.{kind}", h.spool / "inbox" / f"{id}.{kind}")
                ids.append(id)
        h.once()
        self.assertEqual(h.refused(), {})
        for id in ids:
            self.assertEqual(h.place(id), ["outbox"], id)
        self.assertEqual(list((h.spool / "inbox").iterdir()), [])

    def test_recipients_in_gz_and_zst_are_read_as_they_are(self):
        self.need("zstd")
        h = self.house()
        text = house.recipients(5).encode()
        packed = {"gz": gzip.compress(text),
                  "zst": subprocess.run(["zstd", "-q"], input=text, capture_output=True, check=True).stdout}
        for kind, content in packed.items():
            conf = (house.DELIVERY % {"target": "", "more": ""}).replace("recipients.csv", f"recipients.csv.{kind}")
            h.drop(kind, {f"recipients.csv.{kind}": content}, conf)
        h.once()
        self.assertEqual(h.refused(), {})
        for kind in packed:
            self.assertEqual(look.target(h, kind)["records"], 5)

    def test_two_drops_of_one_id_at_once_are_both_answered_and_none_is_lost(self):
        h = self.house(approvals=REVIEWED)
        h.make_spool()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(3)})
        package(h.dir / "same.tar", folder, "")
        package(h.dir / "same.zip", folder, "")
        for kind in ("tar", "zip"):
            os.rename(h.dir / f"same.{kind}", h.spool / f"inbox/same.{kind}")
        h.once()
        h.once()
        self.assertEqual(h.place("same"), ["pending"])
        revisions = [e for e in look.events(h, "same") if e["event"] == "taken"]
        self.assertEqual(len(revisions) + len(h.refused()), 2, (revisions, h.refused()))
        self.assertEqual(list((h.spool / "inbox").iterdir()), [])


class HalfWritten(house.Case):
    def test_names_of_uploads_in_progress_are_not_looked_at(self):
        h = self.house()
        h.make_spool()
        for name in (".hidden", "a.tmp", "a.part", "a.filepart", "a~", "a.tar.part"):
            h.write_delivery(h.spool / "inbox" / name, {"recipients.csv": house.recipients(2)})
        self.assertEqual(h.once().last, "taken=0 refused=0 handed-over=0 sent=0 waiting=0 failed=0")
        self.assertEqual(len(list((h.spool / "inbox").iterdir())), 6)
        os.rename(h.spool / "inbox/a.part", h.spool / "inbox/a")
        self.assertEqual(h.once().counts["taken"], "1")

    def test_directory_without_delivery_conf_is_left_alone_until_it_comes(self):
        h = self.house()
        h.make_spool()
        folder = h.spool / "inbox/late"
        folder.mkdir()
        (folder / "recipients.csv").write_text(house.recipients(2))
        self.assertEqual(h.once().last, "taken=0 refused=0 handed-over=0 sent=0 waiting=0 failed=0")
        self.assertEqual(h.refused(), {})
        (folder / "delivery.conf").write_text(house.DELIVERY % {"target": "", "more": ""})
        self.assertEqual(h.once().counts["taken"], "1")

    def test_a_file_still_being_written_holds_its_drop_until_it_settles(self):
        h = self.house(settle="0.6")
        h.make_spool()
        h.start()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(2)})
        shutil.copytree(folder, h.spool / "inbox/slow")
        with open(h.spool / "inbox/slow/recipients.csv", "a") as file:
            for n in range(8):
                file.write(",".join([f"X{n}"] + ["x"] * (len(house.HEADER) - 1)) + "\n")
                file.flush()
                time.sleep(0.15)
                self.assertEqual(h.place("slow"), [], f"taken while it was written, line {n}")
        h.until(lambda: h.place("slow") == ["outbox"], "the drop taken once it is settled")
        self.assertEqual(look.target(h, "slow")["rows"], 10)

    def test_once_waits_out_settle(self):
        h = self.house(settle="0.5")
        h.make_spool()
        shutil.copytree(h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(2)}), h.spool / "inbox/a")
        self.assertEqual(h.once().counts["taken"], "1")

    def test_a_rename_is_complete_at_once(self):
        h = self.house(settle="30.0")
        h.make_spool()
        h.start()
        h.drop("a")
        h.until(lambda: h.place("a") == ["outbox"], "taken long before settle", timeout=15)


class CopiedAsRead(house.Case):
    """The recipients of a drop that is a directory are counted while they are copied."""

    LARGE = house.recipients(30000, address2="x" * 240)  # more than the 8 MiB behind which a copy begins its way to the disk

    def stopped_in_its_copy(self, h):
        """Starts the daemon, whose worker stops where the first 8 MiB are copied, before it goes on; returns its pid."""
        self.need("strace")
        h.start(wrapper=("strace", "-D", "-f", "-qq", "-o", h.dir / "trace", "-e", "inject=sync_file_range:signal=STOP:when=1"))
        copy = h.spool / "run/intake/a/recipients.csv"
        h.until(lambda: copy.exists() and copy.stat().st_size >= 8 << 20, "the first 8 MiB of the copy")
        return house.children(h.daemon.pid)[0]

    def told_while_it_goes_on(self, h, pid):
        def is_told():
            try:
                os.kill(pid, signal.SIGCONT)  # each of its threads stops once
            except ProcessLookupError:
                pass
            return "recipients.csv: is still changing" in h.log()
        h.until(is_told, "that it is told")

    def test_a_drop_that_changes_meanwhile__waits_and_is_taken_as_it_is_then(self):
        h = self.house()
        h.drop("a", {"recipients.csv": self.LARGE}, target='order = [ "postcode" ]')
        pid = self.stopped_in_its_copy(h)
        last = house.recipients(1, recipient_id="LAST").splitlines(keepends=True)[1]
        with open(h.spool / "inbox/a/recipients.csv", "a") as file:
            file.write(last)
        self.told_while_it_goes_on(h, pid)
        self.assertEqual((h.place("a"), h.refused()), ([], {}))
        h.stop()
        h.once()
        self.assertEqual(look.target(h, "a")["records"], 30001)
        self.assertEqual((h.where("a") / "recipients.csv").read_bytes(), self.LARGE.encode() + last.encode())

    def test_a_drop_that_would_be_refused_and_changes_meanwhile__waits(self):
        h = self.house()
        h.drop("a", {"recipients.csv": self.LARGE}, target='where = "nothing = 1"')
        pid = self.stopped_in_its_copy(h)
        with open(h.spool / "inbox/a/recipients.csv", "r+") as file:
            file.write("nothing     ")
        self.told_while_it_goes_on(h, pid)
        self.assertEqual((h.place("a"), h.refused()), ([], {}))
        h.stop()

    def test_the_copy_is_not_read_to_count_it(self):
        self.need("strace")
        reads = {}
        for name, seeds in (("once", ""), ("twice", 'seeds = "recipients.csv"')):  # one of two uses is copied first
            h = self.house(approvals=REVIEWED)
            h.drop("a", {"recipients.csv": self.LARGE}, target=seeds)
            env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")  # LeakSanitizer cannot work below a tracer
            done = subprocess.run(["strace", "-f", "-qq", "-y", "-e", "trace=pread64", "-o", h.dir / "trace", house.BIN / "postroomd",
                                   "-c", h.conf, "--once"], capture_output=True, text=True, env=env, timeout=10 * house.WAIT_S)
            self.assertEqual(done.returncode, 0, done.stderr[-2000:])
            reads[name] = len(re.findall(r"pread64\(\d+<[^>]*/run/intake/a/recipients.csv>", (h.dir / "trace").read_text()))
        self.assertLess(reads["once"], 3)
        self.assertGreater(reads["twice"], 30)

    def test_bad_rows__the_whole_file_is_kept(self):
        h = self.house()
        lines = self.LARGE.splitlines(keepends=True)
        rows = "".join([*lines[:100], "too,few\n", *lines[100:]])
        h.drop("a", {"recipients.csv": rows})
        h.once()
        self.assertEqual(look.state(h, "a"), "preparation-error")
        self.assertIn("recipients.csv:101:", look.events(h, "a")[-1]["reason"])
        self.assertEqual((h.where("a") / "recipients.csv").read_bytes(), rows.encode())

    def test_another_file_is_the_largest__or_the_same_file_is_more_than_one_thing(self):
        h = self.house()
        h.drop("document", {"recipients.csv": house.recipients(5), "leaflet.pdf": b"%PDF" * 100000}, more='documents = [ "leaflet.pdf" ];')
        h.drop("seeds", {"recipients.csv": self.LARGE}, target='seeds = "recipients.csv"')
        h.drop("nobody", {"recipients.csv": self.LARGE}, target='exclude = [ "recipients.csv" ]')
        h.once()
        self.assertEqual(look.target(h, "document")["records"], 5)
        self.assertEqual((h.where("document") / "leaflet.pdf").read_bytes(), b"%PDF" * 100000)
        self.assertIn("seeds", str(h.refused() or look.events(h, "seeds")[-1]))
        self.assertEqual(look.target(h, "nobody")["excluded"]["suppressed"], 30000)
        self.assertEqual((h.where("nobody") / "recipients.csv").read_bytes(), self.LARGE.encode())


class Originals(house.Case):
    """What was taken in is removed from run/intake (a large one while others work: tests/e2e/daemon_test)."""

    LARGE = house.recipients(50000, address2="x" * 340)  # more than 16 MiB

    def test_a_large_directory_and_a_large_package_leave_nothing(self):
        h = self.house(approvals=REVIEWED)
        folder = h.write_delivery(h.dir / "b", {"recipients.csv": self.LARGE, "leaflet.pdf": os.urandom(16 << 20)},
                                  more='documents = [ "leaflet.pdf" ];')
        h.make_spool()
        h.drop("a", {"recipients.csv": self.LARGE})
        shutil.make_archive(str(h.spool / "inbox/b"), "zip", folder)
        self.assertEqual(h.once().counts["waiting"], "2")
        self.assertEqual((os.listdir(h.spool / "run/intake"), os.listdir(h.spool / "inbox")), ([], []))


class Who(house.Case):
    def test_a_strangers_drop_is_refused_byte_for_byte_and_names_him(self):
        self.need_root()
        h = self.house()
        h.drop("a", uid=look.uid(look.STRANGER))
        dropped = look.tree(h.spool / "inbox/a")
        h.drop("good")
        h.once()
        self.assertEqual(h.place("a"), [])
        self.assertRegex(h.refused()["a"], r"nobody|65534")
        self.assertEqual(look.tree(h.spool / "refused/a"), dropped)
        self.assertEqual(h.place("good"), ["outbox"])

    def test_files_of_two_owners_in_one_drop_are_refused(self):
        self.need_root()
        h = self.house(operators=[look.operator("bob")])
        h.drop("a", uid=look.uid("bob"))
        os.chown(h.spool / "inbox/a/recipients.csv", 0, 0)
        h.once()
        self.assertIn("recipients.csv", h.refused()["a"])

    def test_the_dropper_is_the_owner(self):
        self.need_root()
        h = self.house(approvals=REVIEWED, operators=[look.operator("bob")])
        h.drop("a", uid=look.uid("bob"))
        h.once()
        self.assertEqual(look.events(h, "a")[0]["who"], "bob")
        self.assertIn('owner = "bob"', (h.where("a") / "settings.conf").read_text())

    def test_another_owner_only_from_an_administrator_or_with_on_behalf(self):
        self.need_root()
        h = self.house(approvals=REVIEWED, operators=[look.operator("bob"), look.operator("carol", "on_behalf = true;")])
        h.drop("from-bob", more='owner = "carol";', uid=look.uid("bob"))
        h.drop("from-carol", more='owner = "bob";', uid=look.uid("carol"))
        h.drop("from-admin", more='owner = "bob";')
        h.once()
        self.assertRegex(h.refused()["from-bob"], r"delivery\.conf:\d+: .*owner.*; ")
        self.assertEqual(sorted(h.refused()), ["from-bob"])
        for id in ("from-carol", "from-admin"):
            self.assertIn('owner = "bob"', (h.where(id) / "settings.conf").read_text())

    def test_an_owner_that_is_no_operator_is_refused(self):
        h = self.house()
        h.drop("a", more='owner = "mallory";')
        h.once()
        self.assertIn("mallory", h.refused()["a"])


class Weakening(house.Case):
    """A step that etc/ turns on is turned off or given other reviewers only by an administrator or where it is open."""

    def weakened(self, settings, approvals, by):
        h = self.house(approvals=approvals, operators=[look.operator("bob"), look.operator("carol")])
        h.drop("a", more=settings, uid=look.uid(by) if by else None)
        h.once()
        return h

    def test_off_by_an_operator_is_refused(self):
        self.need_root()
        h = self.weakened("approvals = { target = false; };", "target = true; content = true;", "bob")
        self.assertRegex(h.refused()["a"], r"delivery\.conf:\d+: .*target.*; ")

    def test_off_by_an_administrator_is_taken(self):
        h = self.weakened("approvals = { target = false; };", "target = true; content = true;", None)
        self.assertEqual(h.refused(), {})
        self.assertEqual(sorted(p.name for p in (h.where("a") / "basis").iterdir()), ["content"])

    def test_off_where_etc_says_open_is_taken(self):
        self.need_root()
        h = self.weakened("approvals = { target = false; };",
                          'target = { reviewers = [ "carol" ]; open = true; }; content = true;', "bob")
        self.assertEqual(h.refused(), {})
        self.assertEqual(look.state(h, "a"), "target-ready")

    def test_other_reviewers_by_an_operator_are_refused(self):
        self.need_root()
        h = self.weakened('approvals = { target = { reviewers = [ "bob" ]; }; };',
                          'target = { reviewers = [ "carol" ]; };', "bob")
        self.assertRegex(h.refused()["a"], r"delivery\.conf:\d+: .*target.*; ")

    def test_open_in_a_drop_weakens_nothing(self):
        self.need_root()
        h = self.weakened('approvals = { target = { open = true; reviewers = [ "bob" ]; }; };',
                          'target = { reviewers = [ "carol" ]; };', "bob")
        self.assertIn("a", h.refused())

    def test_a_confirmation_that_etc_wants_cannot_be_left_out(self):
        self.need_root()
        h = self.house(approvals="", operators=[look.operator("bob")])
        h.conf.write_text(h.conf.read_text().replace("defaults = {", "defaults = { confirm = true;"))
        h.drop("a", more="confirm = false;", uid=look.uid("bob"))
        h.once()
        self.assertRegex(h.refused()["a"], r"delivery\.conf:\d+: .*confirm.*; ")

    def test_stricter_is_anybodys_right(self):
        self.need_root()
        h = self.weakened('approvals = { target = true; content = { reviewers = [ "carol" ]; }; }; confirm = true;', "", "bob")
        self.assertEqual(h.refused(), {})
        self.assertEqual(look.state(h, "a"), "target-ready")


class Settings(house.Case):
    def test_an_unknown_setting_names_file_line_and_the_nearest_name(self):
        h = self.house()
        conf = 'campaign = "spring-2027";\nchannel = "mail";\ntarget = {\n  file = "recipients.csv"; key = "recipient_id";\n' \
               '  dedup = [ "last_name" ];\n};\nprovider = "nord-routage"; service = "letter";\n'
        h.drop("a", conf=conf)
        h.drop("good")
        h.once()
        self.assertRegex(h.refused()["a"], r"delivery\.conf:5: .*dedup\b.*dedupe")
        self.assertEqual(h.place("good"), ["outbox"])

    def test_an_unknown_campaign_provider_and_service_are_named(self):
        h = self.house()
        good = house.DELIVERY % {"target": "", "more": ""}
        for id, old, new in (("c", "spring-2027", "summer-2099"), ("p", "nord-routage", "sud-routage"), ("s", '"letter"', '"parcel"')):
            h.drop(id, conf=good.replace(old, new))
        h.once()
        for id, word in (("c", "summer-2099"), ("p", "sud-routage"), ("s", "parcel")):
            self.assertRegex(h.refused()[id], rf"delivery\.conf:\d+: .*{word}")

    def test_every_error_of_a_file_is_told_at_once(self):
        h = self.house()
        h.drop("a", target='lmit = 5; random_sed = 4;')
        h.once()
        self.assertIn("lmit", h.refused()["a"])
        self.assertIn("random_sed", h.refused()["a"])

    def test_ids_that_are_no_ids_are_refused_and_kept(self):
        h = self.house()
        for id in ("_under", "-rf", "with space", "a" * 65, "ä"):
            h.drop(id)
        h.drop("A-1_x.y")
        h.once()
        self.assertEqual(h.place("A-1_x.y"), ["outbox"])
        self.assertEqual(len(h.refused()), 5, sorted(h.refused()))
        self.assertEqual(len([p for p in (h.spool / "refused").iterdir() if p.is_dir()]), 5)


class Refused(house.Case):
    def test_a_refused_directory_lies_in_refused_byte_for_byte(self):
        h = self.house()
        h.drop("a", {"recipients.csv": house.recipients(4), "x.bin": bytes(range(256))}, more="nonsense = 1;")
        dropped = look.tree(h.spool / "inbox/a")
        self.assertEqual(h.once().last, "taken=0 refused=1 handed-over=0 sent=0 waiting=0 failed=0")
        self.assertEqual(look.tree(h.spool / "refused/a"), dropped)
        self.assertEqual(list((h.spool / "inbox").iterdir()), [])

    def test_a_refused_package_lies_in_refused_byte_for_byte(self):
        h = self.house()
        h.make_spool()
        folder = h.write_delivery(h.dir / "d", {"recipients.csv": house.recipients(3)}, more="nonsense = 1;")
        package(h.dir / "a.tar.gz", folder, "")
        content = (h.dir / "a.tar.gz").read_bytes()
        os.rename(h.dir / "a.tar.gz", h.spool / "inbox/a.tar.gz")
        h.once()
        self.assertEqual((h.spool / "refused/a.tar.gz").read_bytes(), content)
        self.assertIn("nonsense", h.refused()["a.tar.gz"])

    def test_names_taken_in_refused_get_2_and_3(self):
        h = self.house()
        for _ in range(3):
            h.drop("a", more="nonsense = 1;")
            h.once()
        self.assertEqual(sorted(h.refused()), ["a", "a.2", "a.3"])
        for name in ("a", "a.2", "a.3"):
            self.assertTrue((h.spool / "refused" / name / "delivery.conf").exists())

    def test_an_id_in_outbox_or_done_is_refused(self):
        h = self.house(finish_on="hand-over")
        h.drop("finished")
        h.once()
        self.assertEqual(h.place("finished"), ["done"])
        before = h.journal("finished")
        h.drop("finished")
        h.once()
        self.assertIn("done", h.refused()["finished"])
        self.assertEqual(h.journal("finished"), before)
        h = self.house()
        h.drop("sent")
        h.once()
        h.drop("sent")
        h.once()
        self.assertRegex(h.refused()["sent"], "outbox|handed")
        self.assertEqual(len(h.pickup()), 1)


class Revisions(house.Case):
    def revise(self, h, id, **drop):
        h.drop(id, **drop)
        h.once()
        self.assertEqual(h.refused(), {})
        return look.events(h, id)

    def open_steps(self, h, id):
        """Which steps wait, from the journal's own words."""
        waiting = set()
        for e in look.events(h, id):
            if e["event"] in ("opened", "withdrawn", "reset"):
                waiting.add(e["step"])
            elif e["event"] == "approved":
                waiting.discard(e["step"])
        return waiting

    def test_a_revision_keeps_approvals_of_steps_whose_input_is_the_same(self):
        h = self.house(approvals=REVIEWED)
        files = {"recipients.csv": house.recipients(5), "d.pdf": "one"}
        h.drop("a", dict(files), more='documents = [ "d.pdf" ];')
        h.once()
        h.decide("a", "target", "approve")
        h.once()
        self.assertEqual(self.open_steps(h, "a"), {"content"})
        files["d.pdf"] = "two"
        self.revise(h, "a", files=dict(files), more='documents = [ "d.pdf" ];')
        self.assertEqual(self.open_steps(h, "a"), {"content"})
        h.decide("a", "content", "approve")
        h.once()
        self.assertEqual(look.state(h, "a"), "extraction-to-approve", h.refused())

    def test_a_revision_reopens_the_step_whose_input_changed(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(5), "d.pdf": "one"}, more='documents = [ "d.pdf" ];')
        h.once()
        h.decide("a", "target", "approve")
        h.once()
        self.revise(h, "a", files={"recipients.csv": house.recipients(6), "d.pdf": "one"}, more='documents = [ "d.pdf" ];')
        self.assertEqual(self.open_steps(h, "a"), {"target", "content"})
        self.assertEqual(look.target(h, "a")["records"], 6)

    def test_a_file_that_a_revision_does_not_hold_comes_from_the_one_before(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(7)})
        h.once()
        self.revise(h, "a", files={}, target="limit = 3;")
        self.assertEqual(look.target(h, "a")["records"], 3)
        self.assertEqual((h.where("a") / "recipients.csv").read_text(), house.recipients(7))

    def test_the_revision_before_is_kept(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(7)})
        h.once()
        self.revise(h, "a", files={"recipients.csv": house.recipients(8)})
        self.assertEqual((h.where("a") / "revisions/1/recipients.csv").read_text(), house.recipients(7))

    def test_preparation_error_is_left_by_a_revision(self):
        h = self.house(approvals=REVIEWED)
        h.drop("a", {"recipients.csv": house.recipients(3) + 'R9,"never closed\n'})
        h.once()
        self.assertEqual(look.state(h, "a"), "preparation-error")
        self.revise(h, "a", files={"recipients.csv": house.recipients(3)})
        self.assertEqual(look.state(h, "a"), "target-ready")

    def test_a_revision_in_extraction_to_approve_goes_back_and_reverses_the_ledger(self):
        h = self.house(approvals="extraction = true;")
        h.drop("a", {"recipients.csv": house.recipients(5)})
        h.once()
        self.assertEqual((h.place("a"), look.state(h, "a")), (["extract"], "extraction-to-approve"))
        self.revise(h, "a", files={"recipients.csv": house.recipients(6)})
        self.assertEqual(look.state(h, "a"), "extraction-to-approve")
        for name in ("cost", "stock"):
            self.assertEqual([k for k in look.keys(h, name) if k.startswith("a/")],
                             ["a/extraction/1", "a/extraction/1/reversed", "a/extraction/2"])
        self.assertEqual(h.pickup(), [])
        h.decide("a", "extraction", "approve")
        h.once()
        self.assertEqual(look.manifest(h.pickup()[0])["records"], 6)

    def test_a_revision_that_changes_only_the_label_leaves_the_extraction_alone(self):
        h = self.house(approvals="extraction = true;")
        h.drop("a", {"recipients.csv": house.recipients(5)})
        h.once()
        conf = (house.DELIVERY % {"target": "", "more": ""}).replace("Spring offer", "Another")
        self.revise(h, "a", files={"recipients.csv": house.recipients(5)}, conf=conf)
        self.assertEqual(h.place("a"), ["extract"])
        self.assertEqual([k for k in look.keys(h, "cost")], ["a/extraction/1"])

    def test_a_revision_from_neither_owner_nor_administrator_is_refused(self):
        self.need_root()
        h = self.house(approvals=REVIEWED, operators=[look.operator("bob"), look.operator("carol")])
        h.drop("a", uid=look.uid("bob"))
        h.once()
        h.drop("a", uid=look.uid("carol"))
        h.once()
        self.assertRegex(h.refused()["a"], "bob|owner")
        h.drop("a", {"recipients.csv": house.recipients(4)})  # alice is an administrator
        h.once()
        self.assertEqual(look.target(h, "a")["records"], 4)


if __name__ == "__main__":
    house.main()
