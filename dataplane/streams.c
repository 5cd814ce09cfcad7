// SPDX-License-Identifier: BSD-2-Clause
// One file per direction of a connection, DIR/SRC.SPORT-DST.DPORT.bin; a later connection on the same addresses and ports gets
// ".2", ".3", ... before ".bin". Missing bytes are left out. It has what a Linux host reads; what it does not read, or another
// copy of what it does, is in a second file that ends in ".alt.bin".
#include "dataplane/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/eve.h"
#include "dataplane/engine/frag.h"
#include "dataplane/engine/tcp.h"

enum {
	FLOWS = 65536,
	CELLS = 65536,
	DATAGRAMS = 4096,
	HISTORIES = 16384,
	NAME_MAX_BYTES = 128,
};

// How often a direction's base name was used.
struct name {
	char base[NAME_MAX_BYTES];
	unsigned int used;
};

struct streams {
	char dir[4096];
	struct pkt_conf pkt_conf;
	struct frag_table frags;
	struct flow_table flows;
	struct pool cells, pasts;
	struct counters counters;
	struct tcp_ctx tcp;
	void *buckets, *records, *segments, *histories, *pieces;
	void *names; // tsearch tree of struct name
	unsigned int (*number)
		[DIR_N]; // per flow record: its number among those of its name, 0: no file yet
	int err;
	struct diag diag;
};

int streams_new(const char *dir, const struct pkt_conf *conf, struct streams **ret_streams,
		struct diag *ret_diag)
{
	struct stat st;
	struct streams *s;

	mkdir(dir, 0700); // whether it was there, or could be made, shows now
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		diag_set(ret_diag, dir, 0, 0, "is no folder and cannot be made one: %s",
			 strerror(errno));
		return -ENOTDIR;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	s->pkt_conf = *conf;
	s->records = calloc(FLOWS, sizeof(struct flow));
	s->segments = calloc(CELLS, TCP_SEG_BYTES);
	s->histories = calloc(HISTORIES, TCP_HISTORY_BYTES);
	s->tcp.scratch = calloc(1, TCP_SCRATCH_BYTES);
	s->number = calloc(FLOWS, sizeof(*s->number));
	if (posix_memalign(&s->buckets, 64, flow_buckets_bytes(FLOWS)) != 0)
		s->buckets = NULL;
	if (posix_memalign(&s->pieces, 64, frag_table_bytes(DATAGRAMS)) != 0)
		s->pieces = NULL;
	if (s->pieces == NULL || s->records == NULL || s->segments == NULL || s->number == NULL ||
	    s->buckets == NULL || s->histories == NULL || s->tcp.scratch == NULL) {
		streams_free(s);
		diag_set(ret_diag, NULL, 0, 0, "out of memory");
		return -ENOMEM;
	}
	flow_table_init(&s->flows, s->buckets, s->records, FLOWS, 0);
	frag_table_init(&s->frags, s->pieces, DATAGRAMS, 0, &s->counters);
	pool_init(&s->cells, s->segments, CELLS, TCP_SEG_BYTES);
	pool_init(&s->pasts, s->histories, HISTORIES, TCP_HISTORY_BYTES);
	s->tcp.cells = &s->cells;
	s->tcp.histories = &s->pasts;
	s->tcp.counters = &s->counters;
	*ret_streams = s;
	return 0;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->base, ((const struct name *)b)->base);
}

static void base_name(const struct flow *f, enum dir dir, char out[NAME_MAX_BYTES])
{
	struct hit_addr a;
	char src[64], dst[64];

	flow_addr(f, dir, &a);
	snprintf(out, NAME_MAX_BYTES, "%s.%u-%s.%u", eve_addr(src, a.src, a.family), a.src_port,
		 eve_addr(dst, a.dst, a.family), a.dst_port);
}

// The number of this flow's direction among those of its name; counts a new one up.
static unsigned int number_of(struct streams *s, const struct flow *f, enum dir dir,
			      const char *base)
{
	unsigned int *number = &s->number[pool_index(&s->flows.pool, f)][dir];
	struct name *n, **found;

	if (*number != 0)
		return *number;
	n = calloc(1, sizeof(*n));
	if (n == NULL)
		return 0;
	snprintf(n->base, sizeof(n->base), "%s", base);
	found = tsearch(n, &s->names, name_cmp);
	if (found == NULL) {
		free(n);
		return 0;
	}
	if (*found != n)
		free(n);
	*number = ++(*found)->used;
	return *number;
}

static int write_all(int fd, struct span data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.data, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data = span_from(data, (size_t)n);
	}
	return 0;
}

static void file_path(const struct streams *s, const char *base, unsigned int n, bool alt,
		      char *out, size_t size)
{
	char number[16] = "";

	if (n > 1)
		snprintf(number, sizeof(number), ".%u", n);
	snprintf(out, size, "%s/%s%s%s.bin", s->dir, base, number, alt ? ".alt" : "");
}

static void stream_write(struct streams *s, const struct flow *f, enum dir dir, struct span data,
			 bool alt)
{
	char base[NAME_MAX_BYTES], path[sizeof(s->dir) + NAME_MAX_BYTES + 32];
	bool first = s->number[pool_index(&s->flows.pool, f)][dir] == 0;
	unsigned int n;
	int fd, err;

	if (s->err < 0 || data.len == 0)
		return;
	base_name(f, dir, base);
	n = number_of(s, f, dir, base);
	if (first) { // what an earlier run has left
		file_path(s, base, n, !alt, path, sizeof(path));
		unlink(path);
	}
	file_path(s, base, n, alt, path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (first ? O_TRUNC : O_APPEND), 0600);
	err = fd < 0 ? -errno : write_all(fd, data);
	if (fd >= 0)
		close(fd);
	if (err < 0) {
		s->err = err;
		diag_set(&s->diag, path, 0, 0, "cannot write: %s", strerror(-err));
	}
}

static void drain(struct streams *s, struct tcp_reader *rd, struct flow *f, enum dir dir)
{
	struct tcp_run run;

	while (tcp_reader_next(rd, &run)) {
		stream_write(s, f, dir, span_from(run.data, run.context), run.reading != TCP_MAIN);
		if (run.reading != TCP_ALT)
			tcp_history_add(&s->tcp, &f->half[dir], &f->half[!dir], run.data);
	}
}

static void flow_close(struct streams *s, struct flow *f)
{
	for (int dir = 0; dir < DIR_N; dir++) {
		struct tcp_reader rd;

		tcp_reader_flush(&rd, &s->tcp, f, dir);
		drain(s, &rd, f, dir);
		tcp_half_drop(&s->tcp, &f->half[dir]);
	}
	memset(s->number[pool_index(&s->flows.pool, f)], 0, sizeof(*s->number));
	flow_del(&s->flows, f);
}

static struct flow *flow_start(struct streams *s, const struct pkt *pkt, uint32_t hash)
{
	struct flow *f, *victim;

	if ((pkt->flags & TCP_SYN) == 0 && pkt->payload.len == 0)
		return NULL;
	if ((pkt->flags & TCP_SYN) != 0 && (pkt->flags & (TCP_FIN | TCP_RST)) != 0)
		return NULL;
	f = flow_add(&s->flows, &pkt->key, hash, &victim);
	if (f == NULL && victim != NULL) {
		flow_close(s, victim);
		f = flow_add(&s->flows, &pkt->key, hash, &victim);
	}
	if (f != NULL)
		flow_orient(f, pkt);
	return f;
}

int streams_frame(struct streams *s, const struct frame *frame, struct diag *ret_diag)
{
	struct pkt pkt;
	struct pkt_fragment piece;
	enum counter parsed;
	struct tcp_reader rd;
	enum tcp_verdict verdict = TCP_NEW_FLOW;
	enum dir dir = DIR_TO_SERVER;
	struct flow *f;
	uint32_t hash;

	parsed = pkt_parse_verified(&s->pkt_conf, frame, &pkt, &piece);
	if (parsed == CNT_PKT_FRAGMENT)
		parsed = frag_packet(&s->frags, &s->pkt_conf, frame, &piece, frame->ts_ns, &pkt);
	if (parsed != CNT_PKT_TCP)
		return 0;
	hash = flow_hash(&s->flows, &pkt.key);
	f = flow_find(&s->flows, &pkt.key, hash);
	if (f != NULL && flow_is_expired(f, frame->ts_ns)) {
		flow_close(s, f);
		f = NULL;
	}
	for (int attempt = 0; attempt < 2 && verdict == TCP_NEW_FLOW; attempt++) {
		if (attempt > 0) {
			flow_close(s, f);
			f = NULL;
		}
		if (f == NULL)
			f = flow_start(s, &pkt, hash);
		if (f == NULL)
			return 0;
		dir = flow_dir(f, pkt.from_lo);
		verdict = tcp_track(&s->tcp, f, &pkt, dir);
	}
	f->last_seen_ns = frame->ts_ns;
	if (verdict != TCP_IGNORE) {
		tcp_reader_init(&rd, &s->tcp, f, dir, &pkt, verdict);
		drain(s, &rd, f, dir);
	}
	if (f->half[!dir].doubts > 0) {
		tcp_reader_poll(&rd, &s->tcp, f, !dir);
		drain(s, &rd, f, !dir);
	}
	tcp_history_acked(&s->tcp, &f->half[!dir], &f->half[dir]);
	if (s->err < 0 && ret_diag != NULL)
		*ret_diag = s->diag;
	return s->err;
}

int streams_flush(struct streams *s, struct diag *ret_diag)
{
	unsigned int budget = UINT32_MAX;
	struct flow *f;

	frag_flush(&s->frags);
	while ((f = flow_expired(&s->flows, 0, true, &budget)) != NULL) {
		flow_close(s, f);
		budget = UINT32_MAX;
	}
	if (s->err < 0 && ret_diag != NULL)
		*ret_diag = s->diag;
	return s->err;
}

void streams_free(struct streams *s)
{
	if (s == NULL)
		return;
	tdestroy(s->names, free);
	free(s->buckets);
	free(s->records);
	free(s->segments);
	free(s->pieces);
	free(s->histories);
	free(s->tcp.scratch);
	free(s->number);
	free(s);
}
