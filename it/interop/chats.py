"""Autobahn's cases of WebSocket: the verdict through the mesh is the one on plain loopback."""
import json

import ends

LIMIT = 1200  # seconds for all cases
# Performance, which is no question of right or wrong, is 9.*.
AT_LEAST = 280


def verdicts(stage, every):
    """Case -> verdict of each case; `every`: all sizes of those of compression."""
    host, port = stage.address(ends.CHATS)
    answer = stage.play(f"{ends.PYTHON}/chats.py {host} {port}{' every' if every else ''}", LIMIT)
    found = {}
    for line in answer["text"].splitlines():
        if line.startswith("{"):
            result = json.loads(line)
            found[result.pop("case")] = result
    if answer["status"] or len(found) < AT_LEAST:
        raise RuntimeError(f"{stage.name}: {len(found)} of Autobahn's cases, status {answer['status']}: {answer['text'][-600:]}")
    return found


def compared(plain, found):
    """Case -> what is wrong with it: it failed, or its verdict is not the one on plain loopback."""
    wrong = {}
    for case in plain.keys() | found.keys():
        direct, seen = plain.get(case), found.get(case)
        if direct != seen:
            wrong[case] = f"{seen}, plain {direct}"
        else:
            wrong[case] = "" if seen["passed"] else f"{seen}"
    return wrong
