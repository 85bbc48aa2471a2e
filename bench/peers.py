"""Configurations of the real peers, one place for all scenarios: nginx as back end, nginx and Envoy as proxies."""
import os

# A route table as a service in use has: the load takes the last route, so every other one is looked at.
ROUTES = 20


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as out:
        out.write(text)
    return path


def nginx(folder, name, server):
    """An nginx with one worker, without access log, whose connections never end by count or time."""
    return write(
        folder,
        f"{name}.conf",
        f"""
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600; default_type text/plain;
  client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy;
  fastcgi_temp_path {folder}/{name}.fcgi; uwsgi_temp_path {folder}/{name}.uwsgi; scgi_temp_path {folder}/{name}.scgi;
  {server}
}}
""",
    )


def nginx_origin(folder, name, listen, bodies):
    """An nginx that answers each path of `bodies` with a body of so many bytes (up to 1,024, or a multiple of it)."""
    locations = ""
    for path, size in bodies.items():
        # One parameter of its configuration may have 4 KiB.
        body = "x" * size if size < 1024 else "$kilobyte" * (size // 1024)
        locations += f"location {'/' if path == '/' else '= ' + path} {{ return 200 '{body}'; }} "
    kilobyte = f"set $kilobyte '{'x' * 1024}';"
    return nginx(folder, name, f"server {{ listen {listen} backlog=4096; {kilobyte} {locations}}}")


def envoy_hop(folder, listen, back):
    """An Envoy that forwards 127.0.0.1:listen to 127.0.0.1:back by a table of twenty routes, timeouts off."""
    routes = "".join(
        f"\n              - {{ match: {{ prefix: /never/{i}/ }}, route: {{ cluster: back, timeout: 0s }} }}"
        for i in range(ROUTES - 1)
    )
    return write(
        folder,
        "envoy.yaml",
        f"""
static_resources:
  listeners:
  - name: front
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {listen} }} }}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:{routes}
              - {{ match: {{ prefix: / }}, route: {{ cluster: back, timeout: 0s }} }}
  clusters:
  - name: back
    type: STATIC
    load_assignment:
      cluster_name: back
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {back} }} }} }} }}] }}]
""",
    )
