/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's parser of heads, built for user space, as its callers in the kernel use it. */
#ifndef TULLE_EQUALITY_HEADS_H
#define TULLE_EQUALITY_HEADS_H

#include <stdint.h>
#include <string.h>

#include "lib/http_parse.h"

/* Fields whose values somebody wants; HeadPairs.java knows them too. */
static const char *const wanted_names[TULLE_HTTP_NAMES] = {"x-tag", "end-user", "x-group",
							   "user-agent"};

struct parsed {
	uint32_t reason; /* 0: taken */
	struct tulle_http_message message;
};

static inline const struct tulle_http_table *wanted_table(void)
{
	static struct tulle_http_table table;

	if (!table.names) {
		table.names = TULLE_HTTP_NAMES;
		for (int i = 0; i < TULLE_HTTP_NAMES; i++) {
			table.name[i].length = strlen(wanted_names[i]);
			memcpy(table.name[i].word, wanted_names[i], table.name[i].length);
		}
	}
	return &table;
}

/* One send as the kernel sees it: kind 'q' a request, 'p' a response, 'h' one to HEAD. `stale`
 * fills what the buffer holds from before.
 */
static inline struct parsed parse_head(char kind, const uint8_t *data, size_t size, uint8_t *room,
				       size_t room_size, const uint8_t *stale, size_t stale_size)
{
	struct parsed p = {0};
	uint32_t zero = 0, length;

	for (size_t i = 0; stale_size && i < room_size; i++)
		room[i] = stale[i % stale_size];
	if (kind == 'q') {
		length = size < TULLE_HTTP_REQUEST_MAX ? size : TULLE_HTTP_REQUEST_MAX;
		memcpy(room, data, length);
		p.reason = tulle_http_parse_request(room, length, size, &zero, wanted_table(),
						    &p.message);
		/* Of a body that is still to come neither parser can say more. */
		if (!p.reason && p.message.head + p.message.body > size)
			p.reason = TULLE_REASON_HTTP_PARTIAL;
	} else {
		length = size < TULLE_HTTP_RESPONSE_MAX ? size : TULLE_HTTP_RESPONSE_MAX;
		memcpy(room, data, length);
		p.reason = tulle_http_parse_response(room, length, kind == 'h', &zero, &p.message);
	}
	return p;
}

#endif
