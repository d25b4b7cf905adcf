"""Checks of `sxs adopt` on hosts with the real systemd-sysext."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from endtoend.hosts import CommandFailed
from endtoend.setup import expect, expect_not, finding_codes

ANCHOR = "999999999999999-sxs-anchor"
DIRECTORIES = "/etc/extensions /var/lib/extensions /var/lib/sysext-store"
# What is in systemd's directories, and what sxs put away: kinds, modes, targets, times of files, contents.
STATE = (f"find {DIRECTORIES} /var/lib/sxs/extensions /var/lib/sxs/quarantine /var/lib/sxs/adopted "
         "'(' -type f -printf '%p %y %m %U %T@ ' -exec sha256sum '{}' ';' ')' "
         "-o -printf '%p %y %m %U %l\\n' 2>/dev/null | sort; true")
MERGED = "cat /usr/.systemd-sysext/extensions"
UNIT = "systemd-tmpfiles-clean.timer"
RULE = "usr/lib/udev/rules.d/99-radio.rules"


def _release(top, name, text="ID=_any\n"):
    """Makes a tree an extension."""
    place = top / "usr/lib/extension-release.d"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"extension-release.{name}").write_text(text)


def _pack(top, image):
    """Packs a tree as those do who have no sxs."""
    subprocess.run(["mksquashfs", top, image, "-all-root", "-noappend", "-quiet", "-no-progress", "-comp", "zstd",
                    "-Xcompression-level", "3"], check=True, stdout=subprocess.DEVNULL)


def _unpack(archives, top, *packages):
    """Unpacks Debian packages, without what is not below /usr."""
    for package in packages:
        archive = max(archives.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        subprocess.run(["dpkg-deb", "--extract", archive, top], check=True)
    for directory in top.iterdir():
        if directory.name != "usr":
            shutil.rmtree(directory)


def make_images(directory, archives):
    """Makes what the hosts get: programs of Debian with their libraries, and what is no program."""
    def tree(name):
        top = directory / "trees" / name
        top.mkdir(parents=True)
        return top

    jq = tree("jq")
    _unpack(archives, jq, "jq", "libjq1", "libonig5")
    _release(jq, "jq", "ID=_any\nSYSEXT_VERSION_ID=1.6\n")
    _pack(jq, directory / "jq.raw")
    program = tree("tree")
    _unpack(archives, program, "tree")
    _release(program, "tree")
    os.rename(program, directory / "tree")
    radio = tree("radio")
    for path, text in ((RULE, "# a rule\n"), ("usr/lib/firmware/radio.bin", "firmware")):
        (radio / path).parent.mkdir(parents=True)
        (radio / path).write_text(text)
    _release(radio, "radio")
    _pack(radio, directory / "radio.raw")
    # A library for programs of the host, and none of its own.
    extra = tree("extra")
    library, = (jq / "usr/lib").glob("*/libonig.so.5.*")
    (extra / library.parent.relative_to(jq)).mkdir(parents=True)
    shutil.copy2(library, extra / library.relative_to(jq))
    _release(extra, "extra")
    os.rename(extra, directory / "extra")
    # A program, and a unit in place of the host's: seen although it is merged.
    clean = tree("clean")
    for path, text in (("usr/bin/clean-it", "#!/bin/sh\n"), (f"usr/lib/systemd/system/{UNIT}", "[Timer]\nOnBootSec=1h\n")):
        (clean / path).parent.mkdir(parents=True)
        (clean / path).write_text(text)
        (clean / path).chmod(0o755)
    _release(clean, "clean")
    os.rename(clean, directory / "clean")
    for version in ("2.9", "2.10"):
        hello = tree(f"hello-{version}")
        _unpack(archives, hello, "hello")
        shutil.rmtree(hello / "usr/share")
        (hello / f"usr/lib/hello-{version}").mkdir(parents=True)
        _release(hello, "hello")
        _pack(hello, directory / f"hello-{version}.x86-64.raw")
    (directory / "broken.raw").write_bytes((directory / "jq.raw").read_bytes()[:100_000])
    forbidden = tree("forbidden")
    _release(forbidden, "forbidden")
    (forbidden / "usr/lib/os-release").write_text("ID=other\n")
    os.rename(forbidden, directory / "forbidden")


def furnish(host, images):
    """A host with extensions of every kind, set up and merged; then two more come that would block a merge."""
    host.shell(f"""
mkdir -p {DIRECTORIES} /etc/sysupdate.hello.d
cp --no-preserve=timestamps {images}/jq.raw {images}/radio.raw /var/lib/extensions/
cp -R {images}/tree {images}/extra {images}/clean /var/lib/extensions/
cp {images}/hello-*.raw /var/lib/sysext-store/
ln -s ../../var/lib/sysext-store/hello-2.10.x86-64.raw /etc/extensions/hello.raw
printf '[Source]\\nType=url-file\\nPath=https://x/\\nMatchPattern=hello-@v.%%a.raw\\n[Target]\\nType=regular-file
Path=/var/lib/sysext-store\\nMatchPattern=hello-@v.%%a.raw\\nCurrentSymlink=/etc/extensions/hello.raw\\n' > /etc/sysupdate.hello.d/hello.transfer
""")
    host.run("sxs", "setup")
    if sorted(host.shell(MERGED).split()) != sorted(["clean", "extra", "hello", "jq", "radio", "tree", ANCHOR]):
        raise CommandFailed("not everything is merged:\n" + host.run("systemd-sysext", "status"))
    host.shell(f"cp {images}/broken.raw /var/lib/extensions/; cp -R {images}/forbidden /var/lib/extensions/")


def fates(host, *arguments):
    """What becomes of which extension, by its path."""
    report = json.loads(host.run("sxs", "adopt", "--json", *arguments))
    for item in report["extensions"]:
        if item["fate"] not in ("taken", "available") and not item["reasons"]:
            raise CommandFailed(f"no reason: {item}")
    return {item["path"]: item["fate"] for item in report["extensions"]}


def expect_same(before, after, what):
    """Fails if two texts have different lines."""
    if before != after:
        old, new = before.splitlines(), after.splitlines()
        raise CommandFailed(f"{what}:\n" + "\n".join(
            ["- " + line for line in old if line not in new] + ["+ " + line for line in new if line not in old]))


def expect_run(host, directory):
    """Runs the programs of extensions from a directory."""
    for line, wanted in (("{}hello", "Hello, world!"), ("echo '[40,2]' | {}jq add", "42"), ("{}tree --version", "tree v")):
        expect(host.show(line.replace("{}", directory)), wanted)


def walk(host, images):
    """Taken over while merged, used, merged anew, removed, rolled back, and given back."""
    furnish(host, images)
    before, merged = host.shell(STATE), host.shell(MERGED)
    wanted = {"/var/lib/extensions/jq.raw": "taken", "/var/lib/extensions/tree": "taken", "/etc/extensions/hello.raw": "taken",
              "/var/lib/extensions/radio.raw": "kept", "/var/lib/extensions/extra": "kept", "/var/lib/extensions/clean": "kept",
              "/var/lib/extensions/broken.raw": "quarantined", "/var/lib/extensions/forbidden": "quarantined",
              "/var/lib/sysext-store/hello-2.9.x86-64.raw": "available"}
    found = fates(host, "--dry-run")
    if found != wanted:
        raise CommandFailed(f"{found}")
    expect_same(before, host.shell(STATE), "--dry-run changed something")
    text = host.show("sxs adopt")
    expect(text, r"^kept +radio .*\n    usr/lib/firmware/radio.bin: the kernel loads firmware from there$",
           r"^    usr/lib/udev/rules.d/99-radio.rules: udev reads it$", r"libonig.so.5\S*: no program of the extension needs",
           rf"usr/lib/systemd/system/{UNIT}: it takes the place of the host's unit", r"^taken +jq +1.6 ",
           r"^taken +hello +2.10 ", r"usr/lib/os-release in the image: it would hide the host's",
           "sysupdate goes on by /etc/sysupdate.hello.d/hello.transfer", "^default: generation 1 is active$",
           "^merged as before until .*: hello, jq, tree$")

    # What was merged is, the same files in the same places; and there is the store.
    expect_same(merged, host.shell(MERGED), "the merge changed")
    expect_run(host, "/usr/bin/")
    expect_run(host, "/usr/store/bin/")
    host.shell(f"test -s /{RULE}; test -s /usr/lib/firmware/radio.bin; ls /usr/lib/*/libonig.so.5.*")
    expect(host.show("sxs doctor"), "^note: in quarantine: broken.raw, forbidden$", "^note: merged extensions are not yet")
    expect_not(" ".join(finding_codes(host, status=0)), "error:", "warning:")
    expect(host.run("cat", "/var/lib/sxs/quarantine/broken.raw.reason"), "^/var/lib/extensions/broken.raw$", "truncated")
    expect(host.show("sxs list"), "^extra +", "^radio +0 +/var/lib/sxs/extensions/[0-9a-f]{64}-radio.raw$", "^jq +1.6 +/usr/store/")
    after = host.shell(STATE)
    expect(host.run("sxs", "adopt"), "available +hello")
    expect_same(after, host.shell(STATE), "taken over twice, it is not the same")

    # By systemd alone: only what is kept is merged, and nothing blocks.
    host.show("systemd-sysext refresh")
    if sorted(host.shell(MERGED).split()) != sorted(["clean", "extra", "radio", ANCHOR]):
        raise CommandFailed(host.run("systemd-sysext", "status"))
    host.shell(f"test -s /{RULE}; test -s /usr/lib/firmware/radio.bin; ls /usr/lib/*/libonig.so.5.*")
    expect_run(host, "/usr/store/bin/")
    if "note:merge-pending" in finding_codes(host, status=0):
        raise CommandFailed("doctor does not see that all is merged")

    # Per generation.
    expect(host.show("sxs remove radio"), "^- radio 0$", "radio goes when extensions are merged next")
    host.shell(f"test -e /{RULE}")
    if "note:merge-pending" not in finding_codes(host, status=0):
        raise CommandFailed("doctor does not see what is to be merged")
    host.show("systemd-sysext refresh")
    host.shell(f"test ! -e /{RULE}")
    expect(host.show("sxs diff"), r"^- radio 0 \(merged\)$")
    host.show("sxs rollback --refresh")
    host.shell(f"test -s /{RULE}")
    host.show("sxs switch 2 --refresh")
    host.shell(f"test ! -e /{RULE}")
    # Not where others would come in or go with it.
    host.shell("mkdir -p /var/lib/extensions/other/usr/lib/extension-release.d; "
               "echo ID=_any > /var/lib/extensions/other/usr/lib/extension-release.d/extension-release.other")
    expect(host.show("sxs rollback --refresh", status=1), "other comes in", "^hint: nothing was changed")
    expect(host.show("sxs generations"), r"^\* 2 ")
    host.shell("rm -r /var/lib/extensions/other")
    host.show("sxs rollback --refresh")
    # The unit that adopts exported extensions passes over them all.
    host.run("sxs", "import", "--extensions")

    text = host.show("sxs adopt --undo")
    expect(text, r"^\+ /var/lib/extensions/radio.raw$", "^packages stay: hello, jq, tree;",
           "/var/lib/extensions/broken.raw was in quarantine")
    expect_same(before, host.shell(STATE), "undo left something")
    expect(host.run("sxs", "adopt", "--undo"), "^nothing to undo$")
    expect_run(host, "/usr/store/bin/")
    host.shell("rm -r /var/lib/extensions/broken.raw /var/lib/extensions/forbidden; systemd-sysext refresh")
    expect_same(merged, host.shell(MERGED), "what is merged after undo")
    expect_run(host, "/usr/bin/")
    host.run("sxs", "adopt")
    expect(host.run("sxs", "adopt", "--undo", "--packages"), "^- jq 1.6$")
    if host.shell("ls /usr/store/bin"):
        raise CommandFailed("packages stayed")


def updates(host, images):
    """sysupdate brings versions after all was taken over; a kept image of it has a further name that lasts."""
    host.shell(f"""
mkdir -p {DIRECTORIES}
cp {images}/radio.raw /var/lib/sysext-store/radio_1.raw
ln -s ../../var/lib/sysext-store/radio_1.raw /etc/extensions/radio.raw
cp {images}/hello-*.raw /var/lib/sysext-store/
ln -s ../../var/lib/sysext-store/hello-2.9.x86-64.raw /etc/extensions/hello.raw
""")
    before = host.shell(STATE)
    host.run("systemd-sysext", "merge")
    host.run("sxs", "adopt")
    expect(host.run("readlink", "/etc/extensions/radio.raw"), "^/var/lib/sxs/profiles/default/current/extensions/radio.raw$")
    # Removed by its owner, it is still there for the generation.
    host.shell("rm /var/lib/sysext-store/radio_1.raw; systemd-sysext refresh; test -s /" + RULE)
    host.shell(f"cp {images}/radio.raw /var/lib/sysext-store/radio_2.raw; "
               "ln -sfn ../../var/lib/sysext-store/radio_2.raw /etc/extensions/radio.raw; "
               "ln -s ../../var/lib/sysext-store/hello-2.10.x86-64.raw /etc/extensions/hello.raw")
    if "warning:adopted-link-changed" not in finding_codes(host):
        raise CommandFailed("doctor does not see the new link")
    expect(host.run("sxs", "adopt"), r"^\+ hello 2.10 \(was 2.9\)$", r"^\+ radio 2 \(was 1\)$", "generation 2 is active")
    host.run("sxs", "rollback")
    expect(host.run("sxs", "list"), "^hello +2.9", "^radio +1 ")
    # One that no link leads to is only taken if it is named.
    expect(host.run("sxs", "adopt", "hello", status=1), "there is no extension 'hello'", "hello-2.10")
    expect(host.run("sxs", "adopt", "hello-2.10.x86-64.raw"), r"^\+ hello 2.10")
    # What a user takes away is seen, and made again.
    host.shell("rm /etc/extensions/radio.raw")
    if "error:adopted-link-gone" not in finding_codes(host, status=1):
        raise CommandFailed("doctor does not see the missing link")
    expect(host.run("sxs", "adopt"), r"^\+ /etc/extensions/radio.raw$")
    host.shell("rm /var/lib/sxs/extensions/*radio*")
    if "error:kept-missing" not in finding_codes(host, status=1):
        raise CommandFailed("doctor does not see the missing image")
    host.run("sxs", "adopt", "--undo")
    links = host.shell("readlink /etc/extensions/radio.raw; readlink /etc/extensions/hello.raw")
    if links != "../../var/lib/sysext-store/radio_2.raw\n../../var/lib/sysext-store/hello-2.10.x86-64.raw\n":
        raise CommandFailed(f"{before}\n{links}")


def versions(host, images):
    """Directories of versions, of which systemd 256 and newer merges the newest."""
    host.shell(f"""
cd /var/lib; mkdir -p {DIRECTORIES} extensions/radio.raw.v extensions/jq.raw.v extensions/tree.v
cp {images}/radio.raw extensions/radio.raw.v/radio_1.raw; cp {images}/radio.raw extensions/radio.raw.v/radio_2.raw
cp {images}/jq.raw extensions/jq.raw.v/jq_1.6_x86-64.raw; cp -R {images}/tree extensions/tree.v/tree_2.1
""")
    before = host.shell(STATE)
    host.run("sxs", "setup")
    merged = host.shell(MERGED)
    if sorted(merged.split()) != sorted(["jq", "radio", "tree", ANCHOR]):
        raise CommandFailed(host.run("systemd-sysext", "status"))
    before_undo = host.shell(STATE)
    expect(host.show("sxs adopt"), "^taken +jq +1.6 ", "^taken +tree +2.1 ", "^kept +radio +2 ")
    expect_same(merged, host.shell(MERGED), "the merge changed")
    expect(host.run("readlink", "-f", "/var/lib/extensions/radio.raw"), "-radio.raw.v/radio_2.raw$")
    host.run("systemd-sysext", "refresh")
    if sorted(host.shell(MERGED).split()) != sorted(["radio", ANCHOR]):
        raise CommandFailed(host.run("systemd-sysext", "status"))
    expect(host.run("/usr/store/bin/tree", "--version"), "tree v")
    host.run("sxs", "adopt", "--undo")
    expect_same(before_undo, host.shell(STATE), "undo left something")
    if not set(before.splitlines()) <= set(before_undo.splitlines()):
        raise CommandFailed(f"setup changed extensions:\n{before}\n{before_undo}")
    host.run("systemd-sysext", "refresh")
    expect_same(merged, host.shell(MERGED), "what is merged after undo")


def odd(host, images):
    """What hides others, what is hidden, what does not fit, does not last, or is on another file system."""
    host.shell(f"""
mkdir -p {DIRECTORIES} /run/extensions /etc/extensions/masked
mount --bind /var/lib/extensions /var/lib/extensions
cp {images}/jq.raw /etc/extensions/jq.raw
cp {images}/jq.raw /var/lib/extensions/jq.raw
cp -R {images}/tree /run/extensions/tree
cp -R {images}/tree /var/lib/extensions/tree
cp -R {images}/extra /var/lib/extensions/masked
cp -R {images}/extra /var/lib/extensions/elsewhere
mv /var/lib/extensions/elsewhere/usr/lib/extension-release.d/extension-release.extra \\
    /var/lib/extensions/elsewhere/usr/lib/extension-release.d/extension-release.elsewhere
echo ID=elsewhere > /var/lib/extensions/elsewhere/usr/lib/extension-release.d/extension-release.elsewhere
ln -s /nowhere /etc/extensions/dangling.raw
head -c 4096 /dev/zero > /var/lib/extensions/erofs.raw
printf '\\342\\341\\365\\340' | dd of=/var/lib/extensions/erofs.raw bs=1 seek=1024 conv=notrunc 2>/dev/null
mkdir /mnt/other && mount -t tmpfs other /mnt/other && cp {images}/radio.raw /mnt/other/
ln -s /mnt/other/radio.raw /etc/extensions/radio.raw
cp -R {images}/extra /etc/extensions/extra
""")
    before = host.shell(STATE)
    wanted = {"/etc/extensions/jq.raw": "taken", "/var/lib/extensions/jq.raw": "covered", "/run/extensions/tree": "left",
              "/var/lib/extensions/tree": "left", "/etc/extensions/masked": "left", "/var/lib/extensions/masked": "left",
              "/var/lib/extensions/elsewhere": "left", "/etc/extensions/dangling.raw": "left",
              "/var/lib/extensions/erofs.raw": "kept", "/etc/extensions/radio.raw": "kept", "/etc/extensions/extra": "kept"}
    found = fates(host)
    if found != wanted:
        raise CommandFailed(f"{found}")
    host.shell("test ! -e /etc/extensions/jq.raw; test ! -e /var/lib/extensions/jq.raw; "
               "test -d /etc/extensions/.#sxs-adopted-extra; test -f /etc/extensions/.#sxs-adopted-jq.raw; "
               # The same file system, but another mount: nothing can be renamed out of it either.
               "test -f /var/lib/extensions/.#sxs-adopted-jq.raw; test -f /var/lib/extensions/.#sxs-adopted-erofs.raw")
    expect(host.run("readlink", "-f", "/etc/extensions/radio.raw"), "^/mnt/other/radio.raw$")
    host.shell("rm /var/lib/extensions/erofs.raw; systemd-sysext merge")
    if sorted(host.shell(MERGED).split()) != ["extra", "radio", "tree"]:
        raise CommandFailed(host.run("systemd-sysext", "status"))
    host.shell("systemd-sysext unmerge; touch /var/lib/extensions/jq.raw")
    expect(host.run("sxs", "adopt", "--undo"), "^= /var/lib/extensions/jq.raw stays away: something else is there now$")
    host.shell("rm /var/lib/extensions/jq.raw; sxs adopt --undo")
    expect_same(before, host.shell(STATE), "undo left something")


def exported(host, images):
    """An extension that sxs exported elsewhere keeps its store path, its name and its version."""
    host.shell(f"mkdir -p {DIRECTORIES}; cp {images}/jq.raw /mnt/jq-1.6.raw; sxs import /mnt/jq-1.6.raw --root /mnt/other; "
               "sxs export jq --root /mnt/other --output /var/lib/extensions/jq_1.6.raw")
    before = host.shell(STATE)
    expect(host.run("sxs", "adopt"), "^taken +jq_1.6 .*/var/lib/extensions/jq_1.6.raw$", r"^\+ jq 1.6$")
    expect_same(host.shell("ls /mnt/other/store"), host.shell("cd /var/lib/sxs/store; ls -d *-*"), "store paths")
    expect(host.shell("echo '[40,2]' | /var/lib/sxs/profiles/default/current/bin/jq add"), "42")
    host.run("sxs", "adopt", "--undo")
    expect_same(before, host.shell(STATE), "undo left something")


def refusals(host, images):
    """What cannot be done is said, and nothing is left of it."""
    host.shell(f"mkdir -p {DIRECTORIES}; cp {images}/jq.raw /var/lib/extensions/")
    before = host.shell(STATE)
    expect(host.run("sxs", "adopt", status=1, user=65534), "needs root", "^hint: ")
    expect(host.run("sxs", "adopt", "--dry-run", user=65534), "^taken +jq")
    expect(host.run("sxs", "adopt", "--root", "/mnt/other", status=1), "system's store", "^hint: ")
    expect(host.run("sxs", "adopt", "--profile", "mine", status=1), "belong to the profile 'default'", "^hint: ")
    expect(host.run("sxs", "adopt", "nothing", status=1), "no extension 'nothing'; there are jq", "^hint: ")
    expect_same(before, host.shell(STATE), "a refused run left something")
    # The disk gets full while packages are made.
    host.shell("mkdir -p /var/lib/sxs; mount -t tmpfs -o size=300k full /var/lib/sxs")
    expect(host.run("sxs", "adopt", status=1), "no space left")
    # It may have come as far as its last steps; all can be given back on the full disk, too.
    host.shell("sxs adopt --undo || true; umount /var/lib/sxs")
    expect_same(before, host.shell(STATE), "a failed run left something")
    host.shell("mkdir -p /var/lib/sxs; sxs adopt; echo damaged > /var/lib/sxs/adopted")
    expect(host.run("sxs", "adopt", "--undo", status=1), "adopted is damaged", "^hint: ")
    if "error:adopted-damaged" not in finding_codes(host, status=1):
        raise CommandFailed("doctor does not see the damaged record")


def image_root(host, images, root):
    """Another root directory: all of it happens there, and links lead nowhere outside of it."""
    host.shell(f"""
mkdir -p {root}/usr/bin {root}/usr/lib {root}/etc {root}/var/lib/extensions {root}/opt/extensions; cp /etc/os-release {root}/etc/
cp {images}/radio.raw {root}/opt/extensions/; ln -s /opt/extensions/radio.raw {root}/var/lib/extensions/radio.raw
cp -R {images}/tree {root}/var/lib/extensions/
""")
    snapshot = f"cd {root}; find etc opt var/lib/extensions -printf '%p %y %m %l\\n' | sort"
    before, outside = host.shell(snapshot), host.shell(STATE)
    expect(host.run("sxs", "adopt", "--host", root), "^taken +tree", "^kept +radio")
    if host.shell(f"readlink {root}/var/lib/sxs/profiles/default/current/extensions/radio.raw | cut -d- -f1").count("/") != 5:
        raise CommandFailed(host.shell(f"readlink {root}/var/lib/sxs/profiles/default/current/extensions/radio.raw"))
    host.shell(f"test ! -e {root}/var/lib/extensions/tree; test -L {root}/var/lib/sxs/profiles/default/current/bin/tree")
    host.run("sxs", "adopt", "--undo", "--packages", "--host", root)
    expect_same(before, host.shell(snapshot), "undo left something")
    expect_same(outside, host.shell(STATE), "something outside of the root was changed")


def interrupted(host, images, strace):
    """Ended by SIGKILL at any step, it is completed by the next run, or taken back."""
    script = "printf '#!/bin/sh\\necho small\\n' > {0}; chmod 755 {0}"
    host.shell(f"""
mkdir -p {DIRECTORIES}
cp {images}/radio.raw /var/lib/sysext-store/first.raw; ln -s ../../var/lib/sysext-store/first.raw /etc/extensions/radio.raw
cp -R {images}/forbidden /var/lib/extensions/
for name in small linked; do
    top=/var/lib/extensions/$name; mkdir -p $top/usr/bin $top/usr/lib/extension-release.d
    echo ID=_any > $top/usr/lib/extension-release.d/extension-release.$name
    {script.format("$top/usr/bin/$name")}
done
mv /var/lib/extensions/linked /var/lib/sysext-store/; ln -s /var/lib/sysext-store/linked /etc/extensions/linked
for name in ruled packed; do
    top=/var/lib/extensions/$name; mkdir -p $top/usr/lib/udev/rules.d $top/usr/lib/extension-release.d
    echo ID=_any > $top/usr/lib/extension-release.d/extension-release.$name
    echo '# rule' > $top/usr/lib/udev/rules.d/$name.rules
done
mksquashfs /var/lib/extensions/packed /var/lib/extensions/packed.raw -quiet -no-progress >/dev/null; rm -r /var/lib/extensions/packed
""")
    before = host.shell(STATE)
    host.run("sxs", "adopt")
    # Of what sxs writes itself, neither the time counts nor, in the record, the order.
    settled = (STATE.replace("/var/lib/sxs/adopted ", "").replace("2>/dev/null |", "2>/dev/null | sed '/\\.reason /s/ 0 [0-9.]* / /' |")
               + "; sort /var/lib/sxs/adopted; cat /var/lib/sxs/quarantine/*.reason")
    shown = "cat /var/lib/sxs/profiles/default/current/packages; ls /var/lib/sxs/profiles/default/current/bin"
    whole, packages = host.shell(settled), host.shell(shown)
    host.run("sxs", "adopt", "--undo", "--packages")
    calls = "mkdirat,mkdir,symlinkat,linkat,renameat,renameat2,unlinkat"
    kills = 0
    for verb in ("adopt", "adopt --undo --packages"):
        for number in range(1, 400):
            if verb != "adopt":
                host.run("sxs", "adopt")
            output = host.shell(
                f"{strace} -f -o /dev/null -e trace={calls} -e inject={calls}:signal=KILL:when={number} sxs {verb} "
                "2>&1 || echo killed $?")
            if "killed" not in output:
                host.run("sxs", "adopt", "--undo", "--packages")
                break
            kills += 1
            if number % 2:
                host.run("sxs", "adopt")
                expect_same(whole, host.shell(settled), f"after {verb} was killed at call {number}, adopt does not complete it")
                expect_same(packages, host.shell(shown), f"after {verb} was killed at call {number}, the generation differs")
            host.run("sxs", "adopt", "--undo", "--packages")
            expect_same(before, host.shell(STATE), f"after {verb} was killed at call {number}, undo leaves")
    if kills < 30:
        raise CommandFailed(f"only {kills} calls were found to be killed at")
    print(f"        killed at {kills} calls")
