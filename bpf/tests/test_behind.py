# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""A program of the host and workloads on one port: sockets of workloads are bound to a port behind."""

import errno
import socket
import struct

from lab import NODE, Pipe, call, connect, listen, twin
from test_bind import canonical

A, B = NODE + "10", NODE + "11"
OUTSIDE = "198.51.100.1"  # an address of the host
INET6 = socket.AF_INET6


def answer(server, name, count):
    for _ in range(count):
        sock, peer = server.accept()
        local = sock.getsockname()
        sock.sendall(f"{name} {peer[0]} {local[0]}:{local[1]}".encode())
        sock.close()
    return server.getsockname()[:2]


def start(lab, cgroup, name, *args, count=1):
    """A server that tells its name, the caller and its own end of each connection."""
    ready = Pipe()

    def serve():
        server = listen(*args)
        ready.tell()
        return answer(server, name, count)
    process = lab.start(cgroup, serve)
    ready.wait()
    return process


def declare(lab, port, behind, *workloads):
    for number in workloads:
        lab.maps.declare_port(number, port)
        lab.maps.behind(number, port, behind)


def test_host_and_workloads(lab):
    """The host's wildcard and those of two workloads on one port, the host's first and last: each
    answers at its own addresses, sees its caller and the port that was dialled, and believes that it
    has what it bound."""
    declare(lab, 9600, 15200, 10, 11)
    for order in (("host", "a", "b"), ("a", "b", "host")):
        servers = {name: start(lab, name if name == "host" else f"workloads/{name}", name,
                               "0.0.0.0", 9600, count=2) for name in order}
        assert lab.run("workloads/c", call, A, 9600) == f"a {NODE}12 {A}:9600", order
        assert lab.run("workloads/a", call, A, 9600) == f"a {A} {A}:9600", order
        assert lab.run("workloads/c", call, B, 9600) == f"b {NODE}12 {B}:9600", order
        assert lab.run("proxy", call, B, 9600) == f"b {NODE}2 {B}:9600", order
        assert lab.run("host", call, "127.0.0.1", 9600) == "host 127.0.0.1 127.0.0.1:9600", order
        assert lab.run("host", call, OUTSIDE, 9600) == f"host {OUTSIDE} {OUTSIDE}:9600", order
        assert servers["a"].result() == (A, 9600) and servers["b"].result() == (B, 9600)
        assert servers["host"].result() == ("0.0.0.0", 9600)
        assert lab.maps.listener(A, 9600) is None and lab.maps.listener(B, 9600) is None
        assert lab.run("workloads/c", call, A, 9600) == errno.ECONNREFUSED


def test_families(lab):
    """Dual-stack, IPv6-only, v4-mapped and loopback sockets, and one that binds the workload's own
    address, beside the host's wildcards of both families."""
    declare(lab, 9601, 15201, 10)
    hosts = [start(lab, "host", "host4", "0.0.0.0", 9601),
             start(lab, "host", "host6", "::", 9601, INET6, True)]
    four = f"{NODE}11 {A}:9601"
    mapped = f"::ffff:{B} ::ffff:{A}:9601"
    cases = [
        (("::", 9601, INET6, False), mapped, ("::ffff:" + A, 9601)),
        (("::ffff:0.0.0.0", 9601, INET6, False), mapped, ("::ffff:" + A, 9601)),
        (("127.0.0.1", 9601), four, ("127.0.0.1", 9601)),
        (("::1", 9601, INET6, False), mapped, ("::1", 9601)),
        ((A, 9601), four, (A, 9601)),
    ]
    for args, seen, bound in cases:
        server = start(lab, "workloads/a", "w", *args)
        assert lab.run("workloads/b", call, A, 9601) == "w " + seen, args
        assert server.result() == bound, args
    for address, bound in (("::", canonical(twin(A))), ("::1", "::1"), (twin(A), canonical(twin(A)))):
        server = start(lab, "workloads/a", "six", address, 9601, INET6, True)
        beside = start(lab, "workloads/a", "four", "0.0.0.0", 9601)
        assert lab.run("workloads/b", call, twin(A), 9601, INET6) == (
            f"six {canonical(twin(B))} {canonical(twin(A))}:9601"), address
        assert lab.run("workloads/b", call, A, 9601) == "four " + four, address
        assert server.result() == (bound, 9601) and beside.result() == (A, 9601)
    assert lab.run("host", call, "127.0.0.1", 9601).startswith("host4 ")
    assert lab.run("host", call, "::1", 9601, INET6).startswith("host6 ")
    for host in hosts:
        host.result()


def test_second_bind_is_refused(lab):
    """Within a workload a port is had once, however it is asked for; after its end it is free again,
    with connections that have not ended yet as well."""
    declare(lab, 9602, 15202, 10)
    ready, go = Pipe(), Pipe()

    def serve():
        server = listen("0.0.0.0", 9602)
        ready.tell()
        sock, _peer = server.accept()
        server.close()
        ready.tell()
        go.wait_for(1)
        sock.close()
    process = lab.start("workloads/a", serve)
    ready.wait_for(1)

    def again(address):
        try:
            with listen(address, 9602) as server:
                return server.getsockname()
        except OSError as error:
            return error.errno
    for address in ("0.0.0.0", "127.0.0.1", A):
        assert lab.run("workloads/a", again, address) == errno.EADDRINUSE, address
    client = lab.start("workloads/b", call, A, 9602)
    ready.wait_for(1)
    assert lab.run("workloads/a", again, "0.0.0.0") == (A, 9602)
    go.tell()
    process.result()
    assert client.result() == ""


def test_port_behind_is_no_way_in(lab):
    """The port behind is not reached by its number, at no address; what is not declared, datagrams
    and MPTCP are bound as they ask."""
    declare(lab, 9603, 15203, 10)
    server = start(lab, "workloads/a", "a", "0.0.0.0", 9603)
    for caller in ("workloads/b", "workloads/a", "proxy", "agent"):
        assert lab.run(caller, call, A, 15203) == errno.ECONNREFUSED, caller
    assert lab.run("host", call, "127.0.0.1", 15203) == errno.ECONNREFUSED
    assert lab.run("workloads/b", call, A, 9603).startswith("a ")
    server.result()
    other = start(lab, "workloads/a", "other", "0.0.0.0", 9604)
    assert lab.run("workloads/b", call, A, 9604).startswith("other ")
    other.result()

    def bound(table, kind, protocol):
        """Where /proc/net says that the socket is, which asks no program."""
        with socket.socket(socket.AF_INET, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("0.0.0.0", 9603))
            if kind == socket.SOCK_STREAM:
                sock.listen()
            hexed = struct.pack("<I", struct.unpack("!I", socket.inet_aton(A))[0]).hex().upper()
            with open(f"/proc/net/{table}", encoding="ascii") as lines:
                return [port for port in (9603, 15203) if f"{hexed}:{port:04X}" in lines.read()]
    assert lab.run("workloads/a", bound, "udp", socket.SOCK_DGRAM, 0) == [9603]
    assert lab.run("workloads/a", bound, "tcp", socket.SOCK_STREAM, 262) == [9603]


def test_shared_port(lab):
    """Sockets that share a port (SO_REUSEPORT) share its connections, and the port is there until
    the last of them has closed, whichever is the first; more of them than are found, too."""
    declare(lab, 9605, 15205, 10)
    ready, close, closed = Pipe(), Pipe(), Pipe()

    def serve():
        servers = []
        for _ in range(10):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.settimeout(5)
            sock.bind(("0.0.0.0", 9605))
            sock.listen(64)
            servers.append(sock)
        ready.tell()
        while len(servers) > 1:
            close.wait_for(1)
            servers.pop(0).close()
            closed.tell()
    process = lab.start("workloads/a", serve)
    ready.wait()
    assert lab.maps.listener(A, 9605) == (10, 8)

    def reached():
        try:
            connect(A, 9605).close()
            return True
        except OSError:
            return False
    for left in range(9, 2, -1):
        assert lab.run("workloads/b", reached), left
        close.tell()
        closed.wait_for(1)
        assert lab.maps.listener(A, 9605) == (10, left - 2)
    close.tell()
    closed.wait_for(1)
    assert lab.maps.listener(A, 9605) is None and not lab.run("workloads/b", reached)
    process.kill()


def test_not_without_the_guard(lab):
    """Where nobody would lead connections to the socket behind it is bound to the port itself."""
    declare(lab, 9606, 15206, 10)
    lab.configure(flags=0b101111)
    server = start(lab, "workloads/a", "a", "0.0.0.0", 9606)
    assert lab.run("workloads/b", call, A, 9606).startswith("a ")
    server.result()


def test_failed_bind_leaves_nothing(lab):
    """A bind that fails is forgotten: the socket says where it is bound next."""
    declare(lab, 9607, 15207, 10)
    start(lab, "workloads/a", "first", "127.0.0.1", 9607)

    def second():
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", 9607))
            except OSError as error:
                assert error.errno == errno.EADDRINUSE
            sock.bind(("0.0.0.0", 9608))
            sock.listen()
            return sock.getsockname(), lab.maps.listener(A, 9608), lab.maps.listener(A, 9607)
    assert lab.run("workloads/a", second) == ((A, 9608), (10, 1), (10, 1))
