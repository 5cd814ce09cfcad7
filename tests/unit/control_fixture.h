// SPDX-License-Identifier: BSD-2-Clause
// A wireglassd in this process, in a directory of its own, with a dataplane and a CLI played by the test: all three in one
// event loop, so that nothing waits for anything but events.
#ifndef TESTS_UNIT_CONTROL_FIXTURE_H
#define TESTS_UNIT_CONTROL_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "control/daemon.h"
#include "rules/sig.h"

// The dataplane that the test plays.
struct fake {
	int listen_fd, fd; // -1: closed
	struct loop_source listen_source, source;
	uint64_t buf[IPC_MAX_BYTES / 8];

	// How it behaves.
	uint8_t boot_id[16];
	char version[32];
	bool silent;        // does not greet
	bool no_answer;     // to offers
	int busy;           // answers -EBUSY this many times
	const char *refuse; // refuses with this sentence

	// What it runs, and what it has seen.
	struct ipc_ruleset_state live;
	struct ipc_ruleset_offer offer; // the last one
	unsigned int offers, hellos, errors;
	char error_text[252];
	uint64_t acked[IPC_WORKERS_MAX];
	unsigned int acks;
};

struct fixture {
	char dir[64];
	char secret[128], other_secret[128];
	struct settings settings;
	struct daemon *d;
	struct fake fake;
};

extern struct fixture fx;

// cmocka setup and teardown: directory, two key pairs (one trusted), settings. Nothing runs yet.
int fixture_setup(void **state);
int fixture_teardown(void **state);

void fixture_start(void); // wireglassd
void fixture_stop(void);
void fake_start(void); // the dataplane, freshly booted: runs no rules
void fake_stop(void);  // dies
void fake_hang_up(void);
void fake_send(uint16_t type, const void *body, size_t body_bytes, const void *tail,
	       size_t tail_bytes);
// n hits of a worker from seq on, for the rule with this sid.
void fake_hits(uint32_t worker, uint64_t first_seq, uint32_t n, uint32_t sid);

// What worker 0 says of itself: hits so far, and how busy it was.
void fake_stats(uint64_t hits, uint64_t busy_ns, uint64_t idle_ns);

// Run the loop until condition holds; fails the test after a generous while.
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		uint64_t give_up_ = loop_now_ns() + 60000000000u;                                  \
		while (!(condition)) {                                                             \
			assert_int_equal(loop_step(&fx.d->loop, 1000), 0);                         \
			if (loop_now_ns() > give_up_)                                              \
				fail_msg("still not: %s", #condition);                             \
		}                                                                                  \
	} while (0)
// A few idle rounds: what could happen has happened.
void settle(void);

// A signed bundle in the embedded form, malloc'ed. key NULL: the trusted one.
char *make_bundle(const char *id, uint64_t serial, const char *rules, const char *expires,
		  const char *key, size_t *ret_len);

// The same with what the manifest says of who answers for it, signed with each of these keys.
struct bundle_spec {
	const char *id, *rules, *expires;
	uint64_t serial;
	const char *owner, *authority, *legal_basis, *jurisdiction; // NULL: left out
	const char *selftest;                                       // NULL: none
	const char *keys[4];                                        // files of secret keys
};
char *make_bundle_of(const struct bundle_spec *spec, size_t *ret_len);

// Requests of a CLI. The reply, and the error of its last piece in *ret_error.
int admin_connect(void);
void admin_ask(int fd, const struct ipc_admin_req *req, int send_fd);
json_t *admin_answer(int fd, int *ret_error);
json_t *admin_request(const struct ipc_admin_req *req, int send_fd, int *ret_error);
// rules load. data is freed.
json_t *load(char *data, size_t len, uint32_t flags, int *ret_error);
int memfd_of(const void *data, size_t len);

const char *text_of(const json_t *reply, const char *name);
long long number_of(const json_t *reply, const char *name);

#define RULE(sid, content)                                                                         \
	"alert http any any -> any any (msg:\"rule " #sid "\"; flow:established,to_server; "       \
	"http.uri; content:\"" content "\"; sid:" #sid "; rev:1;)\n"

#endif
