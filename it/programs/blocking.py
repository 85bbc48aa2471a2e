"""Pairs that keep nothing but bytes: what waits in its calls, and the same exchange in languages that never do."""
import builds
from program import PEER, SOURCES, program

NODE = f"node {builds.NODE}/peer.js"


@program("python", short=True, auto=True)
def python(run):
    port, late, lines = run.port(), run.port(), run.port()
    host = run.server(f"{PEER} late {late} & {PEER} lines {lines} & exec {PEER} serve {port}", port, late, lines)
    # In recv itself an answer is late on purpose: what wakes it up too early must have the time to.
    run.client("five megabytes and a late answer", f"{PEER} send {host} {late}")
    run.client("five megabytes, waiting in poll", f"{PEER} poll {host} {port}")
    run.client("five megabytes, asyncio", f"{PEER} stream {host} {port}")
    run.client("a conversation", f"{PEER} talk {host} {lines}")
    run.client("a question, its end, a late answer", f"{PEER} send {host} {late} 14")
    run.client("a timer while the answer is late", f"{PEER} tick {host} {late} 100000")
    run.client("ten at a time", f"for i in $(seq 10); do {PEER} poll {host} {port} $((300000 + i)) >ten.$i & done; wait; cat ten.*", 40)


@program("perl", short=True)
def perl(run):
    port = run.port()
    host = run.server(f"exec {PEER} late {port}", port)
    run.client("print, shutdown, sysread", f"perl {SOURCES}/peer.pl {host} {port}")


@program("bash", short=True)
def bash(run):
    lines, port = run.port(), run.port()
    host = run.server(f"{PEER} lines {lines} & exec {PEER} serve {port}", lines, port)
    run.client("/dev/tcp, read", f"""
        exec 3<>/dev/tcp/{host}/{lines}
        for word in one two three; do echo $word >&3; read -r answer <&3; echo "$answer"; done""")
    run.client("cat, stopped and continued", f"""
        exec 3<>/dev/tcp/{host}/{lines}
        cat <&3 >bash.out & cat=$!
        sleep 0.4; kill -STOP $cat; sleep 0.2; kill -CONT $cat; sleep 0.2
        echo hello >&3
        for i in $(seq 40); do [ ! -s bash.out ] || break; sleep 0.05; done
        cat bash.out
        kill $cat 2>/dev/null
        {{ wait $cat; }} 2>/dev/null
        echo "ended with $?" """)
    run.client("a child ends while cat waits", f"""
        exec 3<>/dev/tcp/{host}/{lines}
        bash -c 'sleep 0.3 & exec cat <&3' >child.out & cat=$!
        sleep 0.8
        echo hello >&3
        for i in $(seq 40); do [ ! -s child.out ] || break; sleep 0.05; done
        cat child.out
        kill $cat 2>/dev/null""")


@program("java", builds=("java",))
def java(run):
    virtual, nio, late = run.port(), run.port(), run.port()
    peer = f"$JAVA_HOME/bin/java -Xmx400m -XX:TieredStopAtLevel=1 -cp {builds.JAVA} Peer"
    host = run.server(
        f"{peer} serve virtual {virtual} & {PEER} late {late} & exec {peer} serve nio {nio}", virtual, nio, late)
    for kind in ("platform", "virtual", "nio"):
        run.client(f"{kind} threads to virtual threads", f"{peer} send {kind} {host} {virtual}")
        run.client(f"{kind} threads to NIO", f"{peer} send {kind} {host} {nio}")
        run.client(f"{kind} threads, a late answer", f"{peer} send {kind} {host} {late}")


@program("node", builds=("node",), auto=True)
def node(run):
    port, lines, late = run.port(), run.port(), run.port()
    host = run.server(f"{NODE} serve {port} & {PEER} late {late} & exec {NODE} lines {lines}", port, lines, late)
    run.client("five megabytes and their answer", f"{NODE} send {host} {port}")
    run.client("a late answer", f"{NODE} send {host} {late}")
    run.client("a conversation", f"{NODE} talk {host} {lines}")
    run.client("Python at the other end", f"{PEER} poll {host} {port}; {PEER} talk {host} {lines}")


@program("go", builds=("go",), auto=True)
def go(run):
    port, lines, file, late = run.port(), run.port(), run.port(), run.port()
    host = run.server(
        f"{builds.GO} serve {port} & {builds.GO} lines {lines} & {PEER} late {late} & exec {builds.GO} file {file}",
        port, lines, file, late)
    run.client("five megabytes and their answer", f"{builds.GO} send {host} {port}")
    run.client("a late answer", f"{builds.GO} send {host} {late}")
    run.client("a conversation", f"{builds.GO} talk {host} {lines}")
    run.client("io.Copy to a file, five megabytes", f"{builds.GO} send {host} {file}", 12)
    run.client("io.Copy to a file, 100 bytes", f"{builds.GO} send {host} {file} 100", 12)


@program("rust", builds=("rust",), auto=True)
def rust(run):
    """On tokio."""
    port, lines, relayed, late = run.port(), run.port(), run.port(), run.port()
    host = run.server(f"{builds.RUST} serve {port} & {PEER} late {late} & exec {builds.RUST} lines {lines}", port, lines, late)
    relay = run.server(f"exec {builds.RUST} relay {relayed} {host} {port}", relayed, name="relay")
    run.client("five megabytes and their answer", f"{builds.RUST} send {host} {port}")
    run.client("a late answer", f"{builds.RUST} send {host} {late}")
    run.client("a conversation", f"{builds.RUST} talk {host} {lines}")
    run.client("through a relay, copy_bidirectional", f"{builds.RUST} send {relay} {relayed}")
    run.client("Python at the other end", f"{PEER} poll {host} {port}; {PEER} talk {host} {lines}")
