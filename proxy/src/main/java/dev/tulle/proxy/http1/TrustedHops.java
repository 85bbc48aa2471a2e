package dev.tulle.proxy.http1;

import dev.tulle.common.Ip;
import java.net.InetAddress;
import java.util.Optional;

/**
 * What proxies before the mesh's edge say of a request's caller, as far as they are trusted, read as Envoy reads it: with N
 * trusted hops, the caller is the N-th address from the end of X-Forwarded-For, and the protocol what X-Forwarded-Proto
 * says. Pure functions.
 */
public final class TrustedHops {
    private TrustedHops() {}

    /** The address of the caller; empty when no proxy is trusted, or none of them has said an address. */
    public static Optional<InetAddress> caller(RequestHead head, int hops) {
        if (hops <= 0) {
            return Optional.empty();
        }
        String all = joined(head, FieldName.X_FORWARDED_FOR);
        int end = all.length();
        for (int i = 1; i < hops; i++) {
            end = all.lastIndexOf(',', end - 1);
            if (end <= 0) {
                return Optional.empty();
            }
        }
        return Ip.parse(all.substring(all.lastIndexOf(',', end - 1) + 1, end).strip());
    }

    /** What a trusted proxy says that its caller spoke; empty when it says nothing. */
    static String protocol(RequestHead head) {
        return joined(head, FieldName.X_FORWARDED_PROTO);
    }

    /** The values of all fields of a name as one list; as they are written. */
    static String joined(RequestHead head, int name) {
        StringBuilder all = new StringBuilder();
        for (int i = 0; i < head.fieldCount(); i++) {
            if (head.nameOf(i) == name && head.valueStart(i) < head.valueEnd(i)) {
                if (!all.isEmpty()) {
                    all.append(',');
                }
                all.append(head.text(head.valueStart(i), head.valueEnd(i)));
            }
        }
        return all.toString();
    }
}
