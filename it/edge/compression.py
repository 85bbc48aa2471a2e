#!/usr/bin/env python3
"""What real Envoys compress, against the table that Tulle's unit tests are held to.

Usage: compression.py [--write]

For each row of proxy/src/test/resources/dev/tulle/proxy/compression.txt an Envoy with compressors for these codings gets
the request's fields, and its server answers with the status, the fields and a body of so many bytes; what reaches the
client has to have the fields that the row says, and the body, decoded, has to be the server's. --write makes the table anew
from the cases below. Not among them, as Tulle does otherwise on purpose: names of codings and Vary are read without regard to
case, Vary: * stays alone, of codings that a client likes alike the first that is offered is taken and not the first that
he names, "identity, gzip" is answered in gzip, and what is refused with q=0 is not taken by way of "*".
"""
import gzip
import os
import shutil
import subprocess

from envoy import TABLES, TYPES, Connection, cluster, compare, head_of, lines, listener, running, started

TABLE = os.path.join(TABLES, "compression.txt")
MINIMUM = 256
CONTENT = ["text/plain", "text/html", "text/event-stream", "application/json"]
LIBRARIES = {"gzip": "gzip.compressor.v3.Gzip", "br": "brotli.compressor.v3.Brotli", "zstd": "zstd.compressor.v3.Zstd"}
CODINGS = {"gzip": ["gzip"], "zstd,br,gzip": ["zstd", "br", "gzip"]}
HEADING = """# What is compressed, as Envoy 1.40 decides it (it/edge/compression.py writes and checks this), for bodies of 256 bytes or
# more of text/plain, text/html, text/event-stream and application/json: codings that are offered | method and the request's
# fields | status, bytes of the body (chunked: without a length) and the answer's fields | Content-Encoding | Vary | ETag
"""
PLAIN = ["content-type: text/plain"]
TAKES = ["accept-encoding: gzip"]


def cases():
    for words in ("gzip", "gzip;q=1", "gzip;q=0.5", "gzip;q=0", "gzip;q=0.000", "gzip; q=0.5", "gzip ;q=0.5",
                  "deflate, gzip", "deflate", "identity", "identity;q=0.5, gzip;q=0.4", "identity;q=0.4, gzip;q=0.5",
                  "*", "*;q=0", "*;q=0.1", "identity, *;q=0.1", "gzip;q=0.1, *;q=0", "", "br", "gzip,,", "gzip;q=1.0",
                  "gzip;x=1", "gzip;q=0.5, br;q=1, deflate"):
        yield "gzip", "GET", [f"accept-encoding: {words}"], 200, "1000", PLAIN
    yield "gzip", "GET", [], 200, "1000", PLAIN
    yield "gzip", "GET", ["accept-encoding: br", "accept-encoding: gzip"], 200, "1000", PLAIN
    for words in ("zstd, br, gzip", "gzip;q=0.5, br;q=0.9, zstd;q=0.1", "br", "br, gzip", "zstd;q=0, br, gzip",
                  "zstd;q=0.2, gzip;q=0.8", "deflate, gzip;q=0.3", "*", "identity;q=0.9, zstd;q=0.5"):
        yield "zstd,br,gzip", "GET", [f"accept-encoding: {words}"], 200, "1000", PLAIN
    for length in ("0", "1", "255", "256", "100000", "chunked 0", "chunked 10", "chunked 1000"):
        yield "gzip", "GET", TAKES, 200, length, PLAIN
    for kind in ("text/plain; charset=utf-8", "TEXT/PLAIN", "text/html", "image/png", "application/json;x=y",
                 "application/grpc", "text/event-stream", "text/plainer", "text/*"):
        yield "gzip", "GET", TAKES, 200, "1000", [f"content-type: {kind}"]
    for field in ("cache-control: no-transform", "cache-control: max-age=3, No-Transform", "cache-control: no-cache",
                  "content-encoding: gzip", "content-encoding: br", "vary: origin", "vary: Accept-Encoding",
                  "vary: origin, Accept-Encoding", 'etag: "a"', 'etag: W/"a"', 'etag: w/"a"'):
        yield "gzip", "GET", TAKES, 200, "1000", PLAIN + [field]
        yield "gzip", "GET", [], 200, "1000", PLAIN + [field]
    yield "gzip", "GET", TAKES, 200, "1000", PLAIN + ["vary: origin", "vary: cookie"]
    yield "gzip", "HEAD", TAKES, 200, "1000", PLAIN
    yield "gzip", "HEAD", TAKES, 200, "10", PLAIN
    yield "gzip", "HEAD", TAKES, 200, "1000", PLAIN + ['etag: "a"']
    yield "gzip", "POST", TAKES, 200, "1000", PLAIN
    for status in (201, 203, 400, 404, 500, 503):
        yield "gzip", "GET", TAKES, status, "1000", PLAIN
    yield "gzip", "GET", TAKES, 204, "none", []
    yield "gzip", "GET", TAKES, 304, "none", ['etag: "a"']


def body(length):
    return (b"what is said again and again " * (int(length) // 29 + 1))[:int(length)]


def whole(method, status, length, fields):
    """The server's answer as bytes."""
    lines = [f"HTTP/1.1 {status} Any", *fields]
    content = b""
    if length.startswith("chunked"):
        lines.append("transfer-encoding: chunked")
        content = body(length.split()[1])
        content = (b"%x\r\n%s\r\n" % (len(content), content) if content else b"") + b"0\r\n\r\n"
    elif length != "none":
        lines.append(f"content-length: {length}")
        content = body(length)
    return "\r\n".join([*lines, "connection: close", "", ""]).encode() + (b"" if method == "HEAD" else content)


def compressor(coding):
    return {"name": coding, "typed_config": {
        "@type": TYPES + "filters.http.compressor.v3.Compressor",
        "response_direction_config": {
            "common_config": {"min_content_length": MINIMUM, "content_type": CONTENT},
            "weaken_etag_on_compress": True},
        "compressor_library": {"name": coding, "typed_config": {
            "@type": TYPES + "compression." + LIBRARIES[coding]}}}}


def configuration(folder):
    return {"listeners": [listener(os.path.join(folder, offered), "origin", [compressor(coding) for coding in codings])
                          for offered, codings in CODINGS.items()],
            "clusters": [cluster("origin", os.path.join(folder, "origin"))]}


def decoded(coding, content):
    if coding == "gzip":
        return gzip.decompress(content)
    command = {"br": ["brotli", "-dc"], "zstd": ["zstd", "-dcq"]}.get(coding)
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout if command else content


def ask(path, case, wanted):
    """What the client got: coding, Vary and ETag."""
    _, method, fields, status, length, others = case
    wanted.append(whole(method, status, length, others))
    connection = Connection(path)
    connection.putrequest(method, "/", skip_accept_encoding=True)
    for field in fields:
        name, value = field.split(":", 1)
        connection.putheader(name, value.strip())
    connection.endheaders()
    got = connection.getresponse()
    content = got.read()
    connection.close()
    if got.status != status:
        raise RuntimeError(f"{case}: Envoy answers {got.status}")
    coding = got.getheader("content-encoding", "")
    own = any(field.startswith("content-encoding") for field in others)
    sent = b"" if method == "HEAD" or length == "none" else body(length.split()[-1])
    if not own and decoded(coding, content) != sent:
        raise RuntimeError(f"{case}: another body")
    return [coding, got.getheader("vary", ""), got.getheader("etag", "")]


def written(case, result):
    offered, method, fields, status, length, others = case
    return " | ".join([offered, " ; ".join([method, *fields]), " ; ".join([str(status), length, *others]), *result])


def rows():
    for line in lines(TABLE):
        offered, asked, given, *result = [part.strip() for part in line.split(" | ")]
        method, *fields = asked.split(" ; ")
        status, length, *others = given.split(" ; ")
        yield (offered, method, fields, int(status), length, others), result


def main(write):
    for tool in ("brotli", "zstd"):
        if not shutil.which(tool):
            raise SystemExit(f"compression.py: {tool} is missing: install the package of that name")
    wanted = []

    def answer(connection):
        head_of(connection)
        connection.sendall(wanted[-1])

    with running(configuration, answer) as folder:
        expected = ((case, None) for case in cases()) if write else rows()
        return compare(TABLE, HEADING, expected, lambda case: ask(os.path.join(folder, case[0]), case, wanted), written, write)


started(__name__, __doc__, main)
