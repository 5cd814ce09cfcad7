// SPDX-License-Identifier: BSD-2-Clause
// Bytes to text: whatever comes in, what goes out is valid UTF-8 without NUL.
#include "control/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// Length of the well-formed UTF-8 sequence at p (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF), or 0.
static size_t sequence(const uint8_t *p, size_t len)
{
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

size_t text_clean(char *buf, size_t size, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		uint8_t piece[4];
		size_t take = sequence(p + i, len - i), n = take;

		if (take != 0 && p[i] != 0) {
			memcpy(piece, p + i, take);
		} else if (p[i] == 0) { // a database text ends at NUL: U+FFFD stands for it
			memcpy(piece, "\xef\xbf\xbd", 3);
			take = 1;
			n = 3;
		} else {
			piece[0] = 0xc0 | (p[i] >> 6);
			piece[1] = 0x80 | (p[i] & 0x3f);
			take = 1;
			n = 2;
		}
		if (out + n >= size)
			break;
		memcpy(buf + out, piece, n);
		out += n;
		i += take;
	}
	buf[out] = '\0';
	return out;
}

json_t *text_json(const char *text)
{
	char buf[2048];
	size_t n = text_clean(buf, sizeof(buf), text, strlen(text));

	return json_stringn(buf, n);
}

const char *text_time(char *buf, size_t size, uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000u);
	struct tm tm;
	char date[32];

	gmtime_r(&s, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s.%06u+0000", date, (unsigned int)(ns / 1000 % 1000000));
	return buf;
}

const char *text_hex(char *buf, const uint8_t *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf[2 * i] = digits[data[i] >> 4];
		buf[2 * i + 1] = digits[data[i] & 15];
	}
	buf[2 * n] = '\0';
	return buf;
}
