"""An HTTP/1.1 server that notes every request it gets: server.py NAME LOG ADDRESS PORT

A request says with `x-do` how it is to be answered: `code=503`, `sleep=0.5` (seconds), `fails=2` (503 for the first two
tries), `close` (no answer at all), `fields` (an answer with fields for a route to change). Words are separated by commas.
"""
import hashlib
import json
import os
import socket
import sys
import threading
import time

FIELDS = [("x-kept", "kept"), ("x-gone", "one"), ("x-gone", "two"), ("x-made", "server"), ("Vary", "x-tag")]


class Stream:
    def __init__(self, sock):
        self.sock = sock
        self.data = b""

    def until(self, mark):
        while mark not in self.data:
            more = self.sock.recv(1 << 16)
            if not more:
                return None
            self.data += more
        found, self.data = self.data.split(mark, 1)
        return found

    def take(self, count):
        while len(self.data) < count:
            more = self.sock.recv(1 << 16)
            if not more:
                return None
            self.data += more
        found, self.data = self.data[:count], self.data[count:]
        return found

    def chunks(self):
        body = b""
        while True:
            size = self.until(b"\r\n")
            if size is None:
                return None
            count = int(size.split(b";")[0], 16)
            piece = self.take(count + 2) if count else self.until(b"\r\n")
            if piece is None:
                return None
            if not count:
                return body
            body += piece[:-2]


class Server:
    def __init__(self, name, log):
        self.name = name
        self.log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.tries = {}
        self.lock = threading.Lock()

    def connection(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = Stream(sock)
        with sock:
            try:
                while self.exchange(sock, stream):
                    pass
            except OSError:
                pass  # the proxy has closed or reset the connection

    def exchange(self, sock, stream):
        head = stream.until(b"\r\n\r\n")
        if head is None:
            return False
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = [(name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)]
        known = {name.lower(): value for name, value in fields}
        if "chunked" in known.get("transfer-encoding", "").lower():
            body = stream.chunks()
        else:
            body = stream.take(int(known.get("content-length", "0")))
        if body is None:
            return False
        nonce = known.get("x-nonce", "")
        with self.lock:
            tried = self.tries[nonce] = self.tries.get(nonce, 0) + 1
        told = {"who": self.name, "nonce": nonce, "line": first, "fields": fields,
                "body": f"{len(body)}:{hashlib.sha1(body).hexdigest()[:8]}"}
        os.write(self.log, (json.dumps(told) + "\n").encode())
        return self.answer(sock, first.split(" ")[0], known.get("x-do", ""), nonce, tried)

    def answer(self, sock, method, words, nonce, tried):
        code, fields, body = 200, [("Content-Type", "text/plain")], f"{self.name} {nonce}\n".encode()
        for word in words.split(",") if words else []:
            name, _, value = word.partition("=")
            if name == "code":
                code = int(value)
            elif name == "sleep":
                time.sleep(float(value))
            elif name == "fails":
                code = 503 if tried <= int(value) else 200
            elif name == "close":
                return False
            elif name == "fields":
                fields += FIELDS
        bare = code in (204, 304)
        if not bare:
            fields.append(("Content-Length", str(len(body))))
        head = f"HTTP/1.1 {code} Answer\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
        sock.sendall(head.encode("latin-1") + (b"" if bare or method == "HEAD" else body))
        return True


def main():
    name, log, address, port = sys.argv[1:]
    server = Server(name, log)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, int(port)))
        listening.listen(256)
        while True:
            sock, _ = listening.accept()
            threading.Thread(target=server.connection, args=(sock,), daemon=True).start()


main()
