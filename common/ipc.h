// SPDX-License-Identifier: BSD-2-Clause
// The whole contract between the three programs.
//
// Two AF_UNIX SOCK_SEQPACKET sockets, one message per packet, host byte order, no pointers, explicit padding:
//   dataplane.sock  the dataplane listens, wireglassd connects (one peer at a time; a newer one replaces it)
//   control.sock    wireglassd listens, the CLI connects (at most 16 peers)
// Both ends check the other's uid with SO_PEERCRED before they read a byte.
//
// dataplane.sock, in order:
//   control   -> HELLO                     versions must agree, else the connection is closed with ERROR
//   dataplane -> HELLO, RULESET_STATE      what runs now
//   control   -> RULESET_OFFER + memfd     -> RULESET_STATE (LIVE or REFUSED), later RETIRED for the old one
//   dataplane -> HITS                      unacknowledged ones again after a reconnect, same seq
//   control   -> HITS_ACK                  only after they are stored
//   dataplane -> EVENTS, STATS, PORTS      every second, best effort
//
// control.sock:
//   cli       -> ADMIN_REQ (+ fd for RULES_LOAD)
//   control   -> ADMIN_REP...              JSON text in pieces; the last piece has more = 0
#ifndef COMMON_IPC_H
#define COMMON_IPC_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/counters.h"
#include "common/hit.h"

enum {
	IPC_VERSION = 1,       // must be bumped with any change of a struct below or of counters.h
	IPC_MAX_BYTES = 65536, // of one message with its header
	IPC_HITS_MAX = 256,    // per HITS message
	IPC_EVENTS_MAX = 60,   // per EVENTS message
	IPC_WORKERS_MAX = 128,
	IPC_PORTS_MAX = 32,
};

// X(id, number, fixed body struct, may more bytes follow the struct)
#define IPC_TABLE(X)                                                                               \
	X(HELLO, 1, struct ipc_hello, 0)                                                           \
	X(ERROR, 2, struct ipc_error, 0)                                                           \
	X(RULESET_OFFER, 3, struct ipc_ruleset_offer, 0)                                           \
	X(RULESET_STATE, 4, struct ipc_ruleset_state, 0)                                           \
	X(HITS, 5, struct ipc_hits, 1)                                                             \
	X(HITS_ACK, 6, struct ipc_hits_ack, 0)                                                     \
	X(EVENTS, 7, struct ipc_events, 1)                                                         \
	X(STATS, 8, struct ipc_stats, 0)                                                           \
	X(PORTS, 9, struct ipc_ports, 1)                                                           \
	X(ADMIN_REQ, 10, struct ipc_admin_req, 0)                                                  \
	X(ADMIN_REP, 11, struct ipc_admin_rep, 1)

enum ipc_type {
#define X(id, number, body, more) IPC_##id = number,
	IPC_TABLE(X)
#undef X
};

struct ipc_header {
	uint32_t magic; // IPC_MAGIC
	uint16_t type;  // enum ipc_type
	uint16_t version;
	uint32_t bytes; // body, without this header
	uint32_t id;    // request id, echoed in replies
};
#define IPC_MAGIC 0x31434757u // "WGC1"

struct ipc_hello {
	uint8_t boot_id[16]; // random per dataplane start; zero from control
	uint32_t pid;
	uint32_t workers;
	uint32_t counters; // COUNTER_N
	uint32_t ports;
	uint64_t start_ns; // Unix time
	char version[32];
	// finished: a finite source has ended and was drained; landlock: version of it that is in force, 0: none
	uint8_t inline_mode, finished, landlock, pad[5];
};

struct ipc_error {
	int32_t error; // negative errno
	char text[252];
};

struct ipc_ruleset_offer { // with one memfd: sealed, bytes long
	uint64_t bytes;
	uint64_t serial;
	uint8_t digest[32]; // SHA-256, as in the image header
	uint32_t generation;
	uint32_t pad;
};

enum ipc_ruleset_status {
	IPC_RULESET_NONE,
	IPC_RULESET_LIVE,
	IPC_RULESET_RETIRED, // no worker uses it any more
	IPC_RULESET_REFUSED, // error and text say why; the one before stays live
};

struct ipc_ruleset_state {
	uint32_t generation;
	uint32_t status; // enum ipc_ruleset_status
	int32_t error; // negative errno with REFUSED (-EBUSY: two are in memory already, try again)
	uint32_t rules;
	uint64_t serial;
	uint64_t load_ns; // from offer to live
	uint8_t digest[32];
	char text[192];
};

struct ipc_hits { // followed by n struct hit of one worker, seq ascending without holes but the lost ones
	uint8_t boot_id[16];
	uint32_t worker;
	uint32_t n;
	uint64_t lost;       // hits of this worker ever lost: ring or spool full
	uint64_t lost_first; // seq range of the newest loss, 0 if none
	uint64_t lost_last;
};

struct ipc_hits_ack {
	uint32_t worker;
	uint32_t pad;
	uint64_t seq; // all up to here are stored
};

struct ipc_events { // followed by n struct event
	uint32_t n;
	uint32_t worker;
};

struct ipc_stats { // one worker
	uint32_t worker;
	uint32_t generation; // the worker last picked up
	uint64_t ts_ns;
	uint64_t busy_ns, idle_ns; // since start
	uint64_t objects;          // pool objects in use
	struct counters counters;
};

struct ipc_port {
	char name[32];
	char driver[32];
	uint64_t rx_pkts, rx_bytes, rx_missed, rx_errors, rx_nombuf;
	uint64_t tx_pkts, tx_bytes, tx_errors;
	uint64_t kernel_drops; // af_packet sockets, UINT64_MAX if not known
	uint32_t speed_mbps;
	uint16_t rx_queues, tx_queues;
	uint8_t link_up, peer /* index, 255: tap */, pad[6];
};

struct ipc_ports { // followed by n struct ipc_port
	uint32_t n;
	uint32_t pad;
};

// X(id, "words of the CLI", needs fd)
#define IPC_ADMIN_TABLE(X)                                                                         \
	X(SHOW_STATUS, "show status", 0)                                                           \
	X(SHOW_STATS, "show stats", 0)                                                             \
	X(SHOW_PORTS, "show ports", 0)                                                             \
	X(SHOW_WORKERS, "show workers", 0)                                                         \
	X(SHOW_RULES, "show rules", 0)                                                             \
	X(SHOW_COVERAGE, "show coverage", 0)                                                       \
	X(HITS_LIST, "hits list", 0)                                                               \
	X(HITS_SHOW, "hits show", 0)                                                               \
	X(HITS_FOLLOW, "hits follow", 0)                                                           \
	X(REPORT, "report transparency", 0)                                                        \
	X(HITS_WORK, "hits work", 0)                                                               \
	X(RULES_LOAD, "rules load", 1)                                                             \
	X(RULES_LIST, "rules list", 0)                                                             \
	X(RULES_ROLLBACK, "rules rollback", 0)                                                     \
	X(RULES_ACTIVATE, "rules activate", 0)

enum ipc_admin_command {
#define X(id, words, fd) IPC_ADMIN_##id,
	IPC_ADMIN_TABLE(X)
#undef X
		IPC_ADMIN_N
};

enum ipc_admin_flag {
	IPC_ADMIN_ALLOW_OLDER = 1 << 0, // RULES_LOAD: accept a serial that is not higher
	IPC_ADMIN_OLDEST = 1 << 1,      // HITS_LIST: the oldest that match, even without since
};

struct ipc_admin_req {
	uint32_t command; // enum ipc_admin_command
	uint32_t flags;   // enum ipc_admin_flag
	// HITS_*: store id after which to start; RULES_ROLLBACK, RULES_ACTIVATE: serial, 0: the one before
	uint64_t since;
	uint32_t limit; // HITS_LIST, HITS_WORK: most rows, 0: 100
	// The others for HITS_*: only hits like this. 0 or "": all.
	uint32_t sid;
	uint64_t before;         // store id
	uint64_t from_ns, to_ns; // time of the hit, both included
	char text[256];          // host name, or address or prefix of client or server
	char host[256];
	char client[64], server[64]; // address or prefix
	uint32_t states;             // bit per enum store_state
	uint8_t state, verdict;      // HITS_WORK: what they become
	uint8_t pad[2];
	char note[256]; // HITS_WORK: why
	// RULES_LOAD: seconds on trial, 0: none; and what it may cost, 0: no limit
	uint32_t trial_s, trial_hits_per_s, trial_busy_percent;
	uint32_t pad2;
};

struct ipc_admin_rep { // followed by bytes of JSON text, no newline
	int32_t error; // 0, or negative errno: then the JSON is {"error": "sentence", "code": "..."}
	uint32_t more; // another piece follows
};

static_assert(sizeof(struct ipc_header) == 16, "wire format");
static_assert(sizeof(struct ipc_hits) + IPC_HITS_MAX * sizeof(struct hit) <= 65000, "fits");
static_assert(sizeof(struct ipc_events) + IPC_EVENTS_MAX * sizeof(struct event) <= 65000, "fits");
static_assert(sizeof(struct ipc_stats) <= 8192, "fits");

// Listen on path (mode 0660, an old socket file is replaced only if nobody answers on it).
// fd (non-blocking, close-on-exec) or negative errno; -EADDRINUSE: another instance is alive.
int ipc_listen(const char *path);

// Connect to path. fd (non-blocking, close-on-exec) or negative errno.
int ipc_connect(const char *path);

// Accept one peer, whoever it is. fd, -EAGAIN or other negative errno.
struct ipc_peer;
int ipc_accept_any(int listen_fd, struct ipc_peer *ret_peer);
// Tell the other end why, and close.
void ipc_refuse(int fd, int error, const char *text);

// Accept one peer if its uid is 0, our own, or allowed_uid. fd, -EAGAIN, or -EPERM (told so with ERROR, and closed).
int ipc_accept(int listen_fd, uid_t allowed_uid);

// Who is at the other end, as the kernel noted it when it connected.
struct ipc_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

// 0 or negative errno.
int ipc_peer(int fd, struct ipc_peer *ret_peer);

// Was it in this group when it connected, as its own or as one more? (gid_t)-1: false.
bool ipc_peer_in_group(int fd, gid_t gid);

// Is the other end's uid 0, our own, or allowed_uid? 0 or -EPERM. For the connecting side.
int ipc_check_peer(int fd, uid_t allowed_uid);

// Send one message: body (fixed struct) and tail (may be NULL). send_fd -1: none.
// 0, -EAGAIN (nothing was sent), -EMSGSIZE, -EPIPE and other negative errno.
int ipc_send(int fd, uint16_t type, uint32_t id, const void *body, size_t body_bytes,
	     const void *tail, size_t tail_bytes, int send_fd);

// A received message. body points into the buffer given to ipc_recv().
struct ipc_msg {
	uint16_t type;
	uint32_t id;
	const void *body; // the fixed struct of the type
	const void *tail; // what follows it
	size_t tail_bytes;
	int fd; // received with it, -1 if none; the caller closes it
};

// Receive one message into buf (IPC_MAX_BYTES, 8-byte aligned). Everything about it is checked: magic, version, type,
// length against the table, counts of HITS, EVENTS and PORTS against the tail, worker and port numbers, ends of texts,
// and exactly one fd on RULESET_OFFER and on admin commands that need one, none elsewhere (others are closed).
// 1: *ret_msg is filled; 0: the peer closed; -EAGAIN; -EPROTO: the peer broke the protocol, close it;
// -EPROTONOSUPPORT: the peer speaks another IPC_VERSION (programs of two releases), close it.
int ipc_recv(int fd, void *buf, struct ipc_msg *ret_msg);

// Name of a type or admin command, "?" if unknown.
const char *ipc_type_name(unsigned int type);
const char *ipc_admin_words(unsigned int command);

#endif
