"""What a command spends: processor and wall time, memory, system calls."""

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass


@dataclass
class Spent:
    """What one run took."""

    cpu: float  # seconds, user and system, of the command and what it started
    wall: float  # seconds
    memory: int  # bytes of anonymous memory at the highest point that was seen, of the command alone
    output: str = ""

    def least(self, other):
        """The least of two runs, each figure by itself: others use the machine, too."""
        return Spent(min(self.cpu, other.cpu), min(self.wall, other.wall), min(self.memory, other.memory), other.output)

    def plus(self, other):
        """One after the other."""
        return Spent(self.cpu + other.cpu, self.wall + other.wall, max(self.memory, other.memory), other.output)


class Watch(threading.Thread):
    """Looks at the anonymous memory of a process and its children every few milliseconds."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.highest, self.over = process, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.004):
            self.highest = max(self.highest, anonymous(self.process))


def anonymous(process):
    """Bytes of anonymous memory of a process and what it started."""
    try:
        with open(f"/proc/{process}/status", encoding="ascii") as file:
            found = re.search(r"^RssAnon:\s+(\d+) kB", file.read(), re.M)
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
            children = file.read().split()
    except (OSError, ProcessLookupError):
        return 0
    return (int(found[1]) << 10 if found else 0) + sum(anonymous(int(child)) for child in children)


def run(command, environment=None, watches=False, cwd=None, fails=False):
    """Runs a command to its end; what it spent.

    Ends the program if the command fails, or if it does not where it has to; `fails=None` takes either.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                   env=environment, cwd=cwd)
        watch = Watch(process.pid)
        if watches:
            watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.over.set()
        output.seek(0)
        text = output.read()
    if fails is not None and (process.returncode != 0) != fails:
        sys.exit(f"bench: '{' '.join(map(str, command))[:300]}' ended with {process.returncode}\n{text[-2000:]}")
    return Spent(usage.ru_utime + usage.ru_stime, seconds, watch.highest, text)


def in_turn(runs, *kinds):
    """Runs kinds of work in turn, some times; the least of each. Each is called with the number of the turn."""
    best = [None] * len(kinds)
    for turn in range(runs):
        for index, kind in enumerate(kinds):
            spent = kind(turn)
            best[index] = spent if best[index] is None else best[index].least(spent)
    return best


def system_calls(command, environment=None):
    """How many system calls a command and what it starts make."""
    with tempfile.NamedTemporaryFile("r") as file:
        # Of the usual columns, that of errors is left out where there are none.
        tracer = ["strace", "-f", "-c", "-U", "calls,name", "-o", file.name]
        subprocess.run([*tracer, *map(str, command)], check=True, env=environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        total = [line for line in file.read().splitlines() if line.endswith(" total")]
    return int(total[-1].split()[0])
