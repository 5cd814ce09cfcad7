// SPDX-License-Identifier: BSD-2-Clause
// The wireglass program: global options, the table of commands, help.
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "control/cli/cli.h"
#include "control/settings.h"
#include "dataplane/replay.h"

static int run_replay(struct cli *cli, int argc, char **argv)
{
	return cmd_replay(cli->json, argc, argv);
}

static int run_bench(struct cli *cli, int argc, char **argv)
{
	return cmd_bench(cli->json, argc, argv);
}

static int cmd_version(struct cli *cli, int argc, char **argv)
{
	if (cli->json)
		puts("{\"version\":\"" WIREGLASS_VERSION "\"}");
	else
		puts("wireglass " WIREGLASS_VERSION);
	return CLI_OK;
}

static const struct command {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);
	const char *summary;
} commands[] = {
	{"show", cmd_show,
	 "what wireglassd and the dataplane are doing: status, stats, ports, workers, rules"},
	{"top", cmd_top, "live: throughput, losses, coverage, workers, rules, hits"},
	{"hits", cmd_hits, "stored hits: list, show, follow, ack, close, export"},
	{"report", cmd_report, "transparency: hits by rule, ground and verdict, and coverage"},
	{"rules", cmd_rules,
	 "rules and bundles: check, explain, pack, sign, verify, load, list, rollback"},
	{"audit", cmd_audit, "who asked wireglassd for what: verify, show, export"},
	{"check", cmd_check, "is everything well? One line and an exit code for monitoring"},
	{"doctor", cmd_doctor, "what of this machine hinders the dataplane, and what mends it"},
	{"keygen", cmd_keygen, "make a key pair for signing bundles"},
	{"replay", run_replay, "inspect a capture file here, without daemons"},
	{"bench", run_bench, "measure the engine on a capture file"},
	{"demo", cmd_demo,
	 "everything once, in a temporary directory: bundle, daemons, traffic, hits"},
	{"selftest", cmd_selftest, "privacy: does payload reach a disk, a log, a socket?"},
	{"complete", cmd_complete, "what may come next on a command line: for shells"},
	{"version", cmd_version, "version of this program"},
	{"help", cmd_help, "help for a command"},
};

enum {
	COMMAND_N = sizeof(commands) / sizeof(commands[0]),
};

static void print_help(FILE *f)
{
	fputs("usage: wireglass [--json] [--quiet] [--socket PATH] [COMMAND ...]\n\n", f);
	for (int i = 0; i < COMMAND_N; i++)
		fprintf(f, "  %-10s%s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "  --json         answer as JSON on stdout\n"
	      "  --quiet        no progress and no notes\n"
	      "  --socket PATH  of wireglassd (default " SETTINGS_SOCKET ",\n"
	      "                 or the environment variable WIREGLASS_SOCKET)\n"
	      "  --help, --version\n"
	      "\n"
	      "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 wireglassd not reachable, 4 no "
	      "answer in\n"
	      "time, 5 signature or verification failed, 6 done in part, 7 to 13 why a bundle was\n"
	      "refused (see wireglass help rules load).\n"
	      "\"wireglass help COMMAND\" explains a command. On a terminal, wireglass alone reads "
	      "commands.\n",
	      f);
}

static const struct command *find(const char *name)
{
	for (int i = 0; i < COMMAND_N; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_command(const struct cli *cli, const char *word)
{
	const char *names[COMMAND_N];

	for (int i = 0; i < COMMAND_N; i++)
		names[i] = commands[i].name;
	return cli_unknown(cli, NULL, "command", word, names, COMMAND_N);
}

static int run(struct cli *cli, const struct command *command, int argc, char **argv)
{
	optind = 1;
	opterr = 1;
	return command->run(cli, argc, argv);
}

// "help rules load" is "rules load --help".
int cmd_help(struct cli *cli, int argc, char **argv)
{
	char help[] = "--help";
	char *args[16];
	int n = 0;

	if (argc < 2 || argv[1][0] == '-') {
		print_help(stdout);
		return CLI_OK;
	}
	const struct command *command = find(argv[1]);
	if (command == NULL)
		return unknown_command(cli, argv[1]);
	if (command->run == cmd_help || command->run == cmd_version) {
		printf("wireglass %s: %s\n", command->name, command->summary);
		return CLI_OK;
	}
	for (int i = 1; i < argc && n < 14; i++)
		args[n++] = argv[i];
	args[n++] = help;
	args[n] = NULL;
	return run(cli, command, n, args);
}

// Wherever they stand before a "--".
int cli_globals(struct cli *cli, int argc, char **argv)
{
	int n = 1, i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			cli->json = true;
		} else if (strcmp(argv[i], "--quiet") == 0) {
			cli->quiet = true;
		} else if (strncmp(argv[i], "--socket=", 9) == 0) {
			cli->socket = argv[i] + 9;
		} else if (strcmp(argv[i], "--socket") == 0) {
			if (i + 1 == argc) {
				cli_error(cli, CLI_USAGE, "usage", "--socket needs a path");
				return -1;
			}
			cli->socket = argv[++i];
		} else {
			argv[n++] = argv[i];
		}
	}
	while (i < argc)
		argv[n++] = argv[i++];
	argv[n] = NULL;
	return n;
}

int cli_command(struct cli *cli, int argc, char **argv)
{
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cmd_version(cli, argc, argv);
	if (argv[1][0] == '-')
		return cli_error(cli, CLI_USAGE, "usage",
				 "unknown option \"%s\" (see wireglass --help)", argv[1]);
	const struct command *command = find(argv[1]);
	if (command == NULL)
		return unknown_command(cli, argv[1]);
	return run(cli, command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("WIREGLASS_SOCKET");
	struct cli cli = {
		.socket = socket != NULL && socket[0] != '\0' ? socket : SETTINGS_SOCKET,
		.program = argv[0],
	};

	log_init("wireglass", LOG_LEVEL_INFO);
	argc = cli_globals(&cli, argc, argv);
	if (argc < 0)
		return CLI_USAGE;
	if (argc > 1)
		return cli_command(&cli, argc, argv);
	if (cli.json)
		return cli_error(&cli, CLI_USAGE, "usage", "name a command (see wireglass --help)");
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return shell_run(&cli);
	print_help(stderr);
	return CLI_USAGE;
}
