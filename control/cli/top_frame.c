// SPDX-License-Identifier: BSD-2-Clause
// A frame of `wireglass top`: one JSON object, and its lines.
//
// The dataplane's numbers have a time of their own and come about once a second; rates are of the time between two of them, not of
// the time between two questions. Every line passes the filter of tables: what is from the wire moves no cursor.
#include "control/cli/top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/check.h"
#include "control/cli/cli.h"
#include "control/cli/table.h"

#define INT(x) ((json_int_t)(x))

// --- the object

// "2026-11-23T13:00:00.123456+0000" in seconds, 0 if it is none.
static double seconds_of(const char *text)
{
	char whole[20];
	uint64_t ns;

	snprintf(whole, sizeof(whole), "%s", text);
	if (!cli_time(whole, false, &ns))
		return 0;
	return (double)ns / 1e9 + (text[19] == '.' ? strtod(text + 19, NULL) : 0);
}

static void take_sample(const struct top_input *in, struct top_sample *s)
{
	static const char *const names[TOP_VALUES] = {
		[TOP_BYTES] = "capture.bytes", [TOP_PACKETS] = "capture.packets",
		[TOP_FLOWS] = "flow.created",  [TOP_TRANSACTIONS] = "http.transactions",
		[TOP_HITS] = "detect.hits",
	};
	const json_t *counters = json_object_get(in->stats, "counters"), *one;
	uint64_t received;
	size_t i;

	*s = (struct top_sample){.time_s = seconds_of(reply_text(in->stats, "time"))};
	for (i = 0; i < TOP_VALUES; i++)
		if (names[i] != NULL)
			s->values[i] = reply_number(counters, names[i]);
	s->values[TOP_LOST] = check_lost_frames(in->ports, &received);
	s->bytes_seen = reply_number(in->coverage, "bytes_seen");
	json_array_foreach(json_object_get(in->coverage, "rows"), i, one)
	{
		if (i < COVERAGE_N)
			s->coverage[i] = reply_number(one, "bytes");
	}
	json_array_foreach(json_object_get(in->workers, "workers"), i, one)
	{
		uint64_t w = reply_number(one, "worker");
		if (w >= IPC_WORKERS_MAX)
			continue;
		s->busy_ns[w] = reply_number(one, "busy_ns");
		s->idle_ns[w] = reply_number(one, "idle_ns");
		s->packets[w] = reply_number(one, "packets");
	}
}

// A counter that is lower than before began anew.
static double since(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

// Returns the seconds between both samples; 0: there are no rates.
static double add_sample(const struct top_input *in, struct top_samples *samples)
{
	struct top_sample s;

	take_sample(in, &s);
	if (s.time_s != samples->now.time_s)
		samples->before = samples->now;
	samples->now = s;
	if (!reply_true(json_object_get(in->status, "dataplane"), "connected"))
		samples->before = s;
	const double before_s = samples->before.time_s;
	return before_s > 0 && s.time_s > before_s ? s.time_s - before_s : 0;
}

static json_t *frame_coverage(const json_t *coverage, const struct top_sample *now,
			      const struct top_sample *before)
{
	const double seen = since(now->bytes_seen, before->bytes_seen);
	json_t *rows = json_array();
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(coverage, "rows"), i, row)
	{
		if (i < COVERAGE_N)
			json_array_append_new(rows, json_pack("{s:s, s:f, s:f}", "name",
							      reply_text(row, "name"), "percent",
							      percent((double)now->coverage[i],
								      (double)now->bytes_seen),
							      "now_percent",
							      percent(since(now->coverage[i],
									    before->coverage[i]),
								      seen)));
	}
	return rows;
}

static json_t *frame_workers(const json_t *workers, const struct top_sample *now,
			     const struct top_sample *before, double interval_s)
{
	json_t *list = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(workers, "workers"), i, one)
	{
		uint64_t w = reply_number(one, "worker");
		if (w >= IPC_WORKERS_MAX)
			continue;
		double busy = since(now->busy_ns[w], before->busy_ns[w]);
		double idle = since(now->idle_ns[w], before->idle_ns[w]);
		double packets = since(now->packets[w], before->packets[w]);
		json_array_append_new(list,
				      json_pack("{s:I, s:f, s:f, s:I, s:I, s:I}", "worker", INT(w),
						"busy_percent", percent(busy, busy + idle),
						"packets_per_second",
						interval_s > 0 ? packets / interval_s : 0, "flows",
						INT(reply_number(one, "flows")), "hits",
						INT(reply_number(one, "hits")), "silent_s",
						INT(reply_number(one, "silent_s"))));
	}
	return list;
}

struct rule_hits {
	uint64_t sid, hits;
	const char *msg;
};

static int by_hits(const void *va, const void *vb)
{
	const struct rule_hits *a = va, *b = vb;

	if (a->hits != b->hits)
		return a->hits < b->hits ? 1 : -1;
	return a->sid < b->sid ? -1 : a->sid > b->sid;
}

static json_t *frame_rules(const json_t *hits)
{
	struct rule_hits rules[TOP_HITS_ASKED] = {{0}};
	unsigned int n = 0, r;
	json_t *list = json_array();
	const json_t *hit;
	size_t i;

	json_array_foreach(hits, i, hit)
	{
		uint64_t sid = reply_number(hit, "sid");
		for (r = 0; r < n && rules[r].sid != sid; r++)
			;
		if (r == n && n == TOP_HITS_ASKED)
			continue;
		if (r == n)
			rules[n++] = (struct rule_hits){.sid = sid, .msg = reply_text(hit, "msg")};
		rules[r].hits++;
	}
	qsort(rules, n, sizeof(rules[0]), by_hits);
	for (r = 0; r < n && r < TOP_RULES; r++)
		json_array_append_new(list,
				      json_pack("{s:I, s:s, s:I}", "sid", INT(rules[r].sid), "msg",
						rules[r].msg, "hits", INT(rules[r].hits)));
	return list;
}

// The newest hits, newest first, and of each what has room in a line.
static json_t *frame_recent(const json_t *hits)
{
	static const char *const names[] = {"id",        "time",   "sid",  "msg", "client_ip",
					    "server_ip", "method", "host", "url"};
	json_t *list = json_array();

	for (size_t n = json_array_size(hits); n > 0 && json_array_size(list) < TOP_RECENT; n--) {
		const json_t *hit = json_array_get(hits, n - 1);
		json_t *one = json_object();

		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			json_object_set(one, names[i], json_object_get(hit, names[i]));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *top_frame(const struct top_input *in, struct top_samples *samples)
{
	const json_t *status = in->status, *rules = json_object_get(status, "rules");
	const json_t *stored = json_object_get(status, "hits");
	const json_t *hits = json_object_get(in->hits, "hits");
	const struct top_sample *now = &samples->now, *before = &samples->before;
	double rates[TOP_VALUES] = {0};

	double s = add_sample(in, samples);
	for (int i = 0; i < TOP_VALUES && s > 0; i++)
		rates[i] = since(now->values[i], before->values[i]) / s;
	json_t *frame = json_pack(
		"{s:s, s:f, s:o, s:{s:s, s:I, s:I, s:b}, s:{s:I, s:I, s:I}, s:I, s:I, "
		"s:{s:f, s:f, s:f, s:f, s:f, s:f}, s:o, s:o, s:o, s:o}",
		"time", reply_text(in->stats, "time"), "interval_s", s, "dataplane",
		json_incref(json_object_get(status, "dataplane")), "rules", "bundle",
		reply_text(rules, "bundle"), "serial", INT(reply_number(rules, "serial")), "rules",
		INT(reply_number(rules, "rules")), "live", reply_true(rules, "live"), "hits",
		"stored", INT(reply_number(stored, "stored")), "lost",
		INT(reply_number(stored, "lost")), "suppressed",
		INT(reply_number(stored, "suppressed")), "flows",
		INT(reply_number(json_object_get(in->stats, "counters"), "flow.active")),
		"lost_frames", INT(now->values[TOP_LOST]), "per_second", "bits",
		8 * rates[TOP_BYTES], "frames", rates[TOP_PACKETS], "lost_frames", rates[TOP_LOST],
		"flows", rates[TOP_FLOWS], "transactions", rates[TOP_TRANSACTIONS], "hits",
		rates[TOP_HITS], "coverage", frame_coverage(in->coverage, now, before), "workers",
		frame_workers(in->workers, now, before, s), "top_rules", frame_rules(hits),
		"recent_hits", frame_recent(hits));
	return frame;
}

// --- the lines

struct screen {
	FILE *f;
	int rows, columns, row; // rows, columns 0: no limit
};

__attribute__((format(printf, 2, 3))) static void line(struct screen *s, const char *fmt, ...)
{
	char text[4096], safe[8192];
	const char *p = safe;
	va_list ap;

	if (s->rows != 0 && s->row >= s->rows)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_safe(safe, sizeof(safe), text);
	for (int n = 0; *p != '\0'; p++) // characters, not bytes
		if (((unsigned char)*p & 0xc0) != 0x80 && s->columns != 0 && n++ == s->columns)
			break;
	if (s->row++ != 0)
		fputs(s->rows != 0 ? "\033[K\r\n" : "\n", s->f);
	fwrite(safe, 1, (size_t)(p - safe), s->f);
}

static double real(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void print_state(struct screen *s, const json_t *frame)
{
	const json_t *d = json_object_get(frame, "dataplane"), *r = json_object_get(frame, "rules");
	char serial[64] = "no rules";

	if (reply_text(frame, "problem")[0] != '\0')
		line(s, "%s", reply_text(frame, "problem"));
	if (json_object_get(frame, "dataplane") == NULL) // wireglassd has not answered yet
		return;
	if (reply_number(r, "serial") != 0)
		snprintf(serial, sizeof(serial), "serial %" PRIu64 "%s", reply_number(r, "serial"),
			 reply_true(r, "live") ? "" : " (not live)");
	if (reply_true(d, "connected"))
		line(s, "%s, %" PRIu64 " workers, %" PRIu64 " ports%s; %s %s, %" PRIu64 " rules",
		     reply_text(d, "mode"), reply_number(d, "workers"), reply_number(d, "ports"),
		     reply_true(d, "finished") ? ", its input has ended" : "",
		     reply_text(r, "bundle"), serial, reply_number(r, "rules"));
	else
		line(s, "the dataplane is not connected, these are its last numbers: %s",
		     reply_text(d, "problem"));
}

static void print_rates(struct screen *s, const json_t *frame)
{
	const json_t *rate = json_object_get(frame, "per_second");
	const json_t *hits = json_object_get(frame, "hits");
	char a[32], b[32], c[32];

	line(s, "received   %10sbit/s %10s frames/s   lost %s frames/s, %" PRIu64 " in all",
	     table_count(a, sizeof(a), (uint64_t)real(rate, "bits")),
	     table_count(b, sizeof(b), (uint64_t)real(rate, "frames")),
	     table_count(c, sizeof(c), (uint64_t)real(rate, "lost_frames")),
	     reply_number(frame, "lost_frames"));
	line(s, "flows      %10s open  %10s new/s",
	     table_count(a, sizeof(a), reply_number(frame, "flows")),
	     table_count(b, sizeof(b), (uint64_t)real(rate, "flows")));
	line(s, "HTTP       %10s transactions/s",
	     table_count(a, sizeof(a), (uint64_t)real(rate, "transactions")));
	line(s,
	     "hits       %10.1f /s, %" PRIu64 " stored, %" PRIu64 " lost, %" PRIu64 " suppressed",
	     real(rate, "hits"), reply_number(hits, "stored"), reply_number(hits, "lost"),
	     reply_number(hits, "suppressed"));
}

static void print_coverage(struct screen *s, const json_t *rows)
{
	const json_t *row;
	size_t i;

	line(s, "%s", "");
	line(s, "bytes                now %%  in all %%");
	json_array_foreach(rows, i, row)
	{
		if (real(row, "percent") > 0)
			line(s, "%-16s %9.2f %9.2f", reply_text(row, "name"),
			     real(row, "now_percent"), real(row, "percent"));
	}
}

static void print_workers(struct screen *s, const json_t *workers)
{
	const json_t *w;
	char a[32], b[32];
	size_t i;

	line(s, "%s", "");
	line(s, "worker   busy %%   frames/s     flows      hits");
	json_array_foreach(workers, i, w)
	{
		line(s, "%6" PRIu64 " %8.1f %10s %9s %9" PRIu64 "%s", reply_number(w, "worker"),
		     real(w, "busy_percent"),
		     table_count(a, sizeof(a), (uint64_t)real(w, "packets_per_second")),
		     table_count(b, sizeof(b), reply_number(w, "flows")), reply_number(w, "hits"),
		     reply_number(w, "silent_s") > 3 ? "   SILENT" : "");
	}
}

static void print_hits(struct screen *s, const json_t *frame)
{
	const json_t *one;
	size_t i;

	line(s, "%s", "");
	line(s, "rules of the newest %d hits", TOP_HITS_ASKED);
	json_array_foreach(json_object_get(frame, "top_rules"), i, one)
		line(s, "%6" PRIu64 "  sid %" PRIu64 "  %s", reply_number(one, "hits"),
		     reply_number(one, "sid"), reply_text(one, "msg"));
	line(s, "%s", "");
	line(s, "newest hits (UTC)");
	json_array_foreach(json_object_get(frame, "recent_hits"), i, one)
		line(s, "%.8s  sid %" PRIu64 "  %s > %s  %s %s%s",
		     strlen(reply_text(one, "time")) > 19 ? reply_text(one, "time") + 11 : "",
		     reply_number(one, "sid"), reply_text(one, "client_ip"),
		     reply_text(one, "server_ip"), reply_text(one, "method"),
		     reply_text(one, "host"), reply_text(one, "url"));
}

void top_print(FILE *f, const json_t *frame, int rows, int columns)
{
	struct screen s = {.f = f, .rows = rows, .columns = columns};

	if (rows != 0)
		fputs("\033[H", f);
	line(&s, "Wireglass  %.19s%s", reply_text(frame, "time"), rows != 0 ? "   q quits" : "");
	print_state(&s, frame);
	if (json_object_get(frame, "per_second") != NULL) {
		print_rates(&s, frame);
		print_coverage(&s, json_object_get(frame, "coverage"));
		print_workers(&s, json_object_get(frame, "workers"));
		print_hits(&s, frame);
	}
	fputs(rows != 0 ? "\033[K\033[J" : "\n", f);
}
