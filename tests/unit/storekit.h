// SPDX-License-Identifier: BSD-2-Clause
// A database of hits in a directory of its own; for tests of the store.
#ifndef TESTS_STOREKIT_H
#define TESTS_STOREKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "control/report.h"
#include "control/store.h"
#include "control/text.h"

static const uint8_t boot_a[16] = "boot-a", boot_b[16] = "boot-b";
static const struct store_rule rule = {
	.msg = "a rule",
	.classtype = "misc-activity",
	.reference = "url,www.example.com",
	.metadata = "legal_basis order-1",
	.bundle = "demo",
	.serial = 7,
};
static char dir[64];
static struct diag diag;

static inline const char *path_of(const char *name)
{
	static char path[4][sizeof(dir) + 256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static inline void empty_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			unlink(path_of(e->d_name));
	if (d != NULL)
		closedir(d);
}

static inline int setup(void **state)
{
	snprintf(dir, sizeof(dir), P_tmpdir "/wireglass-store-XXXXXX");
	memset(&diag, 0, sizeof(diag));
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static inline int teardown(void **state)
{
	empty_dir();
	return rmdir(dir);
}

static inline struct store *open_store(uint64_t keep)
{
	const struct store_limits limits = {.hits = keep};
	struct store *s = NULL;

	assert_int_equal(store_open(path_of("hits.db"), &limits, &s, &diag), 0);
	return s;
}

static inline struct hit hit_of(uint64_t seq)
{
	struct hit h = {
		.seq = seq,
		.ts_ns = 1700000000000000000u + seq,
		.flow_id = 0x7000000000000000u + seq / 2,
		.offset_bytes = 12345,
		.addr = {.src_port = 40000,
			 .dst_port = 80,
			 .family = 4,
			 .proto = 6,
			 .vlan = {7, 0}},
		.tx_id = 3,
		.generation = 4,
		.rule = 1,
		.sid = 1000 + (uint32_t)(seq % 2),
		.gid = 1,
		.rev = 2,
		.flags = HIT_GAP | HIT_ONEWAY,
		.buffer = BUF_URI,
		.priority = 2,
		.app = APP_HTTP,
	};
	static const uint8_t src[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};

	memcpy(h.addr.src, src, 16);
	memcpy(h.addr.dst, src, 16);
	h.addr.dst[15] = 9;
	return h;
}

static inline int put(struct store *s, const uint8_t *boot, uint32_t worker, uint64_t seq)
{
	struct hit h = hit_of(seq);

	assert_int_equal(store_begin(s), 0);
	int got = store_hit(s, boot, worker, &h, &rule);
	assert_int_equal(store_commit(s), 0);
	return got;
}

static inline void count_row(void *ctx, const struct store_row *row)
{
	(*(int *)ctx)++;
}

static inline int count(struct store *s)
{
	struct store_filter all = {.limit = 100000};
	int n = 0;

	int got = store_list(s, &all, count_row, &n);
	assert_int_equal(got, n);
	return n;
}

static inline int list_of(struct store *s, struct store_filter f)
{
	int n = 0, got;

	f.limit = f.limit != 0 ? f.limit : 100;
	got = store_list(s, &f, count_row, &n);
	assert_int_equal(got, n);
	return n;
}

static inline struct event http_of(uint64_t flow_id, const char *host, const char *url)
{
	struct event e = {
		.type = EVENT_HTTP, .flags = EVENT_HAS_HIT, .flow_id = flow_id, .tx_id = 3};

	e.http.status = 404;
	e.http.method_len = 3;
	memcpy(e.http.method, "GET", 3);
	e.http.host_len = (uint8_t)strlen(host);
	memcpy(e.http.host, host, strlen(host));
	e.http.url_len = (uint16_t)strlen(url);
	memcpy(e.http.url, url, strlen(url));
	return e;
}

struct texts {
	char method[32], host[256], url[768];
	uint32_t status;
};

static inline void keep_texts(void *ctx, const struct store_row *row)
{
	struct texts *t = ctx;

	snprintf(t->method, sizeof(t->method), "%s", row->method);
	snprintf(t->host, sizeof(t->host), "%s", row->host);
	snprintf(t->url, sizeof(t->url), "%s", row->url);
	t->status = row->status;
}

static inline struct texts texts_of(struct store *s, uint64_t id)
{
	struct texts t = {0};

	assert_int_equal(store_get(s, id, keep_texts, &t), 1);
	return t;
}

static inline int suppress(struct store *s, const uint8_t *boot, uint32_t worker, uint64_t seq)
{
	struct hit h = hit_of(seq);

	assert_int_equal(store_begin(s), 0);
	int got = store_suppress(s, boot, worker, &h);
	assert_int_equal(store_commit(s), 0);
	return got;
}

// Report: store and EVE file together.

static struct report report;
static struct rulebook book;
static struct settings settings;

static inline void open_report(struct store *s)
{
	settings_defaults(&settings);
	settings.eve.mask = (1u << SETTINGS_EVE_N) - 1;
	snprintf(settings.eve.file, sizeof(settings.eve.file), "%s", path_of("eve.json"));
	assert_int_equal(report_init(&report, &settings, s, NULL, &book, &diag), 0);
}

static inline int report_batch(uint64_t first, uint32_t n, uint32_t *ret_new)
{
	struct ipc_hits b = {.n = n, .worker = 2};
	struct hit hits[IPC_HITS_MAX];

	memcpy(b.boot_id, boot_a, 16);
	for (uint32_t i = 0; i < n; i++)
		hits[i] = hit_of(first + i);
	uint64_t new = 0;
	int err = report_hits(&report, &b, hits, &diag);

	if (err == 0)
		err = report_commit(&report, &new, &diag);
	*ret_new = (uint32_t) new;
	if (err == 0)
		report_pump(&report);
	return err;
}

// Ids of the alerts in the EVE file, in order; every id once.
static inline uint64_t eve_ids_in_order(void)
{
	FILE *f = fopen(path_of("eve.json"), "r");
	char line[EVE_LINE_MAX + 2];
	uint64_t last = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		json_t *json = json_loads(line, 0, NULL);
		assert_non_null(json);
		const json_t *id = json_object_get(json_object_get(json, "wireglass"), "id");
		if (strcmp(json_string_value(json_object_get(json, "event_type")), "alert") == 0) {
			assert_int_equal(json_integer_value(id), last + 1);
			last++;
		}
		json_decref(json);
	}
	fclose(f);
	return last;
}

#endif
