/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The kernel data path as one object. Each family of hooks is a file of its own and no program
 * needs another to load: user space turns off what the running kernel refuses.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>

#include "connect.c"
#include "bind.c"
#include "datagram.c"
#include "names.c"
#include "sockops.c"
#include "splice.c"
#include "arrive.c"
#include "enter.c"
#include "http.c"
#include "http_options.c"
#include "guard.c"
#include "account.c"

/* The kernel lets only GPL-compatible programs use these helpers; the source is dual licensed. */
char LICENSE[] SEC("license") = "GPL";
