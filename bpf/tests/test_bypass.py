# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Ways around capture and guard: each is captured, refused, or named here as out of scope.

Elsewhere: TCP Fast Open, v4-mapped addresses (test_connect), message sources (test_guard), nested
cgroups (test_bind), a process that moves and sockets opened before enrolment (test_object).
Out of scope: raw and packet sockets (CAP_NET_RAW), and whoever may move processes between cgroups.
"""

import ctypes
import errno
import mmap
import os
import socket
import struct

import bpf
from lab import CLONE_NEWNET, F_ALL, F_SPLICE, NODE, VIA_PROXY, VIP, Skipped, tcp
from test_bind import start_hello
from test_connect import receive_all, start_proxy

A, B = NODE + "10", NODE + "11"
IORING_OP_CONNECT = 16
IOSQE_ASYNC = 16


def uring_connect(sock, address, port, flags):
    """connect() as an io_uring request; returns its result (0 or -errno)."""
    params = ctypes.create_string_buffer(120)
    ring = bpf.LIBC.syscall(425, 4, params)
    if ring < 0:
        raise OSError(ctypes.get_errno(), "io_uring_setup")
    sq = struct.unpack_from("10I", params.raw, 40)
    cq = struct.unpack_from("10I", params.raw, 80)
    rings = mmap.mmap(ring, max(sq[6] + 4 * 4, cq[5] + 16 * 8))
    entries = mmap.mmap(ring, 4 * 64, offset=0x10000000)
    name = ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + struct.pack("!H", port)
                                       + socket.inet_aton(address) + bytes(8), 16)
    struct.pack_into("=BBHiQQIIQ", entries, 0, IORING_OP_CONNECT, flags, 0, sock.fileno(), 16,
                     ctypes.addressof(name), 0, 0, 7)
    struct.pack_into("I", rings, sq[6], 0)
    struct.pack_into("I", rings, sq[1], 1)
    if bpf.LIBC.syscall(426, ring, 1, 1, 1, None, 0) != 1:
        raise OSError(ctypes.get_errno(), "io_uring_enter")
    user_data, result = struct.unpack_from("=Qi", rings, cq[5])
    assert user_data == 7
    entries.close()
    rings.close()
    os.close(ring)
    return result


def test_io_uring(lab):
    """connect by io_uring, inline and on a worker thread, is captured and refused like connect."""
    try:
        with open("/proc/sys/kernel/io_uring_disabled", encoding="ascii") as value:
            if int(value.read()):
                return Skipped("io_uring is disabled here")
    except FileNotFoundError:
        pass
    lab.maps.service(VIP + "70", 80, 70, VIA_PROXY)
    lab.maps.service(VIP + "71", 80, 71, 3)
    proxy = start_proxy(lab)

    def call(last, flags):
        with socket.socket() as sock:
            result = uring_connect(sock, VIP + last, 80, flags)
            return receive_all(sock).decode() if not result else -result
    for flags in (0, IOSQE_ASYNC):
        assert lab.run("workloads/a", call, "70", flags) == f"{A} {VIP}70 80"
        assert lab.run("workloads/a", call, "71", flags) == errno.ECONNREFUSED
    proxy.kill()


def test_mptcp_client(lab):
    """An MPTCP socket's connect is captured."""
    lab.maps.service(VIP + "70", 80, 70, VIA_PROXY)
    proxy = start_proxy(lab)

    def call():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as sock:
            sock.settimeout(5)
            sock.connect((VIP + "70", 80))
            return receive_all(sock).decode()
    assert lab.run("workloads/a", call) == f"{A} {VIP}70 80"
    proxy.kill()


def test_socket_marks(lab):
    """SO_MARK and another user id change nothing."""
    lab.maps.service(VIP + "70", 80, 70, VIA_PROXY)
    proxy = start_proxy(lab)

    def call():
        with tcp() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 1337)
            os.setuid(1337)
            sock.connect((VIP + "70", 80))
            return receive_all(sock).decode()
    assert lab.run("workloads/a", call) == f"{A} {VIP}70 80"
    proxy.kill()


def test_new_network_namespace(lab):
    """A workload in a network namespace of its own making reaches nothing as someone else."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9510, "a")

    def call():
        bpf.LIBC.unshare(CLONE_NEWNET)
        with tcp() as sock:
            try:
                sock.connect((A, 9510))
                return 0
            except OSError as error:
                return error.errno
    assert lab.run("workloads/b", call) in (errno.ENETUNREACH, errno.EADDRNOTAVAIL)
    server.kill()


def test_connect_again(lab):
    """A socket that is connected again shows and reaches the second destination: UDP, and TCP
    after a refused connect. A TCP socket that was spliced is refused with EPERM, as its old end
    of stream would be read again; unspliced ones may."""
    lab.maps.service(VIP + "72", 80, 72, VIA_PROXY)
    lab.maps.service(VIP + "73", 80, 73, VIA_PROXY)
    proxy = start_proxy(lab)

    def twice(first):
        with socket.socket() as sock:  # blocking: after a refusal it may be connected at once
            try:
                sock.connect(first)
                receive_all(sock)
                bpf.LIBC.connect(sock.fileno(), bytes(16), 16)  # AF_UNSPEC: disconnect
            except ConnectionRefusedError:
                pass
            try:
                sock.connect((VIP + "73", 80))
            except OSError as error:
                return error.errno
            return sock.getpeername()[0], receive_all(sock).decode()
    second = (f"{VIP}73", f"{A} {VIP}73 80")
    again = lab.run("workloads/a", twice, (B, 9998))
    assert again == second, again
    assert lab.run("workloads/a", twice, (VIP + "72", 80)) == errno.EPERM
    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["RECONNECT"]
    lab.configure(flags=F_ALL & ~F_SPLICE)
    assert lab.run("workloads/a", twice, (VIP + "72", 80)) == second
    proxy.kill()

    def udp_twice():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("203.0.113.53", 53))
            first = sock.getpeername()
            sock.connect((B, 9999))
            return first, sock.getpeername(), sock.getsockname()[0]
    assert lab.run("workloads/a", udp_twice) == (("203.0.113.53", 53), (B, 9999), A)
