// SPDX-License-Identifier: BSD-2-Clause
// "wireglass rules": the dispatch, and the sub-commands that talk to wireglassd. Those that only need files are in
// rules_check.c and rules_sign.c.
#include "control/cli/rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "rules/bundle.h"

static const char help[] =
	"usage: wireglass rules COMMAND ...\n"
	"\n"
	"On this machine, without wireglassd:\n"
	"  check     do these rule files load? what do they cost?\n"
	"  diff      what another bundle would change\n"
	"  explain   what becomes of a rule?\n"
	"  import    make lists and rules of hash, host and URL lists of others\n"
	"  pack      make a bundle of rule files, and sign it\n"
	"  sign      sign a bundle\n"
	"  verify    who signed a bundle, and what is in it?\n"
	"\n"
	"With wireglassd:\n"
	"  load      send a signed bundle: it is verified, compiled and put to work\n"
	"  list      bundles that were accepted\n"
	"  activate  put a stored bundle to work\n"
	"  rollback  back to a bundle that was live before\n"
	"\n"
	"A first bundle:\n"
	"  wireglass keygen publisher\n"
	"  sudo install -m 644 publisher.pub /etc/wireglass/keys/\n"
	"  wireglass rules check web.rules\n"
	"  wireglass rules pack --id web --serial 1 --sign publisher.key -o web.wgb web.rules\n"
	"  wireglass rules load web.wgb\n"
	"\n"
	"\"wireglass help rules COMMAND\" explains one. Exit codes: 0 done, 1 refused or failed, 2 "
	"usage,\n"
	"3 wireglassd not reachable, 4 no answer in time, 5 signature or verification failed, 6 "
	"done in\n"
	"part (some rules were refused), 7 to 13 why a bundle was refused (see rules load).\n";

static const char load_help[] =
	"usage: wireglass rules load [--allow-older] [--canary SECONDS [--max-hits-per-second N] "
	"[--max-busy PERCENT]] FILE\n"
	"\n"
	"Send a signed bundle to wireglassd. It verifies the signature with its trusted keys, "
	"checks that the\n"
	"serial is higher than any accepted before, compiles the rules in a confined child process "
	"and hands\n"
	"them to the dataplane, which takes them over without losing a packet. On any failure the "
	"rules that\n"
	"are live stay live. If no dataplane runs, the bundle is accepted and offered when one "
	"connects.\n"
	"A signature beside the file (FILE.minisig) is sent along if there is none inside.\n"
	"\n"
	"  --allow-older            accept a serial that is not higher; the record of the highest "
	"one stays\n"
	"  --canary SECONDS         on trial for so long: the rules before it come back by "
	"themselves when it\n"
	"                           costs more than the limits below, or when wireglassd or the "
	"dataplane stops\n"
	"                           meanwhile. rules rollback ends it at once\n"
	"  --max-hits-per-second N  more hits than that, on average, are too many\n"
	"  --max-busy PERCENT       so busy may the busiest worker be, on average\n"
	"\n"
	"Exit codes: 0 all rules work, 6 some were refused; the bundle was refused: 5 signature, 7 "
	"expired,\n"
	"8 serial not higher, 9 too large, 10 its rules cannot be compiled within the limits, 11 "
	"it does not\n"
	"say who answers for it, 12 not a valid bundle or no rule in it loads, 13 a self-test "
	"failed, 1 anything else; 3 "
	"wireglassd\n"
	"not reachable, 4 no answer in time.\n"
	"\n"
	"  wireglass rules load web.wgb\n"
	"  wireglass --json rules load web.wgb | jq .refused_rules\n";

static const char list_help[] =
	"usage: wireglass rules list\n"
	"\n"
	"The bundles that wireglassd accepted and keeps, the live one marked with '*'. None is "
	"marked while\n"
	"no dataplane runs it.\n"
	"\n"
	"Exit codes: 0 done, 1 refused, 2 usage, 3 wireglassd not reachable, 4 no answer in "
	"time.\n"
	"\n"
	"  wireglass rules list\n"
	"  wireglass --json rules list | jq '.bundles[] | select(.live)'\n";

static const char rollback_help[] = "usage: wireglass rules rollback [SERIAL]\n"
				    "\n"
				    "Put a stored bundle back to work: the one with SERIAL, or "
				    "else the newest one older than the live\n"
				    "one. Its signature is verified again. A later \"rules load\" "
				    "still needs a serial higher than the\n"
				    "highest ever accepted.\n"
				    "\n"
				    "Exit codes as of \"wireglass rules load\".\n"
				    "\n"
				    "  wireglass rules rollback\n"
				    "  wireglass rules rollback 41\n";

static const char activate_help[] =
	"usage: wireglass rules activate SERIAL\n"
	"\n"
	"Put a stored bundle to work, whether it is older or newer than the live one (see "
	"wireglass "
	"rules list).\n"
	"The dataplane changes over between two packets, or not at all: what is live stays live "
	"until then.\n"
	"\n"
	"Exit codes as of \"wireglass rules load\".\n"
	"\n"
	"  wireglass rules activate 42\n";

int rules_failed(const struct cli *cli, int error, const struct diag *diag)
{
	char text[1024];

	const char *code = error == -EKEYREJECTED || error == -ENOKEY ? "signature"
			   : error == -EKEYEXPIRED                    ? "expired"
			   : error == -EFBIG                          ? "size"
			   : error == -ENODATA                        ? "governance"
								      : "failed";

	diag_format(diag, text, sizeof(text));
	return cli_error(cli, cli_exit_of(code), code, "%s", text);
}

void rules_print_text(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		putchar((*c > 0 && *c < 0x20) || *c == 0x7f ? '?' : *c);
}

void rules_print_alert_only(uint64_t n)
{
	if (n > 0)
		printf("%" PRIu64 " of them say drop or reject: where no traffic may be stopped, "
		       "they alert\n",
		       n);
}

static json_int_t integer_of(const json_t *reply, const char *key)
{
	return json_integer_value(json_object_get(reply, key));
}

static const char *string_of(const json_t *reply, const char *key)
{
	const char *s = json_string_value(json_object_get(reply, key));

	return s != NULL ? s : "";
}

static void print_refused(const json_t *rules, json_int_t refused)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(rules, i, rule)
	{
		rules_print_text(string_of(rule, "file"));
		printf(":%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT
		       ": sid %" JSON_INTEGER_FORMAT ": ",
		       integer_of(rule, "line"), integer_of(rule, "column"),
		       integer_of(rule, "sid"));
		rules_print_text(string_of(rule, "reason"));
		putchar('\n');
	}
	if ((size_t)refused > json_array_size(rules))
		printf("... and %" JSON_INTEGER_FORMAT
		       " more; wireglass rules check lists all of a file\n",
		       refused - (json_int_t)json_array_size(rules));
}

// Print what became of a bundle.
static int print_deployed(const struct cli *cli, const json_t *reply)
{
	json_int_t refused = integer_of(reply, "refused"), skipped = integer_of(reply, "skipped");
	int ret = refused > 0 ? CLI_PARTIAL : CLI_OK;

	if (cli->json)
		return client_print_json(reply) == CLI_OK ? ret : CLI_FAILED;
	if (cli->quiet)
		return ret;
	print_refused(json_object_get(reply, "refused_rules"), refused);
	printf("bundle ");
	rules_print_text(string_of(reply, "id"));
	printf(" serial %" JSON_INTEGER_FORMAT ": ", integer_of(reply, "serial"));
	rules_print_text(string_of(reply, "state"));
	printf(", %" JSON_INTEGER_FORMAT " rules", integer_of(reply, "rules"));
	if (refused > 0)
		printf(", %" JSON_INTEGER_FORMAT " refused", refused);
	if (skipped > 0)
		printf(", %" JSON_INTEGER_FORMAT " skipped (other protocols)", skipped);
	if (integer_of(reply, "expired") > 0)
		printf(", %" JSON_INTEGER_FORMAT " switched off (expired)",
		       integer_of(reply, "expired"));
	printf(", generation %" JSON_INTEGER_FORMAT " (%" JSON_INTEGER_FORMAT " ms)\n",
	       integer_of(reply, "generation"), integer_of(reply, "total_ms"));
	rules_print_alert_only((uint64_t)integer_of(reply, "alert_only"));
	if (json_object_get(reply, "trial") != NULL)
		printf("on trial for %" JSON_INTEGER_FORMAT
		       " s: wireglass show rules says how it is doing\n",
		       integer_of(json_object_get(reply, "trial"), "seconds"));
	if (json_object_get(reply, "warning") != NULL) {
		printf("warning: ");
		rules_print_text(string_of(reply, "warning"));
		putchar('\n');
	}
	return ret;
}

// The bytes in a memfd, or negative errno.
static int memfd_of(const char *data, size_t len)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	size_t done = 0;

	if (fd < 0)
		return -errno;
	while (done < len) {
		ssize_t n = write(fd, data + done, len - done);
		int error = errno;

		if (n < 0 && error == EINTR)
			continue;
		if (n < 0) {
			close(fd);
			return -error;
		}
		done += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

// An option of a trial. false: it is none, or its value is no number; that has been said.
static bool trial_option(const struct cli *cli, int c, struct ipc_admin_req *req)
{
	const struct {
		int c;
		unsigned long long max;
		uint32_t *field;
	} table[] = {{'C', 7 * 86400, &req->trial_s},
		     {'H', UINT32_MAX, &req->trial_hits_per_s},
		     {'B', 100, &req->trial_busy_percent}};
	unsigned long long v;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (c != table[i].c)
			continue;
		if (cli_number(optarg, 1, table[i].max, &v)) {
			*table[i].field = (uint32_t)v;
			return true;
		}
		cli_error(cli, CLI_USAGE, "usage", "\"%s\" is not a whole number from 1 to %llu",
			  optarg, table[i].max);
	}
	return false;
}

static int rules_load(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"allow-older", no_argument, NULL, 'A'},
		{"canary", required_argument, NULL, 'C'},
		{"max-hits-per-second", required_argument, NULL, 'H'},
		{"max-busy", required_argument, NULL, 'B'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	struct diag diag = {""};
	json_t *reply;
	size_t len;
	char *data;
	int c, fd, ret;

	while ((c = cli_option(cli, "rules load", argc, argv, ":h", options)) != -1) {
		if (c == 'h') {
			fputs(load_help, stdout);
			return CLI_OK;
		}
		if (c == 'A')
			req.flags |= IPC_ADMIN_ALLOW_OLDER;
		else if (!trial_option(cli, c, &req))
			return CLI_USAGE;
	}
	if (req.trial_s == 0 && (req.trial_hits_per_s != 0 || req.trial_busy_percent != 0))
		return cli_error(
			cli, CLI_USAGE, "usage",
			"--max-hits-per-second and --max-busy are limits of a trial: say how "
			"long with --canary");
	if (argc - optind != 1)
		return cli_error(
			cli, CLI_USAGE, "usage",
			"rules load needs one bundle file (see wireglass help rules load)");
	ret = bundle_load(argv[optind], &data, &len, &diag);
	if (ret < 0)
		return rules_failed(cli, ret, &diag);
	fd = memfd_of(data, len);
	free(data);
	if (fd < 0)
		return cli_error(cli, CLI_FAILED, "failed", "cannot pass %s on: %s", argv[optind],
				 strerror(-fd));
	ret = client_request(cli, &req, fd, &reply);
	close(fd);
	if (ret != 0)
		return ret;
	ret = print_deployed(cli, reply);
	json_decref(reply);
	return ret;
}

static int rules_list(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LIST};
	const json_t *bundles, *b;
	json_t *reply;
	size_t i;
	int c, ret;

	while ((c = cli_option(cli, "rules list", argc, argv, ":h", options)) != -1) {
		if (c == 'h')
			fputs(list_help, stdout);
		return c == 'h' ? CLI_OK : CLI_USAGE;
	}
	if (argc != optind)
		return cli_error(cli, CLI_USAGE, "usage", "rules list takes no argument");
	ret = client_request(cli, &req, -1, &reply);
	if (ret != 0)
		return ret;
	if (cli->json) {
		ret = client_print_json(reply);
		json_decref(reply);
		return ret;
	}
	bundles = json_object_get(reply, "bundles");
	if (json_array_size(bundles) == 0)
		puts("no bundle was accepted yet: wireglass rules load FILE");
	else
		printf("  %12s %8s %10s  %-31s  %s\n", "serial", "rules", "bytes", "accepted",
		       "bundle");
	json_array_foreach(bundles, i, b)
	{
		printf("%c %12" JSON_INTEGER_FORMAT " %8" JSON_INTEGER_FORMAT
		       " %10" JSON_INTEGER_FORMAT "  %-31s  ",
		       json_is_true(json_object_get(b, "live")) ? '*' : ' ',
		       integer_of(b, "serial"), integer_of(b, "rules"), integer_of(b, "bytes"),
		       string_of(b, "stored"));
		rules_print_text(string_of(b, "bundle"));
		putchar('\n');
	}
	json_decref(reply);
	return CLI_OK;
}

// Back to a bundle that is stored: "rules rollback [SERIAL]", "rules activate SERIAL".
static int go_to_stored(struct cli *cli, int argc, char **argv, uint32_t command, const char *text)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct ipc_admin_req req = {.command = command};
	unsigned long long serial = 0;
	json_t *reply;
	int c, ret;

	while ((c = cli_option(cli, ipc_admin_words(command), argc, argv, ":h", options)) != -1) {
		if (c == 'h')
			fputs(text, stdout);
		return c == 'h' ? CLI_OK : CLI_USAGE;
	}
	if (argc - optind > 1 || (argc == optind && command == IPC_ADMIN_RULES_ACTIVATE))
		return cli_error(cli, CLI_USAGE, "usage", "%s takes one serial",
				 ipc_admin_words(command));
	if (argc - optind == 1 && !cli_number(argv[optind], 1, INT64_MAX, &serial))
		return cli_error(cli, CLI_USAGE, "usage",
				 "\"%s\" is not a serial (see wireglass rules list)", argv[optind]);
	req.since = serial;
	ret = client_request(cli, &req, -1, &reply);
	if (ret != 0)
		return ret;
	ret = print_deployed(cli, reply);
	json_decref(reply);
	return ret;
}

static int rules_rollback(struct cli *cli, int argc, char **argv)
{
	return go_to_stored(cli, argc, argv, IPC_ADMIN_RULES_ROLLBACK, rollback_help);
}

static int rules_activate(struct cli *cli, int argc, char **argv)
{
	return go_to_stored(cli, argc, argv, IPC_ADMIN_RULES_ACTIVATE, activate_help);
}

int cmd_rules(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct cli *cli, int argc, char **argv);
	} table[] = {{"check", rules_check},      {"diff", rules_diff},
		     {"explain", rules_explain},  {"import", rules_import},
		     {"pack", rules_pack},        {"sign", rules_sign},
		     {"verify", rules_verify},    {"load", rules_load},
		     {"list", rules_list},        {"activate", rules_activate},
		     {"rollback", rules_rollback}};
	enum { N = sizeof(table) / sizeof(table[0]) };
	const char *names[N];

	if (argc < 2)
		return cli_usage(cli, "rules", help);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		fputs(help, stdout);
		return CLI_OK;
	}
	for (unsigned int i = 0; i < N; i++) {
		names[i] = table[i].name;
		if (strcmp(argv[1], names[i]) == 0) {
			optind = 0; // start over on the shorter argv
			return table[i].run(cli, argc - 1, argv + 1);
		}
	}
	return cli_unknown(cli, "rules", "command", argv[1], names, N);
}
