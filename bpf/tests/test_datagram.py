# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""UDP: DNS and services, unconnected and connected."""

import errno
import socket

from lab import DNS_PORT, KERNEL, NODE, VIA_PROXY, VIP, Pipe, twin, twin_vip
from test_bind import canonical

A, B, C = NODE + "10", NODE + "11", NODE + "12"


def udp(family=socket.AF_INET):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.settimeout(5)
    return sock


def serve(ready, address, port, family, name):
    sock = udp(family)
    sock.settimeout(None)
    sock.bind((address, port))
    ready.tell()
    while True:
        data, peer = sock.recvfrom(2048)
        sock.sendto(f"{name} {peer[0]} ".encode() + data, peer)


def start_udp(lab, cgroup, address, port, name, family=socket.AF_INET):
    ready = Pipe()
    lab.start(cgroup, serve, ready, address, port, family, name)
    ready.wait()


def unconnected(address, port, family=socket.AF_INET):
    with udp(family) as sock:
        sock.sendto(b"q", (address, port))
        data, peer = sock.recvfrom(2048)
        return data.decode(), peer[0], peer[1]


def connected(address, port, family=socket.AF_INET):
    with udp(family) as sock:
        sock.connect((address, port))
        sock.send(b"q")
        data, peer = sock.recvfrom(2048)
        return data.decode(), peer[0], peer[1], sock.getpeername()[0]


def test_dns_v4(lab):
    """A query to any resolver reaches the mesh resolver from the workload's address; the answer
    seems to come from the resolver that was asked. Unconnected and connected."""
    start_udp(lab, "agent", "127.0.0.1", DNS_PORT, "dns")
    assert lab.run("workloads/a", unconnected, "203.0.113.53", 53) == (
        f"dns {A} q", "203.0.113.53", 53)
    assert lab.run("workloads/a", unconnected, "127.0.0.53", 53) == (
        f"dns {A} q", "127.0.0.53", 53)
    assert lab.run("workloads/a", connected, "203.0.113.53", 53) == (
        f"dns {A} q", "203.0.113.53", 53, "203.0.113.53")


def test_dns_mapped(lab):
    """The same for an AF_INET6 socket with v4-mapped addresses (Java, Go)."""
    start_udp(lab, "agent", "127.0.0.1", DNS_PORT, "dns")
    mapped = "::ffff:203.0.113.53"
    assert lab.run("workloads/a", unconnected, mapped, 53, socket.AF_INET6) == (
        f"dns {A} q", mapped, 53)
    assert lab.run("workloads/a", connected, mapped, 53, socket.AF_INET6) == (
        f"dns {A} q", mapped, 53, mapped)


def test_dns_v6(lab):
    """The same for IPv6 resolvers, from the workload's IPv6 address."""
    start_udp(lab, "agent", "::1", DNS_PORT, "dns", socket.AF_INET6)
    six = "2001:db8::53"
    own = canonical(twin(A))
    assert lab.run("workloads/a", unconnected, six, 53, socket.AF_INET6) == (f"dns {own} q", six, 53)
    assert lab.run("workloads/a", connected, six, 53, socket.AF_INET6) == (
        f"dns {own} q", six, 53, six)


def test_dns_two_resolvers_one_socket(lab):
    """One socket that asks two resolvers in turn gets each answer from the one it asked."""
    start_udp(lab, "agent", "127.0.0.1", DNS_PORT, "dns")

    def alternate():
        seen = []
        with udp() as sock:
            for i in range(6):
                sock.sendto(b"q", (f"203.0.113.{53 + i % 2}", 53))
                seen.append(sock.recvfrom(100)[1][0])
        return seen
    assert lab.run("workloads/a", alternate) == ["203.0.113.53", "203.0.113.54"] * 3


def test_dns_of_host_untouched(lab):
    """The host's own queries are not captured."""
    start_udp(lab, "agent", "127.0.0.1", DNS_PORT, "dns")
    start_udp(lab, "host", "127.0.0.53", 53, "hosts")
    assert lab.run("host", unconnected, "127.0.0.53", 53)[0] == "hosts 127.0.0.1 q"


def test_udp_service(lab):
    """A UDP service address: one endpoint per socket (it does not hop between datagrams), the
    answer comes from the service address; v4, v4-mapped and the IPv6 twin."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9110, "a")
    start_udp(lab, "workloads/b", "0.0.0.0", 9110, "b")
    vip = VIP + "30"
    lab.maps.service(vip, 99, 30, KERNEL, [(A, 9110), (B, 9110)], proto=17)

    def several():
        names = set()
        with udp() as sock:
            for _ in range(20):
                sock.sendto(b"q", (vip, 99))
                data, peer = sock.recvfrom(100)
                assert peer == (vip, 99), peer
                names.add(data)
        return names
    seen = [lab.run("workloads/c", several) for _ in range(30)]
    assert all(len(names) == 1 for names in seen), seen
    assert {name for names in seen for name in names} == {
        f"{n} {C} q".encode() for n in "ab"}, seen
    text, peer, port = lab.run("workloads/c", unconnected, f"::ffff:{vip}", 99, socket.AF_INET6)
    assert (text[2:], peer, port) == (f"{C} q", f"::ffff:{vip}", 99)
    text, peer, port, name = lab.run("workloads/c", connected, vip, 99)
    assert (text[2:], peer, port, name) == (f"{C} q", vip, 99, vip)


def test_udp_service_v6(lab):
    """A UDP service through IPv6: the endpoint's IPv6 twin is taken."""
    start_udp(lab, "workloads/a", "::", 9111, "a", socket.AF_INET6)
    lab.maps.service(VIP + "31", 99, 31, KERNEL, [(A, 9111)], proto=17)

    def only_v6():
        with udp(socket.AF_INET6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("::", 9111))
            sock.settimeout(5)
            ready.tell()
            data, peer = sock.recvfrom(100)
            sock.sendto(peer[0].encode(), peer)
    ready = Pipe()
    lab.processes[-1].kill()
    lab.start("workloads/a", only_v6)
    ready.wait()
    assert lab.run("workloads/b", unconnected, twin_vip(VIP + "31"), 99, socket.AF_INET6) == (
        canonical(twin(B)), canonical(twin_vip(VIP + "31")), 99)


def send_errno(address, port):
    with udp() as sock:
        try:
            sock.sendto(b"q", (address, port))
            return 0
        except OSError as error:
            return error.errno


def test_udp_refused(lab):
    """Datagrams to unknown service addresses and to services that would need the proxy: EPERM."""
    lab.maps.service(VIP + "32", 99, 32, VIA_PROXY, proto=17)
    assert lab.run("workloads/a", send_errno, VIP + "32", 99) == errno.EPERM
    assert lab.run("workloads/a", send_errno, VIP + "33", 99) == errno.EPERM
    assert [event["reason"] for event in lab.refusals()] == [
        lab.maps.reasons["UDP_NEEDS_PROXY"], lab.maps.reasons["SENDMSG_REFUSED"]]
