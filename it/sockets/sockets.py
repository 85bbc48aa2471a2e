"""What programs notice on their sockets: every case on plain loopback and as two workloads of a mesh, side by side."""
import argparse
import glob
import ipaddress
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

import beside
import differences
import mesh as meshes

HERE = os.path.dirname(os.path.abspath(__file__))
WAYS = {"tcp": 7000, "http": 8000, "http-polled": 9000}  # first port of each
PORTS_EACH = 16  # of a job, as in script.c; of these a case may use:
USED = {"tcp": (0, 1, 2, 9), "http": (0,), "http-polled": (0,)}
LIMIT = 400  # seconds for one setting


@dataclass(frozen=True)
class Setting:
    """One way to run the cases; `went`: how their bytes have to go, or the setting proves nothing."""

    name: str
    tier: str
    splice: str
    way: str
    went: str


SETTINGS = (
    Setting("default", "splice", "", "tcp", "tcp"),
    Setting("default, HTTP", "splice", "", "http", "proxy"),
    Setting("default, HTTP, never waits", "splice", "", "http-polled", "kernel"),
    Setting("--splice on", "splice", "on", "tcp", "past"),
    Setting("--splice on, HTTP", "splice", "on", "http", "kernel"),
    Setting("--splice on, HTTP, never waits", "splice", "on", "http-polled", "kernel"),
    Setting("redirect", "redirect", "", "tcp", "tcp"),
    Setting("redirect, HTTP", "redirect", "", "http", "proxy"),
    Setting("redirect, HTTP, never waits", "redirect", "", "http-polled", "proxy"),
)


def arguments(words):
    parser = argparse.ArgumentParser(prog="sockets", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="this case; may be repeated")
    parser.add_argument("--tier", action="append", default=[], help="this tier; may be repeated")
    parser.add_argument("--jobs", type=int, default=4, help="cases at a time")
    parser.add_argument("--report", help="write every result as JSON lines here")
    return parser.parse_args(words)


class Pair:
    """The processes of the two ends: of this host, or workloads of a mesh."""

    def __init__(self, folder, name, binary, jobs, mesh=None, splice=""):
        self.binary, self.jobs = binary, jobs
        self.host, self.six = (name, None) if mesh else ("127.0.0.1", "::1")
        self.paths = [f"{folder}/{name}-{end}.sock" for end in ("client", "server")]
        self.own = []
        for end, path in zip(("client", "server"), self.paths):
            command = [binary, "hand", path]
            if not mesh:
                self.own.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
                continue
            options = ["--splice", splice] if splice else []
            if end == "server":
                options += ["--service", name]
                for way, first in WAYS.items():
                    for job in range(jobs):
                        for port in USED[way]:
                            options += ["--port", f"{way.split('-')[0]}:{first + job * PORTS_EACH + port}"]
            mesh.workload(f"{name}-{end}", options, command)
        if mesh:
            self.six = self._address6(mesh, f"{name}-server")

    @staticmethod
    def _address6(mesh, name):
        """A service's name leads to IPv4 alone; over IPv6 a workload is reached at the twin of its address."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for address, workload in mesh.names().items():
                if workload == name and "." in address:
                    high, low = divmod(int(ipaddress.IPv4Address(address)), 1 << 16)
                    return f"fd74:756c:6c65:{high:x}::{high:x}:{low:x}"
            time.sleep(0.2)
        raise RuntimeError(f"{name} has no address")

    def play(self, way, cases, rounds=4):
        """What was seen: case and direction -> (how the bytes went, text)."""
        first = 10000 + WAYS[way] if self.own else WAYS[way]
        done = subprocess.run(
            [self.binary, "play", *self.paths, self.host, self.six, str(first), way, str(rounds), str(self.jobs), *cases],
            capture_output=True, text=True, timeout=LIMIT)
        rows = {}
        for line in done.stdout.splitlines():
            name, went, text = line.split("\t", 2)
            rows[name] = went, text.strip()
        if done.returncode or done.stderr:
            raise RuntimeError(f"{self.host}, {way}: status {done.returncode}: {done.stderr}")
        return rows

    def close(self):
        for process in self.own:
            process.kill()
            process.wait()


def compare(tally, setting, plain, rows):
    """Each result against plain loopback's, and each that went another way than it should fails."""
    astray = set()
    for name in sorted(plain.keys() & rows.keys()):
        went, seen = rows[name]
        tally.keep(setting=setting.name, case=name, went=went, plain=plain[name][1], seen=seen)
        if went not in ("-", setting.went):
            astray.add(name)
            tally.fail(f"{setting.name}: {name}: its bytes went by {went}, not by {setting.went}")
    expected, seen = ({name: text for name, (_, text) in which.items() if name not in astray} for which in (plain, rows))
    differing = tally.compare(setting.name, expected, seen, lambda name: differences.of(setting, name))
    print(f"{setting.name}: {len(rows)} results, {differing} differ as listed", flush=True)


def baseline(pair, cases, tally):
    """Plain loopback by way, twice: what differs from itself would prove nothing."""
    plain = {}
    for way in WAYS:
        plain[way], again = pair.play(way, cases), pair.play(way, cases)
        for name, (_, text) in plain[way].items():
            if again[name][1] != text:
                tally.fail(f"plain, {way}: {name} is not the same twice\n      {text}\n      {again[name][1]}")
        print(f"plain, {way}: {len(plain[way])} results", flush=True)
    return plain


def mesh_of(tier, number, settings, plain, binary, options, tally):
    mesh = meshes.Mesh(f"tulle-so-{tier}", number, "--tier", tier, every=())
    try:
        mesh.wait_ready()
        pairs = {}
        for splice in sorted({s.splice for s in settings}):
            pairs[splice] = Pair(mesh.folder, f"sockets-{splice or 'default'}", binary, options.jobs, mesh, splice)
        for setting in settings:
            before = mesh.kernel_requests()
            # The kernel forwards when it has seen how the server reads, on a connection that was idle once.
            rows = pairs[setting.splice].play(setting.way, options.only, 200 if setting.went == "kernel" else 4)
            compare(tally, setting, plain[setting.way], rows)
            after = mesh.kernel_requests()
            if None in (before, after):
                continue
            if setting.went == "kernel" and after - before < len(rows):
                tally.fail(f"{setting.name}: the kernel forwarded {after - before} requests only")
    finally:
        mesh.close()


def main(words):
    options = arguments(words)
    binary = meshes.build(
        "sockets", *glob.glob(HERE + "/*.[ch]"),
        flags=("-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11", "-pthread", "-fno-pie", "-no-pie"))
    tally = beside.Tally(options.report)
    for line in differences.not_told():
        tally.fail(f"docs/splicing.md has no line that begins with: {line}")
    folder = tempfile.mkdtemp(prefix="sockets-")
    try:
        pair = Pair(folder, "plain", binary, options.jobs)
        try:
            plain = baseline(pair, options.only, tally)
        finally:
            pair.close()
        for number, tier in enumerate(("splice", "redirect")):
            if options.tier and tier not in options.tier:
                continue
            mesh_of(tier, 5 + number, [s for s in SETTINGS if s.tier == tier], plain, binary, options, tally)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0
