"""What is done with a store: changes of profiles, verification, collection, export; also with very many packages."""

import statistics
import subprocess

from .measure import in_turn, run
from .peers import Nix, batches, make_trees, package, random_source
from .results import Row, both

VERBS = ("install", "remove", "rollback", "switch")
# Turns for each that was asked for, where a command takes a few milliseconds: others' use of the machine weighs more.
SHORT = 3


def change(store, nix, names, paths, runs, old):
    """Times each change of a profile of sxs and of Nix in turn; the least of each, by verb.

    The last of the names and paths comes and goes; `old` is a generation of sxs that has all but that, as the first one of Nix
    has: a package more or less is the change, whatever the profile has besides.
    """
    verbs = {
        "install": (lambda: store("install", names[-1]), lambda: nix.env("-i", paths[-1])),
        "remove": (lambda: store("remove", names[-1]), lambda: nix.env("-e", names[-1])),
        "rollback": (lambda: store("rollback"), lambda: nix.env("--rollback")),
        "switch": (lambda: store("switch", old), lambda: nix.env("--switch-generation", "1")),
    }
    best = {}
    for _ in range(runs):
        for verb, kinds in verbs.items():
            spent = [kind() for kind in kinds]
            known = best.get(verb)
            best[verb] = spent if known is None else [a.least(b) for a, b in zip(known, spent)]
        # Back to where all but the last are installed: what the next turn begins with.
        for part in batches(names[:-1]):
            store("install", *part)
        nix.env("-i", *paths[:-1])
    return best


def change_rows(best, what):
    """A row for each change."""
    for verb, (ours, peer) in best.items():
        yield Row(f"{verb}, {what}", "nix-env", ours.cpu / peer.cpu, 0.3,
                  note=f"CPU {1000 * ours.cpu:.1f} / {1000 * peer.cpu:.1f} ms")


def profiles(bench):
    """Changes of a profile with few and many packages."""
    costs = {}
    for count in (1, 10, 100, 1000):
        trees, _ = make_trees(bench.disk.fresh("trees"), count + 1, 3, random_source())
        names = [package(tree) for tree in trees]
        store, nix = bench.store(), Nix(bench.disk.fresh("nix"))
        # Into the store, and not yet into the profile that is measured.
        store.install_all(trees, profile="all")
        paths = nix.add_all(trees)
        parts = batches(names[:-1])
        for part in parts:
            store("install", *part)
        nix.env("-i", *paths[:-1])
        best = change(store, nix, names, paths, SHORT * bench.runs, len(parts))
        yield from change_rows(best, f"{count} packages")
        for verb, (ours, _) in best.items():
            costs.setdefault(verb, []).append(ours.cpu)
    for verb in ("rollback", "switch"):
        least, most = min(costs[verb]), max(costs[verb])
        yield Row(f"{verb} with 1 to 1,000 packages", "the least of them", most / least, 1.5,
                  note=", ".join(f"{1000 * cost:.1f} ms" for cost in costs[verb]))


def start(bench):
    """How soon sxs is ready, beside a static program that does nothing."""
    place = bench.disk.fresh("start")
    (place / "nothing.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-O2", "-o", place / "nothing", place / "nothing.c"], check=True)
    store = bench.store()
    trees, _ = make_trees(bench.disk.fresh("trees"), 100, 3, random_source())
    store.install_all(trees)
    commands = {"nothing": [place / "nothing"], "sxs --version": [bench.program, "--version"],
                "sxs list, 100 packages": [bench.program, "list", "--root", store.root]}
    times = {name: [] for name in commands}
    for _ in range(30 * bench.runs):
        for name, command in commands.items():
            times[name].append(run(command).wall * 1000)
    least = statistics.median(times["nothing"])
    for name, target in (("sxs --version", 5), ("sxs list, 100 packages", 10)):
        yield Row(name, "a static program", statistics.median(times[name]) - least, target, "ms later")


def verify(bench):
    """All contents read and compared, in stores whose files are linked where they are the same."""
    source = random_source()
    pool = [source.randbytes(source.randrange(200, 8000)) for _ in range(2500)]
    trees, size = make_trees(bench.disk.fresh("trees"), 200, 50, source, pool, large=2 << 20)
    store, nix = bench.store(), Nix(bench.disk.fresh("nix"))
    store.install_all(trees)
    nix.add_all(trees)
    nix.optimise()
    commands = [lambda _=0, **how: store("verify", **how),
                lambda _=0, **how: nix.store("--verify", "--check-contents", **how)]
    ours, peer = in_turn(bench.runs, *commands)
    # Each has to find a byte that was changed.
    for directory in (bench.disk.path / "sxs/root/store", bench.disk.path / "nix/store"):
        path = next(directory.glob("*/usr/share/*/large"))
        path.chmod(0o644)
        with open(path, "r+b") as file:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))
    for command in commands:
        command(fails=True)
    note = f"{size / 1e6:.0f} MB, {both(ours, peer)}"
    yield Row("verify", "nix-store --verify --check-contents", ours.cpu / peer.cpu, 1.0, note=note)
    yield Row("verify", "nix-store --verify --check-contents", ours.wall / peer.wall, 0.6, "ratio of time")


def collect(bench):
    """Half of the store goes, whose files the other half shares in part."""
    spent = []
    for _ in range(bench.runs):
        source = random_source()
        pool = [source.randbytes(source.randrange(200, 8000)) for _ in range(4000)]
        trees, _ = make_trees(bench.disk.fresh("trees"), 1000, 20, source, pool)
        half = len(trees) // 2
        store, nix = bench.store(), Nix(bench.disk.fresh("nix"))
        store.install_all(trees[:half])
        # These have no generation any more.
        store.install_all(trees[half:], profile="gone")
        store("remove", *(package(tree) for tree in trees[half:]), "--profile", "gone")
        store("generations", "delete", *range(1, len(batches(trees[half:])) + 1), "--profile", "gone")
        nix.root(nix.add_all(trees)[:half])
        nix.optimise()
        bench.disk.remove("trees")
        bench.disk.used()
        spent.append((store("gc"), nix.store("--gc")))
    ours, peer = (runs[0] if len(runs) == 1 else _least(runs) for runs in zip(*spent))
    yield Row("gc of half of 1,000 store paths", "nix-store --gc", ours.cpu / peer.cpu, 0.8, note=both(ours, peer))


def _least(runs):
    best = runs[0]
    for spent in runs[1:]:
        best = best.least(spent)
    return best


def export(bench):
    """An image for systemd-sysext, and the same contents with the same compressor by mksquashfs."""
    corpus = bench.corpora[0]
    store = bench.store()
    store("import", f"tar:{corpus.tar}", "--name", "image", "--version", "1", "--expose", "all")
    place = bench.disk.fresh("output")
    tree, image = place / "image", place / "image.raw"
    store("export", "image", "--format", "dir", "--output", tree)
    sizes = {}
    for level in (3, 9, 15):
        def made(name, command):
            image.unlink(missing_ok=True)
            spent = run(command)
            sizes[name] = image.stat().st_size
            return spent
        ours, peer = in_turn(
            bench.runs,
            lambda _: made("sxs", [bench.program, "export", "--root", store.root, "image", "--level", level,  # noqa: B023
                                   "--output", image]),
            lambda _: made("mksquashfs", [
                "mksquashfs", tree, image, "-comp", "zstd", "-Xcompression-level", level, "-b", "131072",  # noqa: B023
                "-all-root", "-mkfs-time", "0", "-all-time", "0", "-noappend", "-no-progress", "-quiet"]))
        what = f"export .raw, zstd {level}, {corpus.name}"
        yield Row(what, "mksquashfs", ours.cpu / peer.cpu, 1.05, note=both(ours, peer))
        yield Row(what, "mksquashfs", sizes["sxs"] / sizes["mksquashfs"], 1.05, "ratio of size",
                  f"{sizes['sxs'] / 1e6:.2f} / {sizes['mksquashfs'] / 1e6:.2f} MB")


def many(bench):
    """The same with 10,000 packages and 1,000 generations, of which the profile shows 100."""
    trees, _ = make_trees(bench.disk.fresh("trees"), 10_000, 3, random_source())
    store, nix = bench.store(), Nix(bench.disk.fresh("nix"))
    store.install_all(trees, profile="all")
    paths = nix.add_all(trees)[:101]
    bench.disk.remove("trees")
    names = [package(tree) for tree in trees[:101]]
    store("install", *names[:-1])
    nix.env("-i", *paths[:-1])
    for number in range(999):
        store(*(("remove", names[99]) if number % 2 == 0 else ("install", names[99])))
    # Nix's are links to a profile, each made by hand: nix-env takes minutes for them.
    link = nix.directory / "profile-1-link"
    for number in range(2, 1000):
        (nix.directory / f"profile-{number}-link").symlink_to(link.readlink())
    nix.env("-i", *paths[:-1])
    best = change(store, nix, names, paths, SHORT * bench.runs, 1)
    yield from change_rows(best, "100 of 10,000 packages, 1,000 generations")
    place = bench.disk.fresh("start")
    (place / "nothing.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-static", "-O2", "-o", place / "nothing", place / "nothing.c"], check=True)
    listed, least = in_turn(10 * bench.runs, lambda _: store("list"), lambda _: run([place / "nothing"]))
    yield Row("sxs list, 100 of 10,000 packages", "a static program", 1000 * (listed.wall - least.wall), 10, "ms later")
    planned, dead = in_turn(bench.runs, lambda _: store("gc", "--dry-run"), lambda _: nix.store("--gc", "--print-dead"))
    yield Row("plan of gc, 10,000 packages, 1,000 generations", "nix-store --gc --print-dead", planned.cpu / dead.cpu, 0.8,
              note=both(planned, dead))
    ours, peer = in_turn(bench.runs, lambda _: store("verify"), lambda _: nix.store("--verify", "--check-contents"))
    yield Row("verify, 10,000 packages", "nix-store --verify --check-contents", ours.cpu / peer.cpu, 1.0, note=both(ours, peer))


STORES = {"profiles": profiles, "start": start, "verify": verify, "gc": collect, "export": export, "many": many}
