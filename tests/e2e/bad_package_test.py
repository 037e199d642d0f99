#!/usr/bin/env python3
"""Bad packages: what leads out, links, devices, doubles, bombs, cut short or is no package at all.

Each lies beside a good delivery that the same run hands over, and is kept in refused/ byte for byte.
"""
import gzip
import io
import os
import resource
import struct
import tarfile
import time
import zipfile

import bad
import house


class Packages(bad.Case):
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
            for name, text in (("delivery.conf", bad.CONF), ("recipients.csv", house.recipients(3))):
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
            archive.writestr("delivery.conf", bad.CONF)
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
        conf.size = len(bad.CONF.encode())
        head = conf.tobuf() + bad.CONF.encode() + b"\0" * (-len(bad.CONF.encode()) % 512) + info.tobuf()
        start = time.monotonic()
        h = self.dropped("bad.tar.gz", gzip.compress(head) + gzip.compress(b"\0" * (1 << 20)) * 4096, r"bad|ratio|times|large|big|bytes")
        self.assertLess(time.monotonic() - start, 20)
        self.assertLess(sum(p.stat().st_size for p in h.spool.rglob("*") if p.is_file()), 100 << 20)
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, bad.MEMORY_KIB * (4 if house.SAN else 1))

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
            for name, text in (("delivery.conf", bad.CONF), ("recipients.csv", house.recipients(3))):
                info = self.member(name)
                info.size, info.mode, info.uid, info.gid = len(text.encode()), 0o6777, 12345, 12345
                archive.addfile(info, io.BytesIO(text.encode()))
        (h.spool / "inbox/a.tar").write_bytes(packed.getvalue())
        self.beside_good(h)
        self.assertEqual((h.where("a") / "recipients.csv").stat().st_mode & 0o7777, 0o600)
        self.assertEqual((h.where("a") / "recipients.csv").stat().st_uid, os.getuid())


if __name__ == "__main__":
    house.main()
