"""gRPC's interop cases: clients of each language with servers of each."""
import concurrent.futures

import ends
import verdicts

LIMIT = 420  # seconds that all cases of a pair may take together
CASES = (
    "empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
    "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
    "special_status_message", "unimplemented_method", "unimplemented_service", "custom_metadata", "gzip_unary", "gzip_stream",
    "cancel_seen", "deadline_seen", "deadline_ends")
# Those in which a server is asked to compress, or whether it was compressed: only grpc-java's end can tell.
COMPRESSION = ("client_compressed_unary", "server_compressed_unary", "client_compressed_streaming", "server_compressed_streaming")


def seen(case, facts):
    """What is wrong with what the server saw of a case; empty for nothing. Times are what it had left, in milliseconds:
    gRPC's C core says a hundredth more than it has."""
    if case not in ("cancel_seen", "deadline_seen", "deadline_ends"):
        return ""
    if facts is None:
        return "the server saw no end of it"
    cancelled, left = facts["ended"] == "cancelled", facts["deadline"]
    right = {
        "cancel_seen": cancelled and left == "none",
        "deadline_seen": not cancelled and left != "none" and 10_000 < int(left) <= 30_300,
        "deadline_ends": cancelled and left != "none" and 0 < int(left) <= 2_020,
    }[case]
    return "" if right else f"the server saw {facts}"


def pair(stage, client, server):
    """Case -> what is wrong with it; empty for nothing."""
    host, port = stage.address(server)
    name = f"{stage.name}.{client}.{server.name}"
    both = client == "java" and server.name == "java"
    answer = stage.play(f"{ends.CALLERS[client]} {host} {port} {name}{' compressing' if both else ''}", LIMIT)
    said = verdicts.of(answer["text"])
    ended = "hung" if answer["hung"] else f"status {answer['status']}: {answer['text'][-300:]!r}"
    found = {}
    for case in CASES + (COMPRESSION if both else ()):
        found[case] = said.get(case, f"no verdict, the client {ended}")
        if not found[case]:
            found[case] = seen(case, stage.servers.seen(server, f"{name}.{case}") if case in CASES[-3:] else None)
    return found


def play(stage, jobs, report):
    """Reports (client to server, case -> what is wrong) of every pair."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        started = [(f"{client} to {server.name}", pool.submit(pair, stage, client, server))
                   for server in ends.CALLS for client in ends.CALLERS]
        for name, each in started:
            report(name, each.result())
