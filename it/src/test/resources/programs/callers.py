"""Tries every way to be taken for somebody else, or reports how a legitimate caller fares.

    callers.py serve HTTP TCP       an HTTP server and a TCP echo
    callers.py try SERVICE HTTP TCP ADDRESS PUBLISHED EXPLICIT
                                    one line an attempt: NAME ok|refused|ERROR
    callers.py hold SERVICE PORT FILE
                                    keeps a connection open; says in FILE what becomes of it
"""

import ctypes
import http.server
import os
import socket
import sys
import threading



PORTS = iter(range(20000 + os.getpid() % 10000, 32767))


def outside_address():
    """An address of this host that is no loopback one, if it has any."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("203.0.113.1", 9))
            return sock.getsockname()[0]
    except OSError:
        return "127.0.0.3"


def serve(web, tcp):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"in")

        def log_message(self, *_):
            pass
    echo = socket.create_server(("0.0.0.0", tcp), backlog=256)

    def answer(sock):
        try:
            with sock:
                while data := sock.recv(4096):
                    sock.sendall(data)
        except OSError:
            pass

    def accept():
        while True:
            threading.Thread(target=answer, args=(echo.accept()[0],), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    http.server.ThreadingHTTPServer(("0.0.0.0", web), Handler).serve_forever()


def bound(source, port=0, kind=socket.SOCK_STREAM, protocol=0):
    sock = socket.socket(socket.AF_INET, kind, protocol)
    sock.settimeout(8)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if source:
        # A port of one's own choice, each used once: the last attempt's may still rest.
        sock.bind((source, next(PORTS) if port < 0 else port))
    return sock


def http_answer(sock, host, target="/"):
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head = b""
    while b"\r\n" not in head:
        data = sock.recv(4096)
        if not data:
            return "refused"
        head += data
    status = head.split(b" ")[1]
    return {b"200": "ok", b"403": "refused", b"503": "refused"}.get(status, status.decode())


def tcp_answer(sock, *_):
    sock.sendall(b"hello")
    return "ok" if sock.recv(5) == b"hello" else "refused"


def plain(sock, target):
    sock.connect(target)
    return sock


def fast(sock, target):
    sock.setblocking(True)
    sock.sendto(b"", socket.MSG_FASTOPEN, target)
    sock.settimeout(8)
    return sock


def deferred(sock, target):
    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)
    sock.setsockopt(socket.IPPROTO_TCP, 34, 1)
    sock.connect(target)
    return sock


def again(sock, target):
    """Connected, disconnected, connected."""
    sock.connect(target)
    sock.setblocking(True)
    ctypes.CDLL(None).connect(sock.fileno(), bytes(16), 16)
    sock.settimeout(8)
    sock.connect(target)
    return sock


def passed(sock, target):
    """Through another process, which connects it."""
    left, right = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if not child:
        try:
            _, fds, _, _ = socket.recv_fds(right, 1, 1)
            os.setsid()
            other = socket.socket(fileno=fds[0])
            other.settimeout(8)
            other.connect(target)
            right.send(b"k")
        except OSError:
            right.send(b"e")
        os._exit(0)
    with left, right:
        socket.send_fds(left, [b"s"], [sock.fileno()])
        outcome = left.recv(1)
    os.waitpid(child, 0)
    if outcome != b"k":
        raise ConnectionRefusedError
    return sock


def tunnel(sock, proxy, authority):
    sock.connect(proxy)
    sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        if not data:
            raise ConnectionRefusedError
        head += data
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionRefusedError
    return sock


def mptcp(source, port=0):
    return bound(source, port, protocol=262)


def attempts(web, http_port, tcp_port, address, published, explicit):
    host = outside_address()
    sources = [("none", "", 0), ("own", os.environ.get("TULLE_ADDRESS", ""), 0),
               ("loopback", "127.0.0.1", 0), ("loopback-port", "127.0.0.1", -1),
               ("loopback-other", "127.44.5.6", 0), ("interface", host, 0),
               ("interface-port", host, -1), ("any-port", "0.0.0.0", -1)]
    for name, source, port in sources:
        for way in (plain, fast, deferred):
            yield f"http {name} {way.__name__}", way, (source, port), (web, http_port), http_answer, web
            yield f"tcp {name} {way.__name__}", way, (source, port), (web, tcp_port), tcp_answer, web
        yield f"address {name}", plain, (source, port), (address, tcp_port), tcp_answer, web
        yield f"published {name}", plain, (source, port), ("127.0.0.1", published), http_answer, web
        yield f"published-host {name}", plain, (source, port), (host, published), http_answer, web
    for way in (again, passed):
        for name, source, port in sources[2:3] + sources[5:6]:
            yield f"http {name} {way.__name__}", way, (source, port), (web, http_port), http_answer, web
            yield f"tcp {name} {way.__name__}", way, (source, port), (web, tcp_port), tcp_answer, web
    for name, source, port in sources:
        for authority in (f"{web}:{http_port}", f"{web}:{tcp_port}", f"{address}:{tcp_port}"):
            yield (f"connect {name} {authority}",
                   lambda sock, proxy, to=authority: tunnel(sock, proxy, to), (source, port),
                   ("127.0.0.1", explicit), http_answer if authority.endswith(f":{http_port}") else tcp_answer,
                   web)
        yield (f"absolute {name}", plain, (source, port), ("127.0.0.1", explicit),
               lambda sock, name_: http_answer(sock, name_, f"http://{name_}/"), web)


def run(*words):
    for name, way, source, target, answer, host in attempts(*words):
        try:
            with bound(*source) as sock:
                print(name.replace(" ", "_"), answer(way(sock, target), host), flush=True)
        except (ConnectionError, PermissionError):
            print(name.replace(" ", "_"), "refused", flush=True)
        except OSError as error:
            print(name.replace(" ", "_"), f"{type(error).__name__}:{error.errno}", flush=True)


def hold(service, port, file):
    """Keeps a connection open; says in the file what becomes of it."""
    def say(text):
        with open(file + ".new", "w", encoding="ascii") as out:
            out.write(text)
        os.rename(file + ".new", file)
    sock = socket.create_connection((service, port), timeout=8)
    sock.sendall(b"x")
    sock.recv(1)
    say("open")
    sock.settimeout(30)
    try:
        say("data" if sock.recv(1) else "closed")
    except OSError as error:
        say(f"cut {error.errno}")


if __name__ == "__main__":
    words = sys.argv[2:]
    if sys.argv[1] == "serve":
        serve(int(words[0]), int(words[1]))
    elif sys.argv[1] == "try":
        run(words[0], int(words[1]), int(words[2]), words[3], int(words[4]), int(words[5]))
    else:
        hold(words[0], int(words[1]), words[2])
