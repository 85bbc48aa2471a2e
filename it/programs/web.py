"""HTTP servers and proxies with their clients; their ports are declared http."""
from program import program

NGINX = """
user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 500; }}
http {{
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 100m;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


@program("nginx", short=True)
def nginx(run):
    port = run.port()
    config = run.write("nginx.conf", NGINX.format(folder=run.folder, servers=f"""
        server {{ listen {port}; root {run.file.rsplit("/", 1)[0]}; }}"""))
    host = run.server(f"exec nginx -c {config}", http=[port])
    run.client("a file by sendfile", run.same(f"curl -sS http://{host}:{port}/file.bin"))
