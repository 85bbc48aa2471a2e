# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""A reader that stalls pushes back; nothing is lost or reordered when it goes on."""

import random
import socket
import time

from lab import NODE, SPLICE_LIMIT, VIA_PROXY, VIP, Pipe, connect, listen
from stream import Delta, chunk, pair, receive_stream, send_stream
from test_splice import relay

GIB = 1 << 30
BOUND = 16 << 20
A = NODE + "10"


def tcp_memory():
    """Bytes that TCP holds in all network namespaces, as the kernel accounts them."""
    with open("/proc/net/sockstat", encoding="ascii") as stat:
        for line in stat:
            if line.startswith("TCP:"):
                fields = line.split()
                return int(fields[fields.index("mem") + 1]) * 4096
    raise RuntimeError("no TCP line in /proc/net/sockstat")


def flood(ready, total):
    """Sends until nothing moves for 0.4 s, tells how much the kernel took, then the rest."""
    def run(sock):
        sock.setblocking(False)
        sent, moved = 0, time.monotonic()
        while sent < total and time.monotonic() - moved < 0.4:
            try:
                sent += sock.send(chunk(sent, min(1 << 18, total - sent)))
                moved = time.monotonic()
            except BlockingIOError:
                time.sleep(0.005)
        held, memory = sent, tcp_memory()
        ready.tell()
        sock.settimeout(30)
        send_stream(sock, total - sent, start=sent)
        return held, memory
    return run


def stalled(ready, total):
    def run(sock):
        ready.wait()
        sock.settimeout(30)
        receive_stream(sock, total, buffer_size=1 << 19)
    return run


def check(lab, sender_first, port, total):
    ready = Pipe()
    before, delta = tcp_memory(), Delta(lab)
    ends = (flood(ready, total), stalled(ready, total))
    results = pair(lab, *(ends if sender_first else ends[::-1]), port)
    held, memory = results[0 if sender_first else 1]
    assert delta["SPLICE_SPILL"] >= 1, str(delta)
    assert delta["SPLICE_BYTES"] > SPLICE_LIMIT, str(delta)
    assert held <= BOUND, f"the kernel took {held >> 20} MiB from the sender"
    assert memory - before <= BOUND, f"TCP memory grew by {(memory - before) >> 20} MiB"
    return f"held {held / 1048576:.1f} MiB, TCP memory +{(memory - before) / 1048576:.1f} MiB"


def test_server_stalls(lab):
    """1 GiB to a server that does not read: at most 16 MiB are held; then all arrives in order."""
    return check(lab, False, 9300, GIB)


def test_client_stalls(lab):
    """The same from the server to a client that does not read."""
    return check(lab, True, 9301, GIB)


def test_stop_and_go(lab):
    """256 MiB to a reader that pauses at random, so that the connection spills to TCP and comes
    back to splicing many times: order exact."""
    total = 256 << 20
    delta = Delta(lab)
    rng = random.Random(3)

    def reader(sock):
        receive_stream(sock, total, lambda: rng.random() * 0.02 if rng.random() < 0.05 else 0)

    def sender(sock):
        sizes = random.Random(4)
        send_stream(sock, total, lambda: sizes.randrange(1, 200000),
                    lambda: 0.01 if sizes.random() < 0.02 else 0)
    pair(lab, reader, sender, 9302)
    assert delta["SPLICE_SPILL"] >= 1, str(delta)
    return str(delta)


def test_stays_on_tcp_after_a_spill(lab):
    """A direction that spilled stays on TCP, also when the reader has caught up; the other
    direction of the same connection goes on being spliced."""
    delta = Delta(lab)

    def server(sock):
        time.sleep(0.3)
        receive_stream(sock, 8 << 20)
        for _ in range(100):
            sock.sendall(b"a")
            receive_stream(sock, 100)

    def client(sock):
        send_stream(sock, 8 << 20)
        for _ in range(100):
            sock.recv(1)
            sock.sendall(chunk(0, 100))
    pair(lab, server, client, 9303)
    assert delta["SPLICE_SPILL"] == 1 and not delta["SPLICE_RETURN"], str(delta)
    assert delta["SPLICE_MESSAGES"] >= 100, str(delta)
    return str(delta)


def test_small_messages_stall(lab):
    """100-byte messages to a stalled reader are held within the same bound."""
    ready = Pipe()
    before = tcp_memory()

    def sender(sock):
        sock.setblocking(False)
        sent, moved = 0, time.monotonic()
        while time.monotonic() - moved < 0.4:
            try:
                sent += sock.send(chunk(sent, 100))
                moved = time.monotonic()
            except BlockingIOError:
                time.sleep(0.005)
            if sent > 64 << 20:
                break
        memory = tcp_memory()
        ready.tell((sent // 100).to_bytes(4, "big"))
        return sent, memory

    def reader(sock):
        total = 100 * int.from_bytes(ready.wait(4), "big")
        receive_stream(sock, total)
        assert sock.recv(200) in (chunk(total, n) for n in range(100))
    _, (sent, memory) = pair(lab, reader, sender, 9304)
    assert sent <= BOUND and memory - before <= BOUND, (sent, memory - before)
    return f"held {sent / 1048576:.1f} MiB, TCP memory +{(memory - before) / 1048576:.1f} MiB"


def test_stall_behind_proxy(lab):
    """A client that stalls behind a relaying proxy: both connections together stay bounded and
    256 MiB arrive in order."""
    total = 256 << 20
    ready_stall, ready_proxy, ready_server = Pipe(), Pipe(), Pipe()
    lab.maps.service(VIP + "51", 80, 51, VIA_PROXY)
    before = tcp_memory()

    def serve():
        listener = listen("0.0.0.0", 9217)
        ready_server.tell()
        sock, _ = listener.accept()
        with sock:
            return flood(ready_stall, total)(sock)

    def call():
        with connect(VIP + "51", 80) as sock:
            stalled(ready_stall, total)(sock)
            sock.shutdown(socket.SHUT_WR)
    proxy = lab.start("proxy", relay, ready_proxy, 1)
    ready_proxy.wait()
    serving = lab.start("workloads/a", serve)
    ready_server.wait()
    calling = lab.start("workloads/b", call)
    held, memory = serving.result()
    calling.result()
    proxy.result()
    assert held <= 2 * BOUND and memory - before <= 2 * BOUND, (held, memory - before)
    return f"held {held / 1048576:.1f} MiB, TCP memory +{(memory - before) / 1048576:.1f} MiB"
