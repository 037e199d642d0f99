"""The other end of push and in-app messages: a scripted HTTP/2 service and nghttpd, on 127.0.0.1 behind TLS."""
import json
import pathlib
import shutil
import subprocess

import house
import relay

TRY = house.BUILD / "tools/http-try"
NGHTTPD = shutil.which("nghttpd", path="/usr/sbin:/usr/bin:/sbin:/usr/local/bin")
NAME = "push.example"

DELIVERY = """
campaign = "spring-2027"; channel = "%(channel)s"; label = "Spring offer"; confirm = false;
target = { file = "recipients.csv"; key = "recipient_id"; %(address)s };
content = { %(content)s };
%(more)s
"""
CONTENT = r'''title = "Hello {{first_name}} \"you\" 🎁"; body = "For {{last_name}}\nnow"; image = "https://x.example/i.png";
  data = { offer = "o-{{recipient_id}}"; count = 3; is_new = true; };'''


class Case(relay.Case):
    def setUp(self):
        super().setUp()
        self.authority = relay.Authority(self.dir)
        self.pem = self.authority.make("good", f"DNS:localhost,DNS:{NAME}")

    def peer(self, pem=None, kind="h2", ca=None):
        """Starts http2-peer.cjs; it is at self.url, what it got in self.got()."""
        if shutil.which("node") is None:
            self.skipTest("node is not installed")
        pem = pem or self.pem
        self.peers = getattr(self, "peers", 0) + 1
        out = self.dir / f"peer-{self.peers}.out"
        script = pathlib.Path(__file__).with_name("http2-peer.cjs")
        with open(out, "wb") as file:
            process = subprocess.Popen(["node", script, pem, pem.with_suffix(".key"), kind, *([ca] if ca else [])],
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        port = relay.until(lambda: next((line.split()[1] for line in out.read_text().splitlines()
                                         if line.startswith("port ")), None), "the peer answers", 30)
        self.out = out
        self.url = f"https://localhost:{port}"
        return self.url

    def got(self):
        whole = self.out.read_text().split("\n")[:-1]  # of the last one there may be half
        return [json.loads(line[4:]) for line in whole if line.startswith("got ")]

    def nghttpd(self, *options):
        self.need_path(NGHTTPD, "nghttpd (nghttp2-server)")
        port = relay.free_port()
        root = self.dir / "root"
        root.mkdir(exist_ok=True)
        (root / "ok").write_text("{}")
        self.start([NGHTTPD, "-a", "127.0.0.1", "-d", str(root), *options, str(port), str(self.pem.with_suffix(".key")),
                    str(self.pem)], port)
        return f"https://localhost:{port}"

    def nginx(self, requests):
        """nginx as the service, which says GOAWAY after so many requests; keys(): what it answered, in its order."""
        self.need_path(relay.NGINX, "nginx")
        port = relay.free_port()
        conf, log = self.dir / "service.conf", self.dir / "service.log"
        conf.write_text(f"daemon off; worker_processes 1; pid {conf}.pid; error_log {conf}.log; events {{ }}\n"
                        f"http {{ log_format key '$status $connection $http_idempotency_key'; access_log {log} key;\n"
                        f"server {{ listen 127.0.0.1:{port} ssl http2; keepalive_requests {requests};\n"
                        f"ssl_certificate {self.pem}; ssl_certificate_key {self.pem.with_suffix('.key')};\n"
                        "location / { return 200 '{}'; } } }\n")
        self.start([relay.NGINX, "-e", f"{conf}.log", "-c", str(conf)], port)
        self.url = f"https://localhost:{port}"
        return lambda: [line.split() for line in log.read_text().splitlines() if line.split()[0] == "200"]

    def knock(self, path="/ok", url=None, limit_s=relay.LIMIT_S, ca=None, **options):
        """Runs http-try; an option name has _ for -."""
        words = [f"{name.replace('_', '-')}={value}" for name, value in options.items()]
        words.append(f"ca={ca or self.authority.pem}")
        done = subprocess.run([TRY, *words, (url or self.url) + path], capture_output=True, text=True, timeout=limit_s)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return relay.Told(done.stdout)

    def house_of(self, channel="push", settings="", **more):
        made = self.house(top="channels = { %s = { %s }; };" % (channel, settings), **more)
        made.make_spool()
        return made

    def by_http(self, path, more="", channel="push", timeout="5s", **settings):
        return self.house_of(channel, f'transport = "http"; url = "{self.url}{path}"; ca_file = "{self.authority.pem}"; '
                             f'connections = 2; timeout = "{timeout}"; {more}', **settings)

    def drop(self, made, id="a", count=10, channel="push", content=CONTENT, more="", **columns):
        columns.setdefault("mobile", lambda n: f"token-{n}")  # a column that serves as the token
        address = 'address = "mobile";' if channel == "push" else ""
        made.drop(id, {"recipients.csv": house.recipients(count, **columns), "dot.gif": b"GIF89a"},
                  conf=DELIVERY % {"channel": channel, "address": address, "content": content, "more": more})

    def results(self, made, id="a"):
        """key -> (reference, verdict, code)"""
        rows = made.cli("results", id, check=0).stdout.splitlines()[1:]
        return {key: (reference, verdict, code) for key, reference, verdict, code, _ in (row.split(",") for row in rows)}
