"""The programs at both ends: how each is started, and which port its server has."""
import os
from dataclasses import dataclass

import fetched

FIRST_PORT = 23000
GATEWAY = 100  # what a port of the gateway has more than that of its server
PEER = os.path.join(fetched.GO, "peer")
NODE = f"node {fetched.NODE}/peer.js"
PYTHON = f"{fetched.VENV}/bin/python {fetched.PYTHON}"


@dataclass(frozen=True)
class Server:
    """`protocol`: of its port, as it is declared in the mesh and at the gateway."""

    name: str
    number: int
    protocol: str
    start: str

    @property
    def port(self):
        return FIRST_PORT + self.number

    @property
    def service(self):
        return f"interop-{self.name}"

    @property
    def script(self):
        return f"exec {self.start} {self.port}"


def java(role):
    return f"$JAVA_HOME/bin/java -Xmx256m -cp '{fetched.JAVA}:{fetched.JAVA}/lib/*' Peer {role}"


CALLS = tuple(Server(name, number, "grpc", start) for number, (name, start) in enumerate((
    ("java", java("serve")), ("go", f"{PEER} serve"), ("node", f"{NODE} serve"), ("python", f"{PYTHON}/serve.py"))))
CHATS = Server("chats", 10, "http", f"{NODE} chats")
FRAMES = Server("frames", 11, "http2", f"{NODE} answers")

# How a language makes its calls: HOST, PORT and a name follow.
CALLERS = {"java": java("calls"), "go": f"{PEER} calls", "node": f"{NODE} calls", "python": f"{PYTHON}/calls.py"}
