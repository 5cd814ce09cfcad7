// SPDX-License-Identifier: BSD-2-Clause
// NATS JetStream: exactly once. A hit is taken when the stream has acknowledged its message.
//
// What a lost connection or a crash leaves open is whether the last messages are in the stream. Two things tell: each has
// (boot, worker, sequence) as its Nats-Msg-Id, and the stream drops one that it has seen within its duplicate window; and
// after each connecting the stream is asked for its newest message of our subject: if that is a hit of ours the cursor
// moves to it, however long ago it was. The second needs a subject that nobody else writes to, and a stream that has not
// removed that message.
#include "control/sink_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "control/natslink.h"

struct sink_nats {
	struct settings_nats settings;
	struct natslink *link; // NULL: not started
	struct loop_source source;
	bool busy;  // the link has something to do
	bool ready; // connected, and the cursor is where the stream ends
	struct natslink_message v[NATSLINK_BATCH];
	uint32_t n;
	uint64_t last; // id of the batch's last row
	char *text;
	size_t len;
};

static_assert((int)SINK_BATCH == (int)NATSLINK_BATCH, "what is read at a time is sent at a time");

static void key_of(char buf[NATSLINK_KEY_BYTES], const struct store_row *row)
{
	snprintf(buf, NATSLINK_KEY_BYTES, "%s-%u-%" PRIu64, row->boot, row->hit.addr.worker,
		 row->hit.seq);
}

static void compare_key(void *ctx, const struct store_row *row)
{
	char key[NATSLINK_KEY_BYTES], *want = ctx;

	key_of(key, row);
	if (strcmp(key, want) == 0)
		want[0] = '\0';
}

// The stream's newest message is a hit of ours, behind the cursor: taken, but that was not saved.
static void go_behind(struct sinks *k, struct sink *s, struct natslink_result *r)
{
	uint64_t id = r->line != NULL ? sink_id_of_line(r->line) : 0;

	if (id > s->cursor && store_get(k->store, id, compare_key, r->key) == 1 &&
	    r->key[0] == '\0')
		s->cursor = id;
	free(r->line);
}

static void take_result(struct sinks *k, struct sink *s, struct natslink_result *r)
{
	struct sink_nats *n = k->nats;

	n->busy = n->busy && r->what == NATSLINK_BUSY;
	switch (r->what) {
	case NATSLINK_BUSY:
		break;
	case NATSLINK_READY:
		n->ready = true;
		go_behind(k, s, r);
		if (sinks_pending(k, s) == 0) // else the first batch shows whether all is well
			sink_well(s);
		break;
	case NATSLINK_TAKEN:
		s->cursor = n->last > s->cursor ? n->last : s->cursor;
		s->lines += n->n;
		sink_well(s);
		break;
	case NATSLINK_FAILED:
		n->ready = false;
		sink_failed(s, s->path, r->text);
		sink_later(k, s);
		break;
	}
}

static void add_row(void *ctx, const struct store_row *row)
{
	struct pump *p = ctx;
	struct sink_nats *n = p->k->nats;
	size_t len = sink_line(p->k, n->text + n->len, EVE_LINE_MAX, row);

	n->last = row->id;
	if (len == 0) {
		p->k->eve->dropped++;
		return;
	}
	struct natslink_message *m = &n->v[n->n++];
	key_of(m->key, row);
	m->at = n->len;
	m->len = len;
	n->len += len;
}

static void on_event(void *ctx, uint32_t events)
{
	struct sinks *k = ctx;
	eventfd_t ignored;

	(void)eventfd_read(natslink_fd(k->nats->link), &ignored);
	sinks_pump(k);
}

static int start(struct sinks *k)
{
	struct sink_nats *n = k->nats;
	int err = natslink_start(&n->settings, &n->link);

	if (err == 0 && k->loop != NULL)
		err = loop_add(k->loop, &n->source, natslink_fd(n->link), EPOLLIN, on_event, k);
	return err;
}

void sink_nats_pump(struct pump *p)
{
	struct sink_nats *n = p->k->nats;
	struct sink *s = p->s;
	struct natslink_result r;

	p->stop = true;
	if (n == NULL)
		return;
	if (n->busy) {
		natslink_result(n->link, &r);
		take_result(p->k, s, &r);
	}
	if (n->busy || s->timer.due_ns != 0)
		return;
	if (n->link == NULL) {
		int err = start(p->k);
		if (err != 0) {
			sink_failed(s, s->path, strerror(-err));
			sink_later(p->k, s);
			return;
		}
	}
	if (!n->ready) {
		natslink_dial(n->link);
		n->busy = true;
		return;
	}
	struct store_filter next = {.since = s->cursor, .limit = SINK_BATCH};
	n->len = n->n = 0;
	if (sinks_pending(p->k, s) == 0 || store_list(p->k->store, &next, add_row, p) <= 0)
		return;
	natslink_send(n->link, n->v, n->n, n->text);
	n->busy = true;
}

int sink_nats_new(struct sinks *k, const struct settings_nats *settings)
{
	struct sink_nats *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return -ENOMEM;
	n->text = malloc((size_t)NATSLINK_BATCH * EVE_LINE_MAX);
	if (n->text == NULL) {
		free(n);
		return -ENOMEM;
	}
	n->settings = *settings;
	n->source.fd = -1;
	k->nats = n;
	// From the loop: its thread is to begin when this one has given up what it does not need.
	if (k->loop != NULL)
		loop_timer_set(k->loop, &k->v[SINK_NATS].timer, 0, sink_retry, k);
	return 0;
}

void sink_nats_free(struct sinks *k)
{
	struct sink_nats *n = k->nats;
	struct natslink_result r;

	if (n == NULL)
		return;
	if (k->loop != NULL)
		loop_remove(k->loop, &n->source);
	bool over = n->link == NULL || natslink_stop(n->link, &r) == 0;
	if (n->link != NULL && over)
		take_result(k, &k->v[SINK_NATS], &r);
	k->nats = NULL;
	if (!over) // the thread still reads it
		return;
	free(n->text);
	free(n);
}
