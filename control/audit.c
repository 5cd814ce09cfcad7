// SPDX-License-Identifier: BSD-2-Clause
// Writing the audit log: line, fsync, head, fsync; then the entry counts. After a crash the log therefore has what the
// head says, and at most one entry or a piece of one behind it.
#include "control/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "control/loop.h"
#include "control/text.h"
#include "rules/file.h"

struct audit_actor audit_self(void)
{
	return (struct audit_actor){.uid = geteuid(), .pid = getpid()};
}

// A text of an entry: control characters would have more than one canonical form in practice.
static json_t *clean_text(const char *text)
{
	char buf[2048];
	size_t n = text_clean(buf, sizeof(buf), text, strlen(text));

	for (size_t i = 0; i < n; i++)
		if ((uint8_t)buf[i] < 0x20 || buf[i] == 0x7f)
			buf[i] = '?';
	return json_stringn(buf, n);
}

// Sign with the key that this log has been signed with so far.
static int seal(const struct audit *a, json_t *json, const char *domain, struct diag *diag)
{
	struct sig_secret key;
	struct sig_public public;
	int err = sig_secret_read(a->key_path, NULL, &key, diag);

	if (err != 0)
		return err;
	sig_public_of(&key, &public);
	if (memcmp(public.key, a->key.key, sizeof(public.key)) != 0) {
		diag_set(diag, a->key_path, 0, 0,
			 "was replaced while wireglassd runs: put it back, or restart wireglassd, "
			 "which begins another log");
		err = -EKEYREJECTED;
	} else {
		err = audit_seal(json, domain, &key);
	}
	sodium_memzero(&key, sizeof(key));
	return err;
}

static int make_entry(const struct audit *a, const struct audit_entry *e, json_t **ret_json,
		      struct diag *diag)
{
	char when[40];
	json_t *json = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:I}", "action", e->action, "n",
				 (json_int_t)(a->n + 1), "pid", (json_int_t)e->actor.pid, "prev",
				 a->hash, "result", e->result, "time",
				 text_time(when, sizeof(when), loop_wall_ns()), "uid",
				 (json_int_t)e->actor.uid);
	int err = -ENOMEM;

	if (json != NULL &&
	    (e->reason == NULL ||
	     json_object_set_new(json, "reason", clean_text(e->reason)) == 0) &&
	    (e->of == 0 || json_object_set_new(json, "of", json_integer((json_int_t)e->of)) == 0) &&
	    (e->object == NULL || json_object_set(json, "object", e->object) == 0))
		err = seal(a, json, AUDIT_DOMAIN_ENTRY, diag);
	if (err != 0)
		json_decref(json);
	else
		*ret_json = json;
	return err;
}

// A sealed object as a line, malloc'ed.
static char *line_of(const json_t *json, size_t *ret_len)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	size_t len = text != NULL ? strlen(text) : 0;
	char *line = text != NULL ? realloc(text, len + 2) : NULL;

	if (line == NULL) {
		free(text);
		return NULL;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	*ret_len = len + 1;
	return line;
}

static int write_head(struct audit *a, uint64_t n, uint64_t bytes, const char *hash,
		      struct diag *diag)
{
	json_t *json = json_pack("{s:I, s:s, s:I}", "bytes", (json_int_t)bytes, "entry", hash, "n",
				 (json_int_t)n);
	size_t len;
	int err = json == NULL ? -ENOMEM : seal(a, json, AUDIT_DOMAIN_HEAD, diag);
	char *line = err == 0 ? line_of(json, &len) : NULL;

	if (err == 0)
		err = line == NULL ? -ENOMEM
				   : file_write(a->head_path, span_of(line, len), 0640, true, diag);
	free(line);
	json_decref(json);
	return err;
}

// The file ends where the last entry does, whatever a failed write left behind. -EBADMSG: it is not what we wrote.
static int cut(struct audit *a)
{
	struct stat st, named;

	if (fstat(a->fd, &st) != 0)
		return -errno;
	if ((uint64_t)st.st_size < a->bytes || stat(a->path, &named) != 0 ||
	    named.st_ino != st.st_ino || named.st_dev != st.st_dev)
		return -EBADMSG;
	if ((uint64_t)st.st_size > a->bytes && ftruncate(a->fd, (off_t)a->bytes) != 0)
		return -errno;
	return 0;
}

static int write_line(struct audit *a, const char *line, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(a->fd, line + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return fdatasync(a->fd) != 0 ? -errno : 0;
}

static int append(struct audit *a, const json_t *json, struct diag *diag)
{
	const char *hash = json_string_value(json_object_get(json, "hash"));
	size_t len;
	char *line = line_of(json, &len);
	int err = line == NULL ? -ENOMEM : len > AUDIT_LINE_MAX ? -EMSGSIZE : cut(a);

	if (err == -EBADMSG)
		diag_set(diag, a->path, 0, 0,
			 "was cut, removed or replaced: restart wireglassd, which keeps what is "
			 "left of it and begins another");
	if (err == 0) {
		err = write_line(a, line, len);
		if (err == 0)
			err = write_head(a, a->n + 1, a->bytes + len, hash, diag);
		if (err != 0)
			(void)cut(a);
	}
	if (err == 0) {
		a->n++;
		a->bytes += len;
		snprintf(a->hash, sizeof(a->hash), "%s", hash);
	}
	free(line);
	return err;
}

int audit_append(struct audit *a, const struct audit_entry *e)
{
	struct diag diag = {0};
	char text[1024];
	json_t *json = NULL;
	int err = a->fd < 0 ? audit_open(a, a->dir, &diag) : 0;

	if (err == 0)
		err = make_entry(a, e, &json, &diag);
	if (err == 0)
		err = append(a, json, &diag);

	json_decref(json);
	json_decref(e->object);
	if (err == 0) {
		a->error[0] = '\0';
		log_notice("audit %llu %s: %s by uid %u%s%s", (unsigned long long)a->n, a->hash,
			   e->action, e->actor.uid, strcmp(e->result, "done") == 0 ? "" : " ",
			   strcmp(e->result, "done") == 0 ? "" : e->result);
		return 0;
	}
	if (diag.text[0] == '\0')
		diag_set(&diag, a->path, 0, 0, "%s", strerror(-err));
	a->failures++;
	snprintf(a->error, sizeof(a->error), "%.590s", diag_format(&diag, text, sizeof(text)));
	log_error("the audit log cannot be written: %s: %s by uid %u is not in it: %s", e->action,
		  e->result, e->actor.uid, a->error);
	return err;
}

// Key of this installation, made if there is none.
static int open_key(struct audit *a, const char *dir, struct diag *ret_diag)
{
	char public[AUDIT_PATH_BYTES];
	struct sig_secret key;
	int err;

	snprintf(a->key_path, sizeof(a->key_path), "%s/audit.key", dir);
	snprintf(public, sizeof(public), "%s/audit.pub", dir);
	if (access(a->key_path, F_OK) != 0 && errno == ENOENT) {
		if (unlink(public) != 0 && errno != ENOENT) {
			err = -errno;
			diag_set(ret_diag, public, 0, 0, "cannot be replaced: %s", strerror(-err));
			return err;
		}
		err = sig_keygen(a->key_path, public, NULL, 0, &a->key, ret_diag);
		if (err != 0)
			return err;
	}
	err = sig_secret_read(a->key_path, NULL, &key, ret_diag);
	if (err == 0)
		sig_public_of(&key, &a->key);
	sodium_memzero(&key, sizeof(key));
	return err;
}

// The log is used from what the head says on. ret_torn: bytes behind it that were never acknowledged. NULL, or why the
// log and its head do not go together.
static const char *resume(struct audit *a, const char *head_text, size_t head_len,
			  uint64_t *ret_torn)
{
	struct audit_head head = {.hash = AUDIT_ZERO_HASH};
	static char buf[2 * AUDIT_LINE_MAX + 1];
	const char *problem = NULL;
	struct stat st;

	if (head_text != NULL)
		problem = audit_head_parse(head_text, head_len, &a->key, &head);
	if (problem != NULL)
		return "its head is damaged";
	if (fstat(a->fd, &st) != 0)
		return "it cannot be read";
	if ((uint64_t)st.st_size < head.bytes)
		return "it was cut";
	// The last entry of the head, and behind it no more than one of an append that a crash ended.
	uint64_t from = head.bytes < AUDIT_LINE_MAX ? 0 : head.bytes - AUDIT_LINE_MAX;
	ssize_t got = pread(a->fd, buf, sizeof(buf) - 1, (off_t)from);
	if (got < 0)
		return "it cannot be read";
	char *end = buf + (head.bytes - from), *line = end, *stop = buf + got;
	json_t *json;
	if (head.n > 0) {
		line = memrchr(buf, '\n', (size_t)(end - buf - 1));
		line = line == NULL ? buf : line + 1;
		if (end[-1] != '\n' || audit_check(line, (size_t)(end - line - 1),
						   AUDIT_DOMAIN_ENTRY, &a->key, &json) != NULL)
			return "its last entry was changed";
		bool same =
			strcmp(json_string_value(json_object_get(json, "hash")), head.hash) == 0;
		json_decref(json);
		if (!same)
			return "its last entry is another than the one in its head";
	}
	a->n = head.n;
	a->bytes = head.bytes;
	memcpy(a->hash, head.hash, sizeof(a->hash));
	char *newline = memchr(end, '\n', (size_t)(stop - end));
	if (newline != NULL &&
	    audit_check(end, (size_t)(newline - end), AUDIT_DOMAIN_ENTRY, &a->key, &json) == NULL) {
		const char *prev = json_string_value(json_object_get(json, "prev"));
		if (prev != NULL && strcmp(prev, a->hash) == 0) {
			a->n++;
			a->bytes += (uint64_t)(newline - end) + 1;
			snprintf(a->hash, sizeof(a->hash), "%s",
				 json_string_value(json_object_get(json, "hash")));
		}
		json_decref(json);
	}
	*ret_torn = (uint64_t)st.st_size - a->bytes;
	// A crash leaves less than a line. If there is more, it was put there, or the head is an old one.
	newline = memchr(buf + (a->bytes - from), '\n', (size_t)(stop - buf) - (a->bytes - from));
	return *ret_torn > AUDIT_LINE_MAX || newline != NULL ? "more follows than its head knows of"
							     : NULL;
}

// Keep a log that does not go with its head, and begin another.
static int set_aside(struct audit *a, const char *why, char kept[AUDIT_PATH_BYTES + 32],
		     struct diag *ret_diag)
{
	char head[AUDIT_PATH_BYTES + 32];
	unsigned long long now = loop_wall_ns() / 1000000000u;

	log_error("%s: %s: it is kept as %s.bad-%llu, and a new log begins (see wireglass audit "
		  "verify)",
		  a->path, why, a->path, now);
	snprintf(kept, AUDIT_PATH_BYTES + 32, "%s.bad-%llu", a->path, now);
	snprintf(head, sizeof(head), "%s.bad-%llu", a->head_path, now);
	close(a->fd);
	a->fd = -1;
	if ((rename(a->path, kept) != 0) || (rename(a->head_path, head) != 0 && errno != ENOENT)) {
		int err = -errno;
		diag_set(ret_diag, a->path, 0, 0, "%s, and cannot be set aside: %s", why,
			 strerror(-err));
		return err;
	}
	a->fd = open(a->path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (a->fd < 0) {
		int err = -errno;
		diag_set(ret_diag, a->path, 0, 0, "cannot be made: %s", strerror(-err));
		return err;
	}
	a->n = a->bytes = 0;
	snprintf(a->hash, sizeof(a->hash), AUDIT_ZERO_HASH);
	return 0;
}

// The entry that tells what was found at the start, if something was.
static int tell(struct audit *a, const char *why, const char *kept, uint64_t torn,
		struct diag *ret_diag)
{
	struct audit_entry e = {.action = why != NULL ? "audit restart" : "audit repair",
				.result = "done",
				.reason = why != NULL ? why : "an entry was not written to its end",
				.actor = audit_self()};
	struct diag diag = {0};
	int err = 0;

	e.object = why != NULL ? json_pack("{s:s}", "kept", kept)
			       : json_pack("{s:I}", "bytes", (json_int_t)torn);
	if (why == NULL && torn == 0) {
		json_decref(e.object);
		// An entry that the head does not know yet is acknowledged now.
		if (a->n > 0)
			err = write_head(a, a->n, a->bytes, a->hash, &diag);
	} else {
		err = audit_append(a, &e);
	}
	if (err != 0)
		diag_set(ret_diag, a->path, 0, 0, "the audit log cannot be written: %s",
			 strerror(-err));
	return err;
}

int audit_open(struct audit *a, const char *state_dir, struct diag *ret_diag)
{
	uint64_t failures = a->failures;
	char dir[sizeof(a->dir)], kept[AUDIT_PATH_BYTES + 32] = "", *head = NULL;
	struct diag diag = {0};
	uint64_t torn = 0;
	size_t head_len = 0;

	snprintf(dir, sizeof(dir), "%s", state_dir); // perhaps a's own
	*a = (struct audit){.fd = -1, .failures = failures, .hash = AUDIT_ZERO_HASH};
	memcpy(a->dir, dir, sizeof(a->dir));
	snprintf(a->path, sizeof(a->path), "%s/audit.jsonl", dir);
	snprintf(a->head_path, sizeof(a->head_path), "%s/audit.head", dir);
	int err = open_key(a, dir, ret_diag);
	if (err != 0)
		return err;
	a->fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (a->fd < 0) {
		err = -errno;
		diag_set(ret_diag, a->path, 0, 0, "cannot be opened: %s", strerror(-err));
		goto fail;
	}
	err = file_read(a->head_path, 1024, &head, &head_len, &diag);
	const char *why = err == 0 || err == -ENOENT ? resume(a, head, head_len, &torn)
						     : "its head cannot be read";
	free(head);
	err = why != NULL ? set_aside(a, why, kept, ret_diag) : 0;
	if (err == 0)
		err = tell(a, why, kept, torn, ret_diag);
	if (err == 0)
		return 0;
fail:
	audit_close(a);
	return err;
}

void audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}
