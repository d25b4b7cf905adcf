"""Programs: what relocating them takes, and how they start from the store."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from endtoend import room as room_module
from endtoend.room import Room

from .measure import Spent, in_turn, run
from .results import Row, fastest_tenth

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
SEARCH_PATH = "/usr/store/00000000000000000000000000000000-image-1/usr/lib/x86_64-linux-gnu"


def elf_files(tree):
    """The regular ELF files of a tree, each inode once."""
    seen, found = set(), []
    for path in sorted(tree.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.stat().st_ino in seen:
            continue
        with open(path, "rb") as file:
            if file.read(4) == b"\x7fELF":
                seen.add(path.stat().st_ino)
                found.append(path)
    return found


def relocation(bench):
    """All that sxs does to ELF files, in one process, and patchelf's interpreter and search path, one process a file."""
    build = PROJECT / ".build-bench"
    subprocess.run(["swift", "build", "--quiet", "-c", "release", "--product", "relocation-bench", "--scratch-path", build],
                   cwd=PROJECT, check=True, stdout=sys.stderr)
    corpus = bench.corpus("emacs")
    files = elf_files(corpus.tree)
    program = build / "release/relocation-bench"
    figures = {}

    def ours(_):
        output = run([program, f"dir:{corpus.tree}", bench.disk.fresh("relocation"), "elf"]).output
        figures.update(json.loads(output))
        spent = figures["relocationSeconds"] + figures["pathScanSeconds"]
        figures["hashed"] = min(figures.get("hashed", 1e9), spent + figures["hashingSeconds"])
        return Spent(spent, 0, 0)

    def peer(_):
        place = bench.disk.fresh("patchelf")
        spent = Spent(0, 0, 0)
        for number, path in enumerate(files):
            copy = place / str(number)
            shutil.copyfile(path, copy)
            copy.chmod(0o755)
            asks = ["--set-rpath", SEARCH_PATH]
            if subprocess.run(["patchelf", "--print-interpreter", copy], capture_output=True, check=False).returncode == 0:
                asks += ["--set-interpreter", SEARCH_PATH + "/ld-linux-x86-64.so.2"]
            # Some it refuses, which takes time, too.
            spent = spent.plus(run(["patchelf", *asks, copy], fails=None))
        return spent

    mine, theirs = in_turn(bench.runs, ours, peer)
    yield Row(f"relocation of {len(files)} ELF files, {corpus.name}", "patchelf", mine.cpu / theirs.cpu, 0.1,
              note=f"CPU {mine.cpu:.2f} / {theirs.cpu:.2f} s; with the new SHA-256, which patchelf does not take, "
                   f"{figures['hashed'] / theirs.cpu:.3f}")


def _compile(bench, source, name):
    program = bench.disk.fresh("programs") / name
    subprocess.run(["gcc", "-static", "-O2", "-o", program, source], check=True)
    return program


def spawned(program, turns, command, inside=()):
    """Milliseconds of each start of a command; what goes before it enters where it is started."""
    text = subprocess.run([*map(str, inside), program, str(turns), *map(str, command)], check=True, capture_output=True,
                          text=True).stdout
    return [float(line) / 1000 for line in text.split()]


def shims(bench):
    """What is between a command of a profile and its program: a link, a launcher, a launcher that makes a namespace."""
    spawn = _compile(bench, HERE / "spawn.c", "spawn")
    tree = bench.disk.fresh("tree")
    (tree / "usr/bin").mkdir(parents=True)
    source = tree / "nothing.c"
    source.write_text("int main(void) { return 0; }\n")
    # A second one that is not shown, so that the first gets a launcher; alone it would be a link.
    for name in ("tiny", "hidden"):
        subprocess.run(["gcc", "-static", "-O2", "-o", tree / "usr/bin" / name, source], check=True)
    source.unlink()
    store = bench.store()
    store("install", f"dir:{tree}", "--name", "tiny", "--version", "1", "--expose", "tiny")
    base = json.loads(store("path-info", "tiny", "--json").output)[0]["storePath"]
    launcher = f"{store.root}/profiles/default/current/bin/tiny"
    link = bench.disk.path / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(f"/usr/store/{base}/usr/bin/tiny")
    within = [bench.program, "shell", "--root", store.root, "--"]
    direct = f"{store.root}/store/{base}/usr/bin/tiny"
    ways = {"direct": (within, f"/usr/store/{base}/usr/bin/tiny"), "link": (within, link), "launcher": (within, launcher),
            "elsewhere": ((), direct), "namespace": ((), launcher)}
    times = {name: [] for name in ways}
    for _ in range(10 * bench.runs):
        for name, (inside, command) in ways.items():
            times[name] += spawned(spawn, 50, [command], inside)
    least = {name: fastest_tenth(values) for name, values in times.items()}
    for what, name, beside, target in (
            ("start by a symbolic link", "link", "direct", 0.05), ("start by a launcher", "launcher", "direct", 0.3),
            ("start by a launcher that makes a namespace", "namespace", "elsewhere", 1.5)):
        yield Row(what, "direct start", least[name] - least[beside], target, "ms later",
                  f"fastest tenth of {len(times[name])}: {least[name]:.3f} / {least[beside]:.3f} ms")


# What is started: the corpus, a name, what the shell does before, and the program with its arguments.
REPOSITORY = "git init -q x; cd x; echo a >a; git add a; git -c user.name=a -c user.email=a@b commit -qm a; echo b >b; "
JOBS = [
    ("emacs", "emacs --version", "", ["emacs", "--version"]),
    ("emacs", "emacs --batch", "", ["emacs", "--batch", "--eval", "(princ (emacs-version))"]),
    ("media", "git --version", "", ["git", "--version"]),
    ("media", "git status", REPOSITORY, ["git", "status", "--short"]),
    ("media", "python3 importing json, ssl", "", ["python3", "-c", "import json, ssl"]),
    ("media", "ffmpeg -version", "", ["ffmpeg", "-version"]),
    ("media", "vim --version", "", ["vim", "--version"]),
]
STATE = "/var/lib/sxs-bench"
CALL = re.compile(r"^(\d+) +(\w+)\(")
EXECVE = re.compile(r"^(\d+) +execve\((\"[^\"]*\").* = 0$")


class Place:
    """A root in which programs are started."""

    def __init__(self, root, binds, path):
        self.room, self.path = Room(root, binds, scratch=True, own_network=True), path

    def run(self, before, command, log=None):
        """Starts a program by a shell in it; what it says."""
        script = before + "exec " + " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in command)
        traced = ["strace", "-f", "-qq", "-s", "200", "-o", str(log)] if log else []
        environment = {"PATH": self.path, "HOME": "/tmp/home", "LC_ALL": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
        result = subprocess.run(
            [*traced, "unshare", "--pid", "--fork", "--kill-child", sys.executable, "-B", room_module.__file__,
             self.room.specification(), "--", "/bin/sh", "-euc", script],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if result.returncode != 0:
            sys.exit(f"bench: '{script}' fails in {self.room.root}:\n{result.stderr.decode('utf-8', 'replace')[-2000:]}")
        return result.stdout.decode()


def traced_calls(lines):
    """How many system calls the program makes that the shell became, from its own execve(2) on."""
    shell, first = None, None
    for number, line in enumerate(lines):
        if found := EXECVE.match(line):
            if shell is None and found[2] == '"/bin/sh"':
                shell = found[1]
            elif found[1] == shell:
                # The shell becomes the launcher and then the program; of these the last.
                first = number
    if first is None:
        sys.exit("bench: the program was not started\n" + "\n".join(lines[-20:]))
    others = {line.split(" ", 1)[0] for line in lines[:first]} - {shell}
    return sum(1 for line in lines[first:] if (found := CALL.match(line)) and found[1] not in others)


def starts(bench):
    """Programs from the store in a root with only a static busybox, and the same of the unmodified image in its own root."""
    spawn = _compile(bench, HERE / "spawn.c", "spawn")
    busybox = bench.disk.fresh("busybox") / "root"
    subprocess.run([PROJECT / "Scripts/make-root", "busybox", busybox], check=True, stdout=subprocess.DEVNULL)
    log = bench.disk.path / "trace"
    for corpus in bench.corpora:
        jobs = [job for job in JOBS if job[0] == corpus.name]
        if not jobs:
            continue
        store = bench.store()
        store("install", f"tar:{corpus.tar}", "--name", "image", "--version", "1", "--expose", "all")
        base = json.loads(store("path-info", "image", "--json").output)[0]["storePath"]
        shims = f"{STATE}/profiles/default/current/bin:/usr/bin:/bin"
        native = Place(corpus.tree, [(spawn, "/mnt/spawn")], "/usr/bin:/bin")
        ours = Place(busybox, [(store.root, STATE), (spawn, "/mnt/spawn")], shims)
        # Where /usr/store is the store, as on a host that has it: what a launcher costs is measured by itself.
        there = Place(busybox, [(f"{store.root}/store", "/usr/store"), (f"{store.root}/aliases", "/usr/_"),
                                (spawn, "/mnt/spawn")], f"/usr/store/{base}/usr/bin:/usr/bin:/bin")
        for _, what, before, command in jobs:
            # The loader has its cache, as on a host of its own.
            places = {"native": (native, "/sbin/ldconfig; " + before), "store": (ours, before)}
            calls, times = {}, {}
            for _ in range(bench.runs):
                for name, (place, script) in places.items():
                    place.run(script, command, log)
                    found = traced_calls(log.read_text("utf-8", "replace").splitlines())
                    calls[name] = min(calls.get(name, found), found)
            yield Row(f"system calls of {what}", "native", calls["store"] / calls["native"], 1.02, "ratio",
                      f"{calls['store']} / {calls['native']}")
            places["store"] = (there, before)
            for _ in range(4 * bench.runs):
                for name, (place, script) in places.items():
                    text = place.run(script, ["/mnt/spawn", 25, *command])
                    times.setdefault(name, []).extend(float(line) / 1000 for line in text.split())
            least = {name: fastest_tenth(values) for name, values in times.items()}
            middle = {name: statistics.median(values) for name, values in times.items()}
            yield Row(f"start of {what}", "native", least["store"] / least["native"], 1.03, "ratio of time",
                      f"fastest tenth {least['store']:.2f} / {least['native']:.2f} ms, "
                      f"median {middle['store']:.2f} / {middle['native']:.2f} ms")


PROGRAMS = {"relocation": relocation, "shims": shims, "starts": starts}
