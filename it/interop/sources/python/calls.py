"""The clients of gRPC's interop cases in Python: calls.py HOST PORT NAME runs every case, each on a connection of its own."""
import queue
import sys
import threading

import grpc
from service import (
    INITIAL, LIMITS, NAME, SERVICE, TRAILING, EchoStatus, Empty, InputRequest, InputResponse, OutputRequest, OutputResponse,
    Parameters, SimpleRequest, SimpleResponse, payload)

LIMIT = 30  # seconds of one case
REQUESTS = (27182, 8, 1828, 45904)
RESPONSES = (31415, 9, 2653, 58979)
WHITESPACE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"
METADATA = ((INITIAL, "test_initial_metadata_value"), (TRAILING, b"\x0a\x0b\x0a\x0b\x0a\x0b"))
CODE = grpc.StatusCode
CASES = []


def case(function):
    CASES.append(function)
    return function


def require(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r}, expected {expected!r}"[:300])


class Client:
    def __init__(self, address, name, compression):
        self.name = name
        # Connections of the same options are otherwise shared.
        self.channel = grpc.insecure_channel(
            address, options=[*LIMITS, ("grpc.use_local_subchannel_pool", 1)], compression=compression)
        out = OutputRequest.SerializeToString, OutputResponse.FromString
        self.empty = self.channel.unary_unary(f"/{SERVICE}/EmptyCall", Empty.SerializeToString, Empty.FromString)
        self.unary = self.channel.unary_unary(
            f"/{SERVICE}/UnaryCall", SimpleRequest.SerializeToString, SimpleResponse.FromString)
        self.output = self.channel.unary_stream(f"/{SERVICE}/StreamingOutputCall", *out)
        self.input = self.channel.stream_unary(
            f"/{SERVICE}/StreamingInputCall", InputRequest.SerializeToString, InputResponse.FromString)
        self.duplex = self.channel.stream_stream(f"/{SERVICE}/FullDuplexCall", *out)

    def fails(self, path, code):
        method = self.channel.unary_unary(path, Empty.SerializeToString, Empty.FromString)
        require(failure(lambda: method(Empty())).code(), code)


class Stream:
    """A call in both directions: each question is asked when it is time for it."""

    def __init__(self, client, **options):
        self.questions = queue.Queue()
        self.call = client.duplex(iter(self.questions.get, None), **options)

    def ask(self, size, question=None):
        self.questions.put(OutputRequest(
            response_parameters=[Parameters(size=size)], payload=payload(size if question is None else question)))
        require(len(next(self.call).payload.body), size)

    def begin(self):
        """There is an answer, and the next one is late: the server is about it when the call ends."""
        self.questions.put(OutputRequest(response_parameters=[Parameters(size=1), Parameters(size=1, interval_us=60_000_000)]))
        require(len(next(self.call).payload.body), 1)

    def end(self):
        self.questions.put(None)
        require(list(self.call), [])


def failure(function):
    try:
        function()
    except grpc.RpcError as found:
        return found
    raise AssertionError("did not fail")


@case
def empty_unary(client):
    client.empty(Empty())


@case
def large_unary(client):
    answer = client.unary(SimpleRequest(response_size=314159, payload=payload(271828)))
    require(len(answer.payload.body), 314159)


@case
def client_streaming(client):
    answer = client.input(iter([InputRequest(payload=payload(size)) for size in REQUESTS]))
    require(answer.aggregated_payload_size, 74922)


@case
def server_streaming(client):
    request = OutputRequest(response_parameters=[Parameters(size=size) for size in RESPONSES])
    require([len(answer.payload.body) for answer in client.output(request)], list(RESPONSES))


@case
def ping_pong(client):
    stream = Stream(client)
    for question, answer in zip(REQUESTS, RESPONSES):
        stream.ask(answer, question)
    stream.end()


@case
def empty_stream(client):
    require(list(client.duplex(iter([]))), [])


@case
def timeout_on_sleeping_server(client):
    questions = queue.Queue()
    questions.put(OutputRequest(payload=payload(27182)))
    require(failure(lambda: next(client.duplex(iter(questions.get, None), timeout=0.001))).code(), CODE.DEADLINE_EXCEEDED)
    questions.put(None)


@case
def cancel_after_begin(client):
    questions = queue.Queue()
    call = client.input.future(iter(questions.get, None))
    call.cancel()
    require(call.code(), CODE.CANCELLED)
    questions.put(None)


def cancelled(stream):
    stream.call.cancel()
    require(stream.call.code(), CODE.CANCELLED)
    stream.questions.put(None)


@case
def cancel_after_first_response(client):
    stream = Stream(client)
    stream.ask(31415)
    cancelled(stream)


@case
def status_code_and_message(client):
    wanted = EchoStatus(code=2, message="test status message")
    first = failure(lambda: client.unary(SimpleRequest(response_status=wanted)))
    require((first.code(), first.details()), (CODE.UNKNOWN, wanted.message))
    second = failure(lambda: list(client.duplex(iter([OutputRequest(response_status=wanted)]))))
    require((second.code(), second.details()), (CODE.UNKNOWN, wanted.message))


@case
def special_status_message(client):
    found = failure(lambda: client.unary(SimpleRequest(response_status=EchoStatus(code=2, message=WHITESPACE))))
    require((found.code(), found.details()), (CODE.UNKNOWN, WHITESPACE))


@case
def unimplemented_method(client):
    client.fails(f"/{SERVICE}/UnimplementedCall", CODE.UNIMPLEMENTED)


@case
def unimplemented_service(client):
    client.fails("/grpc.testing.UnimplementedService/UnimplementedCall", CODE.UNIMPLEMENTED)


def echoed(call):
    require(dict(call.initial_metadata()).get(INITIAL), METADATA[0][1])
    require(dict(call.trailing_metadata()).get(TRAILING), METADATA[1][1])


@case
def custom_metadata(client):
    answer, call = client.unary.with_call(SimpleRequest(response_size=1, payload=payload(1)), metadata=METADATA)
    require(len(answer.payload.body), 1)
    echoed(call)
    stream = Stream(client, metadata=METADATA)
    stream.ask(1)
    stream.end()
    echoed(stream.call)


@case
def gzip_unary(client):
    large_unary(client)


@case
def gzip_stream(client):
    ping_pong(client)


@case
def cancel_seen(client):
    stream = Stream(client, metadata=((NAME, client.name),))
    stream.begin()
    cancelled(stream)
    # What has to go out for it goes out before the connection closes.
    client.empty(Empty())


@case
def deadline_seen(client):
    client.unary(SimpleRequest(), timeout=30, metadata=((NAME, client.name),))


@case
def deadline_ends(client):
    stream = Stream(client, timeout=2, metadata=((NAME, client.name),))
    stream.begin()
    require(failure(lambda: next(stream.call)).code(), CODE.DEADLINE_EXCEEDED)
    stream.questions.put(None)
    client.empty(Empty())


def run(function, address, name):
    """What went wrong; empty when nothing did."""
    said = []

    def play():
        compression = grpc.Compression.Gzip if function.__name__.startswith("gzip") else None
        client = Client(address, f"{name}.{function.__name__}", compression)
        try:
            function(client)
            said.append("")
        except Exception as failed:  # whatever it is, it is the case's verdict
            said.append(" ".join(f"{type(failed).__name__}: {failed}".split())[:400])
        client.channel.close()

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    thread.join(LIMIT)
    return said[0] if said else f"not within {LIMIT} s"


def main(host, port, name):
    for function in CASES:
        wrong = run(function, f"{host}:{port}", name)
        print(f"not ok {function.__name__}: {wrong}" if wrong else f"ok {function.__name__}", flush=True)


main(*sys.argv[1:4])
