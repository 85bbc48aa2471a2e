package dev.tulle.control.join;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.tulle.control.state.JsonStateFile;
import dev.tulle.xds.JoinToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * The tokens that have been given out and not been used. Of a secret only its hash is kept. Runs on the control plane's
 * owner thread.
 */
final class JoinTokens {
    /** Tokens at once; more are a mistake. */
    static final int MAX = 256;

    private static final String LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";
    private static final int ID_LENGTH = 8;
    private static final int SECRET_BYTES = 32;
    private static final System.Logger LOG = System.getLogger(JoinTokens.class.getName());

    /**
     * One that waits for its node.
     *
     * @param secret the hash of it
     * @param node the only node that may use it; empty: any new one
     */
    private record Waiting(String secret, String node, Instant until) {}

    /** What a node shows. */
    sealed interface Shown {
        /**
         * It is one of ours, and used now.
         *
         * @param node the only node that it is for; empty: any new one
         */
        record Used(String node) implements Shown {}

        /** It lets nobody in. */
        record Refused(String reason) implements Shown {}
    }

    private final JsonStateFile file;
    private final InstantSource clock;
    private final SecureRandom random = new SecureRandom();
    private final Map<String, Waiting> tokens = new TreeMap<>();

    private JoinTokens(JsonStateFile file, InstantSource clock) {
        this.file = file;
        this.clock = clock;
    }

    static JoinTokens load(JsonStateFile file, InstantSource clock) {
        JoinTokens tokens = new JoinTokens(file, clock);
        for (Map.Entry<String, JsonElement> entry : file.read().entrySet()) {
            try {
                JsonObject kept = entry.getValue().getAsJsonObject();
                tokens.tokens.put(
                        entry.getKey(),
                        new Waiting(
                                kept.get("secret").getAsString(),
                                kept.get("node").getAsString(),
                                Instant.parse(kept.get("until").getAsString())));
            } catch (RuntimeException e) {
                LOG.log(System.Logger.Level.WARNING, "token {0} cannot be read and lets nobody in", entry.getKey());
            }
        }
        return tokens;
    }

    /** What was wrong with the file, for people; empty when nothing was. */
    String trouble() {
        return file.trouble();
    }

    /**
     * Makes one.
     *
     * @param node the only node that may use it; empty: any new one
     * @param root the hash of the root that the node is to believe
     * @throws IOException when it cannot be kept, or too many wait already
     */
    JoinToken create(String node, Duration life, String root) throws IOException {
        forgetOld();
        if (tokens.size() >= MAX) {
            throw new IOException(tokens.size() + " tokens wait for their nodes; expected less than " + MAX);
        }
        byte[] secret = new byte[SECRET_BYTES];
        random.nextBytes(secret);
        StringBuilder id = new StringBuilder();
        for (int i = 0; i < ID_LENGTH; i++) {
            id.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        }
        JoinToken token = new JoinToken(
                id.toString(), Base64.getUrlEncoder().withoutPadding().encodeToString(secret), root);
        tokens.put(token.id(), new Waiting(hash(token), node, clock.instant().plus(life)));
        save();
        return token;
    }

    /**
     * Uses one up: it lets nobody in again, whatever becomes of this node.
     *
     * @throws IOException when that cannot be kept, and then it lets nobody in now
     */
    Shown use(JoinToken shown) throws IOException {
        Waiting waiting = tokens.get(shown.id());
        if (waiting == null) {
            return new Shown.Refused(
                    shown + " is not known: it was used, its time is over, or it is another mesh's; expected a new one,"
                            + " see tulle token create");
        }
        boolean same = MessageDigest.isEqual(
                waiting.secret().getBytes(StandardCharsets.US_ASCII),
                hash(shown).getBytes(StandardCharsets.US_ASCII));
        if (!same) {
            return new Shown.Refused(shown + " has another secret; expected the token as tulle token create gave it");
        }
        tokens.remove(shown.id());
        save();
        return clock.instant().isAfter(waiting.until())
                ? new Shown.Refused(shown + " was for the time until " + waiting.until()
                        + "; expected a new one, see tulle token create")
                : new Shown.Used(waiting.node());
    }

    private static String hash(JoinToken token) {
        return JoinToken.digest(token.secret().getBytes(StandardCharsets.US_ASCII));
    }

    /** How many wait for their nodes. */
    int size() {
        forgetOld();
        return tokens.size();
    }

    /** Until when the last of them waits; empty for none. */
    Optional<Instant> until() {
        return tokens.values().stream().map(Waiting::until).max(Instant::compareTo);
    }

    private void forgetOld() {
        Instant now = clock.instant();
        tokens.values().removeIf(waiting -> now.isAfter(waiting.until()));
    }

    private void save() throws IOException {
        JsonObject content = new JsonObject();
        tokens.forEach((id, waiting) -> {
            JsonObject one = new JsonObject();
            one.addProperty("secret", waiting.secret());
            one.addProperty("node", waiting.node());
            one.addProperty("until", waiting.until().toString());
            content.add(id, one);
        });
        file.write(content);
    }
}
