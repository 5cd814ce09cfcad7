// SPDX-License-Identifier: BSD-2-Clause
// Asked only of heads that rules with events look at; meanings after Suricata's documentation of its HTTP events.
#include "dataplane/engine/head_events.h"

#include <stdbool.h>
#include <string.h>

#include "dataplane/engine/uri.h"

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_space(s.data[0]))
		s = span_from(s, 1);
	while (s.len > 0 && is_space(s.data[s.len - 1]))
		s.len--;
	return s;
}

// Is word one of the values between the commas?
static bool has_token(struct span list, struct span word)
{
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.data, ',', list.len);
		size_t n = comma != NULL ? (size_t)(comma - list.data) : list.len;

		if (span_eq_nocase(trim(span_first(list, n)), word))
			return true;
		list = span_from(list, comma != NULL ? n + 1 : n);
	}
	return false;
}

static bool is_number(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return s.len > 0;
}

static struct span without_port(struct span host)
{
	const uint8_t *end = host.len > 0 ? memrchr(host.data, ':', host.len) : NULL;

	// the colons of an IPv6 address stand before its bracket
	if (end == NULL || memchr(end, ']', host.len - (size_t)(end - host.data)) != NULL)
		return host;
	return span_first(host, (size_t)(end - host.data));
}

struct seen {
	uint32_t te, length, hosts;
	bool chunked;
	struct span host;
};

static uint32_t field_events(const struct http_field *f, uint32_t response, struct seen *s)
{
	uint32_t events = 0;

	if (f->name.len == 0)
		events |= 1u << (STATE_EVENT_REQUEST_COLON + response);
	if (f->value.len > 0 && memchr(f->value.data, '\n', f->value.len) != NULL)
		events |= 1u << (STATE_EVENT_REQUEST_FOLDING + response);
	if (span_eq_nocase(f->name, SPAN_LIT("transfer-encoding"))) {
		s->te++;
		s->chunked |= has_token(f->value, SPAN_LIT("chunked"));
	} else if (span_eq_nocase(f->name, SPAN_LIT("content-length"))) {
		if (!is_number(trim(f->value)))
			events |= 1u << (STATE_EVENT_REQUEST_CL + response);
		if (s->length++ > 0)
			events |= 1u << (STATE_EVENT_REQUEST_CL_TWICE + response);
	} else if (span_eq_nocase(f->name, SPAN_LIT("host"))) {
		if (s->hosts++ == 0)
			s->host = trim(f->value);
	}
	return events;
}

uint32_t head_events(const struct http_head *h)
{
	const uint32_t response = h->dir == DIR_TO_CLIENT;
	struct span authority;
	struct seen s = {0};
	uint32_t events = 0;

	for (uint32_t i = 0; i < h->n_fields; i++)
		events |= field_events(&h->fields[i], response, &s);
	if (s.te > 0 && (!s.chunked || h->version < 11))
		events |= 1u << (STATE_EVENT_REQUEST_TE + response);
	if (response)
		return events;
	if (s.hosts == 0 && h->version == 11)
		events |= 1u << STATE_EVENT_HOST_MISSING;
	authority = uri_authority(h->target);
	if (s.hosts > 1 || (s.hosts > 0 && authority.len > 0 &&
			    !span_eq_nocase(without_port(authority), without_port(s.host))))
		events |= 1u << STATE_EVENT_HOST_AMBIGUOUS;
	return events;
}
