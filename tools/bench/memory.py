"""What the daemon and its workers use, looked at from outside while they run.

Together: RssAnon + RssShmem of every process that lives at the same time, summed. Page cache is in neither, and the
status file can be read without rights where a confined worker's smaps_rollup cannot; a page that daemon and worker
still share after the fork counts twice, so the sum is at least what Pss would say. Each: VmHWM, the kernel's own peak,
mapped files included.
"""
import re
import threading

LOOK_EVERY_S = 0.01


def numbers(pid):
    """(name, peak KiB, KiB of its own now), or None: it has ended, or is not postroom yet."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as status:
            text = status.read()
    except OSError:
        return None
    values = dict(re.findall(r"^(Name|VmHWM|RssAnon|RssShmem):\s+(\S+)", text, re.M))
    if "VmHWM" not in values or not values["Name"].startswith("postroom"):
        return None  # one that ends has none; before exec it is still this script
    return values["Name"], int(values["VmHWM"]), int(values["RssAnon"]) + int(values["RssShmem"])


class Sampler(threading.Thread):
    """Looks at a daemon and its children until stop(); peaks: KiB by process name; together: KiB of all at once."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peaks, self.together, self.is_over = pid, {}, 0, threading.Event()
        self.start()

    def run(self):
        while not self.is_over.is_set():
            self.look()
            self.is_over.wait(LOOK_EVERY_S)

    def look(self):
        try:
            with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
                pids = [self.pid, *map(int, children.read().split())]
        except OSError:
            return
        seen = [found for found in map(numbers, pids) if found]
        for name, peak, _ in seen:
            self.peaks[name] = max(self.peaks.get(name, 0), peak)
        self.together = max(self.together, sum(own for _, _, own in seen))

    def stop(self):
        self.is_over.set()
        self.join()
