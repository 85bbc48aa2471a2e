"""Requests of HTTP/2 that would be another one, or two, behind a conversion to HTTP/1.1: made of a grammar, as vectors.py.

Each is a list of frames of stream 1; what is sent is `/v-N`, what hides in it `/evil-N`. With `ends` False the client
leaves its request without an end and resets it.
"""
import dataclasses

import frames
from frames import DATA, END_HEADERS, END_STREAM, HEADERS, PADDED
from vectors import EITHER, REFUSED, TAKEN

BREAKS = {"CR": "\r", "LF": "\n", "CRLF": "\r\n", "NUL": "\0", "LFLF": "\n\n", "a fold": "\r\n ", "a chunked body": "\r\ntransfer-encoding: chunked\r\nx: ",
          "a request": "\r\n\r\nGET /evil-{n} HTTP/1.1\r\nhost: {host}\r\nx: "}
CONTROLS = {"VT": "\x0b", "FF": "\x0c", "1": "\x01", "US": "\x1f", "DEL": "\x7f", "BEL": "\x07"}
SEPARATORS = '()<>@,;:\\"/[]?={} \t'


@dataclasses.dataclass(frozen=True)
class Vector:
    name: str
    head: tuple  # of pairs, as they are sent
    expected: str
    body: tuple = ()  # of pieces; empty: the head is the end
    trailers: tuple = ()
    padded: bool = False
    ends: bool = True
    follows = False  # what hides in a body is no request in any reading

    def filled(self, text, host, n):
        return text.replace("{host}", host).replace("{n}", str(n))

    def block(self, fields, host, n):
        return b"".join(frames.literal(self.filled(name, host, n), self.filled(value, host, n)) for name, value in fields)

    def bytes(self, host, n):
        alone = not self.body and not self.trailers
        out = [frames.frame(HEADERS, END_HEADERS | (END_STREAM if alone and self.ends else 0), 1, self.block(self.head, host, n))]
        for index, piece in enumerate(self.body):
            last = self.ends and not self.trailers and index == len(self.body) - 1
            raw = self.filled(piece, host, n).encode("latin-1")
            raw = bytes([4]) + raw + bytes(4) if self.padded else raw
            out.append(frames.frame(DATA, (END_STREAM if last else 0) | (PADDED if self.padded else 0), 1, raw))
        if self.trailers:
            out.append(frames.frame(HEADERS, END_HEADERS | (END_STREAM if self.ends else 0), 1,
                                    self.block(self.trailers, host, n)))
        return b"".join(out)


def head(*fields, method="POST", path="/v-{n}", scheme="http", authority="{host}", **without):
    """The usual pseudo-fields, one of them perhaps something else, or None for not at all."""
    pseudo = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority)]
    return tuple([(name, value) for name, value in pseudo if value is not None] + list(fields))


HIDDEN = "GET /evil-{n} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def breaks():
    """A line end, or a control character, in each place in which there may be text."""
    for what, char in [*BREAKS.items(), *CONTROLS.items()]:
        text = "a" + char + "b"
        places = {
            "a value": head(("x", text)), "the begin of a value": head(("x", char + "b")), "a value's end": head(("x", "a" + char)),
            "a name": head(("x" + char + "y", "z")), "the path": head(path="/v-{n}" + char + "x"),
            "the query": head(path="/v-{n}?a" + char + "b"), "the method": head(method="PO" + char + "ST"),
            "the authority": head(authority="{host}" + char + "x"), "the scheme": head(scheme="ht" + char + "tp"),
            "a host": head(("host", "{host}" + char + "x"), authority=None), "a cookie": head(("cookie", "a=b"), ("cookie", text)),
            "a length": head(("content-length", "3" + char)), "te": head(("te", "trailers" + char)),
            "the expectation": head(("expect", "100-continue" + char)),
        }
        for place, fields in places.items():
            yield f"{what} in {place}", fields, REFUSED
        yield f"{what} in a trailer", head(), REFUSED, {"body": ("abc",), "trailers": (("x", text),)}
        yield f"{what} in a trailer's name", head(), REFUSED, {"body": ("abc",), "trailers": (("x" + char + "y", "z"),)}


def names():
    for char in SEPARATORS:
        yield f"{char!r} in a name", head(("x" + char + "y", "z")), REFUSED
        yield f"a name that begins with {char!r}", head((char + "x", "z")), REFUSED
    for name in ("X", "Content-Length", "Transfer-Encoding", "xY", "", "x\xe9", ":x", ":status", ":", "COOKIE", "Host"):
        yield f"the name {name!r}", head((name, "3")), REFUSED
    for name, value in head():
        yield f"two {name}", head((name, value)), REFUSED
        without = tuple(pair for pair in head() if pair[0] != name)
        expected = REFUSED if name != ":authority" else EITHER
        yield f"no {name}", without, expected
        yield f"{name} behind a field", without + (("x", "y"), (name, value)), REFUSED
        yield f"an empty {name}", tuple((key, "" if key == name else text) for key, text in head()), REFUSED
        yield f"{name} among the trailers", head(), REFUSED, {"body": ("abc",), "trailers": ((name, value),)}
        yield f"{name} in capitals", without + ((name.upper(), value),), REFUSED
    for method in ("G ET", "GET /evil-{n} HTTP/1.1", "G@T\t", "{GET}", "GET:", "G\xcbT", "(GET)", "G,T"):
        yield f"the method {method!r}", head(method=method), REFUSED
    for scheme in ("", "ftp", "http://x", "h p", "https", "HTTP", "://"):
        yield f"the scheme {scheme!r}", head(scheme=scheme), EITHER


def connection_fields():
    told = [("connection", value) for value in ("close", "keep-alive", "te", "content-length", "upgrade", "x", "")]
    told += [("transfer-encoding", value) for value in ("chunked", "identity", "gzip", "", "chunked\t", "xchunked", "Chunked", "trailers")]
    told += [("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive"), ("upgrade", "h2c"), ("upgrade", "websocket"),
             ("te", "gzip"), ("te", "chunked"), ("te", "trailers, gzip"), ("http2-settings", "AAMAAABkAAQAAP__")]
    for name, value in told:
        expected = EITHER if name == "http2-settings" else REFUSED
        yield f"{name}: {value!r}", head((name, value)), expected
        yield f"{name}: {value!r} and a body", head((name, value)), expected, {"body": ("0\r\n\r\n" + HIDDEN,)}
        yield f"{name}: {value!r} among the trailers", head(), EITHER, {"body": ("abc",), "trailers": ((name, value),)}


def hosts():
    for value in ("evil", "{host}, evil", "{host}@evil", "evil@{host}", "{host}/x", "{host} x", "{host}:80:80", "{host}:p", "[::1", "",
                  "{host}?x", "{host}#x", "{host}\\x", "{host};x", "http://{host}", "{host}:80,x", "\xe9"):
        expected = EITHER if value in ("evil", "{host}:80:80", "{host}:p", "[::1") else REFUSED
        yield f"the authority {value!r}", head(authority=value), expected
        yield f"the host {value!r} and no authority", head(("host", value), authority=None), expected
        yield f"the host {value!r} beside the authority", head(("host", value)), EITHER
    yield "two hosts", head(("host", "{host}"), ("host", "evil"), authority=None), EITHER
    yield "the same host twice", head(("host", "{host}"), ("host", "{host}")), EITHER


def lengths():
    bodies = {"one piece": ("abc",), "two": ("a", "bc"), "an empty end": ("abc", ""), "none": ()}
    for value, right in (("3", True), ("03", None), ("2", False), ("4", False), ("0", False), ("30", False), ("+3", False), ("-3", False),
                         ("0x3", False), ("", False), (" 3", None), ("3 ", None), ("3,3", None), ("3, 4", False), ("3;3", False),
                         ("3.0", False), ("18446744073709551619", False), ("99999999999999999999", False), ("three", False)):
        for what, pieces in bodies.items():
            for padded in (False, True) if what == "one piece" else (False,):
                fits = right if pieces else value in ("0",)
                expected = EITHER if right is None else TAKEN if fits else REFUSED
                # How much there is shows only when its end has come: a server may have the beginning.
                late = expected == REFUSED and value.isdigit() and bool(pieces) and len(value) < 10
                yield (f"length {value!r}, {what}{' with padding' if padded else ''}", head(("content-length", value)),
                       EITHER if late else expected, {"body": pieces, "padded": padded})
    for first, second in (("3", "3"), ("3", "4"), ("4", "3"), ("3", ""), ("", "3"), ("3", "+3"), ("0", "3")):
        yield (f"lengths {first!r} and {second!r}", head(("content-length", first), ("content-length", second)),
               EITHER if first == second else REFUSED, {"body": ("abc",)})
    for value in ("30", "3", "0"):
        yield f"length {value} and no end", head(("content-length", value)), EITHER, {"body": (HIDDEN,), "ends": False}
    yield "no end", head(), EITHER, {"body": (HIDDEN,), "ends": False}
    yield "a hidden request in the body", head(), TAKEN, {"body": (HIDDEN,)}
    yield "chunks in the body", head(), TAKEN, {"body": ("0\r\n\r\n" + HIDDEN,)}
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PUT"):
        yield f"{method} with a body", head(method=method), EITHER, {"body": ("0\r\n\r\n" + HIDDEN,)}
        yield f"{method} with a length and no body", head(("content-length", "5"), method=method), REFUSED


def paths():
    for path, expected in (("", REFUSED), ("*", REFUSED), ("x", REFUSED), ("v-{n}", REFUSED), ("http://evil/", EITHER), ("//evil/v-{n}", EITHER),
                           ("/v-{n} HTTP/1.1", REFUSED), ("/v-{n}\tx", REFUSED), ("/v-{n}#x", EITHER), ("/v-{n}\\x", EITHER),
                           ("/v-{n}\xe9", EITHER), ("/v-{n}%0d%0ax", EITHER), (" /v-{n}", REFUSED), ("/v-{n} ", REFUSED),
                           ("/v-{n} HTTP/1.1\r\n\r\nGET /evil-{n}", REFUSED), ("/v-{n}?x y", REFUSED), ("?x", EITHER), ("http://{host}/v-{n}", EITHER)):
        yield f"the path {path!r}", head(path=path), expected
    yield "OPTIONS *", head(method="OPTIONS", path="*"), EITHER


def connects():
    only = ((":method", "CONNECT"), (":authority", "{host}:9080"))
    yield "a connect and a request behind it", only, EITHER, {"body": (HIDDEN,)}
    yield "a connect that is never agreed to", only, EITHER, {"body": (HIDDEN,), "ends": False}
    for path in ("/v-{n}", "*", ""):
        yield f"a connect with the path {path!r}", only + ((":path", path),), REFUSED
    yield "a connect with a scheme", only + ((":scheme", "http"),), REFUSED
    yield "a connect to nobody", only[:1], REFUSED
    yield "a connect with a length", only + (("content-length", "3"),), EITHER, {"body": ("abc",)}
    for protocol in ("websocket", "h2c", "", "x\r\ny", "x y", "connect-udp", "websocket\r\n\r\nGET /evil-{n}"):
        expected = REFUSED if not protocol or set(protocol) & set("\r\n ") else EITHER
        yield f"a connect for {protocol!r}", head((":protocol", protocol), method="CONNECT"), expected, {"body": (HIDDEN,), "ends": False}
        yield f"a {protocol!r} without a connect", head((":protocol", protocol)), REFUSED


def trailers():
    for name, value in (("content-length", "30"), ("transfer-encoding", "chunked"), ("host", "evil"), ("connection", "close"), ("te", "trailers"),
                        ("expect", "100-continue"), ("authorization", "x"), ("cookie", "a=b"), ("trailer", "x"), ("x", "y")):
        for fields in ((), (("trailer", name),), (("content-length", "3"),)):
            yield (f"{name} among the trailers, {fields and fields[0][0] or 'alone'}", head(*fields),
                   TAKEN if name == "x" else EITHER, {"body": ("abc",), "trailers": ((name, value),)})
    yield "trailers that are no end", head(), EITHER, {"body": ("abc",), "trailers": (("x", "y"),), "ends": False}
    yield "trailers and no body", head(), EITHER, {"trailers": (("x", "y"),)}


def all_of_them():
    found = []
    for family in (breaks, names, connection_fields, hosts, lengths, paths, connects, trailers):
        for name, fields, expected, *more in family():
            found.append(Vector(name, fields, expected, **(more[0] if more else {})))
    return found
