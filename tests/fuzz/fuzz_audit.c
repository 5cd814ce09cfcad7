// SPDX-License-Identifier: BSD-2-Clause
// The audit log as somebody left it. The same bytes are read as a log and as a head that nobody signed, and line by line, sealed
// by the key of the log as far as they are JSON: what a stolen key could write. Entries that are in order are handed over, no
// other; and sealed ones of a log that follow each other are in order.
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sig_secret secret;
static struct sig_public public;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void make_key(void)
{
	static const uint8_t seed[crypto_sign_SEEDBYTES];
	uint8_t key[32];

	must(sodium_init() >= 0 && crypto_sign_seed_keypair(key, secret.key, seed) == 0);
	sig_public_of(&secret, &public);
}

static void count(void *ctx, const json_t *entry, const char *line)
{
	uint64_t *n = ctx;

	must(json_is_object(entry) && line[0] == '{');
	(*n)++;
}

// Verified as a whole log with this head (len 0: none). Returns the entries that are in order.
static uint64_t verify(const char *log, size_t len, const char *head, size_t head_len)
{
	struct audit_report report;
	uint64_t n = 0;
	FILE *f = fmemopen((char *)(uintptr_t)log, len, "r"),
	     *h = head_len > 0 ? fmemopen((char *)(uintptr_t)head, head_len, "r") : NULL;

	must(f != NULL && (head_len == 0 || h != NULL));
	int err = audit_verify(f, h, &public, 0, NULL, count, &n, &report);
	must((err == 0) == (report.problem[0] == '\0') && n == report.entries);
	fclose(f);
	if (h != NULL)
		fclose(h);
	return n;
}

static void put(FILE *f, json_t *json)
{
	json_dumpf(json, f, JSON_COMPACT | JSON_SORT_KEYS);
	putc('\n', f);
}

// Every line that is an object becomes an entry that follows the one before; of the last one a head is made.
static uint64_t seal(const char *data, size_t size, FILE *log, FILE *head)
{
	char hash[AUDIT_HASH_TEXT] = AUDIT_ZERO_HASH;
	uint64_t n = 0;

	for (size_t at = 0, len; at < size; at += len + 1) {
		const char *end = memchr(data + at, '\n', size - at);

		len = end != NULL ? (size_t)(end - data) - at : size - at;
		json_t *json = json_loadb(data + at, len, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(json)) {
			json_object_set_new(json, "n", json_integer((json_int_t)++n));
			json_object_set_new(json, "prev", json_string(hash));
			must(audit_seal(json, AUDIT_DOMAIN_ENTRY, &secret) == 0);
			snprintf(hash, sizeof(hash), "%s",
				 json_string_value(json_object_get(json, "hash")));
			put(log, json);
		}
		json_decref(json);
	}
	json_t *json = json_pack("{s:I, s:I, s:s}", "n", (json_int_t)n, "bytes", (json_int_t)0,
				 "entry", hash);
	must(audit_seal(json, AUDIT_DOMAIN_HEAD, &secret) == 0);
	put(head, json);
	json_decref(json);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *log, *head;
	size_t log_len, head_len;
	struct audit_head parsed;

	if (public.file[0] == '\0' && secret.key[0] == 0)
		make_key();
	if (size == 0)
		return 0;
	must(verify((const char *)data, size, NULL, 0) == 0); // nobody signed it
	must(audit_head_parse((const char *)data, size, &public, &parsed) != NULL);

	FILE *f = open_memstream(&log, &log_len), *h = open_memstream(&head, &head_len);
	must(f != NULL && h != NULL);
	uint64_t n = seal((const char *)data, size, f, h);
	fclose(f);
	fclose(h);
	if (log_len > 0) {
		must(verify(log, log_len, head, head_len) == n);
		log[data[0] % log_len] ^= 1; // and no more when a bit is another one
		must(verify(log, log_len, head, head_len) < n || n == 0);
	}
	free(log);
	free(head);
	return 0;
}
