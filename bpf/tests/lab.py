# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""The test bed: a private network namespace with a node prefix, private cgroups, the programs
attached to them, and processes that run Python functions inside a cgroup.

Nothing outside is touched: the programs see only the test's own cgroups, sk_lookup only the test's
network namespace. close() is also called after a failure or a signal.
"""

import ctypes
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

import bpf

CLONE_NEWNET = 0x40000000
SO_NETNS_COOKIE = 71
HOST, WORKLOAD, PROXY, AGENT = 0, 1, 2, 3
KERNEL, VIA_PROXY, REFUSE = 1, 2, 3
F_CAPTURE, F_SPLICE, F_KERNEL_L4, F_BIND, F_GUARD, F_DNS = (1 << bit for bit in range(6))
F_ALL = 63
SCHEMA = 1
ALLOW_ANY, REGISTRY_ONLY, ASK = 0, 1, 2
SOURCE_HOST, SOURCE_OUTSIDE, SOURCE_GUARDED = 1, 2, 3
VERDICT_ALLOW, VERDICT_DENY = 1, 2

NODE = "100.96.7."
VIP = "240.241.0."
TWIN = "fd74:756c:6c65::"
TWIN_VIP = "fd74:756c:6c66::"
OUTBOUND_PORT, DNS_PORT = 15001, 15053
SPLICE_LIMIT = 1 << 20
TIMEOUT = 15  # seconds after which anything in a test counts as hung


def twin(address):
    return TWIN + address


def twin_vip(address):
    return TWIN_VIP + address


def sh(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True, text=True)


def netns_cookie():
    with socket.socket() as sock:
        return struct.unpack("Q", sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8))[0]


def cgroup2_mount():
    with open("/proc/self/mountinfo", encoding="ascii") as mounts:
        for line in mounts:
            fields = line.split()
            if " - cgroup2 " in line:
                return fields[4]
    raise RuntimeError("no cgroup2 mount in /proc/self/mountinfo")


class Skipped(str):
    """What a test returns that could not run: why."""


class Remote(Exception):
    """An exception of a process of the lab, with its trace."""


class Process:
    """A forked process that has entered a cgroup and runs function(*args); result() waits."""

    def __init__(self, lab, cgroup, function, args):
        self.reader, writer = os.pipe()
        self.outcome = None
        self.name = function.__name__
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            status = self._child(lab, cgroup, function, args, writer)
            os._exit(status)
        os.close(writer)

    @staticmethod
    def _child(lab, cgroup, function, args, writer):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.alarm(4 * TIMEOUT)
        try:
            lab.enter(cgroup)
            outcome = (True, function(*args))
        except BaseException as error:  # carried to the parent
            outcome = (False, f"{type(error).__name__}: {error}\n{traceback.format_exc()}",
                       getattr(error, "errno", None))
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
        return 0

    def result(self):
        if self.outcome is None:
            reader, self.reader = self.reader, None
            with os.fdopen(reader, "rb") as pipe:
                raw = pipe.read()
            os.waitpid(self.pid, 0)
            self.outcome = pickle.loads(raw) if raw else (False, f"{self.name} was killed", None)
        if not self.outcome[0]:
            error = Remote(self.outcome[1])
            error.errno = self.outcome[2]
            raise error
        return self.outcome[1]

    def kill(self):
        if self.outcome is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self.outcome = (False, "killed", None)
            if self.reader is not None:
                os.close(self.reader)
                self.reader = None


class Lab:
    def __init__(self, path):
        self.path = path
        self.obj = self.events = None
        self.cgroups = {}
        self.processes = []
        self.root = None
        self.netns_other = None
        # As splice.c asks: does the kernel keep redirected bytes apart in copied_seq?
        with open("/sys/kernel/btf/vmlinux", "rb") as btf:
            self.exact_accounting = b"\0msg_tot_len\0" in btf.read()

    def open(self):
        libc = bpf.LIBC
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare(CLONE_NEWNET)")
        self._network()
        self.root = os.path.join(cgroup2_mount(), f"tulle-bpf-test-{os.getpid()}")
        for name in ("", "host", "agent", "proxy", "workloads", "workloads/a", "workloads/b",
                     "workloads/c", "workloads/a/nested", "workloads/a/nested/deeper"):
            self._cgroup(name)
        self.obj = bpf.Object(self.path)
        self.maps = bpf.Maps(self.obj)
        self.maps.check_sizes()
        self._attach()
        self.events = bpf.Events(self.obj)
        self.configure()
        self.maps.workload(self.id("workloads/a"), 10, WORKLOAD, NODE + "10", twin(NODE + "10"))
        self.maps.workload(self.id("workloads/b"), 11, WORKLOAD, NODE + "11", twin(NODE + "11"))
        self.maps.workload(self.id("workloads/c"), 12, WORKLOAD, NODE + "12", twin(NODE + "12"))
        self.maps.workload(self.id("proxy"), 0, PROXY)
        self.maps.workload(self.id("agent"), 0, AGENT)

    def _network(self):
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "addr", "add", NODE + "1/32", "dev", "lo")
        sh("ip", "route", "add", "local", NODE + "0/24", "dev", "lo", "src", NODE + "1")
        # AnyIP routes do not let IPv6 sockets bind: each address stands on lo.
        for last in (1, 2, 3, 10, 11, 12):
            sh("ip", "-6", "addr", "add", f"{twin(NODE)}{last}/128", "dev", "lo", "nodad")
        # The outside world: another namespace behind a veth pair.
        self.netns_other = subprocess.Popen(["unshare", "-n", "sleep", "600"])
        deadline = time.monotonic() + TIMEOUT
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.netns_other.pid}/ns/net") == own:
            if time.monotonic() > deadline:
                raise RuntimeError("no second network namespace")
            time.sleep(0.01)
        sh("ip", "link", "add", "out0", "type", "veth", "peer", "name", "in0",
           "netns", str(self.netns_other.pid))
        sh("ip", "addr", "add", "198.51.100.1/24", "dev", "out0")
        sh("ip", "link", "set", "out0", "up")
        self.outside("ip", "link", "set", "lo", "up")
        self.outside("ip", "addr", "add", "198.51.100.2/24", "dev", "in0")
        self.outside("ip", "link", "set", "in0", "up")
        self.outside("ip", "route", "add", "100.96.0.0/16", "via", "198.51.100.1")

    def outside(self, *command, check=True):
        return sh("nsenter", "-t", str(self.netns_other.pid), "-n", *command, check=check)

    def _cgroup(self, name):
        path = os.path.join(self.root, name) if name else self.root
        os.mkdir(path)
        self.cgroups[name] = path

    def id(self, name):
        return os.stat(self.cgroups[name]).st_ino

    def enter(self, name):
        with open(os.path.join(self.cgroups[name], "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(os.getpid()))

    def _attach(self):
        root = os.open(self.root, os.O_RDONLY)
        proxy = os.open(self.cgroups["proxy"], os.O_RDONLY)
        netns = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            for name in ("connect4", "connect6", "bind4", "bind6", "sendmsg4", "sendmsg6",
                         "recvmsg4", "recvmsg6", "getpeer4", "getpeer6", "getsock4", "getsock6",
                         "sockops"):
                self.obj.attach_cgroup("tulle_" + name, root)
            self.obj.attach_cgroup("tulle_getsockopt", proxy)
            self.obj.attach_cgroup("tulle_setsockopt", proxy)
            self.obj.attach_netns("tulle_sk_lookup", netns)
        finally:
            for fd in (root, proxy, netns):
                os.close(fd)
        self.obj.call("tulle_http_calls", 0, "tulle_request")
        self.obj.call("tulle_http_calls", 1, "tulle_response")
        self.obj.attach_map("tulle_skb_verdict", "tulle_sockets", bpf.BPF_SK_SKB_STREAM_VERDICT)
        self.obj.attach_map("tulle_skmsg", "tulle_sockets", bpf.BPF_SK_MSG_VERDICT)

    def configure(self, flags=F_ALL, policy=ALLOW_ANY, schema=SCHEMA, limit=SPLICE_LIMIT,
                  sample=0, conns=0):
        a, v = bpf.addr, bpf.v4
        self.maps.put("tulle_config", struct.pack("I", 0), struct.pack(
            "IIIIQ4s4s4s4s4s4s", schema, flags, policy, limit, netns_cookie(),
            v("100.64.0.0"), v("255.192.0.0"), v(NODE + "0"), v("255.255.255.0"),
            v("240.241.0.0"), v("255.255.0.0"))
            + a(TWIN) + a(TWIN_VIP) + a(NODE + "1") + a(NODE + "2") + a(NODE + "3")
            + a("127.0.0.1") + a("::1") + a("127.0.0.1") + a("::1")
            + struct.pack("HHHHII", OUTBOUND_PORT, OUTBOUND_PORT, DNS_PORT, DNS_PORT, sample,
                          conns))

    def start(self, cgroup, function, *args):
        process = Process(self, cgroup, function, args)
        self.processes.append(process)
        return process

    def run(self, cgroup, function, *args):
        return self.start(cgroup, function, *args).result()

    def refusals(self):
        """The events since the last look but for ends of connections: one of an earlier test may come late."""
        return [event for event in self.events.read() if event["reason"] != self.maps.reasons["FLOW"]]

    def reset(self):
        """Between tests: no process, no event, the default configuration."""
        for process in self.processes:
            process.kill()
        self.processes.clear()
        self.configure()
        self.events.read()

    def close(self):
        for process in self.processes:
            process.kill()
        if self.events:
            self.events.close()
        if self.obj:
            self.obj.close()
        if self.netns_other:
            self.netns_other.kill()
            self.netns_other.wait()
        for path in sorted(self.cgroups.values(), key=len, reverse=True):
            deadline = time.monotonic() + 2
            while True:
                try:
                    os.rmdir(path)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        print(f"left behind: {path}", file=sys.stderr)
                        break
                    time.sleep(0.02)


# What the processes of the lab do. All sockets have a timeout: a hang is an error, not a wait.


def tcp(family=socket.AF_INET, blocking_timeout=TIMEOUT):
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(blocking_timeout)
    return sock


def listen(address, port, family=socket.AF_INET, v6only=None):
    sock = tcp(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if v6only is not None:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(v6only))
    sock.bind((address, port))
    sock.listen(64)
    return sock


def connect(address, port, family=socket.AF_INET):
    sock = tcp(family)
    sock.connect((address, port))
    return sock


def receive_all(sock):
    data = bytearray()
    while chunk := sock.recv(65536):
        data += chunk
    return bytes(data)


def call(address, port, family=socket.AF_INET):
    """What a server says to whoever connects, or the error's number."""
    try:
        with connect(address, port, family) as sock:
            return receive_all(sock).decode()
    except OSError as error:
        return error.errno


class Pipe:
    """Lets a process of the lab tell the test that it is ready (inherited by fork)."""

    def __init__(self):
        self.reader, self.writer = os.pipe()

    def tell(self, data=b"."):
        os.write(self.writer, data)

    def wait_for(self, count):
        got = b""
        while len(got) < count:
            got += os.read(self.reader, count - len(got))
        return got

    def wait(self, count=1):
        got = self.wait_for(count)
        os.close(self.reader)
        os.close(self.writer)
        return got


def in_thread(function, *args):
    """Runs a function in a thread; the returned call joins it and gives result or exception."""
    box = {}

    def body():
        try:
            box["value"] = function(*args)
        except BaseException as error:  # handed over to the joiner
            box["error"] = error

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def join():
        thread.join(4 * TIMEOUT)
        if thread.is_alive():
            raise TimeoutError(f"{function.__name__} hangs")
        if "error" in box:
            raise box["error"]
        return box.get("value")
    return join
