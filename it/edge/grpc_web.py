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
import os
import sys

from envoy import TABLES, TYPES, Connection, cluster, compare, lines, listener, running, started

TABLE = os.path.join(TABLES, "grpc-web.txt")
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


def message(status, kind, body, trailers):
    fields = [f"HTTP/1.1 {status} Any", f"content-type: {kind}", "transfer-encoding: chunked", "connection: close"]
    chunk = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    end = "".join(f"{line}\r\n" for line in trailers)
    return "\r\n".join([*fields, "", ""]).encode() + chunk + f"0\r\n{end}\r\n".encode()


def configuration(folder):
    web = {"name": "envoy.filters.http.grpc_web", "typed_config": {"@type": TYPES + "filters.http.grpc_web.v3.GrpcWeb"}}
    place = {name: os.path.join(folder, name) for name in ("edge", "server", "origin")}
    return {
        "listeners": [listener(place["edge"], "server", [web], {"codec_type": "HTTP1"}),
                      listener(place["server"], "origin", [], {"codec_type": "HTTP2"})],
        "clusters": [cluster("server", place["server"], {"http2_protocol_options": {}}),
                     cluster("origin", place["origin"], {"http_protocol_options": {"enable_trailers": True}})]}


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


def written(case, result):
    kind, accept, body, (status, answered, content, trailers) = case
    parts = [[kind, accept], [body.hex()], [str(status), answered, content.hex(), *trailers], result[:2], result[2:]]
    return " | ".join(" ; ".join(part) for part in parts)


def rows():
    for line in lines(TABLE):
        called, body, given, *result = [part.split(" ; ") for part in line.split(" | ")]
        status, answered, content, *trailers = given
        yield ((*called, bytes.fromhex(body[0]), (int(status), answered, bytes.fromhex(content), trailers)),
               result[0] + result[1])


def main(write):
    wanted, got = [], []

    def answer(connection):
        got.append(read_message(connection))
        connection.sendall(message(*wanted[-1]))

    with running(configuration, answer) as folder:
        expected = ((case, None) for case in cases()) if write else rows()
        return compare(TABLE, HEADING, expected, lambda case: ask(os.path.join(folder, "edge"), case, wanted, got), written,
                       write)


started(__name__, __doc__, main)
