# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Who makes a connection: known by the connection, whatever its socket was bound to, whenever and by
whomever it was made, and whatever it leads to."""

import errno
import os
import socket
import struct
import threading
import time

from lab import (F_ALL, F_BIND, KERNEL, NODE, OUTBOUND_PORT, VIA_PROXY, VIP, Pipe, listen,
                 receive_all, tcp, twin)
from test_bind import hello, start_hello
from test_bypass import IOSQE_ASYNC, uring_connect

A, B, C = NODE + "10", NODE + "11", NODE + "12"
B_LEASE, C_LEASE = 1011, 1012
TULLE_SOL, OPT_ACCEPTED = 0x7475, 7
NOBODY, NAMED, UNNAMED = 0, 1, 2
TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE = 30, 34
HOST_OUTSIDE = "198.51.100.1"
PUBLISHED = 9700


def accepted(sock):
    """(who, lease, dialled) as the node proxy asks it."""
    raw = sock.getsockopt(TULLE_SOL, OPT_ACCEPTED, 32)
    lease, dialled, who, port = struct.unpack("Q16sIHxx", raw)
    return who, lease, (dialled[-4:] if port else b"", port)


def serve_who(ready, listeners):
    def serve(server):
        server.settimeout(None)
        while True:
            sock, _ = server.accept()
            sock.settimeout(5)
            with sock:
                who, lease, (dialled, port) = accepted(sock)
                name = socket.inet_ntoa(dialled) if port else "-"
                try:
                    sock.sendall(f"{who} {lease} {name} {port}".encode())
                    sock.shutdown(socket.SHUT_WR)
                    receive_all(sock)
                except OSError:
                    pass
    servers = [listen(address, port, socket.AF_INET6 if ":" in address else socket.AF_INET)
               for address, port in listeners]
    threads = [threading.Thread(target=serve, args=(server,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    ready.tell()
    threads[0].join()


def start_who(lab):
    """The node proxy with its outbound port, and a port that it publishes."""
    ready = Pipe()
    process = lab.start("proxy", serve_who, ready, [
        ("127.0.0.1", OUTBOUND_PORT), ("::1", OUTBOUND_PORT), ("0.0.0.0", PUBLISHED),
        ("::1", PUBLISHED)])
    ready.wait()
    return process


def ask(sock):
    sock.settimeout(5)
    with sock:
        return receive_all(sock).decode()


def bound(source, port=0):
    sock = tcp(socket.AF_INET6 if ":" in source else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((source, port))
    return sock


def call(source, port, target, target_port):
    """What the proxy says of a caller that binds first ("": not at all), or the error's number."""
    try:
        sock = bound(source, port) if source else tcp(
            socket.AF_INET6 if ":" in target else socket.AF_INET)
        sock.connect((target, target_port))
        return ask(sock)
    except OSError as error:
        return error.errno


SOURCES = (("", 0), (B, 0), (B, 19701), ("127.0.0.1", 0), ("127.0.0.1", 19702), ("127.9.9.9", 0),
           (HOST_OUTSIDE, 0), (HOST_OUTSIDE, 19703), ("0.0.0.0", 0), ("0.0.0.0", 19704))


def test_bound_first(lab):
    """A socket that is bound first, to whatever address and port, is its maker's all the same: on
    its way to a service, to a port that the proxy publishes, and to the proxy's own port. The host
    is nobody by each of these ways."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    lab.maps.service(VIP + "92", 80, 92, KERNEL, [(A, 9701)])
    proxy = start_who(lab)
    targets = [(VIP + "91", 80), ("127.0.0.1", PUBLISHED), (HOST_OUTSIDE, PUBLISHED),
               (NODE + "1", PUBLISHED), ("127.0.0.1", OUTBOUND_PORT)]
    tried = 0
    for source, port in SOURCES:
        for target in targets:
            seen = lab.run("workloads/b", call, source, port, *target)
            dialled = f"{target[0]} {target[1]}"
            # An address of the mesh is reached through the proxy where the source is no own one.
            assert seen in [f"{NAMED} {B_LEASE} {way}" for way in (
                ("- 0", dialled) if target[0] == NODE + "1" else
                (dialled,) if target[0].startswith(VIP) else ("- 0",))], (source, target, seen)
            tried += 1
    # One that cannot have its own address any more goes through the proxy, which knows it.
    for source, port in SOURCES[3:8]:
        seen = lab.run("workloads/b", call, source, port, VIP + "92", 80)
        assert seen == f"{NAMED} {B_LEASE} {VIP}92 80", (source, port, seen)
        tried += 1
    for source, port in (("", 0), ("127.0.0.1", 0), ("127.9.9.9", 0), (HOST_OUTSIDE, 0),
                         (NODE + "1", 0)):
        for target in targets[1:]:
            seen = lab.run("host", call, source, port, *target)
            assert seen == f"{NOBODY} 0 - 0", (source, target, seen)
            tried += 1
    proxy.kill()
    return f"{tried} connections"


def test_bound_first_ipv6(lab):
    """The same with IPv6, and with v4-mapped addresses."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    proxy = start_who(lab)
    for source in ("", "::1", "::ffff:127.0.0.1", f"::ffff:{HOST_OUTSIDE}", f"::ffff:{B}",
                   twin(B)):
        mapped = source.startswith("::ffff:")
        targets = [(f"::ffff:{VIP}91", 80), ("::ffff:127.0.0.1", PUBLISHED)] if mapped else [
            ("::1", PUBLISHED)]
        for target in targets:
            seen = lab.run("workloads/b", call, source, 0, *target)
            assert isinstance(seen, str) and seen.startswith(f"{NAMED} {B_LEASE} "), (
                source, target, seen)
    assert lab.run("host", call, "", 0, "::1", PUBLISHED) == f"{NOBODY} 0 - 0"
    proxy.kill()


def test_ways_to_connect(lab):
    """Fast open at once and deferred, io_uring inline and by a worker, MPTCP, a device, another
    user: the caller is the workload."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    proxy = start_who(lab)

    def fast():
        sock = bound("127.0.0.1")
        sock.setblocking(True)
        sock.sendto(b"x", socket.MSG_FASTOPEN, (VIP + "91", 80))
        return ask(sock)

    def deferred():
        sock = bound("127.0.0.1")
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
        sock.connect((VIP + "91", 80))
        sock.send(b"x")
        return ask(sock)

    def uring(flags):
        sock = bound("127.0.0.1")
        sock.setblocking(True)
        assert uring_connect(sock, VIP + "91", 80, flags) == 0
        return ask(sock)

    def mptcp():
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        sock.bind(("127.0.0.1", 0))
        sock.connect((VIP + "91", 80))
        return ask(sock)

    def device():
        sock = tcp()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        sock.connect((VIP + "91", 80))
        return ask(sock)

    def other_user():
        sock = bound("127.0.0.1")
        os.setuid(65534)
        sock.connect((VIP + "91", 80))
        return ask(sock)
    for way, *words in ((fast,), (deferred,), (uring, 0), (uring, IOSQE_ASYNC), (mptcp,),
                        (device,), (other_user,)):
        seen = lab.run("workloads/b", way, *words)
        assert seen == f"{NAMED} {B_LEASE} {VIP}91 80", (way.__name__, words, seen)
    proxy.kill()


def handed(lab, maker, user, make, use):
    """A socket that `make` returns in one cgroup is used by `use` in another."""
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

    def send():
        with make() as sock:
            socket.send_fds(left, [b"s"], [sock.fileno()])
            left.recv(1)

    def receive():
        _, (fd, *_), _, _ = socket.recv_fds(right, 1, 1)
        try:
            return use(socket.socket(fileno=fd))
        except OSError as error:
            return error.errno
        finally:
            right.send(b"x")
    with left, right:
        giver = lab.start(maker, send)
        outcome = lab.run(user, receive)
        giver.result()
    return outcome


def test_passed_sockets(lab):
    """Whoever connects is the caller, and stays it when the socket is passed on; a source address
    that is another's cannot be used."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    proxy = start_who(lab)

    def connected():
        sock = bound("127.0.0.1")
        sock.connect((VIP + "91", 80))
        return sock

    def connect_it(sock):
        sock.settimeout(5)
        sock.connect((VIP + "91", 80))
        return ask(sock)

    def connect_published(sock):
        sock.settimeout(5)
        sock.connect(("127.0.0.1", PUBLISHED))
        return ask(sock)
    who = f"{NAMED} {{}} {VIP}91 80"
    assert handed(lab, "host", "workloads/b", tcp, connect_it) == who.format(B_LEASE)
    assert handed(lab, "workloads/c", "workloads/b", lambda: bound("127.0.0.1"),
                  connect_it) == who.format(B_LEASE)
    assert handed(lab, "workloads/c", "workloads/b", connected, ask) == who.format(C_LEASE)
    # Its source is the workload's, which another may not have.
    for user in ("workloads/b", "host"):
        assert handed(lab, "workloads/c", user, lambda: bound(C),
                      connect_published) == errno.EPERM, user
        assert lab.refusals()[-1]["reason"] == lab.maps.reasons["SOURCE_FOREIGN"]

    def connected_once():
        sock = tcp()
        sock.connect((VIP + "91", 80))
        receive_all(sock)
        return sock

    def connect_again(sock):
        # struct sockaddr of family AF_UNSPEC: disconnect
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.connect(sock.fileno(), bytes(16), 16) == 0
        return connect_published(sock)
    assert handed(lab, "workloads/c", "workloads/b", connected_once,
                  connect_again) == errno.EPERM
    assert handed(lab, "workloads/b", "workloads/b", connected_once,
                  connect_again) in (f"{NAMED} {B_LEASE} - 0", errno.EPERM)
    proxy.kill()


def test_bound_before_the_guard(lab):
    """A socket that got a workload's, the proxy's or a service's address while nobody looked (before
    the mesh began) is of no use to the host or to another workload: TCP, UDP by connect and by
    message."""
    start_hello(lab, "workloads/a", "0.0.0.0", 9702, "a")
    for cgroup in ("host", "workloads/b"):
        for source in (C, NODE + "2", NODE + "77"):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                lab.configure(flags=F_ALL & ~F_BIND)
                ready, go = Pipe(), Pipe()

                def early(how):
                    sock = socket.socket(socket.AF_INET, kind)
                    sock.settimeout(5)
                    sock.bind((source, 0))
                    ready.tell()
                    go.wait()
                    try:
                        if how == "send":
                            sock.sendto(b"x", (A, 9702))
                        else:
                            sock.connect((A, 9702))
                        return 0
                    except OSError as error:
                        return error.errno
                for how in ("connect",) + (("send",) if kind == socket.SOCK_DGRAM else ()):
                    lab.configure(flags=F_ALL & ~F_BIND)
                    ready, go = Pipe(), Pipe()
                    process = lab.start(cgroup, early, how)
                    ready.wait()
                    lab.configure()
                    go.tell()
                    assert process.result() == errno.EPERM, (cgroup, source, kind, how)
                    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["SOURCE_FOREIGN"]


def until(condition, what):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_record_ends(lab):
    """A record is there before the proxy can ask and after the caller has gone, and ends with the
    second end; a connection that is refused leaves none; nothing is left of a workload's share."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    until(lambda: lab.maps.open_conns(B) == 0, "records of earlier tests")
    ready, go = Pipe(), Pipe()

    def slow_proxy():
        server = listen("127.0.0.1", OUTBOUND_PORT)
        ready.tell()
        go.wait()
        sock, _ = server.accept()
        with sock:
            return accepted(sock)[:2]

    def fire_and_forget():
        with tcp() as sock:
            sock.connect((VIP + "91", 80))
            sock.send(b"x")
    proxy = lab.start("proxy", slow_proxy)
    ready.wait()
    lab.run("workloads/b", fire_and_forget)
    time.sleep(0.1)
    assert lab.maps.open_conns(B) == 1
    go.tell()
    assert proxy.result() == (NAMED, B_LEASE)
    until(lambda: lab.maps.open_conns(B) == 0, "a record is left")
    # Nobody listens: the service's proxy is away.
    assert lab.run("workloads/b", call, "127.0.0.1", 0, VIP + "91", 80) == errno.ECONNREFUSED
    assert lab.run("workloads/b", call, "", 0, A, 9799) == errno.ECONNREFUSED
    until(lambda: lab.maps.open_conns(B) == 0, "a refused connection left a record")
    assert not lab.maps.count("tulle_conns")


def test_share(lab):
    """With its share of records in use a workload's next connect is refused, with a reason; its
    neighbour's is not, and its own is again when one has closed."""
    server = start_hello(lab, "workloads/a", "0.0.0.0", 9703, "a", count=100)
    until(lambda: lab.maps.open_conns(B) == 0, "records of earlier tests")
    lab.configure(conns=3)

    def many():
        held = []
        for _ in range(3):
            sock = tcp()
            sock.connect((A, 9703))
            held.append(sock)
        try:
            tcp().connect((A, 9703))
            return "not refused"
        except PermissionError:
            pass
        neighbour.tell()
        back.wait()
        receive_all(held[0])
        held.pop().close()
        held.pop(0).close()
        time.sleep(0.1)
        tcp().connect((A, 9703))
        return "ok"
    neighbour, back = Pipe(), Pipe()
    process = lab.start("workloads/b", many)
    neighbour.wait()
    assert lab.refusals()[-1]["reason"] == lab.maps.reasons["CALLER_CONNS"]
    assert lab.run("workloads/c", hello, A, 9703) == f"a {C} {A}"
    back.tell()
    assert process.result() == "ok"
    server.kill()


def test_flood_forgets_nobody(lab):
    """As many connections of one workload as any table has room for take no record of its neighbour's away."""
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    ready, go = Pipe(), Pipe()

    def proxy():
        server = listen("127.0.0.1", OUTBOUND_PORT)
        server.listen(8192)
        server.settimeout(None)
        ready.tell()
        first, _ = server.accept()
        go.wait()
        return accepted(first)[:2]

    def neighbour():
        sock = tcp()
        sock.connect((VIP + "91", 80))
        held.tell()
        done.wait()

    def flood():
        for _ in range(70000):
            with socket.socket() as sock:
                assert sock.connect_ex((A, 9704)) == errno.ECONNREFUSED
    held, done = Pipe(), Pipe()
    process = lab.start("proxy", proxy)
    ready.wait()
    caller = lab.start("workloads/c", neighbour)
    held.wait()
    lab.run("workloads/b", flood)
    go.tell()
    assert process.result() == (NAMED, C_LEASE)
    done.tell()
    caller.result()


def test_no_record_no_entry(lab):
    """A workload's address on a connection that nobody recorded (here: there was no room) is refused
    by the guard, with a reason."""
    start_hello(lab, "workloads/a", "0.0.0.0", 9705, "a")
    lab.configure(conns=1 << 30)
    lab.maps.put("tulle_tenants", lab.maps.home(B), struct.pack("QI4x", B_LEASE, 1 << 20))
    before = lab.maps.counter("CONNS_FULL")
    try:
        lab.events.read()
        assert lab.run("workloads/b", call, "", 0, A, 9705) == errno.ECONNREFUSED
        assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_UNNAMED"]
        assert lab.maps.counter("CONNS_FULL") == before + 1
    finally:
        lab.maps.tenant(B, B_LEASE)
    assert lab.run("workloads/b", hello, A, 9705) == f"a {B} {A}"


def test_former_lease(lab):
    """What was begun under a lease is nobody's when the lease has ended, also when its address is
    somebody else's by then: at the guard and for the proxy."""
    start_hello(lab, "workloads/a", "0.0.0.0", 9706, "a", count=2)
    lab.maps.service(VIP + "91", 80, 91, VIA_PROXY)
    ready, go = Pipe(), Pipe()

    def deferred(target, port):
        sock = tcp()
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1)
        sock.connect((target, port))
        ready.tell()
        go.wait()
        try:
            sock.send(b"x")
            return ask(sock)
        except OSError as error:
            return error.errno
    proxy = start_who(lab)
    try:
        for target, port, expected in ((A, 9706, errno.ECONNREFUSED),
                                       (VIP + "91", 80, f"{UNNAMED} 0 {VIP}91 80")):
            lab.maps.tenant(B, B_LEASE)
            ready, go = Pipe(), Pipe()
            process = lab.start("workloads/b", deferred, target, port)
            ready.wait()
            lab.maps.tenant(B, B_LEASE + 100)
            lab.events.read()
            go.tell()
            seen = process.result()
            assert seen == expected, (target, seen)
            if port == 9706:
                assert lab.refusals()[-1]["reason"] == lab.maps.reasons["GUARD_FORMER"]
    finally:
        lab.maps.tenant(B, B_LEASE)
    proxy.kill()
