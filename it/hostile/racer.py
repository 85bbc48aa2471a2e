"""Tries to listen on ports that others own, as often as it can for a while: racer.py SECONDS PORT…

Whoever wins a port keeps it and reads what comes. Closes with one JSON line: tries, ports won, bytes received.
"""
import json
import select
import socket
import sys
import time


def main(words):
    end = time.monotonic() + float(words[0])
    ports = [int(word) for word in words[1:]]
    tries, won, received, answers = 0, {}, 0, {}
    while time.monotonic() < end:
        for port in ports:
            for address in ("127.0.0.1", "0.0.0.0", "::"):
                if (address, port) in won:
                    continue
                tries += 1
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    sock.bind((address, port))
                    sock.listen()
                    won[address, port] = sock
                except OSError as error:
                    answers[error.errno] = answers.get(error.errno, 0) + 1
                    sock.close()
        for sock in select.select(list(won.values()), [], [], 0.0005)[0]:
            try:
                connection, _ = sock.accept()
                connection.settimeout(0.2)
                received += len(connection.recv(4096))
                connection.close()
            except OSError:
                pass
    print(json.dumps({"tries": tries, "won": [f"[{a}]:{p}" for a, p in won], "received": received,
                      "errors": {str(k): v for k, v in answers.items()}}))


main(sys.argv[1:])
