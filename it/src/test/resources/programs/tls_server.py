"""An HTTP/1.1 server over TLS that says what it has seen of its client: tls_server.py PORT CERTIFICATE KEY [AUTHORITIES].

With AUTHORITIES a client has to show a certificate of theirs. A connection is closed after 5 requests.
"""
import http.server
import socketserver
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.left = 5

    def do_GET(self):
        shown = self.connection.getpeercert() or {}
        names = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
        body = f"tls {self.connection.version()} {self.server.asked} {''.join(names)} {self.headers['host']}\n".encode()
        self.left -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.left == 0:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256
    asked = "nobody"

    def handle_error(self, request, client_address):
        pass


def heard(connection, name, context):
    server.asked = name or "nobody"


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
context.sni_callback = heard
if len(sys.argv) > 4:
    context.load_verify_locations(sys.argv[4])
    context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
