"""Starts a program in a root of its own: a private mount namespace, entered with pivot_root.

Not chroot: the kernel refuses user namespaces to a process whose root is not its namespace's, and what
is tested needs them. Also runs as a program, `room.py SPECIFICATION -- COMMAND…`, for use under strace.
"""

import ctypes
import json
import os
import platform
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x20, 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41}

libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source, target, kind=None, flags=0, options=None):
    def encoded(text):
        return os.fsencode(text) if text is not None else None
    _check(libc.mount(encoded(source), encoded(target), encoded(kind), ctypes.c_ulong(flags), encoded(options)),
           f"mount {source} on {target}")


class Room:
    """A root directory and what is bound into it: a list of (path outside, path inside)."""

    def __init__(self, root, binds=(), user=None, readonly=False):
        self.root, self.binds, self.user = str(root), [(str(a), str(b)) for a, b in binds], user
        self.readonly = readonly

    def specification(self):
        """What `enter` needs, as text."""
        return json.dumps({"root": self.root, "binds": self.binds, "user": self.user, "readonly": self.readonly})

    def run(self, command, environment, timeout=600):
        """Runs a command inside; its result, with output as bytes."""
        return subprocess.run(
            command, preexec_fn=self.enter, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=timeout, check=False)

    def enter(self):
        """Moves the calling process in."""
        user, group = os.getuid(), os.getgid()
        if user != 0:
            _check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
            for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
                with open("/proc/self/" + name, "w") as file:
                    file.write(text)
        else:
            _check(libc.unshare(CLONE_NEWNS), "unshare")
        _mount("none", "/", flags=MS_REC | MS_PRIVATE)
        _mount(self.root, self.root, flags=MS_BIND | MS_REC)
        for source in ("/proc", "/dev", "/sys"):
            if os.path.isdir(self.root + source):
                _mount(source, self.root + source, flags=MS_BIND | MS_REC)
        _mount("tmpfs", self.root + "/tmp", "tmpfs", options="mode=1777")
        os.makedirs(self.root + "/tmp/home", exist_ok=True)
        os.chmod(self.root + "/tmp/home", 0o777)
        for source, target in self.binds:
            inside = self.root + target
            if os.path.isdir(source):
                os.makedirs(inside, exist_ok=True)
            elif not os.path.exists(inside):
                with open(inside, "w"):
                    pass
            _mount(source, inside, flags=MS_BIND | MS_REC)
        if self.readonly:
            # Of the root alone: what is mounted in it stays as it is. An ordinary user may not drop flags.
            kept = os.statvfs(self.root).f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC)
            _mount("none", self.root, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)
        os.chdir(self.root)
        number = PIVOT_ROOT.get(platform.machine())
        if number is None:
            raise OSError(f"the number of pivot_root on {platform.machine()} is not known here")
        _check(libc.syscall(ctypes.c_long(number), b".", b"."), "pivot_root")
        _check(libc.umount2(b".", MNT_DETACH), "umount of the old root")
        os.chdir("/tmp/home")
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user)
            os.setuid(self.user)


if __name__ == "__main__":
    Room(**json.loads(sys.argv[1])).enter()
    os.execvpe(sys.argv[3], sys.argv[3:], os.environ)
