"""What passes between the hosts, as somebody on the network sees it."""
import os
import select
import socket
import sys
import threading

ETH_P_ALL = 3
SNAP = 65535


class Tap:
    """Reads every frame that passes the bridge, in a thread of its own that has entered the switch's namespace."""

    def __init__(self, lab, words):
        self.words = [word.encode() for word in words]
        self.found = {word: 0 for word in self.words}
        self.frames = 0
        self.bytes = 0
        self.pid = lab.switch.pid
        self.ends = False
        self.ready = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        self.ready.wait(10)
        if self.failure is not None:
            raise self.failure
        return self

    def _run(self):
        try:
            space = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            # Of this thread alone.
            os.setns(space, os.CLONE_NEWNET)
            os.close(space)
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
                tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
                self.ready.set()
                while not self.ends:
                    if select.select([tap], [], [], 0.1)[0]:
                        self._take(tap.recv(SNAP))
        except OSError as e:
            self.failure = e
            self.ready.set()

    def _take(self, frame):
        self.frames += 1
        self.bytes += len(frame)
        for word in self.words:
            if word in frame:
                self.found[word] += 1

    def seen(self, word):
        """In how many frames a word stood as it is."""
        return self.found[word.encode()]

    def __exit__(self, *_):
        self.ends = True
        self.thread.join(5)


if sys.version_info < (3, 12):
    import ctypes

    def _setns(descriptor, kind):
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, kind):
            raise OSError(ctypes.get_errno(), "setns")

    os.setns = _setns
    os.CLONE_NEWNET = 0x40000000
