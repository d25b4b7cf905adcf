"""Remotes on real servers: nginx with TLS, a server that misbehaves, keys of GnuPG, images of mksquashfs."""

import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

from endtoend.stores import Failure, Store
from endtoend.webserver import Web
from image.oci import Layout, write_tar

# Keys are older than signatures, whatever the test's clock.
KEY_TIME = "20240101T000000"


class RemoteStore(Store):
    """A root whose commands see variables."""

    variables = {}

    def options(self):
        options = super().options()
        options["env"] = {**options["env"], **self.variables}
        return options

    def attempt_plain(self, *arguments):
        """Runs a verb whose --root is another: its exit status, and what it prints both ways."""
        options = self.options()
        options["env"]["SXS_ROOT"] = str(self.root)
        result = subprocess.run([str(self.program), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=120, check=False, **options)
        return result.returncode, result.stdout


def say(condition, text):
    """Fails with a sentence unless something holds."""
    if not condition:
        raise Failure(text)


class Keys:
    """A home of GnuPG with one signing key."""

    def __init__(self, directory, name="keeper"):
        self.home = directory
        self.home.mkdir(mode=0o700)
        self.gpg("--faked-system-time", KEY_TIME + "!", "--quick-gen-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never")
        self.public = directory / "public.asc"
        self.public.write_bytes(self.gpg("--export", "--armor"))
        self.public.chmod(0o644)
        os.chmod(directory, 0o711)

    def gpg(self, *arguments):
        """Runs gpg."""
        return subprocess.run(
            ["gpg", "--batch", "--quiet", "--no-permission-warning", "--pinentry-mode", "loopback", "--passphrase", "", *arguments],
            env={**os.environ, "GNUPGHOME": str(self.home)}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=True).stdout

    def sign(self, file, suffix=".gpg", when=None):
        """Signs a file, at some time."""
        target = file.parent / (file.name + suffix)
        target.unlink(missing_ok=True)
        armor = ["--armor"] if suffix == ".asc" else []
        clock = ["--faked-system-time", when + "!"] if when else []
        self.gpg(*clock, *armor, "--detach-sign", "--output", str(target), str(file))

    def close(self):
        """Ends the agent."""
        subprocess.run(["gpgconf", "--kill", "all"], env={**os.environ, "GNUPGHOME": str(self.home)}, check=False)


class Shelf:
    """A directory of images, as a server has it."""

    def __init__(self, tests, name, keys=None):
        self.tests, self.keys = tests, keys
        self.path = tests.directory / "www" / name
        self.path.mkdir(parents=True)
        self.url = tests.web.url + "/" + name

    def image(self, file, name="hello", text="1", release="ID=_any\n", compression=None, size=0):
        """Makes an image with one command, which prints a text."""
        tree = self.tests.directory / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "usr/bin").mkdir(parents=True)
        command = tree / "usr/bin" / name
        command.write_text(f"#!/bin/sh\necho {name} {text}\n")
        command.chmod(0o755)
        if size:
            (tree / "usr/share").mkdir()
            (tree / "usr/share/data").write_bytes(os.urandom(size))
        if release:
            folder = tree / "usr/lib/extension-release.d"
            folder.mkdir(parents=True)
            (folder / f"extension-release.{name}").write_text(release)
        target = self.path / file.removesuffix(f".{compression}")
        subprocess.run(["mksquashfs", tree, target, "-quiet", "-no-progress", "-all-root", "-comp", "zstd", "-Xcompression-level", "1"],
                       stdout=subprocess.DEVNULL, check=True)
        program = {"xz": ["xz"], "gz": ["gzip"], "zst": ["zstd", "-q", "--rm"]}.get(compression)
        if program:
            subprocess.run([*program, target], check=True)
        return self.path / file

    def sums(self, extra="", when=None, sign=True, suffix=".gpg", line="{digest}  {name}"):
        """Writes SHA256SUMS over all that is there, and signs it."""
        files = sorted(p for p in self.path.iterdir() if not p.name.startswith("SHA256SUMS"))
        text = "".join(
            line.format(digest=hashlib.sha256(p.read_bytes()).hexdigest(), name=p.name) + "\n" for p in files) + extra
        (self.path / "SHA256SUMS").write_text(text)
        if sign and self.keys:
            self.keys.sign(self.path / "SHA256SUMS", suffix, when)


def signed_shelf(tests, name, versions=("1.0",)):
    """A signed shelf with versions of hello."""
    shelf = Shelf(tests, name, tests.keys)
    for version in versions:
        shelf.image(f"hello-{version}.x86-64.raw" if tests.is_x86 else f"hello-{version}.raw", text=version)
    shelf.sums()
    return shelf


def refused(store, *arguments, words=(), empty=True, swept=True):
    """A command that has to fail with a sentence and a hint, and to leave nothing."""
    status, output = store.attempt(*arguments)
    say(status == 1, f"$ sxs {' '.join(map(str, arguments))}\nexit status {status}, not 1\n{output}")
    for word in (*words, "hint: "):
        say(word in output, f"$ sxs {' '.join(map(str, arguments))}\n'{word}' is not in\n{output}")
    say("Fatal error" not in output, output)
    if swept and (store.root / "tmp").is_dir():
        say(not store.names("tmp"), f"left in tmp: {store.names('tmp')}")
    if empty and (store.root / "store").is_dir():
        say(not [n for n in store.names("store") if n not in ("bin", "share")], "something was installed")
    return output


def repaired(store, command, place):
    """Damages a command, whose contents nothing on this machine has, and repairs it."""
    damaged = list((store.root / "store").glob(f"*/usr/bin/{command}"))
    say(damaged, "nothing to damage")
    for file in damaged:
        with open(file, "r+b") as opened:
            opened.write(b"damage")
    for blob in (store.root / "cache/blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    status, _ = store.attempt("verify")
    say(status == 1, "the damage is not seen")
    found = store.json("repair", "--dry-run")
    say(not found["lost"] and found["repaired"], f"{found}")
    output = store.sxs("repair")
    say(f"image {place}" in output, output)
    store.sxs("verify")


# MARK: the tests


def walk(tests):
    """Add, install, outdated, upgrade, roll back, over TLS from nginx."""
    shelf = Shelf(tests, "walk", tests.keys)
    shelf.image("hello-1.9.raw", text="1.9")
    shelf.image("other_2.raw.xz", name="other", text="2", compression="xz")
    shelf.sums(extra="# a comment\n\n" + hashlib.sha256(b"").hexdigest() + "  BEST-BEFORE-2199-01-01\n")
    store = tests.store()
    url = tests.nginx.url + "/walk"
    store.variables = {}
    refused(store, "remote", "add", "t", url, "--key", tests.keys.public, words=["no trusted connection", "CURL_CA_BUNDLE"])
    store.variables = {"SSL_CERT_FILE": str(tests.nginx.authority)}
    output = store.sxs("remote", "add", "t", url, "--key", tests.keys.public)
    say("2 files, signed by" in output, output)
    say([r["name"] for r in store.json("remote", "list")] == ["t"], "remote list")
    say("hello  1.9" in store.sxs("search", "ell"), "search")
    store.sxs("install", "hello", "other")
    say(tests.run(store, "hello") == "hello 1.9\n" and tests.run(store, "other") == "other 2\n", "commands")
    say("nothing is newer" in store.sxs("outdated"), "outdated before")
    shelf.image("hello-1.10.raw.zst", text="1.10", compression="zst")
    shelf.image("other_3.raw.gz", name="other", text="3", compression="gz")
    shelf.sums()
    found = {u["name"]: (u["installed"], u["available"]) for u in store.json("outdated")}
    say(found == {"hello": ("1.9", "1.10"), "other": ("2", "3")}, f"outdated: {found}")
    generation = store.json("upgrade")["generation"]
    say(generation == 2, f"two packages in one generation, not {generation}")
    say(tests.run(store, "hello") == "hello 1.10\n" and tests.run(store, "other") == "other 3\n", "upgraded commands")
    store.sxs("rollback")
    say(tests.run(store, "hello") == "hello 1.9\n", "rolled back")
    store.sxs("install", "t/hello@1.10")
    say(tests.run(store, "hello") == "hello 1.10\n", "a version of a remote")
    before = len(tests.nginx.requests())
    store.sxs("remote", "refresh")
    say([r for r in tests.nginx.requests()[before:]] == ["GET /walk/SHA256SUMS 304"], f"{tests.nginx.requests()[before:]}")
    # What was fetched goes when it was not used for some time.
    blobs = [p for p in (store.root / "cache/blobs").rglob("*") if p.is_file()]
    say(len(blobs) == 4 and store.json("gc")["fetched"] == 0, f"{blobs}")
    for blob in blobs[1:]:
        os.utime(blob, (time.time() - 15 * 86400,) * 2)
    say(store.json("gc", "--dry-run")["fetched"] == 3, "gc --dry-run")
    say(store.json("gc")["fetched"] == 3 and [p for p in blobs if p.exists()] == blobs[:1], "gc")
    repaired(store, "hello", url)
    say(tests.run(store, "hello") == "hello 1.10\n", "repaired from the server")
    store.sxs("remote", "remove", "t")
    say(not store.names("keys") and not store.names("seen"), "what is kept of a remote goes with it")
    store.check()


def holding(tests):
    """What is held is passed over unless it is named; what is pinned stays whoever names it."""
    shelf = Shelf(tests, "holding", tests.keys)

    def publish(version):
        for name in ("hello", "other"):
            shelf.image(f"{name}-{version}.raw", name=name, text=version)
        shelf.sums()

    def versions():
        return {p["name"]: (p["version"], p.get("holding")) for p in store.json("list")}

    publish("1")
    store = tests.store()
    store.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    refused(store, "hold", "hello", words=["not in profile"])
    store.sxs("install", "hello", "other")
    store.sxs("hold", "hello")
    say(store.json("hold") == [{"name": "hello"}] and store.json("pin") == [], f"{store.json('hold')}")
    say(versions() == {"hello": ("1", "held"), "other": ("1", None)}, f"{versions()}")
    publish("2")
    say({u["name"]: (u["isHeld"], u["isPinned"]) for u in store.json("outdated")} == {"hello": (True, False), "other": (False, False)},
        f"{store.json('outdated')}")
    sentence = "hello stays at 1: it is held; remote 't' has 2, 'sxs upgrade hello' takes it"
    output = store.sxs("upgrade", "--dry-run")
    say(sentence in output and "other  1  ->  2" in output, output)
    say(sentence in store.sxs("upgrade"), "what is held is passed over in silence")
    say(versions() == {"hello": ("1", "held"), "other": ("2", None)}, f"{versions()}")
    store.sxs("upgrade", "hello")
    say(versions()["hello"] == ("2", "held"), "a held package that is named is upgraded, and is held still")
    # Pinned.
    store.sxs("pin", "hello")
    say(store.json("pin") == [{"name": "hello", "version": "2"}] and store.json("hold") == [], f"{store.json('pin')}")
    publish("3")
    say("hello stays at 2: it is pinned" in store.sxs("upgrade"), "what is pinned is passed over in silence")
    for command in (["upgrade", "hello"], ["upgrade", "hello", "--dry-run"], ["install", "hello@3"]):
        refused(store, *command, words=["'hello' is pinned to version 2", "sxs unpin hello"], empty=False)
    store.sxs("install", "hello", "other")
    say(versions() == {"hello": ("2", "pinned"), "other": ("3", None)}, f"{versions()}")
    # What is pinned and not in the profile is no reason to install another version than the newest.
    store.sxs("remove", "hello")
    store.sxs("install", "hello")
    say(versions()["hello"][0] == "3", f"{versions()}")
    store.sxs("unpin", "hello")
    say(versions()["hello"][1] is None, "unpinned")
    # A name alone is what earlier versions wrote.
    (store.root / "profiles/default/pins").write_text("other\n")
    say(versions()["other"][1] == "held", f"{versions()}")
    store.sxs("unhold", "other")
    say(store.json("hold") == [], "unheld")
    store.check()


def names(tests):
    """Every form of names and lines is read."""
    shelf = Shelf(tests, "names", tests.keys)
    wanted = {
        "gdb-14.2-2.1.x86-64.raw": "14.2-2.1", "k3s-1.31.5+k3s1-29.1.x86-64.raw": "1.31.5+k3s1-29.1",
        "my-sysext-v0.1.0-1-azlinux3-x86-64.raw": "v0.1.0-1-azlinux3", "strace_6.11.raw": "6.11",
        "kubernetes-v1.29.1-x86-64.raw": "v1.29.1", "htop-3.3.0-42-x86-64.raw": "3.3.0-42",
        "vim_9.1_x86-64.raw": "9.1", "jq-1.7.sysext.raw.xz": "1.7", "tree-2~rc1-arm64.raw": None,
    }
    for file in [*wanted, "gdb-14.2-2.1.x86-64.raw.json", "readme.txt"]:
        (shelf.path / file).write_bytes(file.encode())
    store = tests.store()
    for index, line in enumerate(["{digest}  {name}", "{digest} *{name}", "SHA256 ({name}) = {digest}", "{digest}  ./{name}\r"]):
        shelf.sums(line=line, suffix=(".gpg", ".asc", ".sig")[index % 3])
        for suffix in {".gpg", ".asc", ".sig"} - {(".gpg", ".asc", ".sig")[index % 3]}:
            (shelf.path / ("SHA256SUMS" + suffix)).unlink(missing_ok=True)
        store.sxs("remote", "add", "n", shelf.url, "--key", tests.keys.public)
        found = {f["name"]: f["version"] for f in store.json("search")}
        expected = {"gdb", "k3s", "my-sysext", "strace", "kubernetes", "htop", "vim", "jq"} if tests.is_x86 else set(found)
        say(set(found) == expected, f"{line}: {found}")
        if tests.is_x86:
            versions = {v for v in wanted.values() if v}
            say(set(found.values()) == versions, f"{line}: {found}")
        store.sxs("remote", "remove", "n")


def hosts(tests):
    """What fits this host is chosen, and what does not is explained."""
    release = dict(line.split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line)
    host = release["ID"].strip().strip('"')
    shelf = Shelf(tests, "hosts", tests.keys)
    fits = f"ID={host}\n" + (f"VERSION_ID={release['VERSION_ID'].strip()}\n" if "VERSION_ID" in release else "")
    for version, text in [("1", fits), ("2", "ID=elsewhere\n")]:
        shelf.image(f"hello-{version}.raw", text=version, release=text)
    fields = {"1": {"ID": host, "VERSION_ID": release.get("VERSION_ID", "").strip().strip('"')}, "2": {"ID": "elsewhere"}}
    records = [{"image_name": f"hello-{v}.raw", "sysext": f} for v, f in fields.items()]
    (shelf.path / "hello-1.raw.json").write_text(json.dumps(records))
    (shelf.path / "hello-2.manifest.gz").write_bytes(gzip.compress(json.dumps(
        {"config": {"name": "hello", "version": "2"}, "extension": fields["2"]}).encode()))
    shelf.sums()
    store = tests.store()
    store.sxs("remote", "add", "h", shelf.url, "--key", tests.keys.public)
    store.sxs("install", "hello")
    say(tests.run(store, "hello") == "hello 1\n", "the newest that fits")
    say(not tests.web.asked("hosts/hello-2.raw"), "what does not fit was fetched")
    output = refused(store, "install", "hello@2", words=["not for this host", "ID: it is for another system"], empty=False)
    say("--any-host" in output, output)
    status, output = store.attempt_plain("explain", "h/hello")
    say(status == 1 and "elsewhere" in output and "verdict" in output, output)
    store.sxs("install", "hello@2", "--any-host")
    say(tests.run(store, "hello") == "hello 2\n", "--any-host")
    # Without metadata, the image says it itself.
    bare = Shelf(tests, "bare", tests.keys)
    bare.image("other-1.raw", name="other", release="ID=elsewhere\n")
    bare.sums()
    store = tests.store()
    store.sxs("remote", "add", "h", bare.url, "--key", tests.keys.public)
    refused(store, "install", "other", words=["not for this host"])
    status, output = store.attempt_plain("explain", "other")
    say(status == 1 and "elsewhere" in output, output)
    store.check()


def trust(tests):
    """Signatures: none, of a stranger, over another file, by an expired key; listings that are over or old."""
    shelf = signed_shelf(tests, "trust")
    store = tests.store()
    add = ["remote", "add", "t", shelf.url]
    key = ["--key", tests.keys.public]
    sums, signature = shelf.path / "SHA256SUMS", shelf.path / "SHA256SUMS.gpg"
    refused(store, *add, words=["no key to verify"])
    signature.unlink()
    refused(store, *add, *key, words=["has no signature"])
    tests.strangers.sign(sums)
    refused(store, *add, *key, words=["which is not trusted"])
    (shelf.path / "other").write_text("something else\n")
    tests.keys.sign(shelf.path / "other")
    (shelf.path / "other.gpg").rename(signature)
    (shelf.path / "other").unlink()
    refused(store, *add, *key, words=["not over this listing"])
    signature.write_text("no signature\n")
    refused(store, *add, *key, words=["not to be trusted"])
    shelf.sums(extra=hashlib.sha256(b"").hexdigest() + "  BEST-BEFORE-2025-06-30\n")
    refused(store, *add, *key, words=["good until 2025-06-30"])
    shelf.sums(when="21000101T000000")
    refused(store, *add, *key, words=["yet to come"])
    refused(store, *add, "--key", sums, words=["has no key in it"])
    # What was seen newer is not taken older, also by who asks everything anew.
    shelf.sums(when="20260201T000000")
    store.sxs(*add, *key)
    old = {p.name: p.read_bytes() for p in (sums, signature)}
    shelf.image("hello-2.raw", text="2")
    shelf.sums(when="20260301T000000")
    store.sxs("remote", "refresh")
    for name, contents in old.items():
        (shelf.path / name).write_bytes(contents)
    refused(store, "remote", "refresh", words=["2026-02-01", "2026-03-01"])
    refused(store, "install", "hello", words=["shows an old state"])
    shutil.rmtree(store.root / "cache/listings")
    refused(store, "install", "hello", words=["shows an old state"])
    shelf.sums()
    store.sxs("install", "hello")
    store.sxs("remote", "remove", "t")
    # Without signatures only if that was said, and it is said each time.
    signature.unlink()
    status, output = store.attempt(*add, "--insecure")
    say(status == 0 and "is insecure" in output, output)
    status, output = store.attempt("install", "t/hello@2")
    say(status == 0 and "is insecure" in output, output)
    store.check()


def bad_servers(tests):
    """What servers do wrong: a sentence, nothing installed, and the next run works."""
    shelf = signed_shelf(tests, "bad")
    image = next(p.name for p in shelf.path.iterdir() if p.name.endswith(".raw"))
    size = (shelf.path / image).stat().st_size
    web = tests.web
    add = ["remote", "add", "t", shelf.url, "--key", tests.keys.public, "--timeout", 1]
    install = ["install", "hello"]
    empty = hashlib.sha256(b"").hexdigest()
    many = "".join(f"{empty}  {n}\n" for n in range(150_000))
    table = [
        ({"SHA256SUMS": 404}, add, ["does not have it (404)"]),
        ({"SHA256SUMS": 401}, add, ["wants a name and password (401)", "--credentials"]),
        ({"SHA256SUMS": 403}, add, ["refuses it (403)"]),
        ({"SHA256SUMS": 500}, add, ["has a problem (500)"]),
        ({"SHA256SUMS": f"to {shelf.url}/SHA256SUMS"}, add, ["from place to place"]),
        ({"SHA256SUMS": "to file:///etc/passwd"}, add, ["another protocol"]),
        ({"SHA256SUMS": ("cut", 10)}, add, ["ends early"]),
        ({"SHA256SUMS": ("stall", 10)}, add, ["came for 1 s"]),
        ({".raw": 404}, install, ["does not have it (404)"]),
        ({".raw": 503}, install, ["has a problem (503)"]),
        ({".raw": ("cut", size // 8)}, install, ["ends early"]),
        ({".raw": "alter"}, install, ["not what the listing names", "expected", "received"]),
        ({".raw": "long"}, install, ["not what the listing names", "expected", "received"]),
        ({".raw": 401}, install, ["wants a name and password (401)"]),
        ({".raw": f"to {shelf.url}/x.raw"}, install, ["from place to place"]),
        ({".raw": "to ftp://127.0.0.1/x.raw"}, install, ["another protocol"]),
    ]
    for faults, arguments, words in table:
        store = tests.store()
        if arguments == install:
            store.sxs(*add)
        web.faults = {f"/bad/{part}" if part == "SHA256SUMS" else part: fault for part, fault in faults.items()}
        try:
            refused(store, *arguments, words=words)
        finally:
            web.faults = {}
        if arguments == add:
            say(not store.names("remotes"), f"{faults}: the remote was added")
            store.sxs(*add)
        store.sxs(*install)
        say(tests.run(store, "hello") == "hello 1.0\n", f"{faults}: not installed afterwards")
        store.check()
    # Listings that cannot be.
    store = tests.store()
    good = (shelf.path / "SHA256SUMS").read_text()
    for text, words in [
        (good + hashlib.sha256(b"").hexdigest() + "  ../../etc/passwd\n", ["line 2", "'/'"]), ("hello\n", ["line 1"]),
        (good + many, ["past the limit of 100000 files"]), (many * 7, ["longer than"]), ("<html>\n" * 9, ["line 1"]),
    ]:
        (shelf.path / "SHA256SUMS").write_text(text)
        tests.keys.sign(shelf.path / "SHA256SUMS")
        refused(store, *add, words=words)
    # A redirection from TLS to what anybody can alter.
    store.variables = {"SSL_CERT_FILE": str(tests.nginx.authority)}
    refused(store, "remote", "add", "t", tests.nginx.url + "/down", "--key", tests.keys.public, words=["another protocol"])


def bad_index(tests):
    """An index of names and descriptions that is damaged is told of; names are found all the same."""
    shelf = signed_shelf(tests, "indexed")
    index, url = shelf.path / "index.json", shelf.url + "/index.json"
    good = json.dumps({"format": 1, "serial": 1, "updated": 1, "packages": [], "collections": {}})
    add = ["remote", "add", "t", shelf.url, "--key", tests.keys.public]
    for text, words in [("{", ["no JSON"]), ("", ["no JSON"]), ('{"format": 2}', ["its format is 2", "knows 1"]),
                        ('{"format": 1}', ["has no 'serial'"]), (good.replace("[]", '[{"name": 1}]'), ["packages.[0].name", "another kind"])]:
        index.write_text(text)
        shelf.sums()
        store = tests.store()
        store.sxs(*add)
        for command in (["search", "ell"], ["info", "hello"]):
            status, output = store.attempt(*command)
            say(status == 0 and "hello" in output, output)
            for word in (*words, f"{url} is no index of a repository", "remote 't': its index cannot be used", "hint: 'sxs repo index"):
                say(word in output, f"'{word}' is not in\n{output}")
    for fault, words in [("alter", ["not what the listing names"]), (404, ["404"]), (500, ["has a problem (500)"]), (("cut", 9), ["ends early"])]:
        index.write_text(good)
        shelf.sums()
        store = tests.store()
        store.sxs(*add)
        tests.web.faults = {"/indexed/index.json": fault}
        status, output = store.attempt("search", "ell")
        tests.web.faults = {}
        for word in (*words, "its index cannot be used", "hello"):
            say(status == 0 and word in output, f"'{word}' is not in\n{output}")
        say("index" not in store.attempt("search", "ell")[1], "it is still told of")
    # A copy in the cache that was damaged is fetched anew.
    kept = store.root / "cache/listings/t/metadata" / hashlib.sha256(good.encode()).hexdigest()
    kept = kept if kept.exists() else next(p for p in kept.parent.iterdir() if p.read_text() == good)
    kept.write_text("{")
    say("index" not in store.attempt("search", "ell")[1] and kept.read_text() == good, "a damaged copy was taken")
    kept.write_text("{")
    status, output = store.attempt("search", "ell", "--offline")
    say(status == 0 and "nothing may be fetched" in output and "hello" in output, output)


def mirrors(tests):
    """Failing places are passed over, those that fail for a moment asked again."""
    shelf = signed_shelf(tests, "mirrors")
    for name in ("one", "two"):
        shutil.copytree(shelf.path, tests.directory / "www" / name)
    store = tests.store()
    store.sxs("remote", "add", "t", tests.web.url + "/none", "--mirror", tests.web.url + "/one", "--mirror",
              tests.web.url + "/two", "--key", tests.keys.public)
    tests.web.faults = {"/one/hello": "alter"}
    store.sxs("install", "hello")
    say(tests.run(store, "hello") == "hello 1.0\n", "from the second mirror")
    # Those that are cut off, stall, or are not there at all.
    for fault in (("cut", 100), ("stall", 100), 503, 404):
        tests.web.faults = {"/one/hello": fault, "/one/SHA256SUMS": fault}
        other = tests.store()
        other.sxs("remote", "add", "t", "http://127.0.0.1:1/none", "--mirror", tests.web.url + "/one", "--mirror", tests.web.url + "/two",
                  "--key", tests.keys.public, "--timeout", 1)
        other.sxs("install", "hello")
        say(tests.run(other, "hello") == "hello 1.0\n", f"from the second mirror: {fault}")
    tests.web.faults = {"hello": 503}
    other = tests.store()
    other.sxs("remote", "add", "t", tests.web.url + "/none", "--mirror", tests.web.url + "/one", "--mirror", tests.web.url + "/two",
              "--key", tests.keys.public)
    refused(other, "install", "hello", words=["(503)", "2 other places failed, too"])
    tests.web.faults = {}
    refused(tests.store(), "remote", "add", "d", shelf.path, "--kind", "directory", "--mirror", shelf.url, words=["Mirrors", "read as it is"])
    # Twice an error, then right.
    count = [0]

    def sometimes(_):
        count[0] += 1
        return 503 if count[0] <= 2 else None

    tests.web.faults = {"/mirrors/SHA256SUMS": sometimes}
    other = tests.store()
    other.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    tests.web.faults = {}
    say(count[0] >= 3, "it was not asked again")
    # A server that is gone, and --offline, leave what is known.
    (shelf.path / "SHA256SUMS").rename(shelf.path / "gone")
    tests.web.faults = {"/mirrors/": 503}
    status, output = other.attempt("search")
    say(status == 0 and "last known listing" in output and "hello" in output, output)
    tests.web.faults = {}
    say("hello" in other.sxs("search", "--offline"), "--offline")
    refused(other, "install", "hello", "--offline", words=["nothing may be fetched"])
    refused(tests.store(), "install", "hello", "--offline", words=["no remote is configured"])


def resume(tests):
    """A transfer that was killed goes on where it stood; two at once share one."""
    shelf = Shelf(tests, "resume", tests.keys)
    image = shelf.image("hello-1.raw", size=3 << 20)
    shelf.sums()
    store = tests.store()
    store.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    partial = store.root / "cache/partial" / hashlib.sha256(image.read_bytes()).hexdigest()

    def killed():
        tests.web.faults = {".raw": ("slow", 32 << 10)}
        process = subprocess.Popen(store.command("install", "hello"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, **store.options())
        deadline = time.monotonic() + 20
        while not (partial.exists() and partial.stat().st_size > 256 << 10):
            say(time.monotonic() < deadline and process.poll() is None, "nothing is fetched")
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        tests.web.faults = {}
        return partial.stat().st_size

    size = killed()
    store.sxs("install", "hello")
    say(tests.web.asked("hello-1.raw")[-1] == (206, size), f"{tests.web.asked('hello-1.raw')}, killed at {size}")
    say(tests.run(store, "hello") == "hello 1\n", "resumed")
    store.check()
    # What a crash left half-written is found out by its digest, and is fetched anew.
    store = tests.store()
    store.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    partial = store.root / "cache/partial" / partial.name
    killed()
    with open(partial, "r+b") as file:
        file.write(b"\0" * 4096)
    store.sxs("install", "hello")
    say(tests.web.asked("hello-1.raw")[-1] == (200, 0), f"{tests.web.asked('hello-1.raw')}")
    say(tests.run(store, "hello") == "hello 1\n", "all of it anew")
    # Another version of the file under its name: all of it anew.
    store = tests.store()
    store.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    partial = store.root / "cache/partial" / partial.name
    killed()
    (store.root / "cache/partial" / (partial.name + ".validator")).write_text('"another"')
    store.sxs("install", "hello")
    say(tests.web.asked("hello-1.raw")[-1] == (200, 0), "the rest of another version was taken")
    # Two at once.
    store = tests.store()
    store.sxs("remote", "add", "t", shelf.url, "--key", tests.keys.public)
    before = len(tests.web.asked("hello-1.raw"))
    tests.web.faults = {".raw": ("slow", 256 << 10)}
    both = [subprocess.Popen([*store.command("install", "hello"), "--profile", p], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **store.options()) for p in ("a", "b")]
    outputs = [p.communicate(timeout=60)[0] for p in both]
    tests.web.faults = {}
    say([p.returncode for p in both] == [0, 0], "\n".join(outputs))
    say(len(tests.web.asked("hello-1.raw")) == before + 1, "it was fetched twice")
    store.check()


def bounded(tests):
    """However long an image is, sxs needs no more memory."""
    shelf = Shelf(tests, "large", tests.keys)
    with open(tests.nginx.directory / "large/hello-1.raw", "wb") as file:
        file.truncate(300 << 20)
    (shelf.path / "SHA256SUMS").write_text("0" * 64 + "  hello-1.raw\n")
    tests.keys.sign(shelf.path / "SHA256SUMS")
    store = tests.store()
    store.variables = {"SSL_CERT_FILE": str(tests.nginx.authority)}
    store.sxs("remote", "add", "t", tests.nginx.url + "/large", "--key", tests.keys.public)
    process = subprocess.Popen(store.command("install", "hello"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, **store.options())
    # Not what wait4(2) says: that has this program's own memory in it, from before the other was executed.
    most = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
                most = max([most] + [int(line.split()[1]) for line in status if line.startswith("VmHWM:")])
        except ProcessLookupError:
            break
        time.sleep(0.02)
    output = process.communicate()[0]
    say("not what the listing names" in output, output)
    say(0 < most < 64 << 10, f"{most} KiB for 300 MiB")


def credentials(tests):
    """Names and passwords come from a file, and are on no command line."""
    shelf = signed_shelf(tests, "closed")
    tests.web.faults = {"/closed/": lambda r: None if r.headers.get("Authorization") == "Basic bWU6czNjcjN0" else 401}
    store = tests.store()
    netrc = tests.directory / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cr3t\n")
    netrc.chmod(0o644)
    add = ["remote", "add", "t", shelf.url, "--key", tests.keys.public]
    refused(store, *add, words=["(401)"])
    refused(store, "remote", "add", "t", "http://me:s3cr3t@127.0.0.1/", words=["everybody could read", "--credentials"])
    store.sxs(*add, "--credentials", netrc)
    store.sxs("install", "hello")
    tests.web.faults = {}


def catalogs(tests):
    """One file says what names mean; of two remotes with a name the first counts."""
    one = signed_shelf(tests, "first", ["1.0", "1.1"])
    two = signed_shelf(tests, "second", ["7"])
    image = next(p for p in two.path.iterdir() if p.name.endswith(".raw"))
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    catalog = tests.directory / "www/fleet.conf"
    catalog.write_text(
        f"[greeter]\nRemote=one\nPackage=hello\nVersion=1.0\n\n[pinned]\nFile={two.url}/{image.name}\nDigest={digest}\n"
        f"\n[direct]\nRemote={two.url}\nPackage=hello\n")
    tests.keys.sign(catalog)
    store = tests.store()
    key = ["--key", tests.keys.public]
    store.sxs("remote", "add", "one", one.url, *key)
    store.sxs("remote", "add", "fleet", tests.web.url + "/fleet.conf", *key, "--priority", 5)
    store.sxs("install", "greeter", "--expose", "hello")
    say(tests.run(store, "hello") == "hello 1.0\n", "a version of another remote")
    store.sxs("remove", "greeter")
    store.sxs("install", "pinned", "--expose", "hello")
    say(tests.run(store, "hello") == "hello 7\n", "a file of a digest")
    store.sxs("remove", "pinned")
    store.sxs("install", "direct", "--expose", "hello")
    say(tests.run(store, "hello") == "hello 7\n", "a store of its own")
    store.sxs("remove", "direct")
    store.sxs("remote", "add", "two", two.url, *key, "--priority=-1")
    status, output = store.attempt("install", "hello")
    say(status == 0 and "is in remote 'one' and in 'two'" in output, output)
    say(tests.run(store, "hello") == "hello 1.1\n", "priority before version")
    (tests.directory / "www/fleet.conf").write_text("[x]\nVersion=1\n")
    refused(store, "install", "x", words=["not over this listing"], empty=False)
    store.check()


def directories(tests):
    """A signed store in a directory needs no server, and a plain directory no listing."""
    shelf = signed_shelf(tests, "plain", ["1"])
    store = tests.store()
    store.sxs("remote", "add", "signed", shelf.path, "--key", tests.keys.public)
    say(store.json("remote", "show", "signed")["remote"]["kind"] == "sysext", "the kind of a signed directory")
    store.sxs("install", "hello", "--offline")
    store.sxs("remote", "remove", "signed")
    store.sxs("remote", "add", "plain", shelf.path, "--kind", "directory")
    store.sxs("install", "hello")
    refused(store, "remote", "add", "plain", shelf.path, words=["already"], empty=False)
    refused(store, "remote", "remove", "nothing", words=["no remote named nothing"], empty=False)
    refused(store, "install", "plain/nothing", words=["no package"], empty=False)
    store.check()


def registry(tests):
    """A registry with TLS and passwords, filled by skopeo: tags are versions, layers are fetched once."""
    server = tests.registry()
    archive = tests.fixtures / "small/hello.oci.tar"
    for tag in ("1.9", "1.10", "1.11-rc1", "latest", "nightly"):
        server.push(archive, f"team/hello:{tag}")
    store = tests.store()
    store.variables = {"SSL_CERT_FILE": str(tests.nginx.authority)}
    store.sxs("remote", "add", "r", f"docker://{server.host}/team")
    say(store.json("remote", "list")[0]["kind"] == "oci", "docker:// is a registry")
    refused(store, "install", "r/hello", words=["(401)", "podman login"])
    store.variables["REGISTRY_AUTH_FILE"] = str(server.credentials)
    refused(store, "install", "nothing", words=["no package 'nothing'"])
    refused(store, "install", "hello@2", words=["no package 'hello@2'"])
    store.sxs("install", "hello")
    say([p["version"] for p in store.json("list")] == ["1.10"], f"{store.json('list')}")
    say("hello" in tests.run(store, "hello").lower(), "the program runs")
    status, output = store.attempt_plain("explain", "r/hello")
    say(status == 1 and "does not merge" in output, output)
    blobs = sum(" /v2/team/hello/blobs/" in line for line in server.requests())
    say(blobs > 1, "layers were fetched")
    store.sxs("install", "hello@1.10", "--profile", "other")
    server.push(archive, "team/hello:1.12")
    say([(u["installed"], u["available"]) for u in store.json("outdated")] == [("1.10", "1.12")], "outdated")
    store.sxs("upgrade")
    say([p["version"] for p in store.json("list")] == ["1.12"], "upgraded")
    say(sum(" /v2/team/hello/blobs/" in line for line in server.requests()) == blobs, "layers were fetched again")
    repaired(store, "hello", f"docker://{server.host}/team/hello")
    store.check()


def bad_registries(tests):
    """Tokens, and registries that lie."""
    layout = tests.directory / "layout"
    subprocess.run(["skopeo", "copy", "--quiet", f"oci-archive:{tests.fixtures}/small/hello.oci.tar", f"oci:{layout}:x"], check=True)
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    blobs = layout / "blobs/sha256"
    manifest = (blobs / digest[7:]).read_bytes()
    top = tests.directory / "www/v2"
    place = top / "app/hello"
    for name in ("tags", "manifests", "blobs"):
        (place / name).mkdir(parents=True)
    (top / "index").write_text("{}")
    (place / "tags/list").write_text(json.dumps({"name": "app/hello", "tags": ["1.0"]}))
    (place / "manifests/1.0").write_bytes(manifest)
    for blob in blobs.iterdir():
        shutil.copy(blob, place / "blobs" / f"sha256:{blob.name}")
    (tests.directory / "www/token").write_text(json.dumps({"token": "letmein"}))
    web = tests.web
    add = ["remote", "add", "r", web.url + "/app", "--kind", "oci"]
    store = tests.store()
    refused(store, *add, words=["without TLS", "--insecure"])
    add.append("--insecure")
    web.challenge = f'Bearer realm="{web.url}/token",service="test",scope="repository:app/hello:pull"'
    web.faults = {"/v2/": lambda r: None if r.headers.get("Authorization") == "Bearer letmein" else 401}
    store.sxs(*add)
    store.sxs("install", "hello")
    say(any(path == "/token" for path, _, _ in web.log), "no token was asked for")
    store.check()
    layer = json.loads(manifest)["layers"][0]
    lying, more = json.loads(manifest), json.loads(manifest)
    lying["layers"][0]["size"] = layer["size"] // 2
    more["layers"][0]["size"] = layer["size"] * 2
    cases = [
        ({f"blobs/{layer['digest']}": "alter"}, manifest, ["not what the listing names"]),
        ({}, json.dumps(lying).encode(), ["is longer than the", "that its manifest says"]),
        ({}, json.dumps(more).encode(), ["bytes, and its manifest says"]),
        ({}, b"[]", ["no sensible answer"]),
        ({}, json.dumps({"manifests": [{"digest": "md5:1", "size": 1, "platform": {"os": "linux", "architecture": "none"}}]}).encode(),
         ["has nothing for", "linux/none"]),
        ({"tags/list": 500}, manifest, ["has a problem (500)"]),
        ({"/blobs/": 404}, manifest, ["404"]),
    ]
    for faults, body, words in cases:
        store = tests.store()
        web.faults = {}
        store.sxs(*add)
        (place / "manifests/1.0").write_bytes(body)
        web.faults = faults
        refused(store, "install", "r/hello", words=words)
    web.faults = {}
    (place / "manifests/1.0").write_bytes(manifest)
    store.sxs("install", "hello")
    store.check()


def make_small_image(tree, layout, archive):
    """An OCI image of a script and some bytes, as a layout and in one file."""
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/share").mkdir()
    (tree / "usr/bin/hello").write_text("#!/bin/sh\necho hello\n")
    (tree / "usr/bin/hello").chmod(0o755)
    (tree / "usr/share/data").write_bytes(os.urandom(1 << 18))
    made = Layout(str(layout))
    write_tar(str(tree), f"{layout}.layer", 1_700_000_000)
    layers = [made.layer(f"{layout}.layer", "gzip")]
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    made.image(layers, "hello", "1.0", "A script", architecture, 1_700_000_000, "/usr/bin/hello")
    made.archive(archive)


def registry_mirrors(tests):
    """A registry that fails, and another one that has the same: docker-registry with TLS and a password."""
    mirror = tests.registry("mirror")
    layout, archive = tests.directory / "mirrored", tests.directory / "mirrored.tar"
    make_small_image(tests.directory / "small", layout, archive)
    mirror.push(archive, "copies/hello:1.0")
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads((layout / "blobs/sha256" / digest[7:]).read_text())
    layer = max(manifest["layers"], key=lambda part: part["size"])
    place = tests.directory / "www/v2/main/hello"
    for name in ("tags", "manifests", "blobs"):
        (place / name).mkdir(parents=True)
    (tests.directory / "www/v2/index").write_text("{}")
    (place / "tags/list").write_text(json.dumps({"tags": ["1.0"]}))
    shutil.copy(layout / "blobs/sha256" / digest[7:], place / "manifests/1.0")
    for blob in (layout / "blobs/sha256").iterdir():
        shutil.copy(blob, place / "blobs" / f"sha256:{blob.name}")
    add = ["remote", "add", "r", tests.web.url + "/main", "--kind", "oci", "--insecure", "--mirror", f"docker://{mirror.host}/copies",
           "--timeout", 1]

    def client():
        store = tests.store()
        store.variables = {"SSL_CERT_FILE": str(tests.nginx.authority), "REGISTRY_AUTH_FILE": str(mirror.credentials)}
        return store

    half = layer["size"] // 2
    for faults in ({"/v2/": 503}, {"/v2/main": ("stall", 5)}, {"tags/list": 500}, {"/manifests/": ("cut", 5)}, {"/blobs/": 404},
                   {f"blobs/{layer['digest']}": "alter"}, {f"blobs/{layer['digest']}": ("cut", half)}, {"/blobs/": ("stall", half)},
                   {"/v2/main": f"to {tests.web.url}/v2/main/loop"}):
        store = client()
        tests.web.faults = {} if "/v2/" in faults else faults
        store.sxs(*add)
        tests.web.faults = faults
        asked = len(mirror.requests())
        store.sxs("install", "hello")
        tests.web.faults = {}
        say("hello" in tests.run(store, "hello").lower(), f"{faults}: the program runs")
        answers = [line for line in mirror.requests()[asked:] if " 200 " in line or " 206 " in line]
        say(answers, f"{faults}: the mirror was not asked")
        if faults == {f"blobs/{layer['digest']}": ("cut", half)}:
            say(any(" 206 " in line and layer["digest"] in line for line in answers), f"the rest was not gone on with: {answers}")
        store.check()
    # One that does not answer is not waited for with each part.
    store = client()
    store.sxs(*add)
    tests.web.faults = {"/v2/main": ("stall", 5)}
    before = len(tests.web.log)
    store.sxs("install", "hello")
    say(len(tests.web.log) - before == 1, f"asked {len(tests.web.log) - before} times")
    # Without the mirror's password, both reasons count.
    store = client()
    tests.web.faults = {}
    store.sxs(*add)
    tests.web.faults = {"/v2/main": 503}
    del store.variables["REGISTRY_AUTH_FILE"]
    refused(store, "install", "r/hello", words=["has a problem (503)", "1 other place failed, too"])
    # What the registry itself does not have, no mirror brings in its place.
    tests.web.faults = {"tags/list": 404}
    store.variables["REGISTRY_AUTH_FILE"] = str(mirror.credentials)
    refused(store, "install", "r/hello", words=["no package 'r/hello'"])
    tests.web.faults = {}
    refused(client(), "remote", "add", "r", f"docker://{mirror.host}/copies", "--mirror", tests.web.url + "/main", words=["without TLS"])


def of_host(tests):
    """Remotes of the host, what hides them, and a host without curl."""
    shelf = signed_shelf(tests, "host")
    store = tests.store()
    place = tests.overlay("/etc/sxs/remotes.d")
    (place / "fleet.conf").write_text(f"[Remote]\nKind=sysext\nLocation={shelf.url}\nKeyring={tests.keys.public}\n")
    store.sxs("install", "hello")
    refused(store, "remote", "remove", "fleet", words=["is the host's"], empty=False)
    (place / "fleet.conf").write_text("[Remote]\nKnd=sysext\n")
    refused(store, "install", "hello", words=["fleet.conf", "Knd"], empty=False)
    (store.root / "remotes/fleet.conf").write_text("")
    say(not store.json("remote", "list"), "an empty file hides the host's")
    (place / "fleet.conf").unlink()
    tests.hide("/usr/bin/curl")
    refused(tests.store(), "remote", "add", "t", shelf.url, "--key", tests.keys.public, words=["'curl'", "install curl"])
    tests.hide("/usr/bin/gpgv")
    directory = signed_shelf(tests, "sequoia")
    other = tests.store()
    other.sxs("remote", "add", "t", directory.path, "--key", tests.keys.public)
    for suffix in (".gpg", ".asc"):
        (directory.path / "SHA256SUMS.gpg").unlink(missing_ok=True)
        directory.sums(when="20260201T000000", suffix=suffix, extra=f"# {suffix}\n")
        refused(other, "remote", "refresh", words=["2026-02-01", "shows an old state"])
        (directory.path / f"SHA256SUMS{suffix}").unlink()
    tests.strangers.sign(directory.path / "SHA256SUMS")
    refused(other, "remote", "refresh", words=["not to be trusted"])
    tests.hide("/usr/bin/sqv")
    refused(tests.store(), "remote", "add", "t", directory.path, "--key", tests.keys.public, words=["'gpgv' or 'sqv'"])
