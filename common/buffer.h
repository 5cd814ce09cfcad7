// SPDX-License-Identifier: BSD-2-Clause
// The inspection buffers a rule can name: one table for the rule parser, the planner, the engine and reports.
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Direction of a message: 0 from client to server (request), 1 from server to client (response).
enum dir {
	DIR_TO_SERVER = 0,
	DIR_TO_CLIENT = 1,
	DIR_N = 2,
};

// When the bytes of a buffer are at hand: a HEAD buffer is complete when the message head is;
// a PACKET buffer is one segment's payload, as far as it is new and in its turn;
// a FILE buffer belongs to a file in the message and is complete when the file ends;
// a STREAM buffer arrives in pieces of any size and ends with its message.
enum buffer_stage {
	BUFFER_HEAD,
	BUFFER_PACKET,
	BUFFER_FILE,
	BUFFER_STREAM,
};

// BUFFER(id, rule keyword, old spelling that is a modifier of the content before it or "", stage, directions: bit 0 to server, bit 1 to client)
// Shapes follow the Suricata 7 rule documentation:
//   uri        percent-decoded; dot segments and double slashes of the path removed
//   host       lower case, without port          header  "Name: value\r\n" each, without Cookie/Set-Cookie
//   body       the message body after dechunking and content decoding; keyword by direction
//   file.data  the same bytes as the body in this version
//   raw        the bytes of the message as sent, head and body; packet  what raw is for rules on packets
//   url        host and target without port: what a list of URLs has behind "http://"; not one of Suricata's
//   ip.src, ip.dst  the address that the message comes from and goes to: 4 bytes, 16 of IPv6
//   file       no bytes: the size and the digests of a file (a body, a part of a multipart body)
//   header.raw, start  the head as sent with its empty line, without and with its start line
//   header_names       CR LF, each name CR LF, CR LF
//   request_header, response_header  every field as a buffer of its own, "Name: value": see buffer_is_multi()
#define BUFFER_TABLE                                                                               \
	BUFFER(METHOD, "http.method", "http_method", BUFFER_HEAD, 1)                               \
	BUFFER(URI, "http.uri", "http_uri", BUFFER_HEAD, 1)                                        \
	BUFFER(URI_RAW, "http.uri.raw", "http_raw_uri", BUFFER_HEAD, 1)                            \
	BUFFER(HOST, "http.host", "http_host", BUFFER_HEAD, 1)                                     \
	BUFFER(HOST_RAW, "http.host.raw", "http_raw_host", BUFFER_HEAD, 1)                         \
	BUFFER(USER_AGENT, "http.user_agent", "http_user_agent", BUFFER_HEAD, 1)                   \
	BUFFER(HEADER, "http.header", "http_header", BUFFER_HEAD, 3)                               \
	BUFFER(HEADER_RAW, "http.header.raw", "http_raw_header", BUFFER_HEAD, 3)                   \
	BUFFER(HEADER_NAMES, "http.header_names", "", BUFFER_HEAD, 3)                              \
	BUFFER(REQUEST_HEADER, "http.request_header", "", BUFFER_HEAD, 1)                          \
	BUFFER(RESPONSE_HEADER, "http.response_header", "", BUFFER_HEAD, 2)                        \
	BUFFER(COOKIE, "http.cookie", "http_cookie", BUFFER_HEAD, 3)                               \
	BUFFER(REFERER, "http.referer", "", BUFFER_HEAD, 1)                                        \
	BUFFER(ACCEPT, "http.accept", "", BUFFER_HEAD, 1)                                          \
	BUFFER(ACCEPT_ENC, "http.accept_enc", "", BUFFER_HEAD, 1)                                  \
	BUFFER(ACCEPT_LANG, "http.accept_lang", "", BUFFER_HEAD, 1)                                \
	BUFFER(CONNECTION, "http.connection", "", BUFFER_HEAD, 3)                                  \
	BUFFER(CONTENT_TYPE, "http.content_type", "", BUFFER_HEAD, 3)                              \
	BUFFER(CONTENT_LEN, "http.content_len", "", BUFFER_HEAD, 3)                                \
	BUFFER(LOCATION, "http.location", "", BUFFER_HEAD, 2)                                      \
	BUFFER(SERVER, "http.server", "", BUFFER_HEAD, 2)                                          \
	BUFFER(PROTOCOL, "http.protocol", "", BUFFER_HEAD, 3)                                      \
	BUFFER(START, "http.start", "", BUFFER_HEAD, 3)                                            \
	BUFFER(REQUEST_LINE, "http.request_line", "", BUFFER_HEAD, 1)                              \
	BUFFER(RESPONSE_LINE, "http.response_line", "", BUFFER_HEAD, 2)                            \
	BUFFER(STAT_CODE, "http.stat_code", "http_stat_code", BUFFER_HEAD, 2)                      \
	BUFFER(STAT_MSG, "http.stat_msg", "http_stat_msg", BUFFER_HEAD, 2)                         \
	BUFFER(URL, "http.url", "", BUFFER_HEAD, 1)                                                \
	BUFFER(IP_SRC, "ip.src", "", BUFFER_HEAD, 3)                                               \
	BUFFER(IP_DST, "ip.dst", "", BUFFER_HEAD, 3)                                               \
	BUFFER(FILE, "file", "", BUFFER_FILE, 3)                                                   \
	BUFFER(FILE_NAME, "file.name", "", BUFFER_FILE, 3)                                         \
	BUFFER(REQUEST_BODY, "http.request_body", "http_client_body", BUFFER_STREAM, 1)            \
	BUFFER(RESPONSE_BODY, "http.response_body", "http_server_body", BUFFER_STREAM, 2)          \
	BUFFER(FILE_DATA, "file.data", "file_data", BUFFER_STREAM, 3)                              \
	BUFFER(PACKET, "packet", "", BUFFER_PACKET, 3)                                             \
	BUFFER(RAW, "raw", "", BUFFER_STREAM, 3)

enum buffer {
#define BUFFER(id, keyword, old, stage, dirs) BUF_##id,
	BUFFER_TABLE
#undef BUFFER
		BUF_N
};

struct buffer_info {
	const char *keyword;
	const char *old; // modifier spelling, "" if none
	uint8_t stage;   // enum buffer_stage
	uint8_t dirs;    // bit per enum dir
};

// Does a message have several buffers of this kind? All matches of a rule on it must then hold on the same one.
static inline bool buffer_is_multi(unsigned int buffer)
{
	return buffer == BUF_REQUEST_HEADER || buffer == BUF_RESPONSE_HEADER;
}

static inline const struct buffer_info *buffer_info(unsigned int buffer)
{
	static const struct buffer_info table[BUF_N] = {
#define BUFFER(id, keyword, old, stage, dirs) [BUF_##id] = {keyword, old, stage, dirs},
		BUFFER_TABLE
#undef BUFFER
	};
	return buffer < BUF_N ? &table[buffer] : NULL;
}

#endif
