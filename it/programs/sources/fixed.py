"""Asks a server of UDP on 127.0.0.1 from a port of its own, bound on all addresses: fixed.py connected|unconnected OWN PORT."""
import socket
import sys

way, own, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
remote = ("127.0.0.1", port)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(5)
    sock.bind(("", own))
    if way == "connected":
        sock.connect(remote)
    for _ in range(3):
        if way == "connected":
            sock.send(b"hello")
        else:
            sock.sendto(b"hello", remote)
        told, peer = sock.recvfrom(2000)
        print(told.decode().replace(f" {own} ", " its port "), peer == remote)
