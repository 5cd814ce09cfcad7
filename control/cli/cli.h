// SPDX-License-Identifier: BSD-2-Clause
// What every command of the wireglass program is given, and the list of commands.
#ifndef CONTROL_CLI_CLI_H
#define CONTROL_CLI_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Exit codes, the same for every command; scripts rely on them.
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,      // refused or failed
	CLI_USAGE = 2,       // the command line is wrong
	CLI_UNREACHABLE = 3, // wireglassd does not answer
	CLI_TIMEOUT = 4,
	CLI_SIGNATURE = 5, // signature or verification failed
	CLI_PARTIAL = 6,   // done in part: some rules were refused
	// Why a bundle was refused, besides its signature.
	CLI_EXPIRED = 7,
	CLI_STALE = 8,       // its serial is not higher than one before
	CLI_SIZE = 9,        // over a limit of size
	CLI_COMPILE = 10,    // its rules cannot be compiled within the limits
	CLI_GOVERNANCE = 11, // the sensor is strict, and it does not say who answers for it
	CLI_SELFTEST = 13,   // a rule does not match what it must, or matches what it must not
	CLI_BUNDLE = 12,     // signed, but not a valid bundle, or one without rules
};

// The exit code for the code word of a refusal: of wireglassd, or of a command that reads bundles.
enum cli_exit cli_exit_of(const char *code);

// Global options. main.c takes them out of argv wherever they stand, so no command sees them.
struct cli {
	bool json, quiet;
	const char *socket;  // of wireglassd
	const char *program; // argv[0], to find the other programs beside it
};

// Commands. argv[0] is the command's own name, argv[argc] is NULL, optind is 1. "--help" among the arguments prints
// the command's help to stdout and returns 0. They return an exit code.
int cmd_show(struct cli *cli, int argc, char **argv);
int cmd_report(struct cli *cli, int argc, char **argv);
int cmd_hits(struct cli *cli, int argc, char **argv);
int cmd_audit(struct cli *cli, int argc, char **argv);
int cmd_demo(struct cli *cli, int argc, char **argv);
int cmd_rules(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_selftest(struct cli *cli, int argc, char **argv);
int cmd_keygen(struct cli *cli, int argc, char **argv);
int cmd_top(struct cli *cli, int argc, char **argv);
int cmd_complete(struct cli *cli, int argc, char **argv);
int cmd_help(struct cli *cli, int argc, char **argv);

// A command line in its two steps, in main.c: the global options are taken out of argv, the new argc is returned, -1 after saying
// what is wrong; then argv[1] is the command, or an option in its place.
int cli_globals(struct cli *cli, int argc, char **argv);
int cli_command(struct cli *cli, int argc, char **argv);

// Read commands from a terminal until its end: what "wireglass" alone does. An exit code.
int shell_run(const struct cli *cli);

// "wireglass: text" on stderr; with --json {"error": text, "code": code} on stdout as well. Returns exit_code.
__attribute__((format(printf, 4, 5))) int cli_error(const struct cli *cli, enum cli_exit exit_code,
						    const char *code, const char *fmt, ...);

// A sub-command or option that does not exist: names it, suggests the closest of n words and says where the help is.
// Returns CLI_USAGE.
int cli_unknown(const struct cli *cli, const char *command, const char *what, const char *word,
		const char *const *words, unsigned int n);

// The next option of a command, -1 at the end, or CLI_BAD_OPTION after saying what is wrong. command: "rules check";
// shorts starts with ':'.
#define CLI_BAD_OPTION '?'
int cli_option(const struct cli *cli, const char *command, int argc, char **argv,
	       const char *shorts, const struct option *options);

// The arguments lack something: the command's help on stderr, an error object with --json. Returns CLI_USAGE.
int cli_usage(const struct cli *cli, const char *command, const char *help);

// Any bytes as a JSON string: what is not UTF-8 becomes the code point of the same number. NULL: out of memory.
json_t *cli_json_text(const char *text);

// A whole number within min..max. false: text is not one.
bool cli_number(const char *text, unsigned long long min, unsigned long long max,
		unsigned long long *ret_value);

// "2026-11-23", "2026-11-23T13:00:00" (UTC), or "90m", "12h", "7d" ago, in nanoseconds since 1970. last: the end of that day or
// second. false: text is none of these.
bool cli_time(const char *text, bool last, uint64_t *ret_ns);

#endif
