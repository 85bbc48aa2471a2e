# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The object as a whole."""

import re

import bpf
from lab import HOST, NODE, WORKLOAD, Pipe
from test_bind import bind_only, hello, start_hello

PROGRAMS = ("connect4", "connect6", "bind4", "bind6", "sendmsg4", "sendmsg6", "recvmsg4",
            "recvmsg6", "getpeer4", "getpeer6", "getsockopt", "setsockopt", "sockops", "skmsg",
            "request", "response", "skb_verdict", "sk_lookup")


def test_each_program_optional(lab):
    """The object loads without any one of its programs, and with any one alone."""
    for name in PROGRAMS:
        bpf.Object(lab.path, without=["tulle_" + name]).close()
        bpf.Object(lab.path, without=["tulle_" + other for other in PROGRAMS
                                      if other != name]).close()


def test_reason_numbers(_lab):
    """Every reason number and name is used once and is below the size of tulle_counters."""
    with open(bpf.HERE + "/../lib/reasons.h", encoding="utf-8") as table:
        text = table.read()
    rows = re.findall(r"^\s*X\((\d+),\s*(\w+),\s*\"[^\"]+\"\)", text, re.M)
    assert len(rows) == len(re.findall(r"^\s*X\(", text, re.M)), "a line is malformed"
    numbers = [int(number) for number, _ in rows]
    assert len(set(numbers)) == len(rows) == len({name for _, name in rows})
    assert numbers == sorted(numbers) and numbers[-1] < 256


def test_enrolled_while_running(lab):
    """A process that was running before its cgroup is enrolled, with a socket already open, is
    captured from its next bind on; after the lease has ended it is host again."""
    go = Pipe()
    opened = Pipe()

    def serve():
        import socket
        sock = socket.socket()
        opened.tell()
        go.wait()
        sock.bind(("0.0.0.0", 9500))
        return sock.getsockname()[0]
    process = lab.start("host", serve)
    opened.wait()
    lab.maps.workload(lab.id("host"), 13, WORKLOAD, NODE + "13")
    try:
        go.tell()
        assert process.result() == NODE + "13"
    finally:
        lab.maps.delete("tulle_cgroups", lab.id("host").to_bytes(8, "little"))
        lab.maps.put("tulle_homes", lab.maps.home(NODE + "13"), bytes(4))
    assert lab.run("host", bind_only, "0.0.0.0", 9500) == ("0.0.0.0", 9500)
    assert HOST == 0


def test_moved_process(lab):
    """A process that moves to another cgroup is the other workload from its next call on."""
    server = start_hello(lab, "workloads/c", "0.0.0.0", 9501, "c", count=2)

    def call_twice():
        first = hello(NODE + "12", 9501)
        lab.enter("workloads/b")
        return first, hello(NODE + "12", 9501)
    assert lab.run("workloads/a", call_twice) == (
        f"c {NODE}10 {NODE}12", f"c {NODE}11 {NODE}12")
    server.result()
