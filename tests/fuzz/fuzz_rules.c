// SPDX-License-Identifier: BSD-2-Clause
// The rule parser on any bytes. What loads must keep the promises of rules/rule.h: planner and
// compiler build on them.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rules/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_match(const struct rule_match *m)
{
	const unsigned int absolute = RULE_OFFSET | RULE_DEPTH,
			   relative = RULE_DISTANCE | RULE_WITHIN;

	require(m->buffer < BUF_N && m->len > 0 && m->data != NULL && m->column > 0);
	require(m->type == RULE_CONTENT || m->type == RULE_PCRE);
	require((m->flags & absolute) == 0 || (m->flags & relative) == 0);
	require((m->flags & RULE_DEPTH) == 0 || m->depth >= m->len);
	require((m->flags & RULE_WITHIN) == 0 || m->within >= m->len);
	require((m->flags & RULE_OFFSET) == 0 || m->offset >= 0);
	if ((m->flags & RULE_STARTSWITH) != 0)
		require((m->flags & absolute) == absolute && m->offset == 0 && m->depth == m->len);
	// every byte is there to be read
	for (unsigned int i = 0, sum = 0; i < m->len; i++)
		require((sum += m->data[i]) != UINT32_MAX);
}

static void check_rule(const struct rule *r)
{
	unsigned int dirs = 3, fast = 0;

	require(r->sid != 0 && r->priority != 0 && r->line != 0);
	require(strlen(r->msg) + strlen(r->classtype) + strlen(r->reference) + strlen(r->metadata) <
		1 << 18);
	for (uint32_t i = 0; i < r->n_matches; i++) {
		check_match(&r->matches[i]);
		dirs &= buffer_info(r->matches[i].buffer)->dirs;
		fast += (r->matches[i].flags & RULE_FAST_PATTERN) != 0;
	}
	require(dirs != 0 && fast <= 1);
	for (uint32_t i = 0; i < r->src.n; i++)
		require(r->src.v[i].len <= 128);
	for (uint32_t i = 0; i < r->dst_port.n; i++)
		require(r->dst_port.v[i].first <= r->dst_port.v[i].last);
}

static void count_report(void *ctx, enum rules_verdict verdict, uint32_t sid,
			 const struct diag *diag)
{
	size_t *n = ctx;
	char text[1024];

	require(diag->line != 0 && diag->text[0] != '\0');
	require(strlen(diag_format(diag, text, sizeof(text))) > 0);
	(*n)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rules rs = {0};
	size_t reported = 0;
	int n = rules_parse(&rs, "fuzz", (const char *)data, size, NULL, count_report, &reported);

	require(n >= 0 && (size_t)n == rs.n);
	require(rs.n + reported == rs.seen && rs.refused + rs.skipped == reported);
	for (size_t i = 0; i < rs.n; i++)
		check_rule(&rs.v[i]);
	rules_done(&rs);
	return 0;
}
