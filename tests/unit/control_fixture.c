// SPDX-License-Identifier: BSD-2-Clause
// See control_fixture.h.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "tests/unit/control_fixture.h"
#include "rules/compile.h"

struct fixture fx;

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char sub[512];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(sub, sizeof(sub), "%s/%s", path, e->d_name);
		if (unlink(sub) != 0)
			remove_tree(sub);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

static int make_keys(const char *name, char *secret, size_t size, char *public, size_t public_size)
{
	struct sig_public key;
	struct diag diag;

	snprintf(secret, size, "%s/%s.key", fx.dir, name);
	snprintf(public, public_size, "%s/%s.pub", fx.dir, name);
	return sig_keygen(secret, public, NULL, 0, &key, &diag);
}

int fixture_setup(void **state)
{
	char other[256];

	log_init("test", LOG_LEVEL_ERROR);
	memset(&fx, 0, sizeof(fx));
	fx.fake.fd = fx.fake.listen_fd = -1;
	snprintf(fx.dir, sizeof(fx.dir), P_tmpdir "/wireglass-control-XXXXXX");
	if (mkdtemp(fx.dir) == NULL)
		return -1;
	settings_defaults(&fx.settings);
	snprintf(fx.settings.socket, sizeof(fx.settings.socket), "%s/control.sock", fx.dir);
	snprintf(fx.settings.dataplane_socket, sizeof(fx.settings.dataplane_socket), "%s/dp.sock",
		 fx.dir);
	snprintf(fx.settings.state_dir, sizeof(fx.settings.state_dir), "%s/state", fx.dir);
	snprintf(fx.settings.eve.file, sizeof(fx.settings.eve.file), "%s/eve.json", fx.dir);
	fx.settings.eve.mask = (1u << SETTINGS_EVE_N) - 1;
	fx.settings.n_keys = 1;
	return make_keys("trusted", fx.secret, sizeof(fx.secret), fx.settings.keys[0],
			 sizeof(fx.settings.keys[0])) == 0 &&
			       make_keys("other", fx.other_secret, sizeof(fx.other_secret), other,
					 sizeof(other)) == 0
		       ? 0
		       : -1;
}

int fixture_teardown(void **state)
{
	fake_stop();
	fixture_stop();
	remove_tree(fx.dir);
	return 0;
}

void fixture_start(void)
{
	struct diag diag = {0};

	fx.d = malloc(sizeof(*fx.d));
	assert_non_null(fx.d);
	int err = daemon_init(fx.d, &fx.settings, &diag);
	if (err != 0)
		fail_msg("%s: %s", diag.file, diag.text);
}

void fixture_stop(void)
{
	if (fx.d == NULL)
		return;
	if (fx.fake.fd >= 0)
		fake_hang_up();
	if (fx.fake.listen_fd >= 0)
		loop_remove(&fx.d->loop, &fx.fake.listen_source);
	daemon_done(fx.d);
	free(fx.d);
	fx.d = NULL;
}

void fake_send(uint16_t type, const void *body, size_t body_bytes, const void *tail,
	       size_t tail_bytes)
{
	assert_int_equal(ipc_send(fx.fake.fd, type, 0, body, body_bytes, tail, tail_bytes, -1), 0);
}

// Load an offered image the way the real one does, as far as control can tell.
static void on_offer(const struct ipc_msg *m)
{
	struct fake *f = &fx.fake;
	const struct ipc_ruleset_offer *offer = m->body;
	struct ipc_ruleset_state answer = {
		.generation = offer->generation,
		.serial = offer->serial,
		.status = IPC_RULESET_LIVE,
		.load_ns = 1000000,
	};
	struct stat st;
	struct diag diag;

	f->offers++;
	f->offer = *offer;
	memcpy(answer.digest, offer->digest, sizeof(answer.digest));
	assert_int_equal(fstat(m->fd, &st), 0);
	assert_int_equal(st.st_size, offer->bytes);
	assert_int_equal(fcntl(m->fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	void *image = mmap(NULL, offer->bytes, PROT_READ, MAP_SHARED, m->fd, 0);
	assert_ptr_not_equal(image, MAP_FAILED);
	assert_int_equal(image_check(image, offer->bytes, offer->digest, &diag), 0);
	munmap(image, offer->bytes);
	if (f->no_answer)
		return;
	if (f->busy > 0 || f->refuse != NULL) {
		answer.status = IPC_RULESET_REFUSED;
		answer.error = f->busy > 0 ? -EBUSY : -ENOTSUP;
		snprintf(answer.text, sizeof(answer.text), "%s", f->busy > 0 ? "busy" : f->refuse);
		f->busy--;
	} else {
		f->live = answer;
	}
	fake_send(IPC_RULESET_STATE, &answer, sizeof(answer), NULL, 0);
}

static void on_hello(void)
{
	struct fake *f = &fx.fake;
	struct ipc_hello hello = {.workers = 2, .counters = COUNTER_N, .start_ns = 1};

	f->hellos++;
	if (f->silent)
		return;
	memcpy(hello.boot_id, f->boot_id, sizeof(hello.boot_id));
	memcpy(hello.version, f->version, sizeof(hello.version));
	fake_send(IPC_HELLO, &hello, sizeof(hello), NULL, 0);
	fake_send(IPC_RULESET_STATE, &f->live, sizeof(f->live), NULL, 0);
}

static void on_control(void *ctx, uint32_t events)
{
	struct fake *f = &fx.fake;
	struct ipc_msg m;
	int got = ipc_recv(f->fd, f->buf, &m);

	if (got == -EAGAIN)
		return;
	if (got != 1) {
		assert_int_equal(got, 0); // control never breaks the protocol
		fake_hang_up();
		return;
	}
	switch (m.type) {
	case IPC_HELLO:
		on_hello();
		break;
	case IPC_RULESET_OFFER:
		on_offer(&m);
		break;
	case IPC_HITS_ACK: {
		const struct ipc_hits_ack *ack = m.body;
		f->acked[ack->worker] = ack->seq;
		f->acks++;
		break;
	}
	case IPC_ERROR:
		f->errors++;
		snprintf(f->error_text, sizeof(f->error_text), "%s",
			 ((const struct ipc_error *)m.body)->text);
		break;
	default:
		fail_msg("control sent %s", ipc_type_name(m.type));
	}
	if (m.fd >= 0)
		close(m.fd);
}

static void on_connect(void *ctx, uint32_t events)
{
	struct fake *f = &fx.fake;
	int fd = ipc_accept(f->listen_fd, (uid_t)-1);

	if (fd < 0)
		return;
	if (f->fd >= 0)
		fake_hang_up();
	f->fd = fd;
	assert_int_equal(loop_add(&fx.d->loop, &f->source, fd, EPOLLIN, on_control, NULL), 0);
}

void fake_start(void)
{
	static uint8_t boots;
	struct fake *f = &fx.fake;

	if (f->listen_fd < 0) {
		memset(f, 0, sizeof(*f));
		f->fd = -1;
		f->boot_id[0] = ++boots;
		snprintf(f->version, sizeof(f->version), WIREGLASS_VERSION);
		f->listen_fd = ipc_listen(fx.settings.dataplane_socket);
		assert_true(f->listen_fd >= 0);
	}
	assert_int_equal(
		loop_add(&fx.d->loop, &f->listen_source, f->listen_fd, EPOLLIN, on_connect, NULL),
		0);
}

void fake_hang_up(void)
{
	loop_remove(&fx.d->loop, &fx.fake.source);
	close(fx.fake.fd);
	fx.fake.fd = -1;
}

void fake_stop(void)
{
	if (fx.fake.fd >= 0)
		fake_hang_up();
	if (fx.fake.listen_fd < 0)
		return;
	if (fx.d != NULL)
		loop_remove(&fx.d->loop, &fx.fake.listen_source);
	close(fx.fake.listen_fd);
	unlink(fx.settings.dataplane_socket);
	fx.fake.listen_fd = -1;
}

void fake_hits(uint32_t worker, uint64_t first_seq, uint32_t n, uint32_t sid)
{
	struct ipc_hits batch = {.worker = worker, .n = n};
	static struct hit hits[IPC_HITS_MAX];

	memcpy(batch.boot_id, fx.fake.boot_id, sizeof(batch.boot_id));
	for (uint32_t i = 0; i < n; i++)
		hits[i] = (struct hit){
			.seq = first_seq + i,
			.ts_ns = 1700000000000000000u,
			.flow_id = first_seq + i,
			.generation = fx.fake.live.generation,
			.sid = sid,
			.gid = 1,
			.rev = 1,
			.buffer = BUF_URI,
			.addr = {.family = 4, .proto = 6, .src_port = 1234, .dst_port = 80},
		};
	fake_send(IPC_HITS, &batch, sizeof(batch), hits, n * sizeof(hits[0]));
}

void fake_stats(uint64_t hits, uint64_t busy_ns, uint64_t idle_ns)
{
	static struct ipc_stats stats;

	stats = (struct ipc_stats){.ts_ns = 1, .busy_ns = busy_ns, .idle_ns = idle_ns};
	stats.counters.v[CNT_HITS] = hits;
	fake_send(IPC_STATS, &stats, sizeof(stats), NULL, 0);
}

void settle(void)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(loop_step(&fx.d->loop, 5), 0);
}

static void set_field(char *field, size_t size, const char *text)
{
	snprintf(field, size, "%s", text != NULL ? text : "");
}

char *make_bundle_of(const struct bundle_spec *spec, size_t *ret_len)
{
	struct bundle_manifest *manifest = calloc(1, sizeof(*manifest));
	const char *tests = spec->selftest != NULL ? spec->selftest : "";
	struct bundle_file files[2] = {
		{.name = "rules/test.rules", .text = spec->rules, .len = strlen(spec->rules)},
		{.name = "tests/test.txt",
		 .text = tests,
		 .len = strlen(tests),
		 .kind = BUNDLE_SELFTEST}};
	struct sig_secret secret;
	struct diag diag = {0};
	char sig[SIG_TEXT_MAX], set[SIG_SET_BYTES] = "", *archive, *bundle;
	size_t archive_len;

#define SET(field, text) set_field(manifest->field, sizeof(manifest->field), text)
	assert_non_null(manifest);
	manifest->format = BUNDLE_FORMAT;
	manifest->serial = (int64_t)spec->serial;
	SET(id, spec->id);
	SET(created, "2026-01-01T00:00:00Z");
	SET(expires, spec->expires);
	SET(owner, spec->owner);
	SET(authority, spec->authority);
	SET(legal_basis, spec->legal_basis);
	SET(jurisdiction, spec->jurisdiction);
	int err = bundle_pack(manifest, files, spec->selftest != NULL ? 2 : 1, &archive,
			      &archive_len, &diag);
	if (err != 0)
		fail_msg("bundle_pack: %s", diag.text);
	free(manifest);
	for (int i = 0; i < 4 && spec->keys[i] != NULL; i++) {
		assert_int_equal(sig_secret_read(spec->keys[i], NULL, &secret, &diag), 0);
		int n = sig_sign(&secret, span_of(archive, archive_len), "test", sig);
		assert_true(n > 0);
		assert_int_equal(sig_set_add("test", set, span_of(sig, (size_t)n), &diag), 0);
	}
	assert_int_equal(bundle_embed(span_of(archive, archive_len), span_of(set, strlen(set)),
				      &bundle, ret_len),
			 0);
	free(archive);
	return bundle;
}

char *make_bundle(const char *id, uint64_t serial, const char *rules, const char *expires,
		  const char *key, size_t *ret_len)
{
	const struct bundle_spec spec = {.id = id,
					 .serial = serial,
					 .rules = rules,
					 .expires = expires,
					 .keys = {key != NULL ? key : fx.secret}};

	return make_bundle_of(&spec, ret_len);
}

int admin_connect(void)
{
	int fd = ipc_connect(fx.settings.socket);

	assert_true(fd >= 0);
	return fd;
}

void admin_ask(int fd, const struct ipc_admin_req *req, int send_fd)
{
	assert_int_equal(ipc_send(fd, IPC_ADMIN_REQ, 77, req, sizeof(*req), NULL, 0, send_fd), 0);
}

json_t *admin_answer(int fd, int *ret_error)
{
	static uint64_t buf[IPC_MAX_BYTES / 8];
	char *text = NULL;
	size_t len = 0;
	struct ipc_msg m;
	bool more = true;

	while (more) {
		int got = -EAGAIN;

		UNTIL((got = ipc_recv(fd, buf, &m)) != -EAGAIN);
		if (got != 1 || m.type != IPC_ADMIN_REP) {
			*ret_error = got == 1 ? -EPROTO : -ECONNRESET;
			free(text);
			return NULL;
		}
		const struct ipc_admin_rep *rep = m.body;
		assert_int_equal(m.id, 77);
		text = realloc(text, len + m.tail_bytes + 1);
		assert_non_null(text);
		memcpy(text + len, m.tail, m.tail_bytes);
		len += m.tail_bytes;
		more = rep->more != 0;
		*ret_error = rep->error;
	}
	json_t *json = json_loadb(text, len, 0, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

json_t *admin_request(const struct ipc_admin_req *req, int send_fd, int *ret_error)
{
	int fd = admin_connect();

	admin_ask(fd, req, send_fd);
	json_t *json = admin_answer(fd, ret_error);
	close(fd);
	return json;
}

int memfd_of(const void *data, size_t len)
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	return fd;
}

json_t *load(char *data, size_t len, uint32_t flags, int *ret_error)
{
	struct ipc_admin_req req = {.command = IPC_ADMIN_RULES_LOAD, .flags = flags};
	int fd = memfd_of(data, len);

	free(data);
	json_t *json = admin_request(&req, fd, ret_error);
	close(fd);
	return json;
}

const char *text_of(const json_t *reply, const char *name)
{
	const char *text = json_string_value(json_object_get(reply, name));

	return text != NULL ? text : "(none)";
}

long long number_of(const json_t *reply, const char *name)
{
	const json_t *n = json_object_get(reply, name);

	return json_is_integer(n) ? json_integer_value(n) : -1;
}
