"""Asks one URL again and again over one keep-alive connection: probe.py HOST PORT PATH SECONDS.

A line per request: milliseconds since the epoch when it was sent, milliseconds it took, status, first word of the body.
A request that fails in any way prints status 0 and the error, and the next one connects anew.
"""
import http.client
import sys
import time

host, port, path, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
end = time.time() + seconds
connection = None
while time.time() < end:
    begun = time.time()
    try:
        if connection is None:
            connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request("GET", path, headers={"user-agent": "probe"})
        answer = connection.getresponse()
        body = answer.read().decode().split()
        status, word = answer.status, body[0] if body else "-"
    except OSError as error:
        connection = None
        status, word = 0, type(error).__name__ + ":" + str(error).replace(" ", "_")
    except http.client.HTTPException as error:
        connection = None
        status, word = 0, type(error).__name__
    now = time.time()
    print(int(begun * 1000), int((now - begun) * 1000), status, word, flush=True)
    time.sleep(0.002 if status == 200 else 0.02)
