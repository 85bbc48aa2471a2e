"""Opens TCP connections, each for a greeting: knock.py serve PORT | once HOST PORT | load HOST PORT SECONDS.

A line per connection: milliseconds since the epoch when it began, milliseconds it took, and what became of it: "ok" with
the greeting, "refused" by the kernel, "closed" without a byte, or the name of another error.
"""
import socket
import sys
import time


def knock(host, port):
    begun = time.time()
    try:
        with socket.create_connection((host, port), timeout=10) as sock:
            outcome = "ok" if sock.recv(100) else "closed"
    except ConnectionRefusedError:
        outcome = "refused"
    except ConnectionResetError:
        outcome = "closed"
    except OSError as error:
        outcome = type(error).__name__ + ":" + str(error).replace(" ", "_")
    print(int(begun * 1000), int((time.time() - begun) * 1000), outcome, flush=True)


mode = sys.argv[1]
if mode == "serve":
    server = socket.create_server(("0.0.0.0", int(sys.argv[2])), backlog=128)
    while True:
        accepted, _ = server.accept()
        accepted.sendall(b"hello\n")
        accepted.close()
elif mode == "once":
    knock(sys.argv[2], int(sys.argv[3]))
else:
    end = time.time() + float(sys.argv[4])
    while time.time() < end:
        knock(sys.argv[2], int(sys.argv[3]))
        time.sleep(0.004)
