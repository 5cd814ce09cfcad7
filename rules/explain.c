// SPDX-License-Identifier: BSD-2-Clause
#include "rules/explain.h"

#include <inttypes.h>
#include <string.h>

const char *explain_literal(char buf[EXPLAIN_LITERAL_MAX], struct span s, bool nocase)
{
	size_t n = 0;
	bool hex = false;

	buf[n++] = '"';
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.data[i];
		bool plain = c >= 0x20 && c < 0x7f && strchr("\"|;\\", c) == NULL;

		if (n > EXPLAIN_LITERAL_MAX - 32) {
			n += (size_t)sprintf(buf + n, "%s...", hex ? "|" : "");
			hex = false;
			break;
		}
		if (plain == hex)
			buf[n++] = '|';
		else if (hex)
			buf[n++] = ' ';
		hex = !plain;
		if (plain)
			buf[n++] = (char)c;
		else
			n += (size_t)sprintf(buf + n, "%02x", c);
	}
	if (hex)
		buf[n++] = '|';
	sprintf(buf + n, "\"%s", nocase ? " in any case" : "");
	return buf;
}

static const char *directions(uint8_t dirs)
{
	return dirs == 1 ? "requests" : dirs == 2 ? "responses" : "requests and responses";
}

static void explain_wake(FILE *out, const struct plan *p)
{
	char text[EXPLAIN_LITERAL_MAX];
	const struct plan_cond *c;

	if (plan_is_file_rule(p)) {
		fprintf(out, "It is looked at whenever a file in %s ends.\n", directions(p->dirs));
		return;
	}
	if (p->represented_by < 0) {
		fprintf(out,
			"Nothing in it can be searched for: it is looked at on every one of the "
			"%s.\n",
			p->rule->packets ? "segments" : directions(p->dirs));
		return;
	}
	c = &p->conds[p->represented_by];
	if (c->mode == IMAGE_COND_EXACT && c->sig_expr != NULL)
		fprintf(out,
			"It wakes when its expression matches in %s of %s: the one scan of that "
			"buffer for all rules tells.\n",
			buffer_info(c->buffer)->keyword, directions(p->dirs));
	else
		fprintf(out,
			"It wakes when %s is found in %s of %s: its most selective text, estimated "
			"at 2^-%u per byte.\n",
			explain_literal(text, c->literal.bytes, c->literal.nocase),
			buffer_info(c->buffer)->keyword, directions(p->dirs), c->literal.bits);
	if (c->sig_max_end != UINT64_MAX)
		fprintf(out, "That text must end within bytes %" PRIu64 " to %" PRIu64 ".\n",
			c->sig_min_end, c->sig_max_end);
}

static void explain_cond(FILE *out, const struct plan *p, int i)
{
	const struct plan_cond *c = &p->conds[i];
	const char *keyword = buffer_info(c->buffer)->keyword;
	const char *n_text = c->n_matches == 1 ? "match" : "matches";

	switch (c->mode) {
	case IMAGE_COND_HEAD:
		fprintf(out, "%s: %u %s, evaluated on the whole buffer%s%s.\n", keyword,
			c->n_matches, n_text, c->n_transforms > 0 ? ", transformed" : "",
			i == p->represented_by || p->represented_by < 0 ? "" : " when it is awake");
		break;
	case IMAGE_COND_FILE:
		fprintf(out, "%s: %u %s, evaluated when a file ends.\n", keyword, c->n_matches,
			n_text);
		break;
	case IMAGE_COND_EXACT:
		fprintf(out, "%s: finding the text is the match; nothing is kept, at any depth.\n",
			keyword);
		break;
	case IMAGE_COND_ANCHOR:
		fprintf(out,
			"%s: %u %s, looked for from %u bytes before the end of that text on, to "
			"the "
			"end of the buffer.\n",
			keyword, c->n_matches, n_text, c->literal.lookback);
		break;
	case IMAGE_COND_WINDOW:
		fprintf(out, "%s: %u %s, %s the %d KiB before that text, kept for it%s.\n", keyword,
			c->n_matches, n_text, c->buffered ? "evaluated on" : "looked for from",
			IMAGE_TAIL_MAX >> 10,
			c->buffered ? ", and on what follows, as far as the window reaches"
				    : ", to the end of the buffer");
		break;
	default:
		fprintf(out, "%s: %u %s, %s%s once its other conditions hold, no earlier.\n",
			keyword, c->n_matches, n_text, c->buffered ? "evaluated" : "looked for",
			c->buffered ? " on the retained window" : "");
	}
}

int explain_rule(FILE *out, struct rules *rs, const struct rule *r, struct diag *ret_diag)
{
	struct plan p;
	int err = plan_rule(rs, r, &p, ret_diag);

	if (err < 0)
		return err;
	fprintf(out, "Rule %u:%u of %s, line %u: %s\n", r->gid, r->sid, r->file, r->line,
		r->msg[0] != '\0' ? r->msg : "(no msg)");
	fprintf(out, "It is about %s of %s flows.\n", directions(p.dirs),
		r->proto == RULE_PROTO_TCP         ? "all inspected"
		: r->proto == RULE_PROTO_WEBSOCKET ? "WebSocket"
		: r->http_version == 1             ? "HTTP/1"
		: r->http_version == 2             ? "HTTP/2"
						   : "HTTP");
	if (p.n_conds == 0)
		fprintf(out, "It has no condition on bytes: addresses and state alone decide.\n");
	explain_wake(out, &p);
	for (int i = 0; i < p.n_conds; i++)
		explain_cond(out, &p, i);
	if (p.keep_head)
		fprintf(out, "The head is kept until the body has decided.\n");
	if (r->n_state > 0)
		fprintf(out, "It reads or writes state of the flow (flowbits and the like).\n");
	if (r->threshold.type != THRESHOLD_NONE)
		fprintf(out, "Its hits pass a threshold before they are reported.\n");
	return 0;
}
