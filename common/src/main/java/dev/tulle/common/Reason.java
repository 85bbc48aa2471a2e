package dev.tulle.common;

import java.util.Optional;

/**
 * Why something happened, was refused or took a slower way: one number shared by the kernel programs, the agent, the
 * metrics and the flow records. The table is {@code bpf/lib/reasons.h}; a test holds the two equal. Numbers are never
 * reused.
 */
public enum Reason {
    NONE(0, "no reason"),
    CONNECT_KERNEL(1, "connect: endpoint chosen in the kernel"),
    CONNECT_PROXY(2, "connect: redirected to the node proxy"),
    CONNECT_DIRECT(3, "connect: to a workload's own address, source bound"),
    CONNECT_OUTSIDE(4, "connect: outside the mesh, passed untouched"),
    CONNECT_LOCALHOST(5, "connect: localhost rewritten to the workload's own address"),
    CONNECT_DNS(6, "connect: DNS redirected to the mesh resolver"),
    BIND_OWN(7, "bind: wildcard rewritten to the workload's own address"),
    DATAGRAM_DNS(8, "sendmsg: DNS redirected to the mesh resolver"),
    DATAGRAM_KERNEL(9, "sendmsg: UDP endpoint chosen in the kernel"),
    LISTEN_LEARNED(10, "listen: port of a workload learned"),
    SPLICE_SOCKET(11, "sockops: socket offered for splicing"),
    SPLICE_START(12, "splice: one direction of a connection began to be spliced"),
    SPLICE_MESSAGES(13, "splice: messages handed to the reader's queue"),
    SPLICE_BYTES(14, "splice: bytes handed to the reader's queue"),
    SPLICE_SPILL(15, "splice: reader's queue over the limit, went on over TCP"),
    SPLICE_RETURN(16, "splice: TCP proven empty, splicing again"),
    SPLICE_PASSED(17, "splice: messages passed to TCP"),
    ORIGINAL_DST(18, "getsockopt: original destination answered"),
    PEERNAME(19, "getpeername: service address shown"),
    GUARD_WORKLOAD(20, "guard: workload admitted to a workload's address"),
    GUARD_PROXY(21, "guard: node proxy or agent admitted to a workload's address"),
    GUARD_PERMIT(22, "guard: caller outside the mesh admitted by a permit"),
    SOURCE_BOUND(23, "connect: source address bound"),
    CONNECT_ASK(24, "connect: unknown mesh address handed to the node proxy"),
    FLOW(25, "a connection between workloads has ended"),
    DRAINED(26, "a connection was closed when its endpoint's drain time was over"),
    SPLICE_BRIEF(27, "splice: left on TCP, the caller's connections are too brief"),
    BIND_LOOPBACK(28, "bind: loopback rewritten to the workload's own address"),
    GUARD_LENT(29, "guard: the mesh is stopped, the host's port leads to a workload"),
    SPLICE_TWICE(30, "splice: bytes that TCP sent twice were taken off"),
    ANSWER(31, "an answer from outside the mesh came to the fixed port that had asked"),
    ASKED_AS(32, "a datagram of a connected socket left with an address of the host"),
    HTTP_CLIENT(40, "http: connection that may be given to the kernel"),
    HTTP_GIVEN(41, "http: connection given to the kernel"),
    HTTP_REQUEST(42, "http: request forwarded to a server"),
    HTTP_RESPONSE(43, "http: response head forwarded to a client"),
    HTTP_COMPLETE(44, "http: response forwarded to its end"),
    HTTP_OFFERED(45, "http: server connection offered to the kernel"),
    HTTP_TAKEN(46, "http: server connection taken back by the node proxy"),
    HTTP_SAMPLED(47, "http: request reported as a sample"),
    HTTP_BODY_SENT(48, "http: further piece of a request's body forwarded"),
    SERVICE_REFUSED(64, "the service record refuses connections"),
    NO_ENDPOINT(65, "the service has no endpoint"),
    REGISTRY_ONLY(66, "destination unknown and outbound policy is REGISTRY_ONLY"),
    UNKNOWN_VIP(67, "no such service address and outbound policy is REGISTRY_ONLY"),
    BIND_FOREIGN(68, "bind to an address of the workload range that is not its own"),
    BIND_VIP(69, "bind to a service address"),
    FAMILY_MISMATCH(70, "an IPv4 socket cannot reach the service's IPv6 endpoint"),
    UDP_NEEDS_PROXY(71, "a UDP service cannot be served by the node proxy"),
    GUARD_HOST(72, "the host called a workload without a permit"),
    GUARD_OUTSIDE(73, "an address outside the mesh called a workload without a permit"),
    GUARD_NO_WORKLOAD(74, "no workload has this address"),
    GUARD_NO_LISTENER(75, "the workload does not listen on this port"),
    SENDMSG_REFUSED(76, "a datagram to an unknown service address"),
    SOURCE_FOREIGN(77, "a source address that is not the caller's own"),
    RECONNECT(78, "a socket that was spliced cannot be connected again"),
    GUARD_POLICY(79, "an authorization policy refuses the caller"),
    GUARD_POLICY_UNKNOWN(80, "what authorization policies say of the caller is not known yet"),
    BIND_MESH_PORT(81, "bind to a port of the mesh itself"),
    GUARD_NO_PROXY(82, "no socket of the mesh listens on this port of its own"),
    GUARD_UNNAMED(83, "a workload's address as the source of a connection that no workload began"),
    GUARD_FORMER(84, "the workload that made the connection has left the mesh"),
    CALLER_CONNS(85, "the workload has as many open connections into the mesh as one may have"),
    SOURCE_NOT_BOUND(96, "the socket was bound before: source address left alone"),
    STORAGE_FULL(97, "no memory for socket storage"),
    SLOT_MISSING(98, "endpoint slot missing, handed to the node proxy"),
    ORIGDST_FULL(99, "retired: original destination could not be stored"),
    SOCKETS_FULL(100, "socket could not be put into the sockhash"),
    LISTEN_FULL(101, "listener could not be stored"),
    EVENT_LOST(102, "event lost: ring buffer full"),
    EVENT_LIMITED(103, "event not written: rate limit"),
    SPLICE_PEER_GONE(104, "splice: the reader left the sockhash, passed to TCP"),
    NO_OWN_ADDR6(105, "bind: IPv6-only wildcard left alone, no IPv6 address leased"),
    CONNS_FULL(106, "no room for a connection's record: its caller is nobody's"),
    HTTP_SAMPLE_LOST(107, "http: sample lost, ring buffer full"),
    SPLICE_BROKEN(108, "splice: no memory to take off what TCP sent twice, the stream ends"),
    ASK_TAKEN(109, "another workload asks this remote from the same port: answers do not come"),
    SPLICE_DROPPED(127, "splice: the reader closed in the middle of a message"),
    NEEDS_HTTP(128, "service needs HTTP routing"),
    NEEDS_MTLS(129, "an endpoint is on another host"),
    NEEDS_POLICY(130, "an authorization policy needs the node proxy"),
    NEEDS_FAULT(131, "fault injection needs the node proxy"),
    NEEDS_PLUGIN(132, "a plug-in needs the node proxy"),
    NEEDS_TRAFFIC_POLICY(133, "a traffic policy needs the node proxy"),
    TOO_MANY_ENDPOINTS(134, "weights or endpoints do not fit the slots"),
    KERNEL_L4_OFF(135, "endpoint choice in the kernel is switched off"),
    HTTP_OFF(136, "kernel HTTP is switched off"),
    HTTP_HOOKS(137, "kernel HTTP: a hook that it needs is not in force"),
    HTTP_SELF_TEST(138, "kernel HTTP: its self-test has not passed"),
    HTTP_UNKNOWN(139, "kernel HTTP: routes or endpoints are not known yet"),
    HTTP_TOO_LARGE(140, "kernel HTTP: the routes do not fit its table"),
    NEEDS_HTTP2(141, "HTTP/2 needs the node proxy"),
    NEEDS_MATCH(142, "a match needs the node proxy"),
    NEEDS_REWRITE(143, "a rewrite or header change needs the node proxy"),
    NEEDS_ANSWER(144, "a redirect or direct response needs the node proxy"),
    NEEDS_MIRROR(145, "mirroring needs the node proxy"),
    NEEDS_RETRY(146, "a retry policy needs the node proxy"),
    NEEDS_BALANCING(147, "the balancing needs the node proxy"),
    NEEDS_LIMIT(148, "a connection limit needs the node proxy"),
    NEEDS_ENDPOINT(149, "no endpoint with an address of this host"),
    NEEDS_TLS(150, "TLS to the endpoints needs the node proxy"),
    HTTP_PROXYS(192, "http: the connection is the node proxy's"),
    HTTP_PIPELINED(193, "http: a request before the end of the last response"),
    HTTP_LEASE_LOST(194, "http: the server connection in hand was taken or closed"),
    HTTP_LARGE(195, "http: request larger than what is taken"),
    HTTP_PARTIAL(196, "http: head not whole, or more than one request, in a message"),
    HTTP_SYNTAX(197, "http: request that is not plain"),
    HTTP_METHOD(198, "http: method or version that is not taken"),
    HTTP_TARGET(199, "http: target that is not a plain path"),
    HTTP_FIELD(200, "http: request field that only the node proxy acts on"),
    HTTP_BODY(201, "http: request body that is not taken"),
    HTTP_NO_TABLE(202, "http: no route table"),
    HTTP_NO_ROUTE(203, "http: no route matches"),
    HTTP_ROUTE_PROXY(204, "http: the route needs the node proxy"),
    HTTP_NOT_PROVEN(205, "http: not proven to be allowed"),
    HTTP_NO_LEASE(206, "http: no idle server connection"),
    HTTP_SERVER_GONE(207, "http: the server closed its connection"),
    HTTP_ANSWER_SYNTAX(208, "http: response that is not plain"),
    HTTP_ANSWER_FRAMING(209, "http: response without a plain length, or not kept alive"),
    HTTP_ANSWER_KEPT(210, "http: status that the retry policy wants to see"),
    HTTP_ANSWER_PARTIAL(211, "http: response head not whole in one message"),
    HTTP_SPILL(212, "http: reader's queue over the limit"),
    HTTP_CLIENT_GONE(213, "http: the client closed before its response"),
    HTTP_TAKE_RACE(214, "http: taken by the node proxy at the last moment"),
    HTTP_UNASKED(215, "http: bytes of a server that nobody waits for"),
    HTTP_DROPPED(216, "http: bytes of a connection whose other end has closed, dropped"),
    HTTP_LEASES_FULL(217, "http: no room for another server connection"),
    HTTP_POOL_FULL(218, "http: the endpoint's pool is full"),
    HTTP_NOT_OFFERED(219, "http: server connection not offered, bytes under way or no pool"),
    HTTP_CLIENTS_FULL(220, "http: no room for the connection's record"),
    HTTP_NOT_GIVEN(221, "http: connection not given, bytes under way"),
    HTTP_STATS_FULL(222, "http: no room for the request's counters"),
    HTTP_EARLY(223, "http: the server spoke before it had the whole request"),
    HTTP_SENDS_OVERLAP(224, "http: another send or read of the client may be under way"),
    HTTP_METHOD_BODY(225, "http: body of a method that has none by custom"),
    HTTP_CLIENT_WAITS(226, "http: the client waits in its calls, its connection stays on TCP"),
    HTTP_SERVER_WAITS(227, "http: the server waits in its calls, its connections stay on TCP"),
    HTTP_SERVER_WATCHED(228, "http: first connections to a server's port, seen on TCP whether it waits");

    /** Entries of the kernel's table of counters: room for numbers to come. */
    public static final int TABLE_SIZE = 256;

    private final int number;
    private final String text;

    Reason(int number, String text) {
        this.number = number;
        this.text = text;
    }

    /** The number, 0 to 255. */
    public int number() {
        return number;
    }

    /** One line for people. */
    public String text() {
        return text;
    }

    /** The class of what happened. */
    public Kind kind() {
        if (number >= 192) {
            return Kind.DEGRADED;
        }
        if (number >= 128) {
            return Kind.NOT_KERNEL;
        }
        if (number >= 96) {
            return Kind.DEGRADED;
        }
        return number >= 64 ? Kind.REFUSED : Kind.DONE;
    }

    /** The reason with this number; empty for a number of a newer version. */
    public static Optional<Reason> of(int number) {
        for (Reason reason : values()) {
            if (reason.number == number) {
                return Optional.of(reason);
            }
        }
        return Optional.empty();
    }

    /** The classes of reasons. */
    public enum Kind {
        /** It happened as wanted. */
        DONE,
        /** The application or the caller sees an error. */
        REFUSED,
        /** Something was not possible and a slower or plainer way was taken. */
        DEGRADED,
        /** Why a service is not served by the kernel. */
        NOT_KERNEL
    }
}
