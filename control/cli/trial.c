// SPDX-License-Identifier: BSD-2-Clause
// Nothing is shortened: the bundle is signed, verified, compiled and handed over as ever, the dataplane reads the capture
// through its normal path, and the hits come back through the store.
#include "control/cli/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/table.h"
#include "rules/bundle.h"
#include "rules/file.h"

int trial_begin(struct trial *t, struct cli *cli)
{
	t->cli = cli;
	t->own = *cli;
	t->own.socket = t->socket;
	int err = demo_run_begin(&t->run);
	if (err != 0)
		return cli_error(cli, CLI_FAILED, "trial", "cannot make a temporary directory: %s",
				 strerror(-err));
	demo_path(&t->run, "control.sock", t->socket, sizeof(t->socket));
	demo_path(&t->run, "dataplane.sock", t->dataplane, sizeof(t->dataplane));
	return CLI_OK;
}

void trial_end(struct trial *t)
{
	demo_run_end(&t->run);
	json_decref(t->loaded);
	json_decref(t->hits);
	json_decref(t->stats);
}

static int failed(const struct trial *t, const struct diag *diag)
{
	char text[1024];

	return cli_error(t->cli, CLI_FAILED, "trial", "%s", diag_format(diag, text, sizeof(text)));
}

// Pack and sign rules into dir/demo.wgb with the key dir/demo.key.
static int sign_bundle(const struct trial *t, const struct bundle_manifest *manifest,
		       const struct bundle_file *file, struct diag *diag)
{
	char *archive = NULL, *bundle = NULL, sig[SIG_TEXT_MAX], path[DEMO_PATH_BYTES];
	size_t archive_len, len;
	struct sig_secret key;

	int err = bundle_pack(manifest, file, 1, &archive, &archive_len, diag);
	if (err == 0)
		err = sig_secret_read(demo_path(&t->run, "demo.key", path, sizeof(path)), NULL,
				      &key, diag);
	if (err == 0) {
		int n = sig_sign(&key, span_of(archive, archive_len), "bundle demo serial 1", sig);
		err = n < 0 ? n
			    : bundle_embed(span_of(archive, archive_len), span_of(sig, (size_t)n),
					   &bundle, &len);
		explicit_bzero(&key, sizeof(key));
	}
	if (err == 0)
		err = file_write(demo_path(&t->run, "demo.wgb", path, sizeof(path)),
				 span_of(bundle, len), 0600, false, diag);
	free(archive);
	free(bundle);
	return err;
}

int trial_bundle(struct trial *t, const char *rules, size_t len, char *ret_id, size_t id_size)
{
	struct bundle_manifest *manifest = calloc(1, sizeof(*manifest));
	struct bundle_file file = {.name = "rules/demo.rules", .text = rules, .len = len};
	char secret[DEMO_PATH_BYTES], public[DEMO_PATH_BYTES], id[SIG_ID_TEXT];
	struct sig_public key;
	struct diag diag = {.text = "out of memory"};

	int err = manifest == NULL
			  ? -ENOMEM
			  : sig_keygen(demo_path(&t->run, "demo.key", secret, sizeof(secret)),
				       demo_path(&t->run, "demo.pub", public, sizeof(public)), NULL,
				       0, &key, &diag);
	if (err == 0) {
		manifest->format = BUNDLE_FORMAT;
		manifest->serial = 1;
		snprintf(manifest->id, sizeof(manifest->id), "demo");
		snprintf(manifest->created, sizeof(manifest->created), "2026-01-01T00:00:00Z");
		snprintf(manifest->description, sizeof(manifest->description), "rules of the demo");
		err = sign_bundle(t, manifest, &file, &diag);
	}
	free(manifest);
	if (err != 0)
		return failed(t, &diag);
	snprintf(ret_id, id_size, "%s", sig_id_text(id, key.id));
	return CLI_OK;
}

int trial_check(struct trial *t)
{
	int status;
	const struct demo_child *dead = demo_dead(&t->run, &status);

	if (demo_interrupted)
		return cli_error(t->cli, CLI_FAILED, "interrupted", "interrupted");
	if (dead == NULL)
		return CLI_OK;
	if (WIFSIGNALED(status))
		cli_error(t->cli, CLI_FAILED, "child",
			  "%s was ended by signal %d. Its last words:", dead->name,
			  WTERMSIG(status));
	else
		cli_error(t->cli, CLI_FAILED, "child",
			  "%s ended with exit code %d. Its last words:", dead->name,
			  WEXITSTATUS(status));
	demo_print_log(dead);
	return CLI_FAILED;
}

json_t *trial_ask(struct trial *t, uint32_t command)
{
	struct ipc_admin_req req = {.command = command, .limit = 10000};
	char error[1024];
	json_t *reply = NULL;

	return client_ask(&t->own, &req, -1, &reply, error, sizeof(error)) == CLI_OK ? reply : NULL;
}

int trial_start(struct trial *t, const char *pcap, const char *config, const char *connect_to)
{
	char empty[DEMO_PATH_BYTES], own[DEMO_PATH_BYTES], state[DEMO_PATH_BYTES],
		key[DEMO_PATH_BYTES], eve[DEMO_PATH_BYTES];
	char port[DEMO_PATH_BYTES + 8];
	struct diag diag = {0};

	snprintf(port, sizeof(port), "pcap:%s", pcap);
	demo_path(&t->run, "empty.cfg", empty, sizeof(empty)); // not what may be installed in /etc
	demo_path(&t->run, "control.cfg", own, sizeof(own));
	int err = file_write(empty, SPAN_NONE, 0600, false, &diag);
	if (err == 0)
		err = file_write(own, span_of(config, strlen(config)), 0600, false, &diag);
	if (err != 0)
		return failed(t, &diag);
	const char *const dataplane[] = {"--config", empty, "--socket",     t->dataplane,
					 "--port",   port,  "--wait-rules", "--events",
					 "all",      NULL};
	const char *const control[] = {
		"--config",    own,
		"--state",     demo_path(&t->run, "state", state, sizeof(state)),
		"--socket",    t->socket,
		"--dataplane", connect_to,
		"--key",       demo_path(&t->run, "demo.pub", key, sizeof(key)),
		"--eve",       demo_path(&t->run, "eve.json", eve, sizeof(eve)),
		NULL};
	err = demo_spawn(&t->run, "wireglass-dataplane", dataplane, -1);
	if (err == 0)
		err = demo_spawn(&t->run, "wireglassd", control, -1);
	if (err != 0)
		return cli_error(t->cli, CLI_FAILED, "child", "cannot start a program: %s",
				 strerror(-err));
	return CLI_OK;
}

int trial_connected(struct trial *t)
{
	for (int waited = 0; waited < 60000; waited += 50) {
		int code = trial_check(t);
		if (code != CLI_OK)
			return code;
		json_t *status = trial_ask(t, IPC_ADMIN_SHOW_STATUS);
		bool up = reply_true(json_object_get(status, "dataplane"), "connected");
		json_decref(status);
		if (up)
			return CLI_OK;
		demo_sleep(50);
	}
	for (int i = 0; i < t->run.n_children; i++)
		demo_print_log(&t->run.children[i]);
	return cli_error(t->cli, CLI_TIMEOUT, "timeout",
			 "the programs do not find each other; see above");
}

int trial_load(struct trial *t)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD};
	char path[DEMO_PATH_BYTES];
	int fd = open(demo_path(&t->run, "demo.wgb", path, sizeof(path)), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return cli_error(t->cli, CLI_FAILED, "trial", "%s: %s", path, strerror(errno));
	int code = client_request(&t->own, &req, fd, &t->loaded);
	close(fd);
	return code;
}

// The capture has ended, the numbers are from after its end, and all hits that were counted are stored.
static bool is_complete(struct trial *t, char *io_time, size_t size, int *io_ticks)
{
	json_t *status = trial_ask(t, IPC_ADMIN_SHOW_STATUS), *stats = NULL;
	bool finished = reply_true(json_object_get(status, "dataplane"), "finished");
	const json_t *hits = json_object_get(status, "hits");
	bool complete = false;

	if (finished)
		stats = trial_ask(t, IPC_ADMIN_SHOW_STATS);
	if (stats != NULL) {
		const json_t *c = json_object_get(stats, "counters");
		if (strcmp(io_time, reply_text(stats, "time")) != 0)
			(*io_ticks)++;
		snprintf(io_time, size, "%s", reply_text(stats, "time"));
		// The first change is the state before, the second may have been under way; the third is from after the end.
		complete = *io_ticks >= 3 &&
			   reply_number(hits, "since_start") + reply_number(hits, "lost") >=
				   reply_number(c, "detect.hits");
		json_decref(t->stats);
		t->stats = stats;
	}
	json_decref(status);
	return complete;
}

int trial_hits(struct trial *t)
{
	char time[40] = "";
	int ticks = 0;

	for (int waited = 0; waited < 120000; waited += 100) {
		int code = trial_check(t);
		if (code != CLI_OK)
			return code;
		if (is_complete(t, time, sizeof(time), &ticks)) {
			json_t *list = trial_ask(t, IPC_ADMIN_HITS_LIST);
			t->hits = json_incref(json_object_get(list, "hits"));
			json_decref(list);
			return CLI_OK;
		}
		demo_sleep(100);
	}
	return cli_error(t->cli, CLI_TIMEOUT, "timeout",
			 "the capture did not come to its end in time");
}
