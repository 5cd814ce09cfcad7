// SPDX-License-Identifier: BSD-2-Clause
// The image check: nothing damaged gets past it, whatever is damaged, and what it lets pass can be followed everywhere.
#include "tests/unit/listkit.h"
#include "tests/unit/pipekit.h"

#include <errno.h>
#include <stdbool.h>

static const char rules[] =
	"alert http 192.0.2.0/24 1024: -> !198.51.100.0/24 ![80,443] (msg:\"first\"; http.uri; "
	"content:\"/a\"; pcre:\"/b+c/\"; "
	"classtype:misc-activity; reference:url,example.com; metadata:a b; sid:1;)\n"
	"alert http any any <> any any (file.data; content:\"exact\"; sid:2;)\n"
	"alert http any any -> any any (file.data; content:\"chain\"; content:\"end\"; distance:1; "
	"within:9; sid:3;)\n"
	"alert http any any -> any any (file.data; content:\"one\"; content:!\"two\"; sid:4;)\n"
	"alert http any any -> any any (http.header; content:!\"x\"; sid:5;)\n"
	"alert http any any -> any any (http.user_agent; content:\"Very-Selective-Agent\"; "
	"http.request_body; content:\"b\"; sid:6;)\n"
	"alert tcp any any -> any any (content:\"raw\"; sid:7;)\n"
	"alert http any any -> any any (file.data; content:\"two\"; content:\"one\"; distance:-9; "
	"sid:8;)\n"
	"alert http any any -> any any (filesize:>3; filesha256:l; file.name; content:\"a\"; "
	"sid:9;)\n"
	"alert http any any -> any any (http.host; dataset:isnotset,x,type string,load l; "
	"sid:10;)\n";

struct sample {
	uint8_t *image;
	uint64_t len;
};

static int setup(void **state)
{
	static const char list[] =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
	static struct listkit_file table[] = {{"l", list}, {NULL, NULL}};
	static const struct rule_files files = {.open = listkit_open, .ctx = table};
	static struct sample s;

	kit_files = &files;
	s.image = kit_image(rules, NULL, &s.len);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	free(((struct sample *)*state)->image);
	return 0;
}

// A copy in a block of exactly len bytes, so that a sanitizer sees a read past its end.
static uint8_t *copy_of(const struct sample *s, uint64_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, s->image, len < s->len ? len : s->len);
	return copy;
}

static void must_fail(const void *image, uint64_t len, int err, const char *what, uint64_t where)
{
	struct diag d = {0};
	int got = image_check(image, len, NULL, &d);

	if (got != err)
		fail_msg("%s at %lu: %d (%s) instead of %d", what, (unsigned long)where, got,
			 d.text, err);
	if (d.text[0] == '\0')
		fail_msg("%s at %lu: no reason given", what, (unsigned long)where);
}

static void test_good(void **state)
{
	struct sample *s = *state;
	const struct image_header *h = (const struct image_header *)(const void *)s->image;
	struct ruleset *rs = NULL;
	struct diag d = {0};
	uint64_t empty_len;
	void *empty = kit_image("", NULL, &empty_len);

	assert_int_equal(image_check(s->image, s->len, NULL, &d), 0);
	assert_int_equal(image_check(s->image, s->len, h->digest, &d), 0);
	assert_int_equal(IMAGE_COUNT(h, struct image_rule, IMAGE_RULES), 10);
	assert_string_equal(image_string(h, IMAGE_AT(h, struct image_rule, IMAGE_RULES)[0].msg),
			    "first");
	assert_string_equal(image_string(h, IMAGE_AT(h, struct image_rule, IMAGE_RULES)[1].msg),
			    "");
	assert_int_equal(ruleset_load(s->image, s->len, h->digest, 9, 2, &rs, &d), 0);
	assert_int_equal(ruleset_generation(rs), 9);
	assert_memory_equal(ruleset_image(rs), s->image, s->len);
	assert_false(ruleset_in_use(rs));
	ruleset_free(rs);
	ruleset_free(NULL);
	// A set of no rules is a set.
	assert_int_equal(image_check(empty, empty_len, NULL, &d), 0);
	assert_int_equal(ruleset_load(empty, empty_len, NULL, 1, 1, &rs, &d), 0);
	ruleset_free(rs);
	free(empty);
	// The same rules make the same image.
	empty = kit_image(rules, NULL, &empty_len);
	assert_int_equal(empty_len, s->len);
	assert_memory_equal(((const struct image_header *)empty)->digest, h->digest, 32);
	free(empty);
}

static void test_truncated(void **state)
{
	struct sample *s = *state;

	for (uint64_t len = 0; len < s->len; len += len < 2000 ? 1 : 97) {
		uint8_t *copy = copy_of(s, len);

		must_fail(copy, len, -EBADMSG, "cut", len);
		// Also when its header says so, and the digest is right.
		if (len >= sizeof(struct image_header)) {
			((struct image_header *)(void *)copy)->bytes = len;
			image_seal(copy, len);
			must_fail(copy, len, -EBADMSG, "cut and sealed", len);
		}
		free(copy);
	}
}

static void test_digest(void **state)
{
	struct sample *s = *state;
	uint8_t other[32], *copy = copy_of(s, s->len);
	struct ruleset *rs = NULL;
	struct diag d = {0};
	const uint64_t lists = ((const struct image_header *)(const void *)s->image)
				       ->section[IMAGE_LIST_BYTES]
				       .off;

	memcpy(other, ((const struct image_header *)(const void *)s->image)->digest, 32);
	for (int bit = 0; bit < 256; bit++) {
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(image_check(s->image, s->len, other, &d), -EKEYREJECTED);
		assert_int_equal(ruleset_load(s->image, s->len, other, 1, 1, &rs, &d),
				 -EKEYREJECTED);
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_null(rs);
	assert_non_null(strstr(d.text, "digest"));
	// Every byte is covered, blobs and padding too, lists by their checksums; magic, version and length are looked at before.
	for (uint64_t at = 16; at < s->len; at += at < 4000 ? 1 : 211) {
		copy[at] ^= 0x10;
		must_fail(copy, s->len, at < lists ? -EKEYREJECTED : -EBADMSG, "changed byte", at);
		copy[at] ^= 0x10;
	}
	assert_int_equal(image_check(copy, s->len, other, &d), 0);
	free(copy);
}

static void test_other_versions(void **state)
{
	struct sample *s = *state;
	struct image_header *h = (struct image_header *)(void *)copy_of(s, s->len);
	struct diag d = {0};

	h->version++;
	image_seal(h, s->len);
	must_fail(h, s->len, -EBADMSG, "next version", 0);
	h->version -= 2;
	image_seal(h, s->len);
	assert_int_equal(image_check(h, s->len, NULL, &d), -EBADMSG);
	assert_non_null(strstr(d.text, "version"));
	h->version++;
	h->magic ^= 1;
	image_seal(h, s->len);
	must_fail(h, s->len, -EBADMSG, "magic", 0);
	free(h);
}

// ---- records ----

// Set the 32 bits at off to what cannot be right; the check must say so.
static void spoil32(struct sample *s, const char *what, uint64_t off, uint32_t value)
{
	uint8_t *copy = copy_of(s, s->len);

	memcpy(copy + off, &value, sizeof(value));
	image_seal(copy, s->len);
	must_fail(copy, s->len, -EBADMSG, what, off);
	free(copy);
}

static void spoil64(struct sample *s, const char *what, uint64_t off, uint64_t value)
{
	uint8_t *copy = copy_of(s, s->len);

	memcpy(copy + off, &value, sizeof(value));
	image_seal(copy, s->len);
	must_fail(copy, s->len, -EBADMSG, what, off);
	free(copy);
}

static void spoil8(struct sample *s, const char *what, uint64_t off, uint8_t value)
{
	uint8_t *copy = copy_of(s, s->len);

	copy[off] = value;
	image_seal(copy, s->len);
	must_fail(copy, s->len, -EBADMSG, what, off);
	free(copy);
}

#define IN_HEAD(member) offsetof(struct image_header, member)

static void test_header_fields(void **state)
{
	struct sample *s = *state;
	const struct image_header *h = (const struct image_header *)(const void *)s->image;
	const uint64_t huge[] = {s->len, s->len + 8, UINT64_MAX - 7, UINT64_MAX, UINT64_C(1) << 63,
				 0,      8};
	const uint32_t dbs = IMAGE_COUNT(h, struct image_db, IMAGE_DBS);

	for (size_t i = 0; i < KIT_N(huge); i++)
		if (huge[i] != s->len)
			spoil64(s, "length", IN_HEAD(bytes), huge[i]);
	for (int sec = 0; sec < IMAGE_SECTION_N; sec++) {
		uint64_t at = IN_HEAD(section) + (uint64_t)sec * sizeof(struct image_section);

		for (size_t i = 0; i < KIT_N(huge); i++)
			if (huge[i] != s->len || h->section[sec].bytes > 0)
				spoil64(s, "section offset", at, huge[i]);
		spoil64(s, "odd section offset", at, h->section[sec].off + 4);
		for (size_t i = 0; i < KIT_N(huge) - 2; i++)
			spoil64(s, "section size", at + 8, huge[i]);
		if (sec != IMAGE_STRINGS && sec != IMAGE_BLOBS)
			spoil64(s, "section size", at + 8, h->section[sec].bytes + 1);
	}
	spoil64(s, "no texts", IN_HEAD(section[IMAGE_STRINGS].bytes), 0);
	for (int i = 0; i < 2; i++) {
		spoil32(s, "self-test database", IN_HEAD(selftest) + 4 * (uint64_t)i, dbs);
		spoil32(s, "self-test database", IN_HEAD(selftest) + 4 * (uint64_t)i, IMAGE_NONE);
		spoil32(s, "self-test database of the other mode",
			IN_HEAD(selftest) + 4 * (uint64_t)i, h->selftest[!i]);
		spoil32(s, "always", IN_HEAD(always) + 4 * (uint64_t)i, UINT32_MAX);
		spoil32(s, "always", IN_HEAD(n_always) + 4 * (uint64_t)i, 1000);
		spoil32(s, "files", IN_HEAD(files) + 4 * (uint64_t)i, UINT32_MAX);
		spoil32(s, "files", IN_HEAD(n_files) + 4 * (uint64_t)i, 1000);
		spoil32(s, "other rules as those about files", IN_HEAD(files) + 4 * (uint64_t)i, 0);
		spoil8(s, "digests that are not computed", IN_HEAD(file_digests) + (uint64_t)i, 3);
	}
	for (uint64_t b = 0; b < BUF_N; b++) {
		for (uint64_t dir = 0; dir < DIR_N; dir++) {
			uint64_t at = 4 * (b * DIR_N + dir);
			bool stream = buffer_info((unsigned int)b)->stage == BUFFER_STREAM;

			spoil32(s, "database of a buffer", IN_HEAD(db) + at, dbs);
			spoil32(s, "own database for a buffer", IN_HEAD(db) + at,
				h->selftest[stream]);
			spoil32(s, "wrong mode for a buffer", IN_HEAD(db) + at,
				stream ? h->db[BUF_URI][0] : h->db[BUF_FILE_DATA][0]);
			spoil32(s, "look-back", IN_HEAD(tail) + at, IMAGE_TAIL_MAX + 1);
		}
	}
}

#define RECORD(type, sec, i, member)                                                               \
	(h->section[sec].off + (i) * sizeof(struct type) + offsetof(struct type, member))

static void test_records(void **state)
{
	struct sample *s = *state;
	const struct image_header *h = (const struct image_header *)(const void *)s->image;
	const struct image_cond *conds = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	const struct image_rule *r = IMAGE_AT(h, struct image_rule, IMAGE_RULES);

	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_rule, IMAGE_RULES); i++) {
		spoil8(s, "directions", RECORD(image_rule, IMAGE_RULES, i, dirs), 0);
		spoil8(s, "directions", RECORD(image_rule, IMAGE_RULES, i, dirs), 4);
		spoil8(s, "threshold", RECORD(image_rule, IMAGE_RULES, i, threshold.type),
		       THRESHOLD_TYPE_N);
		spoil8(s, "threshold", RECORD(image_rule, IMAGE_RULES, i, threshold.track),
		       THRESHOLD_TRACK_N);
		spoil32(s, "threshold", RECORD(image_rule, IMAGE_RULES, i, threshold.count),
			r[i].threshold.count == 0);
		spoil32(s, "threshold", RECORD(image_rule, IMAGE_RULES, i, threshold.seconds),
			r[i].threshold.seconds == 0);
		spoil8(s, "conditions", RECORD(image_rule, IMAGE_RULES, i, n_conds),
		       IMAGE_CONDS_PER_RULE_MAX + 1);
		spoil32(s, "conditions", RECORD(image_rule, IMAGE_RULES, i, cond), 1000);
		spoil32(s, "conditions", RECORD(image_rule, IMAGE_RULES, i, cond), UINT32_MAX);
		spoil32(s, "text", RECORD(image_rule, IMAGE_RULES, i, msg),
			(uint32_t)h->section[IMAGE_STRINGS].bytes);
		spoil32(s, "text", RECORD(image_rule, IMAGE_RULES, i, classtype), UINT32_MAX);
		spoil32(s, "text", RECORD(image_rule, IMAGE_RULES, i, reference), UINT32_MAX);
		spoil32(s, "text", RECORD(image_rule, IMAGE_RULES, i, metadata), UINT32_MAX);
		spoil32(s, "addresses", RECORD(image_rule, IMAGE_RULES, i, n_src), 1000);
		spoil32(s, "addresses", RECORD(image_rule, IMAGE_RULES, i, n_dst), UINT32_MAX);
		spoil32(s, "addresses", RECORD(image_rule, IMAGE_RULES, i, dst), UINT32_MAX);
		spoil32(s, "ports", RECORD(image_rule, IMAGE_RULES, i, n_sport), UINT32_MAX);
		spoil32(s, "ports", RECORD(image_rule, IMAGE_RULES, i, n_dport), 1000);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS); i++) {
		bool head = image_cond_is_whole(conds[i].mode);

		spoil8(s, "buffer", RECORD(image_cond, IMAGE_CONDS, i, buffer), BUF_N);
		spoil8(s, "buffer of another stage", RECORD(image_cond, IMAGE_CONDS, i, buffer),
		       head ? BUF_RAW : BUF_URI);
		spoil32(s, "mode", RECORD(image_cond, IMAGE_CONDS, i, mode), IMAGE_COND_GATED + 1);
		spoil32(s, "mode", RECORD(image_cond, IMAGE_CONDS, i, mode),
			head ? IMAGE_COND_GATED : IMAGE_COND_HEAD);
		if (head)
			spoil32(s, "mode", RECORD(image_cond, IMAGE_CONDS, i, mode),
				conds[i].mode ^ IMAGE_COND_HEAD ^ IMAGE_COND_FILE);
		spoil32(s, "matches", RECORD(image_cond, IMAGE_CONDS, i, match), 1000);
		spoil8(s, "matches", RECORD(image_cond, IMAGE_CONDS, i, n_matches) + 1, 255);
		spoil8(s, "terms", RECORD(image_cond, IMAGE_CONDS, i, n_terms),
		       IMAGE_TERMS_PER_COND_MAX + 1);
		spoil32(s, "terms", RECORD(image_cond, IMAGE_CONDS, i, term), 1000);
		if (!head && conds[i].n_matches > 0) {
			spoil8(s, "more than one term before matches",
			       RECORD(image_cond, IMAGE_CONDS, i, n_terms), 2);
		} else if (!head && conds[i].mode != IMAGE_COND_EXACT) {
			spoil8(s, "terms", RECORD(image_cond, IMAGE_CONDS, i, n_terms), 0);
		}
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_term, IMAGE_TERMS); i++) {
		const struct image_term *t = IMAGE_AT(h, struct image_term, IMAGE_TERMS) + i;

		spoil32(s, "links", RECORD(image_term, IMAGE_TERMS, i, link), 1000);
		spoil32(s, "links", RECORD(image_term, IMAGE_TERMS, i, n_links), 1000);
		spoil32(s, "database", RECORD(image_term, IMAGE_TERMS, i, db), h->selftest[0]);
		spoil32(s, "database", RECORD(image_term, IMAGE_TERMS, i, db), 1000);
		spoil32(s, "always-on database as its own", RECORD(image_term, IMAGE_TERMS, i, db),
			h->db[BUF_FILE_DATA][0]);
		if (t->n_links == 0)
			spoil32(s, "nothing to look for", RECORD(image_term, IMAGE_TERMS, i, db),
				IMAGE_NONE);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_link, IMAGE_LINKS); i++) {
		const struct image_link *l = IMAGE_AT(h, struct image_link, IMAGE_LINKS) + i;
		const uint64_t last = l->match + l->n_matches - 1u;

		spoil32(s, "matches", RECORD(image_link, IMAGE_LINKS, i, match), 1000);
		spoil8(s, "anchor", RECORD(image_link, IMAGE_LINKS, i, anchor) + 1, 1);
		spoil8(s, "matches", RECORD(image_link, IMAGE_LINKS, i, n_matches), 0);
		spoil8(s, "matches", RECORD(image_link, IMAGE_LINKS, i, n_matches) + 1, 255);
		spoil8(s, "a link of a number", RECORD(image_match, IMAGE_MATCHES, last, type),
		       IMAGE_SIZE);
		if (l->n_matches == 1)
			continue;
		spoil32(s, "distance", RECORD(image_match, IMAGE_MATCHES, last, distance), -1);
		spoil32(s, "within", RECORD(image_match, IMAGE_MATCHES, last, within), 1 << 20);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_match, IMAGE_MATCHES); i++) {
		const struct image_match *m = &IMAGE_AT(h, struct image_match, IMAGE_MATCHES)[i];

		spoil8(s, "type", RECORD(image_match, IMAGE_MATCHES, i, type), IMAGE_MATCH_TYPE_N);
		if (m->type != IMAGE_SIZE && m->type != IMAGE_DATASET)
			spoil8(s, "type", RECORD(image_match, IMAGE_MATCHES, i, type), IMAGE_SIZE);
		if (m->type != IMAGE_FILE_DIGEST && m->type != IMAGE_FILE_SIZE)
			spoil8(s, "type", RECORD(image_match, IMAGE_MATCHES, i, type),
			       IMAGE_FILE_DIGEST);
		spoil32(s, "bytes", RECORD(image_match, IMAGE_MATCHES, i, blob_off), UINT32_MAX);
		spoil32(s, "length", RECORD(image_match, IMAGE_MATCHES, i, len),
			m->type <= IMAGE_PCRE ? 0 : 1);
		spoil32(s, "bytes", RECORD(image_match, IMAGE_MATCHES, i, len), 65536);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_list, IMAGE_LISTS); i++) {
		const struct image_list *l = &IMAGE_AT(h, struct image_list, IMAGE_LISTS)[i];

		spoil64(s, "list", RECORD(image_list, IMAGE_LISTS, i, off), l->off + 8);
		spoil64(s, "list", RECORD(image_list, IMAGE_LISTS, i, off), UINT64_MAX - 63);
		spoil64(s, "list", RECORD(image_list, IMAGE_LISTS, i, bytes), l->bytes - 64);
		spoil64(s, "list", RECORD(image_list, IMAGE_LISTS, i, bytes), UINT64_MAX - 63);
		spoil64(s, "list", RECORD(image_list, IMAGE_LISTS, i, checksum), l->checksum + 1);
		spoil32(s, "list", RECORD(image_list, IMAGE_LISTS, i, kind), LIST_IP);
		spoil32(s, "list", RECORD(image_list, IMAGE_LISTS, i, n), l->n + 1);
		spoil32(s, "list", RECORD(image_list, IMAGE_LISTS, i, name), UINT32_MAX);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS); i++) {
		spoil32(s, "owners", RECORD(image_sig, IMAGE_SIGS, i, owner), 1000);
		spoil32(s, "owners", RECORD(image_sig, IMAGE_SIGS, i, n_owners), UINT32_MAX);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_owner, IMAGE_OWNERS); i++) {
		spoil32(s, "rule", RECORD(image_owner, IMAGE_OWNERS, i, rule), 10);
		spoil32(s, "condition", RECORD(image_owner, IMAGE_OWNERS, i, cond), 1000);
	}
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_db, IMAGE_DBS); i++) {
		spoil64(s, "blob", RECORD(image_db, IMAGE_DBS, i, blob_off), UINT64_MAX - 7);
		spoil64(s, "blob", RECORD(image_db, IMAGE_DBS, i, blob_off), 4);
		spoil64(s, "blob", RECORD(image_db, IMAGE_DBS, i, bytes), 0);
		spoil64(s, "blob", RECORD(image_db, IMAGE_DBS, i, bytes), s->len);
		spoil32(s, "flags", RECORD(image_db, IMAGE_DBS, i, flags), 4);
	}
	for (unsigned int b = 0; b < BUF_N; b++) {
		for (int dir = 0; dir < DIR_N; dir++) {
			uint32_t i = h->db[b][dir];

			if (i == IMAGE_NONE)
				continue;
			spoil32(s, "a ring of databases", RECORD(image_db, IMAGE_DBS, i, next), i);
			spoil32(s, "next database", RECORD(image_db, IMAGE_DBS, i, next), 1000);
			spoil32(s, "own database as the next one",
				RECORD(image_db, IMAGE_DBS, i, next), h->selftest[1]);
		}
	}
	// What a signature in a stream wakes is followed without another look.
	for (uint64_t i = 0; i < IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS); i++) {
		uint32_t owner = IMAGE_AT(h, struct image_sig, IMAGE_SIGS)[i].owner;
		uint32_t cond = IMAGE_AT(h, struct image_owner, IMAGE_OWNERS)[owner].cond;

		if (conds[cond].mode != IMAGE_COND_HEAD)
			spoil32(s, "no condition", RECORD(image_owner, IMAGE_OWNERS, owner, cond),
				IMAGE_NONE);
	}
	for (unsigned int b = 0; b < BUF_N; b++) {
		uint32_t i = h->db[b][0];

		if (i == IMAGE_NONE)
			continue;
		spoil32(s, "signatures", RECORD(image_db, IMAGE_DBS, i, n_sigs), 1000);
		spoil32(s, "signatures", RECORD(image_db, IMAGE_DBS, i, sig), UINT32_MAX);
	}
}

// ---- at random ----

// Does every database still lie where it did? libhs is not given anything else.
static bool dbs_same(const struct sample *s, const uint8_t *copy)
{
	const struct image_header *h = (const struct image_header *)(const void *)s->image;
	const struct image_header *c = (const struct image_header *)(const void *)copy;
	const struct image_section *dbs = &h->section[IMAGE_DBS];

	return memcmp(&c->section[IMAGE_DBS], dbs, sizeof(*dbs)) == 0 &&
	       memcmp(&c->section[IMAGE_BLOBS], &h->section[IMAGE_BLOBS], sizeof(*dbs)) == 0 &&
	       memcmp(copy + dbs->off, s->image + dbs->off, dbs->bytes) == 0;
}

// Bits anywhere but in blobs are flipped and the digest made right: refused, or good enough to inspect with.
// A database that is not the one its signatures say is refused, though every record and the digest are right.
static void test_vectors(void **state)
{
	const struct sample *s = *state;
	const struct image_header *h = (const void *)s->image;
	uint32_t n = IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS), tried = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct image_sig *sig = IMAGE_AT(h, struct image_sig, IMAGE_SIGS) + i;
		uint8_t *copy;
		struct ruleset *rs;
		struct diag d = {0};

		if (sig->vector_len == 0)
			continue;
		copy = copy_of(s, s->len);
		memset(copy + h->section[IMAGE_BLOBS].off + sig->vector_off, 0xc1, sig->vector_len);
		image_seal(copy, s->len);
		assert_int_equal(ruleset_load(copy, s->len, NULL, 1, 1, &rs, &d), -EBADMSG);
		assert_non_null(strstr(d.text, "does not match its own text"));
		free(copy);
		tried++;
	}
	assert_true(tried > 3);
}

// A database that says it is one of grams, and is none.
static void test_no_grams(void **state)
{
	struct sample *s = *state;
	const struct image_header *h = (const void *)s->image;
	const uint32_t i = h->db[BUF_FILE_DATA][0];
	const uint64_t at = h->section[IMAGE_DBS].off + i * sizeof(struct image_db);
	uint8_t *copy = copy_of(s, s->len);
	struct image_db *row = (struct image_db *)(void *)(copy + at);
	struct ruleset *rs;
	struct diag d = {0};

	spoil32(s, "grams with a blob", at + offsetof(struct image_db, flags),
		IMAGE_DB_STREAM | IMAGE_DB_GRAMS);
	row->bytes = 0;
	for (uint32_t flags = 0; flags < 8; flags++) {
		row->flags = flags;
		image_seal(copy, s->len);
		if (flags != (IMAGE_DB_STREAM | IMAGE_DB_GRAMS))
			must_fail(copy, s->len, -EBADMSG, "no blob", flags);
	}
	row->flags = IMAGE_DB_STREAM | IMAGE_DB_GRAMS;
	image_seal(copy, s->len);
	assert_int_equal(ruleset_load(copy, s->len, NULL, 1, 1, &rs, &d), -EBADMSG);
	assert_non_null(strstr(d.text, "long literals"));
	free(copy);
}

static void test_flips(void **state)
{
	static const char text[] = "POST /abbc HTTP/1.1\r\nHost: h\r\nUser-Agent: "
				   "Very-Selective-Agent\r\nContent-Length: 35\r\n\r\n"
				   "raw exact chain - end one two three";
	struct sample *s = *state;
	const uint64_t end =
		((const struct image_header *)(const void *)s->image)->section[IMAGE_BLOBS].off;
	struct pipeline_conf conf = kit_conf();
	uint64_t seed = 31;
	unsigned int loaded = 0;

	for (int round = 0; round < 4000; round++) {
		uint8_t *copy = copy_of(s, s->len);
		struct ruleset *rs = NULL;
		struct diag d = {0};

		for (uint32_t n = 1 + kit_below(&seed, 3); n > 0; n--) {
			uint32_t at = kit_below(&seed, (uint32_t)end);

			copy[at] ^= (uint8_t)(1 << kit_below(&seed, 8));
		}
		image_seal(copy, s->len);
		if (image_check(copy, s->len, NULL, &d) != 0) {
			assert_string_not_equal(d.text, "");
		} else if (round % 4 == 0 && dbs_same(s, copy) &&
			   ruleset_load(copy, s->len, NULL, 1, 1, &rs, &d) == 0) {
			struct kit_list l = {0};
			struct kit k;

			kit_init(&k, &conf, rs);
			kit_open(&l, 1, 1);
			kit_data(&l, 0, span_of(text, sizeof(text) - 1), 50, &seed);
			kit_data(&l, 0, span_of(text, sizeof(text) - 1), 2000, NULL);
			kit_feed(&k, l.v, l.n, 8);
			kit_flush(&k);
			kit_done(&k);
			free(l.v);
			loaded++;
		}
		ruleset_free(rs);
		free(copy);
	}
	assert_true(loaded > 50);
	print_message("4000 rounds, %u images inspected\n", loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),          cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_digest),        cmocka_unit_test(test_other_versions),
		cmocka_unit_test(test_header_fields), cmocka_unit_test(test_records),
		cmocka_unit_test(test_vectors),       cmocka_unit_test(test_no_grams),
		cmocka_unit_test(test_flips),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
