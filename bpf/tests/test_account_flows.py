# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Accounting of connections between workloads: records, flow events, bytes per workload."""

import socket
import struct
import time

from lab import F_ALL, F_SPLICE, KERNEL, NODE, TIMEOUT, VIP, Pipe, connect, listen, receive_all, twin_vip

A, B = NODE + "10", NODE + "11"
FLOW = 5


def traffic(lab, address):
    """mesh sent, mesh received, wire sent, wire received, packets of both, opened, accepted."""
    raw = lab.maps.get("tulle_traffic", struct.pack("I", int(address.rsplit(".", 1)[1])))
    cpus = [struct.unpack_from("8Q", raw, cpu * 64) for cpu in range(lab.maps.cpus)]
    return [sum(values) for values in zip(*cpus)]


def conns(lab):
    return lab.maps.count("tulle_conns")


def settled(lab, count):
    """The connections of earlier tests are over."""
    deadline = time.monotonic() + 5
    while conns(lab) != count and time.monotonic() < deadline:
        time.sleep(0.01)
    return conns(lab) == count


def serve(ready, port, size, answer):
    server = listen("::", port, socket.AF_INET6)
    ready.tell()
    sock, _ = server.accept()
    # A reader that blocks without a timeout may see EAGAIN when the connection is over (splice.c).
    sock.settimeout(TIMEOUT)
    got = 0
    while got < size:
        got += len(sock.recv(1 << 16))
    sock.sendall(b"y" * answer)
    sock.shutdown(socket.SHUT_WR)
    assert sock.recv(1) == b""
    sock.close()


def call(address, port, family, size, hold=None, go=None):
    sock = connect(address, port, family)
    sock.sendall(b"x" * size)
    answer = len(receive_all(sock))
    if hold:
        hold.tell()
        go.wait_for(1)
    sock.close()
    return answer


def lost(lab):
    """What became of records that did not come."""
    return {name: lab.maps.counter(name) for name in ("FLOW", "EVENT_LIMITED", "EVENT_LOST", "CONNS_FULL")}


def fresh_second():
    """Connections of earlier tests may have used up what is reported of this second."""
    second = time.monotonic_ns() // 10 ** 9
    while time.monotonic_ns() // 10 ** 9 == second:
        time.sleep(0.005)


def becomes(look, wanted):
    """A record goes a moment before what it has carried is told and counted."""
    deadline = time.monotonic() + 5
    while look() != wanted and time.monotonic() < deadline:
        time.sleep(0.01)
    return look() == wanted


def flows(lab, count=1):
    deadline = time.monotonic() + 5
    seen = []
    while len(seen) < count and time.monotonic() < deadline:
        seen += [event for event in lab.events.read() if event["type"] == FLOW]
        time.sleep(0.01)
    return seen


def test_flow_record(lab):
    """One record a connection, with the caller's view: bytes both ways exact whether spliced or on
    TCP, service, both workloads, duration; IPv4, v4-mapped, IPv6 twin. Live while it lasts."""
    lab.maps.service(VIP + "50", 80, 50, KERNEL, [(A, 9120)])
    fresh_second()
    for flags in (F_ALL, F_ALL & ~F_SPLICE):
        for address, family in ((VIP + "50", socket.AF_INET),
                                (f"::ffff:{VIP}50", socket.AF_INET6),
                                (twin_vip(VIP + "50"), socket.AF_INET6)):
            lab.configure(flags=flags)
            assert settled(lab, 0)
            lab.events.read()
            before_lost = lost(lab)
            before_a, before_b = traffic(lab, A), traffic(lab, B)
            ready, hold, go = Pipe(), Pipe(), Pipe()
            server = lab.start("workloads/a", serve, ready, 9120, 70000, 300000)
            ready.wait()
            client = lab.start("workloads/b", call, address, 80, family, 70000, hold, go)
            hold.wait_for(1)
            assert settled(lab, 1)
            go.tell()
            assert client.result() == 300000
            server.result()
            seen = flows(lab)
            assert len(seen) == 1, (seen, lost(lab), before_lost)
            flow = seen[0]
            assert (flow["sent"], flow["received"]) == (70000, 300000), (flags, address, flow)
            assert (flow["workload"], flow["server"], flow["service"]) == (11, 10, 50), flow
            assert flow["dport"] == 9120 and 0 < flow["nanos"] < 60e9, flow
            assert settled(lab, 0)
            delta_a = [x - y for x, y in zip(traffic(lab, A), before_a)]
            delta_b = [x - y for x, y in zip(traffic(lab, B), before_b)]
            assert delta_a[:2] == [300000, 70000] and delta_a[6:] == [0, 1], (flags, delta_a)
            assert delta_b[:2] == [70000, 300000] and delta_b[6:] == [1, 0], (flags, delta_b)


def test_live_bytes(lab):
    """Spliced bytes are counted while the connection lives."""
    lab.maps.service(VIP + "51", 80, 51, KERNEL, [(A, 9121)])
    before = traffic(lab, B)
    ready, hold, go = Pipe(), Pipe(), Pipe()
    lab.start("workloads/a", serve, ready, 9121, 50000, 1)
    ready.wait()
    client = lab.start("workloads/b", call, VIP + "51", 80, socket.AF_INET, 50000, hold, go)
    hold.wait_for(1)
    assert traffic(lab, B)[0] - before[0] == 50000
    go.tell()
    client.result()


def test_killed_ends(lab):
    """A killed client and a killed server leave no record behind."""
    lab.maps.service(VIP + "52", 80, 52, KERNEL, [(A, 9122)])
    assert settled(lab, 0)
    fresh_second()
    lab.events.read()
    for victim in (0, 1):
        before = lost(lab)
        ready, hold, go = Pipe(), Pipe(), Pipe()
        server = lab.start("workloads/a", serve, ready, 9122, 10, 10)
        ready.wait()
        client = lab.start("workloads/b", call, VIP + "52", 80, socket.AF_INET, 10, hold, go)
        hold.wait_for(1)
        (server, client)[victim].kill()
        (client, server)[victim].kill()
        assert len(flows(lab)) == 1, (lost(lab), before)
        assert settled(lab, 0)


def test_direct_and_refused(lab):
    """A workload dialled by its own address has a record without service; the host has none; a
    connection that is never established leaves nothing."""
    ready = Pipe()
    server = lab.start("workloads/a", serve, ready, 9123, 1, 1)
    ready.wait()
    fresh_second()
    lab.events.read()
    assert lab.run("workloads/b", call, A, 9123, socket.AF_INET, 1) == 1
    server.result()
    assert [flow["service"] for flow in flows(lab)] == [0]

    def refused():
        try:
            connect(A, 9124)
        except OSError as error:
            return error.errno
    assert lab.run("workloads/b", refused) and settled(lab, 0)


def pair(lab, client, server, service):
    """opened, closed, sent by the callers, received."""
    found = lab.maps.get("tulle_pairs", struct.pack("3I", client, server, service))
    return struct.unpack("4Q", found) if found else None


def one_exchange(lab, port, dialled, dialled_port, sent, received):
    ready = Pipe()
    server = lab.start("workloads/a", serve, ready, port, sent, received)
    ready.wait()
    assert lab.run("workloads/b", call, dialled, dialled_port, socket.AF_INET, sent) == received
    server.result()
    assert settled(lab, 0)


def test_pairs(lab):
    """By caller, called and service: opened when the other end exists, closed with its bytes when
    both have closed, spliced or on TCP; what was refused never was."""
    lab.maps.service(VIP + "54", 80, 54, KERNEL, [(A, 9126)])
    assert settled(lab, 0) and pair(lab, 11, 10, 54) is None
    ready, hold, go = Pipe(), Pipe(), Pipe()
    server = lab.start("workloads/a", serve, ready, 9126, 70000, 300000)
    ready.wait()
    client = lab.start("workloads/b", call, VIP + "54", 80, socket.AF_INET, 70000, hold, go)
    hold.wait_for(1)
    assert pair(lab, 11, 10, 54) == (1, 0, 0, 0)
    go.tell()
    client.result()
    server.result()
    assert settled(lab, 0) and becomes(lambda: pair(lab, 11, 10, 54), (1, 1, 70000, 300000))
    lab.configure(flags=F_ALL & ~F_SPLICE)
    one_exchange(lab, 9126, VIP + "54", 80, 5, 100000)
    assert becomes(lambda: pair(lab, 11, 10, 54), (2, 2, 70005, 400000))
    direct = pair(lab, 11, 10, 0) or (0, 0, 0, 0)
    one_exchange(lab, 9126, A, 9126, 7, 8)
    assert becomes(lambda: pair(lab, 11, 10, 0), tuple(x + y for x, y in zip(direct, (1, 1, 7, 8))))

    def refused():
        try:
            connect(VIP + "54", 80)
        except OSError as error:
            return error.errno
    assert lab.run("workloads/b", refused) and settled(lab, 0)
    assert pair(lab, 11, 10, 54) == (2, 2, 70005, 400000)


def test_pairs_full(lab):
    """Pairs that there is no room for are counted together; those that have room go on."""
    rest = struct.pack("3I", 0, 0, 0)
    lab.maps.service(VIP + "55", 80, 55, KERNEL, [(A, 9127)])
    lab.maps.service(VIP + "56", 80, 56, KERNEL, [(A, 9128)])
    one_exchange(lab, 9127, VIP + "55", 80, 1, 2)
    lab.maps.put("tulle_pairs", rest, bytes(32))
    fill = [struct.pack("3I", 1, 1, number)
            for number in range(1, 16385 - lab.maps.count("tulle_pairs"))]
    for key in fill:
        lab.maps.put("tulle_pairs", key, bytes(32))
    try:
        one_exchange(lab, 9128, VIP + "56", 80, 3, 4)
        one_exchange(lab, 9127, VIP + "55", 80, 1, 2)
        assert pair(lab, 11, 10, 56) is None
        assert becomes(lambda: pair(lab, 0, 0, 0), (1, 1, 3, 4))
        assert becomes(lambda: pair(lab, 11, 10, 55), (2, 2, 2, 4))
    finally:
        for key in fill + [rest]:
            lab.maps.delete("tulle_pairs", key)


def test_rate(lab):
    """More connections than the limit: counted all, reported up to the limit of each CPU."""
    lab.maps.service(VIP + "53", 80, 53, KERNEL, [(A, 9125)])
    ready = Pipe()

    def many():
        server = listen("0.0.0.0", 9125)
        ready.tell()
        for _ in range(400):
            server.accept()[0].close()

    def dial():
        for _ in range(400):
            with connect(VIP + "53", 80) as sock:
                sock.recv(1)
    process = lab.start("workloads/a", many)
    ready.wait()
    lab.events.read()
    before = lab.maps.counter("FLOW")
    assert pair(lab, 11, 10, 53) is None
    begun = time.monotonic()
    lab.run("workloads/b", dial)
    process.result()
    deadline = time.monotonic() + 5
    # Counters are not atomic: one that an interrupt finds half way may lose a step.
    while lab.maps.counter("FLOW") < before + 396 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert 396 <= lab.maps.counter("FLOW") - before <= 400 and settled(lab, 0)
    most = 100 * lab.maps.cpus * (int(time.monotonic() - begun) + 2)
    assert 1 <= len(flows(lab, 400)) <= most
    assert pair(lab, 11, 10, 53)[:2] == (400, 400)
