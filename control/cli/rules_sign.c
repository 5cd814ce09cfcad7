// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules sign, verify". What is signed here was first read as a sensor would read it.
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"
#include "control/settings.h"
#include "rules/bundle.h"
#include "rules/file.h"
#include "rules/govern.h"

static const char sign_help[] =
	"usage: wireglass rules sign --key KEY [--add] [--detached] [--comment TEXT] FILE\n"
	"       wireglass rules sign --attach SIGNATURE [--detached] FILE\n"
	"\n"
	"Sign a bundle. It is read first: what a sensor would refuse is not signed. Signatures "
	"that "
	"are there\n"
	"already are replaced, unless --add is given: a sensor may ask for several keys "
	"(signatures in its\n"
	"configuration).\n"
	"\n"
	"  -k, --key KEY   secret key, of wireglass keygen or minisign\n"
	"  --add           keep signatures by other keys\n"
	"  --attach SIG    add the signature in this file, which somebody made with sign "
	"--detached or\n"
	"                  minisign -S from the same archive, elsewhere\n"
	"  --detached      write the signature to FILE.minisig, where minisign -V finds it too, "
	"and leave FILE\n"
	"                  as it is; default: FILE itself carries the signature\n"
	"  --comment TEXT  trusted comment; default: bundle ID serial N\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n"
	"\n"
	"  wireglass rules sign --key publisher.key web-42.wgb\n"
	"  wireglass rules sign --key second.key --add web-42.wgb\n";

static const char verify_help[] =
	"usage: wireglass rules verify [--key PUBLIC]... [--signatures N] [--strict] FILE\n"
	"\n"
	"Verify the signature of a bundle, inside it or in FILE.minisig, and print what the bundle "
	"says.\n"
	"Nothing of it is read before the signature is verified.\n"
	"\n"
	"  -k, --key PUBLIC  a public key, or a folder with *.pub files (default " SETTINGS_KEYS_DIR
	")\n"
	"  --signatures N    so many of the keys must have signed (default 1)\n"
	"  --strict          the bundle and every rule must say who answers for them, as strict "
	"sensors want it\n"
	"\n"
	"Exit codes: 0 signed and in order, 5 not signed by so many of the keys, 7 expired, 11 not "
	"for strict\n"
	"sensors, 1 not a valid bundle, 2 usage.\n"
	"\n"
	"  wireglass rules verify --key publisher.pub web-42.wgb\n"
	"  wireglass --json rules verify web-42.wgb | jq .serial\n";

int rules_sign_archive(const struct sig_secret *key, const char *name, struct span archive,
		       const char *comment, char text[SIG_TEXT_MAX], struct diag *ret_diag)
{
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	char own_comment[128];
	struct bundle *b;
	int n, ret = -ENOMEM;

	if (trust == NULL)
		return ret;
	trust->n = 1;
	sig_public_of(key, &trust->v[0]);
	n = sig_sign(key, archive, "", text);
	ret = bundle_read(name, archive, span_of(text, (size_t)n), trust, &b, ret_diag);
	free(trust);
	if (ret < 0)
		return ret;
	snprintf(own_comment, sizeof(own_comment), "bundle %s serial %lld", b->manifest.id,
		 (long long)b->manifest.serial);
	bundle_free(b);
	n = sig_sign(key, archive, comment != NULL ? comment : own_comment, text);
	if (n < 0)
		diag_set(ret_diag, "", 0, 0,
			 "the comment must be one line of less than %u bytes without control "
			 "characters",
			 SIG_COMMENT_MAX);
	return n;
}

struct sign {
	const char *key_path, *comment, *attach;
	bool detached, add;
	struct sig_secret key;
};

// The set of signatures that the outcome has. 0 or negative errno.
static int make_set(const struct sign *s, const char *path, const char *sig_path,
		    struct span archive, struct span old, char set[SIG_SET_BYTES],
		    struct diag *diag)
{
	char text[SIG_TEXT_MAX], *file = NULL;
	size_t len = 0;
	int ret = 0;

	set[0] = '\0';
	if (s->add && old.len > 0) {
		snprintf(set, SIG_SET_BYTES, "%.*s", (int)old.len, (const char *)old.data);
	} else if (s->add && s->detached &&
		   file_read(sig_path, SIG_SET_BYTES - 1, &file, &len, diag) == 0) {
		memcpy(set, file, len + 1);
		free(file);
	}
	file = NULL;
	if (s->attach != NULL) {
		ret = file_read(s->attach, SIG_TEXT_MAX, &file, &len, diag);
	} else {
		ret = rules_sign_archive(&s->key, path, archive, s->comment, text, diag);
		len = ret > 0 ? (size_t)ret : 0;
	}
	if (ret >= 0)
		ret = sig_set_add(s->attach != NULL ? s->attach : path, set,
				  span_of(file != NULL ? file : text, len), diag);
	free(file);
	return ret;
}

// Sign the archive inside data and write the outcome. 0 or an exit code.
static int sign_run(const struct cli *cli, const char *path, struct span data, const struct sign *s)
{
	char set[SIG_SET_BYTES], sig_path[4096], *whole;
	struct span archive, old;
	struct diag diag = {""};
	size_t len;
	int ret = bundle_split(path, data, &archive, &old, &diag);

	snprintf(sig_path, sizeof(sig_path), "%s.minisig", path);
	if (ret == 0 && s->detached && old.len != 0) {
		diag_set(&diag, path, 0, 0,
			 "carries a signature inside: sign it without --detached");
		ret = -EINVAL;
	}
	if (ret == 0)
		ret = make_set(s, path, sig_path, archive, old, set, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	if (s->detached) {
		ret = file_write(sig_path, span_of(set, strlen(set)), 0644, true, &diag);
		return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
	}
	ret = bundle_embed(archive, span_of(set, strlen(set)), &whole, &len);
	if (ret < 0)
		return cli_error(cli, CLI_FAILED, "failed", "%s: %s", path, strerror(-ret));
	ret = file_write(path, span_of(whole, len), 0644, true, &diag);
	free(whole);
	return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
}

int rules_sign(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
						{"detached", no_argument, NULL, 'd'},
						{"add", no_argument, NULL, 'a'},
						{"attach", required_argument, NULL, 't'},
						{"comment", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct sign s = {.key_path = NULL};
	struct diag diag = {""};
	char id[SIG_ID_TEXT] = "", *data;
	size_t len;
	int c, ret;

	while ((c = cli_option(cli, "rules sign", argc, argv, ":hk:", options)) != -1) {
		if (c == 'h')
			fputs(sign_help, stdout);
		if (c == 'h' || c == CLI_BAD_OPTION)
			return c == 'h' ? CLI_OK : CLI_USAGE;
		if (c == 'k')
			s.key_path = optarg;
		else if (c == 'c')
			s.comment = optarg;
		else if (c == 't')
			s.attach = optarg;
		else if (c == 'd')
			s.detached = true;
		s.add = s.add || c == 'a' || c == 't';
	}
	if ((s.key_path == NULL) == (s.attach == NULL) || argc - optind != 1)
		return cli_error(
			cli, CLI_USAGE, "usage",
			"rules sign needs --key or --attach, and one bundle (see wireglass "
			"help rules sign)");
	ret = file_read(argv[optind], BUNDLE_FILE_MAX, &data, &len, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	if (s.key_path != NULL)
		ret = rules_open_key(cli, s.key_path, &s.key);
	if (ret == 0) {
		ret = sign_run(cli, argv[optind], span_of(data, len), &s);
		if (s.key_path != NULL)
			sig_id_text(id, s.key.id);
		sodium_memzero(&s.key, sizeof(s.key));
	}
	free(data);
	if (ret == 0 && cli->json)
		printf("{\"key\":\"%s\"}\n", id);
	else if (ret == 0 && !cli->quiet && s.attach != NULL)
		printf("%s: signature attached; wireglass rules verify says whose it is\n",
		       argv[optind]);
	else if (ret == 0 && !cli->quiet)
		printf("%s: signed with key %s\n", argv[optind], id);
	return ret;
}

static json_t *file_json(const struct bundle_file *f)
{
	return json_pack("{s:s, s:s, s:I}", "name", f->name, "kind", bundle_kind_names[f->kind],
			 "bytes", (json_int_t)f->len);
}

static int verify_print(const struct cli *cli, const char *path, const struct bundle *b)
{
	const struct bundle_manifest *m = &b->manifest;
	const char *const texts[][2] = {
		{"created", m->created},           {"expires", m->expires},
		{"description", m->description},   {"owner", m->owner},
		{"authority", m->authority},       {"legal_basis", m->legal_basis},
		{"jurisdiction", m->jurisdiction}, {"comment", b->signer.comment}};
	char id[SIG_ID_TEXT], ids[SIG_SET_MAX * SIG_ID_TEXT], digest[65];
	json_t *reply, *files;
	int ret;

	sig_id_text(id, b->signer.key.id);
	sig_ids_text(ids, &b->signer);
	sodium_bin2hex(digest, sizeof(digest), b->digest, sizeof(b->digest));
	if (cli->json) {
		files = json_array();
		for (uint32_t i = 0; i < b->n_files; i++)
			json_array_append_new(files, file_json(&b->files[i]));
		for (uint32_t i = 0; i < b->n_data; i++)
			json_array_append_new(files, file_json(&b->data[i]));
		reply = json_pack("{s:s, s:I, s:s, s:s, s:o, s:s, s:o}", "id", m->id, "serial",
				  (json_int_t)m->serial, "key", id, "keys", ids, "key_file",
				  cli_json_text(b->signer.key.file), "digest", digest, "files",
				  files);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			json_object_set_new(reply, texts[i][0], cli_json_text(texts[i][1]));
		ret = reply != NULL ? client_print_json(reply) : CLI_FAILED;
		json_decref(reply);
		return ret;
	}
	if (cli->quiet)
		return CLI_OK;
	printf("%s: signed with key%s %s (%s%s)\n  %-12s %s\n  %-12s %lld\n", path,
	       b->signer.n == 1 ? "" : "s", ids, b->signer.key.file,
	       b->signer.n == 1 ? "" : " and others", "id", m->id, "serial", (long long)m->serial);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i][1][0] == '\0')
			continue;
		printf("  %-12s ", texts[i][0]);
		rules_print_text(texts[i][1]);
		putchar('\n');
	}
	printf("  %-12s %s\n", "digest", digest);
	for (uint32_t i = 0; i < b->n_files; i++)
		printf("  %-12s %s (%zu bytes)\n", i == 0 ? "files" : "", b->files[i].name,
		       b->files[i].len);
	for (uint32_t i = 0; i < b->n_data; i++)
		printf("  %-12s %s (%zu bytes, %s)\n", i == 0 ? "data" : "", b->data[i].name,
		       b->data[i].len, bundle_kind_names[b->data[i].kind]);
	return CLI_OK;
}

static void on_ungoverned(void *ctx, enum rules_verdict verdict, uint32_t sid,
			  const struct diag *diag)
{
	char text[1024];

	fprintf(stderr, "%s (sid %u)\n", diag_format(diag, text, sizeof(text)), sid);
}

// What a strict sensor would refuse. 0 or an exit code.
static int check_strict(const struct cli *cli, const char *path, struct bundle *b)
{
	const struct govern govern = {.strict = true, .now_s = time(NULL)};
	const struct rule_files files = {.open = bundle_open_list, .ctx = b};
	struct rules rs = {.files = &files};
	struct govern_result result;
	struct diag diag = {""};
	int ret = govern_manifest(&b->manifest, &govern, &diag);

	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	ret = bundle_parse(b, &rs, NULL, NULL, NULL);
	govern_rules(&rs, &govern, on_ungoverned, NULL, &result);
	rules_done(&rs);
	if (ret < 0)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	return result.refused == 0 ? 0
				   : cli_error(cli, CLI_GOVERNANCE, "governance",
					       "%s: %u rules would be refused by a strict sensor",
					       path, result.refused);
}

static int verify_run(const struct cli *cli, const char *path, const struct sig_trust *trust,
		      bool strict)
{
	struct diag diag = {""};
	struct bundle *b;
	int ret = bundle_read_file(path, trust, &b, &diag);

	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	ret = bundle_check_expiry(b, time(NULL), &diag);
	if (ret < 0)
		ret = rules_failed(cli, ret, &diag);
	if (ret == 0 && strict)
		ret = check_strict(cli, path, b);
	if (ret == 0)
		ret = verify_print(cli, path, b);
	bundle_free(b);
	return ret;
}

int rules_verify(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
						{"signatures", required_argument, NULL, 'n'},
						{"strict", no_argument, NULL, 's'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	struct diag diag = {""};
	unsigned long long need = 1;
	bool keys = false, strict = false;
	int c, ret = 0;

	if (trust == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	while (ret == 0 &&
	       (c = cli_option(cli, "rules verify", argc, argv, ":hk:", options)) != -1) {
		if (c == 'h')
			fputs(verify_help, stdout);
		if (c == 'n' && cli_number(optarg, 1, SIG_SET_MAX, &need)) {
			trust->need = (uint32_t)need;
			continue;
		}
		if (c == 's') {
			strict = true;
			continue;
		}
		if (c == 'n')
			cli_error(cli, CLI_USAGE, "usage",
				  "--signatures needs a number from 1 to %d", SIG_SET_MAX);
		if (c != 'k') {
			free(trust);
			return c == 'h' ? CLI_OK : CLI_USAGE;
		}
		keys = true;
		ret = sig_trust_add(trust, optarg, &diag);
	}
	if (ret == 0 && argc - optind != 1) {
		free(trust);
		return cli_error(cli, CLI_USAGE, "usage",
				 "rules verify needs one bundle (see wireglass help rules verify)");
	}
	if (ret == 0 && !keys) {
		ret = sig_trust_add(trust, SETTINGS_KEYS_DIR, &diag);
		if (ret == -ENOENT) {
			diag_set(&diag, SETTINGS_KEYS_DIR, 0, 0,
				 "does not exist: name the publisher's public key with --key");
			ret = -ENOKEY;
		}
	}
	ret = ret < 0 ? rules_failed(cli, ret, &diag)
		      : verify_run(cli, argv[optind], trust, strict);
	free(trust);
	return ret;
}
