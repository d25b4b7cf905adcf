"""Writes tar layers, and OCI image archives of them."""

import hashlib
import json
import os
import subprocess
import tarfile
import time

COMPRESSORS = {"gzip": ["gzip", "-n", "-6"], "zstd": ["zstd", "-q", "-3", "-T0", "-c"]}


def write_tar(directory, output, newest, names=None):
    """Writes a tree, or the named part of it, as a reproducible tar with everything owned by root."""
    command = [
        "tar", "--create", "--directory", directory, "--format=pax",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "--owner=0", "--group=0",
        "--numeric-owner", "--sort=name", "--clamp-mtime", f"--mtime=@{newest}", "--no-recursion",
        "--null", "--verbatim-files-from", "--files-from=-",
    ]
    if names is None:
        names = list(entries(directory))
    listing = b"".join(os.fsencode(n) + b"\0" for n in names)
    with open(output, "wb") as file:
        subprocess.run(command, input=listing, stdout=file, check=True)


def entries(directory):
    """Every path of a tree, relative to it, a directory before what is in it."""
    names = []
    for parent, directories, files in os.walk(directory):
        relative = os.path.relpath(parent, directory)
        for name in directories + files:
            names.append(name if relative == "." else relative + "/" + name)
    return sorted(names)


class Layout:
    """An OCI image in a directory of blobs."""

    def __init__(self, directory):
        self.directory = directory
        os.makedirs(os.path.join(directory, "blobs/sha256"))

    def layer(self, tar, compression):
        """Adds a layer: its descriptor, and the digest of what it is uncompressed."""
        uncompressed = _digest(tar)
        packed = tar + "." + compression
        with open(tar, "rb") as source, open(packed, "wb") as target:
            subprocess.run(COMPRESSORS[compression], stdin=source, stdout=target, check=True)
        digest = _digest(packed)
        size = os.path.getsize(packed)
        os.rename(packed, os.path.join(self.directory, "blobs/sha256", digest))
        os.unlink(tar)
        return _descriptor(f"application/vnd.oci.image.layer.v1.tar+{compression}", digest, size), uncompressed

    def image(self, layers, name, version, description, architecture, newest, entrypoint):
        """Adds the configuration and manifest of `layers`, and the index that names the image."""
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(newest))
        labels = {
            "org.opencontainers.image.title": name,
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.description": description,
        }
        execution = {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": labels,
        }
        if entrypoint:
            execution["Entrypoint"] = [entrypoint]
        config = self._json("application/vnd.oci.image.config.v1+json", {
            "created": created, "architecture": architecture, "os": "linux", "config": execution,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest for _, digest in layers]},
            "history": [
                {"created": created, "created_by": "Scripts/make-image", "comment": comment}
                for comment in ["C library and base files", "packages"][:len(layers)]
            ],
        })
        manifest = self._json("application/vnd.oci.image.manifest.v1+json", {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [descriptor for descriptor, _ in layers], "annotations": labels,
        })
        manifest["platform"] = {"architecture": architecture, "os": "linux"}
        manifest["annotations"] = {"org.opencontainers.image.ref.name": version}
        index = {
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        }
        self._write("index.json", json.dumps(index, indent=1).encode())
        self._write("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')

    def archive(self, output):
        """Writes the layout as one tar file."""
        with tarfile.open(output, "w", format=tarfile.PAX_FORMAT) as archive:
            for name in entries(self.directory):
                member = archive.gettarinfo(os.path.join(self.directory, name), name)
                member.uid = member.gid = member.mtime = 0
                member.uname = member.gname = ""
                member.mode = 0o755 if member.isdir() else 0o644
                if member.isdir():
                    archive.addfile(member)
                    continue
                with open(os.path.join(self.directory, name), "rb") as file:
                    archive.addfile(member, file)

    def _json(self, media_type, value):
        contents = json.dumps(value, indent=1).encode()
        digest = hashlib.sha256(contents).hexdigest()
        self._write("blobs/sha256/" + digest, contents)
        return _descriptor(media_type, digest, len(contents))

    def _write(self, name, contents):
        with open(os.path.join(self.directory, name), "wb") as file:
            file.write(contents)


def _descriptor(media_type, digest, size):
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": size}


def _digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
