"""Packages of distributions become store paths, and their programs run."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .counter import Counter
from .room import Room

BASE = ["base-files", "base-passwd", "dash", "libc-bin"]
INSIDE = "/var/lib/sxs-test"

# Name, further packages, and what is run and has to be printed.
PROGRAMS = [
    ("git", [], "git init -q /tmp/r && cd /tmp/r && echo x > a && git add a && "
     "git -c user.name=n -c user.email=e@x commit -qm first && git log --format=%s", r"^first$"),
    ("ripgrep", [], "printf 'one\\ntwo\\n' > /tmp/f && rg --line-number t /tmp/f", r"^2:two$"),
    ("emacs-nox", [], "emacs --batch -l org --eval '(princ (format \"Emacs %s, Org %s\" emacs-version (org-version)))'",
     r"^Emacs \d+\.\d+, Org \d"),
    ("python3", ["ca-certificates", "openssl"],
     "python3 -c 'import json, ssl, glob; print(json.dumps([1]), len(ssl.create_default_context().get_ca_certs()) > 50, "
     "json.__cached__, open(json.__cached__, \"rb\").read(8)[4])'",
     r"^\[1\] True /usr/.*/json/__pycache__/__init__.cpython-\d+.pyc 1$"),
    ("gcc", ["binutils", "libc6-dev"],
     "printf '#include <stdio.h>\\nint main(void){puts(\"compiled\");}\\n' > /tmp/a.c && "
     "gcc -static -o /tmp/a /tmp/a.c && /tmp/a", r"^compiled$"),
]
LONG = [
    ("nodejs", [], "node -e 'console.log([3,1,2].sort().join(\"\"))'", r"^123$"),
    ("postgresql", [],
     "echo nobody:x:65534:65534::/tmp:/bin/sh >>/etc/passwd; cat >/tmp/run <<'EOF'\ncd /tmp && initdb -D /tmp/db >/tmp/log && "
     "pg_ctl -D /tmp/db -o '-k /tmp -h \"\"' -w start >>/tmp/log && psql -h /tmp -At postgres -c 'select 6 * 7'; "
     "pg_ctl -D /tmp/db -m immediate stop >>/tmp/log\nEOF\nsu -s /bin/sh nobody -c '. /tmp/run'", r"^42$"),
    ("gtk-3-examples", ["xvfb", "xauth", "xdotool", "librsvg2-common", "shared-mime-info", "libglib2.0-bin",
                        "adwaita-icon-theme", "libgdk-pixbuf2.0-bin", "fonts-dejavu-core", "x11-xkb-utils"],
     "Xvfb :7 -screen 0 800x600x24 >/tmp/x.log 2>&1 & export DISPLAY=:7; sleep 3; gtk3-widget-factory >/tmp/w.log 2>&1 & "
     "for i in 1 2 3 4 5 6 7 8 9; do xdotool search --onlyvisible --class widget-factory >/tmp/ids && break; sleep 2; "
     "done; test -s /tmp/ids && echo window; grep -i 'could not load\\|cannot' /tmp/w.log; kill %1 %2", r"^window$"),
]
EXPOSE = {
    "gtk-3-examples": ["Xvfb", "xdotool", "gtk3-widget-factory"],
    "postgresql": [f"/usr/lib/postgresql/{{version}}/bin/{name}" for name in ("initdb", "pg_ctl", "postgres", "psql")],
}


class Tests(Counter):
    """The state that the tests share, and the count of what passed."""

    def __init__(self, program, busybox, apt, directory, only):
        super().__init__(only)
        self.program, self.busybox, self.apt, self.directory = program, busybox, apt, directory
        self.root = directory / "root"

    def run_all(self, is_long):
        for name, further, command, expected in PROGRAMS + (LONG if is_long else []):
            self.test(f"{name}: its closure of packages runs in an empty root",
                      lambda n=name, f=further, c=command, e=expected: self.closure(n, f, c, e))
        self.test("the same packages give the same bytes, in another order and on another root", self.same)
        self.test("slimming: documentation and locales go, and Emacs runs", self.slim)
        self.test("slimming: a compiler keeps what it reads", self.slim_compiler)
        self.test("RPM, Arch and Alpine: the same program from each", self.formats)
        self.test("what is damaged, hostile or in conflict is refused, and changes nothing", self.refused)

    def sxs(self, *arguments, root=None, status=0):
        """Runs sxs on a root; gives what it prints, and what it says to people."""
        environment = dict(os.environ, SXS_ROOT=str(root or self.root))
        result = subprocess.run(
            [str(self.program), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
            timeout=300, check=False, env=environment)
        assert result.returncode == status, f"$ sxs {arguments[:3]}…: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout, result.stderr

    def files(self, name, further=()):
        """The packages of a closure, downloaded; the wanted one first."""
        names = [name, *further, *BASE]
        closure = self.apt.closure(names)
        self.apt.download(names, closure)
        return [p.file for p in sorted(closure, key=lambda p: (p.name != name, p.name))]

    def run_inside(self, command, root=None):
        """What a command line prints in a root that has busybox and the store."""
        room = Room(self.busybox, binds=[(root or self.root, INSIDE)], scratch=True)
        result = room.run(
            ["/bin/sh", "-c", command],
            {"PATH": f"{INSIDE}/profiles/default/current/bin:/bin", "HOME": "/tmp/home", "LC_ALL": "C.UTF-8"},
            timeout=120)
        output = result.stdout.decode("utf-8", "replace")
        return result.returncode, output, result.stderr.decode("utf-8", "replace")

    def closure(self, name, further, command, expected):
        files = self.files(name, further)
        # What is exposed may have a version in its path: that of the package `postgresql-15`.
        version = next((m.group(1) for m in (re.match(rf"{name}-(\d+)_", f.name) for f in files) if m), "")
        expose = [f"--expose={word.format(version=version)}" for word in EXPOSE.get(name, [])]
        output, _ = self.sxs("import", "--json", *expose, *files)
        metadata = json.loads(output)["metadata"]
        assert [p for p in metadata["packages"] if p["name"] == name], metadata["packages"]
        made = ", ".join(f"{s['count']} {s['name']}" for s in metadata["finishing"]["steps"])
        print(f"        {len(metadata['packages'])} packages, {metadata['size'] / 1e6:.0f} MB; made: {made}")
        assert not metadata["finishing"]["missing"], metadata["finishing"]["missing"]
        self.sxs("install", metadata["name"])
        status, output, errors = self.run_inside(command)
        assert status == 0 and re.search(expected, output.strip()), f"{status}\n{output}\n{errors}"

    def same(self):
        files = self.files("python3", ["ca-certificates", "openssl"])
        first, _ = self.sxs("import", "--json", *files)
        other = self.directory / "other"
        # Of another file system, where there is one: directories are in another order there.
        shared = Path("/dev/shm")
        if os.access(shared, os.W_OK):
            other = shared / f"sxs-test-packages.{os.getpid()}"
        try:
            second, _ = self.sxs("import", "--json", files[0], *reversed(files[1:]), root=other)
            one, two = (json.loads(text)["metadata"] for text in (first, second))
            for key in ("storePath", "tree", "listingDigest", "packages", "finishing"):
                assert one[key] == two[key], key
        finally:
            subprocess.run(["rm", "-rf", "--", str(other)], check=True)

    def slim(self):
        files = self.files("emacs-nox")
        whole = json.loads(self.sxs("import", "--json", *files)[0])["metadata"]
        slim = json.loads(self.sxs(
            "import", "--json", "--slim", "doc,locales,devel", "--name", "emacs-slim", "--expose", "emacs",
            *files)[0])["metadata"]
        record = slim["finishing"]["slimming"]
        print(f"        {record['count']} files left out: {record['sizeBefore'] / 1e6:.1f} to "
              f"{record['sizeAfter'] / 1e6:.1f} MB")
        assert slim["size"] < whole["size"] and slim["storePath"] != whole["storePath"]
        top = self.root / "store" / slim["storePath"]
        assert list(top.glob("usr/share/doc/emacs*/copyright")), "licences have to stay"
        assert not list(top.glob("usr/share/man/man1/*")), "manuals are left"
        self.sxs("install", "emacs-slim", "--prefer", "emacs-slim")
        status, output, errors = self.run_inside("emacs --batch --eval '(princ (emacs-version))'")
        assert status == 0 and output.startswith("GNU Emacs"), errors
        reports = [json.loads(self.sxs("report", m["name"], "--json")[0]) for m in (whole, slim)]
        missing = [[c for c in r["classes"] if c["kind"] == "missing"] for r in reports]
        assert missing[0] == missing[1], missing

    def slim_compiler(self):
        files = self.files("gcc", ["binutils", "libc6-dev"])
        output, said = self.sxs("import", "--json", "--slim", "doc,devel,locales", "--name", "gcc", "--version", "slim", *files)
        record = json.loads(output)["metadata"]["finishing"]["slimming"]
        assert {"cc1", "ld"} <= set(record["readers"]) and record["kept"] > 1000, record
        assert re.search(r"gcc: slimmed: devel, doc, locales: [\d.]+ MB to [\d.]+ MB, \d+ files left out, \d+ kept", said), said
        self.sxs("install", "gcc=slim")
        [(command, expected)] = [(c, e) for name, _, c, e in PROGRAMS if name == "gcc"]
        status, output, errors = self.run_inside(command)
        assert status == 0 and re.search(expected, output.strip()), f"{status}\n{output}\n{errors}"

    def formats(self):
        tree = self.directory / "tree"
        tree.mkdir()
        for file in self.files("hello"):
            if re.match(r"(hello|libc6)_", file.name):
                subprocess.run(["dpkg-deb", "-x", str(file), str(tree)], check=True)
        for name in ("rpm", "pacman", "apk"):
            packages = getattr(self, "_" + name)(tree)
            root = self.directory / ("root-" + name)
            self.sxs("import", *packages, "--name", "hello", root=root)
            info = self.sxs("path-info", "hello", root=root)[0]
            assert re.search(r"hello 2\.10", info), info
            self.sxs("install", "hello", "--expose", "hello", root=root)
            status, output, errors = self.run_inside("hello --greeting=hi", root)
            assert (status, output) == (0, "hi\n"), f"{name}: {status} {output}{errors}"

    def _rpm(self, tree):
        top = self.directory / "rpmbuild"
        top.mkdir()
        spec = """
Name: {name}
Version: 2.10
Release: 1
Summary: {name} of Debian
License: GPLv3+
AutoReqProv: no
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%description
x
%install
mkdir -p %{{buildroot}}
cp -a {tree}/. %{{buildroot}}
{prune}
%files
{files}
"""
        packages = []
        for name, files, prune in (("hello", "/usr", "rm -rf %{buildroot}/lib* %{buildroot}/usr/lib* %{buildroot}/etc"),
                                   ("glibc", "/lib*\n%exclude /usr", "rm -rf %{buildroot}/usr/bin")):
            (top / "x.spec").write_text(spec.format(name=name, tree=tree, files=files, prune=prune))
            result = subprocess.run(
                ["rpmbuild", "-bb", "--define", f"_topdir {top}", "--dbpath", str(top / "db"), "--nodeps",
                 "--define", "_binary_payload w3.zstdio", "--define", "_build_id_links none",
                 "--define", "_unpackaged_files_terminate_build 0", str(top / "x.spec")],
                capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr
            packages += sorted((top / "RPMS").glob(f"*/{name}-2.10-1.*.rpm"))
        return packages

    def _pacman(self, tree):
        information = tree.parent / ".PKGINFO"
        information.write_text("pkgname = hello\npkgver = 2.10-1\npkgdesc = x\narch = x86_64\nlicense = GPL3\n")
        package = self.directory / "hello-2.10-1-x86_64.pkg.tar.zst"
        subprocess.run(
            ["bsdtar", "--uid", "0", "--gid", "0", "--zstd", "-cf", str(package), "-C", str(tree.parent), ".PKGINFO",
             "-C", str(tree), *sorted(os.listdir(tree))], check=True)
        return [package]

    def _apk(self, tree):
        information = tree.parent / ".PKGINFO"
        information.write_text(
            f"pkgname = hello\npkgver = 2.10-r0\npkgdesc = x\narch = x86_64\nlicense = GPL3\ndatahash = {'0' * 64}\n")
        package = self.directory / "hello-2.10-r0.apk"
        with open(package, "wb") as output:
            for directory, names, cut in ((tree.parent, [".PKGINFO"], 1024), (tree, sorted(os.listdir(tree)), 0)):
                made = subprocess.run(
                    ["tar", "--format=ustar", "--owner=0", "--group=0", "-b1", "-C", str(directory), "-cf", "-", *names],
                    capture_output=True, check=True).stdout
                made = made[:len(made) - cut]
                output.write(subprocess.run(["gzip", "-n"], input=made, capture_output=True, check=True).stdout)
        return [package]

    def refused(self):
        hello = self.files("hello")[0]
        before = self.sxs("path-info", "--json")[0]
        place = self.directory / "bad"
        place.mkdir()
        data = hello.read_bytes()
        for name, contents in (("half.deb", data[:len(data) // 2]), ("empty.deb", b""),
                               ("flipped.deb", data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:])):
            (place / name).write_bytes(contents)
            said = self.sxs("import", place / name, status=1)[1]
            assert name in said and "hint:" in said, said
        # The same file with other bytes, of another package.
        tree = place / "tree"
        (tree / "usr/bin").mkdir(parents=True)
        (tree / "usr/bin/hello").write_text("#!/bin/sh\n")
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            "Package: other\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: y\n")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(place / "other.deb")],
                       check=True, capture_output=True)
        said = self.sxs("import", hello, place / "other.deb", status=1)[1]
        assert "hello 2.10" in said and "other 1" in said and "/usr/bin/hello" in said and "hint:" in said, said
        said = self.sxs("import", hello, self.busybox, status=1)[1]
        assert "hint:" in said, said
        shutil.rmtree(place)
        assert self.sxs("path-info", "--json")[0] == before, "the store has changed"
        left = list((self.root / "tmp").iterdir())
        assert not left, f"{left} was left"
