package dev.tulle.proxy.filter;

import dev.tulle.model.RequestView;
import dev.tulle.proxy.http1.ResponseHead;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.concurrent.TimeUnit;

/** Watches a call of gRPC: its messages in both directions and the status that ends it. Holds nothing back. */
final class GrpcFilter implements HttpFilter {
    private static final String STATUS = "grpc-status";

    /** Statuses are numbers up to 16; larger ones that somebody made up are one. */
    private static final int UNKNOWN = 2;

    private static final int LARGEST = 16;

    private final GrpcCall call = new GrpcCall();

    @Override
    public Step request(RequestView head, FilterStream stream) {
        head.headers("grpc-timeout").stream().findFirst().ifPresent(written -> call.timeout(nanos(written)));
        stream.reports(call);
        return Step.CONTINUE;
    }

    @Override
    public void requestData(ByteBuf piece) {
        call.requests().pass(piece);
    }

    @Override
    public void response(ResponseHead head) {
        String status = head.header(STATUS);
        if (status != null) {
            call.status(number(status));
        }
    }

    @Override
    public void responseData(ByteBuf piece) {
        call.responses().pass(piece);
    }

    @Override
    public void responseTrailers(byte[] lines) {
        for (String line : new String(lines, StandardCharsets.ISO_8859_1).split("\r\n", -1)) {
            int colon = line.indexOf(':');
            if (colon == STATUS.length() && line.toLowerCase(Locale.ROOT).startsWith(STATUS)) {
                call.status(number(line.substring(colon + 1)));
            }
        }
    }

    /** At most eight digits and a unit; 0 for what is not so written, and for nothing, which no call could keep. */
    static long nanos(String written) {
        int digits = written.length() - 1;
        if (digits < 1 || digits > 8 || !written.chars().limit(digits).allMatch(c -> c >= '0' && c <= '9')) {
            return 0;
        }
        long amount = Long.parseLong(written.substring(0, digits));
        return switch (written.charAt(digits)) {
            case 'H' -> TimeUnit.HOURS.toNanos(amount);
            case 'M' -> TimeUnit.MINUTES.toNanos(amount);
            case 'S' -> TimeUnit.SECONDS.toNanos(amount);
            case 'm' -> TimeUnit.MILLISECONDS.toNanos(amount);
            case 'u' -> TimeUnit.MICROSECONDS.toNanos(amount);
            case 'n' -> amount;
            default -> 0;
        };
    }

    private static int number(String written) {
        String text = written.strip();
        boolean small = !text.isEmpty() && text.length() <= 2 && text.chars().allMatch(c -> c >= '0' && c <= '9');
        int number = small ? Integer.parseInt(text) : UNKNOWN;
        return number <= LARGEST ? number : UNKNOWN;
    }
}
