# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Authorization policies by identity and port, enforced where the called workload is."""

import contextlib
import errno
import socket

from lab import (F_ALL, F_CAPTURE, F_GUARD, KERNEL, NODE, SOURCE_GUARDED, SOURCE_HOST, VERDICT_ALLOW,
                 VERDICT_DENY, VIP, Pipe, connect, listen, receive_all, twin)
from test_bind import canonical, hello, start_hello
from test_connect import connect_errno, start_proxy
from test_datagram import start_udp, unconnected

A, B, C = NODE + "10", NODE + "11", NODE + "12"
A_ID, B_ID, C_ID = 10, 11, 12


@contextlib.contextmanager
def guarded(lab, entries, address=A, dst=A_ID):
    """entries: (source id, port) -> (verdict, policy), for workload a unless said otherwise."""
    for (src, port), (verdict, policy) in entries.items():
        lab.maps.access(dst, src, port, verdict, policy)
    lab.maps.permit(address, 0, SOURCE_GUARDED)
    try:
        yield
    finally:
        lab.maps.delete("tulle_permit", lab.maps.permit_key(address, 0, SOURCE_GUARDED))
        for src, port in entries:
            lab.maps.delete("tulle_access", lab.maps.access_key(dst, src, port))


def start_many(lab, cgroup, port, name):
    """A server that answers for ever."""
    def serve(ready):
        server = listen("0.0.0.0", port)
        server.settimeout(None)
        ready.tell()
        while True:
            sock, peer = server.accept()
            # A caller may have closed already: EPIPE.
            with sock, contextlib.suppress(OSError):
                sock.sendall(f"{name} {peer[0]}".encode())
    ready = Pipe()
    lab.start(cgroup, serve, ready)
    ready.wait()


def test_by_identity(lab):
    """Of two callers one is allowed and one refused at once (ECONNREFUSED), with reason, event and
    the policy's count; at the workload's own address (v4, twin) and through a service."""
    start_many(lab, "workloads/a", 9300, "a")
    start_hello(lab, "workloads/a", "::", 9300, "six", socket.AF_INET6, True, count=2)
    lab.maps.service(VIP + "40", 80, 40, KERNEL, [(A, 9300)])
    before, denied = lab.maps.counter("GUARD_POLICY"), lab.maps.denials(7)
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0), (C_ID, 0): (VERDICT_DENY, 7)}):
        assert lab.run("workloads/b", hello, A, 9300) == f"a {B}"
        assert lab.run("workloads/b", hello, VIP + "40", 80) == f"a {B}"
        assert lab.run("workloads/b", hello, twin(A), 9300, socket.AF_INET6).split()[1] == (
            canonical(twin(B)))
        lab.events.read()
        assert lab.run("workloads/c", connect_errno, A, 9300) == errno.ECONNREFUSED
        event = lab.refusals()[-1]
        assert (event["reason"], event["workload"], event["dport"]) == (
            lab.maps.reasons["GUARD_POLICY"], A_ID, 9300), event
        assert event["src"] == socket.inet_pton(socket.AF_INET6, f"::ffff:{C}")
        assert lab.run("workloads/c", connect_errno, VIP + "40", 80) == errno.ECONNREFUSED
        assert lab.run("workloads/c", connect_errno, twin(A), 9300, socket.AF_INET6) == (
            errno.ECONNREFUSED)
        assert lab.maps.counter("GUARD_POLICY") == before + 3
        assert lab.maps.denials(7) == denied + 3
    assert lab.run("workloads/c", hello, A, 9300) == f"a {C}"


def test_by_port(lab):
    """A port with an entry of its own is judged by that, every other by the entry of port 0."""
    start_many(lab, "workloads/a", 9301, "named")
    start_many(lab, "workloads/a", 9302, "other")
    with guarded(lab, {(B_ID, 9301): (VERDICT_DENY, 0), (B_ID, 0): (VERDICT_ALLOW, 0),
                       (C_ID, 9301): (VERDICT_ALLOW, 0), (C_ID, 0): (VERDICT_DENY, 0)}):
        assert lab.run("workloads/b", connect_errno, A, 9301) == errno.ECONNREFUSED
        assert lab.run("workloads/b", hello, A, 9302) == f"other {B}"
        assert lab.run("workloads/c", hello, A, 9301) == f"named {C}"
        assert lab.run("workloads/c", connect_errno, A, 9302) == errno.ECONNREFUSED


def test_unknown_goes_to_the_proxy(lab):
    """A caller of whom nothing is known is taken to the proxy, by address and by service, which
    reaches the workload as ever; without the proxy it gets nowhere."""
    start_many(lab, "workloads/a", 9303, "a")
    lab.maps.service(VIP + "41", 80, 41, KERNEL, [(A, 9303)])
    proxy = start_proxy(lab)
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0)}):
        assert lab.run("workloads/b", hello, VIP + "41", 80) == f"a {B}"
        assert lab.run("workloads/c", hello, A, 9303) == f"{C} {A} 9303"
        assert lab.run("workloads/c", hello, VIP + "41", 80) == f"{C} {VIP}41 80"
        assert lab.run("workloads/c", hello, f"::ffff:{VIP}41", 80, socket.AF_INET6) == (
            f"{C} {VIP}41 80")
        assert lab.run("proxy", hello, A, 9303) == f"a {NODE}2"
        assert lab.run("host", connect_errno, A, 9303) == errno.ECONNREFUSED
        lab.maps.permit(A, 9303, SOURCE_HOST)
        assert lab.run("host", hello, A, 9303) == f"a {NODE}1"
        lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 9303, SOURCE_HOST))
    proxy.kill()


def test_unknown_is_no_permission(lab):
    """The guard by itself refuses a caller of whom nothing is known, with a reason of its own: here
    one that no connect program saw."""
    start_many(lab, "workloads/a", 9304, "a")
    lab.configure(flags=F_ALL & ~F_CAPTURE)

    def unseen(source):
        with socket.socket() as sock:
            sock.settimeout(5)
            sock.bind((source, 0))
            return sock.connect_ex((A, 9304))
    assert lab.run("workloads/c", unseen, C) == 0
    before = lab.maps.counter("GUARD_POLICY_UNKNOWN")
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0)}):
        lab.events.read()
        assert lab.run("workloads/c", unseen, C) == errno.ECONNREFUSED
        assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_POLICY_UNKNOWN"]
        assert lab.run("workloads/b", unseen, B) == 0
    assert lab.maps.counter("GUARD_POLICY_UNKNOWN") == before + 1


def test_itself(lab):
    """A workload reaches itself by localhost whatever policies say; by its own address or a service
    only if they allow it, else the proxy decides."""
    start_many(lab, "workloads/a", 9306, "a")
    lab.maps.service(VIP + "42", 80, 42, KERNEL, [(A, 9306)])
    proxy = start_proxy(lab)
    with guarded(lab, {(A_ID, 0): (VERDICT_DENY, 0)}):
        assert lab.run("workloads/a", hello, "127.0.0.1", 9306) == f"a {A}"
        assert lab.run("workloads/a", hello, A, 9306) == f"{A} {A} 9306"
        assert lab.run("workloads/a", hello, VIP + "42", 80) == f"{A} {VIP}42 80"
    with guarded(lab, {(A_ID, 0): (VERDICT_ALLOW, 0)}):
        assert lab.run("workloads/a", hello, A, 9306) == f"a {A}"
        assert lab.run("workloads/a", hello, VIP + "42", 80) == f"a {A}"
    proxy.kill()


def test_without_guard(lab):
    """Where the guard is not in force every caller is taken to the proxy, also an allowed one."""
    start_many(lab, "workloads/a", 9307, "a")
    lab.configure(flags=F_ALL & ~F_GUARD)
    proxy = start_proxy(lab)
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0)}):
        assert lab.run("workloads/b", hello, A, 9307) == f"{B} {A} 9307"
    proxy.kill()


def test_open_connections_and_datagrams(lab):
    """A connection that is open stays open when its caller is no longer allowed; datagrams are not
    subject to policies."""
    def echo(ready):
        server = listen("0.0.0.0", 9308)
        ready.tell()
        sock, _ = server.accept()
        while data := sock.recv(100):
            sock.sendall(data)

    def talk(ready, go):
        with connect(A, 9308) as sock:
            sock.sendall(b"1")
            assert sock.recv(1) == b"1"
            ready.tell()
            go.wait()
            sock.sendall(b"2")
            return sock.recv(1)

    started, ready, go = Pipe(), Pipe(), Pipe()
    lab.start("workloads/a", echo, started)
    started.wait()
    start_udp(lab, "workloads/a", "0.0.0.0", 9309, "a")
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0)}):
        caller = lab.start("workloads/b", talk, ready, go)
        ready.wait()
        lab.maps.access(A_ID, B_ID, 0, VERDICT_DENY)
        go.tell()
        assert caller.result() == b"2"
        assert lab.run("workloads/b", connect_errno, A, 9308) == errno.ECONNREFUSED
        assert lab.run("workloads/b", unconnected, A, 9309) == (f"a {B} q", A, 9309)


def test_change_under_load(lab):
    """Callers that connect without a pause: none gets through that begins after the entry was
    changed, and none is lost while it allows."""
    def hammer(ready, go):
        outcomes = []
        ready.tell()
        go.wait()
        for _ in range(400):
            outcomes.append(connect_errno(A, 9310))
        return outcomes

    start_many(lab, "workloads/a", 9310, "a")
    with guarded(lab, {(B_ID, 0): (VERDICT_ALLOW, 0), (C_ID, 0): (VERDICT_ALLOW, 0)}):
        for _ in range(20):
            lab.maps.access(A_ID, C_ID, 0, VERDICT_DENY)
            assert lab.run("workloads/c", connect_errno, A, 9310) == errno.ECONNREFUSED
            lab.maps.access(A_ID, C_ID, 0, VERDICT_ALLOW)
            assert lab.run("workloads/c", connect_errno, A, 9310) == 0
        ready, go = Pipe(), Pipe()
        caller = lab.start("workloads/b", hammer, ready, go)
        ready.wait()
        go.tell()
        for _ in range(50):
            lab.maps.access(A_ID, B_ID, 0, VERDICT_DENY)
            lab.maps.access(A_ID, B_ID, 0, VERDICT_ALLOW)
        outcomes = caller.result()
        assert set(outcomes) <= {0, errno.ECONNREFUSED}, set(outcomes)
        assert outcomes[-1] == 0
