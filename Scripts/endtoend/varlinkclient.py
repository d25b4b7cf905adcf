"""A client of varlink, to be run on a host: python3 client.py SOCKET METHOD PARAMETERS [more|oneway], or a way to misbehave."""

import json
import os
import socket
import sys


def connect(path):
    """A connection."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(60)
    made.connect(path)
    return made


def replies(made):
    """The replies that come, as they come."""
    rest = b""
    while True:
        chunk = made.recv(65536)
        if not chunk:
            return
        rest += chunk
        while b"\0" in rest:
            one, rest = rest.split(b"\0", 1)
            yield json.loads(one)


def ended(made):
    """Whether the service ends a connection, without a word."""
    try:
        return made.recv(1) == b""
    except ConnectionResetError:
        return True


def misbehave(path):
    """Sends what no client should; says what becomes of each."""
    for name, data in [("rubbish", b"rubbish\0"), ("nothing", b"\0"), ("no end", b" " * 200_000), ("binary", os.urandom(5000) + b"\0"),
                       ("nested", b'{"method":"a.b","parameters":' + b"[" * 60_000 + b"\0")]:
        made = connect(path)
        try:
            made.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        print(f"{name}: {'ended' if ended(made) else 'answered'}", flush=True)
    # One that stalls in the middle of a call, while many others are answered.
    stalled = connect(path)
    stalled.sendall(b'{"method":"io.sxs.Store.')
    many = [connect(path) for _ in range(30)]
    call = json.dumps({"method": "io.sxs.Store.Status"}).encode() + b"\0"
    for made in many:
        made.sendall(call)
    count = sum("error" not in next(replies(made)) for made in many)
    print(f"answered beside one that stalls: {count}", flush=True)
    # Many calls at once on one connection.
    made = connect(path)
    made.sendall(call * 50)
    found = replies(made)
    print(f"answered in one go: {sum('error' not in next(found) for _ in range(50))}", flush=True)


def main():
    path, method = sys.argv[1:3]
    if method == "misbehave":
        return misbehave(path)
    how = sys.argv[4:]
    made = connect(path)
    call = {"method": method, "parameters": json.loads(sys.argv[3]), **{word: True for word in how if word != "leave"}}
    made.sendall(json.dumps(call).encode() + b"\0")
    if "leave" in how:
        return None
    if "oneway" in how:
        # It ends when it has done what it was told before.
        made.shutdown(socket.SHUT_WR)
        ended(made)
        return None
    for reply in replies(made):
        print(json.dumps(reply, sort_keys=True), flush=True)
        if not reply.get("continues"):
            break
    return None


if __name__ == "__main__":
    main()
