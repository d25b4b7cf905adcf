"""A store of its own for a test, with what has to be true of it whatever happened."""

import json
import os
import subprocess


class Failure(AssertionError):
    """A test's own finding."""


class Store:
    """A root, reached through the program as its owner."""

    def __init__(self, program, root, images, user=None):
        self.program, self.root, self.images, self.user = program, root, images, user

    def command(self, *arguments):
        """The words of a command."""
        return [str(self.program), *map(str, arguments), "--root", str(self.root)]

    def options(self):
        """How its processes are started."""
        return {
            "user": self.user, "group": self.user, "extra_groups": None if self.user is None else [],
            "cwd": self.root.parent, "env": {"PATH": os.environ["PATH"], "HOME": str(self.root.parent), "LC_ALL": "C.UTF-8"},
        }

    def attempt(self, *arguments, timeout=120):
        """Runs sxs: its exit status, and what it prints both ways."""
        result = subprocess.run(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=timeout, check=False, **self.options())
        return result.returncode, result.stdout

    def sxs(self, *arguments):
        """Runs sxs, which has to succeed: its output."""
        status, output = self.attempt(*arguments)
        if status != 0:
            raise Failure(f"$ sxs {' '.join(map(str, arguments))}\nexit status {status}\n{output}")
        return output

    def json(self, *arguments):
        """What sxs prints as JSON."""
        result = subprocess.run(
            self.command(*arguments, "--json"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
            check=False, **self.options())
        if result.returncode != 0:
            raise Failure(f"$ sxs {' '.join(map(str, arguments))} --json\n{result.stderr}")
        return json.loads(result.stdout)

    def image(self, name):
        """The path of an image."""
        return self.images / f"{name}.oci.tar"

    def names(self, directory):
        """What is in a directory of the root."""
        return sorted(os.listdir(self.root / directory))

    def packages(self):
        """Names of the packages in the store."""
        return sorted(p["name"] for p in self.json("path-info"))

    def start(self, command, profile="default", **options):
        """Starts a command of the active generation."""
        return subprocess.Popen(
            [str(self.root / "profiles" / profile / "current/bin" / command[0]), *command[1:]], **self.options(),
            **options)

    def check(self):
        """What is true of every store that nobody is using: nothing half-done, and everything is what it was."""
        self.sxs("verify")
        registered = {os.path.basename(p["storePath"]) for p in self.json("path-info")}
        for directory in ("store", "manifests"):
            there = set(self.names(directory))
            if there != registered:
                raise Failure(f"{directory}/ has {sorted(there ^ registered)} that the index has not, or the other way")
        if not set(self.names("shims")) <= registered:
            raise Failure(f"shims of what is gone: {sorted(set(self.names('shims')) - registered)}")
        for alias in self.names("aliases"):
            target = os.readlink(self.root / "aliases" / alias)
            if target.split("/")[3] not in registered:
                raise Failure(f"the alias {alias} leads to {target}, which is gone")
        if self.names("tmp"):
            raise Failure(f"unfinished work is left: {self.names('tmp')}")

    def programs(self, generation):
        """The commands of a generation; of one whose links a later one took over, what they would lead to."""
        if not (generation / "stub").exists():
            return sorted((generation / "bin").iterdir())
        found, base = [], None
        for line in (generation / "packages").read_text().splitlines():
            word, rest = line.split(" ", 1)
            if word in ("package", "preferred"):
                base = rest
            elif word == "launch":
                found.append(self.root / "shims" / base / rest.split("\t")[0])
        return found

    def run_generations(self):
        """Runs a command of each generation of each profile; how many ran."""
        count = 0
        for profile in self.names("profiles"):
            for generation in self.names(f"profiles/{profile}"):
                for program in self.programs(self.root / "profiles" / profile / generation):
                    result = subprocess.run(
                        [str(program), "--version"], stdin=subprocess.DEVNULL, capture_output=True,
                        text=True, timeout=60, check=False, **self.options())
                    if result.returncode != 0:
                        raise Failure(f"{profile}/{generation}: {program}: {result.stdout}{result.stderr}")
                    count += 1
        return count
