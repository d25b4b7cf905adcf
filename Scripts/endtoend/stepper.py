"""Runs commands call by call: the program crash.c."""

import os
import subprocess
from pathlib import Path

from .crashes import Broken


class Stepper:
    """The program that kills, and lets calls fail."""

    def __init__(self, directory):
        self.program = directory / "crash"
        source = Path(__file__).resolve().parent / "crash.c"
        subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-static", "-o", self.program, source], check=True)

    def run(self, point, place, root, words):
        """Runs a command on a store up to a point, or with a call that fails: what the stepper says of it."""
        reading, writing = os.pipe()

        def use_three():
            os.dup2(writing, 3)
            # Where it is that already, another thread having closed its own, dup2 leaves it to be closed by execve.
            os.set_inheritable(3, True)

        try:
            outcome = subprocess.run(
                [self.program, str(point), *place.command(*words)], env=place.environment(root), close_fds=False,
                preexec_fn=use_three, cwd=place.output(root), capture_output=True, text=True, check=False)
            os.close(writing)
            writing = None
            said = os.read(reading, 4096).decode().split()
        finally:
            os.close(reading)
            if writing is not None:
                os.close(writing)
        if not said:
            raise Broken(f"the stepper said nothing: {outcome.stderr}")
        return said, outcome
