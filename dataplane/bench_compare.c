// SPDX-License-Identifier: BSD-2-Clause
// bench --compare: what starts two programs in turns and reads what they say is a script (tests/bench/compare.py), which this
// process becomes.
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/diag.h"
#include "dataplane/bench_impl.h"

enum {
	ARGS_MAX = 2 * (RULELOAD_FILES_MAX + RULELOAD_VARS_MAX) + 16,
};

struct args {
	char *v[ARGS_MAX + 1]; // ends with NULL; leaked into the program that this becomes
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct args *a, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (a->n < ARGS_MAX && vasprintf(&text, fmt, ap) >= 0)
		a->v[a->n++] = text;
	va_end(ap);
}

// Installed, beside the build folder, or in the tree we stand in.
static int script_find(const char *self, char *ret_path, size_t size)
{
	static const char *const places[] = {"/../share/wireglass/bench/compare.py",
					     "/../tests/bench/compare.py"};
	const char *slash = strrchr(self, '/');

	for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(ret_path, size, "%.*s%s", (int)(slash - self), self, places[i]);
		if (access(ret_path, R_OK) == 0)
			return 0;
	}
	snprintf(ret_path, size, "tests/bench/compare.py");
	return access(ret_path, R_OK) == 0 ? 0 : -ENOENT;
}

int bench_compare(const struct bench *b, struct diag *diag)
{
	const struct ruleload *r = &b->rules;
	char self[PATH_MAX], script[2 * PATH_MAX];
	struct args a = {.n = 0};
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len <= 0 || r->n_files == 0) {
		diag_set(diag, NULL, 0, 0, "--compare needs --rules");
		return -EINVAL;
	}
	self[len] = '\0';
	if (script_find(self, script, sizeof(script)) < 0) {
		diag_set(diag, NULL, 0, 0,
			 "compare.py is neither in ../share/wireglass/bench beside this program, "
			 "nor in tests/bench");
		return -ENOENT;
	}
	add(&a, "python3");
	add(&a, "%s", script);
	add(&a, "--wireglass=%s", self);
	add(&a, "--runs=%u", b->opt.runs);
	add(&a, "--seconds=%g", b->opt.seconds);
	if (b->opt.json)
		add(&a, "--json");
	for (unsigned int i = 0; i < r->n_files; i++)
		add(&a, "--rules=%s", r->files[i]);
	for (unsigned int i = 0; i < r->n_vars; i++)
		add(&a, "--var=%s=%s", r->vars[i].name, r->vars[i].value);
	add(&a, "--");
	add(&a, "%s", b->opt.compare);
	add(&a, "%s", b->opt.pcap);
	execvp("python3", a.v);
	diag_set(diag, NULL, 0, 0, "python3: %s", strerror(errno));
	return -errno;
}
