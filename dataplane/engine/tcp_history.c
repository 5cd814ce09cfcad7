// SPDX-License-Identifier: BSD-2-Clause
// The last bytes read in a direction that its receiver has not acknowledged yet, and marks of the segments before them: whether another
// copy of a range differs, and what stands around it. What is acknowledged is final: no host takes another copy of it.
//
//   ring: the last 4 KiB as they were, at their sequence number
//   marks: 16 x (place, length, hash) of the segments read last; hashed when they leave the ring unacknowledged
//   other: the end of the last other reading, so that what follows it in the stream is read behind it, too
#include "dataplane/engine/tcp_impl.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	MARKS = 16,
	RING = 4096,
	OTHER_MAX = 252,
	CLEAN_BYTES =
		64 << 10, // after so many without irregularity a server's stream is clean again
};

struct tcp_history {
	uint16_t mark_len[MARKS]; // 0: none
	uint32_t hashed;          // bit per mark
	uint32_t end_seq;         // behind what is in the ring
	uint32_t odd_seq;         // where the last irregularity was
	uint32_t other_seq;
	uint16_t kept;      // bytes in the ring
	uint16_t other_len; // 0: none
	uint8_t next_mark;
	uint8_t pad[3];
	struct mark {
		uint32_t seq, hash;
	} marks[MARKS];
	uint8_t other[OTHER_MAX];
	uint8_t ring[RING];
};
_Static_assert(sizeof(struct tcp_history) <= TCP_HISTORY_BYTES, "");

static struct tcp_history *history_of(const struct tcp_ctx *x, const struct tcp_half *h)
{
	return h->history == POOL_NONE ? NULL : pool_at(x->histories, h->history);
}

// Of bytes at seq: piece by piece as they lie in the ring.
static uint32_t hash_of(const struct tcp_ctx *x, uint32_t seq, struct span data)
{
	uint64_t hash = x->hash_key;

	while (data.len > 0) {
		struct span piece = span_first(data, RING - seq % RING);

		hash = XXH3_64bits_withSeed(piece.data, piece.len, hash);
		data = span_from(data, piece.len);
		seq += (uint32_t)piece.len;
	}
	return (uint32_t)hash;
}

static struct tcp_history *history_new(const struct tcp_ctx *x, struct tcp_half *h)
{
	struct tcp_history *y = pool_get(x->histories);

	if (y == NULL) {
		x->counters->v[CNT_TCP_NO_HISTORY]++;
		return NULL;
	}
	memset(y, 0, offsetof(struct tcp_history, marks));
	y->odd_seq = h->next_seq;
	h->history = pool_index(x->histories, y);
	return y;
}

// The piece of the ring at seq that lies in one: at most len bytes.
static struct span ring_at(const struct tcp_history *y, uint32_t seq, size_t len)
{
	return span_first(span_from(span_of(y->ring, RING), seq % RING), len);
}

static void ring_add(struct tcp_history *y, uint32_t seq, struct span data)
{
	struct span first;

	y->kept = data.len > RING - (size_t)y->kept ? RING : (uint16_t)(y->kept + data.len);
	if (data.len > RING) {
		seq += (uint32_t)(data.len - RING);
		data = span_from(data, data.len - RING);
	}
	first = ring_at(y, seq, data.len);
	memcpy(y->ring + seq % RING, data.data, first.len);
	data = span_from(data, first.len);
	if (data.len > 0)
		memcpy(y->ring, data.data, data.len);
}

// Are the bytes in the ring from seq on those of data? All of it is in the ring.
static bool ring_has(const struct tcp_history *y, uint32_t seq, struct span data)
{
	while (data.len > 0) {
		struct span piece = ring_at(y, seq, data.len);

		if (memcmp(piece.data, data.data, piece.len) != 0)
			return false;
		data = span_from(data, piece.len);
		seq += (uint32_t)piece.len;
	}
	return true;
}

// Hash what len more bytes push out of the ring, if it may still be sent again.
static void marks_hash(const struct tcp_ctx *x, struct tcp_history *y, const struct tcp_half *peer,
		       size_t len)
{
	for (uint32_t i = 0; i < MARKS; i++) {
		struct mark *m = &y->marks[i];
		size_t n = y->mark_len[i];
		uint64_t hash = x->hash_key;

		if (n == 0 || (y->hashed >> i & 1) != 0 || y->end_seq - m->seq + len <= RING)
			continue;
		if (y->end_seq - m->seq > y->kept ||
		    ((peer->flags & TCP_HALF_ACK_SEEN) != 0 &&
		     tcp_seq_diff(peer->last_ack, m->seq + (uint32_t)n) >= 0)) {
			y->mark_len[i] = 0;
			continue;
		}
		for (uint32_t seq = m->seq; n > 0;) {
			struct span piece = ring_at(y, seq, n);

			hash = XXH3_64bits_withSeed(piece.data, piece.len, hash);
			seq += (uint32_t)piece.len;
			n -= piece.len;
		}
		m->hash = (uint32_t)hash;
		y->hashed |= 1u << i;
	}
}

static void mark_add(const struct tcp_ctx *x, struct tcp_history *y, uint32_t seq, struct span data)
{
	uint32_t i = y->next_mark;

	y->marks[i].seq = seq;
	y->mark_len[i] = (uint16_t)data.len;
	y->hashed &= ~(1u << i);
	if (data.len > RING) {
		y->marks[i].hash = hash_of(x, seq, data);
		y->hashed |= 1u << i;
	}
	y->next_mark = (uint8_t)((i + 1) % MARKS);
}

void tcp_history_add(const struct tcp_ctx *x, struct tcp_half *h, const struct tcp_half *peer,
		     struct span data)
{
	struct tcp_history *y = history_of(x, h);
	uint32_t seq = h->next_seq - (uint32_t)data.len;

	if (data.len == 0)
		return;
	if (y == NULL)
		y = history_new(x, h);
	if (y == NULL)
		return;
	if (y->kept + data.len > RING)
		marks_hash(x, y, peer, data.len);
	if (y->end_seq != seq)
		y->kept = 0; // behind a hole
	ring_add(y, seq, data);
	y->end_seq = h->next_seq;
	mark_add(x, y, seq, data);
	if (y->end_seq - y->odd_seq > CLEAN_BYTES) {
		y->odd_seq = y->end_seq;
		if (h->ooo_head == POOL_NONE)
			h->flags &= (uint16_t)~TCP_HALF_ODD;
	}
}

void tcp_history_drop(const struct tcp_ctx *x, struct tcp_half *h)
{
	if (h->history != POOL_NONE)
		pool_put(x->histories, pool_at(x->histories, h->history));
	h->history = POOL_NONE;
}

void tcp_history_acked(const struct tcp_ctx *x, struct tcp_half *h, const struct tcp_half *peer)
{
	if ((peer->flags & TCP_HALF_ACK_SEEN) == 0 || h->ooo_head != POOL_NONE ||
	    tcp_seq_diff(peer->last_ack, h->next_seq) < 0)
		return;
	// As what may stand before another reading it is useful still, while there is room.
	if ((h->flags & TCP_HALF_ODD) != 0 || x->histories->used > x->histories->capacity / 2)
		tcp_history_drop(x, h);
	h->flags &= (uint16_t)~TCP_HALF_ODD;
}

static bool is_marked(const struct tcp_ctx *x, const struct tcp_history *y, uint32_t seq,
		      struct span data, bool *ret_same)
{
	for (uint32_t i = 0; i < MARKS; i++) {
		if (y->marks[i].seq != seq || y->mark_len[i] != data.len ||
		    (y->hashed >> i & 1) == 0)
			continue;
		*ret_same = y->marks[i].hash == hash_of(x, seq, data);
		return true;
	}
	return false;
}

enum tcp_same tcp_history_compare(const struct tcp_ctx *x, const struct tcp_half *h, uint32_t seq,
				  struct span data)
{
	const struct tcp_history *y = history_of(x, h);
	int32_t before;
	bool same;

	if (data.len == 0)
		return TCP_SAME;
	if (y == NULL)
		return TCP_FORGOTTEN;
	before = tcp_seq_diff(y->end_seq - y->kept, seq); // bytes of data before the ring
	if (before <= 0)
		return tcp_seq_diff(seq + (uint32_t)data.len, y->end_seq) > 0 ? TCP_FORGOTTEN
		       : ring_has(y, seq, data)                               ? TCP_SAME
									      : TCP_DIFFERS;
	if (is_marked(x, y, seq, data, &same))
		return same ? TCP_SAME : TCP_DIFFERS;
	// Partly remembered: what is remembered may tell.
	if ((size_t)before < data.len && data.len - (size_t)before <= y->kept &&
	    !ring_has(y, seq + (uint32_t)before, span_from(data, (size_t)before)))
		return TCP_DIFFERS;
	return TCP_FORGOTTEN;
}

// ---- marks of a clean stream ----

static uint32_t mark_hash(const struct tcp_ctx *x, struct span data)
{
	return (uint32_t)XXH3_64bits_withSeed(data.data, data.len, x->hash_key);
}

void tcp_marks_add(const struct tcp_ctx *x, struct flow *f, struct span data)
{
	struct tcp_marks *m = &f->marks;
	const unsigned int i = m->next % TCP_MARKS;

	if (data.len == 0 || data.len > UINT16_MAX)
		return;
	m->next++;
	m->seq[i] = f->half[DIR_TO_CLIENT].next_seq - (uint32_t)data.len;
	m->len[i] = (uint16_t)data.len;
	m->hash[i] = mark_hash(x, data);
}

// Piece by piece, as they were sent before.
enum tcp_same tcp_marks_compare(const struct tcp_reader *rd, uint32_t seq, struct span data)
{
	const struct tcp_marks *m = &rd->f->marks;

	if (rd->half != &rd->f->half[DIR_TO_CLIENT])
		return TCP_FORGOTTEN;
	while (data.len > 0) {
		unsigned int i = 0;

		while (i < TCP_MARKS &&
		       (m->seq[i] != seq || m->len[i] == 0 || m->len[i] > data.len))
			i++;
		if (i == TCP_MARKS)
			return TCP_FORGOTTEN;
		if (m->hash[i] != mark_hash(rd->x, span_first(data, m->len[i])))
			return TCP_DIFFERS;
		seq += m->len[i];
		data = span_from(data, m->len[i]);
	}
	return TCP_SAME;
}

// ---- other readings ----

static void scratch_add(struct tcp_reader *rd, const uint8_t *data, size_t len)
{
	size_t room = TCP_SCRATCH_BYTES - 64 - rd->alt.len;

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(rd->x->scratch + rd->alt.len, data, len);
	rd->alt.len += len;
}

static void scratch_add_ring(struct tcp_reader *rd, const struct tcp_history *y, uint32_t seq,
			     size_t len)
{
	while (len > 0) {
		struct span piece = ring_at(y, seq, len);

		scratch_add(rd, piece.data, piece.len);
		seq += (uint32_t)piece.len;
		len -= piece.len;
	}
}

void tcp_alt_begin(struct tcp_reader *rd, uint32_t seq)
{
	struct tcp_history *y = history_of(rd->x, rd->half);

	rd->alt = span_of(rd->x->scratch, 0);
	rd->context = 0;
	if (y == NULL)
		return;
	y->odd_seq = y->end_seq;
	if ((rd->half->flags & TCP_HALF_FIN_DONE) != 0 && seq == rd->half->fin_seq + 1)
		seq--; // whoever passes over the FIN
	if (y->other_len > 0 && y->other_seq == seq) {
		scratch_add(rd, y->other, y->other_len);
	} else {
		int32_t at = tcp_seq_diff(seq, y->end_seq - y->kept);

		if (at > 0 && at <= y->kept) {
			size_t n = at < TCP_CONTEXT ? (size_t)at : TCP_CONTEXT;

			scratch_add_ring(rd, y, seq - (uint32_t)n, n);
		}
	}
	rd->context = (uint16_t)rd->alt.len;
}

void tcp_alt_add(struct tcp_reader *rd, struct span copy)
{
	scratch_add(rd, copy.data, copy.len);
}

// The end of what is in the scratch buffer: what may follow it follows from seq.
static void other_keep(struct tcp_reader *rd, uint32_t seq)
{
	struct tcp_history *y = history_of(rd->x, rd->half);
	size_t n = rd->alt.len < OTHER_MAX ? rd->alt.len : OTHER_MAX;

	if (y == NULL)
		return;
	memcpy(y->other, rd->alt.data + rd->alt.len - n, n);
	y->other_len = (uint16_t)n;
	y->other_seq = seq;
}

void tcp_alt_end(struct tcp_reader *rd, uint32_t end_seq, enum counter anomaly)
{
	struct tcp_history *y = history_of(rd->x, rd->half);

	rd->anomaly = anomaly;
	rd->half->flags |= TCP_HALF_ODD;
	if (y != NULL) {
		int32_t behind = tcp_seq_diff(y->end_seq, end_seq);

		if (behind > 0 && behind <= y->kept) {
			size_t n = behind < TCP_CONTEXT ? (size_t)behind : TCP_CONTEXT;

			scratch_add_ring(rd, y, end_seq, n);
			end_seq += (uint32_t)n;
		}
	}
	other_keep(rd, end_seq);
}

void tcp_alt_follow(struct tcp_reader *rd, uint32_t seq, struct span data)
{
	struct tcp_history *y = history_of(rd->x, rd->half);

	if (y == NULL || y->other_len == 0 || y->other_seq != seq || data.len == 0)
		return;
	data = span_first(data, TCP_CONTEXT);
	rd->alt = span_of(rd->x->scratch, 0);
	scratch_add(rd, y->other, y->other_len);
	scratch_add(rd, data.data, data.len);
	rd->context =
		(uint16_t)rd->alt.len; // all of it was handed out before, though not side by side
	rd->anomaly = 0;
	y->other_len = 0;
}
