"""The server of gRPC's interop cases in Python: serve.py PORT. It compresses what it answers, for clients that take it."""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from service import (
    INITIAL, LIMITS, NAME, SERVICE, TRAILING, Empty, InputRequest, InputResponse, OutputRequest, OutputResponse,
    SimpleRequest, SimpleResponse, payload)

NEVER = 1e9  # seconds: grpcio has no other word for it
CODES = {code.value[0]: code for code in grpc.StatusCode}


class Begun:
    """A call: its metadata is echoed, and where it has a name it is said how much time it had when it came, and whether
    it was given up before it was over."""

    def __init__(self, context):
        self.context = context
        self.done = False
        self.over = threading.Event()
        context.add_callback(self.over.set)
        received = dict(context.invocation_metadata())
        if INITIAL in received:
            context.send_initial_metadata(((INITIAL, received[INITIAL]),))
        if TRAILING in received:
            context.set_trailing_metadata(((TRAILING, received[TRAILING]),))
        if NAME in received:
            left = round((context.time_remaining() or NEVER) * 1000)
            left = "none" if left >= NEVER * 1000 else left
            context.add_callback(lambda: print(
                f"seen {received[NAME]} deadline={left} ended={'ok' if self.done else 'cancelled'}", flush=True))

    def refuse(self, status):
        """Ends the call where the request says so."""
        if status.code:
            self.done = True
            self.context.abort(CODES[status.code], status.message)


def empty_call(_, context):
    Begun(context).done = True
    return Empty()


def unary_call(request, context):
    begun = Begun(context)
    begun.refuse(request.response_status)
    begun.done = True
    return SimpleResponse(payload=payload(request.response_size))


def answers(begun, request):
    for wanted in request.response_parameters:
        begun.over.wait(wanted.interval_us / 1e6)
        yield OutputResponse(payload=payload(wanted.size))


def output_call(request, context):
    begun = Begun(context)
    yield from answers(begun, request)
    begun.done = True


def input_call(requests, context):
    begun = Begun(context)
    total = sum(len(request.payload.body) for request in requests)
    begun.done = True
    return InputResponse(aggregated_payload_size=total)


def duplex_call(requests, context):
    begun = Begun(context)
    for request in requests:
        begun.refuse(request.response_status)
        yield from answers(begun, request)
    begun.done = True


def main(port):
    out = OutputResponse.SerializeToString
    handlers = {
        "EmptyCall": grpc.unary_unary_rpc_method_handler(empty_call, Empty.FromString, Empty.SerializeToString),
        "UnaryCall": grpc.unary_unary_rpc_method_handler(
            unary_call, SimpleRequest.FromString, SimpleResponse.SerializeToString),
        "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(output_call, OutputRequest.FromString, out),
        "StreamingInputCall": grpc.stream_unary_rpc_method_handler(
            input_call, InputRequest.FromString, InputResponse.SerializeToString),
        "FullDuplexCall": grpc.stream_stream_rpc_method_handler(duplex_call, OutputRequest.FromString, out),
    }
    server = grpc.server(ThreadPoolExecutor(32), options=LIMITS, compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(f"0.0.0.0:{port}")
    server.start()
    server.wait_for_termination()


main(int(sys.argv[1]))
