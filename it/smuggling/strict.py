"""Messages of HTTP/1.1, read so strictly that there is one reading of each: what else comes is an error."""
import re

LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.1")
STATUS = re.compile(rb"HTTP/1\.[01] \d{3}( [\t \x21-\x7e\x80-\xff]*)?")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[ \t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*")
CHUNK = re.compile(rb"[0-9A-Fa-f]{1,15}")
HEAD_MAX = 128 << 10


class Ambiguous(Exception):
    """There is more than one reading, or none."""


class Message:
    def __init__(self, line, fields):
        self.line, self.fields = line, fields
        self.length = 0  # of the body as it was read

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    @property
    def code(self):
        return int(self.line[9:12])


class Reader:
    """Takes bytes of one direction; messages come out of `done` in their order, each when it is whole."""

    def __init__(self, answers, method_of=None):
        """`method_of` tells the method that the next answer is for."""
        self.answers, self.method_of = answers, method_of
        self.data, self.done, self.state, self.message, self.left = bytearray(), [], "head", None, 0
        self.tunnel = False

    @property
    def idle(self):
        return self.state == "head" and not self.data

    def feed(self, data):
        self.data += data
        while not self.tunnel and getattr(self, "_" + self.state)():
            pass

    def end(self):
        """The stream has ended; true when that is where a message may end."""
        if self.state == "until":
            self._whole()
        return self.idle or self.tunnel

    def _head(self):
        end = self.data.find(b"\r\n\r\n")
        if end < 0:
            if len(self.data) > HEAD_MAX:
                raise Ambiguous("a head without an end")
            if not self.answers and self.data and re.search(rb"(?<!\r)\n|\r(?!\n|$)", self.data):
                raise Ambiguous(f"a bare line end: {bytes(self.data[:80])!r}")
            return False
        raw = bytes(self.data[:end])
        del self.data[:end + 4]
        line, *rest = raw.split(b"\r\n")
        if not (STATUS if self.answers else LINE).fullmatch(line):
            raise Ambiguous(f"the line {line[:100]!r}")
        fields = []
        for one in rest:
            found = FIELD.fullmatch(one)
            if not found:
                raise Ambiguous(f"the field {one[:100]!r}")
            fields.append((found[1].lower(), found[2]))
        self.message = Message(line, fields)
        if self.answers and 100 <= self.message.code < 200 and self.message.code != 101:
            return True
        self._framing()
        return True

    def _framing(self):
        message = self.message
        codings, lengths = message.all(b"transfer-encoding"), message.all(b"content-length")
        if codings and (lengths or len(codings) > 1 or codings[0].lower() != b"chunked"):
            raise Ambiguous(f"codings {codings}, lengths {lengths}")
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"\d{1,18}", lengths[0])):
            raise Ambiguous(f"lengths {lengths}")
        if not self.answers and len(message.all(b"host")) != 1:
            raise Ambiguous(f"hosts {message.all(b'host')}")
        method = self.method_of() if self.answers else message.line.split(b" ")[0]
        if self.answers and (message.code == 101 or (method == b"CONNECT" and 200 <= message.code < 300)):
            self.tunnel = True
            self._whole()
        elif self.answers and (method == b"HEAD" or message.code in (204, 304)):
            self._whole()
        elif codings:
            self.state = "size"
        elif lengths:
            self.left, self.state = int(lengths[0]), "body"
        elif self.answers:
            self.state = "until"
        else:
            self._whole()

    def _until(self):
        self.message.length += len(self.data)
        self.data.clear()
        return False

    def _body(self):
        taken = min(self.left, len(self.data))
        del self.data[:taken]
        self.left -= taken
        self.message.length += taken
        if self.left == 0:
            self._whole()
            return True
        return False

    def _line(self):
        end = self.data.find(b"\r\n")
        if end < 0:
            if re.search(rb"\n|\r[^\n]", self.data) or len(self.data) > HEAD_MAX:
                raise Ambiguous(f"a line in chunks: {bytes(self.data[:80])!r}")
            return None
        line = bytes(self.data[:end])
        del self.data[:end + 2]
        return line

    def _size(self):
        line = self._line()
        if line is None:
            return False
        # A server may say more behind its size, but nobody else is to.
        size = line.split(b";")[0] if self.answers else line
        if not CHUNK.fullmatch(size):
            raise Ambiguous(f"the size of a chunk {line[:80]!r}")
        self.left = int(size, 16)
        self.state = "chunk" if self.left else "trailers"
        return True

    def _chunk(self):
        taken = min(self.left, len(self.data))
        del self.data[:taken]
        self.left -= taken
        self.message.length += taken
        if self.left or len(self.data) < 2:
            return False
        if self.data[:2] != b"\r\n":
            raise Ambiguous(f"a chunk that ends with {bytes(self.data[:2])!r}")
        del self.data[:2]
        self.state = "size"
        return True

    def _trailers(self):
        line = self._line()
        if line is None:
            return False
        if line and not FIELD.fullmatch(line):
            raise Ambiguous(f"the trailer {line[:100]!r}")
        if line and FIELD.fullmatch(line)[1].lower() in (b"content-length", b"transfer-encoding", b"host"):
            raise Ambiguous(f"the trailer {line[:100]!r}")
        if not line:
            self._whole()
        return True

    def _whole(self):
        self.done.append(self.message)
        self.state = "head"
