"""A host that was set up as an image is booted, twice, by its own systemd under systemd-nspawn."""

from endtoend.hosts import CommandFailed
from endtoend.setup import ANCHOR, expect

CONTAINER = "/mnt/container"
PROBE = """[Unit]
Description=Says what the host is like, and ends it
After=multi-user.target systemd-user-sessions.service

[Service]
Type=oneshot
StandardOutput=file:/var/lib/probe
StandardError=inherit
ExecStart=/bin/bash -lc 'systemctl is-active systemd-sysext.service; cat /usr/.systemd-sysext/extensions; echo "path $PATH"; type -p hello; hello; sxs doctor; echo "doctor $?"'
ExecStopPost=/bin/systemctl --no-block poweroff

[Install]
WantedBy=multi-user.target
"""


def boots_twice(host, images):
    """Sets up an image, installs into it, and boots it: the store is there, and again after a restart."""
    host.shell(f"mkdir -p {CONTAINER} /mnt/upper /mnt/work; mount -t overlay overlay {CONTAINER} -o lowerdir=/,upperdir=/mnt/upper,"
               f"workdir=/mnt/work; cp /mnt/sxs {CONTAINER}/usr/bin/sxs; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "
               f"echo 0123456789abcdef0123456789abcdef > /etc/machine-id; rm -f {CONTAINER}/etc/machine-id")
    # As the image of a host whose /usr is read-only when it runs.
    host.show(f"sxs setup --host {CONTAINER} --method anchor")
    host.run("sxs", "install", "--root", f"{CONTAINER}/var/lib/sxs", f"{images}/hello.oci.tar")
    host.shell(f"cat > {CONTAINER}/etc/systemd/system/probe.service <<'END'\n{PROBE}END\n"
               f"mkdir -p {CONTAINER}/etc/systemd/system/multi-user.target.wants; "
               f"ln -s ../probe.service {CONTAINER}/etc/systemd/system/multi-user.target.wants/probe.service")
    for boot in (1, 2):
        console = host.run(
            "timeout", "--kill-after=5", "90", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
            "--console=pipe", f"--directory={CONTAINER}", status=None)
        probe = f"{CONTAINER}/var/lib/probe"
        said = host.show(f"cat {probe}", status=None)
        try:
            expect(said, "^active$", f"^{ANCHOR}$", "^/usr/store/bin/hello$", "^Hello, world!$", "^doctor 0$")
        except CommandFailed as error:
            raise CommandFailed(f"boot {boot}: {error}\n{console[-3000:]}") from error
        host.run("rm", probe)
