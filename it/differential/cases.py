"""Configurations made by hand: each meaning once, and each difference that is listed. A case is a function."""
from message import numbered, request
from objects import at, below, destination_rules, http_route, modifier, policy, ref, rule, to, virtual_service

REST = rule("v3")


def to_alpha(targets, *fields, **more):
    return [request("alpha", target=target, fields=fields, **more) for target in targets]


def tagged(*values, target="/", more=()):
    return request("alpha", target=target, fields=[("x-tag", value) for value in values] + list(more))


def paths():
    rules = [rule("v1", {"uri": {"exact": "/exact"}}, {"uri": {"prefix": "/pre"}}),
             rule("v2", {"uri": {"regex": "/[a-z]+/case"}, "ignoreUriCase": True}),
             rule("v2", {"uri": {"regex": "/re/[0-9]+"}}, {"uri": {"exact": "/Case"}, "ignoreUriCase": True})]
    return [virtual_service("alpha", *rules, REST)], to_alpha([
        "/exact", "/exact/", "/exact?a=1", "/pre", "/prefixed", "/pre/a/b", "/re/12", "/re/12/", "/re/12?x", "/case", "/CASE",
        "/cas%65", "/other", "/%65xact", "/a/../exact", "//exact", "/exact%2F", "/./exact", "/pre%2fa", "/re/%31", "/re/case", "/re/CASE"])


def fields():
    tag = {"x-tag": {"exact": "red"}}
    rules = [rule("v1", {"headers": {**tag, "end-user": {}}}, {"method": {"exact": "PUT"}}),
             rule("v2", {"headers": {"x-tag": {"regex": "b.*"}}}, {"headers": {"x-tag": {"exact": "c,d"}}}),
             rule("v1", {"withoutHeaders": {"x-tag": {"prefix": "g"}}, "uri": {"prefix": "/without"}}),
             rule("v1", {"withoutHeaders": {"x-tag": {"regex": "b?"}}, "uri": {"prefix": "/absent"}}),
             rule("v1", {"withoutHeaders": {"x-tag": {}}, "uri": {"prefix": "/none"}})]
    user = [("end-user", "j")]
    asked = [tagged("red", more=user), tagged("red"), tagged("red", more=[("End-User", "")]), tagged("red", "red",
                                                                                                     more=user),
             tagged("red", "green", more=user), tagged("blue"), tagged("ab", "blue"), tagged("blue", "c"), tagged("c,d"),
             tagged("c", "d"), request("alpha", "PUT", body="")]
    for target in ("/without", "/absent", "/none"):
        asked += [tagged(*values, target=target) for values in ((), ("",), ("green",), ("a", "green"), ("b",), ("a",))]
    return [virtual_service("alpha", *rules, REST)], asked


def queries():
    rules = [rule("v1", {"queryParams": {"q": {"exact": "1"}}}), rule("v2", {"queryParams": {"r": {"regex": "[0-9]+"}}}),
             rule("v1", {"queryParams": {"s": {}}}), rule("v2", {"queryParams": {"t": {"prefix": "a"},
                                                                                 "u": {"exact": ""}}})]
    return [virtual_service("alpha", *rules, REST)], to_alpha([
        "/?q=1", "/?q=2&q=1", "/?q=1&q=2", "/?r=12", "/?r=1a", "/?r=", "/?%71=1", "/?q=%31", "/?Q=1", "/?s", "/?s=", "/?x=1&s=2",
        "/?t=ab&u=", "/?t=ab&u", "/?t=ba&u=", "/?t=ab", "/?", "/?&&q=1", "/?q=1?x", "/?q==1"])


def changes():
    request_changes = {"set": {"x-set": "rule"}, "add": {"x-add": "rule"}, "remove": ["x-old"]}
    response_changes = {"set": {"x-kept": "rule"}, "add": {"x-made": "rule"}, "remove": ["x-gone"]}
    share = {"request": {"set": {"x-set": "share"}, "add": {"x-add": "share"}}, "response": {"add": {"x-made": "share"}}}
    split = {"request": {"add": {"x-add": "share", "x-set": "share"}, "set": {"Host": "share.example"}},
             "response": {"set": {"x-kept": "share"}}}
    rules = [at("/one", rewrite={"uri": "/two", "authority": "other.example"}, route=[to("v1", headers=share)],
                headers={"request": request_changes, "response": response_changes}),
             at("/split", headers={"request": {"add": {"x-add": "rule"}, "set": {"x-set": "rule"}}},
                route=[to("v1", weight=0), to("v2", weight=100, headers=split)]),
             at("/host", headers={"request": {"set": {":authority": "rule.example"}}}),
             at("/empty", headers={"request": {"set": {"x-old": "", "x-new": ""}, "add": {"x-add": ""}},
                                   "response": {"set": {"x-kept": ""}}}),
             at("/percent", headers={"request": {"set": {"x-set": "100%%"}}})]
    targets = ["/one", "/one/more?q=1", "/oneness", "/split", "/split/a", "/host", "/empty", "/percent", "/",
               "/one%2Fmore"]
    return [virtual_service("alpha", *rules, REST)], [
        *to_alpha(targets, ("x-do", "fields"), ("x-old", "1"), ("X-Add", "client")),
        *to_alpha(["/one", "/split"], ("x-set", "client"), ("X-Set", "twice"), ("x-do", "fields"))]


def rewrites():
    groups = {"match": "/re/([a-z]+)/([0-9]+)", "rewrite": "/\\2/\\1"}
    rules = [rule("v1", {"uri": {"exact": "/whole"}}, rewrite={"uri": "/all"}), at("/re", rewrite={"uriRegexRewrite": groups}),
             at("/vowels", rewrite={"uriRegexRewrite": {"match": "[aeiou]", "rewrite": "-"}}),
             at("/query", rewrite={"uri": "/asked?made=1"}), at("/slash/", rewrite={"uri": "/"}), at("/root", rewrite={"uri": "/"}),
             rule("v2", {"uri": {"regex": "/ex.*"}}, rewrite={"uri": "/expressed"}),
             rule("v2", {"uri": {"prefix": "/CaSe"}, "ignoreUriCase": True}, rewrite={"uri": "/lower"})]
    return [virtual_service("alpha", *rules, REST)], to_alpha([
        "/whole", "/whole?q", "/re/abc/12", "/re/abc/12/abc/34?x=1", "/re/none", "/vowels/ae", "/vowels/aeiouaeiou", "/query",
        "/query/more?q=1", "/slash/a?b", "/slash/", "/root", "/root/a", "/rooted", "/expression/a?b", "/case/Rest", "/one/../re/a/1"])


def redirects():
    rules = [at("/r1", redirect={"uri": "/new"}), at("/r2", redirect={"authority": "else.example", "redirectCode": 307}),
             at("/r3", redirect={"prefixRewrite": "/n", "scheme": "https"}),
             at("/r4", redirect={"port": 8443, "redirectCode": 308}),
             at("/r5", redirect={"derivePort": "FROM_REQUEST_PORT", "authority": "else.example"}),
             at("/r6", redirect={"uri": "/new?to=1"},
                headers={"response": {"add": {"x-made": "rule"}, "remove": ["location"]}}),
             at("/r7", redirect={"uri": "/new?to=1"}), at("/r8", redirect={"authority": "else.example:81", "port": 8443}),
             at("/r9", redirect={"port": 80, "uri": "/new"}), rule("v1", {"scheme": {"exact": "https"}})]
    secure = [("X-Forwarded-Proto", "https")]
    return [virtual_service("alpha", *rules, REST)], [
        *to_alpha(["/r1/a?q=1", "/r2/a?q=1", "/r3/a?q=1", "/r4/a", "/r5", "/r6/a", "/r7?q=1", "/r1?", "/r8", "/r9"]),
        *to_alpha(["/r1", "/r3x", "/r4", "/r9"], host="alpha:9080"), request("alpha", "POST", "/r1", body="abc"),
        *to_alpha(["/r1", "/r4", "/r5", "/s"], *secure), *to_alpha(["/r3"], *secure, host="alpha:443"),
        *to_alpha(["/r3"], host="alpha:80"), *to_alpha(["/s"])]


def own_answers():
    added = {"response": {"add": {"x-made": "rule"}}}
    abort = {"abort": {"httpStatus": 555, "percentage": {"value": 100}}}
    rules = [at("/d1", directResponse={"status": 418, "body": {"string": "short"}}, headers=added),
             at("/d2", directResponse={"status": 204}), at("/d3", directResponse={"status": 200,
                                                                                  "body": {"string": "{}"}},
                                                          headers={"response": {"set": {"content-type": "application/json"}}}),
             at("/d4", directResponse={"status": 200, "body": {"string": "x"}},
                headers={"response": {"remove": ["content-type"]}}),
             at("/f1", fault=abort, headers=added), at("/f2", fault={"delay": {"fixedDelay": "1.2s",
                                                                               "percentage": {"value": 100}}}),
             at("/f3", fault={"abort": {"httpStatus": 555, "percentage": {"value": 0}}}),
             at("/l1", route=[{"destination": {"host": "nowhere"}}], headers=added),
             at("/l2", timeout="0.3s", route=[to("v1", headers=added)]), at("/only")]
    return [virtual_service("alpha", *rules)], [
        *to_alpha(["/d1", "/d2", "/d3", "/d4", "/f1", "/f2", "/f3", "/l1", "/only", "/none"]),
        request("alpha", "HEAD", "/d1"), request("alpha", "POST", "/f1", body="abc"),
        *to_alpha(["/l2"], ("x-do", "sleep=1"))]


def tries():
    both = [{"destination": {"host": "alpha", "subset": "v2"}}, {"destination": {"host": "beta"},
                                                                 "percentage": {"value": 100}}]
    rules = [at("/two", retries={"attempts": 2, "retryOn": "5xx"}), at("/code", retries={"attempts": 1,
                                                                                         "retryOn": "503,reset"}),
             at("/none", retries={"attempts": 0}), at("/late", timeout="0.5s"),
             at("/try", retries={"attempts": 2, "perTryTimeout": "0.2s", "retryOn": "5xx"}),
             at("/conflict", retries={"attempts": 1, "retryOn": "retriable-4xx"}),
             at("/gateway", retries={"attempts": 1, "retryOn": "gateway-error"}), at("/mirror", mirrors=both)]
    asked = [("GET", "/two", "code=503"), ("GET", "/two", "fails=1"), ("POST", "/two", "fails=2"), ("GET", "/two",
                                                                                                    "close"),
             ("POST", "/two", "close"), ("GET", "/code", "code=503"), ("GET", "/code", "code=500"), ("GET", "/code",
                                                                                                     "close"),
             ("POST", "/code", "close"), ("GET", "/none", "code=503"), ("POST", "/none", "close"), ("GET", "/late",
                                                                                                    "sleep=1.5"),
             ("GET", "/try", "sleep=1"), ("GET", "/conflict", "code=409"), ("GET", "/conflict", "code=404"),
             ("GET", "/gateway", "code=502"), ("GET", "/gateway", "code=500"), ("GET", "/mirror/a?q=1", ""), ("POST", "/mirror", ""),
             ("GET", "/mirror", "code=404"), ("GET", "/", "code=503"), ("POST", "/", "close")]
    return [virtual_service("alpha", *rules, REST)], [
        request("alpha", method, target, fields=[("x-do", do)], body="abc" if method == "POST" else None)
        for method, target, do in asked]


def hosts():
    rules = [rule("v1", {"authority": {"exact": "alpha"}}), rule("v2", {"authority": {"prefix": "alpha"}})]
    full = "alpha.default.svc.cluster.local"
    names = ["alpha", "alpha:9080", "alpha:80", "ALPHA", "alpha.default", "alpha.default.svc", full, full + ":9080",
             full + ".",
             "alpha.", "beta", "unknown.example", "alpha.default:9080", "beta.default:9080", ""]
    return [virtual_service("alpha", *rules, REST)], [
        *(request("alpha", host=host) for host in names),
        *to_alpha(["http://alpha/abs", "http://ALPHA", "http://alpha"]), request("alpha", "OPTIONS", "*"),
        request("alpha", target="http://alpha:9080/abs?q=1", host="beta")]


def policies():
    denied = [{"to": [{"operation": {"paths": ["/admin", "/secret/*", "*.key"], "notMethods": ["GET"]}}]},
              {"when": [{"key": "request.headers[x-tag]", "values": ["bad*"]}]}]
    allowed = [{"to": [{"operation": {"methods": ["GET", "POST"], "notPaths": ["/hidden*"]}}]},
               {"to": [{"operation": {"ports": ["9080"], "paths": ["/hidden/open"]}}]}]
    posted = ["/admin", "/admin?x", "/admin/", "/secret/", "/secret", "/a/b.key", "/%61dmin", "//admin", "/x/..;/admin",
              "/%2561dmin"]
    alpha = {"matchLabels": {"app": "alpha"}}
    return [virtual_service("alpha", at("/changed", rewrite={"uri": "/hidden"}), REST),
            policy("deny", {"selector": alpha, "action": "DENY", "rules": denied}),
            policy("allow", {"selector": alpha, "rules": allowed})], [
        *(request("alpha", "POST", target, body="abc") for target in posted), request("alpha", target="/admin"),
        tagged("badly"), tagged("good"), tagged("good", "bad"), request("alpha", "PUT"), request("alpha", "DELETE",
                                                                                                 "/hidden/open"),
        *to_alpha(["/hidden", "/hidden/open", "/hidden/x", "/%68idden", "/changed", "/changed/open"])]


def policies_by_host():
    rules = [{"to": [{"operation": {"hosts": ["alpha", "*.svc:9080", "changed.example"]}}]}]
    version = {"matchLabels": {"version": "v3"}}
    return [virtual_service("alpha", at("/changed", "v3", rewrite={"authority": "changed.example"}), at("/v1"), REST),
            policy("allow", {"selector": version, "rules": rules})], [
        *(request("alpha", host=host) for host in ("alpha", "ALPHA", "alpha:9080", "alpha.default.svc:9080",
                                                   "alpha.default.svc")),
        *to_alpha(["/changed", "/v1"], host="alpha.default")]


def gateway():
    def redirect(**said):
        return {"type": "RequestRedirect", "requestRedirect": said}

    def rewrite(**said):
        return {"type": "URLRewrite", "urlRewrite": said}

    changed = [modifier("request", set={"x-set": "50%"}, add={"x-add": "rule"}, remove=["x-old"]),
               modifier("response", remove=["x-gone"])]
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": ref("gamma")}}
    rules = [below("/api/", rewrite(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}), backends=["gamma"]),
             {"matches": [{"path": {"type": "Exact", "value": "/api/exact"}},
                          {"headers": [{"name": "x-tag", "value": "red"}]}],
              "filters": changed, "backendRefs": [ref("beta")]},
             {"matches": [{"path": {"type": "RegularExpression", "value": "/(api|expression).*"}}],
              "backendRefs": [ref("gamma")]},
             below("/move", redirect(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}), backends=()),
             below("/port", redirect(scheme="https", port=8443), backends=()),
             below("/https", redirect(scheme="https", hostname="new.example", statusCode=301), backends=()),
             below("/", rewrite(path={"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"})),
             below("/full", rewrite(hostname="new.example",
                                    path={"type": "ReplaceFullPath", "replaceFullPath": "/whole"})),
             below("/empty", backends=()), below("/lost", backends=["nowhere"]), below("/copied", mirror)]
    targets = ["/api", "/api/", "/api/v1?q=1", "/apis", "/other", "/move", "/move/a?q=1", "/moved", "/port", "/https/a",
               "/full/a/b?q=1", "/full", "/empty", "/lost", "/copied/a", "/api//x", "/api/../api/y", "/expression"]
    return [http_route("beta", *rules)], [
        *(request("beta", target=target, fields=[("x-do", "fields")]) for target in targets),
        request("beta", target="/api/exact", fields=[("x-do", "fields"), ("x-old", "1"), ("x-add", "client")]),
        request("beta", target="/other", fields=[("x-tag", "red"), ("x-set", "client")])]


MADE = (paths, fields, queries, changes, rewrites, redirects, own_answers, tries, hosts, policies, policies_by_host,
        gateway)


def configurations(first=0):
    made = []
    for number, make in enumerate(MADE, first):
        manifests, requests = make()
        made.append({"number": number, "name": make.__name__, "manifests": destination_rules() + manifests,
                     "requests": numbered(number, requests)})
    return made
