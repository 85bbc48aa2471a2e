"""Programs that wait in their calls: Python, Perl, bash."""
from program import PEER, program


@program("python", short=True, auto=True)
def python(run):
    port, late, lines = run.port(), run.port(), run.port()
    host = run.server(f"{PEER} late {late} & {PEER} lines {lines} & exec {PEER} serve {port}", port, late, lines)
    # In recv itself an answer is late on purpose: what wakes it up too early must have the time to.
    run.client("five megabytes and a late answer", f"{PEER} send {host} {late}")
    run.client("five megabytes, waiting in poll", f"{PEER} poll {host} {port}")
    run.client("a conversation", f"{PEER} talk {host} {lines}")
    run.client("a question, its end, a late answer", f"{PEER} send {host} {late} 14")
    run.client("a timer while the answer is late", f"{PEER} tick {host} {late} 100000")
