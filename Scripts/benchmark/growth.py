"""How what work costs grows with its size: at 1, 4 and 16 times the data, as the exponent of a fitted power."""

import math
import shutil

from .measure import run
from .peers import make_tree, random_source
from .results import Row

SIZES = (1, 4, 16)
LIMIT = 1.05


def exponent(points):
    """The slope of the line through the logarithms, by least squares."""
    pairs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(pairs) for values in zip(*pairs))
    return sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((x - mean_x) ** 2 for x, _ in pairs)


def growth(bench):
    """Imports, verification, collection and export of trees that grow."""
    costs = {}
    for times in SIZES:
        tree = bench.disk.fresh("trees") / "tree"
        make_tree(tree, 2500 * times, random_source())
        archive = bench.disk.path / "grown.tar.zst"
        run(["bsdtar", "-c", "--zstd", "-f", archive, "-C", tree, "."])
        bench.disk.remove("trees")
        best = {}
        for _ in range(bench.runs):
            store = bench.store()
            # A file that the store does not know to be unchanged, so that it has to be hashed.
            copy = archive.with_name("copy.tar.zst")
            shutil.copyfile(archive, copy)
            output = bench.disk.fresh("output") / "image.raw"
            spent = {"import": store("import", f"tar:{archive}", "--name", "image", "--version", "1"),
                     "import again, hashed": store("import", f"tar:{copy}", "--name", "image", "--version", "1"),
                     "verify": store("verify"),
                     "export": store("export", "image", "--level", "1", "--output", output),
                     "gc": store("gc")}
            for name, found in spent.items():
                best[name] = min(best.get(name, math.inf), found.cpu)
        for name, seconds in best.items():
            costs.setdefault(name, []).append((times, seconds))
    for name, points in costs.items():
        yield Row(f"growth of {name}, 2500 to 40,000 files", "", exponent(points), LIMIT, "exponent",
                  ", ".join(f"{1000 * seconds:.0f} ms" for _, seconds in points))


GROWTH = {"growth": growth}
