"""Repositories of `sxs repo`, and who reads them: sxs, minisign, gpgv, sha256sum, curl, systemd-sysupdate."""

import base64
import gzip
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from endtoend.hosts import Host
from endtoend.remotes import refused, say

RELEASE = "ID=_any\nARCHITECTURE={arch}\nSYSEXT_VERSION_ID={version}\n"


def _make(tests, file, **options):
    """An image that is to be added."""
    # mksquashfs would add to one that is there.
    (tests.made.path / file).unlink(missing_ok=True)
    return tests.made.image(file, **options)


class Repository:
    """A repository below the web server's directory, with a keeper who has a key."""

    def __init__(self, tests, name, *options, key=True):
        self.tests, self.keeper = tests, tests.store()
        self.path = tests.directory / "www" / name
        self.url, self.plain_url = f"{tests.nginx.url}/{name}", f"{tests.nginx.plain_url}/{name}"
        self.public = self.keeper.root / "keys/own/me.pub"
        if key:
            self.keeper.sxs("key", "generate", "me")
            options = ("--key", "me", *options)
        self.sxs("init", *options)

    def sxs(self, verb, *arguments):
        """Runs a verb of `sxs repo` on it."""
        return self.keeper.sxs("repo", verb, self.path, *arguments)

    def json(self, verb, *arguments):
        """What a verb prints as JSON."""
        return self.keeper.json("repo", verb, self.path, *arguments)

    def image(self, name, version, size=0, release=RELEASE):
        """An image that is to be added."""
        tests = self.tests
        return _make(
            tests, f"{name}-{version}.{tests.arch}.raw", name=name, text=version, size=size,
            release=release.format(arch=tests.arch, version=version))

    def add(self, name, *versions, size=0):
        """Adds versions of an image."""
        return self.sxs("add", *[self.image(name, version, size) for version in versions])

    def client(self, *options):
        """A store that has it as the remote `r`."""
        store = self.tests.store()
        store.sxs("remote", "add", "r", self.url, "--key", self.public, *options)
        return store

    def check(self):
        """What has to be true of it whenever it is read: the listing is signed, whole, and of files that are there."""
        sums = self.path / "SHA256SUMS"
        listing = sums.read_bytes()
        subprocess.run(["minisign", "-Vq", "-p", self.public, "-m", sums], check=True, capture_output=True)
        say(sums.read_bytes() == listing, "nobody writes now")
        lines = [line.split("  ", 1) for line in listing.decode().splitlines()]
        say([name for _, name in lines] == sorted(name for _, name in lines), "the listing is not sorted")
        for digest, name in lines:
            say(hashlib.sha256((self.path / name).read_bytes()).hexdigest() == digest, f"{name} is not what is listed")
        return [name for _, name in lines]


def walk(tests):
    """From a package of the store to another machine: published, found, installed, upgraded in one generation, rolled back."""
    repository = Repository(tests, "walk", "--title", "Images of the house", "--valid-days", "30")
    keeper = repository.keeper
    keeper.sxs("install", tests.fixtures / "small/hello.oci.tar")
    version = keeper.json("list")[0]["version"]
    output = repository.sxs("add", "hello", repository.image("other", "1"))
    say(f"+ hello-{version}.{tests.arch}.raw" in output and "signed by the key" in output and "good until" in output, output)
    names = repository.check()
    say(f"other-1.{tests.arch}.manifest.gz" in names and "index.json" in names, f"{names}")
    index = json.loads((repository.path / "index.json").read_text())
    say(index["title"] == "Images of the house" and index["serial"] == 2, f"{index}")
    hello = next(p for p in index["packages"] if p["name"] == "hello")
    say("hello" in hello["commands"] and hello["summary"] and hello["release"]["ID"] == "_any", f"{hello}")
    record = json.loads((repository.path / f"other-1.{tests.arch}.raw.json").read_text())
    say(record["image_name"] == f"other-1.{tests.arch}.raw" and record["sysext"]["SYSEXT_VERSION_ID"] == "1", f"{record}")
    manifest = json.loads(gzip.decompress((repository.path / f"other-1.{tests.arch}.manifest.gz").read_bytes()))
    say(manifest["config"] == {"name": "other", "version": "1", "architecture": tests.arch}
        and manifest["extension"] == record["sysext"], f"{manifest}")
    store = repository.client()
    say(store.json("remote", "show", "r")["serial"] == 2, "the number of the listing")
    store.sxs("install", "hello", "other")
    say("Hello, world!" in tests.run(store, "hello") and tests.run(store, "other") == "other 1\n", "commands")
    repository.add("other", "1.5", "2")
    say([(u["installed"], u["available"]) for u in store.json("outdated")] == [("1", "2")], "outdated")
    generation = store.json("upgrade")["generation"]
    say(generation == 2 and tests.run(store, "other") == "other 2\n", "upgraded")
    store.sxs("rollback")
    say(tests.run(store, "other") == "other 1\n", "rolled back")
    # The newest versions stay; what goes is gone from the directory, too.
    report = repository.json("add", repository.image("other", "3"), "--keep", "2")
    say(set(report["removed"]) == {f"other-{v}.{tests.arch}.raw" for v in ("1", "1.5")}, f"{report}")
    say(not list(repository.path.glob("other-1*")), "removed images are there")
    repository.sxs("remove", "other@2")
    say([p["version"] for p in repository.json("list")["packages"] if p["name"] == "other"] == ["3"], "repo list")
    repository.check()
    refused(store, "install", "r/other@2", words=["no package"], empty=False)
    # What was copied in by other means, and deleted, is found by `index`.
    (repository.path / f"other-4.{tests.arch}.raw").write_bytes(repository.image("other", "4").read_bytes())
    (repository.path / f"other-3.{tests.arch}.raw").unlink()
    repository.sxs("index")
    repository.check()
    store.sxs("upgrade")
    say(tests.run(store, "other") == "other 4\n", "after repo index")
    # In the same second, and of the same length: a server tells the two listings apart all the same.
    for number in range(5, 8):
        repository.add("other", str(number))
        store.sxs("upgrade")
        say(tests.run(store, "other") == f"other {number}\n", f"version {number} was not seen")
    store.check()
    keeper.check()


def signatures(tests):
    """Signed with Ed25519 and with OpenPGP; each kind of reader finds its own."""
    repository = Repository(tests, "both", "--openpgp-key", "keeper@example.org")
    repository.add("hello", "1")
    repository.check()
    sums = repository.path / "SHA256SUMS"
    keyring = tests.directory / "keyring.gpg"
    keyring.write_bytes(tests.keys.gpg("--export"))
    subprocess.run(["gpgv", "--keyring", keyring, f"{sums}.gpg", sums], check=True, capture_output=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=repository.path, check=True)
    # By the key of each kind alone; by a trusted key; by the key itself in place of a file.
    line = repository.public.read_text().splitlines()[1]
    for key in (repository.public, tests.keys.public, line):
        store = tests.store()
        output = store.sxs("remote", "add", "r", repository.url, "--key", key)
        say("signed by" in output, output)
        store.sxs("install", "hello")
        say(tests.run(store, "hello") == "hello 1\n", f"installed with {key}")
    store = tests.store()
    store.sxs("key", "trust", repository.public)
    say([(k["name"], k["isTrusted"], k["isSecret"]) for k in store.json("key", "list")] == [("me", True, False)], "key list")
    store.sxs("remote", "add", "r", repository.url)
    say(store.json("remote", "show", "r")["signer"] == store.json("key", "list")[0]["identifier"], "the signer")
    # From one kind to the other: the same listing is no older for its other signature, and an older one is older by either.
    conf, listing = store.root / "remotes/r.conf", repository.path / ".sxs/current/SHA256SUMS"
    conf.write_text(conf.read_text() + f"Keyring={tests.keys.public}\n")
    tests.keys.sign(listing, when="20260201T000000")
    store.sxs("remote", "refresh")
    say(store.json("remote", "show", "r")["signed"] == 1769904000, "signed by the other key")
    text = listing.read_text()
    listing.write_text(text + "# another\n")
    tests.keys.sign(listing, when="20260201T000000")
    refused(store, "remote", "refresh", words=["2026-02-01", "shows an old state"])
    listing.write_text(text)
    conf.write_text(conf.read_text().replace(f"Keyring={tests.keys.public}\n", ""))
    store.sxs("remote", "refresh")
    store.sxs("key", "remove", "me")
    refused(store, "remote", "refresh", words=["no key to verify"])
    repository.sxs("index")
    # minisign's own key signs, too, and its own program signs with ours.
    minisign = tests.directory / "minisign"
    subprocess.run(["minisign", "-G", "-W", "-p", f"{minisign}.pub", "-s", f"{minisign}.key"], check=True, capture_output=True)
    repository.sxs("set", "--key", f"{minisign}.key")
    subprocess.run(["minisign", "-Vq", "-p", f"{minisign}.pub", "-m", sums], check=True, capture_output=True)
    shelf = tests.directory / "www/plain"
    shelf.mkdir()
    (shelf / f"hello-2.{tests.arch}.raw").write_bytes(repository.image("hello", "2").read_bytes())
    digest = hashlib.sha256((shelf / f"hello-2.{tests.arch}.raw").read_bytes()).hexdigest()
    (shelf / "SHA256SUMS").write_text(f"{digest}  hello-2.{tests.arch}.raw\n")
    for options in ([], ["-l"]):
        subprocess.run(["minisign", "-S", *options, "-s", repository.keeper.root / "keys/own/me.sec", "-m", shelf / "SHA256SUMS"],
                       check=True, capture_output=True)
        store = tests.store()
        store.sxs("remote", "add", "r", f"{tests.nginx.url}/plain", "--key", repository.public)
        store.sxs("install", "hello")
        say(tests.run(store, "hello") == "hello 2\n", f"signed by minisign {options}")
    # A directory needs no server.
    store = tests.store()
    store.sxs("remote", "add", "r", repository.path, "--key", f"{minisign}.pub")
    say(store.json("remote", "list")[0]["kind"] == "sysext", "the kind of a repository in a directory")
    # A key that is taken away takes its signature with it.
    repository.sxs("set", "--openpgp-key", "")
    say(not os.path.lexists(f"{sums}.gpg"), "a signature over an older listing is left")


def trust(tests):
    """Listings by strangers, over something else, over, old: refused, whatever was cached."""
    repository = Repository(tests, "trusted", "--valid-days", "1")
    repository.add("hello", "1")
    store = tests.store()
    add = ["remote", "add", "r", repository.url]
    key = ["--key", repository.public]
    sums, signature = repository.path / "SHA256SUMS", repository.path / "SHA256SUMS.minisig"
    good = signature.read_text()

    def replace(text):
        signature.unlink()
        signature.write_text(text)

    def packed(line, at):
        data = bytearray(base64.b64decode(line))
        data[at] ^= 1
        return base64.b64encode(data).decode()

    refused(store, *add, words=["signed with the key", "which is not trusted", "sxs key trust"])
    store.sxs("key", "generate", "other")
    refused(store, *add, "--key", store.root / "keys/own/other.pub", words=["which is not trusted"])
    refused(store, *add, "--key", tests.keys.public, words=["which is not trusted"])
    lines = good.splitlines()
    for text, words in [
        ("\n".join([lines[0], packed(lines[1], 20), *lines[2:]]) + "\n", ["not over this listing"]),
        ("\n".join([*lines[:2], lines[2].replace("serial:2", "serial:9"), lines[3]]) + "\n", ["trusted comment was changed"]),
        ("\n".join([*lines[:3], packed(lines[3], 9)]) + "\n", ["trusted comment was changed"]),
        ("\n".join([lines[0], packed(lines[1], 3), *lines[2:]]) + "\n", ["which is not trusted"]),
        ("\n".join(lines[:2]) + "\n", ["not to be trusted"]), ("", ["not to be trusted"]), ("x" * 20000, ["not to be trusted"]),
    ]:
        replace(text)
        refused(store, *add, *key, words=words)
    # A signature over another file by the right key.
    other = tests.directory / "another"
    other.write_text("another\n")
    subprocess.run(["minisign", "-S", "-s", repository.keeper.root / "keys/own/me.sec", "-m", other], check=True, capture_output=True)
    replace(Path(f"{other}.minisig").read_text())
    refused(store, *add, *key, words=["not over this listing"])
    signature.unlink()
    refused(store, *add, *key, words=["has no signature"])
    repository.sxs("index")
    replaced = signature.read_text()
    say("serial:3" in replaced, replaced)
    store.sxs(*add, *key)
    # An older state, with its own good signature: by its number, also for who has lost the cache.
    old = {p.name: p.read_bytes() for p in (sums, signature, repository.path / "index.json")}
    repository.add("hello", "2")
    store.sxs("remote", "refresh")
    new = {name: (repository.path / name).read_bytes() for name in old}
    os.rename(repository.path / ".sxs/current", repository.path / ".sxs/newer")
    (repository.path / ".sxs/current").mkdir()
    for name, contents in old.items():
        (repository.path / ".sxs/current" / name).write_bytes(contents)
    refused(store, "remote", "refresh", words=["number 3", "number 4 was seen", "old state"])
    subprocess.run(["rm", "-r", store.root / "cache/listings"], check=True)
    refused(store, "install", "hello", words=["number 4 was seen"])
    # The new listing with the old signature.
    (repository.path / ".sxs/current/SHA256SUMS").write_bytes(new["SHA256SUMS"])
    refused(store, "install", "hello", words=["not over this listing"])
    subprocess.run(["rm", "-r", repository.path / ".sxs/current"], check=True)
    os.rename(repository.path / ".sxs/newer", repository.path / ".sxs/current")
    store.sxs("install", "hello")
    say(tests.run(store, "hello") == "hello 2\n", "after all that")
    # Over: signed by minisign's own program, a listing of the past.
    past = tests.directory / "www/past"
    past.mkdir()
    (past / "SHA256SUMS").write_text(hashlib.sha256(b"").hexdigest() + "  BEST-BEFORE-2025-06-30\n")
    subprocess.run(["minisign", "-S", "-s", repository.keeper.root / "keys/own/me.sec", "-m", past / "SHA256SUMS"],
                   check=True, capture_output=True)
    refused(store, "remote", "add", "p", f"{tests.nginx.url}/past", *key, words=["good until 2025-06-30"], empty=False)
    # Without the key only if that was said, and it is said each time.
    open_store = tests.store()
    status, output = open_store.attempt(*add, "--insecure")
    say(status == 0 and "is insecure" in output, output)
    status, output = open_store.attempt("install", "hello")
    say(status == 0 and "is insecure" in output, output)
    store.check()


def collections(tests):
    """A name that stands for several packages, which come in one generation and then go their own ways."""
    repository = Repository(tests, "collected")
    repository.add("one", "1")
    repository.add("two", "1")
    repository.add("three", "1")
    repository.sxs("collection", "several", "one", "two", "--summary", "Several at once")
    repository.check()
    store = repository.client()
    say([(p["name"], p["packages"]) for p in store.json("search", "several")] == [("several", ["one", "two"])], "search")
    change = store.json("install", "several")
    say(change["generation"] == 1 and change["added"] == ["one 1", "two 1"], f"{change}")
    say(tests.run(store, "one") == "one 1\n" and tests.run(store, "two") == "two 1\n", "commands")
    repository.add("two", "2")
    store.sxs("upgrade")
    say([(p["name"], p["version"]) for p in store.json("list")] == [("one", "1"), ("two", "2")], "upgraded")
    # Another member; the summary stays.
    repository.sxs("collection", "several", "one", "three")
    say(store.json("info", "several")["summary"] == "Several at once", "the summary was lost")
    change = store.json("install", "r/several")
    say(change["generation"] == 3 and change["added"] == ["three 1"], f"{change}")
    # The first remote that has anything of a name counts.
    other = Repository(tests, "other-collected")
    other.add("several", "7")
    store.sxs("key", "trust", other.public, "--name", "other")
    store.sxs("remote", "add", "first", other.url, "--priority", 5)
    store.sxs("install", "several", "--profile", "p")
    say([p["name"] for p in store.json("list", "--profile", "p")] == ["several"], "a collection before a package of an earlier remote")
    # What names nothing cannot be published.
    keeper, path = repository.keeper, repository.path
    refused(keeper, "repo", "collection", path, "bad", "nothing", words=["nothing named 'nothing'"])
    refused(keeper, "repo", "collection", path, "one", "two", words=["something else named one"])
    refused(keeper, "repo", "remove", path, "three", words=["'several' names three"])
    repository.check()
    repository.sxs("remove", "several", "three")
    say(not list(path.glob("*.collection")), "a collection that was forgotten")
    repository.check()
    refused(store, "install", "r/several", words=["no package"], empty=False)
    store.check()


def searches(tests):
    """The best come first; what is known of a name is told from the store and from all remotes."""
    repository = Repository(tests, "searched")
    keeper = repository.keeper
    for name in ("hello", "jq", "tree"):
        keeper.sxs("install", tests.fixtures / f"small/{name}.oci.tar")
    repository.sxs("add", "hello", "jq", "tree")
    repository.add("jq-extras", "1")
    repository.add("my-jq", "1")
    repository.add("xjqx", "1")
    store = repository.client()
    say([p["name"] for p in store.json("search", "jq")] == ["jq", "jq-extras", "my-jq", "xjqx"],
        f"{[p['name'] for p in store.json('search', 'jq')]}")
    found = store.json("search", "JSON", "processor")
    say([p["name"] for p in found] == ["jq"] and found[0]["size"] > 10000, f"by description: {found}")
    output = store.sxs("search", "json")
    say(" MB " in output and "processor" in output, output)
    say(store.json("search", "nowhere") == [], "what is nowhere")
    say(len(store.json("search")) == 6, "all")
    # Versions of the store, of the profile and of remotes.
    store.sxs("install", "jq")
    repository.sxs("add", repository.image("jq", "99"))
    information = store.json("info", "jq")
    say([o["version"] for o in information["offered"]] == ["99", information["installed"]], f"{information}")
    say(len(information["stored"]) == 1 and "jq" in information["commands"], f"{information}")
    output = store.sxs("info", "r/jq")
    say("in remote r" in output and "in the store" not in output, output)
    refused(store, "info", "nothing", words=["no package 'nothing'"], empty=False)
    say("jq" in store.sxs("info", "jq", "--offline"), "--offline")
    # An index that is not what the listing names helps nobody, and harms nobody.
    index = repository.path / "index.json"
    index.unlink()
    index.write_text('{"format": 1}')
    other = repository.client()
    say("summary" not in other.json("search", "jq")[0], "an index that nobody signed was taken")


def bad_input(tests):
    """What cannot be published is refused with a reason, and nothing of it is there."""
    repository = Repository(tests, "bad-input")
    repository.add("hello", "1")
    before = sorted(p.name for p in repository.path.iterdir())
    keeper, path = repository.keeper, repository.path
    made = tests.directory / "bad"
    made.mkdir()
    (made / "empty-1.raw").write_bytes(b"")
    (made / "text-1.raw").write_text("hello\n")
    (made / "noversion.raw").write_bytes(_make(tests, "noversion.raw", name="noversion").read_bytes())
    (made / "norelease-1.raw").write_bytes(_make(tests, "norelease-1.raw", name="norelease", release="").read_bytes())
    (made / "archive-1.tar").write_bytes(b"\0" * 10240)
    cut = repository.image("cut", "1", size=1 << 20).read_bytes()
    (made / "cut-1.raw").write_bytes(cut[:len(cut) // 2])
    evil = _make(tests, "evil-1.raw", name="evil", release='ID=_any\nSYSEXT_VERSION_ID="../../x"\n')
    different = _make(tests, f"hello-1.{tests.arch}.raw", name="hello", text="something else",
                                 release=RELEASE.format(arch=tests.arch, version="1"))
    table = [
        (["add", path, made / "empty-1.raw"], ["empty-1.raw"]),
        (["add", path, made / "text-1.raw"], ["text-1.raw"]),
        (["add", path, made / "noversion.raw"], ["nothing says its version"]),
        (["add", path, made / "norelease-1.raw"], ["extension-release.NAME"]),
        (["add", path, made / "archive-1.tar"], ["does not end in"]),
        (["add", path, made / "cut-1.raw"], ["cut-1.raw"]),
        (["add", path, evil], ["../../x"]),
        (["add", path, different], ["something else named hello-1"]),
        (["add", path, made / "missing-1.raw"], ["missing-1.raw"]),
        (["add", path, "nothing"], ["nothing"]),
        (["add", path, repository.image("fine", "1"), made / "text-1.raw"], ["text-1.raw"]),
        (["add", path, repository.image("fine", "1"), "nothing"], ["nothing"]),
        (["add", made, repository.image("fine", "1")], ["is no repository", "repo init"]),
        (["remove", path, "nothing"], ["has nothing named"]),
        (["init", path], ["is a repository already"]),
        (["set", path, "--key", "nobody"], ["no key 'nobody'"]),
        (["set", path, "--key", made / "text-1.raw"], ["is no secret key"]),
        (["set", path, "--openpgp-key", "nobody@nowhere"], ["gpg did not sign", "--list-secret-keys"]),
        (["transfer", path, "nothing", "--url", "https://h/x"], ["has nothing named"]),
        (["transfer", path, "hello", "--url", "ftp://h/x"], ["is no place of packages"]),
        (["serve", path, "--address", "nowhere"], ["is no address"]),
        (["serve", made], ["is no repository"]),
    ]
    for arguments, words in table:
        refused(keeper, "repo", *arguments, words=words)
        say(sorted(p.name for p in path.iterdir()) == before, f"{arguments}: {sorted(p.name for p in path.iterdir())}")
        say(not [n for n in os.listdir(path / ".sxs") if n.startswith("new.")], f"{arguments}: unfinished work is left")
    repository.check()
    # A new repository that cannot be signed is none.
    refused(keeper, "repo", "init", made / "new", "--openpgp-key", "nobody@nowhere", words=["gpg did not sign"])
    say(not (made / "new/.sxs").exists(), "half a repository")
    # A key with a password, and files that say nothing.
    secret = tests.directory / "locked"
    subprocess.run(["minisign", "-G", "-p", f"{secret}.pub", "-s", f"{secret}.key"], input=b"secret\nsecret\n", check=False,
                   capture_output=True)
    if Path(f"{secret}.key").exists():
        refused(keeper, "repo", "set", path, "--key", f"{secret}.key", words=["with a password"])
    refused(keeper, "key", "trust", made / "text-1.raw", words=["no public key of minisign"])
    refused(keeper, "key", "generate", "me", words=["there is a key 'me'"])
    refused(keeper, "key", "remove", "nobody", words=["no key 'nobody'"])
    say((keeper.root / "keys/own/me.sec").stat().st_mode & 0o777 == 0o600, "who may read the secret key")
    conf = path / ".sxs/repository.conf"
    good = conf.read_text()
    for text, words in [("[Repository]\nTitel=x\n", ["'Titel' means nothing"]), ("nonsense\n", ["line 1"]),
                        ("[Repository]\nValidDays=soon\n", ["ValidDays="])]:
        conf.write_text(text)
        refused(keeper, "repo", "index", path, words=["does not describe a repository", *words])
    conf.write_text(good)
    (path / "broken.collection").write_text("[Collection]\n")
    refused(keeper, "repo", "index", path, words=["Packages= has to name"])
    (path / "broken.collection").unlink()
    # An index that was lost: the next listing is newer all the same.
    serial = json.loads((path / "index.json").read_text())["serial"]
    store = repository.client()
    listing = path / ".sxs" / os.readlink(path / ".sxs/current")
    (listing / "index.json").write_text("{")
    refused(keeper, "repo", "index", path, words=["is damaged", "hint"])
    (path / ".sxs/current").unlink()
    repository.sxs("index")
    repository.check()
    say(json.loads((path / "index.json").read_text())["serial"] > serial, "the number went back")
    store.sxs("remote", "refresh")


def kills(tests, count):
    """Writers that are killed leave a directory that can be read; those at once wait for each other."""
    repository = Repository(tests, "killed", "--valid-days", "30")
    repository.add("hello", "1")
    store = repository.client()
    store.sxs("install", "hello")
    chosen = random.Random(7)
    images = [repository.image("hello", f"2.{n}", size=2 << 20) for n in range(4)]
    lengths = []
    for image in images[:3]:
        start = time.monotonic()
        repository.sxs("add", image)
        lengths.append(time.monotonic() - start)
    # The shortest: a moment in which the machine was busy is no measure of when to kill.
    length = min(lengths)
    alive, readings, stop = [], [0], threading.Event()

    def read():
        # As a client does, over and over: the listing and its signature belong together but for the moment between two.
        while not stop.is_set():
            for attempt in range(3):
                sums, signature = tests.directory / "read-sums", tests.directory / "read-sums.minisig"
                sums.write_bytes((repository.path / "SHA256SUMS").read_bytes())
                signature.write_bytes((repository.path / "SHA256SUMS.minisig").read_bytes())
                done = subprocess.run(["minisign", "-Vq", "-p", repository.public, "-m", sums], capture_output=True, check=False)
                if done.returncode == 0:
                    break
                if attempt == 2:
                    alive.append("a listing and a signature that do not belong together, three times")
            readings[0] += 1
            time.sleep(0.05)

    reader = threading.Thread(target=read)
    reader.start()
    landed = 0
    try:
        for number in range(count):
            verb = ["add", repository.path, images[number % 4]] if number % 3 else ["remove", repository.path, f"hello@2.{(number + 1) % 4}"]
            process = subprocess.Popen(repository.keeper.command("repo", *verb), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, **repository.keeper.options())
            time.sleep(chosen.uniform(0, length * 1.2))
            landed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            names = repository.check()
            say(any(name.startswith("hello-") for name in names), f"{names}")
            if number % 8 == 0:
                store.sxs("upgrade")
    finally:
        stop.set()
        reader.join()
    say(not alive, "\n".join(alive))
    say(landed >= count // 4, f"only {landed} of {count} were killed while they worked")
    # The next writer sweeps; what a removal had begun is not brought back.
    (repository.path / ".sxs/removed").write_text("ghost-1.raw\n")
    (repository.path / "ghost-1.raw").write_bytes(repository.image("ghost", "1").read_bytes())
    repository.sxs("index")
    say("ghost-1.raw" not in repository.check() and not (repository.path / "ghost-1.raw").exists(), "a ghost")
    left = [n for n in os.listdir(repository.path / ".sxs") if n.startswith("new.") or n == "removed"]
    say(not left, f"left: {left}")
    say(len([n for n in os.listdir(repository.path / ".sxs") if n.startswith("listing-")]) <= 2, "listings are left")
    # Four at once.
    others = {f"hello@{p['version']}" for p in repository.json("list")["packages"]} - {"hello@1"}
    if others:
        repository.sxs("remove", *others)
    processes = [subprocess.Popen(repository.keeper.command("repo", "add", repository.path, image), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **repository.keeper.options())
                 for image in images]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    say([process.returncode for process in processes] == [0] * 4, "\n".join(outputs))
    names = repository.check()
    say(all(f"hello-2.{n}.{tests.arch}.raw" in names for n in range(4)), f"{names}")
    print(f"        killed {landed} of {count} while they worked ({length * 1000:.0f} ms each); read {readings[0]} times meanwhile")


def server(tests):
    """The server for trying out: whole files, ranges, versions; nothing else."""
    repository = Repository(tests, "served")
    repository.add("hello", "1", size=600_000)
    process = subprocess.Popen(repository.keeper.command("repo", "serve", repository.path, "--port", "0"), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **repository.keeper.options())
    try:
        url = process.stdout.readline().strip()
        say(re.fullmatch(r"http://127\.0\.0\.1:\d+", url), url)

        def curl(*arguments):
            return subprocess.run(["curl", "-sS", "--path-as-is", *arguments], capture_output=True, check=True).stdout

        name = f"hello-1.{tests.arch}.raw"
        whole = (repository.path / name).read_bytes()
        say(curl(f"{url}/{name}") == whole, "the whole file")
        for option, part in [("0-99", whole[:100]), ("100-", whole[100:]), ("-7", whole[-7:]),
                             (f"{len(whole) - 1}-{len(whole) * 2}", whole[-1:])]:
            say(curl("-r", option, f"{url}/{name}") == part, f"range {option}")
        status = lambda *a: curl("-o", "/dev/null", "-w", "%{http_code}", *a).decode()  # noqa: E731
        say(status("-r", f"{len(whole)}-", f"{url}/{name}") == "416", "a range past the end")
        head = curl("-I", f"{url}/{name}").decode()
        tag = re.search(r"ETag: (\S+)", head).group(1)
        say(f"Content-Length: {len(whole)}" in head and "Accept-Ranges: bytes" in head, head)
        say(status("-H", f"If-None-Match: {tag}", f"{url}/{name}") == "304", "If-None-Match")
        say(status("-H", "If-Range: \"other\"", "-r", "5-", f"{url}/{name}") == "200", "If-Range")
        say(status("-H", f"If-Range: {tag}", "-r", "5-", f"{url}/{name}") == "206", "If-Range of the same")
        # A time for which there is no number of nanoseconds.
        (repository.path / "late.txt").write_text("late")
        os.utime(repository.path / "late.txt", (15_000_000_000, 15_000_000_000))
        say("01 May 2445" in curl("-I", f"{url}/late.txt").decode(), "a file of another time")
        (repository.path / "late.txt").unlink()
        for path in ("/", "/nothing", "/.sxs/repository.conf", "/../../etc/passwd", "/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd",
                     "/.sxs%2frepository.conf", "/%zz", "/%00"):
            say(status(f"{url}{path}") == "404", f"{path} was served")
        say(status("-X", "DELETE", f"{url}/{name}") == "405" and (repository.path / name).exists(), "DELETE")
        host, port = url.removeprefix("http://").split(":")
        import socket  # Only here: what no client of HTTP sends.
        for text in (b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"\0\xff\r\n\r\n", b"GET / HTTP/1.1\r\nbroken\r\n\r\n"):
            with socket.create_connection((host, int(port)), 5) as connection:
                connection.sendall(text)
                connection.shutdown(socket.SHUT_WR)
                say(b" 400 " in connection.makefile("rb").read(), f"{text!r}")
        # One that says nothing keeps nobody waiting.
        with socket.create_connection((host, int(port)), 5):
            store = tests.store()
            store.sxs("remote", "add", "r", url, "--key", repository.public)
            store.sxs("install", "hello")
        say(tests.run(store, "hello") == "hello 1\n", "installed from it")
        refused(repository.keeper, "repo", "serve", repository.path, "--port", port, words=["listen on"])
        store.check()
    finally:
        process.kill()
        process.communicate()


def imports(tests):
    """Transfers and features of systemd-sysupdate become remotes, of which installs and upgrades come."""
    repository = Repository(tests, "transfers", "--openpgp-key", "keeper@example.org")
    repository.add("hello", "1")
    repository.add("other", "1")
    definitions = tests.directory / "definitions"
    definitions.mkdir()
    transfer = repository.sxs("transfer", "hello", "--url", repository.plain_url)
    say("Verify=yes" in transfer and f"Path={repository.plain_url}/" in transfer and "hello-@v.%a.raw" in transfer, transfer)
    (definitions / "hello.transfer").write_text(transfer)
    other = repository.sxs("transfer", "other", "--url", repository.plain_url).replace("Verify=yes", "Verify=no\nFeatures=devel extra")
    (definitions / "other.transfer").write_text(other)
    (definitions / "devel.feature").write_text("[Feature]\nDescription=x\nEnabled=false\n")
    (definitions / "root.transfer").write_text(
        "[Source]\nType=url-file\nPath=https://h/x\nMatchPattern=os_@v.root.xz\n[Target]\nType=partition\nPath=auto\nMatchPattern=os_@v\n")
    (definitions / "uki.transfer").write_text(
        "[Source]\nType=url-file\nPath=https://h/x\nMatchPattern=os_@v.efi\n[Target]\nType=regular-file\nPath=/EFI\nMatchPattern=os_@v.efi\n")
    store = tests.store()
    store.sxs("key", "trust", repository.public)
    results = {r["name"]: r for r in store.json("remote", "import-sysupdate", definitions)}
    outcomes = {name: r["outcome"] for name, r in results.items()}
    say(outcomes == {"hello": "added", "other": "passedOver", "root": "passedOver", "uki": "passedOver"}, f"{outcomes}")
    say("devel, extra" in results["other"]["reason"] and "part of the operating system" in results["root"]["reason"], f"{results}")
    store.sxs("install", "hello")
    say(tests.run(store, "hello") == "hello 1\n", "installed")
    refused(store, "install", "other", words=["no package 'other'"], empty=False)
    # A feature that is enabled, as updatectl does it; what says Verify=no is insecure, loudly.
    (definitions / "devel.feature.d").mkdir()
    (definitions / "devel.feature.d/50-enabled.conf").write_text("[Feature]\nEnabled=true\n")
    status, output = store.attempt("remote", "import-sysupdate", definitions)
    say(status == 0 and "+ other" in output and "insecure, as" in output, output)
    say({r["name"]: r["outcome"] for r in store.json("remote", "import-sysupdate", definitions)}["other"] == "unchanged", "again")
    repository.add("hello", "2", "1.5")
    store.sxs("upgrade")
    say(tests.run(store, "hello") == "hello 2\n", "upgraded")
    # Of the pattern's files only, with versions as it reads them.
    release = dict(line.rstrip("\n").replace('"', "").split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line)
    shelf = tests.directory / "www/patterns"
    shelf.mkdir()
    for name, text in [(f"tool-1.0-{release['VERSION_ID']}-{tests.arch}.raw", "1.0"), (f"tool-9.0-0-{tests.arch}.raw", "9.0")]:
        (shelf / name).write_bytes(_make(tests, name, name="tool", text=text).read_bytes())
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(shelf.iterdir())]
    (shelf / "SHA256SUMS").write_text("".join(lines))
    (definitions / "tool.transfer").write_text(
        f"[Transfer]\nVerify=false\n[Source]\nType=url-file\nPath={tests.nginx.plain_url}/%o/../patterns\nMatchPattern=tool-@v-%w-%a.raw\n"
        "[Target]\nType=regular-file\nPath=/var/lib/extensions.d\nMatchPattern=tool-@v-%w-%a.raw\nCurrentSymlink=/var/lib/extensions/tool.raw\n")
    store.sxs("remote", "import-sysupdate", definitions)
    text = (store.root / "remotes/tool.conf").read_text()
    say("%o" in text and "%w" in text and "Package=tool" in text, text)
    status, output = store.attempt("install", "tool")
    say(status == 0 and "tool 1.0" in output, output)
    # Other remotes are not touched, and bad files are said.
    (definitions / "uki.transfer").unlink()
    (store.root / "remotes/hello.conf").write_text(f"[Remote]\nKind=sysext\nLocation={repository.url}\n")
    results = {r["name"]: r for r in store.json("remote", "import-sysupdate", definitions)}
    say("another remote of this name" in results["hello"]["reason"], f"{results['hello']}")
    refused(store, "remote", "import-sysupdate", tests.directory / "made-up", words=["made-up"], empty=False)
    empty = tests.directory / "no-definitions"
    empty.mkdir()
    refused(store, "remote", "import-sysupdate", empty, words=["no transfer files"], empty=False)
    (store.root / "remotes/tool.conf").write_text(text.replace("%w", "%Q"))
    refused(store, "install", "tool", words=["%Q", "stands for nothing"], empty=False)
    (store.root / "remotes/tool.conf").write_text(text.replace("@v", ""))
    refused(store, "search", words=["Patterns="], empty=False)


def sysupdate(tests):
    """systemd-sysupdate of Debian 13 lists, verifies, installs and updates what `sxs repo` published, and refuses the rest."""
    repository = Repository(tests, "sysupdate", "--openpgp-key", "keeper@example.org")
    repository.add("hello", "1.9")
    repository.sxs("collection", "all", "hello")
    transfer = repository.sxs("transfer", "hello", "--url", repository.plain_url)
    binds = [(tests.fixtures / "gpg.dir", "/mnt/gpg"), (tests.keys.home, "/mnt/keys"), (tests.program, "/mnt/sxs")]
    program = "/usr/lib/systemd/systemd-sysupdate"
    with Host(tests.fixtures / "systemd-root", writable=True, binds=binds) as host:
        host.shell("cp -an /mnt/gpg/usr/. /usr/; mkdir -p /root /etc/systemd /etc/sysupdate.hello.d /var/lib/sysext-store "
                   "/var/lib/extensions; gpg --version >/dev/null; "
                   f"cat >/etc/sysupdate.hello.d/hello.transfer <<'END'\n{transfer}\nEND\n")
        sysupdate_of = lambda *words, **options: host.run(program, "--component=hello", *words, **options)  # noqa: E731
        # Without the key nothing is taken.
        output = sysupdate_of("update", status=None)
        say("hello-1.9" not in host.shell("ls /var/lib/sysext-store"), output)
        host.shell("mkdir -m 700 /run/gpg; gpg --homedir /run/gpg --batch --dearmor -o /etc/systemd/import-pubring.gpg "
                   "/mnt/keys/public.asc")
        output = sysupdate_of("list")
        say("1.9" in output, output)
        output = sysupdate_of("update")
        say(host.shell("readlink -f /var/lib/extensions/hello.raw").strip() == f"/var/lib/sysext-store/hello-1.9.{tests.arch}.raw", output)
        image = (repository.path / f"hello-1.9.{tests.arch}.raw").read_bytes()
        say(host.shell("sha256sum </var/lib/extensions/hello.raw").split()[0] == hashlib.sha256(image).hexdigest(),
            f"another image than the {len(image)} bytes: " + host.shell("ls -lL /var/lib/extensions/; cat /etc/systemd/import-pubring.gpg | wc -c") + output)
        repository.add("hello", "1.10")
        say("1.10" in sysupdate_of("check-new"), "check-new")
        sysupdate_of("update")
        say("hello-1.10" in host.shell("readlink /var/lib/extensions/hello.raw"), "not updated")
        # Somebody altered the listing: it is refused.
        repository.add("hello", "1.11")
        sums = repository.path / "SHA256SUMS"
        text = sums.read_text()
        sums.unlink()
        sums.write_text(text.replace("1.11", "1.12"))
        output = sysupdate_of("update", status=None)
        say("hello-1.12" not in host.shell("ls /var/lib/sysext-store"), output)
        repository.sxs("index")
        sysupdate_of("update")
        say("hello-1.11" in host.shell("readlink /var/lib/extensions/hello.raw"), "not updated after the listing was mended")
        # sxs reads that host's own definitions.
        host.shell("cp /mnt/sxs /run/sxs")
        found = json.loads(host.run("/run/sxs", "remote", "import-sysupdate", "--root", "/run/root", "--json"))
        say([(f["name"], f["outcome"], f["package"]) for f in found] == [("hello", "added", "hello")], f"{found}")
        say(host.shell("grep Patterns= /run/root/remotes/hello.conf").strip() == "Patterns=hello-@v.%a.raw", "its patterns")
        merged = host.run("systemd-sysext", "merge", status=None)
        say("hello 1.11" in host.shell("/usr/bin/hello"), merged)
        host.run("systemd-sysext", "unmerge")
