# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What kernel HTTP tells of single requests: the series of failures that outlier detection goes by,
and samples for the access log."""

import ctypes
import struct
import time

import bpf
from http_lab import EXACT, condition, route
from http_proxy import OUTCOME, SOL
from http_stage import GET, OK, Stage, exactly, exchange, state, taken
from lab import NODE

ALWAYS = 0xffffffff
PLACES = 16384
SAMPLE = struct.Struct("QQQQQ16s16sHHIIIIHHHH1024sI")
FIELDS = ("ts", "nanos", "head_nanos", "response_bytes", "request_bytes", "client_addr",
          "server_addr", "client_port", "server_port", "service", "source", "workload", "table",
          "route", "cluster", "code", "length", "head", "pad")


def answer(code):
    return b"HTTP/1.1 %d Word\r\nContent-Length: 2\r\n\r\nok" % code


class Series:
    """An endpoint's record of failures one after the other."""

    def __init__(self, stage):
        self.fd = stage.lab.obj.map_fd("tulle_http_outcomes")
        self.pool = stage.pool
        self.key = struct.pack("I", stage.pool % PLACES)
        self.write(stage.pool)

    def write(self, pool):
        bpf.LIB.bpf_map_update_elem(self.fd, self.key, struct.pack("IIII", pool, 0, 0, 0), 0)

    def now(self):
        """(5xx, gateway errors, failures without a response)"""
        buffer = ctypes.create_string_buffer(16)
        bpf.LIB.bpf_map_lookup_elem(self.fd, self.key, buffer)
        return struct.unpack("IIII", buffer.raw)[1:]


def tell(sock, port, code):
    """As the proxy says it of a try of its own; 0: no response."""
    sock.setsockopt(SOL, OUTCOME, bpf.addr(NODE + "10") + struct.pack("HHI", port, 0, code))


class Samples:
    """with Samples(lab) as samples: samples() are those that have come since."""

    def __init__(self, lab):
        self.found = []
        self._callback = bpf.SAMPLE(self._sample)
        self.ring = bpf.LIB.ring_buffer__new(lab.obj.map_fd("tulle_http_samples"), self._callback,
                                             None, None)
        assert self.ring

    def _sample(self, _context, data, size):
        one = dict(zip(FIELDS, SAMPLE.unpack_from(ctypes.string_at(data, size))))
        one["head"] = one["head"][:one["length"]]
        self.found.append(one)
        return 0

    def __enter__(self):
        self()
        return self

    def __call__(self):
        self.found.clear()
        bpf.LIB.ring_buffer__consume(ctypes.c_void_p(self.ring))
        return list(self.found)

    def __exit__(self, *_):
        bpf.LIB.ring_buffer__free(ctypes.c_void_p(self.ring))


def test_series_of_failures(lab):
    """5xx and gateway errors count one after the other, whether the kernel forwards them or the
    proxy tells; any other response ends the series, and what no longer has the place is left."""
    with Stage(lab, 9380) as stage:
        series = Series(stage)
        u, s = stage.server()
        c, d = stage.client()
        wanted = ((500, (1, 0, 0)), (503, (2, 1, 0)), (502, (3, 2, 0)), (504, (4, 3, 0)),
                  (501, (5, 0, 0)), (599, (6, 0, 0)), (404, (0, 0, 0)), (503, (1, 1, 0)),
                  (200, (0, 0, 0)), (200, (0, 0, 0)), (503, (1, 1, 0)))
        for code, after in wanted:
            exchange(c, s, answer=answer(code))
            assert series.now() == after, (code, series.now())
        for code, after in ((503, (2, 2, 0)), (0, (3, 3, 1)), (0, (4, 4, 2)), (500, (5, 0, 0))):
            tell(d, stage.port, code)
            assert series.now() == after, (code, series.now())
        exchange(c, s, answer=answer(503))
        assert series.now() == (6, 1, 0)
        tell(u, stage.port, 0)
        tell(u, stage.port, 301)
        assert series.now() == (0, 0, 0)
        tell(d, stage.port + 1, 503)
        assert series.now() == (0, 0, 0)
        # A request that the proxy takes is the proxy's to count.
        c.sendall(GET)
        assert exactly(s, len(GET)) and taken(u) == "SENT"
        s.sendall(answer(503))
        assert exactly(u, len(answer(503))) and series.now() == (0, 0, 0)
        # Another pool has the place meanwhile.
        c2, _ = stage.client()
        _, s2 = stage.server()
        series.write(stage.pool + PLACES)
        exchange(c2, s2, answer=answer(503))
        tell(d, stage.port, 503)
        assert series.now() == (0, 0, 0)


def test_sample(lab):
    """Of a sampled request everything that an access log says is reported, once, when its
    response has been forwarded to the end; without sampling nothing is."""
    post = (b"POST /items/7?token=x HTTP/1.1\r\nHost: reviews\r\nUser-Agent: test\r\n"
            b"Content-Length: 5\r\n\r\nhello")
    head = b"HTTP/1.1 201 Created\r\nContent-Length: 9000\r\n\r\n"
    with Stage(lab, 9381, routes=[route(condition("/none", EXACT)), route(shares=(1, 1))],
               shares=((1, 0), (1, 1)), clusters=((0, 0, 0), (0, 1, 0))) as stage, \
            Samples(lab) as samples:
        u, s = stage.server()
        c, _ = stage.client()
        exchange(c, s)
        assert not samples()
        lab.configure(sample=ALWAYS)
        before = time.monotonic_ns()
        c.sendall(post)
        assert exactly(s, len(post)) == post
        time.sleep(0.02)
        s.sendall(head + b"x" * 4000)
        assert exactly(c, len(head) + 4000)
        assert state(u) == "ANSWER" and not samples()
        time.sleep(0.02)
        s.sendall(b"x" * 5000)
        assert exactly(c, 5000) and state(u) == "HELD"
        after = time.monotonic_ns()
        (one,) = samples()
        assert one["head"] == post[:-5]
        assert (one["code"], one["request_bytes"], one["response_bytes"]) == (201, 5, 9000), one
        assert (one["service"], one["table"], one["route"], one["cluster"]) == (
            stage.service, stage.table, 1, 1), one
        assert (one["source"], one["workload"]) == (11, 10), one
        assert (one["client_addr"], one["client_port"]) == (bpf.addr(NODE + "11"),
                                                            c.getsockname()[1])
        assert (one["server_addr"], one["server_port"]) == (bpf.addr(NODE + "10"), stage.port)
        assert 20e6 <= one["head_nanos"] <= one["nanos"] - 20e6
        assert one["nanos"] <= after - before and before < one["ts"] <= after
        exchange(c, s)
        (one,) = samples()
        assert (one["head"], one["code"], one["response_bytes"]) == (GET, 200, 2)
        # What the proxy goes on with is the proxy's to log.
        for begun in (b"", head):
            c, d = stage.client()
            u, s = stage.server()
            c.sendall(GET)
            assert exactly(s, len(GET)) == GET
            s.sendall(begun)
            assert not begun or exactly(c, len(begun))
            assert taken(u) == ("ANSWER" if begun else "SENT")
            s.sendall(OK)
            assert exactly(u, len(OK)) and not samples()


def test_sample_rate_and_loss(lab):
    """About as many as asked for are reported. With nobody reading the ring buffer requests go on,
    and every sample is either there or counted as lost."""
    with Stage(lab, 9382) as stage, Samples(lab) as samples:
        _, s = stage.server()
        c, _ = stage.client()
        lab.configure(sample=(1 << 32) // 10 - 1)
        for _ in range(2000):
            exchange(c, s)
        some = len(samples())
        assert 130 < some < 270 and stage.delta["HTTP_SAMPLED"] == some, some
        lab.configure(sample=ALWAYS)
        for _ in range(1000):
            exchange(c, s)
        found, lost = len(samples()), stage.delta["HTTP_SAMPLE_LOST"]
        assert found + lost == 1000 and found > 400 and lost > 400, (found, lost)
        exchange(c, s)
        assert len(samples()) == 1
        return f"{some} of 2000 at one in ten; {lost} of 1000 lost with a full ring"
