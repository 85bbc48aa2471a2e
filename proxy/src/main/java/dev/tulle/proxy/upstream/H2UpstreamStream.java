package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ForwardedRequest;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http2.ReceivedHeads;
import dev.tulle.proxy.http2.SentHeads;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import org.jspecify.annotations.Nullable;

/** One request on an HTTP/2 connection to an endpoint. Loop-confined. */
// A failed write reaches the handlers by itself.
@SuppressWarnings("FutureReturnValueIgnored")
final class H2UpstreamStream implements UpstreamStream {
    /** Bytes that may wait for the endpoint before the client is not read from any more. */
    private static final int QUEUE = 64 << 10;

    /** Informational responses to one request before the server is taken for broken. */
    private static final int MAX_INTERIM = 16;

    private final H2UpstreamConnection connection;
    private final ResponseHead head = new ResponseHead();
    private @Nullable Http2Stream stream;
    private @Nullable UpstreamUser user;
    private boolean toHead;
    private boolean connects;
    private boolean tunnel;
    private boolean headRead;
    private boolean endSent;
    private boolean responseEnded;
    private boolean reset;
    private boolean refused;
    private boolean gone;
    private boolean reads = true;
    private boolean bodyless;
    private long received;
    private int queued;
    private int unconsumed;
    private int interims;
    private String trouble = "";

    H2UpstreamStream(H2UpstreamConnection connection) {
        this.connection = connection;
    }

    @Override
    public EndpointPool pool() {
        return connection.pool();
    }

    @Override
    public void send(UpstreamUser by, ForwardedRequest request) {
        user = by;
        toHead = request.head().isHead();
        connects = request.head().isConnect();
        endSent = !connects && !request.head().hasBody();
        stream = connection.open(
                this, SentHeads.request(request, connection.worker().random()), endSent);
        if (stream == null) {
            gone = true;
            // The user is still at sending.
            connection.worker().loop().execute(() -> closed("the connection takes no further requests", true));
        }
    }

    private void write(ByteBuf data, boolean ends) {
        Http2Stream to = stream;
        endSent |= ends;
        if (gone || to == null) {
            data.release();
        } else {
            int n = data.readableBytes();
            ChannelPromise sent = connection.context().newPromise();
            if (n > 0) {
                queued += n;
                sent.addListener(result -> sent(n));
            }
            connection.encoder().writeData(connection.context(), to.id(), data, 0, ends, sent);
        }
    }

    /** Bytes are in the socket, or thrown away with the stream. */
    private void sent(int n) {
        boolean was = isWritable();
        queued -= n;
        if (!was && isWritable() && !gone) {
            // Not while frames are being written.
            connection.worker().loop().execute(() -> {
                UpstreamUser current = user;
                if (current != null) {
                    current.upstreamWritability(true);
                }
            });
        }
    }

    @Override
    public void data(ByteBuf piece) {
        if (endSent) {
            piece.release();
        } else {
            write(piece, false);
        }
    }

    @Override
    public void end(byte[] trailers) {
        Http2Stream to = stream;
        if (endSent || gone || to == null) {
            return;
        }
        if (trailers.length == 0) {
            write(Unpooled.EMPTY_BUFFER, true);
            return;
        }
        endSent = true;
        connection
                .encoder()
                .writeHeaders(
                        connection.context(),
                        to.id(),
                        SentHeads.trailers(trailers),
                        0,
                        true,
                        connection.context().newPromise());
    }

    @Override
    public boolean flush() {
        if (!gone) {
            connection.flush();
        }
        return isWritable();
    }

    @Override
    public boolean isWritable() {
        // What Netty says of a stream counts what waits on all others of the connection as well.
        return gone || queued < QUEUE;
    }

    @Override
    public long unsent() {
        return queued;
    }

    @Override
    public void read(boolean on) {
        reads = on;
        if (on) {
            consumeAll();
        }
    }

    private void consumeAll() {
        Http2Stream from = stream;
        int n = unconsumed;
        unconsumed = 0;
        if (!gone && from != null) {
            connection.consumed(from, n);
        }
    }

    @Override
    public void finish(boolean requestComplete) {
        Http2Stream from = stream;
        boolean waits =
                from != null && !gone && connection.encoder().flowController().hasFlowControlled(from);
        leave(!endSent || !requestComplete || waits ? Http2Error.NO_ERROR : null);
    }

    @Override
    public void abandon() {
        leave(Http2Error.CANCEL);
    }

    /** Nobody is interested any more. */
    private void leave(@Nullable Http2Error why) {
        Http2Stream left = stream;
        user = null;
        consumeAll();
        boolean waits =
                left != null && !gone && connection.encoder().flowController().hasFlowControlled(left);
        if (!gone && left != null && why != null && (waits || !(endSent && responseEnded))) {
            connection.reset(left, why);
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
        end(new byte[0]);
        flush();
    }

    @Override
    public void reset() {
        leave(Http2Error.CONNECT_ERROR);
    }

    @Override
    public void closeWhenSent() {
        user = null;
        end(new byte[0]);
        flush();
    }

    // ---- from the server ----

    /** A head, or trailers. */
    void head(Http2Headers fields, boolean ends) {
        UpstreamUser current = user;
        if (current == null) {
            return;
        }
        if (headRead) {
            trailers(current, fields);
            return;
        }
        ParseStatus status = ReceivedHeads.response(connection.worker().sink(), fields, ends, toHead, head);
        if (status.isError()) {
            malformed("malformed response: " + status.text());
        } else if (head.code() < 200) {
            interim(current, ends);
        } else {
            tunnel = connects && head.code() < 300;
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

    /** A piece of the body; how many of its bytes were taken. */
    int data(ByteBuf in, boolean ends) {
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
        unconsumed += n;
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
        Http2Stream bad = stream;
        UpstreamUser current = user;
        user = null;
        if (bad != null && !gone) {
            connection.reset(bad, Http2Error.PROTOCOL_ERROR);
        }
        if (current != null) {
            current.upstreamBroken(why, true, UpstreamUser.Seen.PERHAPS);
        }
    }

    /** The server has reset it; {@link #closed} follows. */
    void wasReset(long code) {
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
        gone = true;
        UpstreamUser current = user;
        user = null;
        if (current != null) {
            current.upstreamBroken(
                    trouble.isEmpty() ? why : trouble,
                    false,
                    never || refused ? UpstreamUser.Seen.NEVER : UpstreamUser.Seen.PERHAPS);
        }
    }

    void readComplete() {
        UpstreamUser current = user;
        if (current != null) {
            current.readComplete();
        }
    }
}
