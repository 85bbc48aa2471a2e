"""Smuggling and downgrade: doubtful messages of HTTP/1.1 and HTTP/2, through the mesh and through the gateway, to real servers.

After each of them innocent clients ask on what connections there are. Nobody may get an answer that is another's; a server
may see only what a parser with one reading of everything reads in what the proxy sends, and answers just that; what is
ambiguous is refused before any server sees it.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import threading

import mesh as meshes
import servers
import vectors
import vectors2

HERE = os.path.dirname(os.path.abspath(__file__))
ATTACKS = os.path.join(os.path.dirname(HERE), "attacks")
# Below the ports that the kernel gives to connections, as all of a mesh.
GATEWAY_PORT, SERVER_PORT = 15200, 15210

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: front}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
"""
ROUTE = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}}}
spec:
  hosts: [{name}.example.com]
  gateways: [front]
  http: [{{route: [{{destination: {{host: {name}}}}}]}}]
"""


def arguments(words):
    parser = argparse.ArgumentParser(prog="smuggling", description=__doc__.splitlines()[0])
    parser.add_argument("--servers", default=",".join(servers.ALL), help="behind the mesh; default: %(default)s")
    parser.add_argument("--only", help="vectors whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="every so-manieth vector alone")
    parser.add_argument("--report", help="write each outcome as a JSON line here")
    return parser.parse_args(words)


class Field:
    """One mesh: servers, each behind a tap that is a workload, and the gateway before them."""

    def __init__(self, names):
        self.mesh = meshes.Mesh("tulle-sm", 6, every=())
        self.servers, self.players = [], []
        try:
            self.port = GATEWAY_PORT + self.mesh.offset
            for index, name in enumerate(names):
                self.servers.append(servers.Server(name, self.mesh.folder, SERVER_PORT + self.mesh.offset + index))
            self.mesh.wait_ready()
            for server in self.servers:
                server.wait()
                self.mesh.workload(
                    server.name, ["--service", server.name, "--port", "http:9080"],
                    [sys.executable, "-B", os.path.join(HERE, "tap.py"), "9080", str(server.port), self.report(server.name)])
            self.mesh.apply(GATEWAY.format(port=self.port) + "".join(ROUTE.format(name=name) for name in names))
        except BaseException:
            self.close()
            raise

    def report(self, name):
        return f"{self.mesh.folder}/{name}.report"

    def seen(self, name):
        if not os.path.exists(self.report(name)):
            return []
        with open(self.report(name)) as report:
            return [json.loads(line) for line in report if line.endswith("\n")]

    def player(self, front, name):
        host, port, authority = (name, 9080, name) if front == "mesh" else ("127.0.0.1", self.port, name + ".example.com")
        command = [sys.executable, "-B", os.path.join(HERE, "fronts.py"), host, str(port), authority]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = {**meshes.CLEAN, "PYTHONPATH": ATTACKS}
        if front == "mesh":
            process = self.mesh.workload("client-" + name, [], ["env", "PYTHONPATH=" + ATTACKS, *command], **pipes)
        else:
            process = subprocess.Popen(command, env=environment, stderr=open(f"{self.mesh.folder}/gateway-{name}.err", "ab"), **pipes)
        self.players.append(process)
        if not process.stdout.readline():
            raise RuntimeError(f"the client of {name} has ended: {self.mesh.ended()}")
        return process

    def close(self):
        for process in self.players:
            process.kill()
            process.wait()
        self.mesh.close()
        for server in self.servers:
            server.close()


class Verdicts:
    """What was played, and what was not as it has to be."""

    def __init__(self, path):
        self.lock, self.played, self.wrong, self.told = threading.Lock(), 0, [], collections.Counter()
        self.file = open(path, "w") if path else None

    def add(self, place, vector, outcome):
        told, wrong = outcome["told"], list(outcome["wrong"])
        if "hangs" in told:
            wrong.append("hangs")
        if vector.expected == vectors.REFUSED and any(code.startswith("2") for code in told):
            wrong.append(f"was answered: {told}")
        if vector.expected == vectors.TAKEN and "200" not in told:
            wrong.append(f"was refused: {told}")
        with self.lock:
            self.played += 1
            self.told[vector.expected, " ".join(told) or "closed"] += 1
            if self.file:
                print(json.dumps({"place": place, "vector": vector.name, "expected": vector.expected, **outcome}), file=self.file)
            self.wrong += [f"{place}: {vector.name}: {what}" for what in wrong]


def numbered(options):
    """All vectors with their numbers, which say what a server has seen."""
    found = []
    for kind, family in (("http1", vectors), ("http2", vectors2)):
        for index, vector in enumerate(family.all_of_them()):
            if index % options.every == 0 and (not options.only or options.only in vector.name):
                found.append((kind, index, vector))
    return found


def play(field, front, name, chosen, first, verdicts, problems):
    try:
        player = field.player(front, name)
        for offset, (kind, index, vector) in enumerate(chosen):
            player.stdin.write(json.dumps({"kind": kind, "index": index, "number": first + offset}) + "\n")
            player.stdin.flush()
            line = player.stdout.readline()
            if not line:
                raise RuntimeError(f"the client of {name} has ended at {vector.name}")
            verdicts.add(f"{front} {kind} {name}", vector, json.loads(line))
    except (OSError, RuntimeError, ValueError) as error:
        problems.append(f"{front} {name}: {error}")


def compare(field, name, of, verdicts):
    """What the tap before a server has seen, against what it may see; `of` has the vector of each number."""
    requests = 0
    for row in field.seen(name):
        if "wrong" in row:
            verdicts.wrong.append(f"{name}: {row['wrong']} (after {row['after'] if 'after' in row else ''})")
            continue
        requests += 1
        target = row["request"]
        number = target.partition("-")[2].partition("/")[0].partition("?")[0]
        if target.startswith("/evil") and not (number.isdigit() and of[int(number)][2].follows):
            verdicts.wrong.append(f"{name} was asked for what was hidden: {target}")
        elif target.startswith("/v-") and number.isdigit() and of[int(number)][2].expected == vectors.REFUSED:
            verdicts.wrong.append(f"{name} has seen {of[int(number)][2].name}, which is ambiguous: {target}")
    return requests


def main(words):
    options = arguments(words)
    names = options.servers.split(",")
    chosen = numbered(options)
    verdicts, problems, of, requests = Verdicts(options.report), [], {}, 0
    field = Field(names)
    try:
        for name in names:
            threads = []
            for front in ("mesh", "gateway"):
                first = len(of)
                of.update({first + offset: vector for offset, vector in enumerate(chosen)})
                threads.append(threading.Thread(target=play, args=(field, front, name, chosen, first, verdicts, problems)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seen = compare(field, name, of, verdicts)
            requests += seen
            meshes.note(f"{name}: {len(chosen)} vectors at two fronts, {seen} requests seen, {len(verdicts.wrong)} wrong so far")
            if seen < 4 * len(chosen):
                problems.append(f"{name} has seen {seen} requests: nothing is proven")
    finally:
        field.close()
    for (expected, told), count in sorted(verdicts.told.items()):
        meshes.note(f"  {expected}: {told}: {count}")
    for line in (verdicts.wrong + problems)[:200]:
        print("not ok " + line)
    wrong = len(verdicts.wrong) + len(problems)
    if verdicts.played == 0:
        wrong += 1
        print("not ok nothing was played")
    meshes.note(f"{len(verdicts.wrong)} wrong, {len(problems)} problems; {verdicts.played} times a vector, {requests} requests read along, {wrong} wrong")
    print(f"{max(verdicts.played - wrong, 0)} passed, {wrong} failed, 0 skipped")
    return 1 if wrong else 0
