"""Requests and bytes between two nodes under mutual TLS 1.3: two node proxies with a tunnel between them (HBONE), against two
Envoys that speak HTTP/1.1 over mutual TLS. Both proxies of a pair share one core, load generator and back end the other."""
import os
import subprocess
import sys
import time

from harness import HOME, Scenario, arguments, cpu_seconds, descendants, envoy, need, note, wait_port, wrk
from node import flags, java_home, proxy_class_path
from peers import ROUTES, nginx_origin, write

WEB = "127.0.1.7"
BACK = 21_391
PORTS = {"tulle": 21_392, "envoy": 21_393}
FAR = 21_394
UNDER_TEST = 0
OTHERS = 1
SMALL = 1 << 10
LARGE = 1 << 30


def certificates(folder):
    """An authority and what both Envoys show, with openssl."""

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem")
    openssl("req", "-new", *key, "-subj", "/CN=leaf", "-keyout", "leaf.key", "-out", "leaf.csr")
    write(folder, "leaf.ext", "keyUsage=critical,digitalSignature\nsubjectAltName=URI:spiffe://cluster.local/ns/default/sa/web\n")
    openssl("x509", "-req", "-days", "2", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key", "-set_serial", "7", "-extfile", "leaf.ext", "-out", "leaf.pem")


def tls(folder, kind, more=""):
    return f"""
transport_socket:
  name: tls
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{kind}
    {more}
    common_tls_context:
      tls_params: {{ tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3 }}
      tls_certificates: [{{ certificate_chain: {{ filename: {folder}/leaf.pem }}, private_key: {{ filename: {folder}/leaf.key }} }}]
      validation_context: {{ trusted_ca: {{ filename: {folder}/root.pem }} }}
"""


def indented(text, by):
    return "".join(" " * by + line + "\n" for line in text.strip("\n").split("\n"))


def envoy_end(folder, name, listen, address, port, down="", up=""):
    """One of the two Envoys: the same twenty routes and no timeouts."""
    routes = "".join(
        f"\n              - {{ match: {{ prefix: /never/{i}/ }}, route: {{ cluster: next, timeout: 0s }} }}" for i in range(ROUTES - 1)
    )
    return write(
        folder,
        f"{name}.yaml",
        f"""
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {listen} }} }}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: http
          codec_type: HTTP1
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:{routes}
              - {{ match: {{ prefix: / }}, route: {{ cluster: next, timeout: 0s }} }}
          http_filters:
          - name: router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
{indented(down, 6)}
  clusters:
  - name: next
    connect_timeout: 5s
    load_assignment:
      cluster_name: next
      endpoints: [{{ lb_endpoints: [{{ endpoint: {{ address: {{ socket_address: {{ address: {address}, port_value: {port} }} }} }} }}] }}]
{indented(up, 4)}
""",
    )


def main():
    options = arguments(__doc__, seconds=6)
    for program, package in (("nginx", "nginx-light"), ("wrk", "wrk"), ("openssl", "openssl"), ("curl", "curl")):
        need(program, package)
    with Scenario("mtls") as scenario:
        folder = scenario.folder
        certificates(folder)
        origin = nginx_origin(folder, "back", f"{WEB}:{BACK}", {"/": SMALL, "/large": LARGE})
        scenario.start(["nginx", "-e", f"{folder}/back.start", "-c", origin], cpu=OTHERS)
        wait_port(BACK, host=WEB)
        java = os.path.join(java_home(), "bin", "java")
        nodes = os.path.join(folder, "nodes")
        os.makedirs(nodes)
        far = envoy_end(folder, "far", FAR, WEB, BACK, down=tls(folder, "DownstreamTlsContext", "require_client_certificate: true"))
        near = envoy_end(folder, "near", PORTS["envoy"], "127.0.0.1", FAR, up=tls(folder, "UpstreamTlsContext"))
        peers = {
            "tulle": [[java, *flags(), "-cp", proxy_class_path(), "dev.tulle.proxy.TunnelMain", nodes, str(PORTS["tulle"]), str(BACK)]],
            "envoy": [[envoy(), "-c", end, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"] for end in (far, near)],
        }
        running = {}
        for peer, commands in peers.items():
            running[peer] = [scenario.start(command, cpu=UNDER_TEST) for command in commands]
            wait_port(PORTS[peer], seconds=60)

        def pids(peer):
            return [pid for process in running[peer] for pid in descendants(process.pid)]

        def requests(peer, seconds):
            before = cpu_seconds(pids(peer))
            figures = wrk(f"http://127.0.0.1:{PORTS[peer]}/", seconds, cpu=OTHERS)
            if figures["errors"]:
                raise RuntimeError(f"{peer}: {figures['errors']} errors")
            return {
                "cpu_us_per_request": (cpu_seconds(pids(peer)) - before) * 1e6 / figures["requests"],
                "requests_per_s": figures["requests_per_s"],
                "p99_us": figures["p99_us"],
            }

        def transfer(peer):
            before, began = cpu_seconds(pids(peer)), time.monotonic()
            command = ["taskset", "-c", str(OTHERS), "curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}"]
            done = subprocess.run([*command, f"http://127.0.0.1:{PORTS[peer]}/large"], capture_output=True, text=True, check=True)
            if int(done.stdout) != LARGE:
                raise RuntimeError(f"{peer}: {done.stdout} bytes of {LARGE}")
            return {
                "mib_per_s": (LARGE >> 20) / (time.monotonic() - began),
                "cpu_s_per_gib": cpu_seconds(pids(peer)) - before,
            }

        note("warming by load")
        for _ in range(4):
            requests("tulle", 5)
        transfer("tulle")
        requests("envoy", 1)
        for number in range(options.rounds):
            note(f"round {number + 1} of {options.rounds}")
            for peer in peers:
                scenario.add(peer, {**requests(peer, options.seconds), **transfer(peer)})
        ratios = {}
        for metric in ("cpu_us_per_request", "mib_per_s", "cpu_s_per_gib"):
            ratios.update(scenario.ratios(metric, "tulle", "envoy"))
        scenario.report(
            ["cpu_us_per_request", "requests_per_s", "p99_us", "mib_per_s", "cpu_s_per_gib"],
            ratios,
            [
                "Both proxies of a pair on one core; 64 connections in a closed loop, bodies of 1 KiB; then one of 1 GiB.",
                "tulle: both proxies in one JVM, a tunnel (HTTP/2 CONNECT) between them; Envoy: HTTP/1.1 over mutual TLS 1.3.",
                "Nothing discarded but the warming: 20 s of load and one large body for tulle, 1 s for Envoy.",
            ],
        )


if __name__ == "__main__":
    sys.exit(main())
