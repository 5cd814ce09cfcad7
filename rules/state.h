// SPDX-License-Identifier: BSD-2-Clause
// What a rule asks about its flow beyond bytes, and what it leaves behind: flowbits, xbits, flowint, stream_size, app-layer-event.
// One record serves rules and images, so its layout is part of the image format.
#ifndef RULES_STATE_H
#define RULES_STATE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state_kind {
	STATE_FLOWBIT,
	STATE_XBIT,    // a bit of an address or a pair, seen by all flows, with an end
	STATE_FLOWINT, // a number of the flow
	STATE_STREAM_SIZE,
	STATE_EVENT, // something odd about the message, enum state_event
	STATE_KIND_N,
};

enum state_op {
	// take effect when the rule matches
	STATE_SET,
	STATE_UNSET,
	STATE_TOGGLE,
	STATE_ADD,
	STATE_SUB,
	// conditions
	STATE_ISSET,
	STATE_ISNOTSET,
	STATE_EQ,
	STATE_NE,
	STATE_LT,
	STATE_LE,
	STATE_GT,
	STATE_GE,
	STATE_OP_N,
};

enum state_track {
	// xbits
	STATE_SRC, // address of the matched message's sender
	STATE_DST,
	STATE_PAIR, // in either order
	// stream_size
	STATE_CLIENT,
	STATE_SERVER,
	STATE_BOTH,
	STATE_EITHER,
	STATE_TRACK_N,
};

// Suricata's names, of the events that a head alone decides. EVENT(id, name, bit per enum dir)
#define STATE_EVENTS                                                                               \
	EVENT(REQUEST_TE, "invalid_transfer_encoding_value_in_request", 1)                         \
	EVENT(RESPONSE_TE, "invalid_transfer_encoding_value_in_response", 2)                       \
	EVENT(REQUEST_CL, "invalid_content_length_field_in_request", 1)                            \
	EVENT(RESPONSE_CL, "invalid_content_length_field_in_response", 2)                          \
	EVENT(REQUEST_CL_TWICE, "duplicate_content_length_field_in_request", 1)                    \
	EVENT(RESPONSE_CL_TWICE, "duplicate_content_length_field_in_response", 2)                  \
	EVENT(REQUEST_COLON, "request_field_missing_colon", 1)                                     \
	EVENT(RESPONSE_COLON, "response_field_missing_colon", 2)                                   \
	EVENT(REQUEST_FOLDING, "invalid_request_field_folding", 1)                                 \
	EVENT(RESPONSE_FOLDING, "invalid_response_field_folding", 2)                               \
	EVENT(HOST_MISSING, "missing_host_header", 1)                                              \
	EVENT(HOST_AMBIGUOUS, "host_header_ambiguous", 1)

enum state_event {
#define EVENT(id, name, dirs) STATE_EVENT_##id,
	STATE_EVENTS
#undef EVENT
		STATE_EVENT_N
};

struct state_op_record {
	uint64_t name;   // state_name() of the bit or number
	uint64_t var;    // FLOWINT: of the number that is the operand; 0: value
	uint32_t value;  // operand; XBIT: seconds that it lasts; EVENT: enum state_event
	uint8_t kind;    // enum state_kind
	uint8_t op;      // enum state_op
	uint8_t track;   // enum state_track
	uint8_t or_next; // FLOWBIT conditions: the next one may hold instead ("isset,a|b")
};
static_assert(sizeof(struct state_op_record) == 24, "image format");

static inline bool state_reads(const struct state_op_record *s)
{
	return s->op >= STATE_ISSET;
}

// Is it one that a rule can be made of?
static inline bool state_is_valid(const struct state_op_record *s)
{
	bool test = s->op >= STATE_EQ && s->op < STATE_OP_N;
	bool bit = s->op == STATE_SET || s->op == STATE_ISSET || s->op == STATE_ISNOTSET;

	if (s->or_next > (s->kind == STATE_FLOWBIT && state_reads(s)) ||
	    (s->kind != STATE_FLOWINT && s->var != 0))
		return false;
	switch (s->kind) {
	case STATE_FLOWBIT:
		return (bit || s->op == STATE_UNSET || s->op == STATE_TOGGLE) && s->track == 0;
	case STATE_XBIT:
		return (bit || s->op == STATE_UNSET || s->op == STATE_TOGGLE) &&
		       s->track <= STATE_PAIR;
	case STATE_FLOWINT:
		return (bit || test || s->op == STATE_ADD || s->op == STATE_SUB) && s->track == 0;
	case STATE_STREAM_SIZE:
		return test && s->track >= STATE_CLIENT && s->track <= STATE_EITHER;
	case STATE_EVENT:
		return s->op == STATE_ISSET && s->track == 0 && s->value < STATE_EVENT_N;
	}
	return false;
}

// What stands for a name in every rule set, so that state outlives the one that made it (FNV-1a, 64 bits; rules are signed, nobody
// looks for collisions: with 10,000 names two agree once in 400 billion rule sets). A bit and a number of one name differ.
static inline uint64_t state_name(enum state_kind kind, const char *name, size_t len)
{
	uint64_t h = (UINT64_C(14695981039346656037) ^ (uint64_t)kind) * UINT64_C(1099511628211);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)name[i]) * UINT64_C(1099511628211);
	return h != 0 ? h : 1;
}

#endif
