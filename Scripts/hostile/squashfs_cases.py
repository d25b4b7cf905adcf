"""Hostile SquashFS images."""

import struct
import subprocess
import zlib

from hostile import squashfs
from hostile.cases import either, has, imported, of, refused
from hostile.squashfs import DIRECTORY, FILE, NONE32, SUPERBLOCK, SYMLINK, Image, small

COMPRESSORS = ["gzip", "lzo", "xz", "lz4", "zstd", "lzma"]


def tree(place, path):
    """A directory with some of everything that mksquashfs packs."""
    top = place.directory / (path + ".tree")
    (top / "usr/bin").mkdir(parents=True)
    (top / "usr/bin/hello").write_text("#!/bin/sh\necho hello\n")
    (top / "usr/bin/hello").chmod(0o755)
    (top / "usr/bin/hi").symlink_to("hello")
    (top / "usr/seq").write_text("\n".join(map(str, range(3000))))
    (top / "usr/large").write_bytes(bytes(range(256)) * 1200)
    (top / "usr/seq2").hardlink_to(top / "usr/seq")
    return top


def packed(compressor, *options):
    """A maker of an image by mksquashfs."""
    def make(place, path):
        image = place.directory / path
        subprocess.run(["mksquashfs", str(tree(place, path)), str(image), "-quiet", "-no-progress", "-all-root",
                        "-comp", compressor, "-b", "16384", "-noappend", "-mkfs-time", "0", "-all-time", "0", *options],
                       check=True, stdout=subprocess.DEVNULL)
        return image

    return make


def _superblock():
    odd = {1: [0, 1, 0xff], 2: [0, 1, 2, 3, 5, 6, 7, 0x7fff, 0xffff], 4: [0, 1, 4095, 8192, 1 << 20, 1 << 21, 1 << 31, NONE32],
           8: [0, 1, 95, 97, 4096, 1 << 32, 1 << 63, (1 << 64) - 1, (1 << 64) - 8]}
    for field, (_, width) in SUPERBLOCK.items():
        for value in odd[width]:
            yield either(f"superblock: {field} is {value:#x}", of(small().change(**{field: value}).write()))
    for first in ("inode_table", "directory_table", "id_table", "fragment_table", "export_table", "xattr_table"):
        for other in (96, 101, 200):
            yield either(f"superblock: {first} lies over another table, {other}", of(
                small().change(**{first: other, "flags": 0, "fragment_count": 3}).write()))


def _in_itself(number=None):
    """The directory usr, in which the root, or usr itself, is."""
    image = small()
    top = image.directory((len(image.listings), 12 + 8 + 1))
    image.listing([(b"x", (top[0], top[1] if number is None else number), DIRECTORY)])
    image.root = top[0]
    return image.write()


def _two_views():
    """Many inodes of directories that all have one listing, which names each of them."""
    image = Image()
    size = sum(12 + 8 + 2 for _ in range(30))
    nodes = [image.directory((0, size)) for _ in range(30)]
    image.listing([(b"%02d" % n, node, DIRECTORY) for n, node in enumerate(nodes)])
    image.root = nodes[0][0]
    return image.write()


def _shared_listing():
    """2,000 directories that share one listing of 1,500 files: three million."""
    image = Image()
    file = image.file(0)
    listing = image.listing([(b"%04d" % n, file, FILE) for n in range(1500)])
    nodes = [image.directory(listing) for _ in range(2000)]
    image.root = image.directory(image.listing([(b"d%04d" % n, node, DIRECTORY) for n, node in enumerate(nodes)]))[0]
    return image.write()


def _with(*entries, name=b"x", **listing):
    """The root with one entry that is no good."""
    image = small()
    image.root = image.directory(image.listing([(name, entries[0], entries[1])], **listing))[0]
    return image.write()


def _names():
    for name, says in ((b"..", "'..'"), (b".", "name"), (b"../x", "name"), (b"/x", "name"), (b"a/b", "name"),
                       (b"a\0b", "name"), (b"a\nb", "control character"), (b"n" * 256, "longer than 255"), (b"n" * 9000, "")):
        image = small()
        entry = image.file(0)
        image.root = image.directory(image.listing([(name, entry, FILE)]))[0]
        yield refused(f"name: {name[:20]!r}", of(image.write()), says)
    image = small()
    entry = image.file(0)
    image.root = image.directory(image.listing([(b"a", entry, FILE), (b"a", entry, FILE), (b"A", entry, FILE)]))[0]
    yield either("name: two of the same", of(image.write()))
    image = small()
    link, inner = image.symlink(b"/tmp"), image.file(0)
    folder = image.directory(image.listing([(b"evil", inner, FILE)]))
    image.root = image.directory(image.listing([(b"a", link, SYMLINK), (b"a", folder, DIRECTORY)]))[0]
    yield either("name: a link and a directory of one name", of(image.write()))


def _inodes():
    for kind in (0, 15, 0x8001, 0xffff):
        yield refused(f"inode: type {kind}", of(_with_inode(kind, bytes(64))))
    for size in (0, 4096, 1 << 16, 1 << 24, 1 << 31, NONE32):
        yield refused(f"inode: a link of {size} bytes", of(_built(lambda i, s=size: (i.symlink(b"", size=s), SYMLINK))))
    yield imported("inode: a link to the outside", of(_built(lambda i: (i.symlink(b"/etc/passwd"), SYMLINK))))
    for size in (1, 4096, 1 << 20, 1 << 31):
        yield refused(f"inode: {size} bytes and no blocks", of(_built(lambda i, s=size: (i.file(s), FILE))))
    for size in (1 << 32, 1 << 40, 1 << 50, 1 << 62, 1 << 63, (1 << 64) - 1):
        yield refused(f"inode: {size:#x} bytes and no blocks", of(_built(lambda i, s=size: (i.long_file(s), FILE))))
    for start in (0, 1, 4000, 1 << 31, NONE32):
        yield either(f"inode: blocks at {start}", of(_built(
            lambda i, s=start: (i.file(5, [5 | 1 << 24], start=s), FILE))))
    for start in (1 << 32, 1 << 62, (1 << 64) - 1, (1 << 64) - 5):
        yield refused(f"inode: blocks at {start:#x}", of(_built(
            lambda i, s=start: (i.long_file(5, [5 | 1 << 24], start=s), FILE))))
    for size in (4097, 4097 | 1 << 24, 0xff_ffff, 0x1ff_ffff, NONE32, 1 << 25):
        yield refused(f"inode: a block of {size:#x} bytes", of(_built(
            lambda i, s=size: (i.file(4096, [s]), FILE))))
    for fragment, offset in ((0, 0), (1, 0), (0, 4095), (0, 4097), (0, NONE32), (77, 0), (NONE32 - 1, 0)):
        yield either(f"inode: fragment {fragment} at {offset}", of(_fragment(fragment, offset, [(96, 5 | 1 << 24)])))
    for at, size in ((0, 0), (96, 4096), (96, 4097 | 1 << 24), (1 << 40, 5), ((1 << 64) - 1, 5), (96, NONE32),
                     (96, 0xff_ffff | 1 << 24)):
        yield either(f"fragment: {size:#x} bytes at {at:#x}", of(_fragment(0, 0, [(at, size)])))
    for value in (7, NONE32 - 1):
        yield either(f"inode: attributes {value}", of(_built(
            lambda i, v=value: (i.long_file(5, [5 | 1 << 24], xattr=v), FILE))))
    yield imported("inode: a file with 2^32-1 names", of(_built(
        lambda i: (i.long_file(5, [5 | 1 << 24], links=NONE32), FILE))))
    yield either("inode: devices, pipes and sockets", of(_nodes()), "2 devices.*2 pipes")
    # All blocks are holes.
    yield refused("a hole of 1 TiB", of(_hole(1 << 40)), "--max-")
    yield refused("4 GiB of blocks that are one block", lambda place, path: _one_block(4096), "--max-ratio")


def _with_inode(kind, body):
    return _built(lambda image: (image.inode(kind, body), FILE))


def _built(make):
    """An image whose root has one entry."""
    image = small()
    inode, kind = make(image)
    image.root = image.directory(image.listing([(b"x", inode, kind)]))[0]
    return image.write()


def _fragment(fragment, offset, table):
    image = small()
    image.fragments = table
    inode = image.file(5, fragment=fragment, offset=offset)
    image.root = image.directory(image.listing([(b"x", inode, FILE)]))[0]
    return image.change(flags=0x1 | 0x2 | 0x8 | 0x200).write()


def _nodes():
    image = small()
    body = struct.pack("<II", 1, 0x103)
    made = [(b"a", image.inode(4, body), 4), (b"b", image.inode(5, body), 5),
            (b"c", image.inode(6, body[:4]), 6), (b"d", image.inode(7, body[:4]), 7)]
    image.root = image.directory(image.listing(made))[0]
    return image.write()


def _hole(size):
    image = Image(block_size=1 << 20)
    inode = image.long_file(size, [0] * (size >> 20))
    # Behind so many sizes of blocks: inodes are found by the block they begin in.
    image.root = image.directory(image.listing([(b"x", inode, FILE)]))[0]
    return image.write()


def _one_block(count):
    """Files of one block each, which is the same in the image."""
    image = Image(block_size=1 << 20)
    image.data = zlib.compress(bytes(1 << 20), 9)
    nodes = [image.file(1 << 20, [len(image.data)]) for _ in range(count)]
    top = [(b"%05d" % n, node, FILE) for n, node in enumerate(nodes)]
    image.root = image.directory(image.listing(top))[0]
    return image.write()


def _directories():
    yield refused("a directory in itself", of(_in_itself()), "lies in itself")
    yield either("directories that share a listing of themselves", of(_two_views()))
    yield refused("2,000 directories with the same 1,500 files", lambda place, path: _shared_listing(), "--max-files")
    for count in (1, 255, 256, 65535, NONE32):
        image = small()
        entry = image.file(0)
        image.root = image.directory(image.listing([(b"x", entry, FILE)], header_count=count))[0]
        yield either(f"a listing's header counts {count}", of(image.write()))
    for size in (0, 1, 2, 3, 10, 20, 22, 1000, 60000, 1 << 20, NONE32 - 3):
        image = small()
        entry = image.file(0)
        image.root = image.directory(image.listing([(b"x", entry, FILE)]), size=size)[0]
        yield either(f"a listing of {size} bytes", of(image.write()))
    for kind in (0, DIRECTORY, SYMLINK, 8, 14, 0xffff):
        image = small()
        entry = image.file(0)
        image.root = image.directory(image.listing([(b"x", entry, FILE)], kind=kind))[0]
        yield either(f"a listing that calls a file a {kind}", of(image.write()))
    for at in (1, 8191, 8192, 65535, 1 << 20, 1 << 31):
        image = small()
        image.root = image.directory(image.listing([(b"x", (at, 1), FILE)]))[0]
        yield either(f"a listing with an inode at {at}", of(image.write()))
        image = small()
        image.root = image.directory((at, 40))[0]
        yield either(f"a listing at {at}", of(image.write()))
    image = small()
    inner = image.directory(image.listing([]))
    for _ in range(2200):
        inner = image.directory(image.listing([(b"d", inner, DIRECTORY)]))
    image.root = inner[0]
    yield refused("2,200 directories deep", of(image.write()), "longer than 4095")


def _attributes():
    def image(*lists, links=1, files=1, name="x"):
        image = small()
        image.xattrs = list(lists)
        nodes = [image.long_file(5, [5 | 1 << 24], xattr=0, links=links) for _ in range(files)]
        image.root = image.directory(image.listing(
            [(b"%s%04d" % (name.encode(), n), node, FILE) for n, node in enumerate(nodes)]))[0]
        return image.write()

    yield either("attributes: one", of(image([(0, b"a", b"v")])))
    for kind in (3, 7, 0x100, 0x1ff, 0xffff):
        yield either(f"attributes: of type {kind}", of(image([(kind, b"a", b"v")])))
    for size in (65537, 1 << 20, 1 << 31, NONE32):
        yield refused(f"attributes: a value of {size} bytes that are not there", of(image(
            [(0, b"a", bytearray(struct.pack("<I", size)))])))
    for where in (0, 1 << 16, 1 << 40, (1 << 64) - 1):
        yield either(f"attributes: a value elsewhere, at {where:#x}", of(image(
            [(0x100, b"a", bytearray(struct.pack("<IQ", 8, where)))])))
    yield refused("attributes: a name of 60,000 bytes", of(image([(0, b"n" * 60_000, b"v")])))
    yield refused("attributes: 2,000 of one file", of(image([(0, b"%d" % n, b"v") for n in range(2000)])))
    yield refused("attributes: 1,000 of 60 KB, of each of 1,000 files", lambda place, path: image(
        [(0, b"%d" % n, bytes(60_000)) for n in range(1000)], files=1000))
    flags = {"flags": 0x1 | 0x2 | 0x8}
    for count in (0, 2, 512, 513, NONE32):
        changed = small()
        changed.xattrs = [[(0, b"a", b"v")]]
        node = changed.long_file(5, [5 | 1 << 24], xattr=max(0, min(count, 600) - 1))
        changed.root = changed.directory(changed.listing([(b"x", node, FILE)]))[0]
        whole = bytearray(changed.change(**flags).write())
        where = struct.unpack_from("<Q", whole, 56)[0]
        struct.pack_into("<I", whole, where + 8, count)
        yield either(f"attributes: a table of {count}", of(bytes(whole)))


def cases():
    """All of them."""
    for compressor in COMPRESSORS:
        make = refused if compressor == "lzo" else imported
        yield make(f"a good image, {compressor}", packed(compressor),
                   **({"says": "lzo"} if compressor == "lzo" else {"check": has("usr/seq2", "usr/bin/hi")}))
    yield imported("a good image, by hand", of(small().write()), check=has("usr/x", "usr/l"))
    for make in (_superblock, _names, _inodes, _directories, _attributes):
        yield from make()
