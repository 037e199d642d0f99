"""The work that everybody does: recipients in, the chosen ones out, each once, in order, nine columns, compressed."""
import os
import shutil
import subprocess
import sys

COLUMNS = ("recipient_id", "title", "first_name", "last_name", "company", "address1", "postcode", "city", "country")
WHERE_COLUMN, WHERE_VALUE = "consent_mail", "1"
KEY = "recipient_id"  # a second row with the same one is a duplicate too
DEDUPE = ("last_name", "first_name", "address1", "postcode")  # the first one in wins
ORDER = ("postcode", "city", "address1")  # as bytes; equal ones in the order of the file
THREADS = 2  # what peers are given, and pigz
MEMORY_MIB = 256  # promised for all processes of a delivery together

# How a peer's rows are compared with ours. NEARLY: SQL's windows cannot say "has the key or the columns of an earlier
# row that passed": of three rows, where the second repeats the columns of the first and the third the key of the second,
# the third is in for us and out for them.
EXACT, NEARLY, COUNT = "exact", "nearly", "count"
NEARLY_SHARE = 1e-4  # of the records may be in one and not in the other


class Broken(Exception):
    """The work was not done right, whatever it took."""


class Work:
    def __init__(self, options, top):
        self.options, self.top, self.build = options, top, options.build

    def recipients(self, rows, seed=1):
        """The path of a file of that many generated recipients; made once."""
        path = self.top / f"recipients-{rows}-{seed}.csv"
        if not path.exists():
            with open(path, "wb") as out:
                subprocess.run([self.build / "tools/make-recipients", str(rows), str(seed)], stdout=out, check=True)
        return path


def say(text):
    """What goes on, for those who wait."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def settle():
    """Nobody's turn pays for what was written before it."""
    os.sync()


def spread(folder):
    """What is made in it gets a place of its own on the disk: without a journal ext4 steps over every inode that was freed
    there in the last half minute, so that a turn would pay for what the one before, or other work, removed. ext4 only, and where there is chattr."""
    if shutil.which("chattr"):
        subprocess.run(["chattr", "+T", folder], stderr=subprocess.DEVNULL, check=False)


def remove(folder):
    """rm, which takes a third of the time of shutil.rmtree where there are very many files."""
    subprocess.run(["rm", "-rf", folder], check=True)
