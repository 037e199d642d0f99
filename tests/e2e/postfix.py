"""A private Postfix that takes mail by TLS on connect and by STARTTLS, into one mailbox."""
import os
import pwd
import shutil
import subprocess

import relay

POSTFIX = shutil.which("postfix", path="/usr/sbin:/usr/bin")

MAIN_CF = """
compatibility_level = 3.6
queue_directory = %(dir)s/queue
data_directory = %(dir)s/data
maillog_file = %(dir)s/log
maillog_file_prefixes = %(dir)s
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ { unknown@example.net = 550 5.1.1 no such user } { late@example.net = 450 4.2.0 later } }, permit_mynetworks, reject
smtputf8_enable = yes
message_size_limit = 200000
virtual_mailbox_domains = example.net
virtual_mailbox_base = %(dir)s/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:%(uid)d
virtual_gid_maps = static:%(gid)d
smtpd_tls_cert_file = %(pem)s
smtpd_tls_key_file = %(key)s
smtpd_client_connection_rate_limit = 0
"""
MASTER_CF = """
127.0.0.1:%(first)d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
127.0.0.1:%(second)d inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


class Case(relay.Case):
    names = "DNS:relay.example"

    def setUp(self):
        super().setUp()
        self.need_root()
        self.need_path(POSTFIX, "postfix")
        self.dir.chmod(0o755)
        self.authority = relay.Authority(self.dir)
        pem = self.authority.make("good", self.names)
        owner = pwd.getpwnam("postfix")
        self.connect, self.starttls = relay.free_port(), relay.free_port()
        conf = self.dir / "conf"
        for name in ("conf", "queue", "data", "mail"):
            (self.dir / name).mkdir()
        for name in ("data", "mail"):
            os.chown(self.dir / name, owner.pw_uid, owner.pw_gid)
        (conf / "main.cf").write_text(MAIN_CF % {"dir": self.dir, "uid": owner.pw_uid, "gid": owner.pw_gid, "pem": pem,
                                                 "key": pem.with_suffix(".key")})
        (conf / "master.cf").write_text(MASTER_CF % {"first": self.connect, "second": self.starttls})
        done = self.postfix("start")
        if done.returncode != 0:
            self.skipTest(f"a private Postfix cannot be started: {done.stderr.strip().splitlines()[-1:]}")
        self.addCleanup(self.postfix, "stop")
        relay.until(lambda: relay.answers(self.connect) and relay.answers(self.starttls), "Postfix answers", 20)

    def postfix(self, word):
        return subprocess.run([POSTFIX, "-c", str(self.dir / "conf"), word], capture_output=True, text=True, timeout=60)

    def box(self):
        return sorted((self.dir / "mail/all/new").glob("*"))
