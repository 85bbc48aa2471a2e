// SPDX-License-Identifier: GPL-2.0-only
// A small object with every hook that the module attaches to; loaded by the tests of dev.tulle.kernel.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct addr {
	__u32 w[4];
};

enum sample_reason {
	SAMPLE_NONE = 0,
	SAMPLE_REFUSED = 7,
	SAMPLE_LARGE = 4000000000,
};

struct workload {
	__u32 id;
	__u8 role;
	__u8 pad[3];
	struct addr addr4;
	struct addr addr6;
};

struct service_key {
	struct addr vip;
	__u16 port;
	__u8 proto;
	__u8 pad;
};

struct event {
	__u64 ts;
	__u64 cgroup;
	__u32 pid;
	__u32 reason;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct workload);
} workloads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct service_key);
	__type(value, __u32);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct share {
	__u32 until;
	__u16 cluster;
	__u16 pad;
};

struct route {
	__u64 path[2];
	struct share share[2];
	__u8 action;
	__u8 pad[7];
};

struct table {
	__u32 number;
	__u16 routes;
	__u16 pad;
	struct route route[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct table);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, struct service_key);
	__type(value, struct share);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

/* Types that no map names are in the object's BTF only if a global variable uses them. */
enum sample_reason sample_reason_kept = SAMPLE_REFUSED;
struct event *event_kept;

static __always_inline void count(__u32 index)
{
	__u64 *slot = bpf_map_lookup_elem(&counters, &index);

	if (slot)
		*slot += 1;
}

/* Settings[0] is a port (host order) whose connects are refused; the rest pass. Every connect gives an event. */
SEC("cgroup/connect4")
int sample_connect4(struct bpf_sock_addr *ctx)
{
	__u32 zero = 0;
	__u64 *refused = bpf_map_lookup_elem(&settings, &zero);
	int refuse = refused && *refused && *refused == bpf_ntohs((__u16)ctx->user_port);
	struct event *event;

	count(1);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		event->ts = bpf_ktime_get_ns();
		event->cgroup = bpf_get_current_cgroup_id();
		event->pid = bpf_get_current_pid_tgid() >> 32;
		event->reason = refuse ? sample_reason_kept : SAMPLE_NONE;
		bpf_get_current_comm(event->comm, sizeof(event->comm));
		bpf_ringbuf_submit(event, 0);
	}
	return !refuse;
}

/* The same hook with another outcome, to see a link being updated: refuses everything. */
SEC("cgroup/connect4")
int sample_refuse4(struct bpf_sock_addr *ctx)
{
	count(2);
	return 0;
}

SEC("cgroup/getsockopt")
int sample_sockopt(struct bpf_sockopt *ctx)
{
	count(3);
	return 1;
}

/* Puts every socket that connects into the hash, by its cookie. */
SEC("sockops")
int sample_sockops(struct bpf_sock_ops *ops)
{
	__u64 cookie = bpf_get_socket_cookie(ops);

	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		count(4);
		bpf_sock_hash_update(ops, &sockets, &cookie, BPF_ANY);
	}
	return 1;
}

SEC("sk_msg")
int sample_skmsg(struct sk_msg_md *msg)
{
	count(5);
	return SK_PASS;
}

SEC("sk_skb/stream_verdict")
int sample_skb(struct __sk_buff *skb)
{
	return SK_PASS;
}

SEC("sk_lookup")
int sample_lookup(struct bpf_sk_lookup *ctx)
{
	return SK_PASS;
}

char _license[] SEC("license") = "GPL";
