// SPDX-License-Identifier: BSD-2-Clause
// Frames of a few connections through what stands below HTTP: pkt, frag, flow, tcp. The input is a list of operations:
//
//   0vsshdff FLAGS SEQ ACK LEN   a segment of flow ff in direction d, see segment()
//   10tttttt                     so many seconds pass, what is too old goes
//   110..... flow                a flow ends
//   111..... LEN frame[LEN]      a frame as it is
//
// The payload is made here, so that few bytes of input are many on the wire: of the sequence number and of v, another text.
// Every byte that came is in one account, no more is read than was sent, other readings have a bound, nothing stays in a pool,
// and all of it costs no more than so many steps per byte (cost.h).
#include <stdlib.h>
#include <string.h>

#include "dataplane/engine/frag.h"
#include "dataplane/engine/tcp.h"
#include "tests/fuzz/cost.h"

enum {
	FLOWS = 4,
	RECORDS = 8, // more than the input names: raw frames make some, too
	CELLS = 24,
	HISTORIES = 3,
	DATAGRAMS = 8,
	TEXT = 4096,
	LEN_MAX = 255 * 6,
	FRAME_MAX = LEN_MAX + 200,
	ETHERNET = 14,
	// Several times the dearest that was seen: segments that lie across a full queue.
	COST_PER_BYTE = 30,
	COST_FIXED = 20000,
};

struct wire {
	struct flow_table flows;
	struct frag_table frags;
	struct pool cells, histories;
	struct tcp_ctx tcp;
	struct pkt_conf conf;
	struct counters counters;
	uint64_t now_ns;
	uint64_t bytes;           // of the frames
	uint64_t alts, alt_bytes; // other readings
	uint32_t next[FLOWS][DIR_N];
	uint16_t ip_id;
	bool has_fragments;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wire w;
static uint8_t text[2][TEXT + LEN_MAX];
static void *frag_memory;

static void require(bool holds)
{
	if (!holds)
		abort();
}

// ---- what the pipeline does with a packet, without anyone who reads it ----

static void read_all(struct flow *f, struct tcp_reader *rd, bool from_lo)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		const enum dir dir = flow_dir(f, from_lo);

		require(run.context <= run.data.len);
		if (run.reading == TCP_ALT) {
			w.alts++;
			w.alt_bytes += run.data.len - run.context;
		}
		if (run.reading != TCP_ALT)
			tcp_remember(&w.tcp, f, dir, run.data);
	}
}

static void flow_end(struct flow *f)
{
	bool from_lo = (f->flags & FLOW_CLIENT_HI) == 0;

	for (int i = 0; i < DIR_N; i++, from_lo = !from_lo) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &w.tcp, f, flow_dir(f, from_lo));
		read_all(f, &rd, from_lo);
	}
	for (int d = 0; d < DIR_N; d++)
		require(tcp_half_drop(&w.tcp, &f->half[d]) == 0);
	flow_del(&w.flows, f);
}

static struct flow *flow_start(const struct pkt *pkt, uint32_t hash)
{
	struct flow *f, *victim;

	if ((pkt->flags & TCP_SYN) == 0 && pkt->payload.len == 0)
		return NULL;
	f = flow_add(&w.flows, &pkt->key, hash, &victim);
	if (f == NULL) {
		flow_end(victim);
		f = flow_add(&w.flows, &pkt->key, hash, &victim);
	}
	require(f != NULL);
	f->last_seen_ns = w.now_ns;
	flow_orient(f, pkt);
	return f;
}

static void packet_read(struct flow *f, const struct pkt *pkt, enum dir dir,
			enum tcp_verdict verdict)
{
	struct tcp_reader rd;
	struct tcp_run run;

	if (verdict != TCP_IGNORE && !tcp_read_plain(f, dir, pkt, verdict, &w.counters, &run)) {
		tcp_reader_init(&rd, &w.tcp, f, dir, pkt, verdict);
		read_all(f, &rd, pkt->from_lo);
	}
	if (f->half[!dir].doubts > 0) {
		tcp_reader_poll(&rd, &w.tcp, f, !dir);
		read_all(f, &rd, !pkt->from_lo);
	}
	if (f->half[!dir].history != POOL_NONE)
		tcp_history_acked(&w.tcp, &f->half[!dir], &f->half[dir]);
}

static void packet(const struct pkt *pkt)
{
	const uint32_t hash = flow_hash(&w.flows, &pkt->key);
	struct flow *f = flow_find(&w.flows, &pkt->key, hash);
	enum tcp_verdict verdict;
	enum dir dir;

	if (f != NULL && flow_is_expired(f, w.now_ns)) {
		flow_end(f);
		f = NULL;
	}
	for (int attempt = 0;; attempt++) {
		if (f == NULL)
			f = flow_start(pkt, hash);
		if (f == NULL)
			return;
		dir = flow_dir(f, pkt->from_lo);
		verdict = tcp_track(&w.tcp, f, pkt, dir);
		if (verdict != TCP_NEW_FLOW || attempt > 0)
			break;
		flow_end(f);
		f = NULL;
	}
	f->last_seen_ns = w.now_ns;
	w.counters.v[CNT_TCP_PAYLOAD] += pkt->payload.len;
	packet_read(f, pkt, dir, verdict);
}

static void frame_take(const uint8_t *bytes, size_t len)
{
	uint8_t *block = malloc(len + 1);
	const struct frame frame = {
		.data = block, .len = (uint32_t)len, .wire_len = (uint32_t)len, .ts_ns = w.now_ns};
	struct pkt_fragment piece;
	struct pkt pkt;
	enum counter verdict;

	require(block != NULL);
	memcpy(block, bytes, len);
	w.bytes += len;
	cost_counts = true;
	verdict = pkt_parse_verified(&w.conf, &frame, &pkt, &piece);
	if (verdict == CNT_PKT_FRAGMENT) {
		w.has_fragments = true;
		verdict = frag_packet(&w.frags, &w.conf, &frame, &piece, w.now_ns, &pkt);
		w.bytes += verdict == CNT_PKT_TCP ? pkt.payload.len : 0;
	}
	if (verdict == CNT_PKT_TCP)
		packet(&pkt);
	cost_counts = false;
	free(block);
}

// ---- frames ----

static uint8_t *put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

// Ethernet and IP before l4_len bytes; odd flows speak IPv6. A fragment lies at offset; whole: it is none.
static size_t head_put(uint8_t *frame, int flow, int dir, size_t l4_len, size_t offset, bool more,
		       bool whole)
{
	const bool v6 = (flow & 1) != 0;
	uint8_t *p = frame;

	memset(p, 0, ETHERNET - 2);
	p = put16(p + ETHERNET - 2, v6 ? 0x86dd : 0x0800);
	if (!v6) {
		p = put16(p, 0x4500);
		p = put16(p, (uint32_t)(20 + l4_len));
		p = put16(p, w.ip_id);
		p = put16(p, (uint32_t)(offset / 8) | (more ? 0x2000u : 0));
		p = put32(p, 0x40060000);
		p = put32(p, 0x0a000001u + (uint32_t)dir);
		p = put32(p, 0x0a000002u - (uint32_t)dir);
		return (size_t)(p - frame);
	}
	p = put32(p, 0x60000000);
	p = put16(p, (uint32_t)(l4_len + (whole ? 0 : 8)));
	p = put16(p, whole ? 0x0640 : 0x2c40);
	for (int i = 0; i < 2; i++) {
		memset(p, 0x20, 15);
		p[15] = (uint8_t)(i == 0 ? dir : !dir);
		p += 16;
	}
	if (!whole)
		p = put32(put16(put16(p, 0x0600), (uint32_t)offset | more), w.ip_id);
	return (size_t)(p - frame);
}

// how: 0 no options, 1 the timestamp of now, 2 one long gone, 3 MD5; in a SYN all that a host offers.
static uint8_t *options_put(uint8_t *p, bool syn, int how)
{
	if (syn && how != 0)
		p = put32(put16(p, 0x0402),
			  0x01030307); // may acknowledge selectively, scales windows
	if (how == 1 || how == 2 || (syn && how == 3)) {
		p = put32(p, 0x0101080a);
		p = put32(p, how == 2 ? 100 : (uint32_t)(w.now_ns >> 20));
		p = put32(p, 0);
	}
	if (how == 3 && !syn) {
		p = put16(put32(p, 0x01011312), 0); // an MD5 signature, of which 15 bytes follow
		memset(p, 0, 14);
		p += 14;
	}
	return p;
}

// FLAGS: the TCP flags with ACK turned round; bits 6, 7: options_put(). SEQ, ACK: so far beside what is expected, 127 and -128 far
// away. h: LEN counts six-fold. ss: whole, in two fragments, those the other way round, or the first of them twice with other
// bytes.
static void segment(uint8_t op, const uint8_t *s)
{
	const int flow = op & 3, dir = op >> 2 & 1, shape = op >> 4 & 3;
	const bool other = (op & 0x40) != 0;
	const size_t len = s[3] * ((op & 8) != 0 ? 6u : 1u);
	const uint8_t flags = (s[0] & 0x3f) ^ TCP_ACK;
	const int8_t at = (int8_t)s[1], ack = (int8_t)s[2];
	const bool far = at == 127 || at == -128;
	uint32_t *next = w.next[flow];
	const uint32_t seq = next[dir] + (uint32_t)(far ? at * 0x100000 : at);
	uint8_t l4[FRAME_MAX], frame[FRAME_MAX], *p = l4;
	size_t l4_len, cut;

	p = put16(p, dir == 0 ? 2000u + (flow & 2) : 80);
	p = put16(p, dir == 0 ? 80 : 2000u + (flow & 2));
	p = put32(put32(p, seq), next[!dir] + (uint32_t)ack);
	p = put16(p, 0x5000u | flags);
	p = put32(put16(p, 0xff00), s[3]); // the urgent pointer
	p = options_put(p, (flags & TCP_SYN) != 0, s[0] >> 6);
	while ((p - l4) % 4 != 0)
		*p++ = 0;
	l4[12] = (uint8_t)((p - l4) / 4 << 4);
	memcpy(p, text[other] + seq % TEXT, len);
	l4_len = (size_t)(p - l4) + len;
	if (at == 0)
		next[dir] += (uint32_t)len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
	w.ip_id++;
	cut = l4_len / 2 & ~(size_t)7;
	for (int i = 0; i < (shape == 3 ? 3 : shape != 0 ? 2 : 1); i++) {
		const bool second = shape == 1 ? i == 1 : shape == 2 ? i == 0 : i == 2;
		const size_t from = shape != 0 && second ? cut : 0;
		const size_t to = shape == 0 || second ? l4_len : cut;
		const size_t head =
			head_put(frame, flow, dir, to - from, from, to < l4_len, shape == 0);

		memcpy(frame + head, l4 + from, to - from);
		if (shape == 3 && i == 1 && to > from)
			frame[head + to - 1] ^= 1;
		frame_take(frame, head + to - from);
	}
}

// ---- one input ----

static void time_passes(unsigned int seconds)
{
	unsigned int budget = RECORDS;
	struct flow *f;

	w.now_ns += seconds * UINT64_C(1000000000);
	cost_counts = true;
	while ((f = flow_expired(&w.flows, w.now_ns, false, &budget)) != NULL)
		flow_end(f);
	if (w.has_fragments)
		frag_expire(&w.frags, w.now_ns, 4);
	cost_counts = false;
}

static void flow_close(unsigned int n)
{
	struct flow *f = pool_at(&w.flows.pool, n % RECORDS);

	if (n % RECORDS >= w.flows.pool.fresh || (f->flags & FLOW_LIVE) == 0)
		return;
	cost_counts = true;
	flow_end(f);
	cost_counts = false;
}

static void operations(const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t op = *data++;
		size_t n = 0;

		size--;
		w.now_ns += 1000000;
		w.bytes += 64; // an operation is no less than a small frame
		if (op < 0x80) {
			n = 4;
			if (size < n)
				return;
			segment(op, data);
		} else if (op < 0xc0) {
			time_passes(op & 63);
		} else if (size > 0 && op < 0xe0) {
			flow_close(*data);
			n = 1;
		} else if (size > 0) {
			n = data[0] < size - 1 ? data[0] : size - 1;
			frame_take(data + 1, n);
			n++;
		}
		data += n;
		size -= n;
	}
}

static void books(void)
{
	const uint64_t *v = w.counters.v;

	require(v[CNT_TCP_PAYLOAD] == v[CNT_TCP_DELIVERED] + v[CNT_TCP_DUPLICATE] +
					      v[CNT_TCP_OUT_OF_WINDOW] + v[CNT_TCP_IGNORED] +
					      v[CNT_TCP_OLD_TS] + v[CNT_TCP_BAD_ACK] +
					      v[CNT_TCP_URGENT_BYTES] + v[CNT_TCP_AFTER_FIN]);
	// Twice: what stands behind an early FIN is a copy of itself.
	require(w.alt_bytes <= 2 * TCP_READINGS_MAX * v[CNT_TCP_PAYLOAD] + w.alts * TCP_CONTEXT);
	require(v[CNT_TCP_OOO_HELD] == 0 && v[CNT_FRAG_ACTIVE] == 0);
	require(w.flows.pool.used == 0 && w.cells.used == 0 && w.histories.used == 0);
	require(w.frags.datagrams.used == 0 && w.frags.blocks.used == 0);
}

static void once(void)
{
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof(text[v]); i++)
			text[v][i] = (uint8_t)((i % TEXT * 2654435761u >> 13) + v * 97);
	require(posix_memalign(&frag_memory, 64, frag_table_bytes(DATAGRAMS)) == 0);
	frag_table_init(&w.frags, frag_memory, DATAGRAMS, 5, &w.counters);
}

static void begin(void)
{
	static _Alignas(64) uint8_t cells[CELLS][TCP_SEG_BYTES],
		histories[HISTORIES][TCP_HISTORY_BYTES];
	static _Alignas(64) struct flow records[RECORDS];
	static _Alignas(64) struct flow_bucket buckets[RECORDS / 2];
	static uint8_t scratch[TCP_SCRATCH_BYTES];

	if (frag_memory == NULL)
		once();
	if (w.has_fragments)
		frag_table_init(&w.frags, frag_memory, DATAGRAMS, 5, &w.counters);
	memset(&w.counters, 0, sizeof(w.counters));
	memset(w.next, 0, sizeof(w.next));
	w.has_fragments = false;
	w.now_ns = UINT64_C(1000000000);
	w.bytes = w.alts = w.alt_bytes = 0;
	w.ip_id = 0;
	flow_table_init(&w.flows, buckets, records, RECORDS, 9);
	pool_init(&w.cells, cells, CELLS, TCP_SEG_BYTES);
	pool_init(&w.histories, histories, HISTORIES, TCP_HISTORY_BYTES);
	w.conf = (struct pkt_conf){.counters = &w.counters};
	w.tcp = (struct tcp_ctx){.cells = &w.cells,
				 .histories = &w.histories,
				 .counters = &w.counters,
				 .scratch = scratch,
				 .hash_key = 3};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin();
	cost_begin();
	operations(data, size);
	for (unsigned int i = 0; i < RECORDS; i++)
		flow_close(i);
	if (w.has_fragments)
		frag_flush(&w.frags);
	books();
	cost_end(w.bytes, COST_PER_BYTE, COST_FIXED);
	return 0;
}
