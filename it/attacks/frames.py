"""HTTP/2 as bytes: frames and heads exactly as they are wanted, also where no client would send them so."""
import socket
import struct

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
PADDED, PRIORITIZED = 8, 32
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
CALM = 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value, bits, first):
    """An integer of HPACK (RFC 7541 section 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def text(value):
    raw = value.encode("latin-1") if isinstance(value, str) else value
    return number(len(raw), 7, 0) + raw


def literal(name, value, indexed=False):
    return (b"\x40" if indexed else b"\x00") + text(name) + text(value)


def block(path="/", authority="web", method="GET", fields=()):
    """The head of a request."""
    pseudo = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority)]
    return b"".join(literal(name, value) for name, value in [*pseudo, *fields])


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def opening(*pairs):
    return PREFACE + settings(*pairs)


def update(stream, by):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", by))


def reset(stream, code=8):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def get(stream, head, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, head)


class Connection:
    """One end of a connection, which reads frames; bytes that are there and no more are kept."""

    def __init__(self, address, source=None, timeout=10):
        self.socket = socket.create_connection(address, timeout=timeout, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = bytearray()
        self.ended = False

    def send(self, raw):
        self.socket.sendall(raw)

    def next(self):
        """(type, flags, stream, payload); None at the end of the connection, however it comes."""
        while True:
            found = self.taken()
            if found is not None:
                return found
            try:
                more = self.socket.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                self.ended = True
                return None
            self.data += more

    def taken(self):
        """The next frame of what has been read; None when it is not whole."""
        if len(self.data) < 9:
            return None
        length = int.from_bytes(self.data[:3], "big")
        if len(self.data) < 9 + length:
            return None
        kind, flags, stream = self.data[3], self.data[4], int.from_bytes(self.data[5:9], "big") & 0x7FFFFFFF
        payload = bytes(self.data[9:9 + length])
        del self.data[:9 + length]
        return kind, flags, stream, payload

    def close(self):
        self.socket.close()
