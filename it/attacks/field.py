"""One mesh with a server, its gateway, and clients of both: captured ones and callers from outside."""
import json
import os
import subprocess
import sys
import threading
import time

import mesh as meshes

HERE = os.path.dirname(os.path.abspath(__file__))
# Below the ports that the kernel gives to connections, as all of a mesh.
GATEWAY_PORT = 15200

GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: front}}
spec:
  selector: {{istio: ingressgateway}}
  servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: front}}
spec:
  hosts: ["*"]
  gateways: [front]
  http: [{{route: [{{destination: {{host: web}}}}]}}]
"""


class Talker:
    """A process that answers each line with a line."""

    def __init__(self, process):
        self.process = process
        self.said()

    def said(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a helper has ended: " + " ".join(map(str, self.process.args)))
        return line

    def order(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.order(line)
        return json.loads(self.said())


class Process:
    """What a process of the mesh uses."""

    def __init__(self, pid):
        self.pid = pid

    def cpu(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.pid}/stat") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Bytes of its own that are resident."""
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon:"))


class Most(threading.Thread):
    """The most memory that a process had."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.most, self.over = process, process.memory(), threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.05):
            self.most = max(self.most, self.process.memory())

    def stop(self):
        self.over.set()
        self.join(10)
        return max(self.most, self.process.memory())


class Field:
    """The mesh; the kernel forwards nothing, as the proxy is what is attacked."""

    def __init__(self, name, number):
        server = meshes.build("server", "server.c")
        self.mesh = meshes.Mesh(name, number, "--kernel-http", "off", every=())
        self.port = GATEWAY_PORT + self.mesh.offset
        self.outside = []
        try:
            self.mesh.wait_ready()
            self.mesh.server(server, "web", "v1")
            self.mesh.apply(GATEWAY.format(port=self.port))
            self.fronts = {"captured": ("web", 9080), "gateway": ("127.0.0.1", self.port)}
            self.wait_served()
        except BaseException:
            self.close()
            raise

    def wait_served(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            done = [self.mesh.tulle("run", "--name", "first", "--", *self.curl("web", 9080), check=False),
                    subprocess.run(self.curl("127.0.0.1", self.port), capture_output=True, text=True)]
            if all(one.returncode == 0 for one in done):
                return
            time.sleep(0.2)
        raise RuntimeError("web is not served: " + str(done) + self.mesh.text())

    @staticmethod
    def curl(host, port):
        return ["curl", "-sSf", "-m", "5", "-o", "/dev/null", "-H", "Host: web:9080", f"http://{host}:{port}/"]

    def process(self, front):
        role = "gateway" if front == "gateway" else "proxy"
        with open(f"{self.mesh.run_dir}/{role}.pid") as file:
            return Process(int(file.read().split()[0]))

    def talker(self, front, name, program, *words):
        """A helper that speaks to the front: a workload of the mesh, or a process outside of it."""
        host, port = self.fronts[front]
        command = [sys.executable, "-B", os.path.join(HERE, program), host, str(port), *words]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        if front == "captured":
            return Talker(self.mesh.workload(name, [], command, **pipes))
        process = subprocess.Popen(command, stderr=open(f"{self.mesh.folder}/{name}-outside.err", "ab"), **pipes)
        self.outside.append(process)
        return Talker(process)

    def close(self):
        for process in self.outside:
            process.kill()
            process.wait()
        self.mesh.close()
