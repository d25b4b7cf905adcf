"""Scripts of packages, run on request: shut in, in the order of their dependencies, all or nothing."""

import json
import subprocess
import time

from endtoend.remotes import say

# What a script may rely on: its arguments, what dpkg says, being root, tools of the system that do nothing, functions of debconf.
PREINST = """#!/bin/sh
set -e
test "$1" = install
test "$DPKG_MAINTSCRIPT_NAME" = preinst
echo preinst > /etc/scripted.order
"""
POSTINST = """#!/bin/sh
set -e
test "$1" = configure && test -z "$2"
test "$DPKG_MAINTSCRIPT_PACKAGE" = scripted && test "$DPKG_MAINTSCRIPT_NAME" = postinst
. /usr/share/debconf/confmodule
db_get scripted/question
update-alternatives --install /usr/bin/s s /usr/bin/scripted 10
deb-systemd-helper enable scripted.service
if dpkg --compare-versions "$2" lt-nl 2; then exit 4; fi
if dpkg --compare-versions "$2" gt 1; then exit 4; fi
dpkg --compare-versions "$2" lt 1
if ischroot; then exit 5; fi
# What it needs was configured before it.
read -r needed < /etc/needed
echo "$needed" >> /etc/scripted.order
echo changed > /usr/share/scripted/data
echo '#!/bin/sh
echo made' > /usr/bin/made-by-script
chmod 755 /usr/bin/made-by-script
mkdir -p /var/lib/scripted/deep && echo 1 > /var/lib/scripted/deep/state
rm /usr/share/scripted/gone
ln -s data /usr/share/scripted/link
echo x > /tmp/nothing && echo x > /run/nothing
# Neither the host nor its network.
if [ -e {outside} ]; then exit 6; fi
if [ -e /proc/net/dev ]; then
    while read -r name rest; do case "$name" in lo:|Inter*|face*) ;; *) exit 7;; esac; done < /proc/net/dev
fi
if (echo x > /dev/scripted) 2>/dev/null; then rm /dev/scripted; fi
db_stop
"""


class ScriptTests:
    """A part of the tests of distributions."""

    def test_scripts_are_run_on_request(self):
        outside = self.directory / "outside"
        outside.touch()
        self.archive.make("needed", scripts={"postinst": "#!/bin/sh\nset -e\necho needed > /etc/needed\n"})
        self.archive.make("scripted", Depends="needed", scripts={
            "preinst": PREINST, "postinst": POSTINST.replace("{outside}", str(outside))},
            files={"usr/share/scripted/data": "as it came\n", "usr/share/scripted/gone": "x\n", "usr/share/scripted/same": "y\n"})
        self._coreutils()
        self.archive.publish()
        # What goes by the name of dpkg here is a package for other tests.
        [dpkg] = self.archive.pool.glob("dpkg_*.deb")
        dpkg.rename(self.directory / dpkg.name)
        try:
            self.archive.publish()
            self._run_scripts()
        finally:
            (self.directory / dpkg.name).rename(dpkg)
            time.sleep(1.1)
            self.archive.publish()

    def _run_scripts(self):
        plain = self.store().json("import", *self._files("scripted", "needed"), "--name", "scripted")["metadata"]
        say("ran" not in plain["finishing"], f"scripts were run: {plain['finishing']}")
        say({"preinst", "postinst"} >= {script["script"] for script in plain["finishing"]["scripts"]}, f"{plain['finishing']}")

        store = self.store()
        self.add(store)
        store.sxs("install", "scripted", "--run-scripts")
        info = store.json("path-info", "scripted")
        info = [entry.get("metadata", entry) for entry in (info if isinstance(info, list) else [info])]
        [metadata] = [entry for entry in info if entry["storePath"] != plain["storePath"]]
        ran = [(script["package"], script["script"]) for script in metadata["finishing"]["ran"]]
        mine = [entry for entry in ran if entry[0] in ("needed", "scripted")]
        say(mine == [("scripted", "preinst"), ("needed", "postinst"), ("scripted", "postinst")], f"ran {ran}")
        top = store.root / "store" / metadata["storePath"]
        say((top / "etc/scripted.order").read_text() == "preinst\nneeded\n", "in another order")
        say((top / "usr/share/scripted/data").read_text() == "changed\n", "what a script changed is as it came")
        say((top / "usr/share/scripted/same").read_text() == "y\n", "what no script touched is another")
        say(not (top / "usr/share/scripted/gone").exists(), "what a script removed is there")
        say((top / "usr/share/scripted/link").readlink().name == "data", "a link is not there")
        say((top / "var/lib/scripted/deep/state").read_text() == "1\n", "a new directory is not there")
        strange = [name for name in ("sxs-scripts", "out", "tmp/nothing", "run/nothing", "proc", "usr/share/debconf", "dev")
                   if (top / name).exists()]
        say(not strange, f"left in the store path: {strange}")
        result = subprocess.run([str(top / "usr/bin/made-by-script")], capture_output=True, text=True, timeout=60, check=False)
        say(result.stdout == "made\n", f"what the script made says {result}")
        say("not reproducible" in store.sxs("info", "scripted"), "info does not say that scripts were run")
        said = store.sxs("path-info", "scripted")
        say("scripts run" in said and "not reproducible" in said, f"path-info says {said}")
        say([entry["isReproducible"] for entry in store.json("info", "scripted")["stored"]].count(False) == 1, "info --json")
        store.check()

    def test_a_script_that_fails_stops_the_import(self):
        self._coreutils()
        for name, body, text in (("failing", "#!/bin/sh\necho for a reason >&2\nexit 3\n", "exit status 3: for a reason"),
                                 ("foreign", "#!/usr/bin/nowhere\n", "cannot execute it")):
            self.archive.make(name, scripts={"postinst": body})
            self.archive.publish()
            store = self.store()
            self.add(store)
            self.refused(store, "install", name, "--run-scripts", text=text)
            self.refused(store, "import", *self._files(name, "coreutils", "dash", "libc6", "libgcc-s1", "gcc-12-base"), "--run-scripts",
                         text=f"the script postinst of {name} 1.0")
            say(not list((store.root / "tmp").iterdir()), "something is left")
            store.sxs("install", name)
            self.refused(store, "import", self.fixtures / "small/jq.oci.tar", "--run-scripts", text="no package of a distribution")

    def test_calls_that_are_known_are_no_news(self):
        self.archive.make("quiet", scripts={"postinst": """#!/bin/sh
set -e
clean() { cp /a /b; }
if [ "$1" = configure ] && dpkg --compare-versions "$2" lt-nl 2; then mv /a /b; fi
if [ -n "$2" ]; then clean; fi
dpkg-maintscript-helper rm_conffile /etc/x 1 -- "$@"
deb-systemd-helper unmask x.service >/dev/null || true
deb-systemd-invoke start x.service; systemctl --system daemon-reload; ldconfig; invoke-rc.d x start
"""})
        self.archive.make("busy", scripts={"postinst": "#!/bin/sh\nmake-it-so /etc/x\nfrobnicate\n"})
        for index in range(4):
            self.archive.make(f"busy{index}", scripts={"postinst": "#!/bin/sh\nfrobnicate\n"})
        store = self.store()
        status, said = store.attempt("import", *self._files("quiet"))
        say(status == 0 and "scripts of" not in said, f"quiet packages: {said}")
        status, said = store.attempt("import", *self._files("busy", *[f"busy{index}" for index in range(4)]))
        [line] = [line for line in said.splitlines() if "scripts of" in line]
        say("scripts of 5 packages" in line and "busy: frobnicate make-it-so" in line and "of 2 more" in line, f"said {line}")
        recorded = json.dumps(store.json("path-info", "busy"))
        say(all(f"busy{index}" in recorded for index in range(4)), "not all are recorded")

    def _files(self, *names):
        return [next(self.archive.pool.glob(f"{name}_*.deb")) for name in names]

    def _coreutils(self):
        """What scripts use and Debian's packages do not name: here one static program for all of them."""
        busybox = (self.fixtures / "busybox-root/bin/busybox").read_bytes()
        place = self.served / "coreutils"
        if place.exists():
            return
        (place / "DEBIAN").mkdir(parents=True)
        (place / "DEBIAN/control").write_text(
            "Package: coreutils\nVersion: 9\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: tools\n")
        (place / "usr/bin").mkdir(parents=True)
        (place / "usr/bin/busybox-tools").write_bytes(busybox)
        (place / "usr/bin/busybox-tools").chmod(0o755)
        for name in ("awk basename cat chmod cmp cp cut date dirname env expr find grep head id ln ls mkdir mktemp mv readlink rm "
                     "rmdir sed sleep sort stat tail tee touch tr uname uniq wc which xargs").split():
            (place / "usr/bin" / name).write_text(f"#!/bin/sh\nexec /usr/bin/busybox-tools {name} \"$@\"\n")
            (place / "usr/bin" / name).chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", place, self.archive.pool / "coreutils_9_all.deb"],
                       check=True, stdout=subprocess.DEVNULL)
