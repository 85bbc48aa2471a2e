package dev.tulle.agent.datapath;

import dev.tulle.kernel.AttachType;
import java.util.Arrays;
import java.util.List;

/** The programs of the kernel object and where each belongs. */
enum Hook {
    CONNECT4("tulle_connect4", Place.ROOT, AttachType.CGROUP_INET4_CONNECT, true),
    CONNECT6("tulle_connect6", Place.ROOT, AttachType.CGROUP_INET6_CONNECT, true),
    BIND4("tulle_bind4", Place.ROOT, AttachType.CGROUP_INET4_BIND, true),
    BIND6("tulle_bind6", Place.ROOT, AttachType.CGROUP_INET6_BIND, true),
    SOCKOPS("tulle_sockops", Place.ROOT, AttachType.CGROUP_SOCK_OPS, true),
    GETSOCKOPT("tulle_getsockopt", Place.PROXY, AttachType.CGROUP_GETSOCKOPT, true),
    SENDMSG4("tulle_sendmsg4", Place.ROOT, AttachType.CGROUP_UDP4_SENDMSG, true),
    SENDMSG6("tulle_sendmsg6", Place.ROOT, AttachType.CGROUP_UDP6_SENDMSG, false),
    RECVMSG4("tulle_recvmsg4", Place.ROOT, AttachType.CGROUP_UDP4_RECVMSG, true),
    RECVMSG6("tulle_recvmsg6", Place.ROOT, AttachType.CGROUP_UDP6_RECVMSG, false),
    GETPEER4("tulle_getpeer4", Place.ROOT, AttachType.CGROUP_INET4_GETPEERNAME, false),
    GETPEER6("tulle_getpeer6", Place.ROOT, AttachType.CGROUP_INET6_GETPEERNAME, false),
    GETSOCK4("tulle_getsock4", Place.ROOT, AttachType.CGROUP_INET4_GETSOCKNAME, false),
    GETSOCK6("tulle_getsock6", Place.ROOT, AttachType.CGROUP_INET6_GETSOCKNAME, false),
    SK_LOOKUP("tulle_sk_lookup", Place.NETNS, AttachType.SK_LOOKUP, false),
    SKB_VERDICT("tulle_skb_verdict", Place.SOCKETS, AttachType.SK_SKB_STREAM_VERDICT, false),
    // What sk_msg goes on to comes before it, and the proxy's options, which put it to use, come last.
    HTTP_REQUEST("tulle_request", Place.CALLS, AttachType.SK_MSG_VERDICT, false),
    HTTP_RESPONSE("tulle_response", Place.CALLS, AttachType.SK_MSG_VERDICT, false),
    SK_MSG("tulle_skmsg", Place.SOCKETS, AttachType.SK_MSG_VERDICT, false),
    SETSOCKOPT("tulle_setsockopt", Place.PROXY, AttachType.CGROUP_SETSOCKOPT, false),
    TC_EGRESS("tulle_tc_egress", Place.INTERFACES, AttachType.TCX_EGRESS, false),
    TC_INGRESS("tulle_tc_ingress", Place.INTERFACES, AttachType.TCX_INGRESS, false);

    /** Where a program is attached. */
    enum Place {
        /** The root of the cgroup hierarchy. */
        ROOT,
        /** The node proxy's control group. */
        PROXY,
        /** The host's network namespace. */
        NETNS,
        /** The map of sockets. */
        SOCKETS,
        /** The programs that sk_msg goes on to for kernel HTTP. */
        CALLS,
        /** The host's real interfaces and lo, by {@link InterfaceTaps}; not in a trial. */
        INTERFACES
    }

    private final String program;
    private final Place place;
    private final AttachType attachType;
    private final boolean required;

    Hook(String program, Place place, AttachType attachType, boolean required) {
        this.program = program;
        this.place = place;
        this.attachType = attachType;
        this.required = required;
    }

    String program() {
        return program;
    }

    Place place() {
        return place;
    }

    AttachType attachType() {
        return attachType;
    }

    /**
     * True when the kernel tiers do not work without it: capture at connect, or the names of services. Resolvers send
     * from sockets that are not connected, and look from where the answer comes.
     */
    boolean required() {
        return required;
    }

    /** The name in reports. */
    String word() {
        return program.substring("tulle_".length());
    }

    /** The slot of the programs that sk_msg goes on to. */
    int call() {
        return this == HTTP_RESPONSE ? 1 : 0;
    }

    /** True when only kernel HTTP uses it. */
    boolean onlyHttp() {
        return place == Place.CALLS || this == SETSOCKOPT;
    }

    /** All that kernel HTTP needs. */
    static List<Hook> ofHttp() {
        return List.of(SOCKOPS, GETSOCKOPT, SKB_VERDICT, SK_MSG, HTTP_REQUEST, HTTP_RESPONSE, SETSOCKOPT);
    }

    static List<String> requiredPrograms() {
        return Arrays.stream(values()).filter(Hook::required).map(Hook::program).toList();
    }
}
