package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.http2.FramedStream;
import dev.tulle.proxy.http2.ReceivedHeads;
import dev.tulle.proxy.http2.SentHeads;
import dev.tulle.proxy.loop.ByteSink;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import org.jspecify.annotations.Nullable;

/** One request on an HTTP/2 connection to an endpoint. Loop-confined. */
final class H2UpstreamStream extends FramedStream implements UpstreamStream {
    /** Informational responses to one request before the server is taken for broken. */
    private static final int MAX_INTERIM = 16;

    private final H2UpstreamConnection connection;
    private final ResponseHead head = new ResponseHead();
    private @Nullable UpstreamUser user;
    private boolean toHead;
    private boolean connects;
    /** Which one, when the stream is asked to carry another protocol; else empty. */
    private String protocol = "";

    private String accept = "";
    /** Its head was sent: before that the connection knows nothing of it. */
    private boolean begun;

    /** Its head is being sent, and may be too large for the server. */
    private boolean sending;

    private boolean tunnel;
    private boolean headRead;
    private boolean responseEnded;
    private boolean reset;
    private boolean refused;
    private boolean reads = true;
    private boolean bodyless;
    private long received;
    private int interims;
    private String trouble = "";

    H2UpstreamStream(H2UpstreamConnection connection) {
        super(connection, connection.worker());
        this.connection = connection;
    }

    @Override
    public EndpointPool pool() {
        return connection.pool();
    }

    /** Whether a server takes another protocol on a stream is known when it has sent its settings. */
    @Override
    public void send(UpstreamUser by, ForwardedRequest request) {
        user = by;
        toHead = request.head().isHead();
        connects = request.head().asksForTunnel();
        if (request.head().isUpgrade() && !connection.isSettled()) {
            connection.whenSettled(() -> {
                if (user != null) {
                    begin(request);
                }
            });
        } else {
            begin(request);
        }
    }

    private void begin(ForwardedRequest request) {
        RequestHead asked = request.head();
        boolean switches = asked.isUpgrade() && connection.takesExtendedConnect();
        if (asked.isExtendedConnect() && !switches) {
            later(() -> malformed("the server takes no WebSocket or the like over HTTP/2 (RFC 8441)"));
            return;
        }
        connects = asked.isConnect() || switches;
        if (switches) {
            protocol = asked.upgrade();
            accept = Switching.answerTo(asked);
        }
        Http2Stream opened = connection.open(this);
        if (opened != null) {
            begun = true;
            open(opened);
            boolean ends = !connects && !asked.hasBody();
            sending = true;
            send(SentHeads.request(fields(), request, switches, worker().random()), ends);
            sending = false;
        } else {
            gone();
            later(() -> closed("the connection takes no further requests", true));
        }
    }

    /** The user is still at sending. */
    private void later(Runnable what) {
        worker().loop().execute(what);
    }

    @Override
    protected void roomAgain() {
        UpstreamUser current = user;
        if (current != null) {
            current.upstreamWritability(true);
        }
    }

    @Override
    public void data(ByteBuf piece) {
        if (isEndSent()) {
            piece.release();
        } else {
            send(piece, false);
        }
    }

    /** The request of a tunnel is its head; its client's half ends by {@link #endOutput}. */
    @Override
    public void end(byte[] trailers) {
        if (!connects) {
            sendEnd(trailers);
        }
    }

    @Override
    public boolean flush() {
        return flushStream();
    }

    @Override
    public boolean isWritable() {
        return hasRoom();
    }

    @Override
    public long unsent() {
        return queued();
    }

    @Override
    public void read(boolean on) {
        reads = on;
        if (on) {
            consumeAll();
        }
    }

    @Override
    public void finish(boolean requestComplete) {
        leave(Http2Error.NO_ERROR);
    }

    @Override
    public void abandon() {
        leave(Http2Error.CANCEL);
    }

    /** Nobody is interested any more: what is not over is reset. */
    private void leave(Http2Error why) {
        user = null;
        consumeAll();
        if (!begun) {
            connection.unused();
        } else if (isSending() || !isEndSent() || !responseEnded) {
            reset(why);
        }
    }

    @Override
    public boolean isTunnel() {
        return tunnel;
    }

    @Override
    public boolean wasReset() {
        return reset;
    }

    @Override
    public void endOutput() {
        sendEnd(Trailers.NONE);
        flush();
    }

    @Override
    public void reset() {
        leave(protocol.isEmpty() ? Http2Error.CONNECT_ERROR : Http2Error.CANCEL);
    }

    @Override
    public void closeWhenSent() {
        user = null;
        sendEnd(Trailers.NONE);
        flush();
    }

    // ---- from the server ----

    @Override
    protected void head(Http2Headers fields, boolean ends) {
        UpstreamUser current = user;
        if (current == null) {
            return;
        }
        if (headRead) {
            trailers(current, fields);
            return;
        }
        boolean switched = !protocol.isEmpty() && isSuccess(fields.status());
        ByteSink sink = worker().sink();
        ParseStatus status = switched
                ? ReceivedHeads.switched(sink, fields, protocol, accept, head)
                : ReceivedHeads.response(sink, fields, ends, toHead, head);
        if (status.isError()) {
            malformed("malformed response: " + status.text());
        } else if (head.code() < 200 && !switched) {
            interim(current, ends);
        } else {
            tunnel = switched || (connects && head.code() < 300);
            bodyless = !tunnel && head.isBodyless(toHead);
            if (ends && isShort()) {
                malformed("malformed response: no body, and a length");
                return;
            }
            headRead = true;
            responseEnded = ends;
            current.responseHead(head, 0);
            if (ends && isStill(current)) {
                end(current);
            }
        }
    }

    private static boolean isSuccess(@Nullable CharSequence status) {
        return status != null && status.length() == 3 && status.charAt(0) == '2';
    }

    private void interim(UpstreamUser current, boolean ends) {
        if (ends || head.code() == 101 || ++interims > MAX_INTERIM) {
            malformed("malformed response: an informational one that ends, switches protocols, or is the 17th");
        } else {
            current.interim(head);
        }
    }

    private void trailers(UpstreamUser current, Http2Headers fields) {
        byte[] lines = ReceivedHeads.trailers(fields);
        if (lines == null) {
            malformed("malformed trailers");
            return;
        }
        if (isShort()) {
            malformed("malformed response: the body is shorter than its length");
            return;
        }
        responseEnded = true;
        if (lines.length > 0) {
            current.responseTrailers(lines);
        }
        if (isStill(current)) {
            end(current);
        }
    }

    // Users have no equality but identity.
    @SuppressWarnings("ReferenceEquality")
    private boolean isStill(UpstreamUser current) {
        return user == current;
    }

    @Override
    protected int data(ByteBuf in, boolean ends) {
        int n = in.readableBytes();
        UpstreamUser current = user;
        if (current == null) {
            return n;
        }
        received += n;
        if (!headRead || (n > 0 && bodyless)) {
            malformed("malformed response: a body where there can be none");
            return n;
        }
        if (ends && isShort()) {
            malformed("malformed response: the body is shorter than its length");
            return n;
        }
        responseEnded = ends;
        if (n > 0) {
            current.responseData(in.retain());
        }
        if (ends && isStill(current)) {
            end(current);
        }
        if (reads) {
            return n;
        }
        owe(n);
        return 0;
    }

    /** True when less has come than the head says: behind a conversion the next response would be taken for the rest. */
    private boolean isShort() {
        return !tunnel && !bodyless && head.contentLength() > received;
    }

    private void end(UpstreamUser current) {
        if (tunnel) {
            current.tunnelEnded();
        } else {
            current.responseEnd();
        }
    }

    private void malformed(String why) {
        UpstreamUser current = user;
        user = null;
        if (begun) {
            reset(Http2Error.PROTOCOL_ERROR);
        } else {
            connection.unused();
        }
        if (current != null) {
            current.upstreamBroken(why, true, UpstreamUser.Seen.PERHAPS);
        }
    }

    @Override
    protected void wasReset(long code) {
        Http2Error error = Http2Error.valueOf(code);
        reset = true;
        refused = error == Http2Error.REFUSED_STREAM;
        trouble = "the server reset the stream: " + (error == null ? Long.toString(code) : error.name());
    }

    /**
     * The stream is no more.
     *
     * @param why for people, if the server has not said it
     * @param never true when the server says that it has not read the request
     */
    void closed(String why, boolean never) {
        gone();
        if (sending) {
            later(() -> closed("the head is larger than the server takes", false));
            return;
        }
        UpstreamUser current = user;
        user = null;
        if (current != null) {
            current.upstreamBroken(
                    trouble.isEmpty() ? why : trouble,
                    false,
                    never || refused ? UpstreamUser.Seen.NEVER : UpstreamUser.Seen.PERHAPS);
        }
    }

    @Override
    protected void batchOver() {
        UpstreamUser current = user;
        if (current != null) {
            current.readComplete();
        }
    }
}
