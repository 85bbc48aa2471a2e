package dev.tulle.proxy.upstream;

import dev.tulle.proxy.http1.ChunkedBody;
import dev.tulle.proxy.http1.ParseStatus;
import dev.tulle.proxy.http1.ResponseHead;
import dev.tulle.proxy.upstream.UpstreamState.Event;
import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/**
 * Finds the answers of a server in the bytes of its connection of HTTP/1.1, one at a time, and hands each to who asked.
 * Loop-confined.
 */
final class AnswerReader {
    /** Informational responses to one request before the server is taken for broken. */
    private static final int MAX_INTERIM = 16;

    /** What a request wants its connection to become. */
    enum Asked {
        /** Nothing else: HTTP as before. */
        NOTHING,
        /** Another protocol, if the server switches (101). */
        UPGRADE,
        /** A tunnel to somewhere else, if the server agrees (2xx): RFC 9110 section 9.3.6. */
        TUNNEL
    }

    /** Who has the connection. */
    interface Owner {
        /** Bytes that nobody asked for: the next response on this connection could be a planted one. */
        void unasked();

        /** Each direction ends on its own from now on. */
        void switched();

        /**
         * The connection cannot go on, which who asked is to hear.
         *
         * @param malformed true when what the server sent breaks the protocol
         */
        void broken(String reason, boolean malformed);
    }

    private final Owner owner;
    private final ResponseHead head = new ResponseHead();
    private final ChunkedBody chunked = new ChunkedBody();
    private UpstreamState state = UpstreamState.IDLE;
    private @Nullable UpstreamUser user;
    private boolean toHead;
    private Asked asked = Asked.NOTHING;
    private Switching switching = Switching.NONE;
    private int interims;
    private long remaining;
    private boolean reusable;

    AnswerReader(Owner owner) {
        this.owner = owner;
    }

    /** Where the connection is. */
    UpstreamState state() {
        return state;
    }

    boolean is(UpstreamState one) {
        return state == one;
    }

    /**
     * Something happened.
     *
     * @throws IllegalStateException when it cannot happen where the connection is; which is closed then, as nobody knows
     *     what its bytes mean
     */
    void on(Event event) {
        UpstreamState at = state;
        UpstreamState next = at.after(event);
        if (next == null) {
            String why = event + " where a connection is " + at;
            owner.broken(why, false);
            throw new IllegalStateException(why);
        }
        state = next;
    }

    // ---- who asked ----

    /**
     * A request goes to the server.
     *
     * @param next who takes the answer
     * @param isHead true when it has no body whatever it says
     */
    void begin(UpstreamUser next, boolean isHead, Asked what, Switching how) {
        user = next;
        on(Event.ASKED);
        toHead = isHead;
        asked = what;
        switching = how;
        interims = 0;
        reusable = true;
        head.reset();
    }

    /** Goes on with an answer of whose body so much is still to come. */
    void goOn(UpstreamUser next, long left) {
        user = next;
        on(Event.TAKEN);
        remaining = left;
        reusable = true;
    }

    /** Who takes the answer; null for nobody. */
    @Nullable
    UpstreamUser user() {
        return user;
    }

    /** Nobody takes the answer any more. */
    void leave() {
        user = null;
    }

    /** Nothing of the answer has come. */
    boolean isUntouched() {
        return state == UpstreamState.HEAD && head.isEmpty() && interims == 0;
    }

    /** True when something of the answer has come, and more of it has to. */
    boolean isWithin() {
        return switch (state) {
            case HEAD -> !head.isEmpty();
            case LENGTH -> remaining > 0;
            case CHUNKED, UNTIL_CLOSE -> true;
            case IDLE, TUNNEL, LENT, CLOSED -> false;
        };
    }

    /** True between two requests, if nothing speaks against a next one. */
    boolean isReusable() {
        return state == UpstreamState.IDLE && reusable;
    }

    /** No further request is to come this way. */
    void spoil() {
        reusable = false;
    }

    // ---- what the server sends ----

    /** Hands on what is there; the bytes stay the caller's. */
    void read(ByteBuf in) {
        while (in.isReadable()) {
            UpstreamUser current = user;
            if (current == null) {
                owner.unasked();
                return;
            }
            switch (state) {
                case IDLE -> {
                    reusable = false;
                    return;
                }
                case HEAD -> {
                    ParseStatus status = head.read(in);
                    if (status == ParseStatus.NEED_MORE) {
                        return;
                    }
                    if (status.isError()) {
                        malformed("malformed response: " + status.text());
                        return;
                    }
                    headComplete(current, in.readableBytes());
                }
                case LENGTH -> {
                    int n = (int) Math.min(remaining, in.readableBytes());
                    remaining -= n;
                    current.responseData(in.readRetainedSlice(n));
                    if (remaining == 0) {
                        end(current, in);
                    }
                }
                case CHUNKED -> chunks(current, in);
                case UNTIL_CLOSE, TUNNEL -> current.responseData(in.readRetainedSlice(in.readableBytes()));
                case LENT, CLOSED -> {
                    return;
                }
            }
        }
    }

    private void headComplete(UpstreamUser current, int following) {
        int code = head.code();
        if (code == 101 && (asked != Asked.UPGRADE || !head.isUpgrade())) {
            malformed("101 without having been asked to switch protocols");
            return;
        }
        String fault = switching.fault(head);
        if (fault != null) {
            malformed("malformed response: " + fault);
            return;
        }
        if (code == 101 || (asked == Asked.TUNNEL && code / 100 == 2)) {
            on(Event.SWITCHED);
            reusable = false;
            owner.switched();
            current.responseHead(head, following);
        } else if (code < 200) {
            interim(current);
        } else if (isFollowedByBody(code)) {
            current.responseHead(head, following);
        } else {
            on(Event.ENDS);
            reusable &= following == 0;
            current.responseHead(head, following);
            if (user == current) {
                current.responseEnd();
            }
        }
    }

    private void interim(UpstreamUser current) {
        if (++interims > MAX_INTERIM) {
            malformed("more than " + MAX_INTERIM + " informational responses");
            return;
        }
        current.interim(head);
        head.reset();
    }

    /** How the body is framed; false when there is none. */
    private boolean isFollowedByBody(int code) {
        reusable &= head.keepsAlive();
        if (head.isBodyless(toHead)) {
            boolean lies = code == 204 && (head.isChunked() || head.contentLength() > 0);
            reusable &= !lies;
            return false;
        }
        if (head.isChunked()) {
            on(Event.CHUNKS_FOLLOW);
            chunked.reset();
        } else if (head.contentLength() < 0) {
            on(Event.REST_FOLLOWS);
            reusable = false;
        } else if (head.contentLength() > 0) {
            on(Event.LENGTH_FOLLOWS);
            remaining = head.contentLength();
        } else {
            return false;
        }
        return true;
    }

    private void chunks(UpstreamUser current, ByteBuf in) {
        ByteBuf data = chunked.next(in);
        if (data != null) {
            current.responseData(data);
        } else if (chunked.isBroken()) {
            malformed("malformed response: " + ParseStatus.BAD_CHUNK.text());
        } else if (chunked.isComplete()) {
            byte[] trailers = chunked.trailers();
            if (trailers.length > 0) {
                current.responseTrailers(trailers);
            }
            end(current, in);
        }
    }

    private void end(UpstreamUser current, ByteBuf rest) {
        if (user != current) {
            return;
        }
        on(Event.ENDS);
        reusable &= !rest.isReadable();
        current.responseEnd();
    }

    private void malformed(String reason) {
        owner.broken(reason, true);
    }
}
