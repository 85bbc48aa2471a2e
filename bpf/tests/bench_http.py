#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Kernel HTTP against direct connections of the same two programs without a mesh: wrk and nginx,
20 routes of which the last matches, one allow rule, counters: bench_http.py OBJECT [SECONDS
[ROUNDS]].

Medians of interleaved rounds are printed. The node proxy of the tests only opens the connections.
"""

import sys
import time

from bench import NGINX, compare, stage, wrk
from http_lab import ALLOW, EXACT, PREFIX, Mesh, condition, route, rule
from lab import VIP
from stream import Delta

HEADERS = ("User-Agent: wrk/4.1", "Accept: */*", "Accept-Encoding: gzip, deflate, br",
           "x-request-id: 3c1b0c1e-9d2f-4a55-8f0e-3b7a2f1a9f10", "Accept-Language: en-US,en;q=0.9")


def routes():
    return [route(condition(f"/api/v1/service-{i}/items", EXACT if i % 2 else PREFIX,
                            methods=("GET", "POST"))) for i in range(19)] + [route()]


def main(argv):
    seconds = argv[2] if len(argv) > 2 else "2"
    rounds = int(argv[3]) if len(argv) > 3 else 3
    with stage(argv[1]) as (lab, write, spawn):
        write("host.conf", NGINX.replace("nginx.pid", "host.pid").replace("listen 9080",
                                                                          "listen 127.0.0.1:9081"))
        spawn("workloads/a", "nginx", "-p", ".", "-c", "nginx.conf")
        spawn("host", "nginx", "-p", ".", "-c", "host.conf")
        time.sleep(1)
        mesh = Mesh(lab, 9080, routes=routes(), prepare=80)
        mesh.write(rules=[rule(ALLOW, condition("/", PREFIX, methods=("GET",)))])
        mesh.http.sources(mesh.table, 11, 1)
        cases = [(f"{size:>4} {connections:3} connections", url, connections)
                 for size, url in (("40", ""), ("10k", "10k")) for connections in (1, 64)]
        delta = Delta(lab)

        def run(case, kernel):
            _, url, connections = case
            base = f"http://{VIP}80" if kernel else "http://127.0.0.1:9081"
            return wrk(lab, "workloads/b" if kernel else "host", f"{base}/{url}", seconds,
                       connections, *HEADERS)

        for case, direct, kernel in compare(rounds, cases, run):
            print(f"{case[0]}:"
                  f" direct {direct[0]:7.0f}/s p50 {direct[1]:5.0f} p99 {direct[2]:5.0f} us,"
                  f" kernel {kernel[0]:7.0f}/s p50 {kernel[1]:5.0f} p99 {kernel[2]:5.0f} us:"
                  f" {kernel[0] / direct[0]:.2f}x, p50 {kernel[1] / direct[1]:.2f},"
                  f" p99 {kernel[2] / direct[2]:.2f}", flush=True)
        print(delta)
        print(mesh.stop())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
