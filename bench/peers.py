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
    """An nginx that answers each path of `bodies` with a body of so many bytes (up to 1,024, or a multiple of it), large
    ones from a file."""
    locations = ""
    for path, size in bodies.items():
        if size > 256 << 10:
            body = write(folder, f"{name}.{size}", "x" * size)
            locations += f"location = {path} {{ sendfile on; alias {body}; }} "
            continue
        # One parameter of its configuration may have 4 KiB.
        body = "x" * size if size < 1024 else "$kilobyte" * (size // 1024)
        locations += f"location {'/' if path == '/' else '= ' + path} {{ return 200 '{body}'; }} "
    kilobyte = f"set $kilobyte '{'x' * 1024}';"
    return nginx(folder, name, f"server {{ listen {listen} backlog=4096; {kilobyte} {locations}}}")


def envoy_hop(folder, listen, back, name="envoy", h2=False, certificate=None):
    """An Envoy that forwards 127.0.0.1:listen to 127.0.0.1:back by a table of twenty routes, timeouts off: whatever comes to
    HTTP/1.1, or to HTTP/2 with `h2`; behind TLS with a `certificate`, which is a pair of files."""
    routes = "".join(
        f"\n              - {{ match: {{ prefix: /never/{i}/ }}, route: {{ cluster: back, timeout: 0s }} }}"
        for i in range(ROUTES - 1)
    )
    upstream = (
        """
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }"""
        if h2
        else ""
    )
    transport = (
        f"""
      transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2, http/1.1]
            tls_certificates:
            - certificate_chain: {{ filename: {certificate[0]} }}
              private_key: {{ filename: {certificate[1]} }}"""
        if certificate
        else ""
    )
    return write(
        folder,
        f"{name}.yaml",
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
              - {{ match: {{ prefix: / }}, route: {{ cluster: back, timeout: 0s }} }}{transport}
  clusters:
  - name: back
    type: STATIC{upstream}
    load_assignment:
      cluster_name: back
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {back} }} }} }} }}] }}]
""",
    )


def nginx_proxy(folder, listen, back, name="front", certificate=None):
    """An nginx that forwards 127.0.0.1:listen to 127.0.0.1:back over kept connections; behind TLS with a `certificate`."""
    # Its default is TLS 1.2 alone in some versions: then it would be compared with what the others do in TLS 1.3.
    tls = f"ssl_certificate {certificate[0]}; ssl_certificate_key {certificate[1]}; ssl_protocols TLSv1.2 TLSv1.3;" if certificate else ""
    return nginx(
        folder,
        name,
        f"""upstream back {{ server 127.0.0.1:{back}; keepalive 256; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{listen} {"ssl" if certificate else ""} backlog=4096; {tls}
    location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; }} }}""",
    )


def haproxy(folder, listen, back, name="haproxy", h2=False, certificate=None):
    """The same of HAProxy, with one thread; HTTP/2 on both sides with `h2`."""
    pair = ""
    if certificate:
        with open(certificate[0]) as chain, open(certificate[1]) as key:
            pair = write(folder, f"{name}.pair.pem", chain.read() + key.read())
    return write(
        folder,
        f"{name}.cfg",
        f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 1h
  timeout server 1h
  timeout connect 5s
  http-reuse always
frontend front
  bind 127.0.0.1:{listen}{" proto h2" if h2 else ""}{f" ssl crt {pair} alpn h2,http/1.1" if pair else ""}
  default_backend back
backend back
  server one 127.0.0.1:{back} pool-max-conn 256{" proto h2" if h2 else ""}
""",
    )
