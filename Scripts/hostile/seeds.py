#!/usr/bin/env -S python3 -B
"""Writes the inputs that fuzzing and the tests of parsers start from: usage: seeds.py DIRECTORY

Each target of Tests/FuzzChecks has a directory of its name. Inputs are small and have one of everything.
"""

import importlib.util
import io
import marshal
import os
import shutil
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from hostile import layouts, squashfs, tars  # noqa: E402
from hostile.cases import Place  # noqa: E402
from hostile.squashfs_cases import packed  # noqa: E402
from hostile.tars import archive, directory, file, good, hard_link, long_name, pax, symlink  # noqa: E402

BASE = "0123456789abcdfghijklmnpqrsvwxyz-hello-1"
DIGEST = "2" * 64


def tar_files():
    sparse = pax([(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"s"),
                  (b"GNU.sparse.realsize", b"9000")]) + file(b"x", tars.padded(b"1\n4096\n5\n") + b"text\n")
    old = tars.entry(b"t", b"text\n", kind=b"S", magic=tars.GNU, fields=[
        (386, tars.octal(4096, 12) + tars.octal(5, 12)), (483, tars.octal(9000, 12))])
    map_01 = pax([(b"GNU.sparse.size", b"9000"), (b"GNU.sparse.numblocks", b"1"), (b"GNU.sparse.map", b"4096,5")])
    map_00 = pax([(b"GNU.sparse.size", b"9000"), (b"GNU.sparse.numblocks", b"1"), (b"GNU.sparse.offset", b"4096"),
                  (b"GNU.sparse.numbytes", b"5")])
    yield archive(*good())
    yield archive(sparse, old, map_01 + file(b"u", b"text\n"), map_00 + file(b"v", b"text\n"))
    yield archive(long_name(b"d/" * 60 + b"f"), file(b"x", magic=tars.GNU), long_name(b"y" * 120, b"K"),
                  symlink(b"l", b"z", magic=tars.GNU), directory(b"e"), symlink(b"m", b"e"), file(b"m/f"),
                  hard_link(b"h", b"e/f"))
    yield archive(pax([(b"mtime", b"1.5")], kind=b"g"), pax([
        (b"path", b"long"), (b"size", b"5"), (b"SCHILY.xattr.user.a", b"b"), (b"LIBARCHIVE.xattr.user.b%41", b"YWJj")]),
        file(b"x"), tars.header(b"p", kind=b"6"), tars.header(b"c", kind=b"3"))


def squashfs_images(place):
    yield squashfs.small().write()
    made = squashfs.small()
    made.xattrs = [[(0, b"a", b"v"), (2, b"selinux", b"x")]]
    made.fragments = [(96, 5 | 1 << 24)]
    node = made.long_file(5, [], fragment=0, offset=0, xattr=0, links=2)
    device = made.inode(5, bytes([1, 0, 0, 0, 3, 1, 0, 0]))
    made.root = made.directory(made.listing([(b"a", node, 2), (b"b", node, 2), (b"c", device, 5)]))[0]
    yield made.change(flags=0x1 | 0x2 | 0x8).write()
    for compressor in ("gzip", "xz", "zstd", "lz4"):
        yield packed(compressor)(place, f"seed-{compressor}").read_bytes()


def oci_texts():
    manifest = ('{"mediaType":"%s","config":{"mediaType":"%s","digest":"@1","size":#1},"layers":[{"mediaType":"%s",'
                '"digest":"@2","size":#2}],"annotations":{"org.opencontainers.image.title":"hello"}}' % (
                    layouts.MANIFEST, layouts.CONFIGURATION, layouts.LAYER))
    config = ('{"architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Entrypoint":["/usr/bin/hello"],'
              '"Labels":{"org.opencontainers.image.version":"1"}},"rootfs":{"diff_ids":["@2"]}}')
    index = ('{"manifests":[{"mediaType":"%s","digest":"@0","size":#0,"platform":{"os":"linux","architecture":"amd64"},'
             '"annotations":{"org.opencontainers.image.ref.name":"hello:1"}}]}' % layouts.MANIFEST)
    yield "\0".join((index, manifest, config)).encode()
    yield "\0".join((index.replace(layouts.MANIFEST, layouts.INDEX), index, config)).encode()


def jars():
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as made:
            made.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nClass-Path: /usr/share/java/a.jar\r\n  b.jar\r\n\r\n")
            made.writestr("A.class", b"\xca\xfe\xba\xbe" * 10)
        yield buffer.getvalue()


TEXTS = {
    "listing": [f"#mtree sxs 1\n/set uid=0 gid=0\n. type=dir mode=0755\n./usr type=dir mode=0755\n./usr/a type=file "
                f"mode=0755 size=21 sha256digest={DIGEST}\n#xattr ./usr/a user.note=6869\n./usr/b type=link mode=0777 "
                "link=a\\040b\n"],
    "release": ["ID=debian\nVERSION_ID=\"12\"\n# x\nSYSEXT_LEVEL='1.0'\nNAME=\"a\\\"b\\$c\" \\\n more\nARCHITECTURE=_any\n"],
    "transfer": ["x_1.raw\0[Source]\nPath=https://x/\n[Target]\nPath=/var/lib/extensions\nMatchPattern=x_@v.raw y_@v_%a.raw\n"
                 "CurrentSymlink=/etc/extensions/x.raw\nPathRelativeTo=root\n"],
    "unit": ["[Unit]\nDescription=x\n# c\n[Service]\nExecStart=-/usr/bin/hello --a \\\n b\nUser=x\nType=oneshot\n"
             "ExecReload=hello\n[Install]\nWantedBy=multi-user.target\nAlias=y.service\n"],
    "start": ["[Desktop Entry]\nType=Application\nExec=\"hello there\" %U a\\\\b\nTryExec=/usr/bin/hello\n"
              "DBusActivatable=true\n[Desktop Action x]\nExec=env A=b hello\n",
              "[D-BUS Service]\nName=x.y\nExec=/usr/bin/hello \"a b\" 'c'\nSystemdService=x.service\n"],
    "generation": [f"sxs-packages 1\nextension x.raw\t1\t/etc/extensions/x.raw\npackage {BASE}\nlaunch hello\tusr/bin/hello\n"
                   f"link hi\tusr/bin/hi\ndata usr/share/man/man1/hello.1\npreferred {BASE}\nsystem usr/lib/systemd/user/x.service\n"],
    "launch": [f"sxs-launch 1\nstore-path /usr/store/{BASE}\nsearch-path usr/bin\ndata-path usr/share\nseed etc/ssl/certs\n"
               "command hello\tusr/bin/hello\nset-default NAME=VALUE\nnamespace never\nseed etc/x\ncommand hi\tusr/bin/hi\n"],
    "mounts": ["36 35 98:0 /mnt1 /usr rw,noatime master:1 shared:2 - ext4 /dev/root rw,errors=continue\n"
               "40 36 0:30 / /usr/a\\040b rw - overlay overlay rw,lowerdir=/a:/b\n"],
    "records": ["sxs-setup 1\nmethod links\nlink /usr/store /var/lib/sxs/store\n", "sxs-setup 1\nmethod anchor\n",
                f"sxs-adopted 1\nkept\tfile\t/etc/extensions/x.raw\t/a/x.raw\t-\t{DIGEST}\tx\n",
                "sxs-etc 1\nhost /etc/a\nlink /etc/x /usr/store/y\n"],
    "names": ["gdb-14.2-2.1.x86-64.raw", "registry.example/repo/emacs:28.2@sha256:0", "oci-archive:a/b.tar:name",
              "./usr//bin/./x/", "hello_1:2.0-3_arm64.oci.tar.gz"],
    "packages": ["Package: hello\nStatus: install ok installed\nSource: hello (1)\nVersion: 1:2.0\nArchitecture: amd64\n"
                 "Description: x\n more\n\nPackage: a\nVersion: 1\n\0/usr/bin/hello\n/usr/share/man/man1/hello.1\n",
                 "P:hello\nV:1\no:hello\nT:x\nF:usr/bin\nR:hello\n\nP:a\nV:2\nF:usr/bin\nR:a\n\n\0x"],
    "metadata": ['{"aliasSalt":0,"aliases":[{"name":"abcde","target":"usr/lib"}],"architecture":"any","entrypoint":["x"],'
                 '"exposure":{"commands":[{"name":"hi","needsLauncher":false,"path":"usr/bin/hi"}],"data":[],"system":[]},'
                 '"fileCount":1,"formatVersion":1,"launch":{"searchPath":["usr/bin"],"seeds":[]},'
                 f'"listingDigest":"{DIGEST}","name":"x","omissions":{{}},"recipe":1,"size":18,"source":"./x.tar",'
                 f'"storePath":"{BASE}","tree":"{DIGEST}","version":"1"}}'],
    "varlink": ['{"method":"io.sxs.Store.Install","parameters":{"packages":["emacs","tools/git@2"],"profile":"work",'
                '"generation":7,"refresh":true},"more":true}', '{"method":"org.varlink.service.GetInfo"}'],
    "settings": ["[Store]\nRoot=/srv/store\nMinFree=2GiB\n# x\n[Retention]\nKeepGenerations=3\nKeepDays=30\n"
                 "CacheSize=500M\n[Fetch]\nOffline=yes\nTimeout=\n", "[Images]\nMaxSize=1 \\\n  2\nStrict=maybe\nwhat\n"],
    "script": ["#!/usr/bin/env python3\nimport sys\nopen('/usr/share/misc/x')\n", "#! /bin/sh -e\n. /usr/share/locale/de/x\n"],
    "pkgconfig": ["prefix=/usr\nlibdir=${prefix}/lib/x86_64-linux-gnu\nLibs: -L/usr/lib/locale -lx\nCflags: -I/usr/include\n"],
    "configuration": ["path=/usr/share/x/y:/usr/share/x\n\"/usr/share/x/y\" /etc/z /usr/share/x/\n"],
    "report": ['{"cachedLibraries":0,"dropped":{},"elfCount":0,"fileCount":1,"files":[{"path":"usr/bin/x","done":{},'
               '"left":[],"findings":{}}],"hostLibraries":[]}'],
}


def bytecode():
    path = "/usr/lib/python3/x.py"
    code = compile("import os\ndef f(a):\n    return '/usr/share/misc/x' + a\n", path, "exec")
    yield importlib.util.MAGIC_NUMBER + bytes(4) + bytes([1, 2, 3, 4, 5, 0, 0, 0]) + marshal.dumps(code)
    yield importlib.util.MAGIC_NUMBER + bytes([1, 0, 0, 0]) + bytes(8) + marshal.dumps(code)


def hints():
    folder = Path(__file__).resolve().parent.parent.parent / "store-layout/hints"
    for path in sorted(folder.glob("*.hints")):
        if path.stat().st_size < 1024:
            yield path.read_bytes()


RECIPE = """\
# Two programs.
name: tools
version: 1.10
packages: [jq, zsh=5.9*, ./own.deb]
recommends: no
remote: {kind: debian, location: https://example.org/debian, suites: [a, b]}
slim:
  - doc
environment: {ZDOTDIR: "{store-path}/etc/zsh"}
files:
  usr/share/tools/rc:
    text: |
      set -o vi
    mode: 0600
  usr/bin/j: {link: 'jq'}
"""


def distributions():
    """What repositories and the host's package manager say."""
    digest = "0a" * 32
    release = (f"Suite: stable\nCodename: tested\nAcquire-By-Hash: yes\nValid-Until: Sat, 21 Nov 2026 20:12:33 UTC\nComponents: main\n"
               f"Architectures: all amd64\nSHA256:\n {digest} 100 main/binary-amd64/Packages\n {digest} 20 main/binary-amd64/Packages.xz\n")
    sources = "Types: deb\nURIs: http://a.example/$(ARCH)\nSuites: x\nComponents: y\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n ab\n"
    lines = "deb [arch=amd64 signed-by=/k.gpg] http://a.example/ x y # z\ndeb-src http://a.example/ x y\ndeb file:/srv ./\n"
    packages = (f"Package: app\nVersion: 1:2-3\nArchitecture: amd64\nDepends: lib (>= 1) | other, more:any\nConflicts: lib (<< 1)\n"
                f"Filename: pool/app.deb\nSize: 10\nSHA256: {digest}\nDescription: app\n more\n\nPackage: lib\nVersion: 1\n"
                f"Architecture: all\nProvides: more (= 2)\nFilename: pool/lib.deb\nSize: 7\nSHA256: {digest}\n")
    yum = "[base]\nbaseurl=https://a.example/$releasever/ https://b.example/${basearch}\ngpgkey=file:///k\nenabled=1\n"
    return {"archive-release": [release.encode()], "apt-sources": [sources.encode()], "apt-lines": [lines.encode()],
            "apt-packages": [packages.encode()], "yum-repositories": [yum.encode()]}


def all_seeds(place):
    """Inputs by target."""
    seeds = {name: [text.encode() for text in texts] for name, texts in TEXTS.items()}
    seeds["tar"] = list(tar_files())
    seeds["squashfs"] = list(squashfs_images(place))
    seeds["oci"] = list(oci_texts())
    seeds["docker"] = [layouts.docker(archive(*good()))]
    seeds["image"] = [compress(archive(*good())) for compress, _ in tars.COMPRESSIONS.values()] + [
        squashfs.small().write(), layouts.layered(good(), [file(b"usr/.wh.noted", b""), file(b"usr/bin/.wh..wh..opq", b"")])]
    seeds["jar"] = list(jars())
    seeds["bytecode"] = list(bytecode())
    seeds["hint"] = list(hints())
    seeds["recipe"] = [RECIPE.encode(), b"name: a\nversion: 1\npackages: &a\n- ? [b, c]\n  : !!str d\n...\n--- *a\n"]
    seeds |= distributions()
    # In front of a description may be the launcher's own environment, and what other files have that it reads: see
    # Tests/Fuzz/launcher/launcher.c.
    others = ["0123456789abcdef" * 2 + "\n", "22 27 0:21 / /proc rw - proc proc rw\n25 1 0:6 / /usr/lib rw - tmpfs none rw\n"]
    seeds["launcher"] = [text.encode() for text in TEXTS["launch"]] + [
        f"{chr(choice)}=\0{other}\0{text}".encode() for text in TEXTS["launch"] for other in others for choice in range(1, 16)]
    return seeds


def main():
    top = Path(sys.argv[1])
    os.makedirs(top, exist_ok=True)
    working = top / "working"
    working.mkdir()
    found = all_seeds(Place(working, working))
    for name, inputs in found.items():
        (top / name).mkdir(exist_ok=True)
        for number, data in enumerate(inputs):
            (top / name / f"seed-{number}").write_bytes(data)
    shutil.rmtree(working)


if __name__ == "__main__":
    main()
