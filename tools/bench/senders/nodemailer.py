"""nodemailer with its pool, installed below BUILD."""
import shutil
import subprocess

import relays
import send_house
import work
from senders import turn

PACKAGE, VERSION = "nodemailer", "10.6.1"
SCRIPT = __file__.removesuffix(".py") + ".cjs"
INSTALL_S_MAX = 300


class Nodemailer:
    name = f"nodemailer {VERSION}, pool of {send_house.CONNECTIONS}"

    @staticmethod
    def missing(job):
        if shutil.which("node") is None:
            return "no node on PATH (Debian: nodejs)"
        home = job.build / "bench/npm"
        if (home / "node_modules" / PACKAGE).exists():
            return None
        if job.options.no_install:
            return f"{PACKAGE} is not installed, and --no-install was given"
        if shutil.which("npm") is None:
            return "no npm on PATH (Debian: npm)"
        home.mkdir(parents=True, exist_ok=True)
        work.say(f"npm install {PACKAGE}@{VERSION} in {home}")
        try:
            done = subprocess.run(["npm", "install", "--prefix", home, "--no-audit", "--no-fund", f"{PACKAGE}@{VERSION}"],
                                  capture_output=True, text=True, timeout=INSTALL_S_MAX)
        except subprocess.TimeoutExpired:
            return f"npm install took more than {INSTALL_S_MAX} s"
        return None if done.returncode == 0 else f"npm install: {' '.join(done.stderr.split())[-200:]}"

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
        return turn.run(self.name, ["node", SCRIPT, job.build / "bench/npm", str(job.sink.port), job.sink.ca, str(count),
                                    str(send_house.CONNECTIONS), text, str(key)], count)
