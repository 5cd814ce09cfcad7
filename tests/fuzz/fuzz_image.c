// SPDX-License-Identifier: BSD-2-Clause
// The image check. The input patches a good image, four bytes each: two of an offset in front of the blobs, one of an
// operation, one of a value; then the digest is made right. What passes the check must be good to inspect with.
// libhs never sees a changed database: blobs and the rows that point to them stay as they are when it is asked to load.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/ruleset.h"
#include "rules/compile.h"
#include "tests/unit/pktgen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
	"alert http 10.0.0.0/8 1024: -> any !443 (msg:\"m\"; http.uri; content:\"/a\"; "
	"pcre:\"/b+/\"; classtype:c; sid:1;)\n"
	"alert http any any -> any any (file.data; content:\"exact\"; sid:2;)\n"
	"alert http any any -> any any (file.data; content:\"one\"; content:\"two\"; distance:0; "
	"within:9; sid:3;)\n"
	"alert http any any -> any any (http.user_agent; content:\"Selective-Agent\"; file.data; "
	"content:!\"no\"; sid:4;)\n"
	"alert http any any -> any any (http.header; content:!\"Host\"; sid:5;)\n"
	"alert http any any -> any any (http.uri; content:\"/\"; pkt_data; content:\"raw\"; "
	"sid:6;)\n"
	"alert http any any -> any any (file.data; content:\"two\"; content:\"one\"; distance:-9; "
	"sid:7;)\n"
	"alert http any any -> any any (filesize:>3; filemd5:l; file.name; content:\"a\"; sid:8;)\n"
	"alert http any any -> any any (ip.src; dataset:isnotset,x,type ip,load l; sid:9;)\n";

static const char message[] =
	"POST /abb HTTP/1.1\r\nUser-Agent: Selective-Agent\r\nContent-Length: 22\r\n\r\n"
	"exact one two raw and.";

struct base {
	uint8_t *image, *copy;
	uint64_t len;
	void *mem;
	size_t mem_bytes;
	struct pipeline_conf conf;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int open_empty(void *ctx, const char *rule_file, const char *name,
		      struct rule_source *ret_source, struct diag *ret_diag)
{
	*ret_source = (struct rule_source){.fd = -1, .name = "l"};
	return 0;
}

static void base_make(struct base *b)
{
	static const struct rule_files files = {.open = open_empty};
	struct rules rs = {.files = &files};
	void *image;

	must(rules_parse(&rs, "fuzz", rules, sizeof(rules) - 1, NULL, NULL, NULL) == 9);
	must(compile_image(&rs, 7, &image, &b->len, NULL, NULL, NULL, NULL) == 0);
	rules_done(&rs);
	b->image = image;
	b->copy = malloc(b->len);
	b->conf = (struct pipeline_conf){
		.flows = 2,
		.segments = 8,
		.conns = 2,
		.messages = 8,
		.heads = 2,
		.inflaters = 1,
		.windows = 2,
		.hits = 64,
		.events = 8,
	};
	b->mem_bytes = pipeline_memory(&b->conf);
	b->mem = aligned_alloc(64, (b->mem_bytes + 63) & ~(size_t)63);
	must(b->copy != NULL && b->mem != NULL);
}

// Returns whether libhs may see the result.
static bool patch(struct base *b, const uint8_t *data, size_t size)
{
	const struct image_header *h = (const struct image_header *)(const void *)b->image;
	const struct image_section *dbs = &h->section[IMAGE_DBS];
	const uint64_t end = h->section[IMAGE_BLOBS].off;

	for (; size >= 4; data += 4, size -= 4) {
		uint8_t *at = b->copy + (data[0] << 8 | data[1]) % end;

		if (data[2] % 3 == 0)
			*at ^= data[3];
		else if (data[2] % 3 == 1)
			*at = data[3];
		else
			memset(at, data[3], end - (uint64_t)(at - b->copy) < 4 ? 1 : 4);
	}
	return memcmp(b->copy + dbs->off, b->image + dbs->off, dbs->bytes) == 0 &&
	       memcmp(&((const struct image_header *)(const void *)b->copy)->section[IMAGE_DBS],
		      dbs,
		      2 * sizeof(*dbs)) == 0 && // and texts
	       memcmp(&((const struct image_header *)(const void *)b->copy)->section[IMAGE_BLOBS],
		      &h->section[IMAGE_BLOBS], sizeof(*dbs)) == 0;
}

static void inspect(struct base *b, struct ruleset *rs)
{
	static const struct pktgen_ends ends = {
		.addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
			 {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2}},
		.port = {2000, 80},
	};
	const size_t len = sizeof(message) - 1, cut = len - 12;
	uint8_t buf[PKTGEN_HEAD_MAX + sizeof(message) + PIPELINE_TAIL_BYTES] = {0};
	struct pipeline *p;

	memset(b->mem, 0, b->mem_bytes);
	must(pipeline_init(b->mem, b->mem_bytes, &b->conf, &p) == 0);
	pipeline_set_ruleset(p, rs);
	for (int i = 0; i < 2; i++) {
		struct pktgen_seg s = {
			.flags = 0x10,
			.seq = i == 0 ? 1 : 1 + (uint32_t)cut,
			.data = i == 0 ? span_of(message, cut) : span_of(message + cut, len - cut),
		};
		struct frame f = {.data = buf, .tail_bytes = PIPELINE_TAIL_BYTES};

		f.len = f.wire_len = (uint32_t)pktgen_frame(buf, &ends, &s);
		pipeline_burst(p, &f, 1, 1000);
	}
	while (pipeline_flush(p, 2000, 2) > 0)
		;
	must(pipeline_objects_in_use(p) == 0);
	must(!ruleset_in_use(rs));
	pipeline_done(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct base b;
	struct ruleset *rs = NULL;
	struct diag d = {0};
	bool loadable;
	int err;

	if (b.image == NULL)
		base_make(&b);
	memcpy(b.copy, b.image, b.len);
	loadable = patch(&b, data, size);
	err = image_check(b.copy, b.len, NULL, &d);
	must(memcmp(b.copy, b.image, b.len) == 0 || err != 0); // the digest was not made right yet
	image_seal(b.copy, b.len);
	err = image_check(b.copy, b.len, NULL, &d);
	must(err == 0 || d.text[0] != '\0');
	if (err < 0 || !loadable)
		return 0;
	if (ruleset_load(b.copy, b.len, NULL, 1, 1, &rs, &d) == 0)
		inspect(&b, rs);
	ruleset_free(rs);
	return 0;
}
