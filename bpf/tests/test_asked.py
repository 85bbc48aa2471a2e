# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""UDP from a fixed port of a workload to the outside, and its answers."""

import ctypes
import os
import socket
import struct
import subprocess
import sys

import bpf
from lab import F_ALL, NODE, SOURCE_OUTSIDE, TIMEOUT, Pipe, Skipped, sh, twin
from test_account_flows import traffic
from test_account_wire import EGRESS, INGRESS
from test_datagram import udp
from test_ports import ports

A, B = NODE + "10", NODE + "11"
F_ANSWERS = 1 << 7
NEAR, FAR = "198.51.100.1", "198.51.100.2"
NEAR6, FAR6 = "2001:db8:51::1", "2001:db8:51::2"
PORT, OTHER = 9160, 9161

# Says what it got from whom; from its other port too, if it is asked to ("both").
FAR_SERVER = f"""
import socket, threading
def serve(family, address):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind((address, {PORT}))
    o = socket.socket(family, socket.SOCK_DGRAM); o.bind((address, {OTHER}))
    print(".", flush=True)
    while True:
        data, peer = s.recvfrom(3000)
        if data == b"both": o.sendto(b"stranger", peer)
        s.sendto(f"{{peer[0]}} {{peer[1]}} ".encode() + data[:20], peer)
threading.Thread(target=serve, args=(socket.AF_INET6, "{FAR6}"), daemon=True).start()
serve(socket.AF_INET, "{FAR}")
"""


class Wired:
    """tc at lo and at the near end of the veth pair, IPv6 on that, the flag, a server at its far end."""

    def __init__(self, lab):
        self.lab, self.links, self.far = lab, [], None

    def __enter__(self):
        lab = self.lab
        for name, address in (("out0", NEAR6), ("in0", FAR6)):
            run = sh if name == "out0" else lab.outside
            run("ip", "-6", "addr", "replace", address + "/64", "dev", name, "nodad")
        lab.outside("ip", "-6", "route", "replace", twin(NODE + "0") + "/120", "via", NEAR6)
        for name, program, hook in (("lo", "tulle_tc_ingress", INGRESS), ("out0", "tulle_tc_ingress", INGRESS),
                                    ("out0", "tulle_tc_egress", EGRESS)):
            fd = bpf.LIB.bpf_program__fd(ctypes.c_void_p(lab.obj.program(program)))
            link = bpf.LIB.bpf_link_create(fd, socket.if_nametoindex(name), hook, None)
            if link < 0:
                self.__exit__()
                return None
            self.links.append(link)
        lab.configure(flags=F_ALL | F_ANSWERS)
        self.far = subprocess.Popen(["nsenter", "-t", str(lab.netns_other.pid), "-n", sys.executable, "-c", FAR_SERVER],
                                    stdout=subprocess.PIPE)
        for _ in range(2):
            self.far.stdout.readline()
        return self

    def __exit__(self, *_):
        if self.far:
            self.far.kill()
            self.far.wait()
            self.far.stdout.close()
        for link in self.links:
            os.close(link)
        for name in ("tulle_asked", "tulle_callers"):
            for key in self.lab.maps.keys(name):
                self.lab.maps.delete(name, key)


def fixed(port, family=socket.AF_INET, timeout=TIMEOUT):
    sock = udp(family)
    sock.settimeout(timeout)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(("", port))
    return sock


def exchange(port, remote, connected, payload=b"q", count=3, family=socket.AF_INET):
    """What came, and from where, of datagrams from a fixed port to a server and back."""
    seen = []
    with fixed(port, family) as sock:
        if connected:
            sock.connect(remote)
        for _ in range(count):
            if connected:
                sock.send(payload)
            else:
                sock.sendto(payload, remote)
            data, peer = sock.recvfrom(3000)
            seen.append((data.decode(), peer[0], peer[1]))
    return set(seen)


def connected_and_named(port, remote):
    """What comes to a connected socket that names its remote in the first call, and not in the second."""
    with fixed(port) as sock:
        sock.connect(remote)
        sock.sendto(b"q", remote)
        first = sock.recv(3000).decode()
        sock.send(b"q")
        return first, sock.recv(3000).decode()


def mapped(port, remote):
    """The same by a dual-stack socket, as Java's and Go's are."""
    with udp(socket.AF_INET6) as sock:
        sock.settimeout(TIMEOUT)
        sock.bind(("::", port))
        sock.sendto(b"q", ("::ffff:" + remote[0], remote[1]))
        data, peer = sock.recvfrom(3000)
        return data.decode(), peer[0], peer[1]


def serve_host(ready, address, port, family=socket.AF_INET):
    sock = udp(family)
    sock.settimeout(None)
    sock.bind((address, port))
    ready.tell()
    while True:
        data, peer = sock.recvfrom(3000)
        sock.sendto(f"{peer[0]} {peer[1]} ".encode() + data[:20], peer)


def start_host(lab, address, port, family=socket.AF_INET):
    ready = Pipe()
    lab.start("host", serve_host, ready, address, port, family)
    ready.wait()


def test_network(lab):
    """The network sees the host's address and the fixed port, and its answers come, to a socket that
    is connected or not, IPv4, IPv6 and mapped; a large datagram too."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        for connected in (False, True):
            assert lab.run("workloads/a", exchange, 6120, (FAR, PORT), connected) == {
                (f"{NEAR} 6120 q", FAR, PORT)}, connected
            assert lab.run("workloads/a", exchange, 6121, (FAR6, PORT), connected, b"q", 3, socket.AF_INET6) == {
                (f"{NEAR6} 6121 q", FAR6, PORT)}, connected
        assert lab.run("workloads/a", mapped, 6122, (FAR, PORT)) == (f"{NEAR} 6122 q", f"::ffff:{FAR}", PORT)
        assert lab.run("workloads/a", connected_and_named, 6125, (FAR, PORT)) == (f"{NEAR} 6125 q",) * 2
        before = traffic(lab, A)
        lab.run("workloads/a", exchange, 6124, (FAR, PORT), False, b"q", 5)
        # As of any other: 43 bytes out, and 43 and "198.51.100.1 6124 " in.
        assert [now - then for now, then in zip(traffic(lab, A), before)][2:6] == [215, 305, 5, 5]
        large = b"z" * 1400
        assert lab.run("workloads/a", exchange, 6123, (FAR, PORT), True, large) == {
            (f"{NEAR} 6123 " + "z" * 20, FAR, PORT)}


def test_same_host(lab):
    """A program of the host is asked at loopback and at the host's address, and sees what it would
    see without a mesh: the answer comes, whatever address it is bound to."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        start_host(lab, "0.0.0.0", 9162)
        start_host(lab, "127.0.0.1", 9163)
        start_host(lab, "::1", 9164, socket.AF_INET6)
        for connected in (False, True):
            for address, port, source in (("127.0.0.1", 9162, "127.0.0.1"), (NEAR, 9162, NEAR),
                                          ("127.0.0.1", 9163, "127.0.0.1")):
                assert lab.run("workloads/a", exchange, 6130, (address, port), connected) == {
                    (f"{source} 6130 q", address, port)}, (address, port, connected)
            assert lab.run("workloads/a", exchange, 6131, ("::1", 9164), connected, b"q", 3, socket.AF_INET6) == {
                ("::1 6131 q", "::1", 9164)}, connected


def outside_send(lab, target, port, sport, text="stranger"):
    """One datagram of the far host's to an address."""
    code = ("import socket, sys\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"s.bind(('{FAR}', {sport}))\ns.sendto(b'{text}', ('{target}', {port}))\n")
    lab.outside(sys.executable, "-c", code)


def receive(port, ready, ask, count, timeout=0.7):
    """What a fixed port gets within a time, after it has asked (or not)."""
    with fixed(port, timeout=timeout) as sock:
        if ask:
            sock.sendto(b"both", ask)
        ready.tell()
        seen = []
        try:
            for _ in range(count):
                seen.append(sock.recvfrom(3000)[0].decode())
        except TimeoutError:
            pass
        return seen


def fixed_says(remote):
    with udp() as sock:
        sock.sendto(b"of the mesh", remote)


def test_strangers(lab):
    """Who has not been asked reaches the fixed port neither at the host's address nor at its own:
    another port of the one who was asked, or he himself before that."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        # The stranger's is sent before the answer.
        assert lab.run("workloads/a", receive, 6140, Pipe(), (FAR, PORT), 1, TIMEOUT) == [f"{NEAR} 6140 both"]
        ready = Pipe()
        waiting = lab.start("workloads/a", receive, 6141, ready, None, 1, TIMEOUT)
        ready.wait()
        for target in (NEAR, A):
            outside_send(lab, target, 6141, 9199)
        lab.run("workloads/b", fixed_says, (A, 6141))
        assert waiting.result() == ["of the mesh"]
        # Another workload, and the workload's other ports, are not meant either.
        ready = Pipe()
        asker = lab.start("workloads/a", receive, 6142, ready, (FAR, 9199), 1, TIMEOUT)
        others = [lab.start("workloads/" + name, receive, port, ready, None, 1, TIMEOUT)
                  for name, port in (("a", 6143), ("b", 6142))]
        ready.wait(3)
        for target, port in ((NEAR, 6143), (B, 6142), (A, 6143)):
            outside_send(lab, target, port, 9199)
        outside_send(lab, NEAR, 6142, 9198)
        outside_send(lab, NEAR, 6142, 9199, "answer")
        assert asker.result() == ["answer"]
        for target, port in ((A, 6143), (B, 6142)):
            lab.run("workloads/c", fixed_says, (target, port))
        assert [other.result() for other in others] == [["of the mesh"]] * 2


def forwarded():
    with open("/proc/net/snmp", encoding="ascii") as file:
        names, values = (line.split() for line in file if line.startswith("Ip:"))
    return int(values[names.index("ForwDatagrams")])


def forward(on):
    # Opened anew: what is written behind the first byte is ignored.
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as switch:
        switch.write(on)


def test_forwarded(lab):
    """What the asked one sends through this host to another machine goes on."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        forward("1")
        sh("ip", "route", "add", "203.0.113.9", "dev", "out0")
        lab.outside("ip", "route", "add", "203.0.113.9", "via", NEAR)
        try:
            ready = Pipe()
            asker = lab.start("workloads/a", receive, 6145, ready, (FAR, 9199), 1, TIMEOUT)
            ready.wait()
            before = forwarded()
            outside_send(lab, "203.0.113.9", 6145, 9199)
            outside_send(lab, NEAR, 6145, 9199, "answer")
            assert asker.result() == ["answer"]
            assert forwarded() == before + 1
        finally:
            lab.outside("ip", "route", "del", "203.0.113.9")
            sh("ip", "route", "del", "203.0.113.9")
            forward("0")


def test_forgotten(lab):
    """An answer comes for three minutes after the last question, and never to another lease."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        assert lab.run("workloads/a", exchange, 6150, (FAR, PORT), False)
        (key,) = lab.maps.keys("tulle_asked")
        value = lab.maps.get("tulle_asked", key)
        seen, lease = struct.unpack_from("QQ", value)

        wired.far.kill()
        wired.far.wait()

        def late(change):
            """The first of an answer that is late and a word from the mesh after it."""
            lab.maps.put("tulle_asked", key, change)
            ready = Pipe()
            waiting = lab.start("workloads/a", receive, 6150, ready, None, 1, TIMEOUT)
            ready.wait()
            outside_send(lab, NEAR, 6150, PORT, "late")
            lab.run("workloads/b", fixed_says, (A, 6150))
            return waiting.result()
        assert late(value) == ["late"]
        assert late(struct.pack("QQ", (seen - 181_000_000_000) % (1 << 64), lease) + value[16:]) == ["of the mesh"]
        assert late(struct.pack("QQ", seen, lease + 1) + value[16:]) == ["of the mesh"]


def host_asks(port):
    with udp() as sock:
        sock.settimeout(TIMEOUT)
        sock.bind((NEAR, port))
        sock.sendto(b"q", (FAR, PORT))
        return sock.recv(3000).decode()


def test_host_first(lab):
    """A program of the host that has the port has what comes to it, whoever of the mesh has asked."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        assert lab.run("workloads/a", exchange, 6160, (FAR, PORT), False)
        assert lab.run("host", host_asks, 6160) == f"{NEAR} 6160 q"


def test_two_workloads(lab):
    """Two workloads ask one server from the same port: the first has its answers, the other none of
    them; with servers or ports of their own both have theirs."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        start_host(lab, "127.0.0.1", 9165)
        assert lab.run("workloads/a", exchange, 6170, (FAR, PORT), False)
        assert lab.run("workloads/b", receive, 6170, Pipe(), (FAR, PORT), 1) == []
        assert lab.run("workloads/a", exchange, 6170, (FAR, PORT), True)
        assert lab.run("workloads/b", exchange, 6171, (FAR, PORT), False)
        assert lab.run("workloads/b", exchange, 6170, ("127.0.0.1", 9165), False)


def test_permitted(lab):
    """A server that a permit opens to the outside answers from the address at which it was called, and its
    callers take no room from those who have been asked."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")
        ready = Pipe()
        lab.start("workloads/a", serve_host, ready, "0.0.0.0", 6180)
        ready.wait()
        lab.maps.permit(A, 6180, SOURCE_OUTSIDE)
        try:
            code = ("import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(2)\n"
                    f"s.bind(('{FAR}', 0))\n"
                    f"for _ in range(2): s.sendto(b'q', ('{A}', 6180)); print(s.recvfrom(100)[1])\n")
            assert lab.outside(sys.executable, "-c", code).stdout.split("\n")[:2] == [f"('{A}', 6180)"] * 2
            assert not lab.maps.keys("tulle_asked") and lab.maps.keys("tulle_callers")
        finally:
            lab.maps.delete("tulle_permit", lab.maps.permit_key(A, 6180, SOURCE_OUTSIDE))


def test_chosen_source(lab):
    """A source that the program names with the datagram stays: nothing is recorded."""
    with Wired(lab) as wired:
        if not wired:
            return Skipped("no tcx in this kernel")

        def named():
            with fixed(6190, timeout=0.5) as sock:
                info = struct.pack("=I4s4s", 0, socket.inet_aton(NEAR), bytes(4))
                sock.sendmsg([b"q"], [(socket.IPPROTO_IP, 8, info)], 0, (FAR, PORT))
        lab.run("workloads/a", named)
        assert not lab.maps.keys("tulle_asked")


def ask(port, remote):
    with fixed(port) as sock:
        sock.sendto(b"q", remote)
        sock.connect(remote)


def test_mesh_port(lab):
    """Nobody speaks at the host's addresses in the name of a port of the mesh itself."""
    with Wired(lab) as wired, ports(lab, (6195, 17, 0)):
        if not wired:
            return Skipped("no tcx in this kernel")
        lab.run("workloads/a", ask, 6195, (FAR, PORT))
        assert not lab.maps.keys("tulle_asked")
        lab.run("workloads/a", ask, 6196, (FAR, PORT))
        assert lab.maps.keys("tulle_asked")
