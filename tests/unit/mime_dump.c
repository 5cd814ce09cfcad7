// SPDX-License-Identifier: BSD-2-Clause
// For mime_email.py: reads bodies from standard input, says what is in which part.
// In: two numbers of 32 bits, little-endian, the length of the Content-Type and of the body, then both; any number of times.
// Out: one line per body: name,filename,data,decoded;... in hexadecimal, "-" for a file name that is not there, "!" behind a
// part that was cut off; "?" if it is not multipart.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/engine/mime.h"

enum { PIECE = 37 };

static struct mime mime;
static struct counters counters;
static uint8_t data[1 << 20], decoded[1 << 20];
static size_t n_data, n_decoded;

static void hex(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		printf("%02x", s.data[i]);
}

static void note(const struct mime_event *ev)
{
	switch (ev->kind) {
	case MIME_EV_BEGIN:
		n_data = n_decoded = 0;
		hex(ev->part->name);
		printf(",");
		if (ev->part->has_filename)
			hex(ev->part->filename);
		else
			printf("-");
		break;
	case MIME_EV_DATA:
		memcpy(data + n_data, ev->data.data, ev->data.len);
		n_data += ev->data.len;
		break;
	case MIME_EV_DECODED:
		memcpy(decoded + n_decoded, ev->data.data, ev->data.len);
		n_decoded += ev->data.len;
		break;
	case MIME_EV_END:
		printf(",");
		hex(span_of(data, n_data));
		printf(",");
		hex(span_of(decoded, n_decoded));
		printf(ev->truncated ? "!;" : ";");
		break;
	case MIME_EV_OUTSIDE:
		break;
	}
}

static uint8_t *take(uint32_t n)
{
	uint8_t *p = malloc(n > 0 ? n : 1);

	if (p == NULL || n > sizeof(data) || fread(p, 1, n, stdin) != n)
		exit(1);
	return p;
}

int main(void)
{
	uint32_t head[2];

	while (fread(head, sizeof(head), 1, stdin) == 1) {
		uint8_t *type = take(head[0]), *body = take(head[1]);
		struct mime_event ev;

		if (mime_begin(&mime, span_of(type, head[0]), &counters) == 0) {
			for (size_t at = 0; at < head[1] || at == 0; at += PIECE) {
				size_t left = head[1] - at;
				struct span in = span_of(body + at, left < PIECE ? left : PIECE);

				while (mime_next(&mime, &in, left <= PIECE, &counters, &ev) == 1)
					note(&ev);
			}
			printf("\n");
		} else {
			printf("?\n");
		}
		free(type);
		free(body);
	}
	return 0;
}
