# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""How an endpoint is chosen: hashing, round robin, callers and sockets that keep theirs."""

import errno
import socket
import struct
import time

from bpf import HASH, RANDOM, ROUND_ROBIN, STICKY
from lab import (KERNEL, NODE, VIP, Pipe, Remote, connect, listen, receive_all, twin_vip)
from test_datagram import start_udp, udp

A, B, C = NODE + "10", NODE + "11", NODE + "12"


def serve_name(ready, address, port, name, family):
    server = listen(address, port, family)
    server.settimeout(None)
    ready.tell()
    while True:
        sock, _ = server.accept()
        sock.sendall(name)
        sock.close()


def start_names(lab, port):
    """a and b answer with their name, on IPv4 and v4-mapped at once."""
    for cgroup, name in (("workloads/a", b"a"), ("workloads/b", b"b")):
        ready = Pipe()
        lab.start(cgroup, serve_name, ready, "::", port, name, socket.AF_INET6)
        ready.wait()


def ask(address, port, count=1, family=socket.AF_INET):
    names = ""
    for _ in range(count):
        with connect(address, port, family) as sock:
            names += receive_all(sock).decode()
    return names


def mix(address, size):
    """As lib/decide.h and the model's Maglev.slot."""
    h = struct.unpack(">I", socket.inet_aton(address))[0]
    h ^= h >> 16
    h = h * 0x85ebca6b & 0xffffffff
    h ^= h >> 13
    h = h * 0xc2b2ae35 & 0xffffffff
    return (h ^ h >> 16) % size


def test_hash(lab):
    """The caller's address alone decides, by the documented mixing: IPv4, v4-mapped, the twin."""
    start_names(lab, 9101)
    slots = [(A, 9101) if slot % 2 else (B, 9101) for slot in range(251)]
    lab.maps.service(VIP + "40", 80, 40, KERNEL, slots, choice=HASH)
    for cgroup, address in (("workloads/a", A), ("workloads/b", B), ("workloads/c", C)):
        expected = ("a" if mix(address, 251) % 2 else "b") * 6
        assert lab.run(cgroup, ask, VIP + "40", 80, 6) == expected
        assert lab.run(cgroup, ask, f"::ffff:{VIP}40", 80, 6, socket.AF_INET6) == expected
        assert lab.run(cgroup, ask, twin_vip(VIP + "40"), 80, 6, socket.AF_INET6) == expected


def test_round_robin(lab):
    """One after the other, whoever calls."""
    start_names(lab, 9102)
    lab.maps.service(VIP + "41", 80, 41, KERNEL, [(A, 9102), (B, 9102), (B, 9102)],
                     choice=ROUND_ROBIN)
    assert lab.run("workloads/c", ask, VIP + "41", 80, 9) == "abbabbabb"
    assert lab.run("workloads/a", ask, VIP + "41", 80, 4) == "abba"


def test_sticky(lab):
    """A caller keeps its endpoint through a change of the slots while it is a member and the time
    has not passed; then it gets what its hash says."""
    start_names(lab, 9103)
    first = lab.maps.member_key(42, A, 9103), lab.maps.member_key(42, B, 9103)
    lab.maps.service(VIP + "42", 80, 42, KERNEL, [(A, 9103)], choice=STICKY, sticky=30)
    assert lab.run("workloads/c", ask, VIP + "42", 80, 3) == "aaa"
    # b comes, and the hash would send everybody there: c stays, a newcomer goes to b.
    lab.maps.put("tulle_members", first[0], b"\1\0\0\0")
    lab.maps.service(VIP + "42", 80, 42, KERNEL, [(B, 9103)], generation=2, choice=STICKY,
                     sticky=30)
    assert lab.run("workloads/c", ask, VIP + "42", 80, 3) == "aaa"
    assert lab.run("workloads/c", ask, f"::ffff:{VIP}42", 80, 1, socket.AF_INET6) == "a"
    assert lab.run("workloads/b", ask, VIP + "42", 80, 3) == "bbb"
    # a is no member any more: no new connection gets it.
    assert lab.maps.delete("tulle_members", first[0])
    assert lab.run("workloads/c", ask, VIP + "42", 80, 3) == "bbb"
    # The time passes.
    lab.maps.service(VIP + "42", 80, 42, KERNEL, [(A, 9103)], generation=3, choice=STICKY,
                     sticky=1)
    assert lab.run("workloads/c", ask, VIP + "42", 80) == "b"
    time.sleep(1.1)
    assert lab.run("workloads/c", ask, VIP + "42", 80, 3) == "aaa"


def test_nobody_listens_any_more(lab):
    """Between the end of a server and its leaving the slots no connect is sent to it, however the
    slots lie; where nobody listens a connect is refused as without a mesh."""
    servers = {}
    for cgroup, name in (("workloads/a", b"a"), ("workloads/b", b"b")):
        ready = Pipe()
        servers[name] = lab.start(cgroup, serve_name, ready, "::", 9104, name, socket.AF_INET6)
        ready.wait()
    a, b = (A, 9104), (B, 9104)
    slots = {46: ([a, b], RANDOM), 47: ([b] * 50 + [a] * 50, RANDOM), 48: ([b, a], ROUND_ROBIN),
             49: ([b, b, a, b, a], HASH), 50: ([b, a], STICKY)}
    for service, (all_slots, choice) in slots.items():
        lab.maps.service(f"{VIP}{service}", 80, service, KERNEL, all_slots, choice=choice,
                         sticky=30)
    # So that somebody is stuck to b.
    lab.maps.put("tulle_members", lab.maps.member_key(50, B, 9104), b"\1\0\0\0")
    lab.maps.put("tulle_members", lab.maps.member_key(50, A, 9104), b"\1\0\0\0")
    for cgroup in ("workloads/a", "workloads/b", "workloads/c"):
        lab.run(cgroup, ask, VIP + "50", 80)
    servers[b"b"].kill()
    for service in slots:
        for cgroup in ("workloads/a", "workloads/c"):
            assert lab.run(cgroup, ask, f"{VIP}{service}", 80, 10) == "a" * 10, service
    servers[b"a"].kill()
    for service in slots:
        try:
            lab.run("workloads/c", ask, f"{VIP}{service}", 80)
            assert False, f"{service} answers"
        except Remote as error:
            assert error.errno == errno.ECONNREFUSED, error


def test_datagrams_follow_changes(lab):
    """An unconnected socket keeps its endpoint while that is a member, moves when it is not, and
    sees a service change between two datagrams to the same address."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9112, "a")
    start_udp(lab, "workloads/b", "0.0.0.0", 9112, "b")
    vip = VIP + "43"
    lab.maps.service(vip, 99, 43, KERNEL, [(A, 9112)], proto=17)
    told, go = Pipe(), Pipe()

    def client():
        names = ""
        with udp() as sock:
            for _ in range(4):
                for _ in range(2):
                    sock.sendto(b"q", (vip, 99))
                    data, peer = sock.recvfrom(100)
                    assert peer == (vip, 99), peer
                    names += data.decode()[0]
                told.tell()
                go.wait_for(1)
        return names

    process = lab.start("workloads/c", client)
    told.wait_for(1)
    lab.maps.service(vip, 99, 43, KERNEL, [(B, 9112)], generation=2, proto=17)
    go.tell()  # both are members: it stays at a
    told.wait_for(1)
    lab.maps.delete("tulle_members", lab.maps.member_key(43, A, 9112))
    go.tell()  # a is gone: to b
    told.wait_for(1)
    lab.maps.delete("tulle_members", lab.maps.member_key(43, B, 9112))
    lab.maps.service(vip, 99, 43, KERNEL, [(A, 9112)], generation=3, proto=17)
    go.tell()
    told.wait_for(1)
    go.tell()
    assert process.result() == "aaaabbaa"


def test_datagrams_of_a_moved_process(lab):
    """A socket that is used by a process of another workload gets that one's decision and not the
    one that was kept; an epoch of 0 keeps nothing."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9113, "a")
    lab.maps.service(VIP + "44", 99, 44, KERNEL, [(A, 9113)], proto=17)

    def move():
        seen = []
        with udp() as sock:
            for cgroup in ("workloads/c", "workloads/c", "workloads/b", "workloads/b"):
                lab.enter(cgroup)
                sock.sendto(b"q", (VIP + "44", 99))
                seen.append(sock.recvfrom(100)[0].decode().split()[1])
        return seen
    assert lab.run("workloads/c", move) == [C, C, B, B]
    lab.maps.epoch = -1
    lab.maps.changed()
    assert lab.run("workloads/c", move) == [C, C, B, B]


def test_connected_again(lab):
    """A connected datagram socket that is connected to the endpoint itself shows its address."""
    start_udp(lab, "workloads/a", "0.0.0.0", 9114, "a")
    lab.maps.service(VIP + "45", 99, 45, KERNEL, [(A, 9114)], proto=17)

    def twice():
        seen = []
        with udp() as sock:
            for target in ((VIP + "45", 99), (A, 9114)):
                sock.connect(target)
                sock.send(b"q")
                seen.append(sock.recvfrom(100)[1] == target)
        return seen
    assert lab.run("workloads/c", twice) == [True, True]
