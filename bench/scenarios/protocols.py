"""CPU per request of the node proxy for what is not plain HTTP/1.1 with small answers: HTTP/2 on both sides, calls of gRPC,
HTTPS on kept connections, handshakes of TLS, answers of 1 MiB; against nginx, HAProxy and Envoy where they can do it. The
proxy under test has one core, load generator and back end share the other."""
import os
import re
import subprocess
import sys

from harness import Scenario, arguments, cpu_seconds, descendants, envoy, need, note, wait_port, wrk
from node import node_proxy
from peers import envoy_hop, haproxy, nginx_origin, nginx_proxy, write

BACK = 21_401
BACK_H2 = 21_402
BACK_GRPC = 21_403
FIRST = 21_410
UNDER_TEST = 0
OTHERS = 1
CLIENTS = 8
# One of gRPC, as call and as answer.
MESSAGE = "\0\0\0\0\x14" + "x" * 20
WARM_SECONDS = 5
WARM_ROUNDS = 3
# Each peer's ratio that matters, by case.
CASES = {
    "h2": ("haproxy", "envoy"),
    "grpc": ("envoy",),
    "https": ("nginx", "haproxy", "envoy"),
    "handshakes": ("nginx", "haproxy", "envoy"),
    "resumed": ("nginx", "haproxy", "envoy"),
    "1MiB": ("nginx", "haproxy", "envoy"),
}


def certificate(folder):
    pair = (os.path.join(folder, "front.pem"), os.path.join(folder, "front.key"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command + ["-out", pair[0], "-keyout", pair[1]], check=True, capture_output=True)
    return pair


def h2load(url, seconds, more=()):
    command = ["taskset", "-c", str(OTHERS), "h2load", "-t1", "-c8", "-m8", "-D", str(seconds), *more, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    counts = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", done.stdout)
    rate = re.search(r"([\d.]+) req/s", done.stdout)
    if done.returncode != 0 or not counts or not rate:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    succeeded, failed = int(counts.group(3)), int(counts.group(4))
    return {"requests": succeeded, "requests_per_s": float(rate.group(1)), "errors": failed + int(counts.group(2)) - succeeded}


def handshakes(port, seconds, how):
    """Connections of TLS with one request each: `-new` for whole handshakes, `-reuse` for sessions that are taken up again."""
    # Behind this the program writes its own version.
    request = "/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nWritten-For:"
    command = ["taskset", "-c", str(OTHERS), "openssl", "s_time", "-connect", f"127.0.0.1:{port}", how, "-www", request]
    clients = [
        subprocess.Popen([*command, "-time", str(seconds)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(CLIENTS)
    ]
    total = 0
    for client in clients:
        said, _ = client.communicate(timeout=seconds + 60)
        counted = re.findall(r"(\d+) connections in \d+ real seconds", said)
        if client.returncode != 0 or not counted:
            raise RuntimeError(f"{' '.join(command)}: status {client.returncode}\n{said}")
        total += int(counted[0])
    return {"requests": total, "requests_per_s": total / seconds, "errors": 0}


def load(case, port, seconds, body):
    """Runs the load of a case against a port for so many seconds."""
    if case == "h2":
        return h2load(f"http://127.0.0.1:{port}/hello", seconds)
    if case == "grpc":
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        return h2load(f"http://127.0.0.1:{port}/bench.Echo/Unary", seconds, ["-d", body, *headers])
    if case == "https":
        return wrk(f"https://127.0.0.1:{port}/", seconds, cpu=OTHERS)
    if case in ("handshakes", "resumed"):
        return handshakes(port, seconds, "-new" if case == "handshakes" else "-reuse")
    return wrk(f"http://127.0.0.1:{port}/1m", seconds, connections=16, cpu=OTHERS)


def back_ends(scenario):
    folder = scenario.folder
    origin = nginx_origin(folder, "back", f"127.0.0.1:{BACK}", {"/": 100, "/1m": 1 << 20})
    scenario.start(["nginx", "-e", f"{folder}/back.start", "-c", origin], cpu=OTHERS)
    files = os.path.join(folder, "files")
    os.mkdir(files)
    write(files, "hello", "x" * 100)
    quiet = ["nghttpd", "--no-tls", "-n1", "-a", "127.0.0.1"]
    scenario.start([*quiet, "-d", files, str(BACK_H2)], cpu=OTHERS)
    # Asked to echo, it would write each call to a file: at some thousand calls a second nobody's batches are full.
    os.mkdir(os.path.join(files, "bench.Echo"))
    write(os.path.join(files, "bench.Echo"), "Unary", MESSAGE)
    scenario.start([*quiet, "-d", files, "--trailer", "grpc-status: 0", str(BACK_GRPC)], cpu=OTHERS)
    for port in (BACK, BACK_H2, BACK_GRPC):
        wait_port(port)


def commands(case, folder, ports, pair):
    """What starts each peer for a case."""
    back = {"h2": BACK_H2, "grpc": BACK_GRPC}.get(case, BACK)
    h2 = case in ("h2", "grpc")
    tls = pair if case in ("https", "handshakes", "resumed") else None
    words = [str(ports["tulle"]), str(back), "-1", "h2" if h2 else "h1", *(tls or ())]
    name = f"{case}-front"
    return {
        "tulle": node_proxy() + words,
        "nginx": ["nginx", "-e", f"{folder}/{name}.start", "-c", nginx_proxy(folder, ports["nginx"], back, name, tls)],
        "haproxy": ["haproxy", "-db", "-f", haproxy(folder, ports["haproxy"], back, f"{case}-haproxy", h2, tls)],
        "envoy": [envoy(), "-c", envoy_hop(folder, ports["envoy"], back, f"{case}-envoy", h2, tls)]
        + ["--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"],
    }


def main():
    options = arguments(__doc__, seconds=5)
    needs = {"nginx": "nginx-light", "haproxy": "haproxy", "wrk": "wrk", "h2load": "nghttp2-client", "nghttpd": "nghttp2-server"}
    for program, package in needs.items():
        need(program, package)
    with Scenario("protocols") as scenario:
        folder = scenario.folder
        # nginx reads the large answer as another user.
        os.chmod(folder, 0o755)
        body = write(folder, "call", MESSAGE)
        pair = certificate(folder)
        back_ends(scenario)
        ratios = {}
        for number, (case, peers) in enumerate(CASES.items()):
            ports = {peer: FIRST + 10 * number + i for i, peer in enumerate(("tulle", "nginx", "haproxy", "envoy"))}
            running = {}
            for peer, command in commands(case, folder, ports, pair).items():
                if peer == "tulle" or peer in peers:
                    running[peer] = scenario.start(command, cpu=UNDER_TEST)
                    wait_port(ports[peer], seconds=30)

            def measure(peer, seconds):
                pids = descendants(running[peer].pid)
                before = cpu_seconds(pids)
                figures = load(case, ports[peer], seconds, body)
                if figures["errors"]:
                    raise RuntimeError(f"{case}, {peer}: {figures['errors']} errors")
                return {
                    "cpu_us_per_request": (cpu_seconds(pids) - before) * 1e6 / figures["requests"],
                    "requests_per_s": figures["requests_per_s"],
                }

            note(f"{case}: warming")
            for _ in range(WARM_ROUNDS):
                measure("tulle", WARM_SECONDS)
            for peer in peers:
                measure(peer, 1)
            for turn in range(options.rounds):
                note(f"{case}: round {turn + 1} of {options.rounds}")
                for peer in running:
                    scenario.add(f"{case} {peer}", measure(peer, options.seconds))
            for peer in peers:
                ratios.update(scenario.ratios("cpu_us_per_request", f"{case} tulle", f"{case} {peer}"))
            for peer in running:
                running[peer].terminate()
        scenario.report(
            ["cpu_us_per_request", "requests_per_s"],
            ratios,
            [
                "tulle: one worker, 20 routes, metrics on. The others only forward (Envoy with the same 20 routes).",
                f"Closed loop. Nothing discarded but the warming: {WARM_ROUNDS * WARM_SECONDS} s of load for tulle, 1 s for each other.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
