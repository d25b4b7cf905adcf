"""A file system for measurements: freshly made ext4 with a journal, mounted by loop in a private mount namespace."""

import mmap
import os
import subprocess
import sys
from pathlib import Path


def enter_namespace():
    """Starts this program again in a mount namespace of its own, unless it is in one."""
    if os.environ.get("SXS_BENCH_NAMESPACE") == str(os.getppid()):
        return
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv]
    os.environ["SXS_BENCH_NAMESPACE"] = str(os.getpid())
    sys.exit(subprocess.run(command, check=False).returncode)


def _attach(image):
    """The loop device of a file.

    It does not cache what the file system on it caches already, where that is possible: no disk has every byte that is
    written copied a second time, and kept in memory, by the processors that are measured.
    """
    command = ["losetup", "--find", "--show"]
    for options in (["--direct-io=on"], []):
        made = subprocess.run([*command, *options, image], check=False, capture_output=True, text=True)
        if made.returncode == 0:
            return made.stdout.strip()
    raise SystemExit(f"bench: losetup: {made.stderr.strip()}")


def _touch_memory(most=3 << 30):
    """Has memory at hand for whoever comes next.

    A virtual machine's host takes back what is free, and whoever touches it first then pays for it: with a tenth to two
    thirds of the time of an import, of either program, as it happens.
    """
    with open("/proc/meminfo", encoding="ascii") as file:
        available = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable:"))
    size = min(most, available // 2)
    mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


class Disk:
    """A mounted file system, gone when it is closed."""

    def __init__(self, directory, size):
        self.image, self.path = Path(directory) / "disk", Path(directory) / "mount"
        with open(self.image, "wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "has_journal", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image],
                       check=True)
        self.path.mkdir()
        device = _attach(self.image)
        try:
            subprocess.run(["mount", "-o", "noatime", device, self.path], check=True)
        finally:
            # When it is unmounted, however this ends.
            subprocess.run(["losetup", "--detach", device], check=True)

    def fresh(self, name):
        """An empty directory; nothing is left to be written that another command made."""
        place = self.path / name
        self.remove(name)
        place.mkdir()
        os.sync()
        _touch_memory()
        return place

    def remove(self, name):
        """Removes a directory, whatever its permissions."""
        place = self.path / name
        if place.exists():
            subprocess.run(["chmod", "-R", "u+w", place], check=False, stderr=subprocess.DEVNULL)
            subprocess.run(["rm", "-rf", place], check=True)

    def used(self):
        """Bytes that are taken."""
        os.sync()
        status = os.statvfs(self.path)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.path], check=False)
        self.image.unlink(missing_ok=True)
