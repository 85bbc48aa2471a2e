"""The programs on the hosts: none knows of the mesh. `programs.py NAME ARGUMENT…`."""
import http.server
import socket
import socketserver
import sys


class Says(http.server.BaseHTTPRequestHandler):
    """Answers every request with its own name, the path and what came with it."""

    protocol_version = "HTTP/1.1"
    name = ""

    def do_GET(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def _answer(self, body):
        text = f"{self.name} {self.path} ".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes until the end, and then how much that was: the half that is still open."""

    def handle(self):
        total = 0
        while data := self.request.recv(65536):
            total += len(data)
            self.request.sendall(data)
        self.request.sendall(f" {total}".encode())


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve(name, port):
    Says.name = name
    http.server.ThreadingHTTPServer(("", int(port)), Says).serve_forever()


def echo(port):
    Threads(("", int(port)), Echo).serve_forever()


def send(host, port, text):
    """Sends a text, closes its half, and prints what comes back."""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            sys.stdout.write(data.decode())


def idle():
    """Holds a workload until it is stopped."""
    import signal

    signal.pause()


if __name__ == "__main__":
    {"serve": serve, "echo": echo, "send": send, "idle": idle}[sys.argv[1]](*sys.argv[2:])
