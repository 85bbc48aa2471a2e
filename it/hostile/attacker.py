"""Runs attempts as whoever it was started as: attacker.py PLAN-FILE GROUP…; one JSON line for each attempt."""
import importlib
import json
import sys

import attempt


def main(words):
    with open(words[0]) as file:
        plan = json.load(file)
    for group in words[1:]:
        module = importlib.import_module(group)
        for name, function in module.attempts(plan):
            outcome = attempt.guarded(function)
            print(json.dumps({"group": group, "name": name, "through": outcome.through, "said": outcome.said}), flush=True)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main(sys.argv[1:])
