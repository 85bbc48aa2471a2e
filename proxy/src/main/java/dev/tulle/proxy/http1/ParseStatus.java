package dev.tulle.proxy.http1;

/** How far a head or body has been read, or why it is refused. */
public enum ParseStatus {
    /** More bytes are needed. */
    NEED_MORE(0, ""),
    /** Everything was read. */
    COMPLETE(0, ""),
    /** The start line is not one. */
    BAD_START_LINE(400, "the start line is malformed"),
    /** HTTP/0.9, HTTP/2 and others. */
    BAD_VERSION(505, "the version is neither HTTP/1.1 nor HTTP/1.0"),
    /** The request line passes its limit. */
    LINE_TOO_LONG(414, "the path is longer than 8 KiB, or the request line than 60 KiB"),
    /** The head passes its limit. */
    HEAD_TOO_LARGE(431, "the head is larger than 60 KiB"),
    /** Too many fields. */
    TOO_MANY_FIELDS(431, "the head has more than 1,000 fields"),
    /** A bare CR or LF, or a line that does not end in both. */
    BAD_LINE_END(400, "a line does not end in CRLF"),
    /** A field name that is not a token, white space before the colon, or an obsolete folded line. */
    BAD_FIELD_NAME(400, "a field name is malformed"),
    /** A control character in a field value. */
    BAD_FIELD_VALUE(400, "a field value has a control character"),
    /** No, several or malformed Host fields, or one that contradicts the target. */
    BAD_HOST(400, "the Host field is missing, repeated, malformed or contradicts the target"),
    /** A target that the method does not allow. */
    BAD_TARGET(400, "the request target is malformed"),
    /** Several, signed, overflowing or otherwise doubtful Content-Length fields. */
    BAD_CONTENT_LENGTH(400, "the Content-Length field is repeated or malformed"),
    /** Any Transfer-Encoding but exactly one "chunked", or one in HTTP/1.0. */
    BAD_TRANSFER_ENCODING(400, "the Transfer-Encoding field is not exactly one \"chunked\""),
    /** Content-Length and Transfer-Encoding in one message. */
    BOTH_FRAMINGS(400, "the message has both Content-Length and Transfer-Encoding"),
    /** A Connection field that asks to remove what frames or addresses the message. */
    BAD_CONNECTION(400, "the Connection field is malformed, longer than 1 KiB or names a field that must stay"),
    /** An expectation other than 100-continue. */
    BAD_EXPECT(417, "the expectation is not 100-continue"),
    /** A malformed chunk size, extension, end or trailer. */
    BAD_CHUNK(400, "the chunked body is malformed"),
    /** A body where none may be. */
    BODY_NOT_ALLOWED(400, "the method does not allow a body");

    private final int code;
    private final String text;

    ParseStatus(int code, String text) {
        this.code = code;
        this.text = text;
    }

    /** The status code to refuse a request with; 0 when nothing is wrong. */
    public int code() {
        return code;
    }

    /** What is wrong, for people. */
    public String text() {
        return text;
    }

    /** True when the message is refused. */
    public boolean isError() {
        return code != 0;
    }
}
