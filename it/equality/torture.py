"""Requests that check every byte, while clients and servers are killed, servers close connections, routes change."""
import argparse
import array
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

import mesh as meshes

VERSIONS = ["v1", "v2"]
# Never stopped as a whole: without any workload there would be no service.
STEADY = "v3"
CLIENTS = 3
FIELDS = ["asked", "whole", "cut", "none", "behind", "hang", "wrong", "refused", "connections",
          "slowest_whole", "slowest_error", "slowest_cut", "slowest_none", "unsent", "unsent_answered", "absent"]
# Words of flood's stats: the fields, a count for each status below 600, and whether it is done.
STATS = len(FIELDS) + 600 + 1
# How much more often than on the proxy's path a request may end badly: what was killed when is chance.
RARE = 5


def arguments(words):
    parser = argparse.ArgumentParser(prog="torture", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000_000)
    parser.add_argument("--connections", type=int, default=24, help="of each of the three clients")
    parser.add_argument("--reference", type=int, default=0, help="requests without kernel HTTP; 0: a tenth")
    parser.add_argument("--kill-servers", type=float, default=2.0, help="a second")
    parser.add_argument("--kill-clients", type=float, default=0.5, help="a second")
    parser.add_argument("--changes", type=float, default=2.0, help="of the routes, a second")
    parser.add_argument("--chaos", type=int, default=2, help="per mille of connections that a server closes, every 3 ms")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--limit", type=int, default=3600, help="seconds for one mesh")
    parser.add_argument("--slack", type=float, default=1.0,
                        help="a request that ends badly may take so many seconds longer than on the proxy's path")
    parser.add_argument("--only", choices=["on", "off"])
    parser.add_argument("--lie", type=int, default=0, help="every Nth answer is wrong: must be found")
    parser.add_argument("--report", help="write the result as JSON here")
    return parser.parse_args(words)


def routes(weight):
    """The subsets, and a table of routes whose shares change."""
    rule = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": "alpha", "namespace": "default"},
            "spec": {"host": "alpha", "subsets": [
                {"name": v, "labels": {"version": v}} for v in [*VERSIONS, STEADY]]}}
    share = [{"destination": {"host": "alpha", "subset": "v1"}, "weight": weight},
             {"destination": {"host": "alpha", "subset": "v2"}, "weight": 100 - weight},
             {"destination": {"host": "alpha", "subset": STEADY}, "weight": 50}]
    http = [{"match": [{"uri": {"exact": "/a"}}], "route": [{"destination": {"host": "alpha", "subset": "v1"}}]},
            {"match": [{"uri": {"prefix": "/api"}, "method": {"exact": "GET"}}],
             "route": [{"destination": {"host": "alpha", "subset": "v2"}}]},
            {"route": [s for s in share if s["weight"]]}]
    service = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
               "metadata": {"name": "alpha", "namespace": "default"}, "spec": {"hosts": ["alpha"], "http": http}}
    return "".join("---\n" + json.dumps(m) + "\n" for m in (rule, service))


class Client:
    """A workload in which flood runs, is killed and is started again until its requests are done."""

    def __init__(self, mesh, binary, number, options, requests):
        self.binary, self.number, self.options = binary, number, options
        self.left = requests
        self.pid = None
        self.runs = []
        self.folder = mesh.folder
        self.over = False
        loop = 'while read -r line; do "$0" $line & echo "$!"; wait "$!"; echo "ended $?"; done'
        self.process = mesh.workload(
            f"client-{number}", [], ["sh", "-c", loop, binary],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        while self.left > 0 and not self.over:
            stats = f"{self.folder}/stats-{self.number}-{len(self.runs)}"
            self.runs.append(stats)
            seed = self.options.seed % 10_000 * 1000 + self.number * 300 + len(self.runs)
            try:
                self.process.stdin.write(f"alpha 9080 {self.options.connections} {self.left} {seed} {stats}\n")
                self.process.stdin.flush()
                self.pid = int(self.process.stdout.readline())
                self.process.stdout.readline()
            except (OSError, ValueError):
                return
            self.pid = None
            self.left -= read_stats(stats)["asked"]

    def kill(self):
        pid = self.pid
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
                return True
            except ProcessLookupError:
                pass
        return False


def read_stats(path):
    try:
        with open(path, "rb") as file:
            values = struct.unpack(f"<{STATS}Q", file.read(STATS * 8))
    except (OSError, struct.error):
        values = (0,) * STATS
    stats = dict(zip(FIELDS, values))
    stats["codes"] = {code: n for code, n in enumerate(values[len(FIELDS) : STATS - 1]) if n}
    return stats


def total(clients):
    whole = {name: 0 for name in FIELDS}
    whole["codes"] = {}
    for client in clients:
        for run in client.runs:
            stats = read_stats(run)
            for name in FIELDS:
                whole[name] = max(whole[name], stats[name]) if name.startswith("slowest") else whole[name] + stats[name]
            for code, n in stats["codes"].items():
                whole["codes"][code] = whole["codes"].get(code, 0) + n
    return whole


class Chaos:
    """Kills and changes at random moments, by a seed of its own."""

    def __init__(self, mesh, clients, options):
        self.mesh, self.clients, self.options = mesh, clients, options
        self.dice = random.Random(f"{options.seed}/chaos")
        self.counts = {"servers killed": 0, "workloads killed": 0, "clients killed": 0, "routes changed": 0}
        self.stop = threading.Event()
        # Even the shortest run loses a workload: a run that does not is nothing to compare with.
        self.threads = [threading.Thread(target=self._often, args=event, daemon=True) for event in (
            (options.kill_servers, self._server), (options.kill_servers / 40, self._workload, 1.0),
            (options.kill_clients, self._client), (options.changes, self._routes))]
        for thread in self.threads:
            thread.start()

    def _often(self, rate, action, first=None):
        """Does it at random, so many times a second on average; the first time after so many seconds."""
        while rate > 0 and not self.stop.wait(self.dice.expovariate(rate) if first is None else first):
            first = None
            try:
                action()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                if not self.stop.is_set():
                    meshes.note(f"torture: {error!r}")

    def _server(self):
        parent = self.mesh.processes.get("alpha-" + self.dice.choice([*VERSIONS, STEADY]))
        # A workload that is just starting is still the launcher, which is not meant.
        if parent is None or parent.poll() is not None or not os.readlink(f"/proc/{parent.pid}/exe").endswith("/server"):
            return
        with open(f"/proc/{parent.pid}/task/{parent.pid}/children") as children:
            for pid in children.read().split():
                os.kill(int(pid), signal.SIGKILL)
                self.counts["servers killed"] += 1

    def _workload(self):
        version = self.dice.choice(VERSIONS)
        self.mesh.stop_workload("alpha-" + version)
        self.counts["workloads killed"] += 1
        for _ in range(5):
            serve(self.mesh, version, self.options)
            if not self.stop.wait(3) and self.mesh.processes["alpha-" + version].poll() is None:
                return
            # The name may still be the killed one's.
            self.mesh.stop_workload("alpha-" + version)
        if not self.stop.is_set():
            raise RuntimeError(f"alpha-{version} does not come back")

    def _client(self):
        self.counts["clients killed"] += self.dice.choice(self.clients).kill()

    def _routes(self):
        text = routes(self.dice.choice([0, 10, 50, 90, 100]))
        self.counts["routes changed"] += 1
        if self.counts["routes changed"] % 10 == 1:
            self.mesh.apply(text)
            return
        call(self.mesh, {"method": "apply", "params": {"origin": "torture", "content": text}})

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(90)


def call(mesh, request):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(os.path.join(mesh.run_dir, "control.sock"))
        sock.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = sock.recv(65536)
            if not part:
                break
            answer += part
    if not answer.startswith(b'{"ok":true'):
        raise RuntimeError(f"apply: {answer[:300]!r}")


def serve(mesh, version, options):
    env = {"SUPERVISE": "1", "POSTS": f"{mesh.folder}/posts"}
    if options.lie:
        env["LIE"] = str(options.lie)
    words = [f"{key}={value}" for key, value in env.items()]
    mesh.workload(
        "alpha-" + version, ["--service", "alpha", "--label", f"version={version}", "--port", "http:9080"],
        ["env", *words, meshes.build("server", "server.c"), version, "9080", str(options.chaos), str(options.seed)])


def doubled(path):
    """POSTs that were done more than once."""
    numbers = array.array("Q")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return 0, 0
    numbers.frombytes(data[:len(data) // 8 * 8])
    return len(numbers), len(numbers) - len(set(numbers))


def run(which, number, requests, options, kernel):
    """One mesh under torture; its result."""
    flags = ["--kernel-http", which] if kernel else []
    mesh = meshes.Mesh("tulle-to-" + which, number, *flags)
    chaos = None
    try:
        flood = meshes.build("flood", "flood.c")
        mesh.wait_ready()
        for version in [*VERSIONS, STEADY]:
            serve(mesh, version, options)
        mesh.apply(routes(50))
        time.sleep(1.5)
        before = mesh.kernel_requests()
        clients = [Client(mesh, flood, i, options, requests // CLIENTS) for i in range(CLIENTS)]
        begun = time.monotonic()
        for client in clients:
            client.thread.start()
        chaos = Chaos(mesh, clients, options)
        shown = begun
        while any(c.thread.is_alive() for c in clients) and time.monotonic() - begun < options.limit:
            time.sleep(0.2)
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                now = total(clients)
                meshes.note(f"torture {which}: {now['asked']} asked, {now['wrong']} wrong, {now['hang']} hanging, "
                            f"{int(shown - begun)} s")
        chaos.end()
        for client in clients:
            client.over = True
            client.kill()
            client.thread.join(10)
        result = total(clients)
        result["seconds"] = round(time.monotonic() - begun, 1)
        result["chaos"] = chaos.counts
        result["posts"], result["doubled"] = doubled(f"{mesh.folder}/posts")
        result["unfinished"] = max(0, requests // CLIENTS * CLIENTS - result["asked"])
        after = mesh.kernel_requests()
        result["kernel"] = None if after is None else after - (before or 0)
        result["faults"] = [line for c in clients for line in _lines(f"{mesh.folder}/client-{c.number}.err")][:20]
        return result
    finally:
        if chaos:
            chaos.stop.set()
        mesh.close()


def _lines(path):
    try:
        with open(path, errors="replace") as file:
            return [line.rstrip() for line in file if line.startswith("fault")]
    except OSError:
        return []


def judge(result, reference, slack):
    """What is wrong with a result, next to that of the proxy's path."""
    wrong = []
    for name in ("wrong", "hang", "doubled", "unfinished"):
        if result[name]:
            wrong.append(f"{result[name]} {name}")
    if result["whole"] < result["asked"] * 0.8:
        wrong.append(f"only {result['whole']} of {result['asked']} whole answers: nothing is proven")
    if reference is None:
        return wrong
    # The answer that nobody is there belongs to workloads that are killed as a whole, and to nothing else. How often it
    # is given depends on how long they take to come back, not on the path.
    if result["absent"] and not result["chaos"]["workloads killed"]:
        wrong.append(f"{result['absent']} requests were told that there is no endpoint, and no workload was killed")
    # Rare ways to end may be missing in the shorter run: three more would not have been a surprise.
    scale = max(1.0, result["asked"] / max(1, reference["asked"]))
    for code, count in result["codes"].items():
        if count > (reference["codes"].get(code, 0) + 3) * scale * RARE:
            wrong.append(f"{count} answers {code}, {reference['codes'].get(code, 0)} on the proxy's path")
    for name in ("cut", "none"):
        if result[name] > (reference[name] + 3) * scale * RARE:
            wrong.append(f"{result[name]} requests ended as '{name}', {reference[name]} on the proxy's path")
    for kind in ("error", "cut", "none"):
        slow, usual = (r["slowest_" + kind] / 1e6 for r in (result, reference))
        if slow > usual + slack:
            wrong.append(f"the slowest '{kind}' came after {slow:.2f} s, {usual:.2f} s on the proxy's path")
    return wrong


def main(words):
    options = arguments(words)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 20)
    kernel = meshes.has_option("--kernel-http")
    meshes.note(f"torture: seed {options.seed}, kernel HTTP {'there' if kernel else 'not in this build'}")
    results = {}
    if options.only != "on":
        results["off"] = run("off", 3, options.reference or options.requests // 10, options, kernel)
    if options.only != "off":
        results["on"] = run("on", 2, options.requests, options, kernel)
    failed = 0
    for which, result in results.items():
        wrong = judge(result, results.get("off") if which == "on" else None, options.slack)
        if which == "on" and kernel and not options.only and (result["kernel"] or 0) < result["asked"] * 0.3:
            wrong.append(f"the kernel took {result['kernel']} of {result['asked']} requests; expected 30 % or more")
        print(f"torture {which}: seed {options.seed}: " + json.dumps(
            {k: v for k, v in result.items() if k != "faults"}))
        for line in wrong + result["faults"]:
            print(f"not ok torture {which}: {line}")
        failed += bool(wrong)
    if options.report:
        with open(options.report, "w") as file:
            json.dump(results, file, indent=1)
    if options.lie:
        failed = len(results) - failed
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0
