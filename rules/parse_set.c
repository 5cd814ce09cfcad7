// SPDX-License-Identifier: BSD-2-Clause
// Address and port lists: "any", one entry, [a,b,...], !negated, $VARIABLE, nested in any way.
//
// A list is flattened into entries with a sign, as Suricata does: [a,[b,!c]] is (a or b) and not c.
// A negated list that holds both signs has no such form and is refused rather than misread. Lists
// with variables or brackets are parsed once per file and shared by the rules that use them:
// thousands of rules name $HOME_NET.
#include "rules/parse_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/suggest.h"

enum {
	SET_ENTRIES_MAX = 16384, // a large provider announces a few thousand prefixes
	SET_STEPS_MAX = 65536,   // variables that multiply by naming others twice end here
	SET_DEPTH_MAX = 32,
	SET_CACHE_SLOTS = 64,
	SET_STORED_MAX = 4 << 20, // entries of all lists of a file: about 80 MB
	SET_PAIRS_MAX = 1 << 20,  // comparisons spent on finding a list that matches nothing
};

const struct rule_var rule_vars_default[] = {
	{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
	{"EXTERNAL_NET", "!$HOME_NET"},
	{"HTTP_SERVERS", "$HOME_NET"},
	{"SMTP_SERVERS", "$HOME_NET"},
	{"SQL_SERVERS", "$HOME_NET"},
	{"DNS_SERVERS", "$HOME_NET"},
	{"TELNET_SERVERS", "$HOME_NET"},
	{"AIM_SERVERS", "$EXTERNAL_NET"},
	{"DC_SERVERS", "$HOME_NET"},
	{"DNP3_SERVER", "$HOME_NET"},
	{"DNP3_CLIENT", "$HOME_NET"},
	{"MODBUS_CLIENT", "$HOME_NET"},
	{"MODBUS_SERVER", "$HOME_NET"},
	{"ENIP_CLIENT", "$HOME_NET"},
	{"ENIP_SERVER", "$HOME_NET"},
	{"HTTP_PORTS", "80"},
	{"SHELLCODE_PORTS", "!80"},
	{"ORACLE_PORTS", "1521"},
	{"SSH_PORTS", "22"},
	{"DNP3_PORTS", "20000"},
	{"MODBUS_PORTS", "502"},
	{"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
	{"FTP_PORTS", "21"},
	{"GENEVE_PORTS", "6081"},
	{"VXLAN_PORTS", "4789"},
	{"TEREDO_PORTS", "3544"},
	{NULL, NULL},
};

// Grown as needed and kept from rule to rule.
struct set_cache {
	struct {
		struct text text; // in the arena
		struct rule_addrs addrs;
		struct rule_ports ports;
		bool is_ports;
	} slot[SET_CACHE_SLOTS];
	struct rule_addr *addr;
	struct rule_port *port;
	size_t addr_cap, port_cap;
	size_t stored; // entries in the arena
};

struct set {
	struct parser *p;
	bool is_ports;
	bool any;
	uint32_t n, n_negated, steps;
	unsigned int depth;
	struct text anchor; // the variable in the rule whose value is read; s NULL: the rule itself
};

// The position is in the rule: at the entry, or at the variable through which it came.
__attribute__((format(printf, 3, 4))) static int set_fail(struct set *s, const char *at,
							  const char *fmt, ...)
{
	char text[256], name[PARSE_QUOTE_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (s->anchor.s == NULL)
		return parse_fail(s->p, at, "%s", text);
	return parse_fail(s->p, s->anchor.s, "%s (in %s)", text, parse_quote(name, s->anchor));
}

// Room for the n entries of t. 0, -EINVAL, -ENOMEM.
static int set_grow(struct set *s, struct text t, uint32_t n)
{
	struct set_cache *c = s->p->sets;
	size_t *cap = s->is_ports ? &c->port_cap : &c->addr_cap;
	size_t need = (size_t)s->n + n, want = 2 * need + 64;
	void *v;

	if (need > SET_ENTRIES_MAX)
		return set_fail(s, t.s, "a list of more than %d entries", SET_ENTRIES_MAX);
	if (need <= *cap)
		return 0;
	if (s->is_ports) {
		v = realloc(c->port, want * sizeof(*c->port));
		c->port = v != NULL ? v : c->port;
	} else {
		v = realloc(c->addr, want * sizeof(*c->addr));
		c->addr = v != NULL ? v : c->addr;
	}
	if (v == NULL)
		return -ENOMEM;
	*cap = want;
	return 0;
}

static int set_port(struct set *s, struct text t, bool negated)
{
	struct text rest = t, first = text_split(&rest, ':');
	bool range = memchr(t.s, ':', t.n) != NULL;
	int64_t a = 0, b = 65535;
	char word[PARSE_QUOTE_BYTES];
	int ret;

	if ((first.n > 0 || !range) && text_number(first, 0, 65535, &a) != 0)
		return set_fail(s, t.s, "\"%s\" is not a port or a range like 1024:2048",
				parse_quote(word, t));
	if (!range)
		b = a;
	else if (rest.n > 0 && text_number(rest, 0, 65535, &b) != 0)
		return set_fail(s, t.s, "\"%s\" is not a port or a range like 1024:2048",
				parse_quote(word, t));
	if (b < a || (range && first.n == 0 && rest.n == 0))
		return set_fail(s, t.s, "port range \"%s\" is empty: write the lower port first",
				parse_quote(word, t));
	ret = set_grow(s, t, 1);
	if (ret != 0)
		return ret;
	s->p->sets->port[s->n++] = (struct rule_port){(uint16_t)a, (uint16_t)b, negated};
	s->n_negated += negated;
	return 0;
}

static int set_addr(struct set *s, struct text t, bool negated)
{
	struct rule_addr prefix[ADDR_PREFIXES_MAX];
	char word[PARSE_QUOTE_BYTES];
	const char *why;
	int n, ret;

	n = addr_prefixes(t, prefix, &why);
	if (n < 0)
		return set_fail(s, t.s, "\"%s\" %s", parse_quote(word, t), why);
	ret = set_grow(s, t, (uint32_t)n);
	if (ret != 0)
		return ret;
	for (int i = 0; i < n; i++) {
		prefix[i].negated = negated;
		s->p->sets->addr[s->n++] = prefix[i];
	}
	s->n_negated += negated ? (uint32_t)n : 0;
	return 0;
}

static int set_item(struct set *s, struct text t, bool negated);

static int set_group(struct set *s, struct text t, bool negated)
{
	struct text inner = {t.s + 1, t.n - 2};
	size_t start = 0;
	int depth = 0, ret;

	if (t.s[t.n - 1] != ']')
		return set_fail(s, t.s, "\"[\" without \"]\", or text after \"]\"");
	for (size_t i = 0; i <= inner.n; i++) {
		char c = i < inner.n ? inner.s[i] : ',';

		depth += c == '[' ? 1 : c == ']' ? -1 : 0;
		if (depth < 0)
			return set_fail(s, inner.s + i, "\"]\" without \"[\"");
		if (i < inner.n && (depth > 0 || c != ','))
			continue;
		ret = set_item(s, text_trim((struct text){inner.s + start, i - start}), negated);
		if (ret != 0)
			return ret;
		start = i + 1;
	}
	return 0;
}

static const char *variable_find(const struct rule_var *vars, struct text name)
{
	for (; vars != NULL && vars->name != NULL; vars++)
		if (strlen(vars->name) == name.n && memcmp(vars->name, name.s, name.n) == 0)
			return vars->value;
	return NULL;
}

static int variable_unknown(struct set *s, struct text t, struct text name)
{
	const char *names[128], *closest;
	char word[PARSE_QUOTE_BYTES];
	size_t n = 0;

	for (const struct rule_var *v = s->p->vars; v != NULL && v->name != NULL && n < 64; v++)
		names[n++] = v->name;
	for (const struct rule_var *v = rule_vars_default; v->name != NULL && n < 128; v++)
		names[n++] = v->name;
	parse_quote(word, name);
	closest = suggest_closest(word, names, n);
	if (closest != NULL)
		return set_fail(s, t.s, "unknown variable $%s (did you mean $%s?)", word, closest);
	return set_fail(s, t.s, "unknown variable $%s: define it, or write the value", word);
}

static int set_variable(struct set *s, struct text t, bool negated)
{
	struct text name = {t.s + 1, t.n - 1}, outer = s->anchor;
	const char *value = variable_find(s->p->vars, name);
	int ret;

	if (value == NULL)
		value = variable_find(rule_vars_default, name);
	if (value == NULL)
		return variable_unknown(s, t, name);
	if (s->anchor.s == NULL)
		s->anchor = t;
	ret = set_item(s, text_trim((struct text){value, strlen(value)}), negated);
	s->anchor = outer;
	return ret;
}

static int set_negated(struct set *s, struct text t, bool negated)
{
	uint32_t n = s->n, n_negated = s->n_negated;
	struct text inner = text_trim((struct text){t.s + 1, t.n - 1});
	int ret;

	if (inner.n > 0 && inner.s[0] == '!')
		return set_fail(s, t.s, "\"!!\": negated twice");
	ret = set_item(s, inner, !negated);
	if (ret != 0)
		return ret;
	n = s->n - n;
	n_negated = s->n_negated - n_negated;
	if (n_negated != 0 && n_negated != n)
		return set_fail(s, t.s,
				"\"!\" before a list that has negated entries itself: write the "
				"list without it");
	return 0;
}

static int set_item(struct set *s, struct text t, bool negated)
{
	int ret;

	if (t.n == 0)
		return set_fail(s, t.s, "empty entry in a list");
	if (++s->steps > SET_STEPS_MAX)
		return set_fail(s, t.s, "the list takes too long to expand");
	if (s->depth >= SET_DEPTH_MAX)
		return set_fail(
			s, t.s,
			"lists or variables nested more than %d deep: does a variable name itself?",
			SET_DEPTH_MAX);
	s->depth++;
	if (t.s[0] == '!')
		ret = set_negated(s, t, negated);
	else if (t.s[0] == '[')
		ret = set_group(s, t, negated);
	else if (t.s[0] == '$')
		ret = set_variable(s, t, negated);
	else if (text_is(t, "any") && negated)
		ret = set_fail(s, t.s, "\"!any\" matches nothing");
	else if (text_is(t, "any"))
		ret = 0;
	else
		ret = s->is_ports ? set_port(s, t, negated) : set_addr(s, t, negated);
	s->any = s->any || text_is(t, "any");
	s->depth--;
	return ret;
}

// Is every positive prefix inside a negated one?
static bool addrs_empty(const struct rule_addr *v, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		bool covered = v[i].negated;

		for (uint32_t j = 0; j < n && !covered; j++) {
			unsigned int bytes = v[j].len / 8, bits = v[j].len % 8;

			if (!v[j].negated || v[j].len > v[i].len ||
			    memcmp(v[i].prefix, v[j].prefix, bytes) != 0)
				continue;
			covered = bits == 0 ||
				  (v[i].prefix[bytes] ^ v[j].prefix[bytes]) >> (8 - bits) == 0;
		}
		if (!covered)
			return false;
	}
	return true;
}

static bool ports_hold(const struct rule_port *v, uint32_t n, bool has_positive, uint32_t port)
{
	bool in = !has_positive;

	for (uint32_t i = 0; i < n; i++) {
		if (port < v[i].first || port > v[i].last)
			continue;
		if (v[i].negated)
			return false;
		in = true;
	}
	return in;
}

// A set that is not empty holds 0, the first port of an entry, or the port after one.
static bool ports_empty(const struct rule_port *v, uint32_t n, bool has_positive)
{
	if (ports_hold(v, n, has_positive, 0))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (ports_hold(v, n, has_positive, v[i].first))
			return false;
		if (v[i].last < 65535 && ports_hold(v, n, has_positive, v[i].last + 1U))
			return false;
	}
	return true;
}

// Leave out what "any" makes void; refuse what matches nothing.
static int set_finish(struct set *s, struct text t)
{
	struct set_cache *c = s->p->sets;
	bool has_positive = s->n_negated < s->n && !s->any, empty;
	uint32_t kept = 0;

	if (s->any) {
		for (uint32_t i = 0; i < s->n; i++) {
			if (s->is_ports && c->port[i].negated)
				c->port[kept++] = c->port[i];
			else if (!s->is_ports && c->addr[i].negated)
				c->addr[kept++] = c->addr[i];
		}
		s->n = kept;
	}
	if (s->n_negated == 0 || (uint64_t)s->n * s->n > SET_PAIRS_MAX)
		return 0;
	if (s->is_ports)
		empty = ports_empty(c->port, s->n, has_positive);
	else
		empty = has_positive && addrs_empty(c->addr, s->n);
	if (empty)
		return parse_fail(s->p, t.s,
				  "the list matches nothing: all it holds is also negated");
	return 0;
}

static uint32_t slot_of(struct text t, bool is_ports)
{
	uint32_t h = 2166136261U + is_ports; // FNV-1a; which slot is all that depends on it

	for (size_t i = 0; i < t.n; i++)
		h = (h ^ (uint8_t)t.s[i]) * 16777619U;
	return (h ^ h >> 16) % SET_CACHE_SLOTS;
}

// The list of t as an array in the arena, from the cache if it was met before. 0, -EINVAL, -ENOMEM.
static int set_parse(struct parser *p, struct text t, bool is_ports, struct rule_addrs *ret_addrs,
		     struct rule_ports *ret_ports)
{
	struct set s = {.p = p, .is_ports = is_ports};
	struct set_cache *c = p->sets;
	uint32_t slot = slot_of(t, is_ports);
	struct rule_addrs addrs = {0};
	struct rule_ports ports = {0};
	size_t bytes;
	void *v = NULL;
	int ret;

	if (text_is(t, "any"))
		goto done;
	if (c->slot[slot].text.n == t.n && c->slot[slot].is_ports == is_ports &&
	    memcmp(c->slot[slot].text.s, t.s, t.n) == 0) {
		addrs = c->slot[slot].addrs;
		ports = c->slot[slot].ports;
		goto done;
	}
	ret = set_item(&s, t, false);
	if (ret == 0)
		ret = set_finish(&s, t);
	if (ret != 0)
		return ret;
	bytes = s.n * (is_ports ? sizeof(*ports.v) : sizeof(*addrs.v));
	if (s.n > SET_STORED_MAX - c->stored)
		return parse_fail(p, t.s, "the lists of this file have more than %d entries in all",
				  SET_STORED_MAX);
	if (s.n > 0) {
		c->stored += s.n;
		v = rules_alloc(p->rs, bytes + t.n);
		if (v == NULL)
			return -ENOMEM;
		memcpy(v, is_ports ? (const void *)c->port : (const void *)c->addr, bytes);
		memcpy((char *)v + bytes, t.s, t.n);
		if (is_ports)
			ports = (struct rule_ports){v, s.n};
		else
			addrs = (struct rule_addrs){v, s.n};
		c->slot[slot].text = (struct text){(char *)v + bytes, t.n};
		c->slot[slot].addrs = addrs;
		c->slot[slot].ports = ports;
		c->slot[slot].is_ports = is_ports;
	}
done:
	if (is_ports)
		*ret_ports = ports;
	else
		*ret_addrs = addrs;
	return 0;
}

int parse_addrs(struct parser *p, struct text t, struct rule_addrs *ret_addrs)
{
	return set_parse(p, t, false, ret_addrs, NULL);
}

int parse_ports(struct parser *p, struct text t, struct rule_ports *ret_ports)
{
	return set_parse(p, t, true, NULL, ret_ports);
}

struct set_cache *set_cache_new(void)
{
	return calloc(1, sizeof(struct set_cache));
}

void set_cache_free(struct set_cache *cache)
{
	if (cache == NULL)
		return;
	free(cache->addr);
	free(cache->port);
	free(cache);
}
