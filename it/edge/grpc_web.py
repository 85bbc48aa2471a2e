#!/usr/bin/env python3
"""What a real Envoy makes of calls of gRPC-Web, against the table that Tulle's unit tests are held to.

Usage: grpc_web.py [--write]

For each row of proxy/src/test/resources/dev/tulle/proxy/grpc-web.txt an Envoy with its filter for gRPC-Web gets the call, and
a server of HTTP/2 behind it answers as the row says; what server and client get has to be what the row says. --write makes
the table anew from the cases below. Not among them, as Tulle does otherwise on purpose: other formats than that of protobuf
are served as well, a text without "accept" is answered in text, and what is no answer of gRPC stays as it is. The server is a second listener of the same Envoy, which hands everything, trailers
too, to a program of HTTP/1.1.
"""
import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(HOME, "proxy/src/test/resources/dev/tulle/proxy/grpc-web.txt")
TYPES = "type.googleapis.com/envoy.extensions."
HEADING = """# What calls of gRPC-Web become, and their answers, as Envoy 1.40 has it (it/edge/grpc_web.py writes and checks this). Bodies
# are written in hexadecimal, those of the client's side without their Base64: type of the call ; what the client accepts |
# body | status ; type ; body ; trailers of the server's answer | type and body that the server gets | status, type, body and
# grpc-status that the client gets
"""
WEB, TEXT = "application/grpc-web", "application/grpc-web-text"
GRPC = "application/grpc"
HELLO = b"\x00\x00\x00\x00\x05hello"
OTHER = b"\x00\x00\x00\x00\x01w"
OK = ["grpc-status: 0"]


def cases():
    for kind in (WEB, WEB + "+proto", TEXT, TEXT + "+proto"):
        yield kind, kind, HELLO, (200, GRPC, OTHER, OK)
        yield kind, kind, b"", (200, GRPC, b"", OK)
        yield kind, kind, HELLO + OTHER, (200, GRPC + "+proto", OTHER * 3, ["grpc-status: 5", "grpc-message: a%20b", "x-a: B: c"])
    yield WEB, "", HELLO, (200, GRPC, OTHER, OK)
    yield WEB, "*/*", HELLO, (200, GRPC, OTHER, OK)
    yield WEB, TEXT, HELLO, (200, GRPC, OTHER, OK)
    yield TEXT, WEB, HELLO, (200, GRPC, OTHER, OK)
    yield GRPC, "", HELLO, (200, GRPC, OTHER, OK)
    yield "application/json", "", b"{}", (200, "application/json", b"{}", [])
    yield WEB, WEB, HELLO * 100, (200, GRPC, OTHER * 200, OK)
    yield TEXT, TEXT, HELLO * 100, (200, GRPC, OTHER * 200, OK)


def read_message(connection):
    """Head and body of a message of HTTP/1.1, its chunks put together."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536) or sys.exit("the connection ended")
    head, body = data.split(b"\r\n\r\n", 1)
    if b"transfer-encoding: chunked" in head.lower():
        while not body.endswith(b"0\r\n\r\n"):
            body += connection.recv(65536)
        whole, at = b"", 0
        while True:
            line = body.index(b"\r\n", at)
            size = int(body[at:line], 16)
            if not size:
                return head.decode("latin1"), whole
            whole += body[line + 2:line + 2 + size]
            at = line + 2 + size + 2
    length = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while length and len(body) < length[0]:
        body += connection.recv(65536)
    return head.decode("latin1"), body


def answer(listening, wanted, got):
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            got.append(read_message(connection))
            status, kind, body, trailers = wanted[-1]
            lines = [f"HTTP/1.1 {status} Any", f"content-type: {kind}", "transfer-encoding: chunked", "connection: close"]
            chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
            end = "".join(f"{line}\r\n" for line in trailers)
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + chunk + f"0\r\n{end}\r\n".encode())


def pipe(path):
    return {"pipe": {"path": path}}


def listener(path, cluster, codec, filters):
    manager = {
        "@type": TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "edge",
        "codec_type": codec, "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": {
            "@type": TYPES + "filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": cluster}}]}]}}
    return {"name": path, "address": pipe(path), "filter_chains": [
        {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}


def cluster(name, path, options):
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", "typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": TYPES + "upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": options}},
        "load_assignment": {"cluster_name": name, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": pipe(path)}}]}]}}


def configuration(folder):
    web = {"name": "envoy.filters.http.grpc_web", "typed_config": {"@type": TYPES + "filters.http.grpc_web.v3.GrpcWeb"}}
    place = {name: os.path.join(folder, name) for name in ("edge", "server", "origin")}
    return {"static_resources": {
        "listeners": [listener(place["edge"], "server", "HTTP1", [web]), listener(place["server"], "origin", "HTTP2", [])],
        "clusters": [cluster("server", place["server"], {"http2_protocol_options": {}}),
                     cluster("origin", place["origin"], {"http_protocol_options": {"enable_trailers": True}})]}}


class Connection(http.client.HTTPConnection):
    """One over a socket in the file system: no port of this host is asked for."""

    def __init__(self, path):
        super().__init__("any", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def unwrapped(text):
    """The bytes of Base64 of which each part may be padded."""
    return b"".join(base64.b64decode(text[at:at + 4], validate=True) for at in range(0, len(text), 4))


def ask(path, case, wanted, got):
    kind, accept, body, given = case
    wanted.append(given)
    connection = Connection(path)
    fields = {"content-type": kind, "x-grpc-web": "1"}
    if accept:
        fields["accept"] = accept
    connection.request("POST", "/s/m", base64.b64encode(body) if kind.startswith(TEXT) else body, fields)
    answered = connection.getresponse()
    content = answered.read()
    connection.close()
    head, received = got[-1]
    seen = [line.split(": ", 1)[1] for line in head.split("\r\n") if line.lower().startswith("content-type:")]
    back = answered.getheader("content-type", "")
    content = unwrapped(content) if back.startswith(TEXT) else content
    return [seen[0], received.hex(), str(answered.status), back, content.hex(), answered.getheader("grpc-status", "")]


def wait_for(path, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended with status {process.returncode}")
        with socket.socket(socket.AF_UNIX) as one:
            if one.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("Envoy does not listen after 20 s")


def written(case, result):
    kind, accept, body, (status, answered, content, trailers) = case
    parts = [[kind, accept], [body.hex()], [str(status), answered, content.hex(), *trailers], result[:2], result[2:]]
    return " | ".join(" ; ".join(part) for part in parts)


def rows():
    with open(TABLE) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                called, body, given, *result = [part.split(" ; ") for part in line.rstrip("\n").split(" | ")]
                status, answered, content, *trailers = given
                yield ((*called, bytes.fromhex(body[0]), (int(status), answered, bytes.fromhex(content), trailers)),
                       result[0] + result[1])


def main(write):
    binary = subprocess.run([os.path.join(HOME, "control/src/test/envoy/binary")], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    wanted, got, wrong, passed, table = [], [], 0, 0, []
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as origin:
        origin.bind(os.path.join(folder, "origin"))
        origin.listen(16)
        threading.Thread(target=answer, args=(origin, wanted, got), daemon=True).start()
        path = os.path.join(folder, "envoy.json")
        with open(path, "w") as file:
            json.dump(configuration(folder), file)
        process = subprocess.Popen([binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "--log-level",
                                    "error", "--disable-hot-restart"], stdin=subprocess.DEVNULL)
        try:
            edge = os.path.join(folder, "edge")
            wait_for(edge, process)
            wait_for(os.path.join(folder, "server"), process)
            for case, result in ((case, None) for case in cases()) if write else rows():
                found = ask(edge, case, wanted, got)
                table.append(written(case, found))
                same = result is None or found == result
                passed += same
                if not same:
                    wrong += 1
                    print(f"not ok {written(case, result)[:300]}: Envoy {str(found)[:300]}")
        finally:
            process.terminate()
            process.wait(20)
    if passed + wrong == 0:
        wrong = 1
        print("not ok the table is empty")
    if write:
        with open(TABLE, "w") as file:
            file.write(HEADING + "".join(f"{line}\n" for line in table))
    print(f"{passed} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    if any(word != "--write" for word in sys.argv[1:]):
        sys.exit(__doc__)
    sys.exit(main("--write" in sys.argv[1:]))
