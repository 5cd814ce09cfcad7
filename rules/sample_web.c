// SPDX-License-Identifier: BSD-2-Clause
// A web site that does not exist: everything is drawn from the lists below by a generator with a fixed seed. Frequent
// words are listed first and drawn more often, so that pieces of text are about as common as on real pages; what is
// rare in it need not be rare elsewhere, which is why an operator can measure on a capture of his own instead.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/sample.h"

enum {
	EXCHANGES = 128,
	TEXT_MAX = 32 << 10, // of one body, and of one head
};

struct text {
	char *p;
	size_t len;
};

struct web {
	struct sample *sample;
	uint64_t state;
	struct text head, fields, names, body, raw;
	int err;
};

static const char *const words[] = {
	"the",       "of",        "and",        "to",       "in",         "a",        "is",
	"that",      "for",       "it",         "as",       "with",       "was",      "on",
	"be",        "at",        "by",         "are",      "this",       "have",     "from",
	"or",        "not",       "you",        "one",      "had",        "but",      "all",
	"we",        "can",       "her",        "has",      "there",      "their",    "what",
	"more",      "when",      "your",       "will",     "home",       "about",    "page",
	"search",    "free",      "other",      "new",      "time",       "they",     "site",
	"may",       "up",        "news",       "out",      "use",        "any",      "see",
	"only",      "so",        "his",        "here",     "who",        "web",      "also",
	"now",       "help",      "get",        "view",     "online",     "first",    "been",
	"would",     "how",       "were",       "services", "some",       "these",    "click",
	"its",       "like",      "service",    "than",     "find",       "price",    "date",
	"back",      "top",       "people",     "list",     "name",       "just",     "over",
	"state",     "year",      "day",        "into",     "email",      "two",      "health",
	"world",     "next",      "used",       "work",     "last",       "most",     "products",
	"music",     "buy",       "data",       "make",     "them",       "should",   "product",
	"system",    "post",      "city",       "policy",   "number",     "such",     "please",
	"available", "copyright", "support",    "message",  "after",      "best",     "software",
	"then",      "good",      "video",      "well",     "where",      "info",     "rights",
	"public",    "books",     "high",       "school",   "through",    "each",     "links",
	"review",    "years",     "order",      "very",     "privacy",    "book",     "items",
	"company",   "read",      "group",      "need",     "many",       "user",     "said",
	"does",      "under",     "general",    "research", "university", "january",  "mail",
	"full",      "map",       "reviews",    "program",  "life",       "know",     "games",
	"way",       "days",      "management", "part",     "could",      "great",    "united",
	"hotel",     "real",      "item",       "center",   "store",      "travel",   "comments",
	"made",      "report",    "off",        "member",   "details",    "line",     "terms",
	"before",    "hotels",    "right",      "because",  "local",      "those",    "results",
	"office",    "national",  "car",        "design",   "take",       "posted",   "internet",
	"address",   "community", "within",     "water",    "phone",      "shipping", "customer",
	"history",   "garden",    "kitchen",    "bridge",   "weather",    "yellow",   "quality",
	"exchange",  "jacket",    "quartz",     "physics",  "zone",       "wizard",   "oxygen",
};

static const char *const hosts[] = {"www.example.com", "shop.example.net", "cdn.example.org",
				    "api.example.com", "blog.example.net", "192.0.2.17"};

static const char *const agents[] = {
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
	"Chrome/120.0.0.0 Safari/537.36",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	"Version/17.1 Safari/605.1.15",
	"Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
	"Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
	"curl/7.88.1",
	"Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
};

static const char *const suffixes[] = {".html", ".php",  "/",     ".js",  ".css", ".png",
				       ".jpg",  ".aspx", ".json", ".gif", "",     ".woff2"};

enum kind { KIND_PAGE, KIND_SCRIPT, KIND_STYLE, KIND_JSON, KIND_PICTURE, KIND_N };

static const char *const types[KIND_N] = {"text/html; charset=UTF-8", "application/javascript",
					  "text/css", "application/json", "image/png"};

// xorshift64*
static uint32_t draw(struct web *w, uint32_t below)
{
	w->state ^= w->state >> 12;
	w->state ^= w->state << 25;
	w->state ^= w->state >> 27;
	return (uint32_t)((w->state * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->len, TEXT_MAX - t->len, fmt, ap);
	va_end(ap);
	if (n > 0) // what does not fit is cut
		t->len = t->len + (size_t)n < TEXT_MAX ? t->len + (size_t)n : TEXT_MAX - 1;
}

// The lower of two draws: the front of the list is more frequent.
static const char *word(struct web *w)
{
	const uint32_t n = sizeof(words) / sizeof(words[0]);
	uint32_t a = draw(w, n), b = draw(w, n), c = draw(w, n);

	a = a < b ? a : b;
	return words[a < c ? a : c];
}

static void sentence(struct web *w, struct text *t)
{
	uint32_t n = 5 + draw(w, 14);
	const char *first = word(w);

	put(t, "%c%s", first[0] - 'a' + 'A', first + 1);
	while (n-- > 0)
		put(t, "%s%s", draw(w, 12) == 0 ? ", " : " ", word(w));
	put(t, draw(w, 9) == 0 ? "? " : ". ");
}

static void make_page(struct web *w, struct text *t, size_t until)
{
	put(t,
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s %s "
	    "- %s</title>\n",
	    word(w), word(w), word(w));
	put(t,
	    "<link rel=\"stylesheet\" href=\"/assets/%s-%08x.css\">\n<script "
	    "type=\"text/javascript\" src=\"/js/%s.min.js?v=%u\"></script>\n</head>\n<body "
	    "class=\"%s\">\n",
	    word(w), draw(w, UINT32_MAX), word(w), draw(w, 100), word(w));
	while (t->len < until) {
		switch (draw(w, 7)) {
		case 0:
			put(t, "<div class=\"%s-%s\" id=\"%s%u\">\n", word(w), word(w), word(w),
			    draw(w, 500));
			break;
		case 1:
			put(t, "<a href=\"http://%s/%s/%s%s?id=%u&amp;%s=%s\">%s %s</a>\n",
			    hosts[draw(w, 6)], word(w), word(w), suffixes[draw(w, 12)],
			    draw(w, 100000), word(w), word(w), word(w), word(w));
			break;
		case 2:
			put(t,
			    "<img src=\"/images/%s_%ux%u.jpg\" alt=\"%s\" width=\"%u\" "
			    "height=\"%u\" />\n",
			    word(w), draw(w, 999), draw(w, 999), word(w), draw(w, 999),
			    draw(w, 999));
			break;
		case 3:
			put(t,
			    "<form action=\"/%s.php\" method=\"post\"><input type=\"text\" "
			    "name=\"%s\" value=\"\"><input type=\"submit\"></form>\n",
			    word(w), word(w));
			break;
		case 4:
			put(t,
			    "<script>\nvar %s = document.getElementById('%s%u');\nif (%s) { "
			    "%s.style.display = \"none\"; }\n</script>\n</div>\n",
			    word(w), word(w), draw(w, 500), word(w), word(w));
			break;
		default:
			put(t, "<p>");
			sentence(w, t);
			sentence(w, t);
			sentence(w, t);
			put(t, "</p>\n");
		}
	}
	put(t, "</body>\n</html>\n");
}

static void make_script(struct web *w, struct text *t, size_t until)
{
	put(t, "/*! %s v%u.%u.%u */\n!function(e,t){\"use strict\";", word(w), draw(w, 9),
	    draw(w, 20), draw(w, 20));
	while (t->len < until) {
		switch (draw(w, 5)) {
		case 0:
			put(t,
			    "function %s(e,t,n){var r=e.%s,i=t||{};return "
			    "r&&i.%s?n(r):null}\n",
			    word(w), word(w), word(w));
			break;
		case 1:
			put(t, "for(var i=0;i<this.%s.length;i++){this.%s[i].%s=!0}", word(w),
			    word(w), word(w));
			break;
		case 2:
			put(t,
			    "window.%s=window.%s||[];document.addEventListener(\"%s\",function("
			    "e){e.preventDefault()},false);\n",
			    word(w), word(w), word(w));
			break;
		case 3:
			put(t,
			    "// %s %s %s\nif (typeof %s === 'undefined') { throw new "
			    "Error('%s'); }\n",
			    word(w), word(w), word(w), word(w), word(w));
			break;
		default:
			put(t, "var %s=\"%08x%08x\",%s=%u;", word(w), draw(w, UINT32_MAX),
			    draw(w, UINT32_MAX), word(w), draw(w, 100000));
		}
	}
	put(t, "}(window);\n");
}

static void make_style(struct web *w, struct text *t, size_t until)
{
	while (t->len < until)
		put(t,
		    ".%s-%s a:hover, #%s {\n  margin: 0 %upx; padding: %u.5em;\n  "
		    "background-color: #%06x;\n  font-family: Arial, sans-serif;\n}\n",
		    word(w), word(w), word(w), draw(w, 40), draw(w, 9), draw(w, 1 << 24));
}

static void make_json(struct web *w, struct text *t, size_t until)
{
	put(t, "{\"status\":\"ok\",\"%s\":[", word(w));
	while (t->len < until)
		put(t,
		    "{\"id\":%u,\"%s\":\"%s %s\",\"%s\":%s,\"url\":\"https:\\/\\/"
		    "%s\\/%s\"},",
		    draw(w, 1000000), word(w), word(w), word(w), word(w),
		    draw(w, 2) != 0 ? "true" : "null", hosts[draw(w, 6)], word(w));
	put(t, "{}]}");
}

static void make_picture(struct web *w, struct text *t, size_t until)
{
	static const char start[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2\200\0\0\1\340\10\6\0\0\0";

	memcpy(t->p, start, sizeof(start) - 1);
	for (t->len = sizeof(start) - 1; t->len < until; t->len++)
		t->p[t->len] = (char)draw(w, 256);
}

static void make_body(struct web *w, enum kind kind)
{
	size_t until = 1000 + draw(w, 14 << 10);

	w->body.len = 0;
	switch (kind) {
	case KIND_PAGE:
		make_page(w, &w->body, until);
		break;
	case KIND_SCRIPT:
		make_script(w, &w->body, until);
		break;
	case KIND_STYLE:
		make_style(w, &w->body, until / 2);
		break;
	case KIND_JSON:
		make_json(w, &w->body, until / 4);
		break;
	default:
		make_picture(w, &w->body, until);
	}
}

static void add(struct web *w, unsigned int buffer, enum dir dir, const char *data, size_t len)
{
	if (w->err == 0)
		w->err = sample_add(w->sample, buffer, dir, span_of(data, len));
}

// A field of the head, and the buffer that holds its value alone.
__attribute__((format(printf, 5, 6))) static void
field(struct web *w, unsigned int buffer, enum dir dir, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	put(&w->names, "%s\r\n", name);
	put(&w->head, "%s: %s\r\n", name, value);
	if (buffer != BUF_COOKIE)
		put(&w->fields, "%s: %s\r\n", name, value);
	if (buffer != BUF_N)
		add(w, buffer, dir, value, strlen(value));
}

static void head_begin(struct web *w, enum dir dir, const char *start_line)
{
	sample_message(w->sample, dir);
	w->head.len = w->fields.len = w->names.len = 0;
	put(&w->head, "%s\r\n", start_line);
	put(&w->names, "\r\n");
	add(w, dir == DIR_TO_SERVER ? BUF_REQUEST_LINE : BUF_RESPONSE_LINE, dir, start_line,
	    strlen(start_line));
	add(w, BUF_PROTOCOL, dir, "HTTP/1.1", 8);
}

// The head is complete: the buffers that are made of all of it, and the message as it was sent.
static void message_end(struct web *w, enum dir dir, bool has_body)
{
	size_t line = (size_t)(strstr(w->head.p, "\r\n") - w->head.p) + 2;

	put(&w->names, "\r\n");
	put(&w->head, "\r\n");
	add(w, BUF_START, dir, w->head.p, w->head.len);
	add(w, BUF_HEADER_RAW, dir, w->head.p + line, w->head.len - line);
	add(w, BUF_HEADER, dir, w->fields.p, w->fields.len);
	add(w, BUF_HEADER_NAMES, dir, w->names.p, w->names.len);
	add(w, dir == DIR_TO_SERVER ? BUF_REQUEST_HEADER : BUF_RESPONSE_HEADER, dir, w->fields.p,
	    w->fields.len);
	memcpy(w->raw.p, w->head.p, w->head.len);
	w->raw.len = w->head.len;
	if (has_body) {
		memcpy(w->raw.p + w->raw.len, w->body.p, w->body.len);
		w->raw.len += w->body.len;
		add(w, BUF_FILE_DATA, dir, w->body.p, w->body.len);
		if (dir == DIR_TO_SERVER)
			add(w, BUF_REQUEST_BODY, dir, w->body.p, w->body.len);
	}
	add(w, BUF_RAW, dir, w->raw.p, w->raw.len);
}

static void make_request(struct web *w)
{
	const enum dir dir = DIR_TO_SERVER;
	bool post = draw(w, 8) == 0;
	const char *method = post ? "POST" : "GET", *host = hosts[draw(w, 6)];
	char uri[400], line[512];
	int n;

	n = snprintf(uri, sizeof(uri), "/%s/%s%s", word(w), word(w), suffixes[draw(w, 12)]);
	for (uint32_t i = draw(w, 5), k = 0; k < i; k++)
		n += snprintf(uri + n, sizeof(uri) - (size_t)n, "%c%s=%s%u", k == 0 ? '?' : '&',
			      k == 1 ? "id" : word(w), word(w), draw(w, 1000));
	snprintf(line, sizeof(line), "%s %s HTTP/1.1", method, uri);
	head_begin(w, dir, line);
	add(w, BUF_METHOD, dir, method, strlen(method));
	add(w, BUF_URI, dir, uri, strlen(uri));
	add(w, BUF_URI_RAW, dir, uri, strlen(uri));
	add(w, BUF_HOST, dir, host, strlen(host));
	field(w, BUF_HOST_RAW, dir, "Host", "%s", host);
	field(w, BUF_USER_AGENT, dir, "User-Agent", "%s", agents[draw(w, 6)]);
	field(w, BUF_ACCEPT, dir, "Accept",
	      "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
	field(w, BUF_ACCEPT_LANG, dir, "Accept-Language", "en-US,en;q=0.5");
	field(w, BUF_ACCEPT_ENC, dir, "Accept-Encoding", "gzip, deflate");
	if (draw(w, 3) != 0)
		field(w, BUF_REFERER, dir, "Referer", "http://%s/%s", host, word(w));
	if (draw(w, 2) != 0)
		field(w, BUF_COOKIE, dir, "Cookie", "PHPSESSID=%08x%08x; _%s=%u",
		      draw(w, UINT32_MAX), draw(w, UINT32_MAX), word(w), draw(w, 1000000));
	w->body.len = 0;
	if (post) {
		for (uint32_t i = 2 + draw(w, 12); i > 0; i--)
			put(&w->body, "%s=%s+%s%%20%u&", word(w), word(w), word(w), draw(w, 100));
		field(w, BUF_CONTENT_TYPE, dir, "Content-Type",
		      "application/x-www-form-urlencoded");
		field(w, BUF_CONTENT_LEN, dir, "Content-Length", "%zu", w->body.len);
	}
	field(w, BUF_CONNECTION, dir, "Connection", "keep-alive");
	message_end(w, dir, post);
}

static void make_answer(struct web *w)
{
	static const uint8_t mix[] = {KIND_PAGE,   KIND_PAGE,  KIND_PAGE, KIND_PAGE,   KIND_SCRIPT,
				      KIND_SCRIPT, KIND_STYLE, KIND_JSON, KIND_PICTURE};
	const enum dir dir = DIR_TO_CLIENT;
	enum kind kind = mix[draw(w, sizeof(mix))];
	uint32_t moved = draw(w, 12);
	const char *code = moved == 0   ? "302"
			   : moved == 1 ? "404"
					: "200",
		   *text = moved == 0   ? "Found"
			   : moved == 1 ? "Not Found"
					: "OK";
	char line[64];

	make_body(w, kind);
	snprintf(line, sizeof(line), "HTTP/1.1 %s %s", code, text);
	head_begin(w, dir, line);
	add(w, BUF_STAT_CODE, dir, code, strlen(code));
	add(w, BUF_STAT_MSG, dir, text, strlen(text));
	field(w, BUF_N, dir, "Date", "Mon, %02u Jan 2024 %02u:%02u:%02u GMT", 1 + draw(w, 28),
	      draw(w, 24), draw(w, 60), draw(w, 60));
	field(w, BUF_SERVER, dir, "Server", "%s", draw(w, 2) != 0 ? "nginx" : "Apache/2.4.57");
	field(w, BUF_CONTENT_TYPE, dir, "Content-Type", "%s", types[kind]);
	field(w, BUF_CONTENT_LEN, dir, "Content-Length", "%zu", w->body.len);
	field(w, BUF_N, dir, "Last-Modified", "Tue, %02u Dec 2023 10:00:00 GMT", 1 + draw(w, 28));
	field(w, BUF_N, dir, "ETag", "\"%08x-%x\"", draw(w, UINT32_MAX), draw(w, 65536));
	field(w, BUF_N, dir, "Cache-Control", "max-age=%u", draw(w, 100000));
	if (moved == 0)
		field(w, BUF_LOCATION, dir, "Location", "http://%s/%s", hosts[draw(w, 6)], word(w));
	if (draw(w, 4) == 0)
		field(w, BUF_COOKIE, dir, "Set-Cookie", "_%s=%08x; path=/; HttpOnly", word(w),
		      draw(w, UINT32_MAX));
	field(w, BUF_CONNECTION, dir, "Connection", "keep-alive");
	message_end(w, dir, true);
}

int sample_builtin(struct sample *s)
{
	struct web w = {.sample = s, .state = 0x57454221};
	char *memory = calloc(6, TEXT_MAX);

	if (memory == NULL)
		return -ENOMEM;
	w.head.p = memory;
	w.fields.p = memory + TEXT_MAX;
	w.names.p = memory + 2 * TEXT_MAX;
	w.body.p = memory + 3 * TEXT_MAX;
	w.raw.p = memory + 4 * TEXT_MAX; // head and body: two of them
	for (int i = 0; i < EXCHANGES && w.err == 0; i++) {
		make_request(&w);
		make_answer(&w);
	}
	free(memory);
	return w.err;
}
