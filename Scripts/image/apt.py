"""Resolves and downloads packages with the machine's own apt, in directories of its own, installing nothing."""

import os
import re
import subprocess
import time
from pathlib import Path


class AptError(Exception):
    """apt could not do what was asked."""


class Package:
    """One package of a resolved closure: name, version, architecture, and its .deb once downloaded."""

    def __init__(self, name, version, architecture):
        self.name, self.version, self.architecture = name, version, architecture
        self.file = None

    def __str__(self):
        return f"{self.name}={self.version}:{self.architecture}"

    def file_name(self):
        """How apt names the package in its archive cache."""
        version = self.version.replace(":", "%3a")
        return f"{self.name}_{version}_{self.architecture}.deb"


class Apt:
    """apt with an empty package database: every dependency has to come from the archive.

    From the machine come its sources, keyrings, proxies and credentials; not its hooks, its pins, or the
    packages it has installed.
    """

    def __init__(self, cache, suite=None, architecture=None):
        self.suite, self.architecture = suite, architecture or machine_architecture()
        directory = suite or own_suite()
        if self.architecture != machine_architecture():
            directory += "-" + self.architecture
        self.directory = Path(cache).resolve() / directory
        for name in ("lists/partial", "archives/partial"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        # Empty: nothing is installed.
        (self.directory / "status").write_text("")
        (self.directory / "sources.list").write_text(self._sources())
        (self.directory / "apt.conf").write_text(self._configuration())

    def closure(self, names):
        """The packages `names` depend on, and themselves, in an order in which they can be unpacked."""
        result = self._run("--simulate", "install", *names)
        packages = []
        for line in result.splitlines():
            match = re.match(r"Inst (\S+?)(?::\S+)? \((\S+) .*\[(\S+?)\]\)", line)
            if match:
                packages.append(Package(*match.groups()))
        if not packages:
            raise AptError(f"apt names no packages to install for {' '.join(names)}")
        return packages

    def download(self, names, packages):
        """Downloads what `closure(names)` named and is not there already."""
        archives = self.directory / "archives"
        for package in packages:
            package.file = archives / package.file_name()
        if any(not package.file.exists() for package in packages):
            self._run("--download-only", "install", *names)
        for package in packages:
            if not package.file.exists():
                raise AptError(f"apt did not download {package}: {package.file} does not exist")

    def update(self, age=12 * 3600):
        """Fetches the package lists, unless they are younger than `age` seconds."""
        stamp = self.directory / "updated"
        sources = (self.directory / "sources.list").read_text()
        if stamp.exists() and stamp.read_text() == sources and time.time() - stamp.stat().st_mtime < age:
            return
        stamp.unlink(missing_ok=True)
        self._run("--error-on=any", "update")
        stamp.write_text(sources)

    def _run(self, *arguments):
        environment = dict(os.environ, APT_CONFIG=str(self.directory / "apt.conf"), LC_ALL="C.UTF-8")
        result = subprocess.run(
            ["apt-get", "-q", "-y", *arguments], env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            said = [line for line in (result.stdout + result.stderr).splitlines() if line[:2] in ("E:", "W:")]
            raise AptError(f"apt-get {' '.join(arguments)} failed:\n" + "\n".join(said or [result.stderr]))
        return result.stdout

    def _configuration(self):
        # Read in the place of the machine's own: hooks in it would act on the machine's apt directories.
        kept = []
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
        for line in dump.stdout.splitlines():
            if line.startswith("Acquire::") and not line.startswith("Acquire::IndexTargets"):
                kept.append(line)
        here = self.directory
        own = {
            "Dir::Etc::Main": "/dev/null",
            "Dir::Etc::Parts": "/dev/null",
            "Dir::Etc::SourceList": here / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": here,
            "Dir::State::Lists": here / "lists",
            "Dir::State::Status": here / "status",
            "Dir::Cache": here,
            "Dir::Cache::Archives": here / "archives",
            "Dir::Cache::PkgCache": "",
            "Dir::Cache::SrcPkgCache": "",
            "Dir::Log": here,
            "APT::Architecture": self.architecture,
            "APT::Architectures::": self.architecture,
            "APT::Install-Recommends": "false",
            "APT::Install-Suggests": "false",
            "APT::Immediate-Configure": "false",
            "APT::Keep-Downloaded-Packages": "true",
            # The download runs as whoever runs this; the directories above are theirs.
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
        }
        return "\n".join(kept + [f'{key} "{value}";' for key, value in own.items()]) + "\n"

    def _sources(self):
        own = own_suite()
        entries = machine_sources()
        # A source whose suite is not this distribution's is another vendor's repository.
        entries = [e for e in entries if e["suite"] == own or e["suite"].startswith(own + "-")] or entries
        if self.suite and self.suite != own:
            entries = [e for e in entries if e["suite"] == own] or entries
            entries = [dict(e, suite=self.suite) for e in entries]
        lines = []
        for entry in entries:
            options = [f"arch={self.architecture}"]
            if entry["signed-by"]:
                options.append(f"signed-by={entry['signed-by']}")
            line = f"deb [{' '.join(options)}] {entry['uri']} {entry['suite']} {' '.join(entry['components'])}"
            if line not in lines:
                lines.append(line)
        if not lines:
            raise AptError("this machine's apt has no sources for its own distribution in /etc/apt")
        return "\n".join(lines) + "\n"


def machine_architecture():
    """This machine's architecture, as dpkg names it."""
    return subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def own_suite():
    """The code name of the distribution this machine runs."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    return "stable"


def machine_sources():
    """The binary package sources of the machine, from both of apt's formats."""
    found = []
    directory = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list")] + (sorted(directory.iterdir()) if directory.is_dir() else [])
    for file in files:
        if file.suffix == ".sources":
            found += _deb822(file.read_text())
        elif file.suffix == ".list" and file.exists():
            found += _one_line(file.read_text())
    return found


def _main_only(components):
    return [c for c in components if c == "main"] or components[:1]


def _one_line(text):
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options, uri, suite, components = match.groups()
            signed = re.search(r"signed-by=(\S+)", options or "")
            yield {
                "uri": uri, "suite": suite, "components": _main_only(components.split()),
                "signed-by": signed and signed.group(1),
            }


def _deb822(text):
    for stanza in re.split(r"\n\s*\n", text):
        fields, last = {}, None
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and last:
                fields[last] += "\n" + line.strip()
            elif ":" in line:
                last, value = line.split(":", 1)
                last = last.strip().lower()
                fields[last] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        signed = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield {
                    "uri": uri, "suite": suite,
                    "components": _main_only(fields.get("components", "").split()),
                    # A key written out in the source itself cannot stand in a one-line source.
                    "signed-by": signed if signed.startswith("/") else None,
                }
