// SPDX-License-Identifier: BSD-2-Clause
// What the files of "wireglass rules" and "wireglass keygen" share.
#ifndef CONTROL_CLI_RULES_H
#define CONTROL_CLI_RULES_H

#include <errno.h>

#include "common/diag.h"
#include "control/cli/cli.h"
#include "rules/sig.h"

// Sub-commands. argv[0] is their own name.
int rules_check(struct cli *cli, int argc, char **argv);
int rules_diff(struct cli *cli, int argc, char **argv);
int rules_explain(struct cli *cli, int argc, char **argv);
int rules_import(struct cli *cli, int argc, char **argv);
int rules_pack(struct cli *cli, int argc, char **argv);
int rules_sign(struct cli *cli, int argc, char **argv);
int rules_verify(struct cli *cli, int argc, char **argv);

// Print a failure and turn it into an exit code: 5 for signatures, 1 for the rest.
int rules_failed(const struct cli *cli, int error, const struct diag *diag);

// Print text; control characters become '?', so that a file cannot drive the terminal.
void rules_print_text(const char *text);

// Say how many rules would stop traffic where that is switched on, if there are some.
void rules_print_alert_only(uint64_t n);

// Read a secret key; if it is encrypted, ask for the password on the terminal, or read it from stdin. 0 or an exit
// code, said already.
int rules_open_key(const struct cli *cli, const char *path, struct sig_secret *ret_key);

// Sign an archive, after reading it back as a sensor that trusts the key alone would. comment NULL: "bundle ID serial N".
// Length of the text, or negative errno with ret_diag.
int rules_sign_archive(const struct sig_secret *key, const char *name, struct span archive,
		       const char *comment, char text[SIG_TEXT_MAX], struct diag *ret_diag);

// A password of one line; prompt only on a terminal, without echo. False: none was given.
bool rules_ask_password(const char *prompt, char *buf, size_t size);

#endif
