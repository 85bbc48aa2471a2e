package dev.tulle.common.pki;

import dev.tulle.common.VisibleText;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.Optional;

/**
 * An identity of the mesh, as the SPIFFE-ID standard writes them: {@code spiffe://TRUST-DOMAIN/PATH}. There is one way to
 * write each, so that two of them are the same exactly when their texts are. Immutable.
 *
 * @param trustDomain the naming root; lower-case letters, digits, {@code .}, {@code -} and {@code _}, at most 255
 * @param path empty, or segments of letters, digits, {@code .}, {@code -} and {@code _}, each after a slash
 * @see <a href="https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md">The SPIFFE identity</a>
 */
public record SpiffeId(String trustDomain, String path) {
    /** Bytes of an identity, as the standard bounds them; all are ASCII. */
    public static final int MAX_LENGTH = 2048;

    private static final int MAX_TRUST_DOMAIN = 255;
    private static final String SCHEME = "spiffe://";
    private static final String WORKLOAD = "/ns/";
    private static final String ACCOUNT = "/sa/";
    private static final String NODE = "/node/";
    private static final String PROXY = "/proxy";
    private static final String CONTROL = "/control";

    /** Characters of a text from outside that an error repeats. */
    private static final int SHOWN = 200;

    /**
     * Checks both parts.
     *
     * @throws IllegalArgumentException with a sentence that says what is wrong
     */
    public SpiffeId {
        checkTrustDomain(trustDomain);
        checkPath(path);
        if (SCHEME.length() + trustDomain.length() + path.length() > MAX_LENGTH) {
            throw wrong(SCHEME + trustDomain + path, "expected at most " + MAX_LENGTH + " characters");
        }
    }

    /**
     * What a workload is.
     *
     * @param namespace its namespace
     * @param serviceAccount its service account
     */
    public record WorkloadName(String namespace, String serviceAccount) {}

    /**
     * Reads one. What is not exactly in the standard's one form is refused: another case of the scheme or trust domain, a
     * port, a user, a query, a fragment, percent signs, an empty segment, a slash at the end, {@code .} and {@code ..}.
     *
     * @throws IllegalArgumentException with a sentence that says what is wrong
     */
    public static SpiffeId parse(String text) {
        if (text.length() > MAX_LENGTH) {
            throw wrong(text, "expected at most " + MAX_LENGTH + " characters");
        }
        if (!text.startsWith(SCHEME)) {
            throw wrong(text, "expected spiffe://TRUST-DOMAIN/PATH");
        }
        String rest = text.substring(SCHEME.length());
        int slash = rest.indexOf('/');
        return slash < 0 ? new SpiffeId(rest, "") : new SpiffeId(rest.substring(0, slash), rest.substring(slash));
    }

    /**
     * The identity of a workload.
     *
     * @throws IllegalArgumentException when a name has characters that no identity may have
     */
    public static SpiffeId workload(String trustDomain, String namespace, String serviceAccount) {
        return new SpiffeId(trustDomain, WORKLOAD + segment(namespace) + ACCOUNT + segment(serviceAccount));
    }

    /**
     * The identity of a node's agent.
     *
     * @throws IllegalArgumentException when the name has characters that no identity may have
     */
    public static SpiffeId node(String trustDomain, String name) {
        return new SpiffeId(trustDomain, NODE + segment(name));
    }

    /**
     * The identity of a node's proxies.
     *
     * @throws IllegalArgumentException when the name has characters that no identity may have
     */
    public static SpiffeId proxy(String trustDomain, String name) {
        return new SpiffeId(trustDomain, NODE + segment(name) + PROXY);
    }

    /** The identity of the control plane. */
    public static SpiffeId control(String trustDomain) {
        return new SpiffeId(trustDomain, CONTROL);
    }

    /**
     * The identity in a certificate, by the rules for a leaf of the X.509-SVID standard: exactly one URI among its names
     * (names of other kinds count for nothing), no authority, made for signatures and neither for signing certificates nor
     * lists of revoked ones. Who signed it, and until when it holds, is not looked at.
     *
     * @throws CertificateException with a sentence that says which rule it breaks
     */
    public static SpiffeId of(X509Certificate certificate) throws CertificateException {
        return X509Svid.identity(certificate);
    }

    /** What it names when it is a workload's; empty for every other shape. */
    public Optional<WorkloadName> workload() {
        if (!path.startsWith(WORKLOAD)) {
            return Optional.empty();
        }
        String[] parts = path.split("/", -1);
        return parts.length == 5 && parts[3].equals("sa")
                ? Optional.of(new WorkloadName(parts[2], parts[4]))
                : Optional.empty();
    }

    /** The name of the node that it is, or whose proxies it is; empty for every other shape. */
    public Optional<String> node() {
        if (!path.startsWith(NODE)) {
            return Optional.empty();
        }
        String name = path.substring(NODE.length(), path.length() - (isProxy() ? PROXY.length() : 0));
        return name.indexOf('/') < 0 ? Optional.of(name) : Optional.empty();
    }

    /** True for the proxies of a node, which may read and register nothing. */
    public boolean isProxy() {
        String[] parts = path.split("/", -1);
        return parts.length == 4 && parts[1].equals("node") && parts[3].equals("proxy");
    }

    /** True for the control plane. */
    public boolean isControl() {
        return path.equals(CONTROL);
    }

    /** The form in which policies name callers: without the scheme. */
    public String principal() {
        return trustDomain + path;
    }

    @Override
    public String toString() {
        return SCHEME + trustDomain + path;
    }

    private static void checkTrustDomain(String name) {
        if (name.isEmpty() || name.length() > MAX_TRUST_DOMAIN) {
            throw wrong(name, "expected a trust domain of 1 to " + MAX_TRUST_DOMAIN + " characters");
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (!isSmall(c)) {
                throw wrong(name, "expected a trust domain of lower-case letters, digits, '.', '-' and '_'");
            }
        }
    }

    private static void checkPath(String path) {
        if (path.isEmpty()) {
            return;
        }
        if (path.charAt(0) != '/') {
            throw wrong(path, "expected a path that begins with a slash");
        }
        for (String segment : path.substring(1).split("/", -1)) {
            segment(segment);
        }
    }

    /** One part of a path: a name that cannot lead out of its place. */
    private static String segment(String text) {
        if (text.isEmpty() || text.equals(".") || text.equals("..")) {
            throw wrong(text, "expected a path without empty segments, '.', '..' and without a slash at its end");
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!isSmall(c) && (c < 'A' || c > 'Z')) {
                throw wrong(text, "expected segments of letters, digits, '.', '-' and '_'");
            }
        }
        return text;
    }

    private static boolean isSmall(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    }

    private static IllegalArgumentException wrong(String found, String expected) {
        return new IllegalArgumentException(
                "SPIFFE identity: found '" + VisibleText.line(found, SHOWN) + "', " + expected);
    }
}
