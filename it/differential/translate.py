"""What Istio makes of a VirtualService or an HTTPRoute for a client's Envoy, written anew from its documentation.

Nothing of Tulle's takes part: this is the other side of the comparison. Names are Envoy's; objects are their JSON.
"""
import re

PORT = 9080
NO_LIMIT = "0s"
RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
FAULT = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
CORS = "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy"
PREVIOUS_HOSTS = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
URI_RANK = {"exact": 3, "prefix": 2, "regex": 1}


def hostname(service):
    return service if "." in service else f"{service}.default.svc.cluster.local"


def cluster(destination):
    """outbound|PORT|SUBSET|HOST; a destination without a port has the only one of its service."""
    port = destination.get("port", {}).get("number", PORT)
    return f"outbound|{port}|{destination.get('subset', '')}|{hostname(destination['host'])}"


def string_match(match):
    """Envoy's StringMatcher; None for a condition that only asks for presence."""
    if match is None or match.get("regex") == "*":
        return None
    for kind in ("exact", "prefix"):
        if kind in match:
            return {kind: match[kind]}
    return {"safe_regex": {"regex": match["regex"]}} if "regex" in match else None


def header_match(name, match, inverted=False):
    condition = string_match(match)
    made = {"name": name, **({"present_match": True} if condition is None else {"string_match": condition})}
    if inverted:
        made["invert_match"] = True
        if condition is not None:
            made["treat_missing_header_as_empty"] = True
    return made


def route_match(match, gateway):
    made = {"prefix": "/", "case_sensitive": not match.get("ignoreUriCase", False)}
    uri = match.get("uri") or {}
    if uri:
        del made["prefix"]
        if "exact" in uri:
            made["path"] = uri["exact"]
        elif "regex" in uri:
            made["safe_regex"] = {"regex": uri["regex"]}
        elif gateway and uri["prefix"] != "/":
            made["path_separated_prefix"] = uri["prefix"].removesuffix("/")
        else:
            made["prefix"] = uri["prefix"]
    headers = [header_match(name, wanted) for name, wanted in match.get("headers", {}).items()]
    headers += [header_match(name, unwanted, True) for name, unwanted in match.get("withoutHeaders", {}).items()]
    headers += [header_match(":" + part, match[part]) for part in ("method", "authority", "scheme") if part in match]
    made["headers"] = headers
    made["query_parameters"] = [
        {"name": name, **({"present_match": True} if string_match(wanted) is None else
                          {"string_match": string_match(wanted)})}
        for name, wanted in match.get("queryParams", {}).items()]
    return made


def is_authority(name):
    return name.lower() in ("host", ":authority")


def is_own(name):
    return name.startswith(":") or name.lower() == "host"


def changes(headers):
    """Envoy's four lists of a route or a share, and the authority to set (None for none)."""
    made = {}
    for way in ("request", "response"):
        said = headers.get(way, {})
        fields = []
        for kind, action in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD")):
            fields += [{"header": {"key": name, "value": value}, "append_action": action}
                       for name, value in sorted(said.get(kind, {}).items()) if not is_own(name)]
        made[f"{way}_headers_to_add"] = fields
        made[f"{way}_headers_to_remove"] = [name for name in said.get("remove", []) if not is_own(name)]
    authority = None
    for kind in ("add", "set"):
        for name, value in headers.get("request", {}).get(kind, {}).items():
            authority = value if is_authority(name) else authority
    return made, authority


def percentage(value):
    return {"numerator": int(value * 10000), "denominator": "MILLION"}


def fault(said):
    made = {"@type": FAULT}
    if "fixedDelay" in said.get("delay", {}):
        made["delay"] = {"percentage": percentage(said["delay"].get("percentage", {}).get("value", 0)),
                         "fixed_delay": said["delay"]["fixedDelay"]}
    if "httpStatus" in said.get("abort", {}):
        made["abort"] = {"percentage": percentage(said["abort"].get("percentage", {}).get("value", 0)),
                         "http_status": said["abort"]["httpStatus"]}
    return {"envoy.filters.http.fault": made}


def cors(said):
    made = {"@type": CORS, "filter_enabled": {"default_value": percentage(100)}}
    made["allow_origin_string_match"] = [string_match(origin) for origin in said.get("allowOrigins", [])]
    for ours, theirs in (("allowMethods", "allow_methods"), ("allowHeaders", "allow_headers"),
                         ("exposeHeaders", "expose_headers")):
        made[theirs] = ",".join(said.get(ours, []))
    if "maxAge" in said:
        made["max_age"] = said["maxAge"].rstrip("s")
    if "allowCredentials" in said:
        made["allow_credentials"] = said["allowCredentials"]
    if said.get("unmatchedPreflights") in ("FORWARD", "IGNORE"):
        made["forward_not_matching_preflights"] = said["unmatchedPreflights"] == "FORWARD"
    return {"envoy.filters.http.cors": made}


def redirect(said):
    made = {"response_code": {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT",
                              308: "PERMANENT_REDIRECT"}[said.get("redirectCode", 301)]}
    if said.get("authority"):
        made["host_redirect"] = said["authority"]
    if said.get("prefixRewrite"):
        made["prefix_rewrite"] = said["prefixRewrite"]
    elif said.get("uri"):
        made["path_redirect"] = said["uri"]
    if said.get("scheme"):
        made["scheme_redirect"] = said["scheme"]
    port = PORT if said.get("derivePort") == "FROM_REQUEST_PORT" else said.get("port", 0)
    if (port, said.get("scheme") or "http") not in ((80, "http"), (443, "https")) and port:
        made["port_redirect"] = port
    return made


def direct_response(said):
    made = {"status": said["status"]}
    if "string" in said.get("body", {}):
        made["body"] = {"inline_string": said["body"]["string"]}
    return made


def retry_policy(said):
    """A rule without `retries` gets the mesh's default: two more tries where nothing was processed."""
    made = {"num_retries": 2, "retry_on": RETRY_ON, "host_selection_retry_max_attempts": 5, "retry_host_predicate": [
        {"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {"@type": PREVIOUS_HOSTS}}]}
    if said is None:
        return made
    if not said.get("attempts"):
        return None
    made["num_retries"] = said["attempts"]
    if said.get("retryOn"):
        words = said["retryOn"].split(",")
        codes = [int(word) for word in words if word.isdigit()]
        made["retry_on"] = ",".join([w for w in words if not w.isdigit()] + (["retriable-status-codes"] if codes else []))
        made["retriable_status_codes"] = codes
    if "perTryTimeout" in said:
        made["per_try_timeout"] = said["perTryTimeout"]
    return made


def mirror(destination, share=None):
    return {"cluster": cluster(destination), "trace_sampled": False, "disable_shadow_host_suffix_append": True,
            "runtime_fraction": {"default_value": percentage(100 if share is None else share)}}


def rewrite(action, said, match, gateway):
    if "uriRegexRewrite" in said:
        action["regex_rewrite"] = {"pattern": {"regex": said["uriRegexRewrite"]["match"]},
                                   "substitution": said["uriRegexRewrite"]["rewrite"]}
    elif gateway and said.get("uri") == "/":
        prefix = re.escape(match.get("path_separated_prefix", "")).replace("\\/", "/")
        action["regex_rewrite"] = {"pattern": {"regex": f"^{prefix}(/?)(.*)"}, "substitution": "/\\2"}
    elif said.get("uri"):
        action["prefix_rewrite"] = said["uri"]


def forward(made, rule, authority, gateway):
    action = {"timeout": rule.get("timeout", NO_LIMIT), "max_grpc_timeout": rule.get("timeout", NO_LIMIT)}
    if gateway:
        action["cluster_not_found_response_code"] = "INTERNAL_SERVER_ERROR"
    said = rule.get("rewrite", {})
    rewrite(action, said, made["match"], gateway)
    authority = said.get("authority") or authority
    action["request_mirror_policies"] = [
        mirror(m["destination"], m.get("percentage", {}).get("value")) for m in rule.get("mirrors", [])
        if m.get("percentage", {}).get("value") != 0]
    if "mirror" in rule and rule.get("mirrorPercentage", {}).get("value") != 0:
        action["request_mirror_policies"].append(mirror(rule["mirror"], rule.get("mirrorPercentage", {}).get("value")))
    if len(rule["route"]) == 1:
        share, = rule["route"]
        action["cluster"] = cluster(share["destination"])
        lists, own = changes(share.get("headers", {}))
        for name, values in lists.items():
            made[name] = made[name] + values
        authority = authority or own
    else:
        shares = []
        for share in rule["route"]:
            if share.get("weight", 0):
                lists, own = changes(share.get("headers", {}))
                shares.append({"name": cluster(share["destination"]), "weight": share["weight"], **lists,
                               **({"host_rewrite_literal": own} if own else {})})
        action["weighted_clusters"] = {"clusters": shares}
    if authority:
        action["host_rewrite_literal"] = authority
    retry = retry_policy(rule.get("retries"))
    if retry:
        action["retry_policy"] = retry
    made["route"] = action


def route(rule, match, gateway=False):
    lists, authority = changes(rule.get("headers", {}))
    made = {"match": route_match(match, gateway), **lists}
    if "redirect" in rule:
        made["redirect"] = redirect(rule["redirect"])
    elif "directResponse" in rule:
        made["direct_response"] = direct_response(rule["directResponse"])
    else:
        forward(made, rule, authority, gateway)
    filters = {**(fault(rule["fault"]) if "fault" in rule else {}), **(cors(rule["corsPolicy"]) if "corsPolicy" in rule else {})}
    if filters:
        made["typed_per_filter_config"] = filters
    return made


def virtual_service(spec):
    """The routes of a VirtualService's host on our port."""
    made = []
    for rule in spec["http"]:
        for match in rule.get("match", [{}]):
            if match.get("port", PORT) == PORT:
                made.append(route(rule, match))
    return made


# ---- Gateway API ----

def from_gateway_match(match):
    """A match of an HTTPRoute in a VirtualService's words."""
    path = match.get("path", {})
    value = path.get("value", "/")
    kind = {"PathPrefix": "prefix", "Exact": "exact", "RegularExpression": "regex"}[path.get("type", "PathPrefix")]
    if kind == "prefix" and value != "/":
        value = value.removesuffix("/")
    made = {"uri": {kind: value}}
    if "method" in match:
        made["method"] = {"exact": match["method"]}
    for theirs, ours in (("headers", "headers"), ("queryParams", "queryParams")):
        if match.get(theirs):
            made[ours] = {entry["name"]: {"regex" if entry.get("type") == "RegularExpression" else "exact": entry["value"]}
                          for entry in reversed(match[theirs])}
    return made


def from_gateway_headers(said):
    return {"set": {e["name"]: e["value"].replace("%", "%%") for e in reversed(said.get("set", []))},
            "add": {e["name"]: e["value"].replace("%", "%%") for e in reversed(said.get("add", []))},
            "remove": said.get("remove", [])}


def from_gateway_redirect(said):
    made = {"redirectCode": said.get("statusCode", 302), "authority": said.get("hostname", ""),
            "scheme": said.get("scheme", "")}
    if "port" in said:
        made["port"] = said["port"]
    elif "scheme" not in said:
        made["derivePort"] = "FROM_REQUEST_PORT"
    path = said.get("path", {})
    if path.get("type") == "ReplaceFullPath":
        made["uri"] = path["replaceFullPath"]
    elif path:
        made["prefixRewrite"] = path["replacePrefixMatch"]
    return made


def from_gateway_rewrite(said):
    made = {"authority": said.get("hostname", "")}
    path = said.get("path", {})
    if path.get("type") == "ReplaceFullPath":
        made["uriRegexRewrite"] = {"match": "/.*", "rewrite": path["replaceFullPath"]}
    elif path:
        made["uri"] = path["replacePrefixMatch"].removesuffix("/") or "/"
    return made


def seconds(duration):
    """A duration of Gateway API, of which the tests have milliseconds and seconds, as protobuf writes it."""
    return f"{int(duration[:-2]) / 1000}s" if duration.endswith("ms") else duration


def backend(ref):
    return {"host": hostname(ref["name"]), "port": {"number": ref["port"]}}


def from_gateway_filters(filters, made):
    for said in filters:
        kind = said["type"]
        if kind in ("RequestHeaderModifier", "ResponseHeaderModifier"):
            way = "request" if kind.startswith("Request") else "response"
            made.setdefault("headers", {})[way] = from_gateway_headers(said[way + "HeaderModifier"])
        elif kind == "RequestRedirect":
            made["redirect"] = from_gateway_redirect(said["requestRedirect"])
        elif kind == "URLRewrite":
            made["rewrite"] = from_gateway_rewrite(said["urlRewrite"])
        elif kind == "RequestMirror":
            made.setdefault("mirrors", []).append({"destination": backend(said["requestMirror"]["backendRef"])})


def from_gateway_rule(rule):
    made = {}
    from_gateway_filters(rule.get("filters", []), made)
    timeouts = rule.get("timeouts", {})
    # Without a stanza of its own for retries, the limit of one try is the limit of the whole.
    for name in ("request", "backendRequest"):
        if timeouts.get(name, "0s") != "0s":
            made["timeout"] = seconds(timeouts[name])
    refs = [ref for ref in rule.get("backendRefs", []) if ref.get("weight", 1)]
    if "redirect" in made:
        return made
    if not refs:
        return {**made, "directResponse": {"status": 500}}
    made["route"] = []
    for ref in refs:
        share = {"destination": backend(ref), "weight": ref.get("weight", 1)}
        from_gateway_filters(ref.get("filters", []), share)
        made["route"].append(share)
    return made


def precedence(pair):
    match = pair[1]
    kind, value = next(iter(match["uri"].items()))
    return (-URI_RANK[kind], -len(value), "method" not in match, -len(match.get("headers", {})),
            -len(match.get("queryParams", {})))


def http_route(spec):
    """The routes of an HTTPRoute whose parent is a Service: the most specific match first."""
    pairs = []
    for rule in spec["rules"]:
        for match in rule.get("matches") or [{}]:
            pairs.append((from_gateway_rule(rule), from_gateway_match(match)))
    return [route(rule, match, gateway=True) for rule, match in sorted(pairs, key=precedence)]


def default_route(service):
    return route({"route": [{"destination": {"host": service}}]}, {})
