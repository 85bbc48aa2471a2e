# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Spliced connections behave as TCP does."""

import array
import errno
import fcntl
import os
import random
import select
import signal
import socket
import struct
import tempfile
import termios
import time

from lab import (F_ALL, F_SPLICE, NODE, OUTBOUND_PORT, TIMEOUT, VIA_PROXY, VIP, Pipe, Skipped, connect,
                 in_thread, listen, receive_all, tcp, twin)
from stream import Delta, chunk, expect_end, pair, receive_stream, send_stream

A, B = NODE + "10", NODE + "11"
SIZES = (1, 2, 3, 100, 1000, 1460, 4095, 4096, 4097, 16384, 32768, 65535, 65536, 65537, 262144,
         1 << 20)


def test_sizes(lab):
    """Messages of 1 byte to 1 MiB each way arrive exact, all redirected, none on TCP."""
    delta = Delta(lab)

    def server(sock):
        for size in SIZES:
            receive_stream(sock, size)
            sock.sendall(chunk(size, size))

    def client(sock):
        for size in SIZES:
            sock.sendall(chunk(0, size))
            receive_stream(sock, size, start=size)
    pair(lab, server, client, 9200)
    assert delta["SPLICE_SOCKET"] == 2 and delta["SPLICE_START"] == 2, str(delta)
    assert delta["SPLICE_BYTES"] == 2 * sum(SIZES), str(delta)


def test_families(lab):
    """AF_INET6 sockets with v4-mapped addresses and plain IPv6 are spliced too."""
    for family, address, bind in ((socket.AF_INET6, f"::ffff:{A}", "::ffff:" + A),
                                  (socket.AF_INET6, twin(A), twin(A))):
        delta = Delta(lab)

        def server(sock):
            receive_stream(sock, 100000)
            send_stream(sock, 100000)

        def client(sock):
            send_stream(sock, 100000)
            receive_stream(sock, 100000)
        pair(lab, server, client, 9201, address=address, bind=bind, family=family,
             server_family=socket.AF_INET6)
        assert delta["SPLICE_BYTES"] == 200000, str(delta)


def test_random_pauses(lab):
    """32 MiB each way at once, message sizes and pauses of both ends random: exact order."""
    total = 32 << 20

    def end(seed):
        def run(sock):
            rng = random.Random(seed)
            sender = in_thread(send_stream, sock, total, lambda: int(rng.lognormvariate(9, 2)) + 1,
                               lambda: 0.002 if rng.random() < 0.02 else 0)
            reads = random.Random(-seed)
            receive_stream(sock, total, lambda: 0.02 if reads.random() < 0.02 else 0)
            sender()
        return run
    delta = Delta(lab)
    pair(lab, end(1), end(2), 9202)
    assert delta["SPLICE_BYTES"] > 0
    return str(delta)


def test_half_close(lab):
    """Either end may finish sending first and go on receiving; nothing is cut off."""
    def first(sock):
        send_stream(sock, 700001)
        sock.shutdown(socket.SHUT_WR)
        receive_stream(sock, 900001)
        expect_end(sock)

    def second(sock):
        receive_stream(sock, 700001)
        expect_end(sock)
        time.sleep(0.05)
        send_stream(sock, 900001)
    pair(lab, first, second, 9203)
    pair(lab, second, first, 9204)


def test_send_after_end(lab):
    """Nobody sends after the end of its own direction: EPIPE, and the peer gets nothing."""
    def first(sock):
        send_stream(sock, 5000)
        receive_stream(sock, 5000)
        sock.shutdown(socket.SHUT_WR)
        try:
            sock.send(b"late", socket.MSG_NOSIGNAL)
        except BrokenPipeError:
            return
        raise AssertionError("bytes were taken after the end")

    def second(sock):
        receive_stream(sock, 5000)
        send_stream(sock, 5000)
        expect_end(sock)
        sock.settimeout(0.2)
        assert sock.recv(10) == b""
    pair(lab, first, second, 9206)
    pair(lab, second, first, 9206)


def test_close_after_send(lab):
    """Bytes sent just before close() are all read before the end of the stream."""
    for total in (1, 5000, 500000, 3 << 20):
        def sender(sock, total=total):
            send_stream(sock, total, lambda: 100000)

        def reader(sock, total=total):
            time.sleep(0.05)
            receive_stream(sock, total)
            expect_end(sock)
        pair(lab, sender, reader, 9205)
        pair(lab, reader, sender, 9205)


def fionread(sock):
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def test_fionread(lab):
    """FIONREAD tells the waiting bytes, spliced and from TCP (Java's available() uses it)."""
    def server(sock):
        select.select([sock], [], [], 5)
        time.sleep(0.05)
        seen = [fionread(sock)]
        receive_stream(sock, 400)
        seen.append(fionread(sock))
        receive_stream(sock, 600, start=400)
        seen.append(fionread(sock))
        sock.sendall(b"n")
        select.select([sock], [], [], 5)
        time.sleep(0.05)
        seen.append(fionread(sock))
        return seen

    def client(sock):
        sock.sendall(chunk(0, 1000))
        assert sock.recv(1) == b"n"
        lab.configure(flags=F_ALL & ~F_SPLICE)
        sock.sendall(bytes(321))
        time.sleep(0.3)
    seen, _ = pair(lab, server, client, 9206)
    if not lab.exact_accounting:
        return Skipped(f"this kernel does not count redirected bytes ({seen}): not to be spliced")
    assert seen == [1000, 600, 0, 321], seen
    return None


def ping_pong(lab, reader_kind, port, rounds, before=lambda: None):
    def server(sock):
        if reader_kind == "blocking":
            for i in range(rounds):
                receive_stream(sock, 1 + i % 3000)
                sock.sendall(chunk(i, 1 + i % 3000))
            return
        sock.setblocking(False)
        poll = select.epoll()
        edge = select.EPOLLET if reader_kind == "edge" else 0
        poll.register(sock, select.EPOLLIN | edge)
        for i in range(rounds):
            want, got = 1 + i % 3000, 0
            while got < want:
                if not poll.poll(5):
                    raise TimeoutError(f"{reader_kind}: no event in round {i}")
                while got < want or edge:
                    try:
                        data = sock.recv(65536)
                    except BlockingIOError:
                        break
                    assert data == chunk(got, len(data))
                    got += len(data)
            sock.setblocking(True)
            sock.sendall(chunk(i, want))
            sock.setblocking(False)

    def client(sock):
        for i in range(rounds):
            before()
            sock.sendall(chunk(0, 1 + i % 3000))
            receive_stream(sock, 1 + i % 3000, start=i)
    pair(lab, server, client, port)


def test_readers(lab):
    """3000 request/answer rounds each with a blocking, a level- and an edge-triggered epoll
    reader: no lost wake-up."""
    for port, kind in ((9207, "blocking"), (9208, "level"), (9209, "edge")):
        ping_pong(lab, kind, port, 3000)


def test_switching(lab):
    """Splicing switched off and on hundreds of times under an edge-triggered ping-pong and under
    a one-way flood: order exact, no hang."""
    calls = [0]

    def switch(every, value=None):
        calls[0] += 1
        lab.configure(flags=F_ALL & ~(F_SPLICE if calls[0] // every % 2 else 0))
        return value
    delta = Delta(lab)
    ping_pong(lab, "edge", 9210, 5000, lambda: switch(7))
    assert delta["SPLICE_START"] and delta["SPLICE_PASSED"], str(delta)
    assert delta["SPLICE_RETURN"] or not lab.exact_accounting, str(delta)
    lab.configure()
    delta = Delta(lab)
    total = 256 << 20
    pair(lab, lambda sock: receive_stream(sock, total),
         lambda sock: send_stream(sock, total, lambda: switch(50, 30011)), 9211)
    assert delta["SPLICE_START"] and delta["SPLICE_PASSED"], str(delta)
    return str(delta)


def test_reset(lab):
    """An abortive close (SO_LINGER 0) and a killed process reach the other end at once."""
    def aborts(sock):
        sock.sendall(b"x" * 100)
        time.sleep(0.1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def is_killed(sock):
        sock.sendall(b"x" * 100)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGKILL)

    def sees(sock):
        started = time.monotonic()
        got = b""
        try:
            while data := sock.recv(1000):
                got += data
            outcome = "end"
        except ConnectionResetError:
            outcome = "reset"
        except TimeoutError:
            outcome = "hang"
        return got == b"x" * 100, outcome, time.monotonic() - started < 2
    for first, outcomes in ((aborts, ("reset",)), (is_killed, ("end", "reset"))):
        ready = Pipe()

        def serve():
            listener = listen("0.0.0.0", 9212)
            ready.tell()
            sock, _ = listener.accept()
            sock.settimeout(5)
            return sees(sock)

        def call():
            with connect(A, 9212) as sock:
                first(sock)
        serving = lab.start("workloads/a", serve)
        ready.wait()
        calling = lab.start("workloads/b", call)
        whole, outcome, soon = serving.result()
        assert whole and soon and outcome in outcomes, (whole, outcome, soon)
        calling.kill()


def test_write_to_closed(lab):
    """Writing to a peer that has closed ends in EPIPE or ECONNRESET, not in silence."""
    def closes(sock):
        sock.recv(1)

    def writes(sock):
        sock.sendall(b"x")
        time.sleep(0.1)
        for _ in range(100):
            try:
                sock.sendall(b"y" * 100)
            except OSError as error:
                return error.errno
            time.sleep(0.01)
        return 0
    _, seen = pair(lab, closes, writes, 9213)
    assert seen in (errno.EPIPE, errno.ECONNRESET), seen


def test_write_to_deaf(lab):
    """Writing to a peer that has shut both halves and keeps its socket is refused as TCP refuses
    it, also when bytes were spliced before."""
    for first in (b"", b"spliced"):
        shut, seen = Pipe(), Pipe()

        def shuts(sock):
            if first:
                assert sock.recv(100) == first
            sock.shutdown(socket.SHUT_RDWR)
            shut.tell()
            seen.wait()
            try:
                return sock.recv(100)
            except OSError as error:
                return error.errno

        def writes(sock):
            if first:
                sock.sendall(first)
            shut.wait()
            assert sock.recv(1) == b""
            results = []
            for _ in range(2):
                try:
                    results.append(sock.send(b"y" * 100))
                except OSError as error:
                    results.append(error.errno)
                time.sleep(0.05)
            seen.tell()
            return results
        got, results = pair(lab, shuts, writes, 9222)
        assert results == [100, errno.EPIPE] and got == errno.ECONNRESET, (results, got)


def test_tuple_reuse(lab):
    """200 connections in a row from the same source port, each with its own bytes both ways."""
    def serve(ready):
        listener = listen("0.0.0.0", 9214)
        ready.tell()
        for i in range(200):
            sock, _ = listener.accept()
            with sock:
                receive_stream(sock, 3000, start=i)
                sock.sendall(chunk(2 * i, 3000))
                sock.settimeout(TIMEOUT)
                try:
                    sock.recv(1)
                except ConnectionResetError:
                    pass

    def call():
        for i in range(200):
            with tcp() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((B, 39000))
                sock.connect((A, 9214))
                sock.sendall(chunk(i, 3000))
                receive_stream(sock, 3000, start=2 * i)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    delta = Delta(lab)
    ready = Pipe()
    serving = lab.start("workloads/a", serve, ready)
    ready.wait()
    lab.run("workloads/b", call)
    serving.result()
    assert delta["SPLICE_SOCKET"] == 400, str(delta)


def test_first_bytes(lab):
    """600 connections that send several messages the moment they are connected: the first may
    meet a peer not yet in the sockhash, the order stays exact all the same."""
    count = 600

    def serve(ready):
        listener = listen("0.0.0.0", 9215)
        ready.tell()
        for _ in range(count):
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(TIMEOUT)
                receive_stream(sock, 6000)
                sock.sendall(b"k")

    def call():
        for _ in range(count):
            with connect(A, 9215) as sock:
                for i in range(6):
                    sock.sendall(chunk(1000 * i, 1000))
                assert sock.recv(1) == b"k"
    delta = Delta(lab)
    ready = Pipe()
    serving = lab.start("workloads/a", serve, ready)
    ready.wait()
    lab.run("workloads/b", call)
    serving.result()
    return f"{delta['SPLICE_PASSED']} of {count * 7} messages went over TCP"


def test_system_calls(lab):
    """writev, sendfile, splice, MSG_MORE, byte by byte; MSG_PEEK, MSG_WAITALL on the other end."""
    def sender(sock):
        at = 0
        sock.sendmsg([chunk(0, 10), chunk(10, 7000), chunk(7010, 1)])
        at += 7011
        with tempfile.TemporaryFile() as file:
            file.write(chunk(at, 300000))
            file.seek(0)
            while os.sendfile(sock.fileno(), file.fileno(), None, 300000):
                pass
            at += 300000
        read_end, write_end = os.pipe()
        for _ in range(20):
            os.write(write_end, chunk(at, 5000))
            left = 5000
            while left:
                left -= os.splice(read_end, sock.fileno(), left)
            at += 5000
        for _ in range(50):
            sock.send(chunk(at, 100), socket.MSG_MORE)
            at += 100
        for _ in range(2000):
            sock.sendall(chunk(at, 1))
            at += 1
        return at

    def reader(sock):
        select.select([sock], [], [], 5)
        assert sock.recv(10, socket.MSG_PEEK) == chunk(0, 10)
        assert sock.recv(5000, socket.MSG_WAITALL) == chunk(0, 5000)
        total = 7011 + 300000 + 100000 + 5000 + 2000
        receive_stream(sock, total - 5000, start=5000)
        expect_end(sock)
        return total
    got, sent = pair(lab, reader, sender, 9216)
    assert got == sent


def relay(ready, connections):
    """What a proxy does: SO_ORIGINAL_DST, connect, copy both ways, half-closes kept."""
    listener = listen("127.0.0.1", OUTBOUND_PORT)
    ready.tell()

    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    for _ in range(connections):
        down, _ = listener.accept()
        raw = down.getsockopt(socket.SOL_IP, 80, 16)
        assert socket.inet_ntoa(raw[4:8]).startswith(VIP)
        up = connect(A, 9217)
        for sock in (down, up):
            sock.settimeout(TIMEOUT)
        other = in_thread(copy, down, up)
        copy(up, down)
        other()
        down.close()
        up.close()


def test_proxy_hop(lab):
    """Through a relaying proxy both connections are spliced, 16 MiB echoed with half-closes."""
    total = 16 << 20
    lab.maps.service(VIP + "50", 80, 50, VIA_PROXY)

    def server(sock):
        receive_stream(sock, total)
        expect_end(sock)
        send_stream(sock, total)

    def client(sock):
        send_stream(sock, total)
        sock.shutdown(socket.SHUT_WR)
        receive_stream(sock, total)
        expect_end(sock)
    delta = Delta(lab)
    ready = Pipe()
    proxy = lab.start("proxy", relay, ready, 1)
    ready.wait()

    def serve(ready):
        listener = listen("0.0.0.0", 9217)
        ready.tell()
        sock, _ = listener.accept()
        sock.settimeout(TIMEOUT)
        server(sock)
        sock.close()

    def call():
        with connect(VIP + "50", 80) as sock:
            client(sock)
    ready = Pipe()
    serving = lab.start("workloads/a", serve, ready)
    ready.wait()
    lab.run("workloads/b", call)
    serving.result()
    proxy.result()
    # A bulk transfer spills when its reader falls behind, so not all bytes are redirected.
    assert delta["SPLICE_SOCKET"] == 4 and delta["SPLICE_START"] == 4, str(delta)


def test_host_never_spliced(lab):
    """Connections of the host, and of workloads with the host or the outside, are not touched."""
    delta = Delta(lab)

    def serve(ready, address, port):
        listener = listen(address, port)
        ready.tell()
        for _ in range(2):
            sock, _ = listener.accept()
            sock.sendall(b"host")
            sock.close()

    def call(address, port):
        with connect(address, port) as sock:
            return receive_all(sock)
    for port, address in ((9218, "127.0.0.1"), (9219, NODE + "1"), (9220, "198.51.100.1")):
        ready = Pipe()
        lab.start("host", serve, ready, address, port)
        ready.wait()
        assert lab.run("host", call, address, port) == b"host"
        assert lab.run("workloads/a", call, address, port) == b"host"
    assert delta["SPLICE_SOCKET"] == 0


def test_brief_connections(lab):
    """Who makes hundreds of connections of one exchange is left on TCP, but for one in 16; when
    the connections become longer they are spliced again, and the bytes are right all the time."""
    ready = Pipe()

    def serve(ready):
        server = listen("0.0.0.0", 9260)
        ready.tell()
        for _ in range(1200 + 150):
            sock, _ = server.accept()
            with sock:
                data = b""
                # The server ends them, so that no port of the caller is kept from other tests.
                while not data.endswith(b" 0"):
                    data = sock.recv(100)
                    sock.sendall(data)

    def call(count, exchanges):
        for number in range(count):
            with connect(NODE + "10", 9260) as sock:
                for left in reversed(range(exchanges)):
                    sock.sendall(b"%d %d" % (number, left))
                    assert sock.recv(100) == b"%d %d" % (number, left)
                assert sock.recv(1) == b""
    serving = lab.start("workloads/a", serve, ready)
    ready.wait()
    delta = Delta(lab)
    lab.run("workloads/b", call, 1200, 1)
    offered = delta["SPLICE_SOCKET"] // 2
    assert 256 <= offered < 600, f"{offered} of 1200 offered"
    assert delta["SPLICE_BRIEF"] == 1200 - offered, str(delta)
    lab.run("workloads/b", call, 50, 10)
    delta = Delta(lab)
    lab.run("workloads/b", call, 100, 10)
    assert delta["SPLICE_SOCKET"] == 200, str(delta)
    serving.result()


def test_many_connections(lab):
    """32 connections at once, 100 rounds of random sizes each."""
    count, rounds = 32, 100

    def serve(ready):
        listener = listen("0.0.0.0", 9221)
        ready.tell()

        def one(sock):
            rng = random.Random(5)
            sock.settimeout(TIMEOUT)
            with sock:
                for _ in range(rounds):
                    size = rng.randrange(1, 20000)
                    receive_stream(sock, size)
                    sock.sendall(chunk(size, size))
        joins = [in_thread(one, listener.accept()[0]) for _ in range(count)]
        for join in joins:
            join()

    def call():
        def one():
            rng = random.Random(5)
            with connect(A, 9221) as sock:
                for _ in range(rounds):
                    size = rng.randrange(1, 20000)
                    sock.sendall(chunk(0, size))
                    receive_stream(sock, size, start=size)
        for join in [in_thread(one) for _ in range(count)]:
            join()
    ready = Pipe()
    serving = lab.start("workloads/a", serve, ready)
    ready.wait()
    lab.run("workloads/b", call)
    serving.result()
