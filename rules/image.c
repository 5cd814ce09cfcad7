// SPDX-License-Identifier: BSD-2-Clause
// Checking an image: after it, every index in every record can be followed without another look. What cannot be
// checked here, the inside of the databases, is covered by the digest, which comes by an authenticated way.
#include "rules/image.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <openssl/evp.h>

// len: of what it covers, the header at least. False: out of memory.
static bool digest_of(const uint8_t *image, uint64_t len, uint8_t digest[32])
{
	static const uint8_t zero[IMAGE_DIGEST_BYTES];
	const size_t at = offsetof(struct image_header, digest);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, image, at) == 1 &&
		  EVP_DigestUpdate(md, zero, sizeof(zero)) == 1 &&
		  EVP_DigestUpdate(md, image + at + sizeof(zero), len - at - sizeof(zero)) == 1 &&
		  EVP_DigestFinal_ex(md, digest, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

// Where the list bytes begin, if they are the rest of the image, as sections_check() wants it.
static uint64_t covered_bytes(const struct image_header *h, uint64_t len)
{
	const struct image_section *s = &h->section[IMAGE_LIST_BYTES];

	return s->off >= sizeof(*h) && s->off <= len && s->bytes == len - s->off ? s->off : len;
}

void image_seal(void *image, uint64_t len)
{
	struct image_header *h = image;
	uint8_t digest[IMAGE_DIGEST_BYTES] = {0}; // out of memory: nobody will load it

	digest_of(image, covered_bytes(h, len), digest);
	memcpy(h->digest, digest, sizeof(digest));
}

static int bad(struct diag *d, const char *what)
{
	diag_set(d, NULL, 0, 0, "rule set image is damaged: %s", what);
	return -EBADMSG;
}

// Is [first, first + n) inside count records?
static bool range_ok(uint64_t first, uint64_t n, uint64_t count)
{
	return first <= count && n <= count - first;
}

static const uint32_t record_bytes[IMAGE_SECTION_N] = {
	[IMAGE_RULES] = sizeof(struct image_rule),
	[IMAGE_CONDS] = sizeof(struct image_cond),
	[IMAGE_MATCHES] = sizeof(struct image_match),
	[IMAGE_TERMS] = sizeof(struct image_term),
	[IMAGE_LINKS] = sizeof(struct image_link),
	[IMAGE_SIGS] = sizeof(struct image_sig),
	[IMAGE_OWNERS] = sizeof(struct image_owner),
	[IMAGE_STATE] = sizeof(struct state_op_record),
	[IMAGE_NUMBERS] = sizeof(struct number),
	[IMAGE_TRANSFORMS] = sizeof(struct image_transform),
	[IMAGE_ADDRS] = sizeof(struct image_addr),
	[IMAGE_PORTS] = sizeof(struct image_port),
	[IMAGE_SUPPRESS] = sizeof(struct image_suppress),
	[IMAGE_DBS] = sizeof(struct image_db),
	[IMAGE_STRINGS] = 1,
	[IMAGE_BLOBS] = 1,
	[IMAGE_LISTS] = sizeof(struct image_list),
	[IMAGE_LIST_BYTES] = LIST_ALIGN,
};

static int sections_check(const struct image_header *h, uint64_t len, struct diag *d)
{
	for (int i = 0; i < IMAGE_SECTION_N; i++) {
		const struct image_section *s = &h->section[i];

		if (s->off % 8 != 0 || s->off < sizeof(*h) || !range_ok(s->off, s->bytes, len))
			return bad(d, "a section lies outside");
		if (s->bytes % record_bytes[i] != 0 || s->bytes / record_bytes[i] > UINT32_MAX / 2)
			return bad(d, "a section has a broken size");
		if (i != IMAGE_LIST_BYTES && s->off + s->bytes > h->section[IMAGE_LIST_BYTES].off)
			return bad(d, "a section lies in the lists");
	}
	if (h->section[IMAGE_LIST_BYTES].off % LIST_ALIGN != 0 ||
	    h->section[IMAGE_LIST_BYTES].bytes != len - h->section[IMAGE_LIST_BYTES].off)
		return bad(d, "lists are not at its end");
	if (h->section[IMAGE_STRINGS].bytes == 0 ||
	    ((const char *)
		     h)[h->section[IMAGE_STRINGS].off + h->section[IMAGE_STRINGS].bytes - 1] !=
		    '\0')
		return bad(d, "texts are not terminated");
	return 0;
}

static int rules_check(const struct image_header *h, struct diag *d)
{
	const struct image_rule *r = IMAGE_AT(h, struct image_rule, IMAGE_RULES);
	uint32_t n = IMAGE_COUNT(h, struct image_rule, IMAGE_RULES);
	uint32_t conds = IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS);
	uint32_t addrs = IMAGE_COUNT(h, struct image_addr, IMAGE_ADDRS);
	uint32_t ports = IMAGE_COUNT(h, struct image_port, IMAGE_PORTS);
	uint64_t strings = h->section[IMAGE_STRINGS].bytes;

	for (uint32_t i = 0; i < n; i++, r++) {
		if (r->n_conds > IMAGE_CONDS_PER_RULE_MAX || !range_ok(r->cond, r->n_conds, conds))
			return bad(d, "conditions of a rule");
		if (r->dirs == 0 || r->dirs > 3)
			return bad(d, "direction of a rule");
		if (r->action >= RULE_ACTION_N)
			return bad(d, "action of a rule");
		if (!range_ok(r->src, r->n_src, addrs) || !range_ok(r->dst, r->n_dst, addrs) ||
		    !range_ok(r->sport, r->n_sport, ports) ||
		    !range_ok(r->dport, r->n_dport, ports))
			return bad(d, "addresses of a rule");
		if (!range_ok(r->state, r->n_state,
			      IMAGE_COUNT(h, struct state_op_record, IMAGE_STATE)))
			return bad(d, "state of a rule");
		if (r->msg >= strings || r->classtype >= strings || r->reference >= strings ||
		    r->metadata >= strings)
			return bad(d, "texts of a rule");
		if (!threshold_is_valid(&r->threshold))
			return bad(d, "threshold of a rule");
	}
	return 0;
}

// Before a condition is evaluated on the window a term may have to hold, a single link, and an expression behind that.
static bool is_gate(const struct image_header *h, const struct image_cond *c)
{
	const struct image_term *t = IMAGE_AT(h, struct image_term, IMAGE_TERMS) + c->term;

	if (c->n_terms == 0)
		return true;
	if (c->n_terms > 2 || c->mode == IMAGE_COND_EXACT || t->flags != 0 || t->db != IMAGE_NONE ||
	    t->n_links != 1)
		return false;
	return c->n_terms == 1 || (t[1].flags == 0 && t[1].n_links == 0);
}

static int conds_check(const struct image_header *h, struct diag *d)
{
	const struct image_cond *c = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	uint32_t n = IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS);
	uint32_t matches = IMAGE_COUNT(h, struct image_match, IMAGE_MATCHES);
	uint32_t terms = IMAGE_COUNT(h, struct image_term, IMAGE_TERMS);

	for (uint32_t i = 0; i < n; i++, c++) {
		const struct buffer_info *b = buffer_info(c->buffer);

		if (b == NULL || c->mode > IMAGE_COND_GATED ||
		    (b->stage == BUFFER_STREAM) != !image_cond_is_whole(c->mode) ||
		    (b->stage == BUFFER_FILE) != (c->mode == IMAGE_COND_FILE))
			return bad(d, "buffer of a condition");
		if (!range_ok(c->match, c->n_matches, matches) ||
		    !range_ok(c->term, c->n_terms, terms) ||
		    c->n_terms > IMAGE_TERMS_PER_COND_MAX ||
		    c->n_matches > IMAGE_MATCHES_PER_COND_MAX)
			return bad(d, "matches of a condition");
		if (!image_cond_is_whole(c->mode) && c->n_matches > 0) {
			if (!is_gate(h, c))
				return bad(d, "terms of a condition");
			continue;
		}
		// Evaluated, or terms, or nothing: its signature is all.
		if ((c->n_terms > 0) != (!image_cond_is_whole(c->mode) &&
					 c->mode != IMAGE_COND_EXACT && c->n_matches == 0))
			return bad(d, "terms of a condition");
	}
	return 0;
}

static int terms_check(const struct image_header *h, struct diag *d)
{
	const struct image_term *t = IMAGE_AT(h, struct image_term, IMAGE_TERMS);
	uint32_t n = IMAGE_COUNT(h, struct image_term, IMAGE_TERMS);
	uint32_t links = IMAGE_COUNT(h, struct image_link, IMAGE_LINKS);
	const struct image_db *dbs = IMAGE_AT(h, struct image_db, IMAGE_DBS);
	uint32_t n_dbs = IMAGE_COUNT(h, struct image_db, IMAGE_DBS);

	for (uint32_t i = 0; i < n; i++, t++) {
		if (!range_ok(t->link, t->n_links, links) || t->n_links > UINT8_MAX)
			return bad(d, "links of a term");
		if (t->db == IMAGE_NONE
			    ? t->n_links == 0
			    : t->db >= n_dbs || dbs[t->db].n_sigs != 1 ||
				      dbs[t->db].flags != (IMAGE_DB_STREAM | IMAGE_DB_OWN))
			return bad(d, "database of a term");
		if ((t->flags & IMAGE_TERM_NEGATED) != 0 && t->n_links + (t->db != IMAGE_NONE) > 1)
			return bad(d, "a negated chain");
	}
	return 0;
}

// Is match i of a link one that the engine can look for in pieces?
static bool link_match_ok(const struct image_link *l, const struct image_match *m, uint32_t i)
{
	const unsigned int from_start = IMAGE_OFFSET | IMAGE_DEPTH;
	const bool within = (m->flags & IMAGE_WITHIN) != 0;
	const int64_t distance = (m->flags & IMAGE_DISTANCE) != 0 ? m->distance : 0;

	if (m->flags >= IMAGE_VAR_OFFSET)
		return false;
	if (m->type == IMAGE_PCRE)
		return i > 0 && i + 1 == l->n_matches && (m->flags & IMAGE_NEGATED) == 0;
	if (m->type != IMAGE_CONTENT || (m->flags & IMAGE_RELATIVE) != 0)
		return false;
	if ((m->flags & IMAGE_ENDSWITH) != 0 && i + 1 < l->n_matches)
		return false;
	if (i == 0)
		return (m->flags & IMAGE_NEGATED) == 0 || l->n_matches == 1;
	return (m->flags & (from_start | IMAGE_NEGATED)) == 0 && within && distance >= 0 &&
	       distance <= IMAGE_GAP_MAX && m->within >= (int64_t)m->len &&
	       m->within <= IMAGE_SPAN_MAX;
}

static int links_check(const struct image_header *h, struct diag *d)
{
	const struct image_link *l = IMAGE_AT(h, struct image_link, IMAGE_LINKS);
	uint32_t n = IMAGE_COUNT(h, struct image_link, IMAGE_LINKS);
	const struct image_match *m = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	uint32_t matches = IMAGE_COUNT(h, struct image_match, IMAGE_MATCHES);

	for (uint32_t i = 0; i < n; i++, l++) {
		if (l->n_matches == 0 || l->n_matches > IMAGE_MATCHES_PER_COND_MAX ||
		    !range_ok(l->match, l->n_matches, matches) || l->anchor >= l->n_matches ||
		    m[l->match + l->anchor].type != IMAGE_CONTENT)
			return bad(d, "matches of a link");
		for (uint32_t k = 0; k < l->n_matches; k++)
			if (!link_match_ok(l, &m[l->match + k], k))
				return bad(d, "a match of a link");
		if (image_link_span(m + l->match, l->n_matches) > IMAGE_SPAN_MAX)
			return bad(d, "a link is too long");
	}
	return 0;
}

static bool var_ok(bool is_var, int64_t index)
{
	return !is_var || (index >= 0 && index < NUMBER_VARS_MAX);
}

static bool match_vars_ok(const struct image_match *m)
{
	return var_ok((m->flags & IMAGE_VAR_OFFSET) != 0, m->offset) &&
	       var_ok((m->flags & IMAGE_VAR_DEPTH) != 0, m->depth) &&
	       var_ok((m->flags & IMAGE_VAR_DISTANCE) != 0, m->distance) &&
	       var_ok((m->flags & IMAGE_VAR_WITHIN) != 0, m->within);
}

static bool number_ok(const struct number *n, unsigned int type)
{
	const uint32_t most = type == IMAGE_BASE64 ? NUMBER_OFFSET_MAX
			      : n->base == 0       ? NUMBER_BINARY_MAX
						   : NUMBER_STRING_MAX;
	const bool var_bytes = (n->flags & NUMBER_VAR_BYTES) != 0;
	const bool var_value = (n->flags & NUMBER_VAR_VALUE) != 0;

	if (n->base != 0 && n->base != 8 && n->base != 10 && n->base != 16)
		return false;
	if ((n->flags & ~NUMBER_FLAGS) != 0 || n->result >= NUMBER_VARS_MAX)
		return false;
	if (type == IMAGE_BYTE_MATH ? n->op < NUMBER_TEST_N || n->op >= NUMBER_OP_N
				    : n->op >= NUMBER_TEST_N)
		return false;
	return var_ok(var_bytes, n->bytes) && (var_bytes || n->bytes <= most) &&
	       var_ok((n->flags & NUMBER_VAR_OFFSET) != 0, n->offset) &&
	       (!var_value || n->value < NUMBER_VARS_MAX);
}

static int matches_check(const struct image_header *h, struct diag *d)
{
	const struct image_match *m = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	uint32_t n = IMAGE_COUNT(h, struct image_match, IMAGE_MATCHES);
	uint64_t blobs = h->section[IMAGE_BLOBS].bytes;
	const struct number *numbers = IMAGE_AT(h, struct number, IMAGE_NUMBERS);
	uint32_t n_numbers = IMAGE_COUNT(h, struct number, IMAGE_NUMBERS);
	const struct image_list *lists = IMAGE_AT(h, struct image_list, IMAGE_LISTS);
	uint32_t n_lists = IMAGE_COUNT(h, struct image_list, IMAGE_LISTS);

	for (uint32_t i = 0; i < n; i++, m++) {
		if (m->type >= IMAGE_MATCH_TYPE_N || !match_vars_ok(m))
			return bad(d, "a match");
		if (m->type <= IMAGE_PCRE) {
			if (m->len == 0 || m->len > 65535 || !range_ok(m->blob_off, m->len, blobs))
				return bad(d, "a match");
		} else if (m->type == IMAGE_DATASET || m->type == IMAGE_FILE_DIGEST) {
			if (m->len != 0 || m->blob_off >= n_lists ||
			    (m->type == IMAGE_FILE_DIGEST && lists[m->blob_off].kind > LIST_SHA256))
				return bad(d, "a list's match");
		} else if (m->len != 0 || m->blob_off >= n_numbers ||
			   !number_ok(&numbers[m->blob_off], m->type)) {
			return bad(d, "a number");
		}
	}
	return 0;
}

// What looks at the facts of a file stands there and nowhere else.
static int file_conds_check(const struct image_header *h, struct diag *d)
{
	const struct image_cond *c = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	const struct image_match *m = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	uint32_t n = IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS);

	for (uint32_t i = 0; i < n; i++, c++) {
		if (c->buffer == BUF_FILE && c->n_transforms > 0)
			return bad(d, "a condition on a file");
		for (uint32_t k = 0; k < c->n_matches; k++) {
			uint8_t type = m[c->match + k].type;

			if ((type == IMAGE_FILE_DIGEST || type == IMAGE_FILE_SIZE) !=
			    (c->buffer == BUF_FILE))
				return bad(d, "a condition on a file");
		}
	}
	return 0;
}

static int lists_check(const struct image_header *h, struct diag *d)
{
	const struct image_list *l = IMAGE_AT(h, struct image_list, IMAGE_LISTS);
	uint32_t n = IMAGE_COUNT(h, struct image_list, IMAGE_LISTS);
	uint64_t bytes = h->section[IMAGE_LIST_BYTES].bytes;

	for (uint32_t i = 0; i < n; i++, l++) {
		const struct list *list;
		const char *why;

		if (l->off % LIST_ALIGN != 0 || !range_ok(l->off, l->bytes, bytes) ||
		    l->name >= h->section[IMAGE_STRINGS].bytes)
			return bad(d, "a list lies outside");
		list = image_list_at(h, i);
		if (list_check(list, l->bytes, &why) < 0)
			return bad(d, why);
		if (list->kind != l->kind || list->n != l->n)
			return bad(d, "the kind of a list");
		if (list_checksum(list, l->bytes) != l->checksum)
			return bad(d, "a list's checksum");
	}
	return 0;
}

// What base64 decodes is looked at by matches of the same condition.
static int decoded_check(const struct image_header *h, struct diag *d)
{
	const struct image_cond *c = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	const struct image_match *m = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	const struct number *numbers = IMAGE_AT(h, struct number, IMAGE_NUMBERS);
	uint32_t n = IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS);

	for (uint32_t i = 0; i < n; i++, c++) {
		uint64_t end = 0; // of the matches that look at decoded bytes

		for (uint32_t k = 0; k < c->n_matches; k++) {
			const struct image_match *mk = &m[c->match + k];

			if (mk->type != IMAGE_BASE64)
				continue;
			if (k < end || numbers[mk->blob_off].value > c->n_matches - k - 1u)
				return bad(d, "decoded bytes");
			end = k + 1 + numbers[mk->blob_off].value;
		}
	}
	return 0;
}

static int transforms_check(const struct image_header *h, struct diag *d)
{
	const struct image_transform *t = IMAGE_AT(h, struct image_transform, IMAGE_TRANSFORMS);
	const struct image_cond *c = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	uint32_t n = IMAGE_COUNT(h, struct image_transform, IMAGE_TRANSFORMS);
	uint32_t n_conds = IMAGE_COUNT(h, struct image_cond, IMAGE_CONDS);

	for (uint32_t i = 0; i < n_conds; i++)
		if (c[i].n_transforms > TRANSFORMS_MAX ||
		    !range_ok(c[i].transform, c[i].n_transforms, n) ||
		    (c[i].n_transforms > 0 && c[i].n_matches == 0))
			return bad(d, "transforms of a condition");
	for (uint32_t i = 0; i < n; i++)
		if (t[i].type >= TRANSFORM_N || t[i].len > 65535 ||
		    (t[i].type == TRANSFORM_PCREXFORM) != (t[i].len > 0) ||
		    !range_ok(t[i].blob_off, t[i].len, h->section[IMAGE_BLOBS].bytes))
			return bad(d, "a transform");
	return 0;
}

static int suppress_check(const struct image_header *h, struct diag *d)
{
	const struct image_suppress *s = IMAGE_AT(h, struct image_suppress, IMAGE_SUPPRESS);
	uint32_t n = IMAGE_COUNT(h, struct image_suppress, IMAGE_SUPPRESS);
	uint32_t addrs = IMAGE_COUNT(h, struct image_addr, IMAGE_ADDRS);

	for (uint32_t i = 0; i < n; i++) {
		if (s[i].track >= SUPPRESS_TRACK_N || !range_ok(s[i].addr, s[i].n_addrs, addrs))
			return bad(d, "a suppression");
		if (i > 0 && (s[i].gid < s[i - 1].gid ||
			      (s[i].gid == s[i - 1].gid && s[i].sid < s[i - 1].sid)))
			return bad(d, "order of suppressions");
	}
	return 0;
}

static int state_check(const struct image_header *h, struct diag *d)
{
	const struct state_op_record *s = IMAGE_AT(h, struct state_op_record, IMAGE_STATE);
	uint32_t n = IMAGE_COUNT(h, struct state_op_record, IMAGE_STATE);

	for (uint32_t i = 0; i < n; i++)
		if (!state_is_valid(&s[i]))
			return bad(d, "what a rule asks of its flow");
	return 0;
}

// Rules about files have conditions on them, and what these need is computed.
static int files_check(const struct image_header *h, int dir, struct diag *d)
{
	const struct image_owner *o = IMAGE_AT(h, struct image_owner, IMAGE_OWNERS);
	const struct image_cond *conds = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);
	const struct image_match *matches = IMAGE_AT(h, struct image_match, IMAGE_MATCHES);
	const struct image_list *lists = IMAGE_AT(h, struct image_list, IMAGE_LISTS);

	for (uint32_t i = 0; i < h->n_files[dir]; i++) {
		const struct image_owner *f = &o[h->files[dir] + i];
		const struct image_rule *r;

		if (f->cond == IMAGE_NONE || conds[f->cond].mode != IMAGE_COND_FILE)
			return bad(d, "a rule about files");
		r = &IMAGE_AT(h, struct image_rule, IMAGE_RULES)[f->rule];
		for (uint32_t k = f->cond; k < r->cond + r->n_conds; k++)
			for (uint32_t m = 0; m < conds[k].n_matches; m++) {
				const struct image_match *im = &matches[conds[k].match + m];

				if (im->type == IMAGE_FILE_DIGEST &&
				    (h->file_digests[dir] >> lists[im->blob_off].kind & 1) == 0)
					return bad(d, "digests of files");
			}
	}
	return 0;
}

static int vectors_check(const struct image_header *h, struct diag *d)
{
	const struct image_sig *s = IMAGE_AT(h, struct image_sig, IMAGE_SIGS);
	uint32_t n = IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS);

	for (uint32_t i = 0; i < n; i++)
		if (s[i].vector_len > 65535 ||
		    !range_ok(s[i].vector_off, s[i].vector_len, h->section[IMAGE_BLOBS].bytes))
			return bad(d, "what must make a signature match");
	return 0;
}

static int sigs_check(const struct image_header *h, struct diag *d)
{
	const struct image_sig *s = IMAGE_AT(h, struct image_sig, IMAGE_SIGS);
	uint32_t n = IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS);
	const struct image_owner *o = IMAGE_AT(h, struct image_owner, IMAGE_OWNERS);
	uint32_t owners = IMAGE_COUNT(h, struct image_owner, IMAGE_OWNERS);
	const struct image_rule *rules = IMAGE_AT(h, struct image_rule, IMAGE_RULES);
	uint32_t n_rules = IMAGE_COUNT(h, struct image_rule, IMAGE_RULES);

	for (uint32_t i = 0; i < n; i++, s++)
		if (!range_ok(s->owner, s->n_owners, owners))
			return bad(d, "owners of a signature");
	for (uint32_t i = 0; i < owners; i++, o++) {
		const struct image_rule *r;

		if (o->rule >= n_rules)
			return bad(d, "a signature's rule");
		r = &rules[o->rule];
		if (o->cond != IMAGE_NONE && (o->cond < r->cond || o->cond - r->cond >= r->n_conds))
			return bad(d, "a signature's condition");
	}
	for (int dir = 0; dir < DIR_N; dir++) {
		if (!range_ok(h->always[dir], h->n_always[dir], owners) ||
		    !range_ok(h->packets[dir], h->n_packets[dir], owners))
			return bad(d, "unconditional rules");
		if (!range_ok(h->files[dir], h->n_files[dir], owners))
			return bad(d, "rules about files");
		if (files_check(h, dir, d) < 0)
			return -EBADMSG;
	}
	return 0;
}

// What a signature in a stream wakes must be a stream condition that waits for one.
static int stream_owners_check(const struct image_header *h, const struct image_db *db,
			       struct diag *d)
{
	const struct image_sig *s = IMAGE_AT(h, struct image_sig, IMAGE_SIGS) + db->sig;
	const struct image_owner *owners = IMAGE_AT(h, struct image_owner, IMAGE_OWNERS);
	const struct image_cond *conds = IMAGE_AT(h, struct image_cond, IMAGE_CONDS);

	for (uint32_t i = 0; i < db->n_sigs; i++, s++) {
		for (uint32_t k = 0; k < s->n_owners; k++) {
			uint32_t cond = owners[s->owner + k].cond;

			if (cond == IMAGE_NONE || image_cond_is_whole(conds[cond].mode) ||
			    conds[cond].mode == IMAGE_COND_GATED)
				return bad(d, "what a signature wakes");
		}
	}
	return 0;
}

// The always-on databases of a buffer: a short list without a ring.
static int buffer_dbs_check(const struct image_header *h, unsigned int b, int dir, struct diag *d)
{
	const struct image_db *db = IMAGE_AT(h, struct image_db, IMAGE_DBS);
	const uint32_t n = IMAGE_COUNT(h, struct image_db, IMAGE_DBS);
	const bool stream = buffer_info(b)->stage == BUFFER_STREAM;
	uint32_t parts = 0;

	for (uint32_t i = h->db[b][dir]; i != IMAGE_NONE; i = db[i].next) {
		if (i >= n || (db[i].flags & IMAGE_DB_OWN) != 0 ||
		    ((db[i].flags & IMAGE_DB_STREAM) != 0) != stream ||
		    (db[i].next != IMAGE_NONE && (!stream || db[i].next <= i)) ||
		    ++parts > IMAGE_PARTS_MAX)
			return bad(d, "database of a buffer");
		if (stream && stream_owners_check(h, &db[i], d) < 0)
			return -EBADMSG;
	}
	return 0;
}

static int dbs_check(const struct image_header *h, struct diag *d)
{
	const struct image_db *db = IMAGE_AT(h, struct image_db, IMAGE_DBS);
	uint32_t n = IMAGE_COUNT(h, struct image_db, IMAGE_DBS);
	uint32_t sigs = IMAGE_COUNT(h, struct image_sig, IMAGE_SIGS);

	for (uint32_t i = 0; i < n; i++) {
		const bool grams = db[i].flags == (IMAGE_DB_STREAM | IMAGE_DB_GRAMS);

		if (!range_ok(db[i].blob_off, db[i].bytes, h->section[IMAGE_BLOBS].bytes) ||
		    (db[i].bytes == 0) != grams || db[i].blob_off % 8 != 0)
			return bad(d, "a database lies outside");
		if ((!grams && (db[i].flags & ~(uint32_t)(IMAGE_DB_STREAM | IMAGE_DB_OWN)) != 0) ||
		    ((db[i].flags & IMAGE_DB_OWN) == 0 && !range_ok(db[i].sig, db[i].n_sigs, sigs)))
			return bad(d, "signatures of a database");
	}
	for (int i = 0; i < 2; i++)
		if (h->selftest[i] >= n ||
		    db[h->selftest[i]].flags != (IMAGE_DB_OWN | (i == 1 ? IMAGE_DB_STREAM : 0)))
			return bad(d, "self-test databases");
	for (unsigned int b = 0; b < BUF_N; b++) {
		for (int dir = 0; dir < DIR_N; dir++) {
			if (h->tail[b][dir] > IMAGE_TAIL_MAX)
				return bad(d, "look-back of a buffer");
			if (buffer_dbs_check(h, b, dir, d) < 0)
				return -EBADMSG;
		}
	}
	return 0;
}

int image_check(const void *image, uint64_t len, const uint8_t want_digest[32], struct diag *d)
{
	const struct image_header *h = image;
	uint8_t digest[IMAGE_DIGEST_BYTES];
	int err;

	if (len < sizeof(*h) || len > IMAGE_MAX_BYTES || h->bytes != len)
		return bad(d, "its length is wrong");
	if (h->magic != IMAGE_MAGIC || h->version != IMAGE_VERSION)
		return bad(d, "it was made by another version");
	if (!digest_of(image, covered_bytes(h, len), digest) ||
	    memcmp(digest, h->digest, sizeof(digest)) != 0 ||
	    (want_digest != NULL && memcmp(digest, want_digest, sizeof(digest)) != 0)) {
		diag_set(d, NULL, 0, 0,
			 "rule set image does not have the digest it was announced with");
		return -EKEYREJECTED;
	}
	err = sections_check(h, len, d);
	if (err == 0)
		err = rules_check(h, d);
	if (err == 0)
		err = conds_check(h, d);
	if (err == 0)
		err = lists_check(h, d);
	if (err == 0)
		err = matches_check(h, d);
	if (err == 0)
		err = file_conds_check(h, d);
	if (err == 0)
		err = decoded_check(h, d);
	if (err == 0)
		err = terms_check(h, d);
	if (err == 0)
		err = links_check(h, d);
	if (err == 0)
		err = transforms_check(h, d);
	if (err == 0)
		err = state_check(h, d);
	if (err == 0)
		err = suppress_check(h, d);
	if (err == 0)
		err = sigs_check(h, d);
	if (err == 0)
		err = vectors_check(h, d);
	if (err == 0)
		err = dbs_check(h, d);
	return err;
}

bool image_addrs_hold(const struct image_addr *v, uint32_t n, const uint8_t addr[16])
{
	bool positive = false, in_positive = false;

	for (uint32_t i = 0; i < n; i++, v++) {
		uint32_t bytes = v->len / 8, bits = v->len % 8;
		bool in;

		in = bytes <= 16 && memcmp(v->prefix, addr, bytes) == 0 &&
		     (bits == 0 || bytes >= 16 ||
		      ((v->prefix[bytes] ^ addr[bytes]) & (0xff00 >> bits) & 0xff) == 0);
		if (v->negated && in)
			return false;
		positive |= !v->negated;
		in_positive |= in && !v->negated;
	}
	return !positive || in_positive;
}
