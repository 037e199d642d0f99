"""python_smtplib_run.py PORT CA COUNT THREADS TEXT - sends COUNT messages, made by filling in a string"""
import email.utils
import json
import pathlib
import re
import smtplib
import ssl
import sys
import threading
import time

HEAD = """From: Shop <shop@example.net>\r
To: {to}\r
Subject: {first_name}, spring is here\r
Message-ID: {id}\r
Date: {date}\r
List-Unsubscribe: <{unsubscribe}>\r
List-Unsubscribe-Post: List-Unsubscribe=One-Click\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
\r
"""


def main():
    port, ca, count, threads, path = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    text = HEAD + re.sub(r"\{\{(\w+)\}\}", r"{\1}", pathlib.Path(path).read_text(encoding="utf-8")).replace("\n", "\r\n")
    context = ssl.create_default_context(cafile=ca)
    date = email.utils.formatdate()
    sent = [0] * threads

    def work(at):
        with smtplib.SMTP_SSL("127.0.0.1", port, context=context) as smtp:
            for n in range(at + 1, count + 1, threads):
                to = f"ann.{n}@example.net"
                message = text.format(to=to, first_name=f"Ann{n % 977}", city="Lille", points=n * 7 % 10000, date=date,
                                      id=f"<{n}.spring@example.net>", unsubscribe=f"https://example.net/u?{n}")
                smtp.sendmail("shop@example.net", [to], message.encode())
                sent[at] += 1

    began = time.monotonic()
    workers = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(json.dumps({"sent": sum(sent), "seconds": time.monotonic() - began}))


main()
