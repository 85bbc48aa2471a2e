/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* From splicing into kernel HTTP, whose programs need not be there. */
#ifndef TULLE_HTTP_CALL_H
#define TULLE_HTTP_CALL_H

#include "http_client.h"

/* Returns only if the program is missing: then the message goes to the proxy's side as any. */
static __always_inline void tulle_http_call(struct sk_msg_md *msg, struct tulle_splice *splice)
{
	struct tulle_http_client *client;

	if (splice->http == TULLE_HTTP_S) {
		bpf_tail_call(msg, &tulle_http_calls, TULLE_HTTP_CALL_RESPONSE);
	} else if (splice->http == TULLE_HTTP_C) {
		bpf_tail_call(msg, &tulle_http_calls, TULLE_HTTP_CALL_REQUEST);
		client = tulle_client_of(splice);
		if (client)
			tulle_client_passed(client, msg->size);
	}
}

#endif
