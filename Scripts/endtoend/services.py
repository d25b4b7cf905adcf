"""Services of the store on a host that was booted: real packages, run by its own systemd under systemd-nspawn."""

import textwrap

from endtoend.hosts import CommandFailed
from endtoend.setup import expect, expect_not

CONTAINER = "/mnt/container"
SAID = "/var/lib/said"

# Runs when all else has started, says what it finds, and ends the system. A command that fails says so.
WALK = """[Unit]
Description=Uses the services of the store, and ends the system
After=multi-user.target

[Service]
Type=oneshot
StandardOutput=append:{said}
StandardError=inherit
ExecStart=/bin/bash -l /var/lib/walk
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=240

[Install]
WantedBy=multi-user.target
"""

HELPERS = r"""
say() { echo "== $*"; }
get() { exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$1" >&3 && tr -d '\r' <&3; exec 3>&-; }
ask() { exec 3<>/dev/tcp/127.0.0.1/6379 && printf '%s\r\nQUIT\r\n' "$1" >&3 && tr -d '\r' <&3; exec 3>&-; }
state() { echo "$1 is $(systemctl is-active "$1")"; }
is() { if test "$@"; then echo "yes: $*"; else echo "no: $*"; fi; }
"""

# The image was installed before the system ran for the first time.
FIRST = HELPERS + r"""
say 'what boot brought'
state nginx.service; state sxs-activate.service
is -f /etc/nginx/nginx.conf; is -d /etc/nginx/sites-enabled; is -d /var/lib/nginx
systemctl show --property=FragmentPath,UnitFileState nginx.service
say 'the administrator enables a site, and changes a file'
ln -s ../sites-available/default /etc/nginx/sites-enabled/default
mkdir -p /var/www/html; echo 'hello from the host' > /var/www/html/index.html
echo '# mine' >> /etc/nginx/nginx.conf
systemctl reload nginx.service; sleep 1
get /
say 'another service, while the system runs'
is -e /etc/redis/redis.conf
sxs install /mnt/images/redis.oci.tar; echo "status $?"
state redis-server.service; state redis.service
ask PING; ask 'SET key value'
id redis; stat -c '%U %a %n' /var/lib/redis
ps -o user= -C redis-server || stat -c '%U' /proc/$(systemctl show --value --property=MainPID redis-server.service)
kill -9 "$(systemctl show --value --property=MainPID redis-server.service)"; sleep 2; state redis-server.service
sxs install redis; echo "again $?"
say 'upgrade'
before=$(systemctl show --value --property=MainPID redis-server.service)
sxs install /mnt/images/nginx-newer.oci.tar; echo "status $?"
get / | grep -i '^server'; tail -n 1 /etc/nginx/nginx.conf
[ "$before" = "$(systemctl show --value --property=MainPID redis-server.service)" ] && echo 'redis was left alone'
say 'rollback'
sxs rollback; echo "status $?"
get / | grep -i '^server'
say 'remove'
sxs remove nginx; echo "status $?"
state nginx.service; get /
systemctl status nginx.service 2>&1 | head -n 1
is -e /etc/nginx/nginx.conf; is -e /etc/nginx/mime.types; is -e /etc/nginx/sites-enabled/default; is -e /etc/nginx/snippets
say 'doctor'
sxs rollback; echo "status $?"
state nginx.service
sxs doctor; echo "doctor $?"
sxs activate; echo "activate $?"
"""

SECOND = HELPERS + r"""
say 'after a restart'
state nginx.service; state redis-server.service
get / | grep -i '^server'
ask PING
say 'the host has a unit of that name'
printf '[Service]\nExecStart=/bin/sleep 1000\n' > /etc/systemd/system/redis-server.service
sxs activate; echo "activate $?"
systemctl show --property=FragmentPath redis-server.service
sxs doctor | grep redis
rm /etc/systemd/system/redis-server.service; systemctl daemon-reload
say 'undo'
sxs setup --undo --refresh; echo "undo $?"
state nginx.service; state redis-server.service
is -e /etc/systemd/system-generators/sxs-generator; is -e /run/systemd/generator.late/nginx.service
is -e /etc/redis; tail -n 1 /etc/nginx/nginx.conf
"""


def part(said, title):
    """What was said under a title."""
    for text in said.split("== "):
        if text.startswith(title + "\n"):
            return text
    raise CommandFailed(f"'{title}' was not reached\n{said}")


def boot(host, script):
    """Boots the container, has it run a script, and returns what that said."""
    host.shell(f"cat > {CONTAINER}/var/lib/walk <<'END_OF_WALK'\n{script}\nEND_OF_WALK\nrm -f {CONTAINER}{SAID}")
    console = host.run(
        "timeout", "--kill-after=5", "280", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot",
        "--private-network", "--console=pipe", f"--directory={CONTAINER}", status=None, timeout=300)
    said = host.show(f"cat {CONTAINER}{SAID}", status=None)
    if "== " not in said:
        raise CommandFailed(f"the system did not come up\n{said}\n{console[-5000:]}")
    return said


def services_walk(host, images, root):
    """Two services: from the image that is booted, which is a root directory on the host, to their end."""
    host.shell(f"mkdir -p {CONTAINER} /mnt/upper /mnt/work; mount -t overlay overlay {CONTAINER} -o lowerdir={root},upperdir=/mnt/upper,"
               f"workdir=/mnt/work; cp /mnt/sxs {CONTAINER}/usr/bin/sxs; mount -t cgroup2 cgroup2 /sys/fs/cgroup; "
               f"echo 0123456789abcdef0123456789abcdef > /etc/machine-id; rm -f {CONTAINER}/etc/machine-id; "
               f"mkdir -p {CONTAINER}{images}; cp -r {images}/. {CONTAINER}{images}")
    host.show(f"sxs setup --host {CONTAINER} --method anchor")
    note = host.show(f"sxs install --root {CONTAINER}/var/lib/sxs {images}/nginx.oci.tar")
    expect(note, r"services are not started \(nginx\.service\): only the system's store")
    host.shell(f"cat > {CONTAINER}/etc/systemd/system/walk.service <<'END'\n{WALK.format(said=SAID)}END\n"
               f"mkdir -p {CONTAINER}/etc/systemd/system/multi-user.target.wants; "
               # It has the loopback interface only, and nothing to wait for.
               f"ln -s /dev/null {CONTAINER}/etc/systemd/system/systemd-networkd-wait-online.service; "
               f"ln -s ../walk.service {CONTAINER}/etc/systemd/system/multi-user.target.wants/walk.service")
    first(boot(host, textwrap.dedent(FIRST)))
    second(boot(host, textwrap.dedent(SECOND)))


def first(said):
    """What the first boot has to have said."""
    try:
        expect(part(said, "what boot brought"), "^nginx.service is active$", "^sxs-activate.service is active$",
               "^yes: -f /etc/nginx/nginx.conf$", "^yes: -d /etc/nginx/sites-enabled$", "^yes: -d /var/lib/nginx$",
               "^FragmentPath=/run/systemd/generator.late/nginx.service$", "^UnitFileState=generated$")
        expect(part(said, "the administrator enables a site, and changes a file"), "^HTTP/1.1 200 OK$",
               r"^Server: nginx/1\.22", "^hello from the host$")
        redis = part(said, "another service, while the system runs")
        expect(redis, "^no: -e /etc/redis/redis.conf$", r"^\+ /etc/redis/redis.conf$", "^started redis-server.service$",
               "^status 0$", r"^\+PONG$", r"^\+OK$", r"\(redis\)", r"^redis 755 /var/lib/redis$", "^redis *$",
               "^again 0$")
        expect_not(redis, "is inactive", "is failed")
        expect(part(said, "upgrade"), "^restarted nginx.service$",
               "^= /etc/nginx/nginx.conf stays: it was changed", "^status 0$", r"^Server: nginx/1\.2[4-9]", "^# mine$",
               "^redis was left alone$")
        expect(part(said, "rollback"), "^restarted nginx.service$", "^status 0$", r"^Server: nginx/1\.22")
        removed = part(said, "remove")
        expect(removed, "^stopped nginx.service$", "^status 0$", "^nginx.service is inactive$", "Connection refused",
               "could not be found", "^yes: -e /etc/nginx/nginx.conf$", "^no: -e /etc/nginx/mime.types$",
               "^no: -e /etc/nginx/snippets$", "^= /etc/nginx/nginx.conf stays: it was changed$")
        expect(part(said, "doctor"), "^started nginx.service$", "^nginx.service is active$", "^doctor 0$",
               "^nothing to do$", "^activate 0$")
    except CommandFailed as error:
        raise CommandFailed(f"{error}\n\nof all that was said in the first boot:\n{said}") from error


def second(said):
    """What the second boot has to have said."""
    try:
        expect(part(said, "after a restart"), "^nginx.service is active$", "^redis-server.service is active$",
               r"^Server: nginx/1\.22", r"^\+PONG$")
        expect(part(said, "the host has a unit of that name"), "^= redis-server.service is the host's own$",
               "^FragmentPath=/etc/systemd/system/redis-server.service$", "redis-server.service")
        undone = part(said, "undo")
        expect(undone, "^undo 0$", "^nginx.service is inactive$", "^redis-server.service is inactive$",
               "^no: -e /etc/systemd/system-generators/sxs-generator$",
               "^no: -e /run/systemd/generator.late/nginx.service$", "^no: -e /etc/redis$", "^# mine$")
    except CommandFailed as error:
        raise CommandFailed(f"{error}\n\nof all that was said in the second boot:\n{said}") from error
