# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What the agent writes for kernel HTTP, and a mesh of one HTTP service for its tests."""

import ctypes
import os
import struct

import bpf
from http_proxy import run_proxy
from lab import NODE, VIP, Pipe

HTTP = 4
MAYBE_HTTP = 5
METHODS = {name: 1 << bit for bit, name in
           enumerate(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"))}
ANY, EXACT, PREFIX, SEGMENT = range(4)
NONE, FIELD_EXACT, FIELD_PRESENT = range(3)
TO_PROXY, FORWARD = 0, 1
DENY, ALLOW = 0, 1
LEAST_REQUEST = 1
KEEP_5XX, KEEP_GATEWAY, KEEP_503, KEEP_409, KEEP_BODY = 1, 2, 4, 8, 128
BUCKETS = 20
STAT_KEY = struct.Struct("IIIIHH")
STAT = struct.Struct(f"QQQQ{BUCKETS}Q")


def condition(path=None, kind=PREFIX, methods=(), fields=()):
    """fields: (index of the name, op, value, invert)."""
    raw = (path or "").encode()
    kind = ANY if path is None else kind
    out = raw.ljust(64, b"\0") + (b"\xff" * len(raw)).ljust(64, b"\0")
    for at in range(2):
        name, op, value, invert = fields[at] if at < len(fields) else (0, NONE, "", 0)
        out += value.encode().ljust(32, b"\0") + struct.pack("BBBBI", name, op, invert,
                                                            len(value), 0)
    return out + struct.pack("IBBH", sum(METHODS[m] for m in methods), kind, len(raw), 0)


def route(when=None, shares=(0, 1), action=FORWARD, keep=0, timeout_ms=0, weight=1):
    return (when or condition()) + struct.pack("HHBBHII", shares[0], shares[1], action, keep, 0,
                                               timeout_ms, weight)


def rule(verdict, when=None):
    return (when or condition()) + struct.pack("B7x", verdict)


def table(number, service, routes, rules=(), names=(), shares=((1, 0),), clusters=((0, 1, 0),),
          members=((5, 10),), any_allow=None, to_proxy=0, body_max=65536):
    """shares: (until, cluster); clusters: (first, members, flags); members: (pool, workload)."""
    if any_allow is None:
        any_allow = any(r[-8] == ALLOW for r in rules)
    out = struct.pack("IIHHHBBII", number, service, len(routes), len(rules), len(names),
                      any_allow, to_proxy, body_max, 0)
    for items, each, count in (
            ([n.encode().ljust(32, b"\0") + struct.pack("II", len(n), 0) for n in names], 40, 4),
            (routes, 232, 32), (rules, 224, 16),
            ([struct.pack("IHH", *share, 0) for share in shares], 8, 64),
            ([struct.pack("HHI", *cluster) for cluster in clusters], 8, 16),
            ([struct.pack("II", *member) for member in members], 8, 256)):
        assert all(len(item) == each for item in items), [len(item) for item in items]
        out += b"".join(items).ljust(each * count, b"\0")
    return out


class HttpMaps:
    def __init__(self, lab):
        self.lab = lab
        self.obj = lab.obj

    def put(self, name, key, value):
        err = bpf.LIB.bpf_map_update_elem(self.obj.map_fd(name), key, value, 0)
        assert not err, f"{name}: {os.strerror(-err)}"

    def delete(self, name, key):
        return bpf.LIB.bpf_map_delete_elem(self.obj.map_fd(name), key) == 0

    def keys(self, name):
        size = bpf.LIB.bpf_map__key_size(ctypes.c_void_p(self.obj.map(name)))
        found, key = [], None
        while True:
            following = ctypes.create_string_buffer(size)
            if bpf.LIB.bpf_map_get_next_key(self.obj.map_fd(name), key, following):
                return found
            key = following.raw
            found.append(key)

    def endpoint(self, address, port, pool):
        self.put("tulle_http_endpoints", bpf.addr(address) + struct.pack("Hxx", port),
                 struct.pack("I", pool))

    def table(self, raw):
        number, service = struct.unpack_from("II", raw)
        self.put("tulle_http_tables", struct.pack("I", number), raw)
        self.put("tulle_http_services", struct.pack("I", service), struct.pack("II", number, 0))

    def sources(self, number, workload, bits):
        self.put("tulle_http_sources", struct.pack("II", number, workload), struct.pack("I", bits))

    def stats(self, service=None):
        """(service, source, workload, pool, code) -> dict."""
        cpus, out = self.lab.maps.cpus, {}
        for key in self.keys("tulle_http_stats"):
            name = STAT_KEY.unpack(key)[:5]
            if service is not None and name[0] != service:
                continue
            buffer = ctypes.create_string_buffer(STAT.size * cpus)
            bpf.LIB.bpf_map_lookup_elem(self.obj.map_fd("tulle_http_stats"), key, buffer)
            rows = [STAT.unpack_from(buffer.raw, STAT.size * cpu) for cpu in range(cpus)]
            total = [sum(column) for column in zip(*rows)]
            out[name] = dict(requests=total[0], request_bytes=total[1], response_bytes=total[2],
                             nanos=total[3], buckets=total[4:])
        return out


class Mesh:
    """One HTTP service of workload a (the server), called by b through a fake proxy."""

    number = 1000  # tables and services: never the same twice

    def __init__(self, lab, server_port, server=None, routes=None, vip=VIP + "80", prepare=4,
                 proxy=run_proxy, **options):
        self.lab = lab
        self.http = HttpMaps(lab)
        Mesh.number += 1
        self.service = Mesh.number
        self.vip = vip
        self.port = server_port
        self.pool = Mesh.number
        self.routes = [route()] if routes is None else routes
        if server:
            ready = Pipe()
            self.server = lab.start("workloads/a", server, ready, server_port)
            ready.wait()
        lab.maps.service(vip, 80, self.service, HTTP)
        self.http.endpoint(NODE + "10", server_port, self.pool)
        self.write()
        self.stop_reader, self.stop_writer = os.pipe()
        ready = Pipe()
        self.proxy = lab.start("proxy", _run, proxy, (NODE + "10", server_port), ready,
                               self.stop_reader, dict(options, prepare=prepare))
        ready.wait()

    def write(self, **changes):
        Mesh.number += 1
        self.table = Mesh.number
        values = dict(routes=self.routes, members=((self.pool, 10),))
        values.update(changes)
        self.routes = values["routes"]
        self.http.table(table(self.table, self.service, **values))

    def stop(self):
        os.write(self.stop_writer, b".")
        seen = self.proxy.result()
        os.close(self.stop_reader)
        os.close(self.stop_writer)
        return seen


def _run(proxy, server, ready, stop, options):
    return proxy(server, ready, stop, **options)
