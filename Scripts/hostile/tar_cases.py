"""Hostile tar archives."""

from hostile import tars
from hostile.cases import either, has, holds, imported, lacks, of, refused
from hostile.tars import (
    GNU, archive, directory, entry, file, good, hard_link, header, long_name, octal, pax, record, symlink)

# Names that would leave the tree, and what is said of them.
ESCAPES = {
    "..": (b"..", "leaves the image's tree"), "../": (b"../evil", "leaves the image's tree"),
    "within": (b"a/../../evil", "leaves the image's tree"), "back": (b"usr/../evil", "leaves the image's tree"),
    "end": (b"usr/..", "leaves the image's tree"), "dot": (b"./../evil", "leaves the image's tree"),
    "slashes": (b"a//..//..//evil", "leaves the image's tree"), "absolute": (b"/evil", "absolute"),
    "newline": (b"usr/a\nb", "control character"), "escape": (b"usr/\x1b[2Ja", "control character"),
    "delete": (b"usr/\x7f", "control character"),
}
# What says a name, each in its own way.
NAMING = {
    "ustar": lambda n: file(n),
    "prefix": lambda n: header(n.rpartition(b"/")[2] or n, prefix=n.rpartition(b"/")[0] or b"/"),
    "GNU long name": lambda n: long_name(n) + file(b"x", magic=GNU),
    "pax path": lambda n: pax([(b"path", n)]) + file(b"x"),
    "pax directory": lambda n: pax([(b"path", n)]) + directory(b"x"),
    "pax symbolic link": lambda n: pax([(b"path", n)]) + symlink(b"x", b"y"),
    "global pax path": lambda n: pax([(b"path", n)], kind=b"g") + file(b"x"),
    "sparse name": lambda n: pax([
        (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", n),
        (b"GNU.sparse.realsize", b"5")]) + file(b"x", tars.padded(b"1\n0\n5\n") + b"text\n"),
    "hard link": lambda n: hard_link(n, b"usr/noted"),
    "hard link's target": lambda n: hard_link(b"usr/x", n),
    "pax hard link's target": lambda n: pax([(b"linkpath", n)]) + hard_link(b"usr/x", b"y"),
    "GNU hard link's target": lambda n: long_name(n, b"K") + hard_link(b"usr/x", b"y", magic=GNU),
}


def _escapes():
    for how, make in NAMING.items():
        for what, (name, says) in ESCAPES.items():
            if how == "prefix" and b"/" not in name.strip(b"/"):
                continue
            yield refused(f"{how}: {what}", of(archive(*good(), make(name))), says)

        def outside(place, path, make=make):
            return archive(*good(), make(bytes(place.canary) + b"/evil"))

        if how != "prefix" and len(NAMING) > 1:
            yield refused(f"{how}: the canary's path", outside, "absolute")


def _through_links():
    """Writes that would go through a symbolic link of the image."""
    def to_canary(*entries):
        return lambda place, path: archive(symlink(b"d", bytes(place.canary)), *entries)

    yield refused("a file through a link to the outside", to_canary(file(b"d/evil")), "link")
    yield refused("a directory through a link to the outside", to_canary(directory(b"d/evil")), "link")
    yield refused("a link through a link to the outside", to_canary(symlink(b"d/evil", b"x")), "link")
    yield refused("a hard link through a link to the outside", to_canary(hard_link(b"x", b"d/secret")), "link")
    yield imported("a directory in place of a link to the outside", to_canary(directory(b"d"), file(b"d/in")),
                   check=has("d/in"))
    yield refused("through a link up", of(archive(symlink(b"d", b"../../.."), file(b"d/evil"))), "link")
    yield refused("through two links", of(archive(
        symlink(b"a", b".."), symlink(b"b", b"a/.."), file(b"b/evil"))), "link")
    yield imported("through a link within", of(archive(
        directory(b"usr/lib"), symlink(b"lib", b"usr/lib"), file(b"lib/x"))), check=has("usr/lib/x"))
    yield refused("links in a circle", of(archive(symlink(b"a", b"b"), symlink(b"b", b"a"), file(b"a/x"))))
    yield refused("a link to itself", of(archive(symlink(b"a", b"a"), file(b"a/x"))))
    chain = [symlink(b"l%d" % n, b"l%d" % (n + 1)) for n in range(45)]
    yield refused("45 links in a row", of(archive(directory(b"l45"), *chain, file(b"l0/x"))))
    yield refused("through a file", of(archive(file(b"usr"), file(b"usr/x"))))

    def link_and_file(place, path):
        return archive(symlink(b"a", bytes(place.canary) + b"/secret"), hard_link(b"b", b"a"), file(b"b", b"mine\n"),
                       file(b"a", b"mine\n"))

    yield imported("a file in place of a link to the outside, and of its second name", link_and_file,
                   check=holds("a", b"mine\n"))
    yield imported("links that lead outside stay links", lambda place, path: archive(
        *good(), symlink(b"usr/a", bytes(place.canary)), symlink(b"usr/b", b"../../../../etc/passwd"),
        symlink(b"usr/c", b"x" * 90)), check=has("usr/a", "usr/b", "usr/c"))
    yield refused("a link without a target", of(archive(symlink(b"a", b""))))
    yield refused("a link of 5,000 bytes", of(archive(pax([(b"linkpath", b"x/" * 2500)]), symlink(b"a", b"y"))))
    yield refused("a link with a NUL", of(archive(pax([(b"linkpath", b"x\0y")]), symlink(b"a", b"y"))))
    # Forty links to a path of 2,000 directories, again and again.
    deep = b"d/" * 1900 + b"d"
    maze = [long_name(deep), directory(b"x", magic=GNU)]
    for number in range(35):
        target = b"m%d" % (number + 1) if number < 34 else deep
        maze += [long_name(target, b"K"), symlink(b"m%d" % number, b"y", magic=GNU)]
    inside = b"".join(file(b"m0/%d" % n, b"") for n in range(20_000))
    yield either("a maze of links before each of 20,000 files", of(tars.COMPRESSIONS["zstd"][0](
        archive(*maze, inside))), megabytes=600)
    texts = b"\n".join(b"/usr/m0/%d/x" % n for n in range(100_000))
    yield either("text that names 100,000 paths in a maze", of(archive(
        *maze, symlink(b"usr", b"."), file(b"text.sh", b"#!/bin/sh\n" + texts, mode=0o755))), megabytes=600)


def _swaps():
    yield imported("file, directory, link, file", of(archive(
        file(b"a", b"1"), directory(b"a"), file(b"a/b"), symlink(b"a", b"b"), file(b"a", b"2"))),
        check=holds("a", b"2"))
    yield imported("the same entry a thousand times", of(archive(*[file(b"a", b"%d" % n) for n in range(1000)])),
                   check=holds("a", b"999"))
    yield refused("a hard link to what comes later", of(archive(hard_link(b"a", b"b"), file(b"b"))))
    yield refused("a hard link to nothing", of(archive(hard_link(b"a", b"none"))))
    yield refused("a hard link to itself", of(archive(hard_link(b"a", b"a"))))
    yield either("a hard link of a file to itself", of(archive(file(b"a"), hard_link(b"a", b"a"))))
    yield refused("a hard link to a directory", of(archive(directory(b"d"), hard_link(b"a", b"d"))))
    yield refused("a hard link to the root", of(archive(hard_link(b"a", b"."))))
    yield imported("a hard link whose file is replaced", of(archive(
        file(b"a", b"1"), hard_link(b"b", b"a"), file(b"a", b"2"))), check=holds("b", b"1"))
    yield refused("the root is a file", of(archive(file(b"."))), "root")
    yield refused("the root is a link", of(archive(symlink(b".", b"/"))), "root")
    yield refused("the root is a hard link", of(archive(file(b"a"), hard_link(b"./", b"a"))))
    yield either("an entry without a name", of(archive(file(b""))))
    yield imported("letters and Unicode that look alike", of(archive(
        file(b"a"), file(b"A"), file("é".encode()), file("e\u0301".encode()), file("\ufb01".encode()),
        file("a\u202eb".encode()), file(b"\xff\xfe"), file(b"\xc0\xae\xc0\xae"), file(b"...", b""), file(b" "),
        file(b"-rf"), file(b"$(id)"), file(b"a\\b"), file("a\u200b".encode()))),
        check=has("a", "A", "é", "e\u0301", "...", " ", "-rf", "$(id)", "a\\b"))


def _kinds():
    nodes = [header(b"dev/%c" % (0x61 + n), kind=k) for n, k in enumerate((b"3", b"4", b"6"))]
    yield imported("devices and a pipe", of(archive(*good(), *nodes)), "2 devices.*1 pipe",
                   check=lacks("dev/a", "dev/b", "dev/c"))
    yield imported("set-id and sticky bits", of(archive(
        *good(), file(b"usr/su", mode=0o6755), directory(b"usr/t", mode=0o7777))), "set-id bit",
        check=lambda store: _has_no_bits(store))
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    yield imported("a capability", of(archive(
        *good(), pax([(b"SCHILY.xattr.security.capability", capability)]), file(b"usr/ping", mode=0o755))),
        "file capability")
    for kind in b"7SVMNAEI8Zz\0\xff":
        yield either(f"type flag {kind}", of(archive(*good(), entry(b"x", b"y", kind=bytes([kind])))))
    yield either("a directory with data", of(archive(entry(b"d", b"data", kind=b"5"), file(b"x"))))
    yield either("a link with data", of(archive(entry(b"d", b"data", kind=b"2", link=b"x"), file(b"x"))))


def _has_no_bits(store):
    for path in (store / "usr/su", store / "usr/t"):
        assert path.stat().st_mode & 0o7000 == 0, f"{path.name} has mode {path.stat().st_mode:o}"


def _attributes():
    def case(name, records, make=either, says="", **more):
        return make(f"attributes: {name}", of(archive(*good(), pax(records), file(b"usr/x"))), says, **more)

    x = b"SCHILY.xattr."
    yield case("10,000 of them", [(x + b"user.%d" % n, b"v") for n in range(10_000)])
    yield case("no name", [(x, b"v")])
    yield case("a prefix and nothing", [(x + b"user.", b"v")])
    yield case("a name of 300 bytes", [(x + b"user." + b"n" * 300, b"v")], refused)
    yield case("a name with a NUL", [(x + b"user.a\0b", b"v")], refused)
    yield case("a name with a newline", [(x + b"user.a\nb", b"v")], refused)
    yield case("an overlay's", [(x + b"trusted.overlay.opaque", b"y"), (x + b"user.overlay.opaque", b"y")], imported)
    yield case("64 KiB and a byte", [(x + b"user.a", b"v" * 65537)], refused)
    yield case("an ACL that is none", [(x + b"system.posix_acl_access", b"\xff" * 64)], imported)
    yield case("bad base64", [(b"LIBARCHIVE.xattr.user.a", b"***")], refused, "not valid")
    yield case("bad percent", [(b"LIBARCHIVE.xattr.user.%zz", b"AAAA")], refused, "not valid")
    # 8 MiB of them, again and again before one entry, and for each of many.
    flood = pax([(x + b"user.%d" % n, b"v" * 60_000) for n in range(130)])
    yield refused("attributes: 100 headers of 8 MB before one entry", lambda place, path: tars.COMPRESSIONS["zstd"][0](
        archive(*[pax([(x + b"user.%d.%d" % (h, n), b"v" * 60_000) for n in range(130)]) for h in range(100)],
                file(b"x"))))
    yield refused("attributes: 8 MB for each of 200 files", lambda place, path: tars.COMPRESSIONS["zstd"][0](
        archive(*[flood + file(b"%d" % n, b"") for n in range(200)])))
    yield refused("attributes: 8 MB for all files", lambda place, path: tars.COMPRESSIONS["zstd"][0](
        archive(pax([(x + b"user.%d" % n, b"v" * 60_000) for n in range(130)], kind=b"g"),
                *[file(b"%d" % n, b"") for n in range(2000)])))


def _numbers():
    """Sizes, times and owners that no file has."""
    for value in (b"-1", b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"9" * 400,
                  b"1e9", b"0x10", b" 5", b"5 ", b"+5", b"", b"5\0", b"\xef\xbc\x95"):
        shown = value[:24].decode("utf-8", "replace")
        yield either(f"pax size {shown!r}", of(archive(*good(), pax([(b"size", value)]), file(b"x", b"hello"))))
        yield imported(f"pax times and owners {shown!r}", of(archive(*good(), pax([
            (b"mtime", value), (b"atime", value), (b"uid", value), (b"gid", value), (b"uname", value)]), file(b"x"))))
    for name, size in {"negative": b"\xff" * 12, "2^63": b"\x80" + (1 << 63).to_bytes(11, "big"),
                       "2^63-1": b"\x80" + ((1 << 63) - 1).to_bytes(11, "big"), "base 256 of 2^88": b"\x80" + b"\xff" * 11,
                       "8 GiB": octal(8 << 30, 12), "letters": b"zzzzzzzzzzz\0", "eights": b"88888888888\0"}.items():
        yield refused(f"a header's size: {name}", of(archive(*good(), header(b"x", fields=[(124, size)]))))
        yield refused(f"an extended header's size: {name}", of(archive(
            *good(), header(b"x", kind=b"x", fields=[(124, size)]))))
        yield refused(f"a long name's size: {name}", of(archive(
            *good(), header(b"x", kind=b"L", fields=[(124, size)]))))
    yield refused("a wrong checksum", of(archive(*good(), header(b"x", checksum=1))))
    for number, bad in enumerate((
            b"", b"5\n", b"0 a=b\n", b"99 a=b\n", b"6 a=b", b"5 a=b\n", b"-6 a=b\n", b"6  ab\n", b" a=b\n", b"a=b\n",
            b"18446744073709551622 a=b\n", b"6 a=b\n\0x", b"6 a=b\n" + b"\0" * 40, b"6 a=b\nx")):
        yield either(f"an extended header that is none, {number}", of(archive(*good(), pax([bad]), file(b"x"))))
    yield either("an extended header and no entry", of(archive(*good(), pax([(b"path", b"y")]))))
    yield either("1,000 extended headers before one entry", of(archive(
        *[pax([(b"path", b"y%d" % n)]) for n in range(1000)], file(b"x"))), check=has("y999"))
    yield either("a long name and a pax path", of(archive(long_name(b"a"), pax([(b"path", b"b")]), file(b"x"))))


def _lengths():
    yield imported("a name of 255 bytes", of(archive(long_name(b"n" * 255), file(b"x"))), check=has("n" * 255))
    yield refused("a name of 256 bytes", of(archive(long_name(b"n" * 256), file(b"x"))), "longer than 255")
    for how in ("L", "pax"):
        say = (lambda n: long_name(n)) if how == "L" else (lambda n: pax([(b"path", n)]))
        path = b"d/" * 2047 + b"f"
        yield either(f"{how}: a path of 4,095 bytes", of(archive(say(path), file(b"x"))))
        yield refused(f"{how}: a path of 4,097 bytes", of(archive(say(b"d/" + path), file(b"x"))), "longer than 4095")
        yield refused(f"{how}: 10,000 directories deep", of(archive(say(b"d/" * 10_000 + b"f"), file(b"x"))))
    yield refused("a long name of 100 KB", of(archive(long_name(b"n" * 100_000), file(b"x"))))
    yield refused("an extended header of 9 MB", of(archive(pax([(b"comment", b"x" * (9 << 20))]), file(b"x"))))
    yield imported("300 directories deep", of(archive(pax([(b"path", b"d/" * 300 + b"f")]), file(b"x"))))
    yield refused("links that make a path too long", of(archive(
        *[pax([(b"linkpath", b"/".join([b"d" * 200] * 15))]), symlink(b"l", b"y")],
        *[pax([(b"path", b"l/" + b"/".join([b"e" * 200] * 15))]), file(b"x")])))


def _sparse():
    tebibyte = 1 << 40

    def one_zero(size, table, data=b""):
        return pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"usr/s"),
                    (b"GNU.sparse.realsize", b"%d" % size)]) + file(b"x", tars.padded(table) + data)

    def zero_one(size, table, data=b""):
        return pax([(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.numblocks", b"1"),
                    (b"GNU.sparse.map", table)]) + file(b"usr/s", data)

    def zero_zero(size, offset, count, data=b""):
        return pax([(b"GNU.sparse.size", b"%d" % size), (b"GNU.sparse.numblocks", b"1"),
                    (b"GNU.sparse.offset", offset), (b"GNU.sparse.numbytes", count)]) + file(b"usr/s", data)

    def old(size, pairs, data=b"", extended=b"\0"):
        table = b"".join(octal(o, 12) + octal(c, 12) for o, c in pairs)
        return entry(b"usr/s", data, kind=b"S", magic=GNU,
                     fields=[(386, table), (482, extended), (483, octal(size, 12))])

    for name, bomb in {
            "1.0": one_zero(tebibyte, b"1\n%d\n0\n" % tebibyte), "0.1": zero_one(tebibyte, b"%d,0" % tebibyte),
            "0.0": zero_zero(tebibyte, b"%d" % tebibyte, b"0"), "old GNU": old(tebibyte, [(tebibyte, 0)])}.items():
        yield refused(f"sparse {name}: a hole of 1 TiB", of(archive(*good(), bomb)), "--max-")
    for name, small in {
            "1.0": one_zero(1 << 20, b"1\n4096\n5\n", b"text\n"), "0.1": zero_one(1 << 20, b"4096,5", b"text\n"),
            "0.0": zero_zero(1 << 20, b"4096", b"5", b"text\n"), "old GNU": old(1 << 20, [(4096, 5)], b"text\n")}.items():
        yield imported(f"sparse {name}: a small hole", of(archive(*good(), small)),
                       check=holds("usr/s", bytes(4096) + b"text\n" + bytes((1 << 20) - 4101)))
    for name, table in {
            "overlap": b"2\n0\n5\n3\n5\n", "backwards": b"2\n8\n5\n0\n5\n", "beyond the end": b"1\n1048576\n5\n",
            "negative": b"1\n-1\n5\n", "no numbers": b"x\n", "a count of 2^40": b"1099511627776\n",
            "no newline": b"1" * 512, "overflow": b"1\n9223372036854775807\n5\n", "too few": b"3\n0\n5\n"}.items():
        yield refused(f"sparse 1.0: {name}", of(archive(*good(), one_zero(1 << 20, table, b"text\n"))))
        yield refused(f"sparse 0.1: {name}", of(archive(*good(), zero_one(
            1 << 20, b",".join(table.split()[1:]) or b"x", b"text\n"))) if name != "too few" else of(b"text"))
    yield refused("old GNU: an endless list", of(archive(*good(), old(1 << 20, [(0, 5)], b"text\n", b"\1"))))
    yield refused("old GNU: overlap", of(archive(*good(), old(1 << 20, [(0, 5), (3, 5)], b"text\ntext\n"))))
    yield refused("sparse without a size", of(archive(*good(), pax([(b"GNU.sparse.map", b"0,5")]), file(b"x"))))


def _bombs():
    for name, (compress, _) in tars.COMPRESSIONS.items():
        # An lzma file is one stream: its end is the end.
        if name != "lzma":
            yield refused(f"{name}: 10 GiB of zeros", lambda place, path, c=compress: tars.bomb(c, 10), "--max-")
            yield refused(f"{name}: 10 GiB behind the end", lambda place, path, c=compress: c(archive(*good()))
                          + c(bytes(16 << 20)) * 640, "--max-")
        else:
            yield refused(f"{name}: 1 GiB of zeros", lambda place, path, c=compress: c(
                header(b"zeros", size=1 << 30) + bytes(1 << 30) + tars.END), "--max-", long=True)
        yield either(f"{name} in itself", lambda place, path, c=compress: c(c(archive(*good()))))
        yield refused(f"{name} of nothing", lambda place, path, c=compress: c(b""))
        yield refused(f"{name} of text", lambda place, path, c=compress: c(b"text\n" * 1000))
    yield refused("60,000 files where 50,000 are allowed", lambda place, path: tars.COMPRESSIONS["zstd"][0](
        archive(*[file(b"d%d/%d" % (n % 100, n), b"") for n in range(60_000)])), "--max-files",
        options=["--max-files", "50000"])
    yield refused("five million entries", lambda place, path: tars.COMPRESSIONS["zstd"][0](file(b"a", b"") * 500_000) * 10,
                  "--max-files", options=["--max-ratio", "1000000"])
    yield refused("a million and a half files in directories of their own",
                  lambda place, path: tars.COMPRESSIONS["zstd"][0](b"".join(
                      file(b"%d/a" % n, b"") for n in range(1_500_000))), "--max-files", long=True, seconds=120,
                  megabytes=2000, options=["--max-ratio", "1000000"])
    yield refused("more bytes than are allowed", of(archive(file(b"a", bytes(2_000_000)))), "--max-size",
                  options=["--max-size", "1M"])
    yield imported("as many bytes as are allowed", of(archive(file(b"a", bytes(1_000_000)))),
                   options=["--max-size", "1M"])


def _databases():
    """Files of an image that an import reads."""
    def case(name, path, data, **more):
        return either(f"{path.decode()}: {name}", of(archive(*good(), file(path, data))), **more)

    for path in (b"var/lib/dpkg/status", b"lib/apk/db/installed", b"usr/lib/os-release", b"etc/os-release",
                 b"usr/lib/extension-release.d/extension-release.x", b"etc/ld.so.conf", b"etc/ld.so.cache",
                 b"usr/lib/systemd/system/x.service", b"usr/share/applications/x.desktop", b"usr/lib/x.pc",
                 b"usr/lib/x.pyc", b"usr/lib/x.jar", b"usr/share/dbus-1/services/x.service"):
        yield case("of zeros", path, bytes(100_000))
        yield case("of bytes", path, bytes(range(256)) * 100)
        yield case("one line of 1 MB", path, b"Package: " + b"x" * (1 << 20))
        yield case("100,000 lines", path, b"Package: a\nVersion: /usr/bin\n\nP:a\nV:1\n" * 20_000)
    lines = b"".join(b"Package: hello%d\nSource: x\nVersion: 1\nStatus: install ok installed\n\n" % n
                     for n in range(20_000))
    yield case("20,000 packages of one source", b"var/lib/dpkg/status", lines)


def cases():
    """All of them."""
    for make in (_escapes, _through_links, _swaps, _kinds, _attributes, _numbers, _lengths, _sparse, _bombs,
                 _databases):
        yield from make()
