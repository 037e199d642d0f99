"""What one turn of a sender showed."""
import json
import os
import subprocess
import threading

import work

RUN_S_MAX = 300


class Turn:
    def __init__(self, count, seconds, cpu_seconds):
        self.count, self.seconds, self.cpu_seconds = count, seconds, cpu_seconds

    def rate(self):
        return self.count / self.seconds

    def cpu(self):
        """seconds for 10,000 messages"""
        return self.cpu_seconds / self.count * 10000


def run(name, command, count):
    """A program that prints {"sent": N, "seconds": S}, S without its start."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    timer = threading.Timer(RUN_S_MAX, process.kill)
    timer.start()
    words, errors = process.stdout.read(), process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    told = json.loads(words) if process.returncode == 0 else {"sent": 0}
    if told["sent"] != count:
        raise work.Broken(f"{name}: {told['sent']} of {count} sent, exit {process.returncode}: {errors[-1000:]}")
    return Turn(count, told["seconds"], used.ru_utime + used.ru_stime)
