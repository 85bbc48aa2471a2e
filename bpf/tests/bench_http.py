#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP against direct connections of the same two programs without a mesh: wrk and nginx,
20 routes of which the last matches, one allow rule, counters: bench_http.py OBJECT [SECONDS
[ROUNDS]].

Rounds are interleaved, so that noise meets both alike; medians are printed. The node proxy of the
tests only opens the connections.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import lab as lab_module
from bench import NGINX, spawn
from http_lab import ALLOW, EXACT, PREFIX, Mesh, condition, route, rule
from lab import NODE, VIP
from stream import Delta

UNITS = {"us": 1, "ms": 1000, "s": 1000000}


def micros(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * UNITS[unit]


def wrk(lab, cgroup, url, seconds, connections):
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                           "-H", "User-Agent: wrk/4.1", "-H", "Accept: */*",
                           "-H", "Accept-Encoding: gzip, deflate, br",
                           "-H", "x-request-id: 3c1b0c1e-9d2f-4a55-8f0e-3b7a2f1a9f10",
                           "-H", "Accept-Language: en-US,en;q=0.9", url],
                          capture_output=True, text=True,
                          preexec_fn=lambda: lab.enter(cgroup))
    if text.returncode:
        raise RuntimeError(text.stderr)
    text = text.stdout
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            *(micros(re.search(rf"^ +{part}%\s+(\S+)", text, re.M)[1]) for part in (50, 99)))


def routes():
    return [route(condition(f"/api/v1/service-{i}/items", EXACT if i % 2 else PREFIX,
                            methods=("GET", "POST"))) for i in range(19)] + [route()]


def main(argv):
    seconds = argv[2] if len(argv) > 2 else "2"
    rounds = int(argv[3]) if len(argv) > 3 else 3
    folder = tempfile.mkdtemp()
    lab = lab_module.Lab(os.path.abspath(argv[1]))
    processes, mesh = [], None
    try:
        for name, text in (("nginx.conf", NGINX), ("10k", "x" * 10240)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(folder, 0o755)
        lab.open()
        processes = [spawn(lab, "workloads/a", ["nginx", "-p", folder, "-c", "nginx.conf"], folder)]
        with open(os.path.join(folder, "host.conf"), "w", encoding="ascii") as file:
            file.write(NGINX.replace("nginx.pid", "host.pid").replace("listen 9080",
                                                                      "listen 127.0.0.1:9081"))
        processes.append(spawn(lab, "host", ["nginx", "-p", folder, "-c", "host.conf"], folder))
        time.sleep(1)
        mesh = Mesh(lab, 9080, routes=routes(), prepare=80)
        mesh.write(rules=[rule(ALLOW, condition("/", PREFIX, methods=("GET",)))])
        mesh.http.sources(mesh.table, 11, 1)
        cases = [(f"{size:>4} {connections:3} connections", url, connections)
                 for size, url in (("40", ""), ("10k", "10k")) for connections in (1, 64)]
        seen = {}
        delta = Delta(lab)
        for _ in range(rounds):
            for name, url, connections in cases:
                for kernel in (False, True):
                    base = f"http://{VIP}80" if kernel else "http://127.0.0.1:9081"
                    seen.setdefault((name, kernel), []).append(
                        wrk(lab, "workloads/b" if kernel else "host", f"{base}/{url}", seconds,
                            connections))
        for name, *_ in cases:
            direct, kernel = ([statistics.median(run[i] for run in seen[name, kernel])
                               for i in range(3)] for kernel in (False, True))
            print(f"{name}: direct {direct[0]:7.0f}/s p50 {direct[1]:5.0f} p99 {direct[2]:5.0f} us,"
                  f" kernel {kernel[0]:7.0f}/s p50 {kernel[1]:5.0f} p99 {kernel[2]:5.0f} us:"
                  f" {kernel[0] / direct[0]:.2f}x, p50 {kernel[1] / direct[1]:.2f},"
                  f" p99 {kernel[2] / direct[2]:.2f}", flush=True)
        print(delta)
        print(mesh.stop())
    finally:
        for process in processes:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        lab.close()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
