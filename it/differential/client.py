"""Sends requests as they are, each on a connection of its own: client.py THREADS

A line of JSON per request comes in, {"id", "host", "port", "method", "data" (hexadecimal)}, a line per answer goes out.
"""
import json
import os
import queue
import socket
import sys
import threading
import time

LIMIT = 8.0  # seconds that an answer may take


class Answer:
    def __init__(self, sock, method):
        self.sock, self.method, self.data, self.ended = sock, method, b"", False
        self.stop = time.monotonic() + LIMIT

    def more(self):
        self.sock.settimeout(max(0.01, self.stop - time.monotonic()))
        data = self.sock.recv(1 << 16)
        self.ended = not data
        self.data += data
        return not self.ended

    def head(self):
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                return None
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [[n.lower(), v.strip(" \t")] for n, _, v in (line.partition(":") for line in lines)]
        return int(first.split(" ")[1]), fields

    def read(self):
        interims = []
        while True:
            found = self.head()
            if found is None:
                return {"code": 0, "fields": [], "body": self.data.decode("latin-1"), "interims": interims}
            code, fields = found
            if code >= 200 or code == 101:
                break
            interims.append(code)
        return {"code": code, "fields": fields, "body": self.body(code, dict(fields)).decode("latin-1"),
                "interims": interims}

    def body(self, code, known):
        if self.method == "HEAD" or code in (204, 304):
            return b""
        if "transfer-encoding" in known:
            return self.chunks()
        count = int(known["content-length"]) if "content-length" in known else None
        while (count is None or len(self.data) < count) and self.more():
            pass
        return self.data if count is None else self.data[:count]

    def chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.data and self.more():
                pass
            size, _, self.data = self.data.partition(b"\r\n")
            count = int(size or b"0", 16)
            while len(self.data) < count + 2 and self.more():
                pass
            body, self.data = body + self.data[:count], self.data[count + 2:]
            if not count:
                return body


def ask(case):
    begun = time.monotonic()
    try:
        with socket.create_connection((case["host"], case["port"]), timeout=LIMIT) as sock:
            sock.sendall(bytes.fromhex(case["data"]))
            told = Answer(sock, case["method"]).read()
    except OSError as error:
        told = {"code": 0, "fields": [], "body": type(error).__name__, "interims": []}
    return {"id": case["id"], "seconds": round(time.monotonic() - begun, 3), **told}


def main():
    work = queue.Queue()
    lock = threading.Lock()

    def worker():
        while True:
            told = ask(work.get())
            with lock:
                print(json.dumps(told), flush=True)

    for _ in range(int(sys.argv[1])):
        threading.Thread(target=worker, daemon=True).start()
    for line in sys.stdin:
        work.put(json.loads(line))
    os._exit(0)


main()
