"""Framings of HTTP/1.1 that two parsers may read differently, made of a grammar.

Each is bytes, for a service's host and with a number of its own: `/v-N` is what it asks, `/evil-N` is a request that hides
in it. REFUSED: no server may see any of it; TAKEN: a server sees it, and reads what we read; EITHER: both are right.
"""
import dataclasses

REFUSED, TAKEN, EITHER = "refused", "taken", "either"
EVIL = "GET /evil-{n} HTTP/1.1\r\nHost: {host}\r\nX: "
HIDDEN = EVIL + "y\r\n\r\n"
VT, FF, NUL, NBSP, DEL = "\x0b", "\x0c", "\x00", "\xa0", "\x7f"


@dataclasses.dataclass(frozen=True)
class Vector:
    name: str
    text: str
    expected: str

    @property
    def follows(self):
        """True when, in the one right reading, the hidden request is none that hides: it is the connection's next one."""
        return self.expected != REFUSED and not self.text.startswith("CONNECT")

    def bytes(self, host, n):
        return self.text.replace("{host}", host).replace("{n}", str(n)).encode("latin-1")


def request(*fields, method="POST", target="/v-{n}", version="HTTP/1.1", body=""):
    lines = "".join(field + "\r\n" for field in fields)
    return f"{method} {target} {version}\r\nHost: {{host}}\r\n{lines}\r\n{body}"


CHUNKED = "3\r\nabc\r\n0\r\n\r\n"
# One reading ends before the hidden request, the other one after it.
SHORT = "0\r\n\r\n" + HIDDEN

# What stands behind "Transfer-Encoding:".
CODINGS = [
    (" chunked", TAKEN), ("chunked", TAKEN), (" CHUNKED", TAKEN), ("\tchunked", TAKEN), (" chunked ", TAKEN), (" chunked\t", TAKEN),
    *[(value, REFUSED) for value in (
        f" {VT}chunked", f" {FF}chunked", f" chunked{VT}", f" chunked{NUL}", f" {NUL}chunked", f" chunked{NBSP}",
        ' "chunked"', " 'chunked'", " chunked;q=1", " chunked;", " chunked, chunked", " chunked, identity", " identity, chunked",
        " chunked, gzip", " gzip, chunked", " identity", " xchunked", " chunkedx", " chu nked", " x", " chunked\xe9",
        " trailers, chunked", " chunked\r\n ", "\r\n chunked", "\r\n\tchunked", "\n chunked", "\rchunked", " chunked\r", " cow",
        " deflate", " ch\u00fcnked", " :chunked", " chunked:")],
    *[(value, EITHER) for value in ("", " ", " ,chunked", " chunked,", " , chunked ,")]]
LENGTHS = [("none", [], []), ("before", ["Content-Length: 3"], []), ("after", [], ["Content-Length: 3"])]

# Names that are not the name that they look like, and it as it is.
SPELLINGS = [("{0} ", REFUSED), ("{0}\t", REFUSED), (" {0}", REFUSED), ("\t{0}", REFUSED), ("{0}" + NUL, REFUSED),
             (NUL + "{0}", REFUSED), ("{0}" + VT, REFUSED), ("X\n{0}", REFUSED), ("X\r{0}", REFUSED), ("X: y\n{0}", REFUSED),
             ("X: y\r{0}", REFUSED), ("{0}" + NBSP, REFUSED), (":{0}", REFUSED), ("\xff{0}", REFUSED), ('"{0}"', REFUSED),
             ("({0})", REFUSED), ("X: y\n\r\n{0}", REFUSED)]

NUMBERS = [("3", TAKEN), (" 3", TAKEN), (" 3 ", TAKEN), ("\t3\t", TAKEN), (" 03", EITHER), (" 0000000000000000000000003", EITHER),
           *[(value, REFUSED) for value in (
               " +3", " -3", " 0x3", " 3,", " ,3", " 3, 4", " 3;3", " 3.0", " 3e0", ' "3"', " 3 4", f" 3{VT}", f" {VT}3",
               f" 3{NUL}", f" {NUL}3", f" 3{NBSP}", " 99999999999999999999", " 18446744073709551619", " -0", " +0",
               " 0_3", " 3_0", " null", " NaN", " 0b11", " 0o3", "\r\n 3", " 3\r\n 4", " 3\n", " 3\r", " three", " \xb3",
               " 9223372036854775808", " -1", " 3h", " (3)", " 3%", " %33", "", " ")],
           *[(value, EITHER) for value in (" 3,3", " 3, 3")]]

# The line with which a chunk of three bytes begins, with its end.
CHUNK_LINES = [("3\r\n", TAKEN), ("03\r\n", TAKEN), ("0003\r\n", TAKEN), ("3;a\r\n", EITHER), ("3;a=b\r\n", EITHER),
               ('3;a="b"\r\n', EITHER), ('3;a="\\""\r\n', EITHER), ("3;\r\n", EITHER), ("3 ;a=b\r\n", EITHER), ("3 \r\n", EITHER),
               ("3\t\r\n", EITHER), ("00000000000000003\r\n", EITHER), ('3;a="b c"\r\n', EITHER), ("3;;\r\n", EITHER),
               *[(value, REFUSED) for value in (
                   "0x3\r\n", "+3\r\n", "-3\r\n", " 3\r\n", "\t3\r\n", f"3{VT}\r\n", f"3{NUL}\r\n", "3\n", "3\r", "3\r\r\n",
                   "3;a\n", '3;a="b\r\n', f"3;{NUL}\r\n", "3;\r\r\n", "3;a\rb\r\n", "10000000000000003\r\n",
                   "fffffffffffffffff3\r\n", "3_\r\n", "_3\r\n", "3g\r\n", "g3\r\n", "\r\n", "'3'\r\n", "3,3\r\n", "3 3\r\n",
                   "3\r\n\r\n", "3h\r\n", "0x\r\n", "3\xa0\r\n", "\x003\r\n", "-\r\n", "3.0\r\n", "8000000000000003\r\n", "3\n\r\n",
                   "3\r\n\n", "3:\r\n", '"3"\r\n')]]
CHUNK_ENDS = [("\r\n", TAKEN), ("\n", REFUSED), ("\r\r\n", REFUSED), ("x\r\n", REFUSED), ("", REFUSED), ("\r", REFUSED),
              ("\r\n\r\n", REFUSED), (" \r\n", REFUSED), ("\x00\r\n", REFUSED), ("\n\r", REFUSED)]
LASTS = [("0\r\n\r\n", TAKEN), ("00\r\n\r\n", TAKEN), ("0;a=b\r\n\r\n", EITHER), ("0 \r\n\r\n", EITHER),
         *[(value, REFUSED) for value in ("0\n\n", "0\r\n\n", "0\n\r\n", "0\r\r\n\r\n", "-0\r\n\r\n", "0x0\r\n\r\n", " 0\r\n\r\n",
                                          "0\r\r", "+0\r\n\r\n", f"0{NUL}\r\n\r\n", "o\r\n\r\n", "0\r\n \r\n\r\n")]]
TRAILERS = [("X: y", TAKEN),
            *[(f"{name}: {value}", EITHER) for name, value in (
                ("Content-Length", "30"), ("Transfer-Encoding", "chunked"), ("Host", "evil"), ("Connection", "close"),
                ("Expect", "100-continue"), ("Authorization", "x"), ("Trailer", "x"), ("TE", "trailers"), ("Upgrade", "h2c"))],
            *[(line, REFUSED) for line in (" X: y", "X : y", "X\n: y", "X: y\nZ: w", "no colon", f"X: y{NUL}", ": y", "X: y\r\n z",
                                           "X: y\rZ: w", f"X{VT}: y", "X y: z", "GET /evil-{n} HTTP/1.1")]]

LINES = [("POST /v-{n} HTTP/1.1", TAKEN), ("post /v-{n} HTTP/1.1", EITHER), ("POST /v-{n} HTTP/1.0", TAKEN), ("\r\nPOST /v-{n} HTTP/1.1", EITHER),
         ("POST /v-{n}#f HTTP/1.1", EITHER), ("POST /v-{n}?a b HTTP/1.1", REFUSED),
         ("POST http://{host}/v-{n} HTTP/1.1", TAKEN), ("POST HTTP://{host}/v-{n} HTTP/1.1", EITHER),
         ("POST http://evil/v-{n} HTTP/1.1", EITHER), ("POST http://u@{host}/v-{n} HTTP/1.1", EITHER),
         ("POST //evil/v-{n} HTTP/1.1", EITHER), ("POST /v-{n}%0d%0aX:%20y HTTP/1.1", EITHER), ("POST /v-{n}%00 HTTP/1.1", EITHER),
         ("POST /v-{n}\\x HTTP/1.1", EITHER), ("POST /v-{n}\xe9 HTTP/1.1", EITHER), ("OPTIONS * HTTP/1.1", EITHER),
         *[(line, REFUSED) for line in (
             "POST  /v-{n} HTTP/1.1", "POST\t/v-{n} HTTP/1.1", "POST /v-{n}  HTTP/1.1", "POST /v-{n} HTTP/1.1 ", " POST /v-{n} HTTP/1.1",
             "POST /v-{n}\tHTTP/1.1", "POST /v-{n} HTTP/1.2", "POST /v-{n} HTTP/2.0", "POST /v-{n} HTTP/0.9", "POST /v-{n} HTTP/1.10",
             "POST /v-{n} HTTP/1.", "POST /v-{n} HTTP/01.1", "POST /v-{n} http/1.1", "POST /v-{n} HTTP /1.1", "POST /v-{n}", "POST",
             "POST /v-{n} HTTP/1.1\r", f"POST /v-{{n}}{NUL} HTTP/1.1", f"POST /v-{{n}}{VT} HTTP/1.1", f"POST /v-{{n}}{DEL} HTTP/1.1",
             "POST /v-{n} GET /evil-{n} HTTP/1.1", "PO{ST /v-{n} HTTP/1.1", "POST: /v-{n} HTTP/1.1", f"{NUL}POST /v-{{n}} HTTP/1.1",
             f"POST{NUL} /v-{{n}} HTTP/1.1", "POST v-{n} HTTP/1.1", "POST http:/v-{n} HTTP/1.1", "POST http:///v-{n} HTTP/1.1",
             "POST * HTTP/1.1", "POST {host}:80 HTTP/1.1", "CONNECT /v-{n} HTTP/1.1", "CONNECT  HTTP/1.1", "POST /v-{n} HTTP/1.1 X",
             "POST /v-{n} HTTP/1.1;", "POST /v-{n} HTTP/1,1", "POST /v-{n} HTTP/-1.1", "POST /v-{n} HTTP/1.1\nX: y",
             f"POST /v-{{n}}{FF} HTTP/1.1", "P\xd6ST /v-{n} HTTP/1.1", "POST /v-{n}\rX: y HTTP/1.1", "PRI * HTTP/2.0")]]
FIELDS = [("X: y", TAKEN), ("X:", TAKEN), ("X:\ty\t", TAKEN), ("X_y: z", EITHER), ("Transfer_Encoding: chunked", EITHER),
          ("Content_Length: 30", EITHER), ("X: \xe9", EITHER),
          *[(line, REFUSED) for line in (
              "X y", "X", ": y", " X: y", "X : y", "X\t: y", f"X: y{NUL}z", f"X: {VT}y", "X: y\r\n folded", "X: y\r\n\tfolded", "X(): y",
              "X\xff: y", "X: y\nZ: w", "X: y\rZ: w", "X: y\r", f"{NUL}: y", "X[: y", 'X"y: z', "X@: y", "X: y\n", "\n", "\r", f"X: y{DEL}",
              "X: y\r\n  \r\n", "GET /evil-{n} HTTP/1.1", "X/y: z", "{: y")]]
HOSTS = [("Host: {host}", TAKEN), ("host: {host}", TAKEN), ("Host:{host}", TAKEN), ("Host: {host}:9080", TAKEN), ("Host: {host}.", EITHER), ("Host: {host}:80:80", EITHER), ("Host: {host}:port", EITHER), ("Host: [::1", EITHER),
         ("Host: ", EITHER), ("Host: {host}\r\nHost: {host}", REFUSED), ("Host: {host}\r\nHost: evil", REFUSED), ("Host: evil\r\nHost: {host}", REFUSED),
         ("X: y", REFUSED),
         *[(f"Host: {value}", REFUSED) for value in (
             "{host}, evil", "{host} evil", "{host}@evil", "{host}/evil", f"{{host}}{NUL}",
             f"{{host}}{VT}evil", "{host}?x", "{host}#x", "{host}\\evil", "{host}\r\n evil", "{host}:80,evil", "{host};x")],
         ("Host : {host}", REFUSED), (" Host: {host}", REFUSED)]


def transfer_codings():
    for coding, expected in CODINGS:
        for place, before, after in LENGTHS:
            wanted = REFUSED if place != "none" and expected == TAKEN else expected
            body = CHUNKED if place == "none" else SHORT
            yield f"coding {coding!r}, length {place}", request(*before, "Transfer-Encoding:" + coding, *after, body=body), wanted
    values = ("chunked", "identity", "x", "", "gzip")
    for first in values:
        for second in values:
            yield (f"codings {first!r} and {second!r}",
                   request(f"Transfer-Encoding: {first}", "X: y", f"Transfer-Encoding: {second}", body=SHORT),
                   REFUSED if first and second else EITHER)
    for version in ("HTTP/1.0", "HTTP/1.0\r\nConnection: keep-alive"):
        yield "chunks in " + version[:8], request("Transfer-Encoding: chunked", version=version, body=SHORT), REFUSED


def lengths():
    for value, expected in NUMBERS:
        yield f"length {value!r}", request("Content-Length:" + value, body="abc" + HIDDEN), expected
        for first, second in ((value, " 3"), (" 3", value), (value, " 30")):
            same = first.strip() == second.strip()
            yield (f"lengths {first!r} and {second!r}",
                   request("Content-Length:" + first, "Content-Length:" + second, body="abc" + HIDDEN),
                   EITHER if same else REFUSED)


def spellings():
    for spelling, expected in SPELLINGS:
        for name, value in (("Transfer-Encoding", "chunked"), ("Content-Length", "3")):
            other = "Content-Length: 5" if name.startswith("T") else "X: y"
            yield (f"{spelling.format(name)!r}", request(other, f"{spelling.format(name)}: {value}", body=SHORT), expected)


def chunks():
    begin = "Transfer-Encoding: chunked"
    for line, expected in CHUNK_LINES:
        yield f"chunk {line!r}", request(begin, body=line + "abc\r\n0\r\n\r\n" + HIDDEN), expected
    for end, expected in CHUNK_ENDS:
        yield f"end of a chunk {end!r}", request(begin, body="3\r\nabc" + end + "0\r\n\r\n" + HIDDEN), expected
    for last, expected in LASTS:
        yield f"last chunk {last!r}", request(begin, body="3\r\nabc\r\n" + last + HIDDEN), expected
    for line, expected in TRAILERS:
        yield f"trailer {line!r}", request(begin, body="3\r\nabc\r\n0\r\n" + line + "\r\n\r\n" + HIDDEN), expected


def heads():
    for line, expected in LINES:
        yield f"line {line!r}", f"{line}\r\nHost: {{host}}\r\nContent-Length: 3\r\n\r\nabc" + HIDDEN, expected
    for field, expected in FIELDS:
        yield f"field {field!r}", request(field, "Content-Length: 3", body="abc" + HIDDEN), expected
    for field, expected in HOSTS:
        yield f"host {field!r}", f"POST /v-{{n}} HTTP/1.1\r\n{field}\r\nContent-Length: 3\r\n\r\nabc" + HIDDEN, expected


def bodies():
    """A hidden request is the body, whatever the method, the expectation, or what the connection is said to be about."""
    hidden = EVIL.replace("{n}", "b").replace("{host}", "h")
    framed = [("length", ["Content-Length: 40"], (hidden + "y" * 60)[:40]), ("chunks", ["Transfer-Encoding: chunked"], "28\r\n" + (hidden + "y" * 60)[:40] + "\r\n0\r\n\r\n")]
    for kind, fields, body in framed:
        for method in ("GET", "HEAD", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND"):
            yield f"{method} with a body by {kind}", request(*fields, method=method, body=body), EITHER
        for value in ("100-continue", "100-Continue", "100-continue, x", "200-ok", "", "\t100-continue", "100-continue;q=1", "x"):
            yield f"expect {value!r}, {kind}", request(f"Expect: {value}", *fields, body=body), EITHER
        for value in ("Content-Length", "Transfer-Encoding", "Host", "Cookie", "TE", "X-Forwarded-For", "close", "keep-alive",
                      "close, keep-alive", "Upgrade", ",", "\"", "close\r\nConnection: keep-alive"):
            yield f"connection {value!r}, {kind}", request(f"Connection: {value}", *fields, body=body), EITHER
        for value in ("h2c", "websocket", "HTTP/2.0", "TLS/1.0", "x"):
            yield (f"upgrade {value!r}, {kind}",
                   request("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {value}", "HTTP2-Settings: AAMAAABkAAQAAP__", *fields,
                           body=body), EITHER)
    yield "what follows an upgrade", request("Connection: Upgrade", "Upgrade: websocket", method="GET", body=HIDDEN), EITHER
    yield "what follows a connect", f"CONNECT {{host}}:9080 HTTP/1.1\r\nHost: {{host}}:9080\r\n\r\n" + HIDDEN, EITHER


def all_of_them():
    """Without numbers that would be read as part of a host: the bodies' braces are filled in later."""
    found = []
    for family in (transfer_codings, lengths, spellings, chunks, heads, bodies):
        for name, text, expected in family():
            found.append(Vector(name, text, expected))
    return found
