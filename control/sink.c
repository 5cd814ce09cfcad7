// SPDX-License-Identifier: BSD-2-Clause
// Feeding the sinks from the store.
//
// EVE file: exactly once. A line is written only of a row that is committed, and it names the row ("wireglass":{"id":...).
// After a batch the file is synced, then cursor and length of the file are saved in one transaction. A crash between
// leaves lines behind the saved length: at start they are read, and the cursor moves to the last of them. Only a file that
// was replaced while no wireglassd ran cannot be read so.
//
// Sockets: at least once. What the kernel has taken counts as taken; a crash before the cursor is saved repeats the lines
// since, which the id tells.
#include "control/sink.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/eve.h"
#include "common/log.h"
#include "control/text.h"

enum {
	BATCH = 256,        // rows read at a time
	PUMP_ROWS = 16384,  // of one sink, before others get their turn
	RETRY_MIN_MS = 250, // a socket that is away
	RETRY_MAX_MS = 10000,
	SYSLOG_HEAD = 512,
	SYSLOG_PRI = 16 * 8 + 4, // local0, warning
};

const char *const sink_names[SINK_N] = {
	[SINK_EVE_FILE] = "eve-file",
	[SINK_EVE_SOCKET] = "eve-socket",
	[SINK_SYSLOG] = "syslog",
};

static void retry(void *ctx);

// What a retry needs to know.
struct pump {
	struct sinks *k;
	struct sink *s;
	enum sink_kind kind;
	size_t len;    // of k->lines
	uint64_t last; // id of the last line in it, or that was sent
	uint64_t n;
	bool stop; // it takes no more for now
};

static void failed(struct sink *s, const char *what, int err)
{
	char text[sizeof(s->error)];

	snprintf(text, sizeof(text), "%s: %s", what, strerror(-err));
	if (strcmp(text, s->error) != 0)
		log_warning("sink %s: %s; hits wait in the store", what, strerror(-err));
	memcpy(s->error, text, sizeof(text));
	s->failures++;
}

// --- lines ----------------------------------------------------------------------------------------------------------

// The alert of a row, without newline. 0: it does not fit.
static size_t alert_line(const struct sinks *k, char *buf, size_t size, const struct store_row *row)
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

// RFC 5424 with the EVE line as its message.
static size_t syslog_line(const struct sinks *k, char *buf, size_t size,
			  const struct store_row *row)
{
	char when[40], host[64];
	size_t n = 0;

	text_time(when, sizeof(when), row->hit.ts_ns);
	for (const char *p = k->host; *p != '\0' && n + 1 < sizeof(host); p++)
		host[n++] = *p > ' ' && *p < 0x7f ? *p : '_';
	host[n] = '\0';
	n = (size_t)snprintf(buf, size, "<%d>1 %.26sZ %s wireglassd %d alert - @cee: ", SYSLOG_PRI,
			     when, n != 0 ? host : "-", (int)getpid());
	size_t line = alert_line(k, buf + n, size - n, row);
	return line != 0 ? n + line : 0;
}

// --- the EVE file ---------------------------------------------------------------------------------------------------

static void add_to_file(void *ctx, const struct store_row *row)
{
	struct pump *p = ctx;
	struct sinks *k = p->k;
	size_t n = alert_line(k, k->lines + p->len, EVE_LINE_MAX, row);

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
	struct store_filter next = {.since = s->cursor, .limit = BATCH};

	p->len = p->n = 0;
	if (store_list(k->store, &next, add_to_file, p) <= 0) {
		p->stop = true;
		return;
	}
	int err = evefile_append(k->eve, k->lines, p->len, p->n, true);
	if (err != 0) {
		failed(s, k->eve->path, err);
		p->stop = true;
		return;
	}
	s->error[0] = '\0';
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

// Id in an alert's line, 0 if it is none. Quotes in texts are escaped: what is looked for cannot be inside of one.
static uint64_t id_of_line(const char *line)
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
		uint64_t id = id_of_line(line);
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

// --- sockets --------------------------------------------------------------------------------------------------------

static void hang_up(struct sinks *k, struct sink *s)
{
	if (s->fd < 0)
		return;
	if (k->loop != NULL)
		loop_remove(k->loop, &s->source);
	close(s->fd);
	s->fd = -1;
	s->rest_len = s->rest_done = 0; // whoever listens next gets the whole line
}

static void away(struct sinks *k, struct sink *s, int err)
{
	hang_up(k, s);
	failed(s, s->path, err);
	if (k->loop != NULL)
		loop_timer_set(k->loop, &s->timer, s->backoff_ms, retry, k);
	s->backoff_ms = s->backoff_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : s->backoff_ms * 2;
}

static int dial(struct sink *s, int type)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	s->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	if (connect(s->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
		s->stream = type == SOCK_STREAM;
		return 0;
	}
	int err = -errno;
	close(s->fd);
	s->fd = -1;
	return err;
}

static bool connected(struct sinks *k, struct sink *s, enum sink_kind kind)
{
	if (s->fd >= 0)
		return true;
	if (s->timer.due_ns != 0) // not yet
		return false;
	int first = kind == SINK_SYSLOG ? SOCK_DGRAM : SOCK_STREAM;
	int err = dial(s, first);
	if (err == -EPROTOTYPE)
		err = dial(s, first == SOCK_DGRAM ? SOCK_STREAM : SOCK_DGRAM);
	if (err != 0)
		away(k, s, err);
	return err == 0;
}

// It takes data again, or is gone.
static void on_socket(void *ctx, uint32_t events)
{
	retry(ctx);
}

static void wait_until_writable(struct sinks *k, struct sink *s)
{
	if (k->loop != NULL && s->source.fn == NULL)
		(void)loop_add(k->loop, &s->source, s->fd, EPOLLOUT, on_socket, k);
}

// What is left of the line in s->rest. True: all of it has been taken.
static bool send_rest(struct sinks *k, struct sink *s)
{
	while (s->rest_done < s->rest_len) {
		ssize_t n = send(s->fd, s->rest + s->rest_done, s->rest_len - s->rest_done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			wait_until_writable(k, s);
			return false;
		}
		if (n < 0 && errno == EMSGSIZE) { // a datagram that no socket takes: never will
			failed(s, s->path, -EMSGSIZE);
			break;
		}
		if (n < 0) {
			away(k, s, -errno);
			return false;
		}
		s->rest_done += (size_t)n;
	}
	if (s->rest_len > 0 && s->rest_done == s->rest_len) {
		s->lines++;
		s->error[0] = '\0';
		s->backoff_ms = RETRY_MIN_MS;
	}
	if (s->rest_len > 0)
		s->cursor = s->rest_id;
	s->rest_len = s->rest_done = 0;
	return true;
}

static void send_row(void *ctx, const struct store_row *row)
{
	struct pump *p = ctx;
	struct sink *s = p->s;
	const size_t size = SYSLOG_HEAD + EVE_LINE_MAX;

	if (p->stop)
		return;
	size_t n = p->kind == SINK_SYSLOG ? syslog_line(p->k, s->rest, size, row)
					  : alert_line(p->k, s->rest, size, row);
	if (n == 0) {
		p->k->eve->dropped++;
		s->cursor = row->id;
		return;
	}
	if (s->stream || p->kind == SINK_EVE_SOCKET)
		s->rest[n++] = '\n';
	s->rest_len = n;
	s->rest_id = row->id;
	p->stop = !send_rest(p->k, s);
}

static void pump_socket(struct pump *p)
{
	struct sinks *k = p->k;
	struct sink *s = p->s;

	if (!connected(k, s, p->kind) || !send_rest(k, s)) {
		p->stop = true;
		return;
	}
	struct store_filter next = {.since = s->cursor, .limit = BATCH};
	if (store_list(k->store, &next, send_row, p) <= 0)
		p->stop = true;
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
		while (!p.stop && p.s->cursor < end && sinks_pending(k, p.s) > 0) {
			if (i == SINK_EVE_FILE)
				pump_file(&p);
			else
				pump_socket(&p);
		}
		more |= !p.stop && sinks_pending(k, p.s) > 0;
	}
	if (!is_saved(k) && save(k) != 0)
		log_warning("positions of the sinks cannot be saved: %s", store_error(k->store));
	k->pumping = false;
	if (k->loop != NULL && (more || k->v[SINK_EVE_FILE].error[0] != '\0'))
		loop_timer_set(k->loop, &k->v[SINK_EVE_FILE].timer, more ? 0 : RETRY_MIN_MS * 4,
			       retry, k);
}

static void retry(void *ctx)
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
	s->backoff_ms = RETRY_MIN_MS;
	snprintf(s->path, sizeof(s->path), "%.*s", (int)sizeof(s->path) - 1, path);
	snprintf(s->saved.name, sizeof(s->saved.name), "%s", sink_names[kind]);
	s->saved.cursor = store_last_id(k->store); // a new one begins with what is new
	err = store_sink_get(k->store, &s->saved);
	s->cursor = s->saved.cursor;
	if (err >= 0 && kind == SINK_EVE_FILE)
		err = recover_file(k, s);
	if (err >= 0 && kind != SINK_EVE_FILE) {
		s->rest = malloc(SYSLOG_HEAD + EVE_LINE_MAX + 1);
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
	k->lines = malloc((size_t)BATCH * (EVE_LINE_MAX + 1));
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
	sinks_pump(k);
	for (int i = 0; i < SINK_N; i++) {
		hang_up(k, &k->v[i]);
		if (k->loop != NULL)
			loop_timer_cancel(k->loop, &k->v[i].timer);
		free(k->v[i].rest);
	}
	free(k->lines);
	*k = (struct sinks){0};
}
