"""What clients print: a line for each case."""


def of(text):
    """Case -> what is wrong with it, empty for nothing, of lines "ok CASE" and "not ok CASE: WHY"."""
    found = {}
    for line in text.splitlines():
        if line.startswith("ok "):
            found[line[3:].strip()] = ""
        elif line.startswith("not ok "):
            case, _, why = line[7:].partition(": ")
            found[case] = why or "failed"
    return found
