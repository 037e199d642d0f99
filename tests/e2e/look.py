"""What a test looks at: states, journals, archives and ledgers, read as an outsider reads them.

Nothing here calls postroom: files are opened with Python's own zipfile, csv, json and hashlib, or shown to
hledger and ledger.
"""
import csv
import hashlib
import io
import json
import pathlib
import pwd
import re
import shlex
import subprocess
import zipfile

# Accounts that every Debian has, so that several people can be played by a test that runs as root.
ACCOUNTS = {"bob": "daemon", "carol": "bin", "dave": "mail", "erin": "games"}
STRANGER = "nobody"


def uid(name):
    return pwd.getpwnam(ACCOUNTS.get(name, name)).pw_uid


def operator(name, extra=""):
    return f'{{ name = "{name}"; user = "{ACCOUNTS[name]}"; email = "{name}@example.net"; {extra} }}'


# -- a delivery
def events(house, id):
    """The journal as a list of dicts: time, event, who, and the keys of each line."""
    found = []
    for line in house.journal(id).splitlines():
        time, event, who, *rest = line.split(" ", 3)
        entry = {"time": time, "event": event, "who": who}
        for key, value in re.findall(r'([\w-]+)=("(?:[^"\\]|\\.)*"|\S*)', rest[0] if rest else ""):
            entry[key] = json.loads(value) if value.startswith('"') else value
        found.append(entry)
    return found


def state(house, id):
    return [entry["state"] for entry in events(house, id) if "state" in entry][-1]


def names_of_events(house, id):
    return [entry["event"] for entry in events(house, id)]


def target(house, id):
    return json.loads(house.read(id, "target.json"))


def excluded(house, id):
    """excluded.csv as [(line, key, cause)], without its header."""
    rows = list(csv.reader(io.StringIO(house.read(id, "excluded.csv").decode())))
    assert rows[0] == ["line", "key", "cause"], rows[0]
    return [tuple(row) for row in rows[1:]]


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def basis(house, id, step):
    """The digest that a decision on this step may carry."""
    return sha256(house.where(id) / "basis" / step)


def tree(folder):
    """Every path below a folder with its bytes: what 'byte for byte' is compared with."""
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


# -- archives
def zip_members(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def member(members, tail):
    """The one member that is called so, below the archive's top folder."""
    found = [data for name, data in members.items() if name.split("/", 1)[1] == tail]
    assert len(found) == 1, (tail, sorted(members))
    return found[0]


def manifest(path):
    return json.loads(member(zip_members(path), "manifest.json"))


def records(path, encoding="windows-1252", delimiter=";"):
    text = member(zip_members(path), "data.csv").decode(encoding)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


# -- ledgers
def ledger(house, name):
    path = house.spool / "ledger" / f"{name}.journal"
    return path.read_text() if path.exists() else ""


def keys(house, name):
    return re.findall(r"^\d{4}-\d\d-\d\d \* \(([^)]*)\)", ledger(house, name), re.M)


def balances(house, name, program):
    """Account -> amount of every account that does not stand at zero, as hledger or ledger add it up."""
    path = house.spool / "ledger" / f"{name}.journal"
    if program == "hledger":
        command = ["hledger", "-f", path, "balance", "--flat", "--no-total", "-O", "csv"]
        rows = list(csv.reader(io.StringIO(subprocess.run(command, capture_output=True, text=True, check=True).stdout)))
        found = {account: amount for account, amount in rows[1:]}
    else:
        command = ["ledger", "-f", path, "--args-only", "balance", "--flat", "--no-total", "--format",
                   "%(account)\t%(display_total)\n"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = dict(line.split("\t") for line in done.stdout.splitlines() if line)
    return {account: amount.replace('"', "") for account, amount in found.items() if amount not in ("0", "")}


def run(command, **options):
    """A command line in a shell's words; its output, or an AssertionError with what it said."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout
