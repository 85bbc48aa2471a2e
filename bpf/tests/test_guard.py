# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Who may reach a workload's address."""

import errno
import socket

from lab import (F_ALL, F_GUARD, NODE, SOURCE_HOST, SOURCE_OUTSIDE, Pipe, listen, twin)
from test_bind import canonical, hello, start_hello
from test_connect import connect_errno
from test_datagram import start_udp, unconnected

A, B = NODE + "10", NODE + "11"

OUTSIDE_CALL = """
import socket, sys
sock = socket.socket()
sock.settimeout(0.7)
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    print(sock.recv(100).decode(), end="")
except OSError as error:
    print(type(error).__name__, end="")
"""


def outside_call(lab, address, port):
    return lab.outside("python3", "-c", OUTSIDE_CALL, address, str(port)).stdout


def test_host_refused_then_permitted(lab):
    """The host is refused at once (ECONNREFUSED, not a timeout), with an event; a permit for the
    port or for every port of the address admits it, also to the IPv6 twin."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9120, "a", count=2)
    six = start_hello(lab, "workloads/a", "::", 9120, "six", socket.AF_INET6, True, count=1)
    assert lab.run("host", connect_errno, A, 9120) == errno.ECONNREFUSED
    event = lab.refusals()[-1]
    assert (event["reason"], event["workload"], event["dport"]) == (
        lab.maps.reasons["GUARD_HOST"], 10, 9120), event
    assert event["src"] == socket.inet_pton(socket.AF_INET6, f"::ffff:{NODE}1")
    assert lab.run("host", connect_errno, twin(A), 9120, socket.AF_INET6) == errno.ECONNREFUSED
    for port in (9120, 0):
        lab.maps.permit(A, port, SOURCE_HOST)
        try:
            assert lab.run("host", hello, A, 9120) == f"a {NODE}1 {A}"
            if port == 0:
                assert lab.run("host", hello, twin(A), 9120, socket.AF_INET6).startswith("six ")
        finally:
            lab.maps.delete("tulle_permit", lab.maps.permit_key(A, port, SOURCE_HOST))
    server.result()
    six.result()


def test_host_with_other_sources(lab):
    """The host gains nothing by choosing loopback or its outside address as the source."""
    start_hello(lab, "workloads/a", "0.0.0.0", 9121, "a")

    def from_source(source):
        sock = socket.socket()
        sock.settimeout(3)
        sock.bind((source, 0))
        try:
            sock.connect((A, 9121))
            return 0
        except OSError as error:
            return error.errno
    for source in ("127.0.0.1", "198.51.100.1", NODE + "1"):
        assert lab.run("host", from_source, source) == errno.ECONNREFUSED, source


def test_outside(lab):
    """A caller from another machine is refused, and admitted by its own kind of permit only."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9122, "a")
    assert outside_call(lab, A, 9122) == "ConnectionRefusedError"
    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_OUTSIDE"]
    lab.maps.permit(A, 9122, SOURCE_HOST)
    lab.maps.permit(A, 9122, SOURCE_OUTSIDE)
    try:
        lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 9122, SOURCE_OUTSIDE))
        assert outside_call(lab, A, 9122) == "ConnectionRefusedError"
        lab.maps.permit(A, 9122, SOURCE_OUTSIDE)
        assert outside_call(lab, A, 9122) == f"a 198.51.100.2 {A}"
    finally:
        for source in (SOURCE_HOST, SOURCE_OUTSIDE):
            lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 9122, source))
    server.result()


def test_forged_source(lab):
    """A machine outside that takes an address of the workload range (this node's or another's)
    gets nowhere."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9123, "a")
    for forged in (B, NODE + "2", "100.97.0.10"):
        lab.outside("ip", "addr", "add", forged + "/32", "dev", "in0")
        lab.outside("ip", "route", "add", A + "/32", "via", "198.51.100.1", "src", forged)
        try:
            assert outside_call(lab, A, 9123) in ("TimeoutError", "ConnectionRefusedError"), forged
        finally:
            lab.outside("ip", "route", "del", A + "/32")
            lab.outside("ip", "addr", "del", forged + "/32", "dev", "in0")
    assert lab.run("workloads/b", hello, A, 9123) == f"a {B} {A}"
    server.result()


def test_workload_admitted(lab):
    """Workloads may call each other and themselves (v4 and IPv6), counted."""
    before = lab.maps.counter("GUARD_WORKLOAD")
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9124, "a", count=2)
    six = start_hello(lab, "workloads/a", "::", 9124, "six", socket.AF_INET6, True)
    assert lab.run("workloads/b", hello, A, 9124) == f"a {B} {A}"
    assert lab.run("workloads/a", hello, A, 9124) == f"a {A} {A}"
    assert lab.run("workloads/b", hello, twin(A), 9124, socket.AF_INET6).split()[1] == canonical(
        twin(B))
    assert lab.maps.counter("GUARD_WORKLOAD") == before + 3
    server.result()
    six.result()


def test_host_wildcard_not_reachable(lab):
    """A wildcard listener of the host (an SSH server, say) cannot be reached through a
    workload's address, not by workloads either, nor through an address that nobody leased."""
    def host_server(ready):
        server = listen("0.0.0.0", 9125)
        ready.tell()
        while True:
            server.accept()[0].close()
    ready = Pipe()
    lab.start("host", host_server, ready)
    ready.wait()
    before = lab.maps.counter("GUARD_NO_LISTENER")
    assert lab.run("workloads/b", connect_errno, A, 9125) == errno.ECONNREFUSED
    assert lab.run("proxy", connect_errno, A, 9125) == errno.ECONNREFUSED
    assert lab.maps.counter("GUARD_NO_LISTENER") == before + 2
    assert lab.run("workloads/b", connect_errno, NODE + "77", 9125) == errno.ECONNREFUSED
    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_NO_WORKLOAD"]
    assert lab.run("workloads/b", connect_errno, NODE + "1", 9125) == 0
    assert lab.run("host", connect_errno, NODE + "1", 9125) == 0


def test_guard_off(lab):
    """With the flag off everybody gets through."""
    lab.configure(flags=F_ALL & ~F_GUARD)
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9126, "a")
    assert lab.run("host", hello, A, 9126) == f"a {NODE}1 {A}"
    server.result()


def test_udp_guard(lab):
    """Datagrams: the host is refused, workloads are admitted."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9127, "a")

    def host_call():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.connect((A, 9127))
            try:
                sock.send(b"q")
                sock.recv(100)
                return 0
            except OSError as error:
                return error.errno
    assert lab.run("host", host_call) == errno.ECONNREFUSED
    assert lab.run("workloads/b", unconnected, A, 9127) == (f"a {B} q", A, 9127)


def test_forged_by_message(lab):
    """A source address given with a datagram (IP_PKTINFO) is judged like a bind: the host and
    another workload get EPERM, the workload itself may. Also on connected sockets."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9128, "a")

    def send_as(source, connect_first):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            info = bytes(4) + socket.inet_aton(source) + bytes(4)
            try:
                if connect_first:
                    sock.connect((A, 9128))
                sock.sendmsg([b"q"], [(socket.SOL_IP, 8, info)], 0,
                             *([] if connect_first else [(A, 9128)]))
                return 0
            except OSError as error:
                return error.errno
    for connect_first in (False, True):
        assert lab.run("host", send_as, B, connect_first) == errno.EPERM
        assert lab.run("workloads/c", send_as, B, connect_first) == errno.EPERM
        assert lab.run("workloads/b", send_as, B, connect_first) == 0
    assert lab.refusals()[0]["reason"] == lab.maps.reasons["SOURCE_FOREIGN"]


def test_host_ipv6_source(lab):
    """The host calls IPv6 addresses of workloads as itself (not from the target's own address,
    which IPv6 source selection would lend it), by TCP and UDP, or is refused."""
    server = start_hello(lab, "workloads/a", "::", 9129, "six", socket.AF_INET6, True)
    lab.maps.permit(A, 9129, SOURCE_HOST)
    try:
        assert lab.run("host", hello, twin(A), 9129, socket.AF_INET6).split()[1] == canonical(
            twin(NODE + "1"))
    finally:
        lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 9129, SOURCE_HOST))
    server.result()

    def bound_to_port():
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::", 9130))
            try:
                sock.connect((twin(A), 9129))
                return 0
            except OSError as error:
                return error.errno
    assert lab.run("host", bound_to_port) == errno.EPERM

    before = lab.maps.counter("GUARD_HOST")

    def datagram():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"q", (twin(A), 9129))
    lab.run("host", datagram)
    assert lab.maps.counter("GUARD_HOST") == before + 1
