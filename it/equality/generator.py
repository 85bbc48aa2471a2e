"""Makes configurations and request streams from a seed. The same seed makes the same cases, whatever ran before."""
import json
import random

SUBSETS = {"alpha": ["v1", "v2", "v3"], "beta": ["v1", "v2"], "gamma": ["v1"]}
PORT = 9080
PATHS = ["/", "/a", "/a/", "/a/b", "/ab", "/api", "/api/v1", "/api/v1/users", "/api/v2", "/static/logo.png", "/admin",
         "/admin/keys", "/reviews/1", "/reviews/12", "/x" * 20, "/long/" + "p" * 80]
NAMES = {"x-tag": ["red", "blue", "green", "r", ""], "end-user": ["jason", "mary"], "x-group": ["a", "b" * 31, "c" * 40]}
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]
ACCOUNTS = ["red", "blue"]
STREAMS = [
    ("plain", 44), ("body", 8), ("body_later", 6), ("split", 8), ("pipelined", 5), ("together", 5), ("head", 3),
    ("answers", 9), ("malformed", 7), ("half_closed", 3), ("closing", 4), ("chunked", 3), ("expect", 1), ("late", 2),
    ("upload", 14), ("broken_upload", 5),
]


class Maker:
    def __init__(self, seed, policies):
        self.seed = seed
        self.policies = policies
        self.nonce = 0

    # ---- configurations ----

    def configuration(self, number):
        """A configuration: {"services": {name: routes}, "policies": [...], "manifests": [...]}."""
        dice = random.Random(f"{self.seed}/configuration/{number}")
        services = {}
        manifests = []
        for service, versions in SUBSETS.items():
            manifests.append({
                "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
                "metadata": {"name": service, "namespace": "default"},
                "spec": {"host": service, "subsets": [{"name": v, "labels": {"version": v}} for v in versions]},
            })
            # The last service keeps to what the kernel can prove, so that every configuration has one that is.
            odd = 0.0 if service == "gamma" else dice.choice([0.0, 0.0, 0.1, 0.3])
            routes = [self._route(dice, service, versions, odd) for _ in range(dice.randint(1, 20) - 1)]
            if dice.random() < 0.9:
                last = {"route": self._shares(dice, service, versions)}
                if dice.random() < 0.3:
                    last["timeout"] = "0.7s"
                routes.append(last)
            if not routes:
                routes.append({"route": self._shares(dice, service, versions)})
            services[service] = routes
            manifests.append({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {"name": service, "namespace": "default"}, "spec": {"hosts": [service], "http": routes},
            })
        policies = self._policies(dice) if self.policies else []
        return {"number": number, "services": services, "manifests": manifests + policies, "policies": policies}

    def _shares(self, dice, service, versions):
        chosen = dice.sample(versions, dice.randint(1, len(versions)))
        if len(chosen) == 1:
            return [{"destination": {"host": service, "subset": chosen[0]}}]
        first = dice.choice([1, 10, 33, 50, 90])
        weights = [first, 100 - first] if len(chosen) == 2 else [first, (100 - first) // 2]
        if len(chosen) == 3:
            weights.append(100 - sum(weights))
        return [{"destination": {"host": service, "subset": v}, "weight": w} for v, w in zip(chosen, weights)]

    def _route(self, dice, service, versions, odd):
        route = {"match": [self._match(dice, odd) for _ in range(dice.choice([1, 1, 1, 2]))]}
        kind = dice.random()
        if kind < odd * 0.2:
            route["redirect"] = {"uri": "/moved"}
        elif kind < odd * 0.4:
            route["directResponse"] = {"status": 418, "body": {"string": "short"}}
        else:
            route["route"] = self._shares(dice, service, versions)
            if dice.random() < odd:
                route.update(dice.choice([
                    {"rewrite": {"uri": "/rewritten"}},
                    {"headers": {"request": {"set": {"x-made": "yes"}}}},
                    {"headers": {"response": {"add": {"x-made": "yes"}}}},
                    {"fault": {"abort": {"httpStatus": 555, "percentage": {"value": 100}}}},
                    {"retries": {"attempts": 2, "retryOn": "5xx"}},
                    {"retries": {"attempts": 1, "retryOn": "503,reset"}},
                    {"retries": {"attempts": 0}},
                ]))
            elif dice.random() < 0.15:
                route["timeout"] = "0.7s"
        return route

    def _match(self, dice, odd):
        match = {}
        if dice.random() < 0.75:
            path = dice.choice(PATHS)
            if dice.random() < odd * 0.5:
                match["uri"] = {"regex": dice.choice(["/api/v[0-9]+", "/reviews/[0-9]*", "/a.*"])}
            else:
                match["uri"] = {dice.choice(["exact", "prefix"]): path}
        if dice.random() < 0.3:
            match["method"] = {"exact": dice.choice(METHODS)}
        if dice.random() < 0.35:
            name = dice.choice(list(NAMES))
            value = dice.choice([v for v in NAMES[name] if v])
            kind = dice.choice(["exact", "exact", "present", "prefix" if dice.random() < odd else "exact"])
            match["headers"] = {name: {} if kind == "present" else {kind: value}}
        if dice.random() < 0.1:
            match["withoutHeaders"] = {dice.choice(list(NAMES)): {}}
        if dice.random() < odd * 0.3:
            match["queryParams"] = {"q": {"exact": "1"}}
        return match or {"uri": {"prefix": dice.choice(PATHS)}}

    def _policies(self, dice):
        out = []
        for number in range(dice.choice([0, 1, 1, 2, 3])):
            service = dice.choice(list(SUBSETS))
            rules = []
            for _ in range(dice.randint(1, 3)):
                rule = {}
                if dice.random() < 0.5:
                    account = dice.choice(ACCOUNTS)
                    rule["from"] = [{"source": {"principals": [f"cluster.local/ns/default/sa/{account}"]}}]
                if dice.random() < 0.7 or not rule:
                    operation = {}
                    if dice.random() < 0.6:
                        path = dice.choice(PATHS[:14])
                        operation["paths"] = [path if dice.random() < 0.5 else path + "*"]
                    if dice.random() < 0.5 or not operation:
                        operation["methods"] = dice.sample(METHODS, dice.randint(1, 3))
                    rule["to"] = [{"operation": operation}]
                if dice.random() < 0.2:
                    name = dice.choice(["x-tag", "end-user"])
                    rule["when"] = [{"key": f"request.headers[{name}]", "values": [dice.choice(NAMES[name][:2])]}]
                rules.append(rule)
            action = dice.choice(["ALLOW", "DENY"])
            if action == "ALLOW" and dice.random() < 0.6:
                rules.append({"to": [{"operation": {"paths": ["/*"]}}]})
            out.append({
                "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
                "metadata": {"name": f"p{number}", "namespace": "default"},
                "spec": {"selector": {"matchLabels": {"app": service}}, "action": action, "rules": rules},
            })
        return out

    # ---- streams ----

    def case(self, configuration, number):
        """One connection: {"id", "kind", "account", "host", "ops", "requests"}."""
        dice = random.Random(f"{self.seed}/case/{configuration['number']}/{number}")
        self.dice = dice
        self.nonce = (configuration["number"] * 100_000 + number) * 64
        self.service = dice.choice(["alpha", "alpha", "beta", "gamma", "gamma"])
        self.requests = []
        self.ops = []
        kind = dice.choices([name for name, _ in STREAMS], [weight for _, weight in STREAMS])[0]
        getattr(self, "_" + kind)()
        case = {
            "id": f"{configuration['number']}.{number}", "kind": kind, "account": dice.choice(ACCOUNTS),
            "host": self.service, "port": PORT, "ops": self.ops, "methods": [r["method"] for r in self.requests],
            "requests": self.requests,
        }
        return case

    def _request(self, method=None, do=(), body=b"", fields=(), framing=None, version="1.1", target=None):
        """Makes a request's bytes and notes what the oracle must know of it."""
        dice = self.dice
        self.nonce += 1
        method = method or dice.choice(["GET"] * 6 + METHODS)
        if target is None:
            target = dice.choice(PATHS)
            if dice.random() < 0.3:
                target += dice.choice(["?q=1", "?q=2&r=" + "z" * dice.randint(0, 50), "?"])
        lines = [("Host", self.service if dice.random() < 0.7 else f"{self.service}:{PORT}")]
        for name, values in NAMES.items():
            if dice.random() < 0.35:
                lines.append((name if dice.random() < 0.7 else name.title(), dice.choice(values)))
        if dice.random() < 0.2:
            lines.append(("User-Agent", "u" * dice.choice([5, 100, 600])))
        if dice.random() < 0.05:
            lines.append(("x-tag", dice.choice(NAMES["x-tag"])))
        lines.append(("x-nonce", str(self.nonce)))
        words = list(do)
        if dice.random() < 0.3 and "echo" not in words:
            words.append("echo")
        if words:
            lines.append(("x-do", ",".join(words)))
        lines += fields
        if framing == "chunked":
            lines.append(("Transfer-Encoding", "chunked"))
        elif body or (framing == "length"):
            lines.append(("Content-Length", str(len(body))))
        if dice.random() < 0.3:
            dice.shuffle(lines)
        text = f"{method} {target} HTTP/{version}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in lines) + "\r\n"
        known = {}
        for name, value in lines:
            name = name.lower()
            known.setdefault(name, []).append(value)
        self.requests.append({
            "method": method, "target": target, "fields": known, "nonce": self.nonce, "host": self.service,
            "do": list(words),
        })
        return text.encode("latin-1")

    def _good(self):
        """What an ordinary server answers."""
        dice = self.dice
        do = []
        if dice.random() < 0.5:
            do.append(f"fill={dice.choice([0, 1, 100, 1000, 5000, 20000, 70000])}")
        if dice.random() < 0.15:
            do.append(f"code={dice.choice([201, 301, 304, 404, 204, 409, 500, 502, 503, 599])}")
        if dice.random() < 0.1:
            do.append("lower")
        if dice.random() < 0.1:
            do.append("parts")
        return do

    def _send(self, data):
        self.ops.append(["send", data.hex()])

    def _answered(self):
        self.ops.append(["await", len(self.requests)])

    def _one(self, **options):
        self._send(self._request(**options))
        self._answered()

    def _plain(self):
        for _ in range(self.dice.choice([1, 2, 4, 6, 8, 12])):
            method = self.dice.choice(["GET"] * 8 + ["HEAD", "DELETE", "OPTIONS", "POST", "PUT"])
            self._one(method=method, do=self._good(), framing="length" if method in ("POST", "PUT") else None)

    def _some_body(self):
        dice = self.dice
        return dice.randbytes(dice.choice([1, 10, 100, 1000, 3000, 10_000, 40_000, 100_000]))

    def _body(self):
        self._warm()
        for _ in range(self.dice.randint(1, 5)):
            body = self._some_body()
            self._send(self._request(method=self.dice.choice(["POST", "PUT", "PATCH"]), do=self._good(), body=body) + body)
            self._answered()

    def _body_later(self):
        self._warm()
        for _ in range(self.dice.randint(1, 3)):
            body = self._some_body()
            method = self.dice.choice(["POST", "PUT", "PATCH", "DELETE"])
            head = self._request(method=method, do=self._good(), body=body)
            cut = self.dice.choice([0, 0, len(body) // 2, len(body) - 1])
            self._send(head + body[:cut])
            if self.dice.random() < 0.6:
                self.ops.append(["pause", self.dice.choice([1, 5, 20])])
            rest = body[cut:]
            half = self.dice.randint(1, len(rest))
            self._send(rest[:half])
            if rest[half:]:
                self._send(rest[half:])
            self._answered()
        self._one(do=self._good())

    def _pieces(self, data, head, most):
        """Cuts behind the head, often just there."""
        dice = self.dice
        cuts = {head + dice.randint(0, len(data) - head - 1) for _ in range(dice.randint(0, most))}
        if dice.random() < 0.6:
            cuts.add(head)
        cuts = sorted(cuts)
        return [data[start:end] for start, end in zip([0] + cuts, cuts + [len(data)])]

    def _upload(self):
        """Bodies in several sends; what comes with the last piece may be a next request's."""
        dice = self.dice
        self._warm()
        for _ in range(dice.randint(1, 4)):
            body = self._some_body()
            do = self._good() + dice.choice([[]] * 5 + [["stall=30"], ["slow=20"], ["chunked"], ["interim=103"]])
            head = self._request(method=dice.choice(["POST", "POST", "PUT", "PATCH"]), do=do, body=body)
            data = head + body
            if dice.random() < 0.1:
                data += self._request(do=self._good(), method="GET")
            for piece in self._pieces(data, len(head), 8):
                self._send(piece)
                if dice.random() < 0.2:
                    self.ops.append(["pause", dice.choice([1, 3, 15])])
            self._answered()
        self._one(do=self._good())

    def _broken_upload(self):
        """The server answers, closes or resets while the body is still to come, or the client ends there."""
        dice = self.dice
        self._warm()
        body = dice.randbytes(dice.choice([2, 100, 5000, 50_000]))
        do = dice.choice([
            ["early"], ["early", "code=413"], ["early", "after"], ["early", "close"], ["early", "chunked"],
            ["early", "nothing"], ["early", "nothing"], ["early", "reset"], ["early", "fill=200000"], [],
        ])
        head = self._request(method=dice.choice(["POST", "PUT"]), do=do, body=body)
        data = head + body
        cut = dice.choice([len(head), len(head) + 1, dice.randint(len(head), len(data) - 1)])
        for piece in self._pieces(data[:cut], len(head), 2) if cut > len(head) else [data[:cut]]:
            self._send(piece)
        if do:
            # The answer is there before the rest is sent, on either path.
            self._answered()
        elif dice.random() < 0.5:
            self.ops.append(["half"])
        if dice.random() < 0.5 and do:
            self._send(data[cut:])
        self.ops.append(["linger", 150])

    def _warm(self):
        for _ in range(self.dice.choice([0, 1, 3])):
            self._one(method="GET")

    def _split(self):
        """A request in two sends, at any byte; over the cases every place is met."""
        self._warm()
        for _ in range(self.dice.choice([1, 3])):
            body = self.dice.choice([b"", b"", b"0123456789"])
            data = self._request(method="POST" if body else None, do=self._good(), body=body) + body
            at = self.dice.randint(1, len(data) - 1)
            self._send(data[:at])
            self.ops.append(["pause", self.dice.choice([0, 1, 10])])
            self._send(data[at:])
            self._answered()
        self._one()

    def _pipelined(self):
        """The next request before the answer to the last one."""
        self._warm()
        for _ in range(self.dice.randint(2, 8)):
            self._send(self._request(method=self.dice.choice(["GET", "GET", "PUT"]), do=self._good()))
        self._answered()
        self._one()

    def _together(self):
        """Several requests, and perhaps a part of one, in one send."""
        self._warm()
        data = b""
        for _ in range(self.dice.randint(2, 6)):
            body = self.dice.choice([b"", b"", b"abcdefgh" * 20])
            data += self._request(method="POST" if body else "GET", do=self._good(), body=body) + body
        at = self.dice.choice([len(data), self.dice.randint(1, len(data) - 1)])
        self._send(data[:at])
        if at < len(data):
            self.ops.append(["pause", 2])
            self._send(data[at:])
        self._answered()
        self._one()

    def _head(self):
        self._warm()
        for _ in range(3):
            self._one(method="HEAD", do=self._good() + self.dice.choice([[], ["chunked"], ["parts"]]))
        self._one(method="GET")

    def _answers(self):
        """Answers that are out of the ordinary."""
        dice = self.dice
        self._warm()
        fill = f"fill={dice.choice([0, 100, 5000, 200_000])}"
        do = dice.choice([
            ["chunked", fill], ["chunked", fill], ["unframed", fill], ["interim=103"], ["interim=100", fill],
            ["code=204"], ["code=304"], ["slow=60", fill], ["drip=15"], ["drip=10", fill], ["early"], ["close", fill],
            ["after", fill], [fill, "cut=10"], [fill, "cut=0"], ["nothing"], ["reset"], ["extra"], ["twice"], ["both"],
            ["old"], ["fill=1000000"], ["parts", fill],
        ])
        method = "PUT" if do[0] == "early" else dice.choice(["GET", "GET", "POST", "PUT", "HEAD"])
        body = b"early bird" * 10 if do[0] == "early" else b"x" * dice.choice([0, 5]) if method in ("POST", "PUT") else b""
        self._send(self._request(method=method, do=do, body=body, framing="length" if method == "POST" else None) + body)
        self._answered()
        self.ops.append(["pause", 60])
        for _ in range(2):
            self._one(method="GET")

    def _malformed(self):
        self._warm()
        data = bytearray(self._request(method=self.dice.choice(["GET", "POST"]), body=b"hello" * self.dice.randint(0, 1)))
        dice = self.dice
        head_end = data.index(b"\r\n\r\n")
        odd = [
            b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: +5\r\n", b"Content-Length: 5, 5\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding : chunked\r\n", b" folded: yes\r\n", b"bad name: x\r\n", b"x: a\x00b\r\n", b"x: a\rb\r\n",
            b"x: a\nb\r\n", b"Host: other\r\n", b"Connection: close, host\r\n", b"\x0bTransfer-Encoding: chunked\r\n",
            b"Connection: keep-alive, x-tag\r\n", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b": empty\r\n",
            b"Content-Length: 0x5\r\n", b"Content-Length: \r\n", b"x-tag: \xff\xfe\r\n", b"Expect: 200-ok\r\n",
            b"TE: trailers\r\n", b"Keep-Alive: timeout=5\r\n", b"Proxy-Connection: keep-alive\r\n", b"x:y\r\n",
            b"x:\t y \t\r\n",
        ]
        way = dice.random()
        if way < 0.5:
            data[head_end + 2:head_end + 2] = dice.choice(odd)
        elif way < 0.8:
            at = dice.randint(0, head_end + 3)
            data[at] = dice.choice([0, 9, 10, 13, 32, 37, 47, 58, 127, 128, 255, dice.randint(0, 255)])
        elif way < 0.9:
            data[0:data.index(b"\r\n")] = dice.choice([
                b"GET /a HTTP/1.2", b"GET /a HTTP/2.0", b"GET  /a HTTP/1.1", b"GET /a", b"GET http://alpha:9080/a HTTP/1.1",
                b"GET /%61 HTTP/1.1", b"GET /a/../admin HTTP/1.1", b"GET //admin HTTP/1.1", b"GET /a;x HTTP/1.1",
                b"GET /a\\b HTTP/1.1", b"GET /a#b HTTP/1.1", b"OPTIONS * HTTP/1.1", b"BREW / HTTP/1.1", b"get / HTTP/1.1",
                b"GET /a http/1.1", b"GET a HTTP/1.1", b"CONNECT alpha:9080 HTTP/1.1", b"PRI * HTTP/2.0", b"\r\nGET / HTTP/1.1",
            ])
        else:
            data = bytearray(bytes(data).replace(b"\r\n", b"\n", dice.randint(1, 3)))
        self.requests[-1]["odd"] = True
        self._send(bytes(data) + (b"hello" if b"ontent-Length: 5" in data else b""))
        # What a broken request leaves behind is waited for, bounded.
        self.ops.append(["linger", 250])

    def _half_closed(self):
        self._warm()
        body = self._some_body() if self.dice.random() < 0.3 else b""
        method = "POST" if body else "GET"
        do = self._good() + self.dice.choice([[], ["slow=40"], ["drip=10"], ["chunked"]])
        self._send(self._request(method=method, do=do, body=body) + body)
        self.ops.append(["half"])
        self._answered()

    def _closing(self):
        self._warm()
        self._one(do=self._good(), fields=[("Connection", self.dice.choice(["close", "Close", "keep-alive", "Keep-Alive"]))])
        if self.dice.random() < 0.5:
            self._one(version="1.0", do=self._good(), fields=self.dice.choice([[], [("Connection", "keep-alive")]]))

    def _chunked(self):
        self._warm()
        data = self._request(method="POST", do=self._good(), framing="chunked")
        for _ in range(self.dice.randint(0, 4)):
            chunk = self.dice.randbytes(self.dice.choice([1, 10, 4000]))
            data += b"%x\r\n%s\r\n" % (len(chunk), chunk)
        data += b"0\r\n\r\n"
        at = self.dice.choice([len(data), self.dice.randint(1, len(data) - 1)])
        self._send(data[:at])
        if at < len(data):
            self._send(data[at:])
        self._answered()
        self._one()

    def _expect(self):
        self._warm()
        body = b"awaited" * 5
        self._send(self._request(method="POST", body=body, fields=[("Expect", "100-continue")]))
        self.ops.append(["pause", 30])
        self._send(body)
        self._answered()
        self._one()

    def _late(self):
        """An answer that comes after the route's time limit, if it has one."""
        self._warm()
        self._one(method=self.dice.choice(["GET", "POST"]), do=["slow=1500"], framing="length")
        self._one(method="GET")

    def yaml(self, configuration):
        """The manifests as one document stream; JSON is YAML."""
        return "".join("---\n" + json.dumps(m) + "\n" for m in configuration["manifests"])
