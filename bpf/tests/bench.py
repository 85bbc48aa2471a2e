#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Spliced against plain connections: wrk and nginx as workloads, directly and through a relay
(HAProxy in TCP mode) in the proxy's cgroup: bench.py OBJECT [SECONDS [ROUNDS]].

Rounds are interleaved, so that noise meets all cases alike; medians are printed.
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


def spawn(lab, cgroup, command, folder):
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, preexec_fn=lambda: lab.enter(cgroup))


def wrk(lab, url, seconds, connections):
    text = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                          capture_output=True, text=True, check=True,
                          preexec_fn=lambda: lab.enter("workloads/b")).stdout
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
            re.search(r"50%\s+(\S+)", text)[1], re.search(r"99%\s+(\S+)", text)[1])


def main(argv):
    seconds = argv[2] if len(argv) > 2 else "2"
    rounds = int(argv[3]) if len(argv) > 3 else 3
    for tool in ("wrk", "nginx", "haproxy"):
        if not shutil.which(tool):
            print(f"needs {tool}", file=sys.stderr)
            return 2
    folder = tempfile.mkdtemp()
    lab = lab_module.Lab(os.path.abspath(argv[1]))
    processes = []
    try:
        for name, text in (("nginx.conf", NGINX), ("haproxy.cfg", HAPROXY), ("10k", "x" * 10240)):
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)
        os.chmod(folder, 0o755)
        lab.open()
        lab.maps.service(VIP + "60", 80, 60, KERNEL, [(NODE + "10", 9080)])
        lab.maps.service(VIP + "61", 80, 61, VIA_PROXY)
        processes = [spawn(lab, "workloads/a", ["nginx", "-p", folder, "-c", "nginx.conf"], folder),
                     spawn(lab, "proxy", ["haproxy", "-f", "haproxy.cfg"], folder)]
        time.sleep(1)
        cases = [(f"{path:8} {size:4} {connections:3} connections", VIP + last, url, connections)
                 for path, last in (("direct", "60"), ("relay", "61"))
                 for size, url in (("40", ""), ("10k", "10k")) for connections in (1, 64)]
        seen = {}
        for _ in range(rounds):
            for name, vip, url, connections in cases:
                for splice in (False, True):
                    lab.configure(flags=F_ALL if splice else F_ALL & ~F_SPLICE)
                    seen.setdefault((name, splice), []).append(
                        wrk(lab, f"http://{vip}/{url}", seconds, connections))
        for name, *_ in cases:
            plain, spliced = ([statistics.median(run[0] for run in seen[name, splice]),
                               *seen[name, splice][0][1:]] for splice in (False, True))
            print(f"{name}: plain {plain[0]:8.0f}/s (p50 {plain[1]}, p99 {plain[2]}), "
                  f"spliced {spliced[0]:8.0f}/s (p50 {spliced[1]}, p99 {spliced[2]}), "
                  f"{spliced[0] / plain[0]:.2f}x", flush=True)
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
