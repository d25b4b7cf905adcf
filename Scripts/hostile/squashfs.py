"""SquashFS images, written field by field, without compression unless asked: what mksquashfs would never write.

Source: the kernel's Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h.
"""

import struct
import zlib

NONE32, NONE64 = 0xffff_ffff, 0xffff_ffff_ffff_ffff
FILE, DIRECTORY, SYMLINK, BLOCK_DEVICE, DEVICE, PIPE, SOCKET = 2, 1, 3, 4, 5, 6, 7
# Of the superblock: offset and width of each field.
SUPERBLOCK = {
    "magic": (0, 4), "inode_count": (4, 4), "mtime": (8, 4), "block_size": (12, 4), "fragment_count": (16, 4),
    "compression": (20, 2), "block_log": (22, 2), "flags": (24, 2), "id_count": (26, 2), "major": (28, 2),
    "minor": (30, 2), "root": (32, 8), "bytes_used": (40, 8), "id_table": (48, 8), "xattr_table": (56, 8),
    "inode_table": (64, 8), "directory_table": (72, 8), "fragment_table": (80, 8), "export_table": (88, 8),
}


def metadata(data, compress=False):
    """Blocks of metadata: at most 8 KiB each, behind their sizes."""
    result = b""
    for start in range(0, len(data), 8192) or [0]:
        part = data[start:start + 8192]
        packed = zlib.compress(part) if compress else part
        if compress and len(packed) < len(part):
            result += struct.pack("<H", len(packed)) + packed
        else:
            result += struct.pack("<H", len(part) | 0x8000) + part
    return result


def place(offset):
    """Where a byte of a table is: the block that holds it, and where in that, when all are stored as they are."""
    return offset // 8192 * 8194, offset % 8192


class Image:
    """Inodes and listings in the order in which they are added; a listing may name what is added later."""

    def __init__(self, block_size=4096):
        self.block_size = block_size
        self.inodes, self.listings, self.data = b"", b"", b""
        self.count = 0
        self.fragments, self.xattrs = [], []
        self.root = 0
        self.changes = {}

    def inode(self, kind, body, number=None, mode=0o755):
        """Adds an inode: where it is, and its number."""
        self.count += 1
        number = self.count if number is None else number
        at = len(self.inodes)
        self.inodes += struct.pack("<HHHHII", kind, mode, 0, 0, 0, number) + body
        return at, number

    def file(self, size, blocks=(), start=96, fragment=NONE32, offset=0, **more):
        body = struct.pack("<IIII", start, fragment, offset, size)
        return self.inode(FILE, body + b"".join(struct.pack("<I", b) for b in blocks), **more)

    def long_file(self, size, blocks=(), start=96, fragment=NONE32, offset=0, links=1, xattr=NONE32, **more):
        body = struct.pack("<QQQIIII", start, size, 0, links, fragment, offset, xattr)
        return self.inode(FILE + 7, body + b"".join(struct.pack("<I", b) for b in blocks), **more)

    def symlink(self, target, size=None, **more):
        return self.inode(SYMLINK, struct.pack("<II", 1, len(target) if size is None else size) + target, **more)

    def listing(self, entries, header_count=None, kind=None):
        """Adds a directory's listing of (name, inode, kind): where it is, and its size."""
        at = len(self.listings)
        for name, (inode, number), entry_kind in entries:
            block, offset = place(inode)
            self.listings += struct.pack(
                "<III", 0 if header_count is None else header_count, block, number)
            self.listings += struct.pack("<HhHH", offset, 0, entry_kind if kind is None else kind, len(name) - 1) + name
        return at, len(self.listings) - at

    def directory(self, listing, size=None, parent=1, number=None, xattr=None):
        """Adds a directory with a listing that is there, or will be."""
        block, offset = place(listing[0])
        size = (listing[1] if size is None else size) + 3
        if xattr is not None or size > 0xffff:
            body = struct.pack("<IIIIHHI", 2, size, block, parent, 0, offset, NONE32 if xattr is None else xattr)
            return self.inode(DIRECTORY + 7, body, number)
        return self.inode(DIRECTORY, struct.pack("<IIHHI", block, 2, size, offset, parent), number)

    def change(self, **fields):
        """Puts other numbers into the superblock."""
        self.changes |= fields
        return self

    def write(self, compress=False):
        """The image's bytes."""
        image = bytearray(96) + self.data
        fields = {"inode_table": len(image)}
        image += metadata(self.inodes, compress)
        fields["directory_table"] = len(image)
        image += metadata(self.listings, compress)
        fields["fragment_table"] = NONE64
        if self.fragments:
            at = len(image)
            image += metadata(b"".join(struct.pack("<QII", s, n, 0) for s, n in self.fragments))
            fields["fragment_table"] = len(image)
            image += struct.pack("<Q", at)
        at = len(image)
        image += metadata(struct.pack("<I", 0))
        fields["id_table"] = len(image)
        image += struct.pack("<Q", at)
        fields["xattr_table"] = NONE64
        if self.xattrs:
            image, fields["xattr_table"] = self._attributes(image)
        block_log = self.block_size.bit_length() - 1
        root_block, root_offset = place(self.root)
        values = fields | {
            "magic": 0x73717368, "inode_count": self.count, "mtime": 0, "block_size": self.block_size,
            "fragment_count": len(self.fragments), "compression": 1, "block_log": block_log,
            "flags": 0x1 | 0x2 | 0x8 | 0x800 | (0 if self.xattrs else 0x200) if not compress else 0x200,
            "id_count": 1, "major": 4, "minor": 0, "root": root_block << 16 | root_offset,
            "bytes_used": len(image), "export_table": NONE64} | self.changes
        for name, value in values.items():
            offset, width = SUPERBLOCK[name]
            image[offset:offset + width] = (value % (1 << (8 * width))).to_bytes(width, "little")
        return bytes(image) + bytes(-len(image) % 4096)

    def _attributes(self, image):
        """Attributes: a list of lists of (prefix type, name, value or bytes as they are)."""
        pairs, table = b"", b""
        for attributes in self.xattrs:
            at, begun = place(len(pairs)), len(pairs)
            for kind, name, value in attributes:
                pairs += struct.pack("<HH", kind, len(name)) + name
                pairs += value if isinstance(value, bytearray) else struct.pack("<I", len(value)) + value
            table += struct.pack("<QII", at[0] << 16 | at[1], len(attributes), len(pairs) - begun)
        pairs_at = len(image)
        image += metadata(pairs)
        table_at = len(image)
        image += metadata(table)
        where = len(image)
        image += struct.pack("<QII", pairs_at, len(self.xattrs), 0)
        image += b"".join(struct.pack("<Q", table_at + n * 8194) for n in range((len(table) + 8191) // 8192))
        return image, where


def small(contents=b"text\n"):
    """An image of one file in a directory, in which there is nothing wrong."""
    image = Image()
    image.data = contents
    file = image.file(len(contents), [len(contents) | 1 << 24])
    link = image.symlink(b"x")
    inner = image.directory(image.listing([(b"l", link, SYMLINK), (b"x", file, FILE)]))
    image.root = image.directory(image.listing([(b"usr", inner, DIRECTORY)]))[0]
    return image
