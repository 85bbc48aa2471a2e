/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Headers as tc sees them. */
#ifndef TULLE_WIRE_H
#define TULLE_WIRE_H

#include <linux/types.h>
#include <bpf/bpf_endian.h>

#define TULLE_ETH_IP   bpf_htons(0x0800)
#define TULLE_ETH_IPV6 bpf_htons(0x86dd)
#define TULLE_ETH_SIZE 14

struct tulle_ipv4 {
	__u8 version_length;
	__u8 tos;
	__u16 length;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__u32 src;
	__u32 dst;
};

struct tulle_ipv6 {
	__u32 flow;
	__u16 length;
	__u8 next;
	__u8 hops;
	__u32 src[4];
	__u32 dst[4];
};

struct tulle_ports {
	__u16 src;
	__u16 dst;
};

#endif
