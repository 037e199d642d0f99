"""The other ends for measuring senders: they take everything and do nothing with it, behind TLS with one certificate.

    smtp      smtp-sink (Postfix) with nginx's stream module in front; both are C
    smsc      smsc-sink.c: an SMSC that is faster than those who send
    npm_smsc  npm's smpp as an SMSC (tests/e2e/smsc.js), which speaks TLS itself
    nghttpd   nghttp2's own server, one worker

Each is started when a part first asks for it. They listen on loopback and are ended by pid.
"""
import functools
import os
import pathlib
import shutil
import socket
import subprocess
import time

import npm
import work

HOST = "localhost"
PATHS = "/usr/sbin:/usr/bin:/sbin"
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
SMSC_JS = pathlib.Path(__file__).resolve().parents[2] / "tests/e2e/smsc.js"
START_S = 20
NGINX_CONF = """
load_module %(stream)s;
daemon off; worker_processes 1; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.log crit;
events { worker_connections 2048; }
stream { tcp_nodelay on;
server { listen 127.0.0.1:%(port)d ssl; ssl_certificate %(dir)s/good.pem; ssl_certificate_key %(dir)s/good.key;
  proxy_pass 127.0.0.1:%(behind)d; } }
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def openssl(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise work.Broken(f"openssl {words[0]}: {done.stderr[-500:]}")


def certify(folder):
    """ca.pem, and good.pem with good.key for HOST and 127.0.0.1."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(folder, "req", "-x509", *curve, "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=bench")
    openssl(folder, "req", *curve, "-keyout", "good.key", "-out", "good.csr", "-subj", f"/CN={HOST}")
    (folder / "good.ext").write_text(f"basicConstraints=CA:FALSE\nsubjectAltName=DNS:{HOST},IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "good.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
            "30", "-extfile", "good.ext", "-out", "good.pem")


def lacks(*programs):
    """None, or which of (program, Debian package) is not there."""
    for name, package in programs:
        if shutil.which(name, path=PATHS + os.pathsep + os.environ["PATH"]) is None:
            return f"no {name} (Debian: {package})"
    return None


class Relays:
    """Each peer is its port, where it speaks TLS from the first byte; ca: who signed for it."""

    def __init__(self, job):
        self.job, self.processes = job, []
        self.dir = job.top / "relays"
        self.dir.mkdir()
        self.dir.chmod(0o755)  # servers of other users read their certificates there
        certify(self.dir)
        self.ca, self.pem, self.key = (self.dir / name for name in ("ca.pem", "good.pem", "good.key"))

    def missing(self, name):
        """None, or why this peer cannot run here."""
        if name == "smtp":
            why = lacks(("smtp-sink", "postfix"), ("nginx", "nginx"))
            return why if why or STREAM.exists() else "no stream module of nginx (Debian: libnginx-mod-stream)"
        if name == "npm_smsc":
            return npm.missing(self.job, npm.SMPP)
        return lacks(("nghttpd", "nghttp2-server")) if name == "nghttpd" else None

    @functools.cached_property
    def smtp(self):
        port, behind = free_port(), free_port()
        (self.dir / "nginx.conf").write_text(NGINX_CONF % {"stream": STREAM, "dir": self.dir, "port": port, "behind": behind})
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        self.start([shutil.which("smtp-sink", path=PATHS), *user, f"127.0.0.1:{behind}", "256"], behind)
        return self.start([shutil.which("nginx", path=PATHS), "-e", self.dir / "nginx.log", "-c", self.dir / "nginx.conf"],
                          port)

    @functools.cached_property
    def smsc(self):
        return self.start_telling([self.job.build / "tools/bench/smsc-sink", self.pem, self.key])

    @functools.cached_property
    def npm_smsc(self):
        package = npm.home(self.job) / "node_modules/smpp"
        return self.start_telling(["node", SMSC_JS, package, "quiet", self.pem, self.key])

    @functools.cached_property
    def nghttpd(self):
        (self.dir / "root").mkdir()
        (self.dir / "root/push").write_text("{}")
        port = free_port()
        return self.start([shutil.which("nghttpd", path=PATHS), "-a", "127.0.0.1", "-d", self.dir / "root", str(port),
                           self.key, self.pem], port)

    def start(self, command, port):
        """Waits until it answers on port; returns that."""
        with open(self.dir / "server.log", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        limit = time.monotonic() + START_S
        while not answers(port):
            if self.processes[-1].poll() is not None or time.monotonic() > limit:
                raise work.Broken(f"{command[0]} does not answer: {(self.dir / 'server.log').read_text()[-500:]}")
            time.sleep(0.02)
        return port

    def start_telling(self, command):
        """One that prints `port N` when it listens; returns N."""
        with open(self.dir / "server.log", "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        self.processes.append(process)
        words = process.stdout.readline().split()
        if len(words) != 2 or words[0] != "port":
            raise work.Broken(f"{command[0]} does not start: {(self.dir / 'server.log').read_text()[-500:]}")
        return int(words[1])

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
            if process.stdout:
                process.stdout.close()
