// SPDX-License-Identifier: BSD-2-Clause
// What wireglassd keeps once it listens: the files of its configuration, sockets as a user may have them, and processes of
// its own program. A setting that names a file or folder that is opened later belongs into the list below.
#include "control/confine.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/daemon.h"

enum {
	FOLDERS = 3,
};

// The folder of a file, in buf; "" if there is no file.
static const char *folder_of(char buf[SETTINGS_PATH_BYTES], const char *path)
{
	char copy[SETTINGS_PATH_BYTES];

	if (path[0] == '\0')
		return "";
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(buf, SETTINGS_PATH_BYTES, "%s", dirname(copy));
	return buf;
}

void confine(struct daemon *d)
{
	const struct settings *s = &d->settings;
	char folder[FOLDERS][SETTINGS_PATH_BYTES];
	struct sandbox_path paths[SANDBOX_PATHS_MAX + SETTINGS_KEYS_MAX] = {
		{s->state_dir, true},
		{d->deploy.cache.dir, true},
		{folder_of(folder[0], s->eve.file),
		 true}, // another file has its name after a rotation
		{folder_of(folder[1], s->socket), true}, // the socket is removed at the end
		{folder_of(folder[2], s->metrics[0] == '/' ? s->metrics : ""), true},
		{s->config, false},
		{s->keys_dir, false},
		{s->nats.credentials, false},
		{s->nats.ca, false},
		{"/proc", false}, // of ourselves and the dataplane
		{"/dev/null", true},
		{"/dev/urandom", false},
		// what the C library reads when a host name is looked up, and when it is
		{"/usr", false},
		{"/etc/hosts", false},
		{"/etc/host.conf", false},
		{"/etc/resolv.conf", false},
		{"/etc/nsswitch.conf", false},
		{"/etc/gai.conf", false},
		{"/etc/localtime", false},
		{"/etc/ssl", false},
	};
	size_t n = SANDBOX_PATHS_MAX;

	for (uint32_t i = 0; i < s->n_keys; i++)
		paths[n++] = (struct sandbox_path){s->keys[i], false};
	setenv("SQLITE_TMPDIR", s->state_dir, 1);
	if (sandbox_init(&d->sandbox, paths, n) != 0 || sandbox_thread(&d->sandbox) != 0 ||
	    sandbox_calls(&d->sandbox, SANDBOX_SERVICE) != 0)
		log_error("not all could be given up that is not needed any more: %s (see show "
			  "status)",
			  d->sandbox.problem);
	else if (d->sandbox.landlock_abi == 0)
		log_warning(
			"this kernel has no Landlock: wireglassd keeps every file that its user "
			"may open");
}
