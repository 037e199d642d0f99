"""The other end of the e-mail channel: certificates, real relays and scripted ones, all on 127.0.0.1.

`Trial` runs build/tools/smtp-try, a plain driver of the transport, and reads its verdicts. What exists as a program
(nginx, smtp-sink, Postfix, smtp-server) is run; a `Peer` is only for what no decent program does on the wire.
"""
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import house

TRY = house.BUILD / "tools/smtp-try"
SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/sbin")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin")
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
LIMIT_S = 60.0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(fact, what, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = fact()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not in {limit_s} s: {what}")


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Told:
    """What smtp-try said."""

    def __init__(self, text):
        self.text = text
        self.verdicts = [tuple(line.split(" ", 4)) for line in text.splitlines() if line[:1].isdigit()]
        self.down = [line[5:] for line in text.splitlines() if line.startswith("down ")]
        self.counts = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", text.splitlines()[-1])}

    def of(self, number):
        """verdict, code, text of a message."""
        line, = [line for line in self.verdicts if line[0] == str(number)]
        return line[1], int(line[2]), line[4] if len(line) > 4 else ""

    def count(self, verdict):
        return int(self.counts[verdict])


class Case(house.Case):
    def setUp(self):
        super().setUp()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="postroom-relay-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def need_path(self, path, what):
        if path is None or not pathlib.Path(path).exists():
            self.skipTest(f"{what} is not installed")

    def send(self, port, host="127.0.0.1", limit_s=LIMIT_S, **options):
        """Runs smtp-try; an option name has _ for -."""
        words = [f"{name.replace('_', '-')}={value}" for name, value in options.items()]
        done = subprocess.run([TRY, *words, host, str(port)], capture_output=True, text=True, timeout=limit_s)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return Told(done.stdout)

    def start(self, command, port=None, **settings):
        """A server, ended by its pid; waits until it answers on port."""
        log = open(self.dir / "server.log", "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **settings)
        log.close()

        def end():
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self.addCleanup(end)
        if port is not None:
            until(lambda: process.poll() is not None or answers(port), f"{command[0]} answers")
            self.assertIsNone(process.poll(), (self.dir / "server.log").read_text())
        return process

    def sink(self, *options, **settings):
        self.need_path(SINK, "smtp-sink (postfix)")
        port = free_port()
        user = ["-u", "nobody"] if house.os.getuid() == 0 else []
        self.start([SINK, *user, *options, f"127.0.0.1:{port}", "256"], port, **settings)
        return port

    def front(self, backs):
        """nginx terminating TLS: backs is a list of (certificate, port behind, more directives); returns the ports."""
        self.need_path(NGINX, "nginx")
        self.need_path(STREAM, "nginx's stream module")
        ports = [free_port() for _ in backs]
        servers = "".join(
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {pem}; ssl_certificate_key {pem.with_suffix('.key')};"
            f" proxy_pass 127.0.0.1:{behind}; {more} }}\n" for port, (pem, behind, more) in zip(ports, backs))
        conf = self.dir / f"nginx-{ports[0]}.conf"
        conf.write_text(f"load_module {STREAM};\ndaemon off; worker_processes 1; pid {conf}.pid;\n"
                        f"error_log {conf}.log info; events {{ worker_connections 2048; }}\nstream {{ tcp_nodelay on;\n"
                        f"ssl_session_tickets on;\n{servers}}}\n")
        self.start([NGINX, "-e", f"{conf}.log", "-c", str(conf)], ports[0])
        return ports


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, folder):
        self.dir = folder
        self.pem = folder / "ca.pem"
        if not self.pem.exists():
            self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                     "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")

    def run(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.dir, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def make(self, name, san="", cn="nobody.example", dates=None, own=False):
        """NAME.pem and NAME.key; san as in openssl's configuration; own: signed by itself."""
        self.run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
                 "-out", f"{name}.csr", "-subj", f"/CN={cn}")
        (self.dir / f"{name}.ext").write_text("basicConstraints=CA:FALSE\n" + (f"subjectAltName={san}\n" if san else ""))
        signer = ["-key", f"{name}.key"] if own else ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        if dates is None:
            self.run("x509", "-req", "-in", f"{name}.csr", *signer, "-days", "30", "-extfile", f"{name}.ext", "-out",
                     f"{name}.pem")
        else:
            (self.dir / "index.txt").write_text("")
            (self.dir / "ca.conf").write_text(
                "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n"
                "[p]\ncommonName=supplied\n")
            self.run("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{name}.csr",
                     "-out", f"{name}.pem", "-notext", "-startdate", dates[0], "-enddate", dates[1], "-extfile",
                     f"{name}.ext")
        return self.dir / f"{name}.pem"


class Peer:
    """A relay that does what its script says: script(line, number) is called with each connection, numbered from 1."""

    def __init__(self, case, script, port=0):
        self.script = script
        self.count = 0
        self.failures = []
        self.socket = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.threads = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        case.addCleanup(self.close)

    def accept(self):
        while True:
            try:
                made, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            thread = threading.Thread(target=self.serve, args=(made, self.count), daemon=True)
            thread.start()
            self.threads.append(thread)

    def serve(self, made, number):
        made.settimeout(LIMIT_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with made:
            try:
                self.script(Line(made), number)
            except (OSError, EOFError):
                pass  # the client went: its right

    def close(self):
        if self.socket.fileno() < 0:
            return
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(10)
        for thread in self.threads:
            thread.join(10)


class Wrapped(Peer):
    """A Peer that speaks TLS on connect; sessions says which connections resumed one."""

    def __init__(self, case, script, pem, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem, pem.with_suffix(".key"))
        self.sessions = []
        super().__init__(case, script, port)

    def serve(self, made, number):
        made.settimeout(LIMIT_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with self.context.wrap_socket(made, server_side=True) as wrapped:
                self.sessions.append(wrapped.session_reused)
                self.script(Line(wrapped), number)
        except (OSError, EOFError):
            pass


class Line:
    """One connection of a Peer."""

    def __init__(self, made):
        self.socket = made
        self.buffer = b""
        self.heard = []

    def say(self, text):
        self.socket.sendall(text.encode() if isinstance(text, str) else text)

    def hear(self):
        """One line without its end."""
        while b"\n" not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.heard.append(line.rstrip(b"\r"))
        return self.heard[-1]

    def begin(self, offers=("PIPELINING", "8BITMIME")):
        self.say("220 peer\r\n")
        assert self.hear().startswith(b"EHLO ")
        names = ["peer", *offers]
        self.say("".join(f"250{'-' if at < len(names) - 1 else ' '}{name}\r\n" for at, name in enumerate(names)))

    def envelope(self, mail="250 ok", rcpt="250 ok", data="354 go"):
        """Answers MAIL, RCPT and DATA with what is given; returns the line of RCPT. None: that is not answered."""
        while not self.hear().startswith(b"MAIL "):
            self.say({b"QUIT": "221 bye\r\n", b"RSET": "250 ok\r\n"}[self.heard[-1]])
        for reply in (mail, rcpt, data):
            if reply is None:
                return self.heard[-1]
            self.say(reply + "\r\n")
            if reply is not data:
                self.hear()
        return self.heard[-2]

    def body(self):
        """Through the final dot."""
        lines = []
        while self.hear() != b".":
            lines.append(self.heard[-1])
        return lines

    def message(self, reply="250 ok", **replies):
        rcpt = self.envelope(**replies)
        lines = self.body()
        if reply is not None:
            self.say(reply + "\r\n")
        return rcpt, lines

    def wait_for_end(self):
        while self.socket.recv(65536):
            pass
