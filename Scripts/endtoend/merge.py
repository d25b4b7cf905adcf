"""Merges system extensions with the real systemd-sysext, over this machine's /usr or that of another root.

A mount namespace of its own, so that the machine's /usr stays as it is: all mounts private, a file system in memory
on /run and over what is written, then all mounts shared, as systemd-sysext wants them. Loop devices are the
machine's; the kernel frees them with the mounts.
"""

import subprocess

# Of this machine only what is written is covered; another root is laid under a layer in memory and becomes /.
OWN = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/extensions /run/work /run/state /var/lib/sxs
mount --bind "$WORK" /run/work
mount --bind /run/state /var/lib/sxs
mount --make-rshared /
"""
OTHER = """
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
for name in dev proc sys; do mkdir -p $name; mount --rbind /$name $name; done
mount -t tmpfs tmpfs run
mkdir -p run/extensions run/work run/state run/old var/lib/sxs
mount --bind "$WORK" run/work
mount --bind run/state var/lib/sxs
pivot_root . run/old
cd /
umount -l /run/old
mount --make-rshared /
"""


def merged(script, work, root=None):
    """Runs a shell script where systemd-sysext can merge; its result, with output as text.

    `work` is a directory that the script finds as /run/work, and /var/lib/sxs is empty. Extensions go into
    /run/extensions. `root` is the directory of another system; without one it is this machine's.
    """
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/run", "LC_ALL": "C.UTF-8",
                   "WORK": str(work), "ROOT": str(root or "")}
    whole = "set -eu\n" + (OTHER if root else OWN) + script
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", whole], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300, check=False)
