// SPDX-License-Identifier: BSD-2-Clause
// Reading the audit log with suspicion. A line must be the canonical text of what it says, so every byte of it counts;
// entries are numbered by their place, so the first one that is not in order can always be named.
#include "control/audit.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static char *canonical(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
}

bool audit_hash(const json_t *json, char ret_hash[AUDIT_HASH_TEXT])
{
	json_t *bare = json_copy((json_t *)(uintptr_t)json);
	uint8_t digest[crypto_hash_sha256_BYTES];
	char *text = NULL;

	if (bare != NULL) {
		json_object_del(bare, "hash");
		json_object_del(bare, "sig");
		text = canonical(bare);
	}
	json_decref(bare);
	if (text == NULL)
		return false;
	crypto_hash_sha256(digest, (const uint8_t *)text, strlen(text));
	sodium_bin2hex(ret_hash, AUDIT_HASH_TEXT, digest, sizeof(digest));
	free(text);
	return true;
}

enum {
	SIGNED_MAX = 32 + AUDIT_HASH_TEXT,
	SIG_BASE64 = sodium_base64_ENCODED_LEN(crypto_sign_BYTES, sodium_base64_VARIANT_ORIGINAL),
};

static size_t message(char buf[SIGNED_MAX], const char *domain, const char *hash)
{
	return (size_t)snprintf(buf, SIGNED_MAX, "%s%s", domain, hash);
}

int audit_seal(json_t *json, const char *domain, const struct sig_secret *key)
{
	uint8_t sig[crypto_sign_BYTES];
	char hash[AUDIT_HASH_TEXT], text[SIGNED_MAX], base64[SIG_BASE64];

	if (!audit_hash(json, hash))
		return -ENOMEM;
	crypto_sign_detached(sig, NULL, (const uint8_t *)text, message(text, domain, hash),
			     key->key);
	sodium_bin2base64(base64, sizeof(base64), sig, sizeof(sig), sodium_base64_VARIANT_ORIGINAL);
	return json_object_set_new(json, "hash", json_string(hash)) == 0 &&
			       json_object_set_new(json, "sig", json_string(base64)) == 0
		       ? 0
		       : -ENOMEM;
}

static const char *text_in(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	return text != NULL ? text : "";
}

static bool is_signed(const json_t *json, const char *domain, const char *hash,
		      const struct sig_public *key)
{
	const char *base64 = text_in(json, "sig");
	uint8_t sig[crypto_sign_BYTES];
	char text[SIGNED_MAX];
	size_t len;

	return sodium_base642bin(sig, sizeof(sig), base64, strlen(base64), NULL, &len, NULL,
				 sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == sizeof(sig) &&
	       crypto_sign_verify_detached(sig, (const uint8_t *)text, message(text, domain, hash),
					   key->key) == 0;
}

const char *audit_check(const char *line, size_t len, const char *domain,
			const struct sig_public *key, json_t **ret_json)
{
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	char *again = json_is_object(json) ? canonical(json) : NULL;
	const char *problem = NULL;
	char hash[AUDIT_HASH_TEXT];

	if (again == NULL)
		problem = "is not a JSON object";
	else if (strlen(again) != len || memcmp(again, line, len) != 0)
		problem = "is not in canonical form";
	else if (!audit_hash(json, hash))
		problem = "cannot be read: out of memory";
	else if (strcmp(hash, text_in(json, "hash")) != 0)
		problem = "was changed: its hash is another";
	else if (!is_signed(json, domain, hash, key))
		problem = "is not signed by the key of this log";
	free(again);
	if (problem != NULL)
		json_decref(json);
	else
		*ret_json = json;
	return problem;
}

const char *audit_head_parse(const char *text, size_t len, const struct sig_public *key,
			     struct audit_head *ret_head)
{
	json_t *json;

	if (len == 0 || text[len - 1] != '\n')
		return "is cut";
	const char *problem = audit_check(text, len - 1, AUDIT_DOMAIN_HEAD, key, &json);
	if (problem != NULL)
		return problem;
	*ret_head = (struct audit_head){
		.n = (uint64_t)json_integer_value(json_object_get(json, "n")),
		.bytes = (uint64_t)json_integer_value(json_object_get(json, "bytes")),
	};
	snprintf(ret_head->hash, sizeof(ret_head->hash), "%s", text_in(json, "entry"));
	json_decref(json);
	return NULL;
}

struct verify {
	const struct sig_public *key;
	struct audit_report *report;
	uint64_t expect_n;
	const char *expect_hash;
	const struct audit_head *head; // NULL: none
	audit_entry_fn *fn;
	void *ctx;
};

static int bad(struct audit_report *r, uint64_t n, const char *problem)
{
	r->bad = n;
	snprintf(r->problem, sizeof(r->problem), "entry %llu %s", (unsigned long long)n, problem);
	return -EBADMSG;
}

// The next entry of the file, in line without its newline.
static int verify_line(struct verify *v, const char *line, size_t len)
{
	struct audit_report *r = v->report;
	uint64_t n = r->first + r->entries;
	json_t *json;
	const char *problem = audit_check(line, len, AUDIT_DOMAIN_ENTRY, v->key, &json);

	if (problem != NULL)
		return bad(r, n, problem);
	uint64_t said = (uint64_t)json_integer_value(json_object_get(json, "n"));
	if (r->entries == 0 && v->head == NULL && said > 0)
		r->first = n = said; // a part of a log
	else if (r->entries == 0 && strcmp(text_in(json, "prev"), AUDIT_ZERO_HASH) != 0)
		problem = "should be the first, but follows another: what was before is missing";
	if (problem == NULL && said != n)
		problem = "has another number: entries were removed, added or moved";
	else if (problem == NULL && r->entries > 0 && strcmp(text_in(json, "prev"), r->hash) != 0)
		problem = "does not follow the entry before it";
	snprintf(r->hash, sizeof(r->hash), "%s", text_in(json, "hash"));
	if (problem == NULL && n == v->expect_n && strcmp(r->hash, v->expect_hash) != 0)
		problem = "is another than the one that was noted";
	if (problem == NULL && v->head != NULL && n == v->head->n &&
	    strcmp(r->hash, v->head->hash) != 0)
		problem = "is another than the one in audit.head";
	if (problem == NULL) {
		r->entries++;
		if (v->fn != NULL)
			v->fn(v->ctx, json, line);
	}
	json_decref(json);
	return problem != NULL ? bad(r, n, problem) : 0;
}

static int verify_lines(struct verify *v, FILE *log)
{
	struct audit_report *r = v->report;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	while (err == 0 && (len = getline(&line, &size, log)) > 0) {
		if (line[len - 1] == '\n') {
			line[len - 1] = '\0';
			err = verify_line(v, line, (size_t)len - 1);
		} else if (v->head != NULL && r->entries >= v->head->n) {
			snprintf(r->note, sizeof(r->note),
				 "behind entry %llu there are %zd bytes of one that was never "
				 "acknowledged; wireglassd removes them when it starts",
				 (unsigned long long)r->entries, len);
		} else {
			err = bad(r, r->first + r->entries, "is cut");
		}
	}
	free(line);
	if (err == 0 && ferror(log))
		err = bad(r, r->first + r->entries, "cannot be read");
	return err;
}

// Is everything there that the head and the operator's note speak of?
static int verify_end(struct verify *v)
{
	struct audit_report *r = v->report;
	uint64_t last = r->first + r->entries - 1;
	char problem[200];

	if (v->head != NULL && last < v->head->n) {
		snprintf(problem, sizeof(problem),
			 "is missing, and so is what follows up to entry %llu: the log was cut at "
			 "its end",
			 (unsigned long long)v->head->n);
		return bad(r, last + 1, problem);
	}
	if (v->head != NULL && last > v->head->n + 1) // a crash leaves one at most
		return bad(r, v->head->n, "is the last one in audit.head, but more follow it");
	if (v->expect_n != 0 && (v->expect_n < r->first || v->expect_n > last))
		return bad(r, v->expect_n, "was noted, but is not there");
	return 0;
}

int audit_verify(FILE *log, FILE *head, const struct sig_public *key, uint64_t expect_n,
		 const char *expect_hash, audit_entry_fn *fn, void *ctx,
		 struct audit_report *ret_report)
{
	struct audit_head h;
	struct verify v = {.key = key,
			   .report = ret_report,
			   .expect_n = expect_n,
			   .expect_hash = expect_hash,
			   .fn = fn,
			   .ctx = ctx};
	char text[1024];

	*ret_report = (struct audit_report){.first = 1, .hash = AUDIT_ZERO_HASH};
	sig_id_text(ret_report->key, key->id);
	if (head != NULL) {
		size_t len = fread(text, 1, sizeof(text), head);
		const char *problem = audit_head_parse(text, len, key, &h);

		if (problem != NULL) {
			snprintf(ret_report->problem, sizeof(ret_report->problem), "the head %s",
				 problem);
			return -EBADMSG;
		}
		v.head = &h;
	}
	int err = verify_lines(&v, log);
	return err != 0 ? err : verify_end(&v);
}
