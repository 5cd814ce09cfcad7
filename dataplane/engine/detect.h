// SPDX-License-Identifier: BSD-2-Clause
// Rules against one message: prefilter, then activate (DESIGN section 5; how a rule is represented: rules/plan.h).
#ifndef ENGINE_DETECT_H
#define ENGINE_DETECT_H

#include "common/hit.h"
#include "dataplane/engine/eval.h"
#include "dataplane/engine/flow.h"
#include "dataplane/engine/http.h"
#include "dataplane/engine/ring.h"
#include "dataplane/engine/ruleset_impl.h"
#include "dataplane/engine/tcp.h"
#include "dataplane/engine/teddy.h"
#include "dataplane/engine/pipeline.h"
#include "dataplane/engine/view.h"
#include "dataplane/engine/xbits.h"
#include "rules/list.h"

enum {
	DETECT_WINDOW_BYTES = 2 * IMAGE_TAIL_MAX,
};

// The stream buffers of a message: the body of a request as a whole; the file in hand, which is the body, or a part of it;
// the message as sent.
enum detect_stream { DETECT_BODY, DETECT_FILE, DETECT_RAW, DETECT_STREAM_N };

enum inspect_flag {
	INSPECT_HEAD_SEEN = 1 << 0,
	INSPECT_GAP = 1 << 1,
	INSPECT_TRUNCATED = 1 << 2,
	INSPECT_HEAD_BIG = 1 << 3, // kept in a gather buffer, else in a segment cell
	INSPECT_HAS_HIT = 1 << 4,  // a rule has hit, maybe before the message had a transaction
	INSPECT_WAITING =
		1 << 5, // a rule matched that asks for state: decided when the stage is over
	INSPECT_UNDECIDED = 1 << 17, // one of them may hold: a new one, or one that asks for sizes
	INSPECT_HAS_SEAM = 1 << 18,  // what lies across its beginning is looked for, or was
	INSPECT_BUDGET_SPENT = 1 << 6, // no rule may wake up any more
	INSPECT_QUIET = 1 << 7,        // rules that the head decides were told before
	// of DETECT_BODY, of the other streams in the bits behind
	INSPECT_NO_STREAM = 1 << 8,    // none could be had
	INSPECT_WINDOW_BIG = 1 << 11,  // window kept in a window buffer, else in a segment cell
	INSPECT_WINDOW_NONE = 1 << 14, // no window could be had
};
_Static_assert(DETECT_STREAM_N == 3, "bits of enum inspect_flag");

enum {
	ACTIVE_BUCKETS =
		16, // a hostile body wakes thousands of rules, and names each of them again and again
};

// What detection holds for one message in one direction, from its first byte to its last.
struct inspect {
	struct ruleset *rs;
	struct ruleset_stream
		*stream[DETECT_STREAM_N][IMAGE_PARTS_MAX]; // of the always-on databases
	uint64_t offset[DETECT_STREAM_N];                  // bytes scanned
	uint8_t *window[DETECT_STREAM_N]; // the bytes before offset, as far as a rule may need them
	uint32_t window_len[DETECT_STREAM_N];
	uint32_t head_len;
	uint8_t *head;                         // copy of the head, when a rule may still ask for it
	struct watchset *set[DETECT_STREAM_N]; // what is searched for in the streams, NULL: nothing
	int64_t budget;                     // bytes of work that may still be spent on verification
	uint32_t active;                    // rules that wait for something, pool index
	uint32_t active_of[ACTIVE_BUCKETS]; // the same by rule
	uint32_t decided; // detect.state_changes when those that ask for state were last asked
	uint32_t events;  // of the head, bit per enum state_event, if a rule asks for some
	uint32_t flags;   // enum inspect_flag
	uint32_t seam;    // of detect_seam(): offset at which the message begins; else 0
	struct inspect *beside; // of detect_seam(): the message itself
	uint8_t dir;
	uint8_t answers; // enum http_answers, to parse the kept head again
};

// A rule that has begun to hold. Conditions are numbered as in the rule; at most one per stream is awake.
struct active {
	uint32_t next;           // pool index or POOL_NONE
	uint32_t next_in_bucket; // of inspect.active_of
	uint32_t rule;
	uint16_t have;     // bit per condition that holds
	uint16_t buffered; // bit per condition that waits for the window to be evaluated
	uint8_t head_failed, done;
	uint8_t cond[DETECT_STREAM_N];      // condition that is or was awake, or ACTIVE_NO_COND
	uint8_t late_open[DETECT_STREAM_N]; // its late terms are searched for
	uint8_t short_window;
	uint8_t hit;         // of a message with INSPECT_HAS_SEAM: it did
	uint8_t waiting;     // holds but for what it asks of its flow
	uint8_t wait_buffer; // of the hit, should they come to hold
	uint64_t wait_offset;
	uint32_t terms[DETECT_STREAM_N]; // bit per term that matched
	uint32_t watch[DETECT_STREAM_N]; // its terms in progress, pool index
	uint64_t end[DETECT_STREAM_N];   // offset behind the last term's match
	uint64_t late_from[DETECT_STREAM_N];
};

enum {
	ACTIVE_NO_COND = 0xff,
	WATCH_NO_BUCKET = 0xff,
};

// A term in progress: engine/detect_watch.c.
struct watch {
	uint32_t next;           // of the same rule and stream
	uint32_t next_in_bucket; // searched for with the same bit
	uint32_t active;         // whose
	uint8_t term, link;
	uint8_t bucket; // or WATCH_NO_BUCKET
	// The anchor's next eight bytes from its rarest ones on, or as many as it has: (bytes | fold) & mask == word.
	uint64_t word, mask, fold;
	uint64_t floor; // the link begins here or later
	uint64_t lo,
		due; // verify what begins at lo or later when `due` bytes have come; due 0: nothing waits
	struct ruleset_stream *own; // of the expression behind the links
	uint64_t own_from;          // offset at which it began
};

// What is searched for in one stream.
struct watchset {
	struct teddy teddy;
	uint64_t due; // least of all watches
	uint32_t bucket[TEDDY_BUCKETS];
	uint32_t n_in[TEDDY_BUCKETS]; // watches in each bucket
	uint32_t n_searched, n_own;
	uint32_t n_stale; // taken out of the buckets, not out of teddy
	uint32_t longest; // anchor
};

enum {
	FLOWVARS_MAX = 64, // of one connection; public rules leave up to about ten
};

// The flowbits (value 1) and flowints of a connection, by state_name().
struct flowvars {
	uint32_t n;
	uint32_t value[FLOWVARS_MAX];
	uint64_t name[FLOWVARS_MAX];
};

// Which message this is about.
struct detect_msg {
	struct flow *flow;
	uint64_t ts_ns;
	uint32_t tx_id;
	uint8_t dir;
	uint8_t app;
	bool http2;
	bool websocket;         // a message behind the hand-shake
	uint16_t hit_flags;     // enum hit_flag known of the flow
	bool *ret_hit;          // set when a rule hits
	struct flowvars **vars; // of the connection, NULL until one is set
};

enum {
	HELD_MAX = 32, // hits of one segment; Suricata keeps 15 of a packet
};

// What matched in the segment in hand, as long as a pass rule may still match in it. Without pass rules nothing is held.
struct held {
	struct flow *flow; // NULL: nothing
	bool passed;       // a pass rule on single segments matched: no hit of this one is reported
	uint8_t action;    // what is to become of the flow: enum rule_action
	uint32_t n;
	struct hit hit[HELD_MAX];
};

// Per worker; pools are set by the pipeline.
struct detect {
	struct ruleset *rs; // for messages that begin now, NULL: none
	struct counters *counters;
	struct ring *hits;
	struct tap *tap; // NULL: none
	// Stages that are left out: pipeline_set_last_stage().
	bool unscanned, unverified;
	bool enforce;           // pipeline_conf
	uint32_t state_changes; // how often a rule has changed the state that others ask for
	uint64_t hit_seq;
	struct held held;
	uint32_t worker;
	struct pool *inspects; // struct inspect
	struct pool *actives;  // struct active
	struct pool *watches;
	struct pool *watchsets;
	struct pool *flowvars; // struct flowvars
	struct xbits *xbits;
	struct pool *windows; // DETECT_WINDOW_BYTES + 64
	struct pool *cells;   // TCP_SEG_BYTES
	struct pool *gathers; // HTTP_GATHER_BYTES
	struct view view;
	const struct inspect *view_of; // whose kept head the view shows
	struct http_head late_head;
	struct view_scratch scratch;
};

// Can a loaded rule look at this buffer of messages of direction dir from their first byte on?
bool detect_wants(const struct detect *d, enum dir dir, enum detect_stream s);

// Is there a rule that looks at single segments of direction dir?
bool detect_wants_packets(const struct detect *d, enum dir dir);

// Can any rule still look at this buffer of this message? If not, its bytes need not even be decoded.
bool detect_needs(const struct inspect *in, enum detect_stream s);

// A message begins. NULL: no rule set (counted), or no room (counted).
struct inspect *detect_begin(struct detect *d, enum dir dir);

// What knows a head and says nothing of it: only to be forked, for messages that come behind that head. Freed by
// detect_abort(). NULL: no room, counted.
struct inspect *detect_base(struct detect *d, enum dir dir, const struct detect_msg *m,
			    const struct http_head *head);

// Another reading of the body of a message: knows what the head of `in` said. NULL: no room, counted.
struct inspect *detect_fork(struct detect *d, const struct inspect *in, const struct detect_msg *m);

// What lies across the beginning of the message `in`: tail are raw bytes before it (64 readable bytes behind them), those
// of the message follow by detect_data(.., DETECT_RAW). Rules hit whose raw contents begin in the tail and end in the
// message, if they count from no start and ask for nothing else; but no rule hits once more in the message itself. Freed by
// detect_abort() before `in` is. NULL: no room, counted.
struct inspect *detect_seam(struct detect *d, struct inspect *in, const struct detect_msg *m,
			    struct span tail);

// Its head is complete. has_body: bytes will follow.
void detect_head(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 const struct http_head *head, enum http_answers answers, bool has_body);

// The next bytes of a stream buffer, with 64 readable bytes behind them.
void detect_data(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s, struct span data);

// A segment's payload, before its bytes go to the message that was in progress when it came; 64 readable bytes behind it.
void detect_packet(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   struct span data);

// gap_bytes are missing here. They are scanned as so many 0xc1 (64 KiB at most), so that no match spans them
// and positions behind them stay right.
void detect_gap(struct detect *d, struct inspect *in, const struct detect_msg *m,
		enum detect_stream s, uint64_t gap_bytes);

// The bytes in hand are used up: if the rule set has pass rules, what matched in them is decided now.
void detect_settle(struct detect *d, struct inspect *in, const struct detect_msg *m);

// No more of this segment will be read, or of this flow: what matched, and no pass rule silenced, is reported.
void detect_segment_end(struct detect *d);

// What is known of a file when it ends.
struct file_facts {
	struct span name; // as sent; data NULL: it has none
	uint64_t bytes;
	uint64_t behind; // of these, sent behind the announced end: not in the digests
	uint8_t digest[LIST_SHA256 + 1][32]; // by enum list_kind
	uint8_t digests;                     // bit per kind that is set
	uint64_t missing_bytes;              // not among bytes
	bool whole;                          // nothing of it is missing
	bool sized;                          // it ended, and what is missing is known
	bool partial;                        // it is a piece of a resource
	const struct file_facts *completes;  // the resource of which it was the last piece, or NULL
};

// Digests that rules want of the files of this message: bit per enum list_kind. *ret_any: some rule looks at files.
uint8_t detect_file_digests(const struct inspect *in, bool *ret_any);

// A file has ended: what its end decides, and the rules on files. more: another one may follow in the message, DETECT_FILE
// begins anew.
void detect_file_end(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     const struct file_facts *facts, bool more);

// The message ends: matches at its end and negated matches are decided. Frees in.
void detect_end(struct detect *d, struct inspect *in, const struct detect_msg *m);

// Give up without deciding anything. Frees in.
void detect_abort(struct detect *d, struct inspect *in);

#endif
