"""A real Envoy, and tables of what it does: what compares the two keeps its rows in a file that unit tests of Tulle read too."""
import contextlib
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
TABLES = os.path.join(HOME, "proxy/src/test/resources/dev/tulle/proxy")
TYPES = "type.googleapis.com/envoy.extensions."


def pipe(path):
    """An address in the file system: no port of this host is asked for."""
    return {"pipe": {"path": path}}


def listener(path, cluster, filters, manager=(), route=(), **more):
    """Requests at this socket, through these filters, to a cluster; `manager`, `route`, `more`: further fields."""
    filters = [*filters, {"name": "envoy.filters.http.router", "typed_config": {
        "@type": TYPES + "filters.http.router.v3.Router"}}]
    manager = {
        "@type": TYPES + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "edge",
        "http_filters": filters, "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": cluster}, **dict(route)}]}]}, **dict(manager)}
    return {"name": path, "address": pipe(path), **more, "filter_chains": [
        {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}


def cluster(name, path, options=None):
    """A server at this socket; `options`: explicit_http_config."""
    protocol = {} if options is None else {"typed_extension_protocol_options": {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": TYPES + "upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": options}}}
    return {"name": name, "type": "STATIC", "connect_timeout": "5s", **protocol, "load_assignment": {
        "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": pipe(path)}}]}]}}


class Connection(http.client.HTTPConnection):
    """One over a socket in the file system."""

    def __init__(self, path):
        super().__init__("any", timeout=20)
        self.path = path

    def connect(self):
        self.sock = connected(self.path)


def connected(path):
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    one.connect(path)
    return one


def serve(listening, answer):
    """Answers connections one after the other, until the socket is closed."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            answer(connection)


def head_of(connection):
    """What comes until the end of a head; less, if the connection ends."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


@contextlib.contextmanager
def running(configuration, answer):
    """An Envoy with what configuration(folder) says, whose server is `origin` there; gives the folder when all listen."""
    binary = subprocess.run([os.path.join(HOME, "control/src/test/envoy/binary")], stdout=subprocess.PIPE, text=True,
                            check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as origin:
        origin.bind(os.path.join(folder, "origin"))
        origin.listen(16)
        threading.Thread(target=serve, args=(origin, answer), daemon=True).start()
        resources = configuration(folder)
        path = os.path.join(folder, "envoy.json")
        with open(path, "w") as file:
            json.dump({"static_resources": resources}, file)
        process = subprocess.Popen([binary, "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "--log-level",
                                    "error", "--disable-hot-restart"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            for one in resources["listeners"]:
                wait_for(one["name"], process)
            yield folder
        finally:
            process.terminate()
            process.wait(20)


def wait_for(path, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"Envoy ended with status {process.returncode}")
        with socket.socket(socket.AF_UNIX) as one:
            if one.connect_ex(path) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("Envoy does not listen after 20 s")


def lines(table):
    with open(table) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\n")


def compare(table, heading, expected, ask, written, write):
    """Asks for each case and says what differs from its result; with `write` the table is made anew instead.

    expected: pairs of case and result. ask(case): what Envoy does. written(case, result): the row.
    """
    wrong, passed, made = 0, 0, []
    for case, result in expected:
        got = ask(case)
        made.append(written(case, got))
        if write or got == result:
            passed += 1
        else:
            wrong += 1
            print(f"not ok {written(case, result)[:300]}: Envoy {str(got)[:300]}")
    if passed + wrong == 0:
        wrong = 1
        print("not ok the table is empty")
    if write:
        with open(table, "w") as file:
            file.write(heading + "".join(f"{line}\n" for line in made))
    print(f"{passed} passed, {wrong} failed")
    return 1 if wrong else 0


def started(name, usage, main):
    """Runs main(write) if this is the program `name`."""
    if name == "__main__":
        if any(word != "--write" for word in sys.argv[1:]):
            sys.exit(usage)
        sys.exit(main("--write" in sys.argv[1:]))
