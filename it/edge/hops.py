#!/usr/bin/env python3
"""What a real Envoy makes of what proxies before it say, against the table that Tulle's unit tests are held to.

Usage: hops.py [--write]

For each row of proxy/src/test/resources/dev/tulle/proxy/trusted-hops.txt an Envoy with so many trusted hops gets the
fields on a connection of 192.0.2.7 (by the PROXY protocol, so that no address of this host is in the table), and has to
send and log what the row says. --write makes the table anew from the cases below.
"""
import os

from envoy import TABLES, TYPES, cluster, compare, connected, head_of, lines, listener, running, started

TABLE = os.path.join(TABLES, "trusted-hops.txt")
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n"
HOPS = (1, 2, 3)
NOTED = ("x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address", "x-seen-scheme", "x-seen-remote")
HEADING = """# What a request says and is said to be behind N trusted hops, as Envoy 1.40 has it (it/edge/hops.py writes and checks
# this): N | the caller's fields | X-Forwarded-For | X-Forwarded-Proto | X-Envoy-External-Address | scheme | client
"""
FOR = ["203.0.113.9", "203.0.113.9, 203.0.113.8", "203.0.113.9,203.0.113.8,203.0.113.7",
       "203.0.113.9, 203.0.113.8, 203.0.113.7, 203.0.113.6", "junk", "", ",", "203.0.113.9,", ",203.0.113.9",
       "203.0.113.9,,203.0.113.8", "203.0.113.9:1234", "[2001:db8::1]:80", "[2001:db8::1]", "2001:DB8::1",
       "2001:db8:0:0:0:0:0:1, 203.0.113.8", "203.0.113.9 , junk", "10.0.0.5", "127.0.0.1", "203.0.113.009",
       "203.0.113", "0", "unix:/x", "203.0.113.9;x", "203.0.113.9 203.0.113.8", "unknown, 203.0.113.9"]
PROTO = ["https", "http", "HTTPS", "wss", "https,http", "ftp"]


def cases():
    yield []
    for value in FOR:
        yield [f"X-Forwarded-For: {value}"]
    yield ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 203.0.113.8"]
    yield ["X-Forwarded-For: 203.0.113.9, 203.0.113.8", "X-Forwarded-For: junk"]
    for value in PROTO:
        yield [f"X-Forwarded-Proto: {value}"]
    yield ["X-Forwarded-Proto: https", "X-Forwarded-Proto: https"]
    yield ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"]
    yield ["x-forwarded-for: 203.0.113.9", "X-ENVOY-External-Address: 9.9.9.9"]


def configuration(folder):
    announced = {"name": "envoy.filters.listener.proxy_protocol",
                 "typed_config": {"@type": TYPES + "filters.listener.proxy_protocol.v3.ProxyProtocol"}}
    seen = [("x-seen-scheme", "%REQ(:SCHEME)%"), ("x-seen-remote", "%DOWNSTREAM_REMOTE_ADDRESS%")]
    route = {"request_headers_to_add": [{"header": {"key": key, "value": value}} for key, value in seen]}
    return {"listeners": [listener(os.path.join(folder, str(hops)), "origin", [],
                                   {"use_remote_address": True, "xff_num_trusted_hops": hops}, route,
                                   listener_filters=[announced]) for hops in HOPS],
            "clusters": [cluster("origin", os.path.join(folder, "origin"))]}


def ask(path, fields, heads):
    """What the server got: the values of NOTED."""
    heads.clear()
    request = "".join(f"{field}\r\n" for field in ["GET / HTTP/1.1", "Host: any", "Connection: close", *fields, ""])
    with connected(path) as connection:
        connection.sendall(HEADER + request.encode("latin1"))
        got = b""
        while more := connection.recv(65536):
            got += more
    if not got.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"{fields}: Envoy answers {got[:100]!r}")
    got = [line.split(": ", 1) for line in heads[0].split("\r\n")[1:] if ": " in line]
    return [",".join(value for name, value in got if name.lower() == noted) for noted in NOTED]


def written(case, result):
    hops, fields = case
    return " | ".join([str(hops), " ; ".join(fields), *result])


def rows():
    for line in lines(TABLE):
        hops, fields, *wanted = [part.strip() for part in line.split("|")]
        yield (int(hops), [field.strip() for field in fields.split(" ; ")] if fields else []), wanted


def main(write):
    heads = []

    def answer(connection):
        heads.append(head_of(connection).decode("latin1"))
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with running(configuration, answer) as folder:
        expected = (((hops, fields), None) for fields in cases() for hops in HOPS) if write else rows()
        return compare(TABLE, HEADING, expected, lambda case: ask(os.path.join(folder, str(case[0])), case[1], heads), written,
                       write)


started(__name__, __doc__, main)
