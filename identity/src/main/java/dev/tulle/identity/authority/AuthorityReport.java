package dev.tulle.identity.authority;

import dev.tulle.identity.rotation.RotationState.Phase;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** Says how an authority stands. Stateless. */
final class AuthorityReport {
    private AuthorityReport() {}

    static AuthorityStatus of(
            AuthorityOptions options,
            Roots roots,
            Collection<IssueLog.Issued> leaves,
            Revocations revocations,
            long signed,
            Instant now) {
        return new AuthorityStatus(
                options.pluggedIn().map(Object::toString).orElse("own"),
                options.trustDomain(),
                roots.state(),
                list(roots),
                signed,
                leaves.size(),
                revocations.living(now).stream().map(AuthorityReport::revoked).toList(),
                roots.waiting(),
                roots.trustedBy(),
                forecast(roots, leaves, now));
    }

    static AuthorityStatus.RevokedLeaf revoked(Revocations.Revoked one) {
        return new AuthorityStatus.RevokedLeaf(
                one.issued().serial().toString(16),
                one.issued().identity(),
                one.issued().node(),
                one.at(),
                one.issued().end());
    }

    private static List<AuthorityStatus.Root> list(Roots roots) {
        List<AuthorityStatus.Root> all = new ArrayList<>();
        for (X509Certificate root : roots.trusted()) {
            int number = roots.byNumber().entrySet().stream()
                    .filter(one -> one.getValue().root().equals(root))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElse(0);
            SigningAuthority authority = roots.byNumber().get(number);
            Instant end = root.getNotAfter().toInstant();
            all.add(new AuthorityStatus.Root(
                    number,
                    root.getSubjectX500Principal().getName(),
                    Fingerprints.of(root),
                    end,
                    number == roots.state().current(),
                    authority == null ? end : authority.end()));
        }
        return all;
    }

    /** What happens when nobody does anything, and what would happen if the authority stayed away from now on. */
    private static List<AuthorityStatus.Forecast> forecast(
            Roots roots, Collection<IssueLog.Issued> leaves, Instant now) {
        List<AuthorityStatus.Forecast> all = new ArrayList<>();
        leaves.stream().map(IssueLog.Issued::end).min(Comparator.naturalOrder()).ifPresent(first -> {
            all.add(new AuthorityStatus.Forecast(
                    first, "the first of the certificates in use ends, if the authority is away until then"));
        });
        leaves.stream().map(IssueLog.Issued::end).max(Comparator.naturalOrder()).ifPresent(last -> {
            all.add(new AuthorityStatus.Forecast(
                    last, "the last of the certificates in use ends, if the authority is away until then"));
        });
        if (roots.isPluggedIn()) {
            all.add(new AuthorityStatus.Forecast(
                    roots.signing().end(), "the plugged-in authority ends, and nothing is signed any more"));
        } else if (roots.state().phase() == Phase.STEADY) {
            all.add(new AuthorityStatus.Forecast(later(roots.due(), now), "a new root is announced"));
            all.add(new AuthorityStatus.Forecast(roots.signing().end(), "the root that signs ends"));
        } else {
            for (int number : roots.state().trusted()) {
                SigningAuthority root = roots.byNumber().get(number);
                if (root != null) {
                    all.add(new AuthorityStatus.Forecast(root.end(), "root " + number + " ends"));
                }
            }
        }
        all.sort(Comparator.comparing(AuthorityStatus.Forecast::at));
        return all;
    }

    private static Instant later(Instant one, Instant other) {
        return one.isAfter(other) ? one : other;
    }
}
