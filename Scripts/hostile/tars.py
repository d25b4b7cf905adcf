"""Tar archives, written byte by byte: what no tar program would write is what matters here.

Source: POSIX.1-2017 pax(1); GNU tar manual, "Basic Tar Format", "Storing Sparse Files".
"""

import bz2
import gzip
import lzma
import subprocess

BLOCK = 512
USTAR = b"ustar\x0000"
GNU = b"ustar  \0"
END = bytes(2 * BLOCK)


def octal(value, width):
    """A number field: octal digits and a NUL, or base 256."""
    digits = b"%0*o" % (width - 1, value) if value >= 0 else b""
    if value < 0 or len(digits) > width - 1:
        return ((1 << (8 * width - 1)) | value % (1 << (8 * width - 8))).to_bytes(width, "big")
    return digits + b"\0"


def header(name, size=0, mode=0o644, kind=b"0", link=b"", magic=USTAR, prefix=b"", fields=(), checksum=None):
    """A header block; `fields` are (offset, bytes) that are put in last."""
    block = bytearray(BLOCK)

    def put(offset, value):
        block[offset:offset + len(value)] = value

    put(0, name[:100])
    put(100, octal(mode, 8))
    put(108, octal(0, 8))
    put(116, octal(0, 8))
    put(124, octal(size, 12))
    put(136, octal(0, 12))
    put(156, kind)
    put(157, link[:100])
    put(257, magic)
    put(345, prefix)
    for offset, value in fields:
        put(offset, value)
    put(148, b" " * 8)
    total = sum(block) if checksum is None else checksum
    put(148, b"%06o\0 " % total)
    return bytes(block)


def padded(data):
    """Data filled up to a whole block."""
    return data + bytes(-len(data) % BLOCK)


def entry(name, data=b"", **more):
    """A header and its data."""
    return header(name, size=more.pop("size", len(data)), **more) + padded(data)


def file(name, data=b"text\n", **more):
    return entry(name, data, **more)


def directory(name, mode=0o755, **more):
    return entry(name, kind=b"5", mode=mode, **more)


def symlink(name, target, **more):
    return entry(name, kind=b"2", link=target, mode=0o777, **more)


def hard_link(name, target, **more):
    return entry(name, kind=b"1", link=target, **more)


def record(key, value):
    """A record of a pax header, whose length counts its own digits."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while len(rest) + len(str(length)) != length:
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def pax(records, kind=b"x"):
    """An extended header; records are (key, value), or bytes as they are."""
    data = b"".join(r if isinstance(r, bytes) else record(*r) for r in records)
    return entry(b"PaxHeaders/x", data, kind=kind)


def long_name(name, kind=b"L"):
    """GNU's header for a long name."""
    return entry(b"././@LongLink", name + b"\0", kind=kind, magic=GNU)


def archive(*entries):
    """A whole archive."""
    return b"".join(entries) + END


def good():
    """The entries of a small image in which there is nothing wrong."""
    return [
        directory(b"usr"), directory(b"usr/bin"), file(b"usr/bin/hello", b"#!/bin/sh\necho hello\n", mode=0o755),
        symlink(b"usr/bin/hi", b"hello"), hard_link(b"usr/bin/hey", b"usr/bin/hello"),
        pax([(b"SCHILY.xattr.user.note", b"n\0te")]), file(b"usr/noted", b"noted\n" * 300),
    ]


def _piped(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


# Each compression by its name, and whether a changed byte cannot go unnoticed in it.
COMPRESSIONS = {
    "gzip": (lambda data: gzip.compress(data, mtime=0), True),
    "bzip2": (bz2.compress, True),
    "xz": (lzma.compress, True),
    "zstd": (_piped("zstd", "-qc"), True),
    "lz4": (_piped("lz4", "-qc"), True),
    "lzma": (lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE), False),
}


def bomb(compress, gibibytes):
    """A file of zeros in an archive, compressed in equal pieces, of which compressed files may be made."""
    piece = 16 << 20
    count = (gibibytes << 30) // piece
    head = header(b"usr/zeros", size=count * piece)
    return compress(head) + compress(bytes(piece)) * count + compress(END)
