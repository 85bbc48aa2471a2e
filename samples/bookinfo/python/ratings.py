"""ratings: the stars of each reviewer. GET /ratings/0, GET /health.

Listens on 0.0.0.0 only (an AF_INET socket), as many small programs do; its callers on the JVM use
dual-stack sockets.
"""

import re

import service

RATINGS = {"Reviewer1": 5, "Reviewer2": 4}


class Ratings(service.Handler):
    def respond(self, method, path, query, form):
        if method not in ("GET", "HEAD"):
            self.send_json(405, {"error": f"{method} is not supported: expected GET"})
        elif path == "/health":
            self.send_json(200, {"status": "Ratings is healthy"})
        elif path == "/ratings/0":
            self.send_json(200, {"id": 0, "ratings": RATINGS})
        elif re.fullmatch(r"/ratings/[0-9]+", path):
            self.send_json(404, {"error": "no such product: expected 0"})
        elif path.startswith("/ratings/"):
            self.send_json(400, {"error": "please provide a numeric product id"})
        else:
            self.send_json(404, {"error": "not found: expected /ratings/ID or /health"})


if __name__ == "__main__":
    service.run("ratings", Ratings, dual_stack=False)
