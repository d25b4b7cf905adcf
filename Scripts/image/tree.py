"""Unpacks packages into a tree and does, declaratively, what their maintainer scripts would have done."""

import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from . import alternatives, triggers

# Directories of the usr-merge, and where a 64-bit loader has a directory of its own.
MERGED = ["bin", "sbin", "lib"]
LIB64 = {"amd64", "ppc64el", "loong64"}

# Architectures whose programs run in an emulator of this name, where the machine is another.
EMULATORS = {"arm64": "aarch64", "ppc64el": "ppc64le", "riscv64": "riscv64", "s390x": "s390x"}

# What base-files', base-passwd's and libc-bin's scripts copy on a new system.
COPIES = {
    "usr/share/base-passwd/passwd.master": "etc/passwd",
    "usr/share/base-passwd/group.master": "etc/group",
    "usr/share/base-files/profile": "etc/profile",
    "usr/share/base-files/motd": "etc/motd",
    "usr/share/base-files/dot.profile": "root/.profile",
    "usr/share/base-files/dot.bashrc": "root/.bashrc",
    "usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf",
    "usr/lib/R/etc/Renviron.ucf": "etc/R/Renviron",
}


class Tree:
    """A root file system that packages are unpacked into."""

    def __init__(self, directory, architecture):
        self.directory = Path(directory)
        self.architecture = architecture
        self.newest = 0
        self.alternatives = []
        for name in MERGED + (["lib64"] if architecture in LIB64 else []):
            (self.directory / "usr" / name).mkdir(parents=True, exist_ok=True)
            (self.directory / name).symlink_to("usr/" + name)
        self.database = self.directory / "var/lib/dpkg"
        (self.database / "info").mkdir(parents=True)
        (self.database / "info/format").write_text("1\n")
        for name in ("status", "available", "diversions", "statoverride"):
            (self.database / name).write_text("")

    def unpack(self, package):
        """Unpacks one package, as `dpkg --unpack` would, and enters it in the tree's package database."""
        # --keep-directory-symlink: /bin/… of a package goes to /usr/bin.
        source = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package.file], stdout=subprocess.PIPE)
        names = subprocess.run(
            ["tar", "--extract", "--verbose", "--quoting-style=literal", "--keep-directory-symlink",
             "--same-permissions", "--no-same-owner", "--directory", self.directory],
            stdin=source.stdout, capture_output=True, check=True).stdout
        source.stdout.close()
        if source.wait() != 0:
            raise OSError(f"dpkg-deb cannot read {package.file}")
        self._enter(package, names)

    def configure(self):
        """What the scripts of all unpacked packages would have left behind."""
        root = self.directory
        for source, target in COPIES.items():
            if (root / source).exists() and not (root / target).exists():
                (root / target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / source, root / target)
        for link, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
            if not os.path.lexists(root / link):
                (root / link).symlink_to(target)
        if (root / "usr/share/zoneinfo/Etc/UTC").exists() and not os.path.lexists(root / "etc/localtime"):
            (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
            (root / "etc/timezone").write_text("Etc/UTC\n")
        alternatives.set_all(root, self.alternatives)
        self._certificates()
        self._compile_python()
        triggers.run_all(root)

    def _enter(self, package, names):
        control = subprocess.run(["dpkg-deb", "--ctrl-tarfile", package.file], stdout=subprocess.PIPE, check=True)
        members = {}
        with tarfile.open(fileobj=io.BytesIO(control.stdout)) as archive:
            for member in archive:
                if member.isfile():
                    members[os.path.basename(member.name)] = archive.extractfile(member).read()
        fields = members.pop("control").decode().rstrip("\n")
        name = package.name
        if re.search(r"^Multi-Arch: same$", fields, re.MULTILINE):
            name += ":" + package.architecture
        info = self.database / "info"
        paths = []
        for line in names.decode("utf-8", "surrogateescape").splitlines():
            path = line.removeprefix(".").rstrip("/") or "/."
            paths.append(path)
            kind = os.lstat(str(self.directory) + path)
            if not os.path.isdir(str(self.directory) + path):
                self.newest = max(self.newest, int(kind.st_mtime))
        (info / (name + ".list")).write_text("\n".join(paths) + "\n", errors="surrogateescape")
        for member, contents in sorted(members.items()):
            (info / f"{name}.{member}").write_bytes(contents)
            if member in ("preinst", "postinst", "prerm", "postrm", "config"):
                (info / f"{name}.{member}").chmod(0o755)
        first, rest = fields.split("\n", 1)
        stanza = f"{first}\nStatus: install ok installed\n{rest}\n"
        if "conffiles" in members:
            stanza += "Conffiles:\n" + self._conffiles(members["conffiles"].decode())
        with open(self.database / "status", "a") as status:
            status.write(stanza + "\n")
        self.alternatives += alternatives.registered(members.get("postinst", b"").decode("utf-8", "replace"))

    def _conffiles(self, text):
        lines = ""
        for path in text.split("\n"):
            file = alternatives.inside(self.directory, path)
            if path.startswith("/") and file.is_file():
                digest = subprocess.run(["md5sum", file], stdout=subprocess.PIPE, check=True).stdout.split()[0]
                lines += f" {path} {digest.decode()}\n"
        return lines

    def _certificates(self):
        """What update-ca-certificates does: the bundle, a link per certificate, a link per subject hash."""
        root = self.directory
        source = root / "usr/share/ca-certificates"
        if not source.is_dir():
            return
        target = root / "etc/ssl/certs"
        target.mkdir(parents=True, exist_ok=True)
        names = sorted(str(f.relative_to(source)) for f in source.rglob("*.crt"))
        (root / "etc/ca-certificates.conf").write_text("".join(n + "\n" for n in names))
        bundle, hashes = "", {}
        for name in names:
            text = (source / name).read_text()
            bundle += text if text.endswith("\n") else text + "\n"
            link = os.path.basename(name).removesuffix(".crt").replace(" ", "_") + ".pem"
            (target / link).unlink(missing_ok=True)
            (target / link).symlink_to("/usr/share/ca-certificates/" + name)
            digest = subprocess.run(
                ["openssl", "x509", "-noout", "-subject_hash", "-in", source / name],
                capture_output=True, text=True, check=True).stdout.strip()
            number = hashes.get(digest, 0)
            hashes[digest] = number + 1
            (target / f"{digest}.{number}").symlink_to(link)
        (target / "ca-certificates.crt").write_text(bundle)

    def _compile_python(self):
        """What py3compile does, with the tree's own Python, started through the tree's own loader."""
        root = self.directory
        for python in sorted((root / "usr/bin").glob("python3.[0-9]*")):
            version = python.name.removeprefix("python")
            if python.is_symlink() or not re.fullmatch(r"3\.\d+", version):
                continue
            loader = next(iter(sorted((root / "usr").glob("lib*/ld-linux*.so.*"))), None)
            libraries = ":".join(str(d) for d in sorted((root / "usr/lib").glob("*-linux-gnu*")))
            library = root / "usr/lib" / python.name
            if loader is None or not library.is_dir():
                continue
            subprocess.run(
                self._emulator() + [loader.resolve() if not loader.is_symlink() else _loader(root, loader),
                 "--library-path", libraries, python, "-S", "-m", "compileall", "-q",
                 "-s", root, "-p", "/", "-x", r"lib2to3/tests|/test/bad", library,
                 root / "usr/lib/python3/dist-packages"],
                # What compileall itself imports would be written with the name of this temporary tree inside,
                # and then found up to date.
                env={"PYTHONHOME": str(root / "usr"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
                     "LC_ALL": "C.UTF-8"}, check=True)


    def _emulator(self):
        """What starts the tree's programs, where this machine cannot."""
        name = EMULATORS.get(self.architecture)
        if name is None or platform.machine() == name:
            return []
        program = shutil.which(f"qemu-{name}-static")
        if program is None:
            raise OSError(f"compiling Python's modules for {self.architecture} needs qemu-{name}-static: "
                          "install qemu-user-static")
        return [program]


def _loader(root, link):
    """The file a loader's link leads to, inside the tree."""
    target = str(link.readlink())
    return alternatives.inside(root, target) if target.startswith("/") else (link.parent / target)
