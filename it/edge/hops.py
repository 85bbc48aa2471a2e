#!/usr/bin/env python3
"""What a real Envoy makes of what proxies before it say, against the table that Tulle's unit tests are held to.

Usage: hops.py [--write]

For each row of proxy/src/test/resources/dev/tulle/proxy/trusted-hops.txt an Envoy with so many trusted hops gets the
fields on a connection of 192.0.2.7 (by the PROXY protocol, so that no address of this host is in the table), and has to
send and log what the row says. --write makes the table anew from the cases below.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = os.path.join(HOME, "proxy/src/test/resources/dev/tulle/proxy/trusted-hops.txt")
TYPES = "type.googleapis.com/envoy.extensions.filters."
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


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answer(listening, heads):
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            data = b""
            while b"\r\n\r\n" not in data:
                more = connection.recv(65536)
                if not more:
                    break
                data += more
            heads.append(data.decode("latin1"))
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


def listener(port, hops):
    seen = [("x-seen-scheme", "%REQ(:SCHEME)%"), ("x-seen-remote", "%DOWNSTREAM_REMOTE_ADDRESS%")]
    manager = {
        "@type": TYPES + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "edge",
        "use_remote_address": True, "xff_num_trusted_hops": hops,
        "http_filters": [{"name": "envoy.filters.http.router",
                          "typed_config": {"@type": TYPES + "http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": "origin"},
             "request_headers_to_add": [{"header": {"key": key, "value": value}} for key, value in seen]}]}]}}
    announced = {"name": "envoy.filters.listener.proxy_protocol",
                 "typed_config": {"@type": TYPES + "listener.proxy_protocol.v3.ProxyProtocol"}}
    return {"name": f"hops-{hops}", "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "listener_filters": [announced], "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}


def configuration(ports, origin):
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": origin}}}}
    cluster = {"name": "origin", "type": "STATIC", "connect_timeout": "5s",
               "load_assignment": {"cluster_name": "origin", "endpoints": [{"lb_endpoints": [endpoint]}]}}
    return {"static_resources": {"listeners": [listener(port, hops) for hops, port in ports.items()],
                                 "clusters": [cluster]}}


def ask(port, fields, heads):
    """What the server got: the values of NOTED."""
    heads.clear()
    request = "".join(f"{field}\r\n" for field in ["GET / HTTP/1.1", "Host: any", "Connection: close", *fields, ""])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(HEADER + request.encode("latin1"))
        got = b""
        while more := connection.recv(65536):
            got += more
    if not got.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"{fields}: Envoy answers {got[:100]!r}")
    lines = [line.split(": ", 1) for line in heads[0].split("\r\n")[1:] if ": " in line]
    return [",".join(value for name, value in lines if name.lower() == noted) for noted in NOTED]


def wait_for(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("Envoy does not listen after 20 s")


def rows():
    with open(TABLE) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                hops, fields, *wanted = [part.strip() for part in line.rstrip("\n").split("|")]
                yield int(hops), [field.strip() for field in fields.split(" ; ")] if fields else [], wanted


def main(write):
    binary = subprocess.run([os.path.join(HOME, "control/src/test/envoy/binary")], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    heads, ports, wrong, passed, table = [], {hops: free_port() for hops in HOPS}, 0, 0, []
    with tempfile.TemporaryDirectory() as folder, socket.socket() as origin:
        origin.bind(("127.0.0.1", 0))
        origin.listen(16)
        threading.Thread(target=answer, args=(origin, heads), daemon=True).start()
        path = os.path.join(folder, "envoy.json")
        with open(path, "w") as file:
            json.dump(configuration(ports, origin.getsockname()[1]), file)
        process = subprocess.Popen([binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error",
                                    "--disable-hot-restart"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            for port in ports.values():
                wait_for(port, process)
            if write:
                for fields in cases():
                    for hops in HOPS:
                        parts = [str(hops), " ; ".join(fields), *ask(ports[hops], fields, heads)]
                        table.append(" | ".join(parts) + "\n")
                with open(TABLE, "w") as file:
                    file.write(HEADING + "".join(table))
            for hops, fields, wanted in rows():
                found = ask(ports[hops], fields, heads)
                passed += found == wanted
                if found != wanted:
                    wrong += 1
                    print(f"not ok {hops} hops, {fields}: Envoy {found}, the table {wanted}")
        finally:
            process.terminate()
            process.wait(20)
    if passed + wrong == 0:
        wrong = 1
        print("not ok the table is empty")
    print(f"{passed} passed, {wrong} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    if any(word != "--write" for word in sys.argv[1:]):
        sys.exit(__doc__)
    sys.exit(main("--write" in sys.argv[1:]))
