// SPDX-License-Identifier: BSD-2-Clause
// Bundles: what pack makes, read gives back; nothing is read unsigned; when they expire, and in which order they come.
#include "tests/unit/bundlekit.h"

static void put(const char *name, const void *data, size_t len)
{
	assert_int_equal(file_write(path(name), span_of(data, len), 0644, true, NULL), 0);
}

static void round_trip(void **state)
{
	char *archive, *again, *whole, text[SIG_TEXT_MAX];
	size_t len, again_len, whole_len;
	uint8_t digest[32];
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	pack_sample(&again, &again_len);
	assert_int_equal(len, again_len);
	assert_memory_equal(archive, again, len);
	assert_int_equal(read_signed(span_of(archive, len), &b, &d), 0);
	check_sample(b);
	crypto_hash_sha256(digest, (const uint8_t *)archive, len);
	assert_memory_equal(b->digest, digest, 32);
	bundle_free(b);

	assert_int_equal(bundle_embed(span_of(archive, len), sign(span_of(archive, len), text),
				      &whole, &whole_len),
			 0);
	assert_int_equal(bundle_read("b.wgb", span_of(whole, whole_len), SPAN_NONE, &trust, &b, &d),
			 0);
	check_sample(b);
	assert_memory_equal(b->digest, digest, 32); // the same bundle in either form
	bundle_free(b);
	free(archive);
	free(again);
	free(whole);
	bundle_free(NULL);
}

static void files(void **state)
{
	char *archive, *whole, *loaded, text[SIG_TEXT_MAX];
	size_t len, whole_len, loaded_len;
	struct span sig;
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	sig = sign(span_of(archive, len), text);
	put("d.wgb", archive, len);
	assert_int_equal(bundle_read_file(path("d.wgb"), &trust, &b, &d), -EKEYREJECTED);
	assert_contains(&d, "is not signed");
	assert_contains(&d, "d.wgb.minisig");
	put("d.wgb.minisig", sig.data, sig.len);
	assert_int_equal(bundle_read_file(path("d.wgb"), &trust, &b, &d), 0);
	check_sample(b);
	bundle_free(b);

	assert_int_equal(bundle_embed(span_of(archive, len), sig, &whole, &whole_len), 0);
	put("e.wgb", whole, whole_len);
	put("e.wgb.minisig", "ignored", 7);
	assert_int_equal(bundle_read_file(path("e.wgb"), &trust, &b, &d), 0);
	check_sample(b);
	bundle_free(b);
	for (int i = 0; i < 2; i++) { // both load as the embedded form
		assert_int_equal(bundle_load(path(i ? "d.wgb" : "e.wgb"), &loaded, &loaded_len, &d),
				 0);
		assert_int_equal(loaded_len, whole_len);
		assert_memory_equal(loaded, whole, whole_len);
		free(loaded);
	}
	put("f.wgb", "WGB1\xff\xff\xff\xff", 8);
	assert_int_equal(bundle_read_file(path("f.wgb"), &trust, &b, &d), -EKEYREJECTED);
	assert_contains(&d, "damaged");
	assert_int_equal(bundle_read_file(path("none.wgb"), &trust, &b, &d), -ENOENT);
	assert_contains(&d, "none.wgb");
	free(archive);
	free(whole);
}

static void not_trusted(void **state)
{
	static struct sig_trust none;
	char *archive, text[SIG_TEXT_MAX];
	size_t len;
	struct span sig;
	struct bundle *b;
	struct diag d;

	pack_sample(&archive, &len);
	assert_int_equal(bundle_read("b", span_of(archive, len), SPAN_NONE, &trust, &b, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "is not signed");
	sig = sign(span_of(archive, len), text);
	assert_int_equal(bundle_read("b", span_of(archive, len), sig, &none, &b, &d),
			 -EKEYREJECTED);
	assert_contains(&d, "no key is trusted");
	// garbage is refused for its signature, not for its content: it was not looked at
	assert_int_equal(bundle_read("b", SPAN_LIT("garbage"), sig, &trust, &b, &d), -EKEYREJECTED);
	assert_int_equal(bundle_read("b", SPAN_NONE, SPAN_NONE, &trust, &b, &d), -EKEYREJECTED);
	assert_int_equal(read_signed(SPAN_LIT("garbage"), &b, &d), -EBADMSG);
	free(archive);
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t s; // -1: not a time
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-23T13:00:00Z", 1795438800},
		{"2026-11-23", 1795392000},
		{"2028-02-29", 1835395200},
		{"9999-12-31T23:59:59Z", 253402300799},
		{"2027-02-29", -1},
		{"2026-13-01", -1},
		{"2026-00-01", -1},
		{"2026-11-31", -1},
		{"2026-11-00", -1},
		{"2026-11-23T24:00:00Z", -1},
		{"2026-11-23T13:60:00Z", -1},
		{"2026-11-23T13:00:60Z", -1},
		{"2026-11-23T13:00:00", -1},
		{"2026-11-23T13:00:00+", -1},
		{"2026-11-23 13:00:00Z", -1},
		{"2026-11-23T13:00:00.0Z", -1},
		{"1969-12-31", -1},
		{"-026-11-23", -1},
		{"2026/11/23", -1},
		{"20261123", -1},
		{"", -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t s = -1;
		int ret = bundle_parse_time(cases[i].text, &s);

		if (ret != (cases[i].s < 0 ? -EINVAL : 0) || s != cases[i].s)
			fail_msg("%s: %d %lld", cases[i].text, ret, (long long)s);
	}
}

static void expiry(void **state)
{
	struct bundle *b = calloc(1, sizeof(*b));
	struct diag d;

	assert_non_null(b);
	assert_int_equal(bundle_check_expiry(b, INT64_MAX, &d), 0); // never
	strcpy(b->manifest.id, "demo");
	strcpy(b->manifest.expires, "2027-01-01T00:00:00Z");
	b->manifest.expires_s = 1000;
	assert_int_equal(bundle_check_expiry(b, 999, &d), 0);
	assert_int_equal(bundle_check_expiry(b, 1000, &d), -EKEYEXPIRED);
	assert_contains(&d, "2027-01-01");
	free(b);
}

static void serials(void **state)
{
	struct diag d;
	char *text;
	size_t len;

	assert_int_equal(mkdir(path("state"), 0755), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 1, &d), 0);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", 5, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 4, &d), -ESTALE);
	assert_contains(&d, "serial 4 is not newer than serial 5");
	assert_int_equal(bundle_serial_check(path("state"), "demo", 5, &d), -ESTALE);
	assert_int_equal(bundle_serial_check(path("state"), "demo", 6, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "other", 1, &d), 0);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", 3, &d), 0); // ratchet
	assert_int_equal(bundle_serial_check(path("state"), "demo", 4, &d), -ESTALE);
	assert_int_equal(bundle_serial_commit(path("state"), "demo", INT64_MAX, &d), 0);
	assert_int_equal(bundle_serial_check(path("state"), "demo", INT64_MAX, &d), -ESTALE);
	assert_int_equal(file_read(path("state/serial.demo"), 100, &text, &len, &d), 0);
	assert_string_equal(text, "9223372036854775807\n");
	free(text);
	assert_int_equal(bundle_serial_commit(path("nowhere"), "demo", 1, &d), -ENOENT);
}

static void damaged_serials(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "x\n",
					    "0\n",
					    "-1\n",
					    "5",
					    "5\n\n",
					    "5x\n",
					    " 5\n",
					    "5 \n",
					    "99999999999999999999\n"};
	struct diag d;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("serial.demo", texts[i], strlen(texts[i]));
		assert_int_equal(bundle_serial_check(dir, "demo", INT64_MAX, &d), -EBADMSG);
		assert_contains(&d, "serial.demo");
		assert_int_equal(bundle_serial_commit(dir, "demo", 9, &d), -EBADMSG);
	}
}

static void pack_refusals(void **state)
{
	static const struct {
		struct bundle_file file;
		const char *id, *created, *owner;
		int64_t serial;
		const char *error; // NULL: fine
	} cases[] = {
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 1, NULL},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 4000000000, NULL},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "me", 0, "serial"},
		{{"rules/a.rules", "", 0}, "de mo", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "de\nmo", "2026-01-01", "me", 1, "id"},
		{{"rules/a.rules", "", 0}, "demo", "today", "me", 1, "UTC"},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "a\nb", 1, "owner"},
		{{"rules/a.rules", "", 0}, "demo", "2026-01-01", "\x7f", 1, "owner"},
		{{"../a.rules", "", 0}, "demo", "2026-01-01", "me", 1, "not a name like"},
		{{"rules/a\".rules", "", 0}, "demo", "2026-01-01", "me", 1, ""},
		{{"rules/a.rules", "", BUNDLE_UNPACKED_MAX},
		 "demo",
		 "2026-01-01",
		 "",
		 1,
		 "too large"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_manifest *m = calloc(1, sizeof(*m));
		char *data = NULL;
		struct diag d = {""};
		size_t len;
		int ret;

		assert_non_null(m);
		m->serial = cases[i].serial;
		strcpy(m->id, cases[i].id);
		strcpy(m->created, cases[i].created);
		strcpy(m->owner, cases[i].owner);
		ret = bundle_pack(m, &cases[i].file, 1, &data, &len, &d);
		if ((ret == 0) != (cases[i].error == NULL))
			fail_msg("case %zu: %d %s", i, ret, d.text);
		if (ret < 0) {
			assert_contains(&d, cases[i].error);
		} else {
			struct bundle *b;

			assert_int_equal(read_signed(span_of(data, len), &b, &d), 0);
			assert_int_equal(b->manifest.serial, cases[i].serial);
			bundle_free(b);
		}
		free(data);
		free(m);
	}
}

static void pack_incompressible(void **state)
{
	enum { SIZE = 3 << 20 };
	struct bundle_manifest m = sample_manifest();
	char *text = malloc(SIZE + 1), *data;
	struct bundle_file file = {"rules/random.rules", text, SIZE};
	struct bundle *b;
	struct diag d;
	size_t len;

	assert_non_null(text);
	randombytes_buf(text, SIZE);
	assert_int_equal(bundle_pack(&m, &file, 1, &data, &len, &d), 0);
	assert_int_equal(bundle_pack(&m, &file, 0, &data, &len, &d), -EINVAL); // no rules
	assert_int_equal(read_signed(span_of(data, len), &b, &d), 0);
	assert_memory_equal(b->files[0].text, text, SIZE);
	bundle_free(b);
	free(data);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(files),
		cmocka_unit_test(not_trusted),
		cmocka_unit_test(times),
		cmocka_unit_test(expiry),
		cmocka_unit_test(serials),
		cmocka_unit_test(damaged_serials),
		cmocka_unit_test(pack_refusals),
		cmocka_unit_test(pack_incompressible),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
