"""Pairs of extension-release and os-release, and images that are no good, for Scripts/compare-sysext."""

import dataclasses
import os

DEBIAN = "ID=debian\nVERSION_ID=12\n"
UBUNTU = 'ID=ubuntu\nID_LIKE="debian linux"\nVERSION_ID="24.04"\n'
FLATCAR = "ID=flatcar\nID_LIKE=coreos\nVERSION_ID=4230.2.1\nSYSEXT_LEVEL=1.0\n"
ARCH = "ID=arch\nBUILD_ID=rolling\n"
LEVEL_ONLY = "ID=micro\nSYSEXT_LEVEL=glibc-2.41\n"
RELEASES = "usr/lib/extension-release.d"


@dataclasses.dataclass
class Case:
    """An image among the extensions of a host."""

    title: str
    host: object  # The text of the host's os-release, as str or bytes; None for a host without one.
    release: object  # The text of the image's extension-release; None for an image without one.
    file_name: str = "foo"  # Of the image among the extensions.
    release_name: str = "foo"  # After "extension-release.".
    strict: object = None  # The value of the attribute user.extension-release.strict.
    change: object = None  # Called with the image's directory before it is packed.


def write(directory, path, text):
    """Writes a file below an image, and the directories that it lies in."""
    file = os.path.join(directory, path)
    os.makedirs(os.path.dirname(file), exist_ok=True)
    with open(file, "wb") as stream:
        stream.write(text if isinstance(text, bytes) else text.encode())
    return file


def link(path, target):
    """A change that makes a symbolic link in place of what is there."""

    def make(directory):
        file = os.path.join(directory, path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        if os.path.lexists(file):
            os.remove(file)
        os.symlink(target, file)

    return make


def add(path, text, strict=None):
    """A change that adds a file, with the attribute where it is given."""

    def make(directory):
        file = write(directory, path, text)
        if strict is not None:
            os.setxattr(file, "user.extension-release.strict", strict)

    return make


def directory(path):
    """A change that makes a directory."""
    return lambda top: os.makedirs(os.path.join(top, path))


def several(*changes):
    """Changes one after the other."""

    def make(top):
        for change in changes:
            change(top)

    return make


def _moved(top):
    os.rename(os.path.join(top, RELEASES), os.path.join(top, "usr/lib/elsewhere"))
    os.symlink("elsewhere", os.path.join(top, RELEASES))


def _blocked(top):
    os.rename(os.path.join(top, RELEASES), os.path.join(top, "usr/lib/elsewhere"))
    write(top, RELEASES, "a file")


def fields():
    """What the fields say, in images that are otherwise fine."""
    yield Case("any system", DEBIAN, "ID=_any\n")
    yield Case("any system, with a version that is not asked", DEBIAN, "ID=_any\nVERSION_ID=99\n")
    yield Case("any system, with a level that is not asked", FLATCAR, "ID=_any\nSYSEXT_LEVEL=99\n")
    yield Case("same ID and version", DEBIAN, "ID=debian\nVERSION_ID=12\n")
    yield Case("other version", DEBIAN, "ID=debian\nVERSION_ID=13\n")
    yield Case("longer version", DEBIAN, "ID=debian\nVERSION_ID=12.1\n")
    yield Case("no version", DEBIAN, "ID=debian\n")
    yield Case("empty version", DEBIAN, "ID=debian\nVERSION_ID=\n")
    yield Case("version _any", DEBIAN, "ID=debian\nVERSION_ID=_any\n")
    yield Case("level instead of version", DEBIAN, "ID=debian\nSYSEXT_LEVEL=1\n")
    yield Case("level beside the version", DEBIAN, "ID=debian\nVERSION_ID=12\nSYSEXT_LEVEL=1\n")
    yield Case("other ID", DEBIAN, "ID=fedora\nVERSION_ID=12\n")
    yield Case("ID in another case", DEBIAN, "ID=Debian\nVERSION_ID=12\n")
    yield Case("no ID", DEBIAN, "VERSION_ID=12\n")
    yield Case("empty ID", DEBIAN, "ID=\nVERSION_ID=12\n")
    yield Case("ID any without the underscore", DEBIAN, "ID=any\n")
    yield Case("an ID_LIKE of the host, same version", UBUNTU, "ID=debian\nVERSION_ID=24.04\n")
    yield Case("an ID_LIKE of the host, other version", UBUNTU, "ID=debian\nVERSION_ID=12\n")
    yield Case("the last ID_LIKE of the host", UBUNTU, "ID=linux\nVERSION_ID=24.04\n")
    yield Case("all of ID_LIKE as one word", UBUNTU, 'ID="debian linux"\nVERSION_ID=24.04\n')
    yield Case("ID_LIKE of the image", DEBIAN, "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=12\n")
    yield Case("ID_LIKE of a rolling host", 'ID=cachyos\nID_LIKE=arch\n', "ID=arch\n")
    yield Case("same level, other version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=1.0\nVERSION_ID=1\n")
    yield Case("other level, same version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=2.0\nVERSION_ID=4230.2.1\n")
    yield Case("level spelt otherwise", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=1\n")
    yield Case("no level, same version", FLATCAR, "ID=flatcar\nVERSION_ID=4230.2.1\n")
    yield Case("no level, other version", FLATCAR, "ID=flatcar\nVERSION_ID=1\n")
    yield Case("empty level, same version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=\nVERSION_ID=4230.2.1\n")
    yield Case("neither level nor version", FLATCAR, "ID=flatcar\n")
    yield Case("host with a level only, equal", LEVEL_ONLY, "ID=micro\nSYSEXT_LEVEL=glibc-2.41\n")
    yield Case("host with a level only, other", LEVEL_ONLY, "ID=micro\nSYSEXT_LEVEL=glibc-2.40\n")
    yield Case("host with a level only, image with a version", LEVEL_ONLY, "ID=micro\nVERSION_ID=1\n")
    yield Case("host with a level only, image with neither", LEVEL_ONLY, "ID=micro\n")
    yield Case("rolling host", ARCH, "ID=arch\n")
    yield Case("rolling host, image with a version", ARCH, "ID=arch\nVERSION_ID=1\nSYSEXT_LEVEL=2\n")
    yield Case("rolling host, other ID", ARCH, "ID=debian\n")
    yield Case("host with an empty version", "ID=arch\nVERSION_ID=\n", "ID=arch\n")
    for architecture in ["x86-64", "_any", "", "x86_64", "amd64", "arm64", "X86-64"]:
        yield Case(f"architecture '{architecture}'", DEBIAN, f"ID=_any\nARCHITECTURE={architecture}\n")
    for scope in ["system", "system portable", "initrd", "portable", "initrd  system", "", "ecosystem", "System"]:
        yield Case(f"scope '{scope}'", DEBIAN, f'ID=_any\nSYSEXT_SCOPE="{scope}"\n')
    yield Case("scopes with tabs", DEBIAN, 'ID=_any\nSYSEXT_SCOPE="initrd\tsystem"\n')
    yield Case("scopes with commas", DEBIAN, "ID=_any\nSYSEXT_SCOPE=initrd,system\n")
    yield Case("scope of a configuration extension", DEBIAN, "ID=_any\nCONFEXT_SCOPE=initrd\n")
    yield Case("an IMAGE_ID that is not asked", DEBIAN, "ID=_any\nIMAGE_ID=other\nIMAGE_VERSION=3\n")


def syntax():
    """How the files are written."""
    yield Case("double quotes", DEBIAN, 'ID="debian"\nVERSION_ID="12"\n')
    yield Case("single quotes", DEBIAN, "ID='debian'\nVERSION_ID='12'\n")
    yield Case("quotes inside a value", DEBIAN, 'ID=deb"ian"\nVERSION_ID=12\n')
    yield Case("something after the quotes", DEBIAN, 'ID="deb" ian\nVERSION_ID=12\n')
    yield Case("an open quote", DEBIAN, 'VERSION_ID=12\nID="debian')
    yield Case("an open quote that takes the next line", DEBIAN, 'ID="debian\nVERSION_ID=12\n')
    yield Case("spaces round the name and value", DEBIAN, "  ID = debian  \n\tVERSION_ID\t=\t12\t\n")
    yield Case("backslashes", DEBIAN, "ID=de\\bian\nVERSION_ID=1\\\n2\n")
    yield Case("backslashes in quotes", DEBIAN, 'ID="de\\bian"\nVERSION_ID="1\\\n2"\n')
    yield Case("escaped dollar in quotes", 'ID="a\\$b"\n', "ID='a$b'\n")
    yield Case("carriage returns", DEBIAN, "ID=debian\r\nVERSION_ID=12\r\n")
    yield Case("no newline at the end", DEBIAN, "VERSION_ID=12\nID=debian")
    yield Case("comments", DEBIAN, "# ID=fedora\n; ID=arch\nID=debian\nVERSION_ID=12 \n")
    yield Case("a comment after a value", DEBIAN, "ID=debian # the system\nVERSION_ID=12\n")
    yield Case("a comment that ends in a backslash", DEBIAN, "ID=fedora\n# note \\\nID=_any\n")
    yield Case("lines without a sign", DEBIAN, "nonsense\nID=_any\nmore nonsense\n")
    yield Case("only lines without a sign", DEBIAN, "nonsense\n\n# ID=_any\n")
    yield Case("the last of two values", DEBIAN, "ID=fedora\nID=_any\n")
    yield Case("the last of two values, empty", DEBIAN, "ID=_any\nID=\n")
    yield Case("export before a name", DEBIAN, "export ID=_any\n")
    yield Case("name in lower case", DEBIAN, "id=_any\n")
    yield Case("a byte-order mark", DEBIAN, b"\xef\xbb\xbfID=_any\n")
    yield Case("bytes that are no UTF-8", DEBIAN, b"ID=_any\nNAME=\xff\xfe\n")
    yield Case("a code point that is no character", DEBIAN, b"ID=_any\nNAME=\xef\xbf\xbf\n")
    yield Case("a zero byte", DEBIAN, b"ID=_any\n\0\n")
    yield Case("an empty file", DEBIAN, "")
    yield Case("a long value", DEBIAN, "NAME=" + "x" * 300_000 + "\nID=_any\n")
    yield Case("host: the last of two IDs", "ID=fedora\nID=debian\n", "ID=debian\n")
    yield Case("host: quoted, with spaces", "ID = 'debian' \nVERSION_ID=\"12\"\n", "ID=debian\nVERSION_ID=12\n")
    yield Case("host: no ID", "VERSION_ID=12\n", "ID=_any\n")
    yield Case("host: an empty ID", "ID=\nVERSION_ID=12\n", "ID=_any\n")
    yield Case("host: no os-release", None, "ID=_any\n")
    yield Case("host: no UTF-8", b"ID=debian\nNAME=\xff\n", "ID=_any\n")
    yield Case("host: a zero byte", b"ID=debian\n\0", "ID=_any\n")


def files():
    """Where the extension-release is, and what else the image has."""
    good = "ID=_any\n"
    for suffix, kind in (("", "directory"), (".raw", "file")):
        yield Case(f"{kind}", DEBIAN, good, "foo" + suffix)
        yield Case(f"{kind} for another system", DEBIAN, "ID=fedora\n", "foo" + suffix)
        yield Case(f"{kind} without a release", DEBIAN, None, "foo" + suffix)
        yield Case(f"{kind} under another name", DEBIAN, good, "bar" + suffix)
        for value in (b"0", b"no", b"FALSE", b"off", b"1", b"true", b"", b"maybe"):
            yield Case(f"{kind} under another name, attribute {value.decode()!r}", DEBIAN, good, "bar" + suffix,
                       strict=value)
        yield Case(f"{kind} with a version after _", DEBIAN, good, "foo_1.2" + suffix)
        yield Case(f"{kind} with a version after +", DEBIAN, good, "foo+3" + suffix)
        yield Case(f"{kind} with a version after -", DEBIAN, good, "foo-1.2" + suffix)
        yield Case(f"{kind} with the version in the release's name, too", DEBIAN, good, "foo_1.2" + suffix, "foo_1.2")
        yield Case(f"{kind} with .sysext, release without", DEBIAN, good, "foo.sysext" + suffix)
        yield Case(f"{kind} with .sysext, release with", DEBIAN, good, "foo.sysext" + suffix, "foo.sysext")
        yield Case(f"{kind} with two relaxed releases", DEBIAN, good, "bar" + suffix, strict=b"0",
                   change=add(f"{RELEASES}/extension-release.other", good, b"0"))
        yield Case(f"{kind} with a relaxed and a strict release", DEBIAN, good, "bar" + suffix, strict=b"0",
                   change=add(f"{RELEASES}/extension-release.other", good, b"1"))
        yield Case(f"{kind} with a second release of another name", DEBIAN, good, "foo" + suffix,
                   change=add(f"{RELEASES}/extension-release.other", "ID=fedora\n"))
        yield Case(f"{kind} whose release is a link", DEBIAN, good, "bar" + suffix,
                   change=link(f"{RELEASES}/extension-release.bar", "extension-release.foo"))
        yield Case(f"{kind} whose release is an absolute link", DEBIAN, good, "bar" + suffix,
                   change=link(f"{RELEASES}/extension-release.bar", f"/{RELEASES}/extension-release.foo"))
        yield Case(f"{kind} whose release is a link out of the tree", DEBIAN, good, "bar" + suffix,
                   change=several(add("etc/release", good),
                                  link(f"{RELEASES}/extension-release.bar", "../" * 9 + "etc/release")))
        yield Case(f"{kind} whose release is a dangling link", DEBIAN, good, "bar" + suffix,
                   change=link(f"{RELEASES}/extension-release.bar", "nowhere"))
        yield Case(f"{kind} whose release is a link to itself", DEBIAN, good, "bar" + suffix, strict=b"0",
                   change=link(f"{RELEASES}/extension-release.bar", "extension-release.bar"))
        yield Case(f"{kind} whose release is a directory", DEBIAN, good, "bar" + suffix,
                   change=directory(f"{RELEASES}/extension-release.bar"))
        yield Case(f"{kind} whose directory of releases is a link", DEBIAN, good, "foo" + suffix, change=_moved)
        yield Case(f"{kind} whose directory of releases is a file", DEBIAN, good, "foo" + suffix, change=_blocked)
        yield Case(f"{kind} with usr/lib/os-release", DEBIAN, good, "foo" + suffix,
                   change=add("usr/lib/os-release", "ID=other\n"))
        yield Case(f"{kind} with usr/lib/os-release as a dangling link", DEBIAN, good, "foo" + suffix,
                   change=link("usr/lib/os-release", "nowhere"))
        yield Case(f"{kind} with etc/os-release", DEBIAN, good, "foo" + suffix,
                   change=add("etc/os-release", "ID=other\n"))
        yield Case(f"{kind} whose release is no UTF-8", DEBIAN, b"ID=_any\nA=\xff\n", "foo" + suffix)
    yield Case("file without the suffix", DEBIAN, good, "foo.squashfs")
    yield Case("directory with the suffix of a file", DEBIAN, good, "foo.raw/")
    yield Case("directory with a name that is a temporary file's", DEBIAN, good, ".#foo", ".#foo")


def cases():
    """All of them."""
    yield from fields()
    yield from syntax()
    yield from files()
