"""Recipes that name packages of a remote: locked, built twice, and merged by a systemd that knows nothing of sxs."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

from endtoend.distributions import Archive, debs
from endtoend.hosts import Host
from endtoend.remotes import say
from image.apt import Apt

RECIPE = """
# What Dalec's documentation shows, too: two programs, and what they need by itself.
name: tools
version: 1.7
description: jq and zsh
packages: [jq, zsh]
slim: doc
remote:
  kind: debian
  location: {url}
  suites: stable
  keyring: ./key.asc
"""
WORK = """
cp /mnt/work/tools.raw /run/extensions/tools.raw
systemd-sysext merge
echo /usr/store/*
echo '{"a": [1, 2]}' | jq -c '.a | map(. * 21)'
zsh -c 'autoload -U colors; print -l ${(o)=:-b a} $(( 6 * 7 ))'
systemd-sysext unmerge && ! ls -d /usr/store /usr/_ /usr/bin/jq 2>/dev/null
"""


class RecipeTests:
    """A part of the tests of distributions."""

    def recipe(self, name, text=None):
        """A recipe in a directory of its own."""
        place = self.directory / name
        place.mkdir()
        shutil.copy(self.keys.public, place / "key.asc")
        (place / "tools.yaml").write_text(RECIPE.format(url=self.web.url + "/dalec") if text is None else text)
        return place / "tools.yaml"

    def test_a_recipe_of_names_is_built_twice_and_merged_by_plain_systemd(self):
        names = ["jq", "zsh", "dash", "libc-bin", "ncurses-base"]
        apt = Apt(self.cache)
        apt.update()
        closure = apt.closure(names)
        apt.download(names, closure)
        archive = Archive(self.served / "dalec", self.keys)
        for package in closure:
            shutil.copy(package.file, archive.pool)
        archive.publish()
        recipe = self.recipe("one")

        # Locked: every package of the closure, libonig too, by its digest.
        first = self.store()
        first.sxs("lock", recipe)
        lock = Path(str(recipe) + ".lock")
        members = {line.split()[2]: line.split() for line in lock.read_text().splitlines() if line.startswith("member ")}
        say({"jq", "libjq1", "libonig5", "zsh", "zsh-common", "libc6"} <= set(members), f"locked {sorted(members)}")
        [onig] = archive.pool.glob("libonig5_*.deb")
        say(members["libonig5"][1] == hashlib.sha256(onig.read_bytes()).hexdigest(), f"libonig5 is {members['libonig5']}")
        image = recipe.parent / "tools.raw"
        built = first.json("build", recipe, "-o", image)
        say(built["isLocked"], "the lock is not used")
        commands = {command["name"] for command in built["package"]["metadata"]["exposure"]["commands"]}
        say({"jq", "zsh"} <= commands and "locale" not in commands, f"commands {sorted(commands)}")

        # On another root and in another place, by the lock alone: no index is asked for.
        there = self.recipe("two")
        shutil.copy(lock, str(there) + ".lock")
        hidden = archive.suite.rename(archive.suite.parent / "hidden")
        self.web.log.clear()
        second = self.store()
        second.sxs("build", there, "-o", there.parent / "tools.raw")
        say(not [path for path, _, _ in self.web.log if "dists" in path], f"asked {self.web.log}")
        say(len(debs(self.web)) == len(members), f"fetched {debs(self.web)}")
        say((there.parent / "tools.raw").read_bytes() == image.read_bytes(), "two roots gave other bytes")
        hidden.rename(archive.suite)

        # Without a lock: what the remote has now, which is the same.
        third, open_ = self.store(), self.recipe("three")
        status, said = third.attempt("build", open_, "-o", open_.parent / "tools.raw")
        say(status == 0 and "has no lock" in said, f"without a lock: {status} {said}")
        say((open_.parent / "tools.raw").read_bytes() == image.read_bytes(), "without a lock there are other bytes")

        with Host(self.fixtures / "systemd-root", binds=[(recipe.parent, "/mnt/work")]) as entered:
            result = entered.separately("mkdir -p /run/extensions\n" + WORK)
        places, output = result.stdout.split("[", 1)
        say(places.rstrip().endswith("-tools-1.7") and len(places.split()) == 1, f"merged: {places}")
        say("[" + output == "[21,42]\na\nb\n42\n", f"merged: {result}")

    def test_what_a_lock_does_not_have_is_refused(self):
        store = self.store()
        place = self.web.url + "/debian"
        self.add(store)
        text = "name: tools\nversion: 1\npackages: chooser\nremote: deb\n"
        recipe = self.recipe("locks", text)
        change = store.json("lock", recipe)
        say(any(added.startswith("chooser 1.0") for added in change["added"]), f"locked {change}")
        recipe.write_text(text.replace("chooser", "[chooser, tree]"))
        self.refused(store, "build", recipe, text="has no digest of 'chooser tree remote:deb'")
        store.sxs("lock", recipe)
        say("tree" in Path(str(recipe) + ".lock").read_text(), "the lock was not made anew")
        self.web.faults = {"tree_": "alter"}
        try:
            self.refused(store, "build", recipe, text="is not what the listing names")
        finally:
            self.web.faults = {}
        recipe.write_text(text + "remotes: [deb]\n")
        self.refused(store, "lock", recipe, text="line 5 of " + str(recipe) + " has both 'remote' and 'remotes'")
        recipe.write_text(text.replace("remote: deb", "recommends: yes"))
        names = {line.split()[2] for line in self._lock(store, recipe) if line.startswith("member ")}
        say("extra" in names and "chooser" in names, f"with what is recommended: {names}")
        bare = self.store()
        self.refused(bare, "lock", self.recipe("bare", "name: x\nversion: 1\npackages: jq\n"),
                     text="no remote of a distribution has the package 'jq'")
        for name, bad, says in (("ini", "[Recipe]\nName=x\n", "line 2 of"), ("none", "", "has nothing in it"),
                                ("alias", "name: &a x\nversion: *a\npackages: jq\n", "the anchor '&a'")):
            self.refused(bare, "build", self.recipe(name, bad), text=says)

    def test_recipes_take_several_remotes_and_locks_their_mirrors(self):
        wanted = "Basic " + base64.b64encode(b"me:secret").decode()
        for name, package, depends in (("closed", "inside", "beside"), ("open", "beside", "")):
            archive = Archive(self.served / name, self.keys)
            archive.make(package, **({"Depends": depends} if depends else {}))
            archive.publish()
        shutil.copytree(self.served / "closed", self.served / "copy")
        ask = lambda request: None if request.headers.get("Authorization") == wanted else 401  # noqa: E731
        self.web.faults = {"/closed/": ask, "/copy/": ask}
        text = f"""
name: tools
version: 1
packages: inside
remotes:
  - kind: debian
    location: {self.web.url}/closed
    mirrors: {self.web.url}/copy
    suites: stable
    keyring: ./key.asc
    credentials: ./netrc
  - {{kind: debian, location: "{self.web.url}/open", suites: stable, keyring: ./key.asc}}
"""
        try:
            first, second = self.recipe("several", text), self.recipe("mirrored", text)
            for recipe in (first, second):
                netrc = recipe.parent / "netrc"
                netrc.write_text("machine 127.0.0.1 login me password secret\n")
                netrc.chmod(0o600)
            store = self.store()
            store.sxs("lock", first)
            members = {line.split()[2]: line.split()[5] for line in Path(str(first) + ".lock").read_text().splitlines()
                       if line.startswith("member ")}
            say(set(members) == {"inside", "beside"} and "/closed/" in members["inside"] and "/open/" in members["beside"],
                f"locked {members}")
            # What the lock names is gone from its place: the mirror has it, and wants to know who asks.
            shutil.copy(str(first) + ".lock", str(second) + ".lock")
            hidden = (self.served / "closed/pool").rename(self.served / "closed/gone")
            other = self.store()
            other.sxs("build", second)
            say([status for path, status, _ in self.web.log if "/copy/" in path and path.endswith(".deb")][-1:] == [200],
                f"asked {self.web.log}")
            hidden.rename(self.served / "closed/pool")
            (second.parent / "netrc").write_text("machine 127.0.0.1 login me password other\n")
            self.refused(self.store(), "build", second, text="401")
        finally:
            self.web.faults = {}
        first.write_text(text.replace("kind: debian, location", "kind: rpm, location"))
        self.refused(store, "lock", first, text="has remotes of several kinds: debian, rpm")

    @staticmethod
    def _lock(store, recipe):
        store.sxs("update-lock", recipe)
        return Path(str(recipe) + ".lock").read_text().splitlines()


class SearchTests:
    """A part of the tests of distributions."""

    def test_search_reads_the_list_of_names_and_makes_it_anew(self):
        store = self.store()
        self.add(store)
        place = store.root / "cache/solvables/deb"
        [names] = place.glob("*.names")
        text = names.read_bytes()
        # By a word of its summary, in another case.
        found = store.json("search", "COMMAND-line", "json")
        say([entry["name"] for entry in found] == ["jq", "libjq1"] and found[0]["version"], f"found {found}")
        for change in (names.unlink, lambda: names.write_bytes(text[:-20]), lambda: names.write_bytes(b"")):
            change()
            say(store.json("search", "onig")[0]["name"] == "libonig5", "nothing is found without the list")
        state = json.loads((place / "state.json").read_text())
        say((place / state["names"]).read_bytes() == text, "the list was not made anew")
        self.archive.make("newcomer")
        self.archive.publish()
        say(store.json("search", "newcomer") == [], "search asked a server")
        store.sxs("remote", "refresh")
        say([entry["name"] for entry in store.json("search", "newcomer")] == ["newcomer"], "the list is stale")
        say(len(list(place.glob("*.names"))) == 1, "an old list is left")

    def test_a_reader_that_goes_away_is_no_news(self):
        store = self.store()
        self.add(store)
        options = store.options()
        for verb in (["plan", "jq"], ["search"], ["remote", "list"], ["list", "--json"], ["info", "jq"]):
            # It has gone before the program begins, which may be done sooner than anybody closes anything.
            reading, writing = os.pipe()
            os.close(reading)
            with subprocess.Popen([str(self.program), *verb, "--root", str(store.root)], stdout=writing,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **options) as process:
                os.close(writing)
                said = process.stderr.read()
                process.wait(60)
            say(process.returncode == -13 and not said, f"{verb} ended with {process.returncode}: {said}")
