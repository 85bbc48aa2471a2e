"""CPU per proxied HTTP/1.1 request: the node proxy with a table of twenty routes and metrics on, against nginx, HAProxy
and Envoy that only forward. The proxy under test has one core, load generator and back end share the other."""
import sys

from harness import Scenario, arguments, cpu_seconds, descendants, envoy, need, note, wait_port, wrk
from node import allocated_bytes, node_proxy
from peers import envoy_hop, haproxy, nginx_origin, nginx_proxy

BACK = 21_381
PORTS = {"tulle": 21_382, "nginx": 21_383, "haproxy": 21_384, "envoy": 21_385}
METRICS = 21_386
UNDER_TEST = 0
OTHERS = 1


def main():
    options = arguments(__doc__, seconds=6)
    for program, package in (("nginx", "nginx-light"), ("haproxy", "haproxy"), ("wrk", "wrk")):
        need(program, package)
    with Scenario("hop") as scenario:
        folder = scenario.folder
        scenario.start(["nginx", "-e", f"{folder}/back.start", "-c", nginx_origin(folder, "back", f"127.0.0.1:{BACK}", {"/": 100})], cpu=OTHERS)
        wait_port(BACK)
        peers = {
            "tulle": node_proxy() + [str(PORTS["tulle"]), str(BACK), str(METRICS)],
            "nginx": ["nginx", "-e", f"{folder}/front.start", "-c", nginx_proxy(folder, PORTS["nginx"], BACK)],
            "haproxy": ["haproxy", "-db", "-f", haproxy(folder, PORTS["haproxy"], BACK)],
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
        held = allocated_bytes(running["tulle"].pid)
        asked = wrk(f"http://127.0.0.1:{PORTS['tulle']}/", options.seconds, cpu=OTHERS)["requests"]
        allocated = (allocated_bytes(running["tulle"].pid) - held) / asked
        scenario.add("tulle", {"allocated_bytes_per_request": allocated})
        for below in ("nginx", "haproxy", "envoy"):
            ratios.update(scenario.ratios("cpu_us_per_request", "tulle", below))
        scenario.report(
            ["cpu_us_per_request", "requests_per_s", "p50_us", "p99_us"],
            ratios,
            [
                f"tulle: one worker, 20 routes, metrics on; cold (first second): {cold['cpu_us_per_request']:.1f} µs.",
                "The others only forward (Envoy with the same 20 routes). 64 connections, closed loop.",
                f"Allocated on the heap by tulle's loop, per request: {allocated:.1f} bytes (connections included).",
                "Nothing discarded but the warming: 21 s of load for tulle, 1 s for each other.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
