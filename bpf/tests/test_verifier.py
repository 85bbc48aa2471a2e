# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""How much the verifier has to walk, held against verified_insns.txt: `make record-insns` writes it
anew, to be looked at in the review of the change."""

import ctypes
import os
import platform
import re
import struct
import subprocess
import sys

import bpf
from lab import Skipped

RECORD = os.path.join(bpf.HERE, "verified_insns.txt")
GROWTH = 1.10
INFO_SIZE = 232
VERIFIED_AT = 216  # struct bpf_prog_info.verified_insns (kernel 5.16)


def environment():
    """Counts depend on the kernel's verifier and on the compiler."""
    clang = subprocess.run([os.environ.get("CLANG", "clang-19"), "--version"], check=False,
                           capture_output=True, text=True).stdout
    version = re.search(r"version (\d+)", clang)
    kernel = re.match(r"\d+\.\d+", platform.release())[0]
    return f"kernel {kernel} clang {version[1] if version else '?'}"


def counts(obj):
    found = {}
    program = None
    following = bpf.LIB.bpf_object__next_program
    following.restype = ctypes.c_void_p
    name = bpf.LIB.bpf_program__name
    name.restype = ctypes.c_char_p
    while program := following(ctypes.c_void_p(obj.handle), ctypes.c_void_p(program)):
        info, size = ctypes.create_string_buffer(INFO_SIZE), ctypes.c_uint(INFO_SIZE)
        fd = bpf.LIB.bpf_program__fd(ctypes.c_void_p(program))
        if fd < 0 or bpf.LIB.bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size)):
            continue
        found[name(ctypes.c_void_p(program)).decode()] = struct.unpack_from(
            "I", info.raw, VERIFIED_AT)[0]
    return found


def recorded():
    with open(RECORD, encoding="ascii") as file:
        lines = file.read().splitlines()
    return lines[0], {name: int(count) for name, count in (line.split() for line in lines[1:])}


def test_verified_instructions(lab):
    """No program grew by more than 10 %, none is near the limit of a million, none is missing in
    the record."""
    now = counts(lab.obj)
    where, before = recorded()
    assert max(now.values()) < 500_000, now
    if where != environment():
        return Skipped(f"recorded with {where}, this is {environment()}: not compared")
    assert set(now) == set(before), "programs came or went: make record-insns"
    grown = {name: (before[name], count) for name, count in now.items()
             if count > before[name] * GROWTH}
    assert not grown, f"grown by more than 10 %: {grown} (make record-insns, if it has to be)"
    return f"{sum(now.values())} in all"


def main(argv):
    obj = bpf.Object(os.path.abspath(argv[1]))
    found = counts(obj)
    obj.close()
    with open(RECORD, "w", encoding="ascii") as file:
        file.write(environment() + "\n")
        for name, count in sorted(found.items()):
            file.write(f"{name} {count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
