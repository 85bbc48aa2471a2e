"""The two ends in plain Python: peer.py serve|late|lines PORT, peer.py send|poll|tick|ask|talk HOST PORT [BYTES].

An exchange: the client sends and ends its side, the server answers how much it heard with its checksum, then ANSWER bytes.
"""
import hashlib
import signal
import socket
import sys
import threading
import time

ANSWER = 2_000_000
LATE = 0.3  # seconds
LINES = 200


def pattern(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def heard(data):
    return f"{len(data)} {hashlib.md5(data).hexdigest()}\n".encode()


def read_all(connection):
    data = bytearray()
    while piece := connection.recv(65536):
        data += piece
    return bytes(data)


def exchange(connection, late):
    question = read_all(connection)
    time.sleep(late)
    connection.sendall(heard(question) + pattern(ANSWER))
    connection.close()


def lines(connection):
    with connection, connection.makefile("rwb") as file:
        for line in file:
            file.write(b"you said " + line)
            file.flush()


def serve(port, function, *more):
    with socket.create_server(("0.0.0.0", port), backlog=50) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=function, args=(connection, *more), daemon=True).start()


def send(host, port, size, timeout=None):
    """With a timeout Python waits in poll, without one in recv itself."""
    question = pattern(size)
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        line, _, rest = read_all(connection).partition(b"\n")
    print("sent", size, "heard" if line + b"\n" == heard(question) else line, "answer", rest == pattern(ANSWER))


def tick(host, port, size):
    """A timer that interrupts what waits, whose handler does nothing: Python goes on with the call."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        send(host, port, size)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def talk(host, port):
    right = 0
    with socket.create_connection((host, port)) as connection, connection.makefile("rwb") as file:
        for number in range(LINES):
            file.write(b"line %d\n" % number)
            file.flush()
            right += file.readline() == b"you said line %d\n" % number
    print(right, "answers")


def main(role, *words):
    size = int(words[2]) if len(words) > 2 else 5_000_000
    try:
        match role:
            case "serve":
                serve(int(words[0]), exchange, 0)
            case "late":
                serve(int(words[0]), exchange, LATE)
            case "lines":
                serve(int(words[0]), lines)
            case "send":
                send(words[0], int(words[1]), size)
            case "poll":
                send(words[0], int(words[1]), size, 10)
            case "tick":
                tick(words[0], int(words[1]), size)
            case "talk":
                talk(words[0], int(words[1]))
    except OSError as failure:
        sys.exit(f"fails: {type(failure).__name__}, errno {failure.errno}")


main(*sys.argv[1:])
