"""Compares what the two meshes made of one case, and each with the oracle."""
import oracle

# Said by one hop about itself: the connection stays open unless it says close, and lengths are compared by content.
HOP = {"connection", "content-length", "x-who"}
# Time classes: two answers come at the same time when they differ by less than this, or a third.
SAME_MS = 400
CHANCE = 1e-6


def _fields(fields):
    said = [[n, v] for n, v in fields if n not in HOP]
    said += [["connection", "close"]] if any(n == "connection" and "close" in v.lower() for n, v in fields) else []
    lengths = sum(1 for n, _ in fields if n == "content-length")
    return said + [["content-length", "there"]] * lengths


def _head(text):
    """A forwarded head as (request line, sorted fields)."""
    lines = bytes.fromhex(text).decode("latin-1").split("\r\n")
    fields = sorted([n.lower(), v.strip(" \t")] for n, _, v in (line.partition(":") for line in lines[1:] if line))
    # The proxy's name for a request is random; that there is one is compared.
    return [[lines[0]]] + [[n, "…" if n == "x-request-id" else v] for n, v in fields if n != "connection"]


def compare(case, configuration, on, off, names_on, names_off):
    """Differences as [(kind, text)]; the kinds `time` and `end` may be noise of a busy host and are looked at again."""
    found = []
    if case.get("kind") == "half_closed" and len(on["answers"]) != len(off["answers"]):
        # Who stops sending has gone, as the proxy reads it; whether the last answer was faster is a race.
        last = len(case["requests"])
        if {len(on["answers"]), len(off["answers"])} == {last, last - 1}:
            on, off = (dict(o, answers=o["answers"][:last - 1], ms=o["ms"][:last - 1]) for o in (on, off))

    def differ(kind, what, a, b):
        if a != b:
            found.append((kind, f"{what}: {a!r} on, {b!r} off"))

    differ("answers", "number of answers", len(on["answers"]), len(off["answers"]))
    differ("answers", "error of the answers", on.get("error"), off.get("error"))
    differ("answers", "interim answers at the end", on.get("interims"), off.get("interims"))
    for number, (a, b) in enumerate(zip(on["answers"], off["answers"])):
        at = f"answer {number + 1}"
        if (a["code"] == 504) != (b["code"] == 504):
            # A route's time limit was passed on one side only.
            found.append(("time", f"{at} code: {a['code']} on, {b['code']} off"))
            continue
        differ("code", f"{at} code", a["code"], b["code"])
        differ("answers", f"{at} fields", _fields(a["fields"]), _fields(b["fields"]))
        differ("answers", f"{at} framing", a["framing"], b["framing"])
        differ("answers", f"{at} interims", [i[0] for i in a["interims"]], [i[0] for i in b["interims"]])
        differ("body", f"{at} rest of the body", a["rest"], b["rest"])
        told_a, told_b = a["told"], b["told"]
        for key in ("nonce", "method", "target", "body"):
            differ("body", f"{at} {key}", told_a.get(key), told_b.get(key))
        differ("identity", f"{at} caller", names_on.get(told_a.get("from")), names_off.get(told_b.get("from")))
        if "head" in told_a or "head" in told_b:
            head_a, head_b = _head(told_a.get("head", "")), _head(told_b.get("head", ""))
            differ("forwarded", f"{at} forwarded lines", [x for x in head_a if x not in head_b],
                   [x for x in head_b if x not in head_a])
            differ("forwarded", f"{at} number of forwarded lines", len(head_a), len(head_b))
    if len(on["answers"]) == len(off["answers"]) and case.get("kind") != "half_closed":
        differ("cut", "bytes of an unfinished answer", _amount(on), _amount(off))
    for which, outcome in (("on", on), ("off", off)):
        found += [("oracle", f"{which}: {text}") for text in against_oracle(case, configuration, outcome)]
    differ("end", "end of the connection", on["end"], off["end"])
    for number, (a, b) in enumerate(zip(on["ms"], off["ms"])):
        if abs(a - b) > max(SAME_MS, max(a, b) / 3):
            found.append(("time", f"answer {number + 1} after {a} ms on, {b} ms off"))
    return found


def _amount(outcome):
    """Left-over bytes in steps: names of different length make answers of different length."""
    length = outcome.get("left_length", 0)
    return 0 if length == 0 else 1 if length < 1000 else length // 1000


def against_oracle(case, configuration, outcome):
    """What is wrong whatever the other mesh does: an answer to another request, or from a wrong subset."""
    wrong = []
    routes = configuration["services"][case["host"]]
    for request, answer in zip(case["requests"], outcome["answers"]):
        told = answer["told"]
        if not told:
            continue
        if request.get("odd"):
            continue
        if told.get("nonce") != str(request["nonce"]):
            wrong.append(f"the answer to {told.get('nonce')} for request {request['nonce']}")
        number = oracle.route_of(routes, request["method"], request["target"], request["fields"])
        shares = [] if number is None else routes[number].get("route", [])
        allowed = {share["destination"]["subset"] for share in shares}
        if told.get("who") not in allowed:
            wrong.append(f"request {request['nonce']} answered by {told.get('who')}, route {number} allows {allowed}")
    return wrong


class Shares:
    """How requests were distributed over the shares of weighted routes, per mesh."""

    def __init__(self):
        self.counts = {}

    def add(self, which, case, configuration, outcome):
        routes = configuration["services"][case["host"]]
        for request, answer in zip(case["requests"], outcome["answers"]):
            who = answer["told"].get("who")
            if who is None or request.get("odd"):
                continue
            number = oracle.route_of(routes, request["method"], request["target"], request["fields"])
            if number is None or len(routes[number].get("route", [])) < 2:
                continue
            key = configuration["number"], case["host"], number
            counts = self.counts.setdefault(key, {"weights": {
                share["destination"]["subset"]: share["weight"] for share in routes[number]["route"]}})
            mesh = counts.setdefault(which, {})
            mesh[who] = mesh.get(who, 0) + 1

    def judge(self, least=50):
        """(tests made, differences)."""
        tests, found = 0, []
        for key, counts in self.counts.items():
            weights = counts["weights"]
            kinds = sorted(weights)
            lists = {w: [counts.get(w, {}).get(kind, 0) for kind in kinds] for w in ("on", "off")}
            for which, seen in lists.items():
                if sum(seen) < least:
                    continue
                tests += 1
                chance = oracle.chi_square(seen, [sum(seen) * weights[k] / 100 for k in kinds])
                if chance < CHANCE:
                    found.append(("shares", f"{key} {which}: {dict(zip(kinds, seen))} for weights {weights}: "
                                            f"chance {chance:.1e}"))
            if all(sum(seen) >= least for seen in lists.values()):
                tests += 1
                chance = oracle.two_samples(lists["on"], lists["off"])
                if chance < CHANCE:
                    found.append(("shares", f"{key}: {lists['on']} on, {lists['off']} off: chance {chance:.1e}"))
        return tests, found
