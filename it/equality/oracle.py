"""What a route table means, written a second time and independently of both paths: which route takes a request."""
import math
import re


def _string(match, value):
    """Whether a string match of Istio's holds; an empty one asks only for presence."""
    if value is None:
        return False
    if "exact" in match:
        return value == match["exact"]
    if "prefix" in match:
        return value.startswith(match["prefix"])
    if "regex" in match:
        return re.fullmatch(match["regex"], value) is not None
    return True


def _matches(match, method, target, fields):
    path, _, query = target.partition("?")
    if "uri" in match and not _string(match["uri"], path):
        return False
    if "method" in match and not _string(match["method"], method):
        return False
    for name, wanted in match.get("headers", {}).items():
        if not any(_string(wanted, line) for line in fields.get(name, [])):
            return False
    for name, unwanted in match.get("withoutHeaders", {}).items():
        # An absent field counts as an empty one, but for a condition that asks for presence.
        if any(_string(unwanted, line) for line in fields.get(name, [""] if unwanted else [])):
            return False
    parameters = dict(part.partition("=")[::2] for part in reversed(query.split("&")) if part)
    return all(_string(wanted, parameters.get(name)) for name, wanted in match.get("queryParams", {}).items())


def route_of(routes, method, target, fields):
    """The number of the first route that takes a request, None when none does. Lines of fields by name in lower case."""
    for number, route in enumerate(routes):
        if any(_matches(match, method, target, fields) for match in route.get("match", [{}])):
            return number
    return None


def chi_square(observed, expected):
    """The chance of a deviation at least as large as this one, if the expectation is right. At most 3 kinds."""
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected) if e > 0)
    if any(o > 0 for o, e in zip(observed, expected) if e == 0):
        return 0.0
    freedom = sum(1 for e in expected if e > 0) - 1
    if freedom < 1:
        return 1.0
    if freedom == 1:
        return math.erfc(math.sqrt(statistic / 2))
    if freedom == 2:
        return math.exp(-statistic / 2)
    # Wilson and Hilferty's approximation is good enough beyond.
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return math.erfc(z / math.sqrt(2)) / 2


def two_samples(a, b):
    """The chance that two lists of counts come from one distribution and differ at least this much."""
    total_a, total_b = sum(a), sum(b)
    if total_a == 0 or total_b == 0:
        return 1.0
    observed, expected, kinds = [], [], 0
    for x, y in zip(a, b):
        if x + y == 0:
            continue
        kinds += 1
        share = (x + y) / (total_a + total_b)
        observed += [x, y]
        expected += [share * total_a, share * total_b]
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, expected))
    if kinds < 2:
        return 1.0
    return math.erfc(math.sqrt(statistic / 2)) if kinds == 2 else math.exp(-statistic / 2)
