"""What a hostile image is, and what may become of it."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

REFUSED, IMPORTED, EITHER = "refused", "imported", "either"


@dataclasses.dataclass
class Place:
    """Where images are made, and what none of them may reach."""

    directory: Path
    canary: Path


@dataclasses.dataclass
class Case:
    """One image: how it is made, and what sxs has to do with it."""

    name: str
    make: Callable[[Place, str], object]
    """Gives the image's bytes, or makes it and gives its path."""
    expect: str = REFUSED
    says: str = ""
    """A regular expression that what is printed has to match."""
    options: list[str] = dataclasses.field(default_factory=list)
    check: Callable[[Path], None] | None = None
    """Looks at the store path of an imported image; raises AssertionError."""
    kind: str = ""
    """The prefix of the reference, such as `dir:`; mostly none."""
    seconds: float = 20
    megabytes: int = 400
    long: bool = False
    """Whether it takes too long for continuous integration."""

    def image(self, place, number):
        """Makes the image: its path."""
        path = f"image-{number}"
        made = self.make(place, path)
        if isinstance(made, (bytes, bytearray, memoryview)):
            (place.directory / path).write_bytes(made)
            return place.directory / path
        return Path(made)


def refused(name, make, says="", **more):
    """An image that must not be imported."""
    return Case(name, make, REFUSED, says, **more)


def imported(name, make, says="", **more):
    """An image that is harmless after all, and must be imported."""
    return Case(name, make, IMPORTED, says, **more)


def either(name, make, says="", **more):
    """An image of which both are right."""
    return Case(name, make, EITHER, says, **more)


def of(value):
    """A maker of bytes that are known."""
    return lambda place, path: value


def has(*paths):
    """A check that all these paths are in the store path, links not followed."""

    def check(store):
        for path in paths:
            assert (store / path).is_symlink() or (store / path).exists(), f"{path} is missing"

    return check


def lacks(*paths):
    """A check that none of these paths is in the store path."""

    def check(store):
        for path in paths:
            assert not (store / path).is_symlink() and not (store / path).exists(), f"{path} is there"

    return check


def holds(path, text):
    """A check of a file's contents."""

    def check(store):
        found = (store / path).read_bytes()
        assert found == text, f"{path} holds {found[:80]!r}, not {text!r}"

    return check


def matches(pattern, text):
    """Whether a pattern is in a text of several lines."""
    return re.search(pattern, text, re.MULTILINE | re.DOTALL) is not None
