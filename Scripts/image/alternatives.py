"""Reads the alternatives that a package's postinst would register, and sets them in a tree."""

import re
import shlex
from pathlib import Path


class Alternative:
    """One choice for a name: where the link is, what it leads to, how much it is preferred, and its slaves."""

    def __init__(self, link, name, path, priority):
        self.link, self.name, self.path, self.priority = link, name, path, priority
        self.slaves = []


def registered(script):
    """The alternatives a postinst registers.

    Not a shell: it knows assignments of plain words, `for NAME in WORDS`, and calls that begin with
    update-alternatives, which is what maintainer scripts are made of. What cannot be known without
    running the script (a command substitution, say) is passed over.
    """
    script = re.sub(r"\\\n\s*", " ", script)
    # A list of names is often one quoted assignment over several lines.
    script = re.sub(r"(?m)^(\s*\w+=\")([^\"]*)\"", lambda m: m[1] + " ".join(m[2].split()) + '"', script)
    variables = [{}]
    loops = []
    found = []
    for line in re.split(r"\n|;(?!;)", script):
        line = line.strip()
        if match := re.match(r"for\s+(\w+)\s+in\s+(.*)$", line):
            words = [w for binding in variables for w in _words(match.group(2), binding)[:1000]]
            loops.append(variables)
            variables = [dict(b, **{match.group(1): w}) for b in variables for w in dict.fromkeys(words)]
            continue
        if re.match(r"done\b", line) and loops:
            variables = loops.pop()
            continue
        if match := re.match(r"(?:local\s+|export\s+)?(\w+)=(\S*|\"[^\"]*\"|'[^']*')$", line):
            for binding in variables:
                words = _words(match.group(2), binding)
                binding[match.group(1)] = words[0] if words else ""
            continue
        if "update-alternatives" in line and "--install" in line:
            call = line[line.index("update-alternatives"):]
            for binding in variables:
                found += _call(_words(call, binding))
    return found


def _words(text, binding):
    text = re.sub(r"\$\{?(\w+)\}?", lambda m: binding.get(m.group(1), m.group(0)), text)
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _call(words):
    found, index = [], 0
    while index < len(words):
        if words[index] == "--install" and index + 4 < len(words) and re.match(r"\d+$|\$", words[index + 4]):
            link, name, path, priority = words[index + 1:index + 5]
            # A function's argument is not known; the choice is as good as none.
            found.append(Alternative(link, name, path, int(priority) if priority.isdigit() else 0))
            index += 5
        elif words[index] == "--slave" and index + 3 < len(words) and found:
            found[-1].slaves.append(tuple(words[index + 1:index + 4]))
            index += 4
        else:
            index += 1
    known = [a for a in found if "$" not in a.link + a.name + a.path and "`" not in a.path]
    for alternative in known:
        alternative.slaves = [s for s in alternative.slaves if "$" not in "".join(s)]
    return known


def set_all(tree, alternatives):
    """Makes the links of every name lead to its most preferred choice that exists, as update-alternatives does."""
    groups = {}
    for alternative in alternatives:
        if exists(tree, alternative.path):
            groups.setdefault(alternative.name, []).append(alternative)
    for name, choices in sorted(groups.items()):
        choices.sort(key=lambda a: -a.priority)
        chosen = choices[0]
        _link(tree, chosen.link, name, chosen.path)
        for link, slave, path in chosen.slaves:
            if exists(tree, path):
                _link(tree, link, slave, path)
        _record(tree, choices)


def _link(tree, link, name, path):
    for at, target in ((f"/etc/alternatives/{name}", path), (link, f"/etc/alternatives/{name}")):
        place = inside(tree, at)
        if place.exists() and not place.is_symlink():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)


def _record(tree, choices):
    """Writes the name's file in update-alternatives' own database."""
    slaves = {}
    for choice in choices:
        for link, slave, _ in choice.slaves:
            slaves.setdefault(slave, link)
    lines = ["auto", choices[0].link]
    for slave in sorted(slaves):
        lines += [slave, slaves[slave]]
    lines.append("")
    for choice in sorted(choices, key=lambda a: a.path):
        paths = {slave: path for _, slave, path in choice.slaves}
        lines += [choice.path, str(choice.priority)] + [paths.get(slave, "") for slave in sorted(slaves)]
    lines.append("")
    directory = inside(tree, "/var/lib/dpkg/alternatives")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / choices[0].name).write_text("\n".join(lines) + "\n")


def inside(tree, path):
    """Where an absolute path of the image is on this machine; the last component is not followed."""
    at = Path(tree)
    parts = [p for p in path.split("/") if p not in ("", ".")]
    for number, part in enumerate(parts):
        at = at / part
        if number + 1 < len(parts):
            at = _resolved(tree, at, 0)
    return at


def exists(tree, path):
    """Whether a path exists in the image, its links followed within the image."""
    return _resolved(tree, inside(tree, path), 0).exists()


def _resolved(tree, at, depth):
    if not at.is_symlink() or depth > 32:
        return at
    target = str(at.readlink())
    if not target.startswith("/"):
        target = "/" + str(at.parent.relative_to(tree)) + "/" + target
    parts = []
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return _resolved(tree, inside(tree, "/" + "/".join(parts)), depth + 1)
