package dev.tulle.proxy.http1;

/** The head of a response. Confined to one thread. */
public final class ResponseHead extends MessageHead {
    private int code;
    private int reasonStart;
    private int reasonEnd;

    /** An empty head. */
    public ResponseHead() {
        reset();
    }

    @Override
    int startLineLimit() {
        return MAX_STATUS_LINE;
    }

    @Override
    boolean skipsEmptyLine() {
        return false;
    }

    @Override
    ParseStatus startLine(int from, int to) {
        byte[] b = bytes;
        if (to - from < 12
                || b[from] != 'H'
                || b[from + 1] != 'T'
                || b[from + 2] != 'T'
                || b[from + 3] != 'P'
                || b[from + 4] != '/'
                || b[from + 5] != '1'
                || b[from + 6] != '.'
                || b[from + 8] != ' ') {
            return ParseStatus.BAD_START_LINE;
        }
        if (b[from + 7] != '1' && b[from + 7] != '0') {
            return ParseStatus.BAD_VERSION;
        }
        minorVersion = b[from + 7] - '0';
        int hundreds = b[from + 9] - '0';
        int tens = b[from + 10] - '0';
        int ones = b[from + 11] - '0';
        if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) {
            return ParseStatus.BAD_START_LINE;
        }
        code = hundreds * 100 + tens * 10 + ones;
        if (to - from > 12 && b[from + 12] != ' ') {
            return ParseStatus.BAD_START_LINE;
        }
        reasonStart = Math.min(from + 13, to);
        reasonEnd = to;
        return Ascii.hasControl(b, reasonStart, reasonEnd) ? ParseStatus.BAD_START_LINE : ParseStatus.NEED_MORE;
    }

    @Override
    ParseStatus known(int name, int start, int end) {
        return ParseStatus.NEED_MORE;
    }

    @Override
    ParseStatus finish() {
        return framing();
    }

    /** The status code, 100 to 999. */
    public int code() {
        return code;
    }

    public int reasonStart() {
        return reasonStart;
    }

    public int reasonEnd() {
        return reasonEnd;
    }

    /** True when no body follows, whatever the fields say. */
    public boolean isBodyless(boolean toHead) {
        return toHead || code < 200 || code == 204 || code == 304;
    }

    /** True when the server says that it switches protocols as asked. */
    public boolean isUpgrade() {
        return code == 101 && connectionUpgrade;
    }

    /** The length of the body is not what the head says; nobody knows it. */
    void lengthIsUnknown() {
        contentLength = -1;
        chunked = true;
    }
}
