package dev.tulle.identity.authority;

import dev.tulle.identity.rotation.RotationState;
import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * What there is to say of an authority, without its keys.
 *
 * @param source {@code own}, or the folder that it is plugged in from
 * @param trustDomain the naming root of its identities
 * @param rotation where it stands between two roots; always steady for one that is plugged in
 * @param roots the roots in force, the one that signs first
 * @param signed how many it has signed since its start
 * @param living how many leaves have not ended
 * @param revoked the leaves that are revoked and have not ended
 * @param waiting what the rotation waits for
 * @param trusted the roots that each living node says it trusts, by fingerprint; empty for one that has not said
 * @param forecast what will happen when, in order
 */
public record AuthorityStatus(
        String source,
        String trustDomain,
        RotationState rotation,
        List<Root> roots,
        long signed,
        int living,
        List<RevokedLeaf> revoked,
        List<String> waiting,
        Map<String, List<String>> trusted,
        List<Forecast> forecast) {
    public AuthorityStatus {
        roots = List.copyOf(roots);
        revoked = List.copyOf(revoked);
        waiting = List.copyOf(waiting);
        trusted = Map.copyOf(trusted);
        forecast = List.copyOf(forecast);
    }

    /**
     * A root that is to be trusted.
     *
     * @param number its number; 0 for one that is only to be trusted
     * @param subject its name
     * @param fingerprint SHA-256 of its certificate
     * @param end when it ends
     * @param signs whether leaves are signed below it
     * @param issuerEnd when its issuer's chain ends; for one that does not sign, as {@code end}
     */
    public record Root(int number, String subject, String fingerprint, Instant end, boolean signs, Instant issuerEnd) {}

    /**
     * A leaf that is revoked.
     *
     * @param serial its number, hexadecimal
     * @param identity whose it was
     * @param node who had asked for it
     * @param at since when
     * @param end when it would have ended
     */
    public record RevokedLeaf(String serial, String identity, String node, Instant at, Instant end) {}

    /**
     * Something that will happen if nobody does anything.
     *
     * @param at when
     * @param what a sentence
     */
    public record Forecast(Instant at, String what) {}
}
