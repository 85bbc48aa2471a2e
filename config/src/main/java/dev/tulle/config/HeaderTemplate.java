package dev.tulle.config;

/**
 * What the value of a header field is in Envoy's format strings: {@code %NAME%} and {@code %NAME(arguments)%} are
 * replaced, {@code %%} stands for one {@code %}. Pure.
 */
enum HeaderTemplate {
    /** Nothing in it is replaced. */
    FIXED,
    /** A variable is in it. */
    VARIABLE,
    /** A {@code %} in it begins no variable. */
    BROKEN;

    static HeaderTemplate of(String value) {
        boolean variable = false;
        int at = value.indexOf('%');
        while (at >= 0) {
            if (at + 1 < value.length() && value.charAt(at + 1) == '%') {
                at = value.indexOf('%', at + 2);
            } else {
                int end = end(value, at + 1);
                if (end < 0) {
                    return BROKEN;
                }
                variable = true;
                at = value.indexOf('%', end + 1);
            }
        }
        return variable ? VARIABLE : FIXED;
    }

    /** Where the variable whose name begins here is closed; -1 when it is not. */
    private static int end(String value, int from) {
        int percent = value.indexOf('%', from);
        int open = value.indexOf('(', from);
        if (open < 0 || percent < 0 || percent < open) {
            return percent;
        }
        int at = skipBlanks(value, open + 1);
        at = at < value.length() && value.charAt(at) == '[' ? endOfArray(value, at + 1) : endOfText(value, at);
        at = skipBlanks(value, at);
        return at < value.length() && value.charAt(at) == '%' ? at : -1;
    }

    /** Behind the {@code )} that closes arguments written without quotes; the length when there is none. */
    private static int endOfText(String value, int from) {
        for (int i = from; i < value.length(); i++) {
            if (value.charAt(i) == '\\') {
                i++;
            } else if (value.charAt(i) == ')') {
                return i + 1;
            }
        }
        return value.length();
    }

    /** Behind the {@code )} that closes a list of quoted arguments; the length when the list is not one. */
    private static int endOfArray(String value, int from) {
        int at = from;
        while (true) {
            at = skipBlanks(value, at);
            if (at >= value.length() || value.charAt(at) != '"') {
                return value.length();
            }
            at++;
            while (at < value.length() && value.charAt(at) != '"') {
                at += value.charAt(at) == '\\' ? 2 : 1;
            }
            at = skipBlanks(value, at + 1);
            if (at >= value.length() || (value.charAt(at) != ',' && value.charAt(at) != ']')) {
                return value.length();
            }
            if (value.charAt(at++) == ']') {
                at = skipBlanks(value, at);
                return at < value.length() && value.charAt(at) == ')' ? at + 1 : value.length();
            }
        }
    }

    private static int skipBlanks(String value, int from) {
        int at = from;
        while (at < value.length() && value.charAt(at) == ' ') {
            at++;
        }
        return at;
    }
}
