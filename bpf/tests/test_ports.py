# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The mesh's own ports: nobody else binds them, and what is sent there ends at the mesh's socket or
nowhere."""

import contextlib
import ctypes
import errno
import os
import socket
import struct

import bpf
from lab import (DNS_PORT, NODE, OUTBOUND_PORT, VIA_PROXY, VIP, Pipe, connect, listen, receive_all,
                 twin)

HELD, EVERYWHERE, ROOT = 1, 2, 4
PUBLISHED = 8443
SO_NETNS_COOKIE = 71


def netns_cookie():
    with socket.socket() as sock:
        return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]


def port_key(port, proto=6):
    return struct.pack("HBx", port, proto)


@contextlib.contextmanager
def ports(lab, *entries, netns=None):
    """entries: (port, protocol, flags), gone at the end."""
    cookie = netns_cookie() if netns is None else netns
    for port, proto, flags in entries:
        lab.maps.put("tulle_ports", port_key(port, proto), struct.pack("QIxxxx", cookie, flags))
    try:
        yield
    finally:
        for port, proto, _flags in entries:
            lab.maps.delete("tulle_ports", port_key(port, proto))


def accepting_key(address, port):
    return bpf.addr(address) + struct.pack("Hxx", port)


def accept_at(lab, address, port, sock):
    """As the agent does: the mesh's socket of this port."""
    err = bpf.LIB.bpf_map_update_elem(lab.maps.obj.map_fd("tulle_accepting"),
                                      accepting_key(address, port),
                                      struct.pack("Q", sock.fileno()), bpf.BPF_ANY)
    assert not err, os.strerror(-err)


def held(lab, address, port):
    buffer = ctypes.create_string_buffer(8)
    return bpf.LIB.bpf_map_lookup_elem(lab.maps.obj.map_fd("tulle_accepting"),
                                       accepting_key(address, port), buffer) == 0


def bind_errno(address, port, kind=socket.SOCK_STREAM, family=socket.AF_INET, options=()):
    with socket.socket(family, kind) as sock:
        for level, name, value in options:
            sock.setsockopt(level, name, value)
        try:
            sock.bind((address, port))
            return 0
        except OSError as error:
            return error.errno


REUSE = ((socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1))
ONLY6 = ((socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1),)


def test_strangers_cannot_bind_mesh_ports(lab):
    """Host programs and workloads get EPERM on loopback and wildcard, both families, TCP and UDP,
    whatever they share; the event names who it was."""
    inet6 = dict(family=socket.AF_INET6)
    with ports(lab, (OUTBOUND_PORT, 6, HELD), (DNS_PORT, 17, 0)):
        for who, addresses in (
                ("host", [("127.0.0.1", {}), ("127.0.0.9", {}), ("0.0.0.0", {}), ("::1", inet6),
                          ("::", inet6), ("::ffff:127.0.0.1", inet6)]),
                ("workloads/a", [("127.0.0.1", {}), ("127.9.9.9", {}), ("::1", inet6),
                                 ("::ffff:127.0.0.1", inet6)])):
            for address, more in addresses:
                for options in ((), REUSE):
                    found = lab.run(who, lambda a=address, m=more, o=options: bind_errno(
                        a, OUTBOUND_PORT, options=o, **m))
                    assert found == errno.EPERM, (who, address, options, found)
        assert lab.run("host", lambda: bind_errno("::", OUTBOUND_PORT, options=ONLY6, **inet6)) == (
            errno.EPERM)
        assert lab.run("host", bind_errno, "127.0.0.1", DNS_PORT, socket.SOCK_DGRAM) == errno.EPERM
        events = lab.refusals()
        assert {event["reason"] for event in events} == {lab.maps.reasons["BIND_MESH_PORT"]}
        assert all(event["dport"] in (OUTBOUND_PORT, DNS_PORT) and event["pid"]
                   for event in events)


def test_the_mesh_binds_its_ports(lab):
    """The proxy and the agent may; so may anybody where nothing of the mesh is: other protocol,
    other address of the host, the workload's own address, another namespace, no entry."""
    with ports(lab, (OUTBOUND_PORT, 6, HELD), (DNS_PORT, 17, 0)):
        for who, address, port, kind in (
                ("proxy", "127.0.0.1", OUTBOUND_PORT, socket.SOCK_STREAM),
                ("agent", "127.0.0.1", DNS_PORT, socket.SOCK_DGRAM),
                ("host", "127.0.0.1", DNS_PORT, socket.SOCK_STREAM),
                ("host", "198.51.100.1", OUTBOUND_PORT, socket.SOCK_STREAM),
                ("workloads/a", "0.0.0.0", OUTBOUND_PORT, socket.SOCK_STREAM),
                ("workloads/a", "0.0.0.0", 0, socket.SOCK_STREAM)):
            # Shared: connections of earlier tests may still be there.
            found = lab.run(who, bind_errno, address, port, kind, socket.AF_INET, REUSE)
            assert found == 0, (who, address, port, errno.errorcode[found])

        def elsewhere():
            if bpf.LIBC.unshare(0x40000000):
                raise OSError("unshare")
            return bind_errno("127.0.0.1", OUTBOUND_PORT)
        assert lab.run("host", elsewhere) == 0
    assert lab.run("host", lambda: bind_errno("127.0.0.1", OUTBOUND_PORT, options=REUSE)) == 0


def test_published_ports_are_kept_everywhere(lab):
    """A published port is refused on every address of the host, to be free for nobody else while
    the mesh restarts; a workload may have it at its own address."""
    with ports(lab, (PUBLISHED, 6, EVERYWHERE)):
        for address in ("0.0.0.0", "127.0.0.1", "198.51.100.1"):
            assert lab.run("host", bind_errno, address, PUBLISHED) == errno.EPERM
        assert lab.run("workloads/a", bind_errno, "0.0.0.0", PUBLISHED) == 0
        assert lab.run("agent", bind_errno, "0.0.0.0", PUBLISHED) == 0


def captured(address=VIP + "77", port=80, family=socket.AF_INET):
    """What a workload gets that calls a service of the proxy."""
    try:
        with connect(address, port, family) as sock:
            return receive_all(sock).decode()
    except OSError as error:
        return error.errno


def serve(ready, address, port, name, options=(), family=socket.AF_INET, into=None):
    """Listens for good and answers with its name; in the map of the mesh of a lab if `into` is given."""
    with socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for level, option, value in options:
            server.setsockopt(level, option, value)
        server.bind((address, port))
        server.listen(16)
        if into:
            accept_at(into, address, port, server)
        ready.tell()
        while True:
            sock, _peer = server.accept()
            sock.sendall(name.encode())
            sock.close()


def start_serving(lab, cgroup, *args, **kwargs):
    ready = Pipe()
    process = lab.start(cgroup, lambda: serve(ready, *args, **kwargs))
    ready.wait()
    return process


def test_a_stranger_on_the_port_gets_nothing(lab):
    """Who bound the outbound port before the mesh receives no captured connection: refused while
    the mesh has no socket."""
    lab.maps.service(VIP + "77", 80, 77, VIA_PROXY)
    start_serving(lab, "host", "127.0.0.1", OUTBOUND_PORT, "stranger")
    assert lab.run("workloads/a", captured) == "stranger"  # what the guard is for
    before = lab.maps.counter("GUARD_NO_PROXY")
    with ports(lab, (OUTBOUND_PORT, 6, HELD)):
        assert lab.run("workloads/a", captured) == errno.ECONNREFUSED
        # Not only captured ones, and by every address of loopback.
        for address in ("127.0.0.1", "127.0.0.3"):
            assert lab.run("workloads/b", captured, address, OUTBOUND_PORT) == errno.ECONNREFUSED
        assert lab.run("host", captured, "127.0.0.1", OUTBOUND_PORT) == errno.ECONNREFUSED
        assert lab.maps.counter("GUARD_NO_PROXY") == before + 4
        assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_NO_PROXY"]


def test_the_meshs_socket_gets_all(lab):
    """With SO_REUSEPORT siblings of the same user, every captured connection goes to the socket
    that the agent put into the map; when that closes the entry is gone and all are refused."""
    lab.maps.service(VIP + "77", 80, 77, VIA_PROXY)
    mesh = start_serving(lab, "proxy", "127.0.0.1", OUTBOUND_PORT, "mesh", REUSE, into=lab)
    for _ in range(3):
        start_serving(lab, "proxy", "127.0.0.1", OUTBOUND_PORT, "sibling", REUSE)

    def many():
        return {captured() for _ in range(40)}
    assert "sibling" in lab.run("workloads/a", many)  # what the guard is for
    with ports(lab, (OUTBOUND_PORT, 6, HELD)):
        assert lab.run("workloads/a", many) == {"mesh"}
        mesh.kill()
        assert not held(lab, "127.0.0.1", OUTBOUND_PORT)
        assert lab.run("workloads/a", many) == {errno.ECONNREFUSED}


def test_the_meshs_socket_of_ipv6(lab):
    """The same for ::1."""
    lab.maps.service(VIP + "78", 80, 78, VIA_PROXY)
    inet6 = dict(family=socket.AF_INET6)
    with ports(lab, (OUTBOUND_PORT, 6, HELD)):
        assert lab.run("host", lambda: captured("::1", OUTBOUND_PORT, **inet6)) == (
            errno.ECONNREFUSED)
        start_serving(lab, "proxy", "::1", OUTBOUND_PORT, "six", into=lab, **inet6)
        assert lab.run("host", lambda: captured("::1", OUTBOUND_PORT, **inet6)) == "six"


def test_a_held_socket_outlives_its_acceptor(lab):
    """The agent holds the socket while the proxy dies: connections wait for the next one, none is
    refused, none goes elsewhere."""
    lab.maps.service(VIP + "77", 80, 77, VIA_PROXY)
    made, done = Pipe(), Pipe()

    def hold():
        server = listen("127.0.0.1", OUTBOUND_PORT)
        accept_at(lab, "127.0.0.1", OUTBOUND_PORT, server)
        answered = []
        for generation in ("first", "second"):
            child = os.fork()
            if child == 0:
                sock, _peer = server.accept()
                sock.sendall(generation.encode())
                os._exit(0)
            if generation == "first":
                made.tell()
            answered.append(os.waitpid(child, 0)[1])
            if generation == "first":
                done.wait()
        return answered
    holder = lab.start("proxy", hold)
    made.wait()
    with ports(lab, (OUTBOUND_PORT, 6, HELD)):
        assert lab.run("workloads/a", captured) == "first"
        waiting = lab.start("workloads/a", captured)  # nobody accepts now
        done.tell()
        assert waiting.result() == "second"
    assert holder.result() == [0, 0]


def test_other_loopback_ports_are_untouched(lab):
    """A port of loopback that is not the mesh's, and one that is only kept from binding."""
    start_serving(lab, "host", "127.0.0.1", 9300, "host")
    start_serving(lab, "host", "127.0.0.1", 9301, "agent")
    with ports(lab, (OUTBOUND_PORT, 6, HELD), (9301, 6, 0)):
        assert lab.run("host", captured, "127.0.0.1", 9300) == "host"
        assert lab.run("host", captured, "127.0.0.1", 9301) == "agent"
        assert lab.run("workloads/a", captured, NODE + "1", 9300) == errno.ECONNREFUSED


def test_a_port_of_the_control_plane(lab):
    """A port that is root's outside every group of the mesh: others have it neither there nor in a
    workload, root in a workload included."""
    def as_user(user):
        if user:
            os.setuid(user)
        return bind_errno("127.0.0.1", 8455)

    with ports(lab, (8455, 6, ROOT)):
        assert lab.run("host", as_user, 0) == 0
        assert lab.run("host", as_user, 65534) == errno.EPERM
        assert lab.run("workloads/a", as_user, 0) == errno.EPERM
