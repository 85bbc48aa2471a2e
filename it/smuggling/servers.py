"""The servers behind the mesh, as they come, each on a port of the host's loopback: they say what they have read."""
import os
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
SOURCES = os.path.join(HERE, "sources")
TARGET = os.path.join(HOME, "target", "smuggling")
# The system's, for which the packages are.
PYTHON = "/usr/bin/python3"

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_timeout 600; keepalive_requests 100000; client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; add_header X-Seen "$request_method $request_uri" always; location / {{ return 200 "ok"; }} }}
}}
"""
HAPROXY = """
global
    maxconn 500
defaults
    mode http
    timeout client 600s
    timeout http-keep-alive 600s
    timeout connect 3s
    timeout server 3s
frontend peer
    bind 127.0.0.1:{port}
    http-request return status 200 content-type text/plain hdr X-Seen "%[method] %[pathq]" string "ok"
"""
APACHE = """
ServerRoot {folder}
ServerName peer
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule headers_module {modules}/mod_headers.so
LoadModule rewrite_module {modules}/mod_rewrite.so
ErrorLog {folder}/apache.err
User nobody
Group nogroup
KeepAlive On
KeepAliveTimeout 600
MaxKeepAliveRequests 0
DocumentRoot {folder}
RewriteEngine On
RewriteRule ^ - [R=200,L]
Header always set X-Seen "expr=%{{THE_REQUEST}}"
"""


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(text)
    return path


def nginx(folder, port):
    config = write(folder, "nginx.conf", NGINX.format(folder=folder, port=port))
    return ["nginx", "-e", folder + "/nginx.start", "-c", config]


def haproxy(folder, port):
    return ["haproxy", "-db", "-f", write(folder, "haproxy.cfg", HAPROXY.format(port=port))]


def apache(folder, port):
    modules = "/usr/lib/apache2/modules"
    config = write(folder, "apache.conf", APACHE.format(folder=folder, port=port, modules=modules))
    return ["/usr/sbin/apache2", "-DFOREGROUND", "-f", config]


def node(folder, port):
    return ["node", os.path.join(SOURCES, "peer.js"), str(port)]


def go(folder, port):
    binary = os.path.join(TARGET, "peer")
    os.makedirs(TARGET, exist_ok=True)
    run(["go", "build", "-buildvcs=false", "-o", binary, "."], os.path.join(SOURCES, "go"))
    return [binary, str(port)]


def jetty(folder, port):
    jars = [f"/usr/share/java/{name}.jar" for name in ("jetty9-server", "jetty9-http", "jetty9-io", "jetty9-util", "servlet-api")]
    home = os.environ["JAVA_HOME"]
    classes = os.path.join(folder, "classes")
    run([home + "/bin/javac", "-cp", ":".join(jars), "-d", classes, os.path.join(SOURCES, "JettyPeer.java")], HERE)
    return [home + "/bin/java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", ":".join([classes, *jars]), "JettyPeer", str(port)]


def gunicorn(folder, port):
    return [PYTHON, "-m", "gunicorn", "--chdir", SOURCES, "-k", "gthread", "--threads", "16", "--keep-alive", "600",
            "-b", f"127.0.0.1:{port}", "--log-level", "critical", "peer:answer"]


ALL = {"nginx": nginx, "haproxy": haproxy, "apache": apache, "node": node, "go": go, "jetty": jetty, "gunicorn": gunicorn}


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"[-3000:])


class Server:
    """A process that listens."""

    def __init__(self, name, folder, port):
        self.name, self.port = name, port
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        # Some serve as a user of their own.
        os.chmod(self.folder, 0o777)
        self.log = open(os.path.join(self.folder, "out.log"), "wb")
        self.process = subprocess.Popen(ALL[name](self.folder, port), stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, start_new_session=True)

    def wait(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        with open(self.log.name, errors="replace") as log:
            raise RuntimeError(f"{self.name} does not listen: {log.read()[-2000:]}")

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
