// SPDX-License-Identifier: BSD-2-Clause
// A large list of SHA-256, the whole way: text -> image -> sealed memory -> rule set, and lookups in it.
//
//   nice -n -5 taskset -c 1 build/tests/bench/bench_lists [ENTRIES]     (10 million unless told otherwise)
//
// Figures are those of docs/BENCHMARKS.md. Digests that are looked up are in another order than the list and made on the
// spot; what making one costs is measured alone and taken off.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/engine/ruleset.h"
#include "rules/compile.h"

enum {
	RUNS = 5,
	LOOKUPS = 4000000,
};

static const char rule[] = "alert http any any -> any any (filesha256:list; sid:1;)\n";

struct text {
	char *p;
	size_t len;
};

// Time on the CPU, so that who shares the machine counts less.
static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_lists: %s\n", what);
	exit(1);
}

// splitmix64 of i: as random as a digest
static void digest_of(uint64_t i, uint64_t ret_digest[4])
{
	for (int k = 0; k < 4; k++) {
		uint64_t z = (4 * i + (uint64_t)k + 1) * 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		ret_digest[k] = z ^ z >> 31;
	}
}

static struct text text_make(uint32_t n)
{
	static const char digits[] = "0123456789abcdef";
	struct text t = {.len = (size_t)n * 65};
	char *at;

	t.p = malloc(t.len);
	if (t.p == NULL)
		die("out of memory");
	at = t.p;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t d[4];

		digest_of(i, d);
		for (int k = 0; k < 32; k++) {
			uint8_t byte = ((const uint8_t *)d)[k];

			*at++ = digits[byte >> 4];
			*at++ = digits[byte & 15];
		}
		*at++ = '\n';
	}
	return t;
}

static int open_text(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag)
{
	const struct text *t = ctx;

	*ret_source = (struct rule_source){.fd = -1, .data = span_of(t->p, t->len)};
	snprintf(ret_source->name, sizeof(ret_source->name), "%s", name);
	return 0;
}

static void report(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	die(diag->text);
}

static int make_image(uint32_t n, uint64_t *ret_len)
{
	struct text text = text_make(n);
	const struct rule_files files = {.open = open_text, .ctx = &text};
	struct rules rs = {.files = &files};
	struct diag d = {0};
	void *image;
	double start = now(), parsed, compiled, sealed;
	int fd;

	if (rules_parse(&rs, "bench", rule, sizeof(rule) - 1, NULL, report, NULL) != 1)
		die("the rule does not load");
	parsed = now();
	free(text.p);
	if (compile_image(&rs, 1, &image, ret_len, NULL, report, NULL, &d) != 0)
		die(d.text);
	rules_done(&rs);
	compiled = now();
	fd = image_memfd(image, *ret_len);
	sealed = now();
	free(image);
	if (fd < 0)
		die("no memfd");
	printf("%u entries, image of %.1f MB: read and sorted in %.2f s, compiled in %.2f s, "
	       "sealed in %.2f s\n",
	       n, (double)*ret_len / 1e6, parsed - start, compiled - parsed, sealed - compiled);
	return fd;
}

static struct ruleset *load(int fd, uint64_t len)
{
	struct ruleset *rs = NULL;

	for (int run = 0; run < RUNS; run++) {
		struct diag d = {0};
		double start;
		void *map;

		ruleset_free(rs);
		start = now();
		map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			die("cannot map");
		if (ruleset_load_map(map, len, NULL, 1, 1, &rs, &d) != 0)
			die(d.text);
		printf("loaded in %.1f ms\n", (now() - start) * 1e3);
	}
	return rs;
}

// Nanoseconds for one; from: index of the first digest, below n they are in the list.
static double lookups(const struct list *l, uint64_t from, uint32_t n, bool look,
		      uint32_t *ret_hits)
{
	double start = now();
	uint64_t sum = 0;
	uint32_t hits = 0;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		uint64_t d[4];

		digest_of(from + i * UINT64_C(2654435761) % n, d);
		if (look)
			hits += list_has(l, span_of(d, sizeof(d)));
		else
			sum += d[0] ^ d[1] ^ d[2] ^ d[3];
	}
	*ret_hits = look ? hits : (uint32_t)(sum & 1);
	return (now() - start) * 1e9 / LOOKUPS;
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10000000, hits;
	struct ruleset *rs;
	const struct list *l;
	double none, hit, miss;
	uint64_t len;
	int fd;

	if (n == 0 || n > LIST_ENTRIES_MAX)
		die("usage: bench_lists [ENTRIES]");
	fd = make_image(n, &len);
	rs = load(fd, len);
	l = image_list_at(ruleset_image(rs), 0);
	none = lookups(l, 0, n, false, &hits);
	hit = lookups(l, 0, n, true, &hits) - none;
	if (hits != LOOKUPS)
		die("entries are not found");
	miss = lookups(l, n, n, true, &hits) - none;
	if (hits != 0)
		die("something is found that is not listed");
	printf("lookup of what is listed %.0f ns, of what is not %.0f ns\n", hit, miss);
	ruleset_free(rs);
	close(fd);
	return 0;
}
