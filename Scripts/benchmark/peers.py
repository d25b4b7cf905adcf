"""The programs that sxs is compared with, and sxs itself."""

import os
import random
from pathlib import Path

from .measure import run


class Nix:
    """A store of Nix, in a directory of its own."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.environment = dict(
            os.environ, NIX_STORE_DIR=f"{directory}/store", NIX_STATE_DIR=f"{directory}/state",
            NIX_LOG_DIR=f"{directory}/log", NIX_CONF_DIR=f"{directory}/conf", NIX_REMOTE="", HOME=str(directory))
        (self.directory / "conf").mkdir(parents=True)
        (self.directory / "conf/nix.conf").write_text("build-users-group =\nsandbox = false\nsubstitute = false\n")

    def add(self, *trees):
        """Adds trees; what that took."""
        return run(["nix-store", "--add", *trees], self.environment)

    def optimise(self):
        """Links files that are the same."""
        return run(["nix-store", "--optimise"], self.environment)

    def env(self, *arguments):
        """Changes a profile."""
        return run(["nix-env", "-p", self.directory / "profile", *arguments], self.environment)


class Sxs:
    """A store of sxs, in a directory of its own."""

    def __init__(self, program, root):
        self.program, self.root = program, str(root)

    def __call__(self, verb, *arguments, watches=False):
        return run([self.program, verb, "--root", self.root, *arguments], watches=watches)


def make_tree(place, files, source, size=(200, 8000), command=None):
    """Makes a tree of files that no two have the same contents; bytes in it."""
    (place / "usr/bin").mkdir(parents=True)
    total = 0
    for number in range(files):
        directory = place / f"usr/share/d{number // 100:04}"
        directory.mkdir(parents=True, exist_ok=True)
        text = source.randbytes(source.randrange(*size))
        (directory / f"f{number:06}").write_bytes(text)
        total += len(text)
    program = place / "usr/bin" / (command or place.name)
    program.write_text(f"#!/bin/sh\necho {place.name}\n")
    program.chmod(0o755)
    status = place / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(f"Package: {place.name}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n")
    return total


def random_source():
    """The same numbers in every run."""
    return random.Random(1)
