"""Checks of sxs.conf on a host: which file counts, what holds, and what that does."""

import hashlib
import json

from endtoend.hosts import CommandFailed
from endtoend.setup import expect, expect_not

IMAGES = "/var/lib/images"
# A user's home, whom the host has.
USER = 65534


def make_images(host, *packages):
    """Makes images of packages `name-version`, each with a script that says what it is."""
    for package in packages:
        name, version = package.split("-")
        host.shell(f"mkdir -p {IMAGES} /tmp/tree/usr/bin; cd /tmp/tree; printf '#!/bin/sh\\necho {name} {version}\\n' > usr/bin/{name}; "
                   f"chmod 755 usr/bin/{name}; tar -cf {IMAGES}/{package}.tar usr; rm -rf /tmp/tree")


def write(host, path, text):
    """Writes a file on the host."""
    host.shell(f"mkdir -p $(dirname {path}); cat > {path} <<'END'\n{text}\nEND\n")


def values(host, **options):
    """What `sxs config --json` shows, by key."""
    return {f"{value['section']}.{value['key']}": value for value in json.loads(host.run("sxs", "config", "--json", **options))}


def same(found, wanted):
    """Fails unless two things are equal."""
    if found != wanted:
        raise CommandFailed(f"found {found!r}, not {wanted!r}")


def walk(host):
    """Files in all directories, hidden ones, a user's own, mistakes, and what options say."""
    make_images(host, "tool-1")
    write(host, "/run/sxs/sxs.conf", "[Store]\nRoot=/var/lib/run-root")
    write(host, "/run/sxs/sxs.conf.d/50.conf", "[Images]\nMaxFiles=2\n[Fetch]\nTimeout=7")
    write(host, "/etc/sxs/sxs.conf.d/60.conf", "[Store]\nRoot=/var/lib/other")
    found = values(host)
    same([found["Store.Root"][key] for key in ("value", "file", "line")], ["/var/lib/other", "/etc/sxs/sxs.conf.d/60.conf", 2])
    same([found["Images.MaxFiles"]["value"], found["Fetch.Timeout"]["value"], found["Fetch.Attempts"]["value"]], ["2", "7", "3"])
    if "file" in found["Fetch.Attempts"]:
        raise CommandFailed("a default comes from a file")
    same(host.run("sxs", "config", "Store.Root"), "/var/lib/other\n")
    # The limit of an image, and an option that goes before it.
    refused = host.run("sxs", "install", f"{IMAGES}/tool-1.tar", status=1)
    expect(refused, "more than 2 files", "^hint: ")
    host.run("sxs", "install", f"{IMAGES}/tool-1.tar", "--max-files", "10")
    expect(host.run("sxs", "list"), r"^tool +1 ")
    host.shell("test -d /var/lib/other/store; test ! -e /var/lib/sxs; test ! -e /var/lib/run-root")
    # A link to nothing hides, also in a directory that goes before.
    host.shell("ln -s /dev/null /etc/sxs/sxs.conf.d/50.conf")
    same(values(host)["Images.MaxFiles"]["value"], "1000000")
    # A host's root is root's; a user has his own.
    home = "/run/home"
    host.shell(f"mkdir -p {home}/.config/sxs; printf '[Store]\\nProfile=mine\\n' > {home}/.config/sxs/sxs.conf; chown -R {USER}:{USER} {home}")
    own = values(host, user=USER, environment={"HOME": home})
    same([own["Store.Root"]["value"], own["Store.Profile"]["value"]], ["", "mine"])
    same(values(host)["Store.Profile"]["value"], "default")
    # A profile that is configured, and one that is named.
    write(host, "/etc/sxs/sxs.conf.d/70.conf", "[Store]\nProfile=work")
    expect(host.run("sxs", "install", f"{IMAGES}/tool-1.tar", "--name", "tool2", "--version", "1"), "^work: generation 1 is active")
    expect(host.run("sxs", "list", "--profile", "default"), "^tool +1")
    # What verbs fetch by themselves, they do not fetch where that is said.
    write(host, "/etc/sxs/sxs.conf.d/75.conf", "[Fetch]\nOffline=yes")
    write(host, "/tmp/x.yaml", "name: x\nversion: 1\npackages: http://127.0.0.1:9/x.deb\n")
    expect(host.run("sxs", "lock", "/tmp/x.yaml", status=1), "nothing may be fetched", "^hint: ")
    host.shell("rm /etc/sxs/sxs.conf.d/75.conf")
    # A mistake in one line: said by the verbs that need it, and others go on.
    write(host, "/etc/sxs/sxs.conf.d/80.conf", "[Images]\nMaxRatio=lots\nMaxFile=3\n[Retention]\nKeepDays=-1")
    expect(host.run("sxs", "list"), r"80\.conf:3 has '\[Images\] MaxFile', which means nothing", "^tool2 ")
    expect(host.run("sxs", "install", f"{IMAGES}/tool-1.tar", status=1),
           r"^sxs: /etc/sxs/sxs\.conf\.d/80\.conf:2 has MaxRatio=lots, which is not allowed$", "^hint: it may be a number from 1$")
    expect(host.run("sxs", "gc", status=1), r"80\.conf:5 has KeepDays=-1")
    expect(host.run("sxs", "config", status=1), r"80\.conf:2 has MaxRatio=lots", r"80\.conf:5 has KeepDays=-1", r"^Store\.Profile +work +/etc/sxs")
    expect(host.run("sxs", "config", "Store.Rot", status=1), "there is no key 'Store.Rot'", "^hint: ")
    host.shell("printf '\\377' > /etc/sxs/sxs.conf.d/90.conf")
    expect(host.run("sxs", "list", status=1), r"90\.conf is no configuration", "^hint: ")
    keys = json.loads(host.run("sxs", "config", "--keys", "--json"))
    if len(keys) < 10 or not all(key["summary"] and key["allowed"] for key in keys):
        raise CommandFailed(f"keys without words: {keys}")


def retention(host):
    """Generations and fetched images that stay, as the configuration says, and as the timer's unit has it."""
    make_images(host, *[f"tool-{number}" for number in range(1, 7)])
    for number in range(1, 7):
        host.run("sxs", "install", f"{IMAGES}/tool-{number}.tar")
    count = lambda: len(host.run("sxs", "generations").splitlines())  # noqa: E731
    host.run("sxs", "gc")
    same(count(), 6)
    write(host, "/etc/sxs/sxs.conf", "[Retention]\nKeepGenerations=4\nKeepDays=1")
    host.run("sxs", "gc")
    same(count(), 6)  # None is older than a day.
    write(host, "/etc/sxs/sxs.conf", "[Retention]\nKeepGenerations=4")
    expect(host.run("sxs", "gc", "--dry-run"), "^- generation 1 of profile default$", "^- generation 2 of profile default$")
    host.run("sxs", "gc", "--keep-generations", "5")
    same(count(), 5)
    host.run("sxs", "gc")
    same(count(), 4)
    # Fetched images: the cache is made as fetching makes it.
    cache = "/var/lib/sxs/cache/blobs/sha256"
    for number, text in enumerate(("old", "older", "new")):
        digest = hashlib.sha256(text.encode()).hexdigest()
        days = {"old": 5, "older": 9, "new": 0}[text]
        host.shell(f"mkdir -p {cache}/{digest[:2]}; head -c 100000 /dev/zero > {cache}/{digest[:2]}/{digest}; "
                   f"touch -d '{days} days ago' {cache}/{digest[:2]}/{digest}")
    files = lambda: int(host.shell(f"find {cache} -type f | wc -l"))  # noqa: E731
    host.run("sxs", "gc")
    same(files(), 3)
    write(host, "/etc/sxs/sxs.conf.d/cache.conf", "[Retention]\nCacheSize=150k")
    expect(host.run("sxs", "gc"), "2 fetched images")
    same(files(), 1)
    expect(host.shell(f"find {cache} -type f -newermt '1 day ago'"), "sha256")
    # The units that setup installs say what the command line does, and none is enabled.
    host.run("sxs", "setup")
    expect(host.shell("systemd-analyze verify /etc/systemd/system/sxs-clean.timer /etc/systemd/system/sxs-upgrade.timer "
                      "/etc/systemd/system/sxs-clean.service /etc/systemd/system/sxs-upgrade.service "
                      "/etc/systemd/system/sxsd.socket /etc/systemd/system/sxs-sysextmgr.socket 2>&1; echo checked"), r"\Achecked$")
    expect_not(host.shell("ls /etc/systemd/system/*.wants"), "sxs-clean", "sxs-upgrade", "sxsd", "sysextmgr")
    command = host.shell("sed -n 's/^ExecStart=//p' /etc/systemd/system/sxs-clean.service").strip()
    write(host, "/etc/sxs/sxs.conf", "[Retention]\nKeepGenerations=2")
    host.shell(command)
    same(count(), 2)


def sysextmgr(host):
    """A listing in a directory, named by sysextmgr.conf, with a filter."""
    make_images(host, "tool-1", "other-1")
    host.shell(f"cd {IMAGES}; for n in tool other; do mkdir -p t/usr/bin t/usr/lib/extension-release.d; "
               f"tar -xf $n-1.tar -C t; echo ID=_any > t/usr/lib/extension-release.d/extension-release.$n; "
               f"tar -C t -cf $n-1.x86-64.tar usr; rm -r t; done; rm tool-1.tar other-1.tar; sha256sum *.tar > SHA256SUMS")
    write(host, "/etc/sysextmgr/sysextmgr.conf",
          f"[default]\nurl={IMAGES}/\nverify_signature=true\nfilter=^(?!other-).*\\.tar$")
    host.run("sxs", "import", f"{IMAGES}/tool-1.x86-64.tar", "--name", "first", "--version", "1")
    expect(host.run("sxs", "remote", "list"), r"^sysextmgr +sysext +/var/lib/images *$")
    # A listing without a signature is not taken, until that is said.
    expect(host.run("sxs", "install", "tool", status=1), "signature")
    write(host, "/etc/sysextmgr/sysextmgr.conf.d/own.conf", "[sysextmgrd]\nverify_signature=false")
    expect(host.run("sxs", "search"), r"^tool +1 +sysextmgr *$")
    expect_not(host.run("sxs", "search"), "^other")
    expect(host.run("sxs", "install", "tool"), r"^\+ tool 1$")
    expect(host.run("sxs", "install", "other", status=1), "other")
    host.shell("mkdir -p /etc/sxs/remotes.d; ln -s /dev/null /etc/sxs/remotes.d/sysextmgr.conf")
    same(host.run("sxs", "remote", "list"), "")
