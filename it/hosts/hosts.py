"""A mesh of three hosts, each a network namespace: joining, traffic between them, and who is kept out."""
import argparse
import os
import socket
import ssl
import subprocess
import sys
import time

import lab
import wire
from lab import Failure

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "programs.py")
PATIENCE = 30
CANARY = "canary-of-the-hosts-7319"
PLAIN = "plain-of-the-hosts-2846"
DENY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody-admin}
spec:
  selector: {matchLabels: {app: web}}
  action: DENY
  rules:
    - from: [{source: {principals: ["cluster.local/ns/default/sa/caller"]}}]
      to: [{operation: {paths: ["/admin*"]}}]
"""
DENY_BYTES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nobody-echo}
spec:
  selector: {matchLabels: {app: echo}}
  action: DENY
  rules:
    - from: [{source: {principals: ["cluster.local/ns/default/sa/caller"]}}]
"""


class Report:
    """Counts what was shown; a failure is told and the next one is tried."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, task):
        try:
            figure = task()
        except (Failure, AssertionError, OSError, subprocess.SubprocessError) as e:
            self.failed += 1
            print(f"FAIL {what}: {e}", flush=True)
            return
        self.passed += 1
        print(f"ok {what}" + (f": {figure}" if figure else ""), flush=True)


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def eventually(what, question, seconds=PATIENCE):
    """Asks until the answer is something; what it was."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.1)


class Mesh:
    """The workloads on the three hosts, and calls between them."""

    def __init__(self, hosts):
        self.hosts = hosts

    def workload(self, host, name, service, port, *program, account="default"):
        return host.start(lab.TULLE, "run", "--name", name, "--service", service, "--service-account", account,
                          "--port", port, "--readiness", "tcp:" + port.split(":")[1], "--", sys.executable, PROGRAMS,
                          *program,
                          log=os.path.join(host.folder, name + ".log"))

    def called(self, host, *line, account="caller", timeout=60):
        """What a program of its own workload prints."""
        done = host.run(lab.TULLE, "run", "--name", "caller", "--service-account", account, "--", *line, check=False,
                        timeout=timeout)
        return done.stdout

    def get(self, host, url, *options):
        return self.called(host, "curl", "-sS", "-m", "15", "-w", " %{http_code}", *options, url)

    def get_many(self, host, url, times):
        """Answers of one workload that asks again and again on new connections, a line each."""
        script = f"for i in $(seq {times}); do curl -sS -m 15 -w ' %{{http_code}}\\n' {url} || echo failed; done"
        return self.called(host, "sh", "-c", script, timeout=180).splitlines()

    def send(self, host, name, port, text):
        return self.called(host, sys.executable, PROGRAMS, "send", name, str(port), text)

    def ready(self, *names):
        def all_there():
            shown = self.hosts[0].tulle("workloads").stdout
            lines = [line.split() for line in shown.splitlines()]
            return all(any(name in line and "yes" in line for line in lines) for name in names)

        eventually(f"{', '.join(names)} ready", all_there)


def stranger(host, port, data):
    """What somebody without a certificate gets on this port over TLS: the answer, or how it ends."""
    script = (
        "import socket, ssl, sys\n"
        "context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
        "context.check_hostname = False\n"
        "context.verify_mode = ssl.CERT_NONE\n"
        "context.set_alpn_protocols(['h2'])\n"
        f"s = socket.create_connection(({host.address!r}, {port}), timeout=10)\n"
        "s = context.wrap_socket(s)\n"
        f"s.sendall({data!r})\n"
        "print(s.recv(4096))\n"
    )
    return script


def checks(report, hosts, mesh):
    first, second, third = hosts

    def joins():
        took = lab.join(first, [second, third])
        return ", ".join(f"{seconds:.1f} s" for seconds in took)

    report.check("two hosts join the first one's mesh", joins)

    def listed():
        shown = eventually("three nodes", lambda: (
            out := first.tulle("nodes").stdout) and out.count(" connected ") == 3 and out)
        for host in hosts:
            expect(host.address in shown, f"{host.address} is not in\n{shown}")

    report.check("nodes shows three, with their addresses", listed)

    for host in (second, third):
        mesh.workload(host, f"web-{host.name}", "web", "http:8080", "serve", host.name, "8080")
    mesh.workload(second, "echo", "echo", "tcp:9000", "echo", "9000")
    mesh.ready("web-host2", "web-host3", "echo")

    def spread():
        lines = mesh.get_many(first, "http://web:8080/x", 30)
        expect(all(line.endswith(" 200") for line in lines) and len(lines) == 30, f"found {lines}")
        found = {line.split()[0] for line in lines}
        expect(found == {"host2", "host3"}, f"expected answers of both hosts, found {found}")

    report.check("a service on two hosts is called from a third", spread)
    report.check("hosts call each other, too", lambda: expect(
        mesh.get(third, "http://web:8080/y").endswith(" 200"), "no answer of host2 or host3 to host3"))

    def unread():
        with wire.Tap(mesh.hosts[0].lab, [CANARY, PLAIN]) as tap:
            answer = mesh.get(first, "http://web:8080/z", "-d", CANARY)
            expect(CANARY in answer, f"found {answer!r}")
            mesh.send(first, "echo", 9000, CANARY)
            # The tap itself is tried on what nobody encrypts.
            server = third.start(sys.executable, PROGRAMS, "serve", PLAIN, "18080",
                                 log=os.path.join(third.folder, "plain.log"))
            eventually("a plain answer", lambda: first.run(
                "curl", "-sS", "-m", "5", f"http://{third.address}:18080/", check=False).stdout.startswith(PLAIN))
            server.terminate()
            eventually("the tap sees plain text", lambda: tap.seen(PLAIN))
        expect(tap.seen(CANARY) == 0, f"{tap.seen(CANARY)} frames show what was sent between workloads")
        return f"{tap.frames} frames"

    report.check("nothing between the hosts can be read", unread)

    def halves():
        answer = mesh.send(first, "echo", 9000, "hello")
        expect(answer == "hello 5", f"found {answer!r}")

    report.check("bytes pass, and half an end", halves)

    def identity():
        def counted():
            shown = second.run("curl", "-sS", "-m", "5", "http://127.0.0.1:15090/stats/prometheus").stdout
            return any('connection_security_policy="mutual_tls"' in line and 'reporter="destination"' in line
                       and "ns/default/sa/caller" in line for line in shown.splitlines())

        eventually("a call counted at its destination with the caller's identity", counted)

    report.check("the destination knows the caller by its certificate", identity)

    def denied():
        expect(mesh.get(first, "http://web:8080/admin").endswith(" 200"), "not served before the policy")
        apply(first, "deny.yaml", DENY)
        found = mesh.get_many(first, "http://web:8080/admin", 10)
        expect(all(line.endswith(" 403") for line in found), f"found {found}")
        expect(mesh.get(first, "http://web:8080/x").endswith(" 200"), "the policy refuses other paths as well")

    report.check("a policy on requests holds from one host to another once apply has returned", denied)

    def denied_bytes():
        apply(first, "deny-bytes.yaml", DENY_BYTES)
        answer = mesh.send(first, "echo", 9000, "hello")
        expect(answer == "", f"found {answer!r}")
        other = mesh.called(first, sys.executable, PROGRAMS, "send", "echo", "9000", "hello", account="other")
        expect(other == "hello 5", f"somebody else is refused as well: {other!r}")

    report.check("a policy on bytes, too, and for that caller alone", denied_bytes)

    def kept_out():
        request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
        done = third.run(sys.executable, "-c", stranger(second, 15008, request), check=False)
        expect(done.returncode != 0 or done.stdout.strip() == "b''", f"a tunnel for nobody: {done.stdout!r}")
        plain = third.run("curl", "-sS", "-m", "5", f"http://{second.address}:15008/", check=False)
        expect(plain.returncode != 0, f"plain HTTP is answered at 15008: {plain.stdout!r}")

    report.check("who has no certificate gets no tunnel at 15008", kept_out)

    def without_control():
        first.stop_mesh(kill=True)
        found = mesh.get_many(third, "http://web:8080/x", 10)
        expect(len(found) == 10 and all(line.endswith(" 200") for line in found), f"found {found}")
        first.start_mesh()
        eventually("the nodes are back", lambda: first.tulle("nodes").stdout.count(" connected ") == 3, 60)

    report.check("hosts go on without the control plane, and it finds them again", without_control)

    def started_again():
        second.stop_mesh()
        second.start_mesh()
        eventually("host2 is back", lambda: first.tulle("nodes").stdout.count(" connected ") == 3)

    report.check("a host that has joined starts again as a node, without a token", started_again)

    def removed():
        first.tulle("node", "remove", third.name)
        eventually("its workloads are gone", lambda: "web-host3" not in first.tulle("workloads").stdout)
        shown = first.tulle("nodes").stdout
        expect(third.name not in shown, f"it is still there:\n{shown}")

    report.check("a removed host is out", removed)


def apply(host, name, text):
    path = os.path.join(host.folder, name)
    with open(path, "w") as file:
        file.write(text)
    host.tulle("apply", "-f", path)


def main(arguments):
    parser = argparse.ArgumentParser(prog="it/hosts/run", description=__doc__)
    parser.parse_args(arguments)
    report = Report()
    with lab.Lab(3) as three:
        try:
            three.hosts[0].start_mesh()
            checks(report, three.hosts, Mesh(three.hosts))
        except Failure as e:
            report.failed += 1
            print(f"FAIL {e}")
        if report.failed:
            for host in three.hosts:
                log = os.path.join(host.folder, "up.log")
                if os.path.exists(log):
                    print(f"--- the end of {host.name}'s log\n{open(log).read()[-3000:]}")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0
