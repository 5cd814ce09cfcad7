// SPDX-License-Identifier: BSD-2-Clause
// The rule parser on any bytes. What loads must keep the promises of rules/rule.h: planner and
// compiler build on them.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/list_make.h"
#include "rules/number.h"
#include "rules/parse.h"
#include "rules/transform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void check_var(bool is_var, int64_t index)
{
	require(!is_var || (index >= 0 && index < NUMBER_VARS_MAX));
}

static void check_number(const struct rule_match *m)
{
	const struct number *n = m->number;

	require(m->type > RULE_PCRE && m->type != RULE_DATASET && m->type != RULE_FILE_DIGEST &&
		m->len == 0);
	require((m->flags & ~(RULE_NEGATED | RULE_PCRE_RELATIVE | RULE_DECODED)) == 0);
	require(n->op < NUMBER_OP_N && (n->flags & ~NUMBER_FLAGS) == 0);
	require((m->type == RULE_BYTE_MATH) == (n->op >= NUMBER_TEST_N));
	require(n->result < NUMBER_VARS_MAX && n->align <= 4);
	check_var((n->flags & NUMBER_VAR_BYTES) != 0, n->bytes);
	check_var((n->flags & NUMBER_VAR_OFFSET) != 0, n->offset);
	check_var((n->flags & NUMBER_VAR_VALUE) != 0, (int64_t)n->value);
}

static void check_transforms(const struct rule_match *m)
{
	require(m->n_transforms <= TRANSFORMS_MAX);
	for (unsigned int i = 0; i < m->n_transforms; i++) {
		const struct rule_transform *t = &m->transforms[i];

		require(t->type < TRANSFORM_N);
		require((t->type == TRANSFORM_PCREXFORM) == (t->len > 0 && t->data != NULL));
	}
}

// Lists that rules can name, of all formats.
static int open_list(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag)
{
	static const char *const texts[] = {
		"0123456789abcdef0123456789abcdef\n",
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
		"YQ==\nYWI=,5\n",
		"192.0.2.1\n2001:db8::1\n",
	};

	require(name[0] != '\0' && name[0] != '/' && strstr(name, "/../") == NULL);
	if (name[1] != '\0' || name[0] < 'a' || name[0] > 'd') {
		diag_set(ret_diag, NULL, 0, 0, "there is no such file");
		return -ENOENT;
	}
	*ret_source = (struct rule_source){.fd = -1};
	snprintf(ret_source->name, sizeof(ret_source->name), "%s", name);
	ret_source->data = span_of(texts[name[0] - 'a'], strlen(texts[name[0] - 'a']));
	return 0;
}

static void check_list(const struct rules *rs, const struct rule_match *m)
{
	const struct list_maker *entries;

	require(m->list < rs->n_lists);
	entries = rs->lists[m->list].entries;
	require(entries != NULL && entries->n_lines > 0);
	require(entries->kind == rs->lists[m->list].kind);
	require(m->type == RULE_DATASET || entries->kind <= LIST_SHA256);
}

static void check_match(const struct rules *rs, const struct rule_match *m)
{
	const unsigned int absolute = RULE_OFFSET | RULE_DEPTH,
			   relative = RULE_DISTANCE | RULE_WITHIN;

	require(m->buffer < BUF_N && m->column > 0);
	check_transforms(m);
	require((m->buffer == BUF_FILE) ==
		(m->type == RULE_FILE_DIGEST || m->type == RULE_FILE_SIZE));
	if (m->type == RULE_DATASET || m->type == RULE_FILE_DIGEST) {
		check_list(rs, m);
		return;
	}
	if (m->number != NULL) {
		check_number(m);
		return;
	}
	require(m->type == RULE_CONTENT || m->type == RULE_PCRE);
	require(m->len > 0 && m->data != NULL);
	check_var((m->flags & RULE_VAR_OFFSET) != 0, m->offset);
	check_var((m->flags & RULE_VAR_DEPTH) != 0, m->depth);
	check_var((m->flags & RULE_VAR_DISTANCE) != 0, m->distance);
	check_var((m->flags & RULE_VAR_WITHIN) != 0, m->within);
	require((m->flags & absolute) == 0 || (m->flags & relative) == 0);
	require((m->flags & RULE_DEPTH) == 0 || (m->flags & RULE_VAR_DEPTH) != 0 ||
		m->depth >= m->len);
	require((m->flags & RULE_WITHIN) == 0 || (m->flags & RULE_VAR_WITHIN) != 0 ||
		m->within >= m->len);
	require((m->flags & RULE_OFFSET) == 0 || m->offset >= 0);
	if ((m->flags & RULE_STARTSWITH) != 0)
		require((m->flags & absolute) == absolute && m->offset == 0 && m->depth == m->len);
	// every byte is there to be read
	for (unsigned int i = 0, sum = 0; i < m->len; i++)
		require((sum += m->data[i]) != UINT32_MAX);
}

static void check_state(const struct rule_state *s)
{
	const struct state_op_record record = {
		.name = 1,
		.var = s->var != NULL,
		.value = s->value,
		.kind = s->kind,
		.op = s->op,
		.track = s->track,
		.or_next = s->or_next,
	};
	bool named = s->kind <= STATE_FLOWINT;

	require(state_is_valid(&record));
	require(named == (s->name != NULL));
	require(!named || (s->name[0] != '\0' && strlen(s->name) <= 128));
	require(s->kind != STATE_XBIT || s->value > 0);
}

static void check_rule(const struct rules *rs, const struct rule *r)
{
	unsigned int dirs = 3, fast = 0;

	require(r->sid != 0 && r->priority != 0 && r->line != 0);
	require(strlen(r->msg) + strlen(r->classtype) + strlen(r->reference) + strlen(r->metadata) <
		1 << 18);
	for (uint32_t i = 0; i < r->n_matches; i++) {
		check_match(rs, &r->matches[i]);
		dirs &= buffer_info(r->matches[i].buffer)->dirs;
		fast += (r->matches[i].flags & RULE_FAST_PATTERN) != 0;
	}
	require(dirs != 0 && fast <= 1);
	for (uint32_t i = 0; i < r->n_state; i++)
		check_state(&r->state[i]);
	require(r->action < RULE_ACTION_N);
	require(threshold_is_valid(&r->threshold));
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
	static const struct rule_files files = {.open = open_list};
	struct rules rs = {.files = &files};
	size_t reported = 0;
	int n = rules_parse(&rs, "fuzz", (const char *)data, size, NULL, count_report, &reported);

	require(n >= 0 && (size_t)n == rs.n);
	require(rs.n + reported == rs.seen && rs.refused + rs.skipped == reported);
	// the same bytes as the files that say something about rules
	require(rules_thresholds(&rs, "fuzz", (const char *)data, size, NULL, count_report,
				 &reported) == 0);
	for (uint32_t i = 1; i < rs.n_suppress; i++)
		require(rs.suppress[i - 1].gid <= rs.suppress[i].gid);
	require(rules_classification(&rs, "fuzz", (const char *)data, size, count_report,
				     &reported) == 0);
	for (uint32_t i = 0; i < rs.n_classes; i++)
		require(rs.classes[i].name[0] != '\0' && rs.classes[i].priority > 0);
	for (size_t i = 0; i < rs.n; i++)
		check_rule(&rs, &rs.v[i]);
	rules_done(&rs);
	return 0;
}
