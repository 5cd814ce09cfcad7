// SPDX-License-Identifier: BSD-2-Clause
// "wireglass top": a live view. A child process asks wireglassd, which may take its time or be away, and writes each answer as a
// line of JSON into a pipe; the terminal's side only waits for that pipe and for keys, so a key always works. However this process
// ends, by a signal too, it gives the terminal back as it was.
#include "control/cli/top.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/table.h"

enum {
	FRAME_BYTES = 1 << 20,
	FRAMES_FOR_RATES = 5, // one frame has none before there are two samples
	SILENT_S = 5,         // without an answer for so long: that is said
};

static const char help[] = "usage: wireglass top [--interval SECONDS] [--once] [--json]\n"
			   "\n"
			   "What is received, lost and inspected, what the workers do, which rules "
			   "hit most, and the newest\n"
			   "hits, until you press q. It goes on when wireglassd or the dataplane "
			   "is away, and says so.\n"
			   "\n"
			   "  --interval SECONDS  between two frames, 1 to 60 (default 1)\n"
			   "  --once              one frame as lines, for pipes\n"
			   "  --json              one frame as an object\n"
			   "\n"
			   "Exit codes: 0 done, 1 failed, 2 usage; with --once or --json 3 "
			   "wireglassd not reachable, 4 no answer\n"
			   "in time.\n"
			   "\n"
			   "  wireglass top --once | head -n 8\n"
			   "  wireglass top --json | jq .per_second\n";

// --- asking

// An answer, or {"problem": sentence}. Returns an exit code.
static int ask(const struct cli *cli, struct top_samples *samples, json_t **ret_frame)
{
	static const struct ipc_admin_req reqs[] = {
		{.command = IPC_ADMIN_SHOW_STATUS},
		{.command = IPC_ADMIN_SHOW_STATS},
		{.command = IPC_ADMIN_SHOW_PORTS},
		{.command = IPC_ADMIN_SHOW_WORKERS},
		{.command = IPC_ADMIN_SHOW_COVERAGE},
		{.command = IPC_ADMIN_HITS_LIST, .limit = TOP_HITS_ASKED}};
	enum { N = sizeof(reqs) / sizeof(reqs[0]) };
	char error[1024] = "out of memory";
	json_t *reply[N];

	int code = client_ask_all(cli, reqs, N, reply, error, sizeof(error));
	const struct top_input in = {.status = reply[0],
				     .stats = reply[1],
				     .ports = reply[2],
				     .workers = reply[3],
				     .coverage = reply[4],
				     .hits = reply[5]};
	*ret_frame = code == CLI_OK ? top_frame(&in, samples) : NULL;
	if (*ret_frame == NULL)
		*ret_frame = json_pack("{s:o}", "problem", cli_json_text(error));
	for (int i = 0; i < N; i++)
		json_decref(reply[i]);
	return code;
}

static void pause_s(unsigned int seconds)
{
	struct timespec t = {.tv_sec = seconds};

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

static void ask_for_ever(const struct cli *cli, unsigned int interval_s, int out)
{
	struct top_samples samples = {0};
	FILE *f = fdopen(out, "w");
	bool goes_on = f != NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (goes_on) {
		json_t *frame;

		ask(cli, &samples, &frame);
		goes_on = json_dumpf(frame, f, JSON_COMPACT) == 0 && putc('\n', f) != EOF &&
			  fflush(f) == 0;
		json_decref(frame);
		pause_s(interval_s);
	}
	_exit(CLI_FAILED);
}

static int once(const struct cli *cli, unsigned int interval_s)
{
	struct top_samples samples = {0};
	json_t *frame = NULL;
	int code, n = 0;

	do {
		if (n > 0)
			pause_s(interval_s);
		json_decref(frame);
		code = ask(cli, &samples, &frame);
	} while (++n < FRAMES_FOR_RATES && code == CLI_OK &&
		 reply_true(json_object_get(frame, "dataplane"), "connected") &&
		 json_number_value(json_object_get(frame, "interval_s")) <= 0);
	if (code != CLI_OK)
		cli_error(cli, code, code == CLI_TIMEOUT ? "timeout" : "unreachable", "%s",
			  reply_text(frame, "problem"));
	else if (cli->json)
		code = client_print_json(frame);
	else
		top_print(stdout, frame, 0, 0);
	json_decref(frame);
	return fflush(stdout) == 0 ? code : CLI_FAILED;
}

// --- the terminal

static struct termios found, raw; // the terminal as it was, and as it is meanwhile

// Another screen, no cursor, long lines cut; and back.
static const char enter[] = "\033[?1049h\033[?25l\033[?7l\033[2J";
static const char leave[] = "\033[?7h\033[?25h\033[?1049l";

static void give_back(void)
{
	ssize_t n = write(STDOUT_FILENO, leave, sizeof(leave) - 1);

	(void)n;
	tcsetattr(STDIN_FILENO, TCSANOW, &found);
}

// The handler is gone by then (SA_RESETHAND): the signal does what it does.
static void on_deadly(int sig)
{
	give_back();
	raise(sig);
}

static void take(void)
{
	ssize_t n = write(STDOUT_FILENO, enter, sizeof(enter) - 1);

	(void)n;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

// SIGCONT: others had the terminal meanwhile. SIGWINCH: it has another size, draw() sees which.
static void on_wake(int sig)
{
	if (sig == SIGCONT)
		take();
}

static void take_terminal(void)
{
	static const int deadly[] = {SIGINT,  SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
				     SIGABRT, SIGBUS,  SIGFPE, SIGILL};
	struct sigaction end = {.sa_handler = on_deadly, .sa_flags = SA_RESETHAND};
	struct sigaction wake = {.sa_handler = on_wake};

	raw = found;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO | ISIG);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaction(deadly[i], &end, NULL);
	sigaction(SIGWINCH, &wake, NULL);
	sigaction(SIGCONT, &wake, NULL);
	take();
}

static void draw(const json_t *frame)
{
	struct winsize w = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row == 0 || w.ws_col == 0)
		w = (struct winsize){.ws_row = 24, .ws_col = 80};
	top_print(stdout, frame, w.ws_row, w.ws_col);
	fflush(stdout);
}

// --- frames from the child

struct incoming {
	char *buf; // FRAME_BYTES
	size_t len;
	int fd;
};

// Read what is there; the newest whole line becomes *io_frame. false: the other end is closed.
static bool receive(struct incoming *in, json_t **io_frame)
{
	ssize_t got = read(in->fd, in->buf + in->len, FRAME_BYTES - in->len);
	char *end;

	if (got <= 0)
		return got < 0 && errno == EINTR;
	in->len += (size_t)got;
	while ((end = memchr(in->buf, '\n', in->len)) != NULL) {
		json_t *frame = json_loadb(in->buf, (size_t)(end - in->buf), 0, NULL);
		if (frame != NULL) {
			json_decref(*io_frame);
			*io_frame = frame;
		}
		in->len -= (size_t)(end + 1 - in->buf);
		memmove(in->buf, end + 1, in->len);
	}
	return in->len < FRAME_BYTES;
}

// The key that was pressed, 0 if none, -1 if the terminal is gone.
static int key(void)
{
	char c;
	ssize_t got = read(STDIN_FILENO, &c, 1);

	return got == 1 ? c : got < 0 && errno == EINTR ? 0 : -1;
}

// Returns an exit code.
static int watch(struct incoming *in, unsigned int interval_s)
{
	json_t *frame = json_pack("{s:s}", "problem", "asking wireglassd ...");
	time_t last = time(NULL);
	int pressed = 0;
	bool comes = true;

	while (comes && pressed >= 0 && pressed != 'q' && pressed != 'Q' && pressed != 3) {
		struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				     {.fd = in->fd, .events = POLLIN}};
		draw(frame);
		if (poll(p, 2, 1000) < 0 && errno != EINTR)
			break;
		pressed = p[0].revents != 0 ? key() : 0;
		if (p[1].revents != 0) {
			comes = receive(in, &frame);
			last = time(NULL);
		} else if (time(NULL) - last > SILENT_S + (time_t)interval_s) {
			json_object_set_new(frame, "problem",
					    json_string("wireglassd does not answer"));
		}
	}
	json_decref(frame);
	return comes && pressed >= 0 ? CLI_OK : CLI_FAILED;
}

static int live(const struct cli *cli, unsigned int interval_s)
{
	struct incoming in = {.buf = malloc(FRAME_BYTES)};
	int ends[2];

	if (in.buf == NULL || tcgetattr(STDIN_FILENO, &found) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
		free(in.buf);
		return cli_error(cli, CLI_FAILED, "failed", "cannot use this terminal: %s",
				 strerror(errno));
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		ask_for_ever(cli, interval_s, ends[1]);
	}
	close(ends[1]);
	in.fd = ends[0];
	take_terminal();
	int code = watch(&in, interval_s);
	give_back();
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(ends[0]);
	free(in.buf);
	return code == CLI_OK ? CLI_OK
			      : cli_error(cli, code, "failed", "the process that asks has ended");
}

int cmd_top(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"interval", required_argument, NULL, 'i'},
		{"once", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	unsigned long long interval = 1;
	bool one = cli->json;
	int opt;

	while ((opt = cli_option(cli, "top", argc, argv, ":", options)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (opt == CLI_BAD_OPTION)
			return CLI_USAGE;
		if (opt == 'o')
			one = true;
		else if (!cli_number(optarg, 1, 60, &interval))
			return cli_error(cli, CLI_USAGE, "usage",
					 "--interval: \"%s\" is not a number of seconds, 1 to 60",
					 optarg);
	}
	if (optind < argc)
		return cli_usage(cli, "top", help);
	if (one)
		return once(cli, (unsigned int)interval);
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_error(cli, CLI_USAGE, "usage",
				 "top needs a terminal: --once prints one frame without");
	return live(cli, (unsigned int)interval);
}
