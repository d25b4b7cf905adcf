"""Tests of verification, repair and the index, each given the tests' runner."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
import time

from . import oldstores
from .collecting import expect, wait_for

# What became of an index, by a name for people.
DAMAGES = {
    "nothing": lambda root: None,
    "missing": lambda root: (root / "index.sqlite").unlink(),
    "empty": lambda root: (root / "index.sqlite").write_bytes(b""),
    "garbage": lambda root: (root / "index.sqlite").write_bytes(b"garbage" * 4096),
    "cut short": lambda root: os.truncate(root / "index.sqlite", 8192),
    "overwritten within": lambda root: overwrite(root / "index.sqlite", 8192, 8192),
}


def overwrite(path, offset, size):
    """Puts other bytes into a file, as a failing disk does."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(b"\xa5" * size)


def rows(root):
    """Every row of every table of an index; of generations' packages the view that shows them as older indexes have them.

    What they had for caches of desktops is only noted to be asked for once: it is not in it.
    """
    database = sqlite3.connect(f"file:{root}/index.sqlite?mode=ro", uri=True)
    try:
        tables = [name for name, in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'generation_list' OR name = 'generation_package'")]
        return {name: sorted(map(repr, database.execute(f"SELECT * FROM {name}"))) for name in tables}
    finally:
        database.close()


def filled(tests):
    """A store with packages, generations, hints of several imports, and a past."""
    store = tests.store()
    store.sxs("install", store.image("hello"), store.image("jq"))
    store.sxs("install", store.image("tree"))
    store.sxs("import", store.image("hello"), "--name", "greeting")
    store.sxs("remove", "jq")
    store.sxs("rollback")
    store.sxs("generations", "delete", "3")
    return store


def place_of(store, name):
    """The tree of a package, as a path."""
    return next(path for path in (store.root / "store").iterdir() if path.name[32:].startswith(f"-{name}-"))


def damage(path, contents=None):
    """Overwrites a file of the store in place: with all its names."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1] if contents is None else contents)
    path.chmod(mode & 0o7777)


def fsck(store, *arguments):
    """What the examination of a store finds, and its exit status."""
    result = subprocess.run(store.command("doctor", "--fsck", "--json", *arguments), capture_output=True, text=True,
                            check=False, stdin=subprocess.DEVNULL, **store.options())
    expect(result.stdout, result.stderr)
    return result.returncode, json.loads(result.stdout)["findings"]


def expect_clean(store):
    """Everything agrees, contents included."""
    status, findings = fsck(store, "--contents")
    expect(status == 0 and not findings, f"exit status {status}: {findings}")


def rebuilding(tests):
    """An index that is made anew has the rows of the one that was lost."""
    store = filled(tests)
    expect_clean(store)
    before = rows(store.root)
    expect(len(before["source"]) >= 4 and before["package_objects"], f"the index is hardly filled: {before.keys()}")
    for name, spoil in DAMAGES.items():
        # All is in one file: else the log beside it may have what that has lost.
        with contextlib.closing(sqlite3.connect(store.root / "index.sqlite")) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        spoil(store.root)
        if name in ("garbage", "cut short"):
            status, output = store.attempt("list")
            expect(status == 1 and "is damaged" in output and "sxs index rebuild" in output, f"{name}: {output}")
        report = store.json("index", "rebuild")
        expect(report == {"packages": 4, "generations": 2, "leftOut": []}, f"{name}: {report}")
        after = rows(store.root)
        expect(after == before, lambda: f"{name}: " + str({t: (before[t], after[t]) for t in before if before[t] != after[t]}))
        expect_clean(store)
        store.check()
    # Again without that command.
    (store.root / "index.sqlite").unlink()
    store.sxs("switch", "2")
    expect(rows(store.root) == before, "an index that the next command made anew differs")
    expect(store.run_generations() > 0, "nothing runs")


def readers(tests):
    """Who reads while the index is made anew sees the old one or the new one."""
    store = filled(tests)
    before = rows(store.root)["package"]
    database = sqlite3.connect(f"file:{store.root}/index.sqlite?mode=ro", uri=True, check_same_thread=False)
    stop, wrong, counts = threading.Event(), [], [0, 0]

    def read():
        while not stop.is_set():
            found = sorted(map(repr, database.execute("SELECT * FROM package")))
            if found != before:
                wrong.append(found)
            counts[0] += 1

    def run():
        while not stop.is_set():
            status, output = store.attempt("path-info", "--json")
            if status != 0 or len(json.loads(output)) != 4:
                wrong.append(output)
            counts[1] += 1

    threads = [threading.Thread(target=read), threading.Thread(target=run)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        store.sxs("index", "rebuild")
    stop.set()
    for thread in threads:
        thread.join()
    database.close()
    expect(not wrong, lambda: f"{len(wrong)} readers saw something else: {wrong[0]}")
    expect(min(counts) > 0, f"nobody read: {counts}")
    print(f"        {counts[0]} queries and {counts[1]} commands read meanwhile")


def from_image(tests):
    """Contents come back from the image that was imported, and programs run as before."""
    store = filled(tests)
    program = place_of(store, "hello") / "usr/bin/hello"
    expected = subprocess.run(store.command("run", "hello"), capture_output=True, check=True, **store.options()).stdout
    # A file of three store paths at least.
    shared = next(path for path in sorted((place_of(store, "hello") / "usr").rglob("*"))
                  if path.is_file() and not path.is_symlink() and path.stat().st_nlink > 2)
    damage(program)
    damage(shared, b"nothing")
    (place_of(store, "tree") / "usr/bin").chmod(0o755)
    status, output = store.attempt("verify")
    expect(status == 1 and "sxs repair" in output, f"exit status {status}: {output}")
    damaged = {line.split(":")[0] for line in output.splitlines() if line.endswith(": damaged")}
    expect(len(damaged) >= 3, f"what is shared is damaged once: {output}")
    status, findings = fsck(store, "--contents")
    expect(status == 1 and any(f["code"] == "tree" for f in findings), f"exit status {status}: {findings}")
    plan = store.json("repair", "--dry-run")
    expect(plan["isDryRun"] and len(plan["repaired"]) >= 4 and not plan["lost"], f"planned: {plan}")
    expect(store.attempt("verify")[0] == 1, "a dry run changed something")
    # One is named; what it shares is put right everywhere.
    report = store.json("repair", "hello")
    expect(not report["lost"], f"lost: {report['lost']}")
    expect({item["path"] for item in report["repaired"]} <= {item["path"] for item in plan["repaired"]},
           f"not as planned: {report['repaired']} and {plan['repaired']}")
    store.sxs("repair")
    expect_clean(store)
    store.check()
    output = subprocess.run(store.command("run", "hello"), capture_output=True, check=True, **store.options()).stdout
    expect(output == expected, f"hello prints {output!r}")
    expect("nothing to repair" in store.sxs("repair"), "a second repair finds something")


def running_program(tests):
    """A program that runs goes on with what it has mapped."""
    store = tests.store()
    store.sxs("install", store.image("jq"))
    program = store.start(["jq", "-c", ".a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: "jq" in os.readlink(f"/proc/{program.pid}/exe"), "jq does not start")
        time.sleep(0.3)
        text = next(path for path in (place_of(store, "jq") / "usr/share").rglob("*") if path.is_file() and path.stat().st_size)
        before = os.stat(f"/proc/{program.pid}/exe").st_ino
        damage(text)
        path = place_of(store, "jq") / "usr/bin/jq"
        # What is removed and put back is another file; the process has the first.
        path.parent.chmod(0o755)
        contents = path.read_bytes()
        path.unlink()
        path.write_bytes(contents[:-1] + b"?")
        path.chmod(0o555)
        path.parent.chmod(0o555)
        report = store.json("repair")
        expect(not report["lost"], f"lost: {report['lost']}")
        expect(os.stat(f"/proc/{program.pid}/exe").st_ino == before, "the process has another program")
        output, _ = program.communicate('{"a":[1,2]}\n', timeout=60)
        expect(output == "[1,2]\n", f"jq prints {output!r}")
    finally:
        program.kill()
        program.wait()
    expect_clean(store)


def versions(tests):
    """Versions of a package, whose listings and objects are kept as what changed: whole again, exported, collected."""
    store = tests.store()
    bases = []
    for version in ("1", "2", "3"):
        tree = tests.directory / f"many-{tests.count}-{version}"
        for number in range(400):
            place = tree / f"usr/share/many/d{number // 100}/file-{number}"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"file {number}" + (f" of version {version}" if number % 40 == 0 else "") + "\n")
        (tree / "usr/bin").mkdir()
        (tree / "usr/bin/many").write_text("#!/bin/sh\necho many\n")
        (tree / "usr/bin/many").chmod(0o755)
        path = store.sxs("import", f"dir:{tree}", "--name", "many", "--version", version, "--expose", "all").strip()
        bases.append(path.split("/")[-1])
    first, second, third = (store.root / "manifests" / base for base in bases)
    whole = (first / "tree.mtree").stat()
    for manifest in (second, third):
        expect((manifest / "base.mtree").stat().st_ino == whole.st_ino, "the base is no link to the first listing")
        expect((manifest / "tree.mtree.zst").stat().st_size * 10 < whole.st_size, "the difference is hardly shorter")
    expect_clean(store)
    before = rows(store.root)
    expect([len(before[name]) for name in ("package_objects", "package_changes")] == [1, 2], "objects are not noted as changes")
    store.sxs("index", "rebuild")
    expect(rows(store.root) == before, "an index that was made anew differs")
    # Another store has it whole, with the same store path.
    image = store.root.parent / f"many_{tests.count}.raw"
    store.sxs("export", f"/usr/store/{bases[1]}", "--output", image)
    os.chmod(image, 0o644)
    other = tests.store()
    expect(other.sxs("import", image).strip().endswith(bases[1]), "what was exported is another store path")
    # Each version's listing is its own again, from the tree.
    damage(second / "base.mtree")
    status, findings = fsck(store)
    found = {finding["path"] for finding in findings}
    expect(status == 1 and found == {f"manifests/{base}/tree.mtree" for base in bases}, f"exit status {status}: {findings}")
    status, output = store.attempt("export", f"/usr/store/{bases[2]}", "--output", store.root.parent / "many_damaged.raw")
    expect(status == 1 and "tree.mtree.zst cannot be read: it is damaged" in output and "hint:" in output,
           f"exit status {status}: {output}")
    report = store.json("repair")
    expect(not report["lost"] and len(report["repaired"]) == 3, f"repaired: {report}")
    expect_clean(store)
    expect(not list(store.root.glob("manifests/*/base.mtree")), "a base is left that nobody needs")
    os.symlink(f"/usr/store/{bases[2]}", store.root / "gcroots/mine")
    plan = store.json("gc", "--dry-run")
    report = store.json("gc")
    expect(len(report["removed"]) == 2 and report["freed"] == plan["freed"] > 0, f"{report} is not what was planned: {plan}")
    after = rows(store.root)
    expect([len(after[name]) for name in ("package_objects", "package_changes")] == [1, 0], "objects are not noted again")
    expect_clean(store)


def from_elsewhere(tests):
    """Another image, another store, or nothing: what is lost is named, file by file."""
    store = tests.store()
    mine = tests.directory / f"mine-{tests.count}.oci.tar"
    shutil.copyfile(store.image("jq"), mine)
    os.chmod(mine, 0o644)
    store.sxs("import", mine)
    copy = tests.store()
    copy.sxs("import", copy.image("jq"))
    mine.unlink()
    for arguments in (["--from", store.image("jq")], ["--from-store", copy.root]):
        program = place_of(store, "jq") / "usr/bin/jq"
        damage(program)
        damage(store.root / "manifests" / place_of(store, "jq").name / "tree.mtree", b"x\n")
        status, output = store.attempt("repair", "jq")
        expect(status == 1 and f"lost: manifests/{place_of(store, 'jq').name}/tree.mtree" in output and "--from" in output,
               f"exit status {status}: {output}")
        status, output = store.attempt("repair", "jq", "--from", store.image("tree"))
        expect(status == 1 and "which is damaged" in output, f"exit status {status}: {output}")
        store.sxs("repair", "jq", *arguments)
        expect_clean(store)
    status, output = store.attempt("repair", "--from-store", tests.directory)
    expect(status == 1 and "is no store" in output and "hint:" in output, f"exit status {status}: {output}")
    status, output = store.attempt("repair", "nothing")
    expect(status == 1 and "no package 'nothing'" in output, f"exit status {status}: {output}")


def profiles(tests):
    """Links of generations, launchers and the program they lead to are made again."""
    store = filled(tests)
    count = store.run_generations()
    for directory, _, names in os.walk(store.root / "profiles/default/generation-1"):
        for name in names:
            if os.path.islink(os.path.join(directory, name)):
                os.unlink(os.path.join(directory, name))
    shutil.rmtree(store.root / "shims")
    (store.root / "shims").mkdir(mode=0o755)
    shutil.chown(store.root / "shims", store.user or 0, store.user or 0)
    (store.root / "libexec/sxs").unlink()
    status, findings = fsck(store)
    expect(status == 1 and {f["code"] for f in findings} == {"link"}, f"exit status {status}: {findings}")
    report = store.json("repair")
    expect(not report["lost"], f"lost: {report['lost']}")
    expect_clean(store)
    expect(store.run_generations() == count, "fewer commands run than before")
    (store.root / "profiles/default/current").unlink()
    status, output = store.attempt("repair")
    expect(status == 1 and "choose one of" in output and "sxs switch" in output, f"exit status {status}: {output}")
    store.sxs("switch", "2")
    expect_clean(store)


def examination(tests):
    """What is examined is told from what is not, by exit status, and quickly."""
    store = filled(tests)
    expect_clean(store)
    times = []
    for _ in range(7):
        start = time.monotonic()
        expect(fsck(store)[0] == 0, "a clean store is not clean")
        times.append(time.monotonic() - start)
    print(f"        a store of {len(store.names('store'))} store paths in {min(times) * 1000:.0f} ms")
    (store.root / "store/00000000000000000000000000000000-left-1").mkdir()
    own(store)
    status, findings = fsck(store)
    expect(status == 0 and [f["severity"] for f in findings] == ["note"], f"exit status {status}: {findings}")
    status, output = store.attempt("doctor", "--fsck")
    expect("note: store/00000000000000000000000000000000-left-1: " in output and "hint: sxs gc" in output, output)
    store.sxs("gc")
    (store.root / "aliases").chmod(0o777)
    status, findings = fsck(store)
    expect(status == 1 and findings[0]["code"] == "unsafe" and findings[0]["path"] == "aliases", f"{status}: {findings}")
    (store.root / "aliases").chmod(0o755)
    status, output = store.attempt("doctor", "--contents")
    expect(status == 64 and "--fsck" in output, f"exit status {status}: {output}")


def own(store):
    """Gives a store that was made here to its owner."""
    if store.user is not None:
        subprocess.run(["chown", "-hR", f"{store.user}:{store.user}", store.root], check=True)


def version_of(root):
    """The version of an index."""
    database = sqlite3.connect(f"file:{root}/index.sqlite?mode=ro", uri=True)
    try:
        return database.execute("PRAGMA user_version").fetchone()[0]
    finally:
        database.close()


def old_stores(tests):
    """A store that any earlier version left is read as it is, upgraded by the first writer, and then one like any other."""
    newest = tests.store()
    newest.sxs("import", newest.image("tree"))
    current = version_of(newest.root)
    versions = range(1, len(oldstores.MIGRATIONS) + 1)
    expect(current > len(oldstores.MIGRATIONS), "an earlier version is missing among the old stores")
    for version in versions:
        store = tests.store()
        packages = oldstores.make(store.root, version)
        own(store)
        before = rows(store.root)
        # Reading changes nothing, not even the version.
        expect([p["name"] for p in store.json("list")] == ["kept"], f"version {version}: {store.json('list')}")
        expect(sorted(p["name"] for p in store.json("path-info")) == ["gone", "kept"], f"version {version}: path-info")
        expect("damaged" not in store.sxs("verify"), f"version {version} is damaged")
        plan = store.json("gc", "--dry-run")
        expect([p["name"] for p in plan["removed"]] == ["gone"], f"version {version}: {plan}")
        status, findings = fsck(store, "--contents")
        expect(status == 0 and {f["code"] for f in findings} - {"directory"} == {"index-version"}, f"version {version}: {findings}")
        expect(version_of(store.root) == version and rows(store.root) == before, f"reading version {version} changed it")
        # Any command that writes.
        store.sxs("switch", "1")
        expect(version_of(store.root) == current, f"version {version} was not upgraded")
        after = rows(store.root)
        # Sources of the first version are read again, as it was decided then; remotes have become files.
        same = [name for name in before if name != "remote" and (name != "source" or version > 1)]
        expect([r["name"] for r in store.json("remote", "list")] == ["local"], f"version {version}: the remote is gone")
        # Nobody knew where images were.
        upgraded = before | {"package": [row[:-1] + ", None)" for row in before["package"]]}
        expect(all(after[name] == upgraded[name] for name in same), lambda: f"version {version}: {before} became {after}")
        for package in packages:
            metadata = json.loads((store.root / "manifests" / package["base"] / "metadata.json").read_text())
            expect("registered" in metadata.get("registration", {}), f"version {version}: no registration")
        expect_clean(store)
        (store.root / "index.sqlite").write_bytes(b"garbage")
        store.sxs("index", "rebuild")
        rebuilt = rows(store.root)
        # Objects are noted by the next collection, or now.
        for name in after.keys() - {"package_objects"}:
            expect(rebuilt[name] == after[name], lambda n=name: f"version {version}: {n} was {after[n]}, is {rebuilt[n]}")
        expect([p["name"] for p in store.json("gc")["removed"]] == ["gone"], f"version {version} does not collect")
        expect(not (store.root / "objects").exists(), f"version {version} has names of contents still")
        expect_clean(store)
        store.check()
    store = tests.store()
    oldstores.make(store.root, 0)
    own(store)
    status, output = store.attempt("list")
    expect(status == 1 and "sxs index rebuild" in output, f"an empty index: exit status {status}: {output}")
    store.sxs("switch", "1")
    expect_clean(store)
