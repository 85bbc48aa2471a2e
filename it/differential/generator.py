"""Makes configurations and their requests from a seed. The same seed and number make the same, whatever was made before."""
import random

import objects
from message import numbered, request

SEGMENTS = ["a", "b", "api", "v1", "users", "static", "admin", "x.y", "A", "long-name"]
NAMES = ["x-tag", "end-user", "x-group", "accept-language"]
VALUES = ["red", "blue", "green", "r", "jason", "a,b", "1"]
REGEXES = ["/a.*", "/api/v[0-9]+", "/[a-z]+/[a-z]+", "(/[^/]+){2}", "/.*[.].*"]
VALUE_REGEXES = ["r.*", "[a-z]+", ".*", "blue|green", "(?i)RED"]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
HOSTS = ["alpha", "alpha:9080", "alpha.default", "ALPHA", "alpha.default.svc.cluster.local", "alpha.default.svc:9080"]
PERCENT = {"value": 100}
REQUESTS = 20


class Maker:
    def __init__(self, seed, number):
        self.dice = random.Random(f"{seed}/{number}")

    def chance(self, share):
        return self.dice.random() < share

    def some(self, parts):
        """Each part with its chance; a part is a function."""
        return {name: make() for name, share, make in parts if self.chance(share)}

    # ---- words ----

    def path(self, most=3):
        return "/" + "/".join(self.dice.choices(SEGMENTS, k=self.dice.randint(0, most)))

    def value(self):
        return self.dice.choice(VALUES)

    def text(self, regexes):
        kind = self.dice.choice(["exact", "exact", "prefix", "regex"])
        value = self.value()
        return {kind: self.dice.choice(regexes) if kind == "regex" else value[:1] if kind == "prefix" else value}

    def field_condition(self):
        return {} if self.chance(0.25) else self.text(VALUE_REGEXES)

    def changes(self, authority=False):
        def fields():
            made = {self.dice.choice(NAMES + ["x-kept", "x-made", "x-new"]): self.dice.choice(VALUES + ["50%%", ""])
                    for _ in range(self.dice.randint(1, 2))}
            if authority and self.chance(0.2):
                made[self.dice.choice(["Host", ":authority"])] = "changed.example"
            return made

        def removed():
            return [self.dice.choice(NAMES + ["x-gone", "x-made"])]

        made = {}
        for way in ("request", "response"):
            if self.chance(0.6):
                authority = authority and way == "request"
                made[way] = self.some([("set", 0.6, fields), ("add", 0.5, fields), ("remove", 0.4, removed)])
                # One change of the authority: more than one is refused.
                if sum(name.lower() in ("host", ":authority") for k in ("set", "add") for name in made[way].get(k, {})) > 1:
                    del made[way]["add"]
        return made

    # ---- VirtualService ----

    def uri(self):
        kind = self.dice.choice(["exact", "prefix", "prefix", "prefix", "regex"])
        return {kind: self.dice.choice(REGEXES) if kind == "regex" else self.path(2)}

    def match(self):
        made = self.some([
            ("uri", 0.7, self.uri), ("ignoreUriCase", 0.1, lambda: True),
            ("method", 0.2, lambda: self.dice.choice([{"exact": self.dice.choice(METHODS)}, {"regex": "P.*"}, {"prefix": "P"}])),
            ("authority", 0.1, lambda: self.dice.choice([{"exact": "alpha"}, {"prefix": "alpha"}, {"regex": "[a-z]+(:[0-9]+)?"}])),
            ("scheme", 0.05, lambda: {"exact": self.dice.choice(["http", "https"])}),
            ("headers", 0.35, lambda: {self.dice.choice(NAMES): self.field_condition() for _ in range(self.dice.randint(1, 2))}),
            ("withoutHeaders", 0.2, lambda: {self.dice.choice(NAMES): self.field_condition()}),
            ("queryParams", 0.2, lambda: {self.dice.choice(["q", "r"]): self.field_condition()}),
            ("port", 0.05, lambda: self.dice.choice([9080, 9080, 81]))])
        return made or {"uri": self.uri()}

    def shares(self):
        versions = self.dice.sample(["v1", "v2", "v3"], self.dice.choice([1, 1, 1, 2, 3]))
        made = []
        for version in versions:
            share = {"destination": {"host": "alpha", "subset": version}}
            if len(versions) > 1:
                share["weight"] = 100 if version == versions[-1] else 0
            if self.chance(0.25):
                share["headers"] = self.changes(authority=True)
            made.append(share)
        if self.chance(0.05):
            return [{"destination": {"host": self.dice.choice(["beta", "gamma", "nowhere"])}}]
        return made

    def redirect(self, matches):
        prefixes = matches and all("prefix" in match.get("uri", {}) or "uri" not in match for match in matches)
        made = self.some([
            ("authority", 0.4, lambda: self.dice.choice(["else.example", "else.example:81"])),
            ("scheme", 0.3, lambda: self.dice.choice(["http", "https"])),
            ("redirectCode", 0.6, lambda: self.dice.choice([301, 302, 303, 307, 308]))])
        if self.chance(0.3):
            made["port"] = self.dice.choice([80, 443, 8443])
        elif self.chance(0.3):
            made["derivePort"] = self.dice.choice(["FROM_REQUEST_PORT", "FROM_PROTOCOL_DEFAULT"])
        if prefixes and self.chance(0.4):
            made["prefixRewrite"] = self.dice.choice(["/", "/moved", "/moved/"])
        else:
            made["uri"] = self.dice.choice(["/moved", "/moved?to=1"])
        return made

    def rewrite(self):
        kind = self.dice.random()
        if kind < 0.5:
            return {"uri": self.dice.choice(["/", "/new", "/new/", "/new/path", "/new?made=1"])}
        if kind < 0.75:
            return {"uriRegexRewrite": self.dice.choice([
                {"match": "^/([^/]+)/(.*)$", "rewrite": "/\\2/\\1"}, {"match": "[aeiou]", "rewrite": "_"},
                {"match": "/api", "rewrite": "/backend"}, {"match": "^/$", "rewrite": "/root"}])}
        return {"authority": "rewritten.example", **({"uri": "/new"} if self.chance(0.3) else {})}

    def forward(self):
        made = {"route": self.shares()}
        own = any(name.lower() in ("host", ":authority") for share in made["route"]
                  for kind in ("set", "add") for name in share.get("headers", {}).get("request", {}).get(kind, {}))
        made.update(self.some([
            ("rewrite", 0.25, self.rewrite),
            ("timeout", 0.15, lambda: "0.6s"),
            ("retries", 0.3, lambda: self.dice.choice([
                {"attempts": 0}, {"attempts": 2}, {"attempts": 1, "retryOn": "5xx"}, {"attempts": 3, "retryOn": "503"},
                {"attempts": 2, "retryOn": "gateway-error"}, {"attempts": 1, "retryOn": "reset,500"},
                {"attempts": 1, "retryOn": "retriable-4xx"}, {"attempts": 1, "retryOn": "connect-failure,refused-stream"}])),
            ("fault", 0.1, lambda: {"abort": {"httpStatus": self.dice.choice([400, 418, 503, 555]), "percentage": PERCENT}}),
        ]))
        if self.chance(0.1):
            made["mirrors"] = [{"destination": {"host": "alpha", "subset": version}, "percentage": {"value": share}}
                               for version, share in (("v2", 100), ("v3", self.dice.choice([0, 100])))]
        if self.chance(0.1):
            made.update({"mirror": {"host": "beta"}} if "mirrors" not in made else {})
        if own and "authority" in made.get("rewrite", {}):
            del made["rewrite"]
        return made

    def cors(self):
        made = {"allowOrigins": [self.dice.choice([{"exact": "https://shop.example"}, {"exact": "*"}, {"prefix": "https://s"},
                                                   {"regex": "https://[a-z]+[.]example"}])
                                 for _ in range(self.dice.choice([1, 1, 2]))]}
        made.update(self.some([
            ("allowMethods", 0.6, lambda: self.dice.choice([["GET", "PUT"], ["*"], ["POST"]])),
            ("allowHeaders", 0.5, lambda: self.dice.choice([["x-one", "x-two"], ["*"]])),
            ("exposeHeaders", 0.4, lambda: self.dice.choice([["x-made"], ["*"]])),
            ("maxAge", 0.4, lambda: self.dice.choice(["60s", "1s", "86400s"])),
            ("allowCredentials", 0.5, lambda: self.chance(0.7)),
            ("unmatchedPreflights", 0.4, lambda: self.dice.choice(["FORWARD", "IGNORE", "UNSPECIFIED"]))]))
        return made

    def rule(self, last=False):
        made = {} if last else {"match": [self.match() for _ in range(self.dice.choice([1, 1, 2]))]}
        kind = self.dice.random()
        if kind < 0.1:
            made["redirect"] = self.redirect(made.get("match"))
        elif kind < 0.2:
            made["directResponse"] = {"status": self.dice.choice([200, 204, 404, 418, 503]),
                                      **({"body": {"string": "direct"}} if self.chance(0.7) else {})}
        else:
            made.update(self.forward())
        if self.chance(0.3):
            made["headers"] = self.changes(authority="rewrite" not in made and "route" in made)
        if self.chance(0.15):
            made["corsPolicy"] = self.cors()
        return made

    def virtual_service(self):
        rules = [self.rule() for _ in range(self.dice.randint(1, 6))]
        return objects.virtual_service("alpha", *rules, *([self.rule(True)] if self.chance(0.85) else []))

    # ---- HTTPRoute ----

    def gateway_headers(self):
        name = self.dice.choice(NAMES + ["x-kept", "x-made", "x-new", "x-gone"])
        return self.dice.choice([{"set": [{"name": name, "value": self.value() + "%"}]},
                                 {"add": [{"name": name, "value": self.value()}]}, {"remove": [name]}])

    def gateway_match(self):
        kind = self.dice.choice(["PathPrefix", "PathPrefix", "Exact", "RegularExpression"])
        made = {"path": {"type": kind, "value": self.dice.choice(REGEXES) if kind == "RegularExpression" else self.path(2)}}

        def named(names, regexes):
            entry = {"name": self.dice.choice(names)}
            return [{**entry, "type": "RegularExpression", "value": self.dice.choice(regexes)} if self.chance(0.3) else
                    {**entry, "value": self.value()}]

        made.update(self.some([
            ("method", 0.2, lambda: self.dice.choice(METHODS)), ("headers", 0.3, lambda: named(NAMES, VALUE_REGEXES)),
            ("queryParams", 0.2, lambda: named(["q", "r"], VALUE_REGEXES))]))
        return made

    def gateway_path(self, matches):
        prefixes = all(match["path"]["type"] == "PathPrefix" for match in matches) and len(matches) == 1
        if prefixes and self.chance(0.6):
            return {"type": "ReplacePrefixMatch", "replacePrefixMatch": self.dice.choice(["/", "/new", "/new/"])}
        return {"type": "ReplaceFullPath", "replaceFullPath": self.dice.choice(["/whole", "/"])}

    def gateway_rule(self):
        matches = [self.gateway_match() for _ in range(self.dice.choice([1, 1, 2]))]
        made = {"matches": matches, "filters": []}
        if self.chance(0.3):
            made["filters"].append({"type": "RequestHeaderModifier", "requestHeaderModifier": self.gateway_headers()})
        if self.chance(0.3):
            made["filters"].append({"type": "ResponseHeaderModifier", "responseHeaderModifier": self.gateway_headers()})
        if self.chance(0.2):
            said = self.some([("hostname", 0.4, lambda: "else.example"), ("scheme", 0.4, lambda: self.dice.choice(["http", "https"])),
                              ("port", 0.3, lambda: self.dice.choice([80, 443, 8443])),
                              ("statusCode", 0.5, lambda: self.dice.choice([301, 302])),
                              ("path", 0.6, lambda: self.gateway_path(matches))])
            made["filters"].append({"type": "RequestRedirect", "requestRedirect": said})
            return made
        if self.chance(0.3):
            said = self.some([("hostname", 0.4, lambda: "rewritten.example"), ("path", 0.8, lambda: self.gateway_path(matches))])
            made["filters"] += [{"type": "URLRewrite", "urlRewrite": said}] if said else []
        if self.chance(0.15):
            made["filters"].append({"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "gamma", "port": 9080}}})
        made["backendRefs"] = [{"name": self.dice.choice(["beta", "beta", "gamma"]), "port": 9080}]
        if self.chance(0.3):
            made["backendRefs"].append({"name": self.dice.choice(["beta", "gamma"]), "port": 9080, "weight": 0})
        if self.chance(0.2):
            made["backendRefs"][0]["filters"] = [
                {"type": "RequestHeaderModifier", "requestHeaderModifier": self.gateway_headers()}]
        if self.chance(0.1):
            made["backendRefs"] = self.dice.choice([[], [{"name": "nowhere", "port": 9080}], [{"name": "beta", "port": 9080, "weight": 0}]])
        if self.chance(0.15):
            made["timeouts"] = self.dice.choice([{"request": "600ms"}, {"backendRequest": "600ms"}, {"request": "2s", "backendRequest": "600ms"}])
        return made

    def http_route(self):
        rules = [self.gateway_rule() for _ in range(self.dice.randint(1, 5))]
        if self.chance(0.7):
            rules[-1]["matches"] = [{"path": {"type": "PathPrefix", "value": "/"}}]
        return objects.http_route("beta", *rules)

    # ---- AuthorizationPolicy ----

    def pattern(self, text):
        return self.dice.choice([text, text, text[:max(1, len(text) - 1)] + "*", "*" + text[1:] if len(text) > 1 else "*", "*"])

    def operation(self):
        made = {}
        for name, share, make in (
                ("paths", 0.6, lambda: self.pattern(self.path(2))), ("methods", 0.4, lambda: self.dice.choice(METHODS + ["P*", "*"])),
                ("hosts", 0.15, lambda: self.dice.choice(["alpha", "alpha*", "*9080", "beta", "*"])),
                ("ports", 0.1, lambda: self.dice.choice(["9080", "81"]))):
            if self.chance(share):
                made["not" + name.title() if self.chance(0.25) else name] = [make() for _ in range(self.dice.randint(1, 2))]
        return made or {"methods": ["GET"]}

    def policy(self, number):
        rules = []
        for _ in range(self.dice.randint(1, 3)):
            rule = {"to": [{"operation": self.operation()} for _ in range(self.dice.choice([1, 1, 2]))]} if self.chance(0.8) else {}
            if self.chance(0.3) or not rule:
                rule["when"] = [{"key": f"request.headers[{self.dice.choice(NAMES)}]",
                                 self.dice.choice(["values", "values", "notValues"]): [self.pattern(self.value())]}]
            rules.append(rule)
        spec = {"action": self.dice.choice(["ALLOW", "DENY"]), "rules": rules}
        if self.chance(0.7):
            spec["selector"] = {"matchLabels": self.dice.choice([{"app": "alpha"}, {"app": "beta"}, {"version": "v1"}])}
        if spec["action"] == "ALLOW" and self.chance(0.5):
            rules.append({"to": [{"operation": {"methods": ["GET", "POST"]}}]})
        return objects.policy(f"p{number}", spec)

    # ---- requests ----

    def target(self, known):
        path = self.dice.choice(known) if self.chance(0.6) else self.path()
        if self.chance(0.3):
            path = path.rstrip("/") + self.dice.choice(["/", "/more", "x", "/a/b"])
        if self.chance(0.25):
            at = self.dice.randint(1, max(1, len(path) - 1))
            path = self.dice.choice([
                path[:at] + "%2F" + path[at:], path.replace("a", "%61"), path.replace("a", "%2561"), path.upper(), "/" + path,
                path + "/..", "/./" + path[1:], "/q/../" + path[1:], path.replace("/", "\\", 1) if at > 1 else path,
                path + ";v=1", path + "%", path + "%20z", path + "+z", path + "%c3%a9", path + "//", path + "/%2e%2e/z"])
        if self.chance(0.35):
            path += self.dice.choice(["?q=red", "?q=1&r=2", "?r=green", "?q", "?q=", "?Q=red", "?q=r%65d", "?", "?q=blue&q=red", "?a?b"])
        return path

    def fields(self, copied):
        made = []
        for name in NAMES + ["x-made"]:
            if self.chance(0.35):
                made.append((name if self.chance(0.7) else name.title(), self.dice.choice(VALUES + ["", " spaced  "])))
                if self.chance(0.1):
                    made.append((name, self.value()))
        if self.chance(0.06):
            made.append(("X-Forwarded-Proto", "https"))
        if self.chance(0.25):
            made.append(("Origin", self.dice.choice(["https://shop.example", "https://else.example", "http://shop.example", "null"])))
            if self.chance(0.5):
                made.append(("Access-Control-Request-Method", self.dice.choice(["PUT", "PATCH"])))
                made.append(("Access-Control-Request-Headers", "x-asked,x-one"))
        # Which of two copies at one server comes first is a race.
        fails = [] if copied else ["fails=1", "fails=2"]
        do = self.dice.choice(["fields"] * 6 + ["", "", "code=503", "code=500", "code=409", "code=404", "code=204",
                               "sleep=1.1"] + fails)
        return made + ([("x-do", do)] if do else [])

    def request(self, known, copied):
        service = self.dice.choice(["alpha", "alpha", "beta"])
        method = self.dice.choice(["GET"] * 5 + METHODS)
        host = self.dice.choice(HOSTS).replace("alpha", service).replace("ALPHA", service.upper()) if self.chance(0.4) else service
        target = self.target(known)
        if self.chance(0.04) and target.startswith("/"):
            target = f"http://{service}{target}"
        return request(service, method, target, host, self.fields(copied), self.dice.choice(["", "abc", "x" * 5000])
                       if method in ("POST", "PUT", "PATCH") else None)


def _paths(value):
    """What a configuration says of paths, so that requests meet it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("exact", "prefix", "value", "uri") and isinstance(inner, str) and inner.startswith("/"):
                yield inner
            elif key == "paths":
                yield from (path.strip("*") for path in inner if path.startswith("/"))
            else:
                yield from _paths(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner)


def configuration(seed, number, place):
    maker = Maker(seed, number)
    manifests = objects.destination_rules()
    manifests += [maker.virtual_service(), maker.http_route()]
    manifests += [maker.policy(n) for n in range(maker.dice.choice([0, 0, 0, 1, 2]))]
    copied = "irror" in repr(manifests)
    known = sorted(set(_paths(manifests))) or ["/"]
    return {"number": place, "name": f"{seed}/{number}", "manifests": manifests,
            "requests": numbered(place, [maker.request(known, copied) for _ in range(REQUESTS)])}


def configurations(seed, count, first):
    return [configuration(seed, number, first + number) for number in range(count)]
