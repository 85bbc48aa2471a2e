"""The clients' hand: one process in the place of the clients, which runs the scripts that come on standard input.

A line in is a script with its limit, a line out what it printed and how it ended; several run at a time.
"""
import json
import os
import signal
import subprocess
import sys
import threading

OUT = threading.Lock()


def play(order):
    process = subprocess.Popen(
        ["bash", "-o", "pipefail", "-c", order["script"]], cwd=order["folder"], start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ended = threading.Event()
    hung = threading.Event()

    def limit():
        if not ended.wait(order["limit"]):
            hung.set()
            end(process.pid)

    threading.Thread(target=limit, daemon=True).start()
    text = process.stdout.read()
    status = process.wait()
    ended.set()
    end(process.pid)
    with OUT:
        print(json.dumps({
            "id": order["id"], "text": text.decode(errors="replace"), "status": status, "hung": hung.is_set()}), flush=True)


def end(group):
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


for line in sys.stdin:
    threading.Thread(target=play, args=(json.loads(line),), daemon=True).start()
