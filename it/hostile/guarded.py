"""A server whose words nobody but a friend may hear: HTTP on 9080, plain TCP on 7000."""
import http.server
import os
import socketserver
import threading

SECRET = b"secret of the guarded server\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(SECRET)))
        self.end_headers()
        self.wfile.write(SECRET)

    def log_message(self, *args):
        pass


class Line(socketserver.StreamRequestHandler):
    timeout = 30

    def handle(self):
        if self.rfile.readline():
            self.wfile.write(SECRET)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


# Not the user of the mesh nor of the attackers, as a service of its own would run.
lines = Server(("0.0.0.0", 7000), Line)
pages = Server(("0.0.0.0", 9080), Handler)
os.setgid(65533)
os.setuid(65533)
threading.Thread(target=lines.serve_forever, daemon=True).start()
pages.serve_forever()
