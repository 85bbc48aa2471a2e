# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP: requests go to the server, answers come back."""

import socket

from http_lab import Mesh
from lab import TIMEOUT, VIP, connect, in_thread, listen
from stream import Delta


def requests(sock):
    """Head and body of each request that comes, until the client ends."""
    sock.settimeout(TIMEOUT)
    buffer = b""
    while True:
        while b"\r\n\r\n" not in buffer:
            data = sock.recv(65536)
            if not data:
                return
            buffer += data
        head, _, buffer = buffer.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        while len(buffer) < length:
            buffer += sock.recv(65536)
        body, buffer = buffer[:length], buffer[length:]
        yield head, body


def answer_requests(sock, respond):
    """A keep-alive server's end of one connection; respond(head, body) gives the bytes."""
    with sock:
        for head, body in requests(sock):
            for piece in respond(head, body):
                sock.sendall(piece)


def echo(head, body):
    text = head.split(b"\r\n")[0] + b"|" + body
    yield b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)


def server(respond):
    def serve(ready, port):
        listener = listen("0.0.0.0", port)
        listener.settimeout(4 * TIMEOUT)
        ready.tell()
        while True:
            sock, _ = listener.accept()
            in_thread(answer_requests, sock, respond)
    return serve


def read_response(sock, head_only=False):
    """One response and not a byte more, also where the next one follows at once."""
    data = b""
    while b"\r\n\r\n" not in data:
        seen = sock.recv(65536, socket.MSG_PEEK)
        if not seen:
            raise EOFError(f"end of stream after {data!r}")
        end = (data + seen).find(b"\r\n\r\n")
        data += sock.recv(len(seen) if end < 0 else end + 4 - len(data))
    head = data[:-4]
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line[15:])
    body = b""
    while len(body) < length and not head_only:
        chunk = sock.recv(length - len(body))
        if not chunk:
            raise EOFError(f"{len(body)} of {length} bytes")
        body += chunk
    return head, body


def get(sock, path="/", extra=b""):
    sock.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (path.encode(), extra))
    return read_response(sock)


def test_requests(lab):
    """1000 requests on one connection, all but the first few through the kernel."""
    mesh = Mesh(lab, 9300, server(echo))
    delta = Delta(lab)

    def call():
        with connect(VIP + "80", 80) as sock:
            for i in range(1000):
                head, body = get(sock, f"/{i}")
                assert body == b"GET /%d HTTP/1.1|" % i, body
    lab.run("workloads/b", call)
    seen = mesh.stop()
    assert delta["HTTP_REQUEST"] >= 998, f"{delta} {seen}"
    assert delta["HTTP_COMPLETE"] == delta["HTTP_REQUEST"]
    return f"{delta} {seen}"
