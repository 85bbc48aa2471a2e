"""What Istio makes of an AuthorizationPolicy for a server's Envoy, written anew from its documentation."""
import re

RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
NEVER = {"permissions": [{"not_rule": {"any": True}}], "principals": [{"not_id": {"any": True}}]}


def text(value, ignore_case=False):
    """TEXT, PREFIX*, *SUFFIX or *, which asks for anything but nothing."""
    if value == "*":
        return {"safe_regex": {"regex": ".+"}}
    if value.startswith("*"):
        return {"suffix": value[1:], "ignore_case": ignore_case}
    if value.endswith("*"):
        return {"prefix": value[:-1], "ignore_case": ignore_case}
    return {"exact": value, "ignore_case": ignore_case}


def header(name, value, ignore_case=False):
    if value == "*":
        return {"header": {"name": name, "present_match": True}}
    return {"header": {"name": name, "string_match": text(value, ignore_case)}}


PARTS = {
    "hosts": lambda value: header(":authority", value, True),
    "methods": lambda value: header(":method", value),
    "paths": lambda value: {"url_path": {"path": text(value)}},
    "ports": lambda value: {"destination_port": int(value)},
}


def conditions(make, values, not_values, anybody, negation):
    made = []
    if values:
        made.append({anybody: {"rules" if anybody == "or_rules" else "ids": [make(v) for v in values]}})
    if not_values:
        made.append({negation: {anybody: {"rules" if anybody == "or_rules" else "ids": [make(v) for v in not_values]}}})
    return made


def operation(said, base):
    made = []
    for name, make in PARTS.items():
        made += conditions(make, said.get(name), said.get("not" + name.title()), "or_rules", "not_rule")
    return {"and_rules": {"rules": made + base or [{"any": True}]}}


def rule(said):
    ports, ids = [], []
    for when in said.get("when", []):
        found = re.fullmatch(r"request\.headers\[(.+)]", when["key"])
        if found:
            ids += conditions(lambda v, name=found[1]: header(name, v), when.get("values"), when.get("notValues"),
                              "or_ids", "not_id")
        else:
            ports += conditions(PARTS["ports"], when.get("values"), when.get("notValues"), "or_rules", "not_rule")
    return {"permissions": [operation(to["operation"], ports) for to in said.get("to", [])] or [operation({}, ports)],
            "principals": [{"and_ids": {"ids": ids or [{"any": True}]}}]}


def applies(policy, labels):
    wanted = policy["spec"].get("selector", {}).get("matchLabels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def filters(policies, labels):
    """The RBAC filters of a workload: what denies first, then what allows."""
    made = []
    for action in ("DENY", "ALLOW"):
        chosen = [p for p in policies if p["spec"].get("action", "ALLOW") == action and applies(p, labels)]
        if not chosen:
            continue
        rules = {}
        for policy in chosen:
            for number, said in enumerate(policy["spec"].get("rules", [])):
                rules[f"{policy['metadata']['name']}-{number}"] = rule(said)
            if not policy["spec"].get("rules"):
                rules[policy["metadata"]["name"]] = NEVER
        made.append({"name": "envoy.filters.http.rbac",
                     "typed_config": {"@type": RBAC, "rules": {"action": action, "policies": rules}}})
    return made
