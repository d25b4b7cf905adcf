"""Checks of what tasks cannot see: file accesses, the shape of relocated files, and missing libraries."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from image.alternatives import exists

# What a relocated program may name outside its store path, and why.
LEFT_ALONE = {
    "/bin/sh": "the host's shell, as every program expects",
    "/usr/bin/env": "the host's env, as scripts expect",
    "/usr/local": "the host administrator's own files",
    "/usr/src": "sources for the host's kernel",
    "/usr/lib/modules": "modules of the host's kernel",
    "/usr/lib/firmware": "firmware of the host's devices",
    "/usr/lib/os-release": "says which system the host is",
    "/usr/lib/debug": "debugging symbols, which a debugger looks up by build ID",
}
# What Emacs puts together while it runs, so that no file of the image has it to be relocated.
JOINED = {
    "/usr/share/info": "put together by Info from /usr/, share/ and info/, as a place where manuals may be",
}
OURS = ["/usr/store", "/usr/_"]
HOST = ["/usr", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/bin", "/sbin"]


def _under(path, prefixes):
    return next((p for p in prefixes if path == p or path.startswith(p + "/")), None)


def _searched(line, path, directories):
    """Whether an access is one of a search for a command on PATH that found nothing there."""
    call = line.split("(")[0].split()[-1]
    looked = call in ("execve", "execveat") or call in ("access", "faccessat", "faccessat2") and "X_OK" in line
    return looked and "ENOENT" in line and os.path.dirname(path) in directories


def _absent(line, path, image):
    """Whether the image has neither the path nor, unless a directory was asked for, its parent.

    Never for libraries: the loader must not look for those outside the store, whether they exist or not.
    """
    if re.search(r"\.so(\.|$)", path) or re.match(r"/lib[^/]*(/|$)|/usr/lib/[^/]*-linux-gnu[^/]*(/|$)", path):
        return False
    if exists(image, path):
        return False
    return "O_DIRECTORY" in line or not exists(image, os.path.dirname(path))


def check_accesses(room, environment, directory, image):
    """Under strace, `emacs --batch` names nothing of the host's /usr, /lib… and /opt but what is left alone."""
    log = directory / "strace.log"
    environment = environment | {"PATH": environment["PATH"] + ":/usr/sbin:/sbin"}
    command = [
        "strace", "-f", "-s", "4096", "-e", "trace=%file", "-o", str(log),
        sys.executable, "-B", str(Path(__file__).with_name("room.py")), room.specification(), "--",
        "emacs", "--batch", "--eval", "(progn (require 'org) (princ (org-version)))",
    ]
    result = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=300)
    assert result.returncode == 0, f"exit status {result.returncode}\n{result.stderr}"
    lines = log.read_text(errors="replace").splitlines()
    # What comes before is this script's Python and sxs itself, making the namespace.
    starts = [n for n, line in enumerate(lines) if re.search(r'execve\("/usr/(store|_)/', line)]
    starts = starts or [n for n, line in enumerate(lines) if re.search(r'execve\("[^"]*/store/[^"]*emacs', line)]
    assert starts, "emacs was not started from /usr/store: no execve of it in the trace"
    allowed, left_alone, refused = {}, {}, []
    directories = environment["PATH"].split(":")
    for line in lines[starts[0]:]:
        for path in re.findall(r'"(/[^"]*)"', line.split(" = ")[0]):
            path = os.path.normpath(path)
            # Of execve only the program counts, not what its arguments say.
            if "execve(" in line and f'execve("{path}"' not in line:
                continue
            if not _under(path, HOST) or path == "/usr" or _under(path, OURS):
                continue
            prefix = _under(path, LEFT_ALONE)
            if prefix:
                left_alone.setdefault(prefix, set()).add(path)
            elif _searched(line, path, directories):
                allowed[path] = "looked for on the user's PATH"
            elif path in JOINED:
                allowed[path] = JOINED[path]
            elif _absent(line, path, image):
                allowed[path] = "not in the image: whatever the host has"
            else:
                refused.append(line)
    for prefix, paths in sorted(left_alone.items()):
        print(f"        {prefix} ({len(paths)} paths): left alone: {LEFT_ALONE[prefix]}")
    for path, reason in sorted(allowed.items()):
        print(f"        {path}: {reason}")
    assert not refused, f"{len(refused)} accesses to the host's files:\n" + "\n".join(refused[:40])


def _is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def _is_text(path):
    with open(path, "rb") as file:
        return b"\0" not in file.read()


def _readelf(files):
    """The complaints of readelf about files, without their names' directories."""
    complaints = {}
    for at in range(0, len(files), 50):
        result = subprocess.run(
            ["readelf", "--wide", "--segments", "--dynamic", *files[at:at + 50]],
            env={"LC_ALL": "C", "PATH": os.environ["PATH"]}, capture_output=True, text=True, errors="replace",
            check=False)
        for line in result.stderr.splitlines():
            complaints[re.sub(r"/\S*/", "", line)] = True
    return set(complaints)


def check_elf(original, relocated):
    """Every ELF file reads as well as before, its interpreter is an alias that exists, and sizes are kept."""
    names, resized, interpreters = [], [], set()
    for parent, _, files in os.walk(original):
        for file in files:
            before = Path(parent, file)
            name = before.relative_to(original)
            after = relocated / name
            if before.is_symlink() or not after.is_file() or after.is_symlink():
                continue
            if _is_elf(before):
                names.append(name)
                assert _is_elf(after), f"{name} is an ELF file no longer"
            if before.stat().st_size != after.stat().st_size and not _is_text(before):
                resized.append(f"{name}: {before.stat().st_size} bytes before, {after.stat().st_size} after")
    assert len(names) > 20, f"only {len(names)} ELF files are in both {original} and {relocated}"
    assert not resized, "binary files changed size:\n" + "\n".join(resized[:40])
    complaints = _readelf([relocated / n for n in names]) - _readelf([original / n for n in names])
    assert not complaints, "readelf complains, as it did not of the originals:\n" + "\n".join(sorted(complaints)[:40])
    for name in names:
        result = subprocess.run(
            ["readelf", "--wide", "--segments", str(relocated / name)], env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
            capture_output=True, text=True, errors="replace", check=False)
        found = re.search(r"Requesting program interpreter: (.*)\]", result.stdout)
        if found:
            interpreters.add((found.group(1), str(name)))
    assert interpreters, "no relocated file names a program interpreter"
    for interpreter, name in sorted(interpreters):
        assert _under(interpreter, OURS), f"{name} still asks for the interpreter {interpreter}"
        link = relocated / interpreter.lstrip("/")
        assert link.is_symlink(), f"{name} asks for {interpreter}, which is no alias in {relocated}"


def check_missing_library(runner):
    """With a library taken out of the image, the program fails by name, though the host has that library."""
    image = runner.directory / "incomplete"
    shutil.copytree(runner.fixtures / "coreutils.dir", image, symlinks=True)
    removed = sorted((image / "usr/lib").glob("*/libselinux.so.1*"))
    assert removed, "the coreutils image has no libselinux.so.1 to take out"
    for file in removed:
        file.unlink()
    host = sorted((runner.directory / "debian-root/usr/lib").glob("*/libselinux.so.1"))
    assert host, "the Debian root has no libselinux.so.1 that could be fallen back to"
    if runner.options.user is not None:
        subprocess.run(["chown", "-R", f"{runner.options.user}:{runner.options.user}", image], check=True)
    runner.sxs("install", str(image), "--name", "incomplete", "--version", "1", "--expose", "dir")
    room = runner.room("debian-root")
    environment = runner.environment("/usr/bin")
    result = room.run(["/bin/sh", "-c", "exec /var/lib/sxs-test/profiles/default/current/bin/dir /"], environment)
    errors = result.stderr.decode("utf-8", "replace")
    assert result.returncode != 0, "the program ran, with a library that is not its image's"
    assert "libselinux.so.1" in errors and "cannot open shared object file" in errors, errors
