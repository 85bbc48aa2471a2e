"""Answers every request with what it has read of it: for gunicorn, peer:answer."""


def answer(environ, start_response):
    length = 0
    while piece := environ["wsgi.input"].read(65536):
        length += len(piece)
    start_response("200 OK", [("X-Seen", environ["REQUEST_METHOD"] + " " + environ["RAW_URI"]), ("X-Length", str(length)),
                              ("Content-Length", "3")])
    return [b"ok\n"]
