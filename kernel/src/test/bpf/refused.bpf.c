// SPDX-License-Identifier: GPL-2.0-only
// Programs that the verifier must refuse, one class of reason each, and one that it accepts.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

SEC("cgroup/connect4")
int good(struct bpf_sock_addr *ctx)
{
	return 1;
}

SEC("cgroup/connect4")
int null_pointer(struct bpf_sock_addr *ctx)
{
	__u32 key = 1;
	__u64 *value = bpf_map_lookup_elem(&table, &key);

	*value += 1;
	return 1;
}

SEC("cgroup/connect4")
int wrong_helper(struct bpf_sock_addr *ctx)
{
	bpf_msg_pull_data((void *)ctx, 0, 1, 0);
	return 1;
}

SEC("cgroup/connect4")
int unknown_helper(struct bpf_sock_addr *ctx)
{
	long (*missing)(void *) = (void *)9999;

	missing(ctx);
	return 1;
}

SEC("cgroup/connect4")
int return_value(struct bpf_sock_addr *ctx)
{
	return 17;
}

SEC("cgroup/connect4")
int scalar_access(struct bpf_sock_addr *ctx)
{
	return *(volatile int *)(long)ctx->user_ip4 & 1;
}

SEC("cgroup/connect4")
int context_access(struct bpf_sock_addr *ctx)
{
	return *(volatile int *)((char *)ctx + 4096) & 1;
}

SEC("cgroup/connect4")
int endless(struct bpf_sock_addr *ctx)
{
	for (;;)
		asm volatile("" ::: "memory");
	return 1;
}

SEC("cgroup/connect4")
int reference(struct bpf_sock_addr *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	if (record)
		*record = 1;
	return 1;
}

SEC("cgroup/connect4")
int stack_read(struct bpf_sock_addr *ctx)
{
	int value;

	asm volatile("%0 = *(u32 *)(r10 - 600)" : "=r"(value));
	return value & 1;
}

SEC("cgroup/connect4")
int too_large(struct bpf_sock_addr *ctx)
{
	__u64 sum = 0;

	/* Two million steps, each of them walked. */
	for (int i = 0; i < 2000000; i++) {
		asm volatile("%0 += 1" : "+r"(sum));
	}
	return sum & 1;
}

SEC("sk_msg")
int packet_access(struct sk_msg_md *msg)
{
	char *data = (char *)(long)msg->data;

	return data[10] ? SK_PASS : SK_DROP;
}

char _license[] SEC("license") = "GPL";
