package dev.tulle.identity.request;

import dev.tulle.it.fuzz.Cost;
import java.nio.charset.StandardCharsets;
import java.security.KeyPair;
import java.util.List;

/** Requests for certificates, which every node sends: refused with a sentence, or a key of a kind that is signed. */
public final class CertificateRequestFuzz {
    /** The arithmetic of the longest keys that are looked at, whatever the length of the input. */
    private static final long ONCE = 20_000_000;

    private CertificateRequestFuzz() {}

    /** One request, in DER or PEM. */
    public static void fuzzerTestOneInput(byte[] data) {
        Cost.within(data.length, ONCE, 5_000, () -> check(data));
    }

    private static void check(byte[] data) {
        try {
            String kind = CertificateRequest.of(data).key().getAlgorithm();
            Cost.must(kind.equals("EC") || kind.equals("RSA"), "a key of kind " + kind);
        } catch (InvalidRequestException e) {
            Cost.must(e.getMessage() != null && !e.getMessage().isEmpty(), "a refusal without a word");
        }
    }

    /** One of each form. */
    public static List<byte[]> seeds() {
        KeyPair key = CsrMaker.newKey();
        return List.of(
                CsrMaker.der(key),
                CsrMaker.pem(key).getBytes(StandardCharsets.US_ASCII),
                new byte[] {0x30, (byte) 0x80, 0x30, (byte) 0x80},
                new byte[] {0x30, (byte) 0x84, 0x7f, (byte) 0xff, (byte) 0xff, (byte) 0xff});
    }
}
