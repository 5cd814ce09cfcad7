// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules diff": what another bundle would change, rule by rule and option by option. Rules are compared as they
// are written, so that those that would be refused are compared, too; nothing of a bundle is read before it is verified.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "control/settings.h"
#include "rules/bundle.h"
#include "rules/file.h"

static const char help[] =
	"usage: wireglass rules diff [--key PUBLIC]... A B\n"
	"\n"
	"What changes from bundle A to bundle B: rules that come (+), go (-) and change (~, with "
	"each "
	"option\n"
	"that is different), lists and settings, and what the manifests say. A and B may be rule "
	"files\n"
	"(*.rules), too.\n"
	"\n"
	"  -k, --key PUBLIC  a public key, or a folder with *.pub files (default " SETTINGS_KEYS_DIR
	")\n"
	"\n"
	"Exit codes: 0 compared, 5 not signed by one of the keys, 1 not a valid bundle, 2 usage.\n"
	"\n"
	"  wireglass rules diff web-41.wgb web-42.wgb\n"
	"  wireglass --json rules diff web-41.wgb web-42.wgb | jq '.changed[].sid'\n";

// One of the two, as JSON: rules {"gid:sid": {sid, gid, msg, parts {name: text}}}, data {name: sha256}, manifest
// {name: text}.
struct side {
	json_t *rules, *data, *manifest;
	uint32_t nameless; // rules without a sid
};

// --- rules as text

static void trim(const char **io_start, const char **io_end)
{
	while (*io_start < *io_end && isspace((unsigned char)**io_start))
		(*io_start)++;
	while (*io_start < *io_end && isspace((unsigned char)(*io_end)[-1]))
		(*io_end)--;
}

// Add text to what the rule has under name: options may stand in it several times, and their order counts.
static void add_part(json_t *parts, const char *name, size_t name_len, const char *start,
		     const char *end)
{
	char key[128], *all;
	const char *before;

	trim(&start, &end);
	snprintf(key, sizeof(key), "%.*s", (int)name_len, name);
	before = json_string_value(json_object_get(parts, key));
	if (asprintf(&all, "%s%s%.*s", before != NULL ? before : "", before != NULL ? "; " : "",
		     (int)(end - start), start) < 0)
		return;
	json_object_set_new(parts, key, cli_json_text(all));
	free(all);
}

static void add_option(json_t *parts, const char *start, const char *end)
{
	trim(&start, &end);
	if (start == end)
		return;
	const char *colon = memchr(start, ':', (size_t)(end - start)), *name_end = colon;
	if (colon == NULL)
		name_end = colon = end;
	else
		colon++;
	trim(&start, &name_end);
	add_part(parts, start, (size_t)(name_end - start), colon, end);
}

// "header (option; option; ...)".
static json_t *split_rule(const char *start, const char *end)
{
	const char *open = memchr(start, '(', (size_t)(end - start)), *from;
	json_t *parts = json_object();
	bool quoted = false;

	if (open == NULL)
		return parts;
	add_part(parts, "header", 6, start, open);
	from = open + 1;
	for (const char *c = from; c < end; c++) {
		if (*c == '\\')
			c++;
		else if (*c == '"')
			quoted = !quoted;
		else if (*c == ';' && !quoted) {
			add_option(parts, from, c);
			from = c + 1;
		}
	}
	return parts;
}

static long long number_in(const json_t *parts, const char *name, long long without)
{
	const char *text = json_string_value(json_object_get(parts, name));

	return text != NULL ? atoll(text) : without;
}

static void add_rule(struct side *s, const char *start, const char *end)
{
	trim(&start, &end);
	if (start == end || *start == '#')
		return;
	json_t *parts = split_rule(start, end);
	long long sid = number_in(parts, "sid", 0), gid = number_in(parts, "gid", 1);
	const char *msg = json_string_value(json_object_get(parts, "msg"));
	char key[64];

	snprintf(key, sizeof(key), "%lld:%lld", gid, sid);
	if (sid <= 0)
		s->nameless++;
	else
		json_object_set_new(s->rules, key,
				    json_pack("{s:I, s:I, s:s, s:O}", "sid", (json_int_t)sid, "gid",
					      (json_int_t)gid, "msg", msg != NULL ? msg : "",
					      "parts", parts));
	json_decref(parts);
}

// Every rule of a text; a line that ends in a backslash goes on in the next one.
static void add_rules(struct side *s, const char *text, size_t len)
{
	char *joined = malloc(len + 1), *out = joined;
	const char *end = text + len;

	if (joined == NULL)
		return;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop;
		bool more;

		stop = newline != NULL ? newline : end;
		newline = newline != NULL ? newline + 1 : end;
		if (stop > text && stop[-1] == '\r')
			stop--;
		more = stop > text && stop[-1] == '\\';
		memcpy(out, text, (size_t)(stop - text));
		out += stop - text - more;
		if (!more || newline == end) {
			add_rule(s, joined, out);
			out = joined;
		}
		text = newline;
	}
	free(joined);
}

// --- the two sides

static void add_bundle(struct side *s, const struct bundle *b)
{
	const struct bundle_manifest *m = &b->manifest;
	const char *const texts[][2] = {{"id", m->id},
					{"created", m->created},
					{"expires", m->expires},
					{"description", m->description},
					{"owner", m->owner},
					{"authority", m->authority},
					{"legal_basis", m->legal_basis},
					{"jurisdiction", m->jurisdiction}};
	char ids[SIG_SET_MAX * SIG_ID_TEXT], serial[24];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		json_object_set_new(s->manifest, texts[i][0], cli_json_text(texts[i][1]));
	snprintf(serial, sizeof(serial), "%lld", (long long)m->serial);
	json_object_set_new(s->manifest, "serial", json_string(serial));
	json_object_set_new(s->manifest, "keys", json_string(sig_ids_text(ids, &b->signer)));
	for (uint32_t i = 0; i < b->n_files; i++)
		add_rules(s, b->files[i].text, b->files[i].len);
	for (uint32_t i = 0; i < m->n_data; i++)
		json_object_set_new(s->data, m->data[i].name, json_string(m->data[i].sha256));
}

static void side_done(struct side *s)
{
	json_decref(s->rules);
	json_decref(s->data);
	json_decref(s->manifest);
}

// 0 or an exit code.
static int side_read(const struct cli *cli, const char *path, const struct sig_trust *trust,
		     struct side *s)
{
	const char *dot = strrchr(path, '.');
	struct diag diag = {""};
	struct bundle *b;
	size_t len;
	char *text;
	int ret;

	*s = (struct side){json_object(), json_object(), json_object(), 0};
	if (dot != NULL && strcmp(dot, ".rules") == 0) {
		ret = file_read(path, BUNDLE_UNPACKED_MAX, &text, &len, &diag);
		if (ret == 0) {
			add_rules(s, text, len);
			free(text);
		}
	} else {
		ret = bundle_read_file(path, trust, &b, &diag);
		if (ret == 0) {
			add_bundle(s, b);
			bundle_free(b);
		}
	}
	return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
}

// --- comparing

// What is different in two objects of texts: [{what, from, to}], null where there is none.
static json_t *differences(const json_t *a, const json_t *b)
{
	json_t *list = json_array(), *v;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)a, name, v)
	{
		json_t *other = json_object_get(b, name);

		if (other == NULL || !json_equal(v, other))
			json_array_append_new(list, json_pack("{s:s, s:O, s:O?}", "what", name,
							      "from", v, "to", other));
	}
	json_object_foreach((json_t *)(uintptr_t)b, name, v)
	{
		if (json_object_get(a, name) == NULL)
			json_array_append_new(
				list, json_pack("{s:s, s:n, s:O}", "what", name, "from", "to", v));
	}
	return list;
}

static json_t *without_parts(const json_t *rule)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)rule);

	json_object_del(copy, "parts");
	return copy;
}

static json_t *compare(const struct side *a, const struct side *b)
{
	json_t *added = json_array(), *removed = json_array(), *changed = json_array(), *rule;
	json_int_t same = 0;
	const char *key;

	json_object_foreach(a->rules, key, rule)
	{
		const json_t *other = json_object_get(b->rules, key);

		if (other == NULL) {
			json_array_append_new(removed, without_parts(rule));
			continue;
		}
		json_t *list = differences(json_object_get(rule, "parts"),
					   json_object_get(other, "parts"));
		if (json_array_size(list) == 0) {
			same++;
			json_decref(list);
			continue;
		}
		json_t *entry = without_parts(other);
		json_object_set_new(entry, "changes", list);
		json_array_append_new(changed, entry);
	}
	json_object_foreach(b->rules, key, rule)
	{
		if (json_object_get(a->rules, key) == NULL)
			json_array_append_new(added, without_parts(rule));
	}
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:o}", "added", added, "removed", removed,
			 "changed", changed, "same", same, "without_sid",
			 (json_int_t)(a->nameless + b->nameless), "data",
			 differences(a->data, b->data), "manifest",
			 differences(a->manifest, b->manifest));
}

static void print_rules(char mark, const json_t *rules)
{
	const json_t *r, *change;
	size_t i, k;

	json_array_foreach(rules, i, r)
	{
		printf("%c %lld ", mark, (long long)json_integer_value(json_object_get(r, "sid")));
		rules_print_text(json_string_value(json_object_get(r, "msg")));
		putchar('\n');
		json_array_foreach(json_object_get(r, "changes"), k, change)
		{
			const char *from = json_string_value(json_object_get(change, "from"));
			const char *to = json_string_value(json_object_get(change, "to"));

			printf("    ");
			rules_print_text(json_string_value(json_object_get(change, "what")));
			printf(": ");
			rules_print_text(from != NULL ? from : "(none)");
			printf(" -> ");
			rules_print_text(to != NULL ? to : "(none)");
			putchar('\n');
		}
	}
}

static void print_changes(const char *what, const json_t *list)
{
	const json_t *c;
	size_t i;

	json_array_foreach(list, i, c)
	{
		const char *from = json_string_value(json_object_get(c, "from"));
		const char *to = json_string_value(json_object_get(c, "to"));

		printf("%s %s: ", what, json_string_value(json_object_get(c, "what")));
		rules_print_text(from != NULL && from[0] != '\0' ? from : "(none)");
		printf(" -> ");
		rules_print_text(to != NULL && to[0] != '\0' ? to : "(none)");
		putchar('\n');
	}
}

static int print_diff(const struct cli *cli, json_t *diff)
{
	const json_t *added = json_object_get(diff, "added"),
		     *removed = json_object_get(diff, "removed"),
		     *changed = json_object_get(diff, "changed");

	if (diff == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	if (cli->json)
		return client_print_json(diff);
	print_changes("manifest", json_object_get(diff, "manifest"));
	print_changes("file", json_object_get(diff, "data"));
	print_rules('-', removed);
	print_rules('+', added);
	print_rules('~', changed);
	printf("%zu added, %zu removed, %zu changed, %lld the same\n", json_array_size(added),
	       json_array_size(removed), json_array_size(changed),
	       (long long)json_integer_value(json_object_get(diff, "same")));
	return CLI_OK;
}

static int run(const struct cli *cli, const char *a_path, const char *b_path,
	       const struct sig_trust *trust)
{
	struct side a, b;
	int ret = side_read(cli, a_path, trust, &a);

	if (ret == 0) {
		ret = side_read(cli, b_path, trust, &b);
		if (ret == 0) {
			json_t *diff = compare(&a, &b);
			ret = print_diff(cli, diff);
			json_decref(diff);
		}
		side_done(&b);
	}
	side_done(&a);
	return ret;
}

int rules_diff(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	struct diag diag = {""};
	int c, ret = 0;

	if (trust == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	while (ret == 0 && (c = cli_option(cli, "rules diff", argc, argv, ":hk:", options)) != -1) {
		if (c == 'h')
			fputs(help, stdout);
		if (c != 'k') {
			free(trust);
			return c == 'h' ? CLI_OK : CLI_USAGE;
		}
		ret = sig_trust_add(trust, optarg, &diag);
	}
	if (ret == 0 && trust->n == 0) // rule files need none
		(void)sig_trust_add(trust, SETTINGS_KEYS_DIR, &diag);
	if (ret < 0)
		ret = rules_failed(cli, ret, &diag);
	else if (argc - optind != 2)
		ret = cli_error(cli, CLI_USAGE, "usage",
				"rules diff needs two bundles (see wireglass help rules diff)");
	else
		ret = run(cli, argv[optind], argv[optind + 1], trust);
	free(trust);
	return ret;
}
