"""The differences that are known and allowed, each with the line of docs/splicing.md that tells users of it.

One that is not there any more fails the suite, and so does a line that the page does not have: table, page and programs
say the same.
"""
import os
from dataclasses import dataclass

import beside

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "splicing.md")


@dataclass(frozen=True)
class Row:
    """`line`: how the line of the page begins; `cases`: program and label as they are reported."""

    line: str
    cases: tuple
    settings: tuple = ("on",)


SPLICE = "| `splice(2)` **from** the socket"
WAKES = "| a blocking `recv` that wakes up without a byte"
ADDRESSES = "| a list of the host's addresses"


def each(programs, labels):
    return tuple(f"{name}: {label}" for name in programs for label in labels)


ROWS = (
    Row(SPLICE, (
        *each(("go-relay", "go-relay-auto", "haproxy"),
              ("five megabytes and their answer", "100 bytes and their answer", "a conversation")),
        *each(("go", "go-auto"), ("io.Copy to a file, five megabytes", "io.Copy to a file, 100 bytes")),
        *each(("systemd-socket-proxyd",), ("a download", "a conversation")),
    )),
    Row(WAKES, (
        *each(("python", "python-auto"), (
            "five megabytes and a late answer", "a question, its end, a late answer", "a timer while the answer is late")),
        "perl: print, shutdown, sysread",
        "bash: cat, stopped and continued",
        *each(("redis", "redis-auto"), ("stopped and continued in BLPOP",)),
    )),
    Row(ADDRESSES, ("dnsmasq-wildcard: names over TCP",), ("default", "on", "redirect")),
)


def of(setting, case):
    """The row that allows a result to differ; None: it must not."""
    for row in ROWS:
        if case in row.cases and setting in row.settings:
            return row
    return None


def not_told():
    """Lines that users are not told of."""
    return beside.not_told(PAGE, [row.line for row in ROWS])
