# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP: who owns a connection or a lease, taken back in every state, closed at any time."""

import errno
import socket
import struct

import http_proxy
from http_lab import LEAST_REQUEST, route
from http_stage import (GET, OK, Stage, client_info, eventually, exactly, exchange, give, got,
                        lease_info, offer, state, take, taken, waiting)
from lab import F_ALL, F_SPLICE, NODE, OUTBOUND_PORT, VIP, Pipe, connect, listen, tcp

POST = b"POST /p HTTP/1.1\r\nHost: reviews\r\nContent-Length: 5\r\n\r\nhello"


def option_error(sock, option, size=64):
    try:
        sock.getsockopt(http_proxy.SOL, option, size)
    except OSError as error:
        return error.errno
    return 0


def test_options_elsewhere(lab):
    """The options exist only on D and U, and only once there is something to tell."""
    with Stage(lab, 9310) as stage:
        c, d = stage.client(given=False)
        u, s = stage.server(offered=False)
        assert option_error(u, http_proxy.LEASE) == errno.EOPNOTSUPP
        for sock in (c, s, u):
            assert option_error(sock, http_proxy.CLIENT, 1024) == errno.EOPNOTSUPP
        assert option_error(d, 77) == errno.EOPNOTSUPP
        for sock in (c, s):
            try:
                give(sock, 0)
                raise AssertionError("no such option for a workload")
            except OSError as error:
                assert error.errno == errno.ENOPROTOOPT
        give(u, 0)
        offer(d, 1)
        take(u)
        assert client_info(d)["owned"] == 0


def test_give(lab):
    """The kernel owns a connection only if the proxy has read every byte of it."""
    with Stage(lab, 9311) as stage:
        _, s = stage.server()
        c, d = stage.client(given=False)
        c.sendall(GET)
        assert client_info(d)["passed"] == len(GET)
        for consumed in (0, len(GET) - 1, len(GET) + 1):
            give(d, consumed)
            assert client_info(d)["owned"] == 0
        assert exactly(d, len(GET)) == GET
        d.sendall(OK)
        give(d, len(GET))
        assert client_info(d)["owned"] == 1
        assert exactly(c, len(OK)) == OK
        exchange(c, s)
        assert client_info(d)["passed"] == len(GET) and not waiting(d)
        c.sendall(b"GET ")
        assert client_info(d)["owned"] == 0 and exactly(d, 4) == b"GET "


def test_give_with_the_answer(lab):
    """Given together with the end of the answer: the next request, sent at once, is the kernel's.
    Other bytes than the announced ones, and a request before the end, call it off."""
    with Stage(lab, 9330) as stage:
        _, s = stage.server()
        c, d = stage.client(given=False)
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET
        give(d, len(GET), after=len(OK))
        assert client_info(d)["owned"] == 0
        d.sendall(OK[:10])
        assert client_info(d)["owned"] == 0
        d.sendall(OK[10:])
        assert client_info(d)["owned"] == 1 and exactly(c, len(OK)) == OK
        exchange(c, s)
        for early in (False, True):
            c, d = stage.client(given=False)
            c.sendall(GET)
            assert exactly(d, len(GET)) == GET
            give(d, len(GET), after=len(OK))
            if early:
                c.sendall(GET)
                d.sendall(OK)
            else:
                d.sendall(OK + b"x")
            assert client_info(d)["owned"] == 0
            d.sendall(OK)
            assert client_info(d)["owned"] == 0


def test_take_pooled(lab):
    """An idle lease that was taken is no longer used; offered again it is."""
    with Stage(lab, 9312) as stage:
        u, s = stage.server()
        c, d = stage.client()
        assert taken(u, "HELD", "SENT") is None and state(u) == "POOLED"
        assert taken(u) == "POOLED"
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET and not waiting(s)
        assert stage.delta["HTTP_NO_LEASE"] == 1
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        offer(u, 9)
        give(d, len(GET))
        exchange(c, s)
        assert lease_info(u)["cookie"] == 9


def test_take_sent(lab):
    """Taken while the server works: the answer comes to U, and C's next requests to D until the
    proxy gives the connection again."""
    with Stage(lab, 9313) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(POST)
        assert exactly(s, len(POST)) == POST and state(u) == "SENT"
        info = client_info(d)
        assert info["head"] == POST[:-5] and info["body_length"] == 5 and info["lease"] == 1
        assert lease_info(u)["client_port"] == c.getsockname()[1]
        assert taken(u, "SENT", "ANSWER") == "SENT"
        s.sendall(OK)
        assert exactly(u, len(OK)) == OK and not waiting(c)
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET
        assert stage.delta["HTTP_LEASE_LOST"] == 1
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        offer(u, 2)
        give(d, len(GET))
        exchange(c, s)


def test_give_after_adoption(lab):
    """Given again right after an adopted exchange, the next request is the kernel's."""
    with Stage(lab, 9314) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        assert taken(u) == "SENT"
        s.sendall(OK)
        d.sendall(exactly(u, len(OK)))
        assert exactly(c, len(OK)) == OK
        offer(u, 2)
        give(d, 0)
        exchange(c, s)


def test_take_answer(lab):
    """Taken in the middle of an answer: C has the first part, U gets the rest, and the number of
    bytes between is right."""
    with Stage(lab, 9315) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
        s.sendall(head + b"a" * 300)
        assert exactly(c, len(head) + 300) == head + b"a" * 300
        assert state(u) == "ANSWER" and lease_info(u)["remaining"] == 700
        s.sendall(b"b" * 100)
        assert exactly(c, 100) == b"b" * 100
        assert taken(u) == "ANSWER"
        info = lease_info(u)
        assert info["remaining"] == 600 and info["code"] == 200
        s.sendall(b"c" * 600)
        rest = exactly(u, 600)
        assert not waiting(c)
        d.sendall(rest)
        assert exactly(c, 600) == b"c" * 600
        offer(u, 2)
        give(d, 0)
        exchange(c, s)


def test_take_held(lab):
    """Taken between two requests: the next one finds another lease."""
    with Stage(lab, 9316) as stage:
        u, s = stage.server()
        c, _ = stage.client()
        exchange(c, s)
        assert state(u) == "HELD"
        assert taken(u) == "HELD"
        _, other = stage.server()
        exchange(c, other)
        assert stage.delta["HTTP_PROXYS"] == 0
        offer(u, 3)
        exchange(c, other)


def test_pipelining(lab):
    """A request before the end of the last answer goes to the proxy, which keeps the order; such
    a client is not given to the kernel again."""
    with Stage(lab, 9317) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        second = GET.replace(b"/x", b"/second")
        c.sendall(second)
        assert exactly(d, len(second)) == second and state(u) == "SENT" and not waiting(s)
        assert taken(u, "SENT") == "SENT"
        s.sendall(OK)
        d.sendall(exactly(u, len(OK)) + OK)
        assert exactly(c, 2 * len(OK)) == OK + OK
        give(d, len(second))
        assert client_info(d)["owned"] == 0
        for c, d in (stage.client(),):
            c.sendall(GET + GET)
            assert exactly(d, 2 * len(GET)) == GET + GET


def test_server_closes(lab):
    """A server that closed an idle connection loses no request; one that closes with the request
    unread is seen by the proxy, which has the copy."""
    with Stage(lab, 9318) as stage:
        u, s = stage.server()
        c, d = stage.client()
        s.close()
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET
        assert stage.delta["HTTP_SERVER_GONE"] == 1 and taken(u) == "HELD" and got(u) == b""
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        u, s = stage.server()
        give(d, len(GET))
        c.sendall(GET)
        assert state(u) == "SENT"
        s.close()
        assert waiting(u, 1)
        assert taken(u) == "SENT" and client_info(d)["head"] == GET


def test_client_closes(lab):
    """A client that closes before the answer, or in the middle: the rest comes to U."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with Stage(lab, 9319) as stage:
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        c.close()
        assert got(d) == b""
        s.sendall(OK)
        assert exactly(u, len(OK)) == OK and taken(u) == "SENT"
        u, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s, len(GET))
        s.sendall(head)
        assert exactly(c, len(head)) == head
        c.close()
        eventually(lambda: got(d) == b"")
        s.sendall(b"a" * 1000)
        assert exactly(u, 1000) == b"a" * 1000
        assert taken(u) == "ANSWER" and lease_info(u)["remaining"] == 1000
        assert stage.delta["HTTP_CLIENT_GONE"] == 2


def test_client_half_closes(lab):
    """A client that has finished sending still gets its answer."""
    with Stage(lab, 9320) as stage:
        _, s = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        c.shutdown(socket.SHUT_WR)
        assert got(d) == b""
        exactly(s, len(GET))
        s.sendall(OK)
        assert exactly(c, len(OK)) == OK


def test_proxy_closes(lab):
    """When D closes its record goes, when U closes its lease is free and S is nobody's."""
    with Stage(lab, 9321) as stage:
        def there(name, sock, port):
            ports = sock.getsockname()[1], port
            return lambda: any(struct.unpack_from("II", key, 40) == ports
                               for key in stage.http.keys(name))
        u, s = stage.server()
        c, d = stage.client()
        exchange(c, s)
        # Both maps are keyed by the application's end.
        record = there("tulle_http_clients", c, OUTBOUND_PORT)
        served = there("tulle_http_servers", s, s.getpeername()[1])
        eventually(lambda: record() and served())
        c.close()
        assert got(d) == b"" and client_info(d)["lease"] == 1
        d.close()
        eventually(lambda: not record())
        u.close()
        assert got(s) == b""
        eventually(lambda: not served())
        # The number of the lease is another connection's now: the old end does not touch it.
        u2, s2 = stage.server()
        c, d = stage.client()
        c.sendall(GET)
        exactly(s2, len(GET))
        try:
            s.sendall(OK)
        except OSError:
            pass
        assert not waiting(c, 0.05) and state(u2) == "SENT"
        s2.sendall(OK)
        assert exactly(c, len(OK)) == OK
        # With D's stream finished the kernel takes nothing more.
        d.shutdown(socket.SHUT_WR)
        assert client_info(d)["owned"] == 0


def test_unasked(lab):
    """Bytes of a server that nobody waits for come to the proxy and end the lease."""
    with Stage(lab, 9322) as stage:
        for held in (False, True):
            u, s = stage.server()
            c, d = stage.client()
            if held:
                exchange(c, s)
            s.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
            assert got(u).startswith(b"HTTP/1.1 408")
            assert taken(u) == ("HELD" if held else "POOLED") and not waiting(c)
            c.sendall(GET)
            assert exactly(d, len(GET)) == GET


def test_loops(lab):
    """A client only gets leases of the event loop that gave it."""
    with Stage(lab, 9323) as stage:
        stage.server(loop=1)
        c, d = stage.client(loop=2)
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET and stage.delta["HTTP_NO_LEASE"] == 1
        _, s = stage.server(loop=2)
        c, d = stage.client(loop=2)
        exchange(c, s)


def test_pool_full(lab):
    """256 leases of one endpoint and loop are taken, the next one is not offered; a place that
    was given up is used again."""
    with Stage(lab, 9324) as stage:
        pairs = [stage.server() for _ in range(256)]
        u, _ = stage.server(offered=False)
        offer(u, 1000)
        assert state(u) == "PROXY" and stage.delta["HTTP_POOL_FULL"] == 1
        assert taken(pairs[77][0]) == "POOLED"
        offer(u, 1000)
        assert state(u) == "POOLED"
        used = set()
        for _ in range(256):
            c, _ = stage.client()
            c.sendall(GET)
            used.add(next(i for i, (up, _) in enumerate(pairs + [(u, None)])
                          if i not in used and state(up) == "SENT"))
        assert used == set(range(257)) - {77}
        c, d = stage.client()
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET


def test_idle_leases(lab):
    """10,000 idle server connections cost memory only: each can be used, all can be taken."""
    def keep(ready, port):
        listener = listen("0.0.0.0", port)
        listener.listen(4096)
        ready.tell()
        held = []
        while True:
            held.append(listener.accept()[0])
            accepted.tell()

    ready, accepted = Pipe(), Pipe()
    lab.start("workloads/a", keep, ready, 9339)
    ready.wait()
    with Stage(lab, 9325) as stage:
        stage.http.endpoint(NODE + "10", 9339, stage.pool)
        lab.enter("proxy")
        ups = []
        for i in range(10000):
            ups.append(connect(NODE + "10", 9339))
            offer(ups[-1], i + 1, i // 250)
            if i % 1000 == 999:
                accepted.wait_for(1000)
        stage.sockets += ups
        assert stage.delta["HTTP_OFFERED"] == 10000
        for loop in range(0, 40, 13):
            c, _ = stage.client(loop=loop)
            c.sendall(GET)
            assert sum(state(u) == "SENT" for u in ups[loop * 250:loop * 250 + 250]) == 1
        assert all(taken(u) in ("POOLED", "SENT") for u in ups)


def test_tuple_reuse(lab):
    """100 connections in a row with the same addresses and ports each begin anew."""
    with Stage(lab, 9326) as stage:
        _, s = stage.server()
        for i in range(100):
            def call():
                sock = tcp()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((NODE + "11", 39100))
                sock.connect((VIP + "90", 80))
                return sock
            c = stage.at("workloads/b", call)
            d = stage.at("proxy", lambda: stage.outbound.accept()[0])
            assert client_info(d)["passed"] == 0 and client_info(d)["lease"] == 0
            c.sendall(GET[:i % 20 + 1])
            assert exactly(d, i % 20 + 1) == GET[:i % 20 + 1]
            give(d, i % 20 + 1)
            d.sendall(b"x")
            assert exactly(c, 1) == b"x"
            exchange(c, s)
            u = stage.sockets[2]
            assert taken(u) == "HELD"
            offer(u, i + 2)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
            d.close()
        assert stage.delta["HTTP_COMPLETE"] == 100


def test_two_endpoints(lab):
    """A connection changes between servers of a weighted route: one lease in hand at a time, the
    other goes back; weights 3 to 1 hold."""
    with Stage(lab, 9327) as stage:
        stage.write(routes=[route(shares=(0, 2), weight=4)], shares=((3, 0), (4, 1)),
                    clusters=((0, 1, 0), (1, 1, 0)),
                    members=((stage.pool, 10), (stage.pool + 500000, 12)))
        u1, s1 = stage.server()
        stage.http.endpoint(NODE + "10", 9327, stage.pool + 500000)
        u2, s2 = stage.server()
        c, _ = stage.client()
        counts = [0, 0]
        for _ in range(400):
            c.sendall(GET)
            which = 0 if state(u1) == "SENT" else 1
            assert state((u2, u1)[which]) in ("POOLED", "PROXY"), state((u2, u1)[which])
            s = (s1, s2)[which]
            assert exactly(s, len(GET)) == GET
            s.sendall(OK)
            assert exactly(c, len(OK)) == OK
            counts[which] += 1
        assert 250 < counts[0] < 350, counts
        return str(counts)


def test_least_request(lab):
    """Of two endpoints the one with fewer requests under way is chosen."""
    with Stage(lab, 9328) as stage:
        other = stage.pool + 600000
        stage.write(clusters=((0, 2, LEAST_REQUEST),), members=((stage.pool, 10), (other, 12)))
        first = [stage.server() for _ in range(30)]
        stage.http.endpoint(NODE + "10", 9328, other)
        second = [stage.server() for _ in range(30)]
        for _ in range(40):
            c, _ = stage.client()
            c.sendall(GET)
        busy = [sum(state(u) == "SENT" for u, _ in pairs) for pairs in (first, second)]
        assert sum(busy) == 40 and abs(busy[0] - busy[1]) <= 12, busy
        for u, s in first + second:
            if state(u) == "SENT":
                s.sendall(OK)
        assert all(state(u) in ("HELD", "POOLED") for u, _ in first + second)
        return str(busy)


def test_without_configuration(lab):
    """With splicing switched off nothing is taken and nothing is lost; on again it goes on."""
    with Stage(lab, 9329) as stage:
        _, s = stage.server()
        c, d = stage.client()
        exchange(c, s)
        lab.configure(flags=F_ALL & ~F_SPLICE)
        c.sendall(GET)
        assert exactly(d, len(GET)) == GET
        give(d, len(GET))
        assert client_info(d)["owned"] == 0
        d.sendall(OK)
        assert exactly(c, len(OK)) == OK
        lab.configure()
        d.sendall(b"x")
        assert exactly(c, 1) == b"x"
        give(d, len(GET))
        if client_info(d)["owned"]:
            exchange(c, s)
