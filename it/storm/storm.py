"""A storm of random socket operations: workloads that say --splice on, and the same on plain loopback, side by side."""
import argparse
import glob
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import differences
import mesh as meshes

HERE = os.path.dirname(os.path.abspath(__file__))
PORT, PORTS = 7600, 16  # in the mesh; one for each pair
# What the judge may call a difference, and how the line of docs/splicing.md that lists it begins.
LISTED = {
    "again": "a blocking `recv` that wakes up without a byte",
    "splice-from": "`splice(2)` **from** the socket",
    "early-close": "`close` with unread bytes",
    "told-again": "`send` after a reset",
    "nothing-sent": "`send` of 0 bytes",
    "nothing-asked": "`recv` of 0 bytes",
    "wait-all": "`MSG_WAITALL`, `SO_RCVLOWAT`",
}
BREAKS = ("nothing", "flip", "lose", "swap", "double", "end", "error", "hang")
GROUPS = ("op", "kind", "sum")  # how lines begin that are for this program


def arguments(words):
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000_000, help="of the mesh's ends; each is made on the twin too")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="repeats a run")
    parser.add_argument("--pairs", type=int, default=4, help="pairs of processes at a time")
    parser.add_argument("--pair", type=int, default=0, help="number of the first pair, to repeat one of a failed run")
    parser.add_argument("--episode", type=int, default=0, help="the first episode of each pair")
    parser.add_argument("--break", dest="breaks", choices=BREAKS[1:], help="a fault of the twin that has to be found")
    parser.add_argument("--plain", action="store_true", help="two twins on plain loopback, without a mesh")
    parser.add_argument("--no-self-check", action="store_true", help="leave out the faults that have to be found")
    return parser.parse_args(words)


def free_ports(count):
    """The first of so many ports of the loopback interface on which nobody listens."""
    for first in range(21000, 30000, count):
        if all(meshes.is_free(port) for port in range(first, first + count)):
            return first
    sys.exit("no free ports for the twin")


class Judgement:
    """What the judge said: lines of failures, and its sums."""

    def __init__(self, quiet):
        self.numbers, self.quiet, self.failures = {}, quiet, []

    def read(self, line):
        words = line.split()
        if words and words[0] in GROUPS and len(words) == 3:
            self.numbers[words[0], words[1]] = int(words[2])
            return
        if line.startswith("FAIL "):
            self.failures.append(line[5:].split(":")[0])
        if not self.quiet:
            print(line.rstrip(), flush=True)

    def of(self, group, name):
        return self.numbers.get((group, name), 0)

    def all(self, group):
        return {name: n for (its, name), n in self.numbers.items() if its == group and n}


def run(binary, folder, options, mesh, operations, pairs, breaks="nothing", quiet=False):
    """One run of the judge with its four ends; the second side is of the mesh, or plain as well."""
    file = os.path.join(folder, "memory")
    judge = subprocess.Popen(
        [binary, "judge", file, str(pairs), str(operations), str(options.seed), str(options.pair), str(options.episode),
         str(BREAKS.index(breaks)), "200"],
        stdout=subprocess.PIPE, text=True)
    said, own, names = Judgement(quiet), [], []
    try:
        if judge.stdout.readline() != "ready\n":
            raise RuntimeError("the judge did not begin")
        first = free_ports(2 * PORTS)
        for which, port in (("twin", first), ("mesh", PORT if mesh else first + PORTS)):
            for end in ("server", "client"):
                host = "storm" if mesh and which == "mesh" else "127.0.0.1"
                command = [binary, "end", file, str(pairs), which, end, host, str(port)]
                if which == "twin" or not mesh:
                    own.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
                    continue
                served = [w for i in range(pairs) for w in ("--port", f"tcp:{PORT + i}")] if end == "server" else []
                mesh.workload(f"storm-{end}", (["--service", "storm"] if served else []) + served, command)
                names.append(f"storm-{end}")
        for line in judge.stdout:
            said.read(line)
        if judge.wait() not in (0, 1):
            raise RuntimeError(f"the judge ended with status {judge.returncode}")
    finally:
        for process in (judge, *own):
            process.kill()
            process.wait()
        for name in names:
            mesh.stop_workload(name)
            with open(f"{mesh.folder}/{name}.err") as errors:
                sys.stdout.write(errors.read())
        os.unlink(file)
    return said


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, right, text):
        self.passed += right
        self.failed += not right
        print(text if right else f"FAIL {text}", flush=True)


def self_check(binary, folder, options, tally):
    """Each fault of the twin is found, and two twins without one do not differ at all."""
    said = run(binary, folder, options, None, 100_000, 2)
    differing = sum(said.all("kind").values())
    tally.check(not said.of("sum", "fails") and not differing, f"two twins: {differing} listed differences, none allowed")
    for kind in BREAKS[1:]:
        said = run(binary, folder, options, None, 300_000, 1, kind, quiet=True)
        found = ", ".join(said.failures) or "nothing"
        tally.check(said.of("sum", "fails") > 0, f"a twin with a fault ({kind}): {found} is found")


def judge_mesh(mesh, said, before, seconds, tally):
    counters = {name: n - before.get(name, 0) for name, n in mesh.kernel_counters().items()}
    kinds = said.all("kind")
    print("operations: " + ", ".join(f"{name} {n}" for name, n in said.all("op").items()))
    for kind, n in kinds.items():
        print(f"difference {kind}: {n} times; docs/splicing.md: {LISTED[kind]}")
    print("kernel: " + ", ".join(f"{n} {c}" for n, c in sorted(counters.items()) if n.startswith("SPLICE")))
    operations, fails = said.of("sum", "operations"), said.of("sum", "fails")
    tally.check(not fails, f"{operations} operations in {seconds:.0f} s, {said.of('sum', 'compared')} results compared, "
                           f"{fails} differences that are not listed")
    if operations < 100_000:
        return  # one episode that is repeated
    ends, past = said.of("sum", "ends"), said.of("sum", "ends-past-tcp")
    carried, spliced = said.of("sum", "bytes"), said.of("sum", "bytes-past-tcp")
    tally.check(past >= ends * 0.8 and spliced >= carried * 0.5,
                f"{past} of {ends} ends sent past TCP, {spliced >> 20} of {carried >> 20} MiB")
    tally.check(counters.get("SPLICE_BYTES", 0) >= spliced * 0.9,
                f"the kernel counts {counters.get('SPLICE_BYTES', 0) >> 20} MiB spliced")
    spills = counters.get("SPLICE_SPILL", 0)
    tally.check(spills > 0, f"{spills} times a slow reader's connection went back to TCP")


def main(words):
    options = arguments(words)
    binary = meshes.build(
        "storm", *glob.glob(HERE + "/*.[ch]"), flags=("-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11"))
    print(f"seed {options.seed}", flush=True)
    tally = Tally()
    rows, missing = {row.line for row in differences.ROWS}, differences.not_told()
    for line in LISTED.values():
        tally.check(line in rows and line not in missing, f"listed: {line}")
    folder = tempfile.mkdtemp(prefix="storm-")
    try:
        if options.plain or options.breaks:
            said = run(binary, folder, options, None, options.operations, options.pairs, options.breaks or "nothing")
            tally.check(not said.of("sum", "fails"), f"{said.of('sum', 'operations')} operations")
        else:
            if not options.no_self_check:
                self_check(binary, folder, options, tally)
            mesh = meshes.Mesh("tulle-st", 4, "--tier", "splice")
            try:
                mesh.wait_ready()
                before, began = mesh.kernel_counters(), time.monotonic()
                said = run(binary, folder, options, mesh, options.operations, options.pairs)
                judge_mesh(mesh, said, before, time.monotonic() - began, tally)
            finally:
                mesh.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0
