"""OCI layouts and `docker save` archives, as files by name, so that each may be made wrong.

Source: OCI image-spec 1.1.
"""

import hashlib
import io
import json
import tarfile

from hostile import tars

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encoded(value):
    """A document; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class Layout:
    """A layout under construction: blobs by digest, and the documents above them."""

    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def blob(self, data, kind, **fields):
        """Adds a blob: its descriptor, in which fields may be wrong."""
        data = encoded(data)
        self.files["blobs/sha256/" + sha256(data)[7:]] = data
        return {"mediaType": kind, "digest": sha256(data), "size": len(data)} | fields

    def image(self, *layers, compress=None, kind=LAYER, diffs=None, configuration=None, **fields):
        """Adds an image of layers, which are archives: its manifest's descriptor."""
        made = [self.blob(compress(layer) if compress else layer, kind) for layer in layers]
        diffs = [sha256(layer) for layer in layers] if diffs is None else diffs
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diffs}}
        config = self.blob(config | (configuration or {}), CONFIGURATION)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": made}
        return self.blob(manifest | fields, MANIFEST)

    def index(self, *manifests):
        """Sets `index.json`."""
        self.files["index.json"] = encoded({"schemaVersion": 2, "manifests": list(manifests)})
        return self

    def archive(self):
        """All of it as a tar archive."""
        return tars.archive(*[tars.file(name.encode(), data) for name, data in self.files.items()])

    def directory(self, top):
        """All of it as a directory."""
        for name, data in self.files.items():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(data)
        return top


def layered(*layers, **more):
    """An archive of one image of these layers, each a list of entries."""
    layout = Layout()
    return layout.index(layout.image(*[tars.archive(*layer) for layer in layers], **more)).archive()


def docker(*layers, change=None, names=None):
    """What `docker save` writes, of layers that are archives."""
    config = json.dumps({"architecture": "amd64", "os": "linux",
                         "rootfs": {"diff_ids": [sha256(layer) for layer in layers]}}).encode()
    name = sha256(config)[7:] + ".json"
    paths = names or [sha256(layer)[7:] + "/layer.tar" for layer in layers]
    manifest = [{"Config": name, "RepoTags": ["hello:1"], "Layers": paths}]
    files = {name: config, **dict(zip(paths, layers, strict=False))}
    files["manifest.json"] = encoded(change(manifest) if change else manifest)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            information = tarfile.TarInfo(path)
            information.size = len(data)
            archive.addfile(information, io.BytesIO(data))
    return buffer.getvalue()
