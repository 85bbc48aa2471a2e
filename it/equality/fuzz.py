"""Fuzzes the kernel's parser of heads in user space, with sanitizers, from the kept corpus."""
import argparse
import gzip
import io
import os
import re
import subprocess
import tarfile
import tempfile

import mesh


PACK = os.path.join(mesh.HERE, "corpus.tar.gz")


def unpack(folder):
    with tarfile.open(PACK) as pack:
        for member in pack:
            with open(os.path.join(folder, os.path.basename(member.name)), "wb") as file:
                file.write(pack.extractfile(member).read())


def pack(folder):
    """Same corpus, same bytes: nothing in it tells when or by whom it was made."""
    with gzip.GzipFile(PACK + ".new", "wb", mtime=0) as file, tarfile.open(fileobj=file, mode="w|") as to:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as one:
                data = one.read()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            to.addfile(member, io.BytesIO(data))
    os.replace(PACK + ".new", PACK)


def main(words):
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=1800)
    parser.add_argument("--seed", type=int, default=0, help="0: the clock")
    parser.add_argument("--keep", action="store_true", help="add what reaches new code to the corpus")
    options = parser.parse_args(words)
    flags = ["-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-Wall", "-Werror",
             "-I", os.path.join(mesh.HOME, "bpf")]
    headers = ["heads.h", *(os.path.join("../../bpf/lib", h) for h in ("http_parse.h", "http_words.h", "http_types.h"))]
    binary = mesh.build("fuzz_heads", "fuzz_heads.c", *headers, flags=flags)
    with tempfile.TemporaryDirectory(prefix="tulle-fuzz-") as folder:
        found, corpus, merged = (os.path.join(folder, name) for name in ("found", "corpus", "merged"))
        for path in (found, corpus, merged):
            os.mkdir(path)
        unpack(corpus)
        kept = len(os.listdir(corpus))
        done = subprocess.run(
            [binary, f"-max_total_time={options.seconds}", f"-seed={options.seed}", "-max_len=2200", "-timeout=5",
             "-rss_limit_mb=1024", f"-artifact_prefix={os.path.dirname(binary)}/", found, corpus],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        runs = re.search(r"Done (\d+) runs", done.stdout)
        if done.returncode != 0 or not runs:
            print(done.stdout[-4000:])
            print("not ok the kernel's parser; the input is the file named above, in target/equality")
            print("0 passed, 1 failed")
            return 1
        if options.keep:
            subprocess.run([binary, "-merge=1", "-max_len=600", merged, corpus, found], check=True,
                           stderr=subprocess.DEVNULL)
            pack(merged)
    print(f"fuzz: {runs.group(1)} heads in {options.seconds} s, corpus of {kept}")
    print("1 passed, 0 failed")
    return 0
