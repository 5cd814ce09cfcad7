// SPDX-License-Identifier: BSD-2-Clause
// The whole path of a packet. The input is a list of operations (tests/fuzz/corpus/pipeline.py writes some):
//
//   0dddffff LL flags seq payload[LL]   a segment: flow ffff, direction d (of ddd the lowest bit), see segment()
//   10tttttt                            so many seconds pass
//   110.....                            expire, close some flows, swap or withdraw the rule set
//   111..... LL frame[LL]               a frame as it is
//
// Whatever comes, every byte and flow is in exactly one account and nothing stays in a pool.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"
#include "rules/compile.h"
#include "tests/unit/pktgen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	FLOWS = 16,
	SETS = 2,
	FRAME_MAX = 512,
};

static const char *const rules[SETS] = {
	"alert http any any -> any any (http.uri; content:\"/a\"; sid:1;)\n"
	"alert http any any -> any any (file.data; content:\"exact\"; sid:2;)\n"
	"alert http any any -> any any (file.data; content:\"one\"; content:\"two\"; distance:0; "
	"within:9; sid:3;)\n"
	"alert http any any -> any any (file.data; content:\"one\"; content:!\"two\"; sid:4;)\n"
	"alert http any any -> any any (http.method; content:\"POST\"; http.request_body; "
	"pcre:\"/[0-9]x/\"; sid:5;)\n"
	"alert tcp any any -> any any (content:\"raw\"; sid:6;)\n"
	"alert http any any -> any any (http.header; content:!\"Host\"; sid:7;)\n"
	"alert http any any -> any any (http.uri; content:\"/zqxjkvbw\"; pkt_data; "
	"content:!\"no\"; sid:8;)\n"
	"alert http any any -> any any (content:\"wake\"; http.cookie; content:\"c\"; file.data; "
	"content:!\"no\"; sid:9;)\n"
	"alert http any any -> any any (file.data; content:\"end\"; endswith; sid:10;)\n"
	"alert http any any -> any any (file.data; content:\"two\"; content:\"one\"; distance:-9; "
	"within:9; sid:11;)\n"
	"alert http any any -> any any (file.data; content:\"=\"; pcre:\"/([a-z])\\1/R\"; "
	"content:!\"no\"; within:5; sid:12;)\n",
	"alert http any any -> any any (file.data; content:\"two\"; offset:2; depth:30; sid:1;)\n",
};

struct fuzz {
	struct pipeline *p;
	struct ruleset *sets[SETS];
	uint8_t *mem;
	size_t bytes;
	struct pipeline_conf conf;
	uint64_t now_ns;
	uint64_t hits, events; // taken from the rings
	uint32_t next[FLOWS][2];
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct ruleset *set_make(const char *text, uint32_t generation)
{
	struct rules rs = {0};
	struct ruleset *set = NULL;
	void *image;
	uint64_t len;

	must(rules_parse(&rs, "fuzz", text, strlen(text), NULL, NULL, NULL) > 0);
	must(compile_image(&rs, 0, &image, &len, NULL, NULL, NULL, NULL) == 0);
	must(ruleset_load(image, len, NULL, generation, 1, &set, NULL) == 0);
	rules_done(&rs);
	free(image);
	return set;
}

// Made once; a run leaves the sets unused, the memory is cleared for the next one.
static void fuzz_make(struct fuzz *f)
{
	f->conf = (struct pipeline_conf){
		.flows = 8, // fewer than the input can name
		.segments = 12,
		.conns = 6,
		.messages = 12,
		.heads = 2,
		.inflaters = 2,
		.windows = 2,
		.hits = 16,
		.events = 16,
		.event_mask = (1 << EVENT_N) - 1,
		.hash_key = {3, 4},
	};
	f->bytes = pipeline_memory(&f->conf);
	f->mem = aligned_alloc(64, (f->bytes + 63) & ~(size_t)63);
	must(f->mem != NULL);
	for (int i = 0; i < SETS; i++)
		f->sets[i] = set_make(rules[i], (uint32_t)i);
}

static void drain(struct fuzz *f)
{
	uint64_t n = ring_count(pipeline_hits(f->p));

	f->hits += n;
	ring_pop(pipeline_hits(f->p), n);
	n = ring_count(pipeline_events(f->p));
	f->events += n;
	ring_pop(pipeline_events(f->p), n);
}

// In a block of its own size: with fewer than PIPELINE_TAIL_BYTES behind it a read past the end is seen.
static void frame_feed(struct fuzz *f, const uint8_t *bytes, size_t len, uint32_t tail)
{
	uint8_t *block = malloc(len + tail + 1);
	struct frame frame = {
		.data = block,
		.len = (uint32_t)len,
		.wire_len = (uint32_t)len,
		.tail_bytes = tail,
		.ts_ns = f->now_ns,
	};

	must(block != NULL);
	if (len > 0)
		memcpy(block, bytes, len);
	memset(block + len, 0x55, tail);
	f->now_ns += 1000;
	pipeline_burst(f->p, &frame, 1, f->now_ns);
	free(block);
}

// flags: the TCP flags with ACK turned round, so that 0 is a plain segment; bit 6: few bytes follow the frame.
// seq: 0 the next one expected, else so far before or behind it; 255 far away.
static void segment(struct fuzz *f, uint8_t op, uint8_t flags, uint8_t seq, const uint8_t *data,
		    size_t len)
{
	static const struct pktgen_ends ends = {
		.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
			 {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}},
		.port = {2000, 80},
	};
	struct pktgen_ends e = ends;
	const int flow = op & 15, dir = op >> 4 & 1;
	uint32_t *next = f->next[flow];
	struct pktgen_seg s = {
		.dir = (uint8_t)dir,
		.flags = (uint8_t)((flags & 0x3f) ^ 0x10),
		.window = 65535,
		.seq = next[dir] + (seq == 255 ? 0x40000000u : (uint32_t)(int8_t)seq),
		.data = span_of(data, len),
	};
	uint8_t frame[PKTGEN_HEAD_MAX + 256];

	e.port[0] = (uint16_t)(e.port[0] + flow);
	s.ack = next[!dir];
	if (seq == 0)
		next[dir] += (uint32_t)len + ((s.flags & 3) != 0);
	frame_feed(f, frame, pktgen_frame(frame, &e, &s),
		   (flags & 0x40) != 0 ? 0 : PIPELINE_TAIL_BYTES);
}

static void control(struct fuzz *f, uint8_t op)
{
	if ((op & 1) != 0)
		pipeline_set_ruleset(f->p, (op & 6) == 6 ? NULL : f->sets[op >> 1 & 1]);
	if ((op & 8) != 0)
		pipeline_release_old(f->p);
	if ((op & 16) != 0)
		pipeline_flush(f->p, f->now_ns, 2);
	pipeline_idle(f->p, f->now_ns, 8);
}

static void books(const struct fuzz *f)
{
	const uint64_t *v = pipeline_counters(f->p)->v;

	must(v[CNT_TCP_PAYLOAD] == v[CNT_TCP_DELIVERED] + v[CNT_TCP_RELEASED] +
					   v[CNT_TCP_DUPLICATE] + v[CNT_TCP_OUT_OF_WINDOW] +
					   v[CNT_TCP_IGNORED] + v[CNT_TCP_OLD_TS] +
					   v[CNT_TCP_BAD_ACK] + v[CNT_TCP_URGENT_BYTES] +
					   v[CNT_TCP_AFTER_FIN] + v[CNT_TCP_OOO_HELD]);
	must(v[CNT_FLOW_CREATED] == v[CNT_FLOW_ACTIVE] + v[CNT_FLOW_CLOSED] + v[CNT_FLOW_TIMEOUT] +
					    v[CNT_FLOW_EVICTED] + v[CNT_FLOW_SHUTDOWN]);
	must(v[CNT_RX_PKTS] ==
	     v[CNT_PKT_TCP] + v[CNT_PKT_TRUNCATED] + v[CNT_PKT_SHORT] + v[CNT_PKT_NOT_IP] +
		     v[CNT_PKT_VLAN_DEPTH] + v[CNT_PKT_TUNNEL_DEPTH] + v[CNT_PKT_BAD_IPV4] +
		     v[CNT_PKT_BAD_IPV6] + v[CNT_PKT_FRAGMENT] + v[CNT_PKT_NOT_TCP] +
		     v[CNT_PKT_BAD_TCP] + v[CNT_PKT_BAD_CSUM]);
	must(v[CNT_FRAG_DATAGRAMS] == v[CNT_FRAG_ACTIVE] + v[CNT_FRAG_DONE] + v[CNT_FRAG_TIMEOUT] +
					      v[CNT_FRAG_EVICTED] + v[CNT_FRAG_SOURCE_FULL] +
					      v[CNT_FRAG_OVERLAP] + v[CNT_FRAG_BAD_END] +
					      v[CNT_FRAG_TOO_LONG] + v[CNT_FRAG_SHUTDOWN]);
	must(v[CNT_HITS] == f->hits + v[CNT_HITS_LOST]);
	must(v[CNT_EVENTS] == f->events);
	must(v[CNT_SCAN_FAILED] == 0 && v[CNT_APP_READ_AFTER_RELEASE] == 0);
}

static void operations(struct fuzz *f, const uint8_t *data, size_t size)
{
	while (size > 0) {
		uint8_t op = *data++;
		size_t len;

		size--;
		if (op < 0x80) {
			if (size < 3)
				return;
			len = data[0] < size - 3 ? data[0] : size - 3;
			segment(f, op, data[1], data[2], data + 3, len);
			data += 3 + len;
			size -= 3 + len;
		} else if (op < 0xc0) {
			f->now_ns += (uint64_t)(op & 63) * 1000000000;
		} else if (op < 0xe0) {
			control(f, op);
		} else {
			if (size < 1)
				return;
			len = data[0] < size - 1 ? data[0] : size - 1;
			frame_feed(f, data + 1, len, (op & 1) != 0 ? PIPELINE_TAIL_BYTES : 0);
			data += 1 + len;
			size -= 1 + len;
		}
		drain(f);
		books(f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;

	if (f.mem == NULL)
		fuzz_make(&f);
	memset(f.mem, 0, f.bytes);
	memset(f.next, 0, sizeof(f.next));
	f.now_ns = 1000000000;
	f.hits = f.events = 0;
	must(pipeline_init(f.mem, f.bytes, &f.conf, &f.p) == 0);
	pipeline_set_ruleset(f.p, f.sets[0]);
	operations(&f, data, size);
	while (pipeline_flush(f.p, f.now_ns, 4) > 0)
		drain(&f);
	books(&f);
	must(pipeline_objects_in_use(f.p) == 0);
	for (int i = 0; i < SETS; i++)
		must(!ruleset_in_use(f.sets[i]));
	pipeline_done(f.p);
	return 0;
}
