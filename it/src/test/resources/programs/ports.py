"""Who has the mesh's ports: ports.py squat SECONDS PORT… | call URL SECONDS | head PORT.

squat: tries without a pause to get each port, on loopback and wildcards of both families, alone and shared, and tells at
the end how often it tried, how often it listened, and how many connections it received. call: requests, each on a
connection of its own; tells at the end how many were answered, and each other outcome with its number. head: a server that
answers with the head that it got.
"""
import collections
import json
import select
import socket
import sys
import time


def squat(seconds, ports):
    tries = bound = received = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for port in ports:
            for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"),
                                    (socket.AF_INET6, "::1"), (socket.AF_INET6, "::")):
                for shared in (False, True):
                    tries += 1
                    with socket.socket(family) as sock:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        if shared:
                            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                        if family == socket.AF_INET6:
                            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                        try:
                            sock.bind((address, port))
                            sock.listen(16)
                        except OSError:
                            continue
                        if sock.getsockname()[0] not in ("127.0.0.1", "0.0.0.0", "::1", "::"):
                            continue  # a workload's own address: nobody else's connections come there
                        bound += 1
                        received += bool(select.select([sock], [], [], 0.2)[0])
        time.sleep(0.001)
    print(f"tries {tries} bound {bound} received {received}", flush=True)


def call(url, seconds):
    host, _, path = url.removeprefix("http://").partition("/")
    host, _, port = host.partition(":")
    outcomes = collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, int(port)), timeout=20) as sock:
                sock.sendall(f"GET /{path} HTTP/1.1\r\nhost: {host}\r\ncookie: secret\r\n"
                             "connection: close\r\n\r\n".encode())
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
            outcomes[answer[9:12].decode() or "closed"] += 1
        except OSError as error:
            outcomes[type(error).__name__] += 1
        time.sleep(0.005)
    print(json.dumps(outcomes), flush=True)


def head(port):
    server = socket.create_server(("0.0.0.0", port), backlog=16)
    while True:
        sock, _ = server.accept()
        got = b""
        while b"\r\n\r\n" not in got and (piece := sock.recv(65536)):
            got += piece
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(got) + got)
        sock.close()


if sys.argv[1] == "squat":
    squat(float(sys.argv[2]), [int(port) for port in sys.argv[3:]])
elif sys.argv[1] == "call":
    call(sys.argv[2], float(sys.argv[3]))
else:
    head(int(sys.argv[2]))
