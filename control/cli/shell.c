// SPDX-License-Identifier: BSD-2-Clause
// The shell: lines of the terminal, edited by libedit, each run by a child process as if it stood behind "wireglass". Whatever
// becomes of a command, the shell goes on. The history has the lines that were typed and nothing that was printed.
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/complete.h"

enum {
	HISTORY_LINES = 1000,
	LINE_WORDS_MAX = 256,
	PATH_BYTES = 4096,
};

struct shell {
	struct cli cli;
	EditLine *el;
	History *history;
	Tokenizer *words;
	char history_path[PATH_BYTES]; // "": not kept
	bool cancelled;                // by Ctrl-C
};

// --- history

// state folder/wireglass/history, with what is missing of the folders. false: there is no place for it.
static bool find_history(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state != NULL && state[0] == '/')
		n = snprintf(path, size, "%s/wireglass/history", state);
	else if (home != NULL && home[0] == '/')
		n = snprintf(path, size, "%s/.local/state/wireglass/history", home);
	else
		return false;
	if (n < 0 || (size_t)n >= size)
		return false;
	for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		mkdir(path, 0700); // one that cannot be made is found when the file is opened
		*slash = '/';
	}
	return true;
}

static void load_history(struct shell *s)
{
	char path[PATH_BYTES];
	HistEvent event;

	history(s->history, &event, H_SETSIZE, HISTORY_LINES);
	history(s->history, &event, H_SETUNIQUE, 1);
	if (!find_history(path, sizeof(path)))
		return;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fchmod(fd, 0600) != 0) {
		fprintf(stderr, "wireglass: the history is not kept: %s: %s\n", path,
			strerror(errno));
	} else {
		history(s->history, &event, H_LOAD, path);
		snprintf(s->history_path, sizeof(s->history_path), "%s", path);
	}
	if (fd >= 0)
		close(fd);
}

// A line that begins with a blank is not kept.
static void remember(struct shell *s, const char *line)
{
	HistEvent event;

	if (line[0] == ' ' || line[0] == '\t')
		return;
	history(s->history, &event, H_ENTER, line);
	if (s->history_path[0] != '\0')
		history(s->history, &event, H_SAVE, s->history_path);
}

// --- keys

static char *prompt(EditLine *el)
{
	static char text[] = "wireglass> ";

	return text;
}

static unsigned char on_cancel(EditLine *el, wint_t key)
{
	struct shell *s;

	el_get(el, EL_CLIENTDATA, &s);
	s->cancelled = true;
	fputs("^C\n", stdout);
	return CC_NEWLINE;
}

static void add_files(struct completions *c, const char *begin)
{
	char pattern[PATH_BYTES];
	size_t n = 0;
	glob_t g;

	for (; *begin != '\0' && n + 3 < sizeof(pattern); begin++) {
		if (strchr("*?[\\", *begin) != NULL)
			pattern[n++] = '\\';
		pattern[n++] = *begin;
	}
	pattern[n++] = '*';
	pattern[n] = '\0';
	if (glob(pattern, GLOB_MARK, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			completions_add(c, g.gl_pathv[i], strlen(g.gl_pathv[i]));
		globfree(&g);
	}
	completions_sort(c);
}

// How many bytes all have in common.
static size_t common_prefix(const struct completions *c)
{
	const char *first = c->v[0], *last = c->v[c->n - 1]; // sorted
	size_t n = 0;

	while (first[n] != '\0' && first[n] == last[n])
		n++;
	while (n > 0 && ((unsigned char)first[n] & 0xc0) == 0x80) // not within a character
		n--;
	return n;
}

static void print_choices(const struct completions *c)
{
	struct winsize w = {0};
	int widest = 0, column = 0;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	for (unsigned int i = 0; i < c->n; i++)
		widest = (int)strlen(c->v[i]) > widest ? (int)strlen(c->v[i]) : widest;
	putchar('\n');
	for (unsigned int i = 0; i < c->n; i++) {
		if (column > 0 && column + widest > w.ws_col) {
			putchar('\n');
			column = 0;
		}
		printf("%-*s", widest + 2, c->v[i]);
		column += widest + 2;
	}
	putchar('\n');
}

// Put in what is sure beyond the first have bytes, or show what there is to choose from.
static unsigned char insert(EditLine *el, const struct completions *c, size_t have)
{
	size_t sure = common_prefix(c), n = 0;
	char text[2 * PATH_BYTES];
	bool whole = c->n == 1 && sure > 0 && c->v[0][sure - 1] != '/';

	for (; have < sure && n + 3 < sizeof(text); have++) {
		if (strchr(" \t\"'\\", c->v[0][have]) != NULL)
			text[n++] = '\\';
		text[n++] = c->v[0][have];
	}
	if (whole)
		text[n++] = ' ';
	text[n] = '\0';
	if (n > 0)
		return el_insertstr(el, text) == 0 ? CC_REFRESH : CC_ERROR;
	print_choices(c);
	return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *el, wint_t key)
{
	LineInfo line = *el_line(el);
	char *words[LINE_WORDS_MAX];
	const char **argv;
	int argc, word, offset, n = 0;
	struct completions c;
	struct shell *s;

	el_get(el, EL_CLIENTDATA, &s);
	line.lastchar = line.cursor;
	tok_reset(s->words);
	if (tok_line(s->words, &line, &argc, &argv, &word, &offset) != 0 || argc >= LINE_WORDS_MAX)
		return CC_ERROR;
	for (int i = 0; i < argc; i++)
		words[n++] = strdup(argv[i]);
	if (word == argc)
		words[n++] = strdup("");
	for (int i = 0; i < n; i++)
		if (words[i] == NULL)
			return CC_FATAL;
	complete(&s->cli, n, words, &c);
	if (c.n == 0)
		add_files(&c, words[n - 1]);
	unsigned char result =
		c.n > 0 ? insert(el, &c, strlen(words[n - 1])) : (unsigned char)CC_ERROR;
	completions_free(&c);
	for (int i = 0; i < n; i++)
		free(words[i]);
	return result;
}

// --- commands

static void run_child(struct shell *s, int argc, char **argv)
{
	struct cli cli = s->cli;

	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	argc = cli_globals(&cli, argc, argv);
	exit(argc < 0    ? CLI_USAGE
	     : argc == 1 ? cli_error(&cli, CLI_USAGE, "usage", "name a command (see help)")
			 : cli_command(&cli, argc, argv));
}

// argv[0] stands for the program.
static void run_line(struct shell *s, int argc, char **argv)
{
	int status = 0;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		run_child(s, argc, argv);
	if (pid < 0)
		fprintf(stderr, "wireglass: cannot start a process: %s\n", strerror(errno));
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		fprintf(stderr, "\nwireglass: %s was ended by signal %d (%s)\n", argv[1],
			WTERMSIG(status), strsignal(WTERMSIG(status)));
}

// Take a line apart and run it. false: it asks for the end.
static bool on_line(struct shell *s, const char *line)
{
	char name[] = "wireglass", *args[LINE_WORDS_MAX + 2] = {name};
	const char **argv;
	int argc, n = 1, first;
	bool ends;

	tok_reset(s->words);
	if (tok_str(s->words, line, &argc, &argv) != 0) {
		fputs("wireglass: a quote is not closed\n", stderr);
		return true;
	}
	first = argc > 0 && strcmp(argv[0], name) == 0; // as it is written in the documentation
	if (argc > LINE_WORDS_MAX) {
		fprintf(stderr, "wireglass: more than %d words\n", LINE_WORDS_MAX);
		return true;
	}
	for (int i = first; i < argc; i++)
		args[n++] = strdup(argv[i]);
	ends = n == 2 && (strcmp(args[1], "exit") == 0 || strcmp(args[1], "quit") == 0);
	if (n > 1 && !ends)
		run_line(s, n, args);
	for (int i = 1; i < n; i++)
		free(args[i]);
	return !ends;
}

static bool open_editor(struct shell *s)
{
	s->el = el_init("wireglass", stdin, stdout, stderr);
	s->history = history_init();
	s->words = tok_init(NULL);
	if (s->el == NULL || s->history == NULL || s->words == NULL)
		return false;
	load_history(s);
	el_set(s->el, EL_CLIENTDATA, s);
	el_set(s->el, EL_EDITOR, "emacs");
	el_set(s->el, EL_PROMPT, prompt);
	el_set(s->el, EL_HIST, history, s->history);
	el_set(s->el, EL_SIGNAL, 1);                  // the terminal is put back when one ends us
	el_set(s->el, EL_SETTY, "-d", "-isig", NULL); // Ctrl-C is a key while a line is edited
	el_wset(s->el, EL_ADDFN, L"wireglass-complete", L"complete a word", on_tab);
	el_wset(s->el, EL_ADDFN, L"wireglass-cancel", L"give up the line", on_cancel);
	el_set(s->el, EL_BIND, "^I", "wireglass-complete", NULL);
	el_set(s->el, EL_BIND, "^C", "wireglass-cancel", NULL);
	el_source(s->el, NULL); // what the user prefers: editrc(5)
	return true;
}

int shell_run(const struct cli *cli)
{
	struct shell s = {.cli = *cli};
	const char *line;

	setlocale(LC_CTYPE, "");
	signal(SIGINT, SIG_IGN); // keys for commands that run
	signal(SIGQUIT, SIG_IGN);
	bool goes_on = open_editor(&s);
	int n, code = goes_on ? CLI_OK
			      : cli_error(cli, CLI_FAILED, "failed",
					  "this terminal cannot be used");

	if (goes_on && !cli->quiet)
		puts("Wireglass " WIREGLASS_VERSION
		     ": help lists the commands, Tab completes, Ctrl-D ends.");
	while (goes_on) {
		s.cancelled = false;
		el_set(s.el, EL_PREP_TERM, 1); // what is typed behind the prompt is a key
		line = el_gets(s.el, &n);
		if (s.cancelled)
			continue;
		goes_on = line != NULL && n > 0;
		if (!goes_on) {
			putchar('\n');
		} else if (line[strspn(line, " \t\n")] != '\0') {
			remember(&s, line);
			goes_on = on_line(&s, line);
		}
	}
	if (s.words != NULL)
		tok_end(s.words);
	if (s.history != NULL)
		history_end(s.history);
	if (s.el != NULL)
		el_end(s.el);
	return code;
}
