"""gRPC in Python without a schema: calls.py serve PORT, calls.py call HOST PORT. Messages go as they are."""
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

LARGEST = 16 << 20
LARGE = 4 << 20
OPTIONS = [("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST)]


def serve(port):
    server = grpc.server(ThreadPoolExecutor(4), options=OPTIONS)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("it.Echo", {
        "One": grpc.unary_unary_rpc_method_handler(lambda message, _: message),
        "Many": grpc.stream_stream_rpc_method_handler(lambda messages, _: messages),
    })])
    server.add_insecure_port(f"0.0.0.0:{port}")
    server.start()
    server.wait_for_termination()


def call(address):
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        one, many = channel.unary_unary("/it.Echo/One"), channel.stream_stream("/it.Echo/Many")
        right = sum(one(question, timeout=12) == question for question in (bytes([i]) * i * 100 for i in range(100)))
        questions = [bytes([i]) * i * 1000 for i in range(100)]
        streamed = sum(got == question for got, question in zip(many(iter(questions), timeout=12), questions))
        large = b"5" * LARGE
        print(right, "calls,", streamed, "in a stream, large", one(large, timeout=12) == large)


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    try:
        call(f"{sys.argv[2]}:{sys.argv[3]}")
    except grpc.RpcError as failure:
        sys.exit(f"fails: {failure.code()}")
