"""Tests of garbage collection, each given the tests' runner."""

import os
import random
import re
import shutil
import subprocess
import time
from collections import Counter
from pathlib import Path

from .room import Room, _mount
from .stores import Failure

# Calls that change files, by which a killed collection is stepped through.
CHANGING = "renameat,renameat2,unlinkat,fchmodat,fchmod,openat2,fsync,syncfs,pwrite64,ftruncate,fallocate,mkdirat,write"


def expect(condition, what):
    """Fails with a sentence unless a condition holds."""
    if not condition:
        raise Failure(what() if callable(what) else what)


def walk(tests):
    """Import, remove, plan, collect; what is shared stays."""
    store = tests.store()
    store.sxs("install", store.image("hello"), store.image("jq"))
    store.sxs("install", store.image("tree"))
    store.sxs("remove", "tree")
    store.sxs("remove", "jq")
    store.sxs("install", "hello")
    plan = store.json("gc", "--dry-run")
    expect(plan["removed"] == [] and plan["freed"] == 0, f"all generations stay, but {plan['removed']} go")
    reasons = {re.sub("^[^-]*-", "", p["storePath"]): p["root"]["chain"] for p in plan["kept"]}
    expect(len(reasons) == 3 and all(r[0] == "profile default" for r in reasons.values()), f"reasons: {reasons}")
    expect("generation" in store.sxs("why-alive", "tree"), "why-alive names no generation")

    # Generation 4, which is active, and 3, that it was made from.
    plan = store.json("gc", "--dry-run", "--keep-generations", "1")
    expect([g["number"] for g in plan["generations"]] == [1, 2], f"generations: {plan['generations']}")
    expect([p["name"] for p in plan["removed"]] == ["tree"], f"not tree alone: {plan['removed']}")
    expect(store.packages() == ["hello", "jq", "tree"], "a dry run removed something")
    report = store.json("gc", "--keep-generations", "1")
    expect(report["freed"] == plan["freed"] > 0, f"{report['freed']} bytes freed, {plan['freed']} planned")
    expect(report["removed"][0]["size"] > report["freed"], "what tree shares with hello is not freed")
    expect(store.packages() == ["hello", "jq"], f"there are {store.packages()}")
    store.check()
    expect(store.run_generations() >= 2, "nothing ran")
    expect("0 store paths: 0 B freed" in store.sxs("gc"), "a second collection finds something")
    # It comes back as it was.
    path = store.sxs("import", store.image("tree")).strip()
    expect(path == plan["removed"][0]["storePath"], f"imported again it is {path}")
    expect("nothing keeps it" in store.sxs("why-alive", path + "/usr/bin/tree"), "an import alone is a root")
    os.symlink(path, store.root / "gcroots/mine")
    expect("gcroots/mine" in store.sxs("why-alive", "tree"), "a link in gcroots/ is no root")
    store.sxs("gc")
    store.check()
    (store.root / "gcroots/mine").unlink()
    expect("1 store path:" in store.sxs("gc"), "tree stays")
    store.check()


def running_program(tests):
    """jq waits for input while its package is removed from all generations."""
    store = tests.store()
    store.sxs("install", store.image("hello"))
    store.sxs("install", store.image("jq"))
    program = store.start(["jq", "-c", ".a"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: "jq" in os.readlink(f"/proc/{program.pid}/exe"), "jq does not start")
        store.sxs("remove", "jq")
        store.sxs("generations", "delete", "2")
        plan = store.json("gc")
        expect(plan["removed"] == [], f"removed {plan['removed']}")
        alive = store.json("why-alive", "jq")[0]["roots"]
        expect([r["kind"] for r in alive] == ["process"] and str(program.pid) in alive[0]["chain"][0], f"roots: {alive}")
        output, _ = program.communicate('{"a":[1,2]}\n', timeout=60)
        expect(output == "[1,2]\n", f"jq prints {output!r}")
    finally:
        program.kill()
        program.wait()
    expect(len(store.json("gc")["removed"]) == 1, "it stays when jq has ended")
    store.check()


def wait_for(condition, what):
    """Waits until something is so; 20 s at most."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise Failure(what)


def deleting_generations(tests):
    """A rollback goes on to the parent of a generation that is gone."""
    store = tests.store()
    store.sxs("install", store.image("hello"))
    store.sxs("install", store.image("jq"))
    store.sxs("install", store.image("tree"))
    status, output = store.attempt("generations", "delete", "3")
    expect(status == 1 and "is active" in output and "hint:" in output, f"exit status {status}: {output}")
    status, output = store.attempt("generations", "delete", "2", "9")
    expect(status == 1 and "no generation 9" in output, f"exit status {status}: {output}")
    expect(len(store.json("generations")) == 3, "something was deleted all the same")
    store.sxs("generations", "delete", "2")
    expect("generation 1 is active" in store.sxs("rollback"), "the rollback does not lead to generation 1")
    expect([g["number"] for g in store.json("generations")] == [1, 3], "generations 1 and 3 are not what is left")
    store.sxs("gc")
    store.check()
    store.run_generations()


def bad_input(tests):
    """Errors name the thing and say what to do; a store that is not there is not made."""
    store = tests.store()
    status, output = store.attempt("gc")
    expect(status == 1 and "there is no store" in output and not store.root.exists(), f"exit status {status}: {output}")
    store.sxs("install", store.image("hello"))
    for arguments in (["--older-than", "soon"], ["--max-free", "much"], ["--keep-generations", "-1"]):
        status, output = store.attempt("gc", *arguments)
        expect(status == 64 and arguments[0] in output, f"{arguments}: exit status {status}: {output}")
    status, output = store.attempt("why-alive", "nothing")
    expect(status == 1 and "no package 'nothing'" in output and "hint:" in output, f"exit status {status}: {output}")
    os.symlink("/nowhere", store.root / "gcroots/old")
    expect("gcroots/old: it leads to /nowhere, which is not there" in store.sxs("gc"), "the stale root is not named")
    expect(os.path.lexists(store.root / "gcroots/old"), "an administrator's link was removed")


def killed(tests, count):
    """Kills a collection at its N-th call that changes files."""
    template = tests.store()
    template.sxs("install", template.image("hello"))
    template.sxs("install", template.image("jq"))
    template.sxs("remove", "jq")
    template.sxs("import", template.image("tree"))
    template.sxs("generations", "delete", "2")
    calls = 0
    kills = 0
    for number in range(count):
        store = tests.store()
        subprocess.run(["cp", "-a", str(template.root), str(store.root)], check=True)
        # The first calls one by one, then ever further apart, to the end.
        when = number + 1 if number < count // 2 or not calls else random.Random(number).randrange(1, calls)
        trace = store.root.parent / "trace"
        command = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CHANGING}",
                   "-e", f"inject={CHANGING}:signal=KILL:when={when}", *store.command("gc")]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                                check=False, **store.options())
        kills += result.returncode != 0
        if not calls:
            other = tests.store()
            subprocess.run(["cp", "-a", str(template.root), str(other.root)], check=True)
            subprocess.run(["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={CHANGING}", *other.command("gc")],
                           stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True, **other.options())
            # strace counts the calls of each thread by themselves.
            threads = Counter(line.split()[0] for line in trace.read_text().splitlines())
            calls = max(threads.values())
            expect(threads.total() > 50, f"only {threads.total()} calls were seen")
        # What was active works at once, and the next collection ends what this one began.
        expect(store.run_generations() > 0, "nothing runs")
        store.sxs("gc")
        store.check()
        expect(store.packages() == ["hello"],
               lambda: f"killed at call {when}, there are: " + "".join(store.sxs("why-alive", p) for p in store.packages()))
        subprocess.run(["rm", "-rf", str(store.root.parent)], check=True)
    expect(kills > count // 2, f"only {kills} of {count} were killed")


def mounted(tests, kind, size):
    """A new file system of some MiB."""
    tests.count += 1
    place = tests.directory / f"disk-{tests.count}"
    place.mkdir()
    if kind == "tmpfs":
        _mount("tmpfs", str(place), "tmpfs", options=f"size={size}m,mode=755")
    else:
        image = tests.directory / f"disk-{tests.count}.img"
        with open(image, "wb") as file:
            file.truncate(size << 20)
        # No blocks for the administrator: root meets the end of the disk, too.
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    return place


def fill(place, left=0):
    """Fills a file system but for some bytes."""
    space = os.statvfs(place)
    size = space.f_bavail * space.f_frsize - left
    with open(place / "ballast", "wb", buffering=0) as file:
        if size > 0:
            os.posix_fallocate(file.fileno(), 0, max(1, size - (64 << 10)))
        file.seek(0, os.SEEK_END)
        try:
            while left == 0:
                file.write(b"x" * 4096)
        except OSError:
            pass


def full_disk(tests, kind):
    """Nothing can be installed, everything can be collected, and then installed."""
    place = mounted(tests, kind, 112)
    store = tests.store(place)
    store.sxs("install", store.image("tree"))
    store.sxs("remove", "tree")
    store.sxs("install", store.image("hello"))
    fill(place)
    before = store.json("list")
    status, output = store.attempt("install", store.image("jq"))
    expect(status == 1 and "hint:" in output and "sxs gc" in output, f"exit status {status}: {output}")
    expect(store.json("list") == before, "the profile changed")
    store.sxs("verify")
    store.run_generations()
    report = store.json("gc", "--keep-generations", "1")
    expect([p["name"] for p in report["removed"]] == ["tree"], f"collected: {report['removed']}")
    expect(report["freed"] > 0, "nothing was freed")
    store.check()
    (place / "ballast").unlink()
    store.sxs("install", store.image("jq"))
    expect((store.root / "reserve").exists(), "the reserve was not made again")
    store.check()
    expect(store.run_generations() >= 2, "nothing ran")
    fill(place)
    status, output = store.attempt("install", store.image("tree"), "--min-free", "1M")
    expect(status == 1 and "free" in output, f"exit status {status}: {output}")
    store.check()


def little_space(tests):
    """An installation with ever more space: it fails and leaves nothing, until it succeeds."""
    place = mounted(tests, "tmpfs", 160)
    template = tests.store(place)
    template.sxs("install", template.image("hello"))
    installed = template.json("list")
    failed = 0
    for left in [0, 16, 64, 256, 1024, 4096, 8192, 16384, 24576, 28672, 32768, 40960, 49152, 65536]:
        fill(place, left << 10)
        status, output = template.attempt("install", template.image("jq"))
        (place / "ballast").unlink()
        if status == 0:
            break
        failed += 1
        expect(status == 1 and "hint:" in output, f"{left} kB left: exit status {status}: {output}")
        expect(template.json("list") == installed, f"{left} kB left: the profile changed")
        template.sxs("gc")
        template.check()
        template.run_generations()
    expect(failed > 3, f"only {failed} failed")
    expect(status == 0, f"the installation never succeeds: {output}")
    template.check()


def deployments(tests):
    """A foreign root with two deployments and a snapshot, whose store is the system's."""
    root = tests.directory / "host"
    shutil.copytree(tests.fixtures / "busybox-root", root, symlinks=True)
    binds = [(tests.program, "/sxs"), (tests.images, "/images")]
    (root / "sxs").touch()
    room = Room(root, binds)

    def sxs(*arguments):
        result = room.run(["/sxs", *arguments], {"PATH": "/bin:/usr/bin", "HOME": "/tmp/home"})
        text = result.stdout.decode() + result.stderr.decode()
        expect(result.returncode == 0, f"$ sxs {' '.join(arguments)}\n{text}")
        return text

    paths = [sxs("import", f"/images/{name}.oci.tar").split("\n")[0] for name in ("hello", "jq", "tree")]
    deployment = root / "ostree/deploy/os/deploy/0123.0/etc/systemd/system"
    snapshot = root / ".snapshots/7/snapshot/etc"
    for directory in (deployment, snapshot):
        directory.mkdir(parents=True)
    os.symlink(paths[0] + "/usr/lib/x.service", deployment / "x.service")
    Path(snapshot / "paths").write_text(f"program = {paths[1]}/usr/bin/jq\n")
    expect("/ostree/deploy/os/deploy/0123.0/etc/systemd/system/x.service" in sxs("why-alive", "hello"),
           "a deployment is no root")
    output = sxs("gc")
    expect("1 store path:" in output and paths[2] in output, f"not tree alone: {output}")
    shutil.rmtree(root / "ostree")
    output = sxs("gc")
    expect(paths[0] in output and paths[1] not in output, f"not hello alone: {output}")
