"""A web server on loopback that serves a directory, and misbehaves where it is told to."""

import hashlib
import http.server
import os
import re
import threading
import time
import urllib.parse


class Web:
    """Serves a directory. `faults` maps a part of a path to what goes wrong there; `log` has what was asked."""

    def __init__(self, directory):
        self.directory, self.faults, self.log = directory, {}, []
        self.challenge = 'Basic realm="images"'
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                web.answer(self)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        """Stops it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def asked(self, name):
        """Statuses and ranges of answers for a file, in order."""
        return [(status, sent) for path, status, sent in self.log if path.endswith(name)]

    def answer(self, request):
        """One answer."""
        path = request.path.partition("?")[0]
        if path.endswith("/"):
            path += "index"
        fault = next((fault for part, fault in self.faults.items() if part in path), None)
        file = os.path.join(self.directory, urllib.parse.unquote(path).lstrip("/"))
        if callable(fault):
            fault = fault(request)
        if isinstance(fault, int):
            return self.status(request, fault)
        if isinstance(fault, str) and fault.startswith("to "):
            self.log.append((path, 302, None))
            request.send_response(302)
            request.send_header("Location", fault[3:])
            request.send_header("Content-Length", "0")
            return request.end_headers()
        if not os.path.isfile(file):
            return self.status(request, 404)
        with open(file, "rb") as opened:
            body = opened.read()
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if request.headers.get("If-None-Match") == tag:
            return self.status(request, 304)
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if wanted and request.headers.get("If-Range", tag) == tag:
            start = int(wanted[1])
            if start >= len(body):
                return self.status(request, 416)
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        rest = body[start:] + (bytes(4096) if fault == "long" else b"")
        self.log.append((path, 206 if start else 200, start))
        request.send_header("ETag", tag)
        request.send_header("Content-Length", str(len(rest)))
        request.end_headers()
        try:
            self.send(request, rest, fault)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def status(self, request, status):
        """An answer without a body."""
        self.log.append((request.path.partition("?")[0], status, None))
        request.send_response(status)
        if status == 401:
            request.send_header("WWW-Authenticate", self.challenge)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def send(self, request, body, fault):
        """A body, or what a fault makes of it: ('cut', n), ('stall', n), ('slow', bytes a piece), 'alter', 'long'."""
        if fault == "alter":
            body = body[:-1] + bytes([body[-1] ^ 1])
        kind, number = fault if isinstance(fault, tuple) else (None, 0)
        if kind == "slow":
            for start in range(0, len(body), number):
                request.wfile.write(body[start:start + number])
                request.wfile.flush()
                time.sleep(0.02)
            return
        if kind in ("cut", "stall"):
            body = body[:number]
        request.wfile.write(body)
        request.wfile.flush()
        if kind == "stall":
            time.sleep(8)
        if kind in ("cut", "stall"):
            request.close_connection = True
            request.connection.close()
