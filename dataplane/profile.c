// SPDX-License-Identifier: BSD-2-Clause
// The messages of a capture as rules see them. The capture runs through a pipeline like any other, with a rule set that
// makes it look at every buffer, and a tap that hands them over. Bytes stay in this process's memory.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/buffer.h"
#include "dataplane/capture.h"
#include "dataplane/engine/ruleset.h"
#include "dataplane/engine/tap.h"
#include "dataplane/replay.h"
#include "rules/compile.h"
#include "rules/sample.h"

enum {
	TAP_BYTES = 32 << 20,
	BODY_MAX = 1 << 20, // of one body: a download is the same all along
	OPEN_MAX = 4096,    // messages in progress; more are left out
	SWEEP_PER_FRAME = 4,
	FLUSH_AT_ONCE = 64,
};

// Nothing of this is found in anything but itself.
#define NEVER "content:\"|c1 9a c1 5f|wireglass|c1 9a|\"; "
static const char every_buffer[] =
	"alert http any any -> any any (flow:to_server; file.data; " NEVER "sid:1;)\n"
	"alert http any any -> any any (flow:to_client; file.data; " NEVER "sid:2;)\n"
	"alert tcp any any -> any any (flow:to_server; " NEVER "sid:3;)\n"
	"alert tcp any any -> any any (flow:to_client; " NEVER "sid:4;)\n"
	"alert http any any -> any any (http.request_body; " NEVER "sid:5;)\n";

// A stream buffer of a message in progress.
struct open_buffer {
	uint64_t message;
	uint8_t buffer, dir;
	uint8_t *data;
	size_t len, cap;
};

struct profile {
	struct sample *sample;
	struct tap tap;
	struct open_buffer *open;
	size_t n_open;
	struct ruleset *rs;
	struct pipeline *pipe;
	void *mem;
	size_t mem_bytes;
	int err;
};

static struct open_buffer *open_get(struct profile *p, const struct tap_record *r)
{
	for (size_t i = p->n_open; i-- > 0;)
		if (p->open[i].message == r->message && p->open[i].buffer == r->buffer)
			return &p->open[i];
	if (p->n_open == OPEN_MAX)
		return NULL;
	p->open[p->n_open] =
		(struct open_buffer){.message = r->message, .buffer = r->buffer, .dir = r->dir};
	return &p->open[p->n_open++];
}

static void stream_add(struct profile *p, const struct tap_record *r, struct span data)
{
	struct open_buffer *b = open_get(p, r);

	if (b == NULL)
		return;
	data = span_first(data, BODY_MAX - b->len);
	if (b->len + data.len > b->cap) {
		size_t cap = 2 * (b->len + data.len);
		uint8_t *more = realloc(b->data, cap);

		if (more == NULL) {
			p->err = -ENOMEM;
			return;
		}
		b->data = more;
		b->cap = cap;
	}
	if (data.len > 0)
		memcpy(b->data + b->len, data.data, data.len);
	b->len += data.len;
}

// The message is complete: so are its streams.
static void message_end(struct profile *p, const struct tap_record *r)
{
	sample_message(p->sample, r->dir);
	for (size_t i = p->n_open; i-- > 0;) {
		struct open_buffer b = p->open[i];

		if (b.message != r->message)
			continue;
		p->open[i] = p->open[--p->n_open];
		if (p->err == 0 && b.len > 0)
			p->err = sample_add(p->sample, b.buffer, b.dir, span_of(b.data, b.len));
		free(b.data);
	}
}

static void drain(struct profile *p)
{
	struct ring *hits = pipeline_hits(p->pipe), *events = pipeline_events(p->pipe);

	ring_pop(hits, ring_count(hits));
	ring_pop(events, ring_count(events));
	for (size_t at = 0; at < p->tap.used && p->err == 0;) {
		struct tap_record r;
		struct span data;

		memcpy(&r, p->tap.mem + at, sizeof(r));
		data = span_of(p->tap.mem + at + sizeof(r), r.len);
		at += (sizeof(r) + r.len + 7) & ~(size_t)7;
		if (r.buffer == TAP_DEFLATE || r.is_seam)
			continue;
		if (r.buffer == BUF_N)
			message_end(p, &r);
		else if (buffer_info(r.buffer)->stage == BUFFER_STREAM)
			stream_add(p, &r, data);
		else
			p->err = sample_add(p->sample, r.buffer, r.dir, data);
	}
	p->tap.used = 0;
}

static int start(struct profile *p, struct diag *d)
{
	struct pipeline_conf conf = {.flows = 65536, .tap = &p->tap};
	struct rules rs = {0};
	void *image = NULL;
	uint64_t len;
	int err = rules_parse(&rs, "profile", every_buffer, strlen(every_buffer), NULL, NULL, NULL);

	if (err >= 0)
		err = compile_image(&rs, 0, &image, &len, NULL, NULL, NULL, d);
	if (err == 0)
		err = ruleset_load(image, len, NULL, 1, 1, &p->rs, d);
	free(image);
	rules_done(&rs);
	if (err < 0)
		return err;
	p->open = calloc(OPEN_MAX, sizeof(*p->open));
	p->tap.mem = malloc(TAP_BYTES);
	p->tap.room = TAP_BYTES;
	p->mem_bytes = pipeline_memory(&conf);
	p->mem = mmap(NULL, p->mem_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->mem == MAP_FAILED)
		p->mem = NULL;
	if (p->open == NULL || p->tap.mem == NULL || p->mem == NULL)
		return -ENOMEM;
	err = pipeline_init(p->mem, p->mem_bytes, &conf, &p->pipe);
	if (err == 0)
		pipeline_set_ruleset(p->pipe, p->rs);
	return err;
}

static int run(struct profile *p, const char *path, struct diag *d)
{
	struct capture *c;
	struct frame f;
	uint64_t now = 0;
	int err = capture_open(path, &c, d), got;

	if (err < 0)
		return err;
	while (!p->sample->full && p->err == 0 && (got = capture_next(c, &f, d)) == 1) {
		now = f.ts_ns > now ? f.ts_ns : now;
		pipeline_burst(p->pipe, &f, 1, now);
		drain(p);
		pipeline_idle(p->pipe, now, SWEEP_PER_FRAME);
		drain(p);
	}
	capture_close(c);
	while (pipeline_flush(p->pipe, now, FLUSH_AT_ONCE) > 0)
		drain(p);
	drain(p);
	return p->err; // a capture that was cut short is as good a sample
}

int profile_read(const char *path, struct sample *ret_sample, struct diag *ret_diag)
{
	struct profile p = {.sample = ret_sample};
	int err = start(&p, ret_diag);

	if (err == 0)
		err = run(&p, path, ret_diag);
	if (err == 0 && ret_sample->messages[0] + ret_sample->messages[1] == 0) {
		diag_set(ret_diag, path, 0, 0, "has no message to measure on");
		err = -EINVAL;
	}
	pipeline_done(p.pipe);
	if (p.mem != NULL)
		munmap(p.mem, p.mem_bytes);
	ruleset_free(p.rs);
	for (size_t i = 0; i < p.n_open; i++)
		free(p.open[i].data);
	free(p.open);
	free(p.tap.mem);
	return err;
}
