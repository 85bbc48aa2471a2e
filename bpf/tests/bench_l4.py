#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""What kernel L4 costs: short TCP connections and datagrams between two workloads, against the same
two programs with no eBPF program at all, for one or several objects: bench_l4.py OBJECT…
[--seconds S] [--rounds N].

The loader is the one of bench/. Rounds are interleaved; medians are printed: how many a second, and
the processor time of both ends for each.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

import lab as lab_module
from lab import KERNEL, NODE, VIP
from bpf import HERE

SOURCE = os.path.join(HERE, "..", "..", "bench", "tools", "l4load.c")
SERVER_CPU, LOAD_CPU = "0", "1"
PORT = "9300"
TCP, UDP = 6, 17
CASES = {
    "tcp": ("tcp-serve", ("tcp-load", "4")),
    "udp": ("udp-serve", ("udp-load", "32", "unconnected")),
    "udp connected": ("udp-serve", ("udp-load", "32", "connected")),
}


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(binary, case, seconds, host, enter):
    """Count a second and processor time for each in microseconds; `enter` takes the role."""
    serve, (load, *words) = CASES[case]
    server = subprocess.Popen(["taskset", "-c", SERVER_CPU, binary, serve, PORT],
                              preexec_fn=lambda: enter("workloads/a"))
    try:
        time.sleep(0.15)
        before = cpu_seconds(server.pid)
        done = subprocess.run(["taskset", "-c", LOAD_CPU, binary, load, host, PORT, str(seconds),
                               *words], capture_output=True, text=True, check=True,
                              preexec_fn=lambda: enter("workloads/b"))
        count, took, cpu = map(float, done.stdout.split())
        return count / took, (cpu + cpu_seconds(server.pid) - before) / count * 1e6
    finally:
        server.kill()
        server.wait()


def figures(elf, binary, seconds):
    """Of all cases: with the object, or without any program."""
    if not elf:
        return [measure(binary, case, seconds, "127.0.0.1", lambda _: None) for case in CASES]
    lab = lab_module.Lab(os.path.abspath(elf))
    try:
        lab.open()
        for number, proto in ((60, TCP), (61, UDP)):
            lab.maps.service(VIP + "60", int(PORT), number, KERNEL, [(NODE + "10", int(PORT))],
                             proto=proto)
        return [measure(binary, case, seconds, VIP + "60", lab.enter) for case in CASES]
    finally:
        lab.close()


def apart(elf, binary, seconds):
    """In a process of its own: a lab changes the namespace of its process."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, repr(figures(elf, binary, seconds)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return [tuple(map(float, pair.split(", "))) for pair in text.strip("[()]").split("), (")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("objects", nargs="+")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    seen = {elf: [] for elf in ("", *options.objects)}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = os.path.join(folder, "l4load")
        subprocess.run(["cc", "-O2", "-o", binary, SOURCE], check=True)
        for _ in range(options.rounds):
            for elf, rounds in seen.items():
                rounds.append(apart(elf, binary, options.seconds))
    for number, case in enumerate(CASES):
        base = [statistics.median(one[number][kind] for one in seen[""]) for kind in (0, 1)]
        for elf, rounds in seen.items():
            rate, cpu = (statistics.median(one[number][kind] for one in rounds) for kind in (0, 1))
            print(f"{case:14} {elf or 'no program':30} {rate:8.0f}/s {rate / base[0]:5.2f}x"
                  f" {cpu:7.2f} us {cpu / base[1]:5.2f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
