"""Good images, cut and changed: every format, at every step, and at random with a seed."""

import random
import subprocess

from hostile import squashfs_cases, tars
from hostile.layouts import Layout, docker, layered
from hostile.tars import archive, good


def _exported(sxs):
    """An extension that sxs itself made."""
    def make(place, path):
        root, image = place.directory / "exporting", place.directory / (path + ".tar")
        image.write_bytes(archive(*good()))
        # By its name systemd knows it.
        result = place.directory / path / "hello.raw"
        result.parent.mkdir()
        for words in (["import", "--name", "hello", "--version", "1", str(image)],
                      ["export", "hello", "--output", str(result)]):
            subprocess.run([str(sxs), words[0], "--root", str(root), *words[1:]], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return result

    return make


def formats(sxs):
    """Each format's name, the maker of a good image, and whether a changed byte must not pass as another tree."""
    yield "tar", lambda place, path: archive(*good()), False
    for name, (compress, is_checked) in tars.COMPRESSIONS.items():
        yield f"tar, {name}", lambda place, path, c=compress: c(archive(*good())), is_checked
    yield "OCI archive", lambda place, path: layered(good(), [tars.file(b"usr/.wh.noted", b"")]), True
    gzip = tars.COMPRESSIONS["gzip"][0]
    layout = Layout()
    layout.index(layout.image(archive(*good()), compress=gzip, kind="application/vnd.oci.image.layer.v1.tar+gzip"))
    yield "OCI archive, gzip", lambda place, path: gzip(layout.archive()), True
    yield "docker save", lambda place, path: docker(archive(*good())), True
    for compressor in squashfs_cases.COMPRESSORS:
        if compressor != "lzo":
            yield f"SquashFS, {compressor}", squashfs_cases.packed(compressor), False
    yield "SquashFS, nothing compressed", squashfs_cases.packed("gzip", "-noI", "-noId", "-noD", "-noF", "-noX"), False
    yield "an extension by sxs", _exported(sxs), True


def cuts(image, step):
    """The image cut at every step: how it is called, and its bytes."""
    for length in range(0, len(image), step):
        yield f"cut at {length}", image[:length]


def flips(image, count, seed):
    """The image with one to three bits changed, at random."""
    numbers = random.Random(seed)
    for number in range(count):
        changed = bytearray(image)
        bits = [numbers.randrange(8 * len(image)) for _ in range(numbers.choice((1, 1, 1, 2, 3)))]
        for bit in bits:
            changed[bit // 8] ^= 1 << bit % 8
        yield f"flip {number}: bits {bits}", bytes(changed)
