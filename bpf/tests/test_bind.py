# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Address per workload, and the guard that keeps addresses from being forged."""

import ctypes
import errno
import os
import shutil
import socket
import subprocess
import tempfile

from lab import (HOST, NODE, OUTBOUND_PORT, TWIN_VIP, VIP, Pipe, Remote, Skipped, connect, listen,
                 receive_all, twin)

A, B = NODE + "10", NODE + "11"
JAVA_HOMES = (os.environ.get("JAVA_HOME", ""), "/usr/lib/jvm/temurin-25-jdk-amd64")


def serve_hello(ready, address, port, name, family=socket.AF_INET, v6only=None, count=1):
    """Answers `count` connections with its name, the caller's and its own address."""
    server = listen(address, port, family, v6only)
    ready.tell()
    for _ in range(count):
        sock, peer = server.accept()
        sock.sendall(f"{name} {peer[0]} {sock.getsockname()[0]}".encode())
        sock.close()
    return server.getsockname()[0]


def hello(address, port, family=socket.AF_INET):
    with connect(address, port, family) as sock:
        return receive_all(sock).decode()


def start_hello(lab, cgroup, *args, **kwargs):
    ready = Pipe()
    process = lab.start(cgroup, lambda: serve_hello(ready, *args, **kwargs))
    ready.wait()
    return process


def test_two_workloads_one_port(lab):
    """Two workloads bind 0.0.0.0:9080; each answers at its own address, sees the caller's."""
    server_a = start_hello(lab, "workloads/a", "0.0.0.0", 9080, "a")
    server_b = start_hello(lab, "workloads/b", "0.0.0.0", 9080, "b")
    assert lab.run("workloads/c", hello, A, 9080) == f"a {NODE}12 {A}"
    assert lab.run("workloads/c", hello, B, 9080) == f"b {NODE}12 {B}"
    assert (server_a.result(), server_b.result()) == (A, B)


def test_dual_stack(lab):
    """A dual-stack wildcard (::, not v6only) becomes the v4-mapped address of the workload."""
    server = start_hello(lab, "workloads/a", "::", 9081, "a", socket.AF_INET6, False)
    assert lab.run("workloads/b", hello, A, 9081) == f"a ::ffff:{B} ::ffff:{A}"
    assert server.result() == f"::ffff:{A}"


def test_v6_only(lab):
    """A v6only wildcard becomes the workload's IPv6 address, next to a v4 wildcard."""
    four = start_hello(lab, "workloads/a", "0.0.0.0", 9082, "four")
    six = start_hello(lab, "workloads/a", "::", 9082, "six", socket.AF_INET6, True)
    assert lab.run("workloads/b", hello, twin(A), 9082, socket.AF_INET6) == (
        f"six {canonical(twin(B))} {canonical(twin(A))}")
    assert lab.run("workloads/b", hello, A, 9082) == f"four {B} {A}"
    four.result()
    six.result()


def canonical(address):
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address))


JAVA_SERVER = """
import java.net.*;
public class Hello {
    public static void main(String[] args) throws Exception {
        try (ServerSocket server = new ServerSocket(9080)) {
            System.out.println("ready");
            try (Socket socket = server.accept()) {
                socket.getOutputStream().write(
                        ("java " + socket.getInetAddress().getHostAddress()).getBytes());
            }
        }
    }
}
"""


def test_java_dual_stack(lab):
    """A Java ServerSocket (dual-stack wildcard) shares port 9080 with a Python server."""
    java = next((home for home in JAVA_HOMES if home and os.path.exists(home + "/bin/java")), None)
    command = java + "/bin/java" if java else shutil.which("java")
    if not command:
        return Skipped("no Java here")
    folder = tempfile.mkdtemp()
    try:
        with open(folder + "/Hello.java", "w", encoding="ascii") as source:
            source.write(JAVA_SERVER)
        python = start_hello(lab, "workloads/b", "0.0.0.0", 9080, "python")
        process = subprocess.Popen(
            [command, "-Xshare:auto", "-XX:TieredStopAtLevel=1", folder + "/Hello.java"],
            stdout=subprocess.PIPE, preexec_fn=lambda: lab.enter("workloads/a"))
        try:
            assert process.stdout.readline() == b"ready\n"
            assert lab.run("workloads/c", hello, A, 9080) == f"java {NODE}12"
            assert lab.run("workloads/c", hello, B, 9080) == f"python {NODE}12 {B}"
            assert process.wait(10) == 0
            python.result()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    finally:
        shutil.rmtree(folder)


def test_nested_cgroup(lab):
    """A process two cgroups below an enrolled one is that workload."""
    server = start_hello(lab, "workloads/a/nested/deeper", "0.0.0.0", 9083, "a")
    assert lab.run("workloads/a/nested", hello, A, 9083) == f"a {A} {A}"
    server.result()


def bind_only(address, port, family=socket.AF_INET, kind=socket.SOCK_STREAM):
    with socket.socket(family, kind) as sock:
        sock.bind((address, port))
        return sock.getsockname()[:2]


def refused(lab, cgroup, *args):
    try:
        lab.run(cgroup, bind_only, *args)
    except Remote as error:
        assert error.errno == errno.EPERM, error
        return True
    return False


def test_bind_in_another_network(lab):
    """A container with a network of its own that has the mesh's ranges has addresses of its own."""
    def bind_there(*args):
        assert ctypes.CDLL(None, use_errno=True).setns(network, 0) == 0, ctypes.get_errno()
        return bind_only(*args)
    with open(f"/proc/{lab.netns_other.pid}/ns/net") as there:
        network = there.fileno()
        for cidr in (f"{A}/32", f"{VIP}1/32"):
            lab.outside("ip", "addr", "add", cidr, "dev", "lo")
        try:
            for address in (A, VIP + "1"):
                assert refused(lab, "host", address, 7120)
                assert lab.run("host", bind_there, address, 7120) == (address, 7120)
        finally:
            for cidr in (f"{A}/32", f"{VIP}1/32"):
                lab.outside("ip", "addr", "del", cidr, "dev", "lo")


def test_bind_refused(lab):
    """Nobody can take an address that is not his: other workload, host, proxy, also by its
    IPv6 twin and v4-mapped; service addresses belong to nobody. An event names who tried."""
    cases = [
        ("workloads/a", B, 7000), ("workloads/a", NODE + "1", 7000), ("workloads/a", "100.99.0.1", 0),
        ("workloads/a", f"::ffff:{B}", 7000, socket.AF_INET6),
        ("workloads/a", twin(B), 0, socket.AF_INET6),
        ("workloads/a", B, 7000, socket.AF_INET, socket.SOCK_DGRAM),
        ("host", A, 7000), ("host", A, 0), ("host", NODE + "2", 0), ("host", NODE + "200", 0),
        ("host", twin(A), 0, socket.AF_INET6),
        ("proxy", A, 0), ("proxy", NODE + "3", 0), ("agent", A, 0), ("agent", NODE + "2", 0),
        ("workloads/a", VIP + "1", 0), ("host", VIP + "1", 0), ("proxy", VIP + "1", 0),
        ("host", TWIN_VIP + VIP + "1", 0, socket.AF_INET6),
    ]
    for case in cases:
        lab.events.read()
        assert refused(lab, *case), f"{case} was allowed"
        (event,) = lab.refusals()
        reason = "BIND_VIP" if "240.241" in case[1] else "BIND_FOREIGN"
        assert event["reason"] == lab.maps.reasons[reason], (case, event)
        assert event["comm"].startswith("python"), event
        assert event["workload"] == (10 if case[0] == "workloads/a" else 0), event
        assert event["dport"] == case[2] and event["pid"], event


def test_bind_allowed(lab):
    """Own address, loopback, other addresses, and port 0 are left alone; host, proxy and agent
    have their own address in the prefix."""
    cases = [
        ("workloads/a", A, 7100), ("workloads/a", "127.0.0.1", 7101),
        ("workloads/a", "198.51.100.1", 7102), ("host", NODE + "1", 7103),
        ("proxy", NODE + "2", 7104), ("agent", NODE + "3", 7105), ("host", "0.0.0.0", 7106),
        ("proxy", "127.0.0.1", OUTBOUND_PORT), ("proxy", "0.0.0.0", 7107),
    ]
    for cgroup, address, port in cases:
        assert lab.run(cgroup, bind_only, address, port) == (address, port)
    assert lab.run("workloads/a", bind_only, "0.0.0.0", 0)[0] == "0.0.0.0"
    assert lab.run("workloads/a", bind_only, "0.0.0.0", 7108, socket.AF_INET,
                   socket.SOCK_DGRAM) == (A, 7108)


def test_listeners_learned(lab):
    """A listening port is known while its sockets live (SO_REUSEPORT counted), not longer; one
    with a port chosen by the kernel is reachable at the workload's address too."""
    def two_listeners():
        socks = []
        for _ in range(2):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(("0.0.0.0", 9084))
            sock.listen()
            socks.append(sock)
        counts = [lab.maps.listener(A, 9084)]
        socks.pop().close()
        counts.append(lab.maps.listener(A, 9084))
        socks.pop().close()
        counts.append(lab.maps.listener(A, 9084))
        return counts
    assert lab.run("workloads/a", two_listeners) == [(10, 2), (10, 1), None]

    def any_port(ready):
        server = socket.create_server(("0.0.0.0", 0))
        ready.tell(server.getsockname()[1].to_bytes(2, "big"))
        sock, peer = server.accept()
        sock.sendall(peer[0].encode())
        sock.close()
    ready = Pipe()
    server = lab.start("workloads/a", any_port, ready)
    port = int.from_bytes(ready.wait(2), "big")
    assert lab.maps.listener(A, port) == (10, 1)
    assert lab.run("workloads/b", hello, A, port) == B
    server.result()
    assert lab.maps.listener(A, port) is None


def test_declared_listener_stays(lab):
    """The agent's entry for a port survives the end of a socket that was counted on it."""
    lab.maps.declare(A, 9085, 10)

    def listen_once():
        listen("0.0.0.0", 9085).close()
        return lab.maps.listener(A, 9085)
    try:
        assert lab.run("workloads/a", listen_once) == (10, 0x80000000)
    finally:
        lab.maps.delete("tulle_listen", lab.maps.service_key(A, 9085, 0))


def test_mptcp_listener(lab):
    """A listener opened as MPTCP (Go's default) gets its address and is learned as well."""
    def serve(ready):
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        server.settimeout(5)
        server.bind(("0.0.0.0", 9086))
        server.listen()
        ready.tell()
        sock, _peer = server.accept()
        sock.sendall(server.getsockname()[0].encode())
        sock.close()
    ready = Pipe()
    server = lab.start("workloads/a", serve, ready)
    ready.wait()
    assert lab.run("workloads/b", hello, A, 9086) == A
    server.result()


def test_off(lab):
    """Without a configuration of the right schema, or with the flag off, nothing is changed."""
    lab.configure(schema=0)
    assert lab.run("workloads/a", bind_only, "0.0.0.0", 7109) == ("0.0.0.0", 7109)
    lab.configure(flags=0)
    assert lab.run("workloads/a", bind_only, B, 7110) == (B, 7110)
    assert HOST == 0
