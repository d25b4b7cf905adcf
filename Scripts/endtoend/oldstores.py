"""Stores as earlier versions of the index had them, made from the written contract alone.

The schemas are those that were released, word for word, and never change; the files beside them follow
store-layout/README.md. No program of this tree has a part in it.
"""

import hashlib
import json
import os
import sqlite3

# Statements by which each version became the next.
MIGRATIONS = [
    """
    CREATE TABLE package (id INTEGER PRIMARY KEY, base_name TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        version TEXT NOT NULL, architecture TEXT NOT NULL, tree TEXT NOT NULL, listing TEXT NOT NULL,
        alias_salt INTEGER NOT NULL, size INTEGER NOT NULL, file_count INTEGER NOT NULL, source TEXT NOT NULL,
        source_digest TEXT, summary TEXT, registered INTEGER NOT NULL) STRICT;
    CREATE INDEX package_by_name ON package (name);
    CREATE TABLE alias (name TEXT PRIMARY KEY, package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
        target TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX alias_by_package ON alias (package);
    CREATE TABLE source (digest TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL,
        package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, name, version, architecture)) STRICT, WITHOUT ROWID;
    CREATE INDEX source_by_package ON source (package);
    CREATE TABLE generation (profile TEXT NOT NULL, number INTEGER NOT NULL, parent INTEGER, created INTEGER NOT NULL,
        command TEXT NOT NULL, PRIMARY KEY (profile, number)) STRICT, WITHOUT ROWID;
    CREATE TABLE generation_package (profile TEXT NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL,
        base_name TEXT NOT NULL, PRIMARY KEY (profile, number, position),
        FOREIGN KEY (profile, number) REFERENCES generation (profile, number) ON DELETE CASCADE) STRICT, WITHOUT ROWID;
    CREATE INDEX generation_package_by_name ON generation_package (base_name);
    CREATE TABLE remote (name TEXT PRIMARY KEY, kind TEXT NOT NULL, location TEXT NOT NULL) STRICT, WITHOUT ROWID;
    """,
    """
    DROP TABLE source;
    CREATE TABLE source (digest TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, architecture TEXT NOT NULL,
        hints TEXT NOT NULL, package INTEGER NOT NULL REFERENCES package (id) ON DELETE CASCADE,
        PRIMARY KEY (digest, name, version, architecture, hints)) STRICT, WITHOUT ROWID;
    CREATE INDEX source_by_package ON source (package);
    """,
    """
    CREATE TABLE package_objects (package INTEGER PRIMARY KEY REFERENCES package (id) ON DELETE CASCADE,
        objects BLOB NOT NULL) STRICT;
    """,
    """
    CREATE TABLE deleted_generation (profile TEXT NOT NULL, number INTEGER NOT NULL,
        PRIMARY KEY (profile, number)) STRICT, WITHOUT ROWID;
    """,
]

# 1980-01-02 00:00 UTC.
TIME = 315_619_200
CREATED = 1_760_000_000
CREATED_TEXT = "2025-10-09T08:53:20Z"


def base32(data):
    """Nix's base32, the last bits first."""
    number = int.from_bytes(data, "little")
    return "".join("0123456789abcdfghijklmnpqrsvwxyz"[number >> shift & 31]
                   for shift in range((len(data) * 8 + 4) // 5 * 5 - 5, -1, -5))


def store_path(tree, name, version):
    """The base name of a store path."""
    text = f"sxs-store-path 1\ntree sha256:{tree}\nname {name}\nversion {version}\narchitecture any\nrecipe 1\n"
    return f"{base32(hashlib.sha256(text.encode()).digest()[:20])}-{name}-{version}"


def listing(files, mask):
    """The canonical listing of a tree of files, given with contents and modes."""
    entries = {}
    for path, (contents, mode) in files.items():
        entries[path] = f"type=file mode=0{mode & mask:03o} size={len(contents)} sha256digest={hashlib.sha256(contents).hexdigest()}"
        parent = os.path.dirname(path)
        while parent:
            entries[parent] = f"type=dir mode=0{0o755 & mask:03o}"
            parent = os.path.dirname(parent)
    lines = [f". type=dir mode=0{0o755 & mask:03o}"]
    lines += [f"./{path} {entries[path]}" for path in sorted(entries, key=str.encode)]
    return ("#mtree sxs 1\n/set uid=0 gid=0\n" + "\n".join(lines) + "\n").encode()


def check_vector():
    """The vector of the contract, so that what is made here is what it says."""
    tree = hashlib.sha256(b"#mtree sxs 1\n/set uid=0 gid=0\n. type=dir mode=0755\n").hexdigest()
    assert store_path(tree, "empty", "1") == "6lhg18n4gpk4s3vwpxrp05z9wrdwgrfh-empty-1", store_path(tree, "empty", "1")


def put(path, contents, mode):
    """Makes a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    path.chmod(mode)


def add_package(root, name, number):
    """Makes the files of a store path; what the index says of it."""
    files = {f"usr/bin/{name}": (b"#!/bin/sh\necho %s\n" % name.encode(), 0o755),
             f"usr/share/{name}/text": (f"{name}\n".encode(), 0o644), f"usr/share/{name}/shared": (b"shared\n", 0o644)}
    source, relocated = listing(files, 0o777), listing(files, 0o555)
    tree = hashlib.sha256(source).hexdigest()
    base = store_path(tree, name, "1")
    for path, (contents, mode) in files.items():
        digest = hashlib.sha256(contents).hexdigest()
        stored = root / "objects" / digest[:2] / f"{digest}-{mode & 0o555:03o}"
        if not stored.exists():
            put(stored, contents, mode & 0o555)
            os.utime(stored, (TIME, TIME))
        place = root / "store" / base / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(stored, place)
    for directory, _, _ in os.walk(root / "store" / base, topdown=False):
        os.utime(directory, (TIME, TIME))
        os.chmod(directory, 0o555)
    alias = f"{base[:8]}abcdefgh{number}"
    os.symlink(f"/usr/store/{base}/usr/share/{name}", root / "aliases" / alias)
    row = {"name": name, "version": "1", "tree": tree, "listing": hashlib.sha256(relocated).hexdigest(), "base": base,
           "size": sum(len(contents) for contents, _ in files.values()), "alias": alias, "source": f"/images/{name}.tar"}
    metadata = {
        "formatVersion": 1, "storePath": base, "name": name, "version": "1", "architecture": "any", "tree": tree,
        "recipe": 1, "aliasSalt": 0, "listingDigest": row["listing"], "size": row["size"], "fileCount": len(files),
        "source": row["source"], "entrypoint": [], "launch": {"searchPath": [], "seeds": []}, "omissions": {},
        "exposure": {"commands": [{"name": name, "path": f"usr/bin/{name}", "needsLauncher": False}],
                     "data": [f"usr/share/{name}"]},
        "aliases": [{"name": alias, "target": f"usr/share/{name}"}],
    }
    for file, contents in (("source.mtree", source), ("tree.mtree", relocated), ("report.json", b"{}\n"),
                           ("metadata.json", json.dumps(metadata, indent=2, sort_keys=True).encode())):
        put(root / "manifests" / base / file, contents, 0o444)
    return row


def make(root, version):
    """Makes a store with an index of some version: two packages, of which one is in the active generation."""
    check_vector()
    for name in ("store", "manifests", "objects", "aliases", "shims", "profiles", "hints", "gcroots", "cache", "libexec"):
        (root / name).mkdir(parents=True)
    (root / "tmp").mkdir(mode=0o700)
    put(root / "format", b"1\n", 0o644)
    rows = [add_package(root, name, number) for number, name in enumerate(("kept", "gone"), 1)]
    generation = root / "profiles/default/generation-1"
    (generation / "bin").mkdir(parents=True)
    (generation / "share").mkdir()
    kept = rows[0]["base"]
    os.symlink(f"/usr/store/{kept}/usr/bin/kept", generation / "bin/kept")
    os.symlink(f"../../../../store/{kept}/usr/share/kept", generation / "share/kept")
    put(generation / "packages", f"sxs-packages 1\npackage {kept}\nlink kept\tusr/bin/kept\ndata usr/share/kept\n".encode(), 0o444)
    put(generation / "generation.json", json.dumps(
        {"formatVersion": 1, "profile": "default", "number": 1, "created": CREATED_TEXT, "command": "sxs install kept"}
    ).encode(), 0o444)
    os.symlink("generation-1", root / "profiles/default/current")
    (root / "index.sqlite").touch(mode=0o644)
    if version == 0:
        return rows
    database = sqlite3.connect(root / "index.sqlite")
    database.execute("PRAGMA journal_mode = WAL")
    for migration in MIGRATIONS[:version]:
        database.executescript(migration)
    for number, row in enumerate(rows, 1):
        # Rows that were taken away before have left a gap.
        database.execute("INSERT INTO package VALUES (?, ?, ?, ?, 'any', ?, ?, 0, ?, 3, ?, NULL, NULL, ?)",
                         [number * 3, row["base"], row["name"], row["version"], row["tree"], row["listing"], row["size"],
                          row["source"], CREATED + number])
        database.execute("INSERT INTO alias VALUES (?, ?, ?)", [row["alias"], number * 3, f"usr/share/{row['name']}"])
        digest = hashlib.sha256(row["name"].encode()).hexdigest()
        key = [digest, row["name"], "", ""] + ([""] if version > 1 else []) + [number * 3]
        database.execute(f"INSERT INTO source VALUES ({', '.join('?' * len(key))})", key)
    database.execute("INSERT INTO generation VALUES ('default', 1, NULL, ?, 'sxs install kept')", [CREATED])
    database.execute("INSERT INTO generation_package VALUES ('default', 1, 0, ?)", [kept])
    database.execute("INSERT INTO remote VALUES ('local', 'directory', '/images')")
    database.execute(f"PRAGMA user_version = {version}")
    database.commit()
    database.close()
    return rows
