// SPDX-License-Identifier: BSD-2-Clause
// "wireglass keygen", and secret keys and passwords for the commands that sign.
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/rules.h"

enum {
	PASSWORD_MAX = 256,
	NAME_MAX_BYTES = 4000,
};

static const char help[] =
	"usage: wireglass keygen [--password] NAME\n"
	"\n"
	"Make a key pair for signing rule bundles: the secret key NAME.key and the public key "
	"NAME.pub.\n"
	"Neither may exist. The files are minisign's: both programs can use either's keys.\n"
	"\n"
	"Keep NAME.key away from the sensors, best offline. Install NAME.pub on every sensor that "
	"shall\n"
	"accept bundles of this key, in /etc/wireglass/keys.\n"
	"\n"
	"  --password  encrypt the secret key; the password is asked for, or read from stdin\n"
	"\n"
	"Exit codes: 0 done, 1 failed, 2 usage.\n"
	"\n"
	"  wireglass keygen publisher\n"
	"  sudo install -m 644 publisher.pub /etc/wireglass/keys/\n";

bool rules_ask_password(const char *prompt, char *buf, size_t size)
{
	struct termios old, quiet;
	bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &old) == 0, ok;

	if (tty) {
		fprintf(stderr, "%s: ", prompt);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	ok = fgets(buf, (int)size, stdin) != NULL;
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok && buf[0] != '\0';
}

int rules_open_key(const struct cli *cli, const char *path, struct sig_secret *ret_key)
{
	char password[PASSWORD_MAX], prompt[128];
	struct diag diag = {""};
	int ret = sig_secret_read(path, NULL, ret_key, &diag);

	if (ret == -ENOKEY) {
		snprintf(prompt, sizeof(prompt), "password of %.100s", path);
		if (!rules_ask_password(prompt, password, sizeof(password)))
			return cli_error(cli, CLI_FAILED, "password",
					 "%s is encrypted: give its password on the terminal or "
					 "on stdin",
					 path);
		ret = sig_secret_read(path, password, ret_key, &diag);
		explicit_bzero(password, sizeof(password));
	}
	if (ret == -EKEYREJECTED) // not a failed verification
		ret = -EINVAL;
	return ret < 0 ? rules_failed(cli, ret, &diag) : 0;
}

// A new password: asked for twice on a terminal.
static int new_password(const struct cli *cli, char buf[PASSWORD_MAX])
{
	char again[PASSWORD_MAX];
	bool same;

	if (!rules_ask_password("new password", buf, PASSWORD_MAX))
		return cli_error(cli, CLI_FAILED, "password",
				 "no password was given; leave out --password for a key in clear");
	if (!isatty(STDIN_FILENO))
		return 0;
	same = rules_ask_password("once more", again, sizeof(again)) && strcmp(buf, again) == 0;
	explicit_bzero(again, sizeof(again));
	return same ? 0 : cli_error(cli, CLI_FAILED, "password", "the passwords differ");
}

static int print_key(const struct cli *cli, const char *secret_path, const char *public_path,
		     const struct sig_public *key, bool encrypted)
{
	char id[SIG_ID_TEXT];
	json_t *reply;
	int ret;

	sig_id_text(id, key->id);
	if (cli->json) {
		reply = json_pack("{s:s, s:o, s:o, s:b}", "id", id, "secret",
				  cli_json_text(secret_path), "public", cli_json_text(public_path),
				  "encrypted", encrypted);
		ret = reply != NULL ? client_print_json(reply) : CLI_FAILED;
		json_decref(reply);
		return ret;
	}
	if (!cli->quiet)
		printf("key %s\n"
		       "  secret  %s  (%s: keep it off the sensors)\n"
		       "  public  %s  (install it in /etc/wireglass/keys where its bundles are "
		       "accepted)\n",
		       id, secret_path, encrypted ? "encrypted" : "not encrypted", public_path);
	return CLI_OK;
}

int cmd_keygen(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"password", no_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	char secret_path[NAME_MAX_BYTES + 8], public_path[NAME_MAX_BYTES + 8];
	char password[PASSWORD_MAX];
	bool encrypted = false;
	struct sig_public key;
	struct diag diag = {""};
	int c, ret;

	while ((c = cli_option(cli, "keygen", argc, argv, ":h", options)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (c != 'p')
			return CLI_USAGE;
		encrypted = true;
	}
	if (argc - optind != 1 || argv[optind][0] == '\0' || strlen(argv[optind]) > NAME_MAX_BYTES)
		return cli_error(cli, CLI_USAGE, "usage",
				 "keygen needs one name for the files (see wireglass help keygen)");
	snprintf(secret_path, sizeof(secret_path), "%s.key", argv[optind]);
	snprintf(public_path, sizeof(public_path), "%s.pub", argv[optind]);
	ret = encrypted ? new_password(cli, password) : 0;
	if (ret == 0) {
		ret = sig_keygen(secret_path, public_path, encrypted ? password : NULL, 0, &key,
				 &diag);
		ret = ret < 0 ? rules_failed(cli, ret, &diag)
			      : print_key(cli, secret_path, public_path, &key, encrypted);
	}
	explicit_bzero(password, sizeof(password));
	return ret;
}
