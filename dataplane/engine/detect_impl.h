// SPDX-License-Identifier: BSD-2-Clause
// What the files of detection share; private to them. Calls go one way:
//
//   detect.c (the message)  ->  detect_file.c  ->  detect_window.c  ->  detect_wake.c
//                               ->  detect_watch.c  ->  detect_search.c, detect_link.c
//                           ->  detect_active.c  ->  detect_hit.c   ->  detect_state.c
#ifndef ENGINE_DETECT_IMPL_H
#define ENGINE_DETECT_IMPL_H

#include "dataplane/engine/detect.h"

static inline enum buffer slot_of(enum detect_stream s)
{
	return s == DETECT_RAW ? BUF_RAW : s == DETECT_BODY ? BUF_REQUEST_BODY : BUF_FILE_DATA;
}

static inline struct ruleset_worker *worker_of(const struct detect *d, const struct ruleset *rs)
{
	return &rs->w[d->worker];
}

static inline enum detect_stream stream_of(const struct image_cond *c)
{
	return c->buffer == BUF_RAW            ? DETECT_RAW
	       : c->buffer == BUF_REQUEST_BODY ? DETECT_BODY
					       : DETECT_FILE;
}

static inline uint32_t always_on(const struct inspect *in, enum detect_stream s)
{
	return in->rs->img->db[slot_of(s)][in->dir];
}

static inline uint32_t tail_of(const struct inspect *in, enum detect_stream s)
{
	return in->rs->img->tail[slot_of(s)][in->dir];
}

static inline uint64_t window_start(const struct inspect *in, enum detect_stream s)
{
	return in->offset[s] - in->window_len[s];
}

static inline const uint8_t *window_at(const struct inspect *in, enum detect_stream s,
				       uint64_t offset)
{
	return in->window[s] + (offset - window_start(in, s));
}

static inline const struct image_term *watch_term(const struct inspect *in, const struct active *a,
						  const struct watch *w, enum detect_stream s)
{
	const struct image_rule *r = &in->rs->rules[a->rule];

	return &in->rs->terms[in->rs->conds[r->cond + a->cond[s]].term + w->term];
}

static inline const struct link *watch_link(const struct inspect *in, const struct active *a,
					    const struct watch *w, enum detect_stream s)
{
	return &in->rs->links[watch_term(in, a, w, s)->link + w->link];
}

// --- detect_hit.c ---

// Direction, protocol, addresses and ports: checked on candidates only.
bool hit_applies(const struct ruleset *rs, const struct image_rule *r, const struct detect_msg *m);

// The record of a rule that has begun to hold, made if there is none; NULL: pool empty, counted.
struct active *active_get(struct detect *d, struct inspect *in, uint32_t rule);

// The record, or NULL.
struct active *active_find(const struct detect *d, const struct inspect *in, uint32_t rule);

// Everything of a rule holds but, maybe, what it asks of its flow. Rules that ask wait until all rules of this stage that
// may change the answer have had their turn, whatever the order in which they stand.
void hit_rule(struct detect *d, struct inspect *in, const struct detect_msg *m, uint32_t rule,
	      uint8_t buffer, uint64_t offset, bool short_window);

// The stage is over: rules that wait are asked, again and again while one of them changes something. With pass rules in the
// rule set a stage is all that is at hand (detect_settle(), detect_end()), and hit_decide_waiting() decides nothing.
void hit_decide_waiting(struct detect *d, struct inspect *in, const struct detect_msg *m);
void hit_decide(struct detect *d, struct inspect *in, const struct detect_msg *m);

// --- detect_state.c ---

// Does what the rule asks of its flow hold?
bool state_holds(const struct detect *d, const struct inspect *in, const struct detect_msg *m,
		 const struct image_rule *r);

// Can what a rule asks for change without a rule of this worker changing it: sizes, other workers' bits?
bool state_moves(const struct inspect *in, const struct image_rule *r);

// What it leaves behind, now that it matched.
void state_write(struct detect *d, const struct inspect *in, const struct detect_msg *m,
		 const struct image_rule *r);

// --- detect_active.c ---

// All head conditions of a rule on the view.
bool active_head_holds(struct detect *d, const struct inspect *in, const struct image_rule *r);

// Bit per head condition of a rule.
uint16_t active_head_bits(const struct ruleset *rs, const struct image_rule *r);

// Head conditions of a rule that woke up elsewhere. Before the head has come this decides nothing.
void active_head(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 struct active *a);

// If every condition holds: hit, and the rule is done.
void active_complete(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     struct active *a, uint8_t buffer, uint64_t offset);

// --- detect_watch.c ---

// The terms of a stream condition are looked for from offset `from` on, in the window and in what comes.
void watch_open(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a,
		uint32_t cond, uint64_t from);

// data has been appended to the window of s, in->offset[s] is behind it.
void watch_data(struct detect *d, struct inspect *in, const struct detect_msg *m,
		enum detect_stream s, struct span data);

// The window of s is about to lose its oldest bytes.
void watch_slide(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s);

// The window has been evaluated and slid: conditions that did not hold on it wait again until that is worth while.
void watch_again(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 enum detect_stream s);

// The buffer has ended: what only its end makes true, and what is absent.
void watch_end(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a,
	       enum detect_stream s);

// Stop watching for a rule, without deciding anything.
void watch_close(struct detect *d, struct inspect *in, struct active *a, enum detect_stream s);
void watch_close_all(struct detect *d, struct inspect *in, struct active *a);

// --- detect_search.c ---

// The stream's set, made if there is none; NULL: pool empty.
struct watchset *search_set(struct detect *d, struct inspect *in, enum detect_stream s);

// It goes, when no rule watches the stream any more.
void search_drop(struct detect *d, struct inspect *in, enum detect_stream s);

// The anchor of w's next link l is searched for from now on; or no longer, if it was.
void search_add(struct detect *d, struct inspect *in, struct watch *w, const struct link *l,
		enum detect_stream s);
void search_remove(struct detect *d, struct inspect *in, struct watch *w, enum detect_stream s);

// What may begin at lo is to be verified when the stream has `due` bytes.
void search_pend(struct inspect *in, struct watch *w, enum detect_stream s, uint64_t lo,
		 uint64_t due);

// Search what has come behind old_end. Where an anchor stands its watch pends.
void search_data(struct detect *d, struct inspect *in, enum detect_stream s, uint64_t old_end);

// --- detect_link.c ---

enum link_verdict {
	LINK_NOT,
	LINK_FOUND,
	LINK_MORE, // not with the bytes there are
};

// Is the link of w within [from, now)? *ret_end: where it ends.
enum link_verdict link_verify(struct detect *d, struct inspect *in, const struct active *a,
			      const struct watch *w, enum detect_stream s, uint64_t from,
			      bool at_end, uint64_t *ret_end);

// --- detect_wake.c ---

// active_complete(), and a rule that is done stops watching.
void wake_complete(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   struct active *a, uint8_t buffer, uint64_t offset);

// Every condition of the rule that has no signature of its own starts to listen: GATED ones.
void wake_gated(struct detect *d, struct inspect *in, const struct detect_msg *m, struct active *a);

// A rule's signature matched in a stream buffer, up to offset end.
void wake_signature(struct detect *d, struct inspect *in, const struct detect_msg *m,
		    enum detect_stream s, const struct image_owner *o, uint64_t end);

// --- detect_file.c ---

// The rules on files, for one that has ended.
void file_decide(struct detect *d, struct inspect *in, const struct detect_msg *m,
		 const struct file_facts *facts);

// What rules hold of this file is forgotten, they look for it again in the next one.
void file_next(struct detect *d, struct inspect *in, const struct detect_msg *m);

// --- detect_window.c ---

// The window of s is about to lose its oldest bytes, or the buffer has ended: evaluate what waits for it.
void window_evaluate(struct detect *d, struct inspect *in, const struct detect_msg *m,
		     enum detect_stream s, bool at_end);

// Bytes that may be appended at once: as many as the window holds besides what it must keep.
size_t window_room(const struct inspect *in, enum detect_stream s);

// Keep what rules may still ask for; before bytes are lost, conditions that wait for them are evaluated.
void window_append(struct detect *d, struct inspect *in, const struct detect_msg *m,
		   enum detect_stream s, struct span data);

void window_drop(struct detect *d, struct inspect *in, enum detect_stream s);

#endif
