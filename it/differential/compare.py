"""Compares what Tulle and Envoy made of one request: the answer, and what arrived at the servers because of it."""

# Of a request, as a server gets it: what each proxy says about itself and about the way of the request.
OWN_OF_REQUEST = {
    "x-request-id",  # a random name of the request
    "x-forwarded-for",  # the way so far: Envoy writes it into copies
    "x-forwarded-proto",  # how the client came; Envoy says it to every server
    "connection",  # of one hop
    "transfer-encoding", "content-length",  # how a body is framed is the hop's; the body itself is compared
    "host",  # compared as the authority
}
OWN_OF_ANSWER = {"date", "server", "connection", "keep-alive", "transfer-encoding", "content-length"}
PREFIXES = ("x-envoy-",)
# Seconds that only an answer takes that a server or a fault delays.
DELAYED = 1.0


def _fields(fields, own):
    return sorted([name.lower(), value] for name, value in fields
                  if name.lower() not in own and not name.lower().startswith(PREFIXES))


def _arrival(told):
    method, _, rest = told["line"].partition(" ")
    hosts = [value for name, value in told["fields"] if name.lower() == "host"]
    return {"who": told["who"], "method": method, "path": rest.rpartition(" ")[0], "host": ",".join(hosts),
            "fields": _fields(told["fields"], OWN_OF_REQUEST), "body": told["body"]}


def compare(ours, theirs):
    """What differs, as [(what, Tulle's, Envoy's)]."""
    found = []

    def differ(what, a, b):
        if a != b:
            found.append((what, a, b))

    (answer, arrived), (expected, wanted) = ours, theirs
    differ("code", answer["code"], expected["code"])
    if expected["seconds"] >= DELAYED or answer["seconds"] >= DELAYED:
        differ("delayed", answer["seconds"] >= DELAYED, expected["seconds"] >= DELAYED)
    differ("interims", answer["interims"], expected["interims"])
    mine, other = _fields(answer["fields"], OWN_OF_ANSWER), _fields(expected["fields"], OWN_OF_ANSWER)
    differ("answer's fields", [f for f in mine if f not in other], [f for f in other if f not in mine])
    differ("number of the answer's fields", len(mine), len(other))
    differ("answer's body", answer["body"], expected["body"])
    at = [sorted((_arrival(told) for told in side), key=repr) for side in (arrived, wanted)]
    differ("asked servers", [a["who"] for a in at[0]], [a["who"] for a in at[1]])
    for number, (a, b) in enumerate(zip(*at)):
        for part in ("method", "path", "host", "body"):
            differ(f"{part} at server {number + 1}", a[part], b[part])
        differ(f"fields at server {number + 1}", [f for f in a["fields"] if f not in b["fields"]],
               [f for f in b["fields"] if f not in a["fields"]])
        differ(f"number of fields at server {number + 1}", len(a["fields"]), len(b["fields"]))
    return found
