"""Hosts to set up: this machine, or another root, in a mount namespace of its own that is gone with its holder.

What is written to /etc, /run, /var/lib and /tmp is forgotten; /usr is read-only, or covered by a layer that is forgotten.
systemd-sysext mounts in a namespace of its own and moves the result out, so mounts are shared within the host. Also
runs as a program, which enters a host, says so, and holds it until its input ends.
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from endtoend.room import CLONE_NEWNS, MS_BIND, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT, MNT_DETACH, PIVOT_ROOT  # noqa: E402
from endtoend.room import _check, _mount, libc  # noqa: E402

MS_SHARED = 1 << 20
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/mnt"


class CommandFailed(AssertionError):
    """A command on a host that should have succeeded, or failed in another way."""


class Host:
    """A host, which is there until it is closed.

    Without a root it is this machine. `binds` are pairs (path outside, path inside), made below /mnt only. With
    `transcript`, commands that are shown are printed with what they print.
    """

    def __init__(self, root=None, writable=False, binds=(), shared=True, transcript=False):
        self.transcript = transcript
        self.directory = tempfile.mkdtemp(prefix="sxs-host.")
        specification = json.dumps({
            "root": None if root is None else str(root), "writable": writable, "shared": shared,
            "binds": [(str(a), str(b)) for a, b in binds], "directory": self.directory,
        })
        self.holder = subprocess.Popen(
            [sys.executable, "-B", __file__, specification], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            self.close()
            raise CommandFailed("the host's namespace could not be made; see above")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the holder, and with it all that was mounted."""
        self.holder.stdin.close()
        self.holder.wait(timeout=60)
        self.holder.stdout.close()
        os.rmdir(self.directory)

    def command(self, words, user=None):
        """The words that run a command on the host."""
        become = [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return ["nsenter", f"--target={self.holder.pid}", "--mount", "--wdns=/", "--", *become, *map(str, words)]

    def run(self, *words, status=0, user=None, environment=None, timeout=120):
        """What a command prints, both ways; fails if it does not end with a status (None for any)."""
        result = subprocess.run(
            self.command(words, user), env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root", **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
            check=False)
        if status is not None and result.returncode != status:
            raise CommandFailed(f"$ {' '.join(map(str, words))}\nexit status {result.returncode}\n{result.stdout}")
        return result.stdout

    def shell(self, script, **options):
        """What a script of sh(1) prints."""
        return self.run("sh", "-euc", script, **options)

    def separately(self, script, timeout=300):
        """A script of sh(1) that succeeds, with what it prints to either side."""
        result = subprocess.run(
            self.command(["sh", "-euc", script]), env={"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/run"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
        if result.returncode != 0:
            raise CommandFailed(f"exit status {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def show(self, line, **options):
        """Runs a line of sh(1), and prints it like a terminal does if transcripts are wanted."""
        output = self.run("sh", "-c", line, **options)
        if self.transcript:
            print(f"$ {line}\n{output}", end="", flush=True)
        return output

    def start(self, *words):
        """Starts a program on the host."""
        return subprocess.Popen(self.command(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                env={"PATH": PATH})


def _cover(path, scratch):
    """Makes what is written to a directory be forgotten."""
    name = scratch + path.replace("/", "-")
    for part in ("upper", "work"):
        os.makedirs(f"{name}.{part}")
    _mount("overlay", path, "overlay", options=f"lowerdir={path},upperdir={name}.upper,workdir={name}.work")


def enter(root, writable, shared, binds, directory):
    """Moves the calling process in."""
    _check(libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)
    top = root or ""
    if root is not None:
        _mount(root, root, flags=MS_BIND)
        for source in ("/proc", "/sys", "/dev"):
            _mount(source, root + source, flags=MS_BIND | MS_REC)
    _mount("tmpfs", top + "/mnt", "tmpfs", options="mode=755")
    for source, target in binds:
        inside = top + target
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        if os.path.isdir(source):
            os.makedirs(inside, exist_ok=True)
        else:
            with open(inside, "w"):
                pass
        _mount(source, inside, flags=MS_BIND)
    if root is not None:
        os.chdir(root)
        _check(libc.syscall(ctypes.c_long(PIVOT_ROOT[os.uname().machine]), b".", b"."), "pivot_root")
        _check(libc.umount2(b".", MNT_DETACH), "umount of the old root")
        _mount("tmpfs", "/tmp", "tmpfs", options="mode=1777")
    os.chdir("/")
    os.makedirs("/mnt/scratch")
    _cover("/etc", "/mnt/scratch/")
    _mount("tmpfs", "/var/lib", "tmpfs", options="mode=755")
    _mount("tmpfs", "/run", "tmpfs", options="mode=755")
    if writable:
        _cover("/usr", "/mnt/scratch/")
    else:
        _mount("/usr", "/usr", flags=MS_BIND)
        _mount("none", "/usr", flags=MS_REMOUNT | MS_BIND | MS_RDONLY)
    if shared:
        _mount("none", "/", flags=MS_REC | MS_SHARED)


if __name__ == "__main__":
    enter(**json.loads(sys.argv[1]))
    print("ready", flush=True)
    sys.stdin.read()
