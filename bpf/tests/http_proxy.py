# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""A small node proxy for the tests of kernel HTTP: one thread, one event loop, HTTP/1.1 only.

It does what the contract asks of the real one: gives its clients' connections to the kernel,
offers its idle server connections, takes them back when something happens on them, and adopts the
exchanges that the kernel began. It routes everything to one server and parses well-behaved
messages only.
"""

import ctypes
import os
import random
import selectors
import socket
import struct
import time

from lab import OUTBOUND_PORT

SOL = 0x7475
GIVE, CLIENT, OFFER, TAKE, LEASE, OUTCOME = 1, 2, 3, 4, 5, 6
LOOP = 7
PROXY, POOLED, HELD, SENT, ANSWER, BODY = range(6)
BUSY = (1 << SENT) | (1 << ANSWER) | (1 << BODY)
ALL = (1 << POOLED) | (1 << HELD) | BUSY
UNPROVEN, RENEW = 1 << 63, 1 << 62
LEASE_INFO = struct.Struct("QQQQIIIHH16s")
CLIENT_INFO = struct.Struct("QQQIIIIII1024sQ")
IDEMPOTENT = (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE")
HIGH_WATER = 256 * 1024


def give(sock, consumed, loop=LOOP, after=0):
    sock.setsockopt(SOL, GIVE, struct.pack("QII", consumed, loop, after))


def offer(sock, cookie, loop=LOOP):
    sock.setsockopt(SOL, OFFER, struct.pack("QII", cookie, loop, 0))


def take(sock, states=ALL):
    sock.setsockopt(SOL, TAKE, struct.pack("II", states, 0))


def lease_info(sock):
    names = ("cookie", "client", "since_ns", "remaining", "state", "taken", "timeout_ms", "code",
             "client_port", "client_addr")
    info = dict(zip(names, LEASE_INFO.unpack(sock.getsockopt(SOL, LEASE, LEASE_INFO.size))))
    info["unproven"] = bool(info["remaining"] & UNPROVEN)
    info["renew"] = bool(info["remaining"] & RENEW)
    info["remaining"] &= ~(UNPROVEN | RENEW)
    return info


def getsockopt(sock, option, size):
    """As socket.getsockopt, which takes no more than 1024 bytes."""
    buffer, length = ctypes.create_string_buffer(size), ctypes.c_uint(size)
    if ctypes.CDLL(None, use_errno=True).getsockopt(sock.fileno(), SOL, option, buffer,
                                                    ctypes.byref(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw


def client_info(sock):
    names = ("passed", "lease", "since_ns", "owned", "state", "service", "head_length",
             "body_length", "taken", "head", "left")
    info = dict(zip(names, CLIENT_INFO.unpack(getsockopt(sock, CLIENT, CLIENT_INFO.size))))
    info["head"] = info["head"][:info["head_length"]]
    return info


def field(head, name):
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


class Framing:
    """Finds the end of one message in a stream."""

    def __init__(self, bodyless=False):
        self.bodyless = bodyless
        self.buffer = b""
        self.head = None
        self.left = 0
        self.chunked = self.unframed = False
        self.done = False

    def feed(self, data):
        """Returns (bytes of this message, rest)."""
        out = b""
        if self.head is None:
            self.buffer += data
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return b"", b""
            self.head, data = self.buffer[:end + 4], self.buffer[end + 4:]
            self.buffer = b""
            out = self.head
            length = field(self.head, b"content-length")
            status = self.head.startswith(b"HTTP/")
            code = int(self.head[9:12]) if status else 0
            if status and 100 <= code < 200:
                self.head = None
                more, rest = self.feed(data)
                return out + more, rest
            if self.bodyless or code in (204, 304):
                self.left = 0
            elif field(self.head, b"transfer-encoding"):
                self.chunked = True
                self.tail = b""
            elif length is not None:
                self.left = int(length)
            elif status:
                self.unframed = True
        if self.unframed:
            return out + data, b""
        if self.chunked:
            # The tests end chunked bodies in a message of their own.
            self.tail = (self.tail + data)[-5:]
            self.done = self.tail == b"0\r\n\r\n"
            return out + data, b""
        body, rest = data[:self.left], data[self.left:]
        self.left -= len(body)
        self.done = not self.left
        return out + body, rest


class Down:
    def __init__(self, sock):
        self.sock = sock
        self.pending = b""   # bytes of C that belong to no exchange yet
        self.out = b""
        self.consumed = 0
        self.request = None  # framing of the running request
        self.up = None
        self.raw = None      # bytes of an adopted answer still to relay
        self.closing = False
        self.adopted = False
        self.upload = 0      # bytes of the running request's body that go to `up` as they come


class Up:
    def __init__(self, sock, cookie):
        self.sock = sock
        self.cookie = cookie
        self.down = None
        self.offered = False
        self.response = None
        self.sent_any = False
        self.timeout_at = None
        self.doubtful = False  # must not carry another request


class Proxy:
    """run() serves until `stop` becomes readable and returns its counters."""

    def __init__(self, server, loop=LOOP, offers=True, gives=True, prepare=0, restless=0):
        self.server = server
        self.loop = loop
        self.offers, self.gives = offers, gives
        self.prepare = prepare  # server connections that are opened and offered at once
        self.restless = restless  # leases that are taken back for no reason, each turn
        self.selector = selectors.DefaultSelector()
        self.ups = {}
        self.downs = set()
        self.idle = []
        self.next = 1
        self.seen = dict(requests=0, adopted_sent=0, adopted_answer=0, adopted_body=0, doubtful=0, replayed=0, gives=0,
                         offers=0, lost=0, connects=0, timeouts=0, taken_busy=0)

    def run(self, ready, stop):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", OUTBOUND_PORT))
        listener.listen(1024)
        listener.setblocking(False)
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        self.selector.register(stop, selectors.EVENT_READ, "stop")
        for _ in range(self.prepare):
            self.release(self.connect())
        ready.tell()
        while True:
            for key, mask in self.selector.select(0 if self.restless else 0.02):
                if key.data == "stop":
                    os.read(stop, 1)
                    return self.seen
                if key.data == "listener":
                    self.accept(listener)
                elif isinstance(key.data, Down):
                    self.on_down(key.data, mask)
                else:
                    self.on_up(key.data)
            if self.restless:
                self.take_some()
            else:
                self.sweep()

    def take_some(self):
        offered = [up for up in self.ups.values() if up.offered]
        for up in random.sample(offered, min(len(offered), self.restless)):
            info = self.take(up)
            if info["taken"] in (POOLED, HELD):
                self.release(up)
                continue
            if info["taken"] == PROXY:
                continue
            self.seen["taken_busy"] += 1
            down = self.down_of(info)
            if down and not down.up:
                self.adopt(up, down, info)
            else:
                self.close_up(up)

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            down = Down(sock)
            self.downs.add(down)
            self.selector.register(sock, selectors.EVENT_READ, down)
            self.give(down)

    def give(self, down):
        if self.gives and not down.out and not down.pending and not down.closing:
            give(down.sock, down.consumed, self.loop)
            self.seen["gives"] += 1

    def close_down(self, down):
        if down in self.downs:
            self.downs.discard(down)
            leased = self.lease_of(down)
            up = down.up or (leased if leased and leased.offered else None)
            down.up = None
            if up and up.offered:
                was = self.take(up)["taken"]
                if was == HELD:
                    self.release(up)
                elif was != PROXY:
                    self.close_up(up)
            elif up:
                self.close_up(up)
            self.selector.unregister(down.sock)
            down.sock.close()

    def close_up(self, up):
        if self.ups.pop(up.cookie, None):
            self.selector.unregister(up.sock)
            up.sock.close()
            if up in self.idle:
                self.idle.remove(up)
            if up.down:
                down, up.down = up.down, None
                down.up = None
                self.close_down(down)

    def lease_of(self, down):
        try:
            info = client_info(down.sock)
        except OSError:
            return None
        return self.ups.get(info["lease"])

    def take(self, up, states=ALL):
        take(up.sock, states)
        info = lease_info(up.sock)
        if info["state"] == PROXY:
            up.offered = False
            up.doubtful = info["unproven"]
        return info

    def connect(self):
        sock = socket.create_connection(self.server, 5)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = Up(sock, self.next)
        self.next += 1
        self.ups[up.cookie] = up
        self.selector.register(sock, selectors.EVENT_READ, up)
        self.seen["connects"] += 1
        return up

    def release(self, up):
        up.down = up.response = None
        if up.doubtful:
            self.seen["doubtful"] += 1
            self.close_up(up)
            return
        if self.offers:
            offer(up.sock, up.cookie, self.loop)
            self.seen["offers"] += 1
            try:
                info = lease_info(up.sock)
                up.offered = info["state"] != PROXY
            except OSError:
                up.offered = False
        if not up.offered:
            self.idle.append(up)

    def on_down(self, down, mask):
        if mask & selectors.EVENT_WRITE:
            self.flush(down)
        if not mask & selectors.EVENT_READ or down not in self.downs:
            return
        try:
            data = down.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if down.up and not down.up.offered or self.busy_lease(down):
                # Half-closed: the answer is still wanted.
                down.closing = True
                self.selector.modify(down.sock, selectors.EVENT_WRITE, down)
                return
            self.close_down(down)
            return
        down.consumed += len(data)
        down.pending += data
        self.busy_lease(down)
        self.send_up(down)
        self.serve(down)

    def busy_lease(self, down):
        """Adopts what the kernel has begun for this client; true if there was something."""
        if down.up:
            return True
        up = self.lease_of(down)
        if not up or not up.offered:
            return False
        # Also one that the server's side has handed over already, whose bytes are still to come.
        if client_info(down.sock)["state"] not in (SENT, ANSWER, BODY, PROXY):
            return False
        info = self.take(up, BUSY)
        if info["state"] != PROXY or info["taken"] not in (SENT, ANSWER, BODY):
            return False
        self.adopt(up, down, info)
        return True

    def adopt(self, up, down, info):
        up.down, down.up = down, up
        down.adopted = True
        if info["taken"] == SENT:
            self.seen["adopted_sent"] += 1
            head = client_info(down.sock)["head"]
            up.response = Framing(head.startswith(b"HEAD"))
            up.request_head = head
        elif info["taken"] == BODY:
            self.seen["adopted_body"] += 1
            down.upload = info["remaining"]
            up.response = Framing()
            up.request_head = b"not repeated"
        else:
            self.seen["adopted_answer"] += 1
            up.response = Framing()
            up.response.head = b"adopted"
            up.response.left = info["remaining"]

    def send_up(self, down):
        """The body of an adopted request."""
        data = down.pending[:down.upload] if down.up else b""
        if data:
            down.pending = down.pending[len(data):]
            down.upload -= len(data)
            self.write(down.up, data)

    def serve(self, down):
        while down.pending and not down.up and down in self.downs:
            if self.busy_lease(down):
                return
            request = down.request or Framing()
            request_bytes, rest = request.feed(down.pending)
            if request.head is None:
                down.request, down.pending = request, b""
                return
            down.request = request
            if not hasattr(request, "whole"):
                request.whole = b""
            request.whole += request_bytes
            down.pending = rest
            if not request.done:
                return
            down.request = None
            self.forward(down, request.whole)

    def forward(self, down, whole):
        self.seen["requests"] += 1
        up = None
        while self.idle and not up:
            up = self.idle.pop()
        up = up or self.connect()
        up.down, down.up = down, up
        up.response = Framing(whole.startswith(b"HEAD"))
        up.request_head = whole
        self.write(up, whole)

    @staticmethod
    def write(up, data):
        up.sock.setblocking(True)
        try:
            up.sock.sendall(data)
        except OSError:
            pass  # a server that has closed is seen by the reader
        up.sock.setblocking(False)

    def on_up(self, up):
        if up.cookie not in self.ups:
            return
        if up.offered:
            self.on_offered(up)
            return
        try:
            data = up.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.feed(up, data)

    def feed(self, up, data):
        down = up.down
        if not down:
            self.close_up(up)
            return
        if not data:
            if up.response.head is None and up.request_head.split(b" ")[0] in IDEMPOTENT:
                up.down = down.up = None
                self.close_up(up)
                self.seen["replayed"] += 1
                self.forward(down, up.request_head)
                return
            up.down = down.up = None
            self.close_up(up)
            if up.response.head is None:
                self.seen["lost"] += 1
                down.closing |= down.upload > 0
                self.send(down, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                self.after(down)
            else:
                down.closing = True
                self.send(down, b"")
            return
        whole, rest = up.response.feed(data)
        response = up.response
        given = (response.done and not rest and self.gives and not down.out and not down.pending
                 and not down.closing and not down.upload)
        if given:
            # Together with the end of the answer, so that the next request is not too early.
            give(down.sock, down.consumed, self.loop, after=len(whole))
            self.seen["gives"] += 1
        self.send(down, whole)
        if rest:
            self.close_up(up)
        elif response.done and down.upload:
            down.closing = True
            self.close_up(up)
            self.after(down)
        elif response.done:
            up.down = down.up = None
            if response.head and (field(response.head, b"connection") or b"").lower() == b"close":
                self.close_up(up)
                down.closing = True
            else:
                self.release(up)
            self.after(down, given and not down.out)

    def after(self, down, given=False):
        down.adopted = False
        if down.closing and not down.out:
            self.close_down(down)
        elif down.pending:
            self.serve(down)
        elif not given:
            self.give(down)

    def on_offered(self, up):
        info = self.take(up)
        if info["taken"] in (POOLED, HELD):
            self.close_up(up)
            return
        down = self.down_of(info)
        if not down:
            self.close_up(up)
            return
        self.adopt(up, down, info)
        self.on_up(up)

    def down_of(self, info):
        return next((d for d in self.downs if self.peer(d) == info["client_port"]), None)

    @staticmethod
    def peer(down):
        try:
            return down.sock.getpeername()[1]
        except OSError:
            return None

    def send(self, down, data):
        down.out += data
        self.flush(down)

    def flush(self, down):
        try:
            while down.out:
                sent = down.sock.send(down.out)
                down.out = down.out[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self.close_down(down)
            return
        events = 0 if down.closing else selectors.EVENT_READ
        if down.out:
            events |= selectors.EVENT_WRITE
        if not events:
            if not down.up:
                self.close_down(down)
                return
            events = selectors.EVENT_WRITE if down.out else 0
        if events:
            self.selector.modify(down.sock, events, down)
        up = down.up
        if up and not up.offered:
            # A client that does not read stops its server.
            wanted = selectors.EVENT_READ if len(down.out) < HIGH_WATER else selectors.EVENT_WRITE
            paused = wanted == selectors.EVENT_WRITE
            if paused != getattr(up, "paused", False):
                up.paused = paused
                if paused:
                    self.selector.unregister(up.sock)
                else:
                    self.selector.register(up.sock, selectors.EVENT_READ, up)

    def sweep(self):
        now = time.monotonic_ns()
        for up in list(self.ups.values()):
            if not up.offered:
                continue
            info = lease_info(up.sock)
            if info["state"] == PROXY:
                up.offered = False
                down = self.down_of(info)
                up.doubtful = info["unproven"]
                if info["taken"] in (SENT, ANSWER, BODY) and down and not down.up:
                    self.adopt(up, down, info)
                continue
            if info["state"] == SENT and info["timeout_ms"] and \
                    now - info["since_ns"] > info["timeout_ms"] * 1_000_000:
                info = self.take(up, 1 << SENT)
                if info["state"] != PROXY:
                    continue
                down = self.down_of(info)
                self.close_up(up)
                self.seen["timeouts"] += 1
                if down:
                    self.send(down, b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n")
                    self.after(down)


def run_proxy(server, ready, stop, **options):
    return Proxy(server, **options).run(ready, stop)
