"""HTTP servers and proxies with their clients; their ports are declared http."""
import builds
from program import PEER, program

NODE = f"node {builds.NODE}/peer.js"
NGINX = """
user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 500; }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 100m;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen {port}; root {root};
        location /numbers {{ rewrite .* /tree/numbers break; }}
        location /direct/ {{ alias {root}/; sendfile off; directio 512; }}
        location /back/ {{ proxy_pass http://{back}/; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def curls(run, url, file="file.bin"):
    """What curl shows of a server that has the file: whole, in ranges, on one connection, with 304s."""
    run.client("a download", run.same(f"curl -sS {url}/{file}"))
    run.client("20 downloads on one connection", f"""
        curl -sS -w '%{{http_code}} %{{num_connects}}\\n' $(for i in $(seq 20); do echo {url}/tree/numbers -o one.$i; done) |
            sort | uniq -c
        md5sum <one.20; cat one.* | wc -c""")
    run.client("ranges", f"""
        for i in 1 2 3 4 5; do curl -sS -r ${{i}}000000-${{i}}500000 {url}/{file}; done | md5sum
        curl -sS -o nothing -w '%{{http_code}}' -r 99000000- {url}/{file}""")
    run.client("heads and what is not there", f"""
        curl -sSI {url}/{file} | grep -i content-length
        curl -sS -o nothing -w '%{{http_code}}\\n' {url}/absent""")


def uploads(run, url):
    """What curl shows of a server that sums what it is sent."""
    run.client("an upload", f"curl -sS --data-binary @{run.file} {url}/sum")
    run.client("an upload without a question before", f"curl -sS -H Expect: --data-binary @{run.file} {url}/sum")
    run.client("small uploads on one connection", f"""
        words=(); for i in $(seq 40); do words+=(--next -sS -d word$i {url}/sum); done
        curl "${{words[@]:1}}" | md5sum""")


@program("nginx", short=True, auto=True)
def nginx(run):
    port, back = run.port(), run.port()
    end = run.server(f"exec {PEER} web {back} {run.file}", http=[back], name="back")
    config = run.write("nginx.conf", NGINX.format(
        folder=run.folder, port=port, root=run.material, back=f"{end}:{back}"))
    url = f"http://{run.server(f'exec nginx -c {config}', http=[port])}:{port}"
    curls(run, url)
    run.client("without sendfile", run.same(f"curl -sS {url}/direct/file.bin"))
    run.client("as a proxy", run.same(f"curl -sS {url}/back/file"))
    uploads(run, f"{url}/back")
    run.client("wrk", f"wrk -t 1 -c 8 -d 1 {url}/numbers | grep -cE 'Socket errors|Non-2xx' || true")


@program("python-http", short=True)
def python_http(run):
    port = run.port()
    host = run.server(f"exec {PEER} web {port} {run.file}", http=[port])
    run.client("http.client, one connection", f"{PEER} fetch {host} {port}")
    run.client("curl, a download", run.same(f"curl -sS http://{host}:{port}/file"))
    uploads(run, f"http://{host}:{port}")


@program("haproxy-http", builds=("go",))
def haproxy_http(run):
    """docs/splicing.md: what reads HTTP with splice(2) is not seen, and is given --splice off."""
    port, back = run.port(), run.port()
    end = run.server(f"exec {builds.GO} web {back} {run.file}", http=[back], name="back")
    config = run.write("haproxy.cfg", f"""
global
    maxconn 500
defaults
    mode http
    timeout connect 3s
    timeout client 6s
    timeout server 6s
    option splice-auto
    option splice-request
    option splice-response
listen web
    bind 0.0.0.0:{port}
    server end {end}:{back}
""")
    host = run.server(f"exec haproxy -db -f {config}", http=[port], options=("--splice", "off"))
    run.client("a download", run.same(f"curl -sS http://{host}:{port}/file"))
    uploads(run, f"http://{host}:{port}")
    run.client("Go's client", f"{builds.GO} fetch {host} {port}")


@program("lighttpd")
def lighttpd(run):
    port = run.port()
    config = run.write("lighttpd.conf", f"""
server.document-root = "{run.material}"
server.port = {port}
server.bind = "0.0.0.0"
server.max-keep-alive-requests = 100
""")
    host = run.server(f"exec lighttpd -D -f {config}", http=[port])
    curls(run, f"http://{host}:{port}")
    run.client("ab with kept connections", f"""
        ab -q -k -n 400 -c 8 http://{host}:{port}/tree/numbers |
            grep -E '^(Complete|Failed|Non-2xx|Document Length)' | tr -s ' '""", 30)
    run.client("ab without", f"""
        ab -q -n 200 -c 8 http://{host}:{port}/tree/deep/some.bin |
            grep -E '^(Complete|Failed|Non-2xx|Document Length)' | tr -s ' '""", 30)


@program("go-http", builds=("go", "node"), auto=True)
def go_http(run):
    port = run.port()
    host = run.server(f"exec {builds.GO} web {port} {run.file}", http=[port])
    run.client("net/http", f"{builds.GO} fetch {host} {port}")
    run.client("Node's client", f"{NODE} fetch {host} {port}")
    run.client("Python's client", f"{PEER} fetch {host} {port}")
    run.client("a download", run.same(f"curl -sS http://{host}:{port}/file"))
    uploads(run, f"http://{host}:{port}")
    run.client("an upload of unknown length", f"curl -sS -T - http://{host}:{port}/sum <{run.file}")


@program("node-http", builds=("node", "go"))
def node_http(run):
    port = run.port()
    host = run.server(f"exec {NODE} web {port} {run.file}", http=[port])
    run.client("Node's client", f"{NODE} fetch {host} {port}")
    run.client("Go's client", f"{builds.GO} fetch {host} {port}")
    run.client("a download", run.same(f"curl -sS http://{host}:{port}/file"))
    uploads(run, f"http://{host}:{port}")
    run.client("an upload of unknown length", f"curl -sS -T - http://{host}:{port}/sum <{run.file}")


@program("java-http")
def java_http(run):
    port = run.port()
    host = run.server(
        f"exec $JAVA_HOME/bin/java -Xmx200m -m jdk.httpserver -b 0.0.0.0 -p {port} -d {run.material} -o none", http=[port])
    run.client("a download", run.same(f"curl -sS http://{host}:{port}/file.bin"))
    run.client("20 downloads on one connection", f"""
        curl -sS -w '%{{http_code}} %{{num_connects}}\\n' \\
            $(for i in $(seq 20); do echo http://{host}:{port}/tree/numbers -o one.$i; done) | sort | uniq -c
        md5sum <one.20; cat one.* | wc -c""")
