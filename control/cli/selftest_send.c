// SPDX-License-Identifier: BSD-2-Clause
// The word stands before each text, and no rule names a text itself. Ports tell what may be read: 80.
#include "control/cli/selftest_send.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <string.h>

#include "control/cli/traffic.h"

enum {
	TEXT_BYTES = 4096,
};

const char *const part_names[PART_N] = {
#define X(id, what) what,
	PARTS(X)
#undef X
};

#define WORD "WG-SELFTEST "

const char selftest_rules[] =
	"alert http any any -> any any (msg:\"request body\"; flow:to_server; http.request_body; "
	"content:\"" WORD "\"; sid:1;)\n"
	"alert http any any -> any any (msg:\"request cookie\"; flow:to_server; http.cookie; "
	"content:\"" WORD "\"; sid:2;)\n"
	"alert http any any -> any any (msg:\"authorization\"; flow:to_server; http.header; "
	"content:\"Authorization: " WORD "\"; sid:3;)\n"
	"alert http any any -> any any (msg:\"request header\"; flow:to_server; http.header; "
	"content:\"X-Selftest: " WORD "\"; sid:4;)\n"
	"alert http any any -> any any (msg:\"cookie that is set\"; flow:to_client; http.cookie; "
	"content:\"" WORD "\"; sid:5;)\n"
	"alert http any any -> any any (msg:\"response header\"; flow:to_client; http.header; "
	"content:\"X-Selftest: " WORD "\"; sid:6;)\n"
	"alert http any any -> any any (msg:\"response body\"; flow:to_client; http.response_body; "
	"content:\"" WORD "\"; sid:7;)\n"
	"alert http any any -> any any (msg:\"expression\"; flow:to_client; http.response_body; "
	"content:\"" WORD "\"; pcre:\"/" WORD "[0-9A-Za-z]{24}/\"; sid:8;)\n"
	"alert tcp any any -> any any (msg:\"raw bytes\"; content:\"" WORD "\"; sid:9;)\n"
	"alert http any any -> any any (msg:\"URL\"; http.uri; content:\"/selftest/\"; sid:10;)\n";

static void send_text(struct traffic *t, int from, const char *text)
{
	traffic_send(t, from, text, strlen(text));
}

static void send_body(struct traffic *t, const char *encoding, const void *body, size_t len)
{
	char head[TEXT_BYTES];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %zu\r\n\r\n",
		 encoding, len);
	send_text(t, 1, head);
	traffic_send(t, 1, body, len);
}

// One request with a secret in each of its parts, and an answer of the same kind.
static void send_messages(struct traffic *t, const struct canary *v)
{
	char text[TEXT_BYTES];

	traffic_open(t, 80);
	snprintf(text, sizeof(text),
		 "POST /selftest/%s HTTP/1.1\r\nHost: www.example.test\r\nCookie: id=" WORD
		 "%s\r\nAuthorization: " WORD "%s\r\nX-Selftest: " WORD
		 "%s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n" WORD "%s",
		 v[PART_URL].text, v[PART_REQUEST_COOKIE].text, v[PART_AUTHORIZATION].text,
		 v[PART_REQUEST_HEADER].text, sizeof(WORD) - 1 + CANARY_BYTES,
		 v[PART_REQUEST_BODY].text);
	send_text(t, 0, text);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nSet-Cookie: id=" WORD "%s\r\nX-Selftest: " WORD
		 "%s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n" WORD "%s",
		 v[PART_RESPONSE_COOKIE].text, v[PART_RESPONSE_HEADER].text,
		 sizeof(WORD) - 1 + CANARY_BYTES, v[PART_RESPONSE_BODY].text);
	send_text(t, 1, text);
	traffic_close(t);
}

static int send_bodies(struct traffic *t, const struct canary *v)
{
	static const char get[] = "GET /page HTTP/1.1\r\nHost: www.example.test\r\n\r\n";
	char text[TEXT_BYTES];
	uint8_t packed[TEXT_BYTES];
	struct isal_zstream gzip;

	traffic_open(t, 80);
	send_text(t, 0, get);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" WORD "%.8s\r\n"
		 "10\r\n%s\r\n0\r\n\r\n",
		 v[PART_CHUNKED_BODY].text, v[PART_CHUNKED_BODY].text + 8);
	send_text(t, 1, text);
	send_text(t, 0, get);
	snprintf(text, sizeof(text), "<html>" WORD "%s " WORD "%s</html>", v[PART_GZIP_BODY].text,
		 v[PART_GZIP_BODY].text);
	isal_deflate_stateless_init(&gzip);
	gzip.gzip_flag = IGZIP_GZIP;
	gzip.end_of_stream = 1;
	gzip.next_in = (uint8_t *)text;
	gzip.avail_in = (uint32_t)strlen(text);
	gzip.next_out = packed;
	gzip.avail_out = sizeof(packed);
	if (isal_deflate_stateless(&gzip) != COMP_OK)
		return -EIO;
	send_body(t, "Content-Encoding: gzip\r\n", packed, gzip.total_out);
	traffic_close(t);

	traffic_open(t, 80); // and nothing more comes
	send_text(t, 0, get);
	snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" WORD "%s",
		 v[PART_CUT_BODY].text);
	send_text(t, 1, text);
	return 0;
}

// What is passed by unread after its first bytes.
static void send_others(struct traffic *t, const struct canary *v)
{
	static const uint8_t hello[205] = {0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3};
	static const uint8_t done[69] = {0x16, 3, 3, 0, 64};
	static const uint8_t record[] = {0x17, 3, 3, 0, sizeof(WORD) - 1 + CANARY_BYTES};
	static const uint8_t opaque[] = {0xff, 0xfe, 1, 2, 3, 4, 5, 6};
	char text[TEXT_BYTES];

	traffic_open(t, 443);
	traffic_send(t, 0, hello, sizeof(hello));
	traffic_send(t, 1, done, sizeof(done));
	for (int from = 0; from < 2; from++) {
		snprintf(text, sizeof(text), WORD "%s",
			 v[from == 0 ? PART_TLS_UP : PART_TLS_DOWN].text);
		traffic_send(t, from, record, sizeof(record));
		send_text(t, from, text);
	}
	traffic_close(t);
	traffic_open(t, 22);
	send_text(t, 1, "SSH-2.0-OpenSSH_9.2\r\n");
	send_text(t, 0, "SSH-2.0-OpenSSH_9.2\r\n");
	snprintf(text, sizeof(text), WORD "%s", v[PART_SSH].text);
	send_text(t, 1, text);
	traffic_close(t);
	traffic_open(t, 9999);
	traffic_send(t, 0, opaque, sizeof(opaque));
	traffic_send(t, 1, opaque, sizeof(opaque));
	snprintf(text, sizeof(text), WORD "%s", v[PART_OPAQUE].text);
	send_text(t, 0, text);
	send_text(t, 1, text);
	traffic_close(t);
}

int selftest_send(FILE *f, const struct canary v[PART_N])
{
	struct traffic t;

	traffic_begin(&t, f);
	send_messages(&t, v);
	int err = send_bodies(&t, v);
	send_others(&t, v);
	return err;
}
