// SPDX-License-Identifier: BSD-2-Clause
// A packet's life, top to bottom: find its flow, put its bytes in order, classify the first of them, and either hand HTTP on to
// inspection or let the flow go. Stages never call each other; this file calls them.
#include <string.h>

#include "dataplane/engine/app.h"
#include "dataplane/engine/pipeline_impl.h"

enum {
	TTL_DROP = 5, // routes change by less within a connection
	// segments of a flow without a handshake that may fail to look like HTTP
	MIDSTREAM_PROBES = 64,
	// of a client that is not HTTP, while its server has said nothing
	CLIENT_UNREAD_MAX = 8 << 10,
	// other readings of a worker: a tenth of what it scans when it has nothing else to do
	ALT_BYTES_PER_SECOND = 16 << 20,
};

// ---- the end of a flow ----

static bool is_released(const struct flow *f)
{
	return f->app == APP_TLS || f->app == APP_SSH || f->app == APP_OPAQUE;
}

// The cell of a half's prefix holds bytes of a hand-shake before it, cell->seq of them.
static uint32_t prefix_len(const struct tcp_seg *cell)
{
	return cell->len - cell->seq;
}

// What came in the first bytes of a flow that is let go, as the name of a server does, is not kept until somebody else takes the cell.
static void prefix_wipe(struct pipeline *p, const struct tcp_half *h)
{
	struct tcp_seg *cell = h->prefix != POOL_NONE ? pool_at(&p->cells, h->prefix) : NULL;

	if (cell != NULL)
		memset(cell->data, 0, cell->len);
}

static void prefix_drop(struct pipeline *p, struct tcp_half *h)
{
	if (h->prefix != POOL_NONE)
		pool_put(&p->cells, pool_at(&p->cells, h->prefix));
	h->prefix = POOL_NONE;
}

// From here on no payload byte of the flow is read.
static void flow_release(struct pipeline *p, struct flow *f, enum app_proto app)
{
	static const enum counter counter[APP_N] = {
		[APP_TLS] = CNT_APP_TLS_FLOWS,
		[APP_SSH] = CNT_APP_SSH_FLOWS,
		[APP_OPAQUE] = CNT_APP_OPAQUE_FLOWS,
	};

	p->counters.v[counter[app]]++;
	f->app = (uint8_t)app;
	f->flags &= (uint16_t)~FLOW_SOCKS;
	for (int d = 0; d < DIR_N; d++) {
		uint32_t held = tcp_half_drop(&p->tcp, &f->half[d]);

		p->counters.v[CNT_TCP_RELEASED] += held;
		f->released_bytes += held;
		if (f->half[d].prefix != POOL_NONE && f->http == NULL)
			p->counters.v[CNT_APP_PREFIX_BYTES] +=
				prefix_len(pool_at(&p->cells, f->half[d].prefix));
		prefix_wipe(p, &f->half[d]);
		prefix_drop(p, &f->half[d]);
	}
	if (f->http != NULL)
		conn_close(&p->conn, f, false);
}

static void flow_run(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run);
static void flow_alt(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run);

// Everything readable of one side. Its first message may turn the flow round: the reader follows its side.
static void flow_read(struct pipeline *p, struct flow *f, struct tcp_reader *rd, bool from_lo)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		enum dir dir = flow_dir(f, from_lo);

		if (run.anomaly != 0 && !is_released(f))
			conn_anomaly(&p->conn, f, dir, run.anomaly);
		if (run.reading == TCP_ALT)
			flow_alt(p, f, dir, &run);
		else
			flow_run(p, f, dir, &run);
		rd->half = &f->half[flow_dir(f, from_lo)];
	}
}

static void flow_event(struct pipeline *p, const struct flow *f, enum flow_reason reason)
{
	struct event e = {.type = EVENT_FLOW};

	if ((p->conf.event_mask & (1u << EVENT_FLOW)) == 0)
		return;
	e.flags = (f->flags & FLOW_HAS_HIT) != 0 ? EVENT_HAS_HIT : 0;
	if (((f->half[0].flags | f->half[1].flags) & TCP_HALF_GAP) != 0)
		e.flags |= EVENT_GAP;
	e.flow.start_ns = f->start_ts_ns;
	e.flow.end_ns = f->end_ts_ns;
	for (int d = 0; d < DIR_N; d++) {
		e.flow.pkts[d] = f->pkts[d];
		e.flow.bytes[d] = f->bytes[d];
	}
	e.flow.payload_bytes_inspected = f->inspected_bytes;
	e.flow.payload_bytes_released = f->released_bytes;
	e.flow.state = f->state == FLOW_CLOSING                                         ? 2
		       : f->app == APP_TLS || f->app == APP_SSH || f->app == APP_OPAQUE ? 3
		       : f->state == FLOW_ESTABLISHED                                   ? 1
											: 0;
	e.flow.reason = (uint8_t)reason;
	conn_emit(&p->conn, f, DIR_TO_SERVER, &e);
}

// Nothing more will be read of its messages.
static void flow_http_ends(struct pipeline *p, struct flow *f)
{
	if (f->app == APP_UNKNOWN)
		f->app = APP_HTTP; // nothing came through its tunnel
	conn_close(&p->conn, f, true);
}

// The coverage ledger's row of a flow that ends.
static void flow_covered(struct pipeline *p, const struct flow *f)
{
	uint64_t *v = p->counters.v;

	if (f->unread == FLOW_UNREAD_SCOPE) {
		v[CNT_COVERED_SCOPE_FLOWS]++;
		v[CNT_COVERED_SCOPE_BYTES] += f->released_bytes;
	} else if (f->unread == FLOW_UNREAD_ROOM) {
		v[CNT_COVERED_OVERLOAD_FLOWS]++;
		v[CNT_COVERED_OVERLOAD_BYTES] += f->released_bytes;
	} else if (f->app == APP_TLS || f->app == APP_SSH) {
		v[CNT_COVERED_ENCRYPTED_FLOWS]++;
		v[CNT_COVERED_ENCRYPTED_BYTES] += f->released_bytes;
	} else {
		v[f->app == APP_OPAQUE    ? CNT_COVERED_OPAQUE_FLOWS
		  : f->app == APP_UNKNOWN ? CNT_COVERED_SILENT_FLOWS
					  : CNT_COVERED_INSPECTED_FLOWS]++;
		v[CNT_COVERED_OPAQUE_BYTES] += f->released_bytes;
	}
}

void pipeline_flow_close(struct pipeline *p, struct flow *f, enum flow_reason reason)
{
	static const enum counter counter[] = {
		[FLOW_REASON_TIMEOUT] = CNT_FLOW_TIMEOUT,
		[FLOW_REASON_CLOSED] = CNT_FLOW_CLOSED,
		[FLOW_REASON_EVICTED] = CNT_FLOW_EVICTED,
		[FLOW_REASON_SHUTDOWN] = CNT_FLOW_SHUTDOWN,
	};
	bool from_lo = (f->flags & FLOW_CLIENT_HI) == 0;

	p->conn.ts_ns = f->end_ts_ns;
	// What still waits for a hole to be filled is inspected now, the client's first.
	for (int i = 0; i < DIR_N; i++, from_lo = !from_lo) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &p->tcp, f, flow_dir(f, from_lo));
		flow_read(p, f, &rd, from_lo);
	}
	if (f->http != NULL)
		flow_http_ends(p, f);
	detect_segment_end(&p->detect);
	for (int d = 0; d < DIR_N; d++) {
		prefix_drop(p, &f->half[d]);
		tcp_half_drop(&p->tcp, &f->half[d]); // the queue is empty
	}
	if (reason != FLOW_REASON_EVICTED && f->state == FLOW_CLOSING)
		reason = FLOW_REASON_CLOSED;
	p->counters.v[counter[reason]]++;
	p->counters.v[CNT_FLOW_ACTIVE]--;
	flow_covered(p, f);
	flow_event(p, f, reason);
	flow_del(&p->flows, f);
}

// ---- the first bytes ----

// What one side sent before the flow was decided goes to the parser first.
static bool prefix_feed(struct pipeline *p, struct flow *f, enum dir dir)
{
	struct tcp_half *h = &f->half[dir];
	struct tcp_seg *cell;
	struct tcp_run run = {0};
	bool stays;

	if (h->prefix == POOL_NONE)
		return true;
	cell = pool_at(&p->cells, h->prefix);
	h->prefix = POOL_NONE;
	conn_before(f, dir, span_of(cell->data, cell->seq));
	run.data = span_of(cell->data + cell->seq, prefix_len(cell));
	stays = conn_run(&p->conn, f, dir, &run) == CONN_STAYS; // too few bytes for anything else
	pool_put(&p->cells, cell);
	return stays;
}

static void flow_becomes_http(struct pipeline *p, struct flow *f, enum dir *io_dir,
			      enum app_side side)
{
	enum dir says = side == APP_SIDE_SERVER ? DIR_TO_CLIENT : DIR_TO_SERVER;

	f->app = APP_HTTP;
	if (f->http == NULL) { // else it is what a tunnel carries
		f->http = conn_new(&p->conn, (f->flags & FLOW_MIDSTREAM) != 0 || f->probes > 0);
		if (f->http == NULL) {
			f->unread = FLOW_UNREAD_ROOM;
			flow_release(p, f, APP_OPAQUE);
			return;
		}
		p->counters.v[CNT_APP_HTTP_FLOWS]++;
		// A handshake tells who is who. Without it, and where the client sent something else and its server asks, the first
		// message does.
		if (says != *io_dir && ((f->flags & (FLOW_SYN | FLOW_SYNACK)) == 0 ||
					(f->probes > 0 && says == DIR_TO_SERVER))) {
			flow_flip(f);
			*io_dir = says;
		}
	}
	for (int d = 0; d < DIR_N; d++) {
		if (!prefix_feed(p, f, d)) {
			flow_release(p, f, APP_OPAQUE);
			return;
		}
	}
}

// May a flow whose first bytes in this direction are not HTTP still become that? Picked up in the middle of a body, the next
// message may come. And whatever a client begins with: a server that answers in HTTP has read it as that.
static bool flow_may_be_http(struct flow *f, enum dir dir, size_t len)
{
	if (f->http != NULL)
		return false; // a tunnel
	if ((f->flags & FLOW_MIDSTREAM) != 0)
		return ++f->probes < MIDSTREAM_PROBES;
	f->probes += (uint32_t)len;
	return dir == DIR_TO_SERVER && f->probes <= CLIENT_UNREAD_MAX;
}

// Is this what follows the first bytes of a client that were not HTTP? It is not read.
static bool flow_awaits_server(const struct flow *f, enum dir dir)
{
	return f->app == APP_UNKNOWN && f->http == NULL && f->probes > 0 &&
	       (f->flags & FLOW_MIDSTREAM) == 0 && dir == DIR_TO_SERVER;
}

static void run_unread(struct pipeline *p, struct flow *f, size_t len)
{
	f->inspected_bytes -= len;
	f->released_bytes += len;
	p->counters.v[CNT_TCP_DELIVERED] -= len;
	p->counters.v[CNT_TCP_RELEASED] += len;
}

// Decide what an undecided flow is. Returns true when the run is still to be read, as HTTP.
static bool flow_classify(struct pipeline *p, struct flow *f, enum dir *io_dir,
			  const struct tcp_run *run)
{
	struct tcp_half *h = &f->half[*io_dir];
	struct tcp_seg *cell = h->prefix != POOL_NONE ? pool_at(&p->cells, h->prefix) : NULL;
	struct span first = run->data;
	enum app_side side;
	enum app_proto app;

	if (cell != NULL) {
		size_t n = APP_PREFIX_MAX - prefix_len(cell);

		if (n > run->data.len)
			n = run->data.len;
		if (n > 0)
			memcpy(cell->data + cell->len, run->data.data, n);
		first = span_of(cell->data + cell->seq, prefix_len(cell) + n);
	}
	app = app_detect(first, &side);
	// Picked up in the middle: what came before this segment may be the rest of something, or a keep-alive's byte.
	if (app == APP_OPAQUE && cell != NULL && (f->flags & FLOW_MIDSTREAM) != 0 &&
	    f->http == NULL) {
		p->counters.v[CNT_APP_PREFIX_BYTES] += prefix_len(cell);
		prefix_drop(p, h);
		cell = NULL;
		first = run->data;
		app = app_detect(first, &side);
	}
	if (app == APP_OPAQUE && *io_dir == DIR_TO_SERVER && (f->flags & FLOW_MIDSTREAM) == 0 &&
	    f->probes == 0 && f->http == NULL && app_is_odd_request(first)) {
		app = APP_HTTP;
		side = APP_SIDE_CLIENT;
	}
	if (app == APP_UNKNOWN && run->fin && (f->half[!*io_dir].flags & TCP_HALF_FIN_DONE) != 0 &&
	    (first.len > 0 || f->http == NULL))
		app = APP_OPAQUE; // nobody says any more; but a tunnel may stay empty
	if (app == APP_HTTP) {
		flow_becomes_http(p, f, io_dir, side);
		return f->http != NULL;
	}
	if (app == APP_UNKNOWN) {
		if (first.len == 0)
			return false;
		if (cell == NULL) {
			cell = pool_get(&p->cells);
			if (cell != NULL) {
				h->prefix = pool_index(&p->cells, cell);
				cell->seq = 0;
				memcpy(cell->data, first.data, first.len);
			}
		}
		if (cell != NULL) {
			cell->len = (uint16_t)(cell->seq + first.len);
			return false;
		}
		app = APP_OPAQUE;
	}
	// What stands in a cell is counted when the cell goes.
	if (cell == NULL)
		p->counters.v[CNT_APP_PREFIX_BYTES] +=
			first.len < APP_PREFIX_MAX ? first.len : APP_PREFIX_MAX;
	else
		cell->len = (uint16_t)(cell->seq + first.len);
	if (app == APP_OPAQUE && flow_may_be_http(f, *io_dir, run->data.len)) {
		if (cell != NULL)
			p->counters.v[CNT_APP_PREFIX_BYTES] += prefix_len(cell);
		prefix_drop(p, h);
		return false;
	}
	flow_release(p, f, app);
	return false;
}

// The last bytes of a hand-shake stay as long as nobody reads the flow: a raw content may begin in them.
static void handshake_keep(struct pipeline *p, struct flow *f, enum dir dir, struct span bytes)
{
	struct tcp_half *h = &f->half[dir];
	struct tcp_seg *cell = h->prefix != POOL_NONE ? pool_at(&p->cells, h->prefix) : NULL;

	if (bytes.len == 0 || !detect_wants(&p->detect, dir, DETECT_RAW))
		return;
	if (f->http != NULL) {
		conn_before(f, dir, bytes);
		return;
	}
	if (bytes.len > CONN_BEFORE_BYTES)
		bytes = span_from(bytes, bytes.len - CONN_BEFORE_BYTES);
	if (cell == NULL) {
		cell = pool_get(&p->cells);
		if (cell == NULL)
			return;
		h->prefix = pool_index(&p->cells, cell);
		cell->len = 0;
	}
	if (cell->len + bytes.len > CONN_BEFORE_BYTES) {
		size_t drop = cell->len + bytes.len - CONN_BEFORE_BYTES;

		cell->len -= (uint16_t)drop;
		memmove(cell->data, cell->data + drop, cell->len);
	}
	memcpy(cell->data + cell->len, bytes.data, bytes.len);
	cell->len += (uint16_t)bytes.len;
	cell->seq = cell->len;
}

// What is in front of the first bytes: a hand-shake of SOCKS is taken from *io_run. False: nothing is left of that.
static bool flow_socks(struct pipeline *p, struct flow *f, enum dir dir, struct tcp_run *io_run)
{
	struct socks_half *h = f->socks;
	struct span in = io_run->data;

	if ((f->flags & FLOW_SOCKS) == 0) {
		if (f->app != APP_UNKNOWN || !socks_begins(io_run->data) ||
		    f->half[0].prefix != POOL_NONE || f->half[1].prefix != POOL_NONE)
			return true;
		if ((f->flags & FLOW_MIDSTREAM) != 0 && f->http == NULL)
			return true; // it would be over already
		p->counters.v[CNT_APP_SOCKS]++;
		f->flags |= FLOW_SOCKS;
		socks_begin(&h[dir], &h[!dir]);
	}
	if (io_run->gap_bytes > 0)
		h[dir] = (struct socks_half){0}; // whatever it is that follows
	socks_skip(&h[dir], &io_run->data);
	handshake_keep(p, f, dir, span_first(in, in.len - io_run->data.len));
	if (!socks_active(&h[0]) && !socks_active(&h[1]))
		f->flags &= (uint16_t)~FLOW_SOCKS;
	return io_run->data.len > 0 || io_run->fin;
}

// ---- one run of stream bytes ----

// A run goes to who reads the flow; at the end of a CONNECT's head that changes within it.
static void flow_take(struct pipeline *p, struct flow *f, enum dir *io_dir, struct tcp_run run)
{
	enum conn_verdict verdict;

	if (flow_awaits_server(f, *io_dir)) {
		run_unread(p, f, run.data.len);
		if (!flow_may_be_http(f, *io_dir, run.data.len))
			flow_release(p, f, APP_OPAQUE);
		return;
	}
	do {
		if (!flow_socks(p, f, *io_dir, &run) ||
		    (f->app == APP_UNKNOWN && !flow_classify(p, f, io_dir, &run)))
			return;
		if (is_released(f) || f->http == NULL) {
			// The flow was let go, or is over, while this packet was being read; nothing looks at the rest of it.
			run_unread(p, f, run.data.len);
			return;
		}
		verdict = conn_run(&p->conn, f, *io_dir, &run);
		if (verdict == CONN_LEAVES) {
			p->counters.v[CNT_HTTP_UPGRADED]++;
			flow_release(p, f, APP_OPAQUE);
			return;
		}
		run.gap_bytes = 0;
		run.data = f->http->tunnel;
	} while (verdict == CONN_TUNNEL);
}

// Marks cost a hash of every byte: only while rules look at what servers send.
static bool is_remembered(const struct pipeline *p, const struct flow *f, enum dir dir)
{
	return !is_released(f) && !flow_awaits_server(f, dir) &&
	       (tcp_history_wanted(&f->half[dir], dir) ||
		detect_wants(&p->detect, dir, DETECT_BODY) ||
		detect_wants(&p->detect, dir, DETECT_FILE) ||
		detect_wants(&p->detect, dir, DETECT_RAW));
}

static void flow_run(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	f->inspected_bytes += run->data.len;
	flow_take(p, f, &dir, *run);
	if (is_remembered(p, f, dir))
		tcp_remember(&p->tcp, f, dir, run->data);
}

// Another reading of bytes, or bytes that no Linux host takes.
static void flow_alt(struct pipeline *p, struct flow *f, enum dir dir, const struct tcp_run *run)
{
	uint64_t second = p->conn.ts_ns / 1000000000;
	enum app_side side;

	if (f->app == APP_UNKNOWN && app_detect(run->data, &side) == APP_HTTP)
		flow_becomes_http(p, f, &dir, side);
	if (f->http == NULL)
		return;
	if (second != p->alt_second) {
		p->alt_second = second;
		p->alt_bytes = 0;
	}
	if (p->alt_bytes + run->data.len > ALT_BYTES_PER_SECOND) {
		p->counters.v[CNT_TCP_ALT_LIMIT]++;
		return;
	}
	p->alt_bytes += (uint32_t)run->data.len;
	conn_alt(&p->conn, f, dir, run->data);
}

static void flow_finished(struct flow *f)
{
	if ((f->half[0].flags & TCP_HALF_FIN_DONE) != 0 &&
	    (f->half[1].flags & TCP_HALF_FIN_DONE) != 0)
		f->state = FLOW_CLOSING;
}

// Has each side ended and heard of the other's end? Then each has taken all there is, and nobody takes anything more.
static bool flow_is_over(const struct flow *f)
{
	for (int d = 0; d < DIR_N; d++) {
		const struct tcp_half *h = &f->half[d];

		if ((h->flags & TCP_HALF_FIN_DONE) == 0 || h->ooo_count > 0 || h->doubts > 0 ||
		    (int32_t)(f->half[!d].last_ack - (h->fin_seq + 1)) < 0)
			return false;
	}
	return true;
}

// ---- one packet ----

// len more bytes of a released flow: is it time to offer it?
static void elephant_grows(struct pipeline *p, const struct flow *f, size_t len)
{
	const uint64_t step = p->conf.elephant_bytes;
	struct flow_key *slot;

	if (step == 0 || f->released_bytes / step == (f->released_bytes - len) / step)
		return;
	slot = ring_slot(&p->elephants);
	if (slot == NULL)
		return;
	*slot = f->key;
	ring_push(&p->elephants);
}

// A released flow is only followed to its end: sequence numbers and flags, no payload.
static void packet_released(struct pipeline *p, struct flow *f, enum dir dir, const struct pkt *pkt)
{
	struct tcp_half *h = &f->half[dir];

	p->counters.v[CNT_TCP_RELEASED] += pkt->payload.len;
	f->released_bytes += pkt->payload.len;
	elephant_grows(p, f, pkt->payload.len);
	if ((pkt->flags & TCP_FIN) != 0)
		h->flags |= TCP_HALF_FIN_DONE;
	if ((pkt->flags & TCP_RST) != 0)
		f->state = FLOW_CLOSING;
	flow_finished(f);
}

static bool in_scope(const struct scope *s, const struct flow *f)
{
	const struct flow_key *k = &f->key;
	const bool hi = (f->flags & FLOW_CLIENT_HI) != 0;

	return scope_holds(s, hi ? k->hi : k->lo, hi ? k->lo : k->hi, hi ? k->lo_port : k->hi_port);
}

static struct flow *flow_start(struct pipeline *p, const struct pkt *pkt, uint32_t hash,
			       uint64_t now_ns)
{
	struct flow *f, *victim;
	bool syn = (pkt->flags & TCP_SYN) != 0;

	// An answer to nothing, a last ACK or a reset starts no flow.
	if (!syn && pkt->payload.len == 0)
		return NULL;
	if (syn && (pkt->flags & (TCP_FIN | TCP_RST)) != 0)
		return NULL;
	f = flow_add(&p->flows, &pkt->key, hash, &victim);
	if (f == NULL && victim != NULL) {
		uint64_t ts_ns = p->conn.ts_ns;

		pipeline_flow_close(p, victim, FLOW_REASON_EVICTED);
		p->conn.ts_ns = ts_ns;
		f = flow_add(&p->flows, &pkt->key, hash, &victim);
	}
	if (f == NULL)
		return NULL;
	f->id = (uint64_t)(p->conf.worker + 1) << 48 | ++p->flow_ids;
	f->start_ts_ns = p->conn.ts_ns;
	f->last_seen_ns = now_ns;
	p->counters.v[CNT_FLOW_CREATED]++;
	p->counters.v[CNT_FLOW_ACTIVE]++;
	flow_orient(f, pkt);
	p->counters.v[CNT_FLOW_MIDSTREAM] += !syn;
	if (p->conf.scope != NULL && !in_scope(p->conf.scope, f)) {
		f->app = APP_OPAQUE;
		f->unread = FLOW_UNREAD_SCOPE;
	}
	return f;
}

// Does it end on its way from here to the server?
static bool is_short_lived(const struct pipeline *p, enum dir dir, const struct pkt *pkt)
{
	return dir == DIR_TO_SERVER && pkt->ttl <= p->conf.hops_to_servers;
}

// How its flow takes it. What does not reach the server changes nothing and is another reading.
static enum tcp_verdict packet_track(struct pipeline *p, struct flow *f, enum dir dir,
				     const struct pkt *pkt)
{
	if (!is_short_lived(p, dir, pkt))
		return tcp_track(&p->tcp, f, pkt, dir);
	p->counters.v[CNT_TCP_IGNORED] += pkt->payload.len;
	return pkt->payload.len > 0 ? TCP_BESIDE : TCP_IGNORE;
}

// What the IP layer knows that makes a segment doubtful: it may not come as far as the host, or another one may put its
// pieces together otherwise.
static void packet_doubts(struct pipeline *p, struct flow *f, enum dir dir, const struct pkt *pkt)
{
	if (is_short_lived(p, dir, pkt))
		conn_anomaly(&p->conn, f, dir, CNT_PKT_TTL_SHORT);
	else if (pkt->ttl + TTL_DROP < f->ttl[dir])
		conn_anomaly(&p->conn, f, dir, CNT_PKT_TTL_DROP);
	else if (pkt->ttl > f->ttl[dir])
		f->ttl[dir] = pkt->ttl;
	if (pkt->has_conflict)
		conn_anomaly(&p->conn, f, dir, CNT_FRAG_AMBIGUOUS);
}

// What a segment makes readable: of its own direction, and of the other one, where something may have waited for its acknowledgement.
static void packet_read(struct pipeline *p, struct flow *f, const struct frame *frame,
			struct pkt *pkt, enum dir dir, enum tcp_verdict verdict)
{
	struct tcp_reader rd;
	struct tcp_run run;

	if (verdict != TCP_IGNORE) {
		if (frame->tail_bytes < PIPELINE_TAIL_BYTES && pkt->payload.len > 0) {
			memcpy(p->bounce, pkt->payload.data, pkt->payload.len);
			pkt->payload.data = p->bounce;
			p->counters.v[CNT_PKT_COPIED]++;
		}
		if (tcp_read_plain(f, dir, pkt, verdict, &p->counters, &run)) {
			flow_run(p, f, dir, &run);
		} else {
			if (verdict == TCP_ACCEPT && tcp_is_again(&f->half[dir], pkt))
				conn_segment_again(&p->conn, f, dir, pkt->payload);
			tcp_reader_init(&rd, &p->tcp, f, dir, pkt, verdict);
			flow_read(p, f, &rd, pkt->from_lo);
		}
	}
	// The first message may have turned the flow round.
	dir = flow_dir(f, !pkt->from_lo);
	if (f->half[dir].doubts > 0) {
		tcp_reader_poll(&rd, &p->tcp, f, dir);
		flow_read(p, f, &rd, !pkt->from_lo);
	}
	if (f->half[dir].history != POOL_NONE)
		tcp_history_acked(&p->tcp, &f->half[dir], &f->half[!dir]);
}

// Would a host drop it for its checksum? Of a released flow nobody reads the payload, so only what ends it or begins
// another one is looked at. f: its flow or NULL.
static bool packet_is_damaged(struct pipeline *p, const struct flow *f, const struct pkt *pkt,
			      uint64_t now_ns)
{
	if (pkt->unverified.data == NULL)
		return false;
	if (f != NULL && is_released(f) && (pkt->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0 &&
	    !flow_is_expired(f, now_ns))
		return false;
	if (pkt_csum_is_good(pkt))
		return false;
	// It was taken for a segment before.
	p->counters.v[CNT_PKT_TCP]--;
	p->counters.v[pkt->is_ipv6 ? CNT_PKT_IPV6 : CNT_PKT_IPV4]--;
	p->counters.v[CNT_PKT_VLAN] -= pkt->has_vlan;
	p->counters.v[CNT_PKT_BAD_CSUM]++;
	p->counters.v[CNT_COVERED_UNDECODABLE_BYTES] += pkt->payload.len;
	return true;
}

// The frame of a flow that a rule has stopped.
static void packet_block(struct pipeline *p, const struct flow *f)
{
	const uint64_t bit = (uint64_t)1 << p->frame;

	p->verdict.blocked |= bit;
	if ((f->flags & FLOW_REJECTED) != 0)
		p->verdict.rejected |= bit;
	p->counters.v[CNT_BLOCKED_PKTS]++;
}

// Is it of a stopped flow? A SYN begins another one.
static bool packet_is_blocked(struct pipeline *p, struct flow **io_flow, const struct frame *frame,
			      const struct pkt *pkt, uint64_t now_ns)
{
	struct flow *f = *io_flow;

	if ((f->flags & FLOW_BLOCKED) == 0)
		return false;
	if ((pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
		pipeline_flow_close(p, f, FLOW_REASON_CLOSED);
		p->conn.ts_ns = frame->ts_ns;
		*io_flow = NULL;
		return false;
	}
	f->last_seen_ns = now_ns;
	p->counters.v[CNT_COVERED_BLOCKED_BYTES] += pkt->payload.len;
	packet_block(p, f);
	return true;
}

void pipeline_packet(struct pipeline *p, const struct frame *frame, struct pkt *pkt, uint32_t hash,
		     uint64_t now_ns)
{
	struct flow *f = flow_find(&p->flows, &pkt->key, hash);
	enum tcp_verdict verdict;
	enum dir dir;

	if (packet_is_damaged(p, f, pkt, now_ns))
		return;
	p->conn.ts_ns = frame->ts_ns;
	p->conn.now_ns = now_ns;
	if (f != NULL && flow_is_expired(f, now_ns)) {
		pipeline_flow_close(p, f, FLOW_REASON_TIMEOUT);
		p->conn.ts_ns = frame->ts_ns;
		f = NULL;
	}
	if (f != NULL && packet_is_blocked(p, &f, frame, pkt, now_ns))
		return;
	for (int attempt = 0;; attempt++) {
		if (f == NULL)
			f = flow_start(p, pkt, hash, now_ns);
		if (f == NULL) {
			p->counters.v[CNT_FLOW_NONE]++;
			p->counters.v[CNT_COVERED_NO_FLOW_BYTES] += pkt->payload.len;
			return;
		}
		dir = flow_dir(f, pkt->from_lo);
		// Of a released flow only its end and the SYN behind it count.
		verdict =
			is_released(f) && (f->state != FLOW_CLOSING || (pkt->flags & TCP_SYN) == 0)
				? TCP_ACCEPT
				: packet_track(p, f, dir, pkt);
		if (verdict != TCP_NEW_FLOW || attempt > 0)
			break;
		p->counters.v[CNT_FLOW_REUSED]++;
		pipeline_flow_close(p, f, FLOW_REASON_CLOSED);
		p->conn.ts_ns = frame->ts_ns;
		f = NULL;
	}
	packet_doubts(p, f, dir, pkt);
	f->last_seen_ns = now_ns;
	f->end_ts_ns = frame->ts_ns;
	f->pkts[dir]++;
	f->bytes[dir] += pkt->frame_len;
	p->counters.v[CNT_TCP_PAYLOAD] += pkt->payload.len;
	if (is_released(f)) {
		if (verdict <= TCP_ASK)
			packet_released(p, f, dir, pkt);
		return;
	}
	packet_read(p, f, frame, pkt, dir, verdict);
	detect_segment_end(&p->detect);
	if ((f->flags & FLOW_BLOCKED) != 0)
		packet_block(p, f);
	flow_finished(f);
	// The flow stays for late segments, what was held to read it does not.
	if (f->http != NULL && flow_is_over(f)) {
		flow_http_ends(p, f);
		detect_segment_end(&p->detect);
		for (int d = 0; d < DIR_N; d++)
			tcp_history_drop(&p->tcp, &f->half[d]);
	}
}
