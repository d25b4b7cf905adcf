"""Tests of stores that several users, stores or hosts use, each given the tests' runner."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

from .collecting import expect, wait_for
from .room import MS_BIND, MS_RDONLY, MS_REMOUNT, Room, _check, _mount, libc
from .stores import Store

NOBODY, OTHER = 65534, 12345


def snapshot(root):
    """What tells whether anything was written: names, sizes, times of change."""
    found = {}
    for place, directories, files in os.walk(root):
        for name in [".", *directories, *files]:
            path = os.path.join(place, name)
            status = os.lstat(path)
            # SQLite, run by root, gives what it keeps beside the index to the index's owner, who has it already.
            changed = 0 if name in ("index.sqlite-shm", "index.sqlite-wal") else status.st_ctime_ns
            found[path] = (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, changed)
    return found


def expect_unchanged(root, before):
    """Fails if anything is not as it was."""
    after = snapshot(root)
    changed = sorted(p for p in before.keys() | after.keys() if before.get(p) != after.get(p))
    expect(not changed, lambda: f"changed: {[(p, before.get(p), after.get(p)) for p in changed[:5]]}")


def mount_memory(path, owner=0):
    """A file system in memory, as another medium."""
    path.mkdir(exist_ok=True)
    _mount("tmpfs", str(path), "tmpfs", options="size=200m,mode=755")
    os.chown(path, owner, owner)


def read_only(path, on=True):
    """Makes a mount read-only, or writable again."""
    _mount("none", str(path), flags=MS_REMOUNT | (MS_RDONLY if on else 0))


def as_reader(tests, store, user):
    """The same store, reached by another user, from a directory of his own."""
    reader = Store(tests.program, store.root, store.images, user)
    home = tests.directory / f"home-{user}-{tests.count}"
    home.mkdir(exist_ok=True)
    os.chown(home, user or 0, user or 0)
    options = reader.options()
    reader.options = lambda: {**options, "cwd": home, "env": {**options["env"], "HOME": str(home)}}
    return reader


def read_everything(store, home):
    """All verbs that only read, on a store in which hello and jq are installed and generation 2 is active."""
    expect([p["name"] for p in store.json("list")] == ["hello", "jq"], "list")
    expect(sorted(p["name"] for p in store.json("path-info")) == ["hello", "jq"], "path-info")
    expect("score" in store.sxs("report", "jq"), "report")
    expect(all(not p["problems"] for p in store.json("verify")), "verify")
    expect([g["number"] for g in store.json("generations")] == [1, 2], "generations")
    expect([p["name"] for p in store.json("diff", "1", "2")["added"]] == ["jq"], "diff")
    expect("generation 2 (active)" in store.sxs("why-alive", "jq"), "why-alive")
    expect(store.json("gc", "--dry-run")["removed"] == [], "gc --dry-run")
    expect("GNU Hello" in run(store, "run", "hello", after=["--", "--version"]), "run")
    expect("jq-" in run(store, "shell", after=["--", "jq", "--version"]), "shell")
    result = subprocess.run(
        [str(store.root / "profiles/default/current/bin/hello"), "--version"], capture_output=True, text=True,
        timeout=60, check=False, **store.options())
    expect("GNU Hello" in result.stdout, lambda: f"a launcher: {result.stderr}")
    status, text = store.attempt("doctor", "--json")
    expect(status in (0, 1) and '"findings"' in text and "tree-lost" not in text, f"doctor: {text}")
    target = home / "hello.raw"
    target.unlink(missing_ok=True)
    status, text = store.attempt("export", "hello", "--output", target)
    # The image has directories that only their owner may read; nobody else can export all of it.
    if store.user in (None, os.stat(store.root).st_uid):
        expect(status == 0 and target.stat().st_size > 10000, f"export: {text}")
    else:
        expect(status == 1 and "permission denied\nhint:" in text and not target.exists(), f"export: {text}")


def run(store, *words, after=()):
    """Runs a verb with a command after its options; what it prints."""
    result = subprocess.run(
        [*store.command(*words), *after], capture_output=True, text=True, timeout=60, check=False,
        stdin=subprocess.DEVNULL, **store.options())
    expect(result.returncode == 0, lambda: f"sxs {words}: {result.stdout}{result.stderr}")
    return result.stdout


def refuse_everything(store, *words):
    """All verbs that change something end with a sentence, at once, and leave everything as it is."""
    before = snapshot(store.root)
    for verb in (["install", store.image("tree")], ["import", store.image("tree")], ["remove", "jq"], ["rollback"],
                 ["switch", "1"], ["gc"], ["generations", "delete", "1"], ["remote", "add", "here", "/tmp"],
                 ["base", "add", "/tmp"]):
        status, text = store.attempt(*verb, timeout=20)
        expect(status == 1 and "\nhint: " in text, f"{verb} ends with {status}: {text}")
        if verb[0] != "base":
            expect(str(store.root) in text and all(word in text for word in words), f"{verb} says: {text}")
    expect_unchanged(store.root, before)


def on_read_only_mount(tests):
    """A store on a medium that is mounted read-only, read by its owner and by others."""
    medium = tests.directory / "medium"
    mount_memory(medium)
    store = Store(tests.program, medium / "root", tests.images)
    store.sxs("install", store.image("hello"))
    store.sxs("install", store.image("jq"))
    expect(os.stat(store.root / "index.sqlite-wal").st_size == 0, "the log has something in it")
    before = snapshot(store.root)
    read_only(medium)
    for without_memory in (False, True):
        if without_memory:
            # As on a medium that was made from a copy without what SQLite keeps beside the index.
            read_only(medium, on=False)
            for name in ("index.sqlite-shm", "index.sqlite-wal"):
                (store.root / name).unlink()
            before = snapshot(store.root)
            read_only(medium)
        for user in (None, NOBODY):
            reader = as_reader(tests, store, user)
            read_everything(reader, reader.options()["cwd"])
        expect_unchanged(store.root, before)
        for user in (None, NOBODY):
            refuse_everything(as_reader(tests, store, user), "read-only")


def log_of_a_killed_writer(tests):
    """What only the log has is seen: by readers beside, on a read-only mount, and without shared memory."""
    medium = tests.directory / "killed"
    mount_memory(medium)
    store = Store(tests.program, medium / "root", tests.images)
    store.sxs("install", store.image("hello"))
    index = store.root / "index.sqlite"
    # A reader of an older state keeps the log from being emptied; it is what a kill before the end would leave.
    reader = sqlite3.connect(f"file:{index}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM package").fetchall()
    store.sxs("install", store.image("jq"))
    saved = tests.directory / "saved"
    saved.mkdir()
    for name in ("", "-wal", "-shm"):
        shutil.copyfile(f"{index}{name}", saved / f"index.sqlite{name}")
    reader.close()
    expect((saved / "index.sqlite-wal").stat().st_size > 0, "nothing is left in the log")
    old = sqlite3.connect(f"file:{saved}/index.sqlite?immutable=1", uri=True)
    expect(old.execute("SELECT count(*) FROM package").fetchall() == [(1,)], "the log is not needed")
    old.close()

    def restore(*names):
        for name in ("", "-wal", "-shm"):
            Path(f"{index}{name}").unlink(missing_ok=True)
        for name in names:
            shutil.copyfile(saved / f"index.sqlite{name}", f"{index}{name}")
            os.chmod(f"{index}{name}", 0o644)

    for is_read_only in (False, True):
        for names in (("", "-wal", "-shm"), ("", "-wal")):
            for user in (NOBODY, None):
                restore(*names)
                read_only(medium, is_read_only)
                listed = [p["name"] for p in as_reader(tests, store, user).json("list")]
                read_only(medium, on=False)
                expect(listed == ["hello", "jq"], f"{user} with {names}, read-only {is_read_only}: {listed}")
    left = [n for place in ("/tmp", "/dev/shm") for n in os.listdir(place) if n.startswith(".sxs-index.")]
    expect(not left, f"copies are left: {left}")
    # A collection empties it.
    restore("", "-wal", "-shm")
    store.sxs("remove", "jq")
    expect([p["name"] for p in store.json("list")] == ["hello"], "the log was not read")
    store.sxs("gc")
    expect(os.stat(f"{index}-wal").st_size == 0, "the log has something in it")


def readers_beside_a_writer(tests):
    """Another user reads all the time while the owner writes, and after the last one closed."""
    store = tests.store()
    store.sxs("install", store.image("hello"))
    reader = as_reader(tests, store, NOBODY)
    ended, counts, problems = threading.Event(), [0, 0], []

    def read():
        while not ended.is_set():
            status, text = reader.attempt("list", "--json", timeout=20)
            names = [p["name"] for p in json.loads(text)] if status == 0 else text
            if names not in (["hello"], ["hello", "jq"]):
                problems.append(names)
            counts[0] += 1

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 6
    while time.monotonic() < until:
        store.sxs("install", store.image("jq"))
        store.sxs("remove", "jq")
        counts[1] += 2
    ended.set()
    for thread in threads:
        thread.join()
    expect(not problems, f"a reader saw {problems[:3]}")
    expect(counts[0] > 20 and counts[1] >= 4, f"{counts[0]} reads beside {counts[1]} changes")
    expect([p["name"] for p in reader.json("list")] == ["hello"], "after the last writer")
    print(f"        {counts[0]} reads beside {counts[1]} changes", flush=True)


def of_another_user(tests):
    """Stores of root and of a user, read and run by others, changed by none."""
    for owner in (None, OTHER):
        tests.options.user = owner
        try:
            store = tests.store()
        finally:
            tests.options.user = None
        store.sxs("install", store.image("hello"))
        store.sxs("install", store.image("jq"))
        before = snapshot(store.root)
        for user in (NOBODY, None):
            if user == owner:
                continue
            reader = as_reader(tests, store, user)
            read_everything(reader, reader.options()["cwd"])
            expect_unchanged(store.root, before)
            refuse_everything(reader, f"belongs to {'root' if owner is None else f'user {owner}'}")
        store.check()


def layered(tests):
    """A user's store over root's: what that has is not copied, programs of both run, and collections know."""
    base = tests.store()
    base.sxs("install", base.image("hello"))
    base.sxs("install", base.image("jq"))
    tests.options.user = OTHER
    try:
        own = tests.store()
    finally:
        tests.options.user = None
    own.sxs("base", "add", base.root)
    # One by its image, one by its name, one that the base does not have.
    own.sxs("install", own.image("hello"))
    own.sxs("install", "jq")
    own.sxs("install", own.image("tree"))
    expect([p["name"] for p in own.json("list")] == ["hello", "jq", "tree"], "list")
    links = [n for n in own.names("store") if (own.root / "store" / n).is_symlink()]
    expect(sorted(n.split("-")[1] for n in links) == ["hello", "jq"], f"references: {links}")
    for name in links:
        expect(os.readlink(own.root / "store" / name) == str(base.root / "store" / name), f"{name} leads elsewhere")
    check_layer(own)
    expect(own.run_generations() > 2, "not all commands ran")
    listed = own.json("base", "list")
    expect(listed[0]["path"] == str(base.root) and len(listed[0]["storePaths"]) == 2, f"base list: {listed}")
    before = snapshot(own.root)
    read_layer = as_reader(tests, own, NOBODY)
    expect("GNU Hello" in run(read_layer, "run", "hello", after=["--", "--version"]), "another user runs it")
    expect_unchanged(own.root, before)
    # Removed there, and collected: what the layer needs stays.
    expect("the store at " + str(own.root) in base.sxs("why-alive", "jq"), "why-alive of the base")
    empty(base)
    report = base.json("gc", "--keep-generations", "0")
    expect(report["removed"] == [], f"the base lost {report['removed']}")
    expect(own.run_generations() > 2, "not all commands ran after that")
    # Nor is it in use once the layer let it go.
    status, text = own.attempt("base", "remove", base.root)
    expect(status == 1 and "hello" in text and "hint:" in text, f"the base goes: {text}")
    for name in ("hello", "jq"):
        own.sxs("remove", name)
    own.sxs("install", own.image("jq"))
    own.sxs("remove", "jq")
    own.sxs("remove", "tree")
    own.sxs("gc", "--keep-generations", "0")
    own.sxs("generations", "delete", *[str(g["number"]) for g in own.json("generations") if not g["isActive"]])
    own.sxs("gc")
    expect(own.names("store") == [] and own.names("manifests") == [], "references stay")
    expect(os.listdir(base.root / "gcroots/auto") == [], "it is registered for nothing")
    own.sxs("base", "remove", base.root)
    expect(own.json("base", "list") == [], "the base stays")
    expect(len(base.json("gc")["removed"]) == 2, "the base keeps what nothing needs")
    base.check()


def empty(store):
    """Takes everything out of a profile, and all generations but two without packages away."""
    for package in store.json("list"):
        store.sxs("remove", package["name"])
    store.sxs("install", store.image("tree"))
    store.sxs("remove", "tree")
    active = [g["number"] for g in store.json("generations") if g["isActive"]]
    store.sxs("generations", "delete", *[str(g["number"]) for g in store.json("generations")
                                         if g["number"] not in active])
    store.sxs("gc")


def check_layer(store):
    """Like Store.check, where store paths may be in a base."""
    store.sxs("verify")
    registered = {os.path.basename(p["storePath"]) for p in store.json("path-info")}
    expect(set(store.names("store")) == registered == set(store.names("manifests")), "index and files differ")
    expect(not store.names("tmp"), f"unfinished work is left: {store.names('tmp')}")


def base_that_goes(tests):
    """A base that is unmounted, comes back elsewhere, or lost what the layer needs: sentences, and ways out."""
    medium = tests.directory / "base-medium"
    mount_memory(medium)
    base = Store(tests.program, medium / "root", tests.images)
    base.sxs("install", base.image("hello"))
    base.sxs("install", base.image("jq"))
    read_only(medium)
    own = tests.store()
    own.sxs("base", "add", base.root)
    own.sxs("install", own.image("hello"))
    own.sxs("install", own.image("jq"))
    expect(own.run_generations() > 2, "programs of a read-only base do not run")
    # The index is made again with the references.
    for name in ("", "-wal", "-shm"):
        (own.root / f"index.sqlite{name}").unlink()
    own.sxs("remove", "jq")
    own.sxs("install", "jq")
    check_layer(own)
    # Gone.
    _check(libc.umount2(os.fsencode(medium), 0), "umount")
    expect([p["name"] for p in own.json("list")] == ["hello", "jq"], "list without the base")
    expect(len(own.json("generations")) == 4 and len(own.json("path-info")) == 2, "what is listed without the base")
    for words in ((["run", "hello"], ["--", "--version"]), (["shell"], ["--", "hello", "--version"])):
        result = subprocess.run([*own.command(*words[0]), *words[1]], capture_output=True, text=True, timeout=60,
                                check=False, **own.options())
        expect(result.returncode in (1, 126, 127) and "hint:" in result.stderr and str(medium) in result.stderr,
               lambda: f"{words} says: {result.stderr}")
    launcher = subprocess.run([str(own.root / "profiles/default/current/bin/hello")], capture_output=True, text=True,
                              timeout=60, check=False, **own.options())
    expect(launcher.returncode == 127 and str(medium) in launcher.stderr, lambda: f"a launcher: {launcher.stderr}")
    status, text = own.attempt("doctor")
    expect(status == 1 and text.count("is in another store") == 2 and "hint" in text, f"doctor says: {text}")
    status, text = own.attempt("verify")
    expect(status == 1 and "missing" in text, f"verify says: {text}")
    status, text = own.attempt("export", "hello", "--output", tests.directory / "hello.raw")
    expect(status == 1 and "import" in text, f"export says: {text}")
    # One comes from its image again, the other with the base, elsewhere.
    own.sxs("install", own.image("hello"))
    expect(not any((own.root / "store" / n).is_symlink() for n in own.names("store") if "-hello-" in n), "no copy")
    elsewhere = tests.directory / "base-elsewhere"
    mount_memory(elsewhere)
    again = Store(tests.program, elsewhere / "root", tests.images)
    again.sxs("install", again.image("jq"))
    text = own.sxs("base", "add", again.root)
    expect("1 lost store path is found again" in text, f"base add says: {text}")
    own.sxs("base", "remove", base.root)
    check_layer(own)
    expect(own.run_generations() > 2, "not all commands ran")
    # Another owner's base that may not be told, and collects.
    shutil.rmtree(again.root / "gcroots/auto")
    for arguments in (["remove", "jq"], ["install", again.image("tree")]):
        again.sxs(*arguments)
    again.sxs("generations", "delete", "1", "2")
    again.sxs("gc")
    expect(own.attempt("doctor")[1].count("is in another store") == 1, "what the base lost is not found")
    own.sxs("import", own.image("jq"))
    check_layer(own)
    expect(own.run_generations() > 2, "not all commands ran at the end")
    own.sxs("base", "remove", again.root)


def bad_bases(tests):
    """What cannot be a base."""
    one, two = tests.store(), tests.store()
    one.sxs("install", one.image("hello"))
    two.sxs("install", two.image("jq"))
    one.sxs("base", "add", two.root)
    for path, reason in ((one.root, "it is this store"), (tests.images, "no store"), ("/nowhere", "no store")):
        status, text = one.attempt("base", "add", path)
        expect(status == 1 and reason in text and "hint:" in text, f"base add {path}: {text}")
    status, text = two.attempt("base", "add", one.root)
    expect(status == 1 and "over this store" in text, f"a circle: {text}")
    status, text = one.attempt("base", "remove", one.root)
    expect(status == 1 and "is no base" in text, f"base remove: {text}")
    os.chmod(two.root / "store", 0o777)
    status, text = tests.store().attempt("base", "add", two.root)
    expect(status == 1 and "others than its owner can write" in text, f"a base for everybody: {text}")
    tests.options.user = OTHER
    try:
        theirs = tests.store()
    finally:
        tests.options.user = None
    theirs.sxs("install", theirs.image("hello"))
    status, text = one.attempt("base", "add", theirs.root)
    expect(status == 1 and f"belongs to user {OTHER}" in text, f"root over a user's store: {text}")


class Host:
    """A system with its own processes, machine ID and files, that shares /var/lib/sxs."""

    def __init__(self, tests, name, root, shared):
        self.name, self.id = name, os.urandom(16).hex()
        identity = tests.directory / f"machine-id-{name}"
        identity.write_text(self.id + "\n")
        binds = [(tests.program, "/sxs"), (tests.images, "/images"), (shared, "/var/lib/sxs"), (identity, "/etc/machine-id")]
        room = Room(root, binds, scratch=True)
        script = Path(sys.modules[Room.__module__].__file__)
        self.process = subprocess.Popen(
            ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", sys.executable, "-B", str(script),
             room.specification(), "--", "/bin/sleep", "infinity"], env={"PATH": "/usr/bin:/bin"})
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        wait_for(lambda: children.read_text().split(), "no PID namespace is made")
        self.init = children.read_text().split()[0]
        wait_for(lambda: Path(f"/proc/{self.init}/task/{self.init}/children").read_text().split(), f"{name} does not start")
        wait_for(lambda: "sleep" in self.run(["/bin/cat", "/proc/2/comm"]).stdout, f"{name} does not start")

    def command(self, words):
        """The words that run a command there."""
        return ["/usr/bin/nsenter", "--target", self.init, "--mount", "--pid", "--root", "--wd=/", "--", *words]

    def run(self, words):
        """Runs a command there."""
        return subprocess.run(self.command(words), capture_output=True, text=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL, env={"PATH": "/usr/bin:/bin", "HOME": "/root"})

    def sxs(self, *words):
        """Runs sxs there, which has to succeed: its output."""
        result = self.run(["/sxs", *words])
        expect(result.returncode == 0, lambda: f"{self.name}$ sxs {' '.join(words)}\n{result.stdout}{result.stderr}")
        return result.stdout

    def json(self, *words):
        """What sxs prints as JSON there."""
        return json.loads(self.sxs(*words, "--json"))

    def end(self):
        """Ends it with all that runs there."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def three_hosts(tests):
    """Debian 11, 12 and 13 with one store: nothing that one uses is taken by another."""
    shared = tests.directory / "shared"
    shared.mkdir()
    roots = {"Debian 11": "debian-root-oldest", "Debian 12": "systemd-root-older", "Debian 13": "debian-root"}
    hosts = []
    try:
        for name, root in roots.items():
            hosts.append(Host(tests, name, tests.fixtures / root, shared))
        walk_hosts(tests, hosts, shared)
        hosts_at_once(tests, hosts, shared)
    finally:
        for host in hosts:
            host.end()


def walk_hosts(tests, hosts, shared):
    """Installations, a program that runs, removals and collections from each."""
    one, two, three = hosts
    for host, image in zip(hosts, ("hello", "jq", "tree")):
        host.sxs("install", f"/images/{image}.oci.tar")
    for host in hosts:
        expect([p["name"] for p in host.json("list")] == ["hello", "jq", "tree"], f"{host.name} lists something else")
        result = host.run(["/var/lib/sxs/profiles/default/current/bin/hello", "--version"])
        expect("GNU Hello" in result.stdout, lambda: f"{host.name}: {result.stderr}")
    machines = [json.loads((shared / f"profiles/default/generation-{n}/generation.json").read_text())["machine"]
                for n in (1, 2, 3)]
    expect(machines == [h.id for h in hosts], f"generations are of {machines}")
    expect(sorted(os.listdir(shared / "gcroots/hosts")) == sorted(h.id for h in hosts), "hosts are not known")

    # jq runs in Debian 12 while the others let go of it.
    program = subprocess.Popen(
        two.command(["/var/lib/sxs/profiles/default/current/bin/jq", "-c", ".a"]), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "/jq" in two.run(["/bin/sh", "-c", "readlink /proc/*/exe"]).stdout, "jq does not start")
    one.sxs("remove", "jq")
    three.sxs("remove", "tree")
    report = one.json("gc", "--keep-generations", "0")
    expect(report["removed"] == [] and report["waiting"] == 1, f"Debian 11 collects {report}")
    expect(len(report["silentHosts"]) == 2, f"it waits for {report['silentHosts']}")
    report = three.json("gc")
    expect(report["removed"] == [] and len(report["silentHosts"]) == 1, f"Debian 13 collects {report}")
    report = two.json("gc")
    expect(report["removed"] == [], f"Debian 12 collects {report}")
    for host in (one, three, one):
        report = host.json("gc")
        expect(report["removed"] == [] and report["waiting"] == 0, f"{host.name} collects {report}")
        alive = host.json("why-alive", "jq")[0]["roots"]
        expect([r["kind"] for r in alive] == ["host"] and "Debian GNU/Linux 12" in alive[0]["chain"][0]
               and "jq" in alive[0]["chain"][1], f"{host.name} says: {alive}")
    output, _ = program.communicate('{"a":[1,2]}\n', timeout=60)
    expect(output == "[1,2]\n", f"jq prints {output!r}")

    # It has ended; when all have looked, it goes.
    report = two.json("gc")
    expect(report["removed"] == [] and len(report["silentHosts"]) == 2, f"Debian 12 collects {report}")
    # A host that runs it by its name has others ask again.
    expect("jq-" in three.sxs("run", "jq", "--", "--version"), "jq does not run by its name")
    report = two.json("gc")
    expect(report["removed"] == [] and len(report["silentHosts"]) == 2, f"Debian 12 collects {report} after that")
    # Any change is a look, too.
    one.sxs("install", "tree")
    report = two.json("gc")
    expect(report["removed"] == [] and len(report["silentHosts"]) == 1, f"Debian 12 collects {report} after Debian 11")
    one.sxs("rollback")
    three.sxs("gc", "--dry-run")
    expect(two.json("gc")["removed"] == [], "a dry run counts as a word")
    gone = [p["name"] for h in (three, two, one) for p in h.json("gc")["removed"]]
    expect(gone == ["jq"], f"gone: {gone}")
    for host in hosts:
        expect("no package 'jq'" in host.run(["/sxs", "run", "jq"]).stderr, f"{host.name} has jq")
        expect("GNU Hello" in host.sxs("run", "hello", "--", "--version"), f"hello does not run in {host.name}")

    # A host that is gone: forgotten by hand, or because its kernel is.
    two.sxs("import", "/images/jq.oci.tar")
    expect(one.json("gc")["waiting"] == 1, "an import that nothing needs goes at once")
    report = shared / "gcroots/hosts" / three.id
    text = report.read_text()
    boot = next(line for line in text.splitlines() if line.startswith("boot "))
    report.write_text(text.replace(boot, "boot 00000000-0000-0000-0000-000000000000"))
    (shared / "gcroots/hosts" / two.id).unlink()
    expect([p["name"] for p in one.json("gc")["removed"]] == ["jq"], "hosts that are gone are waited for")
    # A launcher makes itself known before its program runs.
    result = two.run(["/var/lib/sxs/profiles/default/current/bin/hello", "--version"])
    expect("GNU Hello" in result.stdout, lambda: f"Debian 12: {result.stderr}")
    expect((shared / "gcroots/hosts" / two.id).exists(), "a launcher leaves its host unknown")
    result = three.run(["/var/lib/sxs/profiles/default/current/bin/hello", "--version"])
    expect(boot in report.read_text(), "a launcher leaves its host as of another start of the kernel")


def hosts_at_once(tests, hosts, shared):
    """All three change and collect at once; each runs what it installed in a profile of its own."""
    problems, counts = [], [0, 0]
    until = time.monotonic() + 8

    def work(host, image):
        profile = image
        try:
            while time.monotonic() < until:
                host.sxs("install", f"/images/{image}.oci.tar", "--profile", profile)
                result = host.run([f"/var/lib/sxs/profiles/{profile}/current/bin/{image}", "--version"])
                expect(result.returncode == 0, lambda: f"{host.name} runs {image}: {result.stderr}")
                host.sxs("remove", image, "--profile", profile)
                host.sxs("rollback", "--profile", profile)
                result = host.run([f"/var/lib/sxs/profiles/{profile}/current/bin/{image}", "--version"])
                expect(result.returncode == 0, lambda: f"{host.name} runs {image} rolled back: {result.stderr}")
                counts[1] += len(host.json("gc", "--keep-generations", "0")["removed"])
                counts[0] += 4
        except AssertionError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(hosts, ("hello", "jq", "tree"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(not problems, "\n".join(problems[:2]))
    expect(counts[0] >= 12, f"only {counts[0]} changes")
    for host in hosts:
        host.sxs("verify")
    Store(tests.program, shared, tests.images).check()
    print(f"        {counts[0]} changes by three hosts at once", flush=True)


HOSTILE = {
    "TMPDIR": "/nowhere", "SQLITE_TMPDIR": "/nowhere", "LD_PRELOAD": "/nowhere.so", "LD_LIBRARY_PATH": "/nowhere",
    "HOME": "/nowhere", "XDG_DATA_HOME": "relative", "IFS": "/", "LC_ALL": "xx_XX.nothing", "PATH": "/nowhere",
    "SXS_NAMESPACE": "nonsense", "GCONV_PATH": "/nowhere", "MALLOC_CHECK_": "3", "BASH_ENV": "/nowhere",
    "GLIBC_TUNABLES": "glibc.malloc.check=3",
}


def umask_and_environment(tests):
    """Whatever umask and environment: nobody but root can change a file, and everybody can read them."""
    for mask in (0, 0o077, 0o777):
        root = tests.directory / f"mask-{mask:o}"
        for words in (["install", str(tests.images / "hello.oci.tar")], ["install", str(tests.images / "jq.oci.tar")],
                      ["remove", "hello"], ["rollback"], ["gc", "--keep-generations", "1"]):
            result = subprocess.run(
                [str(tests.program), *words, "--root", str(root)], env=HOSTILE, capture_output=True, text=True,
                timeout=120, check=False, preexec_fn=lambda: os.umask(mask))
            expect(result.returncode == 0, lambda: f"umask {mask:o}: sxs {words}: {result.stderr}")
        for path, (mode, owner, *_) in snapshot(root).items():
            name = os.path.relpath(path, root)
            expect(owner == 0, f"{name} belongs to {owner}")
            expect(not mode & (stat.S_ISUID | stat.S_ISGID), f"{name} is set-id: {mode:o}")
            if stat.S_ISLNK(mode) or name.startswith("gcroots/auto"):
                continue
            expect(not mode & 0o022, f"umask {mask:o}: others can write to {name}: {mode:o}")
            if stat.S_ISREG(mode) and name.startswith(("store/", "manifests/")):
                expect(not mode & 0o222, f"{name} can be written: {mode:o}")
            # In a tree an image says what only its owner may read.
            if not name.startswith("store/") and not name.startswith(("tmp", "lock", "reserve")):
                expect(mode & 0o444 == 0o444, f"umask {mask:o}: users cannot read {name}: {mode:o}")
        reader = as_reader(tests, Store(tests.program, root, tests.images), NOBODY)
        expect("GNU Hello" in run(reader, "run", "hello", after=["--", "--version"]), "a user cannot run it")
        # Nor keep others from writing, by a lock.
        held = subprocess.run(["/usr/bin/flock", "--nonblock", str(root / "lock"), "true"], capture_output=True, text=True,
                              check=False, user=NOBODY, group=NOBODY, extra_groups=[])
        expect(held.returncode != 0, "any user can hold the writer's lock")
        for words in (["aliases/planted"], ["store/planted"], ["profiles/planted"], ["tmp/planted"]):
            touched = subprocess.run(["touch", str(root / words[0])], capture_output=True, check=False, user=NOBODY,
                                     group=NOBODY, extra_groups=[])
            expect(touched.returncode != 0, f"a user can make {words[0]}")


def planted_links(tests):
    """Links and files of another user, wherever he can put one, lead root nowhere."""
    precious = tests.directory / "precious"
    precious.mkdir(mode=0o755)
    (precious / "file").write_text("precious\n")
    before = snapshot(precious)

    def plant(script, *arguments):
        subprocess.run(["/bin/sh", "-euc", script, "sh", *map(str, arguments)], check=True, user=NOBODY, group=NOBODY,
                       extra_groups=[], timeout=20)

    store = tests.store()
    store.sxs("install", store.image("hello"))
    auto = store.root / "gcroots/auto"
    expect(stat.S_IMODE(auto.stat().st_mode) == 0o1777, "users cannot register roots")
    # A pipe, links in a circle, a link to a directory of others, a large text, what cannot be read, a dangling link.
    plant("""cd "$1"; mkfifo pipe; ln -s b a; ln -s a b; ln -s "$2" link; mkdir -p d/e; ln -s nowhere d/e/file
             truncate --size 20M large; echo secret > shut; chmod 0 shut; mkdir closed; chmod 0 closed
             printf 'sxs-layer 1\\nroot /nowhere\\n' > layer""", auto, precious)
    status, text = store.attempt("gc", timeout=20)
    expect(status == 0 and "gcroots/auto/large" in text, f"gc says: {text}")
    expect(not os.path.lexists(auto / "d/e/file"), "a root that leads nowhere stays")
    # While a directory of his becomes a link and back, all the time.
    juggler = subprocess.Popen(
        ["/bin/sh", "-c", 'cd "$1"; mkdir j; while :; do ln -s nowhere j/file; mv j k; ln -s "$2" j; sleep 0.002; rm j; '
         'mv k j; done', "sh", str(auto), str(precious)], user=NOBODY, group=NOBODY, extra_groups=[],
        stderr=subprocess.DEVNULL)
    try:
        for _ in range(12):
            status, text = store.attempt("gc", timeout=20)
            expect(status == 0, f"gc beside a juggler: {text}")
    finally:
        juggler.kill()
        juggler.wait()
    expect_unchanged(precious, before)

    # A root in a directory of his, which he puts together himself.
    theirs = tests.directory / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    plant("""cd "$1"; mkdir root; cd root; echo 1 > format; for name in store manifests aliases shims profiles \\
             hints gcroots cache tmp libexec; do ln -s "$2" $name; done; ln -s "$2/index.sqlite" index.sqlite
             ln -s "$2/lock" lock""", theirs, precious)
    status, text = Store(tests.program, theirs / "root", tests.images).attempt("install", store.image("hello"))
    expect(status == 1 and f"belongs to user {NOBODY}" in text, f"root in a user's root: {text}")
    plant('cd "$1/root"; rm index.sqlite; mkfifo index.sqlite', theirs)
    status, text = Store(tests.program, theirs / "root", tests.images).attempt("list", timeout=20)
    expect(status == 1 and "no regular file" in text, f"an index that is a pipe: {text}")
    # One of root's that everybody can write to, and an index that is a link.
    odd = tests.directory / "odd"
    odd.mkdir(mode=0o755)
    (odd / "format").write_text("1\n")
    (odd / "index.sqlite").symlink_to(precious / "index.sqlite")
    status, text = Store(tests.program, odd, tests.images).attempt("install", store.image("hello"))
    expect(status == 1 and "no regular file" in text, f"an index that is a link: {text}")
    odd.chmod(0o777)
    status, text = Store(tests.program, odd, tests.images).attempt("install", store.image("hello"))
    expect(status == 1 and "others than its owner can write" in text, f"a root for everybody: {text}")
    # What is exported into a directory for everybody.
    public = tests.directory / "public"
    public.mkdir()
    public.chmod(0o777)
    plant("""cd "$1"; ln -s "$2" hello.raw.v; ln -s "$2/file" hello.raw; mkdir .sxs-export.x; ln -s "$2" .sxs-export.y
             ln -s "$2" .sxs-export.x/content""", public, precious)
    status, text = store.attempt("export", "hello", "--output", public, "--v-directory")
    expect(status == 1 and "another user's link" in text, f"an export through a link: {text}")
    store.attempt("export", "hello", "--output", public)
    store.sxs("export", "hello", "--output", public / "hello.raw", "--force")
    expect(not (public / "hello.raw").is_symlink(), "an export follows a link")
    expect_unchanged(precious, before)


def borrowed_rights(tests):
    """Started by a set-user-id program that kept its user: nothing is done with rights that are not his."""
    root = tests.directory / "borrowed"
    for rights in (["--ruid", str(NOBODY)], ["--rgid", str(NOBODY)]):
        result = subprocess.run(
            ["/usr/bin/setpriv", *rights, "--clear-groups", str(tests.program), "install", str(tests.images / "hello.oci.tar")],
            env={**HOSTILE, "SXS_ROOT": str(root)}, capture_output=True, text=True, timeout=60, check=False)
        expect(result.returncode == 1 and "hint:" in result.stderr and "rights" in result.stderr,
               lambda: f"{rights}: {result.returncode} {result.stderr}")
        expect(not root.exists(), "a store was made")
