# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Unasked only sockets are spliced whose programs cannot notice: HTTP, in non-blocking mode."""

import contextlib
import ctypes
import errno
import itertools
import socket
import struct

import http_proxy
from bpf import SPLICING_ALL, SPLICING_HTTP, SPLICING_NONE
from http_lab import MAYBE_HTTP
from http_stage import GET, OK, Stage, client_info, exactly, exchange, give, lease_info, offer, state
from lab import NODE, TIMEOUT, VIP, WORKLOAD, twin
from stream import Delta, pair

LEASES = itertools.count(50_000)


@contextlib.contextmanager
def splicing(lab, a, b):
    """How the workloads a (10) and b (11) want their connections; each time under new leases."""
    def write(name, number, wish, lease):
        address = f"{NODE}{number}"
        lab.maps.workload(lab.id(f"workloads/{name}"), number, WORKLOAD, address, twin(address), lease, wish)
    write("a", 10, a, next(LEASES))
    write("b", 11, b, next(LEASES))
    try:
        yield
    finally:
        write("a", 10, SPLICING_ALL, 0)
        write("b", 11, SPLICING_ALL, 0)


def not_told(sock, option, size=64):
    try:
        http_proxy.getsockopt(sock, option, size)
    except OSError as error:
        return error.errno == errno.EOPNOTSUPP
    return False


def test_other_protocols(lab):
    """A connection between workloads skips TCP only if both of them say so."""
    wishes = (SPLICING_HTTP, SPLICING_ALL, SPLICING_NONE)
    for a, b in itertools.product(wishes, wishes):
        with splicing(lab, a, b):
            delta = Delta(lab)
            pair(lab, lambda sock: sock.sendall(exactly(sock, 5)), lambda sock: (sock.sendall(b"hello"), exactly(sock, 5)),
                 9700)
            expected = 2 if a == b == SPLICING_ALL else 0
            assert delta["SPLICE_SOCKET"] == expected, f"{a} {b}: {delta}"
            assert (delta["SPLICE_BYTES"] == 10) == bool(expected), f"{a} {b}: {delta}"


def test_clients(lab):
    """A client that waits in connect stays on TCP, and its requests are the proxy's."""
    for wish, waits, given in ((SPLICING_HTTP, True, False), (SPLICING_HTTP, False, True), (SPLICING_ALL, True, True),
                               (SPLICING_NONE, False, False)):
        with splicing(lab, SPLICING_ALL, wish), Stage(lab, 9701) as stage:
            def call():
                sock = socket.socket()
                sock.settimeout(None if waits else TIMEOUT)
                sock.connect((VIP + "90", 80))
                return sock
            delta = Delta(lab)
            c = stage.at("workloads/b", call)
            d = stage.at("proxy", lambda: stage.outbound.accept()[0])
            give(d, 0)
            what = f"{wish} {waits}: {delta}"
            assert not_told(d, http_proxy.CLIENT, http_proxy.CLIENT_INFO.size) != given, what
            assert delta["HTTP_CLIENT_WAITS"] == (wish == SPLICING_HTTP and waits), what
            if given:
                _, s = stage.server()
                exchange(c, s)
            else:
                c.sendall(GET)
                assert exactly(d, len(GET)) == GET
                d.sendall(OK)
                assert exactly(c, len(OK)) == OK
                assert delta["SPLICE_BYTES"] == 0, what


def small_filter(sock):
    """SO_ATTACH_FILTER of one instruction: everything passes."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xffffffff))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_ATTACH_FILTER if hasattr(socket, "SO_ATTACH_FILTER") else 26,
                    struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))


def option(level, name, value):
    return lambda sock: sock.setsockopt(level, name, value)


WISHES = {
    "SO_RCVLOWAT": option(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100),
    "SO_ZEROCOPY": option(socket.SOL_SOCKET, 60, 1),
    "SO_PEEK_OFF": option(socket.SOL_SOCKET, 42, 0),
    "SO_TIMESTAMPNS": option(socket.SOL_SOCKET, 35, 1),
    "SO_TIMESTAMPING": option(socket.SOL_SOCKET, 37, 1 << 3 | 1 << 4),
    "SO_OOBINLINE": option(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1),
    "SO_ATTACH_FILTER": small_filter,
    "SO_MAX_PACING_RATE": option(socket.SOL_SOCKET, 47, 1_000_000),
    "SO_RCVBUF": option(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192),
    "SO_SNDBUF": option(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192),
    "TCP_USER_TIMEOUT": option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000),
    "TCP_NOTSENT_LOWAT": option(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 16384),
    "TCP_INQ": option(socket.IPPROTO_TCP, 36, 1),
}
# What programs set as a matter of course, and a sockmap bears.
HARMLESS = {
    "TCP_NODELAY": option(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    "SO_KEEPALIVE": option(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "SO_REUSEADDR": option(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    "TCP_QUICKACK": option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1),
    "SO_LINGER": option(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0)),
}


def test_clients_with_wishes(lab):
    """A client that asks its socket for what a sockmap does not do stays on TCP, though it never waits."""
    with splicing(lab, SPLICING_ALL, SPLICING_HTTP), Stage(lab, 9706) as stage:
        for name, wish in {**WISHES, **HARMLESS}.items():
            def call():
                sock = socket.socket()
                wish(sock)
                sock.settimeout(TIMEOUT)
                sock.connect((VIP + "90", 80))
                return sock
            delta = Delta(lab)
            stage.at("workloads/b", call).close()
            stage.at("proxy", lambda: stage.outbound.accept()[0]).close()
            assert delta["HTTP_CLIENT_WAITS"] == (name in WISHES), f"{name}: {delta}"


def test_servers_with_wishes(lab):
    """What a server has set on the socket that it has accepted, or on its listener, counts as well."""
    for name, wish in {**WISHES, **HARMLESS}.items():
        with splicing(lab, SPLICING_HTTP, SPLICING_ALL), Stage(lab, 9707) as stage:
            u, s = stage.server(offered=False)
            wish(s)
            offer(u, 77)
            assert not_told(u, http_proxy.LEASE) == (name in WISHES), name


def test_a_port_that_does_not_say_what_is_spoken(lab):
    """A client's connection to it stays on TCP until the proxy has given one, which it does after a request only."""
    with splicing(lab, SPLICING_ALL, SPLICING_HTTP), Stage(lab, 9705) as stage:
        lab.maps.service(VIP + "90", 80, stage.service, MAYBE_HTTP)
        delta = Delta(lab)

        def call():
            sock = socket.socket()
            sock.settimeout(TIMEOUT)
            sock.connect((VIP + "90", 80))
            return sock
        for spoken in (False, False, True):
            c = stage.at("workloads/b", call)
            d = stage.at("proxy", lambda: stage.outbound.accept()[0])
            c.sendall(b"hello")
            assert exactly(d, 5) == b"hello"
            assert delta["SPLICE_SOCKET"] == (2 if spoken else 0), f"{spoken}: {delta}"
            if spoken:
                give(d, 5)
                assert client_info(d)["owned"] == 1
            elif delta["CONNECT_PROXY"] == 2:
                give(d, 5)
                assert not_told(d, http_proxy.CLIENT, http_proxy.CLIENT_INFO.size)


def test_a_server_that_does_not_wait(lab):
    """Its first connection stays on TCP and is to be renewed; the next one is lent."""
    with splicing(lab, SPLICING_HTTP, SPLICING_ALL), Stage(lab, 9702) as stage:
        delta = Delta(lab)
        u, s = stage.server(offered=False)
        u.sendall(GET)
        assert exactly(s, len(GET)) == GET
        s.sendall(OK)
        assert exactly(u, len(OK)) == OK
        assert delta["SPLICE_SOCKET"] == delta["SPLICE_BYTES"] == 0, str(delta)
        assert not_told(u, http_proxy.LEASE), "nobody has looked yet"
        offer(u, 77)
        info = lease_info(u)
        assert info["renew"] and info["cookie"] == 0 and delta["HTTP_SERVER_WATCHED"] == 1, f"{info} {delta}"
        c, _ = stage.client()
        u, s = stage.server()
        assert state(u) == "POOLED" and not lease_info(u)["renew"]
        exchange(c, s)
        # As soon as one waits, no further one is spliced, and this one is not lent again.
        http_proxy.take(u)
        s.setblocking(True)
        offer(u, 78)
        info = lease_info(u)
        assert info["renew"] and info["cookie"] != 78, str(info)
        u, s = stage.server(offered=False)
        offer(u, 79)
        assert not_told(u, http_proxy.LEASE)
        assert delta["HTTP_SERVER_WAITS"] == 1, str(delta)
        s.setblocking(False)
        offer(u, 80)
        assert not_told(u, http_proxy.LEASE), "one that waited settles it"


def test_a_server_that_waits(lab):
    """All of its connections stay on TCP; nothing is renewed over and over."""
    with splicing(lab, SPLICING_HTTP, SPLICING_ALL), Stage(lab, 9703) as stage:
        delta = Delta(lab)
        for _ in range(3):
            u, s = stage.server(offered=False)
            s.setblocking(True)
            offer(u, 77)
            assert not_told(u, http_proxy.LEASE)
        assert delta["SPLICE_SOCKET"] == 0 and delta["HTTP_SERVER_WAITS"] == 2, str(delta)


def test_servers_that_say_so(lab):
    """--splice on: at once, whatever it does; off: never."""
    for wish in (SPLICING_ALL, SPLICING_NONE):
        with splicing(lab, wish, SPLICING_ALL), Stage(lab, 9704) as stage:
            u, s = stage.server(offered=False)
            s.setblocking(True)
            offer(u, 77)
            if wish == SPLICING_ALL:
                assert state(u) == "POOLED" and not lease_info(u)["renew"]
            else:
                assert not_told(u, http_proxy.LEASE)
