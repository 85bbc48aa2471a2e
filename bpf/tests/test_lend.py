# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""While the mesh is stopped and workloads go on, they are reached at the host's addresses."""

import errno
import os
import socket
import struct

import bpf
from lab import F_ALL, NODE, Pipe, connect, listen, receive_all
from test_loopback import call
from test_ports import netns_cookie

A = NODE + "10"
OUTSIDE = "198.51.100.1"  # an address of the host
F_LEND = 64
GUARDED = 3


def lend(lab, port, sockets=(), workload=10):
    """As the agent does at its end; sockets: (fd, for loopback)."""
    for fd, loopback in sockets:
        err = bpf.LIB.bpf_map_update_elem(lab.maps.obj.map_fd("tulle_lending"),
                                          struct.pack("HBx", port, loopback),
                                          struct.pack("Q", fd), bpf.BPF_ANY)
        assert not err, os.strerror(-err)
    lab.maps.put("tulle_lent", struct.pack("I", port), struct.pack("QI4x", netns_cookie(), workload))


def serve(ready, address, port, lab=None):
    server = listen(address, port)
    if lab:
        lend(lab, port, [(server.fileno(), 0), (server.fileno(), 1)])
    ready.tell()
    while True:
        sock, peer = server.accept()
        sock.sendall(f"{peer[0]} to {sock.getsockname()[0]}".encode())
        sock.close()


def start(lab, cgroup, *args):
    ready = Pipe()
    process = lab.start(cgroup, lambda: serve(ready, *args))
    ready.wait()
    return process


def test_listeners_of_before(lab):
    """A listener that was there is reached at loopback and at another address of the host, sees who
    calls and what was dialled; nothing of it is there before the flag, and after its end."""
    server = start(lab, "workloads/a", "0.0.0.0", 9500, lab)
    assert lab.run("host", call, "127.0.0.1", 9500) == errno.ECONNREFUSED
    lab.configure(flags=F_ALL | F_LEND)
    before = lab.maps.counter("GUARD_LENT")
    assert lab.run("host", call, "127.0.0.1", 9500) == "127.0.0.1 to 127.0.0.1"
    assert lab.run("host", call, OUTSIDE, 9500) == f"{OUTSIDE} to {OUTSIDE}"
    reply = lab.outside("bash", "-c", f"exec 3<>/dev/tcp/{OUTSIDE}/9500; cat <&3").stdout
    assert reply == f"198.51.100.2 to {OUTSIDE}"
    assert lab.maps.counter("GUARD_LENT") == before + 3
    assert lab.run("workloads/b", call, A, 9500) == f"{NODE}11 to {A}"  # as before
    server.kill()
    assert lab.run("host", call, "127.0.0.1", 9500) == errno.ECONNREFUSED
    lab.maps.delete("tulle_lent", struct.pack("I", 9500))


def test_listeners_of_meanwhile(lab):
    """A workload that restarts is lent again; one that listens on loopback is lent to loopback
    alone."""
    lab.maps.declare_port(10, 9502)
    for port in (9501, 9502):
        lend(lab, port)
    lab.configure(flags=F_ALL | F_LEND)
    first = start(lab, "workloads/a", "0.0.0.0", 9501)
    assert lab.run("host", call, OUTSIDE, 9501) == f"{OUTSIDE} to {OUTSIDE}"
    first.kill()
    start(lab, "workloads/a", "0.0.0.0", 9501)
    assert lab.run("host", call, "127.0.0.1", 9501) == "127.0.0.1 to 127.0.0.1"
    start(lab, "workloads/a", "127.0.0.1", 9502)
    assert lab.run("host", call, "127.0.0.1", 9502) == "127.0.0.1 to 127.0.0.1"
    assert lab.run("host", call, OUTSIDE, 9502) == errno.ECONNREFUSED


def test_no_other_workloads_listeners(lab):
    """A port that was lent to one workload is not taken over by another one that listens on it, also
    while the first does not; nor by one that authorization policies are about."""
    lend(lab, 9506)
    lab.configure(flags=F_ALL | F_LEND)
    start(lab, "workloads/b", "0.0.0.0", 9506)
    assert lab.run("host", call, "127.0.0.1", 9506) == errno.ECONNREFUSED
    assert lab.run("host", call, OUTSIDE, 9506) == errno.ECONNREFUSED
    first = start(lab, "workloads/a", "0.0.0.0", 9506)
    assert lab.run("host", call, OUTSIDE, 9506) == f"{OUTSIDE} to {OUTSIDE}"
    first.kill()
    lab.maps.permit(A, 0, GUARDED)
    start(lab, "workloads/a", "0.0.0.0", 9506)
    assert lab.run("host", call, OUTSIDE, 9506) == errno.ECONNREFUSED
    assert lab.run("host", call, "127.0.0.1", 9506) == errno.ECONNREFUSED
    lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 0, GUARDED))


def test_behind(lab):
    """Listeners that are bound to a port behind are lent at the port that they asked for."""
    for port, behind in ((9507, 15190), (9508, 15191)):
        lab.maps.declare_port(10, port)
        lab.maps.behind(10, port, behind)
        lend(lab, port)
    lab.configure(flags=F_ALL | F_LEND)
    start(lab, "workloads/a", "0.0.0.0", 9507)
    assert lab.run("host", call, OUTSIDE, 9507) == f"{OUTSIDE} to {OUTSIDE}"
    assert lab.run("host", call, "127.0.0.1", 9507) == "127.0.0.1 to 127.0.0.1"
    assert lab.run("workloads/b", call, A, 9507) == f"{NODE}11 to {A}"
    start(lab, "workloads/a", "127.0.0.1", 9508)
    assert lab.run("host", call, "127.0.0.1", 9508) == "127.0.0.1 to 127.0.0.1"
    assert lab.run("host", call, OUTSIDE, 9508) == errno.ECONNREFUSED
    assert lab.run("host", call, OUTSIDE, 15190) == errno.ECONNREFUSED


def test_the_hosts_own_listeners_come_first(lab):
    """A program of the host that begins to listen on a lent port has it from then on."""
    lend(lab, 9503)
    lab.configure(flags=F_ALL | F_LEND)
    start(lab, "workloads/a", "0.0.0.0", 9503)
    assert lab.run("host", call, "127.0.0.1", 9503) == "127.0.0.1 to 127.0.0.1"

    def host():
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", 9503))
            server.listen(4)
            with connect("127.0.0.1", 9503) as mine:
                accepted, _peer = server.accept()
                accepted.sendall(b"host")
                accepted.close()
                return receive_all(mine).decode()
    assert lab.run("host", host) == "host"


def test_not_while_the_mesh_runs(lab):
    """Without the flag nothing is lent, whatever is in the maps, and a host's listener is left
    alone."""
    lend(lab, 9504)
    start(lab, "workloads/a", "0.0.0.0", 9504)
    start(lab, "host", "127.0.0.1", 9505)
    assert lab.run("host", call, "127.0.0.1", 9504) == errno.ECONNREFUSED
    assert lab.run("host", call, "127.0.0.1", 9505) == "127.0.0.1 to 127.0.0.1"
