"""docker-registry on loopback, with TLS and a password."""

import base64
import json
import socket
import subprocess
import time

from endtoend.stores import Failure


class Registry:
    """docker-registry with the test authority's certificate and a password."""

    def __init__(self, place, nginx):
        self.place = place
        place.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        hashed = subprocess.run(["htpasswd", "-nbB", "-C", "4", "me", "s3cr3t"], stdout=subprocess.PIPE, check=True).stdout
        (place / "passwords").write_bytes(hashed)
        self.credentials = place / "auth.json"
        auth = base64.b64encode(b"me:s3cr3t").decode()
        self.credentials.write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        self.credentials.chmod(0o644)
        (place / "config.yml").write_text(json.dumps({
            "version": 0.1, "log": {"accesslog": {"disabled": False}, "level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(place / "data")}},
            "auth": {"htpasswd": {"realm": "test", "path": str(place / "passwords")}},
            "http": {"addr": self.host, "tls": {
                "certificate": str(nginx.place / "server.pem"), "key": str(nginx.place / "server.key")}}}))
        with open(place / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", place / "config.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Failure((place / "log").read_text()) from None
                time.sleep(0.05)

    def push(self, archive, name):
        """Copies an archive's image into it."""
        subprocess.run(["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", "me:s3cr3t",
                        f"oci-archive:{archive}", f"docker://{self.host}/{name}"], check=True)

    def requests(self):
        """Its account of what was read."""
        return [line for line in (self.place / "log").read_text().splitlines() if '"GET ' in line]

    def close(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()
