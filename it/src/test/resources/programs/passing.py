"""Passes on what comes at one Unix socket to another, which sees this process. Arguments: the one to make, the other."""
import os
import socket
import sys
import threading

place, target = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(place + "~")
listener.listen(16)
os.rename(place + "~", place)


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


while True:
    near, _ = listener.accept()
    far = socket.socket(socket.AF_UNIX)
    try:
        far.connect(target)
    except OSError as e:
        print(e.strerror, flush=True)
        near.close()
        continue
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
