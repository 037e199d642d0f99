"""An independent reader of messages: Python's email package, and dkimpy for signatures.

    reader.py FOLDER      FOLDER holds cases (a JSON object a line), the messages it names, and keys (JSON)

Every case says what its recipient's fields were; what a message must then look like is worked out here again.
Ends with 0, or prints the first message that is not as it was meant and ends with 1. Without dkimpy (or PyNaCl,
which it needs for Ed25519) the signatures are not looked at, and it ends with 77.
"""
import email
import email.header
import email.policy
import email.utils
import json
import pathlib
import re
import sys

try:
    import dkim
    import nacl.signing  # noqa: F401
except ImportError:
    dkim = None

HEADERS = ["From", "Reply-To", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
           "Feedback-ID", "MIME-Version", "Content-Type"]
TYPES = ["multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/gif",
         "application/pdf"]


def header_text(value):
    """What becomes of a recipient's value in a header: whatever ends a line for anybody is a blank."""
    return re.sub("[\0-\x1f\x7f-\x9f\u2028\u2029]", " ", value)


def body_text(value):
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub("[\0-\x08\x0b-\x1f\x7f]", " ", value)


def escaped(value):
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        value = value.replace(sign, entity)
    return value


def decoded(header):
    """Unfolded and decoded by the older reader, the one that keeps blanks as they are."""
    text = re.sub(r"\r\n(?=[ \t])", "", header)
    return str(email.header.make_header(email.header.decode_header(text)))


def check_bytes(raw):
    assert raw.endswith(b"\r\n")
    assert re.search(rb"\r(?!\n)|(?<!\r)\n", raw) is None, "a bare CR or LF"
    assert max(raw) < 0x80, "a byte over 0x7F"
    assert re.search(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", raw) is None, "a control character"
    head, body = raw.split(b"\r\n\r\n", 1)
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or re.match(rb"(List-Unsubscribe:)? <(https|mailto):\S+$", line), line
        assert len(line) <= 76 or b"=?UTF-8?" not in line, line
    for line in body.split(b"\r\n"):
        assert len(line) <= 78, line
        assert not line.startswith((b".", b"From ")), line


def check_headers(message, case):
    names = [name for name in message.keys() if name != "DKIM-Signature"]
    assert names == HEADERS, names
    assert len(message.keys()) == len(HEADERS) + (1 if case["key"] else 0)
    subject = "Hello " + header_text(case["name"]) + "!"
    assert decoded(message["Subject"]) == subject, (decoded(message["Subject"]), subject)
    name, address = email.utils.parseaddr(re.sub(r"\r\n(?=[ \t])", "", message["From"]))
    assert address == "shop@example.net", address
    expected = header_text((case["name"] + " of Shop").lstrip(" \t"))
    assert decoded(name) == expected, (decoded(name), expected)
    assert message["To"] == "ann@example.org"
    assert message["Date"] == "Fri, 01 Mar 2024 22:00:00 +0000"


def content(part):
    return part.get_payload(decode=True).decode("utf-8").replace("\r\n", "\n")


def check_parts(message, case):
    parts = list(message.walk())
    assert [part.get_content_type() for part in parts] == TYPES
    for part in parts:
        assert part.defects == [], part.defects
    text = "Dear " + body_text(case["name"]) + ",\n" + body_text(case["note"])
    assert content(parts[2]) == text, (content(parts[2]), text)
    html = "<p>" + body_text(escaped(case["name"])) + "</p>\n" + body_text(escaped(case["note"])) + "<img src='cid:dot.gif'>\n"
    assert content(parts[4]) == html, (content(parts[4]), html)
    assert parts[5].get_payload(decode=True) == b"GIF89a" and parts[5]["Content-ID"] == "<dot.gif>"
    assert parts[6].get_payload(decode=True) == bytes(range(256)) and parts[6].get_filename() == "terms é.pdf"


def check_new_policy(raw):
    """The newer reader parses structured headers: it must find nothing wrong either."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    for name in ("From", "To", "Subject", "Date", "MIME-Version", "Content-Type"):
        assert len(message.get_all(name)) == 1
    assert [address.addr_spec for address in message["To"].addresses] == ["ann@example.org"]
    assert [address.addr_spec for address in message["From"].addresses] == ["shop@example.net"]


def check_signature(raw, case, keys):
    def dns(name, timeout=5):
        assert name in (b"pr1._domainkey.example.net.", "pr1._domainkey.example.net."), name
        return keys[case["key"]].encode()

    def is_good(message):
        return dkim.verify(message, dnsfunc=dns)

    assert is_good(raw), "the signature does not hold"
    assert not is_good(raw.replace(b"R0lGODlh", b"R0lGODlx", 1))
    assert not is_good(raw.replace(b"22:00:00 +", b"22:00:01 +", 1))
    for name in (b"From: eve@example.com", b"To: eve@example.com", b"Subject: x", b"Message-ID: <x@y>", b"Date: x"):
        assert not is_good(name + b"\r\n" + raw), name
    assert not is_good(raw + b"x\r\n")
    assert is_good(raw + b"\r\n\r\n"), "empty lines at the end are not signed (relaxed)"
    assert is_good(raw.replace(b"Subject: ", b"Subject:   ", 1))


def main():
    folder = pathlib.Path(sys.argv[1])
    keys = json.loads((folder / "keys").read_text())
    for line in (folder / "cases").read_bytes().decode().rstrip("\n").split("\n"):
        case = json.loads(line)
        raw = (folder / case["file"]).read_bytes()
        try:
            check_bytes(raw)
            message = email.message_from_bytes(raw)
            check_headers(message, case)
            check_parts(message, case)
            check_new_policy(raw)
            if dkim is not None and case["key"]:
                check_signature(raw, case, keys)
        except Exception:
            print(line)
            sys.stdout.flush()
            sys.stdout.buffer.write(raw)
            raise
    if dkim is None:
        sys.exit(77)


if __name__ == "__main__":
    main()
