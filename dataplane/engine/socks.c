// SPDX-License-Identifier: BSD-2-Clause
// A machine of one step per byte, so that it does not matter how a hand-shake is cut, or whether the client waits for answers.
//
//   client  5 n methods{n}  [1 n name{n} n password{n}]  5 command 0 address      4 command port{2} ip{4} user 0 [domain 0]
//   server  5 method        [1 status]                   5 reply 0 address {1,2}  0 reply port{2} ip{4}
//   address: 1 ip{4} port{2} | 3 n domain{n} port{2} | 4 ip{16} port{2}
//
// What is asked and answered does not matter, only where it ends. Answers that refuse are passed over as those that grant: a server
// that goes on behind one is read. Other methods than none and a password wrap what follows: that is no hand-shake.
#include "dataplane/engine/socks.h"

enum socks_state {
	SOCKS_OVER,
	// the client's
	SOCKS_VERSION,
	SOCKS_METHODS_N,
	SOCKS_METHODS,
	SOCKS_NAME_OR_REQUEST,
	SOCKS_NAME_N,
	SOCKS_NAME,
	SOCKS_PASSWORD_N,
	SOCKS_PASSWORD,
	SOCKS_REQUEST,
	SOCKS_4_COMMAND,
	SOCKS_4_PORT,
	SOCKS_4_IP,
	SOCKS_4_USER,
	SOCKS_4_DOMAIN,
	// the server's
	SOCKS_ANSWER,
	SOCKS_METHOD,
	SOCKS_STATUS_OR_REPLY,
	SOCKS_STATUS,
	SOCKS_REPLY,
	SOCKS_ANOTHER_REPLY, // to BIND, which has two
	SOCKS_4_ANOTHER_REPLY,
	SOCKS_4_REPLY,
	// both sides'
	SOCKS_CODE, // command or reply
	SOCKS_RESERVED,
	SOCKS_ADDRESS_TYPE,
	SOCKS_DOMAIN_N,
	SOCKS_ADDRESS,
};

enum {
	TEXT_MAX = 255, // of a user or a domain of SOCKS 4; longer ones are none
};

enum step {
	STEP_TAKEN,
	STEP_NONE, // the byte belongs to what follows the hand-shake
};

void socks_begin(struct socks_half *ret_client, struct socks_half *ret_server)
{
	*ret_client = (struct socks_half){.state = SOCKS_VERSION};
	*ret_server = (struct socks_half){.state = SOCKS_ANSWER};
}

static enum step go(struct socks_half *h, enum socks_state state, uint8_t left)
{
	h->state = (uint8_t)state;
	h->left = left;
	return STEP_TAKEN;
}

// The only byte that may stand here is this one.
static enum step only(struct socks_half *h, uint8_t b, uint8_t want, enum socks_state then)
{
	return b == want ? go(h, then, 0) : STEP_NONE;
}

// A field of some bytes ends with b, or goes on.
static enum step field(struct socks_half *h, enum socks_state then)
{
	return --h->left == 0 ? go(h, then, 0) : STEP_TAKEN;
}

// The length of a field; with 0 it is not there.
static enum step length(struct socks_half *h, uint8_t n, enum socks_state at, enum socks_state then)
{
	return n > 0 ? go(h, at, n) : go(h, then, 0);
}

// A text that ends with a NUL.
static enum step text(struct socks_half *h, uint8_t b, enum socks_state then)
{
	if (b == 0)
		return go(h, then, TEXT_MAX);
	return --h->left > 0 ? STEP_TAKEN : STEP_NONE;
}

static enum step version_4_step(struct socks_half *h, uint8_t b)
{
	switch ((enum socks_state)h->state) {
	case SOCKS_4_COMMAND:
		return b == 1 || b == 2 ? go(h, SOCKS_4_PORT, 2) : STEP_NONE;
	case SOCKS_4_PORT:
		if (--h->left > 0)
			return STEP_TAKEN;
		h->more = true;
		return go(h, SOCKS_4_IP, 4);
	case SOCKS_4_IP: // 0.0.0.x: a domain follows
		h->more &= (b == 0) == (h->left > 1);
		return --h->left > 0 ? STEP_TAKEN : go(h, SOCKS_4_USER, TEXT_MAX);
	case SOCKS_4_USER:
		return text(h, b, h->more ? SOCKS_4_DOMAIN : SOCKS_OVER);
	case SOCKS_4_DOMAIN:
		return text(h, b, SOCKS_OVER);
	default: // SOCKS_4_REPLY
		return field(h, h->more ? SOCKS_OVER : SOCKS_4_ANOTHER_REPLY);
	}
}

static enum step client_step(struct socks_half *h, uint8_t b)
{
	switch ((enum socks_state)h->state) {
	case SOCKS_VERSION:
		return b == 4 ? go(h, SOCKS_4_COMMAND, 0) : only(h, b, 5, SOCKS_METHODS_N);
	case SOCKS_METHODS_N:
		return b > 0 ? go(h, SOCKS_METHODS, b) : STEP_NONE;
	case SOCKS_METHODS:
		return field(h, SOCKS_NAME_OR_REQUEST);
	case SOCKS_NAME_OR_REQUEST:
		return b == 1 ? go(h, SOCKS_NAME_N, 0) : only(h, b, 5, SOCKS_CODE);
	case SOCKS_NAME_N:
		return length(h, b, SOCKS_NAME, SOCKS_PASSWORD_N);
	case SOCKS_NAME:
		return field(h, SOCKS_PASSWORD_N);
	case SOCKS_PASSWORD_N:
		return length(h, b, SOCKS_PASSWORD, SOCKS_REQUEST);
	case SOCKS_PASSWORD:
		return field(h, SOCKS_REQUEST);
	case SOCKS_REQUEST:
		return only(h, b, 5, SOCKS_CODE);
	default:
		return version_4_step(h, b);
	}
}

static enum step server_step(struct socks_half *h, uint8_t b)
{
	switch ((enum socks_state)h->state) {
	case SOCKS_ANSWER:
		return b == 0 ? go(h, SOCKS_4_REPLY, 7) : only(h, b, 5, SOCKS_METHOD);
	case SOCKS_METHOD:
		return b == 0 || b == 2 ? go(h, SOCKS_STATUS_OR_REPLY, 0) : STEP_NONE;
	case SOCKS_STATUS_OR_REPLY:
		if (b == 1)
			return go(h, SOCKS_STATUS, 0);
		h->more = true;
		return only(h, b, 5, SOCKS_CODE);
	case SOCKS_STATUS:
		return go(h, SOCKS_REPLY, 0);
	case SOCKS_REPLY:
		h->more = true;
		return only(h, b, 5, SOCKS_CODE);
	case SOCKS_4_ANOTHER_REPLY:
		h->more = true;
		return b == 0 ? go(h, SOCKS_4_REPLY, 7) : STEP_NONE;
	default: // SOCKS_ANOTHER_REPLY
		h->more = false;
		return only(h, b, 5, SOCKS_CODE);
	}
}

static enum step address_step(struct socks_half *h, uint8_t b)
{
	const enum socks_state then = h->more ? SOCKS_ANOTHER_REPLY : SOCKS_OVER;

	switch ((enum socks_state)h->state) {
	case SOCKS_CODE:
		return go(h, SOCKS_RESERVED, 0);
	case SOCKS_RESERVED:
		return only(h, b, 0, SOCKS_ADDRESS_TYPE);
	case SOCKS_ADDRESS_TYPE:
		if (b == 3)
			return go(h, SOCKS_DOMAIN_N, 0);
		return b == 1 || b == 4 ? go(h, SOCKS_ADDRESS, b * 4 + 2) : STEP_NONE;
	case SOCKS_DOMAIN_N: // longer ones than 253 bytes do not exist
		return b <= 253 ? go(h, SOCKS_ADDRESS, (uint8_t)(b + 2)) : STEP_NONE;
	default: // SOCKS_ADDRESS
		return field(h, then);
	}
}

void socks_skip(struct socks_half *h, struct span *io_in)
{
	while (socks_active(h) && io_in->len > 0) {
		const uint8_t b = io_in->data[0];
		enum step took;

		if (h->state < SOCKS_ANSWER)
			took = client_step(h, b);
		else if (h->state == SOCKS_4_REPLY)
			took = version_4_step(h, b);
		else if (h->state < SOCKS_CODE)
			took = server_step(h, b);
		else
			took = address_step(h, b);
		if (took == STEP_NONE)
			*h = (struct socks_half){.state = SOCKS_OVER};
		else
			*io_in = span_from(*io_in, 1);
	}
}
