"""Runs sxs on one image within bounds, and sees what it did outside of its root."""

import collections
import os
import re
import subprocess
from pathlib import Path

from hostile.cases import EITHER, IMPORTED, REFUSED, matches

# What a sentence for people has not.
RAW = re.compile(r"Optional\(|Error\(|\bNSError\b|couldn.t be completed|Swift\.|DecodingError|fatal error|0x[0-9a-f]{9,}")
# Address space: a bound for what the measured peak is not, such as a table that is allocated and never touched.
SPACE = 8192

Run = collections.namedtuple("Run", "how number megabytes seconds output errors")


def listing(top):
    """All below a directory: what each is and when it changed."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in ["", *directories, *files]:
            path = os.path.join(directory, name) if name else directory
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
    return found


class Failed(AssertionError):
    """Something that a hostile image must not do."""


class Watch:
    """A root, a home and a temporary directory of one worker, and the canary that all share."""

    def __init__(self, directory, program, bound, canary):
        self.directory, self.program, self.bound, self.canary = directory, program, bound, canary
        for name in ("home", "temporary"):
            (directory / name).mkdir(parents=True)
        self.root = directory / "root"
        self.leftovers = set()
        self.count = 0
        self.outside = self.listing()

    def listing(self):
        """What nothing may change: the canary, what lies around the roots, and the names at the top of the host."""
        found = listing(self.canary.parent) | listing(self.directory / "home")
        names = {path: tuple(sorted(os.listdir(path))) for path in ("/", "/usr")}
        beside = sorted(set(os.listdir(self.directory)) - {"root"})
        return found, names, beside, sorted(os.listdir(self.canary.parent.parent))

    def names(self, part):
        path = self.root / part
        return set(os.listdir(path)) if path.exists() else set()

    def run(self, verb, reference, options, seconds):
        """Runs a verb on an image."""
        report, output, errors = (self.directory / "temporary" / n for n in ("report", "output", "errors"))
        command = [str(self.bound), str(report), str(int(seconds)), str(SPACE), str(self.program), verb,
                   "--root", str(self.root), *options, reference]
        environment = {"HOME": str(self.directory / "home"), "TMPDIR": str(self.directory / "temporary"),
                       "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no"}
        with open(output, "wb") as out, open(errors, "wb") as err:
            subprocess.run(command, env=environment, cwd=self.directory / "home", stdin=subprocess.DEVNULL, stdout=out,
                           stderr=err, check=True)
        how, number, kibibytes, milliseconds = report.read_text().split()
        texts = [path.read_bytes().decode("utf-8", "backslashreplace") for path in (output, errors)]
        for path in (report, output, errors):
            path.unlink()
        return Run(how, int(number), int(kibibytes) / 1024, int(milliseconds) / 1000, *texts)

    def judge(self, case, image, verb, options):
        """Runs a verb on a case's image: how it ended, and the run; raises Failed for what must not be."""
        before = {part: self.names(part) for part in ("store", "manifests", "aliases")}
        run = self.run(verb, case.kind + str(image), [*case.options, *options], case.seconds)
        said = f"$ sxs {verb} {case.kind}{image.name}\n{run.output[-600:]}{run.errors[-1200:]}"
        if run.how != "exit":
            self.leftovers |= self.names("tmp")
            raise Failed(f"ended by {run.how} {run.number} after {run.seconds:.1f} s, {run.megabytes:.0f} MB\n{said}")
        if run.megabytes > case.megabytes:
            raise Failed(f"took {run.megabytes:.0f} MB, more than {case.megabytes}\n{said}")
        if self.listing() != self.outside:
            raise Failed(f"something outside of the root changed\n{said}\n{self._difference()}")
        self._look_for_leftovers(run, said)
        if run.number == 0:
            outcome = "imported with notes" if run.errors.strip() else "imported whole"
        elif run.number == 1:
            self._check_sentence(run, image, options, said)
            outcome = "refused"
            for part, names in before.items():
                if self.names(part) != names:
                    raise Failed(f"refused, and {part}/ has {sorted(self.names(part) - names)[:5]}\n{said}")
        else:
            raise Failed(f"exit status {run.number}\n{said}")
        # An image of which nothing can be shown is imported, and not installed.
        is_shown = verb == "import" or "would be shown" not in run.errors
        if case.expect != EITHER and is_shown and (case.expect == REFUSED) != (outcome == "refused"):
            raise Failed(f"{outcome} where it should be {case.expect}\n{said}")
        if case.says and case.expect in (REFUSED, IMPORTED) and verb == "import" and not matches(
                case.says, run.output + run.errors):
            raise Failed(f"what is said does not match {case.says!r}\n{said}")
        if outcome != "refused" and case.check and verb == "import":
            case.check(self.store_path(run))
        return outcome, run

    def store_path(self, run):
        """Where the package is that an import has named."""
        return self.root / "store" / Path(run.output.split()[0]).name

    def _difference(self):
        now, before = self.listing(), self.outside
        return "\n".join(f"{path}: {before[0].get(path)} -> {now[0].get(path)}"
                         for path in sorted(set(now[0]) | set(before[0]))
                         if now[0].get(path) != before[0].get(path))[:2000]

    def _look_for_leftovers(self, run, said):
        """A command leaves nothing in tmp/ or $TMPDIR, and one that writes takes away what a killed one has left."""
        left = self.names("tmp") - (self.leftovers if run.number else set())
        self.leftovers &= self.names("tmp")
        if left:
            raise Failed(f"tmp/ has {sorted(left)}\n{said}")
        names = os.listdir(self.directory / "temporary")
        if names:
            for name in names:
                (self.directory / "temporary" / name).unlink()
            raise Failed(f"$TMPDIR has {names}\n{said}")

    @staticmethod
    def _check_sentence(run, image, options, said):
        """A refusal names the image or its package, gives a reason and can be shown on a terminal."""
        text = run.errors
        if not text.startswith("sxs: "):
            raise Failed(f"no sentence\n{said}")
        if image.name not in text and not ("--name" in options and f"'{options[1]}'" in text):
            raise Failed(f"the sentence does not name the image\n{said}")
        if "hint: " not in text:
            raise Failed(f"no hint\n{said}")
        if RAW.search(text):
            raise Failed(f"not for people\n{said}")
        if len(text) > 8000:
            raise Failed(f"{len(text)} characters of it\n{said}")
        if any(ord(c) < 0x20 and c != "\n" or ord(c) == 0x7f or 0x80 <= ord(c) <= 0x9f for c in text):
            raise Failed(f"control characters\n{said!r}")
