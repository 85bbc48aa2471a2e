package dev.tulle.proxy.http1;

import dev.tulle.it.fuzz.Cost;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Heads of requests and responses: where a head is cut into pieces never matters, what is taken has whole fields of tokens
 * and no control characters, one meaning of its length, and reads the same when it is written out again. The first byte
 * says what is read and where it is cut.
 */
public final class HeadFuzz {
    private HeadFuzz() {}

    /** One head. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            Cost.within(data.length, 400_000, 400, () -> check(data));
        }
    }

    private static MessageHead fresh(boolean request) {
        return request ? new RequestHead() : new ResponseHead();
    }

    private static void check(byte[] data) {
        boolean request = (data[0] & 1) == 0;
        int length = data.length - 1;
        MessageHead whole = fresh(request);
        ByteBuf in = Unpooled.wrappedBuffer(data, 1, length);
        ParseStatus status = whole.read(in);
        int end = in.readerIndex();

        MessageHead pieces = fresh(request);
        int step = 1 + ((data[0] & 0xff) >> 1);
        ParseStatus inPieces = ParseStatus.NEED_MORE;
        int read = 0;
        for (int at = 0; at < length && inPieces == ParseStatus.NEED_MORE; at += step) {
            ByteBuf piece = Unpooled.wrappedBuffer(data, 1 + at, Math.min(step, length - at));
            inPieces = pieces.read(piece);
            read = at + piece.readerIndex();
        }
        Cost.must(inPieces == status, "whole " + status + ", in pieces " + inPieces);
        if (status != ParseStatus.COMPLETE) {
            Cost.must(status == ParseStatus.NEED_MORE || !status.text().isEmpty(), "a refusal without a word");
            return;
        }
        Cost.must(read == end, "whole it ends at " + end + ", in pieces at " + read);
        Cost.must(written(whole).equals(written(pieces)), "another meaning in pieces");
        fields(whole);
        byte[] again = written(whole).getBytes(StandardCharsets.ISO_8859_1);
        MessageHead second = fresh(request);
        Cost.must(
                second.read(Unpooled.wrappedBuffer(again)) == ParseStatus.COMPLETE,
                "what was taken is refused when it is written again");
        Cost.must(written(second).equals(written(whole)), "another meaning when written again");
        Cost.must(
                second.contentLength() == whole.contentLength()
                        && second.isChunked() == whole.isChunked()
                        && second.keepsAlive() == whole.keepsAlive(),
                "another framing when written again");
    }

    private static void fields(MessageHead head) {
        int lengths = 0;
        int codings = 0;
        for (int i = 0; i < head.fieldCount(); i++) {
            String name = head.text(head.nameStart(i), head.nameEnd(i));
            String value = head.text(head.valueStart(i), head.valueEnd(i));
            Cost.must(!name.isEmpty() && name.chars().allMatch(c -> c > ' ' && c < 127 && c != ':'), "name " + name);
            Cost.must(value.chars().noneMatch(c -> (c < ' ' && c != '\t') || c == 127), "value of " + name);
            Cost.must(
                    value.equals(value.strip())
                            || value.isBlank()
                            || value.charAt(0) > 127
                            || value.charAt(value.length() - 1) > 127,
                    "blanks around the value of " + name);
            lengths += name.equalsIgnoreCase("content-length") ? 1 : 0;
            codings += name.equalsIgnoreCase("transfer-encoding") ? 1 : 0;
        }
        Cost.must(lengths <= 1 && codings <= 1 && lengths + codings <= 1, "two framings");
        Cost.must((lengths == 1) == (head.contentLength() >= 0), "a length that nobody reads");
        Cost.must((codings == 1) == head.isChunked(), "a coding that nobody reads");
    }

    private static String written(MessageHead head) {
        StringBuilder out = new StringBuilder();
        if (head instanceof RequestHead asked) {
            out.append(asked.method()).append(' ').append(asked.target()).append(" HTTP/1.");
            out.append(head.minorVersion()).append("\r\n");
        } else if (head instanceof ResponseHead answered) {
            out.append("HTTP/1.")
                    .append(head.minorVersion())
                    .append(' ')
                    .append(answered.code())
                    .append(' ');
            out.append(head.text(answered.reasonStart(), answered.reasonEnd())).append("\r\n");
        }
        for (int i = 0; i < head.fieldCount(); i++) {
            out.append(head.text(head.nameStart(i), head.nameEnd(i))).append(": ");
            out.append(head.text(head.valueStart(i), head.valueEnd(i))).append("\r\n");
        }
        return out.append("\r\n").toString();
    }

    /** Plain heads, and those by which requests are smuggled. */
    public static List<byte[]> seeds() {
        List<byte[]> seeds = new ArrayList<>();
        for (String text : List.of(
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                "\r\nPOST /a?b HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\nConnection: keep-alive, x\r\n\r\nabc",
                "PUT http://a/b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n0\r\n\r\n",
                "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nProxy-Authorization: Basic eA==\r\n\r\n",
                "OPTIONS * HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n",
                "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\nx-forwarded-for: 1\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x\r\n\r\nabc",
                "HTTP/1.0 301 \r\nLocation: /\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")) {
            for (int first : new int[] {0, 1, 6, 7, 40, 41}) {
                if ((first & 1) == (text.startsWith("HTTP/") ? 1 : 0)) {
                    byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
                    byte[] seed = new byte[bytes.length + 1];
                    seed[0] = (byte) first;
                    System.arraycopy(bytes, 0, seed, 1, bytes.length);
                    seeds.add(seed);
                }
            }
        }
        return seeds;
    }
}
