"""Service to service on one host: two unmodified programs (wrk and nginx), direct, through the mesh on each of its paths
and through an Envoy hop. In the mesh: 20 routes of which the load takes the last, one allow policy, metrics on. Three
loads: 64 connections with 128-byte answers, one connection, and 64 connections with 10 KiB answers."""
import os
import subprocess
import sys
import time

from harness import HOME, Mesh, Scenario, arguments, envoy, need, note, wait_port, wrk
from peers import ROUTES, envoy_hop, nginx_origin, write

PORT = 9180
DIRECT = PORT + 1
ENVOY = PORT + 2
WARM_SECONDS = 12
BODIES = {"/": 128, "/large": 10 << 10}
# Suffix of the result's name, path, connections.
LOADS = (("", "/hello", 64), ("-1c", "/hello", 1), ("-10k", "/large", 64))
# Name, tier, protocol of the port, more options of `up`, loads.
MESHES = (
    ("kernel-http", "splice", "http", ("--kernel-http", "on"), LOADS),
    ("splice", "splice", "http", ("--kernel-http", "off"), LOADS),
    ("redirect", "redirect", "http", (), LOADS[:1]),
    ("nftables", "nftables", "http", (), LOADS[:1]),
    ("explicit", "explicit", "http", (), LOADS[:1]),
    ("kernel-l4", "splice", "tcp", (), LOADS),
)


def configuration():
    """A route table whose last route the load takes, and a policy that allows the load's service account to read."""
    routes = "".join(
        f"  - match: [{{uri: {{prefix: /never/{i}/}}}}]\n    route: [{{destination: {{host: web}}}}]\n"
        for i in range(ROUTES - 1)
    )
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web, namespace: default}\n"
        f"spec:\n  hosts: [web]\n  http:\n{routes}  - route: [{{destination: {{host: web}}}}]\n"
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n"
        "metadata: {name: web-readers, namespace: default}\n"
        "spec:\n  selector: {matchLabels: {app: web}}\n  action: ALLOW\n  rules:\n"
        "  - from: [{source: {principals: [cluster.local/ns/default/sa/load]}}]\n"
        "    to: [{operation: {methods: [GET]}}]\n"
    )


def httplat(scenario):
    """The client that counts each request once, compiled; see its source."""
    binary = os.path.join(scenario.folder, "httplat")
    source = os.path.join(HOME, "bench", "tools", "httplat.c")
    subprocess.run([need("cc", "gcc"), "-O2", "-o", binary, source], check=True)
    return binary


def each_once(binary, host, port, seconds, prefix=()):
    """Percentiles over requests that are counted once each, with 64 connections."""
    command = [*prefix, binary, host, str(port), "/hello", str(seconds), "64"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    _, p50, p99, p999, _ = map(float, done.stdout.split())
    return {"each_once_p50_us": p50, "each_once_p99_us": p99, "each_once_p999_us": p999}


def in_mesh(scenario, name, tier, protocol, more, loads, seconds, binary):
    mesh = Mesh(scenario, tier, more=more)
    try:
        origin = nginx_origin(mesh.folder, "web", PORT, BODIES)
        web = scenario.start(
            mesh.run_prefix("web", "--service", "web", "--label", "app=web", "--port", f"{protocol}:{PORT}")
            + ["nginx", "-e", f"{mesh.folder}/web.start", "-c", origin]
        )
        if protocol == "http":
            mesh.tulle("apply", "-f", write(mesh.folder, "web.yaml", configuration()))
        load = mesh.run_prefix("load", "--service-account", "load")
        base = f"http://127.0.0.1:{15080 + mesh.offset}/web" if tier == "explicit" else f"http://web:{PORT}"
        wait_ready(load, base + "/hello")
        wrk(base + "/hello", WARM_SECONDS if protocol == "http" else 2, prefix=load)
        for suffix, path, connections in loads:
            scenario.add(name + suffix, wrk(base + path, seconds, connections, prefix=load))
        if len(loads) > 1:
            scenario.add(name, each_once(binary, "web", PORT, seconds, load))
        web.terminate()
        web.wait(timeout=20)
    finally:
        mesh.stop()


def outside(scenario, name, port, seconds, binary):
    wrk(f"http://127.0.0.1:{port}/hello", 2)
    for suffix, path, connections in LOADS:
        scenario.add(name + suffix, wrk(f"http://127.0.0.1:{port}{path}", seconds, connections))
    scenario.add(name, each_once(binary, "127.0.0.1", port, seconds))


def wait_ready(prefix, url):
    end = time.time() + 20
    while time.time() < end:
        done = subprocess.run(prefix + ["curl", "-sf", "-o", "/dev/null", "-m", "3", url], capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.3)
    raise RuntimeError(f"{url} does not answer: {done.stderr}")


def main():
    options = arguments(__doc__)
    for program, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("curl", "curl")):
        need(program, package)
    with Scenario("mesh") as scenario:
        folder = scenario.folder
        os.chmod(folder, 0o755)
        binary = httplat(scenario)
        origin = nginx_origin(folder, "direct", f"127.0.0.1:{DIRECT}", BODIES)
        scenario.start(["nginx", "-e", f"{folder}/direct.start", "-c", origin])
        # As many workers as the mesh's proxy has.
        scenario.start([envoy(), "-c", envoy_hop(folder, ENVOY, DIRECT), "--concurrency", "2", "-l", "error"])
        wait_port(DIRECT)
        wait_port(ENVOY, seconds=30)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            for name, tier, protocol, more, loads in MESHES:
                # The direct connection beside each: what the machine gives changes from minute to minute.
                if len(loads) > 1:
                    outside(scenario, "direct", DIRECT, options.seconds, binary)
                in_mesh(scenario, name, tier, protocol, more, loads, options.seconds, binary)
            outside(scenario, "envoy", ENVOY, options.seconds, binary)
        ratios = {}
        for over, below in (
            ("kernel-http", "direct"),
            ("kernel-http-10k", "direct-10k"),
            ("kernel-http-1c", "direct-1c"),
            ("kernel-http", "envoy"),
            ("kernel-l4", "direct"),
            ("splice", "direct"),
            ("splice", "redirect"),
            ("splice", "nftables"),
            ("splice", "envoy"),
        ):
            ratios.update(scenario.ratios("requests_per_s", over, below))
            for figure in ("p50_us", "p99_us", "each_once_p50_us", "each_once_p99_us", "each_once_p999_us"):
                for pair, ratio in scenario.ratios(figure, over, below).items():
                    ratios[f"{pair} {figure}"] = ratio
        scenario.report(
            ["requests_per_s", "p50_us", "p99_us", "each_once_p50_us", "each_once_p99_us", "errors"],
            ratios,
            [
                f"{ROUTES} routes, an allow policy, metrics on; the JVM warmed by {WARM_SECONDS} s of load in each round.",
                "p50 and p99 are wrk's, which adds samples for time that stood still; each_once: without them (bench/README.md).",
                "-1c: one connection; -10k: answers of 10 KiB. Closed loop; all of it shares the machine's cores.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
