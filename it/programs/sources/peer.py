"""The two ends in plain Python: peer.py serve|late|lines PORT, web PORT FILE, send|poll|stream|tick|talk|fetch HOST PORT [BYTES].

An exchange: the client sends and ends its side, the server answers how much it heard with its checksum, then ANSWER bytes.
"""
import asyncio
import hashlib
import http.client
import http.server
import shutil
import signal
import socket
import sys
import threading
import time

ANSWER = 2_000_000
LATE = 0.3  # seconds
LINES = 200


def pattern(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def heard(data):
    return f"{len(data)} {hashlib.md5(data).hexdigest()}\n".encode()


def read_all(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def exchange(connection, late):
    question = read_all(connection)
    time.sleep(late)
    connection.sendall(heard(question) + pattern(ANSWER))
    connection.close()


def lines(connection):
    with connection, connection.makefile("rwb") as file:
        for line in file:
            file.write(b"you said " + line)
            file.flush()


def serve(port, function, *more):
    with socket.create_server(("0.0.0.0", port), backlog=50) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=function, args=(connection, *more), daemon=True).start()


def send(host, port, size, timeout=None):
    """With a timeout Python waits in poll, without one in recv itself."""
    question = pattern(size)
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        line, _, rest = read_all(connection).partition(b"\n")
    tell(question, line, rest)


def tell(question, line, rest):
    what = "heard" if line + b"\n" == heard(question) else line
    print("sent", len(question), what, "answer", rest == pattern(ANSWER))


async def stream(host, port, size):
    question = pattern(size)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(question)
    writer.write_eof()
    line, _, rest = (await asyncio.wait_for(reader.read(-1), 10)).partition(b"\n")
    tell(question, line, rest)
    writer.close()


def tick(host, port, size):
    """A timer that interrupts what waits, whose handler does nothing: Python goes on with the call."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        send(host, port, size)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def talk(host, port):
    right = 0
    with socket.create_connection((host, port)) as connection, connection.makefile("rwb") as file:
        for number in range(LINES):
            file.write(b"line %d\n" % number)
            file.flush()
            right += file.readline() == b"you said line %d\n" % number
    print(right, "answers")


class Web(http.server.BaseHTTPRequestHandler):
    """/file is the file, what is sent to /sum is counted and summed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with open(self.server.file, "rb") as file:
            self.send_response(200)
            self.send_header("Content-Length", str(file.seek(0, 2)))
            self.end_headers()
            file.seek(0)
            shutil.copyfileobj(file, self.wfile)

    def do_POST(self):
        answer = heard(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def web(port, file):
    server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Web)
    server.file = file
    server.serve_forever()


def fetch(host, port):
    """One connection for all."""
    connection = http.client.HTTPConnection(host, port)

    def ask(*words):
        connection.request(*words)
        response = connection.getresponse()
        return response.status, response.read()

    status, body = ask("GET", "/file")
    print(status, heard(body).decode(), end="")
    large = pattern(4_000_000)
    print("large", ask("POST", "/sum", large) == (200, heard(large)))
    small = [pattern(size * 50) for size in range(1, LINES + 1)]
    print(sum(ask("POST", "/sum", each) == (200, heard(each)) for each in small), "small ones")


def main(role, *words):
    size = int(words[2]) if len(words) > 2 else 5_000_000  # bytes
    try:
        match role:
            case "serve":
                serve(int(words[0]), exchange, 0)
            case "late":
                serve(int(words[0]), exchange, LATE)
            case "lines":
                serve(int(words[0]), lines)
            case "send":
                send(words[0], int(words[1]), size)
            case "poll":
                send(words[0], int(words[1]), size, 10)
            case "stream":
                asyncio.run(stream(words[0], int(words[1]), size))
            case "web":
                web(int(words[0]), words[1])
            case "fetch":
                fetch(words[0], int(words[1]))
            case "tick":
                tick(words[0], int(words[1]), size)
            case "talk":
                talk(words[0], int(words[1]))
    except OSError as failure:
        sys.exit(f"fails: {type(failure).__name__}, errno {failure.errno}")


main(*sys.argv[1:])
