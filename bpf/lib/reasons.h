/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The one table of counter and reason numbers. A number is the index into tulle_counters, the
 * `reason` of a tulle_event and of a tulle_service, and the value shown by metrics and flow
 * records. Numbers are never reused: a retired line stays, with the word "retired" in its text.
 *
 * Java reads this file in a test: one X(number, NAME, "text") a line.
 *
 *   1..63    things that happened as wanted (plain counters)
 *   64..95   refusals: the application or the caller sees an error
 *   96..127  degradations: something was not possible and a slower or plainer way was taken
 *   128..191 why a service is not served by the kernel (written by the agent into tulle_service)
 *   192..239 kernel HTTP: why bytes went to the node proxy, or an offer was not taken
 */
#ifndef TULLE_REASONS_H
#define TULLE_REASONS_H

/* clang-format off */
#define TULLE_REASONS(X)                                                                           \
	X(0,   NONE,                "no reason")                                                   \
	X(1,   CONNECT_KERNEL,      "connect: endpoint chosen in the kernel")                      \
	X(2,   CONNECT_PROXY,       "connect: redirected to the node proxy")                       \
	X(3,   CONNECT_DIRECT,      "connect: to a workload's own address, source bound")          \
	X(4,   CONNECT_OUTSIDE,     "connect: outside the mesh, passed untouched")                 \
	X(5,   CONNECT_LOCALHOST,   "connect: localhost rewritten to the workload's own address")  \
	X(6,   CONNECT_DNS,         "connect: DNS redirected to the mesh resolver")                \
	X(7,   BIND_OWN,            "bind: wildcard rewritten to the workload's own address")      \
	X(8,   DATAGRAM_DNS,        "sendmsg: DNS redirected to the mesh resolver")                \
	X(9,   DATAGRAM_KERNEL,     "sendmsg: UDP endpoint chosen in the kernel")                  \
	X(10,  LISTEN_LEARNED,      "listen: port of a workload learned")                          \
	X(11,  SPLICE_SOCKET,       "sockops: socket offered for splicing")                        \
	X(12,  SPLICE_START,        "splice: one direction of a connection began to be spliced")   \
	X(13,  SPLICE_MESSAGES,     "splice: messages handed to the reader's queue")               \
	X(14,  SPLICE_BYTES,        "splice: bytes handed to the reader's queue")                  \
	X(15,  SPLICE_SPILL,        "splice: reader's queue over the limit, went on over TCP")     \
	X(16,  SPLICE_RETURN,       "splice: TCP proven empty, splicing again")                    \
	X(17,  SPLICE_PASSED,       "splice: messages passed to TCP")                              \
	X(18,  ORIGINAL_DST,        "getsockopt: original destination answered")                   \
	X(19,  PEERNAME,            "getpeername: service address shown")                          \
	X(20,  GUARD_WORKLOAD,      "guard: workload admitted to a workload's address")            \
	X(21,  GUARD_PROXY,         "guard: node proxy or agent admitted to a workload's address") \
	X(22,  GUARD_PERMIT,        "guard: caller outside the mesh admitted by a permit")         \
	X(23,  SOURCE_BOUND,        "connect: source address bound")                               \
	X(24,  CONNECT_ASK,         "connect: unknown mesh address handed to the node proxy")      \
	X(25,  FLOW,                "a connection between workloads has ended")                    \
	X(26,  DRAINED,             "a connection was closed when its endpoint's drain time was over") \
	X(27,  SPLICE_BRIEF,        "splice: left on TCP, the caller's connections are too brief") \
	X(28,  BIND_LOOPBACK,       "bind: loopback rewritten to the workload's own address")      \
	X(29,  GUARD_LENT,          "guard: the mesh is stopped, the host's port leads to a workload") \
	X(30,  SPLICE_TWICE,        "splice: bytes that TCP sent twice were taken off")            \
	X(31,  ANSWER,              "an answer from outside the mesh came to the fixed port that had asked") \
	X(32,  ASKED_AS,            "a datagram of a connected socket left with an address of the host") \
	X(40,  HTTP_CLIENT,         "http: connection that may be given to the kernel")            \
	X(41,  HTTP_GIVEN,          "http: connection given to the kernel")                        \
	X(42,  HTTP_REQUEST,        "http: request forwarded to a server")                         \
	X(43,  HTTP_RESPONSE,       "http: response head forwarded to a client")                   \
	X(44,  HTTP_COMPLETE,       "http: response forwarded to its end")                         \
	X(45,  HTTP_OFFERED,        "http: server connection offered to the kernel")               \
	X(46,  HTTP_TAKEN,          "http: server connection taken back by the node proxy")        \
	X(47,  HTTP_SAMPLED,        "http: request reported as a sample")                          \
	X(48,  HTTP_BODY_SENT,      "http: further piece of a request's body forwarded")           \
	X(64,  SERVICE_REFUSED,     "the service record refuses connections")                      \
	X(65,  NO_ENDPOINT,         "the service has no endpoint")                                 \
	X(66,  REGISTRY_ONLY,       "destination unknown and outbound policy is REGISTRY_ONLY")    \
	X(67,  UNKNOWN_VIP,         "no such service address and outbound policy is REGISTRY_ONLY")\
	X(68,  BIND_FOREIGN,        "bind to an address of the workload range that is not its own")\
	X(69,  BIND_VIP,            "bind to a service address")                                   \
	X(70,  FAMILY_MISMATCH,     "an IPv4 socket cannot reach the service's IPv6 endpoint")     \
	X(71,  UDP_NEEDS_PROXY,     "a UDP service cannot be served by the node proxy")            \
	X(72,  GUARD_HOST,          "the host called a workload without a permit")                 \
	X(73,  GUARD_OUTSIDE,       "an address outside the mesh called a workload without a permit") \
	X(74,  GUARD_NO_WORKLOAD,   "no workload has this address")                                \
	X(75,  GUARD_NO_LISTENER,   "the workload does not listen on this port")                   \
	X(76,  SENDMSG_REFUSED,     "a datagram to an unknown service address")                    \
	X(77,  SOURCE_FOREIGN,      "a source address that is not the caller's own")               \
	X(78,  RECONNECT,           "a socket that was spliced cannot be connected again")         \
	X(79,  GUARD_POLICY,        "an authorization policy refuses the caller")                  \
	X(80,  GUARD_POLICY_UNKNOWN,"what authorization policies say of the caller is not known yet") \
	X(81,  BIND_MESH_PORT,      "bind to a port of the mesh itself")                           \
	X(82,  GUARD_NO_PROXY,      "no socket of the mesh listens on this port of its own")       \
	X(83,  GUARD_UNNAMED,       "a workload's address as the source of a connection that no workload began") \
	X(84,  GUARD_FORMER,        "the workload that made the connection has left the mesh")     \
	X(85,  CALLER_CONNS,        "the workload has as many open connections into the mesh as one may have") \
	X(96,  SOURCE_NOT_BOUND,    "the socket was bound before: source address left alone")      \
	X(97,  STORAGE_FULL,        "no memory for socket storage")                                \
	X(98,  SLOT_MISSING,        "endpoint slot missing, handed to the node proxy")             \
	X(99,  ORIGDST_FULL,        "retired: original destination could not be stored")           \
	X(100, SOCKETS_FULL,        "socket could not be put into the sockhash")                   \
	X(101, LISTEN_FULL,         "listener could not be stored")                                \
	X(102, EVENT_LOST,          "event lost: ring buffer full")                                \
	X(103, EVENT_LIMITED,       "event not written: rate limit")                               \
	X(104, SPLICE_PEER_GONE,    "splice: the reader left the sockhash, passed to TCP")         \
	X(105, NO_OWN_ADDR6,        "bind: IPv6-only wildcard left alone, no IPv6 address leased") \
	X(106, CONNS_FULL,          "no room for a connection's record: its caller is nobody's")   \
	X(107, HTTP_SAMPLE_LOST,    "http: sample lost, ring buffer full")                         \
	X(108, SPLICE_BROKEN,       "splice: no memory to take off what TCP sent twice, the stream ends") \
	X(109, ASK_TAKEN,           "another workload asks this remote from the same port: answers do not come") \
	X(127, SPLICE_DROPPED,      "splice: the reader closed in the middle of a message")        \
	X(128, NEEDS_HTTP,          "service needs HTTP routing")                                  \
	X(129, NEEDS_MTLS,          "an endpoint is on another host")                              \
	X(130, NEEDS_POLICY,        "an authorization policy needs the node proxy")                \
	X(131, NEEDS_FAULT,         "fault injection needs the node proxy")                        \
	X(132, NEEDS_PLUGIN,        "a plug-in needs the node proxy")                              \
	X(133, NEEDS_TRAFFIC_POLICY,"a traffic policy needs the node proxy")                       \
	X(134, TOO_MANY_ENDPOINTS,  "weights or endpoints do not fit the slots")                   \
	X(135, KERNEL_L4_OFF,       "endpoint choice in the kernel is switched off")               \
	X(136, HTTP_OFF,            "kernel HTTP is switched off")                                 \
	X(137, HTTP_HOOKS,          "kernel HTTP: a hook that it needs is not in force")           \
	X(138, HTTP_SELF_TEST,      "kernel HTTP: its self-test has not passed")                   \
	X(139, HTTP_UNKNOWN,        "kernel HTTP: routes or endpoints are not known yet")          \
	X(140, HTTP_TOO_LARGE,      "kernel HTTP: the routes do not fit its table")                \
	X(141, NEEDS_HTTP2,         "HTTP/2 needs the node proxy")                                 \
	X(142, NEEDS_MATCH,         "a match needs the node proxy")                                \
	X(143, NEEDS_REWRITE,       "a rewrite or header change needs the node proxy")             \
	X(144, NEEDS_ANSWER,        "a redirect or direct response needs the node proxy")          \
	X(145, NEEDS_MIRROR,        "mirroring needs the node proxy")                              \
	X(146, NEEDS_RETRY,         "a retry policy needs the node proxy")                         \
	X(147, NEEDS_BALANCING,     "the balancing needs the node proxy")                          \
	X(148, NEEDS_LIMIT,         "a connection limit needs the node proxy")                     \
	X(149, NEEDS_ENDPOINT,      "no endpoint with an address of this host")                   \
	X(150, NEEDS_TLS,           "TLS to the endpoints needs the node proxy")                   \
	X(192, HTTP_PROXYS,         "http: the connection is the node proxy's")                    \
	X(193, HTTP_PIPELINED,      "http: a request before the end of the last response")         \
	X(194, HTTP_LEASE_LOST,     "http: the server connection in hand was taken or closed")     \
	X(195, HTTP_LARGE,          "http: request larger than what is taken")                     \
	X(196, HTTP_PARTIAL,        "http: head not whole, or more than one request, in a message") \
	X(197, HTTP_SYNTAX,         "http: request that is not plain")                             \
	X(198, HTTP_METHOD,         "http: method or version that is not taken")                   \
	X(199, HTTP_TARGET,         "http: target that is not a plain path")                       \
	X(200, HTTP_FIELD,          "http: request field that only the node proxy acts on")        \
	X(201, HTTP_BODY,           "http: request body that is not taken")                        \
	X(202, HTTP_NO_TABLE,       "http: no route table")                                        \
	X(203, HTTP_NO_ROUTE,       "http: no route matches")                                      \
	X(204, HTTP_ROUTE_PROXY,    "http: the route needs the node proxy")                        \
	X(205, HTTP_NOT_PROVEN,     "http: not proven to be allowed")                              \
	X(206, HTTP_NO_LEASE,       "http: no idle server connection")                             \
	X(207, HTTP_SERVER_GONE,    "http: the server closed its connection")                      \
	X(208, HTTP_ANSWER_SYNTAX,  "http: response that is not plain")                            \
	X(209, HTTP_ANSWER_FRAMING, "http: response without a plain length, or not kept alive")    \
	X(210, HTTP_ANSWER_KEPT,    "http: status that the retry policy wants to see")             \
	X(211, HTTP_ANSWER_PARTIAL, "http: response head not whole in one message")                \
	X(212, HTTP_SPILL,          "http: reader's queue over the limit")                         \
	X(213, HTTP_CLIENT_GONE,    "http: the client closed before its response")                 \
	X(214, HTTP_TAKE_RACE,      "http: taken by the node proxy at the last moment")            \
	X(215, HTTP_UNASKED,        "http: bytes of a server that nobody waits for")               \
	X(216, HTTP_DROPPED,        "http: bytes of a connection whose other end has closed, dropped") \
	X(217, HTTP_LEASES_FULL,    "http: no room for another server connection")                 \
	X(218, HTTP_POOL_FULL,      "http: the endpoint's pool is full")                           \
	X(219, HTTP_NOT_OFFERED,    "http: server connection not offered, bytes under way or no pool") \
	X(220, HTTP_CLIENTS_FULL,   "http: no room for the connection's record")                   \
	X(221, HTTP_NOT_GIVEN,      "http: connection not given, bytes under way")                 \
	X(222, HTTP_STATS_FULL,     "http: no room for the request's counters")                    \
	X(223, HTTP_EARLY,          "http: the server spoke before it had the whole request")      \
	X(224, HTTP_SENDS_OVERLAP,  "http: another send or read of the client may be under way")   \
	X(225, HTTP_METHOD_BODY,    "http: body of a method that has none by custom")              \
	X(226, HTTP_CLIENT_WAITS,   "http: the client waits in its calls, its connection stays on TCP") \
	X(227, HTTP_SERVER_WAITS,   "http: the server waits in its calls, its connections stay on TCP") \
	X(228, HTTP_SERVER_WATCHED, "http: first connections to a server's port, seen on TCP whether it waits")
/* clang-format on */

enum tulle_reason {
#define TULLE_REASON_ENUM(number, name, text) TULLE_REASON_##name = number,
	TULLE_REASONS(TULLE_REASON_ENUM)
#undef TULLE_REASON_ENUM
};

/* Size of tulle_counters: room for numbers to come. */
#define TULLE_REASON_MAX 256

#endif
