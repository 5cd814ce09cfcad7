// SPDX-License-Identifier: BSD-2-Clause
// A mark is 16 bits of a flow's hash, by which it is known again, and the number of a worker plus one. Marks are
// overwritten by whoever comes: two flows on one mark make it useless for one of them, and never wrong by more than one
// flow in 65,536.
#include "dataplane/spread.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/engine/pipeline.h"

enum {
	ETH_TYPE_AT = 12,
	TAGS_MAX = 4,
	LABELS_MAX = 8,
	TCP_SYN = 0x02,
	TCP_SYN_ACK = 0x12,
	TCP_MEANING = 0x17, // FIN, SYN, RST, ACK
};

int spread_init(struct spread *s, uint32_t workers, const uint64_t key[2], bool software)
{
	s->marks = calloc(SPREAD_MARKS, sizeof(*s->marks));
	if (s->marks == NULL)
		return -ENOMEM;
	s->workers = workers;
	s->key[0] = key[0];
	s->key[1] = key[1];
	atomic_store_explicit(&s->software, software, memory_order_relaxed);
	return 0;
}

void spread_done(struct spread *s)
{
	free(s->marks);
	s->marks = NULL;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

// Past VLAN tags and MPLS labels. What is there, 0 if that is not IP.
static uint16_t skip_tags(const uint8_t *p, uint32_t len, uint32_t *io_off)
{
	uint16_t type = 0;
	uint32_t off = *io_off;

	for (unsigned int i = 0; i <= TAGS_MAX; i++, off += 4) {
		if (off + 4 > len)
			return 0;
		type = be16(p + off);
		if (type != 0x8100 && type != 0x88a8 && type != 0x9100)
			break;
	}
	off += 2;
	if (type == 0x8847) {
		bool is_last = false;

		for (unsigned int i = 0; i < LABELS_MAX && !is_last; i++, off += 4) {
			if (off + 5 > len)
				return 0;
			is_last = (p[off + 2] & 1) != 0;
		}
		type = p[off] >> 4 == 4 ? 0x0800 : p[off] >> 4 == 6 ? 0x86dd : 0;
	}
	*io_off = off;
	return type;
}

// Flags of a TCP segment that opens or resets a flow lie in plain sight, or they are not looked at: 0.
static uint8_t tcp_flags(const uint8_t *p, uint32_t len)
{
	uint32_t off = ETH_TYPE_AT;
	uint16_t type = skip_tags(p, len, &off);

	if (type == 0x0800) {
		if (off + 20 > len || p[off + 9] != 6 || (be16(p + off + 6) & 0x3fff) != 0)
			return 0;
		off += (p[off] & 15u) * 4;
	} else if (type == 0x86dd) {
		if (off + 40 > len || p[off + 6] != 6)
			return 0;
		off += 40;
	} else {
		return 0;
	}
	return off + 14 <= len ? p[off + 13] & TCP_MEANING : 0;
}

static uint32_t mark_of(uint32_t frame_hash, uint32_t worker)
{
	return frame_hash >> 16 << 8 | (worker + 1);
}

enum spread_seen spread_see(struct spread *s, uint32_t worker, const uint8_t *data, uint32_t len)
{
	const uint8_t flags = tcp_flags(data, len);

	if (flags != TCP_SYN && flags != TCP_SYN_ACK)
		return SPREAD_NOTHING;
	const struct frame f = {.data = data, .len = len, .wire_len = len};
	bool fragment;
	const uint32_t hash = pipeline_frame_hash(&f, s->key, &fragment);
	_Atomic uint32_t *mark = &s->marks[hash % SPREAD_MARKS];
	const uint32_t mine = mark_of(hash, worker);

	if (flags == TCP_SYN) {
		atomic_store_explicit(mark, mine, memory_order_relaxed);
		return SPREAD_NOTHING;
	}
	const uint32_t found = atomic_load_explicit(mark, memory_order_relaxed);

	if (found >> 8 != mine >> 8 || (found & 0xff) == 0)
		return SPREAD_NOTHING;
	return found == mine ? SPREAD_TOGETHER : SPREAD_APART;
}

uint32_t spread_owner(const struct spread *s, uint32_t frame_hash, uint32_t self)
{
	if (spread_is_software(s))
		return pipeline_owner(frame_hash, s->workers);
	const uint32_t found =
		atomic_load_explicit(&s->marks[frame_hash % SPREAD_MARKS], memory_order_relaxed);
	const bool known = (found & 0xff) != 0 && found >> 8 == mark_of(frame_hash, 0) >> 8;

	return known ? (found & 0xff) - 1 : self;
}

bool spread_judge(struct spread *s, uint64_t together, uint64_t apart)
{
	// One in a hundred: a flow that is routed by two ways is nobody's fault.
	if (spread_is_software(s) || apart < SPREAD_APART_MIN || apart * 100 < together + apart)
		return false;
	atomic_store_explicit(&s->software, true, memory_order_relaxed);
	return true;
}
