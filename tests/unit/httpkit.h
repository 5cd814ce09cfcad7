// SPDX-License-Identifier: BSD-2-Clause
// A parser that is fed in pieces; for tests of engine/http.
#ifndef TESTS_HTTPKIT_H
#define TESTS_HTTPKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/engine/http.h"
#include "tests/unit/guard.h"

#define N(a)     (sizeof(a) / sizeof((a)[0]))
#define BYTES(s) (s), sizeof(s) - 1

enum {
	GATHERS = 2,
	INPUT_MAX = 1 << 18,
	LOG_MAX = 4 * INPUT_MAX,
};
#define REQ   DIR_TO_SERVER
#define RES   DIR_TO_CLIENT
#define OTHER HTTP_ANSWERS_OTHER
#define HEAD  HTTP_ANSWERS_HEAD
#define CONN  HTTP_ANSWERS_CONNECT

// What was said, as text. brief is what the tables expect; full has every span of the heads, too.
struct log {
	char *text;
	size_t n;
};

struct run {
	struct http_half half;
	struct http_parser ps;
	struct counters counters;
	struct pool gathers;
	struct log brief, full;
	enum http_event_kind last;
	bool upgraded;
	enum dir dir;
	enum http_answers answers;
};

static struct guard guard;
static void *gather_memory;

static inline void log_put(struct log *l, const char *s)
{
	size_t n = strlen(s);

	assert_true(l->n + n + 1 < LOG_MAX);
	memcpy(l->text + l->n, s, n + 1);
	l->n += n;
}

static inline void log_bytes(struct log *l, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c[8];

		if (s.data[i] == '\r' || s.data[i] == '\n')
			snprintf(c, sizeof(c), "\\%c", s.data[i] == '\r' ? 'r' : 'n');
		else if (s.data[i] < ' ' || s.data[i] > '~')
			snprintf(c, sizeof(c), "\\x%02x", s.data[i]);
		else
			snprintf(c, sizeof(c), "%c", s.data[i]);
		log_put(l, c);
	}
}

static inline void log_span(struct log *l, struct span inside, const char *name, struct span s)
{
	assert_true(s.len == 0 ||
		    (s.data >= inside.data && s.data + s.len <= inside.data + inside.len));
	log_put(l, name);
	log_bytes(l, s);
}

static inline void log_head(struct run *r, const struct http_head *h)
{
	static const char *const framing[] = {"none",    "length", "chunked", "close",
					      "upgrade", "broken", ""};
	char text[64];

	log_put(&r->brief, "HEAD ");
	log_bytes(&r->brief, r->dir == REQ ? h->method : h->status_text);
	log_put(&r->brief, " ");
	if (r->dir == REQ) {
		log_bytes(&r->brief, h->target);
		log_put(&r->brief, " ");
	}
	snprintf(text, sizeof(text), "v%u %s", h->version, framing[h->framing]);
	log_put(&r->brief, text);
	if (h->framing == HTTP_FRAMING_LENGTH) {
		snprintf(text, sizeof(text), " %llu", (unsigned long long)h->content_length);
		log_put(&r->brief, text);
	}
	if (h->other_framing != HTTP_FRAMING_N) {
		log_put(&r->brief, " or ");
		log_put(&r->brief, framing[h->other_framing]);
	}
	if (h->other_framing == HTTP_FRAMING_LENGTH) {
		snprintf(text, sizeof(text), " %llu", (unsigned long long)h->other_length);
		log_put(&r->brief, text);
	}
	assert_int_equal(h->dir, r->dir);
	log_span(&r->full, h->raw, "|HEAD ", h->raw);
	log_span(&r->full, h->raw, " method ", h->method);
	log_span(&r->full, h->raw, " target ", h->target);
	log_span(&r->full, h->raw, " status ", h->status_text);
	log_span(&r->full, h->raw, " host ", h->host);
	log_span(&r->full, h->raw, " agent ", h->user_agent);
	log_span(&r->full, h->raw, " referer ", h->referer);
	log_span(&r->full, h->raw, " type ", h->content_type);
	log_span(&r->full, h->raw, " disposition ", h->content_disposition);
	snprintf(text, sizeof(text), " %u %u %u %u %u", h->status, h->n_codings, h->codings[0],
		 h->codings[1], h->n_fields);
	log_put(&r->full, text);
	for (uint32_t i = 0; i < h->n_fields; i++) {
		log_span(&r->full, h->raw, " name ", h->fields[i].name);
		log_span(&r->full, h->raw, " value ", h->fields[i].value);
	}
}

static inline void log_event(struct run *r, const struct http_event *ev)
{
	static const char *const name[] = {"HEAD", "BODY ", "END", "RAW ", "UPGRADED"};
	const bool data = ev->kind == HTTP_EV_BODY || ev->kind == HTTP_EV_RAW;

	if (data && r->brief.n > 0 && r->last == ev->kind) {
		log_bytes(&r->brief, ev->data);
		return;
	}
	if (r->brief.n > 0)
		log_put(&r->brief, "|");
	r->last = ev->kind;
	if (ev->kind == HTTP_EV_HEAD) {
		log_head(r, ev->head);
		return;
	}
	log_put(&r->brief, name[ev->kind]);
	if (data)
		log_bytes(&r->brief, ev->data);
	if (ev->truncated)
		log_put(&r->brief, " truncated");
}

static inline void run_init(struct run *r, enum dir dir, enum http_answers answers,
			    uint32_t gathers)
{
	memset(&r->counters, 0, sizeof(r->counters));
	pool_init(&r->gathers, gather_memory, gathers, HTTP_GATHER_BYTES);
	r->ps.gathers = &r->gathers;
	r->ps.counters = &r->counters;
	r->brief.n = r->full.n = 0;
	r->brief.text[0] = r->full.text[0] = '\0';
	r->upgraded = false;
	r->dir = dir;
	r->answers = answers;
	http_half_init(&r->half);
}

// Hand one piece over. All of it is used up, in a bounded number of events.
static inline void run_piece(struct run *r, const void *data, size_t len, bool fin)
{
	struct span in = span_of(guard_put(&guard, data, len, 0), len);
	struct http_event ev;
	size_t events = 0;

	if (r->upgraded)
		return;
	while (http_next(&r->half, &r->ps, r->dir, r->answers, &in, fin, &ev) == 1) {
		log_event(r, &ev);
		assert_true(++events <= 4 * len + 8);
		assert_true(r->gathers.used <= 1);
		if (ev.kind == HTTP_EV_UPGRADED) {
			r->upgraded = true;
			break;
		}
	}
	assert_int_equal(in.len, 0);
}

static inline void run_done(struct run *r)
{
	http_half_done(&r->half, &r->ps);
	assert_int_equal(r->gathers.used, 0);
}

static inline void run_new(struct run *r)
{
	r->brief.text = malloc(LOG_MAX);
	r->full.text = malloc(LOG_MAX);
	assert_true(r->brief.text != NULL && r->full.text != NULL);
}

static struct run whole, pieces;

static inline int setup(void **state)
{
	guard_init(&guard, INPUT_MAX);
	gather_memory = malloc((size_t)GATHERS * HTTP_GATHER_BYTES);
	assert_non_null(gather_memory);
	run_new(&whole);
	run_new(&pieces);
	return 0;
}

static inline int teardown(void **state)
{
	guard_done(&guard);
	free(gather_memory);
	free(whole.brief.text);
	free(whole.full.text);
	free(pieces.brief.text);
	free(pieces.full.text);
	return 0;
}

static inline void same(const char *input, size_t cut)
{
	if (strcmp(pieces.brief.text, whole.brief.text) != 0)
		print_error("%s\ncut at %zu: %s\n", input, cut, pieces.brief.text);
	assert_string_equal(pieces.brief.text, whole.brief.text);
	assert_string_equal(pieces.full.text, whole.full.text);
	assert_memory_equal(&pieces.counters, &whole.counters, sizeof(whole.counters));
}

struct vector {
	const char *bytes;
	size_t len;
	const char *want;
	enum http_answers answers;
};

// Pieces of `first` bytes, then of `size`; the end comes with the last piece or alone.
static inline void run_cut(const struct vector *v, enum dir dir, size_t first, size_t size,
			   bool fin_alone)
{
	run_init(&pieces, dir, v->answers, GATHERS);
	for (size_t at = 0; at < v->len;) {
		size_t n = at == 0 && first > 0 ? first : size;

		if (n > v->len - at)
			n = v->len - at;
		run_piece(&pieces, v->bytes + at, n, !fin_alone && at + n == v->len);
		at += n;
	}
	if (fin_alone || v->len == 0)
		run_piece(&pieces, NULL, 0, true);
	run_done(&pieces);
	same(v->bytes, first > 0 ? first : size);
}

#endif
