"""Stands between the proxy and a server and reads along: tap.py PORT SERVER-PORT REPORT

For each connection of the proxy there is one to the server. What the proxy sends must have one reading, and the server must
answer just the requests of that reading, in their order: its X-Seen says which one it answers, its X-Length how much of a
body it has read. A line of JSON goes to the report for each request, and for each thing that is not so.
"""
import asyncio
import json
import sys

import strict


class Connection:
    """Both directions of one connection."""

    def __init__(self, report):
        self.report, self.unanswered, self.asked = report, [], 0
        self.requests = strict.Reader(False)
        self.answers = strict.Reader(True, self.method)
        self.broken = False
        self.early = False  # the request that is not whole yet was answered

    def method(self):
        """Of the request that the next answer is for: the one that is not whole yet when all others were answered."""
        if not self.unanswered:
            self.take_requests()
        if self.unanswered:
            return self.unanswered[0].line.split(b" ")[0]
        current = self.requests.message
        return current.line.split(b" ")[0] if self.requests.state != "head" and current else b""

    def take_requests(self):
        for message in self.requests.done[self.asked:]:
            method, target, _ = message.line.decode("latin-1").split(" ")
            self.report.say({"request": target, "method": method, "body": message.length})
            if self.early:
                self.early = False
            else:
                self.unanswered.append(message)
        self.asked = len(self.requests.done)

    def wrong(self, what):
        if not self.broken:
            self.broken = True
            seen = [message.line.decode("latin-1") for message in self.requests.done[-3:]]
            self.report.say({"wrong": what, "after": seen})

    def sent(self, data):
        self._read(self.requests, data, "the proxy sends")
        self.take_requests()

    def received(self, data):
        self._read(self.answers, data, "the server answers")
        # What follows the answer to a CONNECT or an upgrade is the two ends' own.
        self.requests.tunnel |= self.answers.tunnel
        while self.answers.done:
            self.compare(self.answers.done.pop(0))

    def _read(self, reader, data, who):
        if self.broken or reader.tunnel:
            return
        try:
            reader.feed(data)
        except strict.Ambiguous as error:
            self.wrong(f"{who} {error}")

    def compare(self, answer):
        if not self.unanswered:
            if self.requests.idle or self.early:
                self.wrong(f"an answer to nothing: {answer.line.decode('latin-1')}")
            # A server may answer before it has all.
            self.early = True
            return
        request = self.unanswered.pop(0)
        seen, length = answer.all(b"x-seen"), answer.all(b"x-length")
        asked = b" ".join(request.line.split(b" ")[:2])
        read = seen[0].removesuffix(b" HTTP/1.1") if seen else b""
        # One that refuses a request may not say, or not rightly, what it has read; some know no case of methods, or no
        # targets but paths.
        if b" " in read and answer.code < 400 and read.partition(b" ")[2] != asked.partition(b" ")[2]:
            self.wrong(f"asked {asked[:200]!r}, the server has read {read[:200]!r}")
        if length and int(length[0]) != request.length:
            self.wrong(f"of {asked[:80]!r} the server has read {int(length[0])} bytes of {request.length}")

    def server_ended(self):
        try:
            self.answers.end()
        except strict.Ambiguous as error:
            self.wrong(f"the server ends: {error}")
        while self.answers.done:
            self.compare(self.answers.done.pop(0))


class Report:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)

    def say(self, what):
        print(json.dumps(what), file=self.file)


async def pump(reader, writer, look):
    try:
        while data := await reader.read(65536):
            look(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except (ConnectionError, OSError):
        writer.close()


async def serve(port, server, report):
    async def connected(reader, writer):
        try:
            there, to = await asyncio.open_connection("127.0.0.1", server)
        except OSError as error:
            report.say({"wrong": f"the server cannot be reached: {error}"})
            writer.close()
            return
        one = Connection(report)
        sending = asyncio.create_task(pump(reader, to, one.sent))
        await pump(there, writer, one.received)
        one.server_ended()
        writer.close()
        sending.cancel()
        to.close()

    async with await asyncio.start_server(connected, "0.0.0.0", port, backlog=512) as listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), Report(sys.argv[3])))
