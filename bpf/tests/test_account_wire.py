# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Accounting at a real interface: whose packets left by it and came in by it."""

import ctypes
import os
import socket
import subprocess
import sys
import time

import bpf
from lab import NODE, TIMEOUT, Skipped
from test_account_flows import traffic

A, B = NODE + "10", NODE + "11"
FAR = "198.51.100.2"
INGRESS, EGRESS = 46, 47  # tcx

ECHO = """
import socket, sys, threading
def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 7))
    print(".", flush=True)
    while True:
        data, peer = s.recvfrom(2000); s.sendto(data, peer)
threading.Thread(target=udp, daemon=True).start()
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 7)); s.listen(8); print(".", flush=True)
while True:
    c, _ = s.accept()
    while data := c.recv(65536): c.sendall(data)
    c.close()
"""


def attach(lab):
    """Links at the veth pair's near end; None where the kernel has no tcx."""
    index = socket.if_nametoindex("out0")
    links = []
    for program, hook in (("tulle_tc_ingress", INGRESS), ("tulle_tc_egress", EGRESS)):
        fd = bpf.LIB.bpf_program__fd(ctypes.c_void_p(lab.obj.program(program)))
        link = bpf.LIB.bpf_link_create(fd, index, hook, None)
        if link < 0:
            for other in links:
                os.close(other)
            return None
        links.append(link)
    return links


def tcp_echo(size):
    with socket.create_connection((FAR, 7), TIMEOUT) as sock:
        sock.sendall(b"x" * size)
        got = 0
        while got < size:
            got += len(sock.recv(65536))


def udp_echo(count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        for _ in range(count):
            sock.sendto(b"y" * 100, (FAR, 7))
            sock.recv(200)


def delta(lab, address, before):
    return [now - then for now, then in zip(traffic(lab, address), before)]


def settled(lab, address):
    """Traffic once a closed connection's last packets have come, at most two seconds later."""
    seen = traffic(lab, address)
    for _ in range(10):
        time.sleep(0.2)
        now = traffic(lab, address)
        if now == seen:
            break
        seen = now
    return seen


def test_wire(lab):
    """What a workload exchanges with the outside is counted for it, both ways, TCP and UDP, from a
    cgroup below its own too; other workloads and the host get nothing; lo counts nothing."""
    links = attach(lab)
    if links is None:
        return Skipped("no tcx in this kernel")
    far = subprocess.Popen(["nsenter", "-t", str(lab.netns_other.pid), "-n", sys.executable, "-c",
                            ECHO], stdout=subprocess.PIPE)
    try:
        far.stdout.readline()
        far.stdout.readline()
        before_a, before_b = traffic(lab, A), traffic(lab, B)
        lab.run("workloads/b", udp_echo, 10)
        # Ethernet, IP and UDP headers: 42 bytes each.
        assert delta(lab, B, before_b)[2:6] == [1420, 1420, 10, 10], delta(lab, B, before_b)
        lab.run("workloads/a/nested/deeper", udp_echo, 5)
        assert delta(lab, A, before_a)[2:6] == [710, 710, 5, 5], delta(lab, A, before_a)
        before_b = traffic(lab, B)
        lab.run("workloads/b", tcp_echo, 200000)
        sent, received, out, into = delta(lab, B, before_b)[2:6]
        assert 200000 < sent < 240000 and 200000 < received < 240000, (sent, received)
        assert out > 3 and into > 3
        before_a, before_b = traffic(lab, A), settled(lab, B)
        lab.run("host", udp_echo, 5)
        assert not any(delta(lab, A, before_a)) and not any(delta(lab, B, before_b))
    finally:
        far.kill()
        far.wait()
        for link in links:
            os.close(link)
