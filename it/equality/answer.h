/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request can ask of the tests' server, and the answer that is made of it.
 *
 * The field x-do lists, separated by commas:
 *   fill=N       N bytes of pattern after the text of the answer
 *   code=N       status code (200)
 *   chunked      chunks; unframed: until the connection ends; both=: chunked and Content-Length;
 *   twice        two Content-Length fields; old: HTTP/1.0; lower: field names in lower case
 *   interim=N    a response of class 1xx first
 *   slow=MS      waits before the answer; stall=MS: waits before it reads the body
 *   drip=MS      sends the answer in six pieces with waits between them
 *   parts        head and body in two sends
 *   early        answers before it has read the body
 *   close        Connection: close; after: says nothing and closes after the answer
 *   cut=N        closes after N bytes of the body; nothing: closes without an answer
 *   reset        resets without an answer; hang: never answers
 *   extra        sends 10 bytes more than the Content-Length says
 *   echo         puts the received head, in hex, into the answer
 * Every answer tells who answered, whom it saw, nonce, method, target, length and sum of the body.
 */
#ifndef TULLE_EQUALITY_ANSWER_H
#define TULLE_EQUALITY_ANSWER_H

#include "pattern.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define HEAD_MAX  (64 << 10)
#define OUT_CHUNK (64 << 10)

struct want {
	uint64_t fill;
	long code, slow, stall, drip, interim, cut;
	bool chunked, unframed, both, twice, old, lower, parts, early, close, after, nothing, reset;
	bool hang, echo, extra;
};

struct answer {
	struct want want;
	char text[1024]; /* method, caller, nonce, method and target of the request, a line each */
	uint64_t body_length, body_sum; /* of the request */
	uint8_t *out;
	size_t out_from, out_length, out_size;
	uint64_t fill_left, fill_at, seed;
	bool tail;     /* the last chunk is still to come */
	long cut_left; /* bytes until the connection is cut; -1: never */
	size_t slice;
};

static void read_want(struct want *w, char *list)
{
	char *save, *word;

	memset(w, 0, sizeof(*w));
	w->code = 200;
	w->cut = -1;
	for (word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *value = strchr(word, '=');
		uint64_t number = 0;

		if (value) {
			*value++ = 0;
			number = strtoull(value, NULL, 10);
		}
#define NUMBER(field_)                                                                             \
	if (strcmp(word, #field_) == 0)                                                            \
		w->field_ = number;
#define FLAG(field_)                                                                               \
	if (strcmp(word, #field_) == 0)                                                            \
		w->field_ = true;
		NUMBER(fill)
		NUMBER(code)
		NUMBER(slow)
		NUMBER(stall) NUMBER(drip) NUMBER(interim) NUMBER(cut) FLAG(chunked) FLAG(unframed)
			FLAG(both) FLAG(twice) FLAG(old) FLAG(lower) FLAG(parts) FLAG(early)
				FLAG(close) FLAG(after) FLAG(nothing) FLAG(reset) FLAG(hang)
					FLAG(echo) FLAG(extra)
	}
}

static void out_put(struct answer *a, const void *data, size_t length)
{
	if (a->out_length + length > a->out_size) {
		a->out_size = (a->out_length + length) * 2;
		a->out = realloc(a->out, a->out_size);
		if (!a->out)
			abort();
	}
	memcpy(a->out + a->out_length, data, length);
	a->out_length += length;
}

static void out_text(struct answer *a, const char *text)
{
	out_put(a, text, strlen(text));
}

static void put_chunk(struct answer *a, const void *data, size_t length)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", length);
	out_text(a, size);
	out_put(a, data, length);
	out_text(a, "\r\n");
}

/* Makes the head and the beginning of the answer; what is in the output is the head that was
 * received. */
static void make_answer(struct answer *a, const char *name)
{
	struct want *w = &a->want;
	const char *length_name = w->lower ? "content-length" : "Content-Length";
	bool head_only = strncmp(a->text, "HEAD ", 5) == 0;
	bool bodyless = head_only || w->code == 204 || w->code == 304 || w->code < 200;
	char line[256];
	size_t text_length, head_length;
	static char text[HEAD_MAX * 2 + 2048];

	text_length = snprintf(text, sizeof(text), "who=%s\n%sbody=%llu:%016llx\n", name,
			       strchr(a->text, ' ') + 1, (unsigned long long)a->body_length,
			       (unsigned long long)a->body_sum);
	if (w->echo) {
		char *to = text + text_length;

		to += sprintf(to, "head=");
		for (size_t i = 0; i < a->out_length; i++)
			to += sprintf(to, "%02x", a->out[i]);
		*to++ = '\n';
		text_length = to - text;
	}
	a->out_length = 0;
	a->out_from = 0;
	if (w->interim) {
		snprintf(line, sizeof(line), "HTTP/1.1 %ld Interim\r\nx-step: 1\r\n\r\n",
			 w->interim);
		out_text(a, line);
	}
	snprintf(line, sizeof(line), "HTTP/1.%d %ld Status\r\nx-who: %s\r\n", w->old ? 0 : 1,
		 w->code, name);
	out_text(a, line);
	if (w->chunked || w->both)
		out_text(a, "Transfer-Encoding: chunked\r\n");
	if ((!w->chunked && !w->unframed && w->code != 204) || w->both) {
		snprintf(line, sizeof(line), "%s: %llu\r\n", length_name,
			 (unsigned long long)(text_length + w->fill));
		out_text(a, line);
		if (w->twice)
			out_text(a, line);
	}
	if (w->close)
		out_text(a, "Connection: close\r\n");
	out_text(a, "\r\n");
	head_length = a->out_length;
	a->tail = false;
	a->fill_at = 0;
	a->fill_left = 0;
	if (!bodyless) {
		a->tail = w->chunked || w->both;
		if (a->tail)
			put_chunk(a, text, text_length);
		else
			out_put(a, text, text_length);
		a->fill_left = w->fill;
		if (w->extra)
			out_text(a, "0123456789");
	}
	a->cut_left = w->cut >= 0 ? (long)head_length + w->cut : -1;
	a->slice = w->parts ? head_length : w->drip ? a->out_length / 6 + 1 : 0;
}

/* Makes more of the answer; 0 when there is no more. */
static int refill(struct answer *a)
{
	static uint8_t block[OUT_CHUNK];
	size_t n = a->fill_left < sizeof(block) ? a->fill_left : sizeof(block);

	a->out_from = 0;
	a->out_length = 0;
	if (n > 0) {
		pattern_fill(block, a->seed, a->fill_at, n);
		a->fill_at += n;
		a->fill_left -= n;
		if (a->tail)
			put_chunk(a, block, n);
		else
			out_put(a, block, n);
		return 1;
	}
	if (a->tail) {
		a->tail = false;
		out_text(a, "0\r\n\r\n");
		return 1;
	}
	return 0;
}

#endif
