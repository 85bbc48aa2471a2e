"""Plays attacks over raw sockets, perhaps inside a workload: attacker.py HOST PORT SOURCE

A line of JSON per attack comes in, {"name", "seconds", "patience", "once"}, a line goes out: how many connections were made
and closed, and the longest time from the frame that was one too many to the end. Sent away, it comes again after a second,
or with "once" not at all.
"""
import json
import select
import socket
import sys
import time

import kinds

PAUSE = 1.0  # seconds before a client that was sent away comes again
RESET = (ConnectionResetError, BrokenPipeError)


class Play:
    """One connection of an attack, until it is closed or the time is over."""

    def __init__(self, attack, address, source, end, patience):
        self.attack, self.end, self.patience = attack, end, patience
        self.socket = socket.create_connection(address, timeout=10, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.out, self.next, self.sent, self.done = bytearray(attack.opening), 0, 0, False
        self.over_since = None
        self.first = b""
        self.left_because = "time"

    def run(self):
        poll = select.poll()
        try:
            while time.monotonic() < self.end and not self.is_late():
                self.fill()
                wanted = (select.POLLIN if self.attack.reads else 0) | (select.POLLOUT if self.out else 0)
                poll.register(self.socket, wanted)
                for _, events in poll.poll(50):
                    if self.is_closed(events):
                        return time.monotonic()
        finally:
            self.socket.close()
        return None

    def is_late(self):
        late = self.over_since is not None and time.monotonic() - self.over_since > self.patience
        if late:
            self.left_because = "it was not closed"
        return late

    def fill(self):
        if self.out or self.done:
            return
        if self.next > 0:
            self.sent += self.attack.whole
        if self.attack.limit and self.sent >= self.attack.limit and self.over_since is None:
            self.over_since = time.monotonic()
        piece = self.attack.batch(self.next)
        self.next += 1
        self.done = piece is None
        if self.done and self.attack.limit and self.over_since is None:
            self.over_since = time.monotonic()
        self.out += piece or b""

    def is_closed(self, events):
        try:
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and self.attack.reads:
                read = self.socket.recv(1 << 20)
                self.first = self.first or read[:200]
                if not read:
                    return True
            elif events & (select.POLLHUP | select.POLLERR):
                return True
            if events & select.POLLOUT and self.out:
                del self.out[:self.socket.send(self.out)]
        except RESET:
            return True
        except BlockingIOError:
            pass
        return False


def play(attack, address, source, seconds, patience, once):
    end = time.monotonic() + seconds
    made = closed = units = 0
    slowest = 0.0
    early = ""
    while time.monotonic() < end:
        one = Play(attack, address, source, end, patience)
        made += 1
        at = one.run()
        units += one.sent
        if at is None:
            early = one.left_because if one.left_because != "time" else ""
            if early:
                break
            continue
        closed += 1
        if one.over_since is not None:
            slowest = max(slowest, at - one.over_since)
        if once:
            break
        time.sleep(max(0.0, min(PAUSE, end - time.monotonic())))
    return {"name": attack.name, "made": made, "closed": closed, "slowest": round(slowest, 3), "sent": units, "why": early}


def main(words):
    host, port, source = words[0], int(words[1]), words[2] if len(words) > 2 else None
    attacks = {attack.name: attack for attack in kinds.ALL}
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        try:
            said = play(attacks[order["name"]], (host, port), source, order["seconds"], order["patience"],
                        order["once"])
        except OSError as error:
            said = {"name": order["name"], "made": 0, "closed": 0, "slowest": 0, "sent": 0, "why": str(error)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
