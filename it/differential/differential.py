"""Istio's configuration through Tulle and through a real Envoy that an independent translation configures, compared."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import beside
import cases
import compare
import differences
import envoy
import mesh as meshes

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = [("alpha", "v1"), ("alpha", "v2"), ("alpha", "v3"), ("beta", "v1"), ("gamma", "v1")]
THREADS = 3  # requests at a time: so many may be tried again at once, whatever the load
PATIENCE = 3.0  # seconds for a copy or a late try to reach its server
QUIET = 0.15  # seconds without a new one, after which none is expected any more


class Asker:
    """client.py, inside the mesh or outside."""

    def __init__(self, process):
        self.process = process

    def ask(self, requests):
        """Answers by request; `requests` have their host."""
        def feed():
            for said in requests:
                self.process.stdin.write(json.dumps(said) + "\n")
            self.process.stdin.flush()

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        answers = {}
        while len(answers) < len(requests):
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the client ended with {len(requests) - len(answers)} requests open")
            told = json.loads(line)
            answers[told["id"]] = told
        feeder.join()
        return answers


class Arrivals:
    """What the servers of a side have noted."""

    def __init__(self, folder):
        self.paths = {w: os.path.join(folder, f"{w[0]}-{w[1]}.requests") for w in WORKLOADS}
        self.read = {w: 0 for w in WORKLOADS}

    def more(self):
        found = []
        for workload, path in self.paths.items():
            if not os.path.exists(path):
                continue
            with open(path, "rb") as log:
                log.seek(self.read[workload])
                lines = log.read()
            lines = lines[:lines.rfind(b"\n") + 1]
            self.read[workload] += len(lines)
            found += [json.loads(line) for line in lines.splitlines()]
        return found


class Side:
    def __init__(self, asker, arrivals, host_of):
        self.asker, self.arrivals, self.host_of = asker, arrivals, host_of

    def play(self, configuration):
        """Of each request (answer, what arrived because of it)."""
        requests = [{"id": r["id"], "method": r["method"], "data": r["data"], "port": 9080,
                     "host": self.host_of(configuration, r["service"])} for r in configuration["requests"]]
        answers = self.asker.ask(requests)
        arrived = {r["id"]: [] for r in requests}
        end, quiet = time.monotonic() + PATIENCE, time.monotonic() + QUIET
        while time.monotonic() < min(end, quiet):
            for told in self.arrivals.more():
                arrived.get(told["nonce"], []).append(told)
                quiet = time.monotonic() + QUIET
            time.sleep(0.02)
        return {name: (answer, arrived[name]) for name, answer in answers.items()}


class Tulle:
    """A mesh with the servers and the client in it; one configuration after the other is in force."""

    def __init__(self):
        self.mesh = meshes.Mesh("tulle-di", 7)
        self.there = set()
        try:
            self.mesh.wait_ready()
            for service, version in WORKLOADS:
                self.mesh.workload(
                    f"{service}-{version}",
                    ["--service", service, "--label", f"version={version}", "--label", f"app={service}", "--port", "http:9080"],
                    [sys.executable, os.path.join(HERE, "server.py"), f"{service}-{version}",
                     os.path.join(self.mesh.folder, f"{service}-{version}.requests"), "0.0.0.0", "9080"])
            client = self.mesh.workload("client", [], [sys.executable, os.path.join(HERE, "client.py"), str(THREADS)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.side = Side(Asker(client), Arrivals(self.mesh.folder), lambda _, service: service)
            self._wait_for_servers()
        except BaseException:
            self.mesh.close()
            raise

    def _wait_for_servers(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if len(json.loads(self.mesh.tulle("workloads", "-o", "json").stdout)) > len(WORKLOADS):
                return
            time.sleep(0.2)
        raise RuntimeError("the servers did not come up within 30 s")

    def enforce(self, configuration):
        wanted = {(m["kind"], m["metadata"]["name"]) for m in configuration["manifests"]}
        for kind, name in sorted(self.there - wanted):
            self.mesh.tulle("delete", kind, name)
        self.mesh.apply("".join("---\n" + json.dumps(m) + "\n" for m in configuration["manifests"]))
        self.there = wanted

    def close(self):
        self.mesh.close()


class Reference:
    """The real Envoy, with servers of its own."""

    def __init__(self, configurations):
        self.folder = tempfile.mkdtemp(prefix="differential-")
        self.processes = []
        self.envoy = None
        places = envoy.Places(WORKLOADS)
        try:
            for workload in WORKLOADS:
                name = "-".join(workload)
                self._start([os.path.join(HERE, "server.py"), name, os.path.join(self.folder, name + ".requests"),
                             places.server(workload), "9080"])
            self.envoy = envoy.Envoy(self.folder, places, configurations)
            self.envoy.wait_ready()
            client = self._start([os.path.join(HERE, "client.py"), str(THREADS)],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.side = Side(Asker(client), Arrivals(self.folder), lambda c, service: places.outbound(c["number"], service))
        except BaseException:
            self.close()
            raise

    def _start(self, words, **pipes):
        pipes = pipes or {"stdin": subprocess.DEVNULL}
        self.processes.append(subprocess.Popen([sys.executable, *words], **pipes))
        return self.processes[-1]

    def close(self):
        if self.envoy:
            self.envoy.close()
        for process in self.processes:
            process.kill()
            process.wait()
        if os.environ.get("KEEP"):
            meshes.note(f"differential: kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Tally(beside.Tally):
    def __init__(self, report):
        super().__init__(report)
        self.listed = {}

    def judge(self, configuration, ours, theirs):
        for request in configuration["requests"]:
            case = differences.Case(configuration, request, ours[request["id"]], theirs[request["id"]])
            found = compare.compare(case.ours, case.theirs)
            rows, left = differences.of(case, found)
            for row in rows if not left else ():
                self.listed[row] = self.listed.get(row, 0) + 1
            self.keep(configuration=configuration["name"], request=request, found=found, left=left, rows=rows,
                      tulle=case.ours, envoy=case.theirs)
            if left:
                text = "".join(f"\n      {what}: Tulle {a!r}, Envoy {b!r}" for what, a, b in left)
                self.fail(f"{configuration['name']}: {request['method']} {request['target']} to {request['service']} "
                          f"(Host {request['host']!r}, {request['fields']}){text}")
            else:
                self.passed += 1


def arguments(words):
    parser = argparse.ArgumentParser(prog="differential", description=__doc__)
    parser.add_argument("--configurations", type=int, default=0, help="generated ones beside those made by hand")
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this configuration; may be repeated")
    parser.add_argument("--report", help="write every result as JSON lines here")
    return parser.parse_args(words)


def main(words):
    options = arguments(words)
    tally = Tally(options.report)
    for text in differences.not_told():
        tally.fail(text)
    configurations = cases.configurations()
    if options.configurations:
        import generator
        configurations += generator.configurations(options.seed, options.configurations, len(configurations))
    chosen = [c for c in configurations if not options.only or c["name"] in options.only]
    reference = Reference(chosen)
    try:
        tulle = Tulle()
        try:
            for configuration in chosen:
                theirs = reference.side.play(configuration)
                try:
                    tulle.enforce(configuration)
                except RuntimeError as error:
                    tally.fail(f"{configuration['name']}: {error}")
                    continue
                tally.judge(configuration, tulle.side.play(configuration), theirs)
        finally:
            tulle.close()
    finally:
        reference.close()
    if not options.only:
        for row in differences.ROWS:
            if row.always and row.name not in tally.listed:
                tally.fail(f"{row.name}: does not differ any more; remove it from differences.py")
    for name, count in sorted(tally.listed.items()):
        print(f"differs as listed: {name}: {count} requests")
    print(f"{len(chosen)} configurations, {sum(len(c['requests']) for c in chosen)} requests, seed {options.seed}")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0
