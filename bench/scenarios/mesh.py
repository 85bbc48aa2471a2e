"""Service to service on one host: two unmodified programs (wrk and nginx), direct and through the mesh in each tier."""
import os
import subprocess
import sys
import time

from harness import Mesh, Scenario, arguments, envoy, need, note, wait_port, wrk

PORT = 9180
WARM_SECONDS = 12
ROUTES = 20


def nginx_config(folder, name, port):
    path = os.path.join(folder, f"{name}.conf")
    with open(path, "w") as out:
        out.write(
            f"""daemon off; worker_processes 1; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; default_type text/plain;
 client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
 uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
 server {{ listen {port}; location / {{ return 200 "{'x' * 128}"; }} }} }}
"""
        )
    return path


def route_table():
    """A VirtualService whose last of 20 routes is the one that the load takes."""
    routes = "".join(
        f"  - match: [{{uri: {{prefix: /never/{i}/}}}}]\n    route: [{{destination: {{host: web}}}}]\n"
        for i in range(ROUTES - 1)
    )
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web, namespace: default}\n"
        f"spec:\n  hosts: [web]\n  http:\n{routes}  - route: [{{destination: {{host: web}}}}]\n"
    )


def envoy_config(folder):
    path = os.path.join(folder, "envoy.yaml")
    routes = "".join(
        f"              - {{match: {{prefix: /never/{i}/}}, route: {{cluster: web}}}}\n" for i in range(ROUTES - 1)
    )
    with open(path, "w") as out:
        out.write(
            f"""static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {PORT + 2}}}}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config:
            virtual_hosts:
            - name: web
              domains: ["*"]
              routes:
{routes}              - {{match: {{prefix: /}}, route: {{cluster: web}}}}
          http_filters:
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: web
    type: STATIC
    load_assignment:
      cluster_name: web
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {PORT + 1}}}}}}}}}]}}]
"""
        )
    return path


def in_mesh(scenario, tier, protocol, options):
    mesh = Mesh(scenario, tier)
    try:
        config = nginx_config(mesh.folder, "web", PORT)
        web = scenario.start(
            mesh.run_prefix("web", "--service", "web", "--port", f"{protocol}:{PORT}") + ["nginx", "-c", config]
        )
        if protocol == "http":
            manifest = os.path.join(mesh.folder, "route.yaml")
            with open(manifest, "w") as out:
                out.write(route_table())
            mesh.tulle("apply", "-f", manifest)
        load = mesh.run_prefix("load")
        url = f"http://web:{PORT}/hello"
        if tier == "explicit":
            url = f"http://127.0.0.1:{15080 + mesh.offset}/web/hello"
        wait_ready(load, url)
        wrk(url, WARM_SECONDS if protocol == "http" else 2, prefix=load)
        figures = wrk(url, options.seconds, prefix=load)
        web.terminate()
        web.wait(timeout=20)
        return figures
    finally:
        mesh.stop()


def wait_ready(prefix, url):
    end = time.time() + 20
    while time.time() < end:
        done = subprocess.run(prefix + ["curl", "-sf", "-o", "/dev/null", "-m", "3", url], capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.3)
    raise RuntimeError(f"{url} does not answer: {done.stderr}")


def main():
    options = arguments(__doc__)
    for program, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("curl", "curl")):
        need(program, package)
    with Scenario("mesh") as scenario:
        direct = f"http://127.0.0.1:{PORT + 1}/hello"
        scenario.start(["nginx", "-c", nginx_config(scenario.folder, "direct", PORT + 1)])
        scenario.start([envoy(), "-c", envoy_config(scenario.folder), "--concurrency", "1", "-l", "error"])
        wait_port(PORT + 1)
        wait_port(PORT + 2)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            wrk(direct, 1)
            scenario.add("direct", wrk(direct, options.seconds))
            for name, tier, protocol in (
                ("splice", "splice", "http"),
                ("redirect", "redirect", "http"),
                ("nftables", "nftables", "http"),
                ("explicit", "explicit", "http"),
                ("kernel-l4", "splice", "tcp"),
            ):
                scenario.add(name, in_mesh(scenario, tier, protocol, options))
            wrk(f"http://127.0.0.1:{PORT + 2}/hello", 2)
            scenario.add("envoy", wrk(f"http://127.0.0.1:{PORT + 2}/hello", options.seconds))
        ratios = {}
        for over, below in (
            ("splice", "nftables"),
            ("splice", "redirect"),
            ("splice", "direct"),
            ("kernel-l4", "direct"),
            ("splice", "envoy"),
        ):
            ratios.update(scenario.ratios("requests_per_s", over, below))
        scenario.report(
            ["requests_per_s", "p50_us", "p99_us", "errors"],
            ratios,
            [f"64 connections, {ROUTES} routes, metrics on; the JVM warmed by {WARM_SECONDS} s of load in each round."],
        )


if __name__ == "__main__":
    sys.exit(main())
