// SPDX-License-Identifier: BSD-2-Clause
// The last bytes read in a direction that its receiver has not acknowledged yet, and marks of the segments before them: whether another
// copy of a range differs, and what stands around it. What is acknowledged is final: no host takes another copy of it.
//
//   ring: the last 4 KiB as they were, at their sequence number
//   marks: 16 x (place, length, hash) of the segments read last; hashed when they leave the ring unacknowledged
//   others: the ends of the last other readings, so that what follows them is read behind them, too
#include "dataplane/engine/tcp_impl.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	MARKS = 16,
	RING = 4096,
	OTHERS = 8,
	OTHER_MAX = 252,
	FOLLOW_MAX = 256, // bytes behind another reading: a content has no more
	CLEAN_BYTES =
		64 << 10, // after so many without irregularity a server's stream is clean again
};

struct tcp_history {
	uint16_t mark_len[MARKS]; // 0: none
	uint32_t hashed;          // bit per mark
	uint32_t end_seq;         // behind what is in the ring
	uint32_t odd_seq;         // where the last irregularity was
	uint16_t kept;            // bytes in the ring
	uint8_t next_mark, next_other;
	bool has_others;
	struct other {
		uint32_t seq;       // what follows it
		uint16_t len, left; // left: bytes that are to be read behind it; 0: free
	} others[OTHERS];
	struct mark {
		uint32_t seq, hash;
	} marks[MARKS];
	uint8_t other_data[OTHERS][OTHER_MAX];
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

static bool is_other_open(const struct tcp_history *y, uint32_t seq)
{
	for (int i = 0; i < OTHERS && y->has_others; i++)
		if (y->others[i].left > 0 && y->others[i].seq == seq)
			return true;
	return false;
}

void tcp_history_acked(const struct tcp_ctx *x, struct tcp_half *h, const struct tcp_half *peer)
{
	const struct tcp_history *y = history_of(x, h);
	bool is_full = x->histories->used > x->histories->capacity / 2;

	if ((peer->flags & TCP_HALF_ACK_SEEN) == 0 || h->ooo_head != POOL_NONE ||
	    tcp_seq_diff(peer->last_ack, h->next_seq) < 0)
		return;
	// Another reading may go on, and as what may stand before one it is useful still, while there is room.
	if (is_full || (h->flags & TCP_HALF_ODD) != 0) {
		if (!is_full && y != NULL && is_other_open(y, h->next_seq))
			return;
		tcp_history_drop(x, h);
	}
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
//
// The scratch buffer: | what stands before, its end at TCP_CONTEXT | the copy | what stands behind |
//
// Linux begins to read a segment where the one before it ended, which may be in its midst. So a copy is read from its start, and
// from every place in it where a segment that was read begins, or another reading ended; each time what stands
// before is written over the bytes of the copy that are not needed any more.

static void scratch_add(struct tcp_reader *rd, const uint8_t *data, size_t len)
{
	size_t at = rd->alt_at + rd->alt.len;
	size_t room = TCP_SCRATCH_BYTES - 64 - at;

	if (len > room)
		len = room;
	if (len > 0)
		memcpy(rd->x->scratch + at, data, len);
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

static bool is_behind_fin(const struct tcp_reader *rd, uint32_t seq)
{
	return (rd->half->flags & TCP_HALF_FIN_DONE) != 0 && seq == rd->half->fin_seq + 1;
}

static const uint8_t *other_data(const struct tcp_history *y, const struct other *o)
{
	return y->other_data[o - y->others];
}

// Write what stands before seq, up to the byte number at of the copy: another reading, or the end of the stream.
static void context_put(struct tcp_reader *rd, const struct tcp_history *y, size_t at, uint32_t seq,
			const struct other *o)
{
	int32_t known = y == NULL ? 0 : tcp_seq_diff(seq, y->end_seq - y->kept);
	size_t n = 0;

	if (o != NULL)
		n = o->len;
	else if (known > 0 && known <= y->kept)
		n = known < TCP_CONTEXT ? (size_t)known : TCP_CONTEXT;
	rd->alt_at = (uint32_t)(TCP_CONTEXT + at - n);
	rd->alt = span_of(rd->x->scratch + rd->alt_at, 0);
	if (o != NULL)
		scratch_add(rd, other_data(y, o), n);
	else
		scratch_add_ring(rd, y, seq - (uint32_t)n, n);
	rd->context = (uint16_t)n;
}

void tcp_alt_begin(struct tcp_reader *rd, uint32_t seq)
{
	struct tcp_history *y = history_of(rd->x, rd->half);

	rd->copy_seq = seq;
	rd->copy_from = seq + 1;
	rd->others_read = 0;
	if (y != NULL)
		y->odd_seq = y->end_seq;
	if (is_behind_fin(rd, seq))
		seq--; // whoever passes over the FIN
	context_put(rd, y, 0, seq, NULL);
}

void tcp_alt_add(struct tcp_reader *rd, struct span copy)
{
	scratch_add(rd, copy.data, copy.len);
}

// The one that has been read on furthest, or that nothing can follow any more: what waits in the queue still may.
static struct other *other_to_go(const struct tcp_reader *rd, struct tcp_history *y)
{
	struct other *go = NULL;
	uint32_t least = UINT32_MAX;

	for (int i = 0; i < OTHERS; i++) {
		struct other *o = &y->others[(y->next_other + i) % OTHERS];
		bool past = rd->half->ooo_head == POOL_NONE && tcp_seq_diff(o->seq, y->end_seq) < 0;
		uint32_t left = past ? 0 : o->left;

		if (left < least) {
			least = left;
			go = o;
		}
	}
	y->has_others = true;
	y->next_other = (uint8_t)((go - y->others + 1) % OTHERS);
	return go;
}

// The end of what was put together; seq follows it.
static void other_set(struct tcp_history *y, struct other *o, const struct tcp_reader *rd,
		      uint32_t seq, uint32_t left)
{
	uint32_t n = rd->alt_stop - rd->alt_at;

	if (n > OTHER_MAX)
		n = OTHER_MAX;
	o->seq = seq;
	o->left = (uint16_t)left;
	o->len = (uint16_t)n;
	memcpy(y->other_data[o - y->others], rd->x->scratch + rd->alt_stop - n, n);
}

void tcp_alt_end(struct tcp_reader *rd, uint32_t end_seq, enum counter anomaly)
{
	struct tcp_history *y = history_of(rd->x, rd->half);
	int32_t behind;

	rd->anomaly = anomaly;
	rd->half->flags |= TCP_HALF_ODD;
	if (y == NULL)
		return;
	rd->copy_end = end_seq;
	rd->is_rest_read = anomaly == 0 || anomaly == CNT_TCP_OVERLAP_DIFF;
	behind = tcp_seq_diff(y->end_seq, end_seq);
	if (behind > 0 && behind <= y->kept) {
		size_t n = behind < TCP_CONTEXT ? (size_t)behind : TCP_CONTEXT;

		scratch_add_ring(rd, y, end_seq, n);
		end_seq += (uint32_t)n;
	}
	rd->alt_stop = rd->alt_at + (uint32_t)rd->alt.len;
	rd->follow_seq = end_seq;
	rd->rereads = TCP_READINGS_MAX;
}

// The next place in the copy from which to read it; *ret_other: behind that, or NULL.
static bool reread_place(struct tcp_reader *rd, const struct tcp_history *y, uint32_t *ret_seq,
			 const struct other **ret_other)
{
	uint32_t first = rd->copy_end;
	int other = -1;

	for (int i = 0; i < MARKS; i++) {
		uint32_t seq = y->marks[i].seq;

		if (y->mark_len[i] > 0 && tcp_seq_diff(seq, rd->copy_from) >= 0 &&
		    tcp_seq_diff(seq, first) < 0)
			first = seq;
	}
	for (int i = 0; i < OTHERS; i++) {
		const struct other *o = &y->others[i];
		uint32_t seq = o->seq + (is_behind_fin(rd, o->seq + 1) ? 1 : 0);

		if (o->left > 0 && (rd->others_read >> i & 1) == 0 &&
		    tcp_seq_diff(seq, rd->copy_seq) >= 0 && tcp_seq_diff(seq, first) <= 0) {
			first = seq;
			other = i;
		}
	}
	if (tcp_seq_diff(first, rd->copy_end) >= 0)
		return false;
	if (other < 0)
		rd->copy_from = first + 1;
	else
		rd->others_read |= (uint8_t)(1u << other);
	*ret_seq = first;
	*ret_other = other < 0 ? NULL : &y->others[other];
	return true;
}

// Is the copy from its byte number at on what was read, or will be next?
static bool is_as_read(const struct tcp_reader *rd, const struct tcp_history *y, size_t at)
{
	uint32_t seq = rd->copy_seq + (uint32_t)at;
	uint32_t end = tcp_seq_diff(rd->copy_end, y->end_seq) < 0 ? rd->copy_end : y->end_seq;
	int32_t n = tcp_seq_diff(end, seq);

	if (n <= 0)
		return rd->is_rest_read;
	return tcp_seq_diff(y->end_seq - y->kept, seq) <= 0 &&
	       ring_has(y, seq, span_of(rd->x->scratch + TCP_CONTEXT + at, (size_t)n));
}

bool tcp_alt_again(struct tcp_reader *rd)
{
	struct tcp_history *y = history_of(rd->x, rd->half);
	const struct other *o;
	uint32_t seq;

	if (rd->rereads == 0 || y == NULL)
		return false;
	other_set(y, other_to_go(rd, y), rd, rd->follow_seq, FOLLOW_MAX);
	while (--rd->rereads > 0 && reread_place(rd, y, &seq, &o)) {
		size_t at = seq - rd->copy_seq;

		if (is_as_read(rd, y, at))
			continue;
		context_put(rd, y, at, seq, o);
		rd->alt.len = rd->alt_stop - rd->alt_at;
		rd->anomaly = 0; // said of the first
		return true;
	}
	rd->rereads = 0;
	return false;
}

void tcp_alt_follow(struct tcp_reader *rd, uint32_t seq, struct span data)
{
	rd->follow = span_first(data, FOLLOW_MAX);
	rd->follow_seq = seq;
	rd->followed = 0;
}

bool tcp_alt_followed(struct tcp_reader *rd)
{
	struct tcp_history *y = history_of(rd->x, rd->half);

	while (rd->follow.len > 0 && y != NULL && y->has_others && rd->followed < OTHERS) {
		struct other *o = &y->others[rd->followed++];
		struct span data = span_first(rd->follow, o->left);

		if (o->left == 0 || o->seq != rd->follow_seq)
			continue;
		rd->alt_at = 0;
		rd->alt = span_of(rd->x->scratch, 0);
		scratch_add(rd, other_data(y, o), o->len);
		scratch_add(rd, data.data, data.len);
		// All of it was handed out before, though not side by side.
		rd->context = (uint16_t)rd->alt.len;
		rd->anomaly = 0;
		rd->alt_stop = (uint32_t)rd->alt.len;
		other_set(y, o, rd, o->seq + (uint32_t)data.len, o->left - (uint32_t)data.len);
		return true;
	}
	rd->follow = SPAN_NONE;
	return false;
}
