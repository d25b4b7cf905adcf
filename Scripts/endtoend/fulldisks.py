"""Real file systems without room, without inodes, and with quotas, and stores on them."""

import os
import re
import subprocess
import time
from pathlib import Path

from . import collecting, crashes
from .crashes import Broken

class Disk:
    """A file system of its own, mounted until it is left, with a copy of a store."""

    def __init__(self, place, name, kind, options=(), mount="", size=96):
        self.place, self.name, self.kind, self.options, self.mount, self.size = place, name, kind, options, mount, size
        self.top = place.directory / f"disk {name}"
        self.root = self.top / "root"

    def __enter__(self):
        self.top.mkdir()
        if self.kind == "tmpfs":
            command = ["mount", "-t", "tmpfs", "-o", f"size={self.size}m,mode=755{self.mount}", "tmpfs", self.top]
        else:
            image = self.top.with_suffix(".img")
            with open(image, "wb") as file:
                file.truncate(self.size << 20)
            # No blocks for the administrator: root meets the end of the disk, too.
            make = ["mkfs.ext4", "-q", "-F", "-m", "0"] if self.kind == "ext4" else [f"mkfs.{self.kind}", "-q", "-f"]
            subprocess.run([*make, *self.options, image], check=True, capture_output=True)
            command = ["mount", "-o", f"loop{self.mount}", image, self.top]
        subprocess.run(command, check=True)
        subprocess.run(["cp", "-a", self.place.base, self.root], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", self.top], check=True)
        if self.kind != "tmpfs":
            self.top.with_suffix(".img").unlink()

    def sxs(self, *words):
        """Runs a command: its exit status, and what it says of errors."""
        outcome = subprocess.run(self.place.command(*words), env=self.place.environment(self.root), cwd="/",
                                 capture_output=True, text=True, check=False)
        return outcome.returncode, outcome.stderr

    def succeeds(self, *words):
        """Runs a command that has to succeed."""
        status, text = self.sxs(*words)
        if status != 0:
            raise Broken(f"sxs {' '.join(map(str, words))} ended with {status}: {text}")

    def fails(self, pattern, *words):
        """Runs a command that has to fail, to say so in a sentence and a hint, and to change nothing."""
        before = crashes.lasting(self.root)
        status, text = self.sxs(*words)
        if status != 1 or not re.search(pattern, text, re.DOTALL) or text.count("hint: ") != 1:
            raise Broken(f"sxs {' '.join(map(str, words))} ended with {status}, and not with a message like"
                         f" '{pattern}': {text}")
        # What gives room is not there while there is none.
        found = crashes.lasting(self.root)
        for state in (before, found):
            state.pop("reserve", None)
        before, found = crashes.alike(before, found)
        if found != before:
            raise Broken("a command that failed changed something (before | now):\n" + crashes.difference(before, found))
        self.succeeds("verify")

    def fill(self, left=0):
        """Takes all space but for some bytes."""
        collecting.fill(self.top, left)

    def fill_inodes(self):
        """Takes all inodes; how many."""
        (self.top / "ballasts").mkdir()
        count = 0
        try:
            while True:
                (self.top / f"ballasts/{count}").touch()
                count += 1
        except OSError:
            return count


def remove_most(disk):
    """Leaves garbage: b is in no generation."""
    disk.succeeds("remove", "b")
    disk.succeeds("generations", "delete", "1", "2", "3", "4")


def no_space(disk):
    """A full file system: nothing is installed, all is collected, then it can be installed."""
    images = disk.place.images
    remove_most(disk)
    disk.fill()
    disk.fails("no space left on device|is full", "install", images["c-1"])
    disk.fails("no space left on device|is full", "install", "b")
    disk.succeeds("gc")
    if len(os.listdir(disk.root / "store")) != 1:
        raise Broken("gc left something on a full file system")
    (disk.top / "ballast").unlink()
    disk.succeeds("install", images["c-1"])
    disk.succeeds("verify")


def no_inodes(disk):
    """No inode is free: the same."""
    images = disk.place.images
    remove_most(disk)
    if disk.fill_inodes() < 3:
        raise Broken("there were no inodes to be taken")
    disk.fails("no space left on device", "install", images["c-1"])
    disk.succeeds("gc")
    if len(os.listdir(disk.root / "store")) != 1:
        raise Broken("gc left something on a file system without inodes")
    subprocess.run(["rm", "-r", disk.top / "ballasts"], check=True)
    disk.succeeds("install", images["c-1"])
    disk.succeeds("verify")


def quota(disk):
    """A quota is used up, that of a btrfs, which holds for root, too: the same."""
    images = disk.place.images
    remove_most(disk)
    subprocess.run(["btrfs", "quota", "enable", disk.top], check=True)
    subprocess.run(["btrfs", "quota", "rescan", "-w", disk.top], check=True, stdout=subprocess.DEVNULL)
    os.sync()
    shown = subprocess.run(["btrfs", "qgroup", "show", "--raw", disk.top], capture_output=True, text=True, check=True)
    used = int(re.search(r"^0/5 +(\d+)", shown.stdout, re.MULTILINE)[1])
    subprocess.run(["btrfs", "qgroup", "limit", str(used + (64 << 10)), disk.top], check=True)
    disk.fails("quota.*hint: your disk quota.*sxs gc", "install", images["c-1"])
    disk.succeeds("gc")
    if len(os.listdir(disk.root / "store")) != 1:
        raise Broken("gc left something where a quota is used up")
    subprocess.run(["btrfs", "qgroup", "limit", "none", disk.top], check=True)
    disk.succeeds("install", images["c-1"])
    disk.succeeds("verify")


def too_large(disk):
    """What cannot fit is refused before anything is written, with numbers; what may fit is not."""
    source = disk.place.directory / "large"
    (source / "usr/bin").mkdir(parents=True)
    with open(source / "usr/bin/large", "wb") as file:
        for _ in range(128):
            file.write(os.urandom(1 << 20))
    os.chmod(source / "usr/bin/large", 0o755)
    words = ["--name", "large", "--version", "1", "--expose", "all"]
    archive = disk.place.directory / "large.tar"
    subprocess.run(["tar", "-C", source, "-cf", archive, "."], check=True)
    for image in (f"dir:{source}", archive):
        start = time.monotonic()
        disk.fails(r"large\S* has 1[34]\d{7} bytes or more, and the file system of \S.* has \d+ to spare.*sxs gc",
                   "install", image, *words)
        if time.monotonic() - start > 10:
            raise Broken("it took long to see that there is no room")
    with open(source / "usr/bin/large", "r+b") as file:
        file.truncate(1 << 20)
    free = os.statvfs(disk.top).f_bavail * os.statvfs(disk.top).f_frsize
    disk.fails("are to stay free|to spare", "install", f"dir:{source}", *words, "--min-free", str(free))
    disk.succeeds("install", f"dir:{source}", *words, "--min-free", str(free // 2))


def until_free(disk):
    """gc --max-free: what makes so much free goes, what was registered first first, and no more."""
    for number in range(4):
        source = disk.place.directory / f"t{number}"
        (source / "usr/bin").mkdir(parents=True)
        (source / "usr/bin/x").write_bytes(os.urandom(2 << 20))
        disk.succeeds("import", f"dir:{source}", "--name", source.name, "--version", "1", "--expose", "all")
    def there():
        return sorted(name[-4:-2] for name in os.listdir(disk.root / "store") if re.search(r"-t\d-1$", name))
    def free():
        space = os.statvfs(disk.top)
        return space.f_bavail * space.f_frsize
    disk.succeeds("gc", "--max-free", str(free()))
    if there() != ["t0", "t1", "t2", "t3"]:
        raise Broken(f"so much is free already, and {there()} are left")
    wanted = free() + (3 << 20)
    disk.succeeds("gc", "--max-free", str(wanted))
    if there() != ["t2", "t3"] or free() < wanted:
        raise Broken(f"{there()} are left, {free()} bytes free, {wanted} wanted")
    disk.succeeds("gc", "--max-freed", "1M")
    if there() != ["t3"]:
        raise Broken(f"after a collection of 1 MB {there()} are left")


def test(place, only):
    """All of them: how many, and how many went wrong."""
    tests = [
        ("a full tmpfs", no_space, Disk(place, "tmpfs", "tmpfs")),
        ("a full ext4", no_space, Disk(place, "ext4", "ext4")),
        ("a tmpfs without inodes", no_inodes, Disk(place, "tmpfs inodes", "tmpfs", mount=",nr_inodes=400")),
        ("an ext4 without inodes", no_inodes, Disk(place, "ext4 inodes", "ext4", ["-N", "400"])),
        ("a used-up quota", quota, Disk(place, "quota", "btrfs", size=256)),
        ("images that do not fit", too_large, Disk(place, "small", "tmpfs")),
        ("gc until enough is free", until_free, Disk(place, "free", "ext4")),
    ]
    count = bad = 0
    for name, function, disk in tests:
        if only and only not in name:
            continue
        count += 1
        start = time.monotonic()
        try:
            with disk:
                function(disk)
            print(f"passed  {name} ({time.monotonic() - start:.1f} s)", flush=True)
        except (Broken, OSError, subprocess.CalledProcessError) as error:
            bad += 1
            print(f"FAILED  {name}\n    {error}", flush=True)
    return count, bad
