/* SPDX-License-Identifier: Apache-2.0 */
/* Reading HTTP/1.1 messages that the tests' own programs have made. */
#ifndef TULLE_EQUALITY_MESSAGE_H
#define TULLE_EQUALITY_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The value of a field of a head; false, and empty, when there is none. */
static inline bool field(const char *head, size_t length, const char *key, char *to, size_t size)
{
	const char *at = head, *end = head + length;
	size_t key_length = strlen(key);

	to[0] = 0;
	while (at < end) {
		const char *line = memchr(at, '\n', end - at);

		if (!line)
			line = end;
		if ((size_t)(line - at) > key_length && at[key_length] == ':' &&
		    strncasecmp(at, key, key_length) == 0) {
			const char *from = at + key_length + 1, *to_end = line;
			size_t n;

			while (from < to_end && (*from == ' ' || *from == '\t'))
				from++;
			while (to_end > from &&
			       (to_end[-1] == '\r' || to_end[-1] == ' ' || to_end[-1] == '\t'))
				to_end--;
			n = to_end - from;
			if (n >= size)
				n = size - 1;
			memcpy(to, from, n);
			to[n] = 0;
			return true;
		}
		at = line + 1;
	}
	return false;
}

#endif
