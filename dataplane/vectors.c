// SPDX-License-Identifier: BSD-2-Clause
// A case becomes a connection: handshake, segments in order, end; then the hits of the pipeline are compared. Frames have no
// checksums, which are not verified here.
#include "dataplane/vectors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"

enum {
	SIDS_MAX = 64,       // of a case, each way
	BYTES_MAX = 1 << 20, // of a case
	SEGMENT_BYTES = 1400,
	HEAD_BYTES = 14 + 20 + 20,
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_ACK = 0x10,
	HITS_MAX = 4096, // ring
	STEP_NS = 1000,
};

struct end {
	uint32_t addr, seq;
	uint16_t port;
};

struct vectors {
	struct pipeline *pipe;
	struct ruleset *rs;
	void *mem;
	size_t mem_bytes;
	uint64_t now_ns;
	// The case.
	const char *name;
	unsigned int line; // of its first line
	uint32_t want[SIDS_MAX], avoid[SIDS_MAX], n_want, n_avoid;
	struct end ends[2];
	bool talked; // something was sent
	uint32_t hit[HITS_MAX], n_hit;
	uint8_t bytes[BYTES_MAX];
	uint8_t frame[HEAD_BYTES + SEGMENT_BYTES + PIPELINE_TAIL_BYTES];
};

int vectors_new(const void *image, uint64_t len, struct vectors **ret_vectors,
		struct diag *ret_diag)
{
	struct pipeline_conf conf = {.flows = 64,
				     .segments = 1024,
				     .conns = 64,
				     .messages = 256,
				     .heads = 16,
				     .inflaters = 16,
				     .windows = 16,
				     .fragments = 16,
				     .hits = HITS_MAX,
				     .events = 256,
				     .hash_key = {1, 2}};
	struct vectors *v = calloc(1, sizeof(*v));
	int err = -ENOMEM;

	if (v == NULL)
		goto fail;
	err = ruleset_load(image, len, NULL, 1, 1, &v->rs, ret_diag);
	if (err != 0)
		goto fail;
	v->mem_bytes = pipeline_memory(&conf);
	v->mem = mmap(NULL, v->mem_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	if (v->mem == MAP_FAILED) {
		v->mem = NULL;
		err = -ENOMEM;
		goto fail;
	}
	err = pipeline_init(v->mem, v->mem_bytes, &conf, &v->pipe);
	if (err != 0)
		goto fail;
	pipeline_set_ruleset(v->pipe, v->rs);
	v->now_ns = 1000000000;
	*ret_vectors = v;
	return 0;
fail:
	if (err == -ENOMEM)
		diag_set(ret_diag, NULL, 0, 0, "out of memory for the self-tests of its rules");
	vectors_free(v);
	return err;
}

void vectors_free(struct vectors *v)
{
	if (v == NULL)
		return;
	if (v->pipe != NULL)
		pipeline_done(v->pipe);
	if (v->mem != NULL)
		munmap(v->mem, v->mem_bytes);
	ruleset_free(v->rs);
	free(v);
}

// --- packets

static uint8_t *put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static void take_hits(struct vectors *v)
{
	struct ring *hits = pipeline_hits(v->pipe), *events = pipeline_events(v->pipe);

	for (uint64_t n = ring_count(hits); n > 0; n--) {
		const struct hit *h = ring_peek(hits, 0);

		if (v->n_hit < HITS_MAX)
			v->hit[v->n_hit++] = h->sid;
		ring_pop(hits, 1);
	}
	ring_pop(events, ring_count(events));
}

static void send_segment(struct vectors *v, int from, unsigned int flags, const uint8_t *data,
			 size_t len)
{
	struct end *me = &v->ends[from];
	const struct end *you = &v->ends[!from];
	uint8_t *p = v->frame;

	memset(p, 0, sizeof(v->frame));
	p[0] = p[6] = 2; // locally administered addresses
	p = put16(p + 12, 0x0800);
	p = put16(p, 0x4500);
	p = put16(p, (unsigned int)(40 + len));
	p = put32(p, 0x00004000); // may not be fragmented
	p = put32(p, 0x40060000); // 64 hops, TCP
	p = put32(put32(p, me->addr), you->addr);
	p = put16(put16(p, me->port), you->port);
	p = put32(put32(p, me->seq), (flags & TCP_ACK) != 0 ? you->seq : 0);
	p = put16(put16(p, 0x5000 | flags), 0xffff);
	p += 4;
	if (len > 0)
		memcpy(p, data, len);
	me->seq += (uint32_t)len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
	const struct frame f = {.data = v->frame,
				.len = (uint32_t)(HEAD_BYTES + len),
				.wire_len = (uint32_t)(HEAD_BYTES + len),
				.tail_bytes = PIPELINE_TAIL_BYTES,
				.ts_ns = v->now_ns};
	pipeline_burst(v->pipe, &f, 1, v->now_ns += STEP_NS);
	take_hits(v);
}

static void say(struct vectors *v, int from, const uint8_t *data, size_t len)
{
	if (!v->talked) {
		send_segment(v, 0, TCP_SYN, NULL, 0);
		send_segment(v, 1, TCP_SYN | TCP_ACK, NULL, 0);
		send_segment(v, 0, TCP_ACK, NULL, 0);
		v->talked = true;
	}
	while (len > 0) {
		size_t n = len < SEGMENT_BYTES ? len : SEGMENT_BYTES;

		send_segment(v, from, TCP_ACK, data, n);
		send_segment(v, !from, TCP_ACK, NULL, 0);
		data += n;
		len -= n;
	}
}

// --- cases

static void begin_case(struct vectors *v, unsigned int line)
{
	static const struct end ends[2] = {{0xc000020a, 1000, 40000}, {0xc6336414, 5000, 80}};

	v->line = line;
	v->n_want = v->n_avoid = v->n_hit = 0;
	memcpy(v->ends, ends, sizeof(ends));
	v->talked = false;
}

static bool is_in(const uint32_t *v, uint32_t n, uint32_t sid)
{
	for (uint32_t i = 0; i < n; i++)
		if (v[i] == sid)
			return true;
	return false;
}

static bool is_loaded(const struct vectors *v, uint32_t sid)
{
	const struct image_header *img = ruleset_image(v->rs);
	const struct image_rule *rules = IMAGE_AT(img, struct image_rule, IMAGE_RULES);
	uint32_t n = IMAGE_COUNT(img, struct image_rule, IMAGE_RULES);

	for (uint32_t i = 0; i < n; i++)
		if (rules[i].sid == sid)
			return true;
	return false;
}

// Close the connection and look at the hits.
static int end_case(struct vectors *v, bool some_absent, struct diag *ret_diag)
{
	if (v->talked) {
		send_segment(v, 0, TCP_FIN | TCP_ACK, NULL, 0);
		send_segment(v, 1, TCP_FIN | TCP_ACK, NULL, 0);
		send_segment(v, 0, TCP_ACK, NULL, 0);
	}
	while (pipeline_flush(v->pipe, v->now_ns, 16) > 0)
		take_hits(v);
	take_hits(v);
	for (uint32_t i = 0; i < v->n_want + v->n_avoid; i++) {
		bool must = i < v->n_want;
		uint32_t sid = must ? v->want[i] : v->avoid[i - v->n_want];
		const char *problem = NULL;

		if (!is_loaded(v, sid))
			problem = some_absent ? NULL : "is not among the rules that load";
		else if (is_in(v->hit, v->n_hit, sid) != must)
			problem = must ? "does not match what it must match"
				       : "matches what it must not match";
		if (problem == NULL)
			continue;
		diag_set(ret_diag, v->name, v->line, 0, "self-test: rule %u %s", sid, problem);
		return -EINVAL;
	}
	return 0;
}

static bool add_sids(uint32_t *sids, uint32_t *io_n, const char *text)
{
	char *end;

	for (;; text = end) {
		text += strspn(text, " \t\r");
		if (*text == '\0' || *text == '#')
			return *io_n > 0;
		unsigned long sid = strtoul(text, &end, 10);
		if (end == text || sid == 0 || sid > UINT32_MAX || *io_n == SIDS_MAX)
			return false;
		sids[(*io_n)++] = (uint32_t)sid;
	}
}

static bool set_ends(struct vectors *v, const char *text)
{
	char addr[2][20];
	unsigned int port[2];
	struct in_addr in;

	if (sscanf(text, " %19s %u -> %19s %u", addr[0], &port[0], addr[1], &port[1]) != 4)
		return false;
	for (int i = 0; i < 2; i++) {
		if (inet_pton(AF_INET, addr[i], &in) != 1 || port[i] == 0 || port[i] > 65535)
			return false;
		v->ends[i].addr = ntohl(in.s_addr);
		v->ends[i].port = (uint16_t)port[i];
	}
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

// Bytes with their escapes. False: an escape that there is not, or too many bytes.
static bool unescape(const char *text, uint8_t *bytes, size_t *ret_n)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		int c = (unsigned char)*text;

		if (n == BYTES_MAX)
			return false;
		if (c == '\\') {
			static const char from[] = "rnt\\", to[] = "\r\n\t\\";
			const char *e = *++text != '\0' ? strchr(from, *text) : NULL;

			if (e != NULL) {
				c = to[e - from];
			} else if (*text == 'x' && hex_digit(text[1]) >= 0 &&
				   hex_digit(text[2]) >= 0) {
				c = hex_digit(text[1]) << 4 | hex_digit(text[2]);
				text += 2;
			} else {
				return false;
			}
		}
		bytes[n++] = (uint8_t)c;
	}
	*ret_n = n;
	return true;
}

// A line of a case. NULL, or what is wrong with it.
static const char *do_line(struct vectors *v, const char *line)
{
	size_t n;

	if (strncmp(line, "match ", 6) == 0)
		return add_sids(v->want, &v->n_want, line + 6) ? NULL : "needs sids";
	if (strncmp(line, "nomatch ", 8) == 0)
		return add_sids(v->avoid, &v->n_avoid, line + 8) ? NULL : "needs sids";
	if (strncmp(line, "flow ", 5) == 0)
		return set_ends(v, line + 5)
			       ? NULL
			       : "must be like: flow 10.0.0.5 40000 -> 198.51.100.20 80";
	if ((line[0] != '>' && line[0] != '<') || (line[1] != ' ' && line[1] != '\0'))
		return "is none of match, nomatch, flow, > and <";
	if (!unescape(line[1] == ' ' ? line + 2 : line + 1, v->bytes, &n))
		return "has an escape other than \\r \\n \\t \\\\ \\xHH, or is too long";
	say(v, line[0] == '<', v->bytes, n);
	return NULL;
}

int vectors_run(struct vectors *v, const char *name, struct span text, bool some_absent,
		struct diag *ret_diag)
{
	char *copy = malloc(text.len + 1), *line, *rest = copy;
	unsigned int number = 0;
	int cases = 0, err = 0;

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	v->name = name;
	while (err == 0 && (line = strsep(&rest, "\n")) != NULL) {
		bool begins = strncmp(line, "match ", 6) == 0 || strncmp(line, "nomatch ", 8) == 0;

		number++;
		if (line[0] == '#' || line[strspn(line, " \t\r")] == '\0')
			continue;
		if (begins && (cases == 0 || v->talked)) {
			err = cases > 0 ? end_case(v, some_absent, ret_diag) : 0;
			begin_case(v, number);
			cases++;
		}
		const char *problem = err != 0     ? NULL
				      : cases == 0 ? "comes before the first match or nomatch"
						   : do_line(v, line);
		if (problem != NULL) {
			diag_set(ret_diag, name, number, 0, "self-test: this line %s", problem);
			err = -EINVAL;
		}
	}
	if (err == 0 && cases > 0)
		err = end_case(v, some_absent, ret_diag);
	free(copy);
	return err != 0 ? err : cases;
}
