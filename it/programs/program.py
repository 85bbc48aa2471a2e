"""What a program of the suite is: a function that starts servers, runs clients and so makes results."""
import hashlib
import os
import random
import subprocess
import sys
import threading
from dataclasses import dataclass

import places

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "sources")
PEER = f"{sys.executable} {SOURCES}/peer.py"
SIZE = 20_000_000  # bytes of the file that programs transfer
FIRST_PORT = 21000
PORTS_EACH = 12
PROGRAMS = []


@dataclass(frozen=True)
class Program:
    name: str
    function: object
    short: bool
    builds: tuple
    protocol: str
    first_port: int


def program(name, short=False, builds=(), auto=False):
    """Registers a function; `builds`: what it needs compiled; `auto`: once more, with ports of which nothing is said."""
    def add(function):
        for protocol in ("tcp", "auto") if auto else ("tcp",):
            PROGRAMS.append(Program(
                name if protocol == "tcp" else f"{name}-{protocol}", function, short and protocol == "tcp", builds, protocol,
                FIRST_PORT + len(PROGRAMS) * PORTS_EACH))
        return function
    return add


class Material:
    """What all programs of a run transfer: made once, the same in every run."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "material")
        self.making = threading.Lock()
        self.file = os.path.join(self.folder, "file.bin")
        os.makedirs(os.path.join(self.folder, "tree", "deep"))
        data = random.Random(2026).randbytes(SIZE)
        self.sum = hashlib.md5(data).hexdigest()
        with open(self.file, "wb") as file:
            file.write(data)
        with open(os.path.join(self.folder, "tree", "deep", "some.bin"), "wb") as file:
            file.write(data[:3_000_000])
        with open(os.path.join(self.folder, "tree", "numbers"), "w") as file:
            file.writelines(f"{n}\n" for n in range(200_000))
        os.symlink("numbers", os.path.join(self.folder, "tree", "link"))


class Run:
    """One program in one place: what it starts ends with it, what its clients print are its results."""

    def __init__(self, place, each, material):
        self.place, self.program = place, each
        self.file, self.sum, self.material = material.file, material.sum, material.folder
        self.tree, self.making = os.path.join(material.folder, "tree"), material.making
        self.folder = os.path.join(place.folder, each.name)
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        self.results = {}
        self.unfit = []  # what would prove nothing, were it so on plain loopback
        self.servers = []
        self.ports = 0

    def port(self):
        self.ports += 1
        if self.ports > PORTS_EACH:
            raise ValueError(f"{self.program.name}: more than {PORTS_EACH} ports")
        return self.program.first_port + self.ports - 1

    def host(self, name=""):
        return self.place.host(f"{self.program.name}-{name}" if name else self.program.name)

    def server(self, script, *ports, http=(), name="", options=(), silent=()):
        """Starts a server and waits until it listens; returns its host. `silent`: declared, not waited for."""
        full = f"{self.program.name}-{name}" if name else self.program.name
        declared = [f"{self.program.protocol}:{port}" for port in (*ports, *silent)]
        declared += [f"{'http' if self.program.protocol == 'tcp' else 'auto'}:{port}" for port in http]
        command = self.place.command(full, declared, options, ["bash", "-c", script])
        self._start(command, full, len(ports) + len(http))
        return self.place.host(full)

    def outside(self, script, listeners, name):
        """Starts a server of the host, which is in no mesh, and waits until it has so many TCP ports."""
        self._start(self.place.outside(["bash", "-c", script]), f"{self.program.name}-{name}", listeners)

    def _start(self, command, full, listeners):
        path = os.path.join(self.folder, full + ".log")
        with open(path, "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        self.servers.append(process)
        places.wait_listening(process, listeners, path)

    def client(self, label, script, limit=20, status=0):
        """Runs a script where the clients are; what it prints is the result of this label. `status`: on plain loopback."""
        answer = self.place.player.play(script, self.folder, limit)
        text = " | ".join(line.strip() for line in answer["text"].splitlines() if line.strip())
        if len(text) > 300:
            text = f"{text[:140]} … {text[-140:]}"
        if answer["hung"]:
            text = f"{text} HANGS"
        elif answer["status"]:
            text = f"{text} status {answer['status']}"
        if answer["hung"] or answer["status"] != status or not text:
            self.unfit.append(f"{label}: {text.strip()}")
        self.results[label] = text.strip()

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def prepare(self, script, folder=None):
        """What has to be there before a server starts, made where the tests run."""
        done = subprocess.run(["bash", "-e", "-c", script], cwd=folder or self.folder, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"cannot prepare: {done.stdout}{done.stderr}"[-600:])

    def once(self, name, script):
        """The same, of the material that the places share: made when the first one needs it."""
        with self.making:
            if not os.path.exists(os.path.join(self.material, name)):
                self.prepare(script, self.material)
        return os.path.join(self.material, name)

    def same(self, command):
        """A script that says whether the command prints exactly the file."""
        return f"{command} | md5sum | sed 's/{self.sum} .*/the file/; s/d41d8cd98f00b204e9800998ecf8427e .*/nothing/'"

    def play(self):
        """The results by label."""
        try:
            self.program.function(self)
        finally:
            self.end()
        return self.results

    def end(self):
        while self.servers:
            places.stop(self.servers.pop())

