"""Checks how the services treat connections: connections.py DETAILS REVIEWS RATINGS PRODUCTPAGE

Arguments are ports of 127.0.0.1. One line "ok NAME" or "failed NAME: why" for each check.
"""

import http.client
import socket
import sys

PATHS = {"details": "/details/0", "reviews": "/reviews/0", "ratings": "/ratings/0", "productpage": "/productpage"}


def keep_alive(port, path):
    """Five requests on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    first = connection.sock
    for _ in range(5):
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, f"status {response.status}"
        assert int(response.headers["content-length"]) == len(body), "Content-Length is not the length"
        assert connection.sock is first, "the server closed the connection"
    connection.close()


def head(port, path):
    """HEAD has the length of GET, no body, and leaves the connection usable."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for method in ("HEAD", "GET"):
        connection.request(method, path)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, f"{method}: status {response.status}"
    connection.close()


def wrong_method(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", path, body=b"x", headers={"Content-Type": "text/plain"})
    response = connection.getresponse()
    response.read()
    assert response.status == 405, f"status {response.status}"
    connection.request("GET", path)  # the body above was read, not taken for a request
    response = connection.getresponse()
    assert response.status == 200, f"status {response.status} after the POST"
    connection.close()


def http_1_0(port, path):
    """An HTTP/1.0 client gets an answer that ends with the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        received = b""
        while part := plain.recv(65536):
            received += part
    assert received.split(b"\r\n")[0].endswith(b" 200") or b" 200 " in received[:16], received[:40]


for (name, path), port in zip(PATHS.items(), sys.argv[1:], strict=True):
    for test in (keep_alive, head, wrong_method, http_1_0):
        try:
            test(int(port), path)
            print(f"ok {name}: {test.__name__}")
        except (AssertionError, OSError, http.client.HTTPException) as e:
            print(f"failed {name}: {test.__name__}: {e or type(e).__name__}")
