"""What both Python programs of Bookinfo share: an HTTP/1.1 server and a small client.

Standard library only, and nothing here knows about a mesh: the programs listen on a port, call
their back ends by name and forward the headers that every traced application forwards.
"""

import http.client
import http.server
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request

# Headers a service copies from the request it serves to the requests it makes for it.
FORWARDED_HEADERS = (
    "x-request-id",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "end-user",
    "user-agent",
)

# Larger request bodies are refused (413); nothing in Bookinfo needs more than a sign-in form.
REQUEST_BODY_BYTES_MAX = 4096
# Larger answers of a back end count as a failure of that back end.
RESPONSE_BODY_BYTES_MAX = 1 << 20
# A kept-alive connection without a request is closed after this time.
SERVER_IDLE_SECONDS = 120
# How long requests that are being served may take after SIGTERM.
STOP_GRACE_SECONDS = 3


class _Stop(BaseException):
    """Raised by the SIGTERM handler; not an Exception, so that no request handling catches it."""


def _seconds_from_environment(name, default):
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        sys.exit(f"{name}={text!r}: expected a number of seconds, 0 or more")
    return value


def _port_from_environment():
    text = os.environ.get("PORT", "9080")
    if not text.isdigit() or not 0 < int(text) < 65536:
        sys.exit(f"PORT={text!r}: expected a port number from 1 to 65535")
    return int(text)


class BackendError(Exception):
    """A back end gave no usable answer. `status` is what an API should pass on."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Answer:
    """An answer of a back end: status, body (bytes) and how long it took (seconds)."""

    def __init__(self, status, body, seconds):
        self.status = status
        self.body = body
        self.seconds = seconds

    def json(self):
        return json.loads(self.body)


class Backend:
    """An HTTP service that is called by name, over kept-alive connections. Any thread.

    NAME_URL overrides the address, http_proxy/no_proxy are honoured as curl does.
    """

    # Idle connections kept for reuse; more are closed after use.
    IDLE_MAX = 32

    def __init__(self, name):
        variable = name.upper() + "_URL"
        url = os.environ.get(variable) or f"http://{name}:9080"
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            sys.exit(f"{variable}={url!r}: expected http://HOST[:PORT][/PREFIX]")
        self.name = name
        self._prefix = parts.path.rstrip("/")
        self._address = (parts.hostname, parts.port or 80)
        self._absolute = ""
        proxy = urllib.request.getproxies_environment().get("http", "")
        if proxy and not urllib.request.proxy_bypass_environment(parts.netloc):
            via = urllib.parse.urlsplit(proxy if "://" in proxy else "http://" + proxy)
            if via.scheme != "http" or not via.hostname:
                sys.exit(f"http_proxy={proxy!r}: expected http://HOST[:PORT]")
            self._address = (via.hostname, via.port or 80)
            self._absolute = f"http://{parts.netloc}"
        self._timeout_seconds = _seconds_from_environment("TIMEOUT_SECONDS", 6.0) or None
        self._idle_seconds_max = _seconds_from_environment("CLIENT_IDLE_SECONDS", 5.0)
        self._idle = []
        self._lock = threading.Lock()

    def get(self, path, headers):
        """Answers what the back end says to GET `path`; raises BackendError if it says nothing."""
        started = time.monotonic()
        try:
            status, body = self._exchange(self._absolute + self._prefix + path, headers)
        except TimeoutError as e:
            waited = time.monotonic() - started
            raise BackendError(504, f"{self.name}: no answer within {waited:.1f} s") from e
        except (OSError, http.client.HTTPException) as e:
            cause = getattr(e, "strerror", None) or str(e) or type(e).__name__
            raise BackendError(503, f"{self.name}: {cause}") from e
        return Answer(status, body, time.monotonic() - started)

    def _exchange(self, target, headers):
        connection = self._take_idle()
        if connection is not None:
            try:
                return self._send(connection, target, headers)
            except (ConnectionError, http.client.BadStatusLine):
                # The server closed the idle connection while the request was on its way. A GET
                # may be sent again, once, and on a new connection.
                connection.close()
        connection = http.client.HTTPConnection(*self._address, timeout=self._timeout_seconds)
        return self._send(connection, target, headers)

    def _send(self, connection, target, headers):
        try:
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            body = response.read(RESPONSE_BODY_BYTES_MAX + 1)
            if len(body) > RESPONSE_BODY_BYTES_MAX:
                raise http.client.HTTPException(
                    f"answer larger than {RESPONSE_BODY_BYTES_MAX} bytes"
                )
        except BaseException:
            connection.close()
            raise
        self._put_idle(connection, response)
        return response.status, body

    def _take_idle(self):
        oldest = time.monotonic() - self._idle_seconds_max
        with self._lock:
            while self._idle:
                connection, since = self._idle.pop()
                if since > oldest:
                    return connection
                connection.close()
        return None

    def _put_idle(self, connection, response):
        if response.will_close or not response.isclosed() or not self._idle_seconds_max:
            connection.close()
            return
        with self._lock:
            if len(self._idle) < self.IDLE_MAX:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection. Subclasses answer through `respond`; everything else is done here."""

    protocol_version = "HTTP/1.1"
    timeout = SERVER_IDLE_SECONDS
    # A response leaves in one write, without waiting for the acknowledgement of an earlier one.
    wbufsize = -1
    disable_nagle_algorithm = True
    # The user of the request, where it is known by more than the header end-user; for the log.
    user = ""

    def respond(self, method, path, query, form):
        """Answers one request by calling `send` or `send_json` exactly once."""
        raise NotImplementedError

    def do_GET(self):
        self._serve({})

    def do_HEAD(self):
        self._serve({})

    def do_POST(self):
        if self.headers.get("content-type", "").split(";")[0] != "application/x-www-form-urlencoded":
            self._serve({})
            return
        self._serve(None)

    def _serve(self, form):
        self._started = time.monotonic()
        self.user = ""
        body = self._read_body()
        if body is None:
            return
        parts = urllib.parse.urlsplit(self.path)
        if form is None:
            form = urllib.parse.parse_qs(body.decode("latin-1"))
        query = urllib.parse.parse_qs(parts.query)
        with self.server.in_flight:
            self.respond(self.command, urllib.parse.unquote(parts.path), query, form)
            self.wfile.flush()

    def _read_body(self):
        if "transfer-encoding" in self.headers:
            self.close_connection = True
            self.send_json(411, {"error": "a request body needs a Content-Length"})
            return None
        lengths = set(self.headers.get_all("content-length", ["0"]))
        text = lengths.pop()
        if lengths or not (text.isascii() and text.isdigit()):
            self.close_connection = True
            self.send_json(400, {"error": "Content-Length is not one number"})
            return None
        if int(text) > REQUEST_BODY_BYTES_MAX:
            self.close_connection = True
            self.send_json(413, {"error": f"body larger than {REQUEST_BODY_BYTES_MAX} bytes"})
            return None
        return self.rfile.read(int(text))

    def forwarded_headers(self):
        found = {}
        for name in FORWARDED_HEADERS:
            values = self.headers.get_all(name)
            if values:
                found[name] = ", ".join(values)
        return found

    def send_json(self, status, value):
        self.send(status, "application/json", json.dumps(value).encode())

    def send(self, status, content_type, body, headers=()):
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        elif self.request_version == "HTTP/1.0":
            self.send_header("Connection", "keep-alive")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self._log_access(status)

    def _log_access(self, status):
        if self.server.access_log:
            millis = (time.monotonic() - self._started) * 1000
            path = self.path.encode("unicode_escape").decode()
            user = self.user or self.headers.get("end-user", "-")
            request_id = self.headers.get("x-request-id", "-")
            log(
                f"{self.server.label} {self.command} {path} {status} {millis:.1f} ms"
                f" end-user={user} x-request-id={request_id}"
            )

    def log_message(self, format, *args):  # the base class's own log lines: access lines replace them
        pass


class InFlight:
    """Counts the requests being served, so that a stop can wait for them."""

    def __init__(self):
        self._changed = threading.Condition()
        self._count = 0

    def __enter__(self):
        with self._changed:
            self._count += 1

    def __exit__(self, *failure):
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_until_none(self, seconds):
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, seconds)


class Server(http.server.ThreadingHTTPServer):
    """The server of one program: a thread for each connection."""

    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, service, handler, dual_stack):
        self.label = f"{service}-{os.environ.get('SERVICE_VERSION') or 'v1'}"
        self.access_log = os.environ.get("ACCESS_LOG", "on") != "off"
        self.in_flight = InFlight()
        self._dual_stack = dual_stack and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if self._dual_stack else socket.AF_INET
        port = _port_from_environment()
        address = "::" if self._dual_stack else "0.0.0.0"
        try:
            super().__init__((address, port), handler)
        except OSError as e:
            sys.exit(f"{self.label}: cannot listen on port {port}: {e.strerror}")

    def server_bind(self):
        if self._dual_stack:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Not HTTPServer's own: that one asks the resolver for the name of the bound address.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name = "localhost"
        self.server_port = self.server_address[1]

    def handle_error(self, request, client_address):
        failure = sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1]
        if not isinstance(failure, ConnectionError):  # a client that went away is no news
            log(f"{self.label} error: {type(failure).__name__}: {failure}")


def log(line):
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (BrokenPipeError, ValueError):
        pass  # nobody reads the log any more; the service goes on


def run(service, handler, dual_stack=True):
    """Serves until SIGTERM or Ctrl-C, then finishes what is being served and ends with status 0."""
    server = Server(service, handler, dual_stack)

    def stop(signum, frame):
        raise _Stop

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    host, port = server.server_address[:2]
    shown = f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    log(f"{server.label} listening on {shown}:{port}, pid {os.getpid()}")
    try:
        server.serve_forever(poll_interval=None)
    except _Stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.socket.close()
        server.in_flight.wait_until_none(STOP_GRACE_SECONDS)
        log(f"{server.label} stopped")
    # Not sys.exit: idle connections have threads that wait in a read, and the interpreter's
    # orderly end may meet one of them in the middle of a write to stdout.
    os._exit(0)
