// SPDX-License-Identifier: Apache-2.0
/* connect, listen, accept, names, options that belong to them, and sockets that change hands. */
#define _GNU_SOURCE
#include "script.h"

#define NOW   MSG_DONTWAIT
#define MPTCP 262

static void hello(struct end c, struct end s)
{
	put(c, "hello", 5);
	say("%ld ", take(s, IN, 5, 1000));
	put(s, "hello", 5);
	say("and %ld", take(c, IN, 5, 1000));
}

static long connect_to(struct end c, int port, int family)
{
	struct sockaddr_storage *address = NEW(struct sockaddr_storage);
	socklen_t size;

	address_of(port, family, address, &size);
	return SYS(c.hand, connect, c.fd, P(address), size);
}

static struct end new_socket(int flags)
{
	return (struct end){CLIENT, SYS(CLIENT, socket, AF_INET, SOCK_STREAM | flags, 0)};
}

static void deferred(struct end c, struct end s)
{
	struct end listener = listen_at(2, L_DEFER);

	c = dial(2, AF_INET, 0);
	s = take_accepted(listener, 250);
	say("TCP_DEFER_ACCEPT: without a byte %s", s.fd < 0 ? "not accepted" : "accepted");
	fill(OUT, 0, 500);
	put(c, OUT, 500);
	if (s.fd < 0)
		s = take_accepted(listener, 3000);
	say(", with bytes %s", s.fd < 0 ? "NOT accepted" : "accepted");
	say(", read %ld, ", take(s, IN, 500, 1000));
	hello(c, s);
}

static void fast_open(struct end c, struct end s)
{
	struct sockaddr_storage *address = NEW(struct sockaddr_storage);
	struct end listener = listen_at(2, L_FASTOPEN);
	socklen_t size;

	address_of(2, AF_INET, address, &size);
	c = new_socket(0);
	say("MSG_FASTOPEN %s",
	    told(SYS(CLIENT, sendto, c.fd, P("fast"), 4, MSG_FASTOPEN, P(address), size)));
	s = take_accepted(listener, 2000);
	say(", the server has %ld", s.fd < 0 ? -1 : take(s, IN, 4, 1000));
	put(s, "back", 4);
	say(", the client %ld", take(c, IN, 4, 1000));
	c = new_socket(0);
	say("; TCP_FASTOPEN_CONNECT %s", told(set(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)));
	say(", connect %s", told(connect_to(c, 2, AF_INET)));
	say(", send %s", told(transmit(c, "fast", 4, 0)));
	s = take_accepted(listener, 2000);
	say(", the server has %ld", s.fd < 0 ? -1 : take(s, IN, 4, 1000));
	put(s, "back", 4);
	say(", the client %ld", take(c, IN, 4, 1000));
}

static void shared_port(struct end c, struct end s)
{
	struct end one = listen_at(2, L_REUSEPORT), other = listen_at(2, L_REUSEPORT);
	int count[2] = {};

	for (int i = 0; i < 60; i++) {
		c = dial(2, AF_INET, 0);
		s = take_accepted(one, 20);
		count[s.fd < 0]++;
		if (s.fd < 0)
			s = take_accepted(other, 1000);
		if (s.fd < 0)
			give_up("lost by both listeners");
		shut_fd(c);
		shut_fd(s);
	}
	say("SO_REUSEPORT, 60 connections: %s",
	    count[0] && count[1] ? "both listeners have some" : "ONE listener has all");
}

static void options(struct end c, struct end s)
{
	char *name = room(16);
	socklen_t *size = NEW(socklen_t);

	strcpy(name, "reno");
	say("TCP_CONGESTION %s",
	    told(SYS(c.hand, setsockopt, c.fd, IPPROTO_TCP, TCP_CONGESTION, P(name), 4)));
	memset(name, 0, 16);
	*size = 16;
	SYS(c.hand, getsockopt, c.fd, IPPROTO_TCP, TCP_CONGESTION, P(name), P(size));
	say(" %s", name);
	say(", TCP_QUICKACK %s", told(set(c, IPPROTO_TCP, TCP_QUICKACK, 0)));
	say(", TCP_NODELAY %d", get(c, IPPROTO_TCP, TCP_NODELAY));
	say(", state %d and %d", info_of(c).tcpi_state, info_of(s).tcpi_state);
	say(", protocol %d", get(c, SOL_SOCKET, SO_PROTOCOL));
	say(", type %d", get(c, SOL_SOCKET, SO_TYPE));
	say(", domain %d", get(c, SOL_SOCKET, SO_DOMAIN));
	say(", listening %d", get(s, SOL_SOCKET, SO_ACCEPTCONN));
	say(", SO_ERROR %d", get(c, SOL_SOCKET, SO_ERROR));
	say(", IP_TTL %d", get(c, IPPROTO_IP, 2));
	say(", SO_INCOMING_CPU %s", get(s, SOL_SOCKET, SO_INCOMING_CPU) < 0 ? "none" : "known");
}

static void tls_offload(struct end c, struct end s)
{
	char *name = room(8);

	(void)s;
	strcpy(name, "tls");
	say("TCP_ULP tls: %s",
	    told(SYS(c.hand, setsockopt, c.fd, IPPROTO_TCP, TCP_ULP, P(name), 3)));
	name[0] = 'n';
	say(", one that is not there: %s",
	    told(SYS(c.hand, setsockopt, c.fd, IPPROTO_TCP, TCP_ULP, P(name), 3)));
}

static void not_waiting(struct end c, struct end s)
{
	struct end listener = listen_at(2, 0), other;

	c = new_socket(SOCK_NONBLOCK);
	say("connect %s", told(connect_to(c, 2, AF_INET)));
	say(", poll %s", events(polled(c, POLLOUT, 2000)));
	say(", SO_ERROR %d", get(c, SOL_SOCKET, SO_ERROR));
	say(", connect again %s", told(connect_to(c, 2, AF_INET)));
	say(", and again %s", told(connect_to(c, 2, AF_INET)));
	s = take_accepted(listener, 2000);
	say("; ");
	hello(c, s);
	other = new_socket(SOCK_NONBLOCK);
	say("; where nobody listens: connect %s", told(connect_to(other, 9, AF_INET)));
	say(", poll %s", events(polled(other, POLLOUT | POLLIN, 2000)));
	say(", SO_ERROR %d", get(other, SOL_SOCKET, SO_ERROR));
}

static void refused(struct end c, struct end s)
{
	(void)s;
	c = new_socket(0);
	say("where nobody listens: connect %s", told(connect_to(c, 9, AF_INET)));
	say(", send %s", told(transmit(c, "x", 1, 0)));
	say(", recv %s", told(receive(c, IN, 10, NOW)));
	say(", getpeername %s", name_of(c, true, &(struct sockaddr_storage){}) ? told(-1) : "0");
	say(", connect again %s", told(connect_to(c, 9, AF_INET)));
}

static void not_connected(struct end c, struct end s)
{
	(void)s;
	c = new_socket(0);
	say("not connected: send %s", told(transmit(c, "x", 1, 0)));
	say(", recv %s", told(receive(c, IN, 10, NOW)));
	say(", shutdown %s", told(shut(c, SHUT_WR)));
	say(", poll %s", events(polled(c, POLLIN | POLLOUT, 0)));
	say(", accept %s", told(SYS(CLIENT, accept4, c.fd, 0, 0, SOCK_NONBLOCK)));
}

static void names(struct end c, struct end s)
{
	struct sockaddr_storage dialled, c_own, c_peer, s_own, s_peer;
	struct sockaddr_in *a = (void *)&c_own, *b = (void *)&s_peer;
	struct sockaddr_in *wanted = (void *)&dialled, *peer = (void *)&c_peer;
	socklen_t size, *length = NEW(socklen_t);
	void *space = room(64);

	address_of(0, AF_INET, &dialled, &size);
	name_of(c, false, &c_own);
	name_of(c, true, &c_peer);
	name_of(s, false, &s_own);
	name_of(s, true, &s_peer);
	say("the client's peer %s what it dialled",
	    peer->sin_addr.s_addr == wanted->sin_addr.s_addr && peer->sin_port == wanted->sin_port
		    ? "is"
		    : "is NOT");
	say(", the server's peer %s the client's name",
	    a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port ? "is"
										   : "is NOT");
	say(", the server's port %s",
	    ntohs(((struct sockaddr_in *)&s_own)->sin_port) == port_number(0) ? "is right"
									      : "is WRONG");
	*length = 12;
	say(", SO_PEERCRED %s",
	    told(SYS(c.hand, getsockopt, c.fd, SOL_SOCKET, SO_PEERCRED, P(space), P(length))));
	*length = 16;
	say(", SO_ORIGINAL_DST %s",
	    told(SYS(s.hand, getsockopt, s.fd, IPPROTO_IP, 80, P(space), P(length))));
}

/* As names, of IPv6. */
static void six(struct end c, struct end s)
{
	struct sockaddr_storage dialled, own, peer;
	struct sockaddr_in6 *a = (void *)&own, *b = (void *)&peer, *wanted = (void *)&dialled;
	socklen_t size;

	open_six(&c, &s, false);
	hello(c, s);
	address_of(1, AF_INET6, &dialled, &size);
	name_of(c, true, &peer);
	say("; the client's peer %s what it dialled",
	    memcmp(&b->sin6_addr, &wanted->sin6_addr, 16) || b->sin6_port != wanted->sin6_port
		    ? "is NOT"
		    : "is");
	name_of(c, false, &own);
	name_of(s, true, &peer);
	say(", the server's peer %s the client's name",
	    memcmp(&a->sin6_addr, &b->sin6_addr, 16) || a->sin6_port != b->sin6_port ? "is NOT"
										     : "is");
	say(", scope %u", b->sin6_scope_id);
	warm(c, s);
	fill(OUT, 0, 1000);
	put(c, OUT, 1000);
	until_waiting(s, 1000);
	say("; peek %s", told(receive(s, IN, 100, MSG_PEEK | NOW)));
	shut(c, SHUT_WR);
	say(", read %ld, ", take(s, IN, 5000, 300));
	say("then %s", told(receive(s, IN, 10, NOW)));
	reset(s);
	polled(c, POLLIN, 1000);
	say("; reset: %s", told(receive(c, IN, 10, NOW)));
}

static void six_streams(struct end c, struct end s)
{
	struct drained *in = NEW(struct drained), *out = NEW(struct drained);

	open_six(&c, &s, false);
	warm(c, s);
	BEGIN(SERVER, 1, drain, s.fd, P(in), true, 0);
	BEGIN(CLIENT, 1, drain, c.fd, P(out), true, 0);
	BEGIN(SERVER, 2, pump, s.fd, 0, 4 << 20, 65536);
	ACT(CLIENT, pump, c.fd, 0, 4 << 20, 65536);
	outcome(SERVER, 2, 5000);
	shut(c, SHUT_WR);
	shut(s, SHUT_WR);
	outcome(SERVER, 1, 5000);
	outcome(CLIENT, 1, 5000);
	say("4 MiB each way over IPv6: %s and %s",
	    in->bytes == 4 << 20 && !in->wrong && in->end ? "right" : "WRONG",
	    out->bytes == 4 << 20 && !out->wrong && out->end ? "right" : "WRONG");
}

static void mapped(struct end c, struct end s)
{
	struct sockaddr_storage own, peer;

	open_six(&c, &s, true);
	hello(c, s);
	name_of(c, true, &peer);
	name_of(c, false, &own);
	say("; the client's names are of family %d and %d, %s", peer.ss_family, own.ss_family,
	    IN6_IS_ADDR_V4MAPPED(&((struct sockaddr_in6 *)&peer)->sin6_addr) ? "mapped"
									     : "NOT mapped");
	warm(c, s);
}

static void again(struct end c, struct end s)
{
	struct sockaddr *none = NEW(struct sockaddr);
	struct end listener = listen_at(2, 0);

	none->sa_family = AF_UNSPEC;
	say("disconnect %s", told(SYS(c.hand, connect, c.fd, P(none), sizeof(*none))));
	polled(s, POLLRDHUP, 500);
	say(", the peer has %s", told(receive(s, IN, 1, NOW)));
	say(", getpeername %s", name_of(c, true, &(struct sockaddr_storage){}) ? told(-1) : "0");
	if (connect_to(c, 2, AF_INET)) {
		say(", connect again %s", told(-1));
		return;
	}
	s = take_accepted(listener, 1000);
	say(", connect again 0, ");
	hello(c, s);
}

static void connected_already(struct end c, struct end s)
{
	say("connect once more %s", told(connect_to(c, 0, AF_INET)));
	say(", bind %s", told(SYS(c.hand, bind, c.fd, P(room(16)), 16)));
	say(", listen %s", told(SYS(c.hand, listen, c.fd, 5)));
	say(", ");
	hello(c, s);
}

static void say_bound(int address, int port)
{
	struct end listener = listen_at(2, 0), c = new_socket(0), s;
	struct sockaddr_in *own = NEW(struct sockaddr_in);
	struct sockaddr_storage name, seen;

	own->sin_family = AF_INET;
	own->sin_port = htons(port);
	own->sin_addr.s_addr = htonl(address);
	set(c, SOL_SOCKET, SO_REUSEADDR, 1);
	say("bind %s", told(SYS(CLIENT, bind, c.fd, P(own), sizeof(*own))));
	say(", connect %s", told(connect_to(c, 2, AF_INET)));
	s = take_accepted(listener, 1000);
	if (s.fd < 0)
		return;
	say(", ");
	hello(c, s);
	name_of(c, false, &name);
	name_of(s, true, &seen);
	say(", the port %s", !port || ((struct sockaddr_in *)&name)->sin_port == own->sin_port
				     ? "is kept"
				     : "is NOT kept");
	say(", the server sees %s address",
	    ((struct sockaddr_in *)&name)->sin_addr.s_addr ==
			    ((struct sockaddr_in *)&seen)->sin_addr.s_addr
		    ? "that"
		    : "ANOTHER");
}

static void bound_to_port(struct end c, struct end s)
{
	(void)c, (void)s;
	say_bound(INADDR_ANY, port_number(12));
}

static void bound_to_any(struct end c, struct end s)
{
	(void)c, (void)s;
	say_bound(INADDR_ANY, 0);
}

static void bound_to_loopback(struct end c, struct end s)
{
	struct sockaddr_in *own = NEW(struct sockaddr_in);
	struct end listener = listen_at(2, 0);

	c = new_socket(0);
	own->sin_family = AF_INET;
	own->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	say("bind %s", told(SYS(CLIENT, bind, c.fd, P(own), sizeof(*own))));
	say(", connect %s, ", told(connect_to(c, 2, AF_INET)));
	s = take_accepted(listener, 1000);
	if (s.fd >= 0)
		hello(c, s);
}

static void bound_to_device(struct end c, struct end s)
{
	struct end listener = listen_at(2, 0);

	c = new_socket(0);
	say("SO_BINDTODEVICE lo: %s",
	    told(SYS(CLIENT, setsockopt, c.fd, SOL_SOCKET, SO_BINDTODEVICE, P("lo"), 3)));
	say(", connect %s, ", told(connect_to(c, 2, AF_INET)));
	s = take_accepted(listener, 1000);
	if (s.fd >= 0)
		hello(c, s);
}

static void inherited_options(struct end c, struct end s)
{
	struct end listener = listen_at(2, L_INHERIT);

	c = dial(2, AF_INET, 0);
	s = take_accepted(listener, 1000);
	say("of the listener: SO_RCVLOWAT %d", get(s, SOL_SOCKET, SO_RCVLOWAT));
	say(", TCP_NODELAY %d", get(s, IPPROTO_TCP, TCP_NODELAY));
	say(", SO_KEEPALIVE %d", get(s, SOL_SOCKET, SO_KEEPALIVE));
	say(", SO_RCVBUF %d", get(s, SOL_SOCKET, SO_RCVBUF));
	fill(OUT, 0, 600);
	put(c, OUT, 100);
	until_waiting(s, 100);
	say("; 100 bytes: poll %s", events(polled(s, POLLIN, 50)));
	put(c, OUT, 500);
	say(", 600: %s", events(polled(s, POLLIN, 500)));
}

/* Flags are the accepting call's, not the listener's. */
static void accepted_flags(struct end c, struct end s)
{
	struct end listener = listen_at(2, L_POLLED);

	say("accept with nobody there: %s", told(SYS(SERVER, accept4, listener.fd, 0, 0, 0)));
	for (int i = 0; i < 2; i++) {
		c = dial(2, AF_INET, 0);
		readable(listener, 1000);
		s = (struct end){SERVER, SYS(SERVER, accept4, listener.fd, 0, 0,
					     i ? SOCK_NONBLOCK | SOCK_CLOEXEC : 0)};
		say("; accept4 %s: ", i ? "NONBLOCK and CLOEXEC" : "without flags");
		say("%s",
		    SYS(SERVER, fcntl, s.fd, F_GETFL) & O_NONBLOCK ? "does not wait" : "waits");
		say(", %s", SYS(SERVER, fcntl, s.fd, F_GETFD) & FD_CLOEXEC ? "closed by exec"
									   : "kept by exec");
		hello(c, s);
	}
	say("; an unknown flag: %s", told(SYS(SERVER, accept4, listener.fd, 0, 0, 1)));
}

/* The client has closed, or reset, before anybody accepts. */
static void gone_before_accept(struct end c, struct end s)
{
	struct end listener = listen_at(2, 0);

	for (int i = 0; i < 2; i++) {
		c = dial(2, AF_INET, 0);
		put(c, "left", 4);
		if (i)
			reset(c);
		else
			shut_fd(c);
		rest_ms(50);
		s = take_accepted(listener, 1000);
		say("%s before accept: ", i ? "; reset" : "closed");
		say("%s", s.fd < 0 ? "nobody" : "accepted");
		if (s.fd < 0)
			continue;
		say(", recv %s", told(receive(s, IN, 100, NOW)));
		say(", %s", told(receive(s, IN, 100, NOW)));
	}
}

static void mptcp(struct end c, struct end s, int listens, int calls)
{
	struct end listener = listen_at(2, listens ? L_MPTCP : 0);
	struct drained *in = NEW(struct drained), *out = NEW(struct drained);

	c = dial(2, AF_INET, calls ? MPTCP : 0);
	s = take_accepted(listener, 1000);
	if (s.fd < 0)
		give_up("not accepted");
	say("the server's protocol %d", get(s, SOL_SOCKET, SO_PROTOCOL));
	BEGIN(SERVER, 1, drain, s.fd, P(in), true, 0);
	BEGIN(CLIENT, 1, drain, c.fd, P(out), true, 0);
	ACT(CLIENT, pump, c.fd, 0, 1 << 20, 65536);
	shut(c, SHUT_WR);
	outcome(SERVER, 1, 5000);
	ACT(SERVER, pump, s.fd, 0, 50000, 65536);
	shut(s, SHUT_WR);
	outcome(CLIENT, 1, 5000);
	say(", 1 MiB %s", in->bytes == 1 << 20 && !in->wrong && in->end ? "right" : "WRONG");
	say(", back %s", out->bytes == 50000 && !out->wrong && out->end ? "right" : "WRONG");
}

static void mptcp_listener(struct end c, struct end s)
{
	mptcp(c, s, true, false);
}

static void mptcp_caller(struct end c, struct end s)
{
	mptcp(c, s, false, true);
}

static void mptcp_both(struct end c, struct end s)
{
	mptcp(c, s, true, true);
}

static void passed_on(struct end w, struct end r)
{
	make(200);
	put(w, OUT, 200);
	until_waiting(r, 200);
	say("by SCM_RIGHTS: %s", ACT(r.hand, pass_on, r.fd, P(IN), 200) || memcmp(IN, OUT, 200)
					 ? "WRONG"
					 : "read there");
}

static void forked(struct end w, struct end r)
{
	make(200);
	BEGIN(r.hand, 1, inherit, r.fd, P(IN), 200);
	put(w, OUT, 200);
	say("by fork: %s",
	    outcome(r.hand, 1, 3000) || memcmp(IN, OUT, 200) ? "WRONG" : "read there");
}

/* The child's end of the stream must be the peer's too: nobody else has the socket. */
static void became_cat(struct end w, struct end r)
{
	BEGIN(r.hand, 1, become_cat, r.fd);
	fill(OUT, 0, 3000);
	put(w, OUT, 3000);
	say("cat sends back %ld, ", take(w, IN, 3000, 2000));
	say("%s", memcmp(IN, OUT, 3000) ? "WRONG" : "right");
	shut(w, SHUT_WR);
	say(", ends with %s", told(outcome(r.hand, 1, 3000)));
	polled(w, POLLIN, 1000);
	say(", then %s", told(receive(w, IN, 10, NOW)));
}

/* As a debugger or a supervisor takes a socket from a living process. */
static void taken_from(struct end w, struct end r)
{
	int own = SYS(r.hand, getpid), taken, handle = syscall(SYS_pidfd_open, own, 0);

	make(200);
	put(w, OUT, 200);
	until_waiting(r, 200);
	taken = syscall(SYS_pidfd_getfd, handle, r.fd, 0);
	say("pidfd_getfd %s", taken < 0 ? told(-1) : "ok");
	say(", recv there %s", told(recv(taken, IN, 500, NOW)));
	say(", here %s", told(receive(r, IN, 500, NOW)));
}

const struct case_ connecting[] = {{"deferred", deferred, OWN},
				   {"fast-open", fast_open, OWN},
				   {"shared-port", shared_port, OWN},
				   {"options", options, HTTP},
				   {"tls-offload", tls_offload, 0},
				   {"not-waiting", not_waiting, OWN},
				   {"refused", refused, OWN},
				   {"not-connected", not_connected, OWN},
				   {"names", names, 0},
				   {"six", six, OWN},
				   {"six-streams", six_streams, OWN},
				   {"mapped", mapped, OWN},
				   {"again", again, 0},
				   {"connected-already", connected_already, 0},
				   {"bound-to-port", bound_to_port, OWN},
				   {"bound-to-any", bound_to_any, OWN},
				   {"bound-to-loopback", bound_to_loopback, OWN},
				   {"bound-to-device", bound_to_device, OWN},
				   {"inherited-options", inherited_options, OWN},
				   {"accepted-flags", accepted_flags, OWN},
				   {"gone-before-accept", gone_before_accept, OWN},
				   {"mptcp-listener", mptcp_listener, OWN},
				   {"mptcp-caller", mptcp_caller, OWN},
				   {"mptcp-both", mptcp_both, OWN},
				   {"passed-on", passed_on, BOTH | HTTP},
				   {"forked", forked, BOTH | HTTP},
				   {"became-cat", became_cat, BOTH},
				   {"taken-from", taken_from, BOTH | HTTP},
				   {}};
