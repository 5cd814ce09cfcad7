// SPDX-License-Identifier: BSD-2-Clause
// Feeding the sinks from the store.
//
// EVE file: exactly once. A line is written only of a row that is committed, and it names the row ("wireglass":{"id":...).
// After a batch the file is synced, then cursor and length of the file are saved in one transaction. A crash between
// leaves lines behind the saved length: at start they are read, and the cursor moves to the last of them. Only a file that
// was replaced while no wireglassd ran cannot be read so.
//
// Sockets: sink_socket.c. NATS: sink_nats.c.
#include "control/sink_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"

enum {
	PUMP_ROWS = 16384, // of one sink, before others get their turn
};

const char *const sink_names[SINK_N] = {
	[SINK_EVE_FILE] = "eve-file",
	[SINK_EVE_SOCKET] = "eve-socket",
	[SINK_SYSLOG] = "syslog",
	[SINK_NATS] = "nats",
};

void sink_failed(struct sink *s, const char *what, const char *why)
{
	char text[sizeof(s->error)];

	snprintf(text, sizeof(text), "%s: %s", what, why);
	if (strcmp(text, s->error) != 0)
		log_warning("sink %s; hits wait in the store", text);
	memcpy(s->error, text, sizeof(text));
	s->failures++;
}

void sink_later(struct sinks *k, struct sink *s)
{
	if (k->loop != NULL)
		loop_timer_set(k->loop, &s->timer, s->backoff_ms, sink_retry, k);
	s->backoff_ms =
		s->backoff_ms * 2 > SINK_RETRY_MAX_MS ? SINK_RETRY_MAX_MS : s->backoff_ms * 2;
}

void sink_well(struct sink *s)
{
	s->error[0] = '\0';
	s->backoff_ms = SINK_RETRY_MIN_MS;
}

size_t sink_line(const struct sinks *k, char *buf, size_t size, const struct store_row *row)
{
	const struct eve_rule rule = {row->rule.msg, row->rule.classtype, row->rule.reference,
				      row->rule.metadata};
	const struct eve_context ctx = {
		.host = k->host,
		.bundle = row->rule.bundle,
		.serial = row->rule.serial,
		.id = row->id,
	};

	return eve_alert(buf, size, &row->hit, &rule, &ctx);
}

// --- the EVE file ---------------------------------------------------------------------------------------------------

static void add_to_file(void *ctx, const struct store_row *row)
{
	struct pump *p = ctx;
	struct sinks *k = p->k;
	size_t n = sink_line(k, k->lines + p->len, EVE_LINE_MAX, row);

	if (n == 0)
		k->eve->dropped++;
	else
		k->lines[p->len + n++] = '\n';
	p->len += n;
	p->last = row->id;
	p->n++;
}

static void pump_file(struct pump *p)
{
	struct sinks *k = p->k;
	struct sink *s = p->s;
	struct store_filter next = {.since = s->cursor, .limit = SINK_BATCH};

	p->len = p->n = 0;
	if (store_list(k->store, &next, add_to_file, p) <= 0) {
		p->stop = true;
		return;
	}
	int err = evefile_append(k->eve, k->lines, p->len, p->n, true);
	if (err != 0) {
		sink_failed(s, k->eve->path, strerror(-err));
		p->stop = true;
		return;
	}
	sink_well(s);
	s->cursor = p->last;
	s->lines += p->n;
}

static void file_identity(const struct sinks *k, struct store_sink *io)
{
	struct stat st;

	if (k->eve->fd < 0 || fstat(k->eve->fd, &st) != 0)
		return;
	io->dev = (uint64_t)st.st_dev;
	io->ino = (uint64_t)st.st_ino;
	io->length = (uint64_t)st.st_size;
}

// Quotes in texts are escaped: what is looked for cannot be inside of one.
uint64_t sink_id_of_line(const char *line)
{
	static const char type[] = "\"event_type\":\"alert\"", id[] = "\"wireglass\":{\"id\":";
	const char *at = strstr(line, type) != NULL ? strstr(line, id) : NULL;

	return at != NULL ? strtoull(at + sizeof(id) - 1, NULL, 10) : 0;
}

// Lines behind the saved length were written by us and not saved any more.
static int recover_file(struct sinks *k, struct sink *s)
{
	struct store_sink now = {0};
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	file_identity(k, &now);
	if (now.dev != s->saved.dev || now.ino != s->saved.ino || now.length <= s->saved.length)
		return 0;
	FILE *f = fopen(k->eve->path, "re");
	if (f == NULL || fseeko(f, (off_t)s->saved.length, SEEK_SET) != 0)
		err = -errno;
	while (err == 0 && getline(&line, &size, f) > 0) {
		uint64_t id = sink_id_of_line(line);
		if (id > s->cursor)
			s->cursor = id;
	}
	if (f != NULL && err == 0 && ferror(f) != 0)
		err = -EIO;
	free(line);
	if (f != NULL)
		fclose(f);
	return err;
}

// --- all ------------------------------------------------------------------------------------------------------------

// Retention has removed what this sink had not taken.
static void skip_missing(struct sinks *k, struct sink *s)
{
	uint64_t first = store_first_id(k->store);

	if (first <= s->cursor + 1)
		return;
	log_error("sink %s: %" PRIu64 " hits were removed by retention before it took them",
		  s->saved.name, first - s->cursor - 1);
	s->missed_now += first - s->cursor - 1;
	s->saved.missed += first - s->cursor - 1;
	s->cursor = first - 1;
}

static int save(struct sinks *k)
{
	int err = store_begin(k->store);

	if (err != 0)
		return err;
	for (int i = 0; i < SINK_N && err == 0; i++) {
		struct sink *s = &k->v[i];
		if (!s->on)
			continue;
		s->saved.cursor = s->cursor;
		if (i == SINK_EVE_FILE)
			file_identity(k, &s->saved);
		err = store_sink_set(k->store, &s->saved);
	}
	if (err == 0)
		err = store_commit(k->store);
	if (err != 0)
		store_rollback(k->store);
	return err;
}

static bool is_saved(const struct sinks *k)
{
	for (int i = 0; i < SINK_N; i++)
		if (k->v[i].on && k->v[i].cursor != k->v[i].saved.cursor)
			return false;
	return true;
}

void sinks_pump(struct sinks *k)
{
	bool more = false;

	if (k->pumping)
		return;
	k->pumping = true;
	for (int i = 0; i < SINK_N; i++) {
		struct pump p = {.k = k, .s = &k->v[i], .kind = (enum sink_kind)i};
		uint64_t end = p.s->cursor + PUMP_ROWS;

		if (!p.s->on)
			continue;
		skip_missing(k, p.s);
		if (i == SINK_NATS) // has more to do than to take hits
			sink_nats_pump(&p);
		while (!p.stop && p.s->cursor < end && sinks_pending(k, p.s) > 0) {
			if (i == SINK_EVE_FILE)
				pump_file(&p);
			else
				sink_socket_pump(&p);
		}
		more |= !p.stop && sinks_pending(k, p.s) > 0;
	}
	if (!is_saved(k) && save(k) != 0)
		log_warning("positions of the sinks cannot be saved: %s", store_error(k->store));
	k->pumping = false;
	if (k->loop != NULL && (more || k->v[SINK_EVE_FILE].error[0] != '\0'))
		loop_timer_set(k->loop, &k->v[SINK_EVE_FILE].timer,
			       more ? 0 : SINK_RETRY_MIN_MS * 4, sink_retry, k);
}

void sink_retry(void *ctx)
{
	struct sinks *k = ctx;

	for (int i = 0; k->loop != NULL && i < SINK_N; i++)
		loop_remove(k->loop, &k->v[i].source);
	sinks_pump(k);
}

uint64_t sinks_pending(const struct sinks *k, const struct sink *s)
{
	uint64_t last = store_last_id(k->store);

	return s->on && last > s->cursor ? last - s->cursor : 0;
}

void sinks_eve_reopened(struct sinks *k)
{
	if (k->v[SINK_EVE_FILE].on && save(k) != 0)
		log_warning("positions of the sinks cannot be saved: %s", store_error(k->store));
}

static int add(struct sinks *k, enum sink_kind kind, const char *path, struct diag *ret_diag)
{
	struct sink *s = &k->v[kind];
	int err;

	s->on = true;
	s->backoff_ms = SINK_RETRY_MIN_MS;
	snprintf(s->path, sizeof(s->path), "%.*s", (int)sizeof(s->path) - 1, path);
	snprintf(s->saved.name, sizeof(s->saved.name), "%s", sink_names[kind]);
	s->saved.cursor = store_last_id(k->store); // a new one begins with what is new
	err = store_sink_get(k->store, &s->saved);
	s->cursor = s->saved.cursor;
	if (err >= 0 && kind == SINK_EVE_FILE)
		err = recover_file(k, s);
	if (err >= 0 && (kind == SINK_EVE_SOCKET || kind == SINK_SYSLOG)) {
		s->rest = malloc(SINK_LINE_MAX + 1);
		err = s->rest != NULL ? 0 : -ENOMEM;
	}
	if (err < 0)
		diag_set(ret_diag, path, 0, 0, "the position of sink %s cannot be read: %s",
			 sink_names[kind], strerror(-err));
	return err < 0 ? err : 0;
}

int sinks_init(struct sinks *k, const struct settings *settings, struct store *store,
	       struct loop *loop, struct evefile *eve, struct diag *ret_diag)
{
	int err = 0;

	*k = (struct sinks){.store = store, .loop = loop, .eve = eve, .host = settings->host};
	for (int i = 0; i < SINK_N; i++)
		k->v[i].fd = k->v[i].source.fd = -1;
	k->lines = malloc((size_t)SINK_BATCH * (EVE_LINE_MAX + 1));
	if (k->lines == NULL) {
		diag_set(ret_diag, NULL, 0, 0, "out of memory");
		return -ENOMEM;
	}
	if (eve->fd >= 0 && (settings->eve.mask >> SETTINGS_EVE_ALERT & 1) != 0)
		err = add(k, SINK_EVE_FILE, eve->path, ret_diag);
	if (err == 0 && settings->eve.socket[0] != '\0')
		err = add(k, SINK_EVE_SOCKET, settings->eve.socket, ret_diag);
	if (err == 0 && settings->syslog[0] != '\0')
		err = add(k, SINK_SYSLOG, settings->syslog, ret_diag);
	if (err == 0 && settings->nats.n_servers > 0) {
		err = add(k, SINK_NATS, settings->nats.stream, ret_diag);
		if (err == 0 && sink_nats_new(k, &settings->nats) != 0) {
			diag_set(ret_diag, NULL, 0, 0, "out of memory");
			err = -ENOMEM;
		}
	}
	if (err == 0 && save(k) != 0) {
		diag_set(ret_diag, "hit database", 0, 0, "cannot write: %s", store_error(store));
		err = -EIO;
	}
	if (err != 0)
		sinks_done(k);
	return err;
}

void sinks_done(struct sinks *k)
{
	if (k->store == NULL)
		return;
	sink_nats_free(k);
	sinks_pump(k);
	for (int i = 0; i < SINK_N; i++) {
		sink_socket_done(k, &k->v[i]);
		if (k->loop != NULL)
			loop_timer_cancel(k->loop, &k->v[i].timer);
		free(k->v[i].rest);
	}
	free(k->lines);
	*k = (struct sinks){0};
}
