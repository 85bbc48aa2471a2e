// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of what the kernel decides on a request: conditions of routes and rules on the path,
 * the method and fields, read by words of eight bytes with masks, against a second reading that
 * compares byte by byte; and that the first route that holds is the one. The input has the
 * conditions in front and the request behind them. What lies beyond the head in the buffer, bytes
 * of an earlier request, must not matter.
 */
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/http_route.h"

#include "heads.h"

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "broken: %s\n", #condition);                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define ROUTES 3

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t next(struct input *in)
{
	if (!in->size)
		return 0;
	in->size--;
	return *in->data++;
}

static void text(struct input *in, void *to, size_t length)
{
	for (size_t i = 0; i < length; i++)
		((uint8_t *)to)[i] = next(in);
}

/* As the agent writes them: padded with zeros, a mask of ff for each byte, lengths within bounds. */
static void condition(struct input *in, struct tulle_http_when *when)
{
	memset(when, 0, sizeof(*when));
	when->methods = next(in) & 127;
	when->path_kind = next(in) % 4;
	if (when->path_kind != TULLE_HTTP_PATH_ANY) {
		when->path_length = 1 + next(in) % TULLE_HTTP_PATH;
		text(in, when->path, when->path_length);
		memset(when->mask, 0xff, when->path_length);
	}
	for (int i = 0; i < 2; i++) {
		struct tulle_http_field *field = &when->field[i];
		uint8_t what = next(in);

		field->op = what % 3;
		field->name = what / 3 % TULLE_HTTP_NAMES;
		field->invert = what >> 7;
		if (field->op == TULLE_HTTP_FIELD_EXACT) {
			field->length = next(in) % (TULLE_HTTP_VALUE + 1);
			text(in, field->value, field->length);
		}
	}
}

static bool path_holds(const struct tulle_http_when *when, const uint8_t *path, size_t size)
{
	size_t length = when->path_length;

	if (when->path_kind == TULLE_HTTP_PATH_ANY)
		return true;
	if (size < length || memcmp(path, when->path, length) != 0)
		return false;
	if (when->path_kind == TULLE_HTTP_PATH_EXACT)
		return size == length;
	return when->path_kind == TULLE_HTTP_PATH_PREFIX || size == length || path[length] == '/';
}

static bool field_holds(const struct tulle_http_field *field, const uint8_t *request,
			const struct tulle_http_message *message)
{
	struct tulle_http_span span = message->value[field->name];
	bool is;

	if (field->op == TULLE_HTTP_FIELD_NONE)
		return true;
	is = span.length > 0;
	if (is && field->op == TULLE_HTTP_FIELD_EXACT)
		is = span.length == field->length &&
		     memcmp(request + span.at, field->value, field->length) == 0;
	return is != !!field->invert;
}

static bool holds(const struct tulle_http_when *when, const uint8_t *request,
		  const struct tulle_http_message *message)
{
	return (!when->methods || when->methods >> message->method & 1) &&
	       path_holds(when, request + message->path, message->path_size) &&
	       field_holds(&when->field[0], request, message) &&
	       field_holds(&when->field[1], request, message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tulle_http_table table;
	struct input in = {data, size};
	int first[2];
	uint8_t stale[2];

	table.routes = 1 + next(&in) % ROUTES;
	for (int i = 0; i < table.routes; i++)
		condition(&in, &table.route[i].when);
	stale[0] = next(&in);
	stale[1] = '/';
	for (int turn = 0; turn < 2; turn++) {
		struct tulle_http_client *client = calloc(1, sizeof(*client));
		struct parsed p = parse_head('q', in.data, in.size, client->head,
					     sizeof(client->head), &stale[turn], 1);
		int expected = -1;

		if (p.reason) {
			free(client);
			return 0;
		}
		client->message = p.message;
		for (int i = 0; i < table.routes; i++) {
			bool one = holds(&table.route[i].when, in.data, &p.message);

			MUST(tulle_http_holds(&table.route[i].when, client) == one);
			if (one && expected < 0)
				expected = i;
		}
		first[turn] = tulle_http_find(&table, client);
		MUST(first[turn] == expected);
		free(client);
	}
	MUST(first[0] == first[1]);
	return 0;
}
