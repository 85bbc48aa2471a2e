"""The differences that are known and right, each with the reason and the line of the page that tells users of it.

A row takes what it explains out of the list of what differs between Tulle and Envoy for one request; a request whose list
is empty then is as it should be. A row that explains nothing any more in a whole run fails it, and so does a line that the
page does not have.
"""
import os
import re
from collections import namedtuple
from dataclasses import dataclass
from typing import Callable

import beside

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "docs")
REDIRECTS = (301, 302, 303, 307, 308)
REPEATED = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")
# What was asked of whom, and both outcomes.
Case = namedtuple("Case", "configuration request ours theirs")
ANSWER = {"answer's body", "answer's fields", "number of the answer's fields"}


@dataclass(frozen=True)
class Row:
    """`explains`: of a case and what differs in it, the rest that is not explained; `always`: must be seen in each run."""

    name: str
    page: str
    line: str
    explains: Callable
    always: bool = True


def without(found, whats):
    return [entry for entry in found if entry[0] not in whats]


def is_policed(case):
    return any(m["kind"] == "AuthorizationPolicy" for m in case.configuration["manifests"])


def path_of(case):
    target = re.sub(r"^https?://[^/]*", "", case.request["target"])
    return target.partition("?")[0]


def own_words(case, found):
    """Both answer by themselves with one status; only the words differ, and whether there are any."""
    (ours, arrived), (theirs, _) = case.ours, case.theirs
    nonce = case.request["id"]
    by_server = any(answer["body"].endswith(f" {nonce}\n") for answer in (ours, theirs))
    if by_server or ours["code"] != theirs["code"] or ours["code"] < 400:
        return found
    left = without(found, {"answer's body"})
    fields = [entry for entry in left if entry[0] == "answer's fields"]
    if all(field == ["content-type", "text/plain"] for _, a, b in fields for field in a + b):
        left = without(left, ANSWER)
    return left


def stale_retry(case, found):
    """The server has closed without a byte: the connection may have been closed before the request came."""
    repeated = "close" in dict(case.request["fields"]).get("x-do", "") and case.request["method"] in REPEATED
    once_more = [e for e in found if e[0] == "asked servers" and len(e[1]) == len(e[2]) + 1]
    return without(found, {"asked servers"}) if repeated and once_more and not case.request["body"] else found


def dialled_service(case, found):
    """Host names something else than the service whose address was dialled."""
    host = case.request["host"]
    absolute = re.match(r"https?://([^/?]*)", case.request["target"])
    name = (absolute[1] if absolute else host).lower().partition(":")[0]
    service = case.request["service"]
    full = f"{service}.default.svc.cluster.local"
    return found if name in (service, f"{service}.default", f"{service}.default.svc", full, full + ".") or not host else []


def whole_server(case, found):
    return [] if case.request["target"] == "*" else found


def path_readings(case, found):
    """A policy refuses what a server may read as a path that it must refuse."""
    several = re.search(r"//|;|%|\\|/\.\.?(/|$)", path_of(case))
    refused = case.ours[0]["code"] == 403 and case.ours[0]["body"] in ("RBAC: access denied", "")
    return [] if is_policed(case) and several and refused else found


def slash_of_redirect(case, found):
    """A slash at the end of what replaces a prefix says nothing."""
    def single(fields):
        return [[n, re.sub(r"(?<!:)/+(?=/|$|\?)", "", v)] for n, v in fields]

    return [e for e in found if e[0] != "answer's fields" or single(e[1]) != single(e[2])] \
        if case.theirs[0]["code"] in REDIRECTS else found


def prefix_of_all(case, found):
    """Envoy puts what replaces /, without a slash at its end, directly before the rest of the path."""
    def joined(path):
        return path.replace("/new/", "/new", 1)

    def explained(entry):
        what, ours, theirs = entry
        if what == "answer's fields" and case.theirs[0]["code"] in REDIRECTS:
            # The port may differ beside it, for its own reason.
            return portless([[name, joined(value)] for name, value in ours]) == portless(theirs)
        return what.startswith("path at") and joined(ours) == theirs

    return found if case.request["service"] != "beta" else [entry for entry in found if not explained(entry)]


def portless(fields):
    return [[n, re.sub(r"^(https?://[^/:]*)(:[0-9]+)*", r"\1", v)] for n, v in fields]


def port_of_redirect(case, found):
    """The port that a rule writes is that of the answer."""
    written = '"port"' in repr(case.configuration["manifests"]).replace("'", '"')
    return [e for e in found if e[0] != "answer's fields" or portless(e[1]) != portless(e[2])] \
        if written and case.theirs[0]["code"] in REDIRECTS else found


def many_matches(case, found):
    return [] if case.ours[0]["code"] == 404 and "uriRegexRewrite" in repr(case.configuration["manifests"]) else found


ROWS = (
    Row("own words", "support.md", "| the text of an answer that the mesh gives itself |", own_words),
    Row("a stale connection", "kernel-http.md", "| **the server closes just as a request is handed to it**", stale_retry, False),
    Row("the service that was dialled", "support.md", "| `Host` names another service than the one that is dialled |",
        dialled_service),
    Row("a request to the whole server", "support.md", "| `OPTIONS *` |", whole_server),
    Row("readings of a path", "authorization.md", "A path such as `/public/..;/admin`", path_readings),
    Row("the port of a redirect", "support.md", "| `redirect.port` |", port_of_redirect),
    Row("more matches than are replaced", "limits.md", "| an expression whose matches are replaced", many_matches),
    Row("the slash of a redirect", "support.md", "| a RequestRedirect that replaces a prefix |", slash_of_redirect),
    Row("the prefix of everything", "support.md", "| a URLRewrite or RequestRedirect that replaces the prefix `/` |", prefix_of_all),
)


def of(case, found):
    """(names of the rows that explain something, what is left)."""
    names = []
    for row in ROWS:
        if not found:
            break
        left = row.explains(case, found)
        if len(left) < len(found):
            names.append(row.name)
        found = left
    return names, found


def not_told():
    """Lines that users are not told of."""
    return [f"{row.name}: docs/{row.page} has no line that begins with: {line}"
            for row in ROWS for line in beside.not_told(os.path.join(DOCS, row.page), [row.line])]
