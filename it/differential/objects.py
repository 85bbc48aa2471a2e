"""Istio's and Gateway API's objects, as far as the configurations here have them in common."""

ISTIO = "networking.istio.io/v1"
SUBSETS = {"alpha": ["v1", "v2", "v3"]}


def _object(api, kind, name, spec):
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def destination_rules():
    return [_object(ISTIO, "DestinationRule", service, {
        "host": service, "subsets": [{"name": version, "labels": {"version": version}} for version in versions]})
            for service, versions in SUBSETS.items()]


def virtual_service(service, *rules):
    return _object(ISTIO, "VirtualService", service, {"hosts": [service], "http": list(rules)})


def http_route(service, *rules):
    parent = {"group": "", "kind": "Service", "name": service, "port": 9080}
    return _object("gateway.networking.k8s.io/v1", "HTTPRoute", service, {"parentRefs": [parent], "rules": list(rules)})


def policy(name, spec):
    return _object("security.istio.io/v1", "AuthorizationPolicy", name, spec)


def to(version, **more):
    return {"destination": {"host": "alpha", "subset": version}, **more}


def rule(version, *matches, **more):
    """A rule for requests that forwards to a version of alpha, unless `more` has it do something else."""
    action = {} if {"route", "redirect", "directResponse"} & more.keys() else {"route": [to(version)]}
    return {**({"match": list(matches)} if matches else {}), **action, **more}


def at(prefix, version="v1", **more):
    """A rule for the paths with this prefix."""
    return rule(version, {"uri": {"prefix": prefix}}, **more)


def ref(service, **more):
    return {"name": service, "port": 9080, **more}


def below(prefix, *filters, backends=("beta",)):
    """A rule of an HTTPRoute for the paths below a prefix."""
    return {"matches": [{"path": {"type": "PathPrefix", "value": prefix}}], "filters": list(filters),
            **({"backendRefs": [ref(service) for service in backends]} if backends else {})}


def modifier(way, **changes):
    kind = way.title() + "HeaderModifier"
    return {"type": kind, kind[0].lower() + kind[1:]: {
        name: value if name == "remove" else [{"name": n, "value": v} for n, v in value.items()]
        for name, value in changes.items()}}
