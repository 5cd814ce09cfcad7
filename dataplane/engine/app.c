// SPDX-License-Identifier: BSD-2-Clause
#include "dataplane/engine/app.h"

#include <string.h>

#include "dataplane/engine/h2.h"

enum {
	METHOD_MAX = 32,
};

static bool is_tchar(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

// Does s begin with word, or is s a beginning of it? Case-insensitive. 1 yes, 0 no, -1 not enough bytes.
static int starts(struct span s, struct span word)
{
	size_t n = s.len < word.len ? s.len : word.len;

	if (!span_eq_nocase(span_first(s, n), span_first(word, n)))
		return 0;
	return n == word.len ? 1 : -1;
}

// The target after an unknown method: origin, asterisk or absolute form, or an authority with a port.
static enum app_proto target_judge(struct span t, bool known)
{
	if (t.len == 0)
		return APP_UNKNOWN;
	if (known)
		return APP_HTTP;
	if (t.data[0] == '/' || (t.data[0] == '*' && t.len > 1 && t.data[1] == ' '))
		return APP_HTTP;
	if (t.data[0] == '*' && t.len == 1)
		return APP_UNKNOWN;
	for (size_t i = 0; i < t.len; i++) {
		if (t.data[i] == ' ' || t.data[i] == '\r' || t.data[i] == '\n')
			return APP_OPAQUE;
		if (t.data[i] == ':' && i > 0 && i + 2 < t.len)
			return t.data[i + 1] == '/' && t.data[i + 2] == '/' ? APP_HTTP : APP_OPAQUE;
	}
	return APP_UNKNOWN;
}

// Methods in common use.
static const struct span known[] = {
	SPAN_LIT("GET"),    SPAN_LIT("POST"),     SPAN_LIT("HEAD"),    SPAN_LIT("PUT"),
	SPAN_LIT("DELETE"), SPAN_LIT("OPTIONS"),  SPAN_LIT("CONNECT"), SPAN_LIT("TRACE"),
	SPAN_LIT("PATCH"),  SPAN_LIT("PROPFIND"), SPAN_LIT("MKCOL"),   SPAN_LIT("COPY"),
	SPAN_LIT("MOVE"),   SPAN_LIT("LOCK"),     SPAN_LIT("UNLOCK"),  SPAN_LIT("PROPPATCH"),
	SPAN_LIT("REPORT"), SPAN_LIT("SEARCH"),
};

static enum app_proto request_judge(struct span s)
{
	size_t n = 0;

	while (n < s.len && is_tchar(s.data[n]))
		n++;
	if (n > METHOD_MAX)
		return APP_OPAQUE;
	if (n == s.len)
		return APP_UNKNOWN;
	if (n == 0 || (s.data[n] != ' ' && s.data[n] != '\t'))
		return APP_OPAQUE;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (span_eq_nocase(span_first(s, n), known[i]))
			return target_judge(span_from(s, n + 1), true);
	}
	while (n < s.len && (s.data[n] == ' ' || s.data[n] == '\t'))
		n++;
	return target_judge(span_from(s, n), false);
}

static enum app_proto judge(struct span s, enum app_side *ret_side)
{
	int http, ssh;

	*ret_side = APP_SIDE_UNKNOWN;
	if (s.len == 0)
		return APP_UNKNOWN;
	// A server of HTTP/2 that does not wait for its client.
	http = h2_is_settings(s);
	if (http > 0)
		*ret_side = APP_SIDE_SERVER;
	if (http != 0)
		return http > 0 ? APP_HTTP : APP_UNKNOWN;
	// TLS records: change cipher spec, alert, handshake, application data (20..23), version 3.x.
	if (s.data[0] >= 20 && s.data[0] <= 23) {
		if (s.len < 3)
			return s.len == 2 && s.data[1] != 3 ? APP_OPAQUE : APP_UNKNOWN;
		return s.data[1] == 3 && s.data[2] <= 4 ? APP_TLS : APP_OPAQUE;
	}
	ssh = starts(s, SPAN_LIT("SSH-"));
	if (ssh > 0)
		return APP_SSH;
	// Hosts pass over empty lines, and some over other white space.
	while (s.len > 0 && ((s.data[0] >= '\t' && s.data[0] <= '\r') || s.data[0] == ' '))
		s = span_from(s, 1);
	if (s.len == 0)
		return APP_UNKNOWN;
	http = starts(s, SPAN_LIT("HTTP/"));
	if (http == 0)
		http = starts(s, SPAN_LIT("ICY "));
	if (http > 0) {
		*ret_side = APP_SIDE_SERVER;
		return APP_HTTP;
	}
	if (http < 0 || ssh < 0)
		return APP_UNKNOWN;
	*ret_side = APP_SIDE_CLIENT;
	return request_judge(s);
}

enum app_proto app_detect(struct span first, enum app_side *ret_side)
{
	enum app_proto app = judge(span_first(first, APP_PREFIX_MAX), ret_side);

	if (app != APP_HTTP)
		*ret_side = APP_SIDE_UNKNOWN;
	return app == APP_UNKNOWN && first.len >= APP_PREFIX_MAX ? APP_OPAQUE : app;
}

bool app_is_odd_request(struct span s)
{
	const struct span version = SPAN_LIT("HTTP/1.1");
	const uint8_t *lf = memchr(s.data, '\n', s.len);
	size_t n = lf != NULL ? (size_t)(lf - s.data) : 0;

	if (n > 0 && s.data[n - 1] == '\r')
		n--;
	return n > version.len && s.data[n - version.len - 1] == ' ' &&
	       memcmp(s.data + n - version.len, version.data, version.len - 1) == 0;
}

static int request_begins(struct span s)
{
	int more = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int verdict = starts(s, known[i]);
		size_t n = known[i].len;

		if (verdict < 0)
			more = -1;
		if (verdict <= 0)
			continue;
		if (n < s.len && s.data[n] != ' ' && s.data[n] != '\t')
			continue; // a longer word
		n++;
		if (n < s.len && s.data[n] == ' ')
			n++;
		if (n >= s.len)
			return -1;
		return s.data[n] == '/' || s.data[n] == '*' || span_lower(s.data[n]) == 'h' ||
		       (span_eq(known[i], SPAN_LIT("CONNECT")) && is_tchar(s.data[n]));
	}
	return more;
}

int app_message_begins(struct span s, enum app_side side)
{
	int verdict;

	if (side == APP_SIDE_CLIENT)
		return request_begins(s);
	verdict = starts(s, SPAN_LIT("HTTP/"));
	if (verdict <= 0)
		return verdict;
	return s.len == 5 ? -1 : s.data[5] >= '0' && s.data[5] <= '9';
}
