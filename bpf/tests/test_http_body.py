# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP: requests whose body comes in further sends than their head."""

import os
import random
import socket
import struct
import tempfile
import time
import zlib

from http_lab import KEEP_BODY, Mesh, route
from http_stage import (GET, OK, Stage, client_info, eventually, exactly, exchange, give, got,
                        lease_info, offer, state, taken, waiting)
from lab import F_ALL, F_SPLICE, TIMEOUT, VIP, connect, in_thread, listen
from stream import Delta, chunk, held_back, pass_on, receive_stream, send_stream
from test_http import read_response


def head(length, method=b"POST"):
    return b"%s /p HTTP/1.1\r\nHost: reviews\r\nContent-Length: %d\r\n\r\n" % (method, length)


def answered(c, s):
    s.sendall(OK)
    assert exactly(c, len(OK)) == OK


def test_cut_anywhere(lab):
    """A request in two sends, cut anywhere behind its head, and in as many as it has bytes: the
    server gets it, the lease counts every byte, and is the kernel's again after the answer."""
    body = b"GET / HTTP/1.1\r\n\r\nab"
    data = head(len(body)) + body
    with Stage(lab, 9370) as stage:
        u, s = stage.server()
        c, d = stage.client()
        for cut in range(len(data) - len(body), len(data)):
            c.sendall(data[:cut])
            assert state(u) == "BODY" and lease_info(u)["remaining"] == len(data) - cut
            assert client_info(d)["left"] == len(data) - cut
            assert exactly(s, cut) == data[:cut]
            c.sendall(data[cut:])
            assert state(u) == "SENT" and exactly(s, len(data) - cut) == data[cut:]
            answered(c, s)
            assert state(u) == "HELD"
            exchange(c, s)
        c.sendall(head(len(body)))
        for at in range(len(body)):
            assert state(u) == "BODY" and lease_info(u)["remaining"] == len(body) - at
            c.sendall(body[at:at + 1])
        assert exactly(s, len(data)) == data
        answered(c, s)
        # A server that is used again has no other state than one of plain requests.
        assert taken(u) == "HELD" and not lease_info(u)["unproven"]
        assert not waiting(d) and stage.delta["HTTP_PROXYS"] == 0
        assert stage.delta["HTTP_BODY_SENT"] == 2 * len(body)
        stats = stage.http.stats(stage.service)
        (found,) = stats.values()
        assert found["requests"] == 2 * len(body) + 1
        assert found["request_bytes"] == len(body) * (len(body) + 1), found


def test_sizes(lab):
    """Bodies of any size, sent at once, in pieces, by writev and by sendfile, from memory of more
    than one page: every byte arrives in its place."""
    rng = random.Random(7)
    with Stage(lab, 9371, body_max=1 << 26) as stage:
        u, s = stage.server()
        c, _ = stage.client()

        def upload(size, send):
            start = head(size)
            sending = in_thread(send, start, size)
            assert exactly(s, len(start)) == start
            receive_stream(s, size)
            sending()
            eventually(lambda: state(u) == "SENT")
            answered(c, s)
            assert state(u) == "HELD"

        def apart(start, size):
            c.sendall(start)
            c.sendall(chunk(0, size))

        def together(start, size):
            c.sendall(start + bytes(chunk(0, size)))

        def pieces(start, size):
            c.sendall(start + bytes(chunk(0, size // 3)))
            send_stream(c, size - size // 3, lambda: rng.randrange(1, 50000), start=size // 3)

        def gathered(start, size):
            c.sendall(start)
            at = 0
            while at < size:
                at += c.sendmsg([chunk(at, min(size - at, n)) for n in (7,)] +
                                [chunk(at + 7, max(0, min(size - at - 7, 60000)))])

        def from_file(start, size):
            with tempfile.TemporaryFile() as file:
                file.write(chunk(0, size))
                file.flush()
                c.sendall(start)
                at = 0
                while at < size:
                    at += os.sendfile(c.fileno(), file.fileno(), at, size - at)
        for send in (apart, together, pieces, gathered, from_file):
            for size in (1, 100, 4096, 32767, 32768, 40000, 300000, 900000):
                upload(size, send)
        assert stage.delta["HTTP_REQUEST"] == 40, str(stage.delta)
        return str(stage.delta)


def test_what_is_not_taken(lab):
    """Too large a body, one that a retry could need, or one of a GET: all of it is the proxy's."""
    with Stage(lab, 9372, body_max=1000) as stage:
        stage.server()
        for data in (head(1001), head(5, b"GET"), head(5, b"DELETE"), head(123456789)):
            c, d = stage.client()
            c.sendall(data)
            c.sendall(b"hello")
            assert exactly(d, len(data) + 5) == data + b"hello"
        stage.write(routes=[route(keep=KEEP_BODY)])
        c, d = stage.client()
        c.sendall(head(5))
        c.sendall(b"hello")
        assert exactly(d, len(head(5)) + 5) == head(5) + b"hello"
        assert stage.delta["HTTP_BODY"] == 2 and stage.delta["HTTP_METHOD_BODY"] == 2
        assert stage.delta["HTTP_ROUTE_PROXY"] == 1


def test_early_answer(lab):
    """A server that answers before it has the request hands it over: the answer and the rest of the
    body are the proxy's, and both know how much of it is to come."""
    with Stage(lab, 9373) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(100) + b"a" * 30)
        exactly(s, len(head(100)) + 30)
        s.sendall(OK)
        assert exactly(u, len(OK)) == OK and not waiting(c)
        assert stage.delta["HTTP_EARLY"] == 1
        info = lease_info(u)
        assert info["state"] == 0 and taken(u) == "BODY" and info["remaining"] == 70
        assert client_info(d)["left"] == 70 and client_info(d)["head"] == head(100)
        c.sendall(b"b" * 70)
        assert exactly(d, 70) == b"b" * 70 and not waiting(s)
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        u.sendall(b"b" * 70)
        assert exactly(s, 70) == b"b" * 70


def test_taken(lab):
    """Taken in the middle: S has all bytes before, D gets all after, in order behind them."""
    with Stage(lab, 9374) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(300))
        c.sendall(b"a" * 100)
        assert taken(u, "SENT", "ANSWER") is None and taken(u, "BODY") == "BODY"
        info = lease_info(u)
        assert info["remaining"] == 200 and not info["unproven"]
        c.sendall(b"b" * 100)
        assert exactly(d, 100) == b"b" * 100
        u.sendall(b"b" * 100)
        c.sendall(b"c" * 100)
        u.sendall(exactly(d, 100))
        assert exactly(s, len(head(300)) + 300) == head(300) + b"a" * 100 + b"b" * 100 + b"c" * 100
        s.sendall(OK)
        d.sendall(exactly(u, len(OK)))
        assert exactly(c, len(OK)) == OK
        offer(u, 2)
        give(d, 200)
        exchange(c, s)
        # The client may not be given in the middle.
        c.sendall(head(3))
        give(d, 200)
        assert state(u) == "BODY" and client_info(d)["left"] == 3
        c.sendall(b"abc")
        exactly(s, len(head(3)) + 3)
        answered(c, s)


def test_timed(lab):
    """A route's timeout counts from the end of the request: the lease says by how much that is later."""
    with Stage(lab, 9384, routes=[route(timeout_ms=400)]) as stage:
        u, s = stage.server()
        c, _ = stage.client()
        c.sendall(head(4) + b"abcd")
        assert lease_info(u)["timeout_ms"] == 400
        exactly(s, len(head(4)) + 4)
        answered(c, s)
        started = time.monotonic()
        c.sendall(head(4) + b"ab")
        assert lease_info(u)["timeout_ms"] == 400
        time.sleep(0.3)
        c.sendall(b"cd")
        took = (time.monotonic() - started) * 1000
        assert 690 <= lease_info(u)["timeout_ms"] <= 400 + took + 1, (lease_info(u), took)
        exactly(s, len(head(4)) + 4)
        answered(c, s)


def test_more_than_the_body(lab):
    """The end of a body together with a next request is the proxy's; a request after the end comes
    too early as any."""
    with Stage(lab, 9375) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(10) + b"12345")
        c.sendall(b"67890" + GET)
        assert exactly(d, 5 + len(GET)) == b"67890" + GET
        assert taken(u) is not None and taken(u) == "BODY" and lease_info(u)["remaining"] == 5
        assert exactly(s, len(head(10)) + 5) == head(10) + b"12345"
        assert stage.delta["HTTP_PIPELINED"] == 1
        give(d, 5 + len(GET))
        assert client_info(d)["owned"] == 0
        c, d = stage.client()
        u, s = stage.server()
        c.sendall(head(2))
        c.sendall(b"ab")
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET and taken(u) == "SENT"


def test_ends(lab):
    """Either end closes in the middle of a body, orderly or by a reset."""
    reset = struct.pack("ii", 1, 0)
    with Stage(lab, 9376) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(100) + b"x")
        exactly(s, len(head(100)) + 1)
        s.close()
        assert got(u) == b""
        c.sendall(b"y" * 50)
        assert exactly(d, 50) == b"y" * 50
        assert stage.delta["HTTP_SERVER_GONE"] == 1, str(stage.delta)
        assert taken(u) == "BODY" and lease_info(u)["remaining"] == 99

        # Its memory is given back 40 ms later, with the last ACK: the reason is the same.
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(100) + b"x")
        exactly(s, len(head(100)) + 1)
        s.close()
        time.sleep(0.3)
        c.sendall(b"y" * 50)
        assert exactly(d, 50) == b"y" * 50
        assert stage.delta["HTTP_SERVER_GONE"] == 2, str(stage.delta)
        u, s = stage.server()
        c, d = stage.client()
        s.close()
        time.sleep(0.3)
        c.sendall(head(100) + b"x")
        assert exactly(d, len(head(100)) + 1) == head(100) + b"x"
        assert stage.delta["HTTP_SERVER_GONE"] == 3, str(stage.delta)
        assert taken(u) == "HELD" and got(u) == b""

        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(100) + b"x")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        s.close()
        eventually(lambda: client_info(d)["taken"] == 5)
        assert client_info(d)["left"] == 99 and client_info(d)["lease"] == stage.cookie
        c.sendall(b"y" * 50)
        assert exactly(d, 50) == b"y" * 50

        for how in ("close", "reset"):
            u, s = stage.server()
            c, d = stage.client()
            c.sendall(head(100) + b"x")
            if how == "reset":
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            c.close()
            try:
                assert got(d) == b""
            except ConnectionResetError:
                assert how == "reset"
            assert taken(u) == "BODY" and lease_info(u)["remaining"] == 99


def test_switched_off(lab):
    """Splicing switched off in the middle: the rest is the proxy's."""
    with Stage(lab, 9377) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(10) + b"abc")
        exactly(s, len(head(10)) + 3)
        lab.configure(flags=F_ALL & ~F_SPLICE)
        try:
            c.sendall(b"d" * 7)
            assert exactly(d, 7) == b"d" * 7
        finally:
            lab.configure()
        assert taken(u) == "BODY" and lease_info(u)["remaining"] == 7


def test_stalled_server(lab):
    """A server that does not read: what the kernel holds for it is bounded, the client has to wait,
    and the proxy relays the rest in order once the server reads."""
    total = 64 << 20
    with Stage(lab, 9378, body_max=1 << 27) as stage:
        u, s = stage.server()
        c, d = stage.client()
        progress = [0]

        def send():
            c.sendall(head(total))
            send_stream(c, total, sizes=lambda: 100000, progress=progress)

        def relay():
            eventually(lambda: client_info(d)["taken"] == 5)
            left = client_info(d)["left"]
            assert total - left < 2 << 20, left
            pass_on(d, u, left)
            return True
        sending, relaying = in_thread(send), in_thread(relay)
        eventually(lambda: stage.delta["HTTP_SPILL"] == 1)
        held = held_back(progress)
        assert exactly(s, len(head(total))) == head(total)
        receive_stream(s, total)
        sending()
        assert relaying()
        return f"{held} KiB were under way"


def test_another_thread(lab):
    """While another call on the client's socket is under way nothing is proven: pieces and next
    requests are the proxy's, and a connection that is taken is told to be unproven."""
    with Stage(lab, 9379) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(4))
        c.settimeout(None)
        reading = in_thread(c.recv, 100)
        eventually(lambda: "unproven" in lease_info(u) and lease_info(u)["unproven"])
        c.sendall(b"ab")
        assert exactly(d, 2) == b"ab" and stage.delta["HTTP_SENDS_OVERLAP"] == 1
        assert taken(u) == "BODY" and lease_info(u)["unproven"]
        d.sendall(OK)
        assert reading() == OK
        assert not lease_info(u)["unproven"]

        u, s = stage.server()
        c, d = stage.client()
        c.sendall(head(2))
        c.sendall(b"ab")
        exactly(s, len(head(2)) + 2)
        answered(c, s)
        c.settimeout(None)
        reading = in_thread(c.recv, 100)
        eventually(lambda: lease_info(u)["unproven"])
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET and stage.delta["HTTP_SENDS_OVERLAP"] == 2
        # The lease is still in hand, for when it can be proven.
        assert state(u) == "HELD"
        d.sendall(OK)
        assert reading() == OK
        c.settimeout(TIMEOUT)
        give(d, len(GET))
        exchange(c, s)
        assert taken(u) == "HELD" and not lease_info(u)["unproven"]


# ---- under traffic ----

def upload_server(ready, port):
    """Answers with the checksum of the body that it has read; by path it does so before it has read
    the body (and keeps the connection), chunked, or not at all."""
    listener = listen("0.0.0.0", port)
    listener.settimeout(4 * TIMEOUT)
    ready.tell()

    def serve(sock):
        data = b""
        with sock:
            while True:
                while b"\r\n\r\n" not in data:
                    more = sock.recv(65536)
                    if not more:
                        return
                    data += more
                start, _, data = data.partition(b"\r\n\r\n")
                path = start.split(b" ")[1]
                length, nonce = 0, b"none"
                for line in start.split(b"\r\n")[1:]:
                    name, _, value = line.partition(b": ")
                    if name == b"Content-Length":
                        length = int(value)
                    elif name == b"X-Nonce":
                        nonce = value
                early = path == b"/early"
                if early:
                    told = b"early %s" % nonce
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                                 (len(told), told))
                elif path == b"/close":
                    return
                while len(data) < length:
                    more = sock.recv(65536)
                    if not more:
                        return
                    data += more
                body, data = data[:length], data[length:]
                told = b"%d %s" % (zlib.crc32(body), nonce)
                if path == b"/chunked":
                    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    sock.sendall(b"%x\r\n%s\r\n" % (len(told), told))
                    sock.sendall(b"0\r\n\r\n")
                elif not early:
                    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                                 (len(told), told))
    while True:
        sock, _ = listener.accept()
        in_thread(serve, sock)


def uploads(seed, rounds, paths):
    """One client; it knows nothing of which way its requests go. Returns [whole, ended early]."""
    rng = random.Random(seed)
    sock, counts, previous = None, [0, 0], b""
    for i in range(rounds):
        if not sock:
            sock, previous = connect(VIP + "80", 80), b""
        path = rng.choice(paths)
        body = rng.randbytes(rng.choice((1, 2, 100, 5000, 40000, 200000)))
        nonce = b"%d" % (seed << 32 | i)
        data = (b"POST %s HTTP/1.1\r\nHost: x\r\nX-Nonce: %s\r\nContent-Length: %d\r\n\r\n" %
                (path, nonce, len(body))) + body
        cuts = sorted(rng.sample(range(1, len(data)), min(rng.randrange(4), len(data) - 1)))
        if rng.random() < 0.5:
            cuts = [len(data) - len(body)] + [cut for cut in cuts if cut > len(data) - len(body)]
        try:
            for start, end in zip([0] + cuts, cuts + [len(data)]):
                sock.sendall(data[start:end])
                if rng.random() < 0.1:
                    time.sleep(rng.random() / 500)
            if path == b"/chunked":
                answer = b""
                while not answer.endswith(b"0\r\n\r\n"):
                    more = sock.recv(65536)
                    if not more:
                        raise EOFError(answer)
                    answer += more
                start, _, rest = answer.partition(b"\r\n\r\n")
                told = rest.split(b"\r\n")[1]
            else:
                start, told = read_response(sock)
        except (OSError, EOFError):
            # The proxy closes after an answer that came early, and does not say so before.
            assert path in (b"/early", b"/close") or previous == b"/early", path
            counts[1] += 1
            sock.close()
            sock = None
            continue
        if start.startswith(b"HTTP/1.1 503"):
            assert path == b"/close"
            sock.close()
            sock = None
            continue
        wanted = b"early " + nonce if path == b"/early" else b"%d %s" % (zlib.crc32(body), nonce)
        assert told == wanted, (path, told, wanted, len(body), cuts)
        counts[0] += 1
        previous = path
    return counts


def many_uploads(clients, rounds, paths, seed=1):
    def run():
        joins = [in_thread(uploads, seed + i, rounds, paths) for i in range(clients)]
        found = [join() for join in joins]
        return [sum(column) for column in zip(*found)]
    return run


def test_uploads(lab):
    """Split uploads, servers that answer early, chunked or never: every answer is that of the body
    that was sent."""
    mesh = Mesh(lab, 9380, upload_server, prepare=8)
    mesh.write(body_max=1 << 20)
    delta = Delta(lab)
    counts = lab.run("workloads/b", many_uploads(8, 150, (b"/plain",) * 6 + (b"/chunked", b"/early",
                                                                             b"/close")))
    seen = mesh.stop()
    assert delta["HTTP_BODY_SENT"] > 300 and counts[0] > 700, (counts, str(delta), seen)
    return f"{counts} {delta} {seen}"


def test_uploads_taken(lab):
    """A proxy that takes leases back without pause while bodies pass: every body arrives whole."""
    mesh = Mesh(lab, 9381, upload_server, restless=2, prepare=8)
    mesh.write(body_max=1 << 20)
    delta = Delta(lab)
    counts = lab.run("workloads/b", many_uploads(4, 200, (b"/plain",), seed=100))
    seen = mesh.stop()
    assert counts == [800, 0], (counts, seen)
    assert seen["adopted_body"] > 5 and delta["HTTP_BODY_SENT"] > 50, (str(delta), seen)
    return f"{delta} {seen}"
