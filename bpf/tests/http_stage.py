# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""All four sockets of kernel HTTP in the hands of one test, step by step: C and D, U and S.

The test's own process enters the cgroup of whoever opens a socket, so that no step has to wait for
another process.
"""

import select
import time

import http_proxy
from http_lab import HTTP, HttpMaps, Mesh, route, table
from http_proxy import LOOP, client_info, give, lease_info, offer, take
from lab import NODE, OUTBOUND_PORT, TIMEOUT, VIP, cgroup2_mount, connect, listen
from stream import Delta

GET = b"GET /x HTTP/1.1\r\nHost: reviews\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def own_cgroup():
    with open("/proc/self/cgroup", encoding="ascii") as file:
        for line in file:
            if line.startswith("0::"):
                return cgroup2_mount() + line.strip()[3:]
    raise RuntimeError("no cgroup2 in /proc/self/cgroup")


def waiting(sock, seconds=0.0):
    return bool(select.select([sock], [], [], seconds)[0])


def got(sock, size=65536):
    """What is there to read now; b"" is the end of the stream, None nothing."""
    return sock.recv(size) if waiting(sock, 0.05) else None


def exactly(sock, size):
    data = b""
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise EOFError(f"end of stream after {len(data)} of {size} bytes")
        data += chunk
    return data


class Stage:
    """with Stage(lab, port) as stage: stage.client() and stage.server() make the connections."""

    def __init__(self, lab, port, **values):
        self.lab = lab
        self.port = port
        self.http = HttpMaps(lab)
        self.sockets = []
        self.home = own_cgroup()
        Mesh.number += 1
        self.service = self.pool = Mesh.number
        self.cookie = 0
        self.values = dict(routes=[route()], members=((self.pool, 10),))
        self.values.update(values)

    def __enter__(self):
        self.delta = Delta(self.lab)
        self.lab.maps.service(VIP + "90", 80, self.service, HTTP)
        self.http.endpoint(NODE + "10", self.port, self.pool)
        self.write()
        self.listener = self.at("workloads/a", lambda: listen("0.0.0.0", self.port))
        self.outbound = self.at("proxy", lambda: listen("127.0.0.1", OUTBOUND_PORT))
        return self

    def __exit__(self, *_):
        for sock in self.sockets:
            sock.close()
        with open(self.home + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")

    def at(self, cgroup, function):
        self.lab.enter(cgroup)
        sock = function()
        sock.settimeout(TIMEOUT)
        self.sockets.append(sock)
        return sock

    def write(self, **values):
        """A new table, which becomes the service's."""
        self.values.update(values)
        Mesh.number += 1
        self.table = Mesh.number
        self.http.table(table(self.table, self.service, **self.values))

    def client(self, given=True, loop=LOOP):
        """C and D, given to the kernel."""
        c = self.at("workloads/b", lambda: connect(VIP + "90", 80))
        d = self.at("proxy", lambda: self.outbound.accept()[0])
        if given:
            give(d, 0, loop)
            assert client_info(d)["owned"] == 1
        return c, d

    def server(self, offered=True, loop=LOOP, port=None):
        """U and S, offered to the kernel; U's cookie counts from 1."""
        u = self.at("proxy", lambda: connect(NODE + "10", port or self.port))
        s = self.at("workloads/a", lambda: self.listener.accept()[0])
        if offered:
            self.cookie += 1
            offer(u, self.cookie, loop)
            assert state(u) == "POOLED", state(u)
        return u, s


STATES = ("PROXY", "POOLED", "HELD", "SENT", "ANSWER", "BODY")


def state(u):
    return STATES[lease_info(u)["state"]]


def taken(u, *states):
    """Takes U; the state that it was taken from."""
    take(u, sum(1 << STATES.index(name) for name in states) if states else http_proxy.ALL)
    info = lease_info(u)
    return STATES[info["taken"]] if info["state"] == 0 else None


def exchange(c, s, request=GET, answer=OK):
    """One whole exchange through the kernel."""
    c.sendall(request)
    assert exactly(s, len(request)) == request
    s.sendall(answer)
    assert exactly(c, len(answer)) == answer


def eventually(function, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not function():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.005)

