# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP under traffic: clients, servers and a proxy as processes of their own, everything
changing at once. Each request carries a number, each answer has to be its own and whole."""

import random
import struct
import threading
import time
import zlib

from http_lab import EXACT, PREFIX, TO_PROXY, Mesh, condition, route
from lab import TIMEOUT, VIP, connect, in_thread, listen
from stream import Delta
from test_http import read_response, requests, server


def checked_body(nonce, size):
    body = random.Random(nonce).randbytes(size)
    return struct.pack("<QI", nonce, zlib.crc32(body)) + body


def nonce_of(head):
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"x-nonce:"):
            return int(line[8:])
    raise ValueError(head)


def respond(head, body):
    """By path: /plain, /big, /chunked, /close, /slow, /pieces, /head."""
    path = head.split(b" ")[1]
    nonce = nonce_of(head)
    data = checked_body(nonce, 300000 if path == b"/big" else 40 + len(body))
    if path == b"/chunked":
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield b"%x\r\n%s\r\n" % (len(data), data)
        yield b"0\r\n\r\n"
        return
    if path == b"/slow":
        time.sleep(0.005)
    start = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
    if path == b"/pieces":
        yield start
        for at in range(0, len(data), 7):
            yield data[at:at + 7]
        return
    yield start + data


def ask(sock, path, nonce, pieces=0, body=b""):
    method = b"POST" if body else b"GET"
    data = b"%s %s HTTP/1.1\r\nHost: x\r\nX-Nonce: %d\r\n" % (method, path, nonce)
    if body:
        data += b"Content-Length: %d\r\n" % len(body)
    data += b"\r\n" + body
    if pieces:
        cut = pieces % (len(data) - 1) + 1
        sock.sendall(data[:cut])
        sock.sendall(data[cut:])
    else:
        sock.sendall(data)


def check(sock, nonce, chunked=False):
    if not chunked:
        head, body = read_response(sock)
    else:
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            more = sock.recv(65536)
            if not more:
                raise EOFError("end of stream in a chunked body")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        size, _, rest = body.partition(b"\r\n")
        body = rest[:int(size, 16)]
    assert head.startswith(b"HTTP/1.1 200"), head
    got, crc = struct.unpack("<QI", body[:12])
    if got != nonce or crc != zlib.crc32(body[12:]):
        wanted = checked_body(nonce, len(body) - 12)
        at = next(i for i, (a, b) in enumerate(zip(body, wanted)) if a != b)
        raise AssertionError(f"{got} instead of {nonce}, {len(body)} bytes, wrong from {at}: "
                             f"{body[at:at + 40]!r} instead of {wanted[at:at + 40]!r}")


PATHS = (b"/plain", b"/plain", b"/plain", b"/pieces", b"/chunked", b"/slow", b"/big", b"/split",
         b"/post", b"/pipeline", b"/proxied")


def client(seed, rounds):
    rng = random.Random(seed)
    sock, done = None, 0
    for i in range(rounds):
        if not sock or rng.random() < 0.03:
            if sock:
                sock.close()
            sock = connect(VIP + "80", 80)
        nonce = seed << 32 | i
        path = rng.choice(PATHS)
        if path == b"/split":
            ask(sock, b"/plain", nonce, rng.randrange(1, 50))
            check(sock, nonce)
        elif path == b"/post":
            ask(sock, b"/plain", nonce, body=rng.randbytes(rng.randrange(1, 5000)))
            check(sock, nonce)
        elif path == b"/pipeline":
            for extra in range(3):
                ask(sock, b"/plain", nonce + (extra << 20))
            for extra in range(3):
                check(sock, nonce + (extra << 20))
            sock.close()
            sock = None
        else:
            ask(sock, path, nonce)
            check(sock, nonce, path == b"/chunked")
        done += 1
    return done


def clients(count, rounds, seed=1):
    def run():
        joins = [in_thread(client, seed + i, rounds) for i in range(count)]
        return sum(join() for join in joins)
    return run


def test_everything_at_once(lab):
    """12 clients with plain, split, pipelined and posted requests, answers plain, large, in
    pieces and chunked, while the route table is replaced every few milliseconds."""
    mesh = Mesh(lab, 9360, server(respond), routes=[route()])
    delta = Delta(lab)
    running = [lab.start("workloads/b", clients(4, 150, seed)) for seed in (10, 20, 30)]
    stop = threading.Event()

    def swap():
        turn = 0
        while not stop.is_set():
            turn += 1
            mesh.write(routes=[route(condition("/proxied", EXACT), action=TO_PROXY),
                               route(condition("/", PREFIX))] if turn % 2 else [route()])
            mesh.http.delete("tulle_http_tables", struct.pack("I", mesh.table - 100))
            time.sleep(0.003)
    swapping = in_thread(swap)
    try:
        total = sum(process.result() for process in running)
    finally:
        stop.set()
        swapping()
    seen = mesh.stop()
    assert total == 12 * 150
    assert delta["HTTP_REQUEST"] > 300, str(delta)
    assert seen["adopted_sent"] > 20, seen
    return (f"{delta['HTTP_REQUEST']} by the kernel, {seen}, " +
            ", ".join(f"{name} {delta[name]}" for name in delta.before
                      if name.startswith("HTTP_") and delta[name]))


def test_taken_at_any_moment(lab):
    """A proxy that takes leases back without pause, in whatever state they are, and offers or
    adopts them: every request gets its own answer once."""
    mesh = Mesh(lab, 9364, server(respond), restless=3, prepare=12)
    delta = Delta(lab)

    def call():
        def one(seed):
            rng = random.Random(seed)
            with connect(VIP + "80", 80) as sock:
                for i in range(500):
                    path = rng.choice((b"/plain", b"/plain", b"/plain", b"/pieces", b"/slow"))
                    ask(sock, path, seed << 32 | i, body=rng.choice((b"", b"abc")))
                    check(sock, seed << 32 | i)
            return 500
        return sum(join() for join in [in_thread(one, seed) for seed in range(1, 5)])
    assert lab.run("workloads/b", call) == 2000
    seen = mesh.stop()
    assert seen["adopted_sent"] > 10 and delta["HTTP_REQUEST"] > 100, (seen, str(delta))
    return f"{delta['HTTP_TAKE_RACE']} at the last moment, {delta} {seen}"


def closing_server(ready, port):
    """Closes its connections at random moments: idle, with a request just read, mid-answer never
    (that is an error on every path)."""
    rng = random.Random(5)
    listener = listen("0.0.0.0", port)
    listener.settimeout(4 * TIMEOUT)
    ready.tell()

    def serve(sock):
        with sock:
            left = rng.randrange(1, 30)
            for head, body in requests(sock):
                left -= 1
                if not left and rng.random() < 0.5:
                    return  # the request is read and never answered
                for piece in respond(head, body):
                    sock.sendall(piece)
                if left <= 0:
                    return
    while True:
        sock, _ = listener.accept()
        in_thread(serve, sock)


def test_server_closes_at_random(lab):
    """A server that closes keep-alive connections at random: GETs are repeated by the proxy, every
    request gets its own answer."""
    mesh = Mesh(lab, 9361, closing_server)
    delta = Delta(lab)

    def call():
        def one(seed):
            with connect(VIP + "80", 80) as sock:
                for i in range(300):
                    ask(sock, b"/plain", seed << 32 | i)
                    check(sock, seed << 32 | i)
            return 300
        return sum(join() for join in [in_thread(one, seed) for seed in range(1, 9)])
    assert lab.run("workloads/b", call) == 2400
    seen = mesh.stop()
    assert delta["HTTP_REQUEST"] > 500, f"{delta} {seen}"
    assert seen["replayed"] > 10, seen
    return f"{delta['HTTP_REQUEST']} by the kernel, {seen}"


def test_timeout(lab):
    """A server that does not answer: the proxy takes the request back in time and says 504."""
    def silent(ready, port):
        listener = listen("0.0.0.0", port)
        ready.tell()
        held = []
        while True:
            held.append(listener.accept()[0])
    mesh = Mesh(lab, 9362, silent, routes=[route(timeout_ms=150)])

    def call():
        with connect(VIP + "80", 80) as sock:
            time.sleep(0.1)
            started = time.monotonic()
            ask(sock, b"/plain", 1)
            head, _ = read_response(sock)
            return head, time.monotonic() - started
    head, took = lab.run("workloads/b", call)
    assert head.startswith(b"HTTP/1.1 504") and 0.14 < took < 1.0, (head, took)
    assert mesh.stop()["timeouts"] == 1


def test_readers(lab):
    """Blocking, level- and edge-triggered clients and servers, kernel and proxy path in turn on one
    connection: no lost wake-up in 2000 turns."""
    import select
    mesh = Mesh(lab, 9363, server(respond), prepare=1)
    delta = Delta(lab)

    def call(kind):
        with connect(VIP + "80", 80) as sock:
            poll = select.epoll()
            poll.register(sock, select.EPOLLIN | (select.EPOLLET if kind == "edge" else 0))
            for i in range(700):
                ask(sock, b"/plain", i, pieces=5 if i % 3 == 0 else 0)
                if kind != "blocking" and not poll.poll(TIMEOUT):
                    raise TimeoutError(f"{kind}: no event in turn {i}")
                check(sock, i)
                if i % 3 == 2:
                    time.sleep(0.001)  # the proxy gives the connection after its answer
    for kind in ("blocking", "level", "edge"):
        lab.run("workloads/b", call, kind)
    mesh.stop()
    assert delta["HTTP_REQUEST"] > 300 and delta["HTTP_PROXYS"] > 300, str(delta)
    return str(delta)
