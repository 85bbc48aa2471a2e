# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Servers that bind loopback, as many do by default, on ports that their workload declares."""

import errno
import socket

from lab import NODE, Pipe, call, listen, twin
from test_bind import canonical

A, B = NODE + "10", NODE + "11"
INET6 = socket.AF_INET6


def serve(ready, address, port, name, family=socket.AF_INET, v6only=None, count=1):
    """Answers `count` connections with its name and the caller; returns what it was told of itself."""
    server = listen(address, port, family, v6only)
    ready.tell()
    for _ in range(count):
        sock, peer = server.accept()
        sock.sendall(f"{name} {peer[0]}".encode())
        sock.close()
    return server.getsockname()[:2]


def start(lab, cgroup, *args, **kwargs):
    ready = Pipe()
    process = lab.start(cgroup, lambda: serve(ready, *args, **kwargs))
    ready.wait()
    return process


def test_declared_port_on_loopback(lab):
    """Two workloads and the host all bind 127.0.0.1:9400. Each workload is reached at its own
    address and by its own localhost, and believes that it is on 127.0.0.1."""
    for number in (10, 11):
        lab.maps.declare_port(number, 9400)
    host = start(lab, "host", "127.0.0.1", 9400, "host")
    servers = [start(lab, f"workloads/{name}", "127.0.0.1", 9400, name, count=2) for name in "ab"]
    assert lab.run("workloads/c", call, A, 9400) == f"a {NODE}12"
    assert lab.run("workloads/c", call, B, 9400) == f"b {NODE}12"
    assert lab.run("workloads/a", call, "127.0.0.1", 9400) == f"a {A}"
    assert lab.run("workloads/b", call, "127.0.0.1", 9400) == f"b {B}"
    assert lab.run("host", call, "127.0.0.1", 9400) == "host 127.0.0.1"
    assert {server.result() for server in (*servers, host)} == {("127.0.0.1", 9400)}


def test_other_forms_of_loopback(lab):
    """::1 of a dual-stack socket and v4-mapped loopback become the IPv4 address, ::1 of an IPv6-only
    one the IPv6 address; both may be bound side by side, as for "localhost"."""
    lab.maps.declare_port(10, 9401)
    both = start(lab, "workloads/a", "::1", 9401, "both", INET6, False)
    assert lab.run("workloads/b", call, A, 9401) == f"both ::ffff:{B}"
    assert both.result() == ("::1", 9401)
    mapped = start(lab, "workloads/a", "::ffff:127.0.0.1", 9401, "mapped", INET6, False)
    assert lab.run("workloads/b", call, A, 9401) == f"mapped ::ffff:{B}"
    assert mapped.result() == ("::ffff:127.0.0.1", 9401)
    four = start(lab, "workloads/a", "127.0.0.1", 9401, "four")
    six = start(lab, "workloads/a", "::1", 9401, "six", INET6, True)
    assert lab.run("workloads/b", call, A, 9401) == f"four {B}"
    assert lab.run("workloads/b", call, twin(A), 9401, INET6) == f"six {canonical(twin(B))}"
    assert (four.result(), six.result()) == (("127.0.0.1", 9401), ("::1", 9401))


def test_undeclared_port_on_loopback(lab):
    """What a workload does not declare, and UDP, stays on the host's loopback as it was."""
    lab.maps.declare_port(10, 9403)
    server = start(lab, "workloads/a", "127.0.0.1", 9402, "a")
    assert lab.run("workloads/b", call, A, 9402) == errno.ECONNREFUSED
    assert lab.run("workloads/a", call, "127.0.0.1", 9402) == "a 127.0.0.1"
    assert server.result() == ("127.0.0.1", 9402)
    start(lab, "workloads/b", "127.0.0.1", 9403, "b")  # declared by another one
    assert lab.run("host", call, "127.0.0.1", 9403) == "b 127.0.0.1"

    def datagram():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 9403))
            with open("/proc/net/udp", encoding="ascii") as table:
                return "0100007F:24BB" in table.read()
    assert lab.run("workloads/a", datagram)


def test_second_bind_is_refused(lab):
    """A second process of the workload gets EADDRINUSE, with loopback as with the wildcard."""
    lab.maps.declare_port(10, 9404)
    start(lab, "workloads/a", "127.0.0.1", 9404, "a")

    def again(address):
        try:
            listen(address, 9404).close()
            return 0
        except OSError as error:
            return error.errno
    assert lab.run("workloads/a", again, "127.0.0.1") == errno.EADDRINUSE
    assert lab.run("workloads/a", again, "0.0.0.0") == errno.EADDRINUSE
    assert lab.run("workloads/b", again, "127.0.0.1") == 0
