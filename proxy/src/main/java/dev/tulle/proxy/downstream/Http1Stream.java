package dev.tulle.proxy.downstream;

import dev.tulle.proxy.http1.Chunks;
import dev.tulle.proxy.http1.HeadWriter;
import dev.tulle.proxy.http1.HeaderProgram;
import dev.tulle.proxy.http1.RequestHead;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.http1.Trailers;
import dev.tulle.proxy.loop.ByteSink;
import dev.tulle.proxy.loop.Outgoing;
import dev.tulle.proxy.loop.Worker;
import dev.tulle.proxy.share.Held;
import dev.tulle.proxy.stream.Downstream;
import dev.tulle.proxy.stream.Peer;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The request that an {@link Http1Connection} is at, seen by who answers it: how the response is framed, and whether the
 * connection lives on. Loop-confined.
 */
final class Http1Stream implements Downstream {
    private final Http1Connection connection;
    private final RequestHead head;
    private final Worker worker;
    private final Outgoing out;
    private final Peer peer;
    private final BooleanSupplier draining;
    private byte[] trailers = Trailers.NONE;
    private boolean chunked;
    private boolean keepAlive;
    private boolean continued;
    private boolean untilClose;
    private boolean whole;

    /**
     * Of a connection.
     *
     * @param draining true when connections are to close after their current request
     */
    Http1Stream(
            Http1Connection connection,
            RequestHead head,
            Worker worker,
            Outgoing out,
            Peer peer,
            BooleanSupplier draining) {
        this.connection = connection;
        this.head = head;
        this.worker = worker;
        this.out = out;
        this.peer = peer;
        this.draining = draining;
    }

    /** A request begins. */
    void begin() {
        trailers = Trailers.NONE;
        chunked = false;
        keepAlive = false;
        continued = false;
        untilClose = false;
        whole = false;
    }

    @Override
    public Peer peer() {
        return peer;
    }

    @Override
    public Channel channel() {
        return connection.channel();
    }

    @Override
    public @Nullable Held held() {
        return connection.held();
    }

    @Override
    public boolean isReading() {
        return connection.isReading();
    }

    @Override
    public void deadline(long nanos) {
        connection.end().deadline(nanos);
    }

    @Override
    public void resumeBody() {
        connection.resumeBody();
    }

    @Override
    public void pauseBody(long unsent) {
        connection.pauseBody(unsent);
    }

    /** Leave to send the body goes only to who waits for it, and once. */
    @Override
    public void interim(ResponseHead interim) {
        boolean leave = interim.code() == 100;
        if (head.minorVersion() == 1 && (!leave || (head.expectsContinue() && !continued))) {
            continued |= leave;
            ByteSink sink = worker.sink();
            HeadWriter.response(sink, interim, -1, false, false, false, HeaderProgram.NONE);
            out.add(sink, 0);
        }
    }

    @Override
    public void head(ResponseHead answer, boolean tunnel, int following, HeaderProgram changes) {
        // A client that is still sending may not read before it has sent; it is told that this is the end.
        keepAlive = connection.isRequestComplete()
                && head.keepsAlive()
                && (!head.isUpgrade() || tunnel)
                && !draining.getAsBoolean();
        boolean bodyless = tunnel || answer.isBodyless(head.isHead());
        long length = -1;
        if (!bodyless) {
            length = answer.isChunked() ? -1 : answer.contentLength();
            chunked = length < 0 && head.minorVersion() == 1;
            untilClose = length < 0 && !chunked;
            keepAlive &= !untilClose;
        } else if (answer.code() != 204 && !tunnel) {
            length = answer.contentLength();
        }
        ByteSink sink = worker.sink();
        HeadWriter.response(
                sink, answer, length, chunked, !keepAlive && !tunnel, keepAlive && head.minorVersion() == 0, changes);
        out.add(sink, bodyless ? 0 : following);
        if (tunnel) {
            connection.becomeTunnel();
        }
    }

    @Override
    public void headPassed() {
        keepAlive = head.keepsAlive() && !draining.getAsBoolean();
    }

    @Override
    public void data(ByteBuf data) {
        if (chunked) {
            Chunks.add(worker.sink(), out, data);
        } else {
            out.add(data);
        }
    }

    @Override
    public void trailers(byte[] lines) {
        trailers = lines;
    }

    @Override
    public void end() {
        if (chunked) {
            Chunks.end(worker.sink(), out, trailers);
        }
        whole = keepAlive && connection.isRequestComplete();
    }

    @Override
    public void local(int status, int grpc, byte[] body, String location, HeaderProgram changes, boolean refused) {
        whole = connection.isRequestComplete()
                && !refused
                && head.keepsAlive()
                && !head.asksForTunnel()
                && !draining.getAsBoolean();
        ByteSink sink = worker.sink();
        HeadWriter.local(sink, status, body, location, !whole, head.isHead(), changes);
        out.add(sink, 0);
    }

    @Override
    public boolean flush() {
        return out.flush();
    }

    @Override
    public void done() {
        connection.streamDone(whole);
    }

    /** Where only the connection's end tells that the body is over, an orderly end would be taken for that. */
    @Override
    public void abort() {
        connection.end().abort(untilClose);
    }

    @Override
    public void endOutput() {
        connection.end().output();
    }

    @Override
    public void reset() {
        connection.end().abort(true);
    }
}
