"""A mesh of its own on this host with the workloads of the tests in it, started by ./tulle up as a user would."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
TULLE = os.path.join(HOME, "tulle")
# Environment of a command that another mesh's workload would otherwise leak into.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("TULLE_MESH") and k != "TULLE_RUN_DIR"}


def note(text):
    print(text, file=sys.stderr, flush=True)


def build(name, *sources, flags=("-O2", "-Wall", "-Wextra", "-Werror")):
    """Compiles a C program into target/ when a source is newer; the compiler is the one the kernel programs need."""
    target = os.path.join(HOME, "target", "equality", name)
    sources = [os.path.join(HERE, source) for source in sources]
    os.makedirs(os.path.dirname(target), exist_ok=True)
    watched = sources + glob.glob(os.path.join(HERE, "*.h"))
    if not os.path.exists(target) or any(os.path.getmtime(s) > os.path.getmtime(target) for s in watched):
        subprocess.run([clang(), *flags, "-o", target + ".new", *[s for s in sources if s.endswith(".c")]], check=True)
        os.replace(target + ".new", target)
    return target


def clang():
    for name in ["clang-19", "clang", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14"]:
        if shutil.which(name):
            return name
    sys.exit("no clang found: install clang-19 (or clang 14 and later)")


def has_option(option):
    done = subprocess.run([TULLE, "up", "--help"], capture_output=True, text=True, env=CLEAN)
    return option in done.stdout + done.stderr


def free_offset(first):
    """The first offset at which a mesh's ports are free: other meshes may be left in this host's kernel."""
    for offset in range(first, first + 1000, 100):
        if all(is_free(port + offset) for port in (15001, 15014, 15020, 15021, 15053, 15080, 15090)):
            return offset
    sys.exit(f"no offset from {first} to {first + 900} leaves a mesh its ports")


def is_free(port):
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# Its programs wait in their calls: unasked none of their connections would be the kernel's.
SPLICED = ("--splice", "on")


class Mesh:
    """One mesh. `number` (0..7) decides ranges and ports."""

    def __init__(self, name, number, *options, access_log=bool(os.environ.get("KEEP")), every=SPLICED):
        """`every`: options of each workload."""
        self.name = name
        self.every = every
        self.offset = free_offset(5000 + 1000 * number)
        self.range = 70 + number
        self.folder = tempfile.mkdtemp(prefix=name + "-")
        os.chmod(self.folder, 0o777 if os.environ.get("KEEP") else 0o755)
        self.run_dir = os.path.join(self.folder, "run")
        self.processes = {}
        self.log = open(os.path.join(self.folder, "mesh.log"), "wb")
        command = [
            "setsid", TULLE, "up", "--mesh", name, "--run-dir", self.run_dir, "--state", self.folder + "/state",
            "--port-offset", str(self.offset), "--range", f"100.{70 + number}.0.0/16",
            "--service-range", f"240.{246 + number}.0.0/16", *options,
            *(["--access-log", self.folder + "/access.log"] if access_log else []),
        ]
        self.up = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=CLEAN)

    def wait_ready(self, seconds=90):
        self._until(lambda: os.path.exists(os.path.join(self.run_dir, "ready")) or self.up.poll() is not None, seconds)
        if self.up.poll() is not None:
            raise RuntimeError(f"{self.name}: tulle up ended with status {self.up.returncode}:\n{self.text()}")

    def _until(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: not within {seconds} s\n{self.text()}")
            time.sleep(0.05)

    def text(self):
        with open(os.path.join(self.folder, "mesh.log"), errors="replace") as log:
            return log.read()[-4000:]

    def command(self, *words):
        return [TULLE, words[0], "--mesh", self.name, "--run-dir", self.run_dir, *words[1:]]

    def tulle(self, *words, check=True, stdin=None):
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=60, env=CLEAN, input=stdin)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(done.args)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def workload(self, name, options, command, **pipes):
        """Starts a workload; its output goes to a file unless pipes are asked for."""
        if not pipes:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": open(f"{self.folder}/{name}.log", "ab")}
        process = subprocess.Popen(
            self.command("run", "--name", name, *self.every, *options, "--", *command),
            stderr=open(f"{self.folder}/{name}.err", "ab"), env=CLEAN, **pipes)
        self.processes[name] = process
        return process

    def server(self, binary, service, version, *more):
        return self.workload(
            f"{service}-{version}",
            ["--service", service, "--label", f"version={version}", "--label", f"app={service}",
             "--service-account", service, "--port", "http:9080"],
            [binary, version, "9080", *more])

    def apply(self, text):
        path = os.path.join(self.folder, "apply.yaml")
        with open(path, "w") as file:
            file.write(text)
        return self.tulle("apply", "-f", path)

    def ended(self):
        """Why workloads are not there: those whose command has ended, with its status and last words; all others live."""
        told = []
        for name, process in self.processes.items():
            if process.poll() is not None and os.path.exists(f"{self.folder}/{name}.err"):
                with open(f"{self.folder}/{name}.err", errors="replace") as words:
                    told.append(f"{name} ended with status {process.returncode}: {words.read()[-400:].strip()}")
        return "; ".join(told) or "every command lives"

    def names(self):
        """Address -> name of the workloads, without what is particular to this mesh."""
        listed = json.loads(self.tulle("workloads", "-o", "json").stdout)
        rows = listed if isinstance(listed, list) else listed.get("workloads", listed.get("items", []))
        return {a: row["name"] for row in rows for a in row.get("addresses", [row.get("address", "")])}

    def scrape(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port + self.offset}/metrics", timeout=10) as page:
            return page.read().decode()

    def requests(self):
        """istio_requests_total by (service, code): the agent counts what the kernel forwarded, the proxy the rest."""
        sums = {}
        for line in (self.scrape(15020) + self.scrape(15090)).splitlines():
            if not line.startswith("istio_requests_total{"):
                continue
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            key = labels.get("destination_service_name", ""), int(labels.get("response_code", 0))
            sums[key] = sums.get(key, 0) + int(float(line.rsplit(" ", 1)[1]))
        return sums

    def kernel_counters(self):
        """The kernel's counters by reason, from tulle status."""
        done = self.tulle("status", "-o", "json", check=False)
        try:
            found = {}
            self._collect(json.loads(done.stdout), found)
            return found
        except ValueError:
            return {}

    def kernel_requests(self):
        """Requests that the kernel forwarded whole so far; None when this build does not say."""
        counters = self.kernel_counters()
        for name in ("HTTP_RESPONSE",):
            if name in counters:
                return counters[name]
        return None

    def _collect(self, value, found):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "counters" and isinstance(inner, dict):
                    found.update({k: v for k, v in inner.items() if isinstance(v, int)})
                else:
                    self._collect(inner, found)
        elif isinstance(value, list):
            for inner in value:
                self._collect(inner, found)

    def stop_workload(self, name):
        process = self.processes.pop(name, None)
        if process is None:
            return
        process.kill()
        process.wait()

    def close(self):
        for name in list(self.processes):
            self.stop_workload(name)
        if self.up.poll() is None:
            self.up.send_signal(signal.SIGTERM)
            try:
                self.up.wait(45)
            except subprocess.TimeoutExpired:
                note(f"{self.name}: did not stop within 45 s")
                self.up.kill()
                self.up.wait()
        self.log.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            note(f"{self.name}: kept {self.folder}")


class Player:
    """A client workload that plays cases, several at a time."""

    def __init__(self, mesh, account, threads):
        self.process = mesh.workload(
            "client-" + account, ["--service-account", account],
            [sys.executable, os.path.join(HERE, "client.py"), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()

    def play(self, cases, limit):
        """Outcomes by id; a RuntimeError when some are not there in time."""
        with self.lock:
            outcomes = {}
            wanted = len(cases)
            timer = threading.Timer(limit, self.process.kill)
            timer.start()
            try:
                feeder = threading.Thread(target=self._feed, args=(cases,), daemon=True)
                feeder.start()
                while len(outcomes) < wanted:
                    line = self.process.stdout.readline()
                    if not line:
                        raise RuntimeError(f"the client ended with {wanted - len(outcomes)} of {wanted} cases open")
                    outcome = json.loads(line)
                    outcomes[outcome["id"]] = outcome
                feeder.join()
            finally:
                timer.cancel()
            return outcomes

    def _feed(self, cases):
        for case in cases:
            slim = {k: case[k] for k in ("id", "host", "port", "ops", "methods", "settle") if k in case}
            self.process.stdin.write(json.dumps(slim) + "\n")
        self.process.stdin.flush()
