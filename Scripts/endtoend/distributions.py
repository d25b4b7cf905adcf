"""Repositories of distributions made by their own tools: apt-ftparchive and GnuPG, rpmbuild and createrepo, a database of Arch."""

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

# What jq and its libraries are, of the packages that fixtures were made of.
REAL = ["jq", "libjq1", "libonig5", "libc6", "libgcc-s1", "gcc-12-base", "tree", "hello", "dash", "libc-bin"]


def run(*command, **options):
    """Runs a program that has to succeed; what it prints."""
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                          text=True, timeout=120, **options).stdout


class Archive:
    """A Debian archive with the suite `stable` and the component `main`."""

    def __init__(self, place, keys):
        self.place, self.keys = place, keys
        self.pool = place / "pool/main"
        self.suite = place / "dists/stable"
        self.pool.mkdir(parents=True)

    def take(self, cache):
        """Takes real packages out of apt's cache."""
        for name in REAL:
            found = sorted(Path(cache, "bookworm").glob(f"**/{name}_*_amd64.deb"))
            if not found:
                raise FileNotFoundError(f"no package {name} in {cache}; Scripts/make-fixtures fetches it")
            shutil.copy(found[0], self.pool)

    def make(self, name, version="1.0", text=None, scripts=(), files=(), **fields):
        """A package with one command of its name, a script; maintainer's scripts and further files by name and text."""
        tree = self.place.parent / f"tree-{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        control = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "Nobody <nobody@example.org>",
                   "Description": f"{name} for tests"} | {key.replace("_", "-"): value for key, value in fields.items()}
        (tree / "DEBIAN/control").write_text("".join(f"{key}: {value}\n" for key, value in control.items()))
        program = tree / "usr/bin" / name
        program.parent.mkdir(parents=True)
        program.write_text(text or f"#!/bin/sh\necho {name} {version}\n")
        program.chmod(0o755)
        for script, body in dict(scripts).items():
            (tree / "DEBIAN" / script).write_text(body)
            (tree / "DEBIAN" / script).chmod(0o755)
        for path, body in dict(files).items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(body)
        run("dpkg-deb", "--root-owner-group", "--build", tree, self.pool / f"{name}_{version.replace(':', '%3a')}_all.deb")
        shutil.rmtree(tree)

    def rebuild(self, name, version, note=None):
        """A real package once more, with another version, and a file that has a note; the one before goes."""
        [file] = self.pool.glob(f"{name}_*.deb")
        tree = self.place.parent / "rebuilt"
        run("dpkg-deb", "--raw-extract", file, tree)
        control = tree / "DEBIAN/control"
        lines = [f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
        control.write_text("\n".join(lines) + "\n")
        if note:
            (tree / f"usr/share/doc/{name}/note").write_text(note)
        file.unlink()
        run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, self.pool / f"{name}_{version}_amd64.deb")
        shutil.rmtree(tree)

    def publish(self, *, until="", signature="inline", suffixes=(".xz", ""), suite="stable"):
        """Writes and signs the index. `until` is a Valid-Until."""
        shutil.rmtree(self.suite, ignore_errors=True)
        index = self.suite / "main/binary-amd64"
        index.mkdir(parents=True)
        packages = run("apt-ftparchive", "packages", "pool", cwd=self.place)
        (index / "Packages").write_text(packages)
        if ".xz" in suffixes:
            run("xz", "--keep", "-0", index / "Packages")
        if ".gz" in suffixes:
            (index / "Packages.gz").write_bytes(gzip.compress(packages.encode()))
        if ".lz4" in suffixes:
            run("lz4", "-q", index / "Packages", index / "Packages.lz4")
        if "" not in suffixes:
            (index / "Packages").unlink()
        options = {"Origin": "Tests", "Suite": suite, "Codename": "tested", "Components": "main", "Architectures": "amd64",
                   "Acquire-By-Hash": "yes"}
        text = run("apt-ftparchive", *[f"-oAPT::FTPArchive::Release::{key}={value}" for key, value in options.items()],
                   "release", self.suite)
        if until:
            text = f"Valid-Until: {until}\n" + text
        for file in list(index.iterdir()):
            by_digest = index / "by-hash/SHA256" / hashlib.sha256(file.read_bytes()).hexdigest()
            by_digest.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, by_digest)
        (self.suite / "Release").write_text(text)
        if signature == "inline":
            self.keys.gpg("--clearsign", "--output", str(self.suite / "InRelease"), str(self.suite / "Release"))
        if signature == "detached":
            self.keys.gpg("--detach-sign", "--armor", "--output", str(self.suite / "Release.gpg"), str(self.suite / "Release"))

    def flatten(self, place):
        """A flat repository with the same packages."""
        shutil.copytree(self.pool, place)
        (place / "Packages").write_text(run("apt-ftparchive", "packages", ".", cwd=place))
        (place / "Release").write_text(run("apt-ftparchive", "release", ".", cwd=place))
        self.keys.gpg("--clearsign", "--output", str(place / "InRelease"), str(place / "Release"))


SPEC = """
Name: {name}
Version: {version}
Release: 1
Summary: {name} for tests
License: Apache-2.0
BuildArch: noarch
AutoReqProv: no
{fields}
%description
{name}
%install
mkdir -p %{{buildroot}}/usr/bin
printf '#!/bin/sh\\necho {name} {version}\\n' > %{{buildroot}}/usr/bin/{name}
chmod 755 %{{buildroot}}/usr/bin/{name}
%files
/usr/bin/{name}
"""


class Yum:
    """A repository of RPM packages."""

    def __init__(self, place, keys):
        self.place, self.keys = place, keys
        place.mkdir()

    def make(self, name, version="1.0", **fields):
        """A package with one command of its name, a script."""
        spec = self.place.parent / f"{name}.spec"
        lines = "".join(f"{key}: {value}\n" for key, value in fields.items())
        spec.write_text(SPEC.format(name=name, version=version, fields=lines))
        top = self.place.parent / "rpmbuild"
        run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {top}", "--define", f"_rpmdir {self.place}",
            "--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm", spec, stderr=subprocess.DEVNULL)

    def publish(self, compression="gz"):
        """Writes and signs the index."""
        run("createrepo_c", "--quiet", "--general-compress-type", compression, self.place, stderr=subprocess.DEVNULL)
        self.sign()

    def sign(self):
        """Signs the index."""
        index = self.place / "repodata/repomd.xml"
        Path(str(index) + ".asc").unlink(missing_ok=True)
        self.keys.gpg("--detach-sign", "--armor", "--output", str(index) + ".asc", str(index))


class Pacman:
    """A database of Arch, as repo-add writes it, and its packages."""

    def __init__(self, place):
        self.place = place
        place.mkdir()
        self.entries = {}

    def make(self, name, version="1.0-1", depends=(), text=None):
        """A package with one command of its name, a script."""
        file = self.place / f"{name}-{version}-any.pkg.tar.gz"
        info = f"pkgname = {name}\npkgbase = {name}\npkgver = {version}\npkgdesc = {name} for tests\narch = any\nsize = 100\n"
        info += "".join(f"depend = {depend}\n" for depend in depends)
        with tarfile.open(file, "w:gz") as archive:
            for path, data, mode in [(".PKGINFO", info, 0o644), (f"usr/bin/{name}", text or f"#!/bin/sh\necho {name} {version}\n", 0o755)]:
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(data), mode
                archive.addfile(member, io.BytesIO(data.encode()))
        data = file.read_bytes()
        fields = {"FILENAME": file.name, "NAME": name, "BASE": name, "VERSION": version, "DESC": f"{name} for tests",
                  "CSIZE": str(len(data)), "ISIZE": "100", "SHA256SUM": hashlib.sha256(data).hexdigest(), "ARCH": "any"}
        if depends:
            fields["DEPENDS"] = "\n".join(depends)
        self.entries[f"{name}-{version}"] = "".join(f"%{key}%\n{value}\n\n" for key, value in fields.items())

    def publish(self, name, keys):
        """Writes and signs the database."""
        database = self.place / f"{name}.db"
        with tarfile.open(database, "w:gz") as archive:
            for entry, text in self.entries.items():
                folder = tarfile.TarInfo(entry)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(folder)
                member = tarfile.TarInfo(entry + "/desc")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        signature = Path(str(database) + ".sig")
        signature.unlink(missing_ok=True)
        keys.gpg("--detach-sign", "--output", str(signature), str(database))


def bomb():
    """An XML text of some hundred bytes that means gigabytes."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 16}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "{"x" * 64}">{entities}]><repomd>&e11;</repomd>'


def debs(web):
    """Names of the packages that were fetched."""
    return [os.path.basename(path) for path, status, _ in web.log if path.endswith((".deb", ".rpm", ".pkg.tar.gz")) and status == 200]
