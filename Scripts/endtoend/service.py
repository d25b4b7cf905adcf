"""Checks of the service: varlinkctl of Debian 13, users without rights, polkit, clients that misbehave, a host that is booted."""

import json
import time

from endtoend.configuration import IMAGES, make_images, same, write
from endtoend.hosts import CommandFailed
from endtoend.services import CONTAINER, HELPERS, SAID, WALK, boot, part
from endtoend.setup import expect, expect_not

SOCKET = "/run/sxs/io.sxs.Store"
NOBODY = 65534
# A newer image, which the remote does not have yet.
LATER = "/var/lib/tool-2.tar"


class Listening:
    """The service behind systemd-socket-activate(1), which starts a process for each connection as systemd does."""

    def __init__(self, host, path=SOCKET, *arguments):
        self.host, self.path = host, path
        host.shell(f"mkdir -p $(dirname {path})")
        # The service's own environment is small, as that of a unit.
        self.process = host.start("sh", "-c", 'exec systemd-socket-activate --accept "$@" 2> /run/service-log', "sh", f"--listen={path}",
                                  "/mnt/sxs", "service", *arguments)
        deadline = time.monotonic() + 20
        while host.shell(f"test -S {path} && chmod 666 {path} && echo there || true") != "there\n":
            if time.monotonic() > deadline:
                raise CommandFailed("nothing listens")
            time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        for stream in (self.process.stdin, self.process.stdout):
            stream.close()

    def clients(self):
        """How many processes of the service there are."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return len(file.read().split())

    def ask(self, method, parameters=None, how=(), user=None, interface="io.sxs.Store"):
        """The replies to a call by the client of this test."""
        text = self.host.run("python3", "-B", "/mnt/client.py", self.path, f"{interface}.{method}", json.dumps(parameters or {}), *how,
                             user=user)
        return [json.loads(line) for line in text.splitlines()]

    def one(self, method, parameters=None, **options):
        """The parameters of the one reply, which is no error."""
        [reply] = self.ask(method, parameters, **options)
        if "error" in reply:
            raise CommandFailed(f"{method}: {reply}")
        return reply["parameters"]

    def error(self, method, parameters=None, **options):
        """The error that a call ends with, and what that says."""
        reply = self.ask(method, parameters, **options)[-1]
        if "error" not in reply:
            raise CommandFailed(f"{method} succeeded: {reply}")
        return reply["error"], reply.get("parameters", {})


def make_store(host):
    """A store with one package, and a remote with more."""
    make_images(host, "tool-1", "tool-2", "other-1")
    host.shell(f"mv {IMAGES}/tool-2.tar {LATER}")
    host.run("sxs", "install", f"{IMAGES}/tool-1.tar", "--name", "tool", "--version", "1")
    host.run("sxs", "remote", "add", "local", IMAGES)


def varlinkctl(host):
    """Every method, by the client of systemd 257, which also checks the descriptions."""
    make_store(host)
    with Listening(host):
        call = lambda method, text="{}", **options: host.run(  # noqa: E731
            "varlinkctl", "call", "--json=short", SOCKET, f"io.sxs.Store.{method}", text, **options)
        expect(host.show(f"varlinkctl info {SOCKET}"), r"io\.sxs\.Store", r"org\.varlink\.service", "sxs")
        expect(host.show(f"varlinkctl list-interfaces {SOCKET}"), r"^io\.sxs\.Store$")
        expect_not(host.run("varlinkctl", "list-interfaces", SOCKET), "sysextmgr")
        expect(host.run("varlinkctl", "introspect", SOCKET, "io.sxs.Store"), "^method Install\\(", "^error Failed ?\\(")
        expect(host.run("varlinkctl", "introspect", SOCKET, "org.varlink.service"), "^method GetInfo")
        host.shell(f"varlinkctl introspect {SOCKET} io.sxs.Store > /tmp/idl; varlinkctl validate-idl /tmp/idl")
        status = json.loads(call("Status"))
        same([status["root"], status["profiles"]], ["/var/lib/sxs", [{"name": "default", "generation": 1, "packages": 1}]])
        same([package["name"] for package in json.loads(call("List"))["packages"]], ["tool"])
        same(json.loads(call("List", '{"profile":"work"}')), {"packages": []})
        same([offer["name"] for offer in json.loads(call("Search", '{"text":"oth"}'))["offers"]], ["other"])
        same([offer["name"] for offer in json.loads(call("Search", '{"refresh":true}'))["offers"]], ["other", "tool"])
        same(json.loads(call("Outdated")), {"upgrades": []})
        host.shell(f"mv {LATER} {IMAGES}/")
        same([(u["installed"], u["available"]) for u in json.loads(call("Outdated"))["upgrades"]], [("1", "2")])
        expect(host.show(f"varlinkctl call --more --json=short {SOCKET} io.sxs.Store.Upgrade '{{}}'"), '"progress"', r'"added":\["tool 2"\]')
        same(host.shell("/var/lib/sxs/profiles/default/current/bin/tool"), "tool 2\n")
        expect(call("Install", '{"packages":["local/other"]}'), r'"added":\["other 1"\]', '"generation":3', r'"commands":\["other","tool"\]')
        expect(call("Remove", '{"packages":["tool"]}'), r'"removed":\["tool 2"\]')
        expect(call("Rollback"), '"generation":3')
        expect(call("Switch", '{"generation":1}'), '"generation":1', '"previous":3')
        expect(host.run("sxs", "generations", "--json"), '"command" : "sxsd: install local/other, for user 0"')
        expect(call("Generations"), '"isActive":true')
        host.run("sxs", "generations", "delete", "2", "3", "4")
        expect(call("Clean"), '"freed":', r'"removed":\["/usr/store/')
        # What is refused, and how that is said.
        expect(call("Install", '{"packages":["missing"]}', status=1), r"io\.sxs\.Store\.Failed", "missing", '"hint"')
        expect(call("Switch", '{"generation":99}', status=1), r"io\.sxs\.Store\.Failed")
        for text in ("{}", '{"packages":[]}', '{"packages":["/etc/passwd"]}', '{"packages":["../x"]}', '{"packages":["tar:/x"]}',
                     '{"packages":"tool"}', '{"packages":["tool"],"profile":"../x"}'):
            expect(call("Install", text, status=1), "InvalidParameter")
        expect(call("Other", status=1), "MethodNotFound")
        expect(host.run("varlinkctl", "call", SOCKET, "org.example.Get", "{}", status=1), "InterfaceNotFound")


def rights(host):
    """Whoever is not root may ask, and is refused what changes anything; images of his are not opened."""
    make_store(host)
    with Listening(host) as service:
        before = host.shell("find /var/lib/sxs -printf '%p %l %m\\n' | sort")
        for method, key in (("Status", "root"), ("List", "packages"), ("Generations", "generations"), ("Search", "offers"),
                            ("Outdated", "upgrades")):
            if key not in service.one(method, user=NOBODY):
                raise CommandFailed(f"{method} does not say {key}")
        for method, parameters in (("Install", {"packages": ["other"]}), ("Remove", {"packages": ["tool"]}), ("Upgrade", {}),
                                   ("Rollback", {}), ("Switch", {"generation": 1}), ("Clean", {}), ("Search", {"refresh": True}),
                                   ("Outdated", {"refresh": True})):
            error, _ = service.error(method, parameters, user=NOBODY)
            same((method, error), (method, "org.varlink.service.PermissionDenied"))
        # A path is refused for what it is, whoever names it, and before it is looked at.
        host.shell("mkdir -p /run/mine; mkfifo /run/mine/waits.tar; chown -R 65534:65534 /run/mine")
        for text in ("/run/mine/waits.tar", "./mine", "tar:/run/mine/waits.tar"):
            same(service.error("Install", {"packages": [text]}, user=NOBODY)[0], "org.varlink.service.InvalidParameter")
        same(host.shell("find /var/lib/sxs -printf '%p %l %m\\n' | sort"), before)
        # What looks like a path from / is a package of a remote, which there is not.
        error, said = service.error("Install", {"packages": ["etc/passwd"]})
        expect(said["message"], "no remote named etc")
        # An error is the sentence of the command line.
        error, said = service.error("Install", {"packages": ["missing"]})
        same(error, "io.sxs.Store.Failed")
        expect(said["message"], "missing")


def bad_clients(host):
    """The service answers others whatever one does, and leaves no process behind."""
    make_store(host)
    with Listening(host) as service:
        said = host.run("python3", "-B", "/mnt/client.py", SOCKET, "misbehave")
        expect(said, "^rubbish: ended$", "^nothing: ended$", "^no end: ended$", "^binary: ended$", "^nested: ended$",
               "^answered beside one that stalls: 30$", "^answered in one go: 50$")
        deadline = time.monotonic() + 20
        while service.clients():
            if time.monotonic() > deadline:
                raise CommandFailed(f"{service.clients()} processes of the service stay")
            time.sleep(0.2)
    expect(host.run("sxs", "service", status=1), "answers one connection", "^hint: ")
    expect(host.shell("LISTEN_FDS=1 LISTEN_PID=$$ exec sxs service 3< /dev/null; true", status=1), "answers one connection")


def gone_client(host):
    """A change that was begun is whole, though nobody waits for it."""
    make_store(host)
    with Listening(host) as service:
        service.ask("Install", {"packages": ["other"]}, how=["more", "leave"])
        deadline = time.monotonic() + 30
        while len(service.one("List")["packages"]) != 2:
            if time.monotonic() > deadline:
                raise CommandFailed("the change was not made")
            time.sleep(0.2)
        service.ask("Remove", {"packages": ["other"]}, how=["oneway"])
        same(len(service.one("List")["packages"]), 1)
        # Two at once: one waits for the other, and both are made.
        client = ["python3", "-B", "/mnt/client.py", SOCKET]
        both = [host.start(*client, f"io.sxs.Store.{method}", json.dumps({"packages": [name]}))
                for method, name in (("Install", "other"), ("Remove", "tool"))]
        for process in both:
            expect(process.communicate(timeout=60)[0], '"change"')
        same([package["name"] for package in service.one("List")["packages"]], ["other"])
    expect(host.run("sxs", "doctor", "--fsck", status=None), "")
    host.run("sxs", "verify")


def sysextmgr(host):
    """What clients of sysextmgr know, in the words of its description and those of its daemon."""
    make_store(host)
    path, interface = "/run/sysextmgr/socket", "org.openSUSE.sysextmgr"
    with Listening(host, path, "--sysextmgr") as service:
        expect(host.run("varlinkctl", "introspect", path, interface), "^method ListImages\\(")
        host.shell(f"varlinkctl introspect {path} {interface} > /tmp/idl; varlinkctl validate-idl /tmp/idl")
        ask = lambda method, parameters=None, **options: service.one(method, parameters, interface=interface, **options)  # noqa: E731
        same(ask("Ping"), {"Alive": True})
        images = {image["NAME"]: image for image in ask("ListImages", user=NOBODY)["Images"]}
        same([images["tool"][key] for key in ("INSTALLED", "REMOTE", "LOCAL", "REFCOUNT", "SYSEXT_VERSION_ID")], [True, True, True, 1, "1"])
        same([images["other"][key] for key in ("INSTALLED", "REMOTE", "IMAGE_NAME")], [False, True, "other-1.tar"])
        same([image["NAME"] for image in ask("ListImages", {"Filter": "^oth", "All": True})["Images"]], ["other"])
        done = ask("Install", {"Install": "other", "Verbose": True})
        same([done["Success"], done["Images"][0]["NAME"], done["Installed"] == done["Images"][0]["IMAGE_NAME"]], [True, "other", True])
        host.shell(f"mv {LATER} {IMAGES}/")
        checked = ask("Check")
        [image] = checked["Images"]
        expect(image["OldImage"], r"^tool-1\.")
        same([image["OldName"], image["NewName"], checked["BrokenImages"]], [image["OldImage"], image["NewImage"], []])
        updated = ask("Update")
        same(updated["Updated"], updated["Images"])
        expect(updated["Updated"][0]["NewName"], r"^tool-2\.")
        same([(p["name"], p["version"]) for p in json.loads(host.run("sxs", "list", "--json"))], [("other", "1"), ("tool", "2")])
        same(ask("Check")["Images"], [])
        host.run("sxs", "generations", "delete", "1", "2")
        expect(ask("Cleanup")["Images"][0]["IMAGE_NAME"], r"^tool-1\.")
        error = lambda method, parameters=None, **options: service.error(method, parameters, interface=interface, **options)  # noqa: E731
        name, said = error("Install", {"Install": "missing"})
        same([name, said["Success"]], [interface + ".NoEntryFound", False])
        same(error("Install", {"Install": "tool", "URL": "https://example.org"})[0], interface + ".InternalError")
        for method, parameters in (("Install", {"Install": "tool"}), ("Update", {}), ("Cleanup", {}), ("Quit", {}), ("GetEnvironment", {}),
                                   ("SetLogLevel", {}), ("ListImages", {"Filter": "(a*)*b"})):
            same(error(method, parameters, user=NOBODY)[0], "org.varlink.service.PermissionDenied")
        same(ask("Quit", {"ExitCode": 0}), {"Success": True})


RULES = """polkit.addRule(function(action, subject) {
    if (action.id == "io.sxs.install" && subject.user == "nobody" && action.lookup("packages") == "other") { return polkit.Result.YES; }
    if (action.id == "io.sxs.remove") { return polkit.Result.NO; }
    if (action.id == "io.sxs.refresh") { return polkit.Result.YES; }
});
"""


def polkit(host):
    """The real polkitd on a message bus of the host's own: what its rules let a user do."""
    make_store(host)
    host.run("sxs", "setup", "--method", "links")
    expect(host.shell("cat /usr/share/polkit-1/actions/io.sxs.policy"), 'action id="io.sxs.install"')
    write(host, "/etc/polkit-1/rules.d/10-test.rules", RULES)
    host.shell("mkdir -p /run/dbus; chmod -R a+rX /etc/polkit-1")
    bus = host.start("dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog")
    try:
        wait(host, "test -S /run/dbus/system_bus_socket")
        # The bus starts polkitd, which ends with it.
        wait(host, "pkaction --action-id io.sxs.install")
        with Listening(host) as service:
            service.one("Install", {"packages": ["other"]}, user=NOBODY)
            same(service.error("Install", {"packages": ["tool@1"]}, user=NOBODY)[0], "io.sxs.Store.InteractiveAuthenticationRequired")
            same(service.error("Remove", {"packages": ["other"]}, user=NOBODY)[0], "org.varlink.service.PermissionDenied")
            same(service.error("Upgrade", {}, user=NOBODY)[0], "io.sxs.Store.InteractiveAuthenticationRequired")
            # Nobody is there who could be asked.
            same(service.error("Upgrade", {"allowInteractiveAuthentication": True}, user=NOBODY)[0],
                 "org.varlink.service.PermissionDenied")
            same(len(service.one("Search", {"refresh": True}, user=NOBODY)["offers"]), 2)
            same(service.error("Install", {"packages": ["other"]}, user=1)[0], "io.sxs.Store.InteractiveAuthenticationRequired")
            service.one("Remove", {"packages": ["other"]})
            same([package["name"] for package in service.one("List", user=NOBODY)["packages"]], ["tool"])
            expect(host.run("sxs", "generations"), "other 1")
    finally:
        stop(bus)
    expect(host.run("sxs", "setup", "--undo"), r"^- /usr/share/polkit-1/actions/io\.sxs\.policy$")


def wait(host, script):
    """Waits until a script succeeds."""
    deadline = time.monotonic() + 30
    while host.shell(f"{script} > /dev/null 2>&1 && echo yes || true") != "yes\n":
        if time.monotonic() > deadline:
            raise CommandFailed(f"never: {script}")
        time.sleep(0.2)


def stop(process):
    """Ends a program that was started."""
    process.terminate()
    process.wait(timeout=20)
    for stream in (process.stdin, process.stdout):
        stream.close()


BOOTED = HELPERS + r"""
say 'before it is enabled'
is -e /run/sxs/io.sxs.Store; state sxsd.socket; state sxs-clean.timer
say 'enabled'
systemctl enable --now sxsd.socket sxs-clean.timer; echo "enabled $?"
stat -c '%a %U' /run/sxs/io.sxs.Store
systemctl list-timers --all sxs-clean.timer --no-legend | grep -o 'sxs-clean.service'
varlinkctl call --json=short /run/sxs/io.sxs.Store io.sxs.Store.Status '{}'
setpriv --reuid=65534 --regid=65534 --clear-groups varlinkctl call --json=short /run/sxs/io.sxs.Store io.sxs.Store.List '{}'
setpriv --reuid=65534 --regid=65534 --clear-groups varlinkctl call /run/sxs/io.sxs.Store io.sxs.Store.Rollback '{}'; echo "nobody $?"
varlinkctl call --more --json=short /run/sxs/io.sxs.Store io.sxs.Store.Install '{"packages":["local/tool"]}'; echo "install $?"
tool
systemctl list-units --all --no-legend 'sxsd@*'; systemctl show --property=NAccepted sxsd.socket
say 'in place of sysextmgr'
systemctl start sxs-sysextmgr.socket; echo "start $?"
varlinkctl call --json=short /run/sysextmgr/socket org.openSUSE.sysextmgr.ListImages '{}'
say 'the timers unit'
systemctl start sxs-clean.service; echo "clean $?"
systemctl start sxs-upgrade.service; echo "upgrade $?"
"""


def booted(host):
    """A host that is set up and booted: nothing listens until it is enabled, then systemd starts the service for each client."""
    make_images(host, "tool-1")
    host.shell(f"mkdir -p {CONTAINER} /mnt/upper /mnt/work; mount -t overlay overlay {CONTAINER} -o lowerdir=/mnt/newer,upperdir=/mnt/upper,"
               f"workdir=/mnt/work; cp /mnt/sxs {CONTAINER}/usr/bin/sxs; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "
               f"echo 0123456789abcdef0123456789abcdef > /etc/machine-id; rm -f {CONTAINER}/etc/machine-id; "
               f"mkdir -p {CONTAINER}{IMAGES}; cp -r {IMAGES}/. {CONTAINER}{IMAGES}")
    host.show(f"sxs setup --host {CONTAINER} --method links")
    root = f"{CONTAINER}/var/lib/sxs"
    write(host, f"{CONTAINER}/etc/sxs/remotes.d/local.conf", f"[Remote]\nKind=directory\nLocation={IMAGES}")
    host.run("sxs", "import", "--root", root, f"{IMAGES}/tool-1.tar", "--name", "seed", "--version", "1")
    host.shell(f"cat > {CONTAINER}/etc/systemd/system/walk.service <<'END'\n{WALK.format(said=SAID)}END\n"
               f"mkdir -p {CONTAINER}/etc/systemd/system/multi-user.target.wants; "
               f"ln -s /dev/null {CONTAINER}/etc/systemd/system/systemd-networkd-wait-online.service; "
               f"ln -s ../walk.service {CONTAINER}/etc/systemd/system/multi-user.target.wants/walk.service")
    said = boot(host, BOOTED)
    try:
        expect(part(said, "before it is enabled"), "^no: -e /run/sxs/io.sxs.Store$", "^sxsd.socket is inactive$",
               "^sxs-clean.timer is inactive$")
        enabled = part(said, "enabled")
        expect(enabled, "^enabled 0$", "^666 root$", "^sxs-clean.service$", '"root":"/var/lib/sxs"', r'"packages":\[\]', "^nobody 1$",
               "PermissionDenied", r'"added":\["tool 1"\]', "^install 0$", "^tool 1$", "^NAccepted=4$")
        expect_not(enabled, r"sxsd@.*failed")
        expect(part(said, "in place of sysextmgr"), "^start 0$", '"Success":true', '"NAME":"tool"')
        expect(part(said, "the timers unit"), "^clean 0$", "^upgrade 0$")
    except CommandFailed as error:
        raise CommandFailed(f"{error}\n\nof all that was said:\n{said}") from error
