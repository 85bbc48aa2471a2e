// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target of the kernel's parser (libFuzzer with address and undefined-behaviour sanitizers).
 * First byte: what is parsed; second: what the buffer held before. Beside the sanitizers' findings
 * it checks each head that was taken with a second, slow parser that shares nothing with the first,
 * and that what the buffer held before changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "heads.h"

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "broken: %s\n", #condition);                               \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static int is_name(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-';
}

static int named(const uint8_t *at, size_t length, const char *name)
{
	return length == strlen(name) && strncasecmp((const char *)at, name, length) == 0;
}

static void check_field(const uint8_t *d, size_t from, size_t to, char kind,
			const struct tulle_http_message *m, int seen[3], int *wanted)
{
	size_t colon = from, value, length;

	while (colon < to && is_name(d[colon]))
		colon++;
	MUST(colon > from && colon < to && d[colon] == ':');
	length = colon - from;
	value = colon + 1;
	while (value < to && d[value] == ' ')
		value++;
	MUST(!named(d + from, length, "transfer-encoding"));
	MUST(!named(d + from, length, "upgrade") && !named(d + from, length, "trailer"));
	MUST(!named(d + from, length, "te") && !named(d + from, length, "expect"));
	if (kind == 'q') {
		MUST(length < 6 || strncasecmp((const char *)d + from, "proxy-", 6) != 0);
		MUST(!named(d + from, length, "keep-alive"));
	}
	if (named(d + from, length, "host")) {
		seen[0]++;
		MUST(value < to);
	}
	if (named(d + from, length, "content-length")) {
		unsigned long long number = 0;

		seen[1]++;
		MUST(value < to && to - value < 10);
		for (size_t i = value; i < to; i++) {
			MUST(d[i] >= '0' && d[i] <= '9');
			number = number * 10 + (d[i] - '0');
		}
		MUST(d[value] != '0' || to - value == 1);
		MUST(number == m->body || kind == 'h' || m->code == 304);
	}
	if (named(d + from, length, "connection")) {
		seen[2]++;
		MUST(named(d + value, to - value, "keep-alive"));
	}
	for (int i = 0; kind == 'q' && i < TULLE_HTTP_NAMES; i++) {
		if (!named(d + from, length, wanted_names[i]))
			continue;
		wanted[i]++;
		MUST(m->value[i].at == value && m->value[i].length == to - value);
		MUST(d[to - 1] != ' ');
	}
}

static void check_target(const uint8_t *d, size_t line, const struct tulle_http_message *m)
{
	size_t at = m->path, end = m->path + m->path_size;

	MUST(at > 0 && d[at - 1] == ' ' && end > at && end + 9 <= line && d[at] == '/');
	MUST(d[end] == ' ' || d[end] == '?');
	MUST(memcmp(d + line - 9, " HTTP/1.1", 9) == 0);
	for (size_t i = at; i < line - 9; i++) {
		MUST(d[i] != ' ' && d[i] != '#');
		if (i < end) {
			MUST(!strchr("%;\\?@", d[i]));
			MUST(i + 1 >= end || d[i] != '/' || (d[i + 1] != '/' && d[i + 1] != '.'));
		}
	}
}

static void check(const uint8_t *d, size_t size, char kind, const struct tulle_http_message *m)
{
	static const char *const methods[] = {"GET",    "HEAD",    "POST", "PUT",
					      "DELETE", "OPTIONS", "PATCH"};
	int seen[3] = {0}, wanted[TULLE_HTTP_NAMES] = {0};
	size_t from = 0, head = m->head, line = 0;

	MUST(head >= 4 && head <= size && memcmp(d + head - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i < head; i++) {
		if (d[i] == '\r')
			MUST(i + 1 < head && d[i + 1] == '\n');
		else if (d[i] == '\n')
			MUST(i > 0 && d[i - 1] == '\r');
		else
			MUST(d[i] >= 0x20 && d[i] < 0x7f);
		if (d[i] != '\r')
			continue;
		if (!line) {
			line = i;
		} else if (from == i) {
			MUST(i + 2 == head);
		} else {
			check_field(d, from, i, kind, m, seen, wanted);
		}
		from = i + 2;
	}
	MUST(seen[1] <= 1 && seen[2] <= 1);
	if (kind == 'q') {
		size_t length = strlen(methods[m->method]);

		MUST(m->path == length + 1 && memcmp(d, methods[m->method], length) == 0);
		MUST(seen[0] == 1 && head + m->body == size && (seen[1] || m->body == 0));
		check_target(d, line, m);
		for (int i = 0; i < TULLE_HTTP_NAMES; i++)
			MUST(wanted[i] == (m->value[i].length > 0));
		return;
	}
	MUST(memcmp(d, "HTTP/1.1 ", 9) == 0 && m->code >= 200 && m->code <= 999);
	MUST((d[9] - '0') * 100 + (d[10] - '0') * 10 + d[11] - '0' == m->code);
	if (kind == 'p' && m->code != 304 && m->code != 204)
		MUST(seen[1] == 1);
	else
		MUST(m->body == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t other[] = "\r\n\r\nHost: b\r\nContent-Length: 1\r\n: ";
	static uint8_t before[2][64];
	struct parsed p[2];
	char kind;

	if (size < 2)
		return 0;
	kind = "qph"[data[0] % 3];
	memset(before[0], data[1], sizeof(before[0]));
	memcpy(before[1], other, sizeof(other) - 1);
	data += 2;
	size -= 2;
	for (int i = 0; i < 2; i++) {
		/* Of exactly the promised size, so that a read beyond it is seen. */
		size_t room_size = kind == 'q' ? TULLE_HTTP_REQUEST_ROOM : TULLE_HTTP_RESPONSE_ROOM;
		uint8_t *room = malloc(room_size);

		p[i] = parse_head(kind, data, size, room, room_size, before[i],
				  i ? sizeof(other) - 1 : 1);
		free(room);
	}
	MUST(p[0].reason == p[1].reason);
	if (p[0].reason)
		return 0;
	MUST(memcmp(&p[0].message, &p[1].message, sizeof(p[0].message)) == 0);
	check(data, size, kind, &p[0].message);
	return 0;
}
