// SPDX-License-Identifier: BSD-2-Clause
// Pieces of four datagrams, as the bytes say, against a model of what Linux does with each; then nothing may be left.
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/frag.h"
#include "tests/unit/fragmodel.h"

enum {
	DATAGRAMS = 256, // with as many blocks: nothing is ever evicted
	IDS = 4,
	STEP_BYTES = 5,
	STEPS_MAX = 512,
	DATA_MAX = 4096,
	HEAD = 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frag_table table;
static struct counters counters;
static struct fragmodel models[IDS];
static uint8_t text[DATA_MAX + 256];

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void start(void)
{
	static void *memory;

	if (memory == NULL) {
		if (posix_memalign(&memory, 64, frag_table_bytes(DATAGRAMS)) != 0)
			abort();
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (uint8_t)(i * 2654435761u >> 11);
	}
	memset(&counters, 0, sizeof(counters));
	frag_table_init(&table, memory, DATAGRAMS, 77, &counters);
	for (int i = 0; i < IDS; i++)
		fragmodel_reset(&models[i]);
}

// s: which datagram and flags, offset (2), length, which bytes.
static void step(const uint8_t *s, uint64_t now_ns)
{
	struct fragmodel *m = &models[s[0] % IDS];
	uint32_t len = (s[0] & 0x10) != 0 ? s[3] * 16u : s[3];
	struct pkt_fragment p = {
		.id = s[0] % IDS,
		.net = (s[0] & 1) != 0 ? FLOW_NET_IPV6 : 0,
		.offset = (s[1] & ((s[0] & 0x20) != 0 ? 0x1fu : 0u)) << 11 | s[2] * 8u,
		.data = span_of(text + s[4], len),
		.head_len = HEAD,
		.more = (s[0] & 0x40) != 0,
	};
	enum fragmodel_says says = fragmodel_put(m, p.offset, p.more, p.data, HEAD);
	uint64_t duplicates = counters.v[CNT_FRAG_DUPLICATE];
	struct span whole;
	bool conflict;

	require(frag_take(&table, &p, now_ns, &whole, &conflict) == (says == FRAGMODEL_WHOLE));
	require(counters.v[CNT_FRAG_DUPLICATE] - duplicates == (says == FRAGMODEL_DUPLICATE));
	if (says == FRAGMODEL_WHOLE)
		require(whole.len == m->len && memcmp(whole.data, m->bytes, m->len) == 0);
	if (says == FRAGMODEL_WHOLE || says == FRAGMODEL_GONE)
		fragmodel_reset(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t now_ns = 1;

	start();
	for (unsigned int i = 0; i < STEPS_MAX && size >= STEP_BYTES; i++) {
		if ((data[0] & 0x80) != 0 && data[1] == 0xff) { // time passes
			now_ns += (FRAG_LIFE_S + 1) * UINT64_C(1000000000);
			if (data[2] & 1)
				frag_expire(&table, now_ns, data[3]);
			for (int k = 0; k < IDS; k++)
				fragmodel_reset(&models[k]);
		} else {
			step(data, now_ns);
		}
		require(table.datagrams.used <= IDS);
		data += STEP_BYTES;
		size -= STEP_BYTES;
	}
	frag_flush(&table);
	require(table.datagrams.used == 0 && table.blocks.used == 0);
	require(counters.v[CNT_FRAG_ACTIVE] == 0 && counters.v[CNT_FRAG_EVICTED] == 0);
	return 0;
}
