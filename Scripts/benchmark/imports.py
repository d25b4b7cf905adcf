"""Imports: of archives, of OCI images, of SquashFS, of what the store has."""

import os
import random
import shutil
import time

from .measure import Spent, in_turn, run, system_calls
from .peers import Nix, make_tree
from .results import Row, both


def turns(bench, corpus):
    """How often an import is measured: what takes a second varies by more than what is to be seen."""
    return bench.runs * (3 if corpus.tar.stat().st_size < 200_000_000 else 1)


def archives(bench):
    """Imports of tar archives."""
    for corpus in bench.corpora:
        source = f"tar:{corpus.tar}"
        unpack = lambda _: run(["bsdtar", "-x", "-f", corpus.tar, "-C", bench.disk.fresh("bsdtar")])  # noqa: B023, E731

        def added(_):
            nix = Nix(bench.disk.fresh("nix"))
            spent = run(["bsdtar", "-x", "-f", corpus.tar, "-C", bench.disk.fresh("bsdtar")])  # noqa: B023
            return spent.plus(nix.add(bench.disk.path / "bsdtar"))

        ours, peer, nix = in_turn(turns(bench, corpus), lambda _: bench.imported(source), unpack, added)  # noqa: B023
        bench.disk.remove("nix")
        yield Row(f"import tar.zst, {corpus.name}", "bsdtar -x", ours.cpu / peer.cpu, 1.4, note=both(ours, peer))
        yield Row(f"import tar.zst, {corpus.name}", "bsdtar -x", ours.wall / peer.wall, 1.0, "ratio of time")
        yield Row(f"import tar.zst, {corpus.name}", "bsdtar -x, nix-store --add", ours.cpu / nix.cpu, 0.7, note=both(ours, nix))


def layouts(bench):
    """Imports of OCI images."""
    for corpus in bench.corpora:
        ours, peer = in_turn(
            turns(bench, corpus), lambda _: bench.imported(f"oci:{corpus.layout}"),  # noqa: B023
            lambda _: run(["umoci", "unpack", "--image", f"{corpus.layout}:{corpus.name}",  # noqa: B023
                           bench.disk.fresh("umoci") / "bundle"]))
        yield Row(f"import OCI, {corpus.name}", "umoci unpack", ours.cpu / peer.cpu, 0.25, note=both(ours, peer))


def squashfs(bench):
    """Imports of SquashFS images."""
    for corpus in bench.corpora:
        ours, peer = in_turn(
            turns(bench, corpus), lambda _: bench.imported(str(corpus.squashfs), watches=True),  # noqa: B023
            lambda _: run(["unsquashfs", "-no-progress", "-quiet", "-dest", bench.disk.fresh("unsquashfs") / "tree",
                           corpus.squashfs], watches=True))  # noqa: B023
        yield Row(f"import SquashFS, {corpus.name}", "unsquashfs", ours.cpu / peer.cpu, 1.8, note=both(ours, peer))
        yield Row(f"import SquashFS, {corpus.name}", "unsquashfs", ours.memory / peer.memory, 0.5, "ratio of memory",
                  f"{ours.memory / 1e6:.0f} / {peer.memory / 1e6:.0f} MB")


def memory(bench):
    """The most anonymous memory of an import of any form."""
    for corpus in bench.corpora:
        for form, source in (("tar.zst", f"tar:{corpus.tar}"), ("OCI", f"oci:{corpus.layout}"), ("SquashFS", corpus.squashfs)):
            found = bench.imported(str(source), watches=True)
            yield Row(f"memory of an import, {form}, {corpus.name}", "", found.memory / 1e6, 64, "MB")


def again(bench):
    """Imports of what the store has."""
    corpus = bench.corpora[0]
    store = bench.store()
    nix = Nix(bench.disk.fresh("nix"))
    copy, other = (bench.disk.path / name for name in ("copy.tar.zst", "other.tar.zst"))
    shutil.copyfile(corpus.tar, copy)
    # A file that was changed in the last two seconds may change again without a trace: it is never taken for known.
    time.sleep(4)
    for source in (f"oci:{corpus.layout}", f"tar:{copy}"):
        store("import", source, "--name", "image", "--version", "1")
    nix.add(corpus.tree)

    def hashed(_):
        # Another inode: nothing says that its contents are the same.
        shutil.copyfile(corpus.tar, other.with_suffix(".new"))
        other.with_suffix(".new").rename(other)
        os.sync()
        return store("import", f"tar:{other}", "--name", "image", "--version", "1")

    known = lambda _: store("import", f"oci:{corpus.layout}", "--name", "image", "--version", "1")  # noqa: E731
    same = lambda _: store("import", f"tar:{copy}", "--name", "image", "--version", "1")  # noqa: E731
    ours, file, read, peer = in_turn(bench.runs, known, same, hashed, lambda _: nix.add(corpus.tree))
    for what, spent, target in (("of the same digest", ours, 0.01), ("an unchanged file", file, 0.01), ("hashed", read, 0.25)):
        yield Row(f"import again, {what}", "nix-store --add again", spent.cpu / peer.cpu, target, note=both(spent, peer))


def versions(bench):
    """A second version of the same package: what it takes on the disk.

    Of several runs, each with contents of its own, what they take together: what a directory of links to contents grows by,
    of which Nix has one, is chance.
    """
    grown = {}
    for turn in range(bench.runs):
        size, changed, once = _second_version(bench, random.Random(turn + 1))
        for name, taken in once.items():
            grown[name] = grown.get(name, 0) + taken
    note = (f"{size / 1e6:.1f} MB, {changed / 1e6:.2f} MB changed; "
            + ", ".join(f"{n} {b / bench.runs / 1e6:.3f} MB" for n, b in grown.items()))
    for peer in ("nix-store --optimise", "ostree"):
        yield Row("second version, new bytes on disk", peer, grown["sxs"] / grown[peer], 1.0, "ratio of bytes", note)
        note = ""


def _second_version(bench, source):
    """Bytes of a package and those that changed in its second version, and what that takes in each store."""
    tree = bench.disk.fresh("trees") / "first"
    size = make_tree(tree, 2000, source)
    other = tree.with_name("second")
    shutil.copytree(tree, other, symlinks=True)
    changed = 0
    for path in sorted((other / "usr/share").rglob("*"))[::20]:
        if path.is_file():
            text = source.randbytes(path.stat().st_size)
            changed += len(text)
            path.write_bytes(text)
    grown = {}
    store = bench.store()
    nix = Nix(bench.disk.fresh("nix"))
    repository = bench.disk.fresh("ostree") / "repo"
    run(["ostree", "init", f"--repo={repository}", "--mode=bare"])
    steps = {
        "sxs": lambda path: store("import", f"dir:{path}", "--name", "image", "--version", path.name),
        "nix-store --optimise": lambda path: (nix.add(path), nix.optimise()),
        "ostree": lambda path: run(["ostree", "commit", f"--repo={repository}", "--branch=image", f"--tree=dir={path}"]),
    }
    for name, step in steps.items():
        step(tree)
        before = bench.disk.used()
        step(other)
        grown[name] = bench.disk.used() - before
    return size, changed, grown


def limit(bench):
    """The same bytes hashed and written by programs that do nothing else."""
    for corpus in bench.corpora[:2]:
        files = sorted(str(p) for p in corpus.tree.rglob("*") if p.is_file() and not p.is_symlink())

        def peer(_):
            place = bench.disk.fresh("copy")
            spent = Spent(0, 0, 0)
            for begin in range(0, len(files), 2000):  # noqa: B023
                spent = spent.plus(run(["openssl", "dgst", "-sha256", *files[begin:begin + 2000]]))  # noqa: B023
            spent = spent.plus(run(["cp", "-a", corpus.tree, place / "tree"]))  # noqa: B023
            return spent.plus(run(["sync", "-f", place]))

        ours, other = in_turn(bench.runs, lambda _: bench.imported(f"dir:{corpus.tree}"), peer)  # noqa: B023
        yield Row(f"import of a directory, {corpus.name}", "openssl dgst, cp -a, sync", ours.wall / other.wall, 1.5, "ratio of time",
                  both(ours, other))


def calls(bench):
    """System calls of an import of many small files."""
    corpus = bench.corpora[-1]
    ours = system_calls([bench.program, "import", "--root", bench.disk.fresh("sxs") / "root", f"tar:{corpus.tar}", "--name",
                         "image", "--version", "1"])
    peer = system_calls(["bsdtar", "-x", "-f", corpus.tar, "-C", bench.disk.fresh("bsdtar")])
    yield Row(f"system calls of an import, {corpus.name}", "bsdtar -x", ours / peer, 2.0, "ratio", f"{ours} / {peer}")


IMPORTS = {"tar": archives, "oci": layouts, "squashfs": squashfs, "memory": memory, "again": again, "versions": versions,
           "limit": limit, "calls": calls}
