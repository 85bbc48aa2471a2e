#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Spliced against plain connections: wrk and nginx as workloads, directly and through a relay
(HAProxy in TCP mode) in the proxy's cgroup: bench.py OBJECT [SECONDS [ROUNDS]].

Medians of interleaved rounds are printed.
"""

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import lab as lab_module
from lab import F_ALL, F_SPLICE, KERNEL, NODE, OUTBOUND_PORT, VIA_PROXY, VIP

NGINX = """
daemon off; worker_processes 1; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000;
  server { listen 9080; location / { return 200 "0123456789012345678901234567890123456789"; }
           location /10k { root .; } } }
"""
HAPROXY = f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:{OUTBOUND_PORT}
  server a {NODE}10:9080
"""


MICROS = {"us": 1, "ms": 1000, "s": 1000000}


@contextlib.contextmanager
def stage(elf):
    """A lab, a function that writes a file for programs and one that starts a program in a control
    group; nginx's files are there already. Nothing is left afterwards."""
    folder = tempfile.mkdtemp()
    lab = lab_module.Lab(os.path.abspath(elf))
    processes = []

    def write(name, text):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def spawn(cgroup, *command):
        processes.append(subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: lab.enter(cgroup)))

    try:
        os.chmod(folder, 0o755)
        write("nginx.conf", NGINX)
        write("10k", "x" * 10240)
        lab.open()
        yield lab, write, spawn
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


def wrk(lab, cgroup, url, seconds, connections, *headers):
    """Requests a second, median and 99th percentile in microseconds."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                           *(word for header in headers for word in ("-H", header)), url],
                          capture_output=True, text=True, preexec_fn=lambda: lab.enter(cgroup))
    if done.returncode:
        raise RuntimeError(done.stderr)
    quantiles = (re.search(rf"^ +{part}%\s+([\d.]+)(us|ms|s)", done.stdout, re.M).groups()
                 for part in (50, 99))
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
            *(float(value) * MICROS[unit] for value, unit in quantiles))


def compare(rounds, cases, run):
    """Each case with the medians of what run(case, False) and run(case, True) give; rounds are
    interleaved, so that noise meets all alike."""
    seen = {(case, on): [] for case in cases for on in (False, True)}
    for _ in range(rounds):
        for case, on in seen:
            seen[case, on].append(run(case, on))
    for case in cases:
        yield (case, *([statistics.median(one) for one in zip(*seen[case, on])]
                       for on in (False, True)))


def main(argv):
    seconds = argv[2] if len(argv) > 2 else "2"
    rounds = int(argv[3]) if len(argv) > 3 else 3
    for tool in ("wrk", "nginx", "haproxy"):
        if not shutil.which(tool):
            print(f"needs {tool}", file=sys.stderr)
            return 2
    with stage(argv[1]) as (lab, write, spawn):
        write("haproxy.cfg", HAPROXY)
        lab.maps.service(VIP + "60", 80, 60, KERNEL, [(NODE + "10", 9080)])
        lab.maps.service(VIP + "61", 80, 61, VIA_PROXY)
        spawn("workloads/a", "nginx", "-p", ".", "-c", "nginx.conf")
        spawn("proxy", "haproxy", "-f", "haproxy.cfg")
        time.sleep(1)
        cases = [(f"{path:8} {size:4} {connections:3} connections", VIP + last, url, connections)
                 for path, last in (("direct", "60"), ("relay", "61"))
                 for size, url in (("40", ""), ("10k", "10k")) for connections in (1, 64)]

        def run(case, splice):
            _, vip, url, connections = case
            lab.configure(flags=F_ALL if splice else F_ALL & ~F_SPLICE)
            return wrk(lab, "workloads/b", f"http://{vip}/{url}", seconds, connections)

        for case, plain, spliced in compare(rounds, cases, run):
            print(f"{case[0]}: plain {plain[0]:8.0f}/s p50 {plain[1]:5.0f} p99 {plain[2]:5.0f} us, "
                  f"spliced {spliced[0]:8.0f}/s p50 {spliced[1]:5.0f} p99 {spliced[2]:5.0f} us, "
                  f"{spliced[0] / plain[0]:.2f}x", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
