"""Neighbours who share a mesh: neighbours.py serve PORT | measure WEB SECONDS | burn SHARE SECONDS | KIND SINK SECONDS.

serve answers requests, with 1 MiB where the path begins with /big, and counts nobody. measure is the quiet one: 50 times a
second a request on a kept connection, one on a new connection, a look-up; its last line has for each the number, the
failures, and the median and 99th percentile in microseconds. burn uses so much of one processor. The other words are ways to want too much of what all share;
each prints a line when it has begun and goes on until its time is over.
"""
import asyncio
import os
import random
import socket
import struct
import sys
import threading
import time


def place(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


# The server.
async def served(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = b"x" * (1 << 20) if head.split(b" ", 2)[1].startswith(b"/big") else b"ok"
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def serve(port):
    server = await asyncio.start_server(served, "0.0.0.0", port, backlog=1024, limit=1 << 17)
    await server.serve_forever()


# The quiet one.
def exchange(connection):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    got = b""
    while not got.endswith(b"ok"):
        more = connection.recv(4096)
        if not more:
            raise OSError("closed")
        got += more
    if not got.startswith(b"HTTP/1.1 200"):
        raise OSError(got.split(b"\r\n", 1)[0].decode())


def connect(web):
    connection = socket.create_connection(web, timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Kept:
    def __init__(self, web):
        self.web, self.connection = web, None

    def __call__(self):
        try:
            self.connection = self.connection or connect(self.web)
            exchange(self.connection)
        except OSError:
            self.connection = None
            raise


def fresh(web):
    with connect(web) as connection:
        exchange(connection)


def measure(web, seconds):
    host, port = place(web)
    address = (socket.gethostbyname(host), port)
    ways = {"kept": Kept(address), "new": lambda: fresh(address), "name": lambda: socket.gethostbyname(host)}
    took = {name: [] for name in ways}
    failed = {name: [] for name in ways}
    begun = time.monotonic()
    rounds = 0
    while time.monotonic() < begun + seconds:
        for name, way in ways.items():
            at = time.perf_counter()
            try:
                way()
                took[name].append(time.perf_counter() - at)
            except OSError as error:
                failed[name].append(str(error).replace(" ", "_"))
        rounds += 1
        time.sleep(max(0, begun + rounds / 50 - time.monotonic()))
    for name, one in took.items():
        one.sort()
        print(name, len(one), len(failed[name]), *(int(one[int(len(one) * part)] * 1e6) if one else 0 for part in (0.5, 0.99)),
              ",".join(failed[name][:3]) or "-", flush=True)


def burn(share, seconds):
    end = time.monotonic() + seconds
    last, owed = time.monotonic(), 0.0
    while (now := time.monotonic()) < end:
        owed += (now - last) * share
        last = now
        if owed <= 0:
            time.sleep(0.001)
            continue
        begun = time.thread_time()
        while (used := time.thread_time() - begun) < min(owed, 0.002):
            pass
        owed -= used


# Those who want too much.
def resolver():
    with open("/etc/resolv.conf") as file:
        return next((line.split()[1] for line in file if line.startswith("nameserver")), "127.0.0.1"), 53


def question(name, crafted=False):
    head = struct.pack("!HHHHHH", random.randrange(65536), 0x100, 1, 0, 0, 0)
    if crafted:  # labels of one byte and a chain of pointers, as long as a name may be
        return head + b"\x01a" * 120 + b"\xc0\x0c" + struct.pack("!HH", 1, 1) + b"\x3f" + b"z" * 60 + b"\xc0\x0e" * 40
    return head + b"".join(bytes([len(part)]) + part for part in name.encode().split(b".")) + struct.pack("!BHH", 0, 1, 1)


def paced(seconds, rate, action):
    begun, done = time.monotonic(), 0
    while time.monotonic() < begun + seconds:
        try:
            action(done)
        except OSError:
            pass
        done += 1
        if done % 50 == 0:
            time.sleep(max(0, begun + done / rate - time.monotonic()))


def datagrams(seconds, rate, packet):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(resolver())
        udp.setblocking(False)

        def send(number):
            udp.send(packet(number))
            try:
                while number % 16 == 0:
                    udp.recv(4096)
            except BlockingIOError:
                pass

        paced(seconds, rate, send)


def hold(sink, seconds, count, first, reads=False):
    """Many connections, each with its first bytes; then it is waited, or a little is read."""
    held, end = [], time.monotonic() + seconds
    for _ in range(count):
        if time.monotonic() > end:
            break
        try:
            connection = socket.create_connection(sink, timeout=2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if first:
                connection.sendall(first)
            held.append(connection)
        except OSError:
            time.sleep(0.001)
    while time.monotonic() < end:
        time.sleep(0.05)


def pipeline(sink, seconds):
    def one():
        end = time.monotonic() + seconds
        try:
            with socket.create_connection(sink, timeout=0.5) as connection:
                while time.monotonic() < end:
                    try:
                        connection.sendall(b"GET /big HTTP/1.1\r\nHost: sink\r\n\r\n" * 100)
                    except socket.timeout:
                        pass
        except OSError:
            pass

    workers = [threading.Thread(target=one) for _ in range(40)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]


def requests(sink, seconds, request, workers=8):
    def one():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                with socket.create_connection(sink, timeout=2) as connection:
                    while time.monotonic() < end:
                        connection.sendall(request)
                        if not connection.recv(65536):
                            break
            except OSError:
                time.sleep(0.001)

    threads = [threading.Thread(target=one) for _ in range(workers)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def want(kind, sink, seconds):
    host, port = place(sink)
    address = (socket.gethostbyname(host), port)
    print("begun", flush=True)
    get = b"GET %s HTTP/1.1\r\nHost: sink\r\n%s\r\n"
    if kind == "questions":
        datagrams(seconds, 20_000, lambda number: question("sink.default.svc.cluster.local"))
    elif kind == "crafted":
        datagrams(seconds, 20_000, lambda number: question("", True))
    elif kind == "garbage":
        threading.Thread(target=requests, args=(address, seconds, os.urandom(512))).start()
        datagrams(seconds, 5_000, lambda number: os.urandom(200))
    elif kind == "subscriptions":
        datagrams(seconds, 5_000, lambda number: question("s%d.default.svc.cluster.local" % number))
    elif kind == "idle":
        hold(address, seconds, 20_000, b"")
    elif kind == "pipelining":
        pipeline(address, seconds)
    elif kind == "stalled":
        hold(address, seconds, 1_000, get % (b"/big", b""))
    elif kind == "large":
        requests(address, seconds, get % (b"/", b"X-Large: " + b"x" * 55_000 + b"\r\n"))
    elif kind == "heavy":
        requests(address, seconds, get % (b"/heavy/" + b"ab" * 3_900, b""))


sys.setswitchinterval(0.0005)
if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2])))
elif sys.argv[1] == "measure":
    measure(sys.argv[2], float(sys.argv[3]))
elif sys.argv[1] == "burn":
    burn(float(sys.argv[2]), float(sys.argv[3]))
else:
    want(sys.argv[1], sys.argv[2], float(sys.argv[3]))
