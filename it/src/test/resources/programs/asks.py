"""Requests one after the other on one connection: asks.py HOST PORT WORD... A word is
CODExCOUNT, or CODExCOUNTxchunked for requests with a chunked body, which only the node proxy
forwards. Prints how many got the status that they asked for."""

import socket
import sys


def exchange(connection, stream, code, chunked):
    if chunked:
        connection.sendall(b"POST /%d?way=proxy HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked"
                           b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n" % (code, host))
    else:
        connection.sendall(b"GET /%d?way=kernel HTTP/1.1\r\nHost: %s\r\nUser-Agent: asks\r\n\r\n"
                           % (code, host))
    status = stream.readline().split()[1]
    length = 0
    while (line := stream.readline().strip()):
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    stream.read(length)
    return int(status) == code


host = sys.argv[1].encode()
good = 0
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as connection, \
        connection.makefile("rb") as stream:
    for word in sys.argv[3:]:
        code, count, *how = word.split("x")
        for _ in range(int(count)):
            good += exchange(connection, stream, int(code), how == ["chunked"])
print(good)
