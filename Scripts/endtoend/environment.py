"""Checks of what launchers pass on: host programs that a program of the store starts, and virtual environments."""

import contextlib
import shutil
from pathlib import Path

# Each asks a program of the host about its own files; the answers must not depend on who asks.
QUESTIONS = {
    "python": ["/usr/bin/python3", "-c",
               "import sys, ssl, json, encodings.idna, locale, sysconfig; print(sys.executable, sys.prefix, sys.path,"
               " locale.getlocale(), sysconfig.get_path('stdlib'), ssl.__file__, json.__file__)"],
    "perl": ["/usr/bin/perl", "-MPOSIX", "-MFile::Temp", "-e",
             'print "$^X @INC ", join(" ", map { $INC{$_} } sort keys %INC), setlocale(LC_ALL, ""), "\\n"'],
    "git": ["/usr/bin/git", "--exec-path"],
    "gcc": ["/usr/bin/gcc", "-print-search-dirs"],
    "iconv": ["/bin/sh", "-c", "printf '\\344' | /usr/bin/iconv -f ISO-8859-15 -t UTF-16BE | /usr/bin/od -An -tx1"],
    # By name: the host's come first in PATH.
    "found by name": ["/bin/sh", "-c", "command -v python3 perl git; python3 -c 'import sys; print(sys.prefix)'"],
}
# How programs of the store start another, with its output as theirs.
ASKERS = {
    "python3": ["-c", "import subprocess, sys; sys.stdout.flush(); sys.exit(subprocess.call(sys.argv[1:]))"],
    "perl": ["-e", "exit(system(@ARGV) >> 8)", "--"],
    "git": ["-c", 'alias.ask=!f() { "$@"; }; f', "ask"],
}
# Git itself tells its children where its own programs are, in GIT_EXEC_PATH and first in PATH, wherever it is installed.
OWN_WAYS = {("git", "git"), ("git", "found by name")}


def make_host(runner):
    """A root whose own /usr has the programs that the store has, too."""
    root = runner.directory / "host-root"
    if not root.exists():
        shutil.copytree(runner.fixtures / "tools.dir", root, symlinks=True)
    return runner.room("host-root")


def _output(room, command, environment):
    result = room.run(command, environment)
    errors = result.stderr.decode("utf-8", "replace")
    assert result.returncode == 0, f"{command} ended with {result.returncode}:\n{errors}"
    return result.stdout.decode("utf-8", "replace")


@contextlib.contextmanager
def store_shown(room, state):
    """Makes the store visible in a room for everybody, so that no program needs a namespace."""
    links = {Path(room.root, "usr/store"): state + "/store", Path(room.root, "usr/_"): state + "/aliases"}
    try:
        for link, target in links.items():
            link.symlink_to(target)
        yield
    finally:
        for link in links:
            link.unlink(missing_ok=True)


def check_host_programs(runner, shims, state, is_visible):
    """Programs of the host answer the same when a program of the store starts them."""
    room = make_host(runner)
    with store_shown(room, state) if is_visible else contextlib.nullcontext():
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp/home", "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
        for name, question in QUESTIONS.items():
            expected = _output(room, question, environment)
            assert expected.strip(), f"{name} says nothing"
            for asker, arguments in ASKERS.items():
                if (asker, name) in OWN_WAYS:
                    continue
                answer = _output(room, [f"{shims}/{asker}", *arguments, *question], environment)
                assert answer == expected, f"{name}, asked by {asker}, says\n{answer}\nand not\n{expected}"
        # Nothing but the ends of two lists is new.
        before = set(_output(room, ["/usr/bin/env"], environment).splitlines())
        after = set(_output(room, [f"{shims}/python3", *ASKERS["python3"], "/usr/bin/env"], environment).splitlines())
        longer = ("PATH=/usr/bin:/bin:/usr/store/", "XDG_DATA_DIRS=/usr/local/share:/usr/share:/usr/store/")
        new = {line for line in after - before if not line.startswith(longer)}
        assert not new, f"a program of the store hands on {new}"


VENV = r"""
cd /tmp/home
rm -rf x
python3 -m venv --without-pip x
x/bin/python -c 'import sys, json, ssl; print(sys.prefix, sys.prefix != sys.base_prefix, json.dumps([ssl.HAS_TLSv1_3]))'
mkdir -p x/lib/python3*/site-packages
echo 'value = 42' > "$(echo x/lib/python3*/site-packages)/made.py"
. x/bin/activate
python -c 'import made; print(made.value)'
"""


def check_venv(runner, root, shims, state, is_visible):
    """A virtual environment is made and runs, in a shell of sxs or where the store is visible to all."""
    room = runner.room(root)
    with store_shown(room, state) if is_visible else contextlib.nullcontext():
        environment = runner.environment(shims)
        command = ["/bin/sh", "-euc", VENV]
        if not is_visible:
            command = ["/sxs", "shell", "--root", state, "--", *command]
        answer = _output(room, command, environment)
        assert answer == "/tmp/home/x True [true]\n42\n", answer
