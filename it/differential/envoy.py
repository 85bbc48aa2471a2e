"""A real Envoy with a static configuration: for each configuration a client's listener per service, and a server's
per workload that policies are about.

Everything is on port 9080, as in the mesh, at addresses of the loopback interface of their own.
"""
import json
import os
import socket
import subprocess
import time

import policies
import translate

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
EXTENSIONS = "type.googleapis.com/envoy.extensions.filters.http."
PASSTHROUGH = "PassthroughCluster"


def binary():
    """The path of an Envoy; installs one where TULLE_ENVOY does not name one."""
    done = subprocess.run([os.path.join(HOME, "control/src/test/envoy/binary")], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


class Places:
    """Where things are: `workloads` is {(service, version): number}."""

    def __init__(self, workloads):
        self.workloads = {w: number for number, w in enumerate(workloads)}
        self.services = list(dict.fromkeys(service for service, _ in workloads))

    def server(self, workload):
        return f"127.72.0.{10 + self.workloads[workload]}"

    def inbound(self, number, workload):
        return f"127.{73 + number // 250}.{number % 250}.{100 + self.workloads[workload]}"

    def outbound(self, number, service):
        return f"127.{73 + number // 250}.{number % 250}.{1 + self.services.index(service)}"


def listener(name, address, hosts, filters, **more):
    chain = filters + [
        {"name": "envoy.filters.http.fault", "typed_config": {"@type": EXTENSIONS + "fault.v3.HTTPFault"}},
        {"name": "envoy.filters.http.cors", "typed_config": {"@type": EXTENSIONS + "cors.v3.Cors"}},
        {"name": "envoy.filters.http.router", "typed_config": {"@type": EXTENSIONS + "router.v3.Router"}},
    ]
    manager = {
        "@type": MANAGER, "stat_prefix": "http", "codec_type": "AUTO", "normalize_path": True, "merge_slashes": False,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED", "use_remote_address": False, "stream_idle_timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "websocket"}], "http_filters": chain,
        "route_config": {"name": name, "virtual_hosts": hosts, "validate_clusters": False,
                         "max_direct_response_body_size_bytes": 1 << 20, **more},
    }
    return {"name": name, "address": at(address), "filter_chains": [{"filters": [
        {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}


def at(address):
    return {"socket_address": {"address": address, "port_value": translate.PORT}}


def static_cluster(name, addresses):
    most = 2 ** 32 - 1
    return {"name": name, "type": "STATIC", "connect_timeout": "10s", "lb_policy": "LEAST_REQUEST",
            "circuit_breakers": {"thresholds": [{"max_connections": most, "max_pending_requests": most,
                                                 "max_requests": most, "max_retries": most}]},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": at(address)}} for address in addresses]}]}}


def domains(service):
    name = translate.hostname(service)
    return [name, name + ".", service, f"{service}.default", f"{service}.default.svc"]


def renamed(value, prefix):
    """Routes with the clusters of one configuration: all of them are in one Envoy."""
    if isinstance(value, list):
        return [renamed(inner, prefix) for inner in value]
    if isinstance(value, dict):
        return {k: renamed(v, prefix) for k, v in value.items()}
    return prefix + value if isinstance(value, str) and value.startswith("outbound|") else value


def of_configuration(places, configuration):
    """(listeners, clusters) of one."""
    number, prefix = configuration["number"], f"{configuration['number']}/"
    routes, guards, subsets = {}, [], {}
    for manifest in configuration["manifests"]:
        spec = manifest["spec"]
        if manifest["kind"] == "VirtualService":
            routes[spec["hosts"][0]] = translate.virtual_service(spec)
        elif manifest["kind"] == "HTTPRoute":
            routes[spec["parentRefs"][0]["name"]] = translate.http_route(spec)
        elif manifest["kind"] == "DestinationRule":
            subsets[spec["host"]] = {s["name"]: s["labels"]["version"] for s in spec["subsets"]}
        elif manifest["kind"] == "AuthorizationPolicy":
            guards.append(manifest)
    hosts = [{"name": service, "domains": domains(service), "include_request_attempt_count": True,
              "routes": renamed(routes.get(service) or [translate.default_route(service)], prefix)}
             for service in places.services]
    listeners, clusters, entrances = [], [], {}
    for workload in places.workloads:
        service, version = workload
        guard = policies.filters(guards, {"app": service, "version": version})
        entrances[workload] = places.server(workload)
        if guard:
            # What a policy is asked about is what the server's own Envoy gets, after the client's has changed it.
            entrances[workload] = places.inbound(number, workload)
            name = f"{prefix}inbound|{service}|{version}"
            route = {"match": {"prefix": "/"}, "route": {
                "cluster": name, "timeout": "0s", "retry_policy": {"retry_on": "reset-before-request", "num_retries": 2}}}
            listeners.append(listener(name, entrances[workload],
                                      [{"name": "inbound", "domains": ["*"], "routes": [route]}], guard))
            clusters.append(static_cluster(name, [places.server(workload)]))
    for service in places.services:
        all_of = [(w, entrance) for w, entrance in entrances.items() if w[0] == service]
        past = {"name": "allow_any", "domains": ["*"], "routes": [
            {"match": {"prefix": "/"}, "route": {"cluster": f"{prefix}{PASSTHROUGH}|{service}", "timeout": "0s"}}]}
        listeners.append(listener(f"{prefix}{service}", places.outbound(number, service), hosts + [past], [],
                                  ignore_port_in_host_matching=True))
        clusters.append(static_cluster(f"{prefix}{PASSTHROUGH}|{service}", [entrance for _, entrance in all_of]))
        for subset, version in [("", None), *subsets.get(service, {}).items()]:
            name = prefix + translate.cluster({"host": service, "subset": subset})
            clusters.append(static_cluster(name, [entrance for w, entrance in all_of if version in (None, w[1])]))
    return listeners, clusters


class Envoy:
    """One process that holds all these configurations."""

    def __init__(self, folder, places, configurations):
        listeners, clusters = [], []
        for configuration in configurations:
            more_listeners, more_clusters = of_configuration(places, configuration)
            listeners += more_listeners
            clusters += more_clusters
        path = os.path.join(folder, "envoy.json")
        with open(path, "w") as file:
            json.dump({"node": {"id": "differential", "cluster": "differential"},
                       "static_resources": {"listeners": listeners, "clusters": clusters}}, file)
        self.log = os.path.join(folder, "envoy.log")
        self.process = subprocess.Popen(
            [binary(), "-c", path, "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning",
             "--disable-hot-restart"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        self.last = places.outbound(configurations[-1]["number"], places.services[-1])

    def wait_ready(self, seconds=120):
        end = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                with open(self.log, errors="replace") as log:
                    text = "".join(line[:300].rstrip() + "\n" for line in log.readlines()[:5])
                raise RuntimeError(f"Envoy ended with status {self.process.returncode}:\n{text}")
            try:
                socket.create_connection((self.last, translate.PORT), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise RuntimeError(f"Envoy does not listen after {seconds} s") from None
                time.sleep(0.1)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
