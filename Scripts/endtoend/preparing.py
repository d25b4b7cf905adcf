"""Checks of `sxs prepare`: a program that takes its C library from the host, and a next version of the host that has an older one."""

import json
import re
import shutil
import subprocess
import textwrap

from endtoend.configuration import IMAGES, same, write
from endtoend.hosts import CommandFailed
from endtoend.services import HELPERS, SAID, WALK, part
from endtoend.setup import expect, expect_not

# A program of each release, as an extension for it; the newer one's needs symbols that the older release lacks.
PROGRAM = "usr/bin/seq"
NEXT = "/mnt/older"
NEWER = "/mnt/newer"


def make_images(host, root=""):
    """A listing of two extensions of one name, each for one release, with what sysextmgr's servers say of them.

    `root` is where the host's own release is.
    """
    host.shell(f"mkdir -p {IMAGES}")
    for version, root, release in (("9.1", root, "13"), ("9.0", NEXT, "12")):
        host.shell(
            f"mkdir -p /tmp/tree/usr/bin /tmp/tree/usr/lib/extension-release.d; cd /tmp/tree; cp {root}/{PROGRAM} usr/bin/count; "
            f"printf 'ID=debian\\nVERSION_ID={release}\\n' > usr/lib/extension-release.d/extension-release.count; "
            f"tar -cf {IMAGES}/count-{version}.x86-64.tar usr; rm -rf /tmp/tree")
        host.shell(f"printf '%s' '{{\"image_name\":\"count-{version}.x86-64.tar\",\"sysext\":{{\"ID\":\"debian\",\"VERSION_ID\":\"{release}\"}}}}'"
                   f" > {IMAGES}/count-{version}.x86-64.tar.json")
    host.shell(f"cd {IMAGES}; sha256sum count* > SHA256SUMS")


def active(host):
    """The number of the active generation, and the versions of its packages."""
    generation = next(g for g in json.loads(host.run("sxs", "generations", "--json")) if g["isActive"])
    return generation["number"], {package["name"]: package["version"] for package in generation["packages"]}


def start_as(host, root):
    """What happens at boot on a host with the os-release of another root."""
    host.shell(f"rm /etc/os-release; cp {root}/usr/lib/os-release /etc/os-release")
    return host.run("sxs", "activate", "--boot")


def walk(host):
    """Prepared, made once, active once the other release starts, and no longer when this one does."""
    make_images(host)
    host.run("sxs", "setup", "--method", "links")
    host.run("sxs", "remote", "add", "tools", IMAGES, "--kind", "sysext", "--insecure")
    host.run("sxs", "install", "count")
    same(active(host), (1, {"count": "9.1"}))
    same(host.shell("/usr/store/bin/count 2"), "1\n2\n")
    # Nothing is to be done for the host itself.
    expect(host.run("sxs", "prepare", "--host", "/"), "^nothing to prepare for debian 13$")
    expect(host.run("sxs", "check", "--host", NEXT, status=1), "^package count 9.1: fails$", r"libc\.so\.6 lacks GLIBC_2\.")
    expect(host.run("sxs", "prepare", "--host", NEXT), r"^~ count 9\.1 -> 9\.0$", "^generation 2 is active once debian 12 starts$")
    same(active(host), (1, {"count": "9.1"}))
    # Once is enough, and other commands leave it.
    host.run("sxs", "prepare", "--host", NEXT)
    host.run("sxs", "gc")
    same(len(json.loads(host.run("sxs", "generations", "--json"))), 2)
    expect(start_as(host, NEXT), "generation 2, which was prepared for Debian GNU/Linux 12")
    same(active(host), (2, {"count": "9.0"}))
    same(host.shell("/usr/store/bin/count 2"), "1\n2\n")
    expect(start_as(host, NEXT), "nothing to do")
    expect(start_as(host, "/"), "generation 1, from before another host was prepared, is active")
    same(active(host), (1, {"count": "9.1"}))
    start_as(host, NEXT)
    same(active(host)[0], 2)
    start_as(host, "/")
    # A remote that has nothing for it: said, and nothing is made.
    host.shell(f"rm {IMAGES}/count-9.0*; cd {IMAGES}; sha256sum count* > SHA256SUMS")
    host.run("sxs", "generations", "delete", "2")
    expect(host.run("sxs", "prepare", "--host", NEXT, status=1), "^nothing to prepare for debian 12$", r"libc\.so\.6 lacks GLIBC_2\.")
    same(len(json.loads(host.run("sxs", "generations", "--json"))), 1)
    expect(host.run("sxs", "prepare", "--host", "/missing", status=1), "missing")


def plugin(host):
    """transactional-update: tukit calls a plugin, by its path and with words that a shell splits, at each stage."""
    make_images(host)
    host.shell("touch /usr/sbin/tukit")
    expect(host.run("sxs", "setup", "--method", "links"), r"^\+ /etc/tukit/plugins/sxs-prepare$")
    # As tukit looks for plugins: a regular file, or a link to one, that can be executed.
    host.shell("test -f /etc/tukit/plugins/sxs-prepare; test -x /etc/tukit/plugins/sxs-prepare")
    host.run("sxs", "remote", "add", "tools", IMAGES, "--kind", "sysext", "--insecure")
    host.run("sxs", "install", "count")
    call = "/etc/tukit/plugins/sxs-prepare "
    for stage in ("init-pre", f"init-post {NEXT} 42", f"execute-pre {NEXT} 42 zypper dup", "finalize-post 42 discarded", "reboot-pre", ""):
        same(host.shell(call + stage), "")
    same(len(json.loads(host.run("sxs", "generations", "--json"))), 1)
    expect(host.shell(call + f"finalize-pre {NEXT} 42"), r"^~ count 9\.1 -> 9\.0$", "^generation 2 is active once debian 12 starts$")
    same(active(host), (1, {"count": "9.1"}))
    expect(host.shell(call + "finalize-pre /mnt/missing 42", status=1), "missing", "^hint: ")
    start_as(host, NEXT)
    same(active(host), (2, {"count": "9.0"}))
    start_as(host, "/")
    expect(host.run("sxs", "setup", "--undo"), r"^- /etc/tukit/plugins/sxs-prepare$", "^- /etc/tukit$")


LABELS = "/dev/disk/by-partlabel"
TRANSFER = """[Source]
Type=url-file
Path=https://example.org/
MatchPattern=debian-@v.usr.raw.xz

[Target]
Type=partition
Path=auto
MatchPattern=debian_@v
MatchPartitionType=usr
InstancesMax=2"""


def partition(host):
    """systemd-sysupdate: the partition with the newest version is mounted where nobody sees it, unless it is what runs."""
    make_images(host)
    host.run("sxs", "setup", "--method", "links")
    host.run("sxs", "remote", "add", "tools", IMAGES, "--kind", "sysext", "--insecure")
    host.run("sxs", "install", "count")
    expect(host.run("sxs", "prepare"), "^nothing to prepare: what starts next is what runs now$")
    write(host, "/etc/sysupdate.d/50-usr.transfer", TRANSFER)
    write(host, "/etc/sysupdate.d/60-verity.transfer", TRANSFER.replace("=usr", "=usr-verity").replace("debian_@v", "debian_@v_verity"))
    # Nothing is made in the machine's own /dev.
    devices = [host.shell(f"losetup --find --show --read-only /mnt/{name}.raw").strip() for name in ("next", "now")]
    try:
        host.shell(f"mkdir /run/dev; mount --rbind /dev /run/dev; mount --make-rprivate /run/dev; mount -t tmpfs tmpfs /dev; ln -s /run/dev/* /dev/; rm -f /dev/disk; "
                   f"mkdir -p {LABELS}; cd {LABELS}; ln -s /run{devices[0]} debian_12.9; "
                   "for name in debian_12.8 debian_99_verity _empty; do ln -s /run/dev/null $name; done")
        before = host.shell("cat /proc/mounts")
        expect(host.run("sxs", "prepare"), r"^~ count 9\.1 -> 9\.0$", "^generation 2 is active once debian 12 starts$")
        same(host.shell("cat /proc/mounts"), before)
        # What runs now, and what cannot be mounted.
        host.shell(f"ln -s /run{devices[1]} {LABELS}/debian_13.1")
        expect(host.run("sxs", "prepare"), "^nothing to prepare: what starts next is what runs now$")
        host.shell(f"ln -s /run/dev/null {LABELS}/debian_14")
        expect(host.run("sxs", "prepare", status=1), f"'mount {LABELS}/debian_14' failed", "^hint: ")
        same(host.shell("cat /proc/mounts"), before)
        same(len(json.loads(host.run("sxs", "generations", "--json"))), 2)
    finally:
        host.shell("".join(f"losetup --detach $(test -e {device} || echo /run){device}; " for device in devices))


PHYSICAL = "/mnt/physical"
DEPLOYED = HELPERS + r"""
prepared() { for try in $(seq 150); do test -e /var/lib/sxs/profiles/default/generation-2/generation.json && break; sleep 0.2; done
  for try in $(seq 50); do systemctl is-active -q sxs-prepare.service || break; sleep 0.2; done
  systemctl show --property=Result,ExecMainStatus sxs-prepare.service; sxs generations; }
say 'what runs'
ostree admin status
state sxs-prepare-deployment.path; state sxs-prepare.service
sxs prepare; echo "prepare $?"
sxs install count; echo "install $?"
say 'deployed'
ostree admin deploy --os=test test/12; echo "deploy $?"
prepared; ostree admin status
sxs prepare; echo "prepare $?"
say 'staged'
sxs generations delete 2; ostree admin undeploy 0; ostree admin deploy --stage --os=test test/12; echo "deploy $?"
prepared; ostree admin status
say 'undone'
sxs setup --undo; echo "undo $?"; ls /etc/systemd/system | grep prepare; echo "left $?"
"""


def deployments(host):
    """ostree: a host that is booted from a deployment has another one prepared when that is written, or staged."""
    make_images(host, NEWER)
    deployment = host.shell(textwrap.dedent(f"""
        mkdir -p {PHYSICAL} /mnt/layer; mount -t tmpfs tmpfs {PHYSICAL}; mount -t tmpfs tmpfs /mnt/layer; cd /mnt/layer
        mkdir upper work tree older; mount -t overlay overlay tree -o lowerdir={NEWER},upperdir=upper,workdir=work
        rm -rf tree/dev/* tree/var/* tree/run/* tree/tmp/*; mv tree/etc tree/usr/etc
        mkdir -p tree/sysroot tree/usr/lib/modules/1; ln -s sysroot/ostree tree/ostree
        echo kernel > tree/usr/lib/modules/1/vmlinuz; cp /mnt/sxs tree/usr/bin/sxs
        cp -r /mnt/ostree-program tree/usr/lib/; ln -s ../lib/ostree-program/run tree/usr/bin/ostree
        mkdir -p older/usr/etc older/usr/lib/modules/1 older/sysroot; ln -s sysroot/ostree older/ostree; echo kernel > older/usr/lib/modules/1/vmlinuz
        for name in bin lib lib64 sbin; do ln -s usr/$name older/$name; done
        cp {NEXT}/usr/lib/os-release older/usr/lib; ln -s ../usr/lib/os-release older/usr/etc/os-release; cp -a {NEXT}/usr/lib64 older/usr/
        for directory in {NEXT}/usr/lib/*-linux-gnu; do mkdir older/usr/lib/${{directory##*/}}
          cp -a $directory/libc.so.6 $directory/ld-linux* older/usr/lib/${{directory##*/}}; done
        ostree() {{ /mnt/ostree-program/run "$@"; }}
        (
          ostree admin init-fs {PHYSICAL}; ostree admin --sysroot={PHYSICAL} os-init test
          repo={PHYSICAL}/ostree/repo; ostree config --repo=$repo set sysroot.bootloader none
          ostree config --repo=$repo set core.fsync false; ostree config --repo=$repo set core.min-free-space-percent 0
          ostree commit --repo=$repo --branch=test/13 --no-xattrs --tree=dir=tree
          ostree commit --repo=$repo --branch=test/12 --no-xattrs --tree=dir=older
          ostree admin --sysroot={PHYSICAL} deploy --os=test test/13
        ) > /mnt/layer/said 2>&1 || {{ cat /mnt/layer/said; exit 1; }}
        echo {PHYSICAL}/ostree/deploy/test/deploy/*.0
        """)).strip().splitlines()[-1]
    var = f"{PHYSICAL}/ostree/deploy/test/var"
    host.shell(f"mkdir -p {var}/lib {var}/log {var}/tmp; mount --bind {var} {deployment}/var; mount --bind {PHYSICAL} {deployment}/sysroot; "
               f"cp -r {IMAGES} {var}/lib/; rm -f {deployment}/etc/machine-id; "
               f"echo 0123456789abcdef0123456789abcdef > /etc/machine-id; mount -t cgroup2 cgroup2 /sys/fs/cgroup; touch /mnt/layer/booted")
    said = host.show(f"sxs setup --host {deployment} --method anchor")
    expect(said, r"^\+ /etc/systemd/system/sxs-prepare-deployment\.path$",
           r"^\+ /etc/systemd/system/paths\.target\.wants/sxs-prepare-deployment\.path$", r"^\+ /etc/systemd/system/sxs-prepare\.service$")
    expect_not(said, "tukit")
    host.run("sxs", "remote", "add", "--root", f"{deployment}/var/lib/sxs", "tools", IMAGES, "--kind", "sysext", "--insecure")
    host.shell(f"cat > {deployment}/etc/systemd/system/walk.service <<'END'\n{WALK.format(said=SAID)}END\n"
               f"mkdir -p {deployment}/etc/systemd/system/multi-user.target.wants; "
               f"ln -s /dev/null {deployment}/etc/systemd/system/systemd-networkd-wait-online.service; "
               f"ln -s ../walk.service {deployment}/etc/systemd/system/multi-user.target.wants/walk.service; "
               f"cat > {var}/lib/walk <<'END_OF_WALK'\n{DEPLOYED}\nEND_OF_WALK\n"
               f"umount {deployment}/var {deployment}/sysroot")
    console = host.run(
        "timeout", "--kill-after=5", "280", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--private-network",
        "--console=pipe", f"--directory={deployment}", f"--bind={PHYSICAL}:/sysroot", f"--bind={var}:/var", f"--bind={PHYSICAL}/boot:/boot",
        f"--bind-ro={deployment}/usr:/usr", "--bind-ro=/mnt/layer/booted:/run/ostree-booted", status=None, timeout=300)
    said = host.show(f"cat {var}{SAID.removeprefix('/var')}", status=None)
    try:
        expect(part(said, "what runs"), r"^\* test [0-9a-f]{64}\.0", "^sxs-prepare-deployment.path is active$", "^sxs-prepare.service is inactive$",
               "^nothing to prepare: what starts next is what runs now$", "^prepare 0$", "^install 0$")
        expect(part(said, "deployed"), "^deploy 0$", "^Result=success$", "^ExecMainStatus=0$", r"count 9\.0", r"^  test [0-9a-f]{64}\.0",
               "^generation 2 is active once debian 12 starts$", "^prepare 0$")
        expect(part(said, "staged"), "^deploy 0$", "^Result=success$", r"count 9\.0", r"\(staged\)")
        expect(part(said, "undone"), "^undo 0$", "^left 1$")
    except CommandFailed as error:
        raise CommandFailed(f"{error}\n\nof all that was said:\n{said}\n{console[-3000:]}") from error


def take_ostree(directory):
    """The machine's ostree with its own libraries, which runs on any host: Debian's roots have none."""
    program = directory / "ostree-program"
    program.mkdir()
    linked = subprocess.run(["ldd", "/usr/bin/ostree"], check=True, stdout=subprocess.PIPE, text=True).stdout
    for file in ["/usr/bin/ostree", *re.findall(r"/\S+", linked)]:
        shutil.copy(file, program)
    loader = next(program.glob("ld-linux*")).name
    run = program / "run"
    run.write_text(f'#!/bin/sh\nd=$(dirname "$(readlink -f "$0")")\nexec "$d/{loader}" --library-path "$d" "$d/ostree" "$@"\n')
    run.chmod(0o755)


def make_partitions(directory, newer, older):
    """Partitions of /usr, as files: of the release that runs, and of an older one with its C library."""
    for name, root in (("now", newer), ("next", older)):
        tree = directory / name
        (tree / "lib").mkdir(parents=True)
        shutil.copy(root / "usr/lib/os-release", tree / "lib")
        if name == "next":
            subprocess.run(["cp", "-a", root / "usr/lib64", tree], check=True)
            for libraries in (root / "usr/lib").glob("*-linux-gnu"):
                (tree / "lib" / libraries.name).mkdir()
                files = [*libraries.glob("libc.so.6"), *libraries.glob("ld-linux*")]
                subprocess.run(["cp", "-a", *files, tree / "lib" / libraries.name], check=True)
        subprocess.run(["mksquashfs", tree, directory / f"{name}.raw", "-quiet", "-no-progress", "-all-root"], check=True,
                       stdout=subprocess.DEVNULL)
