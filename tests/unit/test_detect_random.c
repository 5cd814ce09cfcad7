// SPDX-License-Identifier: BSD-2-Clause
// Random rules and random requests, cut anywhere, against an evaluator that is as slow and obvious as can be: it tries every
// place for every match on complete buffers. Some sets have so many literals that those of 15 to 128 bytes are searched for by rules/grams.h.
//
// usage: test_detect_random; WIREGLASS_DETECT_CASES=n: so many pairs of rule and message; WIREGLASS_DETECT_SEED=n: begin there;
// WIREGLASS_DETECT_VERBOSE=1: say where each set begins
#include "rules/grams.h"
#include "tests/unit/pipekit.h"

enum {
	TEXT_MAX = 4000,
	R_RULES = 20,
	R_MSGS = 30,
	R_CONDS = 2,
	R_MATCHES = 3,
	R_LITERALS = 8,
	R_CASES = 24000,
	// So many literals of one buffer and more are searched for by their grams without a trial of what is faster (rules/partition.c).
	MANY = 8300,
	MANY_SID = 1000,
	MANY_CONNS = 10, // with such a set, which takes long to make
};

struct rmatch {
	bool negated, nocase, absolute_from, absolute_to, relative_from, relative_to, at_end;
	int offset, depth, distance, within;
	char text[GRAMS_MAX + 4];
};

struct rcond {
	enum buffer buffer;
	int n;
	struct rmatch m[R_MATCHES];
};

struct rrule {
	int n;
	struct rcond c[R_CONDS];
};

// Literals as rules/grams.h takes them, some of them alike; rules and bodies share them.
struct rliterals {
	char v[R_LITERALS][GRAMS_MAX + 4];
};

// The message and its buffers.
struct rmsg {
	char text[TEXT_MAX];
	size_t len;
	char uri[64], header[200];
	const char *body;
};

static char letter(uint64_t *seed)
{
	return "abABab"[kit_below(seed, 6)];
}

static void rliterals_make(struct rliterals *l, uint64_t *seed)
{
	for (int i = 0; i < R_LITERALS; i++) {
		char *v = l->v[i];
		size_t len = GRAMS_MIN + kit_below(seed, GRAMS_MAX - GRAMS_MIN + 4); // or too long

		if (i > 0 && kit_below(seed, 2) == 0) {
			strcpy(v, l->v[i - 1]); // but for one byte
			v[kit_below(seed, (uint32_t)strlen(v))] = letter(seed);
			continue;
		}
		for (size_t k = 0; k < len; k++)
			v[k] = kit_below(seed, 3) == 0 ? letter(seed)
						       : (char)('c' + kit_below(seed, 20));
		v[len] = '\0';
	}
}

// A body of letters and literals, of which some are cut or in other case.
static void body_make(char body[1000], const struct rliterals *l, uint64_t *seed)
{
	uint32_t pieces = kit_below(seed, 4) == 0 ? 0 : kit_below(seed, 5);
	size_t n = 0;

	while (pieces-- > 0) {
		const char *from = l->v[kit_below(seed, R_LITERALS)];

		for (uint32_t i = kit_below(seed, 8); i > 0; i--)
			body[n++] = letter(seed);
		if (kit_below(seed, 3) > 0)
			continue;
		from += kit_below(seed, 8) == 0;
		n += (size_t)snprintf(body + n, GRAMS_MAX + 4, "%s", from);
		n -= kit_below(seed, 8) == 0;
		if (kit_below(seed, 4) == 0)
			body[n - 1 - kit_below(seed, 8)] ^= 'a' ^ 'A';
	}
	body[n] = '\0';
}

static void rmatch_make(struct rmatch *m, const struct rmatch *before, enum buffer buffer,
			const struct rliterals *l, uint64_t *seed)
{
	uint32_t len = 1 + kit_below(seed, 3), pos = kit_below(seed, 6);

	memset(m, 0, sizeof(*m));
	for (uint32_t i = 0; i < len; i++)
		m->text[i] = letter(seed);
	if (buffer == BUF_URI && kit_below(seed, 3) == 0)
		strcpy(m->text, "zqxjkvbwpf"); // selective enough to hold a body back
	if (buffer == BUF_HEADER && kit_below(seed, 3) == 0)
		strcpy(m->text, kit_below(seed, 2) == 0 ? "X-Y: " : "\r\n");
	if (buffer != BUF_URI && buffer != BUF_HEADER && kit_below(seed, 3) == 0) {
		strcpy(m->text, l->v[kit_below(seed, R_LITERALS)]);
		pos = kit_below(seed, 3) == 0 ? pos : 5; // anywhere
	}
	len = (uint32_t)strlen(m->text);
	m->nocase = kit_below(seed, 3) == 0;
	m->negated = kit_below(seed, 5) == 0;
	m->at_end = kit_below(seed, 8) == 0;
	if (pos == 0 || pos == 1) {
		m->absolute_from = pos == 0 || kit_below(seed, 2) == 0;
		m->absolute_to = pos == 1;
		m->offset = m->absolute_from ? (int)kit_below(seed, 8) : 0;
		m->depth = (int)(len + kit_below(seed, 6));
	} else if (pos < 5 && (before == NULL || !before->negated)) {
		m->relative_from = pos != 2;
		m->relative_to = pos != 3;
		m->distance = m->relative_from
				      ? (int)kit_below(seed, 7) - (kit_below(seed, 3) == 0 ? 3 : 0)
				      : 0;
		m->within = (int)(len + kit_below(seed, 5));
	}
}

static void rrule_make(struct rrule *r, const struct rliterals *l, uint64_t *seed)
{
	static const enum buffer buffers[] = {BUF_URI,       BUF_HEADER,       BUF_REQUEST_BODY,
					      BUF_FILE_DATA, BUF_REQUEST_BODY, BUF_RAW};

	r->n = 1 + (int)kit_below(seed, R_CONDS);
	for (int i = 0; i < r->n; i++) {
		struct rcond *c = &r->c[i];

		c->buffer = buffers[kit_below(seed, KIT_N(buffers))];
		c->n = 1 + (int)kit_below(seed, R_MATCHES);
		for (int j = 0; j < c->n; j++)
			rmatch_make(&c->m[j], j > 0 ? &c->m[j - 1] : NULL, c->buffer, l, seed);
	}
	// Two conditions on one buffer would be one.
	if (r->n == 2 &&
	    (r->c[0].buffer == r->c[1].buffer ||
	     (r->c[0].buffer != BUF_RAW && r->c[1].buffer != BUF_RAW &&
	      r->c[0].buffer >= BUF_REQUEST_BODY && r->c[1].buffer >= BUF_REQUEST_BODY)))
		r->n = 1;
}

static size_t rrule_text(const struct rrule *r, uint32_t sid, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "alert http any any -> any any (flow:to_server; ");

	for (int i = 0; i < r->n; i++) {
		const struct rcond *c = &r->c[i];

		n += (size_t)snprintf(out + n, size - n, "%s; ",
				      c->buffer == BUF_RAW ? "pkt_data"
							   : buffer_info(c->buffer)->keyword);
		for (int j = 0; j < c->n; j++) {
			const struct rmatch *m = &c->m[j];

			n += (size_t)snprintf(out + n, size - n, "content:%s\"%s\"; ",
					      m->negated ? "!" : "",
					      strcmp(m->text, "\r\n") == 0    ? "|0d 0a|"
					      : strcmp(m->text, "X-Y: ") == 0 ? "X-Y|3a 20|"
									      : m->text);
			n += m->nocase ? (size_t)snprintf(out + n, size - n, "nocase; ") : 0;
			n += m->absolute_from
				     ? (size_t)snprintf(out + n, size - n, "offset:%d; ", m->offset)
				     : 0;
			n += m->absolute_to
				     ? (size_t)snprintf(out + n, size - n, "depth:%d; ", m->depth)
				     : 0;
			n += m->relative_from ? (size_t)snprintf(out + n, size - n, "distance:%d; ",
								 m->distance)
					      : 0;
			n += m->relative_to
				     ? (size_t)snprintf(out + n, size - n, "within:%d; ", m->within)
				     : 0;
			n += m->at_end ? (size_t)snprintf(out + n, size - n, "endswith; ") : 0;
		}
	}
	n += (size_t)snprintf(out + n, size - n, "sid:%u;)\n", sid);
	assert_true(n < size);
	return n;
}

// Does m stand at position at, with its positions kept?
static bool stands(const struct rmatch *m, struct span buf, long at, long behind)
{
	const long len = (long)strlen(m->text);
	struct span here = span_of(buf.data + at, (size_t)len),
		    text = span_of(m->text, (size_t)len);

	if (at + len > (long)buf.len || (m->at_end && at + len != (long)buf.len))
		return false;
	if (m->nocase ? !span_eq_nocase(here, text) : !span_eq(here, text))
		return false;
	if (m->absolute_from && at < m->offset)
		return false;
	if (m->absolute_to && at + len > m->offset + m->depth)
		return false;
	if ((m->relative_from || m->relative_to) && at < behind + m->distance)
		return false;
	return !m->relative_to || at + len <= behind + m->distance + m->within;
}

// Is there a place for every match from number i on?
static bool places(const struct rcond *c, struct span buf, int i, long behind)
{
	const struct rmatch *m = &c->m[i];

	if (i == c->n)
		return true;
	for (long at = 0; at < (long)buf.len; at++) {
		if (!stands(m, buf, at, behind))
			continue;
		if (m->negated)
			return false;
		if (places(c, buf, i + 1, at + (long)strlen(m->text)))
			return true;
	}
	return m->negated && places(c, buf, i + 1, behind);
}

static bool should_hit(const struct rrule *r, const struct rmsg *m)
{
	for (int i = 0; i < r->n; i++) {
		const char *text = r->c[i].buffer == BUF_URI      ? m->uri
				   : r->c[i].buffer == BUF_HEADER ? m->header
				   : r->c[i].buffer == BUF_RAW    ? m->text
								  : m->body;
		struct span buf = span_of(text, strlen(text));

		if (buf.len == 0 || !places(&r->c[i], buf, 0, 0))
			return false;
	}
	return true;
}

// May the rule hit across the start of a message at stream + at: with contents that begin in the bytes before it?
static bool may_cross(const struct rrule *r, const char *stream, size_t at, const struct rmsg *m)
{
	const struct rcond *c = &r->c[0];
	const size_t before = at < 64 ? at : 64;

	if (r->n != 1 || c->buffer != BUF_RAW)
		return false;
	for (int i = 0; i < c->n; i++)
		if (c->m[i].negated || c->m[i].at_end || c->m[i].offset > 0 ||
		    c->m[i].absolute_to ||
		    (i > 0 && !c->m[i].relative_from && !c->m[i].relative_to))
			return false;
	return places(c, span_of(stream + at - before, before + m->len), 0, 0);
}

static void rmsg_make(struct rmsg *m, const struct rliterals *l, uint64_t *seed)
{
	char body[1000], *p = m->uri;
	size_t n;

	body_make(body, l, seed);
	n = strlen(body);
	*p++ = '/';
	for (uint32_t i = kit_below(seed, 8); i > 0; i--)
		*p++ = letter(seed);
	*p = '\0';
	if (kit_below(seed, 2) == 0)
		strcpy(p, "zqxjkvbwpfab");
	snprintf(m->header, sizeof(m->header), "X-Y: %c%c%c\r\nContent-Length: %zu\r\n",
		 letter(seed), letter(seed), letter(seed), n);
	m->len = (size_t)snprintf(m->text, sizeof(m->text), "%s %s HTTP/1.1\r\n%s\r\n%s",
				  n > 0 ? "POST" : "GET", m->uri, m->header, body);
	m->body = m->text + m->len - n;
}

struct rset {
	struct rliterals literals;
	struct rrule rules[R_RULES];
	bool refused[R_RULES], many;
	struct ruleset *rs;
};

// Rules that never hit, but must be searched for.
static size_t many_text(uint64_t *seed, char *out, size_t size)
{
	static const char *const buffers[] = {"http.request_body", "file.data", "pkt_data"};
	const char *buffer = buffers[kit_below(seed, KIT_N(buffers))];
	size_t n = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t v[3] = {kit_rand(seed), kit_rand(seed), kit_rand(seed)};

		n += (size_t)snprintf(out + n, size - n,
				      "alert http any any -> any any (flow:to_server; %s; "
				      "content:\"%016lx%016lx-%016lx\"; sid:%u;)\n",
				      buffer, (unsigned long)v[0], (unsigned long)v[1],
				      (unsigned long)v[2], MANY_SID + i);
	}
	assert_true(n < size);
	return n;
}

static uint32_t rset_make(struct rset *s, bool many, uint64_t *seed)
{
	const size_t size = R_RULES * 2000 + (many ? MANY * 200 : 0);
	char *text = malloc(size);
	struct kit_refused r = {.n = 0};
	size_t n = 0;

	assert_non_null(text);
	memset(s, 0, sizeof(*s));
	s->many = many;
	rliterals_make(&s->literals, seed);
	for (uint32_t i = 0; i < R_RULES; i++) {
		rrule_make(&s->rules[i], &s->literals, seed);
		n += rrule_text(&s->rules[i], i + 1, text + n, size - n);
	}
	if (many)
		many_text(seed, text + n, size - n);
	s->rs = kit_ruleset(text, 1, &r);
	for (uint32_t i = 0; i < r.n; i++)
		s->refused[r.sid[i] - 1] = true;
	free(text);
	return R_RULES - r.n;
}

static bool has_grams(const struct ruleset *rs)
{
	const struct image_header *img = ruleset_image(rs);
	const struct image_db *db = IMAGE_AT(img, struct image_db, IMAGE_DBS);

	for (uint32_t i = 0; i < IMAGE_COUNT(img, struct image_db, IMAGE_DBS); i++)
		if ((db[i].flags & IMAGE_DB_GRAMS) != 0)
			return true;
	return false;
}

// One connection of many requests, cut at random. Returns the number of hits.
static uint32_t conn_round(const struct rset *s, uint64_t *seed)
{
	static struct rmsg msgs[R_MSGS];
	bool got[R_RULES][R_MSGS] = {{false}};
	char *stream = malloc(R_MSGS * TEXT_MAX), text[2000];
	struct pipeline_conf conf = kit_conf();
	struct kit_list l = {0};
	size_t len = 0;
	uint32_t hits;
	struct kit k;

	assert_non_null(stream);
	for (uint32_t i = 0; i < R_MSGS; i++) {
		rmsg_make(&msgs[i], &s->literals, seed);
		memcpy(stream + len, msgs[i].text, msgs[i].len);
		len += msgs[i].len;
	}
	kit_init(&k, &conf, s->rs);
	kit_open(&l, 1, 1);
	kit_data(&l, 0, span_of(stream, len), (uint32_t[]){1, 3, 9, 80, 1400}[kit_below(seed, 5)],
		 seed);
	kit_feed(&k, l.v, l.n, 16);
	kit_flush(&k);
	for (uint32_t i = 0; i < k.n_hits; i++) {
		assert_in_range(k.hits[i].sid, 1, R_RULES);
		assert_in_range(k.hits[i].tx_id, 0, R_MSGS - 1);
		assert_false(got[k.hits[i].sid - 1][k.hits[i].tx_id]);
		got[k.hits[i].sid - 1][k.hits[i].tx_id] = true;
	}
	hits = k.n_hits;
	for (uint32_t i = 0; i < R_RULES; i++) {
		size_t at = 0;

		for (uint32_t j = 0; j < R_MSGS && !s->refused[i]; at += msgs[j++].len) {
			bool want = should_hit(&s->rules[i], &msgs[j]);

			if (want == got[i][j] ||
			    (got[i][j] && may_cross(&s->rules[i], stream, at, &msgs[j])))
				continue;
			rrule_text(&s->rules[i], i + 1, text, sizeof(text));
			fail_msg("%s%s but %s on\n%s", text, want ? "should hit" : "should not hit",
				 got[i][j] ? "does" : "does not", msgs[j].text);
		}
	}
	kit_done(&k);
	free(l.v);
	free(stream);
	return hits;
}

static void test_random(void **state)
{
	const char *cases = getenv("WIREGLASS_DETECT_CASES"),
		   *from = getenv("WIREGLASS_DETECT_SEED");
	const uint64_t want = cases != NULL ? strtoull(cases, NULL, 10) : R_CASES;
	const uint64_t first = from != NULL ? strtoull(from, NULL, 0) : 1;
	uint64_t seed = first, n = 0, n_many = 0, hits = 0, rules = 0, seen = 0;
	struct rset s;

	while (n < want) {
		const uint64_t start = seed;
		const bool many = kit_below(&seed, 5) == 0;
		uint32_t loaded = rset_make(&s, many, &seed);

		if (getenv("WIREGLASS_DETECT_VERBOSE") != NULL)
			print_message("0x%lx%s\n", (unsigned long)start, many ? ", many" : "");
		assert_int_equal(has_grams(s.rs), many);
		for (int i = 0; i < (many ? MANY_CONNS : 1); i++) {
			hits += conn_round(&s, &seed);
			n += (uint64_t)loaded * R_MSGS;
			n_many += many ? (uint64_t)loaded * R_MSGS : 0;
		}
		ruleset_free(s.rs);
		rules += loaded;
		seen += R_RULES;
	}
	print_message(
		"seed 0x%lx: %lu cases, %lu of them by grams, %lu hits, %lu rules of %lu loaded\n",
		(unsigned long)first, (unsigned long)n, (unsigned long)n_many, (unsigned long)hits,
		(unsigned long)rules, (unsigned long)seen);
	// A test in which nothing or everything hits proves nothing.
	assert_in_range(hits * 100 / n, 5, 60);
	assert_in_range(rules * 100 / seen, 60, 100);
	assert_true(n_many > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
