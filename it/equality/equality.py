"""The proof of equality: the same generated cases through a mesh with kernel HTTP and one without, compared."""
import argparse
import concurrent.futures
import copy
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import compare
import generator
import mesh as meshes

THREADS = 10
SERVERS = [(service, version) for service, versions in generator.SUBSETS.items() for version in versions]
# Kinds whose requests are all answered whole, so that the client's count is the mesh's.
COUNTED = {"plain", "body", "split", "head"}
# Kinds in which the mesh may close while the client still sends (an early 403): what of that is counted is a race.
RACED = {"half_closed", "body_later", "chunked", "expect", "together", "pipelined", "upload", "broken_upload"}
RERUNS = 3


def arguments(words):
    parser = argparse.ArgumentParser(prog="equality", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--per-configuration", type=int, default=250)
    parser.add_argument("--first", type=int, default=0, help="number of the first configuration (to replay)")
    parser.add_argument("--only", help="one case, CONFIGURATION.NUMBER, printed whole (to replay)")
    parser.add_argument("--seed", type=int, default=None, help="default: the clock")
    parser.add_argument("--same", action="store_true", help="both meshes without kernel HTTP: tests the harness")
    parser.add_argument("--lie", type=int, default=0, help="every Nth answer of one mesh is wrong: must be found")
    parser.add_argument("--least-share", type=float, default=30.0, help="per cent of requests the kernel must take")
    parser.add_argument("--report", help="write the result as JSON here")
    return parser.parse_args(words)


def self_check(maker):
    """Every kind of difference, made by hand, must be seen."""
    configuration = maker.configuration(1)
    routes = [{"route": [{"destination": {"host": "gamma", "subset": "v1"}}]}]
    configuration["services"]["gamma"] = routes
    case = {"host": "gamma", "requests": [
        {"method": "GET", "target": "/", "fields": {}, "nonce": 7, "host": "gamma", "do": []}]}
    told = {"who": "v1", "from": "1.1.1.1", "nonce": "7", "method": "GET", "target": "/", "body": "0:0",
            "head": b"GET / HTTP/1.1\r\nhost: gamma\r\n\r\n".hex()}
    good = {"answers": [{"code": 200, "fields": [["content-length", "4"]], "framing": "length", "length": 4,
                         "told": told, "rest": "", "interims": []}],
            "end": "kept", "error": None, "interims": [], "left_length": 0, "ms": [3]}
    names = {"1.1.1.1": "client", "1.1.1.2": "other"}
    if compare.compare(case, configuration, good, good, names, names):
        sys.exit("equality: the self-check finds a difference where there is none")

    def change(path, value):
        bad = copy.deepcopy(good)
        at = bad
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return bad

    first = ("answers", 0)
    faults = [
        change((*first, "code"), 503), change((*first, "fields"), []), change((*first, "framing"), "chunked"),
        change((*first, "rest"), "ff"), change((*first, "told", "nonce"), "8"), change((*first, "told", "who"), "v2"),
        change((*first, "told", "from"), "1.1.1.2"), change((*first, "told", "target"), "/a"),
        change((*first, "told", "body"), "1:0"), change((*first, "told", "head"), b"GET / HTTP/1.1\r\n\r\n".hex()),
        change((*first, "interims"), [[103, []]]), change(("answers",), []), change(("end",), "closed"),
        change(("error",), "x"), change(("left_length",), 10), change(("ms",), [900]),
    ]
    for fault in faults:
        if not compare.compare(case, configuration, fault, good, names, names):
            sys.exit(f"equality: the self-check's fault is not seen: {fault}")
    shares = compare.Shares()
    shares.counts["x"] = {"weights": {"v1": 90, "v2": 10}, "on": {"v1": 70, "v2": 30}, "off": {"v1": 91, "v2": 9}}
    if len(shares.judge()[1]) < 1:
        sys.exit("equality: the self-check's wrong distribution is not seen")
    return len(faults) + 1


def supports_policies():
    """Whether this build knows AuthorizationPolicy."""
    manifest = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {"name": "p", "namespace": "default"}, "spec": {"action": "DENY", "rules": [
                    {"to": [{"operation": {"methods": ["PUT"]}}]}]}}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(manifest, file)
        file.flush()
        done = subprocess.run([meshes.TULLE, "validate", file.name], capture_output=True, text=True, env=meshes.CLEAN)
    return done.returncode == 0


class Pair:
    """The two meshes, with the same workloads."""

    def __init__(self, options):
        kernel = meshes.has_option("--kernel-http")
        if not kernel and not options.same:
            meshes.note("equality: this build has no --kernel-http; both meshes take the proxy's path (as --same)")
            options.same = True
        off = ["--kernel-http", "off"] if kernel else []
        on = off if options.same else ["--kernel-http", "on"]
        self.binary = meshes.build("server", "server.c")
        self.meshes = {"on": meshes.Mesh("tulle-eq-on", 0, *on)}
        try:
            self.meshes["off"] = meshes.Mesh("tulle-eq-off", 1, *off)
            self.players, self.names = {}, {}
            self.both(lambda which: self._populate(which, options))
        except BaseException:
            self.close()
            raise

    def both(self, action):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return dict(zip(self.meshes, pool.map(action, self.meshes)))

    def _populate(self, which, options):
        mesh = self.meshes[which]
        mesh.wait_ready()
        if which == "on" and options.lie:
            mesh_env = meshes.CLEAN
            mesh_env["LIE"] = str(options.lie)
        for service, version in SERVERS:
            mesh.server(self.binary, service, version)
        meshes.CLEAN.pop("LIE", None)
        self.players[which] = {a: meshes.Player(mesh, a, THREADS) for a in generator.ACCOUNTS}
        wanted = len(SERVERS) + len(generator.ACCOUNTS)
        end = time.monotonic() + 30
        while len(mesh.names()) < wanted:
            if time.monotonic() > end:
                raise RuntimeError(f"{mesh.name}: not all workloads are there: {mesh.names()}; {mesh.ended()}")
            time.sleep(0.2)
        self.names[which] = mesh.names()

    def play(self, cases, which):
        """Outcomes of cases in one mesh; each account's client plays its own."""
        shares = {account: [c for c in cases if c["account"] == account] for account in generator.ACCOUNTS}
        with concurrent.futures.ThreadPoolExecutor(len(shares)) as pool:
            limit = 60 + len(cases)
            results = pool.map(lambda a: self.players[which][a].play(shares[a], limit), shares)
        return {key: outcome for result in results for key, outcome in result.items()}

    def close(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda mesh: mesh.close(), self.meshes.values()))


class Run:
    def __init__(self, options, maker, pair):
        self.options, self.maker, self.pair = options, maker, pair
        self.differences = []
        self.noise = 0
        self.shares = compare.Shares()
        self.cases = self.requests = self.answers = 0
        self.counter_checks = 0
        self.kinds = {}

    def configuration(self, number, count):
        pair, configuration = self.pair, self.maker.configuration(number)
        self._apply(configuration)
        cases = [self.maker.case(configuration, i) for i in range(count)]
        counted = [c for c in cases if c["kind"] in COUNTED]
        raced = [c for c in cases if c["kind"] in RACED]
        others = [c for c in cases if c["kind"] not in COUNTED and c not in raced]
        for batch, exact in ((counted, True), (others, False), (raced, None)):
            before = pair.both(lambda w: pair.meshes[w].requests())
            outcomes = pair.both(lambda w: pair.play(batch, w))
            if exact is not None:
                self._counters(number, before, outcomes, batch, exact)
            for case in batch:
                self._case(case, configuration, outcomes)

    def _apply(self, configuration):
        pair = self.pair
        text = self.maker.yaml(configuration)
        for which, mesh in pair.meshes.items():
            wanted = {m["metadata"]["name"] for m in configuration["policies"]}
            for number in range(3):
                if f"p{number}" not in wanted and self.maker.policies:
                    mesh.tulle("delete", "AuthorizationPolicy", f"p{number}", check=False)
        pair.both(lambda w: pair.meshes[w].apply(text))
        time.sleep(0.5)

    def _case(self, case, configuration, outcomes):
        on, off = outcomes["on"][case["id"]], outcomes["off"][case["id"]]
        self.cases += 1
        self.kinds[case["kind"]] = self.kinds.get(case["kind"], 0) + 1
        self.requests += len(case["requests"])
        self.answers += len(on["answers"])
        for which, outcome in (("on", on), ("off", off)):
            self.shares.add(which, case, configuration, outcome)
        found = self._compare(case, configuration, on, off)
        if not found:
            return
        again = 0
        for _ in range(RERUNS):
            calm = dict(case, settle=0.3)
            second = self.pair.both(lambda w: self.pair.play([calm], w))
            again += bool(self._compare(case, configuration, second["on"][case["id"]], second["off"][case["id"]]))
        if again == 0 and all(kind in ("time", "end") for kind, _ in found):
            self.noise += 1
            return
        self._report(case, found, f"{again} of {RERUNS} times again")

    def _compare(self, case, configuration, on, off):
        return compare.compare(case, configuration, on, off, self.pair.names["on"], self.pair.names["off"])

    def _report(self, case, found, again):
        self.differences.append({"case": case["id"], "kind": case["kind"], "found": found, "again": again})
        if len(self.differences) <= 40:
            meshes.note(f"not ok {case['id']} ({case['kind']}, {again}):")
            for kind, text in found[:6]:
                meshes.note(f"    {kind}: {text[:600]}")

    def _counters(self, number, before, outcomes, batch, exact):
        """Counted requests must agree; counters may come a moment later than the answers."""
        client = {}
        for case in batch:
            for answer in outcomes["on"][case["id"]]["answers"]:
                key = case["host"], answer["code"]
                client[key] = client.get(key, 0) + 1
        end = time.monotonic() + 6
        while True:
            grown = {}
            for which, mesh in self.pair.meshes.items():
                now = mesh.requests()
                grown[which] = {k: v - before[which].get(k, 0) for k, v in now.items() if v != before[which].get(k, 0)}
            good = grown["on"] == grown["off"] and (not exact or grown["on"] == client)
            if good or time.monotonic() > end:
                break
            time.sleep(0.3)
        self.counter_checks += 1
        if not good:
            keys = set(grown["on"]) | set(grown["off"]) | (set(client) if exact else set())
            found = [("counters", f"{k}: {grown['on'].get(k, 0)} on, {grown['off'].get(k, 0)} off"
                      + (f", {client.get(k, 0)} seen by the client" if exact else ""))
                     for k in sorted(keys) if not (
                         grown["on"].get(k, 0) == grown["off"].get(k, 0)
                         and (not exact or grown["on"].get(k, 0) == client.get(k, 0)))]
            self._report({"id": f"{number}.counters", "kind": "counters"}, found, "a whole batch")


def main(words):
    options = arguments(words)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 31)
    maker = generator.Maker(seed, supports_policies())
    checks = self_check(maker)
    meshes.note(f"equality: seed {seed}, policies {'in' if maker.policies else 'not in this build'}, "
                f"{checks} faults seen by the self-check")
    begun = time.monotonic()
    pair = Pair(options)
    try:
        run = Run(options, maker, pair)
        if options.only:
            return replay(run, options.only)
        warm_up(run)
        kernel_before = pair.meshes["on"].kernel_requests()
        number, left = options.first, options.cases
        while left > 0:
            run.configuration(number, min(left, options.per_configuration))
            left -= options.per_configuration
            number += 1
            meshes.note(f"equality: {run.cases} cases, {run.requests} requests, {len(run.differences)} differences, "
                        f"{int(time.monotonic() - begun)} s")
        tests, found = run.shares.judge()
        for kind, text in found:
            run._report({"id": "shares", "kind": kind}, [(kind, text)], "the whole run")
        kernel_after = pair.meshes["on"].kernel_requests()
    finally:
        pair.close()
    kernel = None if kernel_after is None else kernel_after - (kernel_before or 0)
    share = None if kernel is None else round(100 * kernel / max(1, run.answers), 1)
    result = {
        "seed": seed, "cases": run.cases, "requests": run.requests, "answers": run.answers, "kinds": run.kinds,
        "kernel_requests": kernel, "kernel_share": share, "differences": len(run.differences), "noise": run.noise,
        "share_tests": tests, "counter_checks": run.counter_checks, "seconds": int(time.monotonic() - begun),
        "found": run.differences[:50],
    }
    if options.report:
        with open(options.report, "w") as file:
            json.dump(result, file, indent=1)
    if not options.same and (share is None or share < options.least_share):
        meshes.note(f"not ok the kernel took {share} % of the requests; expected at least {options.least_share} %")
        run.differences.append({"case": "share"})
    print(f"equality: seed {seed}: {run.cases} cases, {run.requests} requests, kernel path {share} %, "
          f"{len(run.differences)} differences, {run.noise} cases equal at the second look, "
          f"{tests} distributions and {run.counter_checks} counter sums compared, {result['seconds']} s")
    failed = len({d["case"] for d in run.differences})
    if options.lie:
        print(f"{int(failed > 0)} passed, {int(failed == 0)} failed")
        return 0 if failed > 0 else 1
    print(f"{max(0, run.cases - failed)} passed, {failed} failed")
    return 1 if failed else 0


def warm_up(run):
    """The first requests of a JVM are slow enough to pass a route's time limit: they are not judged."""
    configuration = run.maker.configuration(run.options.first)
    run._apply(configuration)
    cases = [run.maker.case(configuration, 100_000 + i) for i in range(60)]
    run.pair.both(lambda which: run.pair.play(cases, which))


def replay(run, name):
    """Plays one case in both meshes and prints everything."""
    number, index = map(int, name.split("."))
    configuration = run.maker.configuration(number)
    run._apply(configuration)
    case = run.maker.case(configuration, index)
    print(json.dumps(configuration["services"][case["host"]], indent=1))
    for op in case["ops"]:
        print(op[0], bytes.fromhex(op[1]) if op[0] == "send" else op[1:])
    outcomes = run.pair.both(lambda w: run.pair.play([dict(case, settle=0.3)], w))
    for which in outcomes:
        print(which, json.dumps(outcomes[which][case["id"]], indent=1))
    found = run._compare(case, configuration, outcomes["on"][case["id"]], outcomes["off"][case["id"]])
    print(*found, sep="\n")
    return 1 if found else 0
