package dev.tulle.xds;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What lets one node join, once: {@code tulle1.ID.SECRET.ROOT}.
 *
 * @param id names it, and is no secret
 * @param secret what only the holder knows
 * @param root SHA-256 of the root's certificate, in base64url: whom the node is to believe
 */
public record JoinToken(String id, String secret, String root) {
    private static final Pattern FORM = Pattern.compile("tulle1\\.([a-z0-9]{8})\\.([\\w-]{43})\\.([\\w-]{43})");

    /**
     * Reads what was given.
     *
     * @throws IllegalArgumentException with a sentence that does not hold the token
     */
    public static JoinToken parse(String text) {
        Matcher matcher = FORM.matcher(text.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException("a text of " + text.strip().length()
                    + " characters, expected a token as tulle token create gives it" + " (tulle1.ID.SECRET.ROOT)");
        }
        return new JoinToken(matcher.group(1), matcher.group(2), matcher.group(3));
    }

    /** What is to be given to the node. */
    public String text() {
        return "tulle1." + id + "." + secret + "." + root;
    }

    /** SHA-256 in base64url, as roots are named and secrets kept. */
    public static String digest(byte[] of) {
        try {
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(MessageDigest.getInstance("SHA-256").digest(of));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return "token " + id;
    }
}
