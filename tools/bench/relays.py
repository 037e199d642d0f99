"""The other end for measuring senders: a relay that takes everything, behind TLS, and a certificate that fits it.

smtp-sink (Postfix) with nginx's stream module in front: both are C, and neither does anything with a message. Servers
listen on 127.0.0.1 and are ended by pid.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import time

import work

HOST = "localhost"
PATHS = "/usr/sbin:/usr/bin:/sbin"
STREAM = pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")
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


class Sink:
    """The relay that takes everything. port: where it speaks TLS from the first byte."""

    def __init__(self, top):
        self.dir, self.processes = top / "sink", []
        self.dir.mkdir()
        self.dir.chmod(0o755)
        certify(self.dir)
        self.ca = self.dir / "ca.pem"
        self.port, behind = free_port(), free_port()
        (self.dir / "nginx.conf").write_text(NGINX_CONF % {"stream": STREAM, "dir": self.dir, "port": self.port,
                                                           "behind": behind})
        user = ["-u", "nobody"] if os.getuid() == 0 else []
        try:
            self.start([shutil.which("smtp-sink", path=PATHS), *user, f"127.0.0.1:{behind}", "256"], behind)
            self.start([shutil.which("nginx", path=PATHS), "-e", self.dir / "nginx.log", "-c", self.dir / "nginx.conf"],
                       self.port)
        except BaseException:
            self.end()
            raise

    @staticmethod
    def missing():
        for name, package in (("smtp-sink", "postfix"), ("nginx", "nginx"), ("openssl", "openssl")):
            if shutil.which(name, path=PATHS) is None:
                return f"no {name} (Debian: {package})"
        return None if STREAM.exists() else "no stream module of nginx (Debian: libnginx-mod-stream)"

    def start(self, command, port):
        with open(self.dir / "server.log", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        limit = time.monotonic() + START_S
        while not answers(port):
            if self.processes[-1].poll() is not None or time.monotonic() > limit:
                raise work.Broken(f"{command[0]} does not answer: {(self.dir / 'server.log').read_text()[-500:]}")
            time.sleep(0.02)

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
