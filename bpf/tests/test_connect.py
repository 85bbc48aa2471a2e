# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Capture at connect: services, unknown destinations, localhost, DNS over TCP."""

import collections
import errno
import socket
import struct

from lab import (ALLOW_ANY, ASK, DNS_PORT, F_ALL, F_KERNEL_L4, KERNEL, NODE, OUTBOUND_PORT, REFUSE,
                 REGISTRY_ONLY, SOURCE_GUARDED, VIA_PROXY, VIP, Pipe, connect, listen, receive_all,
                 twin, twin_vip)
from test_bind import canonical, hello, start_hello

A, B, C = NODE + "10", NODE + "11", NODE + "12"
SO_ORIGINAL_DST = 80


def original_v4(sock):
    raw = sock.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
    assert len(raw) == 16
    family, port = struct.unpack_from("=H", raw)[0], struct.unpack_from("!H", raw, 2)[0]
    assert family == socket.AF_INET
    return socket.inet_ntoa(raw[4:8]), port


def original_v6(sock):
    raw = sock.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
    assert len(raw) == 28
    family, port = struct.unpack_from("=H", raw)[0], struct.unpack_from("!H", raw, 2)[0]
    assert family == socket.AF_INET6
    return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port


def serve_proxy(ready, listeners, ask, count):
    """A stand-in for the node proxy: answers with caller and original destination."""
    servers = [listen(address, port, family) for address, port, family in listeners]
    ready.tell()
    for _ in range(count):
        for server in servers:
            server.settimeout(None if len(servers) == 1 else 0.05)
            try:
                sock, peer = server.accept()
            except TimeoutError:
                continue
            address, port = ask(sock)
            sock.sendall(f"{peer[0]} {address} {port}".encode())
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(1)
            try:
                receive_all(sock)  # a close with bytes unread would be a reset
            except OSError:
                pass
            sock.close()


def start_proxy(lab, ask=original_v4, family=socket.AF_INET, address="127.0.0.1", count=100):
    ready = Pipe()
    process = lab.start("proxy", lambda: serve_proxy(
        ready, [(address, OUTBOUND_PORT, family)], ask, count))
    ready.wait()
    return process


def connect_errno(address, port, family=socket.AF_INET):
    try:
        connect(address, port, family).close()
        return 0
    except OSError as error:
        return error.errno


def test_kernel_service(lab):
    """A service in kernel mode: its address leads to the endpoint, from the caller's address;
    v4, v4-mapped from an AF_INET6 socket, and the IPv6 twin by the same entry."""
    lab.maps.service(VIP + "1", 80, 1, KERNEL, [(A, 9090)])
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9090, "a", count=3)
    assert lab.run("workloads/b", hello, VIP + "1", 80) == f"a {B} {A}"
    assert lab.run("workloads/b", hello, f"::ffff:{VIP}1", 80, socket.AF_INET6) == f"a {B} {A}"
    assert lab.run("workloads/b", hello, twin_vip(VIP + "1"), 80, socket.AF_INET6) == f"a {B} {A}"
    server.result()


def test_kernel_service_v6_endpoint(lab):
    """An IPv6 endpoint is reached by AF_INET6 sockets; an IPv4 socket is told so with EPERM."""
    lab.maps.service(VIP + "2", 80, 2, KERNEL, [(twin(A), 9091)])
    server = start_hello(lab, "workloads/a", "::", 9091, "a", socket.AF_INET6, True)
    assert lab.run("workloads/b", hello, twin_vip(VIP + "2"), 80, socket.AF_INET6) == (
        f"a {canonical(twin(B))} {canonical(twin(A))}")
    assert lab.run("workloads/b", connect_errno, VIP + "2", 80) == errno.EPERM
    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["FAMILY_MISMATCH"]
    server.result()


def test_weights(lab):
    """Weights 3:1 by slots: 800 connections split 600:200 within 5 standard deviations; a
    generation flip moves all connections."""
    def echo_name(ready, port, name):
        server = listen("0.0.0.0", port)
        ready.tell()
        while True:
            sock, _ = server.accept()
            sock.sendall(name)
            sock.close()

    def names(vip, count):
        seen = collections.Counter()
        for _ in range(count):
            with connect(vip, 80) as sock:
                seen[receive_all(sock)] += 1
        return dict(seen)

    for cgroup, name in (("workloads/a", b"a"), ("workloads/b", b"b")):
        ready = Pipe()
        lab.start(cgroup, echo_name, ready, 9092, name)
        ready.wait()
    lab.maps.service(VIP + "3", 80, 3, KERNEL, [(A, 9092)] * 3 + [(B, 9092)])
    seen = lab.run("workloads/c", names, VIP + "3", 800)
    assert sum(seen.values()) == 800 and abs(seen[b"a"] - 600) < 62, seen

    lab.maps.service(VIP + "3", 80, 3, KERNEL, [(B, 9092)], generation=2)
    assert lab.run("workloads/c", names, VIP + "3", 50) == {b"b": 50}
    return f"3:1 gave {seen[b'a']}:{seen[b'b']}"


def test_refuse_and_empty(lab):
    """REFUSE and a service without endpoints: ECONNREFUSED, a counter and an event with the reason."""
    lab.maps.service(VIP + "5", 80, 5, REFUSE)
    lab.maps.service(VIP + "6", 80, 6, KERNEL)
    for last, reason in (("5", "SERVICE_REFUSED"), ("6", "NO_ENDPOINT")):
        before = lab.maps.counter(reason)
        assert lab.run("workloads/a", connect_errno, VIP + last, 80) == errno.ECONNREFUSED
        assert lab.maps.counter(reason) == before + 1
        event = lab.refusals()[-1]
        assert (event["reason"], event["workload"], event["dport"]) == (
            lab.maps.reasons[reason], 10, 80), event
        assert event["dst"] == socket.inet_pton(socket.AF_INET6, f"::ffff:{VIP}{last}")
        assert event["cgroup"] == lab.id("workloads/a")


def test_proxy_service(lab):
    """A service that needs the proxy: the proxy learns the original destination (v4 and
    v4-mapped callers) and sees the workload's address as the source."""
    lab.maps.service(VIP + "7", 80, 7, VIA_PROXY)
    proxy = start_proxy(lab)
    assert lab.run("workloads/a", hello, VIP + "7", 80) == f"{A} {VIP}7 80"
    assert lab.run("workloads/a", hello, f"::ffff:{VIP}7", 80, socket.AF_INET6) == f"{A} {VIP}7 80"
    proxy.kill()


def test_proxy_dual_stack_listener(lab):
    """The proxy may listen with an AF_INET6 socket: SO_ORIGINAL_DST at both levels."""
    lab.maps.service(VIP + "7", 80, 7, VIA_PROXY)
    for ask, answer in ((original_v4, f"{VIP}7"), (original_v6, f"::ffff:{VIP}7")):
        proxy = start_proxy(lab, ask, socket.AF_INET6, "::ffff:127.0.0.1")
        assert lab.run("workloads/a", hello, VIP + "7", 80) == f"::ffff:{A} {answer} 80"
        proxy.kill()


def test_proxy_v6(lab):
    """An IPv6 service address: the IPv6 outbound listener, IPv6 source, IPv6 level option."""
    lab.maps.service(VIP + "7", 80, 7, VIA_PROXY)
    proxy = start_proxy(lab, original_v6, socket.AF_INET6, "::1")
    assert lab.run("workloads/a", hello, twin_vip(VIP + "7"), 80, socket.AF_INET6) == (
        f"{canonical(twin(A))} {canonical(twin_vip(VIP + '7'))} 80")
    proxy.kill()


def test_guarded_address(lab):
    """Who dials the own address of a workload that policies guard (v4, v4-mapped, twin) is taken to
    the proxy, which still reaches it; the host is refused as ever; without the mark it is direct."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9097, "a", count=2)
    proxy = start_proxy(lab)
    proxy6 = start_proxy(lab, original_v6, socket.AF_INET6, "::1")
    lab.maps.permit(A, 0, SOURCE_GUARDED)
    try:
        for address, family in ((A, socket.AF_INET), (f"::ffff:{A}", socket.AF_INET6)):
            assert lab.run("workloads/b", hello, address, 9097, family) == f"{B} {A} 9097"
        assert lab.run("workloads/b", hello, twin(A), 9097, socket.AF_INET6) == (
            f"{canonical(twin(B))} {canonical(twin(A))} 9097")
        assert lab.run("proxy", hello, A, 9097).startswith("a ")
        assert lab.run("host", connect_errno, A, 9097) == errno.ECONNREFUSED
    finally:
        lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 0, SOURCE_GUARDED))
    assert lab.run("workloads/b", hello, A, 9097) == f"a {B} {A}"
    server.result()
    proxy.kill()
    proxy6.kill()


def test_kernel_l4_off(lab):
    """With endpoint choice off, a kernel-mode service goes to the proxy."""
    lab.maps.service(VIP + "1", 80, 1, KERNEL, [(A, 9090)])
    lab.configure(flags=F_ALL & ~F_KERNEL_L4)
    proxy = start_proxy(lab)
    assert lab.run("workloads/b", hello, VIP + "1", 80) == f"{B} {VIP}1 80"
    proxy.kill()


def test_missing_slot(lab):
    """A service record whose slots are missing falls to the proxy, counted."""
    lab.maps.put("tulle_services", lab.maps.service_key(VIP + "8", 80),
                 struct.pack("IIIHBBII", 8, 99, 4, 0, KERNEL, 0, 0, 0))
    before = lab.maps.counter("SLOT_MISSING")
    proxy = start_proxy(lab)
    assert lab.run("workloads/b", hello, VIP + "8", 80) == f"{B} {VIP}8 80"
    assert lab.maps.counter("SLOT_MISSING") == before + 1
    proxy.kill()


def test_unknown_destination(lab):
    """Unknown service addresses: to the proxy (ALLOW_ANY, ASK) or EPERM (REGISTRY_ONLY); other
    destinations: untouched with the host's own source, or EPERM."""
    proxy = start_proxy(lab)
    for policy in (ALLOW_ANY, ASK):
        lab.configure(policy=policy)
        assert lab.run("workloads/a", hello, VIP + "99", 81) == f"{A} {VIP}99 81"

    def outside(ready):
        server = listen("198.51.100.1", 9093)
        ready.tell()
        while True:
            sock, peer = server.accept()
            sock.sendall(peer[0].encode())
            sock.close()
    ready = Pipe()
    lab.start("host", outside, ready)
    ready.wait()
    assert lab.run("workloads/a", hello, "198.51.100.1", 9093) == "198.51.100.1"

    lab.configure(policy=REGISTRY_ONLY)
    assert lab.run("workloads/a", connect_errno, VIP + "99", 81) == errno.EPERM
    assert lab.run("workloads/a", connect_errno, "198.51.100.1", 9093) == errno.EPERM
    assert lab.run("host", hello, "198.51.100.1", 9093) == "198.51.100.1"
    reasons = [event["reason"] for event in lab.refusals()]
    assert reasons == [lab.maps.reasons["UNKNOWN_VIP"], lab.maps.reasons["REGISTRY_ONLY"]], reasons
    proxy.kill()


def test_bound_client(lab):
    """A client that bound port 0 itself cannot be given a source: it goes through the proxy,
    which still learns who it is and where it wanted to go; never as "host" to the target."""
    lab.maps.service(VIP + "1", 80, 1, KERNEL, [(A, 9090)])
    proxy = start_proxy(lab)

    def bound_hello():
        sock = socket.socket()
        sock.bind(("", 0))
        sock.connect((VIP + "1", 80))
        return receive_all(sock).decode(), sock.getsockname()
    text, _own = lab.run("workloads/b", bound_hello)
    assert text == f"127.0.0.1 {VIP}1 80", text
    proxy.kill()

    def own_bound_hello():
        sock = socket.socket()
        sock.bind((B, 0))
        sock.connect((VIP + "1", 80))
        return receive_all(sock).decode()
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9090, "a")
    assert lab.run("workloads/b", own_bound_hello) == f"a {B} {A}"
    server.result()


def test_bound_client_special(lab):
    """The same for localhost (the proxy is told the workload's own address) and refusal for UDP
    (IPv6 would lend such a socket the target's address)."""
    proxy = start_proxy(lab)

    def bound_localhost():
        server = listen("0.0.0.0", 9097)
        sock = socket.socket()
        sock.bind(("", 0))
        sock.connect(("127.0.0.1", 9097))
        text = receive_all(sock).decode()
        server.close()
        return text
    assert lab.run("workloads/b", bound_localhost) == f"127.0.0.1 {B} 9097"
    proxy.kill()

    def bound_udp(family, any_address, address):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((any_address, 0))
        try:
            sock.connect((address, 9098))
            return 0
        except OSError as error:
            return error.errno
    assert lab.run("workloads/b", bound_udp, socket.AF_INET6, "::", twin(A)) == errno.EPERM
    assert lab.run("workloads/b", bound_udp, socket.AF_INET, "", A) == errno.EPERM
    assert lab.run("workloads/b", bound_udp, socket.AF_INET, "", "198.51.100.2") == 0


def test_localhost(lab):
    """127.0.0.1, ::1, 127.0.0.2 and 0.0.0.0 mean the workload itself where it listens, and the
    host elsewhere; getpeername goes on showing what was dialled."""
    def both():
        server = listen("0.0.0.0", 9094)
        seen = []
        for address, family in (("127.0.0.1", socket.AF_INET), ("127.0.0.2", socket.AF_INET),
                                ("0.0.0.0", socket.AF_INET), ("::1", socket.AF_INET6),
                                ("::ffff:127.0.0.1", socket.AF_INET6)):
            with connect(address, 9094, family) as sock:
                accepted, peer = server.accept()
                accepted.close()
                seen.append((peer[0], sock.getpeername()[0]))
        return seen
    assert lab.run("workloads/a", both) == [
        (A, "127.0.0.1"), (A, "127.0.0.2"), (A, "0.0.0.0"), (A, "::1"), (A, "::ffff:127.0.0.1")]

    def host_listener(ready):
        server = listen("127.0.0.1", 9095)
        ready.tell()
        sock, peer = server.accept()
        sock.sendall(peer[0].encode())
        sock.close()
    ready = Pipe()
    server = lab.start("host", host_listener, ready)
    ready.wait()
    assert lab.run("workloads/a", hello, "127.0.0.1", 9095) == "127.0.0.1"
    server.result()


def test_dns_over_tcp(lab):
    """TCP to port 53 of any resolver reaches the mesh resolver from the workload's address; the
    host's own does not, and a resolver inside the mesh is left alone."""
    def resolver(ready):
        server = listen("127.0.0.1", DNS_PORT)
        ready.tell()
        while True:
            sock, peer = server.accept()
            sock.sendall(f"dns {peer[0]}".encode())
            sock.close()
    ready = Pipe()
    lab.start("agent", resolver, ready)
    ready.wait()
    assert lab.run("workloads/a", hello, "203.0.113.53", 53) == f"dns {A}"
    assert lab.run("workloads/a", hello, "127.0.0.53", 53) == f"dns {A}"
    assert lab.run("host", connect_errno, "127.0.0.53", 53) == errno.ECONNREFUSED
    server = start_hello(lab, "workloads/b", "0.0.0.0", 53, "own")
    assert lab.run("workloads/a", hello, B, 53) == f"own {A} {B}"
    server.result()


def test_infra_sources(lab):
    """The proxy and the agent call workloads from their own addresses; the host from the node's;
    the two former are admitted, the host is not."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9096, "a", count=3)
    assert lab.run("proxy", hello, A, 9096) == f"a {NODE}2 {A}"
    assert lab.run("agent", hello, A, 9096) == f"a {NODE}3 {A}"
    assert lab.run("host", connect_errno, A, 9096) == errno.ECONNREFUSED
    lab.run("proxy", hello, A, 9096)
    server.result()


def test_fast_open(lab):
    """MSG_FASTOPEN (connect inside sendto) is captured like connect."""
    lab.maps.service(VIP + "7", 80, 7, VIA_PROXY)
    proxy = start_proxy(lab)

    def fast():
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("qq", 5, 0))
        sock.sendto(b"x", 0x20000000, (VIP + "7", 80))
        return receive_all(sock).decode()
    assert lab.run("workloads/a", fast) == f"{A} {VIP}7 80"
    proxy.kill()
