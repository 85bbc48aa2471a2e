"""Fuzzes what the kernel reads of requests and responses, in user space, with sanitizers, from the kept corpora."""
import argparse
import gzip
import io
import os
import re
import subprocess
import tarfile
import tempfile

import mesh


# What a program fuzzes: its name, the corpus that is kept, its longest input, and the headers it is built of.
HEADS = ("http_parse.h", "http_words.h", "http_types.h")
TARGETS = (
    ("heads", "fuzz_heads", "corpus.tar.gz", 2200, HEADS),
    ("routes", "fuzz_routes", "corpus-routes.tar.gz", 1600, (*HEADS, "http_route.h", "http_state.h", "http_lease.h")),
)


def when(methods=0, kind=0, path=b"", fields=(0, 0)):
    """A condition as fuzz_routes.c reads it: `fields` are its bytes for each field."""
    condition = bytes([methods, kind]) + (bytes([len(path) - 1]) + path if kind else b"")
    for field in fields:
        condition += field if isinstance(field, bytes) else bytes([field])
    return condition


def seeds(name):
    """Inputs to begin with where the corpus alone would be too far away."""
    if name != "routes":
        return []
    request = b"GET /api/v1/books?q=1 HTTP/1.1\r\nHost: a\r\nx-tag: red\r\nend-user: jason\r\n\r\n"
    conditions = (
        [when()],
        [when(1, 1, b"/api/v1/books")],
        [when(2, 2, b"/api/"), when(0, 3, b"/api/v1")],
        [when(0, 3, b"/api/v1/books/x" * 4), when(0, 2, b"/", (b"\x01\x03red", b"\x05")), when()],
        [when(0, 0, b"", (b"\x81\x04blue", b"\x04\x05jason"))],
    )
    return [bytes([len(one) - 1]) + b"".join(one) + b"G" + request for one in conditions]


def unpack(path, folder):
    if not os.path.exists(path):
        return
    with tarfile.open(path) as pack:
        for member in pack:
            with open(os.path.join(folder, os.path.basename(member.name)), "wb") as file:
                file.write(pack.extractfile(member).read())


def pack(path, folder):
    """Same corpus, same bytes: nothing in it tells when or by whom it was made."""
    with gzip.GzipFile(path + ".new", "wb", mtime=0) as file, tarfile.open(fileobj=file, mode="w|") as to:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as one:
                data = one.read()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            to.addfile(member, io.BytesIO(data))
    os.replace(path + ".new", path)


def main(words):
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=0, help="0: the clock")
    parser.add_argument("--keep", action="store_true", help="add what reaches new code to the corpus")
    options = parser.parse_args(words)
    passed = sum(run(*target, options) for target in TARGETS)
    print(f"{passed} passed, {len(TARGETS) - passed} failed")
    return 0 if passed == len(TARGETS) else 1


def run(name, program, kept_in, longest, headers, options):
    """Fuzzes one; true when nothing was found."""
    kept_in = os.path.join(mesh.HERE, kept_in)
    flags = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Werror",
             "-Wno-unused-function", "-Wno-address-of-packed-member", "-I", os.path.join(mesh.HOME, "bpf")]
    headers = ["heads.h", *(os.path.join("../../bpf/lib", header) for header in headers)]
    binary = mesh.build(program, program + ".c", *headers, flags=flags)
    with tempfile.TemporaryDirectory(prefix="tulle-fuzz-") as folder:
        found, corpus, merged = (os.path.join(folder, part) for part in ("found", "corpus", "merged"))
        for path in (found, corpus, merged):
            os.mkdir(path)
        unpack(kept_in, corpus)
        for number, seed in enumerate(seeds(name)):
            with open(os.path.join(corpus, f"seed-{number}"), "wb") as file:
                file.write(seed)
        kept = len(os.listdir(corpus))
        done = subprocess.run(
            [binary, f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-max_len={longest}", "-timeout=25",
             "-rss_limit_mb=1024", f"-artifact_prefix={os.path.dirname(binary)}/{name}-", found, corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        runs = re.search(r"Done (\d+) runs", done.stdout)
        edges = re.findall(r"cov: (\d+)", done.stdout)
        if done.returncode != 0 or not runs:
            print(done.stdout[-4000:])
            print(f"not ok the kernel's {name}; the input is the file named above, in target/equality")
            return False
        if options.keep:
            subprocess.run([binary, "-merge=1", f"-max_len={longest}", merged, corpus, found], check=True,
                           stderr=subprocess.DEVNULL)
            pack(kept_in, merged)
    print(f"ok the kernel's {name}: {runs.group(1)} inputs, {edges[-1] if edges else 0} edges, corpus of {kept}")
    return True
