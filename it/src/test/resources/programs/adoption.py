"""Programs that outlive their mesh.

adoption.py serve PORT          echoes numbers of 8 bytes over each connection, for ever
adoption.py web PORT            answers HTTP requests
adoption.py stream HOST PORT FILE
    one connection for life: sends a number, expects it back, the next one; FILE holds how many came back, or why not
adoption.py probe HOST PORT FILE
    looks the name up and asks over HTTP, again and again; FILE holds the time of the last answer, in seconds
"""
import http.client
import http.server
import os
import socket
import struct
import sys
import threading
import time


def keep(path, text):
    with open(path + ".new", "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


def exactly(sock, size):
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise OSError("end of stream")
        data += more
    return data


def echo(sock):
    with sock:
        try:
            while True:
                sock.sendall(exactly(sock, 8))
        except OSError:
            return


def serve(port):
    listener = socket.create_server(("", port), backlog=64)
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=echo, args=(sock,), daemon=True).start()


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


def stream(host, port, path):
    number = 0
    kept = 0.0
    try:
        sock = socket.create_connection((host, port), timeout=60)
        while True:
            sock.sendall(struct.pack(">Q", number))
            (back,) = struct.unpack(">Q", exactly(sock, 8))
            if back != number:
                raise OSError(f"expected {number}, found {back}")
            number += 1
            if time.time() - kept > 0.1:
                kept = time.time()
                keep(path, str(number))
            time.sleep(0.002)
    except OSError as error:
        keep(path, f"failed after {number}: {error}")
        raise


def probe(host, port, path):
    """Asks ten times a second, each time anew: a look-up that was lost while nobody answered waits for its resolver, and
    would hide that the next one is answered at once."""
    newest = [0.0]
    lock = threading.Lock()

    def one(begun):
        try:
            ask = http.client.HTTPConnection(host, port, timeout=0.5)
            ask.request("GET", "/")
            status = ask.getresponse().status
            ask.close()
        except (OSError, http.client.HTTPException):
            return
        with lock:
            if status == 200 and begun > newest[0]:
                newest[0] = begun
                keep(path, repr(time.time()))

    while True:
        if threading.active_count() < 100:
            threading.Thread(target=one, args=(time.time(),), daemon=True).start()
        time.sleep(0.1)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "serve":
        serve(int(words[0]))
    elif what == "web":
        http.server.ThreadingHTTPServer(("", int(words[0])), Web).serve_forever()
    elif what == "stream":
        stream(words[0], int(words[1]), words[2])
    else:
        probe(words[0], int(words[1]), words[2])
