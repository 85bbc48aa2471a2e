"""Proves what junit.py counts: a second try, a skipped test, a failure, an entry of the list with and without a sentence."""
import os
import tempfile

import junit

REPORT = """<testsuite tests="6" errors="0" failures="1" skipped="1">
<testcase classname="a.B" name="good"/>
<testcase classname="a.B" name="bad"><failure message="no&#10;more">trace</failure></testcase>
<testcase classname="a.B" name="off"><skipped message="not here"/></testcase>
<testcase classname="a.B" name="shaky{int}[1]"><flakyFailure message="once">trace</flakyFailure></testcase>
<testcase classname="a.B" name="known"><flakyError message="twice"/></testcase>
<testcase classname="a.B" name="unexplained"><flakyError message="thrice"/></testcase>
</testsuite>"""

with tempfile.TemporaryDirectory() as folder:
    place = os.path.join(folder, "m", "target", "surefire-reports")
    os.makedirs(place)
    for name, text in ((os.path.join(place, "TEST-a.B.xml"), REPORT),
                       (os.path.join(folder, "list"), "# B.shaky: said only in a comment\nB.known: the host may be slow\nB.unexplained: \n")):
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    lines, sums = junit.summary(junit.reports(folder), junit.allowed(os.path.join(folder, "list")))

assert sums == (2, 3, 1), sums
assert lines == [
    "failed: a.B.bad: no",
    "skipped: a.B.off: not here",
    "failed: passed only at the second try: a.B.shaky{int}[1]: once",
    "second try, known (the host may be slow): a.B.known: twice",
    "failed: passed only at the second try: a.B.unexplained: thrice",
], lines
