"""Large bodies, stalled ends, half-closes, resets and idle connections: what they may cost, and that no byte is lost."""
import argparse
import json
import re
import subprocess
import threading
import time

import mesh as meshes

MEMORY = 16 << 20  # bytes of socket memory for one connection, its two ends together
GAP_MS = 1000  # between two bytes once the stalled end goes on
WARM = 6
PORT_CONNECTIONS = 400  # idle connections to one port of many


def arguments(words):
    parser = argparse.ArgumentParser(prog="limits", description=__doc__)
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes of a large body")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections")
    parser.add_argument("--report", help="write the result as JSON here")
    return parser.parse_args(words)


class Memory(threading.Thread):
    """The most that the two ends of one connection of a mesh held, bytes: both queues and what is kept for them."""

    def __init__(self, mesh):
        super().__init__(daemon=True)
        self.prefix = f"100.{mesh.range}."
        self.most = 0
        self.over = threading.Event()
        self.start()

    def now(self):
        listed = subprocess.run(["ss", "-tmnOH"], capture_output=True, text=True).stdout
        pairs = {}
        for line in listed.splitlines():
            found = re.search(r"skmem:\(r(\d+),rb\d+,t(\d+),tb\d+,f(\d+),w(\d+),o(\d+),bl(\d+)", line)
            if found and self.prefix in line:
                # ss prints signed fields as unsigned: what was taken in advance may be negative.
                read, _, forward, written, other, backlog = (
                    v - (1 << 32) if v >= 1 << 31 else v for v in map(int, found.groups()))
                ends = tuple(sorted(line.split()[3:5]))
                pairs[ends] = pairs.get(ends, 0) + read + forward + written + other + backlog
        return max(pairs.values(), default=0)

    def run(self):
        while not self.over.is_set():
            self.most = max(self.most, self.now())
            time.sleep(0.1)

    def stop(self):
        self.over.set()
        self.join(10)
        return self.most


def resident(mesh):
    """Resident memory of the proxy, bytes."""
    with open(f"{mesh.run_dir}/proxy.pid") as file:
        pid = file.read().split()[0]
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def pour(mesh, binary, host, mode, size, stall, limit=180):
    """One run; (what it said, most memory of one connection's sockets)."""
    memory = Memory(mesh)
    command = mesh.command(
        "run", "--name", "pour", *meshes.SPLICED, "--", binary, host, "9080", mode, str(size), str(stall), str(WARM))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=meshes.CLEAN)
        out = done.stdout + done.stderr
    except subprocess.TimeoutExpired as error:
        out = f"hangs: {error.stdout!r}"
    most = memory.stop()
    last = [line for line in out.splitlines() if line.startswith("{")]
    return (json.loads(last[-1]) if last else {"ok": False, "what": out[-300:]}), most


def idle(mesh, binary, host, port, count, leases=0):
    """Many connections that have asked and wait; bytes of memory for each, and whether all still answer. With `leases`,
    so many connections to servers must be the kernel's meanwhile."""
    before = resident(mesh), slab()
    process = mesh.workload(
        "idle", [], [binary, host, str(port), "idle", str(count), "0", "3"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(240, process.kill)
    timer.start()
    try:
        said = process.stdout.readline()
        after = resident(mesh), slab()
        if "idle" not in said:
            return {"ok": False, "what": said}, {}
        lent = sum(float(line.rsplit(" ", 1)[1]) for line in mesh.scrape(15090).splitlines()
                   if line.startswith("tulle_proxy_kernel_leases"))
        process.stdin.write("go\n")
        process.stdin.flush()
        said = process.stdout.readline()
    finally:
        timer.cancel()
        mesh.stop_workload("idle")
    figures = {"proxy_bytes": (after[0] - before[0]) // count, "kernel_bytes": (after[1] - before[1]) // count,
               "leases": int(lent)}
    if lent < leases:
        return {"ok": False, "what": f"{lent} leases, expected {leases} or more: nothing is proven"}, figures
    return (json.loads(said) if said.startswith("{") else {"ok": False, "what": said}), figures


def many_ports(mesh, server, service, ports):
    """A service of many ports with a server behind each: an endpoint lends at most 256 connections to a loop. An odd
    number of them, as loops take connections in turn."""
    declared = [word for port in ports for word in ("--port", f"http:{port}")]
    script = """server=$1; shift
        trap 'kill $servers' TERM INT
        for port; do setpriv --pdeathsig TERM "$server" v1 "$port" & servers="$servers $!"; done
        wait"""
    mesh.workload(
        service + "-v1", ["--service", service, "--label", "version=v1", *declared],
        ["sh", "-c", script, "sh", server, *map(str, ports)])


def open_files(mesh):
    """How many descriptors the proxy may have."""
    with open(f"{mesh.run_dir}/proxy.pid") as file:
        pid = file.read().split()[0]
    with open(f"/proc/{pid}/limits") as limits:
        return next(int(line.split()[3]) for line in limits if line.startswith("Max open files"))


def slab():
    """Kernel memory of the host, bytes: objects and what sockets hold."""
    with open("/proc/meminfo") as info:
        values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in info}
    return values["Slab"]


def main(words):
    options = arguments(words)
    large, small = options.size, min(options.size, 16 << 20)
    cases = [("get", large, 3000), ("put", large, 3000), ("get", large, 0), ("put", large, 0), ("half", small, 0),
             ("close", 300_000, 0), ("reset", small, 0)]
    kernel = meshes.has_option("--kernel-http")
    binary, server = meshes.build("pour", "pour.c"), meshes.build("server", "server.c")
    passed = failed = 0
    report = []
    mesh = meshes.Mesh("tulle-li", 4, *(["--kernel-http", "on"] if kernel else []))
    try:
        mesh.wait_ready()
        mesh.server(server, "alpha", "v1")
        time.sleep(2)
        before = mesh.kernel_requests() or 0
        for mode, size, stall in cases:
            said, memory = pour(mesh, binary, "alpha", mode, size, stall)
            good = said["ok"] and memory <= MEMORY and said["gap_ms"] <= GAP_MS
            passed, failed = passed + good, failed + (not good)
            report.append({"mode": mode, "size": size, "stall_ms": stall, "memory": memory, **said})
            print(f"{'ok' if good else 'not ok'} {mode} of {size >> 10} KiB, stall {stall} ms: {memory >> 10} KiB of "
                  f"socket memory, {json.dumps(said)}", flush=True)
        ports = range(9100, 9100 + (-(-options.idle // PORT_CONNECTIONS) | 1))
        many_ports(mesh, server, "many", ports)
        for _ in range(20):
            if idle(mesh, binary, "many", f"{ports[0]}-{ports[-1]}", 2 * len(ports))[0]["ok"]:
                break
        # A connection with a lease takes two of the proxy's descriptors.
        most = min(options.idle, (open_files(mesh) - 1000) // 2)
        for host, port, count, leases in (("alpha", 9080, options.idle, 0),
                                          ("many", f"{ports[0]}-{ports[-1]}", most, most * 9 // 10 if kernel else 0)):
            said, figures = idle(mesh, binary, host, port, count, leases)
            good = said["ok"] and said["gap_ms"] <= GAP_MS
            passed, failed = passed + good, failed + (not good)
            report.append({"mode": "idle", "host": host, "count": count, **figures, **said})
            print(f"{'ok' if good else 'not ok'} {count} idle connections to {host}: {json.dumps(figures)}, "
                  f"{json.dumps(said)}", flush=True)
        taken = (mesh.kernel_requests() or 0) - before
        print(f"limits: {taken} requests by the kernel")
        if kernel and taken == 0:
            print("not ok no request went through the kernel: nothing is proven")
            failed += 1
    finally:
        mesh.close()
    if options.report:
        with open(options.report, "w") as file:
            json.dump(report, file, indent=1)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
