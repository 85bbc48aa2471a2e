"""A client that must not notice: victim.py HOST PORT AUTHORITY RATE

For each line, a number of seconds, it asks at its rate on one connection and writes a line of JSON: what its requests took,
from the moment in which each was due, and how many failed.
"""
import json
import socket
import sys
import time


def answer(connection, data):
    """Reads one answer with a length."""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(rest) < length:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed")
        rest += more
    if not head.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(head.split(b"\r\n")[0].decode("latin-1"))
    return rest[length:]


class Victim:
    def __init__(self, host, port, authority):
        self.address = (host, port)
        self.request = f"GET /victim HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()
        self.connection = None

    def ask(self):
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=10)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(self.request)
        answer(self.connection, b"")

    def measure(self, seconds, rate):
        took, failed, why = [], 0, ""
        begun = time.monotonic()
        for index in range(int(seconds * rate)):
            due = begun + index / rate
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            try:
                self.ask()
                took.append(time.monotonic() - due)
            except OSError as error:
                failed, why, self.connection = failed + 1, str(error), None
            if time.monotonic() > begun + 3 * seconds + 10:
                break
        took.sort()
        at = {f"p{p}": round(took[min(len(took) - 1, len(took) * p // 100)] * 1000, 3) if took else 0.0 for p in (50, 99)}
        return {**at, "count": len(took), "failed": failed, "why": why}


def main(words):
    victim, rate = Victim(words[0], int(words[1]), words[2]), float(words[3])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(victim.measure(float(line), rate)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
