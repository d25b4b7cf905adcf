"""Starts a program in a root of its own: a private mount namespace, entered with pivot_root.

Not chroot: the kernel refuses user namespaces to a process whose root is not its namespace's, and what
is tested needs them. Also runs as a program, `room.py SPECIFICATION -- COMMAND…`, for use under strace.
"""

import ctypes
import fcntl
import json
import os
import platform
import socket
import struct
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
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
    """A root directory and what is bound into it: a list of (path outside, path inside).

    What is written into the root of a scratch room is forgotten, and its processes end with the command. With
    `own_network`, it has a loopback interface of its own and no other.
    """

    def __init__(self, root, binds=(), user=None, readonly=False, scratch=False, own_network=False):
        self.root, self.binds, self.user = str(root), [(str(a), str(b)) for a, b in binds], user
        self.readonly, self.scratch, self.own_network = readonly, scratch, own_network

    def specification(self):
        """What `enter` needs, as text."""
        return json.dumps({
            "root": self.root, "binds": self.binds, "user": self.user, "readonly": self.readonly,
            "scratch": self.scratch, "own_network": self.own_network,
        })

    def run(self, command, environment, timeout=600):
        """Runs a command inside; its result, with output as bytes."""
        if self.scratch:
            # The kernel ends what is left of a PID namespace when its first process, which is room.py, ends.
            return subprocess.run(
                ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", sys.executable, "-B", __file__,
                 self.specification(), "--", *command],
                env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
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
        if self.own_network:
            self._separate_network()
        if self.scratch:
            self._lay_over()
        else:
            _mount(self.root, self.root, flags=MS_BIND | MS_REC)
        self._make_devices()
        for source in ("/proc", "/sys"):
            if self.scratch and source == "/proc":
                _mount("proc", self.root + source, "proc")
            elif os.path.isdir(self.root + source):
                _mount(source, self.root + source, flags=MS_BIND | MS_REC)
        _mount("tmpfs", self.root + "/tmp", "tmpfs", options="mode=1777")
        os.makedirs(self.root + "/tmp/home", exist_ok=True)
        os.chmod(self.root + "/tmp/home", 0o777)
        for source, target in self.binds:
            inside = self.root + target
            if os.path.isdir(source):
                os.makedirs(inside, exist_ok=True)
            elif not os.path.exists(inside):
                os.makedirs(os.path.dirname(inside), exist_ok=True)
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

    def _make_devices(self):
        """A /dev of the room's own: a program that runs as root may put a file in the place of /dev/null."""
        directory = self.root + "/dev"
        if not os.path.isdir(directory):
            return
        _mount("tmpfs", directory, "tmpfs", options="mode=755")
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            with open(f"{directory}/{name}", "w"):
                pass
            _mount("/dev/" + name, f"{directory}/{name}", flags=MS_BIND)
        for name in ("pts", "shm"):
            os.mkdir(f"{directory}/{name}")
        _mount("devpts", directory + "/pts", "devpts", options="newinstance,ptmxmode=0666,mode=620")
        _mount("tmpfs", directory + "/shm", "tmpfs", options="mode=1777")
        for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                             ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):
            os.symlink(target, f"{directory}/{name}")

    def _lay_over(self):
        """Makes the root the lower layer of an overlay whose upper one is in memory."""
        _mount("tmpfs", "/mnt", "tmpfs", options="mode=755")
        for name in ("upper", "work", "root"):
            os.mkdir("/mnt/" + name)
        _mount("overlay", "/mnt/root", "overlay",
               options=f"lowerdir={self.root},upperdir=/mnt/upper,workdir=/mnt/work")
        self.root = "/mnt/root"

    def _separate_network(self):
        """A network namespace whose loopback interface is up."""
        _check(libc.unshare(CLONE_NEWNET), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))


def _run_as_init(command):
    """Runs a command as a child of this process, the first of its PID namespace; its exit status."""
    child = os.fork()
    if child == 0:
        os.execvpe(command[0], command, os.environ)
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    room = Room(**json.loads(sys.argv[1]))
    room.enter()
    if room.scratch:
        code = _run_as_init(sys.argv[3:])
        os._exit(code if code >= 0 else 128 - code)
    os.execvpe(sys.argv[3], sys.argv[3:], os.environ)
