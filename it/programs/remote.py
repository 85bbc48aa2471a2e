"""gRPC and WebSocket in several languages, each client with each server."""
import builds
from program import SOURCES, program

NODE = f"node {builds.NODE}/peer.js"
PYTHON = "/usr/bin/python3"  # the distribution's, whose packages these are
CALLS = {"Go": (f"{builds.GO} grpc", f"{builds.GO} call"),
         "Node": (f"{NODE} grpc", f"{NODE} call"),
         "Python": (f"{PYTHON} {SOURCES}/calls.py serve", f"{PYTHON} {SOURCES}/calls.py call")}
SOCKETS = {"Node": (f"{NODE} socket", f"{NODE} chat"),
           "Python": (f"{PYTHON} {SOURCES}/sockets.py serve", f"{PYTHON} {SOURCES}/sockets.py chat")}


@program("grpc", builds=("go", "node"), auto=True)
def grpc(run):
    ports = {language: run.port() for language in CALLS}
    host = run.server(" & ".join(f"{server} {ports[each]}" for each, (server, _) in CALLS.items()) + " & wait", *ports.values())
    for client, (_, call) in CALLS.items():
        for server, port in ports.items():
            run.client(f"{client} to {server}", f"{call} {host} {port}", 30)


@program("websocket", builds=("node",), auto=True)
def websocket(run):
    ports = {language: run.port() for language in SOCKETS}
    host = run.server(" & ".join(f"{server} {ports[each]}" for each, (server, _) in SOCKETS.items()) + " & wait",
                      http=list(ports.values()))
    for client, (_, chat) in SOCKETS.items():
        for server, port in ports.items():
            run.client(f"{client} to {server}", f"{chat} {host} {port}", 30)
