"""Packages of distributions that somebody made to harm whoever imports them, and good ones to be damaged."""

import gzip
import lzma
import subprocess

from hostile import tars
from hostile.cases import either, imported, lacks, of, refused
from hostile.tars import archive, directory, file, good, hard_link, symlink

CONTROL = b"Package: hello\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"


def ar(*members):
    """An ar archive of names and bytes."""
    made = b"!<arch>\n"
    for name, data in members:
        made += b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (name, 0, 0, 0, b"100644", len(data)) + data + b"\n" * (len(data) % 2)
    return made


def deb(*entries, control=CONTROL, scripts=(), suffix=b"", compress=lambda data: data):
    """A Debian package of tar entries."""
    controls = archive(file(b"./control", control), *[file(b"./" + name, text) for name, text in scripts])
    return ar((b"debian-binary", b"2.0\n"), (b"control.tar" + suffix, compress(controls)),
              (b"data.tar" + suffix, compress(archive(*entries))))


def xz_deb(place, path):
    """A Debian package as dpkg-deb makes it."""
    return deb(*good(), suffix=b".xz", compress=lambda data: lzma.compress(data, preset=0))


def apk(place, path):
    """An Alpine package: two streams of gzip."""
    information = archive(file(b".PKGINFO", b"pkgname = hello\npkgver = 1-r0\narch = noarch\ndatahash = " + b"0" * 64 + b"\n"))
    return gzip.compress(information[:-1024], mtime=0) + gzip.compress(archive(*good()), mtime=0)


SPEC = """
Name: hello
Version: 1
Release: 1
Summary: hello
License: x
BuildArch: noarch
AutoReqProv: no
%description
x
%install
mkdir -p %{buildroot}/usr/bin
printf '#!/bin/sh\\necho hello\\n' >%{buildroot}/usr/bin/hello
chmod 755 %{buildroot}/usr/bin/hello
%files
/usr/bin/hello
"""


def rpm(place, path):
    """An RPM package by rpmbuild."""
    top = place.directory / f"{path}.rpmbuild"
    top.mkdir()
    (top / "hello.spec").write_text(SPEC)
    subprocess.run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", "--dbpath", top / "db", top / "hello.spec"],
                   check=True, capture_output=True)
    [made] = (top / "RPMS").glob("*/*.rpm")
    data = made.read_bytes()
    subprocess.run(["rm", "-rf", top], check=True)
    return data


def formats():
    """As `damage.formats`: a changed byte shows by a checksum in each."""
    yield "Debian package", xz_deb, True
    yield "Alpine package", apk, True
    yield "RPM package", rpm, True


def cases():
    """All of them."""
    yield imported("a good Debian package", of(deb(*good())))
    for name, path in (("above", b"../x"), ("dots within", b"./usr/../../x"), ("only dots", b"..")):
        yield refused(f"a Debian package, a path {name}", of(deb(file(path, b"x"))))
    yield refused("a Debian package, an absolute path", of(deb(file(b"/usr/x", b"x"))), "absolute")
    yield refused("a Debian package through a link out", lambda place, path: deb(
        symlink(b"./usr/a", str(place.canary).encode()), file(b"./usr/a/x", b"x")))
    yield refused("a Debian package through the link of /bin", lambda place, path: deb(
        symlink(b"./bin", str(place.canary).encode()), file(b"./usr/bin/y", b"y"), file(b"./bin/x", b"x"),
        symlink(b"./usr/bin", str(place.canary).encode())))
    yield refused("a Debian package, a hard link out", of(deb(hard_link(b"./usr/x", b"../../etc/passwd"))))
    yield refused("a Debian package, a file as a directory", of(deb(file(b"./usr/a", b"x"), file(b"./usr/a/b", b"x"))))
    yield either("a Debian package, a directory as a link", of(deb(directory(b"./usr/a"), symlink(b"./usr/a", b"b"))))
    yield refused("a Debian package of unknown compression", of(deb(*good(), suffix=b".lz4")), "unknown compression")
    yield refused("a Debian package, two archives of files", of(ar(
        (b"debian-binary", b"2.0\n"), (b"control.tar", archive(file(b"./control", CONTROL))), (b"data.tar", b""),
        (b"data.tar.gz", b""))))
    yield refused("a Debian package without control", of(ar((b"debian-binary", b"2.0\n"), (b"data.tar", archive(*good())))))
    yield refused("a Debian package of version 3", of(ar((b"debian-binary", b"3.0\n"))), "version")
    yield refused("a Debian package, a member longer than all", of(
        b"!<arch>\n" + b"%-16s%-12d%-6d%-6d%-8s%-10d`\n" % (b"debian-binary", 0, 0, 0, b"100644", 9_999_999_999)))
    yield refused("a Debian package, a control file of 100 MB", of(deb(*good(), control=CONTROL + b"x" * 100_000_000)))
    # What a script would divert or link is a path of the tree, or nothing.
    script = (b"#!/bin/sh\ndpkg-divert --divert ../../x --rename /usr/bin/hello\nupdate-alternatives --install /usr/../../y n "
              b"/usr/bin/hello 10\nupdate-alternatives --install /usr/bin/z ../../z /usr/bin/hello 10\n")
    yield either("a Debian package, scripts that name paths above", of(deb(*good(), scripts=[(b"postinst", script)])),
                 check=lacks("../x", "../y", "../z"))
    yield imported("a Debian package, a script of nested loops", of(deb(*good(), scripts=[
        (b"postinst", b"#!/bin/sh\n" + b"for i in 1 2 3 4 5 6 7 8 9; do " * 50 + b"x $i; " + b"done; " * 50)])))
    yield imported("a Debian package, a script of a megabyte of braces", of(deb(*good(), scripts=[
        (b"postinst", b"#!/bin/sh\n" + b"f() { if [ -n \"$2\" ]; then { " * 40_000)])), seconds=40)
    yield refused("an Alpine package, its files missing", lambda place, path: apk(place, path)[:-200])
    yield refused("a bomb in a Debian package", of(deb(
        suffix=b".zst", compress=lambda data: tars.COMPRESSIONS["zstd"][0](data + bytes(1 << 20)) * 400)), "")
