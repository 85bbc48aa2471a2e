"""Tells what the data path does now: truth.py SOCKET WEB DB.

For each line that comes in on the Unix socket it makes two requests of WEB (HOST:PORT), one on a connection that it keeps
and one on a new one, and a connection to DB, and answers with one line: what each request got (first word of the body and
the header x-generation, or the failure) and what became of the connection, separated by spaces.
"""
import http.client
import socket
import sys

path, web, db = sys.argv[1:4]
kept = None
CUT = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


def place(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def ask(connection):
    connection.request("GET", "/", headers={"user-agent": "truth"})
    answer = connection.getresponse()
    word = (answer.read().decode().split() or ["-"])[0] if answer.status == 200 else str(answer.status)
    return word + "/" + answer.headers.get("x-generation", "-")


def request(fresh, tries=3):
    global kept
    reused = not fresh and kept is not None
    connection = kept if reused else http.client.HTTPConnection(*place(web), timeout=5)
    try:
        seen = ask(connection)
        if fresh:
            connection.close()
        else:
            kept = connection
        return seen
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        if not fresh:
            kept = None
        # A connection that was cut, as by the end of a killed proxy, says nothing: a client makes another one.
        return request(fresh, tries - 1) if tries > 1 and isinstance(error, CUT) else type(error).__name__


def knock():
    try:
        with socket.create_connection(place(db), timeout=5) as connection:
            return "ok" if connection.recv(100) else "closed"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return type(error).__name__


server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(8)
while True:
    with server.accept()[0] as asker:
        with asker.makefile("rw") as lines:
            for _ in lines:
                lines.write(request(False) + " " + request(True) + " " + knock() + "\n")
                lines.flush()
