"""nginx on loopback, with TLS and without."""

import os
import socket
import subprocess
import time

from endtoend.stores import Failure


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """nginx with a certificate of a test authority. `more` goes into the configuration of its one server."""

    def __init__(self, place, directory, more=""):
        self.place, self.directory = place, directory
        place.mkdir()
        self.authority = place / "authority.pem"
        self.certify()
        port, other = _free_port(), _free_port()
        self.url, self.plain_url = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{other}"
        user = "user root;" if os.getuid() == 0 else ""
        (place / "nginx.conf").write_text(f"""
            {user} daemon off; worker_processes 1; pid {place}/pid; error_log {place}/errors;
            events {{ worker_connections 64; }}
            http {{
                log_format short '$request_method $uri $status'; access_log {place}/log short;
                client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
                uwsgi_temp_path {place}/4; scgi_temp_path {place}/5; sendfile on;
                server {{
                    listen 127.0.0.1:{port} ssl; listen 127.0.0.1:{other}; ssl_certificate {place}/server.pem; ssl_certificate_key {place}/server.key;
                    root {directory};
                    {more}
                }}
            }}
            """)
        self.process = subprocess.Popen(
            ["nginx", "-p", place, "-c", place / "nginx.conf", "-e", place / "errors"], stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise Failure((place / "errors").read_text()) from None
                time.sleep(0.05)

    def certify(self):
        """An authority, and a certificate for 127.0.0.1."""
        openssl = lambda *a: subprocess.run(["openssl", *a], cwd=self.place, check=True, capture_output=True)  # noqa: E731
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "authority.key",
                "-out", "authority.pem", "-subj", "/CN=Test authority", "-days", "2")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key", "-out",
                "server.csr", "-subj", "/CN=127.0.0.1")
        (self.place / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
                "-out", "server.pem", "-days", "2", "-extfile", "names")

    def requests(self):
        """What was asked, in order."""
        return (self.place / "log").read_text().splitlines()

    def close(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()
