"""The images that are imported, each in every form, made from Debian's packages."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent

# An editor; compilers and media, some of whose files are large; and very many small ones.
PACKAGES = {
    "emacs": "emacs-nox",
    "media": "ffmpeg build-essential gfortran imagemagick python3-scipy vim git",
    "icons": "papirus-icon-theme",
}


@dataclass
class Corpus:
    """An image and what is in it."""

    name: str
    tree: Path
    tar: Path
    layout: Path
    squashfs: Path

    def describe(self):
        """How much it is; what has several names counts once."""
        files = size = 0
        seen = set()
        for path in self.tree.rglob("*"):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                files, size = files + 1, size + (status.st_size if status.st_ino not in seen else 0)
                seen.add(status.st_ino)
        return f"{self.name}: {files} files, {size / 1e6:.0f} MB"


def _quiet(*command):
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make(name, directory, cache):
    """Makes a corpus, as far as it is not there."""
    place = directory / name
    place.mkdir(parents=True, exist_ok=True)
    corpus = Corpus(name, place / "tree", place / f"{name}.tar.zst", place / "oci", place / f"{name}.raw")
    if not corpus.tree.is_dir():
        unfinished = place / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        _quiet(SCRIPTS / "make-image", "--cache", cache, "--name", name, "--packages", PACKAGES[name], "--format", "dir",
               "--output", unfinished)
        unfinished.rename(corpus.tree)
    _complete(corpus.tar, lambda path: _quiet(
        "bsdtar", "-c", "--zstd", "--format", "pax", "-f", path, "-C", corpus.tree, "."))
    _complete(corpus.squashfs, lambda path: _quiet(
        "mksquashfs", corpus.tree, path, "-comp", "zstd", "-all-root", "-noappend", "-no-progress", "-quiet"))
    if not corpus.layout.is_dir():
        unfinished = place / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        archive = place / "archive.oci.tar"
        _quiet(SCRIPTS / "make-image", "--cache", cache, "--name", name, "--packages", PACKAGES[name], "--format", "oci",
               "--output", archive)
        # umoci reads layers that are compressed by gzip.
        _quiet("skopeo", "--insecure-policy", "copy", "--dest-compress-format", "gzip", f"oci-archive:{archive}",
               f"oci:{unfinished}:{name}")
        archive.unlink()
        unfinished.rename(corpus.layout)
    return corpus


def _complete(path, write):
    """Makes a file that has its name only when it is whole."""
    if not path.exists():
        unfinished = path.with_name("unfinished-" + path.name)
        unfinished.unlink(missing_ok=True)
        write(unfinished)
        unfinished.rename(path)
