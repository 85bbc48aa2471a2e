"""productpage: the page of one book, put together from what details and reviews answer.

GET  /productpage[?u=NAME]              the page; NAME is taken as the signed-in user
POST /login (username), POST /logout    set and clear the user (a cookie)
GET  /api/v1/products                   JSON: the products
GET  /api/v1/products/0                 JSON: details of one product, as details answers
GET  /api/v1/products/0/reviews         JSON, as reviews answers
GET  /api/v1/products/0/ratings         JSON, as ratings answers
GET  /health
"""

import html
import http.cookies
import pathlib
import re
import string
import time
import urllib.parse

import service

STATIC = pathlib.Path(__file__).resolve().parent / "static"
STATIC_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}
PAGE = string.Template((STATIC / "page.html").read_text(encoding="utf-8"))

PRODUCT = {
    "id": 0,
    "title": "The Comedy of Errors",
    "author": "William Shakespeare",
    "summary": (
        "Two pairs of identical twins, one city and a single day. Everyone in Ephesus is sure to "
        "know whom they are talking to, and everyone is wrong: a wife dines with a stranger, a "
        "goldsmith is paid by nobody, and a servant is beaten for messages he never carried."
    ),
}

UNAVAILABLE = {
    "details": "Sorry, product details are currently unavailable for this book.",
    "reviews": "Sorry, product reviews are currently unavailable for this book.",
    "ratings": "Sorry, product ratings are currently unavailable for this book.",
}

# What may be a user's name: it becomes the value of the header end-user.
USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,31}")

# The rows of the details card: key in the answer of details, label on the page.
DETAIL_ROWS = (
    ("author", "Author"),
    ("year", "Year"),
    ("type", "Binding"),
    ("pages", "Pages"),
    ("publisher", "Publisher"),
    ("language", "Language"),
    ("ISBN-10", "ISBN-10"),
    ("ISBN-13", "ISBN-13"),
)

SECURITY_HEADERS = (
    ("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
)

BACKENDS = {name: service.Backend(name) for name in ("details", "reviews", "ratings")}


class Productpage(service.Handler):
    def respond(self, method, path, query, form):
        if method == "POST":
            self._respond_post(path, form)
        elif path in ("/", "/index.html"):
            self._redirect("/productpage")
        elif path == "/productpage":
            self._send_page(query)
        elif path == "/health":
            self.send_json(200, {"status": "Product page is healthy"})
        elif path == "/api/v1/products":
            self.send_json(200, [PRODUCT])
        elif path.startswith("/api/v1/products/"):
            self._send_api(path.removeprefix("/api/v1/products/"), query)
        elif path.startswith("/static/") and path.removeprefix("/static/") in STATIC_TYPES:
            name = path.removeprefix("/static/")
            headers = SECURITY_HEADERS + (("Cache-Control", "max-age=60"),)
            self.send(200, STATIC_TYPES[name], (STATIC / name).read_bytes(), headers)
        else:
            self.send_json(404, {"error": "not found: expected /productpage or /api/v1/products"})

    def _respond_post(self, path, form):
        if path == "/login":
            name = form.get("username", [""])[0].strip()
            if USER.fullmatch(name):
                self._redirect("/productpage", f"user={name}; Path=/; HttpOnly; SameSite=Lax")
            else:
                self._redirect("/productpage?signin=invalid")
        elif path == "/logout":
            self._redirect("/productpage", "user=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
        else:
            self.send_json(405, {"error": "POST is not supported here: expected GET"})

    def _redirect(self, location, cookie=None):
        headers = [("Location", location)]
        if cookie:
            headers.append(("Set-Cookie", cookie))
        self.send(303, "text/plain", b"", headers)

    def _user(self, query):
        """The user of this request: ?u=, else the sign-in, else the caller's end-user header."""
        self.user = self._find_user(query)
        return self.user

    def _find_user(self, query):
        candidates = query.get("u", [])[:1]
        try:
            morsel = http.cookies.SimpleCookie(self.headers.get("cookie", "")).get("user")
            candidates += [morsel.value] if morsel else []
        except http.cookies.CookieError:
            pass
        candidates.append(self.headers.get("end-user", ""))
        return next((name for name in candidates if USER.fullmatch(name)), "")

    def _backend_headers(self, user):
        headers = self.forwarded_headers()
        headers.pop("end-user", None)
        if user:
            headers["end-user"] = user
        headers["accept"] = "application/json"
        return headers

    def _send_api(self, rest, query):
        match = re.fullmatch(r"([0-9]+)(?:/(reviews|ratings))?", rest)
        if not match:
            self.send_json(400, {"error": "expected /api/v1/products/ID[/reviews|/ratings]"})
            return
        name = match[2] or "details"
        headers = self._backend_headers(self._user(query))
        try:
            answer = BACKENDS[name].get(f"/{name}/{match[1]}", headers)
        except service.BackendError as e:
            self.send_json(e.status, {"error": UNAVAILABLE[name], "cause": str(e)})
            return
        if answer.status == 200 or answer.status == 404:
            self.send(answer.status, "application/json", answer.body)
        else:
            cause = f"{name}: status {answer.status}"
            self.send_json(answer.status, {"error": UNAVAILABLE[name], "cause": cause})

    def _send_page(self, query):
        started = time.monotonic()
        user = self._user(query)
        headers = self._backend_headers(user)
        details = Call("details", headers)
        reviews = Call("reviews", headers)
        chosen = query.get("u", [""])[0]
        values = {
            "title": html.escape(PRODUCT["title"]),
            "author": html.escape(PRODUCT["author"]),
            "summary": html.escape(PRODUCT["summary"]),
            "session": session_html(user, "signin" in query),
            "average": average_html(reviews),
            "details": details_html(details),
            "reviews": reviews_html(reviews),
            "reviews_source": source_html(reviews),
            "calls": calls_html(details, reviews),
            "api_query": html.escape("?" + urllib.parse.urlencode({"u": user}) if chosen and user else ""),
            "page_millis": f"{(time.monotonic() - started) * 1000:.0f}",
        }
        # A page is always an answer, with boxes where a back end had none: status 200, as readers
        # of the other half of the page expect.
        body = PAGE.substitute(values).encode()
        self.send(
            200,
            "text/html; charset=utf-8",
            body,
            SECURITY_HEADERS + (("Cache-Control", "no-store"),),
        )


class Call:
    """One call to a back end for the page: its JSON object in `value`, or why there is none."""

    def __init__(self, name, headers):
        self.name = name
        self.value = None
        self.failure = ""
        started = time.monotonic()
        try:
            answer = BACKENDS[name].get(f"/{name}/0", headers)
            if answer.status != 200:
                self.failure = f"status {answer.status}"
            else:
                value = answer.json()
                self.value = value if isinstance(value, dict) else None
                self.failure = "" if self.value is not None else "the answer is not an object"
        except service.BackendError as e:
            self.failure = str(e).removeprefix(name + ": ")
        except ValueError:
            self.failure = "the answer is not JSON"
        self.millis = (time.monotonic() - started) * 1000


def session_html(user, sign_in_refused):
    if user:
        name = html.escape(user)
        return (
            f'<span class="user"><span class="avatar" aria-hidden="true">{name[0].upper()}</span>'
            f'<span class="name">{name}</span></span>'
            '<form method="post" action="/logout"><button class="quiet">Sign out</button></form>'
        )
    hint = "Letters, digits, . _ @ - please" if sign_in_refused else "User, e.g. jason"
    wrong = ' aria-invalid="true"' if sign_in_refused else ""
    return (
        '<form method="post" action="/login">'
        f'<input name="username" aria-label="User name" placeholder="{hint}" maxlength="32"'
        f' pattern="[A-Za-z0-9][A-Za-z0-9._@\\-]*" required autocomplete="username"{wrong}>'
        "<button>Sign in</button></form>"
    )


def box_html(title, cause):
    return (
        f'<div class="box" role="alert"><strong>{html.escape(title)}</strong>'
        f"<p>{html.escape(cause)}</p></div>"
    )


def details_html(call):
    if call.value is None:
        return box_html("Error fetching product details", UNAVAILABLE["details"])
    rows = (
        f"<div><dt>{label}</dt><dd>{html.escape(str(call.value[key]))}</dd></div>"
        for key, label in DETAIL_ROWS
        if key in call.value
    )
    return "<dl>" + "".join(rows) + "</dl>"


def reviews_of(call):
    found = (call.value or {}).get("reviews", [])
    return [review for review in found if isinstance(review, dict)] if isinstance(found, list) else []


def stars_of(review):
    """(stars, colour) of a review, or None if it has no usable rating."""
    rating = review.get("rating")
    if not isinstance(rating, dict) or rating.get("stars") not in (0, 1, 2, 3, 4, 5):
        return None
    return rating["stars"], "red" if rating.get("color") == "red" else "black"


def stars_html(stars, colour):
    return (
        f'<span class="stars {colour}" role="img" aria-label="{stars} of 5 stars, {colour}">'
        f'<span>{"★" * stars}</span><span class="off">{"★" * (5 - stars)}</span></span>'
    )


def average_html(call):
    rated = [found for review in reviews_of(call) if (found := stars_of(review))]
    if not rated:
        return ""
    mean = sum(stars for stars, _ in rated) / len(rated)
    return (
        f'<p class="average"><span class="stars {rated[0][1]}" aria-hidden="true">★</span>'
        f"<b>{mean:.1f}</b> of 5, from {len(rated)} readers</p>"
    )


def reviews_html(call):
    if call.value is None:
        return box_html("Error fetching product reviews", UNAVAILABLE["reviews"])
    items = []
    for review in reviews_of(call):
        name = html.escape(str(review.get("reviewer", "")))
        rated = stars_of(review)
        rating = review.get("rating")
        if rated:
            stars = stars_html(*rated)
        elif isinstance(rating, dict) and rating.get("error"):
            stars = f'<span class="norating">{html.escape(str(rating["error"]))}</span>'
        else:
            stars = ""
        items.append(
            f"<blockquote><p>{html.escape(str(review.get('text', '')))}</p>"
            f'<footer><cite>{name}</cite>{stars}</footer></blockquote>'
        )
    return "".join(items)


def source_html(call):
    if call.value is None:
        return '<span class="pill down">no answer</span>'
    version = str(call.value.get("version", ""))
    kind = version if version in ("v1", "v2", "v3") else "other"
    return f'<span class="pill {kind}">answered by <b>reviews {html.escape(version or "?")}</b></span>'


def calls_html(*calls):
    rows = []
    for call in calls:
        kind, said = ("ok", "200") if call.value is not None else ("bad", call.failure)
        slow = " slow" if call.millis >= 1000 else ""
        rows.append(
            f'<li><span class="dot {kind}" aria-hidden="true"></span><code>{call.name}</code>'
            f'<span class="said">{html.escape(said)}</span>'
            f'<span class="millis{slow}">{call.millis:.0f} ms</span></li>'
        )
    return "".join(rows)


if __name__ == "__main__":
    service.run("productpage", Productpage)
