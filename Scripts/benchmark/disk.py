"""A file system for measurements: freshly made ext4 with a journal, mounted by loop in a private mount namespace."""

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


class Disk:
    """A mounted file system, gone when it is closed."""

    def __init__(self, directory, size):
        self.image, self.path = Path(directory) / "disk", Path(directory) / "mount"
        with open(self.image, "wb") as file:
            file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "has_journal", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image],
                       check=True)
        self.path.mkdir()
        subprocess.run(["mount", "-o", "loop,noatime", self.image, self.path], check=True)

    def fresh(self, name):
        """An empty directory; nothing is left to be written that another command made."""
        place = self.path / name
        self.remove(name)
        place.mkdir()
        os.sync()
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
