"""What Surefire's reports of a build say: junit.py SECOND-TRIES FOLDER. Prints a line for each test that was not plainly
passed, then "PASSED FAILED SKIPPED". A test that passed when it was run again counts as failed unless SECOND-TRIES, lines
of CLASS.METHOD: SENTENCE, allows it; an entry without a sentence allows nothing."""
import glob
import os
import re
import sys
import xml.etree.ElementTree as tree


def allowed(path):
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            name, _, sentence = line.strip().partition(": ")
            if not line.startswith("#") and len(sentence.split()) > 3:
                found[name] = sentence
    return found


def first_line(trouble, instead):
    text = (trouble.get("message") or trouble.text or "").strip().splitlines()
    return text[0][:300] if text else instead


def reports(folder):
    pattern = os.path.join(folder, "**", "target", "surefire-reports", "TEST-*.xml")
    return sorted(glob.glob(pattern, recursive=True))


def name_of(case):
    """CLASS.METHOD, without the parameters that a parameterized test's name carries."""
    return case.get("classname", "").rsplit(".", 1)[-1] + "." + re.split(r"[({\[]", case.get("name", ""))[0]


def summary(paths, second_tries):
    passed = failed = skipped = 0
    lines = []
    for path in paths:
        root = tree.parse(path).getroot()
        wrong = int(root.get("errors", 0)) + int(root.get("failures", 0))
        left_out = int(root.get("skipped", 0))
        passed += int(root.get("tests", 0)) - wrong - left_out
        failed += wrong
        skipped += left_out
        for case in root.iter("testcase"):
            full = f"{case.get('classname')}.{case.get('name')}"
            for trouble in [*case.findall("failure"), *case.findall("error")]:
                lines.append(f"failed: {full}: {first_line(trouble, trouble.tag)}")
            for trouble in case.findall("skipped"):
                lines.append(f"skipped: {full}: {first_line(trouble, 'no reason given')}")
            again = [*case.findall("flakyFailure"), *case.findall("flakyError")]
            if again:
                reason = second_tries.get(name_of(case))
                if reason is None:
                    passed -= 1
                    failed += 1
                lines.append((f"second try, known ({reason})" if reason else "failed: passed only at the second try")
                             + f": {full}: {first_line(again[0], again[0].tag)}")
    return lines, (passed, failed, skipped)


if __name__ == "__main__":
    told, sums = summary(reports(sys.argv[2]), allowed(sys.argv[1]))
    print(*told, sep="\n")
    print(*sums)
