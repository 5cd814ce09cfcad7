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

static const char sign_help[] =
	"usage: wireglass rules sign --key KEY [--detached] [--comment TEXT] FILE\n"
	"\n"
	"Sign a bundle. It is read first: what a sensor would refuse is not signed. A signature "
	"that is there\n"
	"already is replaced.\n"
	"\n"
	"  -k, --key KEY   secret key, of wireglass keygen or minisign\n"
	"  --detached      write the signature to FILE.minisig, where minisign -V finds it too, "
	"and leave FILE\n"
	"                  as it is; default: FILE itself carries the signature\n"
	"  --comment TEXT  trusted comment; default: bundle ID serial N\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n"
	"\n"
	"  wireglass rules sign --key publisher.key web-42.wgb\n";

static const char verify_help[] =
	"usage: wireglass rules verify [--key PUBLIC]... FILE\n"
	"\n"
	"Verify the signature of a bundle, inside it or in FILE.minisig, and print what the bundle "
	"says.\n"
	"Nothing of it is read before the signature is verified.\n"
	"\n"
	"  -k, --key PUBLIC  a public key, or a folder with *.pub files (default " SETTINGS_KEYS_DIR
	")\n"
	"\n"
	"Exit codes: 0 signed and in order, 5 not signed by one of the keys, 1 expired or not a "
	"valid bundle,\n"
	"2 usage.\n"
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

// Sign the archive inside data and write the outcome. 0 or an exit code.
static int sign_run(const struct cli *cli, const char *path, struct span data,
		    const struct sig_secret *key, const char *comment, bool detached)
{
	char text[SIG_TEXT_MAX], sig_path[4096], *whole;
	struct span archive, old;
	struct diag diag = {""};
	size_t len;
	int ret = bundle_split(path, data, &archive, &old, &diag);

	if (ret == 0 && detached && old.len != 0) {
		diag_set(&diag, path, 0, 0,
			 "carries a signature inside: sign it without --detached");
		ret = -EINVAL;
	}
	if (ret == 0)
		ret = rules_sign_archive(key, path, archive, comment, text, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	if (detached) {
		snprintf(sig_path, sizeof(sig_path), "%s.minisig", path);
		ret = file_write(sig_path, span_of(text, strlen(text)), 0644, true, &diag);
		return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
	}
	ret = bundle_embed(archive, span_of(text, strlen(text)), &whole, &len);
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
						{"comment", required_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *key_path = NULL, *comment = NULL;
	struct sig_secret key;
	bool detached = false;
	struct diag diag = {""};
	char id[SIG_ID_TEXT], *data;
	size_t len;
	int c, ret;

	while ((c = cli_option(cli, "rules sign", argc, argv, ":hk:", options)) != -1) {
		if (c == 'h')
			fputs(sign_help, stdout);
		if (c == 'h' || c == CLI_BAD_OPTION)
			return c == 'h' ? CLI_OK : CLI_USAGE;
		if (c == 'k')
			key_path = optarg;
		else if (c == 'c')
			comment = optarg;
		else
			detached = true;
	}
	if (key_path == NULL || argc - optind != 1)
		return cli_error(cli, CLI_USAGE, "usage",
				 "rules sign needs --key and one bundle (see wireglass help rules "
				 "sign)");
	ret = file_read(argv[optind], BUNDLE_MAX_BYTES + 2 * SIG_TEXT_MAX, &data, &len, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	ret = rules_open_key(cli, key_path, &key);
	if (ret == 0) {
		ret = sign_run(cli, argv[optind], span_of(data, len), &key, comment, detached);
		sig_id_text(id, key.id);
		sodium_memzero(&key, sizeof(key));
	}
	free(data);
	if (ret == 0 && cli->json)
		printf("{\"key\":\"%s\"}\n", id);
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
		{"created", m->created},         {"expires", m->expires},
		{"description", m->description}, {"owner", m->owner},
		{"authority", m->authority},     {"legal_basis", m->legal_basis},
		{"comment", b->signer.comment}};
	char id[SIG_ID_TEXT], digest[65];
	json_t *reply, *files;
	int ret;

	sig_id_text(id, b->signer.key.id);
	sodium_bin2hex(digest, sizeof(digest), b->digest, sizeof(b->digest));
	if (cli->json) {
		files = json_array();
		for (uint32_t i = 0; i < b->n_files; i++)
			json_array_append_new(files, file_json(&b->files[i]));
		for (uint32_t i = 0; i < b->n_data; i++)
			json_array_append_new(files, file_json(&b->data[i]));
		reply = json_pack("{s:s, s:I, s:s, s:o, s:s, s:o}", "id", m->id, "serial",
				  (json_int_t)m->serial, "key", id, "key_file",
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
	printf("%s: signed with key %s (%s)\n  %-12s %s\n  %-12s %lld\n", path, id,
	       b->signer.key.file, "id", m->id, "serial", (long long)m->serial);
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

static int verify_run(const struct cli *cli, const char *path, const struct sig_trust *trust)
{
	struct diag diag = {""};
	struct bundle *b;
	int ret = bundle_read_file(path, trust, &b, &diag), expired;

	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	expired = bundle_check_expiry(b, time(NULL), &diag);
	ret = expired < 0 ? rules_failed(cli, expired, &diag) : verify_print(cli, path, b);
	bundle_free(b);
	return ret;
}

int rules_verify(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"key", required_argument, NULL, 'k'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct sig_trust *trust = calloc(1, sizeof(*trust));
	struct diag diag = {""};
	bool keys = false;
	int c, ret = 0;

	if (trust == NULL)
		return cli_error(cli, CLI_FAILED, "memory", "out of memory");
	while (ret == 0 &&
	       (c = cli_option(cli, "rules verify", argc, argv, ":hk:", options)) != -1) {
		if (c == 'h')
			fputs(verify_help, stdout);
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
	ret = ret < 0 ? rules_failed(cli, ret, &diag) : verify_run(cli, argv[optind], trust);
	free(trust);
	return ret;
}
