"""Bytes from service to service on one host, no proxy: direct, and through the mesh with the endpoint chosen in the kernel."""
import os
import subprocess
import sys
import time

from harness import HOME, Mesh, Scenario, arguments, cpu_seconds, descendants, need, note, wait_port, wrk
from peers import nginx_origin
from scenarios.mesh import wait_ready

WEB, TCP, UDP = 9380, 9381, 9382
SERVER_CPU, LOAD_CPU = 0, 1
CALLERS = 4  # processes that connect
WINDOW = 32  # datagrams under way


def l4load(folder):
    """The loader, compiled."""
    binary = os.path.join(folder, "l4load")
    subprocess.run([need("cc", "gcc"), "-O2", "-o", binary, os.path.join(HOME, "bench", "tools", "l4load.c")], check=True)
    return binary


def load(prefix, server, binary, *words):
    """What came back in a second, and the processor time of caller and server for each, in µs."""
    before = cpu_seconds(descendants(server.pid))
    command = list(prefix) + ["taskset", "-c", str(LOAD_CPU), binary, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    count, seconds, cpu = map(float, done.stdout.split())
    return count / seconds, (cpu + cpu_seconds(descendants(server.pid)) - before) / max(count, 1) * 1e6


def servers(folder, binary):
    """Name, protocol, port and command of the three services."""
    return (
        ("web", "tcp", WEB, ["nginx", "-e", f"{folder}/web.start", "-c", nginx_origin(folder, "web", WEB, {"/": 128})]),
        ("once", "tcp", TCP, [binary, "tcp-serve", str(TCP)]),
        ("echo", "udp", UDP, [binary, "udp-serve", str(UDP)]),
    )


def measure(prefix, binary, started, host, seconds):
    """All figures of one peer; `host` gives a service's name as this peer calls it."""
    _, once, echo = started
    url = f"http://{host('web')}:{WEB}/hello"
    wrk(url, 1, cpu=LOAD_CPU, prefix=prefix)
    figures = wrk(url, seconds, cpu=LOAD_CPU, prefix=prefix)
    load(prefix, once, binary, "tcp-load", host("once"), TCP, 1, CALLERS)
    for name, server, words in (
        ("connections", once, ("tcp-load", host("once"), TCP, seconds, CALLERS)),
        ("udp", echo, ("udp-load", host("echo"), UDP, seconds, WINDOW, "unconnected")),
        ("udp_connected", echo, ("udp-load", host("echo"), UDP, seconds, WINDOW, "connected")),
    ):
        figures[f"{name}_per_s"], figures[f"{name}_cpu_us"] = load(prefix, server, binary, *words)
    return figures


def end(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=20)


def direct(scenario, binary, seconds):
    started = [scenario.start(command, cpu=SERVER_CPU) for _, _, _, command in servers(scenario.folder, binary)]
    try:
        wait_port(WEB)
        wait_port(TCP)
        return measure([], binary, started, lambda _: "127.0.0.1", seconds)
    finally:
        end(started)


def in_mesh(scenario, binary, splice, seconds):
    """`splice`: what all workloads ask for."""
    mesh = Mesh(scenario, "splice")
    started = []
    try:
        for name, protocol, port, command in servers(mesh.folder, binary):
            prefix = mesh.run_prefix(name, "--service", name, "--port", f"{protocol}:{port}", "--splice", splice)
            started.append(scenario.start(prefix + ["taskset", "-c", str(SERVER_CPU)] + command))
        prefix = mesh.run_prefix("load", "--splice", splice)
        wait_ready(prefix, f"http://web:{WEB}/hello")
        for attempt in range(40):
            try:
                load(prefix, started[2], binary, "udp-load", "echo", UDP, 0.1, 1, "unconnected")
                load(prefix, started[1], binary, "tcp-load", "once", TCP, 0.1, 1)
                break
            except RuntimeError:
                if attempt == 39:
                    raise
                time.sleep(0.25)
        return measure(prefix, binary, started, lambda name: name, seconds)
    finally:
        end(started)
        mesh.stop()


def main():
    options = arguments(__doc__, seconds=3)
    for program, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("curl", "curl")):
        need(program, package)
    with Scenario("l4") as scenario:
        binary = l4load(scenario.folder)
        os.chmod(scenario.folder, 0o755)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            scenario.add("direct", direct(scenario, binary, options.seconds))
            scenario.add("kernel-l4", in_mesh(scenario, binary, "http", options.seconds))
            scenario.add("kernel-l4-spliced", in_mesh(scenario, binary, "on", options.seconds))
        kinds = ("connections", "udp", "udp_connected")
        figures = ["requests_per_s", *(f"{kind}_per_s" for kind in kinds), *(f"{kind}_cpu_us" for kind in kinds), "p50_us"]
        ratios = {}
        for peer in ("kernel-l4", "kernel-l4-spliced"):
            for figure in figures:
                for name, ratio in scenario.ratios(figure, peer, "direct").items():
                    ratios[f"{name} {figure}"] = ratio
        scenario.report(
            figures,
            ratios,
            [
                "requests: nginx and wrk, 64 kept connections. connections: connect, one byte there and back, end;"
                f" {CALLERS} callers.",
                f"udp: datagrams of 64 bytes that came back, {WINDOW} under way; by sendto, and on a connected socket.",
                "cpu: processor time of caller and server for each connection or datagram; it depends on the neighbours least.",
                "kernel-l4: as a workload is by default; kernel-l4-spliced: with --splice on at both ends.",
                f"Servers on processor {SERVER_CPU}, callers on processor {LOAD_CPU}.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
