// SPDX-License-Identifier: BSD-2-Clause
// All of them work in place on one copy: none but the dot and the digests makes a buffer longer, and the copy has room for those.
#include "dataplane/engine/transform.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "rules/transform.h"

enum {
	COPY_BYTES = TRANSFORM_BYTES + TRANSFORMS_MAX + EVP_MAX_MD_SIZE,
};

static const char *const digests[TRANSFORM_DIGESTS] = {"MD5", "SHA1", "SHA256"};

int transform_worker_init(struct ruleset_worker *w)
{
	w->copy = malloc(COPY_BYTES);
	w->decoded = malloc(TRANSFORM_DECODED);
	if (w->copy == NULL || w->decoded == NULL)
		return -ENOMEM;
	for (int i = 0; i < TRANSFORM_DIGESTS; i++) {
		EVP_MD *md = EVP_MD_fetch(NULL, digests[i], NULL);

		// A machine may forbid a digest: its rules then find nothing.
		w->digest[i] = md != NULL ? EVP_MD_CTX_new() : NULL;
		if (w->digest[i] != NULL && EVP_DigestInit_ex2(w->digest[i], md, NULL) != 1) {
			EVP_MD_CTX_free(w->digest[i]);
			w->digest[i] = NULL;
		}
		EVP_MD_free(md);
	}
	return 0;
}

void transform_worker_done(struct ruleset_worker *w)
{
	free(w->copy);
	free(w->decoded);
	for (int i = 0; i < TRANSFORM_DIGESTS; i++)
		EVP_MD_CTX_free(w->digest[i]);
}

static bool is_white(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t whitespace(uint8_t *p, size_t len, bool keep_one)
{
	bool in_run = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bool white = is_white(p[i]);

		if (!white)
			p[n++] = p[i];
		else if (keep_one && !in_run)
			p[n++] = p[i];
		in_run = white;
	}
	return n;
}

static size_t url_decode(uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			p[n++] = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			p[n++] = p[i] == '+' ? ' ' : p[i];
		}
	}
	return n;
}

static void header_lowercase(uint8_t *p, size_t len)
{
	bool name = true;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == ':')
			name = false;
		else if (p[i] == '\n')
			name = true;
		else if (name)
			p[i] = span_lower(p[i]);
	}
}

static size_t strip_pseudo_headers(uint8_t *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		const uint8_t *nl = memchr(p + i, '\n', len - i);
		size_t line = nl != NULL ? (size_t)(nl - p) + 1 - i : len - i;

		if (p[i] != ':') {
			memmove(p + n, p + i, line);
			n += line;
		}
		i += line;
	}
	return n;
}

static size_t digest(EVP_MD_CTX *ctx, uint8_t *p, size_t len)
{
	unsigned int n = 0;

	if (ctx == NULL || EVP_DigestInit_ex2(ctx, NULL, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, p, len) != 1 || EVP_DigestFinal_ex(ctx, p, &n) != 1)
		return 0;
	return n;
}

// What the first group captures, to the front; nothing if it does not match.
static size_t pcrexform(struct ruleset_worker *w, const pcre2_code *code, struct counters *counters,
			uint8_t *p, size_t len)
{
	int rc = pcre2_match(code, p, len, 0, 0, w->match, w->match_ctx);
	const PCRE2_SIZE *ov = pcre2_get_ovector_pointer(w->match);

	if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
		counters->v[CNT_PCRE_LIMIT]++;
	// 0: more groups than the vector holds, which has the first.
	if ((rc != 0 && rc < 2) || ov[2] == PCRE2_UNSET || ov[3] <= ov[2])
		return 0;
	memmove(p, p + ov[2], ov[3] - ov[2]);
	return ov[3] - ov[2];
}

static size_t apply(const struct ruleset *rs, struct ruleset_worker *w, uint32_t index,
		    struct counters *counters, uint8_t *p, size_t len)
{
	const unsigned int type = rs->transforms[index].type;

	switch (type) {
	case TRANSFORM_DOTPREFIX:
		memmove(p + 1, p, len);
		p[0] = '.';
		return len + 1;
	case TRANSFORM_TO_LOWERCASE:
		for (size_t i = 0; i < len; i++)
			p[i] = span_lower(p[i]);
		return len;
	case TRANSFORM_TO_UPPERCASE:
		for (size_t i = 0; i < len; i++)
			if (p[i] >= 'a' && p[i] <= 'z')
				p[i] &= (uint8_t)~0x20;
		return len;
	case TRANSFORM_STRIP_WHITESPACE:
	case TRANSFORM_COMPRESS_WHITESPACE:
		return whitespace(p, len, type == TRANSFORM_COMPRESS_WHITESPACE);
	case TRANSFORM_URL_DECODE:
		return url_decode(p, len);
	case TRANSFORM_HEADER_LOWERCASE:
		header_lowercase(p, len);
		return len;
	case TRANSFORM_STRIP_PSEUDO_HEADERS:
		return strip_pseudo_headers(p, len);
	case TRANSFORM_PCREXFORM:
		return pcrexform(w, rs->transform_pcre[index], counters, p, len);
	}
	return digest(w->digest[type - TRANSFORM_TO_MD5], p, len);
}

bool transform_apply(const struct ruleset *rs, struct ruleset_worker *w,
		     const struct image_cond *cond, struct span buffer, struct counters *counters,
		     struct span *ret)
{
	size_t len = buffer.len;

	if (len > TRANSFORM_BYTES)
		return false;
	memcpy(w->copy, buffer.data, len);
	for (uint32_t i = 0; i < cond->n_transforms && len > 0; i++)
		len = apply(rs, w, cond->transform + i, counters, w->copy, len);
	*ret = span_of(w->copy, len);
	return true;
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct span transform_base64(struct ruleset_worker *w, struct span s)
{
	uint32_t bits = 0, n_bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < s.len && n < TRANSFORM_DECODED; i++) {
		int v = base64_value(s.data[i]);

		if (v < 0)
			break;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		w->decoded[n++] = (uint8_t)(bits >> n_bits);
	}
	return span_of(w->decoded, n);
}
