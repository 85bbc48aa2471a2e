/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * cgroup/setsockopt on the proxy's cgroup, and the part of cgroup/getsockopt that belongs to it:
 * how the proxy speaks with kernel HTTP about its own sockets. It needs neither a capability nor a
 * map, and it cannot name a socket that is not its own.
 *
 * Failure policy: open. Unknown options, and everything where kernel HTTP is not attached, are
 * answered by the kernel: ENOPROTOOPT, getsockopt EOPNOTSUPP.
 *
 * Kernel: 5.15 (netns cookie is not needed here, socket storage is); tried on 6.18.
 */
#include "lib/caller.h"
#include "lib/http_offer.h"
#include "lib/http_outcome.h"

/* A connection to the proxy that stays on TCP has carried a request. */
static __always_inline void tulle_request_seen(struct bpf_sock *sk)
{
	const struct tulle_config *config = tulle_config_if(TULLE_F_SPLICE);
	struct tulle_socket_key key = {};
	const struct tulle_conn *conn;
	__u32 service, one = 1;

	if (!config)
		return;
	tulle_caller_key(config, sk, &key);
	conn = bpf_map_lookup_elem(&tulle_conns, &key);
	service = conn ? conn->service : 0;
	if (service)
		bpf_map_update_elem(&tulle_spoken, &service, &one, BPF_ANY);
}

SEC("cgroup/setsockopt")
int tulle_setsockopt(struct bpf_sockopt *ctx)
{
	struct tulle_splice *splice;
	struct bpf_sock *sk = ctx->sk;
	void *value, *end;
	__u32 *leased;
	__s32 option = ctx->optname;

	if (ctx->level != TULLE_SOL || !sk)
		return TULLE_PROCEED;
	splice = bpf_sk_storage_get(&tulle_splices, sk, NULL, 0);
	value = ctx->optval;
	end = ctx->optval_end;
	if (option == TULLE_OPT_GIVE && value + sizeof(struct tulle_http_give) <= end) {
		struct tulle_http_give give = *(struct tulle_http_give *)value;

		if (!splice)
			tulle_request_seen(sk);
		else if (splice->http == TULLE_HTTP_D)
			tulle_client_offer(splice, &give);
	} else if (option == TULLE_OPT_OFFER && value + sizeof(struct tulle_http_offer) <= end) {
		struct tulle_http_offer offer = *(struct tulle_http_offer *)value;

		if (splice && splice->http == TULLE_HTTP_U)
			tulle_lease_offer(sk, splice, &offer);
		else if (splice && splice->http == TULLE_HTTP_WATCH)
			tulle_watched_offer(splice);
	} else if (option == TULLE_OPT_TAKE && value + sizeof(struct tulle_http_take) <= end) {
		struct tulle_http_take take = *(struct tulle_http_take *)value;

		leased = bpf_sk_storage_get(&tulle_leased, sk, NULL, 0);
		if (leased && *leased) {
			__u32 id = *leased - 1;
			struct tulle_lease *lease = bpf_map_lookup_elem(&tulle_leases, &id);

			if (lease && tulle_lease_take(lease, take.states))
				tulle_count(TULLE_REASON_HTTP_TAKEN);
		}
	} else if (option == TULLE_OPT_OUTCOME &&
		   value + sizeof(struct tulle_http_outcome) <= end) {
		struct tulle_http_outcome outcome = *(struct tulle_http_outcome *)value;

		tulle_http_outcome_told(&outcome);
	} else {
		return TULLE_PROCEED;
	}
	ctx->optlen = -1; /* done: the kernel's own code does not see it */
	return TULLE_PROCEED;
}
