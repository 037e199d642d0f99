"""Kannel as the receiver of our text messages, and the bridge that it needs.

Debian's Kannel has no SMSC for transceivers (test/drive_smpp knows bind_transmitter alone, and wants a bearerbox at a
fixed port). Its bearerbox is a client that receives by deliver_sm, whose body is that of a submit_sm (SMPP 3.4, 4.4 and
4.6). So `Bridge` hands each submit_sm to it as a deliver_sm, its body as it is, and its answer back; what Kannel makes
of it, parts put together, its smsbox tells by HTTP.
"""
import http.server
import shutil
import struct
import threading
import urllib.parse

import relay

PATHS = "/usr/sbin:/usr/bin:/sbin"
BEARERBOX, SMSBOX = (shutil.which(name, path=PATHS) for name in ("bearerbox", "smsbox"))
LIMIT_S = 60
CONF = """
group = core
admin-interface = 127.0.0.1
admin-port = %(admin)d
admin-password = secret
smsbox-interface = 127.0.0.1
smsbox-port = %(inner)d
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
sms-combine-concatenated-mo = true
log-file = "%(dir)s/bearerbox.log"
log-level = 0

group = smsc
smsc = smpp
smsc-id = postroom
host = 127.0.0.1
port = %(smsc)d
smsc-username = "kannel"
smsc-password = "secret"
system-type = ""
transceiver-mode = true
interface-version = 34
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-interface = 127.0.0.1
sendsms-port = %(sendsms)d
log-file = "%(dir)s/smsbox.log"
log-level = 0

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://127.0.0.1:%(http)d/?from=%%p&to=%%P&text=%%b&coding=%%c&charset=%%C&udh=%%u"
"""
ANSWER = 0x80000000
SUBMIT_SM, DELIVER_SM, UNBIND, BIND_TRANSCEIVER, ENQUIRE_LINK = 0x4, 0x5, 0x6, 0x9, 0x15


def pdu(command, sequence, body=b"", status=0):
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def hear(line):
    """(command, status, sequence, body)"""
    data = b""
    while len(data) < 4 or len(data) < struct.unpack(">I", data[:4])[0]:
        more = line.socket.recv(4 if len(data) < 4 else struct.unpack(">I", data[:4])[0] - len(data))
        if not more:
            raise EOFError
        data += more
    _, command, status, sequence = struct.unpack(">IIII", data[:16])
    return command, status, sequence, data[16:]


class Bridge:
    """ours: where postroom's SMPP goes, behind TLS; theirs: where bearerbox connects."""

    def __init__(self, case, pem):
        self.bound = threading.Event()  # bearerbox is there
        self.lock = threading.Lock()
        self.us = self.them = None
        self.submitted = []  # bodies of submit_sm, as they came
        self.refused = []  # status of what Kannel did not take
        self.theirs = relay.Peer(case, self.kannel)
        self.ours = relay.Wrapped(case, self.postroom, pem)

    def say(self, line, data):
        with self.lock:
            line.socket.sendall(data)

    def answer(self, line, command, sequence):
        self.say(line, pdu(command | ANSWER, sequence, b"bridge\0" if command == BIND_TRANSCEIVER else b""))

    def postroom(self, line, _):
        self.us = line
        while True:
            command, _, sequence, body = hear(line)
            if command == SUBMIT_SM:
                self.submitted.append(body)
                self.bound.wait(LIMIT_S)
                self.say(self.them, pdu(DELIVER_SM, sequence, body))
            elif not command & ANSWER:
                self.answer(line, command, sequence)

    def kannel(self, line, _):
        while True:
            command, status, sequence, body = hear(line)
            if command == BIND_TRANSCEIVER:
                self.them = line
                self.answer(line, command, sequence)
                self.bound.set()
            elif command == DELIVER_SM | ANSWER:
                self.refused += [status] if status else []
                self.say(self.us, pdu(SUBMIT_SM | ANSWER, sequence, body or b"\0", status))
            elif not command & ANSWER:
                self.answer(line, command, sequence)


class Heard(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.urlsplit(self.path).query
        self.server.messages.append(dict(urllib.parse.parse_qsl(query, keep_blank_values=True, encoding="latin-1")))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Kannel:
    """bearerbox and smsbox; messages: what smsbox told, as dicts of from, to, text, coding, charset, udh."""

    def __init__(self, case, bridge):
        case.need_path(BEARERBOX, "bearerbox (kannel)")
        case.need_path(SMSBOX, "smsbox (kannel)")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heard)
        server.messages = self.messages = []
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        case.addCleanup(thread.join, 10)
        case.addCleanup(server.server_close)
        case.addCleanup(server.shutdown)
        ports = {name: relay.free_port() for name in ("admin", "inner", "sendsms")}
        conf = case.dir / "kannel.conf"
        conf.write_text(CONF % {**ports, "dir": case.dir, "smsc": bridge.theirs.port, "http": server.server_address[1]})
        case.start([BEARERBOX, str(conf)], ports["inner"], cwd=case.dir)
        case.start([SMSBOX, str(conf)], ports["sendsms"], cwd=case.dir)
        relay.until(bridge.bound.is_set, "bearerbox binds")

    def texts(self):
        """number -> text, of whole messages"""
        return {message["to"]: text_of(message) for message in list(self.messages)}


def text_of(message):
    data = message["text"].encode("latin-1")
    return data.decode("utf-16-be" if message["coding"] == "2" else "utf-8")
