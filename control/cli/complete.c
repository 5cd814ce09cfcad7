// SPDX-License-Identifier: BSD-2-Clause
// Completion knows no command: it reads the program's own help, which is made of its tables. A help text is printed by a child
// process, as commands print where they like.
#include "control/cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	HELP_BYTES = 64 << 10,
	WORDS_MAX = 2, // of a command: "rules check"
};

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
static const char option_letters[] = "abcdefghijklmnopqrstuvwxyz-";

void completions_add(struct completions *c, const char *text, size_t len)
{
	if (c->n < COMPLETE_MAX && (c->v[c->n] = strndup(text, len)) != NULL)
		c->n++;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void completions_sort(struct completions *c)
{
	unsigned int n = 0;

	qsort(c->v, c->n, sizeof(c->v[0]), by_text);
	for (unsigned int i = 0; i < c->n; i++) {
		if (n > 0 && strcmp(c->v[i], c->v[n - 1]) == 0)
			free(c->v[i]);
		else
			c->v[n++] = c->v[i];
	}
	c->n = n;
}

void completions_free(struct completions *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		free(c->v[i]);
	c->n = 0;
}

static void print_help(struct cli *cli, int out, int n, char **words)
{
	char name[] = "help", *args[WORDS_MAX + 2] = {name};

	for (int i = 0; i < n; i++)
		args[i + 1] = words[i];
	if (dup2(out, STDOUT_FILENO) < 0 || freopen("/dev/null", "w", stderr) == NULL)
		_exit(CLI_FAILED);
	cmd_help(cli, n + 1, args);
	fflush(stdout);
	_exit(CLI_OK);
}

// The help of a command as text in buf. An unknown command has none.
static void read_help(struct cli *cli, int n, char **words, char *buf, size_t size)
{
	int ends[2];
	size_t len = 0;
	ssize_t got = 1;

	buf[0] = '\0';
	if (pipe(ends) != 0)
		return;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		print_help(cli, ends[1], n, words);
	close(ends[1]);
	while (pid > 0 && got > 0 && len + 1 < size) {
		got = read(ends[0], buf + len, size - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	buf[len] = '\0';
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void offer(struct completions *c, const char *begin, const char *text, size_t len)
{
	if (len > 0 && strlen(begin) <= len && strncmp(begin, text, strlen(begin)) == 0)
		completions_add(c, text, len);
}

// Sub-commands in a synopsis: "usage: wireglass COMMAND one|other ...".
static void offer_synopsis(struct completions *c, const char *begin, const char *line,
			   const char *command)
{
	size_t len = strlen(command);

	if (strncmp(line, "usage:", 6) != 0 && strncmp(line, "      ", 6) != 0)
		return;
	if (strncmp(line + 6, " wireglass ", 11) != 0 || strncmp(line + 17, command, len) != 0 ||
	    line[17 + len] != ' ')
		return;
	line += 18 + len;
	size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz|");
	if (line[n] != ' ' && line[n] != '\0')
		return;
	for (const char *end = line + n; line < end; line++) {
		size_t word = strspn(line, letters);
		offer(c, begin, line, word);
		line += word;
	}
}

// A line of a table: "  word  what it is".
static void offer_entry(struct completions *c, const char *begin, const char *line)
{
	size_t n = strncmp(line, "  ", 2) == 0 ? strspn(line + 2, letters) : 0;

	if (n > 0 && line[2 + n] == ' ' && strncmp(line + 2, "wireglass ", 10) != 0 &&
	    strncmp(line + 2, "sudo ", 5) != 0)
		offer(c, begin, line + 2, n);
}

static void offer_options(struct completions *c, const char *begin, const char *line)
{
	for (const char *p = line; (p = strstr(p, "--")) != NULL; p += 2)
		if ((p == line || p[-1] == ' ' || p[-1] == '[') && p[2] >= 'a' && p[2] <= 'z')
			offer(c, begin, p, 2 + strspn(p + 2, option_letters));
}

// Does a value follow this option? It is written in capitals then: "--key FILE".
static bool wants_value(const char *help, const char *option)
{
	size_t n = strlen(option);

	for (const char *p = help; (p = strstr(p, option)) != NULL; p += n)
		if (p[n] == ' ' && p[n + 1] >= 'A' && p[n + 1] <= 'Z')
			return true;
	return strcmp(option, "--socket") == 0;
}

// The words of the command among n words, WORDS_MAX at most: no options, no "help" before it. Returns how many there are.
static int command_of(int n, char **words, char **ret)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		if (words[i][0] == '-' || (found == 0 && strcmp(words[i], "help") == 0))
			i += strcmp(words[i], "--socket") == 0;
		else if (found++ < WORDS_MAX)
			ret[found - 1] = words[i];
	}
	return found;
}

void complete(struct cli *cli, int n, char **words, struct completions *ret)
{
	static const char *const globals[] = {"--json", "--quiet", "--socket", "--help"};
	const char *begin = words[n - 1];
	char *command[WORDS_MAX], *help, *save;
	bool options = begin[0] == '-', in_examples = false;

	ret->n = 0;
	int found = command_of(n - 1, words, command);
	help = malloc(HELP_BYTES);
	if (help == NULL)
		return;
	read_help(cli, found < WORDS_MAX ? found : WORDS_MAX, command, help, HELP_BYTES);
	bool value = (n > 1 && words[n - 2][0] == '-' && wants_value(help, words[n - 2])) ||
		     (!options && found >= WORDS_MAX);
	for (char *line = strtok_r(help, "\n", &save); line != NULL && !value;
	     line = strtok_r(NULL, "\n", &save)) {
		in_examples |= strcmp(line, "Examples:") == 0 || strcmp(line, "Example:") == 0 ||
			       strncmp(line, "A first ", 8) == 0;
		if (options) {
			offer_options(ret, begin, line);
		} else if (!in_examples) {
			offer_entry(ret, begin, line);
			if (found > 0)
				offer_synopsis(ret, begin, line, command[0]);
		}
	}
	free(help);
	for (size_t i = 0; options && !value && i < sizeof(globals) / sizeof(globals[0]); i++)
		offer(ret, begin, globals[i], strlen(globals[i]));
	completions_sort(ret);
}

static const char help_text[] = "usage: wireglass complete -- WORD...\n"
				"\n"
				"What may stand in place of the last WORD behind the others, one a "
				"line: what shells ask when you\n"
				"press Tab. Nothing means that a file may stand there.\n"
				"\n"
				"Exit codes: 0 done, 2 usage.\n"
				"\n"
				"  wireglass complete -- rules ''\n";

int cmd_complete(struct cli *cli, int argc, char **argv)
{
	struct completions c;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help_text, stdout);
		return CLI_OK;
	}
	if (argc < 3 || strcmp(argv[1], "--") != 0)
		return cli_usage(cli, "complete", help_text);
	complete(cli, argc - 2, argv + 2, &c);
	for (unsigned int i = 0; i < c.n; i++)
		puts(c.v[i]);
	completions_free(&c);
	return CLI_OK;
}
