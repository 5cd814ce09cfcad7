// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules pack": options and rule files -> manifest, archive, signature, file.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "rules/bundle.h"
#include "rules/file.h"
#include "rules/parse.h"

static const char pack_help[] =
	"usage: wireglass rules pack --id ID --serial N [OPTION]... -o FILE RULES...\n"
	"\n"
	"Make a bundle of rule files (names ending in .rules; they are loaded in this order) and "
	"of the\n"
	"lists that their rules name (filemd5, dataset, ...), which are looked for beside them.\n"
	"\n"
	"  --id ID             channel of the bundle, [A-Za-z0-9._-]; serials count within it\n"
	"  --serial N          release number: higher than that of every bundle of this id before\n"
	"  -o, --output FILE   usually NAME.wgb; must not exist unless --force is given\n"
	"  --sign KEY          sign with this secret key: FILE carries the signature inside\n"
	"  --list FILE         carry this list, too, as lists/NAME (repeatable)\n"
	"  --classification FILE, --threshold-file FILE\n"
	"                      carry these, too, as config/NAME\n"
	"  --selftest FILE     carry these conversations, which rules must match or must not: "
	"sensors try them\n"
	"                      before the bundle goes live (repeatable)\n"
	"  --expires TIME      after this the bundle is not accepted: 2027-01-31 or "
	"2027-01-31T12:00:00Z, UTC\n"
	"  --created TIME      default: now, or the environment variable SOURCE_DATE_EPOCH\n"
	"  --description TEXT  what it is for\n"
	"  --owner TEXT        who answers for it\n"
	"  --authority TEXT    who ordered it\n"
	"  --legal-basis TEXT  on what ground\n"
	"  --jurisdiction TEXT of which country's law\n"
	"  --force             replace FILE\n"
	"\n"
	"The rules are not checked here: see wireglass rules check. The same input gives the same "
	"bytes.\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n"
	"\n"
	"  wireglass rules pack --id web --serial 42 --expires 2027-06-30 --sign publisher.key \\\n"
	"      -o web-42.wgb web.rules webshells.rules\n";

enum {
	PACK_FILES_MAX = BUNDLE_RULES_MAX + BUNDLE_DATA_MAX,
};

struct pack {
	struct bundle_manifest manifest;
	const char *output, *key;
	bool force;
	uint32_t n, n_rules;
	struct bundle_file files[PACK_FILES_MAX];
	char names[PACK_FILES_MAX][BUNDLE_NAME_MAX];
	char *texts[PACK_FILES_MAX];
	char sources[PACK_FILES_MAX][512]; // paths of the data files
	uint32_t n_extra;
	struct pack_extra {
		enum bundle_kind kind;
		const char *path;
	} extra[BUNDLE_DATA_MAX];
	// While rules are read for the lists that they name.
	int error;        // that a list gave, 0 if none
	struct diag diag; // what it was
};

static void pack_free(struct pack *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->texts[i]);
	free(p);
}

// Copy an option's text into a field of the manifest. False: too long.
static bool set_text(char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return false;
	memcpy(field, text, len + 1);
	return true;
}

#define SET(field, text) set_text(field, sizeof(field), text)

// Remember the file of option --list and its like.
static int pack_extra(const struct cli *cli, struct pack *p, enum bundle_kind kind)
{
	if (p->n_extra == BUNDLE_DATA_MAX)
		return cli_error(cli, CLI_USAGE, "usage",
				 "a bundle has at most %d files besides rules", BUNDLE_DATA_MAX);
	p->extra[p->n_extra++] = (struct pack_extra){kind, optarg};
	return 0;
}

static int pack_option(const struct cli *cli, struct pack *p, int c)
{
	struct bundle_manifest *m = &p->manifest;
	unsigned long long serial;
	bool fits = true;

	switch (c) {
	case 'i':
		fits = SET(m->id, optarg);
		break;
	case 's':
		if (!cli_number(optarg, 1, INT64_MAX, &serial))
			return cli_error(cli, CLI_USAGE, "usage",
					 "--serial needs a whole number from 1 on");
		m->serial = (int64_t)serial;
		break;
	case 'o':
		p->output = optarg;
		break;
	case 'k':
		p->key = optarg;
		break;
	case 'L':
		return pack_extra(cli, p, BUNDLE_LIST);
	case 'C':
		return pack_extra(cli, p, BUNDLE_CLASSIFICATION);
	case 'T':
		return pack_extra(cli, p, BUNDLE_THRESHOLD);
	case 'S':
		return pack_extra(cli, p, BUNDLE_SELFTEST);
	case 'e':
		fits = SET(m->expires, optarg);
		break;
	case 'c':
		fits = SET(m->created, optarg);
		break;
	case 'd':
		fits = SET(m->description, optarg);
		break;
	case 'w':
		fits = SET(m->owner, optarg);
		break;
	case 'a':
		fits = SET(m->authority, optarg);
		break;
	case 'l':
		fits = SET(m->legal_basis, optarg);
		break;
	case 'j':
		fits = SET(m->jurisdiction, optarg);
		break;
	case 'f':
		p->force = true;
		break;
	default:
		return CLI_USAGE;
	}
	if (!fits)
		return cli_error(cli, CLI_USAGE, "usage", "\"%.40s...\" is too long", optarg);
	return 0;
}

// A time option in the manifest's form; text is empty: now (SOURCE_DATE_EPOCH), if wanted.
static int fix_time(const struct cli *cli, const char *option, char text[32], bool now)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	unsigned long long fixed;
	struct tm tm;
	int64_t s;
	time_t t;

	if (text[0] == '\0' && !now)
		return 0;
	if (text[0] == '\0')
		s = epoch != NULL && cli_number(epoch, 0, 253402300799, &fixed) ? (int64_t)fixed
										: time(NULL);
	else if (bundle_parse_time(text, &s) < 0)
		return cli_error(cli, CLI_USAGE, "usage",
				 "%s needs a UTC time like 2027-01-31 or 2027-01-31T12:00:00Z",
				 option);
	t = (time_t)s;
	gmtime_r(&t, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

// Add a file as name, once. 0 or negative errno with p->diag.
static int pack_data(struct pack *p, enum bundle_kind kind, const char *name, const char *path)
{
	size_t len;
	int ret;

	for (uint32_t i = p->n_rules; i < p->n; i++) {
		if (strcmp(p->names[i], name) != 0)
			continue;
		if (strcmp(p->sources[i], path) == 0)
			return 0;
		diag_set(&p->diag, path, 0, 0,
			 "would be %s in the bundle, and so would %s: rename one", name,
			 p->sources[i]);
		return -EEXIST;
	}
	if (!bundle_name_is_valid(name)) {
		diag_set(&p->diag, path, 0, 0,
			 "has a name that a bundle cannot carry: at most 120 characters of "
			 "A-Z a-z 0-9 . _ / -");
		return -EINVAL;
	}
	if (p->n == PACK_FILES_MAX) {
		diag_set(&p->diag, path, 0, 0,
			 "is too much: a bundle has at most %d files besides rules",
			 BUNDLE_DATA_MAX);
		return -EFBIG;
	}
	ret = file_read(path, BUNDLE_UNPACKED_MAX, &p->texts[p->n], &len, &p->diag);
	if (ret < 0)
		return ret;
	snprintf(p->names[p->n], sizeof(p->names[0]), "%s", name);
	snprintf(p->sources[p->n], sizeof(p->sources[0]), "%s", path);
	p->files[p->n] = (struct bundle_file){p->names[p->n], p->texts[p->n], len, kind};
	p->n++;
	return 0;
}

// A rule names a list: take it along. The rule gets an empty one.
static int pack_list(void *ctx, const char *rule_file, const char *name,
		     struct rule_source *ret_source, struct diag *ret_diag)
{
	const char *slash = strrchr(rule_file, '/');
	int folder = slash != NULL ? (int)(slash - rule_file) + 1 : 0;
	struct pack *p = ctx;
	char path[512], as[BUNDLE_NAME_MAX];
	int ret = 0;

	if (p->error != 0) // the first one is said
		return p->error;
	*ret_source = (struct rule_source){.fd = -1, .data = SPAN_NONE};
	snprintf(ret_source->name, sizeof(ret_source->name), "%s", name);
	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", folder, rule_file, name) >=
		    sizeof(path) ||
	    !bundle_list_name(name, as)) {
		diag_set(&p->diag, name, 0, 0, "is too long a name");
		ret = -ENAMETOOLONG;
	}
	if (ret == 0)
		ret = pack_data(p, BUNDLE_LIST, as, path);
	if (ret < 0) {
		*ret_diag = p->diag;
		p->error = ret;
	}
	return ret;
}

// Where the list stood that could not be taken along. What else is wrong with rules is not said here.
static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	struct pack *p = ctx;

	if (p->error != 0 && p->diag.line == 0) {
		struct diag why = p->diag;
		char text[1024];

		diag_set(&p->diag, diag->file, diag->line, diag->column, "%s",
			 diag_format(&why, text, sizeof(text)));
	}
}

static int pack_all_data(const struct cli *cli, struct pack *p, char **paths)
{
	const struct rule_files files = {.open = pack_list, .ctx = p};
	struct rules rs = {.files = &files};
	int ret = 0;

	for (uint32_t i = 0; i < p->n_rules && ret >= 0 && p->error == 0; i++)
		ret = rules_parse(&rs, paths[i], p->texts[i], p->files[i].len, NULL, on_rule, p);
	rules_done(&rs);
	if (p->error != 0)
		return rules_failed(cli, p->error, &p->diag);
	for (uint32_t i = 0; i < p->n_extra && ret >= 0; i++) {
		const char *slash = strrchr(p->extra[i].path, '/'), *path = p->extra[i].path;
		char name[BUNDLE_NAME_MAX];

		snprintf(name, sizeof(name), "%s/%s",
			 p->extra[i].kind == BUNDLE_LIST       ? "lists"
			 : p->extra[i].kind == BUNDLE_SELFTEST ? "tests"
							       : "config",
			 slash != NULL ? slash + 1 : path);
		ret = pack_data(p, p->extra[i].kind, name, path);
	}
	if (ret == -ENOMEM)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	return ret < 0 ? rules_failed(cli, ret, &p->diag) : 0;
}

static int pack_files(const struct cli *cli, struct pack *p, char **paths, int n)
{
	struct diag diag = {""};

	if (n > BUNDLE_RULES_MAX)
		return cli_error(cli, CLI_USAGE, "usage", "a bundle has at most %u rule files",
				 BUNDLE_RULES_MAX);
	for (int i = 0; i < n; i++) {
		const char *slash = strrchr(paths[i], '/');
		size_t len;
		int ret = file_read(paths[i], BUNDLE_UNPACKED_MAX, &p->texts[i], &len, &diag);

		if (ret < 0)
			return rules_failed(cli, ret, &diag);
		p->n++;
		if ((size_t)snprintf(p->names[i], BUNDLE_NAME_MAX, "rules/%s",
				     slash != NULL ? slash + 1 : paths[i]) >= BUNDLE_NAME_MAX)
			return cli_error(cli, CLI_FAILED, "failed", "%s: the name is too long",
					 paths[i]);
		p->files[i] = (struct bundle_file){p->names[i], p->texts[i], len, BUNDLE_RULES};
	}
	p->n_rules = p->n;
	return pack_all_data(cli, p, paths);
}

// The output file: the archive, with its signature inside if there is a key. 0 or an exit code.
static int pack_output(const struct cli *cli, struct pack *p, struct span archive)
{
	char text[SIG_TEXT_MAX], *whole = NULL;
	struct sig_secret key;
	struct diag diag = {""};
	size_t len;
	int ret = 0;

	if (p->key != NULL) {
		ret = rules_open_key(cli, p->key, &key);
		if (ret != 0)
			return ret;
		ret = rules_sign_archive(&key, p->output, archive, NULL, text, &diag);
		sodium_memzero(&key, sizeof(key));
		if (ret >= 0)
			ret = bundle_embed(archive, span_of(text, strlen(text)), &whole, &len);
		if (ret == 0)
			archive = span_of(whole, len);
	}
	if (ret >= 0)
		ret = file_write(p->output, archive, 0644, p->force, &diag);
	free(whole);
	if (ret == -EEXIST)
		return cli_error(cli, CLI_FAILED, "exists", "%s exists: --force replaces it",
				 p->output);
	return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
}

static int pack_print(const struct cli *cli, const struct pack *p, size_t len)
{
	json_t *reply;
	int ret;

	if (cli->json) {
		reply = json_pack("{s:o, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:b}", "file",
				  cli_json_text(p->output), "id", p->manifest.id, "serial",
				  (json_int_t)p->manifest.serial, "created", p->manifest.created,
				  "expires", p->manifest.expires, "files", (json_int_t)p->n_rules,
				  "data", (json_int_t)(p->n - p->n_rules), "bytes", (json_int_t)len,
				  "signed", p->key != NULL);
		ret = reply != NULL ? client_print_json(reply) : CLI_FAILED;
		json_decref(reply);
		return ret;
	}
	if (cli->quiet)
		return CLI_OK;
	printf("%s: bundle %s serial %lld, %u rule files, ", p->output, p->manifest.id,
	       (long long)p->manifest.serial, p->n_rules);
	if (p->n > p->n_rules)
		printf("%u other file%s, ", p->n - p->n_rules, p->n - p->n_rules > 1 ? "s" : "");
	printf("%zu bytes, %s\n", len,
	       p->key != NULL ? "signed" : "not signed yet: wireglass rules sign");
	return CLI_OK;
}

static int pack_run(const struct cli *cli, struct pack *p, char **paths, int n)
{
	struct diag diag = {""};
	char *archive;
	size_t len;
	int ret;

	if (p->manifest.id[0] == '\0' || p->manifest.serial == 0 || p->output == NULL || n == 0)
		return cli_error(
			cli, CLI_USAGE, "usage",
			"rules pack needs --id, --serial, -o and rule files (see wireglass "
			"help rules pack)");
	ret = fix_time(cli, "--created", p->manifest.created, true);
	if (ret == 0)
		ret = fix_time(cli, "--expires", p->manifest.expires, false);
	if (ret == 0)
		ret = pack_files(cli, p, paths, n);
	if (ret != 0)
		return ret;
	ret = bundle_pack(&p->manifest, p->files, p->n, &archive, &len, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	ret = pack_output(cli, p, span_of(archive, len));
	free(archive);
	return ret != 0 ? ret : pack_print(cli, p, len);
}

int rules_pack(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"id", required_argument, NULL, 'i'},
		{"serial", required_argument, NULL, 's'},
		{"output", required_argument, NULL, 'o'},
		{"sign", required_argument, NULL, 'k'},
		{"list", required_argument, NULL, 'L'},
		{"selftest", required_argument, NULL, 'S'},
		{"classification", required_argument, NULL, 'C'},
		{"threshold-file", required_argument, NULL, 'T'},
		{"expires", required_argument, NULL, 'e'},
		{"created", required_argument, NULL, 'c'},
		{"description", required_argument, NULL, 'd'},
		{"owner", required_argument, NULL, 'w'},
		{"authority", required_argument, NULL, 'a'},
		{"legal-basis", required_argument, NULL, 'l'},
		{"jurisdiction", required_argument, NULL, 'j'},
		{"force", no_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct pack *p = calloc(1, sizeof(*p));
	int c, ret = 0;

	if (p == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	while (ret == 0 && (c = cli_option(cli, "rules pack", argc, argv, ":ho:", options)) != -1) {
		if (c == 'h') {
			fputs(pack_help, stdout);
			pack_free(p);
			return CLI_OK;
		}
		ret = pack_option(cli, p, c);
	}
	if (ret == 0)
		ret = pack_run(cli, p, argv + optind, argc - optind);
	pack_free(p);
	return ret;
}
