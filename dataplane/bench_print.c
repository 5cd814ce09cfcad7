// SPDX-License-Identifier: BSD-2-Clause
// What bench says: JSON in one line, or text. Speeds are bits of captured frames, also those of the limit: what a pass over
// the round's buffers took, as if it were all there is to do for the round's frames. So two of them are a ratio.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/bench_impl.h"

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, uint32_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

// What is printed, in nanoseconds per packet.
struct figures {
	double median, min, max, close;
	double limit[BENCH_LIMIT_N], libraries;
	double stage[PIPELINE_STAGES]; // with those before it; 0: not asked for
	bool any[BENCH_LIMIT_N];       // there is something to scan, inflate, copy
	double bits;                   // of a packet
	double tx_per_s;
	struct bench_limit_size size;
};

static void figures(struct bench *b, struct figures *f)
{
	*f = (struct figures){0};
	f->median = median(b->ns, b->opt.runs);
	f->min = b->ns[0];
	f->max = b->ns[b->opt.runs - 1];
	f->bits = (double)b->set.bytes * 8 / (double)b->set.n;
	f->close = (double)b->close_ns / ((double)b->rounds * (double)b->set.n);
	f->tx_per_s = (double)b->work.transactions / ((double)b->set.n * f->median) * 1e9;
	for (int s = 0; s < PIPELINE_VERIFY && b->opt.stages; s++)
		f->stage[s] = median(b->stage_ns[s], b->opt.runs);
	f->stage[PIPELINE_VERIFY] = f->median;
	if (b->limit == NULL)
		return;
	bench_limit_size(b->limit, &f->size);
	f->any[BENCH_LIMIT_SCAN] = f->size.scan_calls > 0;
	f->any[BENCH_LIMIT_INFLATE] = f->size.deflate_bodies > 0;
	f->any[BENCH_LIMIT_COPY] = true;
	for (int k = 0; k < BENCH_LIMIT_N; k++)
		f->limit[k] = f->any[k] ? median(b->limit_ns[k], b->opt.runs) : 0;
	f->libraries = f->limit[BENCH_LIMIT_SCAN] + f->limit[BENCH_LIMIT_INFLATE];
}

// "name":value, or null where there is nothing to measure.
static void json_rate(const char *name, double value, bool any, const char *behind)
{
	if (any)
		printf("\"%s\":%.4f%s", name, value, behind);
	else
		printf("\"%s\":null%s", name, behind);
}

static void json_limit(const struct bench *b, const struct figures *f)
{
	if (b->limit == NULL) {
		printf("\"limit\":null");
		return;
	}
	printf("\"limit\":{");
	for (int k = 0; k < BENCH_LIMIT_N; k++) {
		static const char *const name[BENCH_LIMIT_N] = {"scan_gbps", "inflate_gbps",
								"memcpy_gbps"};

		json_rate(name[k], f->bits / f->limit[k], f->any[k], ",");
	}
	json_rate("libraries_gbps", f->bits / f->libraries, f->libraries > 0, ",");
	json_rate("ratio", f->libraries / f->median, f->libraries > 0, ",");
	printf("\"scan_calls\":%" PRIu64 ",\"scan_bytes\":%" PRIu64 ",\"signatures\":%" PRIu64
	       ",\"deflate_bodies\":%" PRIu64 ",\"deflate_bytes\":%" PRIu64
	       ",\"inflated_bytes\":%" PRIu64 "}",
	       f->size.scan_calls, f->size.scan_bytes, b->limit_fired, f->size.deflate_bodies,
	       f->size.deflate_bytes, b->limit_out);
}

static const char *const stage_name[PIPELINE_STAGES] = {"decode",  "tcp",  "http",
							"inflate", "scan", "verify"};

static void json_stages(const struct bench *b, const struct figures *f)
{
	printf("\"stages\":");
	if (!b->opt.stages) {
		printf("null,");
		return;
	}
	for (int s = 0; s < PIPELINE_STAGES; s++)
		printf("%s{\"name\":\"%s\",\"ns_per_packet\":%.2f,\"added\":%.2f}",
		       s > 0 ? "," : "[", stage_name[s], f->stage[s],
		       f->stage[s] - (s > 0 ? f->stage[s - 1] : 0));
	printf("],");
}

static double each(uint64_t bytes, uint64_t n)
{
	return n > 0 ? (double)bytes / (double)n : 0;
}

static void json_losses(const struct bench *b)
{
	const char *comma = "";

	printf("\"losses\":{");
	for (unsigned int i = 0; i < COUNTER_N; i++) {
		if (b->lost.v[i] == 0)
			continue;
		printf("%s\"%s\":%" PRIu64, comma, counter_info(i)->name, b->lost.v[i]);
		comma = ",";
	}
	printf("}");
}

static void print_json(const struct bench *b, const struct figures *f)
{
	const struct pipeline_usage *u = &b->most_flows, *m = &b->most_messages;

	printf("{\"gbps\":{\"median\":%.4f,\"min\":%.4f,\"max\":%.4f},\"mpps\":%.4f,"
	       "\"ns_per_packet\":%.2f,\"transactions_per_s\":%.0f,",
	       f->bits / f->median, f->bits / f->max, f->bits / f->min, 1e3 / f->median, f->median,
	       f->tx_per_s);
	printf("\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"transactions\":%" PRIu64
	       ",\"hits\":%" PRIu64 ",\"rounds\":%" PRIu64
	       ",\"runs\":%u,\"rules\":%u,\"rules_refused\":%zu,\"load_ms\":%.1f,"
	       "\"close_ns_per_packet\":%.2f,",
	       b->work.packets, b->set.bytes, b->work.transactions, b->work.hits, b->rounds,
	       b->opt.runs, b->rules.stats.rules, b->rules.refused, (double)b->load_ns / 1e6,
	       f->close);
	json_limit(b, f);
	printf(",");
	json_stages(b, f);
	json_losses(b);
	printf(",\"memory\":{\"flows\":%" PRIu64 ",\"bytes_per_flow\":%.0f,\"messages\":%" PRIu64
	       ",\"bytes_per_message\":%.0f},\"memory_mb\":%zu,\"hugepages\":%s}\n",
	       u->flows, each(u->flow_bytes, u->flows), m->messages,
	       each(m->message_bytes, m->messages), b->memory_bytes >> 20,
	       b->huge ? "true" : "false");
}

static void print_limit(const struct bench *b, const struct figures *f)
{
	static const char *const name[BENCH_LIMIT_N] = {"scanning", "inflating", "one memcpy"};

	if (b->limit == NULL)
		return;
	printf("limit: ");
	for (int k = 0; k < BENCH_LIMIT_N; k++)
		if (f->any[k])
			printf("%s %.2f Gbit/s%s", name[k], f->bits / f->limit[k],
			       k + 1 < BENCH_LIMIT_N ? ", " : "\n");
	if (f->libraries > 0)
		printf("the libraries alone: %.2f Gbit/s, %.1f ns per packet (%" PRIu64
		       " buffers of %.2f MB, %" PRIu64 " bodies of %.2f MB); the engine "
		       "reaches %.0f %% of that\n",
		       f->bits / f->libraries, f->libraries, f->size.scan_calls,
		       (double)f->size.scan_bytes / 1e6, f->size.deflate_bodies,
		       (double)f->size.deflate_bytes / 1e6, f->libraries / f->median * 100);
}

static void print_stages(const struct bench *b, const struct figures *f)
{
	for (int s = 0; s < PIPELINE_STAGES && b->opt.stages; s++)
		printf("up to %-8s %9.1f ns per packet, %+9.1f\n", stage_name[s], f->stage[s],
		       f->stage[s] - (s > 0 ? f->stage[s - 1] : 0));
}

static void print_text(const struct bench *b, const struct figures *f)
{
	const struct pipeline_usage *u = &b->most_flows, *m = &b->most_messages;

	printf("%s: %" PRIu64 " packets, %.2f MB, %" PRIu64 " transactions, %" PRIu64
	       " hits in a round\n",
	       b->opt.pcap, b->work.packets, (double)b->set.bytes / 1e6, b->work.transactions,
	       b->work.hits);
	printf("rules: %u loaded, %zu refused, %zu for other protocols, %.0f ms from text to "
	       "ready\n",
	       b->rules.stats.rules, b->rules.refused, b->rules.skipped, (double)b->load_ns / 1e6);
	printf("%.2f Gbit/s (%.2f to %.2f in %u runs), %.3f Mpps, %.1f ns per packet, %.0f "
	       "transactions a second\n",
	       f->bits / f->median, f->bits / f->max, f->bits / f->min, b->opt.runs,
	       1e3 / f->median, f->median, f->tx_per_s);
	print_stages(b, f);
	print_limit(b, f);
	for (unsigned int i = 0; i < COUNTER_N; i++)
		if (b->lost.v[i] > 0)
			printf("lost in a round: %" PRIu64 " %s\n", b->lost.v[i],
			       counter_info(i)->text);
	printf("%" PRIu64 " rounds, each with the same work; closing open flows took another %.1f "
	       "ns per packet\n",
	       b->rounds, f->close);
	printf("memory: %.0f bytes for each of %" PRIu64 " flows, %.0f for each of %" PRIu64
	       " messages in progress; %zu MB set aside%s\n",
	       each(u->flow_bytes, u->flows), u->flows, each(m->message_bytes, m->messages),
	       m->messages, b->memory_bytes >> 20, b->huge ? " on hugepages" : "");
}

void bench_print(struct bench *b)
{
	struct figures f;

	figures(b, &f);
	if (b->opt.json)
		print_json(b, &f);
	else
		print_text(b, &f);
}
