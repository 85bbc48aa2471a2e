/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* HTTP/1.1 heads: no helper is used here, so that the same text runs in user space. */
#ifndef TULLE_HTTP_PARSE_H
#define TULLE_HTTP_PARSE_H
#include <linux/types.h>
#include "http_types.h"

/* Largest heads that are looked at, and the buffers that they are read in. */
#define TULLE_HTTP_REQUEST_MAX   1008
#define TULLE_HTTP_REQUEST_ROOM  (1024 + 64)
#define TULLE_HTTP_RESPONSE_MAX  2032
#define TULLE_HTTP_RESPONSE_ROOM (2048 + 64)

/* Where a value lies in the head. */
struct tulle_http_span {
	__u16 at;
	__u16 length; /* 0: the field is absent */
};

struct tulle_http_message {
	__u64 body;      /* Content-Length */
	__u16 head;      /* bytes, the empty line included */
	__u16 path;      /* where the path begins */
	__u16 path_size; /* without the query */
	__u16 code;
	__u8 method; /* enum tulle_http_method */
	__u8 hosts;  /* how many fields of these names there are */
	__u8 lengths;
	__u8 connections;
	__u32 pad;
	struct tulle_http_span value[TULLE_HTTP_NAMES];
};
#endif
