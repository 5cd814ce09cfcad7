// SPDX-License-Identifier: BSD-2-Clause
// "wireglass selftest privacy": does a byte of what passes by reach anything that lasts?
//
// Random texts are sent through the real programs in every part of the traffic, beside the words that rules look for, so that
// each of them is read, decoded and hit. Then everything the programs have written or said is searched for pieces of
// them. One more text stands in a URL, which is stored (docs/PRIVACY.md): where it is not found, the search proves nothing.
// At the end both programs are made to crash, and the kernel says whether it wrote a core file.
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/recorder.h"
#include "control/cli/selftest_send.h"
#include "control/cli/table.h"
#include "control/cli/trial.h"
#include "rules/file.h"

static const char help[] =
	"usage: wireglass selftest privacy [--keep] [--json]\n"
	"\n"
	"Sends traffic with random texts (bodies, plain, chunked and compressed; cookies and other "
	"headers;\n"
	"TLS, SSH and unknown protocols) through wireglassd and wireglass-dataplane in a "
	"temporary\n"
	"directory, with rules that hit beside each of them, and searches for what is left of "
	"them: in every\n"
	"file the programs have written, in what they log, report, say to each other and answer; "
	"as they\n"
	"are, in hex and in base64, eight bytes in a row being enough. Then both are made to "
	"crash, and no\n"
	"core file may come of it. Needs no root and touches nothing of a running system.\n"
	"\n"
	"  --keep  leave the directory and say where it is\n"
	"\n"
	"Exit codes: 0 nothing was found, 1 something was, or the test could not be made, 2 "
	"usage.\n";

enum {
	FILE_MAX = 256 << 20,
	LEAKS_MAX = 64,
	END_MS = 60000, // writing a core file takes its time
};

struct selftest {
	struct cli *cli;
	struct trial trial;
	struct recorder recorder;
	bool recording;
	char paths[RECORDER_N][DEMO_PATH_BYTES];
	struct canary parts[PART_N];
	struct canary_search *secret, *stored;
	json_t *places, *leaks; // what was searched, and what was found
	json_t *unseen;         // places in which what is stored should be and is not
	json_t *cores;
	bool dumped;
};

// The capture, in memory and not on a disk: it is payload. Whoever has opened it keeps it.
static int write_capture(const struct selftest *s, char *path, size_t size)
{
	snprintf(path, size, "%s", "/dev/shm/wireglass-XXXXXX");
	int fd = mkostemp(path, O_CLOEXEC), err;
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (f == NULL)
		return cli_error(s->cli, CLI_FAILED, "selftest",
				 "cannot make a file in /dev/shm: %s", strerror(errno));
	err = selftest_send(f, s->parts);
	if (ferror(f) != 0 || fflush(f) != 0)
		err = -EIO;
	fclose(f);
	if (err == 0)
		return CLI_OK;
	unlink(path);
	return cli_error(s->cli, CLI_FAILED, "selftest", "%s cannot be written: %s", path,
			 strerror(-err));
}

// --- search ---------------------------------------------------------------------------------------------------------

static void note_leak(struct selftest *s, const char *place, const struct canary_found *found)
{
	if (json_array_size(s->leaks) < LEAKS_MAX)
		json_array_append_new(s->leaks,
				      json_pack("{s:s, s:s, s:s, s:I}", "place", place, "part",
						found->canary->what, "form", found->form, "offset",
						(json_int_t)found->offset));
}

// stored: the URL must be here.
static void search(struct selftest *s, const char *place, const void *data, size_t len, bool stored)
{
	struct canary_found found;
	bool has_url = canary_find(s->stored, data, len, &found);

	json_array_append_new(s->places, json_pack("{s:s, s:I, s:b}", "place", place, "bytes",
						   (json_int_t)len, "url", has_url));
	if (canary_find(s->secret, data, len, &found))
		note_leak(s, place, &found);
	if (stored && !has_url)
		json_array_append_new(s->unseen, json_string(place));
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n >= m && strcmp(text + n - m, suffix) == 0;
}

static int search_file(struct selftest *s, const char *path, const char *name)
{
	struct diag diag = {0};
	char *data, why[1024];
	size_t len;

	if (file_read(path, FILE_MAX, &data, &len, &diag) != 0)
		return cli_error(s->cli, CLI_FAILED, "selftest", "%s",
				 diag_format(&diag, why, sizeof(why)));
	// What was stored is in the database, or still in its journal.
	search(s, name, data, len, has_suffix(name, "eve.json") || has_suffix(name, "hits.db-wal"));
	free(data);
	return CLI_OK;
}

// Every file below the directory, and the names of files, too.
static int search_files(struct selftest *s)
{
	char *const roots[] = {s->trial.run.dir, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	const size_t skip = strlen(s->trial.run.dir) + 1;
	int code = fts != NULL ? CLI_OK : CLI_FAILED;
	struct canary_found found;

	for (FTSENT *e; code == CLI_OK && (e = fts_read(fts)) != NULL;) {
		const char *name = e->fts_pathlen > skip ? e->fts_path + skip : ".";

		if (canary_find(s->secret, e->fts_name, e->fts_namelen, &found))
			note_leak(s, name, &found);
		if (e->fts_info == FTS_F)
			code = search_file(s, e->fts_path, name);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			code = cli_error(s->cli, CLI_FAILED, "selftest", "%s: %s", e->fts_path,
					 strerror(e->fts_errno));
	}
	if (fts != NULL)
		fts_close(fts);
	return code;
}

static int search_answers(struct selftest *s)
{
	static const struct {
		uint32_t command;
		bool url; // is in the answer
	} commands[] = {
		{IPC_ADMIN_SHOW_STATUS, false},   {IPC_ADMIN_SHOW_STATS, false},
		{IPC_ADMIN_SHOW_PORTS, false},    {IPC_ADMIN_SHOW_WORKERS, false},
		{IPC_ADMIN_SHOW_COVERAGE, false}, {IPC_ADMIN_SHOW_RULES, false},
		{IPC_ADMIN_HITS_LIST, true},      {IPC_ADMIN_REPORT, false},
		{IPC_ADMIN_RULES_LIST, false},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		json_t *reply = trial_ask(&s->trial, commands[i].command);
		char *text = reply != NULL ? json_dumps(reply, JSON_COMPACT) : NULL;
		char place[64];

		json_decref(reply);
		if (text == NULL)
			return cli_error(s->cli, CLI_FAILED, "selftest", "no answer to %s",
					 ipc_admin_words(commands[i].command));
		snprintf(place, sizeof(place), "answer to \"%s\"",
			 ipc_admin_words(commands[i].command));
		search(s, place, text, strlen(text), commands[i].url);
		free(text);
	}
	return CLI_OK;
}

// --- steps ----------------------------------------------------------------------------------------------------------

static int start(struct selftest *s)
{
	static const char *const names[RECORDER_N] = {"eve.sock", "syslog.sock", "relay.sock"};
	const char *paths[RECORDER_N];
	char config[3 * DEMO_PATH_BYTES], id[64], pcap[DEMO_PATH_BYTES];

	for (int i = 0; i < RECORDER_N; i++)
		paths[i] = demo_path(&s->trial.run, names[i], s->paths[i], sizeof(s->paths[i]));
	int err = recorder_start(&s->recorder, paths, s->trial.dataplane);
	s->recording = true;
	if (err != 0)
		return cli_error(s->cli, CLI_FAILED, "selftest",
				 "cannot listen in the temporary directory: %s", strerror(-err));
	int code = trial_bundle(&s->trial, selftest_rules, strlen(selftest_rules), id, sizeof(id));
	if (code == CLI_OK)
		code = write_capture(s, pcap, sizeof(pcap));
	if (code != CLI_OK)
		return code;
	snprintf(config, sizeof(config), "eve = { socket = \"%s\"; };\nsyslog = \"%s\";\n",
		 paths[RECORDER_EVE], paths[RECORDER_SYSLOG]);
	code = trial_start(&s->trial, pcap, config, paths[RECORDER_IPC]);
	if (code == CLI_OK)
		code = trial_connected(&s->trial);
	unlink(pcap);
	return code;
}

// Has every part been read? Each rule hit, and nothing hit where nothing may be read.
static int check_hits(struct selftest *s)
{
	bool seen[SELFTEST_RULES + 1] = {false};
	const json_t *hit;
	size_t i;

	json_array_foreach(s->trial.hits, i, hit)
	{
		uint64_t sid = reply_number(hit, "sid"), port = reply_number(hit, "server_port");

		if (sid <= SELFTEST_RULES)
			seen[sid] = true;
		if (port != 80)
			return cli_error(s->cli, CLI_FAILED, "selftest",
					 "rule %d hit on port %d, in bytes that nobody may read",
					 (int)sid, (int)port);
	}
	for (int sid = 1; sid <= SELFTEST_RULES; sid++)
		if (!seen[sid])
			return cli_error(s->cli, CLI_FAILED, "selftest",
					 "rule %d did not hit: what it is about was not read, so "
					 "nothing can be said of it",
					 sid);
	uint64_t read =
		reply_number(json_object_get(s->trial.stats, "counters"), "app.read_after_release");
	if (read != 0)
		return cli_error(s->cli, CLI_FAILED, "selftest",
				 "%d bytes were read after their flow was released", (int)read);
	return CLI_OK;
}

// Its end within a time. false: it does not end.
static bool wait_end(struct demo_child *c, int *ret_status)
{
	for (int waited = 0; waited < END_MS; waited += 20) {
		if (waitpid(c->pid, ret_status, WNOHANG) == c->pid) {
			c->pid = 0;
			return true;
		}
		demo_sleep(20);
	}
	return false;
}

// Both programs crash, by a signal that no sanitizer takes.
static int crash(struct selftest *s)
{
	struct rlimit limit;

	getrlimit(RLIMIT_CORE, &limit);
	for (int i = 0; i < s->trial.run.n_children; i++) {
		struct demo_child *c = &s->trial.run.children[i];
		int status = 0;

		if (c->pid == 0 || kill(c->pid, SIGQUIT) != 0 || !wait_end(c, &status) ||
		    !WIFSIGNALED(status))
			return cli_error(s->cli, CLI_FAILED, "selftest",
					 "%s does not end by a signal, so it is not known what a "
					 "crash leaves",
					 c->name);
		bool dumped = WCOREDUMP(status);
		json_array_append_new(s->cores,
				      json_pack("{s:s, s:b, s:b}", "program", c->name, "allowed",
						limit.rlim_cur != 0, "core", dumped));
		s->dumped = s->dumped || dumped;
	}
	return CLI_OK;
}

static size_t count(const struct recorder_text *t, const char *word)
{
	const char *p = t->data, *end = p + t->len;
	size_t n = 0;

	while (p != NULL && (p = memmem(p, (size_t)(end - p), word, strlen(word))) != NULL) {
		p += strlen(word);
		n++;
	}
	return n;
}

static int look_everywhere(struct selftest *s)
{
	static const char *const names[RECORDER_N] = {"EVE socket", "syslog socket",
						      "between wireglassd and the dataplane"};
	int code = search_answers(s);

	if (code == CLI_OK)
		code = crash(s);
	recorder_stop(&s->recorder);
	if (code == CLI_OK)
		code = search_files(s);
	for (int i = 0; i < RECORDER_N; i++) {
		const struct recorder_text *t = &s->recorder.texts[i];

		search(s, names[i], t->data, t->len, i == RECORDER_IPC);
		if (i != RECORDER_IPC &&
		    count(t, "\"signature_id\":") < json_array_size(s->trial.hits))
			json_array_append_new(s->unseen, json_string(names[i]));
	}
	if (code == CLI_OK && s->recorder.incomplete)
		code = cli_error(s->cli, CLI_FAILED, "memory", "out of memory");
	return code;
}

// --- result ---------------------------------------------------------------------------------------------------------

static void print_result(const struct selftest *s, bool passed)
{
	const json_t *v;
	size_t i;
	char bytes[32];

	if (s->cli->quiet)
		return;
	puts("Sent through both programs, each with a random text:");
	for (int p = 0; p < PART_SECRET_N; p++)
		printf("  %s\n", s->parts[p].what);
	printf("%zu hits beside them. Searched:\n", json_array_size(s->trial.hits));
	json_array_foreach(s->places, i, v)
	{
		printf("  %-50s %10s  %s\n", reply_text(v, "place"),
		       table_bytes(bytes, sizeof(bytes), reply_number(v, "bytes")),
		       reply_true(v, "url") ? "has the URL, as it should" : "");
	}
	json_array_foreach(s->cores, i, v)
	{
		printf("After a crash of %s: %s\n", reply_text(v, "program"),
		       reply_true(v, "core") ? "A CORE FILE, with payload in it."
		       : reply_true(v, "allowed")
			       ? "no core file."
			       : "no core file (none is allowed here: ulimit -c).");
	}
	json_array_foreach(s->leaks, i, v)
	{
		printf("FOUND %s in %s, at byte %d, %s\n", reply_text(v, "part"),
		       reply_text(v, "place"), (int)reply_number(v, "offset"),
		       reply_text(v, "form"));
	}
	json_array_foreach(s->unseen, i, v)
	{
		printf("What is stored (the URL, alerts) is not in %s: the search proves "
		       "nothing.\n",
		       json_string_value(v));
	}
	if (passed)
		puts("Nothing of them was found.");
	if (s->trial.run.keep)
		printf("Kept in %s\n", s->trial.run.dir);
}

static int report(struct selftest *s)
{
	int code = CLI_OK;

	if (json_array_size(s->leaks) > 0 || json_array_size(s->unseen) > 0 || s->dumped)
		code = CLI_FAILED;
	if (!s->cli->json) {
		print_result(s, code == CLI_OK);
	} else {
		json_t *parts = json_array();

		for (int p = 0; p < PART_SECRET_N; p++)
			json_array_append_new(parts, json_string(s->parts[p].what));
		json_t *all = json_pack(
			"{s:b, s:o, s:I, s:O, s:O, s:O, s:O, s:s?}", "passed", code == CLI_OK,
			"parts", parts, "hits", (json_int_t)json_array_size(s->trial.hits),
			"places", s->places, "leaks", s->leaks, "unseen", s->unseen, "cores",
			s->cores, "kept", s->trial.run.keep ? s->trial.run.dir : NULL);
		if (all == NULL || client_print_json(all) != CLI_OK)
			code = CLI_FAILED;
		json_decref(all);
	}
	return code;
}

static int privacy(struct cli *cli, bool keep)
{
	struct selftest s = {.cli = cli,
			     .places = json_array(),
			     .leaks = json_array(),
			     .unseen = json_array(),
			     .cores = json_array()};
	struct rlimit limit;

	for (int i = 0; i < PART_N; i++)
		s.parts[i].what = part_names[i];
	canary_make(s.parts, PART_N);
	s.secret = canary_search_new(s.parts, PART_SECRET_N);
	s.stored = canary_search_new(&s.parts[PART_URL], 1);
	s.trial.run.keep = keep;
	if (getrlimit(RLIMIT_CORE, &limit) == 0) { // what the programs inherit would let them
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
	int code = trial_begin(&s.trial, cli);
	if (code == CLI_OK && (s.secret == NULL || s.stored == NULL))
		code = cli_error(cli, CLI_FAILED, "memory", "out of memory");
	if (code == CLI_OK && chdir(s.trial.run.dir) != 0) // where a core file would be made
		code = cli_error(cli, CLI_FAILED, "selftest", "%s: %s", s.trial.run.dir,
				 strerror(errno));
	if (code == CLI_OK)
		code = start(&s);
	if (code == CLI_OK)
		code = trial_load(&s.trial);
	if (code == CLI_OK)
		code = trial_hits(&s.trial);
	if (code == CLI_OK)
		code = check_hits(&s);
	if (code == CLI_OK)
		code = look_everywhere(&s);
	if (code == CLI_OK)
		code = report(&s);
	trial_end(&s.trial);
	if (s.recording)
		recorder_done(&s.recorder);
	json_decref(s.places);
	json_decref(s.leaks);
	json_decref(s.unseen);
	json_decref(s.cores);
	canary_search_free(s.secret);
	canary_search_free(s.stored);
	return code;
}

int cmd_selftest(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		{"keep", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	static const char *const tests[] = {"privacy"};
	bool keep = false;
	int opt;

	while ((opt = cli_option(cli, "selftest", argc, argv, ":", options)) != -1) {
		if (opt == 'h') {
			fputs(help, stdout);
			return CLI_OK;
		}
		if (opt != 'k')
			return CLI_USAGE;
		keep = true;
	}
	if (optind == argc)
		return cli_usage(cli, "selftest", help);
	if (strcmp(argv[optind], tests[0]) != 0)
		return cli_unknown(cli, "selftest", "test", argv[optind], tests, 1);
	if (optind + 1 != argc)
		return cli_error(cli, CLI_USAGE, "usage",
				 "unexpected argument \"%s\" (see wireglass help selftest)",
				 argv[optind + 1]);
	return privacy(cli, keep);
}
