"""An HTTP server that answers with the status in the path: status.py PORT. /503 is answered with
503; keeps connections, reads plain and chunked bodies."""

import socket
import sys
import threading


def body(stream, head):
    if b"chunked" not in head.lower():
        return
    while (size := int(stream.readline(), 16)):
        stream.read(size + 2)
    stream.readline()


def serve(connection):
    with connection, connection.makefile("rb") as stream:
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = stream.readline()
                if not line:
                    return
                head += line
            body(stream, head)
            code = head.split(b" ", 2)[1].split(b"?")[0][1:]
            connection.sendall(b"HTTP/1.1 " + code + b" Word\r\nContent-Length: 2\r\n\r\nok")


listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=64)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
