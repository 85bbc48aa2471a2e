/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * sockops: the moments in a TCP socket's life that the mesh wants to know about. Most run in
 * softirq, where no process is current: who makes a connection was settled by the connect program
 * (see caller.h), and whose a listener is is told by its address, which only the bind and connect
 * programs hand out.
 *
 * Failure policy: a socket that cannot be offered for splicing stays on TCP; a connection whose
 * record cannot be stored is nobody's, which guard and proxy refuse.
 *
 * Kernel: 5.15 (netns cookie here); tried on 6.1 and 6.18.
 */
#include <bpf/bpf_core_read.h>

#include "lib/account.h"
#include "lib/http_life.h"
#include "lib/listener.h"
#include "lib/waits.h"

#define TULLE_SOL_TCP      6
#define TULLE_TCP_NODELAY  1
#define TULLE_IFF_LOOPBACK 8

/* Does the connection stay on this host? Its route is known; yes where the kernel does not tell. */
static __always_inline bool tulle_is_local(struct bpf_sock *sk)
{
	const struct sock *kernel = (const struct sock *)bpf_skc_to_tcp_sock(sk);
	const struct dst_entry *route;
	const struct net_device *device;

	if (!kernel || !bpf_core_field_exists(struct dst_entry, dev))
		return true;
	route = BPF_CORE_READ(kernel, sk_dst_cache);
	device = route ? BPF_CORE_READ(route, dev) : NULL;
	return !device || BPF_CORE_READ(device, flags) & TULLE_IFF_LOOPBACK;
}

/*
 * The source port is known and the SYN not yet sent: nobody can ask too early. Fast open, io_uring
 * and MPTCP come here as well, the latter for each of its subflows.
 */
static __always_inline void tulle_calling(struct bpf_sock_ops *ctx)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	const struct tulle_dialled *dialled;
	struct tulle_socket_key key = {};
	struct tulle_conn conn = {};
	struct bpf_sock *sk = ctx->sk;
	__u32 v4;

	if (!config || !sk)
		return;
	dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0);
	if (!dialled)
		return;
	tulle_ops_key(ctx, &key);
	if (dialled->proxied) {
		conn.kind = TULLE_CONN_PROXIED;
	} else if (tulle_net_of(config, &key.remote, &v4) == TULLE_NET_RANGE) {
		conn.server = tulle_workload_at(config, v4);
		conn.kind = conn.server ? TULLE_CONN_DIRECT : TULLE_CONN_LOCAL;
		if (!tulle_on_this_node(config, v4))
			return;
	} else {
		conn.kind = TULLE_CONN_LOCAL;
		if (!tulle_addr_is_loopback(&key.remote) && !tulle_is_local(sk))
			return;
	}
	conn.began = bpf_ktime_get_ns();
	conn.lease = dialled->lease;
	conn.place = dialled->place;
	conn.client = dialled->workload;
	conn.service = dialled->service;
	conn.dialled.addr = dialled->addr;
	conn.dialled.port = dialled->port;
	tulle_conn_begin(&key, &conn);
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* The other end of such a connection exists: the record stays until that has closed, too. */
static __always_inline void tulle_called(struct bpf_sock_ops *ctx)
{
	struct tulle_socket_key own = {}, key;
	struct tulle_conn *conn;
	bool first;

	tulle_ops_key(ctx, &own);
	tulle_key_swap(&own, &key);
	conn = bpf_map_lookup_elem(&tulle_conns, &key);
	if (!conn)
		return;
	first = !conn->accepted;
	conn->accepted = 1;
	if (first)
		tulle_pair_opened(conn);
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

enum tulle_end {
	TULLE_END_OTHER = 0,
	TULLE_END_MESH = 1,     /* a local workload, or the proxy calling one */
	TULLE_END_OUTBOUND = 2, /* the proxy's outbound listener */
};

static __always_inline enum tulle_end tulle_end_of(const struct tulle_config *config,
						   const struct tulle_addr *addr, __u32 port)
{
	__u32 v4;

	if (port == config->outbound4_port && tulle_addr_equal(addr, &config->outbound4))
		return TULLE_END_OUTBOUND;
	if (port == config->outbound6_port && tulle_addr_equal(addr, &config->outbound6))
		return TULLE_END_OUTBOUND;
	if (tulle_net_of(config, addr, &v4) != TULLE_NET_RANGE || !tulle_on_this_node(config, v4))
		return TULLE_END_OTHER;
	if (v4 == config->proxy_addr.w[3] || tulle_workload_at(config, v4))
		return TULLE_END_MESH;
	return TULLE_END_OTHER;
}

static __always_inline bool tulle_is_proxys(const struct tulle_config *config,
					    const struct tulle_addr *addr)
{
	__u32 v4;

	return tulle_net_of(config, addr, &v4) == TULLE_NET_RANGE && v4 == config->proxy_addr.w[3];
}

/* Which part does the socket take in kernel HTTP? `key` is its own. */
static __always_inline void tulle_http_begin(struct bpf_sock_ops *ctx,
					     const struct tulle_config *config,
					     struct tulle_splice *splice,
					     const struct tulle_socket_key *key,
					     const struct tulle_peer *self, enum tulle_end local)
{
	bool active = ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB;
	const struct tulle_dialled *dialled;
	struct bpf_sock *sk = ctx->sk;

	splice->http = TULLE_HTTP_NOBODY;
	if (!sk)
		return;
	if (local == TULLE_END_OUTBOUND) {
		if (!active && tulle_client_accepted(splice, self->cookie))
			splice->http = TULLE_HTTP_D;
	} else if (active && tulle_is_proxys(config, &key->local)) {
		splice->http = TULLE_HTTP_U;
	} else if (!active && tulle_is_proxys(config, &key->remote)) {
		splice->http = TULLE_HTTP_S;
	} else if (active) {
		dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0);
		if (dialled && dialled->http && tulle_client_begin(key, dialled, self))
			splice->http = TULLE_HTTP_C;
	}
	if (splice->http == TULLE_HTTP_D || splice->http == TULLE_HTTP_U)
		bpf_sock_ops_cb_flags_set(ctx,
					  ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

enum tulle_way {
	TULLE_WAY_TCP,
	TULLE_WAY_SPLICED,
	TULLE_WAY_WATCHED, /* on TCP, until it is known whether the server waits */
};

/* From the proxy to a server. That it speaks HTTP may not be known before the first request. */
static __always_inline enum tulle_way tulle_way_to(const struct tulle_socket_key *own,
						   const struct tulle_tenant *server)
{
	struct tulle_sockaddr endpoint = {.addr = own->remote, .port = own->rport};
	__u32 waits;

	if (server->splicing != TULLE_SPLICING_HTTP)
		return TULLE_WAY_TCP;
	waits = tulle_waits_of(server, own->rport);
	if (!waits)
		return TULLE_WAY_WATCHED;
	if (!bpf_map_lookup_elem(&tulle_http_endpoints, &endpoint))
		return TULLE_WAY_TCP;
	if (waits == TULLE_WAITS_NOT)
		return TULLE_WAY_SPLICED;
	tulle_count(TULLE_REASON_HTTP_SERVER_WAITS);
	return TULLE_WAY_TCP;
}

/* From a workload to the proxy. */
static __always_inline enum tulle_way tulle_way_from(struct bpf_sock *sk,
						     const struct tulle_tenant *client)
{
	const struct tulle_dialled *dialled = bpf_sk_storage_get(&tulle_dialled, sk, NULL, 0);

	if (client->splicing != TULLE_SPLICING_HTTP || !dialled || !dialled->http)
		return TULLE_WAY_TCP;
	if (dialled->http == TULLE_SPEAKS_MAYBE && !tulle_has_spoken(dialled->service))
		return TULLE_WAY_TCP;
	if (tulle_waits_on((const struct sock *)bpf_skc_to_tcp_sock(sk)) == TULLE_WAITS_NOT)
		return TULLE_WAY_SPLICED;
	tulle_count(TULLE_REASON_HTTP_CLIENT_WAITS);
	return TULLE_WAY_TCP;
}

/*
 * The caller's end is established and decides for both: may the connection be spliced without a
 * program that notices, or because its workloads say so? `own` is the caller's key.
 */
static __always_inline enum tulle_way tulle_way_of(const struct tulle_config *config,
						   const struct tulle_socket_key *own,
						   struct bpf_sock *sk, enum tulle_end remote)
{
	bool proxys = tulle_is_proxys(config, &own->local);
	const struct tulle_tenant *other = NULL;
	const struct tulle_tenant *one =
		tulle_tenant_of(config, proxys ? &own->remote : &own->local);

	if (!one)
		return TULLE_WAY_TCP;
	if (proxys || remote == TULLE_END_OUTBOUND) {
		if (one->splicing == TULLE_SPLICING_ALL)
			return TULLE_WAY_SPLICED;
		return proxys ? tulle_way_to(own, one) : tulle_way_from(sk, one);
	}
	other = tulle_tenant_of(config, &own->remote);
	return other && one->splicing == TULLE_SPLICING_ALL &&
			       other->splicing == TULLE_SPLICING_ALL && tulle_conn_worth(own)
		       ? TULLE_WAY_SPLICED
		       : TULLE_WAY_TCP;
}

/* Counts a connection of the mesh, and asks for its end to be told; `key` is the socket's own. */
static __always_inline void tulle_account_begin(struct bpf_sock_ops *ctx,
						const struct tulle_config *config,
						const struct tulle_socket_key *key,
						enum tulle_end local)
{
	struct tulle_traffic *traffic = NULL;

	if (local == TULLE_END_MESH)
		traffic = tulle_traffic_of(config, key->local.w[3]);
	if (traffic && ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		traffic->opened++;
	else if (traffic)
		traffic->accepted++;
	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* Not every socket that is watched is counted: a proxy's may have been watched for HTTP only. */
static __always_inline void tulle_account_end(struct bpf_sock_ops *ctx)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	const struct tulle_splice *splice;
	struct tulle_socket_key own = {};
	struct bpf_sock *sk = ctx->sk;
	const struct tcp_sock *tcp;
	__u64 sent, spliced = 0, cookie;
	__u32 messages;

	if (!sk || ctx->args[1] != BPF_TCP_CLOSE)
		return;
	tulle_ops_key(ctx, &own);
	tcp = (const struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	if (!tcp)
		return;
	/* Payload; what is acknowledged would count SYN and FIN too. */
	sent = tcp->bytes_sent - tcp->bytes_retrans;
	messages = tcp->data_segs_out;
	if (config)
		tulle_traffic_mesh(config, own.local.w[3], own.remote.w[3], sent);
	/* Records end whatever the configuration has become. */
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	if (splice) {
		spliced = splice->bytes;
		messages += splice->messages;
		bpf_map_delete_elem(&tulle_peers, &own);
		cookie = bpf_get_socket_cookie(ctx);
		bpf_map_delete_elem(&tulle_arrived, &cookie);
	}
	tulle_conn_end(&own, sent + spliced, messages, ctx->srtt_us >> 3, ctx->total_retrans);
}

/* Both ends on this node and in the mesh: the sockets of the host are never touched. */
static __always_inline void tulle_offer(struct bpf_sock_ops *ctx)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_CAPTURE);
	bool active = ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB;
	struct tulle_socket_key key = {}, peer;
	enum tulle_end local, remote;
	struct tulle_splice *splice;
	struct tulle_peer self = {}, unknown = {};
	enum tulle_way way = TULLE_WAY_TCP;
	struct bpf_sock *sk = ctx->sk;
	int on = 1;

	if (!config || !sk)
		return;
	tulle_ops_local(ctx, &key.local);
	tulle_ops_remote(ctx, &key.remote);
	key.lport = ctx->local_port;
	key.rport = bpf_ntohl(ctx->remote_port);
	local = tulle_end_of(config, &key.local, key.lport);
	if (local == TULLE_END_OTHER)
		return;
	remote = tulle_end_of(config, &key.remote, key.rport);
	if (remote == TULLE_END_OTHER || (local == TULLE_END_OUTBOUND && local == remote))
		return;
	key.netns = bpf_get_netns_cookie(ctx);
	tulle_account_begin(ctx, config, &key, local);
	if (!(config->flags & TULLE_F_SPLICE))
		return;
	self.sock = (__u64)bpf_skc_to_tcp_sock(sk);
	self.cookie = bpf_get_socket_cookie(ctx);
	if (!self.sock)
		return;
	tulle_key_swap(&key, &peer);
	/* The caller is established first, and it has decided for both. */
	if (active)
		way = tulle_way_of(config, &key, sk, remote);
	else if (bpf_map_lookup_elem(&tulle_peers, &peer))
		way = TULLE_WAY_SPLICED;
	else if (tulle_is_proxys(config, &key.remote))
		tulle_watch(&key, &self);
	if (way == TULLE_WAY_TCP)
		return;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!splice) {
		tulle_count(TULLE_REASON_STORAGE_FULL);
		return;
	}
	splice->peer = peer;
	if (way == TULLE_WAY_WATCHED) {
		splice->http = TULLE_HTTP_WATCH;
		bpf_map_update_elem(&tulle_watched, &peer, &unknown, BPF_ANY);
		return;
	}
	tulle_http_begin(ctx, config, splice, &key, &self, local);
	if (bpf_map_update_elem(&tulle_peers, &key, &self, BPF_ANY) ||
	    bpf_sock_hash_update(ctx, &tulle_sockets, &key, BPF_ANY))
		tulle_count(TULLE_REASON_SOCKETS_FULL);
	else
		tulle_count(TULLE_REASON_SPLICE_SOCKET);

	/*
	 * Where a spilled direction stays on TCP for good (see splice.c) its acknowledgements no
	 * longer ride on the other direction's data; Nagle would wait 40 ms for each. Kernels
	 * before 6.0 refuse, which leaves them as they were.
	 */
	if (!bpf_core_field_exists(struct sk_psock, msg_tot_len))
		bpf_setsockopt(ctx, TULLE_SOL_TCP, TULLE_TCP_NODELAY, &on, sizeof(on));
}

static __always_inline void tulle_socket_state(struct bpf_sock_ops *ctx)
{
	tulle_account_end(ctx);
	tulle_http_state(ctx);
}

SEC("sockops")
int tulle_sockops(struct bpf_sock_ops *ctx)
{
	struct tulle_listening what = {};
	const struct tulle_config *config;

	if (ctx->family != TULLE_AF_INET && ctx->family != TULLE_AF_INET6)
		return 1;
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		tulle_calling(ctx);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		config = tulle_config_if(TULLE_F_BIND);
		if (!config)
			break;
		tulle_listener_changed(ctx, config, true, &what);
		if (what.workload)
			bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG);
		if (config->flags & TULLE_F_LEND)
			tulle_lend_listener(ctx, &what);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[0] == BPF_TCP_LISTEN)
			tulle_listener_changed(ctx, NULL, false, &what);
		else
			tulle_socket_state(ctx);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		/*
		 * An accepted socket inherits the listener's callback flag. It is left on also
		 * where nobody wants it: another mesh on this host may have set it for itself.
		 */
		tulle_called(ctx);
		tulle_offer(ctx);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		tulle_offer(ctx);
		break;
	default:
		break;
	}
	return 1;
}
