"""CPU per proxied HTTP/1.1 request: the node proxy with a table of twenty routes and metrics on, against nginx, HAProxy
and Envoy that only forward. The proxy under test has one core, load generator and back end share the other."""
import os
import subprocess
import sys

from harness import HOME, Scenario, arguments, cpu_seconds, descendants, envoy, need, note, wait_port, wrk
from peers import envoy_hop, nginx, nginx_origin, write

BACK = 21_381
PORTS = {"tulle": 21_382, "nginx": 21_383, "haproxy": 21_384, "envoy": 21_385}
METRICS = 21_386
UNDER_TEST = 0
OTHERS = 1


def nginx_proxy(folder):
    return nginx(
        folder,
        "front",
        f"""upstream back {{ server 127.0.0.1:{BACK}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{PORTS["nginx"]} backlog=4096;
    location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; }} }}""",
    )


def haproxy(folder):
    return write(
        folder,
        "haproxy.cfg",
        f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 1h
  timeout server 1h
  timeout connect 5s
  http-reuse always
frontend front
  bind 127.0.0.1:{PORTS["haproxy"]}
  default_backend back
backend back
  server one 127.0.0.1:{BACK} pool-max-conn 256
""",
    )


def proxy_class_path():
    """The proxy's jars as installed, and the small main program of this benchmark among the proxy's test classes."""
    classes = os.path.join(HOME, "proxy", "target", "test-classes")
    note("building the proxy and its benchmark program")
    maven = subprocess.run(
        ["mvn", "-q", "-pl", "proxy", "-am", "test-compile", "-Dspotless.check.skip=true"],
        cwd=HOME,
        stdout=subprocess.DEVNULL,
    )
    if maven.returncode != 0:
        sys.exit("bench: Maven could not build the proxy; run ./tulle check first, it sets up what is missing")
    jars = os.path.join(HOME, "target", "dist", "lib", "*")
    modules = [os.path.join(HOME, module, "target", "classes") for module in ("common", "model", "telemetry", "xds", "proxy")]
    return ":".join([classes, *modules, jars])


def flags():
    """The flags of the proxy's role, as the launcher writes them."""
    path = os.path.join(HOME, "target", "dist", "jvm", "proxy")
    if not os.path.exists(path):
        sys.exit("bench: run ./tulle check once, it builds the distribution")
    with open(path) as text:
        lines = [line.strip().strip('"') for line in text]
    return [line for line in lines[: lines.index("-cp")]]


def java_home():
    home = os.environ.get("JAVA_HOME")
    if not home:
        sys.exit("bench: set JAVA_HOME to a JDK 25 or newer")
    return home


def main():
    options = arguments(__doc__, seconds=6)
    for program, package in (("nginx", "nginx-light"), ("haproxy", "haproxy"), ("wrk", "wrk")):
        need(program, package)
    java = os.path.join(java_home(), "bin", "java")
    with Scenario("hop") as scenario:
        folder = scenario.folder
        scenario.start(["nginx", "-e", f"{folder}/back.start", "-c", nginx_origin(folder, "back", f"127.0.0.1:{BACK}", {"/": 100})], cpu=OTHERS)
        wait_port(BACK)
        peers = {
            "tulle": [java, *flags(), "-cp", proxy_class_path(), "dev.tulle.proxy.HopMain"]
            + [str(PORTS["tulle"]), str(BACK), str(METRICS)],
            "nginx": ["nginx", "-e", f"{folder}/front.start", "-c", nginx_proxy(folder)],
            "haproxy": ["haproxy", "-db", "-f", haproxy(folder)],
            "envoy": [envoy(), "-c", envoy_hop(folder, PORTS["envoy"], BACK), "--concurrency", "1", "--log-level", "error"],
        }
        running = {}
        for peer, command in peers.items():
            running[peer] = scenario.start(command, cpu=UNDER_TEST)
            wait_port(PORTS[peer], seconds=30)

        def measure(peer, seconds):
            pids = descendants(running[peer].pid)
            before = cpu_seconds(pids)
            figures = wrk(f"http://127.0.0.1:{PORTS[peer]}/", seconds, cpu=OTHERS)
            if figures["errors"]:
                raise RuntimeError(f"{peer}: {figures['errors']} errors")
            return {
                "cpu_us_per_request": (cpu_seconds(pids) - before) * 1e6 / figures["requests"],
                "requests_per_s": figures["requests_per_s"],
                "p50_us": figures["p50_us"],
                "p99_us": figures["p99_us"],
            }

        note("first requests, cold, and warming by load")
        cold = measure("tulle", 1)
        for _ in range(4):
            measure("tulle", 5)
        for peer in peers:
            measure(peer, 1)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            for peer in peers:
                scenario.add(peer, measure(peer, options.seconds))
        ratios = {}
        for below in ("nginx", "haproxy", "envoy"):
            ratios.update(scenario.ratios("cpu_us_per_request", "tulle", below))
        scenario.report(
            ["cpu_us_per_request", "requests_per_s", "p50_us", "p99_us"],
            ratios,
            [
                f"tulle: one worker, 20 routes, metrics on; cold (first second): {cold['cpu_us_per_request']:.1f} µs.",
                "The others only forward (Envoy with the same 20 routes). 64 connections, closed loop.",
                "Nothing discarded but the warming: 21 s of load for tulle, 1 s for each other.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
