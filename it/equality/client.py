"""Plays cases over raw sockets, inside a workload: client.py THREADS

A line of JSON per case comes in, {"id", "host", "port", "ops", "methods"}, a line per outcome goes out. `ops` are
["send", HEX], ["pause", MS], ["await", N] (answers so far), ["half"] (end of sending), ["linger", MS] (wait for the end
of the connection). An outcome says which answers came, whole or not, when, and how the connection stood at the end.
"""
import hashlib
import json
import os
import queue
import select
import socket
import sys
import threading
import time

LIMIT = 4.0  # seconds that an answer may take
SETTLE = 0.04  # seconds that an end of the connection may take after the last answer
RESET = (ConnectionResetError, BrokenPipeError)


class Answers:
    """Reads answers off a stream, as strictly as a careful client."""

    def __init__(self, methods):
        self.methods = methods
        self.data = bytearray()
        self.done = []
        self.waits = []  # ms since the last byte sent or the answer before
        self.mark = 0.0
        self.interims = []
        self.ended = False
        self.error = None

    def feed(self, data, now):
        self.data += data
        while self.error is None and len(self.done) < len(self.methods) and self._one():
            self.waits.append(int((now - self.mark) * 1000))
            self.mark = now

    def finish(self, now):
        """The end of the stream; an answer without length is whole now."""
        self.ended = True
        self.feed(b"", now)

    def _one(self):
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self.data[:end]).decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or words[0] not in ("HTTP/1.1", "HTTP/1.0") or not words[1].isdigit():
            self.error = "not an answer: " + lines[0][:60]
            return False
        code = int(words[1])
        fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                self.error = "not a field: " + line[:60]
                return False
            fields.append((name.lower(), value.strip(" \t")))
        start = end + 4
        if 100 <= code < 200:
            self.interims.append([code, sorted(fields)])
            del self.data[:start]
            return self._one()
        lengths = {v for n, v in fields if n == "content-length"}
        chunked = any(n == "transfer-encoding" for n, v in fields)
        method = self.methods[len(self.done)]
        framing = "length"
        if method == "HEAD" or code in (204, 304):
            body, stop = b"", start
            framing = "none"
        elif chunked:
            framing = "chunked"
            body, stop = self._chunks(start)
            if body is None:
                return False
        elif lengths:
            if len(lengths) > 1:
                self.error = "several lengths"
                return False
            stop = start + int(lengths.pop())
            if len(self.data) < stop:
                return False
            body = bytes(self.data[start:stop])
        else:
            framing = "end"
            if not self.ended:
                return False
            body, stop = bytes(self.data[start:]), len(self.data)
        del self.data[:stop]
        self.done.append(self._told(code, fields, framing, body))
        self.done[-1]["interims"] = self.interims
        self.interims = []
        return True

    def _chunks(self, at):
        body = b""
        while True:
            end = self.data.find(b"\r\n", at)
            if end < 0:
                return None, 0
            size = int(bytes(self.data[at:end]).split(b";")[0], 16)
            at = end + 2
            if size == 0:
                end = self.data.find(b"\r\n", at)
                return (body, end + 2) if end == at else (None, 0)
            if len(self.data) < at + size + 2:
                return None, 0
            body += self.data[at:at + size]
            at += size + 2

    @staticmethod
    def _told(code, fields, framing, body):
        """What a server of ours says about itself and the request; the rest of the body as its hash."""
        told = {}
        rest = body
        while rest:
            line, newline, after = rest.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not newline or not equals or name not in (b"who", b"from", b"nonce", b"method", b"target", b"body", b"head"):
                break
            told[name.decode()] = value.decode("latin-1")
            rest = after
        return {
            "code": code, "fields": sorted(fields), "framing": framing, "length": len(body), "told": told,
            "rest": hashlib.sha1(rest).hexdigest()[:16] if rest else "",
        }


class Play:
    def __init__(self, case, settle):
        self.case = case
        self.answers = Answers(case["methods"])
        self.end = None
        self.settle = settle

    def run(self):
        try:
            self.sock = socket.create_connection((self.case["host"], self.case["port"]), timeout=LIMIT)
        except OSError as error:
            return {"id": self.case["id"], "answers": [], "end": "connect " + type(error).__name__, "ms": []}
        with self.sock:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock.setblocking(False)
            for op in self.case["ops"]:
                if self.end is not None or self.answers.error:
                    break
                getattr(self, "op_" + op[0])(*op[1:])
            if self.end is None and self.answers.error is None:
                self.until(lambda: len(self.answers.done) == len(self.answers.methods), LIMIT)
            if self.end is None and self.answers.error is None:
                if len(self.answers.done) < len(self.answers.methods):
                    self.end = "silence"
                else:
                    self.until(lambda: False, self.settle)
                    self.end = self.end or "kept"
        return {
            "id": self.case["id"], "answers": self.answers.done, "end": self.end, "error": self.answers.error,
            "left": bytes(self.answers.data[:200]).decode("latin-1"), "left_length": len(self.answers.data),
            "interims": self.answers.interims, "ms": self.answers.waits,
        }

    def until(self, condition, seconds):
        """Reads until the condition holds, the connection ends or the time is over."""
        stop = time.monotonic() + seconds
        while not condition() and self.end is None and self.answers.error is None:
            left = stop - time.monotonic()
            if left <= 0:
                return
            ready, _, _ = select.select([self.sock], [], [], left)
            if ready:
                self.receive()

    def receive(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            self.answers.finish(time.monotonic())
            self.end = "reset" if isinstance(error, RESET) else type(error).__name__
            return
        if data:
            self.answers.feed(data, time.monotonic())
        else:
            self.answers.finish(time.monotonic())
            self.end = "closed"

    def op_send(self, text):
        data = bytes.fromhex(text)
        stop = time.monotonic() + LIMIT
        self.answers.mark = time.monotonic()
        while data and self.end is None:
            try:
                data = data[self.sock.send(data):]
            except BlockingIOError:
                if time.monotonic() > stop:
                    self.end = "stuck"
                    return
                ready, _, _ = select.select([self.sock], [self.sock], [], 0.2)
                if ready:
                    self.receive()
            except OSError as error:
                # What was answered before is still there to be read.
                self.until(lambda: False, 0.2)
                self.end = self.end or ("reset" if isinstance(error, RESET) else type(error).__name__)

    def op_pause(self, ms):
        self.until(lambda: False, ms / 1000)

    def op_linger(self, ms):
        self.until(lambda: False, ms / 1000)
        if self.end is None:
            self.end = "open"

    def op_await(self, count):
        self.until(lambda: len(self.answers.done) >= count, LIMIT)
        if self.end is None and len(self.answers.done) < count:
            self.end = "silence"

    def op_half(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.end = "reset" if isinstance(error, RESET) else type(error).__name__


def main():
    threads = int(sys.argv[1])
    work = queue.Queue()
    lock = threading.Lock()

    def worker():
        while True:
            case = work.get()
            try:
                outcome = Play(case, case.get("settle", SETTLE)).run()
            except Exception as error:  # the harness must see it, whatever it is
                outcome = {"id": case["id"], "answers": [], "end": f"harness: {error!r}", "ms": []}
            with lock:
                sys.stdout.write(json.dumps(outcome) + "\n")
                sys.stdout.flush()

    for _ in range(threads):
        threading.Thread(target=worker, daemon=True).start()
    for line in sys.stdin:
        work.put(json.loads(line))
    os._exit(0)


main()
