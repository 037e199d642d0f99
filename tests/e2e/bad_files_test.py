#!/usr/bin/env python3
"""Bad files: too big, of the wrong kind, or of a name that nobody expects.

Each lies beside a good delivery that the same run hands over, and is kept in refused/ with its reason.
"""
import gzip
import os
import resource
import shutil
import socket

import bad
import house
import look


class Big(bad.Case):
    def bounded(self, run):
        """What every process of this run held at most, in KiB: those before it were smaller or it shows here."""
        run()
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, bad.MEMORY_KIB * (4 if house.SAN else 1))

    def test_a_field_of_a_gigabyte_is_an_error_with_its_line_in_bounded_memory(self):
        start = gzip.compress((house.recipients(3) + 'R9,"').encode())
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": start + gzip.compress(b"x" * (1 << 20)) * 1024},
               bad.CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.bounded(lambda: self.beside_good(h))
        self.assertEqual(look.state(h, "bad"), "preparation-error", h.refused())
        self.assertRegex(h.journal("bad"), r"recipients\.csv\.gz:5: ")

    def test_a_gigabyte_without_a_newline_or_quote(self):
        start = gzip.compress(house.recipients(3).encode())
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": start + gzip.compress(b"x" * (1 << 20)) * 1024},
               bad.CONF.replace("recipients.csv", "recipients.csv.gz"))
        self.bounded(lambda: self.beside_good(h))
        self.assertEqual(look.state(h, "bad"), "preparation-error", h.refused())

    def test_a_plain_file_with_a_field_of_64_mb(self):
        h = self.house()
        h.drop("bad", {"recipients.csv": house.recipients(3).encode() + b'R9,"' + b"x" * (64 << 20)})
        self.bounded(lambda: self.beside_good(h))
        self.assertRegex(h.journal("bad"), r"recipients\.csv:5: ")

    def test_a_header_of_a_gigabyte_and_one_of_a_million_columns(self):
        h = self.house()
        h.drop("bad", {"recipients.csv.gz": gzip.compress(b"x" * (1 << 20)) * 1024}, bad.CONF.replace("recipients.csv", "recipients.csv.gz"))
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


class Kinds(bad.Case):
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
        other.write_text(bad.CONF)
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


class Names(bad.Case):
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


if __name__ == "__main__":
    house.main()
