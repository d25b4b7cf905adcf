"""A disk that loses power: every write to it is recorded, and what a command left can be had as it is at any moment.

What was written before the last flush is on the disk. Of what was written after it any part may be, in any order: that
is what disks promise. The file system is ext4 with a journal for names only (data=writeback), and without the care
that ext4 otherwise takes of programs that do not sync (noauto_da_alloc).
"""

import os
import random
import struct
import subprocess
import time
from pathlib import Path

SIZE = 128 << 20
OPTIONS = "data=writeback,noauto_da_alloc,noatime"
FLUSH = (1 << 64) - 1
BLOCK = 4096


def make_disk_program(directory):
    """Builds the program that records."""
    program = directory / "disk"
    source = Path(__file__).resolve().parent / "disk.c"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-o", program, source, *flags.stdout.split()], check=True)
    return program


class Mounted:
    """A file with a file system in it, mounted until it is left."""

    def __init__(self, image, directory, options=OPTIONS):
        self.image, self.directory, self.options = image, Path(directory), options

    def __enter__(self):
        self.directory.mkdir(exist_ok=True)
        self.device = subprocess.run(["losetup", "--find", "--show", self.image], capture_output=True, text=True,
                                     check=True).stdout.strip()
        try:
            subprocess.run(["mount", "-t", "ext4", "-o", self.options, self.device, self.directory], check=True)
        except subprocess.CalledProcessError:
            subprocess.run(["losetup", "--detach", self.device], check=True)
            raise
        return self.directory

    def __exit__(self, *_):
        subprocess.run(["umount", self.directory], check=True)
        subprocess.run(["losetup", "--detach", self.device], check=True)


def make_image(path, tree):
    """A file system that holds a copy of a tree, and nothing else, as `root`."""
    with open(path, "wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", str(BLOCK), "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0", path],
                   check=True)
    with Mounted(path, path.with_suffix(".mount")) as directory:
        subprocess.run(["cp", "-a", tree, directory / "root"], check=True)
        made = Path(f"{tree}.out")
        if made.exists():
            subprocess.run(["cp", "-a", made, directory / "root.out"], check=True)


class Recording:
    """What a command wrote to a disk, in order."""

    def __init__(self, before, log, start, end):
        self.before = before
        self.events = []
        with open(log, "rb") as file:
            position = 0
            while position < end:
                offset, length = struct.unpack("=QQ", file.read(16))
                position += 16
                data = b"" if offset == FLUSH else file.read(length)
                position += len(data)
                if position <= start:
                    self._apply(offset, data)
                else:
                    self.events.append(None if offset == FLUSH else (offset, data))

    def _apply(self, offset, data):
        if offset != FLUSH:
            self.before[offset:offset + len(data)] = data

    def state(self, point, kept, chance):
        """The disk, where the power goes after `point` events, and of what was not flushed a part is kept."""
        disk = bytearray(self.before)
        flushed = max((index for index in range(point) if self.events[index] is None), default=0)
        for index, event in enumerate(self.events[:point]):
            if event is None:
                continue
            offset, data = event
            for at in range(0, len(data), BLOCK):
                block = data[at:at + BLOCK]
                if index < flushed or chance.random() < kept:
                    disk[offset + at:offset + at + len(block)] = block
        return disk


def record(program, directory, tree, run):
    """Runs something on a disk with a copy of a tree, and gives back all that was written meanwhile."""
    image, log, mount = directory / "before", directory / "log", directory / "recorded"
    make_image(image, tree)
    mount.mkdir(exist_ok=True)
    process = subprocess.Popen([program, mount, image, log])
    try:
        deadline = time.monotonic() + 10
        while not (mount / "disk").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the recording disk does not start")
            time.sleep(0.01)
        with Mounted(mount / "disk", directory / "disk.mount") as place:
            os.sync()
            start = log.stat().st_size
            run(place / "root")
            end = log.stat().st_size
    finally:
        subprocess.run(["umount", mount], check=False)
        process.wait(timeout=30)
    return Recording(bytearray(image.read_bytes()), log, start, end)


def states(recording, count, seed):
    """Moments at which the power goes, each with the disk as it is then; the last is after the command's end."""
    chance = random.Random(seed)
    length = len(recording.events)
    for _ in range(count - 1):
        point, kept = chance.randrange(length + 1), chance.choice((0, 0.2, 0.5, 0.8, 1))
        yield f"after {point} of {length} writes, {kept:.0%} of what was not flushed kept", False, \
            recording.state(point, kept, chance)
    yield "after its end", True, recording.state(length, 0, chance)
