# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Byte streams whose every position is known, so that loss, repetition and reordering show."""

import random
import socket
import time

from lab import TIMEOUT, Pipe, connect, listen

# Not a multiple of any buffer size: a chunk that moves shows at once.
PATTERN = random.Random(20180807).randbytes((1 << 22) + 4099)
DOUBLE = memoryview(PATTERN + PATTERN)
SIZE = len(PATTERN)


def chunk(offset, size):
    """`size` bytes of the stream at `offset`; size at most SIZE."""
    start = offset % SIZE
    return DOUBLE[start:start + size]


def send_stream(sock, total, sizes=lambda: 1 << 18, pause=lambda: 0.0, start=0, progress=None):
    """Sends `total` bytes; progress[0] is where the stream has come to."""
    sent = start
    end = start + total
    while sent < end:
        size = min(sizes(), end - sent, SIZE)
        sock.sendall(chunk(sent, size))
        sent += size
        if progress:
            progress[0] = sent
        nap = pause()
        if nap:
            time.sleep(nap)
    return total


def receive_stream(sock, total, pause=lambda: 0.0, start=0, buffer_size=1 << 18):
    """Reads and compares `total` bytes; raises at the first wrong one."""
    got = start
    end = start + total
    buffer = bytearray(buffer_size)
    view = memoryview(buffer)
    while got < end:
        count = sock.recv_into(view, min(buffer_size, end - got))
        if not count:
            raise EOFError(f"end of stream at {got - start} of {total} bytes")
        if view[:count] != chunk(got, count):
            raise ValueError(f"wrong bytes between {got - start} and {got - start + count}")
        got += count
        nap = pause()
        if nap:
            time.sleep(nap)
    return total


def pass_on(source, target, total):
    """Relays `total` bytes."""
    while total:
        data = source.recv(min(total, 65536))
        target.sendall(data)
        total -= len(data)


def held_back(progress):
    """Waits until a sender gets no further; KiB that it has got rid of, within the bound."""
    last = -1
    while last != progress[0]:
        last = progress[0]
        time.sleep(0.3)
    assert last < 16 << 20, last
    return last >> 10


def expect_end(sock):
    extra = sock.recv(10)
    assert extra == b"", f"bytes after the end: {extra!r}"


def pair(lab, server_side, client_side, port, server="workloads/a", client="workloads/b",
         address="100.96.7.10", bind="0.0.0.0", family=socket.AF_INET,
         server_family=socket.AF_INET):
    """One connection between two processes; returns what both functions return."""
    ready = Pipe()

    def serve():
        listener = listen(bind, port, server_family)
        ready.tell()
        sock, _ = listener.accept()
        listener.close()
        sock.settimeout(TIMEOUT)
        with sock:
            return server_side(sock)

    def call():
        with connect(address, port, family) as sock:
            return client_side(sock)
    serving = lab.start(server, serve)
    ready.wait()
    calling = lab.start(client, call)
    return serving.result(), calling.result()


class Delta:
    """How far counters moved since this was made."""

    def __init__(self, lab):
        self.lab = lab
        self.before = {name: lab.maps.counter(name) for name in lab.maps.reasons}

    def __getitem__(self, name):
        return self.lab.maps.counter(name) - self.before[name]

    def __str__(self):
        return ", ".join(f"{name} {self[name]}" for name in self.before if self[name])
