"""Packages of distributions that are broken, hostile, too large, or in each other's way."""

import io
import lzma
import subprocess
import tarfile

from endtoend.remotes import say

CONTROL = "Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: x\n"


def tar(entries):
    """A tar archive of (name, kind, contents or target)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, contents in entries:
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o755
            if kind == tarfile.REGTYPE:
                member.size = len(contents)
                archive.addfile(member, io.BytesIO(contents))
            else:
                member.linkname = contents
                archive.addfile(member)
    return made.getvalue()


def ar(*members):
    """An ar archive."""
    made = b"!<arch>\n"
    for name, data in members:
        made += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return made


def deb(name, data, suffix=""):
    """A Debian package with a data archive as it is given."""
    control = tar([("./control", tarfile.REGTYPE, CONTROL.format(name=name).encode())])
    return ar(("debian-binary", b"2.0\n"), ("control.tar", control), ("data.tar" + suffix, data))


class BadPackageTests:
    """A part of the tests of distributions."""

    def test_hostile_paths_in_packages_are_refused(self):
        store = self.store()
        store.sxs("import", self.fixtures / "small/jq.oci.tar")
        outside = self.directory / "victim"
        outside.mkdir()
        file, link = tarfile.REGTYPE, tarfile.SYMTYPE
        cases = {
            "above": [("../victim/x", file, b"x")],
            "absolute": [(str(outside / "x"), file, b"x")],
            "dots": [("./usr/../../victim/x", file, b"x")],
            "through": [("./usr/a", link, str(outside)), ("./usr/a/x", file, b"x")],
            "control": [("./usr/a\nb", file, b"x")],
            "hard": [("./usr/x", tarfile.LNKTYPE, "../../victim/y")],
            "file-as-directory": [("./usr/a", file, b"x"), ("./usr/a/b", file, b"x")],
        }
        for name, entries in cases.items():
            package = self.directory / f"{name}.deb"
            package.write_bytes(deb(name, tar(entries)))
            status, output = store.attempt("import", package)
            if name == "control":
                # A name with a line end is a name; it breaks no listing.
                say(status in (0, 1), f"{name}: {status} {output}")
                continue
            say(status == 1 and "hint:" in output and name in output, f"{name}: {status} {output}")
            say(not list(outside.iterdir()), f"{name} wrote outside")
        store.check()

    def test_what_cannot_be_unpacked_is_refused(self):
        store = self.store()
        data = tar([("./usr/share/x", tarfile.REGTYPE, b"x" * 1000)])
        cases = {
            "lz4": (deb("lz4", data, ".lz4"), "of unknown compression '.lz4'"),
            "cut": (deb("cut", lzma.compress(data), ".xz")[:-40], "ends"),
            "empty": (b"!<arch>\n", ""),
        }
        for name, (contents, text) in cases.items():
            package = self.directory / f"{name}.deb"
            package.write_bytes(contents)
            self.refused(store, "import", package, text=text)

    def test_a_package_of_two_gigabytes(self):
        store = self.store()
        size = 2_200_000_000
        package = self.directory / "zeros.deb"
        # Two gigabytes of nothing in some kilobytes: what a bomb is like. Frames of zstd follow each other.
        member = tarfile.TarInfo("./usr/share/zeros")
        member.size = size
        packed = lambda data: subprocess.run(["zstd", "-q", "--stdout"], input=data, capture_output=True, check=True).stdout  # noqa: E731
        mebibyte = packed(bytes(1 << 20))
        package.write_bytes(deb("zeros", packed(member.tobuf()) + mebibyte * (size >> 20) + mebibyte, ".zst"))
        say(package.stat().st_size < 1 << 20, "the package is no bomb")
        self.refused(store, "import", package, text="times")
        self.refused(store, "import", package, "--max-ratio", "1000000", "--max-size", "500M", text="500000000")

    def test_files_that_collide_are_refused_by_name(self):
        self.archive.make("left", Depends="right", files={"usr/share/both": "left\n"})
        self.archive.make("right", files={"usr/share/both": "right\n"})
        self.archive.publish()
        store = self.store()
        self.add(store)
        self.refused(store, "install", "left", text="'/usr/share/both'")

    def test_a_file_longer_than_its_index_says_is_refused(self):
        self.archive.make("longer")
        self.archive.publish()
        store = self.store()
        self.add(store)
        [file] = self.archive.pool.glob("longer_*.deb")
        whole = file.read_bytes()
        try:
            file.write_bytes(whole + b"\n" * 100_000)
            self.refused(store, "install", "longer", text="longer")
            file.write_bytes(whole[:-10])
            self.refused(store, "install", "longer", text="longer")
        finally:
            file.write_bytes(whole)
        store.sxs("install", "longer")
