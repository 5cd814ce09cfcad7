// SPDX-License-Identifier: BSD-2-Clause
// What the compile child does: read the bundle, check it, parse, compile, write image and report. It has no other way
// out than the two descriptors; its exit code only says that the report is complete.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/build.h"
#include "control/loop.h"
#include "control/text.h"
#include "dataplane/vectors.h"
#include "rules/compile.h"
#include "rules/govern.h"

struct tally {
	uint32_t refused, skipped;
	json_t *list;    // the first BUILD_REFUSED_MAX refused ones
	json_t *expired; // sids of the first BUILD_REFUSED_MAX expired ones
	struct govern_result governed;
};

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct tally *t = ctx;

	if (verdict == RULES_SKIPPED) {
		t->skipped++;
		return;
	}
	if (verdict == RULES_EXPIRED) {
		if (json_array_size(t->expired) < BUILD_REFUSED_MAX)
			json_array_append_new(t->expired, json_integer((json_int_t)sid));
		return;
	}
	if (t->refused++ >= BUILD_REFUSED_MAX)
		return;
	json_array_append_new(
		t->list, json_pack("{s:I, s:o, s:I, s:I, s:o}", "sid", (json_int_t)sid, "file",
				   text_json(diag->file), "line", (json_int_t)diag->line, "column",
				   (json_int_t)diag->column, "reason", text_json(diag->text)));
}

static json_t *refusal(const char *code, const struct diag *diag)
{
	char text[1024];

	return json_pack("{s:o, s:s}", "error", text_json(diag_format(diag, text, sizeof(text))),
			 "code", code);
}

static int64_t now_s(void)
{
	return (int64_t)(loop_wall_ns() / 1000000000u);
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static const char *code_of(int err)
{
	switch (err) {
	case -EKEYREJECTED:
		return "signature";
	case -EKEYEXPIRED:
		return "expired";
	case -ENODATA:
		return "governance";
	case -EFBIG:
		return "size";
	case -ENOMEM:
		return "memory";
	default:
		return "bundle";
	}
}

// Read and admit the bundle: signature, form, governance, expiry. ret_bundle is set if it could be read, admitted or not.
static int admit(const struct build_request *r, struct bundle **ret_bundle, struct diag *diag)
{
	struct bundle *b;
	int err = bundle_read(r->name, r->data, SPAN_NONE, r->trust, &b, diag);

	if (err != 0)
		return err;
	*ret_bundle = b;
	err = govern_manifest(&b->manifest, &(struct govern){.strict = r->strict}, diag);
	if (err == 0 && r->check_expiry)
		err = bundle_check_expiry(b, now_s(), diag);
	return err;
}

// A refusal that says which bundle it was, if that much is known.
static json_t *refusal_of(const struct bundle *b, const char *code, const struct diag *diag)
{
	json_t *report = refusal(code, diag);

	if (b != NULL && report != NULL) {
		json_object_set_new(report, "id", json_string(b->manifest.id));
		json_object_set_new(report, "serial", json_integer((json_int_t)b->manifest.serial));
	}
	return report;
}

static uint64_t ms_since(uint64_t start_ns)
{
	return (loop_now_ns() - start_ns) / 1000000;
}

static json_t *success(const struct bundle *b, const struct compile_stats *cs,
		       const struct tally *t, uint64_t parse_ms)
{
	char digest[65];

	return json_pack(
		"{s:I, s:O, s:I, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:O, s:I, s:I, s:I, s:I, s:I, "
		"s:I, s:I, s:I}",
		"expired", (json_int_t)t->governed.expired, "expired_sids", t->expired,
		"next_expiry", (json_int_t)t->governed.next_s, "id", b->manifest.id, "serial",
		(json_int_t)b->manifest.serial, "expires", b->manifest.expires, "digest",
		text_hex(digest, b->digest, sizeof(b->digest)), "rules", (json_int_t)cs->rules,
		"refused", (json_int_t)t->refused, "skipped", (json_int_t)t->skipped,
		"refused_rules", t->list, "databases",
		(json_int_t)(cs->databases + cs->own_databases), "signatures",
		(json_int_t)cs->signatures, "always", (json_int_t)cs->always, "alert_only",
		(json_int_t)cs->alert_only, "image_bytes", (json_int_t)cs->image_bytes, "parse_ms",
		(json_int_t)parse_ms, "plan_ms", (json_int_t)(cs->plan_ns / 1000000), "compile_ms",
		(json_int_t)(cs->compile_ns / 1000000));
}

// Do its rules do what it says they must? The number of cases, or negative errno with diag.
static int self_test(const struct bundle *b, const void *image, uint64_t len, bool some_absent,
		     struct diag *diag)
{
	struct vectors *v = NULL;
	int cases = 0, ret = 0;

	for (uint32_t i = 0; i < b->n_data && ret >= 0; i++) {
		if (b->data[i].kind != BUNDLE_SELFTEST)
			continue;
		if (v == NULL)
			ret = vectors_new(image, len, &v, diag);
		if (ret >= 0)
			ret = vectors_run(v, b->data[i].name,
					  span_of(b->data[i].text, b->data[i].len), some_absent,
					  diag);
		cases += ret > 0 ? ret : 0;
	}
	vectors_free(v);
	return ret < 0 ? ret : cases;
}

// Parse and compile an admitted bundle. Returns the report.
static json_t *compile(struct bundle *b, const struct build_request *r, int image_fd,
		       struct build_shared *shared, struct tally *t)
{
	const struct govern govern = {
		.strict = r->strict, .now_s = now_s(), .expires_s = b->manifest.expires_s};
	const struct rule_files files = {.open = bundle_open_list, .ctx = b};
	struct rules rs = {.files = &files, .progress = &shared->progress};
	struct compile_stats cs = {0};
	struct diag diag = {0};
	void *image = NULL;
	uint64_t len = 0, start = loop_now_ns();
	json_t *report;
	int err = 0, tested = 0;

	err = bundle_parse(b, &rs, r->vars, on_rule, t);
	govern_rules(&rs, &govern, on_rule, t, &t->governed);
	uint64_t parse_ms = ms_since(start);
	if (err < 0)
		diag_set(&diag, NULL, 0, 0, "out of memory while parsing (compile.memory_mb)");
	__atomic_store_n(&shared->stage, BUILD_COMPILE, __ATOMIC_RELAXED);
	if (err >= 0)
		err = compile_image(&rs, (uint64_t)b->manifest.serial, &image, &len, &cs, on_rule,
				    t, &diag);
	if (err == -ENOMEM && diag.text[0] == '\0')
		diag_set(&diag, NULL, 0, 0, "out of memory while compiling (compile.memory_mb)");
	if (err < 0)
		report = refusal(err == -ENOMEM ? "memory" : "compile", &diag);
	else if (cs.rules == 0 && t->governed.expired == 0 && t->refused + t->skipped > 0)
		report = json_pack("{s:s, s:s, s:I, s:I, s:O}", "error",
				   "none of its rules can be loaded: the rule set would be empty",
				   "code", "empty", "refused", (json_int_t)t->refused, "skipped",
				   (json_int_t)t->skipped, "refused_rules", t->list);
	else if ((tested = self_test(b, image, len, t->governed.expired > 0, &diag)) < 0)
		report = refusal_of(b, tested == -ENOMEM ? "memory" : "selftest", &diag);
	else if (!write_all(image_fd, image, len))
		report = json_pack("{s:s, s:s}", "error",
				   "the image cannot be written: out of memory", "code", "memory");
	else
		report = success(b, &cs, t, parse_ms);
	if (tested > 0 && report != NULL)
		json_object_set_new(report, "self_tests", json_integer(tested));
	free(image);
	rules_done(&rs);
	return report;
}

// What was made of this bundle before.
static json_t *reuse(const struct build_cached *cached, int image_fd)
{
	if (cached->image.len == 0)
		return NULL;
	json_t *report = json_loadb((const char *)cached->report.data, cached->report.len, 0, NULL);

	const json_int_t next = json_integer_value(json_object_get(report, "next_expiry"));

	if (!json_is_object(report) || (next != 0 && next <= now_s()) || // another rule has expired
	    !write_all(image_fd, cached->image.data, cached->image.len)) {
		json_decref(report);
		return NULL;
	}
	json_object_set_new(report, "cached", json_true());
	json_object_set_new(report, "parse_ms", json_integer(0));
	json_object_set_new(report, "plan_ms", json_integer(0));
	json_object_set_new(report, "compile_ms", json_integer(0));
	return report;
}

void build_child(const struct build_request *r, const struct build_cached *cached, int image_fd,
		 int report_fd, struct build_shared *shared)
{
	struct tally t = {.list = json_array(), .expired = json_array()};
	struct bundle *b = NULL;
	struct diag diag = {0};
	json_t *report;

	int err = admit(r, &b, &diag);
	report = err != 0 ? refusal_of(b, code_of(err), &diag) : reuse(cached, image_fd);
	if (report == NULL)
		report = compile(b, r, image_fd, shared, &t);
	char *text = report != NULL ? json_dumps(report, JSON_COMPACT) : NULL;
	if (text == NULL || !write_all(report_fd, text, strlen(text)))
		_exit(125);
	__atomic_store_n(&shared->stage, BUILD_DONE, __ATOMIC_RELAXED);
	free(text);
	json_decref(report);
	json_decref(t.list);
	json_decref(t.expired);
	bundle_free(b);
}
