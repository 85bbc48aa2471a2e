"""Where servers and clients are: on plain loopback, in a mesh, and before its gateway."""
import os
import socket
import subprocess
import sys
import time

import ends
import places

PLAYER = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(places.__file__)), "player.py")]
OPEN_LIMIT = 60  # seconds until a port of the gateway must be open
SEEN_LIMIT = 10  # seconds until a server has said what it saw of a call that is over
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {service}}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: {port}, name: it, protocol: {protocol}}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {service}-edge}}
spec:
  hosts: ["*"]
  gateways: [{service}]
  http: [{{route: [{{destination: {{host: {service}}}}}]}}]
"""
ROUTE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {service}}}
spec:
  hosts: [{service}]
  http: [{{headers: {{request: {{set: {{x-routed: "yes"}}}}}}, route: [{{destination: {{host: {service}}}}}]}}]
"""


def opened(port):
    """Waits until a port of the host is open: the first Gateway starts the process that has it."""
    end = time.monotonic() + OPEN_LIMIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError as reason:
            if time.monotonic() > end:
                raise RuntimeError(f"the gateway's port {port} is not open: {reason}") from None
            time.sleep(0.1)


class Servers:
    """The servers of one place; what they print is kept, each in a file of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []

    def log(self, server):
        return os.path.join(self.folder, f"{server.name}.log")

    def start(self, server, command):
        with open(self.log(server), "wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        self.processes.append((server, process))

    def wait(self):
        for server, process in self.processes:
            places.wait_listening(process, 1, self.log(server))

    def seen(self, server, name):
        """What a server said of the call of this name: what it had of time, and how it ended; None when it said nothing."""
        end = time.monotonic() + SEEN_LIMIT
        while True:
            with open(self.log(server), errors="replace") as log:
                for line in log:
                    if line.startswith(f"seen {name} ") and line.endswith("\n"):
                        return dict(word.split("=") for word in line.split()[2:])
            if time.monotonic() > end:
                return None
            time.sleep(0.05)

    def close(self):
        while self.processes:
            places.stop(self.processes.pop()[1])


class Stage:
    """Clients, and where they find each server."""

    def __init__(self, name, servers, player, address):
        self.name, self.servers, self.player, self.address = name, servers, player, address

    def play(self, script, limit):
        return self.player.play(script, self.servers.folder, limit)


class Plain(places.Plain):
    """Everything on the loopback of a network namespace."""

    def __init__(self, folder, servers):
        super().__init__(folder, "plain")
        self.servers = Servers(self.folder)
        try:
            for server in servers:
                self.servers.start(server, self.enter(["bash", "-c", server.script]))
            self.servers.wait()
        except BaseException:
            self.close()
            raise

    def stage(self):
        return Stage("plain", self.servers, self.player, lambda server: ("127.0.0.1", server.port))

    def close(self):
        self.servers.close()
        super().close()


class Meshed:
    """Each server is a workload, one has the clients; others are before the gateway."""

    def __init__(self, mesh, servers):
        self.mesh = mesh
        self.servers = Servers(mesh.folder)
        self.players = []
        try:
            for server in servers:
                self.servers.start(server, mesh.command(
                    "run", "--name", server.service, "--service", server.service, "--port",
                    f"{server.protocol}:{server.port}", "--", "bash", "-c", server.script))
            self.servers.wait()
            self.inside = self._player(mesh.command("run", "--name", "interop-clients", "--", *PLAYER))
            self.outside = self._player(PLAYER)
        except BaseException:
            self.close()
            raise

    def _player(self, command):
        player = places.Player(command)
        self.players.append(player)
        return player

    def captured(self):
        """As the mesh has them unasked: calls by the kernel's choice of an endpoint, requests by its forwarding."""
        return Stage("captured", self.servers, self.inside, lambda server: (server.service, server.port))

    def routed(self, servers):
        """A route has the proxy read every request."""
        self.mesh.apply("---".join(ROUTE.format(service=server.service) for server in servers))
        return Stage("routed", self.servers, self.inside, lambda server: (server.service, server.port))

    def gateway(self, servers):
        self.mesh.apply("---".join(GATEWAY.format(
            service=server.service, port=server.port + ends.GATEWAY, protocol=server.protocol.upper()) for server in servers))
        for server in servers:
            opened(server.port + ends.GATEWAY)
        return Stage("gateway", self.servers, self.outside, lambda server: ("127.0.0.1", server.port + ends.GATEWAY))

    def close(self):
        while self.players:
            self.players.pop().close()
        self.servers.close()
