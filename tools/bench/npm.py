"""Packages of npm that peers need, installed below BUILD."""
import shutil
import subprocess

import work

NODEMAILER, SMPP = "nodemailer@10.6.1", "smpp@0.5.1"
INSTALL_S_MAX = 300


def home(job):
    return job.build / "bench/npm"


def missing(job, package):
    """None, or why NAME@VERSION is not there; installs it where that is allowed."""
    if shutil.which("node") is None:
        return "no node on PATH (Debian: nodejs)"
    if (home(job) / "node_modules" / package.rsplit("@", 1)[0]).exists():
        return None
    if job.options.no_install:
        return f"{package} is not installed, and --no-install was given"
    if shutil.which("npm") is None:
        return "no npm on PATH (Debian: npm)"
    home(job).mkdir(parents=True, exist_ok=True)
    work.say(f"npm install {package} in {home(job)}")
    try:
        done = subprocess.run(["npm", "install", "--prefix", home(job), "--no-audit", "--no-fund", package],
                              capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.TimeoutExpired:
        return f"npm install took more than {INSTALL_S_MAX} s"
    return None if done.returncode == 0 else f"npm install: {' '.join(done.stderr.split())[-200:]}"
