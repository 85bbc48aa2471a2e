/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * HTTP/1.1 heads, for the kernel and (the same text) for tests in user space: no helper is used.
 *
 * Not a full parser: it says yes to what every reader understands in the same way, and no to all
 * the rest, which the proxy's parser then looks at. A yes means: only plain ASCII, every line ends
 * in CR LF, every field is a name of letters, digits and hyphens, a colon and a value; no field
 * that changes how the message is framed or the connection is used except one Content-Length and
 * one "Connection: keep-alive".
 *
 * A head is scanned for bytes that are no plain text, words at a time: between two line ends there
 * must be none, so that stray NULs, tabs, lone CRs or LFs and bytes above 0x7e fall out of the
 * same test.
 *
 * The buffer is the caller's: mask + 1 + 64 bytes, of which `length` are read and the next one is
 * overwritten with a NUL, which ends every scan. What the verifier must not know as a constant
 * lies in memory (`zero`, and the message), so that the turns of a loop look alike to it.
 */
#ifndef TULLE_HTTP_PARSE_H
#define TULLE_HTTP_PARSE_H

#include "http_types.h"
#include "http_words.h"
#include "reasons.h"

/* Largest heads that are looked at, masks of offsets, and sizes of the buffers. */
#define TULLE_HTTP_REQUEST_MAX   1008
#define TULLE_HTTP_REQUEST_MASK  1023
#define TULLE_HTTP_REQUEST_ROOM  (1024 + 64)
#define TULLE_HTTP_RESPONSE_MAX  2032
#define TULLE_HTTP_RESPONSE_MASK 2047
#define TULLE_HTTP_RESPONSE_ROOM (2048 + 64)

#define TULLE_HTTP_FIELDS     100 /* no more than the proxy takes */
#define TULLE_HTTP_NAME_WORDS 5   /* longest name of a field: 39 characters */
#define TULLE_HTTP_HOST_WORDS 16  /* longest Host: 127 characters */

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
	__u8 fields;
	__u16 length; /* from here to `name`: the field that is being read */
	__u16 size;
	__u64 name[TULLE_HTTP_NAME_WORDS]; /* lower case, zero padded */
	struct tulle_http_span value[TULLE_HTTP_NAMES];
};

/*
 * Forgets what the verifier knows about a number: it is stored and read again. Without that the
 * ways that lead here are all followed to the end, each with its own range of offsets.
 */
#define TULLE_FORGET(place, number)                                                                \
	({                                                                                         \
		(place) = (number);                                                                \
		*(const volatile __typeof__(place) *)&(place);                                     \
	})

/* A whole word of a name or value, as a number. */
#define TULLE_TEXT8(a, b, c, d, e, f, g, h)                                                        \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

/* One space after the colon, none around the rest. Returns the length, 0 if it is not so. */
static __always_inline __u32 tulle_http_value(const __u8 *head, __u32 mask, __u32 colon, __u32 end)
{
	if (end < colon + 3 || tulle_byte(head, mask, colon + 1) != ' ' ||
	    tulle_byte(head, mask, colon + 2) == ' ' || tulle_byte(head, mask, end - 1) == ' ')
		return 0;
	return end - colon - 2;
}

static __always_inline bool tulle_http_host(const __u8 *head, __u32 mask, __u32 at, __u32 length)
{
	if (length >= 8 * TULLE_HTTP_HOST_WORDS)
		return false;
#pragma unroll
	for (__u32 i = 0; i < TULLE_HTTP_HOST_WORDS; i++) {
		__u64 word, good, keep;

		if (8 * i >= length)
			break;
		word = tulle_word(head, mask, at + 8 * i);
		keep = tulle_bytes(length - 8 * i) & TULLE_HIGHS;
		good = tulle_letters(word) | tulle_between(word, '0', ':') |
		       tulle_between(word, '-', '.');
		if ((good & keep) != keep)
			return false;
	}
	return true;
}

/* 1 to 8 digits without leading zeros; larger bodies are the proxy's. ~0: not so. */
static __always_inline __u64 tulle_http_number(const __u8 *head, __u32 mask, __u32 at, __u32 length)
{
	__u64 word = tulle_word(head, mask, at), keep = tulle_bytes(length) & TULLE_HIGHS;

	if (!length || length > 8 || (tulle_between(word, '0', '9') & keep) != keep)
		return ~0ull;
	if (length > 1 && (__u8)word == '0')
		return ~0ull;
	word <<= 8 * (8 - length);
	word = (word & TULLE_ALL(0x0f)) * 2561 >> 8;
	word = (word & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
	return (word & 0x0000ffff0000ffffull) * 42949672960001ull >> 32;
}

/* Notes the value if it is one of the names that somebody wants the value of. */
static __always_inline __u32 tulle_http_wanted(const volatile __u64 *name, __u32 length,
					       __u32 colon, __u32 value,
					       const struct tulle_http_table *names,
					       struct tulle_http_message *message)
{
	__u32 found = TULLE_HTTP_NAMES;

#pragma unroll
	for (__u32 i = 0; i < TULLE_HTTP_NAMES; i++) {
		const struct tulle_http_name *wanted = &names->name[i];
		__u64 differs = (wanted->length ^ length) | (wanted->word[0] ^ name[0]) |
				(wanted->word[1] ^ name[1]) | (wanted->word[2] ^ name[2]) |
				(wanted->word[3] ^ name[3]);

		if (!differs)
			found = i;
	}
	if (found >= names->names || found >= TULLE_HTTP_NAMES)
		return 0;
	/* Repeated fields would have to be joined. */
	if (!value || message->value[found].length)
		return TULLE_REASON_HTTP_FIELD;
	message->value[found].at = colon + 2;
	message->value[found].length = value;
	return 0;
}

/*
 * One field, `line` to `end`. `names`: those that somebody wants the value of, may be NULL.
 * Returns a reason, 0 if it is good.
 */
static __always_inline __u32 tulle_http_field(const __u8 *head, __u32 mask, __u32 line, __u32 end,
					      const struct tulle_http_table *names,
					      struct tulle_http_message *message)
{
	volatile __u64 *name = message->name;
	__u32 length = 0, colon, value;

	if (message->fields++ >= TULLE_HTTP_FIELDS)
		return TULLE_REASON_HTTP_SYNTAX;
	name[1] = name[2] = name[3] = name[4] = 0;
#pragma unroll
	for (int i = 0; i < TULLE_HTTP_NAME_WORDS; i++) {
		__u64 word = tulle_word(head, mask, line + 8 * i);
		__u64 colons = tulle_equal(word, ':'), keep = ~0ull, good;

		if (colons)
			keep = ((colons & -colons) >> 7) - 1;
		good = tulle_letters(word) | tulle_between(word, '0', '9') | tulle_equal(word, '-');
		if ((good & keep & TULLE_HIGHS) != (keep & TULLE_HIGHS))
			return TULLE_REASON_HTTP_SYNTAX;
		name[i] = tulle_lower(word) & keep;
		if (colons) {
			length = 8 * i + tulle_first(colons);
			break;
		}
	}
	length = TULLE_FORGET(message->length, length);
	colon = line + length;
	if (!length || colon >= end)
		return TULLE_REASON_HTTP_SYNTAX;
	value = tulle_http_value(head, mask, colon, end);
	value = TULLE_FORGET(message->size, value);

	if (length == 4) {
		if (name[0] == TULLE_TEXT8('h', 'o', 's', 't', 0, 0, 0, 0)) {
			message->hosts++;
			if (!value || !tulle_http_host(head, mask, colon + 2, value))
				return TULLE_REASON_HTTP_SYNTAX;
		}
	} else if (length == 14) {
		if (name[0] == TULLE_TEXT8('c', 'o', 'n', 't', 'e', 'n', 't', '-')) {
			if (name[1] == TULLE_TEXT8('l', 'e', 'n', 'g', 't', 'h', 0, 0)) {
				__u64 body = tulle_http_number(head, mask, colon + 2, value);

				if (body == ~0ull)
					return TULLE_REASON_HTTP_BODY;
				message->lengths++;
				message->body = body;
			}
		} else if (name[0] == TULLE_TEXT8('h', 't', 't', 'p', '2', '-', 's', 'e')) {
			return TULLE_REASON_HTTP_FIELD;
		}
	} else if (length == 10) {
		if (name[0] == TULLE_TEXT8('c', 'o', 'n', 'n', 'e', 'c', 't', 'i') &&
		    name[1] == TULLE_TEXT8('o', 'n', 0, 0, 0, 0, 0, 0)) {
			message->connections++;
			if (value != 10 ||
			    tulle_lower(tulle_word(head, mask, colon + 2)) !=
				    TULLE_TEXT8('k', 'e', 'e', 'p', '-', 'a', 'l', 'i') ||
			    ((tulle_word(head, mask, colon + 10) & 0xffff) | 0x2020) !=
				    ('v' | 'e' << 8))
				return TULLE_REASON_HTTP_FIELD;
		}
	} else if (length == 17) {
		if (name[0] == TULLE_TEXT8('t', 'r', 'a', 'n', 's', 'f', 'e', 'r'))
			return TULLE_REASON_HTTP_FIELD;
	} else if (length == 7) {
		if (name[0] == TULLE_TEXT8('u', 'p', 'g', 'r', 'a', 'd', 'e', 0) ||
		    name[0] == TULLE_TEXT8('t', 'r', 'a', 'i', 'l', 'e', 'r', 0))
			return TULLE_REASON_HTTP_FIELD;
	} else if (length == 6) {
		if (name[0] == TULLE_TEXT8('e', 'x', 'p', 'e', 'c', 't', 0, 0))
			return TULLE_REASON_HTTP_FIELD;
	} else if (length == 2) {
		if (name[0] == ('t' | 'e' << 8))
			return TULLE_REASON_HTTP_FIELD;
	}
	/* Fields of the connection: they say something to a server, an answer's are only told. */
	if (message->method != TULLE_HTTP_ANSWER &&
	    ((name[0] & 0xffffffffffff) == TULLE_TEXT8('p', 'r', 'o', 'x', 'y', '-', 0, 0) ||
	     (length == 10 && name[0] == TULLE_TEXT8('k', 'e', 'e', 'p', '-', 'a', 'l', 'i'))))
		return TULLE_REASON_HTTP_FIELD;

	if (!names || !names->names)
		return 0;
	return tulle_http_wanted(name, length, colon, value, names, message);
}

/* The target, `at` to `end`: a plain path, whose one spelling everybody agrees on, and a query. */
static __always_inline __u32 tulle_http_target(const __u8 *head, __u32 mask, __u32 at, __u32 end,
					       struct tulle_http_message *message)
{
	__u32 query = end, from = at;

	if (at >= end || tulle_byte(head, mask, at) != '/')
		return TULLE_REASON_HTTP_TARGET;
	TULLE_STEPS(path, TULLE_HTTP_REQUEST_MASK / 8 + 1)
	{
		__u64 word, keep, good, marks, slashes, next;

		if (at >= end)
			break;
		word = tulle_word(head, mask, at);
		next = tulle_word(head, mask, at + 1);
		keep = tulle_bytes(end - at) & TULLE_HIGHS;
		marks = tulle_equal(word, '?') & keep;
		if (marks)
			keep = (((marks & -marks) >> 7) - 1) & TULLE_HIGHS;
		good = tulle_letters(word) | tulle_between(word, '&', ':') |
		       tulle_equal(word, '_') | tulle_equal(word, '=') | tulle_equal(word, '~');
		slashes = tulle_equal(word, '/');
		good &= ~(slashes & (tulle_equal(next, '/') | tulle_equal(next, '.')));
		if ((good & keep) != keep)
			return TULLE_REASON_HTTP_TARGET;
		if (marks) {
			query = (at + tulle_first(marks)) & mask;
			break;
		}
		at = (at + 8) & mask;
	}
	query = TULLE_FORGET(message->path_size, query);
	message->path_size = query - from;
	if (query == end)
		return 0;
	at = query;
	TULLE_STEPS(rest, TULLE_HTTP_REQUEST_MASK / 8 + 1)
	{
		__u64 word, keep;

		if (at >= end)
			break;
		word = tulle_word(head, mask, at);
		keep = tulle_bytes(end - at) & TULLE_HIGHS;
		if ((tulle_equal(word, ' ') | tulle_equal(word, '#')) & keep)
			return TULLE_REASON_HTTP_TARGET;
		at = (at + 8) & mask;
	}
	return 0;
}

static __always_inline __u32 tulle_http_request_line(const __u8 *head, __u32 mask, __u32 end,
						     struct tulle_http_message *message)
{
	__u64 word = tulle_word(head, mask, 0);
	__u32 at;

	if ((__u32)word == ('G' | 'E' << 8 | 'T' << 16 | ' ' << 24)) {
		message->method = TULLE_HTTP_GET;
		at = 4;
	} else if ((word & 0xffffffffff) == TULLE_TEXT8('P', 'O', 'S', 'T', ' ', 0, 0, 0)) {
		message->method = TULLE_HTTP_POST;
		at = 5;
	} else if ((word & 0xffffffffff) == TULLE_TEXT8('H', 'E', 'A', 'D', ' ', 0, 0, 0)) {
		message->method = TULLE_HTTP_HEAD;
		at = 5;
	} else if ((__u32)word == ('P' | 'U' << 8 | 'T' << 16 | ' ' << 24)) {
		message->method = TULLE_HTTP_PUT;
		at = 4;
	} else if ((word & 0xffffffffffffff) == TULLE_TEXT8('D', 'E', 'L', 'E', 'T', 'E', ' ', 0)) {
		message->method = TULLE_HTTP_DELETE;
		at = 7;
	} else if (word == TULLE_TEXT8('O', 'P', 'T', 'I', 'O', 'N', 'S', ' ')) {
		message->method = TULLE_HTTP_OPTIONS;
		at = 8;
	} else if ((word & 0xffffffffffff) == TULLE_TEXT8('P', 'A', 'T', 'C', 'H', ' ', 0, 0)) {
		message->method = TULLE_HTTP_PATCH;
		at = 6;
	} else {
		return TULLE_REASON_HTTP_METHOD;
	}
	at = TULLE_FORGET(message->path, at);
	if (end < at + 10 ||
	    tulle_word(head, mask, end - 9) !=
		    TULLE_TEXT8(' ', 'H', 'T', 'T', 'P', '/', '1', '.') ||
	    tulle_byte(head, mask, end - 1) != '1')
		return TULLE_REASON_HTTP_METHOD;
	return tulle_http_target(head, mask, at, end - 9, message);
}

static __always_inline __u32 tulle_http_status_line(const __u8 *head, __u32 mask, __u32 end,
						    struct tulle_http_message *message)
{
	__u64 code = tulle_word(head, mask, 8);

	if (end < 12 ||
	    tulle_word(head, mask, 0) != TULLE_TEXT8('H', 'T', 'T', 'P', '/', '1', '.', '1') ||
	    (__u8)code != ' ' || (end > 12 && (code >> 32 & 0xff) != ' '))
		return TULLE_REASON_HTTP_ANSWER_SYNTAX;
	code = code >> 8 & 0xffffff;
	if ((tulle_between(code, '0', '9') & 0x808080) != 0x808080)
		return TULLE_REASON_HTTP_ANSWER_SYNTAX;
	message->code = (code & 0x0f) * 100 + (code >> 8 & 0x0f) * 10 + (code >> 16 & 0x0f);
	return 0;
}

/*
 * The head at the beginning of `length` bytes. Returns 0 and message->head if it is whole and
 * good, else a reason (HTTP_PARTIAL: perhaps not whole).
 */
static __always_inline __u32 tulle_http_head(__u8 *head, __u32 mask, __u32 length, bool answer,
					     const __u32 *zero,
					     const struct tulle_http_table *names,
					     struct tulle_http_message *message)
{
	const __u32 turns = mask / 32 + TULLE_HTTP_FIELDS + 2;
	__u32 at = *(const volatile __u32 *)zero & mask, line = at, reason;

	__builtin_memset(message, 0, sizeof(*message));
	message->method = TULLE_HTTP_ANSWER;
	TULLE_OPAQUE(length);
	head[length & mask] = 0;
	TULLE_TURNS(scan, turns)
	{
		__u64 odd = tulle_not_plain(tulle_word(head, mask, at));

		if (!odd) {
			at += 8;
			odd = tulle_not_plain(tulle_word(head, mask, at));
		}
		if (!odd) {
			at += 8;
			odd = tulle_not_plain(tulle_word(head, mask, at));
		}
		if (!odd) {
			at += 8;
			odd = tulle_not_plain(tulle_word(head, mask, at));
		}
		if (!odd) {
			at = (at + 8) & mask;
			continue;
		}
		at = (at + tulle_first(odd)) & mask;
		if ((tulle_word(head, mask, at) & 0xffff) != ('\r' | '\n' << 8))
			return at >= length - 1 ? TULLE_REASON_HTTP_PARTIAL
						: TULLE_REASON_HTTP_SYNTAX;
		if (at == line) {
			if (!line)
				return TULLE_REASON_HTTP_SYNTAX;
			message->head = at + 2;
			return 0;
		}
		if (line)
			reason = tulle_http_field(head, mask, line, at, names, message);
		else if (answer)
			reason = tulle_http_status_line(head, mask, at, message);
		else
			reason = tulle_http_request_line(head, mask, at, message);
		if (reason)
			return reason;
		at = TULLE_FORGET(message->head, at + 2) & mask;
		line = at;
	}
	return TULLE_REASON_HTTP_LARGE;
}

/*
 * One request that the kernel may take and nothing of another one: `length` bytes in the buffer, of
 * `size` that were sent. On 0 the head is message->head bytes long and the rest is the body, or the
 * beginning of it.
 */
static __always_inline __u32 tulle_http_parse_request(__u8 *head, __u32 length, __u32 size,
						      const __u32 *zero,
						      const struct tulle_http_table *names,
						      struct tulle_http_message *message)
{
	__u32 reason =
		tulle_http_head(head, TULLE_HTTP_REQUEST_MASK, length, false, zero, names, message);

	if (reason)
		return reason;
	if (message->hosts != 1 || message->connections > 1)
		return TULLE_REASON_HTTP_SYNTAX;
	if (message->lengths > 1)
		return TULLE_REASON_HTTP_BODY;
	return message->head + message->body >= size ? 0 : TULLE_REASON_HTTP_PARTIAL;
}

/* A response whose end the kernel can tell; on 0 its body has message->body bytes. */
static __always_inline __u32 tulle_http_parse_response(__u8 *head, __u32 length, bool to_head,
						       const __u32 *zero,
						       struct tulle_http_message *message)
{
	__u32 reason =
		tulle_http_head(head, TULLE_HTTP_RESPONSE_MASK, length, true, zero, NULL, message);

	if (reason == TULLE_REASON_HTTP_PARTIAL || reason == TULLE_REASON_HTTP_LARGE)
		return TULLE_REASON_HTTP_ANSWER_PARTIAL;
	if (reason == TULLE_REASON_HTTP_FIELD || reason == TULLE_REASON_HTTP_BODY)
		return TULLE_REASON_HTTP_ANSWER_FRAMING;
	if (reason)
		return TULLE_REASON_HTTP_ANSWER_SYNTAX;
	if (message->code < 200 || message->lengths > 1 || message->connections > 1)
		return TULLE_REASON_HTTP_ANSWER_FRAMING;
	if (to_head || message->code == 304) {
		message->body = 0;
		return 0;
	}
	if (message->code == 204)
		return message->lengths ? TULLE_REASON_HTTP_ANSWER_FRAMING : 0;
	return message->lengths ? 0 : TULLE_REASON_HTTP_ANSWER_FRAMING;
}

#endif
