"""An HTTPS server on the loopback interface, with a certificate authority of its own."""

import http.server
import ssl
import subprocess
import threading


class Server:
    """Serves /hello; `port` says where, `authority` is the file a client has to be given."""

    def __init__(self, directory):
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                "-subj", "/CN=Test authority", "-addext", "basicConstraints=critical,CA:TRUE")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr",
                "-subj", "/CN=localhost")
        (directory / "extensions").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "extensions", "-out", "server.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "server.pem", directory / "server.key")
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hello)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self.authority = directory / "ca.pem"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        """Answers every request alike."""
        body = b"hello over TLS\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Says nothing."""
