"""Looks a name up, again and again, as any program does: by the C library, with its own patience and tries.

lookups.py NAME FILE    FILE holds: look-ups that were answered, those that failed, the longest in milliseconds, and what
                        the first failure was
"""
import os
import socket
import sys
import threading
import time

lock = threading.Lock()
answered, failed, longest, why = 0, 0, 0, ""


def look(name):
    global answered, failed, longest, why
    while True:
        begun = time.monotonic()
        error = ""
        try:
            socket.getaddrinfo(name, 80, socket.AF_INET, socket.SOCK_STREAM)
        except OSError as refused:
            error = str(refused)
        took = int((time.monotonic() - begun) * 1000)
        with lock:
            longest = max(longest, took)
            if error:
                failed += 1
                why = why or f"{error} after {took} ms"
            else:
                answered += 1
        time.sleep(0.02)


def main(name, path):
    for _ in range(8):
        threading.Thread(target=look, args=(name,), daemon=True).start()
    while True:
        with lock:
            text = f"{answered} {failed} {longest} {why}"
        with open(path + ".new", "w") as out:
            out.write(text)
        os.replace(path + ".new", path)
        time.sleep(0.1)


main(*sys.argv[1:])
