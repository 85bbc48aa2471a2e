package dev.tulle.agent.http;

/** Sizes of the kernel's table, as in {@code bpf/lib/http_types.h}; a test holds the two equal. */
public final class HttpLimits {
    /** Routes of a table; those after them are not looked at, so their requests go to the proxy. */
    public static final int ROUTES = 32;
    /** Policy rules of a table. */
    public static final int RULES = 16;
    /** Names of header fields that the conditions of a table look at. */
    public static final int NAMES = 4;
    /** Bytes of such a name. */
    public static final int NAME = 32;
    /** Bytes of a value that is compared. */
    public static final int VALUE = 32;
    /** Bytes of a path pattern. */
    public static final int PATH = 64;
    /** Header conditions of one route or rule. */
    public static final int FIELDS = 2;
    /** Shares of all routes together. */
    public static final int SHARES = 64;
    /** Clusters of a table. */
    public static final int CLUSTERS = 16;
    /** Weighted endpoints of all clusters together. */
    public static final int MEMBERS = 256;
    /** Largest request body that the kernel takes, bytes: what it reads of a length has eight digits. */
    public static final int BODY_MAX = 99_999_999;

    private HttpLimits() {}
}
