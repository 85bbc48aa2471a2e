"""From `./tulle up` to ready, and what control, agent and proxy hold in memory, idle and after a million requests."""
import sys
import time

from harness import Mesh, Scenario, arguments, need, note, rss_bytes, wrk
from peers import nginx_origin
from scenarios.mesh import BODIES, PORT, wait_ready

REQUESTS = 1_000_000
MIB = 1 << 20


def node_bytes(mesh):
    """Resident memory of the JVM of control and agent, and of the proxy."""
    return rss_bytes(mesh.pid("up")), rss_bytes(mesh.pid("proxy"))


def main():
    options = arguments(__doc__, rounds=5)
    for program, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("curl", "curl")):
        need(program, package)
    with Scenario("start") as scenario:
        Mesh(scenario).stop()
        for number in range(options.rounds):
            mesh = Mesh(scenario)
            scenario.add("tulle", {"ready_s": mesh.ready_seconds})
            time.sleep(1)
            node, proxy = node_bytes(mesh)
            scenario.add("tulle", {"idle_mib": (node + proxy) / MIB})
            if number + 1 < options.rounds:
                mesh.stop()
        note(f"{REQUESTS:,} requests")
        scenario.start(
            mesh.run_prefix("web", "--service", "web", "--port", f"http:{PORT}")
            + ["nginx", "-c", nginx_origin(mesh.folder, "web", PORT, BODIES)]
        )
        load = mesh.run_prefix("load")
        wait_ready(load, f"http://web:{PORT}/")
        done = 0
        while done < REQUESTS:
            done += wrk(f"http://web:{PORT}/", 10, prefix=load)["requests"]
        node, proxy = node_bytes(mesh)
        scenario.add(
            "tulle",
            {
                "control_agent_mib": node / MIB,
                "proxy_mib": proxy / MIB,
                "loaded_mib": (node + proxy) / MIB,
                "requests": done,
            },
        )
        mesh.stop()
        scenario.report(["ready_s", "idle_mib", "loaded_mib"], {}, ["Warm: the build's start-up archives exist."])


if __name__ == "__main__":
    sys.exit(main())
