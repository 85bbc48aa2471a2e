"""Relays between a client and a server, each a workload: what splices, what reads and writes, what speaks TLS."""
import builds
from program import PEER, program

GO = builds.GO


def ends(run):
    """The server behind a relay: its host and the ports of the exchange and of the conversation."""
    port, lines = run.port(), run.port()
    host = run.server(f"{PEER} lines {lines} & exec {PEER} serve {port}", port, lines, name="end")
    return host, port, lines


def through(run, host, port, lines):
    """Go's client does not wait in its calls and gives up after 6 s."""
    run.client("five megabytes and their answer", f"{GO} send {host} {port}")
    run.client("100 bytes and their answer", f"{GO} send {host} {port} 100")
    run.client("a conversation", f"{GO} talk {host} {lines}")


@program("go-relay", builds=("go",), auto=True)
def go_relay(run):
    end, behind, behind_lines = ends(run)
    port, lines = run.port(), run.port()
    host = run.server(f"{GO} relay {port} {end} {behind} & exec {GO} relay {lines} {end} {behind_lines}", port, lines)
    through(run, host, port, lines)


@program("haproxy", builds=("go",))
def haproxy(run):
    end, behind, behind_lines = ends(run)
    port, lines = run.port(), run.port()
    config = run.write("haproxy.cfg", f"""
global
    maxconn 500
defaults
    mode tcp
    timeout connect 3s
    timeout client 10s
    timeout server 10s
    option splice-auto
    option splice-request
    option splice-response
listen exchange
    bind 0.0.0.0:{port}
    server end {end}:{behind}
listen lines
    bind 0.0.0.0:{lines}
    server end {end}:{behind_lines}
""")
    host = run.server(f"exec haproxy -db -f {config}", port, lines)
    through(run, host, port, lines)


@program("systemd-socket-proxyd", builds=("go",))
def proxyd(run):
    web, lines, port, relayed = (run.port() for _ in range(4))
    end = run.server(f"{PEER} web {web} {run.file} & exec {PEER} lines {lines}", web, lines, name="end")
    relay = "systemd-socket-activate -l 0.0.0.0:{} /usr/lib/systemd/systemd-socket-proxyd {}:{}"
    host = run.server(f"{relay.format(port, end, web)} & exec {relay.format(relayed, end, lines)}", port, relayed)
    run.client("a download", run.same(f"curl -sS -m 8 http://{host}:{port}/file"))
    run.client("a conversation", f"{GO} talk {host} {relayed}")


@program("nginx-stream", builds=("go",))
def nginx_stream(run):
    end, behind, behind_lines = ends(run)
    port, lines = run.port(), run.port()
    config = run.write("nginx.conf", f"""
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off; worker_processes 1; pid {run.folder}/nginx.pid; error_log {run.folder}/nginx.err;
events {{ worker_connections 500; }}
stream {{
    server {{ listen {port}; proxy_pass {end}:{behind}; proxy_half_close on; }}
    server {{ listen {lines}; proxy_pass {end}:{behind_lines}; }}
}}
""")
    host = run.server(f"exec nginx -c {config}", port, lines)
    through(run, host, port, lines)


@program("socat", builds=("go",))
def socat(run):
    end, behind, behind_lines = ends(run)
    port, lines, echo = run.port(), run.port(), run.port()
    relay = "socat TCP-LISTEN:{},fork,reuseaddr TCP:{}:{}"
    host = run.server(
        f"{relay.format(port, end, behind)} & {relay.format(lines, end, behind_lines)} &"
        f" exec socat TCP-LISTEN:{echo},fork,reuseaddr EXEC:cat", port, lines, echo)
    through(run, host, port, lines)
    run.client("a file through EXEC:cat", run.same(f"socat -t 8 - TCP:{host}:{echo} <{run.file}"))
    run.client("a question, its end, an answer", f"echo question | socat -t 8 - TCP:{host}:{port} | md5sum")


@program("nc")
def nc(run):
    end, behind, lines = ends(run)
    port = run.port()
    host = run.server(f"while nc.openbsd -l 0.0.0.0 {port} | md5sum >new.sum; do mv new.sum got.sum; done", port)
    run.client("a file, and its end", f"""
        nc.openbsd -N {host} {port} <{run.file}
        for i in $(seq 60); do [ ! -s got.sum ] || break; sleep 0.05; done
        sed 's/{run.sum} .*/the file/' got.sum""")
    run.client("a question, its end, an answer", f"echo question | nc.openbsd -N {end} {behind} | md5sum")
    run.client("lines", f"(echo one; sleep 0.2; echo two; sleep 0.5) | nc.openbsd -N {end} {lines}")


@program("openssl")
def openssl(run):
    port = run.port()
    run.once("tls.pem", "openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.pem -out cert.pem -subj /CN=end -days 2;"
                        " cat cert.pem >>tls.pem")
    host = run.server(
        f"cd {run.material} && exec openssl s_server -accept 0.0.0.0:{port} -cert tls.pem -key tls.pem -WWW", port)
    run.client("s_server, curl", run.same(f"curl -sSk https://{host}:{port}/file.bin"))
    run.client("s_client", f"printf 'GET /tree/numbers HTTP/1.0\\r\\n\\r\\n' |"
                           f" openssl s_client -quiet -ign_eof -connect {host}:{port} 2>/dev/null | md5sum")


@program("stunnel")
def stunnel(run):
    run.once("tls.pem", "openssl req -x509 -newkey rsa:2048 -nodes -keyout tls.pem -out cert.pem -subj /CN=end -days 2;"
                        " cat cert.pem >>tls.pem")
    end, _, lines = ends(run)
    port = run.port()
    config = run.write("stunnel.conf", f"""
foreground = yes
pid =
[lines]
accept = 0.0.0.0:{port}
connect = {end}:{lines}
cert = {run.material}/tls.pem
""")
    host = run.server(f"exec stunnel4 {config}", port)
    run.client("lines", f"(seq 100; sleep 1) | openssl s_client -quiet -no_ign_eof -connect {host}:{port} 2>/dev/null | md5sum")
