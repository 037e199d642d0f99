"""The router's side of the door: archives fetched with OpenSSH's sftp, and what a router may and may not do there.

The second part starts a real sshd on a loopback port with its own configuration and keys, for an account that every
Debian has (its shell does not matter to internal-sftp), locked into outbox/routers/PROVIDER by ChrootDirectory. sshd
wants that path owned by root up to /, so that house stands below /srv instead of /tmp.
"""
import grp
import os
import pathlib
import pwd
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import zipfile

import house

SERVER = "/usr/lib/openssh/sftp-server"
SSHD = "/usr/sbin/sshd"
ROUTER = "games"  # a system account, group of the same name, password field "*" (not locked)
STRANGER = "nobody"
SRV = "/srv"

SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port %(port)d
HostKey %(keys)s/host
PidFile %(keys)s/sshd.pid
AuthorizedKeysFile %(keys)s/authorized
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
LogLevel VERBOSE
Subsystem sftp internal-sftp
AllowUsers %(user)s
Match User %(user)s
    ChrootDirectory %(chroot)s
    ForceCommand internal-sftp -u 0027
    AllowTcpForwarding no
"""


def verify(folder, name):
    """What a router does: sha256sum -c on the fetched digest, and look into the archive."""
    done = subprocess.run(["sha256sum", "-c", name + ".sha256"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == f"{name}: OK\n", done.stdout + done.stderr
    with zipfile.ZipFile(folder / name) as archive:
        assert archive.testzip() is None
        return archive.read(name.removesuffix(".zip") + "/data.csv")


class Sftp(house.Case):
    def test_archive_and_digest__are_fetched_with_sftp_and_agree(self):
        self.need("sftp")
        if not os.path.exists(SERVER):
            self.skipTest(f"{SERVER} is not installed")
        made = self.house()
        made.drop("spring-letter", {"recipients.csv": house.recipients(1000)})
        made.once()
        archive, = made.pickup()
        fetched = made.dir / "fetched"
        fetched.mkdir()
        batch = f"cd {archive.parent}\nlcd {fetched}\nls -1\nget {archive.name}\nget {archive.name}.sha256\n"
        done = subprocess.run(["sftp", "-q", "-b", "-", "-D", SERVER], input=batch, capture_output=True, text=True,
                              timeout=house.WAIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        listed = [line for line in done.stdout.splitlines() if not line.startswith("sftp>")]
        self.assertEqual([name.strip() for name in listed if name.strip().startswith("spring")],
                         [archive.name, archive.name + ".sha256"])
        data = verify(fetched, archive.name)
        self.assertEqual(data.count(b"\r\n"), 1001)
        self.assertEqual((fetched / archive.name).read_bytes(), archive.read_bytes())


class Chroot(house.Case):
    """One house and one sshd for the whole class: both are slow to start and no test changes what another sees."""

    @classmethod
    def setUpClass(cls):
        cls.reason = cls.missing()
        if cls.reason:
            return
        cls.made_privsep = not os.path.isdir("/run/sshd")
        if cls.made_privsep:
            os.mkdir("/run/sshd", 0o755)
            cls.addClassCleanup(os.rmdir, "/run/sshd")
        cls.group = grp.getgrgid(pwd.getpwnam(ROUTER).pw_gid)
        tempfile.tempdir = SRV
        try:
            conf = (house.CONF % {"settle": "0.0", "approvals": "", "admin": "true", "operators": "", "threads": 2,
                                  "container": "zip", "finish_on": "report", "user": house.ME,
                                  "top": 'routers = "../routers";'}).replace(
                'name = "nord-routage"; email', f'name = "nord-routage"; group = "{cls.group.gr_name}"; email')
            cls.house_ = house.House(conf=conf)
        finally:
            tempfile.tempdir = None
        cls.addClassCleanup(cls.house_.close)
        cls.house_.drop("spring-letter", {"recipients.csv": house.recipients(1000)})
        cls.house_.once()
        cls.router = cls.house_.dir / "routers/nord-routage"
        cls.archive, = (p for p in (cls.router / "pickup").iterdir() if p.suffix == ".zip")
        cls.keys = cls.house_.dir / "keys"
        cls.keys.mkdir(mode=0o755)
        for name in ("host", "router"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.keys / name], check=True)
        shutil.copy(cls.keys / "router.pub", cls.keys / "authorized")
        os.chmod(cls.keys / "authorized", 0o644)  # sshd reads it as the router
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        (cls.keys / "config").write_text(SSHD_CONFIG % {"port": cls.port, "keys": cls.keys, "user": ROUTER,
                                                        "chroot": cls.router})
        (cls.keys / "known").write_text(f"[127.0.0.1]:{cls.port} " + (cls.keys / "host.pub").read_text())
        cls.log = open(cls.keys / "sshd.log", "w")
        cls.addClassCleanup(cls.log.close)
        cls.sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", cls.keys / "config"], stdin=subprocess.DEVNULL,
                                    stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.end_sshd)
        end = time.monotonic() + house.WAIT_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", cls.port)) == 0:
                    break
            if cls.sshd.poll() is not None or time.monotonic() > end:
                raise AssertionError("sshd does not listen: " + (cls.keys / "sshd.log").read_text())
            time.sleep(0.02)

    @classmethod
    def missing(cls):
        if os.getuid() != 0:
            return "needs root (sshd changes users and roots)"
        for program in (SSHD, shutil.which("sftp") or "sftp", shutil.which("ssh-keygen") or "ssh-keygen"):
            if not os.path.exists(program):
                return f"{program} is not installed"
        for account in (ROUTER, STRANGER):
            try:
                pwd.getpwnam(account)
            except KeyError:
                return f"there is no account {account}"
        path = pathlib.Path(SRV)
        for part in (path, *path.parents):
            status = os.stat(part) if part.exists() else None
            if status is None or status.st_uid != 0 or status.st_mode & 0o022:
                return f"{part} is not a directory of root's alone, as ChrootDirectory wants"
        return None

    @classmethod
    def end_sshd(cls):
        cls.sshd.terminate()
        cls.sshd.wait(20)

    def setUp(self):
        if self.reason:
            self.skipTest(self.reason)

    def sftp(self, batch, folder=None):
        return subprocess.run(["sftp", "-q", "-b", "-", "-F", "/dev/null", "-P", str(self.port),
                               "-i", self.keys / "router", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none",
                               "-o", f"UserKnownHostsFile={self.keys}/known", "-o", "StrictHostKeyChecking=yes",
                               f"{ROUTER}@127.0.0.1"], input=batch, capture_output=True, text=True, cwd=folder,
                              timeout=house.WAIT_S)

    def fails(self, batch, folder):
        """One sftp command that must be refused by the other side, not for want of a connection."""
        done = self.sftp(batch, folder)
        self.assertNotEqual(done.returncode, 0, f"{batch!r} was allowed: {done.stdout}")
        self.assertRegex(done.stderr.lower(), "permission denied|not found|no such file", batch)

    def folder(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="postroom-router-"))
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def explain(self, done):
        return done.stderr + (self.keys / "sshd.log").read_text()[-2000:]

    def test_router_locked_into_its_directory__fetches_and_verifies_its_archive(self):
        folder = self.folder()
        name = self.archive.name
        done = self.sftp(f"ls -1 /\nls -1 pickup\nget pickup/{name}\nget pickup/{name}.sha256\n", folder)
        self.assertEqual(done.returncode, 0, self.explain(done))
        listed = [line.strip() for line in done.stdout.splitlines() if not line.startswith("sftp>")]
        self.assertEqual(sorted(line.lstrip("/") for line in listed if line.startswith("/")),
                         ["answers", "pickup", "returns"], "it sees its own three directories alone")
        self.assertIn(f"pickup/{name}", listed)
        self.assertIn(f"pickup/{name}.sha256", listed)
        self.assertEqual(verify(folder, name).count(b"\r\n"), 1001)

    def test_router__may_not_write_in_pickup_nor_answers_nor_look_outside(self):
        folder = self.folder()
        (folder / "mine").write_text("x")
        name = self.archive.name
        digest = self.archive.read_bytes()
        for batch in ("put mine pickup/mine\n", f"rm pickup/{name}\n", f"rename pickup/{name} pickup/other.zip\n",
                      f"put mine pickup/{name}\n", f"rename pickup/{name} returns/{name}\n", "put mine answers/mine\n",
                      "mkdir other\n", "put mine mine\n", "rmdir returns\n", "get /etc/passwd\n",
                      "get ../../etc/postroom.conf\n"):
            with self.subTest(batch.strip()):
                self.fails(batch, folder)
        self.assertEqual(self.archive.read_bytes(), digest)
        self.assertEqual(sorted(p.name for p in (self.router / "pickup").iterdir()), [name, name + ".sha256"])

    def test_router__may_write_in_returns(self):
        folder = self.folder()
        (folder / "report").write_text("reference,status\n")
        done = self.sftp("put report returns/report.part\nrename returns/report.part returns/report.csv\n", folder)
        self.assertEqual(done.returncode, 0, self.explain(done))
        written = self.router / "returns/report.csv"
        self.assertEqual(written.read_text(), "reference,status\n")
        self.assertEqual(written.stat().st_uid, pwd.getpwnam(ROUTER).pw_uid)
        written.unlink()

    def test_modes__are_those_of_the_contract(self):
        def shown(path):
            status = path.stat()
            return f"{stat.S_IMODE(status.st_mode):04o}", grp.getgrgid(status.st_gid).gr_name

        group = self.group.gr_name
        self.assertEqual(shown(self.router / "pickup"), ("0750", group))
        self.assertEqual(shown(self.router / "answers"), ("0750", group))
        self.assertEqual(shown(self.router / "returns"), ("3770", group))
        for path in (self.router / "pickup").iterdir():
            self.assertEqual(shown(path), ("0640", group), path.name)
        top = self.router.stat()
        self.assertEqual((top.st_uid, top.st_mode & 0o022), (0, 0), "ChrootDirectory wants it root's alone")
        self.assertFalse((self.house_.spool / "outbox/routers/nord-routage").exists())

    def test_strangers__read_neither_archive_nor_listing(self):
        for path in (self.archive, self.archive.parent):
            command = ["cat" if path == self.archive else "ls", path]
            done = subprocess.run(command, user=STRANGER, group=pwd.getpwnam(STRANGER).pw_gid, extra_groups=[],
                                  capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0, path)
            self.assertIn("Permission denied", done.stderr)


if __name__ == "__main__":
    house.main()
