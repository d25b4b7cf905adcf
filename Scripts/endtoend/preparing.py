"""Checks of `sxs prepare`: a program that takes its C library from the host, and a next version of the host that has an older one."""

import json

from endtoend.configuration import IMAGES, same
from endtoend.setup import expect

# A program of each release, as an extension for it; the newer one's needs symbols that the older release lacks.
PROGRAM = "usr/bin/seq"
NEXT = "/mnt/older"


def make_images(host):
    """A listing of two extensions of one name, each for one release, with what sysextmgr's servers say of them."""
    host.shell(f"mkdir -p {IMAGES}")
    for version, root, release in (("9.1", "", "13"), ("9.0", NEXT, "12")):
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
