// SPDX-License-Identifier: BSD-2-Clause
// diff_http [COUNT [SEED]]: random requests and responses, read by our parser and by two others, llhttp (Node's, strict and
// lenient) and libhtp (of Suricata 7). A message that another one takes must be among ours, with the same target or status and the same
// body, in the first reading or in the second; otherwise the parser must have noted something odd, or it is one of a few known
// differences (enum why). What is none of these is printed: a silent disagreement. Deterministic: COUNT from SEED on are always the same bytes.
#include <htp/htp.h>
#define HTTP_HEAD LLHTTP_METHOD_HEAD // the name is ours
#include <llhttp.h>
#undef HTTP_HEAD
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/http.h"

enum {
	TEXT_MAX = 8192,
	MESSAGES_MAX = 16,
	SHOWN_MAX = 40,
};

// A message as somebody took it.
struct message {
	char key[256]; // target of a request, status of a response
	char body[TEXT_MAX];
	size_t key_len, body_len;
	bool complete;
};

struct taken {
	struct message m[MESSAGES_MAX];
	size_t n;
	bool open; // the last one goes on
};

static struct taken ours, other, strict, lenient, libhtp;
static uint32_t notes;
static bool upgraded; // ours has come to a change of the protocol
static uint64_t seed;

static uint32_t below(uint32_t n)
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) % n);
}

// ---- what is read ----

#define PICK(v) (v[below(sizeof(v) / sizeof((v)[0]))])

struct text {
	char s[TEXT_MAX];
	size_t n;
};

static void put(struct text *t, const char *s, size_t n)
{
	if (t->n + n > TEXT_MAX)
		return;
	memcpy(t->s + t->n, s, n);
	t->n += n;
}

static void puts_of(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

// One in n: a byte or two that do not belong there.
static void junk(struct text *t, uint32_t n)
{
	static const char bytes[] = " \t\r\n\v\f\0+-0x;:,\"a\x7f\xa0";

	if (below(n) == 0)
		put(t, bytes + below(sizeof(bytes) - 1), 1);
}

static const char *line_end(void)
{
	static const char *const v[] = {"\n", "\r\n", "\r", "\r\r\n"};

	return below(30) == 0 ? PICK(v) : "\r\n";
}

static void field(struct text *t, const char *name, const char *value)
{
	static const char *const colon[] = {":", ":  ", ":\t", " : ", " :", ":\r\n "};

	junk(t, 80);
	puts_of(t, name);
	junk(t, 60);
	puts_of(t, below(12) == 0 ? PICK(colon) : ": ");
	junk(t, 60);
	puts_of(t, value);
	junk(t, 40);
	puts_of(t, line_end());
}

static void body_chunked(struct text *t, const char *body, size_t len)
{
	static const char *const ext[] = {";a=b", ";", " ", "\t", ";a=\"b\"", " ;x"};
	static const char *const end[] = {"\n", "", "\r", "zz", "\r\n\r\n"};
	static const char *const last[] = {
		"00\r\n\r\n", "0;x\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\n\n",
		"0\r\n",      "0x0\r\n\r\n", "-0\r\n\r\n",        ""};

	for (size_t at = 0; at < len;) {
		size_t n = 1 + below((uint32_t)(len - at));
		char size[32];

		snprintf(size, sizeof(size), below(8) == 0 ? "%04zX" : "%zx",
			 below(60) == 0 ? n + 1 : n);
		junk(t, 40);
		puts_of(t, size);
		junk(t, 40);
		if (below(12) == 0)
			puts_of(t, PICK(ext));
		puts_of(t, line_end());
		put(t, body + at, n);
		puts_of(t, below(30) == 0 ? PICK(end) : "\r\n");
		at += n;
	}
	puts_of(t, below(5) == 0 ? PICK(last) : "0\r\n\r\n");
}

static void message(struct text *t, bool response)
{
	static const char *const method[] = {"POST",   "GET",  "PUT", "OPTIONS", "HEAD",
					     "DELETE", "post", "FOO", "PATCH"};
	static const char *const target[] = {"/a", "/",    "/a/b?c=d", "http://h/x",
					     "*",  "/a b", "//x",      "/%41"};
	static const char *const version[] = {"HTTP/1.0", "HTTP/1.1", "HTTP/1.2",  "HTTP/0.9",
					      "http/1.1", "HTTP/2.0", "HTTP/1.10", ""};
	static const char *const status[] = {"200", "404", "204",  "304", "100",
					     "500", "20",  "2000", "abc"};
	static const char *const te[] = {
		"chunked",  "Chunked",     "gzip, chunked",     "identity", "chunked, identity",
		"xchunked", "chunked;q=1", "identity, chunked", "",         "gzip"};
	static const char *const rest[] = {"Connection: close\r\n",
					   "Connection: keep-alive\r\n",
					   "X: y\r\n",
					   "no colon\r\n",
					   ": none\r\n",
					   "X: a\r\n b\r\n",
					   "Expect: 100-continue\r\n",
					   "Host: b\r\n",
					   "X\xff: y\r\n"};
	static const char bytes[] = "abcdef0123456789 EVIL\r\n";
	char body[64], length[64];
	size_t len = below(40);
	uint32_t framing = below(8);

	for (size_t i = 0; i < len; i++)
		body[i] = bytes[below(sizeof(bytes) - 1)];
	junk(t, 60);
	if (response) {
		puts_of(t, below(6) == 0 ? PICK(version) : "HTTP/1.1");
		puts_of(t, below(30) == 0 ? "  " : " ");
		puts_of(t, below(4) == 0 ? PICK(status) : "200");
		puts_of(t, below(6) == 0 ? "" : " OK");
	} else {
		puts_of(t, below(3) == 0 ? PICK(method) : "POST");
		puts_of(t, below(30) == 0 ? "\t" : " ");
		puts_of(t, PICK(target));
		puts_of(t, below(30) == 0 ? "  " : " ");
		puts_of(t, below(6) == 0 ? PICK(version) : "HTTP/1.1");
	}
	puts_of(t, line_end());
	if (!response && below(10) != 0)
		field(t, "Host", "a");
	if (framing == 0 || framing >= 5 || below(20) == 0)
		field(t, "Transfer-Encoding", below(5) == 0 ? PICK(te) : "chunked");
	if ((framing > 0 && framing < 5) || below(20) == 0) {
		static const char *const odd[] = {"0",   "1", "+4", "4, 4", "18446744073709551620",
						  "0x4", "",  "-1", "99999"};

		snprintf(length, sizeof(length), "%zu", len);
		field(t, "Content-Length", below(12) == 0 ? PICK(odd) : length);
		if (below(20) == 0)
			field(t, "Content-Length", below(2) == 0 ? PICK(odd) : length);
	}
	if (below(4) == 0)
		puts_of(t, PICK(rest));
	puts_of(t, below(60) == 0 ? " \r\n" : "");
	puts_of(t, line_end());
	if (framing == 0 || framing >= 5)
		body_chunked(t, body, len);
	else
		put(t, body, len);
}

// A few bytes changed, put in, taken out or said twice, at random.
static void mutate(struct text *t)
{
	static const char bytes[] = "\r\n \t:;,0123456789abcdefxHTP/.\0\x7f\xff+-\"";

	for (uint32_t edits = 1 + below(4); edits > 0 && t->n > 0; edits--) {
		const size_t at = below((uint32_t)t->n);
		const size_t len = 1 + below(t->n - at < 12 ? (uint32_t)(t->n - at) : 12);
		const char c = bytes[below(sizeof(bytes) - 1)];

		switch (below(4)) {
		case 0:
			t->s[at] = below(8) == 0 ? (char)below(256) : c;
			break;
		case 1:
			memmove(t->s + at, t->s + at + len, t->n - at - len);
			t->n -= len;
			break;
		default:
			if (t->n + len > TEXT_MAX)
				break;
			memmove(t->s + at + len, t->s + at, t->n - at);
			t->n += len;
			if (below(2) == 0)
				t->s[at] = c;
			break;
		}
	}
}

// ---- who reads ----

static struct message *current(struct taken *t)
{
	if (t->open)
		return &t->m[t->n - 1];
	if (t->n == MESSAGES_MAX)
		return NULL;
	t->open = true;
	t->m[t->n].key_len = t->m[t->n].body_len = 0;
	t->m[t->n].complete = false;
	return &t->m[t->n++];
}

static void add_key(struct taken *t, const void *s, size_t n)
{
	struct message *m = current(t);

	if (m != NULL && m->key_len + n <= sizeof(m->key)) {
		memcpy(m->key + m->key_len, s, n);
		m->key_len += n;
	}
}

static void add_body(struct taken *t, const void *s, size_t n)
{
	struct message *m = current(t);

	if (m != NULL && m->body_len + n <= sizeof(m->body)) {
		memcpy(m->body + m->body_len, s, n);
		m->body_len += n;
	}
}

static void add_end(struct taken *t)
{
	struct message *m = current(t);

	if (m != NULL)
		m->complete = true;
	t->open = false;
}

static void our_events(struct http_half *h, struct http_parser *ps, enum dir dir, struct span in,
		       struct taken *t, struct http_half *ret_other, struct span *ret_rest)
{
	struct http_event ev;

	while (http_next(h, ps, dir, HTTP_ANSWERS_OTHER, &in, true, &ev) == 1) {
		upgraded |= ev.kind == HTTP_EV_UPGRADED;
		if (ev.kind == HTTP_EV_UPGRADED)
			return;
		if (ev.kind == HTTP_EV_HEAD) {
			struct span key =
				dir == DIR_TO_SERVER ? ev.head->target : ev.head->status_text;

			add_key(t, key.data, key.len);
			if (ret_other != NULL && ret_rest->data == NULL &&
			    ev.head->other_framing != HTTP_FRAMING_N) {
				http_half_other(ret_other, ev.head);
				add_key(&other, key.data, key.len);
				*ret_rest = in;
			}
		} else if (ev.kind == HTTP_EV_BODY) {
			add_body(t, ev.data.data, ev.data.len);
		} else if (ev.kind == HTTP_EV_END) {
			add_end(t);
		}
	}
}

static void read_ours(const struct text *t, enum dir dir)
{
	static uint8_t memory[4][HTTP_GATHER_BYTES];
	static struct http_parser ps;
	static struct counters counters;
	struct pool gathers;
	struct http_half half, second;
	struct span in = span_of(t->s, t->n), rest = SPAN_NONE;

	pool_init(&gathers, memory, 4, HTTP_GATHER_BYTES);
	ps.gathers = &gathers;
	ps.counters = &counters;
	http_half_init(&half);
	our_events(&half, &ps, dir, in, &ours, &second, &rest);
	notes = half.notes;
	http_half_done(&half, &ps);
	if (rest.data == NULL)
		return;
	our_events(&second, &ps, dir, rest, &other, NULL, NULL);
	http_half_done(&second, &ps);
}

static int on_key(llhttp_t *p, const char *at, size_t n)
{
	add_key(p->data, at, n);
	return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
	add_body(p->data, at, n);
	return 0;
}

static int on_headers(llhttp_t *p)
{
	char status[16];

	if (p->type == HTTP_RESPONSE)
		add_key(p->data, status,
			(size_t)snprintf(status, sizeof(status), "%03u", p->status_code));
	return 0;
}

static int on_end(llhttp_t *p)
{
	add_end(p->data);
	return 0;
}

static void read_llhttp(const struct text *t, enum dir dir, bool lax, struct taken *ret)
{
	llhttp_settings_t settings;
	llhttp_t p;

	llhttp_settings_init(&settings);
	settings.on_url = on_key;
	settings.on_body = on_body;
	settings.on_headers_complete = on_headers;
	settings.on_message_complete = on_end;
	llhttp_init(&p, dir == DIR_TO_SERVER ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
	p.data = ret;
	if (lax) {
		llhttp_set_lenient_headers(&p, 1);
		llhttp_set_lenient_chunked_length(&p, 1);
		llhttp_set_lenient_keep_alive(&p, 1);
	}
	if (llhttp_execute(&p, t->s, t->n) == HPE_OK)
		llhttp_finish(&p);
}

static int htp_line(htp_tx_t *tx)
{
	if (tx->request_uri != NULL)
		add_key(&libhtp, bstr_ptr(tx->request_uri), bstr_len(tx->request_uri));
	return HTP_OK;
}

static int htp_body(htp_tx_data_t *d)
{
	if (d->data != NULL && d->len > 0)
		add_body(&libhtp, d->data, d->len);
	return HTP_OK;
}

static int htp_end(htp_tx_t *tx)
{
	(void)tx;
	add_end(&libhtp);
	return HTP_OK;
}

static void read_libhtp(const struct text *t, htp_cfg_t *config)
{
	htp_connp_t *p = htp_connp_create(config);

	htp_connp_open(p, "192.0.2.1", 1024, "192.0.2.2", 80, NULL);
	htp_connp_req_data(p, NULL, t->s, t->n);
	htp_connp_close(p, NULL);
	htp_connp_destroy_all(p);
}

// ---- who took what ----

static bool has(const struct taken *t, const struct message *want)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct message *m = &t->m[i];

		if (m->key_len != want->key_len || memcmp(m->key, want->key, m->key_len) != 0)
			continue;
		if (want->body_len <= m->body_len &&
		    memcmp(m->body, want->body, want->body_len) == 0 &&
		    (!want->complete || want->body_len == m->body_len))
			return true;
	}
	return false;
}

static void show(const char *who, const struct text *t, const struct message *m)
{
	printf("%s took \"%.*s\" with %zu bytes: \"", who, (int)m->key_len, m->key, m->body_len);
	for (size_t i = 0; i < t->n; i++) {
		unsigned char c = (unsigned char)t->s[i];

		if (c == '\r' || c == '\n')
			printf(c == '\r' ? "\\r" : "\\n");
		else if (c < ' ' || c > '~')
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	printf("\"\n");
}

static bool is_blank(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && strchr(" \t\r\n", s[n]) != NULL)
		n++;
	return n == len && n > 0;
}

// Disagreements that are known and are nobody's miss.
enum why {
	WHY_BLANK_BEHIND, // libhtp: line ends behind a message are more of its body
	WHY_101,          // what follows is another protocol, and looked at as such
	WHY_304, // llhttp: it has a body, though its length is another message's (RFC 9110, 15.4.5)
	WHY_N
};

static const char *const why_text[WHY_N] = {
	"blanks behind the message as body",
	"what follows a 101",
	"a body of a 304",
};

// Why they took this, or WHY_N.
static enum why why(const struct message *m, enum dir dir)
{
	if (dir == DIR_TO_CLIENT && upgraded)
		return WHY_101;
	if (dir == DIR_TO_CLIENT && m->key_len == 3 && memcmp(m->key, "304", 3) == 0)
		return WHY_304;
	for (int which = 0; which < 2; which++) {
		const struct taken *t = which == 0 ? &ours : &other;

		for (size_t i = 0; i < t->n; i++)
			if (t->m[i].complete && t->m[i].key_len == m->key_len &&
			    t->m[i].body_len < m->body_len &&
			    memcmp(t->m[i].key, m->key, m->key_len) == 0 &&
			    memcmp(t->m[i].body, m->body, t->m[i].body_len) == 0 &&
			    is_blank(m->body + t->m[i].body_len, m->body_len - t->m[i].body_len))
				return WHY_BLANK_BEHIND;
	}
	return WHY_N;
}

// Would rules on bodies or on raw bytes have seen it in one piece?
static bool is_seen(const struct text *t, const struct message *m)
{
	for (size_t i = 0; i < ours.n; i++)
		if (memmem(ours.m[i].body, ours.m[i].body_len, m->body, m->body_len) != NULL)
			return true;
	for (size_t i = 0; i < other.n; i++)
		if (memmem(other.m[i].body, other.m[i].body_len, m->body, m->body_len) != NULL)
			return true;
	return memmem(t->s, t->n, m->body, m->body_len) != NULL;
}

// What one of the others took, and what became of it.
struct tally {
	uint64_t messages, told, silent;
	uint64_t
		whole; // of those told: their body stands in one of ours, or in one piece in the stream, which is scanned raw
	uint64_t note[HTTP_NOTE_N]; // of those told: by what
	uint64_t why[WHY_N];
};

// Messages taken that are not among ours: told, known or silent.
static void compare(const char *who, const struct text *t, enum dir dir, const struct taken *they,
		    struct tally *y)
{
	for (size_t i = 0; i < they->n; i++) {
		const struct message *m = &they->m[i];
		enum why known;

		// White space between messages is in nobody's body.
		if (m->key_len == 0 || is_blank(m->body, m->body_len))
			continue;
		y->messages++;
		if (has(&ours, m) || has(&other, m))
			continue;
		known = why(m, dir);
		if (notes != 0) {
			y->told++;
			y->whole += is_seen(t, m);
			for (uint32_t left = notes; left != 0; left &= left - 1)
				y->note[__builtin_ctz(left)]++;
		} else if (known != WHY_N) {
			y->why[known]++;
		} else if (y->silent++ < SHOWN_MAX) {
			show(who, t, m);
		}
	}
}

static void tally_say(const char *who, const struct tally *y)
{
	static const char *const names[HTTP_NOTE_N] = {
#define X(id, c) [HTTP_NOTE_##id] = #id,
		HTTP_NOTE_TABLE(X)
#undef X
	};

	printf("%s: %llu messages, %llu of them not ours but told (%llu with all of the body in "
	       "one "
	       "piece), %llu silent\n",
	       who, (unsigned long long)y->messages, (unsigned long long)y->told,
	       (unsigned long long)y->whole, (unsigned long long)y->silent);
	for (int i = 0; i < WHY_N; i++)
		if (y->why[i] > 0)
			printf("    known: %s %llu\n", why_text[i], (unsigned long long)y->why[i]);
	for (int i = 0; i < HTTP_NOTE_N; i++)
		if (y->note[i] > 0)
			printf("    told as %s %llu\n", names[i], (unsigned long long)y->note[i]);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	static const char *const who[] = {"llhttp", "llhttp, lenient", "libhtp"};
	static struct tally got[3];
	htp_cfg_t *config = htp_config_create();

	htp_config_set_server_personality(config, HTP_SERVER_IDS);
	htp_config_register_request_line(config, htp_line);
	htp_config_register_request_body_data(config, htp_body);
	htp_config_register_request_complete(config, htp_end);
	for (uint64_t i = first; i < first + count; i++) {
		static struct text t;
		enum dir dir = i % 3 == 2 ? DIR_TO_CLIENT : DIR_TO_SERVER;
		bool single;

		seed = i * 0x2545f4914f6cdd1d;
		t.n = 0;
		message(&t, dir == DIR_TO_CLIENT);
		upgraded = false;
		single = below(2) == 0;
		for (uint32_t n = single ? 0 : 1 + below(3); n > 0; n--)
			message(&t, dir == DIR_TO_CLIENT);
		if (below(2) == 0)
			mutate(&t);
		ours.n = other.n = strict.n = lenient.n = libhtp.n = 0;
		ours.open = other.open = strict.open = lenient.open = libhtp.open = false;
		read_ours(&t, dir);
		read_llhttp(&t, dir, false, &strict);
		compare(who[0], &t, dir, &strict, &got[0]);
		read_llhttp(&t, dir, true, &lenient);
		compare(who[1], &t, dir, &lenient, &got[1]);
		// libhtp takes what follows a message for more of its body when it does not know the method.
		if (dir == DIR_TO_SERVER && single) {
			read_libhtp(&t, config);
			compare(who[2], &t, dir, &libhtp, &got[2]);
		}
	}
	htp_config_destroy(config);
	for (int i = 0; i < 3; i++)
		tally_say(who[i], &got[i]);
	return got[0].silent + got[1].silent + got[2].silent > 0;
}
