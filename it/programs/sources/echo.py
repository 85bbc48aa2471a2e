"""A server of UDP that says whom it answers: its port. It listens on TCP too, by which it is seen to be ready."""
import socket
import sys

port = int(sys.argv[1])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", port))
tcp = socket.create_server(("127.0.0.1", port))
while True:
    data, peer = udp.recvfrom(2000)
    udp.sendto(f"{peer[0]} {peer[1]} ".encode() + data, peer)
