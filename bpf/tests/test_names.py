# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What sockets are told: getpeername, SO_ORIGINAL_DST."""

import errno
import socket

from lab import KERNEL, NODE, OUTBOUND_PORT, VIA_PROXY, VIP, Pipe, connect, listen, twin_vip
from test_bind import canonical, start_hello
from test_connect import start_proxy

A = NODE + "10"


def peer_names(addresses, port):
    seen = []
    for address, family in addresses:
        with connect(address, port, family) as sock:
            seen.append(sock.getpeername()[:2])
    return seen


def test_getpeername(lab):
    """After a rewrite the application still sees the address that it dialled, also v4-mapped and
    IPv6, for services in the kernel and through the proxy; the server sees the truth."""
    lab.maps.service(VIP + "20", 80, 20, KERNEL, [(A, 9100)])
    lab.maps.service(VIP + "21", 80, 21, VIA_PROXY)
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9100, "a", count=3)
    proxy = start_proxy(lab)
    for last in ("20", "21"):
        dialled = [(VIP + last, socket.AF_INET), (f"::ffff:{VIP}{last}", socket.AF_INET6)]
        assert lab.run("workloads/b", peer_names, dialled, 80) == [
            (VIP + last, 80), (f"::ffff:{VIP}{last}", 80)]
    six = twin_vip(VIP + "20")
    assert lab.run("workloads/b", peer_names, [(six, socket.AF_INET6)], 80) == [
        (canonical(six), 80)]
    server.result()
    proxy.kill()


def test_getpeername_direct(lab):
    """Connections that were not rewritten show their true peer."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9101, "a")
    assert lab.run("workloads/b", peer_names, [(A, socket.AF_INET)], 9101) == [(A, 9101)]
    server.result()


def test_original_dst_only_for_captured(lab):
    """A connection to the proxy's port that was not captured has no original destination."""
    def proxy(ready):
        server = listen("127.0.0.1", OUTBOUND_PORT)
        ready.tell()
        sock, _peer = server.accept()
        try:
            sock.getsockopt(socket.SOL_IP, 80, 16)
            return 0
        except OSError as error:
            return error.errno
    ready = Pipe()
    process = lab.start("proxy", proxy, ready)
    ready.wait()
    lab.run("host", lambda: connect("127.0.0.1", OUTBOUND_PORT).close())
    assert process.result() in (errno.ENOENT, errno.ENOPROTOOPT)
