"""Where programs run: on this host's plain loopback, or as workloads of a mesh."""
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
START_LIMIT = 60  # seconds until a server must listen
STOP_LIMIT = 3  # seconds that a server has after SIGTERM


class Plain:
    """Loopback of a network namespace of its own, so that nobody else's ports are in the way."""

    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            raise RuntimeError("no network namespace for plain loopback")
        self.player = Player(self.enter([sys.executable, os.path.join(HERE, "player.py")]))

    def enter(self, command):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]

    def host(self, _name):
        return "127.0.0.1"

    def command(self, _name, _ports, _options, command):
        return self.enter(command)

    outside = enter

    def close(self):
        self.player.close()
        self.holder.kill()
        self.holder.wait()


class Meshed:
    """Workloads of a mesh: each server is one, and one has the clients of all."""

    def __init__(self, mesh, name, options):
        self.mesh, self.options = mesh, options
        self.suffix = "-" + name
        self.folder = os.path.join(mesh.folder, name)
        os.mkdir(self.folder)
        self.player = Player(self.command("client", (), (), [sys.executable, os.path.join(HERE, "player.py")]))

    def host(self, name):
        return name + self.suffix

    def command(self, name, ports, options, command):
        words = ["--name", name + self.suffix]
        if ports:
            words += ["--service", name + self.suffix]
        for port in ports:
            words += ["--port", port]
        if "--splice" not in options:
            words += self.options
        return self.mesh.command("run", *words, *options, "--", *command)

    @staticmethod
    def outside(command):
        return command

    def close(self):
        self.player.close()


class Player:
    """The process that runs the clients' scripts, and who waits for which."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.lock = threading.Lock()
        self.waiting = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            answer = json.loads(line)
            self.waiting.pop(answer["id"]).put(answer)

    def play(self, script, folder, limit):
        answer = queue.Queue()
        with self.lock:
            number = len(self.waiting) + time.monotonic_ns()
            self.waiting[number] = answer
            print(json.dumps({"id": number, "script": script, "folder": folder, "limit": limit}),
                  file=self.process.stdin, flush=True)
        try:
            return answer.get(timeout=limit + 30)
        except queue.Empty:
            raise RuntimeError("the clients' process does not answer") from None

    def close(self):
        self.process.stdin.close()
        stop(self.process)


def family(pid):
    """The processes of a session and all that descend from its leader."""
    parents, sessions = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    fields = stat.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(entry)], sessions[int(entry)] = int(fields[1]), int(fields[3])
    found = {each for each in sessions if sessions[each] == pid} | {pid}
    grown = True
    while grown:
        more = {each for each, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return found


def stop(process):
    members = family(process.pid) if process.poll() is None else set()
    for number, limit in ((signal.SIGTERM, STOP_LIMIT), (signal.SIGKILL, 10)):
        for pid in members:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        end = time.monotonic() + limit
        while members and time.monotonic() < end:
            process.poll()
            members = {pid for pid in members if os.path.exists(f"/proc/{pid}")}
            time.sleep(0.02)
    process.wait()


def listening(pid):
    """The TCP ports that processes of the family listen on; in a mesh's kernel tiers they are not those that were bound."""
    inodes = {}
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}") as lines:
                for fields in (line.split() for line in lines):
                    if fields[3] == "0A":
                        inodes[f"socket:[{fields[9]}]"] = int(fields[1].rsplit(":", 1)[1], 16)
        except OSError:
            return set()
    ports = set()
    for member in family(pid):
        try:
            for entry in os.scandir(f"/proc/{member}/fd"):
                if (port := inodes.get(os.readlink(entry.path))) is not None:
                    ports.add(port)
        except OSError:
            continue
    return ports


def wait_listening(process, count, log):
    end = time.monotonic() + START_LIMIT
    while len(listening(process.pid)) < count:
        if process.poll() is not None or time.monotonic() > end:
            state = "does not listen" if process.poll() is None else f"ended with status {process.returncode}"
            with open(log, errors="replace") as text:
                raise RuntimeError(f"{os.path.basename(log)[:-4]} {state}: {text.read()[-600:]}")
        time.sleep(0.03)
