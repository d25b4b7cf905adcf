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


def table(rows):
    """Cases of an image that is otherwise fine: title, host and release."""
    return (Case(*row) for row in rows)


def _moved(top):
    os.rename(os.path.join(top, RELEASES), os.path.join(top, "usr/lib/elsewhere"))
    os.symlink("elsewhere", os.path.join(top, RELEASES))


def _blocked(top):
    os.rename(os.path.join(top, RELEASES), os.path.join(top, "usr/lib/elsewhere"))
    write(top, RELEASES, "a file")


def fields():
    """What the fields say, in images that are otherwise fine."""
    yield from table([
        ("any system", DEBIAN, "ID=_any\n"),
        ("any system, with a version that is not asked", DEBIAN, "ID=_any\nVERSION_ID=99\n"),
        ("any system, with a level that is not asked", FLATCAR, "ID=_any\nSYSEXT_LEVEL=99\n"),
        ("same ID and version", DEBIAN, "ID=debian\nVERSION_ID=12\n"),
        ("other version", DEBIAN, "ID=debian\nVERSION_ID=13\n"),
        ("longer version", DEBIAN, "ID=debian\nVERSION_ID=12.1\n"),
        ("no version", DEBIAN, "ID=debian\n"),
        ("empty version", DEBIAN, "ID=debian\nVERSION_ID=\n"),
        ("version _any", DEBIAN, "ID=debian\nVERSION_ID=_any\n"),
        ("level instead of version", DEBIAN, "ID=debian\nSYSEXT_LEVEL=1\n"),
        ("level beside the version", DEBIAN, "ID=debian\nVERSION_ID=12\nSYSEXT_LEVEL=1\n"),
        ("other ID", DEBIAN, "ID=fedora\nVERSION_ID=12\n"),
        ("ID in another case", DEBIAN, "ID=Debian\nVERSION_ID=12\n"),
        ("no ID", DEBIAN, "VERSION_ID=12\n"),
        ("empty ID", DEBIAN, "ID=\nVERSION_ID=12\n"),
        ("ID any without the underscore", DEBIAN, "ID=any\n"),
        ("an ID_LIKE of the host, same version", UBUNTU, "ID=debian\nVERSION_ID=24.04\n"),
        ("an ID_LIKE of the host, other version", UBUNTU, "ID=debian\nVERSION_ID=12\n"),
        ("the last ID_LIKE of the host", UBUNTU, "ID=linux\nVERSION_ID=24.04\n"),
        ("all of ID_LIKE as one word", UBUNTU, 'ID="debian linux"\nVERSION_ID=24.04\n'),
        ("ID_LIKE of the image", DEBIAN, "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=12\n"),
        ("ID_LIKE of a rolling host", 'ID=cachyos\nID_LIKE=arch\n', "ID=arch\n"),
        ("same level, other version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=1.0\nVERSION_ID=1\n"),
        ("other level, same version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=2.0\nVERSION_ID=4230.2.1\n"),
        ("level spelt otherwise", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=1\n"),
        ("no level, same version", FLATCAR, "ID=flatcar\nVERSION_ID=4230.2.1\n"),
        ("no level, other version", FLATCAR, "ID=flatcar\nVERSION_ID=1\n"),
        ("empty level, same version", FLATCAR, "ID=flatcar\nSYSEXT_LEVEL=\nVERSION_ID=4230.2.1\n"),
        ("neither level nor version", FLATCAR, "ID=flatcar\n"),
        ("host with a level only, equal", LEVEL_ONLY, "ID=micro\nSYSEXT_LEVEL=glibc-2.41\n"),
        ("host with a level only, other", LEVEL_ONLY, "ID=micro\nSYSEXT_LEVEL=glibc-2.40\n"),
        ("host with a level only, image with a version", LEVEL_ONLY, "ID=micro\nVERSION_ID=1\n"),
        ("host with a level only, image with neither", LEVEL_ONLY, "ID=micro\n"),
        ("rolling host", ARCH, "ID=arch\n"),
        ("rolling host, image with a version", ARCH, "ID=arch\nVERSION_ID=1\nSYSEXT_LEVEL=2\n"),
        ("rolling host, other ID", ARCH, "ID=debian\n"),
        ("host with an empty version", "ID=arch\nVERSION_ID=\n", "ID=arch\n"),
    ])
    for architecture in ["x86-64", "_any", "", "x86_64", "amd64", "arm64", "X86-64"]:
        yield Case(f"architecture '{architecture}'", DEBIAN, f"ID=_any\nARCHITECTURE={architecture}\n")
    for scope in ["system", "system portable", "initrd", "portable", "initrd  system", "", "ecosystem", "System"]:
        yield Case(f"scope '{scope}'", DEBIAN, f'ID=_any\nSYSEXT_SCOPE="{scope}"\n')
    yield from table([
        ("scopes with tabs", DEBIAN, 'ID=_any\nSYSEXT_SCOPE="initrd\tsystem"\n'),
        ("scopes with commas", DEBIAN, "ID=_any\nSYSEXT_SCOPE=initrd,system\n"),
        ("scope of a configuration extension", DEBIAN, "ID=_any\nCONFEXT_SCOPE=initrd\n"),
        ("an IMAGE_ID that is not asked", DEBIAN, "ID=_any\nIMAGE_ID=other\nIMAGE_VERSION=3\n"),
    ])


def syntax():
    """How the files are written."""
    yield from table([
        ("double quotes", DEBIAN, 'ID="debian"\nVERSION_ID="12"\n'),
        ("single quotes", DEBIAN, "ID='debian'\nVERSION_ID='12'\n"),
        ("quotes inside a value", DEBIAN, 'ID=deb"ian"\nVERSION_ID=12\n'),
        ("something after the quotes", DEBIAN, 'ID="deb" ian\nVERSION_ID=12\n'),
        ("an open quote", DEBIAN, 'VERSION_ID=12\nID="debian'),
        ("an open quote that takes the next line", DEBIAN, 'ID="debian\nVERSION_ID=12\n'),
        ("spaces round the name and value", DEBIAN, "  ID = debian  \n\tVERSION_ID\t=\t12\t\n"),
        ("backslashes", DEBIAN, "ID=de\\bian\nVERSION_ID=1\\\n2\n"),
        ("backslashes in quotes", DEBIAN, 'ID="de\\bian"\nVERSION_ID="1\\\n2"\n'),
        ("escaped dollar in quotes", 'ID="a\\$b"\n', "ID='a$b'\n"),
        ("carriage returns", DEBIAN, "ID=debian\r\nVERSION_ID=12\r\n"),
        ("no newline at the end", DEBIAN, "VERSION_ID=12\nID=debian"),
        ("comments", DEBIAN, "# ID=fedora\n; ID=arch\nID=debian\nVERSION_ID=12 \n"),
        ("a comment after a value", DEBIAN, "ID=debian # the system\nVERSION_ID=12\n"),
        ("a comment that ends in a backslash", DEBIAN, "ID=fedora\n# note \\\nID=_any\n"),
        ("lines without a sign", DEBIAN, "nonsense\nID=_any\nmore nonsense\n"),
        ("only lines without a sign", DEBIAN, "nonsense\n\n# ID=_any\n"),
        ("the last of two values", DEBIAN, "ID=fedora\nID=_any\n"),
        ("the last of two values, empty", DEBIAN, "ID=_any\nID=\n"),
        ("export before a name", DEBIAN, "export ID=_any\n"),
        ("name in lower case", DEBIAN, "id=_any\n"),
        ("a byte-order mark", DEBIAN, b"\xef\xbb\xbfID=_any\n"),
        ("bytes that are no UTF-8", DEBIAN, b"ID=_any\nNAME=\xff\xfe\n"),
        ("a code point that is no character", DEBIAN, b"ID=_any\nNAME=\xef\xbf\xbf\n"),
        ("a zero byte", DEBIAN, b"ID=_any\n\0\n"),
        ("an empty file", DEBIAN, ""),
        ("a long value", DEBIAN, "NAME=" + "x" * 300_000 + "\nID=_any\n"),
        ("host: the last of two IDs", "ID=fedora\nID=debian\n", "ID=debian\n"),
        ("host: quoted, with spaces", "ID = 'debian' \nVERSION_ID=\"12\"\n", "ID=debian\nVERSION_ID=12\n"),
        ("host: no ID", "VERSION_ID=12\n", "ID=_any\n"),
        ("host: an empty ID", "ID=\nVERSION_ID=12\n", "ID=_any\n"),
        ("host: no os-release", None, "ID=_any\n"),
        ("host: no UTF-8", b"ID=debian\nNAME=\xff\n", "ID=_any\n"),
        ("host: a zero byte", b"ID=debian\n\0", "ID=_any\n"),
    ])


def packed(kind, suffix):
    """Where the extension-release is, and what else an image of a kind has."""
    good = "ID=_any\n"

    def image(title="", name="foo", release=good, **options):
        return Case(f"{kind} {title}".strip(), DEBIAN, release, name + suffix, **options)

    yield image()
    yield image("for another system", release="ID=fedora\n")
    yield image("without a release", release=None)
    yield image("under another name", "bar")
    for value in (b"0", b"no", b"FALSE", b"off", b"1", b"true", b"", b"maybe"):
        yield image(f"under another name, attribute {value.decode()!r}", "bar", strict=value)
    yield image("with a version after _", "foo_1.2")
    yield image("with a version after +", "foo+3")
    yield image("with a version after -", "foo-1.2")
    yield image("with the version in the release's name, too", "foo_1.2", release_name="foo_1.2")
    yield image("with .sysext, release without", "foo.sysext")
    yield image("with .sysext, release with", "foo.sysext", release_name="foo.sysext")
    yield image("with two relaxed releases", "bar", strict=b"0",
                change=add(f"{RELEASES}/extension-release.other", good, b"0"))
    yield image("with a relaxed and a strict release", "bar", strict=b"0",
                change=add(f"{RELEASES}/extension-release.other", good, b"1"))
    yield image("with a second release of another name",
                change=add(f"{RELEASES}/extension-release.other", "ID=fedora\n"))
    yield image("whose release is a link", "bar",
                change=link(f"{RELEASES}/extension-release.bar", "extension-release.foo"))
    yield image("whose release is an absolute link", "bar",
                change=link(f"{RELEASES}/extension-release.bar", f"/{RELEASES}/extension-release.foo"))
    yield image("whose release is a link out of the tree", "bar",
                change=several(add("etc/release", good),
                               link(f"{RELEASES}/extension-release.bar", "../" * 9 + "etc/release")))
    yield image("whose release is a dangling link", "bar",
                change=link(f"{RELEASES}/extension-release.bar", "nowhere"))
    yield image("whose release is a link to itself", "bar", strict=b"0",
                change=link(f"{RELEASES}/extension-release.bar", "extension-release.bar"))
    yield image("whose release is a directory", "bar", change=directory(f"{RELEASES}/extension-release.bar"))
    yield image("whose directory of releases is a link", change=_moved)
    yield image("whose directory of releases is a file", change=_blocked)
    yield image("with usr/lib/os-release", change=add("usr/lib/os-release", "ID=other\n"))
    yield image("with usr/lib/os-release as a dangling link", change=link("usr/lib/os-release", "nowhere"))
    yield image("with etc/os-release", change=add("etc/os-release", "ID=other\n"))
    yield image("whose release is no UTF-8", release=b"ID=_any\nA=\xff\n")


def files():
    """How images are packed, and what they are called."""
    good = "ID=_any\n"
    yield from packed("directory", "")
    yield from packed("file", ".raw")
    yield Case("file without the suffix", DEBIAN, good, "foo.squashfs")
    yield Case("directory with the suffix of a file", DEBIAN, good, "foo.raw/")
    yield Case("directory with a name that is a temporary file's", DEBIAN, good, ".#foo", ".#foo")


def cases():
    """All of them."""
    yield from fields()
    yield from syntax()
    yield from files()
