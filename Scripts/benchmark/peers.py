"""The programs that sxs is compared with, and sxs itself."""

import os
import random
from pathlib import Path

from .measure import run

# Trees that one command gets: the kernel limits its arguments.
BATCH = 250


def batches(items):
    """Pieces of a list that a command can take."""
    return [items[start:start + BATCH] for start in range(0, len(items), BATCH)]


class Nix:
    """A store of Nix, in a directory of its own."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.environment = dict(
            os.environ, NIX_STORE_DIR=f"{directory}/store", NIX_STATE_DIR=f"{directory}/state",
            NIX_LOG_DIR=f"{directory}/log", NIX_CONF_DIR=f"{directory}/conf", NIX_REMOTE="", HOME=str(directory))
        (self.directory / "conf").mkdir(parents=True)
        (self.directory / "conf/nix.conf").write_text("build-users-group =\nsandbox = false\nsubstitute = false\n")

    def store(self, *arguments, **options):
        """Runs nix-store."""
        return run(["nix-store", *arguments], self.environment, **options)

    def add(self, *trees):
        """Adds trees; what that took."""
        return self.store("--add", *trees)

    def add_all(self, trees):
        """Adds any number of trees; their store paths."""
        return [line for part in batches(trees) for line in self.add(*part).output.split() if line.startswith("/")]

    def optimise(self):
        """Links files that are the same."""
        return self.store("--optimise")

    def root(self, paths):
        """Keeps store paths from collection."""
        roots = self.directory / "state/gcroots"
        roots.mkdir(parents=True, exist_ok=True)
        for path in paths:
            (roots / Path(path).name).symlink_to(path)

    def env(self, *arguments):
        """Changes a profile."""
        return run(["nix-env", "-p", self.directory / "profile", *arguments], self.environment)


class Sxs:
    """A store of sxs, in a directory of its own."""

    def __init__(self, program, root):
        self.program, self.root = program, str(root)

    def __call__(self, verb, *arguments, **options):
        return run([self.program, verb, *arguments, "--root", self.root], **options)

    def install_all(self, trees, profile="default"):
        """Installs any number of trees, with all commands."""
        for part in batches(trees):
            self("install", *(f"dir:{tree}" for tree in part), "--expose", "all", "--profile", profile)


def make_tree(place, files, source, size=(200, 8000), command="tool", pool=()):
    """Makes a tree of files; bytes in it. No two files have the same contents, but each second one comes from a pool."""
    (place / "usr/bin").mkdir(parents=True)
    total = 0
    for number in range(files):
        directory = place / f"usr/share/{command}/d{number // 100:04}"
        directory.mkdir(parents=True, exist_ok=True)
        text = source.choice(pool) if pool and number % 2 else source.randbytes(source.randrange(*size))
        (directory / f"f{number:06}").write_bytes(text)
        total += len(text)
    program = place / "usr/bin" / command
    program.write_text(f"#!/bin/sh\necho {place.name}\n")
    program.chmod(0o755)
    return total


def make_trees(place, count, files, source, pool=(), large=0):
    """Makes trees, each with a command and, if asked for, a large file of so many bytes; their directories and bytes.

    No two have a path in common, as Nix wants it, and directories are called as packages are, with a version.
    """
    trees, total = [], 0
    for number in range(count):
        tree = place / f"p{number:05}-1"
        total += make_tree(tree, files, source, command=package(tree), pool=pool)
        if large:
            (tree / "usr/share" / package(tree) / "large").write_bytes(source.randbytes(large))
        total += large
        trees.append(tree)
    return trees, total


def package(tree):
    """The name of the package that a tree becomes."""
    return tree.name.rsplit("-", 1)[0]


def random_source():
    """The same numbers in every run."""
    return random.Random(1)
