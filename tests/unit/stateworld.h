// SPDX-License-Identifier: BSD-2-Clause
// Rules that ask for state and leave some behind, and conversations for them, drawn at random; see test_detect_state.c.
#ifndef TESTS_STATEWORLD_H
#define TESTS_STATEWORLD_H

#include "tests/unit/pipekit.h"

enum {
	RULES_MAX = 14,
	CONDS_MAX = 2,
	OPS_MAX = 3,
	CONNS_MAX = 3,
	TXS_MAX = 5,
	FILES_MAX = 3,
	WORDS = 4, // that rules look for
	TEXT_WORDS = 4,
	NAMES = 3, // of bits and numbers
};

extern const char *const words[WORDS];

// ---- what is drawn ----

enum where {
	IN_URI,
	IN_HEADER,         // all fields
	IN_REQUEST_HEADER, // one field, all of it
	IN_RESPONSE_HEADER,
	IN_STATUS,
	IN_FILE,
	WHERE_N
};

struct cond {
	uint8_t where;
	uint8_t word;
	uint8_t other; // a second word
	bool has_other, other_negated;
	bool at_end;
	bool is_404; // IN_STATUS
};

enum kind {
	BIT,
	NUMBER,
	XBIT,
};

enum verb {
	SET,
	UNSET,
	TOGGLE,
	ADD,
	SUBTRACT,
	ISSET, // from here on: asks
	ISNOTSET,
	EQUAL,
	MORE,
};

enum track {
	BY_SOURCE,
	BY_DESTINATION,
	BY_PAIR,
};

struct op {
	uint8_t kind, verb, name;
	bool has_other;       // BIT: name|other; NUMBER: the other one instead of a value
	uint8_t other, value; // value: XBIT: seconds
	uint8_t track;
};

struct srule {
	bool pass, noalert;
	uint8_t dirs; // a bit per direction; both: no flow
	uint8_t n_conds, n_ops;
	struct cond cond[CONDS_MAX];
	struct op op[OPS_MAX];
};

// Bit sets of words, in what comes; a file has its words in order.
struct file {
	uint8_t n, word[TEXT_WORDS];
	bool ends_with_word;
};

struct message {
	uint8_t uri, field[2];
	bool is_404, is_multipart;
	uint8_t n_files;
	struct file file[FILES_MAX];
};

struct conn {
	uint8_t n_txs, client; // which of two addresses
	uint8_t pause_s;       // before it
	struct message msg[TXS_MAX][DIR_N];
};

struct world {
	uint8_t n_rules, n_conns;
	bool whole; // in large segments, one message after the other
	uint64_t cuts;
	struct srule rule[RULES_MAX];
	struct conn conn[CONNS_MAX];
};

// Where the messages of a stream are, and the files in them.
struct place {
	size_t from, head_end, to;
	size_t file_from[FILES_MAX], file_to[FILES_MAX];
	size_t file_known[FILES_MAX]; // behind what ends it
};

// What a connection says.
struct streams {
	char text[DIR_N][TXS_MAX * 2000];
	size_t len[DIR_N];
	struct place place[DIR_N][TXS_MAX];
};

static inline bool asks(const struct op *o)
{
	return o->verb >= ISSET;
}

void world_make(struct world *w, uint64_t *io_seed);

// The rules, sid 1 for the first one.
void world_rules(const struct world *w, char *out, size_t size);

void streams_make(const struct conn *c, struct streams *ret_streams);

// Leave out number n of what may be left out. False: there are no more.
bool world_without(struct world *w, unsigned int n);

#endif
