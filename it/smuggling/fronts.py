"""Plays vectors against one front, perhaps inside a workload: fronts.py HOST PORT AUTHORITY

A line of JSON per vector comes in, {"kind": "http1"|"http2", "index", "number"}, a line goes out: what the client was told, and
whether those who asked after it got their own answers.
"""
import json
import socket
import sys

import frames
import vectors
import vectors2

PATIENCE = 10  # seconds; nothing takes as long unless it hangs
INNOCENTS = 4  # connections, so that each of the proxy's loops has one
RESET = (ConnectionResetError, BrokenPipeError)


class Innocent:
    """A kept connection of a client that asks for what is its own."""

    def __init__(self, address, authority):
        self.address, self.authority, self.connection, self.data = address, authority, None, b""

    def ask(self, path):
        """What is wrong with the answer; empty when nothing is."""
        for fresh in (self.connection is None, True):
            try:
                if fresh:
                    self.close()
                    self.connection = socket.create_connection(self.address, timeout=PATIENCE)
                return self.read(path)
            except (OSError, EOFError) as error:
                # A kept connection may have been closed when it was idle; a new one has no such reason.
                if fresh:
                    return f"{path}: {error or 'no answer'}"
        return ""

    def read(self, path):
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode())
        head = self.until(b"\r\n\r\n")
        fields = {line.split(b":", 1)[0].lower(): line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")[1:] if b":" in line}
        length = int(fields.get(b"content-length", b"-1"))
        if length >= 0:
            while len(self.data) < length:
                self.more()
            self.data = self.data[length:]
        elif fields.get(b"transfer-encoding") == b"chunked":
            self.until(b"0\r\n\r\n")
        seen = fields.get(b"x-seen", b"").removesuffix(b" HTTP/1.1").decode("latin-1")
        code = head.split(b"\r\n")[0].decode("latin-1")
        if self.data or not code.startswith("HTTP/1.1 200") or seen != "GET " + path:
            return f"{path} was answered with {code}, for {seen!r}, and {self.data[:60]!r} behind it"
        return ""

    def until(self, end):
        while end not in self.data:
            self.more()
        found, _, self.data = self.data.partition(end)
        return found

    def more(self):
        data = self.connection.recv(65536)
        if not data:
            raise EOFError
        self.data += data

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection, self.data = None, b""


def http1(raw, address):
    """The codes of the answers. The client ends its half, so that the end of the connection always comes."""
    told = b""
    with socket.create_connection(address, timeout=PATIENCE) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                told += data
        except RESET:
            pass
        except socket.timeout:
            return ["hangs"]
    return [part[:3].decode("latin-1") for part in told.split(b"HTTP/1.1 ")[1:]]


def http2(vector, raw, address):
    """What came of stream 1: the first octet of its head as a code, "reset", "goaway" or "closed"."""
    told = []
    connection = frames.Connection(address, timeout=PATIENCE)
    try:
        connection.send(frames.opening() + raw + frames.frame(frames.PING, 0, 0, b"whole..."))
        over = ponged = left = False
        while not (over and ponged):
            found = connection.next()
            if found is None:
                return [*told, "closed"]
            kind, flags, stream, payload = found
            if kind == frames.PING and flags & frames.ACK:
                ponged = True
                if not vector.ends and not over and not left:
                    left = True
                    connection.send(frames.reset(1) + frames.frame(frames.PING, 0, 0, b"leaves.."))
                    ponged, over = False, True
            elif kind == frames.HEADERS and stream == 1:
                # 0x88: the table's :status 200. Whatever else it is, it is no such answer.
                told.append("200" if payload[:1] == b"\x88" else "other")
                over |= bool(flags & frames.END_STREAM)
            elif kind == frames.DATA and stream == 1:
                over |= bool(flags & frames.END_STREAM)
            elif kind == frames.RST_STREAM and stream == 1:
                told.append("reset")
                over = True
            elif kind == frames.GOAWAY:
                return [*told, "goaway"]
        return told
    except RESET:
        return [*told, "closed"]
    except socket.timeout:
        return [*told, "hangs"]
    finally:
        connection.close()


def main(words):
    host, port, authority = words[0], int(words[1]), words[2]
    sets = {"http1": vectors.all_of_them(), "http2": vectors2.all_of_them()}
    innocents = [Innocent((host, port), authority) for _ in range(INNOCENTS)]
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        number, vector = order["number"], sets[order["kind"]][order["index"]]
        raw = vector.bytes(authority, number)
        told = http1(raw, (host, port)) if order["kind"] == "http1" else http2(vector, raw, (host, port))
        wrong = [one.ask(f"/innocent-{number}-{index}") for index, one in enumerate(innocents)]
        print(json.dumps({"told": told, "wrong": [what for what in wrong if what]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
