// SPDX-License-Identifier: BSD-2-Clause
// Before a rule set goes live its databases are tried: libhs on known vectors (engine/selftest.c), every signature on what it
// was made from.
#include "dataplane/engine/ruleset_impl.h"
#include "dataplane/engine/selftest.h"

#include <errno.h>
#include <string.h>

struct selftest_ctx {
	const struct ruleset *rs;
	hs_scratch_t *scratch;
	int matches;
};

static int selftest_match(unsigned int id, unsigned long long from, unsigned long long to,
			  unsigned int flags, void *ctx)
{
	((struct selftest_ctx *)ctx)->matches++;
	return 0;
}

static int selftest_scan(void *vctx, const uint8_t *data, uint32_t len, uint32_t piece)
{
	struct selftest_ctx *ctx = vctx;
	const uint32_t *db = ctx->rs->img->selftest;
	hs_stream_t *s;
	hs_error_t err = HS_SUCCESS;

	ctx->matches = 0;
	if (piece == 0) {
		err = hs_scan(ctx->rs->db[db[0]], (const char *)data, len, 0, ctx->scratch,
			      selftest_match, ctx);
		return err == HS_SUCCESS ? ctx->matches : -EIO;
	}
	if (hs_open_stream(ctx->rs->db[db[1]], 0, &s) != HS_SUCCESS)
		return -ENOMEM;
	for (uint32_t at = 0; at < len && err == HS_SUCCESS; at += piece)
		err = hs_scan_stream(s, (const char *)data + at,
				     len - at < piece ? len - at : piece, 0, ctx->scratch,
				     selftest_match, ctx);
	hs_close_stream(s, ctx->scratch, selftest_match, ctx);
	return err == HS_SUCCESS ? ctx->matches : -EIO;
}

struct vector_ctx {
	unsigned int want;
	bool found;
};

static int vector_match(unsigned int id, unsigned long long from, unsigned long long to,
			unsigned int flags, void *vctx)
{
	struct vector_ctx *ctx = vctx;

	ctx->found |= id == ctx->want;
	return 0;
}

static bool vector_matches(struct ruleset *rs, uint32_t db, uint32_t id,
			   const struct image_sig *sig, hs_scratch_t *scratch)
{
	struct vector_ctx ctx = {.want = id};
	uint8_t text[512 + 64] = {0}; // libhs may read behind the end
	const uint32_t len = sig->vector_len;
	struct ruleset_stream *s;

	if (len > 512)
		return true; // no content of a rule is so long
	memcpy(text, rs->blobs + sig->vector_off, len);
	if ((rs->dbs[db].flags & IMAGE_DB_STREAM) == 0)
		return hs_scan(rs->db[db], (const char *)text, len, 0, scratch, vector_match,
			       &ctx) == HS_SUCCESS &&
		       ctx.found;
	s = ruleset_stream_get(rs, &rs->w[0], db);
	if (s == NULL)
		return false;
	ruleset_stream_scan(rs, &rs->w[0], db, s, span_of(text, len), vector_match, &ctx);
	ruleset_stream_put(rs, &rs->w[0], db, s, NULL, NULL);
	return ctx.found;
}

// A database that deserializes may still be wrong: a damaged one often does, whatever its checksum says. Each of its
// signatures has to match what it was made from.
static int vectors_try(struct ruleset *rs, struct diag *d)
{
	hs_scratch_t *scratch = rs->w[0].scratch;

	for (uint32_t i = 0; i < rs->n_dbs; i++) {
		const struct image_db *db = &rs->dbs[i];

		if ((db->flags & IMAGE_DB_OWN) != 0)
			continue;
		for (uint32_t k = 0; k < db->n_sigs; k++) {
			const struct image_sig *sig = &rs->sigs[db->sig + k];

			if (sig->vector_len == 0 || vector_matches(rs, i, k, sig, scratch))
				continue;
			diag_set(d, NULL, 0, 0,
				 "rule set image is damaged: signature %u of database %u does not "
				 "match its own text",
				 k, i);
			return -EBADMSG;
		}
	}
	return 0;
}

int ruleset_try(struct ruleset *rs, struct diag *d)
{
	struct selftest_ctx ctx = {.rs = rs, .scratch = rs->w[0].scratch};
	int err = selftest_run(selftest_scan, &ctx, d);

	return err < 0 ? err : vectors_try(rs, d);
}
