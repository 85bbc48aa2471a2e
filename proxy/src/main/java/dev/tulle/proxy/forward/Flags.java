package dev.tulle.proxy.forward;

/** Envoy's response flags, as they appear in logs and metrics. */
final class Flags {
    static final String NONE = "-";
    static final String NO_ROUTE = "NR";
    static final String NO_CLUSTER = "NC";
    static final String NO_HEALTHY = "UH";
    static final String CONNECT_FAILED = "UF";
    static final String OVERFLOW = "UO";
    static final String UPSTREAM_CLOSED = "UC";
    static final String UPSTREAM_PROTOCOL = "UPE";
    static final String TIMEOUT = "UT";
    static final String RETRIES_USED_UP = "URX";
    static final String DENIED = "UAEX";
    static final String CLIENT_GONE = "DC";
    static final String DOWNSTREAM_PROTOCOL = "DPE";
    static final String IDLE = "SI";

    private Flags() {}

    /** Both flags, separated by a comma. */
    static String join(String flags, String more) {
        return flags.equals(NONE) ? more : flags.equals(more) ? flags : flags + "," + more;
    }
}
