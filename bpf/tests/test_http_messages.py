# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP: which messages it takes, which it leaves to the proxy, and that all arrive whole."""

import os
import socket
import tempfile
import time

from http_lab import (ALLOW, DENY, EXACT, FIELD_EXACT, FIELD_PRESENT, KEEP_5XX, KEEP_BODY,
                      KEEP_GATEWAY, KEEP_503, KEEP_409, PREFIX, SEGMENT, TO_PROXY, condition, route,
                      rule)
from http_stage import (GET, OK, Stage, client_info, eventually, exactly, exchange, give,
                        lease_info, offer, state, taken, waiting)
from lab import in_thread
from stream import chunk, held_back, pass_on, receive_stream, send_stream

LINE = b"GET /x HTTP/1.1\r\n"
HOST = b"Host: reviews\r\n"
END = b"\r\n"


def request(line=LINE, fields=HOST, body=b""):
    return line + fields + END + body


TAKEN = (
    request(),
    request(b"GET / HTTP/1.1\r\n"),
    request(b"HEAD /a HTTP/1.1\r\n"),
    request(b"DELETE /a/b/c HTTP/1.1\r\n"),
    request(b"OPTIONS /a HTTP/1.1\r\n"),
    request(b"PUT /a HTTP/1.1\r\n", HOST + b"Content-Length: 3\r\n", b"abc"),
    request(b"PATCH /a HTTP/1.1\r\n", HOST + b"content-length: 1\r\n", b"\n"),
    request(b"POST /a HTTP/1.1\r\n", HOST + b"CONTENT-LENGTH: 0\r\n"),
    request(b"POST /a HTTP/1.1\r\n", HOST + b"Content-Length: 9000\r\n", b"x" * 9000),
    request(b"POST /a HTTP/1.1\r\n", HOST + b"Content-Length: 30000\r\n", b"\0" * 30000),
    request(b"POST /a HTTP/1.1\r\n", HOST + b"Content-Length: 60000\r\n", b"x" * 60000),
    request(b"GET /a?b=%2f;c//../=/.?\\\"<> HTTP/1.1\r\n"),
    request(b"GET /A-z_0.9~a/b(c) HTTP/1.1\r\n"),
    request(b"GET /a=b,c+d*e'f&g:h HTTP/1.1\r\n"),
    request(fields=b"hOsT: reviews.default.svc.cluster.local:9080\r\n"),
    request(fields=HOST + b"Connection: keep-alive\r\n"),
    request(fields=HOST + b"connection: Keep-ALIVE\r\n"),
    request(fields=HOST + b"X-Empty:\r\nX-None: \r\nX-Tight:value\r\nX-Wide:   v   w  \r\n"),
    request(fields=HOST + b"Te-x: trailers\r\nHosts: a\r\nX-Host: b\r\nExpected: c\r\n"),
    request(fields=HOST + b"Cookie: a=b; c=d\r\nCookie: " + b"y" * 700 + b"\r\n"),
    request(fields=b"".join(b"x-%d: %d\r\n" % (i, i) for i in range(80)) + HOST),
)

PASSED = {
    "HTTP_METHOD": (
        request(b"get /x HTTP/1.1\r\n"), request(b"GETX /x HTTP/1.1\r\n"),
        request(b"TRACE /x HTTP/1.1\r\n"), request(b"CONNECT a:80 HTTP/1.1\r\n"),
        request(b" GET /x HTTP/1.1\r\n"), request(b"GET /x HTTP/1.0\r\n"),
        request(b"GET /x HTTP/2.0\r\n"), request(b"GET /x HTTP/1.2\r\n"),
        request(b"GET /x http/1.1\r\n"), request(b"GET /x HTTP/1.1 \r\n"),
        request(b"GET /x\r\n"), request(b"GET\r\n"), request(b"GET /xHTTP/1.1\r\n"),
        request(b"GET  HTTP/1.1\r\n"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP_TARGET": tuple(request(b"GET " + target + b" HTTP/1.1\r\n") for target in (
        b"x", b"*", b"http://a/x", b"//x", b"/x//y", b"/.", b"/..", b"/a/./b", b"/a/../b",
        b"/a/.b", b"/%2e", b"/a%20b", b"/a;b", b"/a\\b", b"/a#b", b"/a?b#c", b"/a b", b"/a?b c",
        b"/a\"b", b"/a<b", b"/a>b", b"/a^b", b"/a`b", b"/a{b", b"/a|b", b"/a}b", b"/a[b",
        b"/aaaaaaa%", b"/aaaaaa//", b"/aaaaaaa/.", b"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaa;",
        b"/ /x")),
    "HTTP_SYNTAX": (
        b"\r\n" + request(), request(fields=b""), request(fields=HOST + HOST),
        request(fields=b"Host:\r\n"), request(fields=b"Host: \r\n"), request(fields=b"Host:a\r\n"),
        request(fields=b"Host:  a\r\n"), request(fields=b"Host: a \r\n"),
        request(fields=b"Host: a/b\r\n"), request(fields=b"Host: a b\r\n"),
        request(fields=b"Host: a,b\r\n"), request(fields=b"Host: a@b\r\n"),
        request(fields=b"Host: " + b"a" * 200 + b"\r\n"),
        request(fields=HOST + b"A b: c\r\n"), request(fields=HOST + b"A : c\r\n"),
        request(fields=HOST + b" A: c\r\n"), request(fields=HOST + b": c\r\n"),
        request(fields=HOST + b"Abc\r\n"), request(fields=HOST + b"A_b: c\r\n"),
        request(fields=HOST + b"A(b: c\r\n"), request(fields=HOST + b"Abcdefgh\r\nX: y\r\n"),
        request(fields=HOST + b"n" * 40 + b": c\r\n"),
        request(fields=HOST + b"A: b\tc\r\n"), request(fields=HOST + b"A: b\0c\r\n"),
        request(fields=HOST + b"A: b\x7fc\r\n"), request(fields=HOST + b"A: b\x80c\r\n"),
        request(fields=HOST + b"A: b\rc\r\n"), request(fields=HOST + b"A: b\nc\r\n"),
        request(fields=HOST + b"A: b\r\n c\r\n"), request(fields=HOST + b"A: b\r\n\tc\r\n"),
        request(fields=HOST + b"A: b\x0b\r\n"), request(fields=HOST + b"A: b\xff\xff\xff\r\n"),
        request(fields=HOST + b"\xc3\xa9: b\r\n"),
        request().replace(b"\r\n", b"\n"), request().replace(b"\r\n", b"\r"),
        request(b"GET /x HTTP/1.1\n"), request(b"GET /\0 HTTP/1.1\r\n"),
        request(b"GET\t/x HTTP/1.1\r\n"), request(b"GET /\xc3\xa9 HTTP/1.1\r\n"),
        request(fields=HOST + b"Connection: keep-alive\r\nConnection: keep-alive\r\n"),
        b"\0\0\0\0", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "HTTP_FIELD": tuple(request(fields=HOST + field + END) for field in (
        b"Transfer-Encoding: chunked", b"transfer-encoding: identity", b"TRANSFER-ENCODING:chunked",
        b"Expect: 100-continue", b"Upgrade: websocket", b"TE: trailers", b"Trailer: x",
        b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"Proxy-Authorization: x",
        b"Connection: close", b"Connection: upgrade", b"Connection: keep-alive, x",
        b"Connection:keep-alive", b"Connection: keep-alive ", b"Connection: ",
        b"Connection: keep-alivf", b"HTTP2-Settings: AAMA")),
    "HTTP_BODY": tuple(request(b"POST /x HTTP/1.1\r\n", HOST + field + END, b"abcde") for field in (
        b"Content-Length: 5\r\nContent-Length: 5", b"Content-Length: +5", b"Content-Length: 05",
        b"Content-Length: 5,5", b"Content-Length: 5 ", b"Content-Length:5", b"Content-Length: 0x5",
        b"Content-Length: -5", b"Content-Length:", b"Content-Length: 5a",
        b"Content-Length: 000000005", b"Content-Length: 123456789")),
    "HTTP_PARTIAL": (
        GET[:-1], GET[:-2], GET[:-4], GET + b"\r\n", GET + GET, b"G", b"GET /x HTTP/1.1\r\nHo",
        request(b"POST /x HTTP/1.1\r\n", HOST + b"Content-Length: 5\r\n", b"abcdef"),
        request(fields=HOST + b"A: " + b"x" * 1000 + END)),
    "HTTP_METHOD_BODY": tuple(request(method + b" /x HTTP/1.1\r\n", HOST + b"Content-Length: 3\r\n",
                                      b"abc") for method in (b"GET", b"HEAD", b"DELETE", b"OPTIONS")),
}


def test_what_is_taken(lab):
    """Plain requests reach the server as they are; whatever is odd reaches the proxy as it is,
    with the reason counted."""
    with Stage(lab, 9340) as stage:
        u, s = stage.server()
        for data in TAKEN:
            c, d = stage.client()
            c.sendall(data)
            assert state(u) == "SENT", data
            assert exactly(s, len(data)) == data and not waiting(d)
            s.sendall(b"HTTP/1.1 204 No\r\n\r\n")
            assert exactly(c, 19)
            assert taken(u) == "HELD"
            offer(u, 1)
        count = 0
        for name, inputs in PASSED.items():
            for data in inputs:
                before = stage.delta[name]
                c, d = stage.client()
                c.sendall(data)
                assert exactly(d, len(data)) == data, data
                assert stage.delta[name] == before + 1, (name, data, str(stage.delta))
                assert state(u) == "POOLED" and client_info(d)["owned"] == 0
                c.close()
                d.close()
                count += 1
        assert not waiting(s)
        return f"{len(TAKEN)} taken, {count} passed"


def test_split_anywhere(lab):
    """A request whose head comes in two pieces, wherever it is cut, reaches the proxy whole."""
    data = request(b"POST /path HTTP/1.1\r\n", HOST + b"Content-Length: 20\r\n",
                   b"GET / HTTP/1.1\r\n\r\nab")
    with Stage(lab, 9341) as stage:
        u, s = stage.server()
        for cut in range(1, data.index(END + END) + 4):
            c, d = stage.client()
            c.sendall(data[:cut])
            c.sendall(data[cut:])
            assert exactly(d, len(data)) == data, cut
            c.close()
            d.close()
        assert state(u) == "POOLED" and not waiting(s)


PLAIN = (
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", GET),
    (b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\nConnection: keep-alive\r\n\r\nabcde", GET),
    (b"HTTP/1.1 500\r\nContent-Length: 1\r\nKeep-Alive: timeout=5\r\n\r\n\0", GET),
    (b"HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n", GET),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", GET),
    (b"HTTP/1.1 304 Not Modified\r\n\r\n", GET),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", GET.replace(b"GET", b"HEAD")),
    (b"HTTP/1.1 200 OK\r\n\r\n", GET.replace(b"GET", b"HEAD")),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"z" * 20000, GET),
    (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1900 + b"\r\nContent-Length: 1\r\n\r\nz", GET),
)

ODD = {
    "HTTP_ANSWER_FRAMING": (
        b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 123456789\r\n\r\n",
        b"HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\na"),
    "HTTP_ANSWER_SYNTAX": (
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 20 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1  200 OK\r\nContent-Length: 1\r\n\r\na",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: \x80\r\nContent-Length: 1\r\n\r\na"),
    "HTTP_ANSWER_PARTIAL": (
        b"H", b"HTTP/1.1 200 OK\r\nContent-Len", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 2100 + b"\r\nContent-Length: 1\r\n\r\nz"),
}


def test_answers(lab):
    """Answers whose end is plain go to the client, all others come to the proxy from the first
    byte."""
    with Stage(lab, 9342) as stage:
        u, s = stage.server()
        c, d = stage.client()
        for answer, asked in PLAIN:
            exchange(c, s, asked, answer)
            assert state(u) == "HELD" and not waiting(c) and not waiting(u)
        for name, answers in ODD.items():
            for answer in answers:
                before = stage.delta[name]
                u, s = stage.server()
                c, d = stage.client()
                c.sendall(GET)
                exactly(s, len(GET))
                s.sendall(answer)
                assert exactly(u, len(answer)) == answer, answer
                assert stage.delta[name] == before + 1, (name, answer, str(stage.delta))
                assert not waiting(c) and taken(u) == "SENT"
                for sock in (c, d, u, s):
                    sock.close()


def test_kept_statuses(lab):
    """Statuses that a retry policy wants to see come to the proxy, others do not."""
    for keep, kept, through in ((KEEP_5XX, (500, 503, 599), (200, 409, 499)),
                                (KEEP_GATEWAY, (502, 503, 504), (500, 501, 505)),
                                (KEEP_503, (503,), (502, 500)), (KEEP_409, (409,), (503, 400))):
        with Stage(lab, 9343, routes=[route(keep=keep)]) as stage:
            for code in kept + through:
                u, s = stage.server()
                c, _ = stage.client()
                c.sendall(GET)
                exactly(s, len(GET))
                answer = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % code
                s.sendall(answer)
                assert exactly(u if code in kept else c, len(answer)) == answer
                taken(u)
    with Stage(lab, 9343, routes=[route(keep=KEEP_5XX | KEEP_BODY)]) as stage:
        _, s = stage.server()
        c, d = stage.client()
        exchange(c, s)
        c.sendall(TAKEN[5])
        assert exactly(d, len(TAKEN[5])) == TAKEN[5]


def test_pieces_of_an_answer(lab):
    """A body in pieces of any size: one byte at a time, writev, sendfile, more than one page."""
    with Stage(lab, 9344) as stage:
        u, s = stage.server()
        c, _ = stage.client()

        def ask(size):
            c.sendall(GET)
            exactly(s, len(GET))
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
        head = ask(100)
        s.sendall(head)
        for i in range(100):
            assert state(u) == "ANSWER" and lease_info(u)["remaining"] == 100 - i
            s.sendall(b"%c" % i)
        assert exactly(c, len(head) + 100) == head + bytes(range(100)) and state(u) == "HELD"
        for size in (1, 4000, 10240, 32768, 100000, 300000):
            head = ask(size)
            body = chunk(0, size)
            sent = in_thread(s.sendmsg, [head, body[:5000], body[5000:]])
            assert exactly(c, len(head)) == head
            receive_stream(c, size)
            assert sent() == len(head) + size and state(u) == "HELD"
        with tempfile.TemporaryFile() as file:
            file.write(chunk(0, 900000))
            file.flush()
            for offset, size in ((0, 50000), (0, 900000), (4097, 9001)):
                head = ask(size)
                s.sendall(head, socket.MSG_MORE)

                def send_file(offset=offset, left=size):
                    while left:
                        done = os.sendfile(s.fileno(), file.fileno(), offset, left)
                        offset, left = offset + done, left - done
                sent = in_thread(send_file)
                assert exactly(c, len(head)) == head
                receive_stream(c, size, start=offset)
                sent()
                assert state(u) == "HELD", state(u)


def test_spill(lab):
    """A client that does not read: what the kernel holds for it is bounded, the server has to
    wait, and the proxy relays the rest in order once the client reads."""
    total = 64 << 20
    with Stage(lab, 9345) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total
        progress = [0]

        def serve():
            s.sendall(head)
            send_stream(s, total, sizes=lambda: 100000, progress=progress)

        def relay():
            eventually(lambda: state(u) == "PROXY")
            left = lease_info(u)["remaining"]
            pass_on(u, d, left)
            return True
        serving, relaying = in_thread(serve), in_thread(relay)
        eventually(lambda: stage.delta["HTTP_SPILL"] == 1)
        held = held_back(progress)
        assert exactly(c, len(head)) == head
        receive_stream(c, total)
        serving()
        assert relaying()
        give(d, 0)
        # D has spilled to TCP, so the kernel does not get the connection again.
        return f"{held} KiB were under way, owned {client_info(d)['owned']}"


def routed(stage, data, s):
    """Which way a request goes; the connection is fresh each time."""
    u = stage.sockets[2]
    c, d = stage.client()
    c.sendall(data)
    if state(u) == "SENT":
        assert exactly(s, len(data)) == data
        s.sendall(OK)
        exactly(c, len(OK))
        way = "kernel"
        assert taken(u) == "HELD"
        offer(u, 1)
    else:
        assert exactly(d, len(data)) == data
        way = "proxy"
    c.close()
    d.close()
    return way


def test_routes(lab):
    """Method, path and header conditions; the first route that matches decides."""
    routes = [
        route(condition("/deny", EXACT), action=TO_PROXY),
        route(condition("/seg", SEGMENT), action=TO_PROXY),
        route(condition("/pre", PREFIX), action=TO_PROXY),
        route(condition("/" + "l" * 63, EXACT), action=TO_PROXY),
        route(condition("/post", PREFIX, methods=("POST", "PUT")), action=TO_PROXY),
        route(condition("/user", fields=((0, FIELD_EXACT, "jason", 0),)), action=TO_PROXY),
        route(condition("/has", fields=((1, FIELD_PRESENT, "", 0),)), action=TO_PROXY),
        route(condition("/not", fields=((1, FIELD_PRESENT, "", 1),)), action=TO_PROXY),
        route(condition("/other", fields=((0, FIELD_EXACT, "jason", 1),)), action=TO_PROXY),
        route(condition("/")),
    ]

    def ask(path, fields=b"", method=b"GET"):
        return request(method + b" " + path + b" HTTP/1.1\r\n", HOST + fields)
    jason, long = b"End-User: jason\r\n", b"X-A-Rather-Long-Name-Of-A-Field1: v\r\n"
    with Stage(lab, 9346, routes=routes,
               names=("end-user", "x-a-rather-long-name-of-a-field1")) as stage:
        _, s = stage.server()
        for data, way in (
                (ask(b"/"), "kernel"), (ask(b"/deny"), "proxy"), (ask(b"/deny?x"), "proxy"),
                (ask(b"/deny/"), "kernel"), (ask(b"/denyx"), "kernel"), (ask(b"/den"), "kernel"),
                (ask(b"/seg"), "proxy"), (ask(b"/seg/a"), "proxy"), (ask(b"/segment"), "kernel"),
                (ask(b"/seg?x"), "proxy"), (ask(b"/Seg"), "kernel"),
                (ask(b"/pre"), "proxy"), (ask(b"/prefix/a"), "proxy"), (ask(b"/pr"), "kernel"),
                (ask(b"/" + b"l" * 63), "proxy"), (ask(b"/" + b"l" * 62), "kernel"),
                (ask(b"/" + b"l" * 64), "kernel"), (ask(b"/" + b"l" * 62 + b"m"), "kernel"),
                (ask(b"/post"), "kernel"), (ask(b"/post", method=b"POST"), "proxy"),
                (ask(b"/post", method=b"PUT"), "proxy"), (ask(b"/post", method=b"PATCH"), "kernel"),
                (ask(b"/user"), "kernel"), (ask(b"/user", jason), "proxy"),
                (ask(b"/user", b"END-USER: jason\r\n"), "proxy"),
                (ask(b"/user", b"end-user: Jason\r\n"), "kernel"),
                (ask(b"/user", b"end-user: jasons\r\n"), "kernel"),
                (ask(b"/user", b"end-user: jas\r\n"), "kernel"),
                (ask(b"/has", jason), "kernel"), (ask(b"/has", long), "proxy"),
                (ask(b"/not"), "proxy"), (ask(b"/not", long), "kernel"),
                (ask(b"/other", jason), "kernel"), (ask(b"/other"), "proxy"),
                (ask(b"/other", b"end-user: x\r\n"), "proxy"),
                # Repeated or oddly spaced fields that somebody asks for are the proxy's.
                (ask(b"/", jason + jason), "proxy"), (ask(b"/", b"end-user:  jason\r\n"), "proxy"),
                (ask(b"/", b"end-user:\r\n"), "proxy")):
            assert routed(stage, data, s) == way, (data, way)
        stage.write(to_proxy=1)
        assert routed(stage, GET, s) == "proxy"
        stage.write(to_proxy=0, routes=[route(condition("/only", EXACT))])
        assert routed(stage, GET, s) == "proxy" and stage.delta["HTTP_NO_ROUTE"] == 1
        assert routed(stage, ask(b"/only"), s) == "kernel"
        stage.write(routes=[], body_max=2)
        assert routed(stage, GET, s) == "proxy"
        stage.write(routes=[route()])
        assert routed(stage, TAKEN[5], s) == "proxy" and routed(stage, TAKEN[6], s) == "kernel"


def test_policies(lab):
    """DENY before ALLOW, only the rules that concern the caller; without an entry for the caller
    nothing is proven."""
    rules = [rule(DENY, condition("/secret")), rule(ALLOW, condition("/a")),
             rule(ALLOW, condition("/b", methods=("POST",))), rule(DENY, condition("/a/deny"))]

    def ask(path, method=b"GET"):
        return request(method + b" " + path + b" HTTP/1.1\r\n")
    with Stage(lab, 9347, rules=rules) as stage:
        _, s = stage.server()
        assert routed(stage, ask(b"/a"), s) == "proxy"
        for bits, path, method, way in (
                (0b1111, b"/a", b"GET", "kernel"), (0b1111, b"/b", b"GET", "proxy"),
                (0b1111, b"/b", b"POST", "kernel"), (0b1111, b"/c", b"GET", "proxy"),
                (0b1111, b"/a/deny", b"GET", "proxy"), (0b0111, b"/a/deny", b"GET", "kernel"),
                (0b0010, b"/b", b"POST", "proxy"), (0b0000, b"/a", b"GET", "proxy"),
                (0b1101, b"/a", b"GET", "proxy")):
            stage.http.sources(stage.table, 11, bits)
            assert routed(stage, ask(path, method), s) == way, (bits, path, way)
        stage.write(rules=[rule(DENY, condition("/secret"))], any_allow=0)
        stage.http.sources(stage.table, 11, 1)
        assert routed(stage, ask(b"/a"), s) == "kernel"
        assert routed(stage, ask(b"/secret/x"), s) == "proxy"


def test_counters(lab):
    """Requests, bytes and times by status, exactly once each."""
    with Stage(lab, 9348) as stage:
        u, s = stage.server()
        c, _ = stage.client()
        for code, count in ((200, 5), (404, 3), (503, 2)):
            for _ in range(count):
                exchange(c, s, TAKEN[5],
                         b"HTTP/1.1 %d X\r\nContent-Length: 10\r\n\r\n0123456789" % code)
        c.sendall(GET)
        exactly(s, len(GET))
        time.sleep(0.03)
        s.sendall(b"HTTP/1.1 201 X\r\nContent-Length: 10\r\n\r\n0")
        assert taken(u) == "ANSWER"
        stats = stage.http.stats(stage.service)
        for code, count, slow in ((200, 5, 0), (404, 3, 0), (503, 2, 0), (201, 1, 1)):
            found = stats[(stage.service, 11, 10, stage.pool, code)]
            assert found["requests"] == count and found["response_bytes"] == 10 * count, found
            assert found["request_bytes"] == (0 if slow else 3 * count)
            assert sum(found["buckets"]) == count and found["nanos"] > 0
            if slow:
                assert not any(found["buckets"][:5]) and found["nanos"] >= 30_000_000
        assert len(stats) == 4
