"""The attacks of HTTP/2 (reliability goals of RFC 9113 sections 6 and 10.5): what is sent, how much of it may be sent until
the connection has to be closed, or that it may stay and must cost next to nothing."""
import dataclasses
import itertools
import struct
import typing

import frames
from frames import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITIZED, PRIORITY,
                    PUSH_PROMISE)

HEAD = frames.block(authority="web:9080")
BODY = frames.block(authority="web:9080", method="POST")
# The server answers with so many bytes.
LARGE = frames.block(authority="web:9080", fields=[("x-do", "fill=1000000")])
RESETS, HEADS, SMALL = 200, 8, 1000
MOST = (1 << 31) - 1


@dataclasses.dataclass
class Attack:
    """`batch(n)` is the n-th piece that is sent; None: nothing more, the connection just stays. `limit` is the frame with
    which it has gone too far; 0 for one that may stay. `whole` frames are in each piece."""
    name: str
    batch: typing.Callable
    limit: int = 0
    whole: int = 20
    opening: bytes = frames.opening()
    reads: bool = True


def each(make, whole=20):
    """Pieces of so many streams, each new."""
    def batch(n):
        return b"".join(make(1 + 2 * (n * whole + i)) for i in range(whole))
    return batch


def again(raw, whole=20):
    return lambda n: raw * whole


def once(raw):
    return lambda n: raw if n == 0 else None


def behind(first, more):
    """A beginning, and then pieces."""
    return lambda n: first if n == 0 else more(n - 1)


def on_itself(stream):
    return frames.frame(HEADERS, END_HEADERS | END_STREAM | PRIORITIZED, stream,
                        struct.pack(">IB", stream, 15) + HEAD)


def many_fields(count):
    """A head of so many fields, over as many frames as it takes."""
    block = HEAD + b"".join(frames.literal(f"x-{i}", "v") for i in range(count))
    return in_frames(1, block)


def in_frames(stream, block):
    parts = [block[at:at + 16384] for at in range(0, len(block), 16384)]
    out = [frames.frame(HEADERS, END_STREAM | (END_HEADERS if len(parts) == 1 else 0), stream, parts[0])]
    for index, part in enumerate(parts[1:]):
        out.append(frames.frame(CONTINUATION, END_HEADERS if index == len(parts) - 2 else 0, stream, part))
    return b"".join(out)


def bomb(stream):
    """One field of 4,000 bytes is put into the table, and then named by one byte each time."""
    first = frames.literal("x-bomb", "b" * 3900, indexed=True)
    return in_frames(stream, HEAD + first + b"\xbe" * 12000)


def thrash(stream):
    """The table is emptied and filled, again and again."""
    resized = b"\x20" + frames.number(4096, 5, 0x20)
    filled = b"".join(frames.literal(f"x-{stream}-{i}", "t" * 20, indexed=True) for i in range(30))
    return frames.get(stream, resized + HEAD + filled)


def crumbs(stream):
    return in_frames(stream, HEAD + b"".join(frames.literal("cookie", f"c{i}=1") for i in range(9000)))


def priorities(n):
    """Each stream is put below the next one."""
    return b"".join(frames.frame(PRIORITY, 0, 1 + 2 * (i % 500), struct.pack(">IB", 3 + 2 * ((i + n) % 500), i % 256))
                    for i in range(20))


def all_open(n):
    """As many requests without an end as there may be."""
    return b"".join(frames.get(1 + 2 * i, BODY, END_HEADERS) for i in range(100)) if n == 0 else None


def all_large(n):
    return b"".join(frames.get(1 + 2 * i, LARGE) for i in range(100)) if n == 0 else None


FLOODS = [
    Attack("rapid reset", each(lambda s: frames.get(s, HEAD) + frames.reset(s)), RESETS),
    Attack("rapid reset of bodies", each(lambda s: frames.get(s, BODY, END_HEADERS) + frames.reset(s)), RESETS),
    Attack("resets by the server: window of 0", each(lambda s: frames.get(s, BODY, END_HEADERS) + frames.update(s, 0)), RESETS),
    Attack("resets by the server: window too large",
           each(lambda s: frames.get(s, BODY, END_HEADERS) + frames.update(s, MOST)), RESETS),
    Attack("resets by the server: on itself", each(on_itself), RESETS),
    Attack("resets by the server: bytes after the end",
           each(lambda s: frames.get(s, HEAD) + frames.frame(DATA, 0, s, b"x")), RESETS),
    Attack("resets by the server: heads after the end",
           each(lambda s: frames.get(s, HEAD) + frames.get(s, HEAD, END_HEADERS)), RESETS),
    Attack("resets by the server: malformed heads",
           each(lambda s: frames.get(s, HEAD + frames.literal("X-Upper", "1"))), RESETS),
    Attack("resets by the server: empty heads", each(lambda s: frames.get(s, b"")), RESETS),
    Attack("resets by the server: too many streams", each(lambda s: frames.get(s, BODY, END_HEADERS)), 100 + RESETS),
    Attack("resets of what is over", behind(frames.get(1, HEAD) + frames.reset(1), again(frames.reset(1))), SMALL),
    Attack("continuations of one byte", behind(frames.get(1, HEAD, 0), again(frames.frame(CONTINUATION, 0, 1, b"\x00"), 4)),
           HEADS, 4),
    Attack("continuations of nothing", behind(frames.get(1, HEAD, 0), again(frames.frame(CONTINUATION, 0, 1), 4)), HEADS, 4),
    Attack("continuations of 16 KiB",
           behind(frames.get(1, HEAD, 0), again(frames.frame(CONTINUATION, 0, 1, bytes(16384)), 1)), HEADS, 1),
    Attack("settings", again(frames.settings()), SMALL // 10),
    Attack("settings that change all streams",
           behind(all_open(0), lambda n: b"".join(frames.settings((4, 1000 + i)) for i in range(20))), SMALL // 10),
    Attack("settings of the table", lambda n: b"".join(frames.settings((1, 4096 * (i % 2))) for i in range(20)), SMALL // 10),
    Attack("answers to no settings", again(frames.frame(frames.SETTINGS, ACK, 0)), SMALL),
    Attack("pings", again(frames.frame(PING, 0, 0, bytes(8))), SMALL),
    Attack("pings whose answers are not read", again(frames.frame(PING, 0, 0, bytes(8))), SMALL, reads=False),
    Attack("settings whose answers are not read", again(frames.settings()), SMALL // 10, reads=False),
    Attack("empty pieces", behind(frames.get(1, BODY, END_HEADERS), again(frames.frame(DATA, 0, 1))), 3),
    Attack("empty pieces in padding",
           behind(frames.get(1, BODY, END_HEADERS), again(frames.frame(DATA, PADDED, 1, b"\xff" + bytes(255)))), 3),
    Attack("empty pieces between others",
           behind(frames.get(1, BODY, END_HEADERS), again(frames.frame(DATA, 0, 1) + frames.frame(DATA, 0, 1, b"x"))), SMALL),
    Attack("priorities", priorities, SMALL),
    Attack("kinds that nobody knows", again(frames.frame(0xBB, 0, 0, b"?")), SMALL),
    Attack("going away", again(frames.frame(GOAWAY, 0, 0, bytes(8))), SMALL),
    Attack("windows opened byte by byte",
           behind(all_large(0), lambda n: b"".join(frames.update(1 + 2 * (i % 100), 1) for i in range(20))),
           # Each of the answers begun may be followed so often.
           SMALL + 100 * 300, opening=frames.opening((4, 0))),
    Attack("a window too large by settings",
           once(frames.get(1, BODY, END_HEADERS) + frames.update(0, MOST)), 1),
    Attack("a frame too large", once(frames.frame(DATA, 0, 1, bytes(16385))), 1),
    Attack("a push", once(frames.frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + HEAD)), 1),
    Attack("a bomb of fields", each(bomb, 1), RESETS, 1),
    Attack("a table that is thrashed", each(thrash), RESETS),
    Attack("a head of 5,000 fields", lambda n: many_fields(5000) if n == 0 else None, 0),
    Attack("crumbs", each(crumbs, 1), RESETS, 1),
]

STANDING = [
    Attack("a preface and no more", once(b""), opening=frames.PREFACE[:20]),
    Attack("half a frame", once(b"\0\0\4")),
    Attack("half a head", once(frames.get(1, HEAD, 0))),
    Attack("half a body", once(frames.get(1, BODY, END_HEADERS) + frames.frame(DATA, 0, 1, bytes(16384))[:9000])),
    Attack("requests without an end", all_open),
    Attack("a window that is never opened", all_large, opening=frames.opening((4, 0))),
    Attack("windows below nothing", lambda n: [all_large(0), frames.settings((4, 0))][n] if n < 2 else None),
]

ALL = list(itertools.chain(FLOODS, STANDING))
