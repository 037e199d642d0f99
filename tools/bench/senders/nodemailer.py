"""nodemailer with its pool, installed below BUILD."""
import npm
import relays
import send_house
from senders import turn

SCRIPT = __file__.removesuffix(".py") + ".cjs"


class Nodemailer:
    name = f"{npm.NODEMAILER.replace('@', ' ')}, pool of {send_house.CONNECTIONS}"

    @staticmethod
    def missing(job):
        return npm.missing(job, npm.NODEMAILER)

    @staticmethod
    def count(job):
        return job.options.count // 10

    def run(self, job, count, signed=None):
        text = job.top / "mail.txt"
        text.write_text(send_house.text())
        key = ""
        if signed:
            key = job.top / f"nodemailer-{signed}.pem"
            if not key.exists():
                kind, option = send_house.DKIM_KINDS[signed]
                relays.openssl(job.top, "genpkey", "-algorithm", kind, *(["-pkeyopt", option] if option else []),
                               "-out", key.name)
        return turn.run(self.name, ["node", SCRIPT, npm.home(job), str(job.relays.smtp), job.relays.ca, str(count),
                                    str(send_house.CONNECTIONS), text, str(key)], count)
