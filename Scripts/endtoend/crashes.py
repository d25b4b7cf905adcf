"""Small stores, the commands that change them, and what has to be true after one of them was killed."""

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile
from pathlib import Path

PROGRAM = """
#include <stdio.h>
int main(void) { return puts("/usr/share/NAME/text") + VERSION < 0; }
"""


class Broken(AssertionError):
    """A store that is not as it has to be."""


def image(path, name, version, extra=()):
    """A tar image of a program that names a file of its package, a script, a manual page and data of two sizes."""
    program = path.parent / f"{name}-{version}.bin"
    source = PROGRAM.replace("NAME", name).replace("VERSION", version)
    subprocess.run(["gcc", "-O1", "-x", "c", "-o", program, "-"], input=source, text=True, check=True)
    files = {
        f"usr/bin/{name}": (program.read_bytes(), 0o755),
        f"usr/bin/{name}-script": (f"#!/bin/sh\ncat /usr/share/{name}/text\n".encode(), 0o755),
        f"usr/share/{name}/text": (f"{name} {version}\n".encode(), 0o644),
        f"usr/share/{name}/shared": (b"the same in all versions\n" * 40, 0o644),
        f"usr/share/man/man1/{name}.1": (f".TH {name} 1\n.SH {version}\n".encode(), 0o644),
    }
    files |= {at: (contents, 0o644) for at, contents in extra}
    with tarfile.open(path, "w") as archive:
        for at, (contents, mode) in sorted(files.items()):
            member = tarfile.TarInfo(at)
            member.size, member.mode = len(contents), mode
            archive.addfile(member, io.BytesIO(contents))
    return path


class Place:
    """A directory with images, from which stores are made."""

    def __init__(self, sxs, directory):
        self.sxs, self.directory = sxs, Path(directory)
        images = self.directory / "images"
        images.mkdir()
        self.images = {
            f"{name}-{version}": image(images / f"{name}-{version}.tar", name, version)
            for name, version in (("a", "1"), ("a", "2"), ("b", "1"), ("c", "1"))
        }
        self.base = self.directory / "base"
        for words in (["install", self.images["a-1"]], ["install", self.images["b-1"]], ["remove", "b"],
                      ["install", "b"]):
            self.run(self.base, *words)

    def command(self, *words):
        """The words of a command."""
        return [str(self.sxs), *map(str, words)]

    def output(self, root):
        """The directory in which a command for a store runs, and leaves what it makes outside the store."""
        if root.parts[-3:] == INSIDE.parts:
            return root.parents[2]
        path = Path(f"{root}.out")
        path.mkdir(exist_ok=True)
        return path

    def environment(self, root):
        """By what a command finds its store: not by its words, which are kept in the store."""
        return os.environ | {"SXS_ROOT": str(root)}

    def run(self, root, *words):
        """Runs a command that has to succeed, and gives back what it printed."""
        outcome = subprocess.run(self.command(*words), env=self.environment(root), cwd=self.output(root),
                                 capture_output=True, text=True, check=False)
        if outcome.returncode != 0:
            raise Broken(f"sxs {' '.join(map(str, words))} ended with {outcome.returncode}: {outcome.stderr}{outcome.stdout}")
        return outcome.stdout


# Where a host has its store.
INSIDE = Path("var/lib/sxs")


class Scenario:
    """A command, and the store that it finds, or the host, whose store it makes."""

    def __init__(self, name, *words, base=None, before=(), again=None, refusal=None, collects=False,
                 is_large=False, is_host=False, damage=None):
        self.name, self.words, self.base, self.before, self.again = name, words, base, before, again
        self.is_host = is_host
        # What it says where it was done already.
        self.refusal = refusal
        # What is done to the store by no command, for this one to mend.
        self.damage = damage
        self.is_large = is_large
        # Garbage may come back after a loss of power, and programs that run beside it keep their store paths.
        self.collects = collects

    def store(self, top):
        """The store of a copy of what the command finds."""
        return top / INSIDE if self.is_host else top

    def prepare(self, place):
        """The store before the command, that after it, and how many calls it makes."""
        self.start = self.base or place.directory / f"start of {self.name}"
        if not self.base:
            copy(place.base, self.start)
        for words in self.before:
            place.run(self.start, *words)
        if self.damage:
            self.damage(self.start)
        self.old = current(self.store(self.start))
        self.old_state = generation_state(self.store(self.start), self.old)
        self.end = place.directory / f"end of {self.name}"
        copy(self.start, self.end)
        store = self.store(self.end)
        place.run(store, *self.words)
        self.new = current(store)
        self.mended_state = generation_state(store, self.old)
        self.final, self.final_index = state(self.end), index(store)


def scenarios(place):
    """Every command that changes a store."""
    images, here = place.images, host(place)
    return [
        Scenario("install", "install", images["c-1"]),
        Scenario("first install", "install", images["a-1"], base=empty(place)),
        Scenario("upgrade", "install", images["a-2"]),
        Scenario("install again", "install", "b", before=[["remove", "b"]]),
        Scenario("remove", "remove", "b"),
        Scenario("rollback", "rollback"),
        Scenario("switch", "switch", "1"),
        Scenario("import", "import", images["c-1"]),
        Scenario("hint", "hint", "add", hint(place)),
        Scenario("remote", "remote", "add", "here", place.directory / "images", refusal="there is a remote named here"),
        Scenario("gc", "gc", collects=True, before=[["remove", "b"], ["generations", "delete", "1", "2", "3", "4"]]),
        # Deleting one that is gone is an error.
        Scenario("generations delete", "generations", "delete", "1", again=["gc", "--keep-generations", "3"]),
        Scenario("gc of generations", "gc", "--keep-generations", "1", collects=True, before=[["remove", "b"]]),
        Scenario("export", "export", "a", "--force", before=[["export", "a"]]),
        Scenario("export of a directory", "export", "a", "--force", "--format", "dir"),
        Scenario("repair", "repair", damage=spoil_files),
        Scenario("index rebuild", "index", "rebuild"),
        Scenario("rebuild of a damaged index", "index", "rebuild", damage=spoil_index),
        Scenario("adopt", "adopt", "--host", ".", base=here, is_host=True),
        Scenario("setup", "setup", "--host", ".", base=here, is_host=True),
    ]


def spoil_files(root):
    """Damages what two store paths share, in place, and takes a program, an alias and a link of the generation away."""
    one = next(path for path in (root / "store").iterdir() if path.name.endswith("-a-1"))
    shared = one / "usr/share/a/shared"
    shared.chmod(0o644)
    shared.write_bytes(b"damaged\n" * 10)
    shared.chmod(0o444)
    (one / "usr/bin/a").unlink()
    next((root / "aliases").iterdir()).unlink()
    next((root / f"profiles/default/generation-{current(root)}/bin").iterdir()).unlink()


def spoil_index(root):
    """Makes the index unreadable."""
    (root / "index.sqlite").write_bytes(b"garbage" * 4096)


def host(place):
    """A host without a store, with an extension."""
    top = place.directory / "host"
    extension = top / "var/lib/extensions/small"
    # Its store's directory is there: what is made before the first word can be written into it is in no record.
    for directory in (top / "etc", top / INSIDE, top / "usr/bin", extension / "usr/bin", extension / "usr/lib/extension-release.d"):
        directory.mkdir(parents=True)
    (top / "etc/os-release").write_text("ID=test\nVERSION_ID=1\n")
    (extension / "usr/lib/extension-release.d/extension-release.small").write_text("ID=_any\n")
    (extension / "usr/bin/small").write_text("#!/bin/sh\necho small\n")
    (extension / "usr/bin/small").chmod(0o755)
    return top


def empty(place):
    path = place.directory / "nothing"
    path.mkdir()
    return path


def hint(place):
    path = place.directory / "a.hints"
    path.write_text("sxs-hints 1\nprogram usr/bin/a\nenvironment A=1\n")
    return path


# A directory of large files that commands replace and never write to: copies share them.
SHARED = "libexec"


def copy(source, target):
    """Copies a store with its links, as they are, and what it made."""
    target.mkdir()
    names = sorted(os.listdir(source))
    if names != [SHARED] and names:
        # One command for all, so that what is linked stays linked.
        subprocess.run(["cp", "-a", *(source / name for name in names if name != SHARED), target], check=True)
    if SHARED in names:
        (target / SHARED).mkdir()
        for name in os.listdir(source / SHARED):
            os.link(source / SHARED / name, target / SHARED / name)
        shutil.copystat(source / SHARED, target / SHARED)
    shutil.copystat(source, target)
    made = Path(f"{source}.out")
    if made.exists() and os.listdir(made):
        subprocess.run(["cp", "-a", made, f"{target}.out"], check=True)


def discard(root):
    """Removes a store and what it made; root may."""
    for path in (root, Path(f"{root}.out")):
        if path.exists():
            shutil.rmtree(path)


# Digests of large files, by what changes when somebody writes to them.
KNOWN, LARGE = {}, 8 << 20


def digest(path, status):
    """The SHA-256 of a file that is none of the small ones; read once."""
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    if key not in KNOWN:
        KNOWN[key] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return KNOWN[key]


def current(root):
    """The number of the active generation; nothing where there is none."""
    try:
        return int(os.readlink(root / "profiles/default/current").removeprefix("generation-"))
    except FileNotFoundError:
        return None


def entry(path, root):
    """What there is at a path, as text that does not differ from run to run, wherever the root is."""
    status = os.lstat(path)
    kind = f"{status.st_mode:o}"
    if os.path.islink(path):
        return f"{kind} {os.readlink(path).replace(str(root), 'ROOT')}"
    if os.path.isdir(path):
        return kind
    if status.st_size >= LARGE:
        return f"{kind} {digest(path, status)}"
    contents = Path(path).read_bytes()
    if path.name == "generation.json":
        description = json.loads(contents)
        description.pop("created")
        contents = json.dumps(description).encode()
    if path.name == "metadata.json":
        metadata = json.loads(contents)
        metadata.get("registration", {}).pop("registered", None)
        contents = json.dumps(metadata).encode()
    contents = contents.replace(os.fsencode(root), b"ROOT")
    return f"{kind} {hashlib.sha256(contents).hexdigest()}"


def tree(top, root):
    """Everything below a path, by its name in the root."""
    found = {str(top.relative_to(root)): entry(top, root)}
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = Path(directory, name)
            found[str(path.relative_to(root))] = entry(path, root)
    return found


# What is not the same each time: the index (compared by its rows), who had the lock last, what this host said it uses, and
# what is remembered of images' files, which is not worth a failure.
VARYING = ("index.sqlite", "contents", "lock", "gcroots/hosts/", "cache/files")


def state(root):
    """Everything in a store."""
    found = tree(root, root)
    made = Path(f"{root}.out")
    if made.exists():
        found |= {f"output {path}": text for path, text in tree(made, made).items()}
    return {path: text for path, text in found.items() if not path.removeprefix(f"{INSIDE}/").startswith(VARYING)}


def lasting(root):
    """Everything in a store but what the next writer removes."""
    return {path: text for path, text in state(root).items()
            if not path.removeprefix(f"{INSIDE}/").startswith(("tmp/", "output .sxs-export."))
            and not path.endswith("/pending")}


def generation_state(root, number):
    """Everything that a generation consists of: itself, its store paths, their launchers, manifests and aliases."""
    if number is None:
        return {}
    found = tree(root / f"profiles/default/generation-{number}", root)
    listing = (root / f"profiles/default/generation-{number}/packages").read_text().splitlines()
    for base in (line.split(" ", 1)[1] for line in listing if line.startswith(("package ", "preferred "))):
        for name in ("store", "manifests", "shims"):
            if (root / name / base).exists():
                found |= tree(root / name / base, root)
        for alias in os.scandir(root / "aliases"):
            if f"/{base}" in os.readlink(alias.path):
                found[f"aliases/{alias.name}"] = os.readlink(alias.path)
    return found


def index(root):
    """The rows of the index, without what differs each time."""
    database = sqlite3.connect(f"file:{root}/index.sqlite?mode=ro", uri=True)
    try:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        rows = {
            "package": database.execute(
                "SELECT base_name, name, version, architecture, tree, listing, alias_salt, size, file_count, source,"
                " source_digest, summary FROM package ORDER BY base_name").fetchall(),
            "alias": database.execute(
                "SELECT alias.name, base_name, target FROM alias JOIN package ON package = package.id"
                " ORDER BY alias.name").fetchall(),
            "generation": database.execute(
                "SELECT profile, number, parent, command FROM generation ORDER BY profile, number").fetchall(),
            "generation_package": database.execute("SELECT * FROM generation_package ORDER BY 1, 2, 3").fetchall(),
        }
    finally:
        database.close()
    names = [(str(root), "ROOT")]
    if root.parts[-3:] == INSIDE.parts:
        names.append((str(root.parents[2]), "HOST"))

    def normal(value):
        for name, new in names if isinstance(value, str) else ():
            value = value.replace(name, new)
        return value
    return {"version": version} | {table: [tuple(map(normal, row)) for row in all_rows] for table, all_rows in rows.items()}


def difference(first, second, limit=8):
    """What two states do not have in common, for people."""
    lines = [f"{path}: {first.get(path, 'nothing')} | {second.get(path, 'nothing')}"
             for path in sorted(first.keys() | second.keys()) if first.get(path) != second.get(path)]
    return "\n".join(lines[:limit] + ([f"and {len(lines) - limit} more"] if len(lines) > limit else []))


def without_links(found, generation):
    """A generation as it is when a later one has taken its links over, among everything in a store.

    Links in `bin` and `share` go, and directories that have nothing else.
    """
    inside = [path for path in found if path.startswith((f"{generation}/bin", f"{generation}/share"))]
    files = [path for path in inside if found[path].startswith("100")]
    kept = set(files) | {str(above) for path in files for above in Path(path).parents}
    stub = {path: text for path, text in found.items() if path not in inside or path in kept}
    return stub | {f"{generation}/stub": f"100444 {hashlib.sha256(b'').hexdigest()}"}


def alike(usual, now):
    """Two states, without links of generations that only one of them has.

    They are not taken over where a call for it fails; and the same command once more takes those of another generation,
    where the first time it had come that far.
    """
    for path in [path for path in usual.keys() ^ now.keys() if re.fullmatch(".*profiles/[^/]*/generation-[0-9]*/stub", path)]:
        generation = path.removesuffix("/stub")
        if path in now and f"{generation}/packages" in usual:
            usual = without_links(usual, generation)
        elif f"{generation}/packages" in now:
            now = without_links(now, generation)
    return usual, now


def examine(place, scenario, root, is_over=False):
    """Everything that has to be true of a store whose command was cut off, and after the same command once more.

    With `is_over` it was cut off after its end: what it did has to be there.
    """
    top, root = root, scenario.store(root)
    active = current(root)
    # The reserve is made again some time after it was needed.
    reserve = str(scenario.store(Path()) / "reserve")
    if is_over and not scenario.collects:
        usual, found = alike(scenario.final, lasting(top) | {reserve: scenario.final[reserve]})
        if found != usual:
            raise Broken("what was reported as done is not there (usual | now):\n" + difference(usual, found))
    if active not in (scenario.old, scenario.new):
        raise Broken(f"generation {active} is active, which neither was nor should be")
    found = generation_state(root, scenario.old)
    # What is being mended is as it was or as it should be, path by path.
    if scenario.damage:
        found = {path: text for path, text in found.items() if text != scenario.mended_state.get(path)}
        changed = {path: text for path, text in found.items() if text != scenario.old_state.get(path)}
        if changed:
            raise Broken("what is neither damaged nor mended:\n" + difference(scenario.mended_state, found))
    elif found != scenario.old_state:
        raise Broken("the old generation changed:\n" + difference(scenario.old_state, found))
    if scenario.old is not None and not scenario.damage:
        for words in (["list"], ["generations"], ["verify"], ["doctor", "--fsck"]):
            place.run(root, *words)
    # What is done to a host comes after the switch, too.
    if active == scenario.old or scenario.is_host:
        try:
            place.run(root, *(scenario.again or scenario.words))
        except Broken as refusal:
            if not scenario.refusal or scenario.refusal not in str(refusal):
                raise
    # Leftovers go with the next command that takes the writer's lock, though it changes nothing more.
    if scenario.new is not None:
        place.run(root, "switch", str(scenario.new))
    found = state(top)
    if scenario.is_host and scenario.new is None and reserve in scenario.final:
        # No writer came, who would have made it.
        found.setdefault(reserve, scenario.final[reserve])
    usual, found = alike(scenario.final, found)
    if found != usual:
        raise Broken("after the next command something else is there than usual (usual | now):\n"
                     + difference(usual, found))
    if (found := index(root)) != scenario.final_index:
        raise Broken("after the next command the index holds something else than usual (usual | now):\n"
                      + difference(scenario.final_index, found))
    if scenario.new is not None and (said := place.run(root, "doctor", "--fsck", "--contents")) != "no findings\n":
        # What an interrupted import left in store/ is for the next collection.
        if any(not line.startswith(("note: ", "  hint: ")) for line in said.splitlines()):
            raise Broken(f"after the next command an examination finds:\n{said}")

