package dev.tulle.config;

import java.util.regex.Pattern;

/**
 * Names as Istio and Kubernetes take them: unlike {@link Words}, which knows what the mesh itself can use, this knows what
 * an author may write. Pure.
 */
final class Names {
    private static final int MAX_LABEL = 63;
    private static final int MAX_DOMAIN = 255;

    private static final String LABEL_FORM = "[a-zA-Z0-9](?:[-a-zA-Z0-9]*+(?<=[a-zA-Z0-9]))?+";
    private static final Pattern LABEL = Pattern.compile(LABEL_FORM);
    private static final Pattern FIRST_LABEL = Pattern.compile("\\*|(?:\\*-?)?" + LABEL_FORM);
    private static final Pattern KEY_PREFIX = Pattern.compile(LABEL_FORM + "(?:\\." + LABEL_FORM + ")*+");
    private static final Pattern QUALIFIED = Pattern.compile("[A-Za-z0-9](?:[-A-Za-z0-9_.]*+(?<=[A-Za-z0-9]))?+");

    private Names() {}

    /** True for one label of a host name, in letters of either case. */
    static boolean isLabel(String text) {
        return text.length() <= MAX_LABEL && LABEL.matcher(text).matches();
    }

    /** True for a host name; it may end with a dot, and its last label is not a number. */
    static boolean isDomain(String text) {
        return !text.isEmpty() && text.length() <= MAX_DOMAIN && areLabels(text);
    }

    /** True for a host name whose first label may be {@code *} or begin with it. */
    static boolean isDomainOrPattern(String text) {
        if (text.isEmpty() || text.length() > MAX_DOMAIN) {
            return false;
        }
        int dot = text.indexOf('.');
        String first = dot < 0 ? text : text.substring(0, dot);
        return first.length() <= MAX_LABEL
                && FIRST_LABEL.matcher(first).matches()
                && (dot < 0 || areLabels(text.substring(dot + 1)));
    }

    private static boolean areLabels(String text) {
        String[] labels = text.split("\\.", -1);
        String last = labels[labels.length - 1];
        if (!last.isEmpty() && last.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return false;
        }
        for (int i = 0; i < labels.length; i++) {
            boolean rootDot = i == labels.length - 1 && labels[i].isEmpty();
            if (!rootDot && !isLabel(labels[i])) {
                return false;
            }
        }
        return true;
    }

    /** True when there may be a host name that both stand for. */
    static boolean overlap(String one, String other) {
        boolean pattern = Hosts.isPattern(one);
        if (pattern && Hosts.isPattern(other)) {
            String a = one.substring(1);
            String b = other.substring(1);
            return a.length() < b.length() ? b.endsWith(a) : a.endsWith(b);
        }
        if (pattern) {
            return other.endsWith(one.substring(1));
        }
        return Hosts.isPattern(other) ? one.endsWith(other.substring(1)) : one.equals(other);
    }

    /** True for the key of a label of Kubernetes: {@code name} or {@code domain/name}. */
    static boolean isLabelKey(String key) {
        int slash = key.indexOf('/');
        String prefix = slash < 0 ? "" : key.substring(0, slash);
        String name = key.substring(slash + 1);
        return (slash < 0
                        || (prefix.length() <= 253 && KEY_PREFIX.matcher(prefix).matches()))
                && name.length() <= MAX_LABEL
                && QUALIFIED.matcher(name).matches();
    }

    /** True for the value of a label of Kubernetes, which may be empty. */
    static boolean isLabelValue(String value) {
        return value.isEmpty()
                || (value.length() <= MAX_LABEL && QUALIFIED.matcher(value).matches());
    }

    /** True for an IP address or a range of them, {@code address/bits}. */
    static boolean isAddressOrRange(String text) {
        int slash = text.indexOf('/');
        if (slash < 0) {
            return Words.isIpAddress(text);
        }
        String address = text.substring(0, slash);
        String bits = text.substring(slash + 1);
        int most = Words.isIpv4(address) ? 32 : 128;
        return Words.isIpAddress(address)
                && !bits.isEmpty()
                && bits.length() <= 3
                && bits.chars().allMatch(c -> c >= '0' && c <= '9')
                && (bits.length() == 1 || bits.charAt(0) != '0')
                && Integer.parseInt(bits) <= most;
    }
}
