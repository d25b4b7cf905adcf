"""Hostile OCI layouts and archives, `docker save` archives, and whiteouts."""

import json
import os

from hostile import squashfs, tars
from hostile.cases import either, has, imported, lacks, of, refused
from hostile.layouts import CONFIGURATION, INDEX, LAYER, MANIFEST, Layout, docker, encoded, layered, sha256
from hostile.tars import archive, directory, file, good, hard_link, symlink

GOOD = archive(*good())


def _manifest(**fields):
    """An image whose manifest has other fields."""
    layout = Layout()
    return layout.index(layout.image(GOOD, **fields)).archive()


def _descriptor(**fields):
    """An index whose descriptor has other fields."""
    layout = Layout()
    return layout.index(layout.image(GOOD) | fields).archive()


def _layer(**fields):
    """An image whose layer's descriptor has other fields."""
    layout = Layout()
    layer = layout.blob(GOOD, LAYER) | fields
    return layout.index(layout.image(GOOD, layers=[layer])).archive()


def _documents():
    nested = b"[" * 100_000 + b"]" * 100_000
    objects = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    texts = {
        "empty": b"", "nothing": b"null", "a number": b"1", "a list": b"[]", "a NUL": b"\0", "half": b'{"manifests":[',
        "100,000 lists deep": nested, "100,000 objects deep": objects, "no UTF-8": b'{"manifests":"\xff\xfe"}',
        "100 MB": b'{"manifests":[],"x":"' + b"x" * 100_000_000 + b'"}', "a million keys": json.dumps(
            {str(n): n for n in range(1_000_000)}).encode(),
        "a number of 100,000 digits": b'{"manifests":[{"digest":"x","size":' + b"9" * 100_000 + b"}]}",
        "the same key twice": b'{"manifests":[],"manifests":1}', "a lone surrogate": b'{"manifests":["\\ud800"]}'}
    for name, text in texts.items():
        for path in ("index.json", "oci-layout"):
            def make(place, at, path=path, text=text):
                layout = Layout()
                layout.index(layout.image(GOOD)).files[path] = text
                return layout.archive()

            if name != "the same key twice" or path == "index.json":
                yield refused(f"{path}: {name}", make)
        yield refused(f"manifest: {name}", lambda place, path, t=text: _blob_as(t, MANIFEST))
        yield refused(f"index in an index: {name}", lambda place, path, t=text: _blob_as(t, INDEX))
        yield either(f"configuration: {name}", lambda place, path, t=text: _configuration(t))
        yield refused(f"docker's manifest.json: {name}", lambda place, path, t=text: docker(GOOD, change=lambda m: t))


def _blob_as(text, kind):
    layout = Layout()
    return layout.index(layout.blob(text, kind)).archive()


def _configuration(text):
    layout = Layout()
    return layout.index(layout.image(GOOD, config=layout.blob(text, CONFIGURATION))).archive()


def _descriptors():
    digests = ["sha256:../../../../etc/passwd", "sha256:../../x", "sha256:" + "../" * 21 + "x", "sha256:" + "A" * 64,
               "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:", "", ":", "sha512:" + "0" * 128, "sha256:" + "0" * 64,
               "sha256/" + "0" * 64, "../sha256:" + "0" * 64, "sha256:" + "0" * 63 + "/", "sha256:" + "0" * 63 + "\0",
               "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:\n\x1b[2J"]
    for digest in digests:
        shown = digest[:30].encode("unicode_escape").decode()
        yield refused(f"the manifest's digest is {shown}", of(_descriptor(digest=digest)))
        yield refused(f"a layer's digest is {shown}", of(_layer(digest=digest)))
    for size in (0, 1, -1, 1 << 40, (1 << 63) - 1, 1 << 63, 1 << 64, 1.5, "1", None, [], True):
        yield refused(f"the manifest's size is {size!r}", of(_descriptor(size=size)))
        yield refused(f"a layer's size is {size!r}", of(_layer(size=size)))
    for kind in (INDEX, CONFIGURATION, LAYER, "text/html", "", "x" * 100_000, "\x1b[2J"):
        yield refused(f"the manifest's type is {kind[:50]!r}", of(_descriptor(mediaType=kind)))
    for kind in (MANIFEST, INDEX, CONFIGURATION, "application/octet-stream", "", "\x1b[2J", LAYER + "+rar"):
        yield refused(f"a layer's type is {kind[:50]!r}", of(_layer(mediaType=kind)))
    # The type says one thing, and the contents are another: what is read is told by contents and checked by digest.
    for how, (compress, _) in tars.COMPRESSIONS.items():
        yield either(f"a layer of type gzip is {how}", lambda place, path, c=compress: layered(
            good(), compress=c, kind=LAYER + "+gzip"))
    yield refused("a layer is a SquashFS image", lambda place, path: _only_layer(squashfs.small().write()))
    yield refused("a layer is an OCI archive in a layer", lambda place, path: _only_layer(b"{}" * 4000))
    yield refused("a layer is empty", lambda place, path: _only_layer(b""))
    yield refused("another digest of the uncompressed layer", of(_manifest_with_diffs(["sha256:" + "0" * 64])), "digest")
    yield refused("no digest of an uncompressed layer", of(_manifest_with_diffs([])))
    yield refused("too many digests of uncompressed layers", of(_manifest_with_diffs([sha256(GOOD)] * 2)))
    yield refused("a changed layer", lambda place, path: _changed())


def _only_layer(data):
    layout = Layout()
    return layout.index(layout.image(data)).archive()


def _manifest_with_diffs(diffs):
    layout = Layout()
    return layout.index(layout.image(GOOD, diffs=diffs)).archive()


def _changed():
    layout = Layout()
    layout.index(layout.image(GOOD))
    layout.files["blobs/sha256/" + sha256(GOOD)[7:]] = GOOD.replace(b"echo hello", b"echo hacks")
    return layout.archive()


def _counts():
    def indexes(depth):
        layout = Layout()
        node = layout.image(GOOD)
        for _ in range(depth):
            node = layout.blob({"schemaVersion": 2, "manifests": [node]}, INDEX)
        return layout.index(node).archive()

    def wide(count, kind):
        layout = Layout()
        return layout.index(*[layout.image(GOOD) | {"mediaType": kind}] * count).archive()

    def layers(count, data=GOOD):
        layout = Layout()
        layer = layout.blob(data, LAYER)
        return layout.index(layout.image(
            data, layers=[layer] * count, diffs=[sha256(data)] * count)).archive()

    yield either("an index in 20 indexes", lambda place, path: indexes(20))
    yield refused("an index in 2,000 indexes", lambda place, path: indexes(2000), "manifests")
    yield refused("50,000 manifests", lambda place, path: wide(50_000, MANIFEST), "manifests")
    yield refused("an index in itself by name, 50,000 times", lambda place, path: wide(50_000, INDEX))
    yield refused("a million layers", lambda place, path: layers(1_000_000))
    yield refused("20,000 layers that are one", lambda place, path: layers(20_000), "layers")
    yield refused("400 layers that are one of 4 MB", lambda place, path: layers(
        400, archive(file(b"zeros", bytes(4 << 20)))), "--max-ratio")
    bomb = tars.bomb(tars.COMPRESSIONS["zstd"][0], 10)
    yield refused("a layer of 10 GiB of zeros", lambda place, path: _only_blob(bomb), "--max-")
    twice = Layout()
    twice.index(twice.image(bomb, diffs=[sha256(b"")], kind=LAYER + "+zstd"))
    yield refused("a layer of 10 GiB in a compressed archive", lambda place, path: tars.COMPRESSIONS["gzip"][0](
        twice.archive()), "--max-")
    yield refused("a compressed archive of 10 GiB", lambda place, path: tars.COMPRESSIONS["zstd"][0](
        tars.file(b"oci-layout", b"{}") + tars.file(b"index.json", b"{}")
        + tars.header(b"blobs/x", size=10 << 30)) + tars.COMPRESSIONS["zstd"][0](bytes(16 << 20)) * 640, "--max-")
    yield refused("150,000 blobs", lambda place, path: archive(
        tars.file(b"oci-layout", b""), tars.file(b"index.json", b""), *[tars.file(b"blobs/sha256/%064x" % n, b"") for n in range(150_000)]),
        "blobs")


def _only_blob(data):
    layout = Layout()
    return layout.index(layout.image(data, kind=LAYER + "+zstd", diffs=["sha256:" + "0" * 64])).archive()


def _directories():
    """Layouts in directories whose files are links to what is outside, or nothing to read from."""
    def make(change):
        def made(place, path):
            layout = Layout()
            top = layout.index(layout.image(GOOD)).directory(place.directory / path)
            change(top, place.canary)
            return top

        return made

    def replace(pattern, by):
        def change(top, canary):
            path = next(iter(sorted(top.glob(pattern))))
            path.unlink()
            by(path, canary)

        return change

    for pattern in ("index.json", "oci-layout", "blobs/sha256/*"):
        if pattern != "oci-layout":
            yield refused(f"oci: {pattern} is a link to the outside", make(replace(
                pattern, lambda path, canary: path.symlink_to(canary / "secret"))))
        yield refused(f"oci: {pattern} is a pipe", make(replace(pattern, lambda path, canary: os.mkfifo(path))))
        yield refused(f"oci: {pattern} is a directory", make(replace(pattern, lambda path, canary: path.mkdir())))
        yield refused(f"oci: {pattern} is /dev/zero", make(replace(
            pattern, lambda path, canary: path.symlink_to("/dev/zero"))), kind="oci:")

    def move(top, canary):
        (top / "blobs").rename(top.with_name(top.name + ".moved"))
        (top / "blobs").symlink_to(top.with_name(top.name + ".moved"))

    yield either("oci: the directory of blobs is a link", make(move))

    def names(**more):
        def made(place, path):
            top = place.directory / path
            top.mkdir()
            for name, fill in more.items():
                fill(top / os.fsdecode(bytes.fromhex(name)))
            return top

        return made

    write = lambda path: path.write_text("x")  # noqa: E731
    yield refused("dir: a name with a newline", names(**{b"a\nb".hex(): write}), "control character")
    yield refused("dir: a name with an escape", names(**{b"a\x1bb".hex(): write}), "control character")
    yield imported("dir: a name that is no UTF-8", names(**{b"\xff".hex(): write}))
    yield imported("dir: a pipe", names(**{b"a".hex(): os.mkfifo, b"b".hex(): write}), "1 pipe", check=lacks("a"))
    yield imported("dir: a link to a device", names(**{b"a".hex(): lambda p: p.symlink_to("/dev/zero")}), check=has("a"))

    def deep(top):
        top.mkdir()
        before = os.getcwd()
        os.chdir(top)
        try:
            for _ in range(45):
                os.mkdir("d" * 100)
                os.chdir("d" * 100)
        finally:
            os.chdir(before)

    yield refused("dir: a path of 4,600 bytes", names(**{b"d".hex(): deep}), "longer than 4095")

    def hole(path):
        with open(path, "wb") as made:
            made.truncate(1 << 40)

    yield refused("dir: a hole of 1 TiB", names(**{b"hole".hex(): hole}), "--max-")
    yield refused("dir: 2,000 files where 1,000 are allowed", names(**{b"d".hex(): lambda top: [top.mkdir()] + [
        write(top / str(n)) for n in range(2000)]}), "--max-files", options=["--max-files", "1000"])
    yield refused("dir: a socket and nothing else", lambda place, path: "/dev/zero")


def _whiteouts():
    lower = [directory(b"d"), file(b"d/a"), directory(b"d/e"), file(b"d/e/b"), symlink(b"l", b"d"), *good()]
    for name in (b".wh.", b".wh..", b".wh...", b"d/.wh.", b"d/.wh..", b"d/.wh..."):
        yield refused(f"whiteout of nothing: {name.decode()}", of(layered(lower, [file(name, b"")])))
    for name in (b"../.wh.x", b"/.wh.x", b"../.wh..wh..opq", b"/.wh..wh..opq", b"d/../../.wh.x"):
        yield refused(f"whiteout outside: {name.decode()}", of(layered(lower, [file(name, b"")])))
    yield imported("a whiteout", of(layered(lower, [file(b"d/.wh.a", b"")])), check=lacks("d/a"))
    yield imported("an opaque directory", of(layered(lower, [file(b"d/.wh..wh..opq", b""), file(b"d/n")])),
                   check=lacks("d/a", "d/e"))
    yield imported("a whiteout through a link within", of(layered(lower, [file(b"l/.wh.a", b"")])), check=lacks("d/a"))
    # Like moby's, the marker is for a directory of that very name.
    yield imported("an opaque directory that is a link within", of(layered(lower, [file(b"l/.wh..wh..opq", b"")])),
                   check=has("d/a", "l"))

    def outside(name):
        return lambda place, path: layered([symlink(b"o", bytes(place.canary)), *lower], [file(name, b"")])

    yield refused("a whiteout through a link to the outside", outside(b"o/.wh.secret"), "link")
    yield either("an opaque directory that is a link to the outside", outside(b"o/.wh..wh..opq"))
    yield refused("an opaque directory through a link to the outside", outside(b"o/sub/.wh..wh..opq"), "link")
    yield imported("a whiteout of a link to the outside", outside(b".wh.o"), check=lacks("o"))
    yield either("a whiteout that is a link", of(layered(lower, [symlink(b"d/.wh.a", b"/etc")])))
    yield either("a whiteout that is a directory", of(layered(lower, [directory(b"d/.wh.a"), file(b"d/.wh.a/x")])))
    yield either("a hard link to a whiteout", of(layered(lower, [file(b"d/.wh.a", b""), hard_link(b"x", b"d/.wh.a")])))
    yield either("a whiteout of the root", of(layered(lower, [file(b".wh..wh..opq", b"")])))
    yield refused("a hard link to what a lower layer's whiteout took", of(layered(
        lower, [file(b"d/.wh.a", b"")], [hard_link(b"x", b"d/a")])))
    yield imported("file, directory and link, layer after layer", of(layered(
        [file(b"a")], [directory(b"a"), file(b"a/b")], [symlink(b"a", b"d")], [directory(b"a"), file(b"a/c")])),
        check=lacks("a/b"))
    yield refused("a link in one layer, a file through it in the next", lambda place, path: layered(
        [symlink(b"d", bytes(place.canary))], [file(b"d/evil")]), "link")
    yield imported("50 layers that clear 1,000 files and put them back", of(layered(*[
        [file(b"d/.wh..wh..opq", b"")] + [file(b"d/%d" % n, b"") for n in range(1000)]] * 50)))


def _docker():
    def config(value):
        return of(docker(GOOD, change=lambda m: [m[0] | value]))

    for path in ("/etc/passwd", "../../etc/passwd", "", ".", "x\0y", "x" * 10_000):
        yield refused(f"docker: the configuration is {path[:20]!r}", config({"Config": path}))
        yield refused(f"docker: a layer is {path[:20]!r}", config({"Layers": [path]}))
    yield refused("docker: no layers", config({"Layers": []}))
    yield refused("docker: a million layers", config({"Layers": ["x"] * 1_000_000}))
    yield refused("docker: 50,000 images", of(docker(GOOD, change=lambda m: m * 50_000)))
    yield refused("docker: tags that are numbers", config({"RepoTags": [1]}))
    circle = archive(symlink(b"manifest.json", b"repositories"), symlink(b"repositories", b"manifest.json"))
    yield refused("docker: links in a circle", of(circle), kind="docker-archive:")
    yield refused("docker: a link to the outside", of(archive(symlink(b"manifest.json", b"/etc/passwd"))),
                  kind="docker-archive:")


def cases():
    """All of them."""
    assert json.loads(encoded({})) == {}
    for make in (_documents, _descriptors, _counts, _directories, _whiteouts, _docker):
        yield from make()
