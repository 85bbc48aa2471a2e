/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Does a program wait inside its calls? A reader in blocking mode whose socket is in the sockhash
 * is told EAGAIN by the kernel whenever it wakes up without a byte: after a signal, a stop, its own
 * half-close. So, unless its workload asks for it, a socket is spliced only if it is in
 * non-blocking mode, and it has to be known before the connection exists.
 *
 * A caller is seen in its connect. What a server accepts is not known until it has: the proxy's
 * first connection to a port stays on TCP, and when the proxy offers it, after an exchange, the
 * accepted socket is looked at. If it does not wait, the proxy is told to make a new connection,
 * and from then on they are spliced. One that waits settles it for as long as the lease.
 *
 * A socket of which a program has asked for what a sockmap does not do (wishes.h) counts as one
 * that waits.
 *
 * What is not HTTP stays on TCP, and of a port that does not say what is spoken it is not known
 * either before a connection has shown it: the proxy gives a connection (TULLE_OPT_GIVE) after a
 * request only, also one that is not spliced, and those that come after it may be.
 */
#ifndef TULLE_WAITS_H
#define TULLE_WAITS_H

#include <bpf/bpf_core_read.h>

#include "kernel.h"
#include "mesh.h"
#include "wishes.h"

#define TULLE_O_NONBLOCK 04000

/* Who has this address of the node; NULL: it is none of the node's. */
static __always_inline const struct tulle_tenant *tulle_tenant_of(const struct tulle_config *config,
								  const struct tulle_addr *addr)
{
	return tulle_tenant_at(tulle_host_part(config, addr->w[3]));
}

/* 0: that cannot be told, nobody has accepted it. */
static __always_inline __u32 tulle_waits_on(const struct sock *sock)
{
	const struct socket *socket;
	const struct file *file;

	if (!sock)
		return 0;
	socket = BPF_CORE_READ(sock, sk_socket);
	file = socket ? BPF_CORE_READ(socket, file) : NULL;
	if (!file)
		return 0;
	return BPF_CORE_READ(file, f_flags) & TULLE_O_NONBLOCK && !tulle_has_wishes(sock)
		       ? TULLE_WAITS_NOT
		       : TULLE_WAITS_YES;
}

/* What is known of a server's port: enum tulle_waits; 0: nothing yet. */
static __always_inline __u32 tulle_waits_of(const struct tulle_tenant *server, __u32 port)
{
	struct tulle_waits_key key = {.lease = server->lease, .port = port};
	const __u32 *known = bpf_map_lookup_elem(&tulle_waits, &key);

	return known ? *known : 0;
}

/* Has a request been seen on this service, whose port does not say what is spoken? */
static __always_inline bool tulle_has_spoken(__u32 service)
{
	return bpf_map_lookup_elem(&tulle_spoken, &service);
}

/* The server's end of a watched connection exists. */
static __always_inline void tulle_watch(const struct tulle_socket_key *own,
					const struct tulle_peer *self)
{
	struct tulle_peer *watched = bpf_map_lookup_elem(&tulle_watched, own);

	if (watched)
		*watched = *self;
}

/* Whose workload is at the server's end with this key; NULL: nobody's, or nothing is spliced. */
static __always_inline const struct tulle_tenant *
tulle_server_at(const struct tulle_socket_key *server)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);
	const struct tulle_tenant *tenant = config ? tulle_tenant_of(config, &server->local) : NULL;

	return tenant && tenant->lease ? tenant : NULL;
}

/*
 * The proxy offers a connection: does its server wait? One who did once does for good. Asked again
 * of those that are spliced, for a server may treat its sockets in different ways. Returns what is
 * known now.
 */
static __always_inline __u32 tulle_waits_learn(const struct tulle_tenant *server, __u32 port,
					       const struct sock *sock)
{
	struct tulle_waits_key key = {.lease = server->lease, .port = port};
	__u32 waits = tulle_waits_on(sock), known = tulle_waits_of(server, port);

	if (waits <= known || bpf_map_update_elem(&tulle_waits, &key, &waits, BPF_ANY))
		return known;
	return waits;
}

#endif
