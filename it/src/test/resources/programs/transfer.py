"""Moves checked bytes over one TCP connection.

transfer.py serve PORT
    echoes commands: a client says b"SEND <size> <pause>\n" or b"RECV <size> <pause>\n"
transfer.py put|get HOST PORT SIZE PAUSE
    PAUSE: none, random (short sleeps while reading), or stall:SECONDS (the reader stops once, early on)

Where http_proxy is set (tier explicit), the client goes through it with CONNECT.

The stream is a counter of 8-byte words, so that a lost, doubled or reordered byte is seen where it happens.
Prints "ok SIZE" and exits 0 when the reader saw exactly the bytes that were sent.
"""
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

CHUNK = 64 * 1024
# No words of HTTP: a proxy that looks at the first bytes must see plain bytes.
WORDS = {"put": "SEND", "get": "RECV"}


def block(offset):
    first = offset // 8
    return struct.pack(f">{CHUNK // 8}Q", *range(first, first + CHUNK // 8))


def write(sock, size):
    sent = 0
    digest = hashlib.sha256()
    while sent < size:
        data = block(sent)[: size - sent]
        sock.sendall(data)
        digest.update(data)
        sent += len(data)
    return digest.hexdigest()


def read(sock, size, pause):
    got = 0
    digest = hashlib.sha256()
    stall = float(pause[6:]) if pause.startswith("stall:") else 0
    source = random.Random(size)
    while got < size:
        data = sock.recv(min(256 * 1024, size - got))
        if not data:
            raise SystemExit(f"end of stream after {got} of {size} bytes")
        digest.update(data)
        got += len(data)
        if stall and got > 100_000:
            time.sleep(stall)
            stall = 0
        if pause == "random" and source.random() < 0.002:
            time.sleep(source.random() * 0.02)
    return digest.hexdigest()


def connect(host, port):
    proxy = os.environ.get("http_proxy", "")
    # One on this host is the mesh's; another is for programs that fetch something.
    if not proxy.startswith("http://127.0.0.1:"):
        return socket.create_connection((host, port), timeout=240)
    name, number = proxy.removeprefix("http://").rstrip("/").rsplit(":", 1)
    sock = socket.create_connection((name, int(number)), timeout=240)
    sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    status = line(sock)
    while line(sock):
        pass
    if status[1] != "200":
        raise SystemExit(f"the proxy says {' '.join(status)}")
    return sock


def line(sock):
    text = b""
    while not text.endswith(b"\n"):
        byte = sock.recv(1)
        if not byte:
            raise SystemExit("end of stream in a line")
        text += byte
    return text.decode().split()


def serve_one(sock):
    with sock:
        verb, size, pause = line(sock)
        size = int(size)
        if verb == "SEND":
            digest = read(sock, size, pause)
            sock.sendall(f"SUM {digest}\n".encode())
        else:
            digest = write(sock, size)
            sock.sendall(f"SUM {digest}\n".encode())


def serve(port):
    server = socket.create_server(("0.0.0.0", port), backlog=64)
    while True:
        sock, _ = server.accept()
        threading.Thread(target=serve_one, args=(sock,), daemon=True).start()


def main():
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    verb, host, port, size, pause = sys.argv[1:6]
    size = int(size)
    with connect(host, int(port)) as sock:
        sock.sendall(f"{WORDS[verb]} {size} {pause}\n".encode())
        mine = write(sock, size) if verb == "put" else read(sock, size, pause)
        theirs = line(sock)[1]
    if mine != theirs:
        raise SystemExit(f"checksums differ: {mine} {theirs}")
    print("ok", size)


main()
