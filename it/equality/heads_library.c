// SPDX-License-Identifier: Apache-2.0
/* The kernel's parser of heads as a library, for callers that cannot wait for a process. */
#include "heads.h"

struct taken {
	uint32_t reason, method, head, path, path_size, code;
	uint64_t body;
	uint32_t values[TULLE_HTTP_NAMES][2];
};

void tulle_take(char kind, const uint8_t *data, size_t size, struct taken *out);

void tulle_take(char kind, const uint8_t *data, size_t size, struct taken *out)
{
	static uint8_t room[TULLE_HTTP_REQUEST_ROOM > TULLE_HTTP_RESPONSE_ROOM
				    ? TULLE_HTTP_REQUEST_ROOM
				    : TULLE_HTTP_RESPONSE_ROOM];
	struct parsed p = parse_head(kind, data, size, room, sizeof(room), NULL, 0);

	out->reason = p.reason;
	out->method = p.message.method;
	out->head = p.message.head;
	out->path = p.message.path;
	out->path_size = p.message.path_size;
	out->code = p.message.code;
	out->body = p.message.body;
	for (int i = 0; i < TULLE_HTTP_NAMES; i++) {
		out->values[i][0] = p.message.value[i].at;
		out->values[i][1] = p.message.value[i].length;
	}
}
