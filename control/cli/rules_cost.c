// SPDX-License-Identifier: BSD-2-Clause
#include "control/cli/rules_cost.h"

#include <errno.h>
#include <inttypes.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "rules/explain.h"

static const char *buffer_name(uint8_t buffer)
{
	return buffer < BUF_N ? buffer_info(buffer)->keyword : "";
}

static const char *direction_name(uint8_t dir)
{
	return dir == DIR_TO_SERVER ? "to_server" : "to_client";
}

// A part may be NULL when memory ran out: the whole is then NULL.
static json_t *append(json_t *list, json_t *item)
{
	if (list != NULL && item != NULL && json_array_append_new(list, item) == 0)
		return list;
	json_decref(list);
	return NULL;
}

json_t *rules_cost_databases(const struct cost *cost)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < cost->n_databases && list != NULL; i++) {
		const struct cost_database *d = &cost->database[i];

		list = append(list,
			      json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:I}", "buffer",
					buffer_name(d->buffer), "direction", direction_name(d->dir),
					"patterns", (json_int_t)d->patterns, "bytes",
					(json_int_t)d->bytes, "stream_bytes",
					(json_int_t)d->stream_bytes, "gbps",
					d->gigabytes_per_second, "sample_bytes",
					(json_int_t)d->sample_bytes));
	}
	return list;
}

static json_t *rule_json(const struct cost_rule *r)
{
	char literal[EXPLAIN_LITERAL_MAX] = "";

	if (r->literal.len > 0)
		explain_literal(literal, r->literal, false);
	return json_pack("{s:I, s:I, s:o, s:o, s:I, s:f, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:s}",
			 "sid", (json_int_t)r->rule->sid, "gid", (json_int_t)r->rule->gid, "msg",
			 cli_json_text(r->rule->msg), "file", cli_json_text(r->rule->file), "line",
			 (json_int_t)r->rule->line, "percent", r->percent, "buffer",
			 buffer_name(r->buffer), "direction", direction_name(r->dir), "literal",
			 literal, "always", r->always, "woken", (json_int_t)r->woken, "messages",
			 (json_int_t)r->messages, "occurrences", (json_int_t)r->occurrences, "mend",
			 r->mend);
}

json_t *rules_cost_expensive(const struct cost *cost)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < cost->n_rules && list != NULL; i++)
		list = append(list, rule_json(&cost->rule[i]));
	return list;
}

json_t *rules_cost_sample(const struct cost *cost)
{
	return json_pack("{s:I, s:f}", "bytes", (json_int_t)cost->sample_bytes,
			 "seconds_per_gigabyte", cost->seconds_per_gigabyte);
}

void rules_cost_print(const struct cost *cost)
{
	char literal[EXPLAIN_LITERAL_MAX];

	printf("\n%-22s %-9s %9s %11s %8s %7s\n", "database", "direction", "patterns", "bytes",
	       "stream", "GB/s");
	for (uint32_t i = 0; i < cost->n_databases; i++) {
		const struct cost_database *d = &cost->database[i];
		char speed[32] = "-";

		if (d->gigabytes_per_second > 0)
			snprintf(speed, sizeof(speed), "%.2f", d->gigabytes_per_second);
		printf("%-22s %-9s %9u %11" PRIu64 " %8" PRIu64 " %7s\n", buffer_name(d->buffer),
		       direction_name(d->dir), d->patterns, d->bytes, d->stream_bytes, speed);
	}
	if (cost->own_databases > 0)
		printf("%-32s %9u %11" PRIu64 "\n", "of single rules, when awake",
		       cost->own_databases, cost->own_bytes);
	printf("\nmost expensive rules, on a sample of %.1f MB (estimates):\n",
	       (double)cost->sample_bytes / 1e6);
	for (uint32_t i = 0; i < cost->n_rules; i++) {
		const struct cost_rule *r = &cost->rule[i];

		printf("%5.1f %%  sid %u (", r->percent, r->rule->sid);
		rules_print_text(r->rule->file);
		printf(":%u): ", r->rule->line);
		if (r->literal.len > 0)
			printf("%s in %s, ", explain_literal(literal, r->literal, false),
			       buffer_name(r->buffer));
		printf("awake on %u of %u messages\n         %s\n", r->woken, r->messages, r->mend);
	}
}

void rules_cost_explain(FILE *out, const struct cost *cost)
{
	const struct cost_rule *r = &cost->rule[0];

	if (cost->n_rules == 0)
		return;
	fprintf(out, "On the sample it is awake on %u of %u messages", r->woken, r->messages);
	if (r->literal.len > 0)
		fprintf(out, "; its text stands there %u times", r->occurrences);
	fprintf(out, ".\n");
}

int rules_cost_print_explanation(const struct cli *cli, const struct rule *rule, const char *text,
				 const struct cost *cost)
{
	json_t *reply =
		json_pack("{s:I, s:o}", "sid", (json_int_t)rule->sid, "text", cli_json_text(text));
	int ret;

	if (reply != NULL && cost->n_rules > 0 &&
	    json_object_set_new(reply, "cost", rule_json(&cost->rule[0])) < 0) {
		json_decref(reply);
		reply = NULL;
	}
	if (reply == NULL)
		return -ENOMEM;
	ret = client_print_json(reply);
	json_decref(reply);
	return ret == CLI_OK ? 0 : -EIO;
}
