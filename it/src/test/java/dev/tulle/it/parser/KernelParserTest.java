package dev.tulle.it.parser;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tulle.it.parser.KernelParser.Head;
import dev.tulle.it.parser.KernelParser.Kind;
import dev.tulle.it.parser.KernelParser.Taken;
import dev.tulle.proxy.http1.MessageHead;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever the kernel's parser takes, the proxy's parser takes too and understands in the same way: method, path, length,
 * fields, and where the message ends. The reverse need not hold, but good heads must be taken, or the proof is empty.
 * Replay: {@code -Dtulle.seed=N}.
 */
class KernelParserTest {
    private static final long SEED = Long.getLong("tulle.seed", System.nanoTime());
    private static final int HEADS = Integer.getInteger("tulle.heads", 60_000);
    /** {@code TULLE_HTTP_FIELDS}. */
    private static final int KERNEL_FIELDS = 100;

    private static final String GOOD =
            "POST /api/v1?q=1 HTTP/1.1\r\nHost: a:80\r\nx-tag: red\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    private static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static KernelParser kernel;

    @BeforeAll
    static void compile() throws Exception {
        kernel = new KernelParser(folder);
        System.out.println("KernelParserTest: seed " + SEED);
    }

    @Test
    void goodHeadsAreTakenAndMeanTheSame() throws Exception {
        Heads heads = new Heads(new SplittableRandom(SEED));
        List<Head> all = new ArrayList<>();
        for (int i = 0; i < HEADS / 4; i++) {
            all.add(i % 3 == 0 ? heads.response() : heads.request());
        }
        int taken = check(all);
        assertTrue(taken >= all.size() * 0.9, taken + " of " + all.size() + " good heads taken; seed " + SEED);
    }

    @Test
    void brokenHeadsMeanTheSameIfTaken() throws Exception {
        Heads heads = new Heads(new SplittableRandom(SEED + 1));
        List<Head> all = new ArrayList<>();
        for (int i = 0; i < HEADS; i++) {
            all.add(heads.broken(i % 4 == 0 ? heads.response() : heads.request()));
        }
        int taken = check(all);
        assertTrue(taken > 0 && taken < all.size(), taken + " of " + all.size() + " taken; seed " + SEED);
    }

    @Test
    void everyHeadBesideAGoodOneMeansTheSameIfTaken() throws Exception {
        Head request = new Head(Kind.REQUEST, Heads.bytes(GOOD));
        Head response = new Head(
                Kind.RESPONSE,
                Heads.bytes("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc"));
        for (Head good : List.of(request, response, new Head(Kind.RESPONSE_TO_HEAD, response.bytes()))) {
            assertEquals(1, check(List.of(good)));
            check(Heads.neighbours(good));
            check(Heads.cuts(good));
        }
    }

    @Test
    void smugglingLinesInEveryPlaceMeanTheSameIfTaken() throws Exception {
        List<Head> all = new ArrayList<>();
        List<String> fields = List.of("Host: a", "x-group: b", "Content-Length: 5", "Transfer-Encoding: chunked");
        for (String line : Heads.SMUGGLING) {
            for (int present = 0; present < 1 << fields.size(); present++) {
                for (int place = 0; place <= fields.size(); place++) {
                    StringBuilder head = new StringBuilder("\r\n");
                    for (int i = 0; i <= fields.size(); i++) {
                        head.append(i == place ? line + "\r\n" : "");
                        head.append(i < fields.size() && (present & 1 << i) != 0 ? fields.get(i) + "\r\n" : "");
                    }
                    for (String body : List.of("", "hello", "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n")) {
                        all.add(new Head(Kind.REQUEST, Heads.bytes("POST /a HTTP/1.1" + head + "\r\n" + body)));
                        all.add(new Head(Kind.RESPONSE, Heads.bytes("HTTP/1.1 200 OK" + head + "\r\n" + body)));
                    }
                }
            }
        }
        check(all);
    }

    /** The proxy refuses a head with more fields than its limit: what one path refuses, the other does not forward. */
    @Test
    void fewerFieldsAreTakenThanTheProxyTakes() throws Exception {
        assertTrue(KERNEL_FIELDS <= MessageHead.MAX_FIELDS);
        for (int fields = KERNEL_FIELDS - 1; fields <= KERNEL_FIELDS + 2; fields++) {
            String few = "Host: a\r\n" + "x:y\r\n".repeat(fields - 1);
            String answer = "Content-Length: 0\r\n" + "x:y\r\n".repeat(fields - 1);
            int taken = check(List.of(
                    new Head(Kind.REQUEST, Heads.bytes("GET /a HTTP/1.1\r\n" + few + "\r\n")),
                    new Head(Kind.RESPONSE, Heads.bytes("HTTP/1.1 200 OK\r\n" + answer + "\r\n"))));
            assertEquals(fields <= KERNEL_FIELDS ? 2 : 0, taken, fields + " fields");
        }
    }

    @Test
    void firstLinesMeanTheSameIfTaken() throws Exception {
        List<Head> all = new ArrayList<>();
        for (String line : Heads.REQUEST_LINES) {
            all.add(new Head(Kind.REQUEST, Heads.bytes(line + "\r\nHost: a\r\n\r\n")));
            all.add(new Head(Kind.REQUEST, Heads.bytes(line + "\r\n\r\n")));
        }
        for (String line : Heads.STATUS_LINES) {
            for (Kind kind : List.of(Kind.RESPONSE, Kind.RESPONSE_TO_HEAD)) {
                all.add(new Head(kind, Heads.bytes(line + "\r\nContent-Length: 0\r\n\r\n")));
                all.add(new Head(kind, Heads.bytes(line + "\r\n\r\n")));
            }
        }
        for (int size = 900; size < 2100; size++) {
            all.add(new Head(
                    Kind.REQUEST, Heads.bytes("GET /" + "a".repeat(size - 30) + " HTTP/1.1\r\nHost: a\r\n\r\n")));
            all.add(new Head(
                    Kind.RESPONSE,
                    Heads.bytes("HTTP/1.1 200 OK\r\nx: " + "a".repeat(size) + "\r\nContent-Length: 0\r\n\r\n")));
        }
        assertTrue(check(all) > 100);
    }

    /** Compares; returns how many the kernel takes. */
    private static int check(List<Head> heads) throws Exception {
        List<@Nullable Taken> taken = kernel.parse(heads);
        int count = 0;
        for (int i = 0; i < heads.size(); i++) {
            Taken one = taken.get(i);
            if (one != null) {
                count++;
                SameMeaning.check(heads.get(i), one, "seed " + SEED);
            }
        }
        return count;
    }
}
