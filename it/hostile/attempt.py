"""What every attempt shares: the ways to try something, each with a bound, and what came of it in a few words.

An attempt is a function that returns `got(...)` when it reached what it must not reach, else `refused(...)` with the
reason that the attacker is told. Nothing here knows a role or a mesh: the plan (see hostile.py) tells both.
"""
import errno
import socket

LIMIT = 2.0  # seconds that one step of an attempt may take


class Outcome:
    """What came of an attempt: whether it got through, and in which words."""

    def __init__(self, through, said):
        self.through = through
        self.said = str(said)[:160]


def got(said):
    return Outcome(True, said)


def refused(said):
    return Outcome(False, said)


def reason(error):
    """An exception in the attacker's words: the name of the errno where there is one."""
    number = getattr(error, "errno", None)
    if isinstance(error, TimeoutError):
        return "no answer"
    words = errno.errorcode.get(number) if number else None
    return " ".join([words or f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def mapped(address):
    """The address as an AF_INET6 socket writes an IPv4 one."""
    return address if ":" in address else "::ffff:" + address


def read_some(sock, size=65536):
    """What comes until the end, `size` bytes or the time limit; at least one read."""
    data = b""
    try:
        while len(data) < size:
            piece = sock.recv(size - len(data))
            if not piece:
                break
            data += piece
            if b"\r\n\r\n" in data and complete(data):
                break
    except TimeoutError:
        pass
    except ConnectionResetError as error:
        error.add_note(f"after {len(data)} bytes")
        raise
    return data


def complete(data):
    """Whether an HTTP/1.1 answer with a Content-Length is whole."""
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False


def status_of(data):
    """The status code of an HTTP answer, 0 when it is none."""
    words = data.split(b" ", 2)
    return int(words[1]) if data.startswith(b"HTTP/1.") and len(words) > 1 and words[1].isdigit() else 0


def connect(address, port):
    sock = socket.socket(family_of(address), socket.SOCK_STREAM)
    sock.settimeout(LIMIT)
    try:
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def exchange(sock, request):
    """Sends a request on a connected socket and closes it; (status, everything that came)."""
    with sock:
        sock.sendall(request)
        data = read_some(sock)
    return status_of(data), data


def guarded(function, *arguments):
    """Runs an attempt: an OSError is the refusal that it looks for."""
    try:
        return function(*arguments)
    except OSError as error:
        return refused(reason(error))


def unix(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(LIMIT)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock
