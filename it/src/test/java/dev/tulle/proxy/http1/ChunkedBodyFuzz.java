package dev.tulle.proxy.http1;

import dev.tulle.it.fuzz.Cost;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Chunked bodies: in pieces of any size the same data, the same end and the same verdict, and for a whole body what a
 * second reader finds that goes by the grammar alone. The first byte is the size of the pieces.
 */
public final class ChunkedBodyFuzz {
    private static final String ANY = "[\\t\\x20-\\x7e\\x80-\\xff]";

    /** Outside of quotes. */
    private static final String PLAIN = "[\\t\\x20\\x21\\x23-\\x7e\\x80-\\xff]";

    /** Within them, but for what a backslash takes its meaning: a line does not end there. */
    private static final String QUOTED = "[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]";

    private static final Pattern SIZE_LINE = Pattern.compile("([0-9A-Fa-f]{1,15})(?:;" + PLAIN + "*+(?:\"(?:" + QUOTED
            + "++|\\\\" + ANY + ")*+\"" + PLAIN + "*+)*+)?\\r\\n");
    private static final Pattern TRAILER =
            Pattern.compile("[!#$%&'*+\\-.^_`|~0-9A-Za-z]+:[\\t\\x20-\\x7e\\x80-\\xff]*\\r\\n");

    private ChunkedBodyFuzz() {}

    private record Outcome(String data, int end, boolean broken) {}

    /** One body. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            Cost.within(data.length, 400_000, 1_000, () -> check(data));
        }
    }

    private static void check(byte[] data) {
        Outcome whole = read(data, data.length);
        Outcome pieces = read(data, 1 + (data[0] & 0x7f));
        Cost.must(whole.equals(pieces), "whole and in pieces differ");
        Outcome byGrammar = byGrammar(new String(data, 1, data.length - 1, StandardCharsets.ISO_8859_1));
        if (whole.end >= 0) {
            Cost.must(whole.equals(byGrammar), "taken against the grammar");
        } else if (byGrammar.end >= 0) {
            // The limits on extensions and trailers are not the grammar's.
            Cost.must(whole.broken && data.length > ChunkedBody.MAX_SIZE_LINE, "refused against the grammar");
        }
    }

    private static Outcome read(byte[] data, int step) {
        ChunkedBody body = new ChunkedBody();
        StringBuilder found = new StringBuilder();
        int at = 1;
        while (at < data.length && !body.isComplete() && !body.isBroken()) {
            int size = Math.min(step, data.length - at);
            ByteBuf in = Unpooled.wrappedBuffer(data, at, size);
            for (ByteBuf piece = body.next(in); piece != null; piece = body.next(in)) {
                found.append(piece.toString(StandardCharsets.ISO_8859_1));
                piece.release();
            }
            at += in.readerIndex();
            Cost.must(body.isComplete() || body.isBroken() || !in.isReadable(), "left without a reason");
        }
        String trailers = new String(body.trailers(), StandardCharsets.ISO_8859_1);
        if (body.isComplete()) {
            Matcher line = TRAILER.matcher(trailers);
            int end = 0;
            for (; line.region(end, trailers.length()).lookingAt(); end = line.end()) {
                Cost.must(!trailers.regionMatches(true, end, "content-", 0, 8), "a field that must not follow a body");
            }
            Cost.must(end == trailers.length(), "trailers are not lines");
        }
        return new Outcome(body.isBroken() ? "" : found.toString(), body.isComplete() ? at - 1 : -1, body.isBroken());
    }

    private static Outcome byGrammar(String text) {
        Outcome none = new Outcome("", -1, false);
        ByteArrayOutputStream found = new ByteArrayOutputStream();
        Matcher size = SIZE_LINE.matcher(text);
        int at = 0;
        while (true) {
            if (!size.region(at, text.length()).lookingAt()) {
                return none;
            }
            at = size.end();
            long length = Long.parseLong(size.group(1), 16);
            if (length == 0) {
                break;
            }
            if (length > text.length() - at - 2 || !text.startsWith("\r\n", at + (int) length)) {
                return none;
            }
            found.writeBytes(text.substring(at, at + (int) length).getBytes(StandardCharsets.ISO_8859_1));
            at += (int) length + 2;
        }
        Matcher trailer = TRAILER.matcher(text);
        while (trailer.region(at, text.length()).lookingAt()) {
            at = trailer.end();
        }
        return text.startsWith("\r\n", at)
                ? new Outcome(found.toString(StandardCharsets.ISO_8859_1), at + 2, false)
                : none;
    }

    /** Bodies with all parts that one can have. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (String text : List.of(
                "0\r\n\r\n",
                "5\r\nhello\r\n0\r\n\r\nGET /",
                "00a;x=\"y\"\r\n0123456789\r\nF\r\n0123456789abcde\r\n0\r\nx-sum: 1\r\ny:\r\n\r\n",
                "5 \r\nhello\r\n0\r\n\r\n",
                "5\nhello\n0\n\n",
                "fffffffffffffff\r\na")) {
            for (char first : new char[] {'\0', '\1', '\7', '\177'}) {
                seeds.add((first + text).getBytes(StandardCharsets.ISO_8859_1));
            }
        }
        return seeds;
    }
}
