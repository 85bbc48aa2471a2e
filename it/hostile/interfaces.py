"""Attempts on the mesh's own interfaces: its TCP ports and its Unix sockets."""
import json
import socket

from attempt import connect, exchange, family_of, got, mapped, read_some, refused, unix

# Pages that tell of others or change something, of proxies, agents and control planes of the field and of this mesh.
PAGES = ("/config_dump", "/clusters", "/listeners", "/routes", "/policies", "/workloads", "/certs", "/server_info",
         "/stats", "/logging", "/debug/config_dump", "/debug/configz", "/debug/syncz", "/debug/endpointz",
         "/debug/connections", "/pools", "/leases", "/memory", "/help", "/")
ORDERS = ("/quitquitquit", "/healthcheck/fail", "/drain_listeners", "/reset_counters", "/logging?level=debug", "/debug/force_disconnect")

# HTTP/2's preface with empty SETTINGS, then HEADERS (literal, never indexed) for one gRPC call.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


def literal(name, value):
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call(path, message):
    """The frames of a gRPC call with one message."""
    fields = b"".join(literal(n, v) for n, v in (
        (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "mesh"), ("te", "trailers"),
        ("content-type", "application/grpc")))
    data = b"\0" + len(message).to_bytes(4, "big") + message
    return (PREFACE + len(fields).to_bytes(3, "big") + b"\x01\x04\0\0\0\x01" + fields
            + len(data).to_bytes(3, "big") + b"\0\0\0\0\0\x01" + data)


def answered(data):
    """Whether HTTP/2 DATA came back on stream 1: the call was served, however it ended."""
    at = 0
    while at + 9 <= len(data):
        size, kind, stream = int.from_bytes(data[at:at + 3], "big"), data[at + 3], int.from_bytes(data[at + 5:at + 9], "big")
        if kind == 0 and stream == 1 and size:
            return True
        at += 9 + size
    return False


def field(number, content):
    return bytes([number << 3 | 2, len(content)]) + content


# Requests for every cluster, and the Hello of a node (NodeMessage.hello.node_id).
CLUSTERS = b"type.googleapis.com/envoy.config.cluster.v3.Cluster"
NAMED = field(1, b"stranger")
AGGREGATED = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
CALLS = {
    "delta xDS": (AGGREGATED + "DeltaAggregatedResources", field(1, NAMED) + field(2, CLUSTERS)),
    "xDS": (AGGREGATED + "StreamAggregatedResources", field(2, NAMED) + field(4, CLUSTERS)),
    "registration": ("/tulle.v1.NodeRegistration/Session", field(1, NAMED)),
}


def get(address, port, method, page):
    head = f"{method} {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    status, data = exchange(connect(address, port), head.encode())
    body = data.partition(b"\r\n\r\n")[2]
    if 200 <= status < 300 and (method == "POST" or len(body) > 40):
        return got(f"{status}: {body[:60]!r}")
    return refused(f"status {status}" if status else "closed without an answer")


def grpc(sock, path, message):
    with sock:
        sock.sendall(call(path, message))
        data = read_some(sock, 4096)
    return got(f"{len(data)} bytes of answer") if answered(data) else refused("no message came back")


def over_tcp(plan):
    """Sensitive pages, orders and gRPC calls on every port on which the mesh listens on loopback."""
    for port in plan["listening"]:
        for page in PAGES:
            # Prometheus and a load balancer read what is for them, on the ports that are for it.
            yield f"GET {page} of :{port}", lambda p=port, g=page: get("127.0.0.1", p, "GET", g)
        for order in ORDERS:
            yield f"POST {order} to :{port}", lambda p=port, o=order: get("127.0.0.1", p, "POST", o)
        for name, (path, message) in CALLS.items():
            yield f"{name} on :{port}", lambda p=port, a=path, m=message: grpc(connect("127.0.0.1", p), a, m)
    for number in (15000, 15010, 15012, 15080):
        if number + plan["offset"] not in plan["listening"]:
            yield f"something answers on :{number}", lambda n=number: closed(n + plan["offset"])


def closed(port):
    connect("127.0.0.1", port).close()
    return got("somebody listens")


def over_unix(plan):
    """Every Unix socket of the mesh: may it be reached, and does it answer?"""
    for path in plan["sockets"]:
        name = path.rsplit("/", 1)[1]
        if name in plan["mine"]:
            continue
        yield f"call status of {name}", lambda p=path: ask(p, {"method": "status"})
        yield f"call config of {name}", lambda p=path: ask(p, {"method": "configDump"})
        yield f"HTTP on {name}", lambda p=path: page(p)
        for call_name, (route, message) in CALLS.items():
            yield f"{call_name} on {name}", lambda p=path, r=route, m=message: grpc(unix(p), r, m)
    if "xds.sock" in plan["mine"]:
        route, message = CALLS["registration"]
        path = next((p for p in plan["sockets"] if p.endswith("/xds.sock")), None)
        if path:
            yield "registration on xds.sock", lambda: grpc(unix(path), route, message)


def ask(path, question):
    with unix(path) as sock:
        sock.sendall(json.dumps(question).encode() + b"\n")
        data = read_some(sock, 4096)
    return got(repr(data[:80])) if b'"ok":true' in data else refused(repr(data[:60]) if data else "closed without an answer")


def page(path):
    status, data = exchange(unix(path), b"GET /config_dump HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return got(repr(data[:80])) if status == 200 else refused(f"status {status}" if status else "closed without an answer")


def take_ports(plan):
    """Listening where the mesh listens, there and at the wildcards, in every way in which a socket can ask for it."""
    ports = sorted({(port, protocol) for _, port, protocol in plan["taken"]})
    places = [tuple(place) for place in plan["taken"]] + [(any_, port, p) for port, p in ports for any_ in ("0.0.0.0", "::")]
    for address, port, protocol in dict.fromkeys(places):
        for reuse in (False, True):
            yield (f"{protocol} at [{address}]:{port}{' with reuse' if reuse else ''}",
                   lambda a=address, p=port, k=protocol, r=reuse: take(a, p, k, r, plan["prefix"]))


def take(address, port, protocol, reuse, prefix):
    with socket.socket(family_of(address), socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as sock:
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        if protocol == "tcp":
            sock.listen()
        where = sock.getsockname()[0]
    if prefix in where:
        return refused("its own address instead")
    return got(f"has {where}:{port}")


def addresses(plan):
    """Other workloads' addresses, virtual addresses and those of the mesh itself, as one's own."""
    for kind, address in plan["foreign"]:
        for form in ("plain", "mapped"):
            for how in ("tcp", "udp", "any port", "freebind"):
                yield f"bind {kind} {address} ({form}, {how})", lambda a=address, f=form, h=how: bind(a, f, h)


def bind(address, form, how):
    written = mapped(address) if form == "mapped" else address
    with socket.socket(family_of(written), socket.SOCK_DGRAM if how == "udp" else socket.SOCK_STREAM) as sock:
        if how == "freebind":
            sock.setsockopt(socket.SOL_IP, 15, 1)
        sock.bind((written, 0 if how == "any port" else 9080))
        return got(f"bound to {sock.getsockname()[0]}")


def attempts(plan):
    yield from over_tcp(plan)
    yield from over_unix(plan)
    if plan["role"] != "proxy":
        yield from take_ports(plan)
    yield from addresses(plan)
