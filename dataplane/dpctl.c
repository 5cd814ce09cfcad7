// SPDX-License-Identifier: BSD-2-Clause
// The main lcore's loop. Nothing here can stop a worker: a peer that is slow, dead or hostile costs hits' time in the
// spool and nothing else, and what is lost after that is counted by the worker that lost it.
//
// Each turn: requests in, rings into spools, answers, hits and events out, old rule set, once a second numbers out.
#include "dataplane/dpctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/notify.h"
#include "common/sandbox.h"
#include "dataplane/offer.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"
#include "rules/image.h"

enum {
	TURN_MS = 2, // a hit waits this long at most before it is on its way
	REQUESTS_PER_TURN = 16,
	OFFERS_PER_SECOND = 32, // a card may take a millisecond for each
	BATCHES_PER_TURN = 64,  // per worker: 16384 hits, 8 million a second
};
static const uint64_t SECOND_NS = 1000000000u;
static const uint64_t STOP_NS = 2 * SECOND_NS; // SIGTERM to the end, at most
static const uint64_t ACK_NS = 5 * SECOND_NS;  // --exit-when-done: for the last hits to be stored
static const uint64_t BLOCKED_NS =
	30 * SECOND_NS; // a peer that takes nothing for so long is given up

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

// Bit per port whose card is to drop released flows.
static uint32_t offload_ports(const struct dataplane *dp)
{
	uint32_t ports = 0;

	for (uint32_t i = 0; i < dp->n_ports && dp->conf->offload_after_mb != 0; i++)
		if (dp->ports[i].nic.offload.drop_flows)
			ports |= 1u << i;
		else
			log_warning("port %u: %s: offload_after_mb: nothing is known of its card "
				    "dropping flows (drop_flows of its profile)",
				    i, dp->ports[i].name);
	return ports;
}

int dpctl_init(struct dpctl *c, struct dataplane *dp, int listen_fd, int signal_fd,
	       struct diag *ret_diag)
{
	uint32_t ports;

	memset(c, 0, sizeof(*c));
	c->dp = dp;
	c->listen_fd = listen_fd;
	c->signal_fd = signal_fd;
	c->peer_fd = c->guest_fd = -1;
	swap_init(&c->swap, dp, (uint64_t)dp->conf->grace_s * SECOND_NS);
	c->buf = aligned_alloc(64, IPC_MAX_BYTES);
	c->spools = calloc(dp->n_workers, sizeof(*c->spools));
	if (c->buf == NULL || c->spools == NULL)
		goto no_memory;
	for (uint32_t i = 0; i < dp->n_workers; i++)
		if (spool_init(&c->spools[i], (uint64_t)dp->conf->spool_hits) < 0)
			goto no_memory;
	c->card.ports = dp->ports;
	ports = offload_ports(dp);
	if (ports != 0 && offload_init(&c->offload, &offload_card_ops, &c->card, ports,
				       (uint32_t)dp->conf->offload_flows) < 0)
		goto no_memory;
	if (getrandom(c->boot_id, sizeof(c->boot_id), 0) != sizeof(c->boot_id)) {
		diag_set(ret_diag, NULL, 0, 0, "the kernel gives no random numbers");
		return -EIO;
	}
	return 0;

no_memory:
	diag_set(ret_diag, NULL, 0, 0, "not enough memory for %lld hits per worker (spool_hits)",
		 (long long)dp->conf->spool_hits);
	return -ENOMEM;
}

void dpctl_done(struct dpctl *c)
{
	offload_done(&c->offload);
	for (uint32_t i = 0; c->spools != NULL && i < c->dp->n_workers; i++)
		spool_done(&c->spools[i]);
	free(c->spools);
	free(c->buf);
	if (c->peer_fd >= 0)
		close(c->peer_fd);
	if (c->guest_fd >= 0)
		close(c->guest_fd);
	swap_done(&c->swap);
}

// --- the peer -------------------------------------------------------------------------------------------------------

static void drop_peer(struct dpctl *c, const char *why)
{
	if (c->peer_fd < 0)
		return;
	log_notice("control disconnected: %s", why);
	close(c->peer_fd);
	c->peer_fd = -1;
	c->n_out = 0;
	c->blocked_ns = 0;
	atomic_store_explicit(&c->dp->peer, false, memory_order_relaxed);
}

// Send if there is room. False: not sent; the peer may be gone.
static bool send_now(struct dpctl *c, uint16_t type, uint32_t id, const void *body,
		     size_t body_bytes, const void *tail, size_t tail_bytes)
{
	int err = ipc_send(c->peer_fd, type, id, body, body_bytes, tail, tail_bytes, -1);

	if (err == 0) {
		c->blocked_ns = 0;
		return true;
	}
	if (err != -EAGAIN)
		drop_peer(c, strerror(-err));
	else if (c->blocked_ns == 0)
		c->blocked_ns = monotonic_ns();
	return false;
}

static struct dpctl_out *queue(struct dpctl *c, uint16_t type, uint32_t id)
{
	if (c->peer_fd < 0)
		return NULL;
	if (c->n_out == DPCTL_OUT_MAX) {
		drop_peer(c, "it does not read its answers");
		return NULL;
	}
	struct dpctl_out *out = &c->out[c->n_out++];

	memset(out, 0, sizeof(*out));
	out->type = type;
	out->id = id;
	return out;
}

static void queue_state(struct dpctl *c, uint32_t id, const struct ipc_ruleset_state *state)
{
	struct dpctl_out *out = queue(c, IPC_RULESET_STATE, id);

	if (out != NULL)
		out->state = *state;
}

static void queue_hello(struct dpctl *c, uint32_t id, bool finished)
{
	struct dpctl_out *out = queue(c, IPC_HELLO, id);

	if (out == NULL)
		return;
	out->hello = (struct ipc_hello){
		.pid = (uint32_t)getpid(),
		.workers = c->dp->n_workers,
		.counters = COUNTER_N,
		.ports = c->dp->n_ports,
		.start_ns = c->dp->start_ns,
		.inline_mode = c->dp->conf->mode == MODE_INLINE,
		.finished = finished,
		.landlock = c->dp->sandbox != NULL ? (uint8_t)c->dp->sandbox->landlock_abi : 0,
	};
	memcpy(out->hello.boot_id, c->boot_id, sizeof(c->boot_id));
	strcpy(out->hello.version, WIREGLASS_VERSION);
}

static void flush_out(struct dpctl *c)
{
	uint32_t done = 0;

	while (c->peer_fd >= 0 && done < c->n_out) {
		const struct dpctl_out *o = &c->out[done];
		bool sent =
			o->type == IPC_HELLO
				? send_now(c, o->type, o->id, &o->hello, sizeof(o->hello), NULL, 0)
				: send_now(c, o->type, o->id, &o->state, sizeof(o->state), NULL, 0);

		if (!sent)
			break;
		done++;
	}
	if (c->peer_fd < 0)
		return;
	c->n_out -= done;
	memmove(c->out, c->out + done, c->n_out * sizeof(c->out[0]));
}

static void drop_guest(struct dpctl *c)
{
	if (c->guest_fd >= 0)
		close(c->guest_fd);
	c->guest_fd = -1;
}

static void accept_guest(struct dpctl *c)
{
	uid_t allowed = c->dp->conf->control_uid >= 0 ? (uid_t)c->dp->conf->control_uid : geteuid();
	int fd = ipc_accept(c->listen_fd, allowed);

	if (fd == -EPERM)
		log_warning("refused a connection to %s: its user is neither root nor ours (see "
			    "--control-uid)",
			    c->dp->conf->socket);
	if (fd < 0)
		return;
	drop_guest(c);
	c->guest_fd = fd;
}

// A HELLO: from a newcomer it makes it the peer, from the peer it asks for everything unacknowledged again.
static void greet(struct dpctl *c, uint32_t id)
{
	c->was_greeted = true;
	c->finished_told = false;
	for (uint32_t i = 0; i < c->dp->n_workers; i++)
		spool_rewind(&c->spools[i]);
	queue_hello(c, id, false);
	queue_state(c, id, &c->swap.live);
	atomic_store_explicit(&c->dp->peer, true, memory_order_relaxed);
}

static void refuse_version(int fd)
{
	struct ipc_error error = {.error = -EPROTONOSUPPORT};

	snprintf(error.text, sizeof(error.text),
		 "this wireglass-dataplane is %s: its messages are not of your version, install "
		 "both of one release",
		 WIREGLASS_VERSION);
	(void)ipc_send(fd, IPC_ERROR, 0, &error, sizeof(error), NULL, 0, -1);
	log_warning("control is of another release: install both programs of one release");
}

// Whoever connects is a guest until it says HELLO; only then does it take the place of the peer before. (Another
// instance that looks whether this one is alive connects, too, and says nothing.)
static void take_guest(struct dpctl *c)
{
	struct ipc_msg msg;
	int rc;

	if (c->guest_fd < 0)
		return;
	rc = ipc_recv(c->guest_fd, c->buf, &msg);
	if (rc == -EAGAIN)
		return;
	if (rc == -EPROTONOSUPPORT)
		refuse_version(c->guest_fd);
	if (rc == 1 && msg.fd >= 0)
		close(msg.fd);
	if (rc != 1 || msg.type != IPC_HELLO) {
		drop_guest(c);
		return;
	}
	drop_peer(c, "a newer one has connected");
	c->peer_fd = c->guest_fd;
	c->guest_fd = -1;
	log_notice("control connected");
	greet(c, msg.id);
}

// --- requests -------------------------------------------------------------------------------------------------------

static void take_offer(struct dpctl *c, const struct ipc_msg *msg)
{
	const struct ipc_ruleset_offer *offer = msg->body;
	uint64_t start = monotonic_ns();
	struct ipc_ruleset_state state;
	struct diag diag = {.text = ""};
	struct offer_map map;
	int err = offer_map(msg->fd, offer, &map, &diag);

	if (err < 0) {
		swap_refuse(offer, err, diag.text, &state);
	} else {
		err = swap_load(&c->swap, &map, offer, start, &state);
		offer_unmap(&map);
	}
	if (err < 0)
		log_warning("rule set %u refused: %s", offer->generation, state.text);
	else
		log_notice("rule set %u live: %u rules, loaded in %.1f ms", offer->generation,
			   state.rules, (double)state.load_ns / 1e6);
	queue_state(c, msg->id, &state);
}

int dpctl_load_file(struct dpctl *c, const char *path, struct diag *ret_diag)
{
	struct ipc_ruleset_offer offer = {.generation = 1};
	struct ipc_ruleset_state state;
	struct offer_map map;
	int err = offer_map_file(path, &map, ret_diag);

	if (err < 0)
		return err;
	const struct image_header *header =
		map.data; // as long as a header at least: the file says its own digest

	offer.bytes = map.len;
	offer.serial = header->serial;
	memcpy(offer.digest, header->digest, sizeof(offer.digest));
	err = swap_load(&c->swap, &map, &offer, monotonic_ns(), &state);
	offer_unmap(&map);
	if (err < 0)
		diag_set(ret_diag, path, 0, 0, "%s", state.text);
	else
		log_notice("rule set of %s live: %u rules", path, state.rules);
	return err;
}

// 0, or negative errno: the peer broke the protocol.
static int take_request(struct dpctl *c, const struct ipc_msg *msg)
{
	switch (msg->type) {
	case IPC_HELLO:
		greet(c, msg->id);
		return 0;
	case IPC_RULESET_OFFER:
		take_offer(c, msg);
		return 0;
	case IPC_HITS_ACK: {
		const struct ipc_hits_ack *ack = msg->body;

		return ack->worker < c->dp->n_workers ? spool_ack(&c->spools[ack->worker], ack->seq)
						      : -EPROTO;
	}
	default:
		return -EPROTO;
	}
}

static void take_requests(struct dpctl *c)
{
	for (int i = 0; i < REQUESTS_PER_TURN && c->peer_fd >= 0; i++) {
		struct ipc_msg msg;
		int rc = ipc_recv(c->peer_fd, c->buf, &msg);

		if (rc == -EAGAIN)
			return;
		if (rc == 1) {
			rc = take_request(c, &msg);
			if (msg.fd >= 0)
				close(msg.fd);
			if (rc == 0)
				continue;
		}
		drop_peer(c, rc == 0 ? "it closed the connection" : strerror(-rc));
	}
}

// --- hits, events, numbers ------------------------------------------------------------------------------------------

static void drain_hits(struct dpctl *c)
{
	bool full = false;

	for (uint32_t i = 0; i < c->dp->n_workers; i++) {
		struct ring *ring = pipeline_hits(c->dp->workers[i]->pipe);

		spool_take(&c->spools[i], ring);
		full |= ring_count(ring) > ring->mask / 2;
	}
	if (full && !c->full_told)
		log_warning("hits are not taken by control: the spool of %lld per worker is full, "
			    "further ones will be lost and counted",
			    (long long)c->dp->conf->spool_hits);
	c->full_told = full;
}

static void send_hits(struct dpctl *c, uint32_t worker)
{
	struct spool *s = &c->spools[worker];
	struct ipc_hits head = {.worker = worker};
	const struct hit *hits;

	memcpy(head.boot_id, c->boot_id, sizeof(head.boot_id));
	for (int i = 0; i < BATCHES_PER_TURN; i++) {
		uint32_t n = spool_batch(s, &head, &hits);

		if (n == 0 ||
		    !send_now(c, IPC_HITS, 0, &head, sizeof(head), hits, n * sizeof(*hits)))
			return;
		spool_sent(s, n);
	}
}

// Events go straight from the worker's ring: while nobody takes them they stay there, and what then finds it full the
// worker counts as lost.
static void send_events(struct dpctl *c, uint32_t worker)
{
	struct ring *ring = pipeline_events(c->dp->workers[worker]->pipe);

	for (int i = 0; i < BATCHES_PER_TURN; i++) {
		uint64_t waiting = ring_count(ring);
		uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
		uint64_t n = ring->mask + 1 - (tail & ring->mask); // up to the end of the slots

		n = waiting < n ? waiting : n;
		n = n > IPC_EVENTS_MAX ? IPC_EVENTS_MAX : n;
		struct ipc_events head = {.n = (uint32_t)n, .worker = worker};

		if (n == 0 || !send_now(c, IPC_EVENTS, 0, &head, sizeof(head), ring_peek(ring, 0),
					n * sizeof(struct event)))
			return;
		ring_pop(ring, n);
	}
}

static void send_stats(struct dpctl *c)
{
	struct worker_snapshot s;

	for (uint32_t i = 0; i < c->dp->n_workers && c->peer_fd >= 0; i++) {
		if (!worker_snapshot(c->dp->workers[i], &s))
			continue;
		struct ipc_stats stats = {
			.worker = i,
			.generation = (uint32_t)s.generation,
			.ts_ns = s.ts_ns,
			.busy_ns = s.busy_ns,
			.idle_ns = s.idle_ns,
			.objects = s.objects,
			.counters = s.counters,
		};

		if (i == 0)
			offload_add(&c->offload, &stats.counters);
		(void)send_now(c, IPC_STATS, 0, &stats, sizeof(stats), NULL, 0);
	}
}

static void send_ports(struct dpctl *c)
{
	struct ipc_port ports[IPC_PORTS_MAX];
	struct ipc_ports head = {.n = c->dp->n_ports};

	for (uint32_t i = 0; i < c->dp->n_ports; i++)
		port_stats(&c->dp->ports[i], &ports[i]);
	if (c->peer_fd >= 0)
		(void)send_now(c, IPC_PORTS, 0, &head, sizeof(head), ports,
			       c->dp->n_ports * sizeof(ports[0]));
}

static void send_all(struct dpctl *c)
{
	flush_out(c);
	for (uint32_t i = 0; i < c->dp->n_workers; i++) {
		// Answers first, and in order: nothing overtakes a HELLO.
		if (c->peer_fd >= 0 && c->n_out == 0)
			send_hits(c, i);
		if (c->peer_fd >= 0 && c->n_out == 0)
			send_events(c, i);
	}
}

static void watch_links(struct dpctl *c)
{
	for (uint32_t i = 0; i < c->dp->n_ports; i++) {
		struct port *p = &c->dp->ports[i];

		if (port_link_changed(p))
			log_notice("port %u: %s: the link is %s", i, p->name,
				   p->link_up ? "up again" : "down");
	}
}

static void offload_second(struct dpctl *c, uint64_t now)
{
	uint64_t room = OFFERS_PER_SECOND;

	if (c->offload.flows == NULL)
		return;
	offload_turn(&c->offload, now);
	for (uint32_t i = 0; i < c->dp->n_workers; i++) {
		struct ring *ring = pipeline_elephants(c->dp->workers[i]->pipe);
		uint64_t n = ring_count(ring);

		n = n < room ? n : room;
		for (uint64_t k = 0; k < n; k++)
			offload_take(&c->offload, ring_peek(ring, k), now);
		ring_pop(ring, n);
		room -= n;
	}
}

// A thread that is stuck cannot be taken back. Ending at once, without waiting for it and without an image of the memory, lets
// whoever watches over this process start it again.
static void watch_workers(struct dpctl *c)
{
	const int stuck = watchdog_turn(&c->watchdog, c->dp);

	if (stuck < 0)
		return;
	log_error("worker %d has been stuck for %d seconds: ending, to be started again", stuck,
		  WATCHDOG_TURNS);
	_exit(EXIT_FAILURE);
}

static void tell_manager(const struct dpctl *c)
{
	const struct ipc_ruleset_state *live = &c->swap.live;

	notify_status(watchdog_all_move(&c->watchdog, c->dp),
		      "%u workers, %u ports, %s; rule set %u with %u rules", c->dp->n_workers,
		      c->dp->n_ports,
		      c->peer_fd >= 0 ? "control is connected" : "control is not connected",
		      live->generation, live->rules);
}

static void tick(struct dpctl *c, uint64_t now)
{
	if (c->blocked_ns != 0 && now > c->blocked_ns + BLOCKED_NS)
		drop_peer(c, "it has taken nothing for 30 seconds");
	if (now < c->second_ns)
		return;
	c->second_ns = now + SECOND_NS;
	worker_clock_follow(c->dp);
	watch_links(c);
	watch_workers(c);
	tell_manager(c);
	offload_second(c, now);
	overload_watch(c->dp);
	if (workers_came_apart(c->dp))
		log_warning("the queues of the ports give the directions of flows to different "
			    "workers (capture.wrong_worker): the workers distribute by themselves "
			    "from now on; flows under way are picked up in the middle");
	if (c->peer_fd >= 0 && c->n_out == 0) {
		send_stats(c);
		send_ports(c);
	}
}

// --- the end --------------------------------------------------------------------------------------------------------

// Everything the workers made has left this process, as far as somebody is there to take it.
static bool is_drained(const struct dpctl *c)
{
	for (uint32_t i = 0; i < c->dp->n_workers; i++) {
		if (ring_count(pipeline_hits(c->dp->workers[i]->pipe)) > 0)
			return false;
		if (c->peer_fd >= 0 && (ring_count(pipeline_events(c->dp->workers[i]->pipe)) > 0 ||
					spool_unsent(&c->spools[i]) > 0))
			return false;
	}
	return true;
}

static uint64_t unacked(const struct dpctl *c)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < c->dp->n_workers; i++)
		n += spool_unacked(&c->spools[i]);
	return n;
}

// The workers have closed all flows: tell control once everything has been sent.
static void tell_finished(struct dpctl *c)
{
	if (c->peer_fd < 0 || c->finished_told || c->n_out > 0 || !is_drained(c))
		return;
	send_stats(c);
	send_ports(c);
	c->finished_told = true;
	queue_hello(c, 0, true);
}

static void begin_stop(struct dpctl *c, uint64_t deadline_ns)
{
	c->stopping = true;
	c->deadline_ns = deadline_ns;
	workers_stop(c->dp, WORKER_STOP);
	notify_stopping();
}

static bool is_over(struct dpctl *c, uint64_t now)
{
	bool flushed = workers_reached(c->dp, WORKER_FLUSHED);

	if (flushed)
		tell_finished(c);
	if (!c->stopping && flushed && c->dp->conf->exit_when_done)
		begin_stop(c, now + ACK_NS);
	if (!c->stopping)
		return false;
	if (now >= c->deadline_ns) {
		workers_stop(c->dp, WORKER_STOP_NOW);
		return flushed;
	}
	if (!c->was_greeted) // nobody to wait for
		return flushed;
	return flushed && is_drained(c) && unacked(c) == 0 && c->n_out == 0 &&
	       (c->peer_fd < 0 || c->finished_told);
}

static void take_signal(struct dpctl *c)
{
	struct signalfd_siginfo info;

	if (read(c->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_notice("stopping (%s)", strsignal((int)info.ssi_signo));
	begin_stop(c, monotonic_ns() + STOP_NS);
}

void dpctl_run(struct dpctl *c)
{
	notify_ready();
	for (;;) {
		struct pollfd fds[] = {
			{.fd = c->signal_fd, .events = POLLIN},
			{.fd = c->listen_fd, .events = POLLIN},
			{.fd = c->peer_fd, .events = POLLIN}, // -1 is left out by poll()
			{.fd = c->guest_fd, .events = POLLIN},
		};
		struct ipc_ruleset_state state;

		(void)poll(fds, 4, TURN_MS);
		uint64_t now = monotonic_ns();

		if (fds[0].revents != 0)
			take_signal(c);
		if (fds[1].revents != 0)
			accept_guest(c);
		take_guest(c);
		take_requests(c);
		drain_hits(c);
		send_all(c);
		if (swap_poll(&c->swap, now, &state)) {
			log_info("rule set %u retired", state.generation);
			queue_state(c, 0, &state);
		}
		tick(c, now);
		if (is_over(c, now))
			break;
	}
	drain_hits(c);
	if (unacked(c) > 0)
		log_warning("%llu hits were not acknowledged by control and end with this process",
			    (unsigned long long)unacked(c));
}
