package dev.tulle.it.parser;

import dev.tulle.it.fuzz.Cost;
import dev.tulle.it.parser.KernelParser.Head;
import dev.tulle.it.parser.KernelParser.Kind;
import dev.tulle.it.parser.KernelParser.Taken;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * The kernel's parser of heads beside the proxy's: what the first takes, the second takes with the same meaning. The first
 * byte says what is read.
 */
public final class HeadDifferenceFuzz {
    private static final KernelLibrary KERNEL = new KernelLibrary();
    private static final List<Kind> KINDS = List.of(Kind.REQUEST, Kind.RESPONSE, Kind.RESPONSE_TO_HEAD);

    private HeadDifferenceFuzz() {}

    /** One head. */
    public static void fuzzerTestOneInput(byte[] data) {
        if (data.length > 0) {
            Cost.within(data.length, 400_000, 400, () -> {
                Head head = new Head(KINDS.get((data[0] & 0xff) % 3), Arrays.copyOfRange(data, 1, data.length));
                Taken taken = KERNEL.take(head);
                if (taken != null) {
                    SameMeaning.check(head, taken, "fuzz");
                }
            });
        }
    }

    /** Good heads of all kinds, and the lines by which requests are smuggled. */
    public static List<byte[]> seeds() {
        List<Head> heads = new ArrayList<>();
        Heads random = new Heads(new SplittableRandom(20_261_129));
        for (int i = 0; i < 30; i++) {
            heads.add(random.request());
            heads.add(random.response());
        }
        for (String line : Heads.SMUGGLING) {
            heads.add(new Head(Kind.REQUEST, Heads.bytes("POST /a HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n")));
            heads.add(new Head(Kind.RESPONSE, Heads.bytes("HTTP/1.1 200 OK\r\n" + line + "\r\n\r\n")));
        }
        heads.add(new Head(Kind.REQUEST, Heads.bytes("GET /" + "a".repeat(900) + " HTTP/1.1\r\nHost: a\r\n\r\n")));
        List<byte[]> seeds = new ArrayList<>();
        for (Head head : heads) {
            byte[] seed = new byte[head.bytes().length + 1];
            seed[0] = (byte) KINDS.indexOf(head.kind());
            System.arraycopy(head.bytes(), 0, seed, 1, head.bytes().length);
            seeds.add(seed);
        }
        return seeds;
    }
}
