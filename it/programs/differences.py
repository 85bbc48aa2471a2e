"""The differences that are known and allowed, each with the line of docs/splicing.md that tells users of it.

One that is not there any more fails the suite, and so does a line that the page does not have: table, page and programs
say the same.
"""
import os
from dataclasses import dataclass

PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs", "splicing.md")


@dataclass(frozen=True)
class Row:
    """`line`: how the line of the page begins; `cases`: program and label as they are reported."""

    line: str
    cases: tuple
    settings: tuple = ("on",)


SPLICE = "| `splice(2)` **from** the socket"
WAKES = "| a blocking `recv` that wakes up without a byte"

ROWS = (
    Row(WAKES, (
        *(f"{name}: {label}" for name in ("python", "python-auto") for label in (
            "five megabytes and a late answer", "a question, its end, a late answer", "a timer while the answer is late")),
    )),
)


def of(setting, case):
    """The row that allows a result to differ; None: it must not."""
    for row in ROWS:
        if case in row.cases and setting in row.settings:
            return row
    return None


def not_told():
    """Lines that users are not told of."""
    with open(PAGE) as page:
        lines = page.read().splitlines()
    return [row.line for row in ROWS if not any(line.startswith(row.line) for line in lines)]
