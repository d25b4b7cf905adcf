"""What a measurement gives, and what all of them share."""

import statistics
from dataclasses import dataclass

from .peers import Sxs


@dataclass
class Row:
    """One result."""

    work: str
    peer: str
    value: float
    target: float
    unit: str = "ratio of CPU"
    note: str = ""

    @property
    def is_met(self):
        """Whether it is no more than was promised."""
        return self.value <= self.target


class Bench:
    """What all rows share."""

    def __init__(self, program, disk, corpora, runs):
        self.program, self.disk, self.corpora, self.runs = program, disk, corpora, runs

    def store(self, name="sxs"):
        """An empty store."""
        return Sxs(self.program, self.disk.fresh(name) / "root")

    def imported(self, source, watches=False):
        """Imports into an empty store."""
        return self.store()("import", source, "--name", "image", "--version", "1", watches=watches)

    def corpus(self, name):
        """An image by name; the first where it is not measured."""
        return next((corpus for corpus in self.corpora if corpus.name == name), self.corpora[0])


def both(ours, peer):
    """CPU and wall time of sxs and of a peer, in words."""
    return f"CPU {ours.cpu:.2f} / {peer.cpu:.2f} s, wall {ours.wall:.2f} / {peer.wall:.2f} s"


def fastest_tenth(values):
    """What nine of ten take longer than: what other programs take is not in it."""
    return statistics.quantiles(values, n=10)[0]
