"""Python's smtplib in ten threads, a connection each."""
import sys

import send_house
from senders import turn

SCRIPT = __file__.removesuffix(".py") + "_run.py"


class PythonSmtplib:
    name = f"Python {sys.version_info.major}.{sys.version_info.minor} smtplib, {send_house.CONNECTIONS} threads"

    @staticmethod
    def missing(job):
        del job
        return None

    @staticmethod
    def count(job):
        return job.options.count // 5

    def run(self, job, count):
        text = job.top / "mail.txt"
        text.write_text(send_house.text())
        return turn.run(self.name, [sys.executable, SCRIPT, str(job.relays.smtp), job.relays.ca, str(count),
                                    str(send_house.CONNECTIONS), text], count)
