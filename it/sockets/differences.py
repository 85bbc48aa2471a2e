"""The differences that are known and allowed, each with the line of docs/splicing.md that tells users of it.

One that is not there any more fails the suite, and so does a line that the page does not have: table, page and kernel say
the same.
"""
import os
from dataclasses import dataclass

import beside

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "splicing.md")


@dataclass(frozen=True)
class Row:
    """`line`: how the line of the page begins; `everywhere`: also of connections that are plain TCP."""

    line: str
    cases: tuple
    directions: tuple = ("client", "server", "-")
    everywhere: bool = False


# Between `--splice on` workloads, and where the kernel forwards HTTP between programs that never wait.
ROWS = (
    Row("`splice(2)` **from** the socket",
        ("to-pipe", "to-pipe-and-end", "to-pipe-blocked", "relayed-by-edges", "relayed-by-level", "relayed-chat")),
    Row("a blocking `recv` that wakes up without a byte",
        ("by-signal", "by-signal-restarted", "by-signal-timed", "by-child", "by-stop", "by-reset", "by-own-read",
         "by-own-all", "answer-after-end", "request-and-end", "beside-send", "two-readers")),
    Row("`MSG_WAITALL`, `SO_RCVLOWAT`",
        ("wait-all", "wait-all-peek", "low-water", "low-water-blocked", "inherited-options")),
    Row("`MSG_ZEROCOPY`", ("zerocopy",)),
    Row("io_uring SEND_ZC |", ("ring-zerocopy",)),
    Row("`close` with unread bytes", ("unread-close", "early-answer")),
    Row("`TCP_USER_TIMEOUT`, small", ("user-timeout-some", "small-buffers", "unsent-low-water")),
    Row("`TCP_ZEROCOPY_RECEIVE`, `TCP_INQ`",
        ("zerocopy-receive", "unread-told", "peek-offset", "times", "filtered", "truncated")),
    Row("`MSG_OOB`", ("urgent", "urgent-inline")),
    Row("`TCP_CORK`, `MSG_MORE`, pacing", ("corked", "more-to-come", "paced")),
    Row("`ss`, `/proc/net/tcp`", ("listed", "listed-queue", "captured", "counted")),
    Row("`recv` of 0 bytes", ("nothing-asked",)),
    Row("`send` after a reset", ("reset-told-again",)),
    Row("`send` of 0 bytes", ("nothing-sent",)),
    Row("`connect(AF_UNSPEC)`", ("again",)),
    Row("io_uring SEND_ZC from an accepted socket", ("ring-zerocopy",), ("server",), everywhere=True),
    Row("a socket that was bound to port 0", ("bound-to-any",), everywhere=True),
)


def of(setting, name):
    """The row that allows a result to differ; None: it must not."""
    case, direction = name.split(" ")
    for row in ROWS:
        if case in row.cases and direction in row.directions and (row.everywhere or setting.went in ("past", "kernel")):
            return row
    return None


def not_told():
    """Lines that users are not told of."""
    return [line.removeprefix("| ") for line in beside.not_told(PAGE, ["| " + row.line for row in ROWS])]
