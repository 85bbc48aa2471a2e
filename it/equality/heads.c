// SPDX-License-Identifier: Apache-2.0
/*
 * Parses heads with the kernel's parser: reads KIND (q, p, h), LENGTH (2 bytes, little-endian) and
 * as many bytes, again and again; prints a line each, "no REASON" or
 * "yes METHOD HEAD PATH PATH-SIZE BODY CODE AT:LENGTH…" (offsets; METHOD is the table's number).
 * The buffer is never cleared in between, as in the kernel.
 */
#include <stdio.h>

#include "heads.h"

int main(void)
{
	static uint8_t data[65536], requests[TULLE_HTTP_REQUEST_ROOM],
		responses[TULLE_HTTP_RESPONSE_ROOM];
	uint8_t lead[3];

	while (fread(lead, 1, sizeof(lead), stdin) == sizeof(lead)) {
		size_t size = lead[1] | (size_t)lead[2] << 8;
		struct parsed p;

		if (fread(data, 1, size, stdin) != size)
			return 1;
		if (lead[0] == 'q')
			p = parse_head('q', data, size, requests, sizeof(requests), NULL, 0);
		else
			p = parse_head((char)lead[0], data, size, responses, sizeof(responses),
				       NULL, 0);
		if (p.reason) {
			printf("no %u\n", p.reason);
			continue;
		}
		printf("yes %u %u %u %u %llu %u", p.message.method, p.message.head, p.message.path,
		       p.message.path_size, (unsigned long long)p.message.body, p.message.code);
		for (int i = 0; i < TULLE_HTTP_NAMES; i++)
			printf(" %u:%u", p.message.value[i].at, p.message.value[i].length);
		putchar('\n');
	}
	return 0;
}
