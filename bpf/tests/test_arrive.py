# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What TCP sends twice is read once (arrive.c)."""

import contextlib
import ctypes
import os
import socket
import struct
import time

from http_stage import own_cgroup
from lab import F_ALL, F_SPLICE, NODE, TIMEOUT, connect, listen, twin
from stream import Delta, chunk

SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_COOKIE = 26, 27, 57


@contextlib.contextmanager
def no_probes():
    """Only the timer sends again: a probe would send the last piece alone."""
    path = "/proc/sys/net/ipv4/tcp_early_retrans"  # of the lab's network namespace
    with open(path, encoding="ascii") as file:
        before = file.read()
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write("0")
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(before)


@contextlib.contextmanager
def spliced(lab, port, address=NODE + "10", family=socket.AF_INET):
    """Both ends of a connection whose sockets are in the sockhash, while messages go by TCP."""
    home = own_cgroup()
    try:
        lab.enter("workloads/a")
        listener = listen(address, port, family)
        lab.enter("workloads/b")
        client = connect(address, port, family)
        server, _ = listener.accept()
    finally:
        with open(home + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
    lab.configure(flags=F_ALL & ~F_SPLICE)
    with no_probes(), listener, client, server:
        for sock in (client, server):
            sock.settimeout(TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client, server


def deaf(sock, on):
    """Every segment that comes to the socket is lost, as if there were no room for it."""
    if not on:
        sock.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        return
    ignore = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("HxxxxxxP", 1, ctypes.addressof(ignore)))


def read(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(1 << 20)
        assert piece, f"the end after {len(data)} of {size} bytes"
        data += piece
    return data


def together(sender, reader, first, second, start):
    """`first` bytes arrive and their acknowledgement does not, `second` more do not arrive: TCP
    sends all again in one piece."""
    deaf(sender, True)
    sender.sendall(chunk(start, first))
    assert read(reader, first) == chunk(start, first)
    deaf(reader, True)
    sender.sendall(chunk(start + first, second))
    time.sleep(0.01)
    deaf(reader, False)
    deaf(sender, False)
    assert read(reader, second) == chunk(start + first, second)
    return start + first + second


def known(lab, sock):
    cookie = sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
    return lab.maps.get("tulle_arrived", cookie)


def check(lab, port, **where):
    with spliced(lab, port, **where) as (client, server):
        cookies = [sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8) for sock in (client, server)]
        for sender, reader in ((client, server), (server, client)):
            # In front of it one byte and a large piece, so that the socket is known.
            sender.sendall(chunk(0, 1))
            assert read(reader, 1) == chunk(0, 1)
            at = 1
            for first, second in ((100, 100), (1, 1), (5000, 53), (30000, 500), (4095, 4095)):
                delta = Delta(lab)
                at = together(sender, reader, first, second, at)
                assert delta["SPLICE_TWICE"] == 1, f"{first}, {second}: {delta}"
            # And what follows, in several pieces.
            sender.sendall(chunk(at, 300000))
            assert read(reader, 300000) == chunk(at, 300000)
        assert known(lab, client) and known(lab, server)
    deadline = time.monotonic() + TIMEOUT
    while any(lab.maps.get("tulle_arrived", cookie) for cookie in cookies):
        assert time.monotonic() < deadline, "a closed socket is still known"
        time.sleep(0.01)


def test_twice(lab):
    """A piece that TCP sends again together with what follows is read once, whatever its size, in
    both directions; closed sockets are forgotten."""
    check(lab, 9360)


def test_twice_ipv6(lab):
    """The same over IPv6."""
    check(lab, 9361, address=twin(NODE + "10"), family=socket.AF_INET6)


def test_first_piece_twice(lab):
    """The very first bytes of a connection are sent twice."""
    with spliced(lab, 9362) as (client, server):
        at = together(client, server, 2000, 10, 0)
        together(client, server, 10, 2000, at)
