"""Traffic that notices every interruption.

continuity.py serve HTTP_PORT TCP_PORT AUTO_PORT
    HTTP: answers each GET with its path twice and a checksum. TCP, twice: echoes.
continuity.py load HTTP_HOST:PORT TCP_HOST:PORT AUTO_HOST:PORT STREAMS FOLDER
    Until FOLDER/stop exists: keep-alive requests, requests on new connections, echoes on new TCP connections, and STREAMS
    connections that stay open (half of them to either TCP port). FOLDER/load.json tells, every 100 ms, how much was
    answered and what was not one whole correct answer. Names are resolved once: this is no test of DNS.
"""
import asyncio
import hashlib
import json
import os
import socket
import sys
import time

ANSWER_LIMIT = 15  # seconds: what takes longer hangs
KEEP_ALIVE = 12
NEW_CONNECTIONS = 6
NEW_TCP = 4


def body_of(path):
    return path * 2 + b" " + hashlib.sha256(path).hexdigest().encode() + b"\n"


async def serve_http(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            close = any(line.lower() == b"connection: close" for line in lines)
            body = body_of(lines[0].split(b" ")[1])
            extra = b"Connection: close\r\n" if close else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(body), extra) + body)
            await writer.drain()
            if close:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve_echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def serve(ports):
    servers = []
    for port, handler in zip(ports, (serve_http, serve_echo, serve_echo)):
        servers.append(await asyncio.start_server(handler, "0.0.0.0", int(port), backlog=1024))
    await asyncio.gather(*(server.serve_forever() for server in servers))


class Load:
    def __init__(self, http, tcp, auto, streams, folder):
        self.http, self.tcp, self.auto = (self.resolve(name) for name in (http, tcp, auto))
        self.folder = folder
        self.stopping = False
        self.counts = {"keepAlive": 0, "newConnections": 0, "newTcp": 0, "streamMessages": 0}
        self.streams = int(streams)
        self.living = 0
        self.failures = []
        self.closes = 0

    @staticmethod
    def resolve(name):
        host, port = name.rsplit(":", 1)
        return socket.gethostbyname(host), int(port)

    def failed(self, what, error):
        self.failures.append(f"{time.time():.3f} {what}: {type(error).__name__} {error}")

    async def request(self, reader, writer, number, close):
        path = b"/%d" % number
        extra = b"Connection: close\r\n" if close else b""
        writer.write(b"GET %s HTTP/1.1\r\nHost: web\r\n%s\r\n" % (path, extra))
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        if not lines[0].startswith(b"http/1.1 200"):
            raise ValueError(head.decode("latin-1"))
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        body = await reader.readexactly(length)
        if body != body_of(path):
            raise ValueError(f"wrong answer {body!r}")
        return b"connection: close" in lines

    async def keep_alive(self, worker):
        number = worker * 10_000_000
        while not self.stopping:
            try:
                reader, writer = await asyncio.open_connection(*self.http)
                closed = False
                while not closed and not self.stopping:
                    number += 1
                    closed = await asyncio.wait_for(self.request(reader, writer, number, False), ANSWER_LIMIT)
                    self.counts["keepAlive"] += 1
                    await asyncio.sleep(0.004)
                self.closes += closed
                writer.close()
            except Exception as error:
                self.failed("keep-alive request", error)
                await asyncio.sleep(0.02)

    async def new_connections(self, worker):
        number = worker * 10_000_000
        while not self.stopping:
            number += 1
            try:
                async with asyncio.timeout(ANSWER_LIMIT):
                    reader, writer = await asyncio.open_connection(*self.http)
                    await self.request(reader, writer, number, True)
                    writer.close()
                self.counts["newConnections"] += 1
            except Exception as error:
                self.failed("request on a new connection", error)
            await asyncio.sleep(0.012)

    async def new_tcp(self, _worker):
        while not self.stopping:
            try:
                async with asyncio.timeout(ANSWER_LIMIT):
                    reader, writer = await asyncio.open_connection(*self.tcp)
                    question = os.urandom(512)
                    writer.write(question)
                    if await reader.readexactly(len(question)) != question:
                        raise ValueError("wrong echo")
                    writer.close()
                self.counts["newTcp"] += 1
            except Exception as error:
                self.failed("TCP connection", error)
            await asyncio.sleep(0.02)

    async def stream(self, index):
        where = self.tcp if index % 2 == 0 else self.auto
        try:
            reader, writer = await asyncio.open_connection(*where)
            self.living += 1
            number = 0
            while not self.stopping:
                question = b"stream %d message %d\n" % (index, number)
                writer.write(question)
                answer = await asyncio.wait_for(reader.readexactly(len(question)), ANSWER_LIMIT)
                if answer != question:
                    raise ValueError(f"wrong echo {answer!r}")
                number += 1
                self.counts["streamMessages"] += 1
                await asyncio.sleep(0.25)
            writer.close()
        except Exception as error:
            self.living -= 1
            self.failed(f"stream {index} to port {where[1]}", error)

    async def report(self):
        path = os.path.join(self.folder, "load.json")
        while True:
            self.stopping = os.path.exists(os.path.join(self.folder, "stop"))
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump({**self.counts, "streams": self.living, "closes": self.closes,
                           "failed": len(self.failures), "failures": self.failures[:20]}, file)
            os.replace(path + ".new", path)
            if self.stopping:
                return
            await asyncio.sleep(0.1)

    async def run(self):
        tasks = [self.keep_alive(i) for i in range(KEEP_ALIVE)]
        tasks += [self.new_connections(100 + i) for i in range(NEW_CONNECTIONS)]
        tasks += [self.new_tcp(i) for i in range(NEW_TCP)]
        tasks += [self.stream(i) for i in range(self.streams)]
        await asyncio.gather(self.report(), *tasks)
        await self.report()


if sys.argv[1] == "serve":
    asyncio.run(serve(sys.argv[2:5]))
else:
    asyncio.run(Load(*sys.argv[2:7]).run())
