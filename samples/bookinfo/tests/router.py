"""An HTTP proxy that stands in for a mesh: router.py PORT NAME[@USER]=PORT[+DELAY_SECONDS]...

A request for http://NAME:9080/... goes to 127.0.0.1:PORT of the entry for its end-user, else of the
entry without a user. One line on stdout for each request: name, user, and the request's headers.
"""

import http.client
import http.server
import sys
import time
import urllib.parse


class Router(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        user = self.headers.get("end-user", "")
        print(parts.netloc, user or "-", dict(self.headers.items()), flush=True)
        port, delay = TABLE.get((parts.netloc, user)) or TABLE[(parts.netloc, "")]
        time.sleep(delay)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", parts.path, headers=dict(self.headers.items()))
        response = connection.getresponse()
        body = response.read()
        self.send_response_only(response.status)
        self.send_header("Content-Type", response.headers["content-type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def parse(entry):
    key, value = entry.split("=")
    name, _, user = key.partition("@")
    port, _, delay = value.partition("+")
    return (name + ":9080", user), (int(port), float(delay or 0))


TABLE = dict(parse(entry) for entry in sys.argv[2:])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Router).serve_forever()
