// SPDX-License-Identifier: BSD-2-Clause
// Settings of wireglassd: built-in defaults, then the configuration file, then the command line.
//
// The file is checked against a schema (common/cfg.h); what a schema cannot say (event names, both sockets the same)
// is checked at the end, whatever source the value came from. Nothing here touches the system but reading the file.
#include "control/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cfg.h"
#include "common/suggest.h"
#include "control/metrics.h"

const char *const settings_eve_names[SETTINGS_EVE_N + 1] = {
	[SETTINGS_EVE_HTTP] = "http",     [SETTINGS_EVE_FILEINFO] = "fileinfo",
	[SETTINGS_EVE_FLOW] = "flow",     [SETTINGS_EVE_ANOMALY] = "anomaly",
	[SETTINGS_EVE_ALERT] = "alert",   [SETTINGS_EVE_STATS] = "stats",
	[SETTINGS_EVE_ENGINE] = "engine",
};

#define TEXT(key, field, least)                                                                    \
	{                                                                                          \
		.name = key, .type = CFG_STRING, .offset = offsetof(struct settings, field),       \
		.min = least, .max = sizeof(((struct settings *)0)->field) - 1,                    \
		.size = sizeof(((struct settings *)0)->field)                                      \
	}
#define NUMBER(key, field, least, most)                                                            \
	{                                                                                          \
		.name = key, .type = CFG_INT, .offset = offsetof(struct settings, field),          \
		.min = least, .max = most                                                          \
	}

// As enum privacy_mode.
static const char *const client_address_names[] = {"full", "truncated", "hashed", NULL};

static const struct cfg_key eve_keys[] = {
	TEXT("file", eve.file, 0),
	TEXT("socket", eve.socket, 0),
	{.name = "events",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct settings, eve.events),
	 .max = SETTINGS_EVE_N,
	 .size = sizeof(((struct settings *)0)->eve.events[0]),
	 .count_offset = offsetof(struct settings, eve.n_events)},
	NUMBER("stats_interval", eve.stats_interval_s, 1, 86400),
	{.name = NULL},
};

static const struct cfg_key nats_keys[] = {
	{.name = "servers",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct settings, nats.servers),
	 .max = SETTINGS_NATS_SERVERS_MAX,
	 .size = SETTINGS_NATS_BYTES,
	 .count_offset = offsetof(struct settings, nats.n_servers)},
	TEXT("stream", nats.stream, 1),
	TEXT("subject", nats.subject, 1),
	TEXT("credentials", nats.credentials, 0),
	TEXT("ca", nats.ca, 0),
	{.name = NULL},
};

static const struct cfg_key compile_keys[] = {
	NUMBER("cpu_s", compile.cpu_s, 1, 86400),
	NUMBER("memory_mb", compile.memory_mb, 64, 1 << 20),
	NUMBER("wall_s", compile.wall_s, 1, 86400),
	{.name = NULL},
};

static const struct cfg_key cache_keys[] = {
	TEXT("dir", cache.dir, 0),
	NUMBER("size_mb", cache.size_mb, 0, 1 << 20),
	{.name = NULL},
};

static const struct cfg_key retention_keys[] = {
	NUMBER("hits", retention.hits, 1, 1000000000),
	NUMBER("days", retention.days, 0, 36500),
	NUMBER("size_mb", retention.size_mb, 0, 1 << 24),
	NUMBER("bundles", retention.bundles, 1, 1000),
	{.name = NULL},
};

static const struct cfg_key var_keys[] = {
	{.name = "name",
	 .type = CFG_STRING,
	 .offset = offsetof(struct settings_var, name),
	 .min = 1,
	 .max = SETTINGS_VAR_NAME_BYTES - 1,
	 .size = SETTINGS_VAR_NAME_BYTES,
	 .required = true},
	{.name = "value",
	 .type = CFG_STRING,
	 .offset = offsetof(struct settings_var, value),
	 .min = 1,
	 .max = SETTINGS_VAR_BYTES - 1,
	 .size = SETTINGS_VAR_BYTES,
	 .required = true},
	{.name = NULL},
};

// Groups nest by name only: every offset is from the start of struct settings.
static const struct cfg_key keys[] = {
	TEXT("socket", socket, 1),
	TEXT("dataplane_socket", dataplane_socket, 1),
	TEXT("state_dir", state_dir, 1),
	{.name = "keys",
	 .type = CFG_STRINGS,
	 .offset = offsetof(struct settings, keys),
	 .max = SETTINGS_KEYS_MAX,
	 .size = SETTINGS_PATH_BYTES,
	 .count_offset = offsetof(struct settings, n_keys)},
	TEXT("keys_dir", keys_dir, 1),
	{.name = "strict", .type = CFG_BOOL, .offset = offsetof(struct settings, strict)},
	NUMBER("signatures", signatures, 1, SIG_SET_MAX),
	TEXT("host", host, 1),
	TEXT("read_group", read_group, 0),
	TEXT("operate_group", operate_group, 0),
	NUMBER("operator_uid", operator_uid, -1, UINT32_MAX - 1),
	NUMBER("dataplane_uid", dataplane_uid, -1, UINT32_MAX - 1),
	{.name = "client_address",
	 .type = CFG_ENUM,
	 .offset = offsetof(struct settings, client_address),
	 .values = client_address_names},
	{.name = "eve", .type = CFG_GROUP, .keys = eve_keys},
	TEXT("metrics", metrics, 0),
	TEXT("syslog", syslog, 0),
	{.name = "nats", .type = CFG_GROUP, .keys = nats_keys},
	{.name = "compile", .type = CFG_GROUP, .keys = compile_keys},
	{.name = "cache", .type = CFG_GROUP, .keys = cache_keys},
	{.name = "vars",
	 .type = CFG_LIST,
	 .offset = offsetof(struct settings, vars),
	 .max = SETTINGS_VARS_MAX,
	 .size = sizeof(struct settings_var),
	 .count_offset = offsetof(struct settings, n_vars),
	 .keys = var_keys},
	{.name = "retention", .type = CFG_GROUP, .keys = retention_keys},
	{.name = NULL},
};

void settings_defaults(struct settings *s)
{
	static const enum settings_eve events[] = {
		SETTINGS_EVE_ALERT,   SETTINGS_EVE_HTTP,  SETTINGS_EVE_FILEINFO, SETTINGS_EVE_FLOW,
		SETTINGS_EVE_ANOMALY, SETTINGS_EVE_STATS, SETTINGS_EVE_ENGINE};

	*s = (struct settings){
		.socket = SETTINGS_SOCKET,
		.dataplane_socket = SETTINGS_DATAPLANE_SOCKET,
		.state_dir = SETTINGS_STATE_DIR,
		.keys_dir = SETTINGS_KEYS_DIR,
		.signatures = 1,
		.operator_uid = -1,
		.dataplane_uid = -1,
		.eve = {.stats_interval_s = 30},
		.nats = {.stream = "WIREGLASS", .subject = "wireglass.hits"},
		// 14,000 rules compile in under a minute and one gigabyte; a set that needs ten times that is an accident.
		.compile = {.cpu_s = 600, .memory_mb = 8192, .wall_s = 900},
		// 14,000 rules make an image of about 15 MB.
		.cache = {.size_mb = 1024},
		// About 300 bytes a row with its indexes. No age: a capture of last year that is replayed is to be seen, too.
		.retention = {.hits = 1000000, .bundles = 16},
	};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		snprintf(s->eve.events[s->eve.n_events++], sizeof(s->eve.events[0]), "%s",
			 settings_eve_names[events[i]]);
	if (gethostname(s->host, sizeof(s->host) - 1) != 0 || s->host[0] == '\0')
		snprintf(s->host, sizeof(s->host), "localhost");
}

static int check_events(struct settings *s, const char *where, struct diag *ret_diag)
{
	s->eve.mask = 0;
	for (uint32_t i = 0; i < s->eve.n_events; i++) {
		const char *word = s->eve.events[i];
		unsigned int e = 0;

		while (e < SETTINGS_EVE_N && strcmp(word, settings_eve_names[e]) != 0)
			e++;
		if (e == SETTINGS_EVE_N) {
			const char *near =
				suggest_closest(word, settings_eve_names, SETTINGS_EVE_N);
			diag_set(ret_diag, where, 0, 0, "eve.events: unknown event \"%s\" (%s%s)",
				 word,
				 near != NULL ? "did you mean "
					      : "known: alert, http, fileinfo, flow, "
						"anomaly, stats, engine",
				 near != NULL ? near : "");
			return -EINVAL;
		}
		s->eve.mask |= 1u << e;
	}
	return 0;
}

static int check_metrics(const struct settings *s, const char *where, struct diag *ret_diag)
{
	struct sockaddr_storage address;
	struct diag why = {0};
	socklen_t len;

	if (s->metrics[0] == '\0' || metrics_address(s->metrics, &address, &len, &why) == 0)
		return 0;
	diag_set(ret_diag, where, 0, 0, "%s", why.text);
	return -EINVAL;
}

// A name of a stream, or words with points between them; no wildcards.
static int check_nats(const struct settings *s, const char *where, struct diag *ret_diag)
{
	const char *subject = s->nats.subject;

	if (s->nats.stream[strcspn(s->nats.stream, ".*>/\\ \t\r\n")] != '\0') {
		diag_set(ret_diag, where, 0, 0,
			 "nats.stream: \"%s\" can be no stream's name: letters, digits, - and _",
			 s->nats.stream);
		return -EINVAL;
	}
	if (subject[strcspn(subject, "*> \t\r\n")] != '\0' || subject[0] == '.' ||
	    subject[strlen(subject) - 1] == '.' || strstr(subject, "..") != NULL) {
		diag_set(ret_diag, where, 0, 0,
			 "nats.subject: \"%s\" cannot be written to: words with points between "
			 "them, no wildcards, no blanks",
			 subject);
		return -EINVAL;
	}
	return 0;
}

static void on_rule(void *ctx, enum rules_verdict verdict, uint32_t sid, const struct diag *diag)
{
	*(struct diag *)ctx = *diag;
}

// Can it stand where rules have addresses, or where they have ports? The diag says why not.
static bool var_is_usable(const struct settings *s, const char *name, struct diag *ret_why)
{
	static const char *const form[] = {"alert ip any $%s -> any any (sid:1;)",
					   "alert ip $%s any -> any any (sid:1;)"};
	struct rule_var vars[SETTINGS_VARS_MAX + 1];
	bool usable = false;

	settings_vars(s, vars);
	for (int i = 0; i < 2 && !usable; i++) {
		struct rules rs = {0};
		char rule[SETTINGS_VAR_NAME_BYTES + 64];

		snprintf(rule, sizeof(rule), form[i], name);
		usable = rules_parse(&rs, "vars", rule, strlen(rule), vars, on_rule, ret_why) == 1;
		rules_done(&rs);
	}
	return usable;
}

static int check_vars(const struct settings *s, const char *where, struct diag *ret_diag)
{
	for (uint32_t i = 0; i < s->n_vars; i++) {
		const char *name = s->vars[i].name;
		struct diag why = {0};

		for (uint32_t k = 0; k < i; k++) {
			if (strcmp(name, s->vars[k].name) != 0)
				continue;
			diag_set(ret_diag, where, 0, 0, "vars: %s is given twice", name);
			return -EINVAL;
		}
		if (var_is_usable(s, name, &why))
			continue;
		diag_set(ret_diag, where, 0, 0, "vars: %s can be neither addresses nor ports: %s",
			 name, why.text);
		return -EINVAL;
	}
	return 0;
}

void settings_vars(const struct settings *s, struct rule_var ret_vars[SETTINGS_VARS_MAX + 1])
{
	for (uint32_t i = 0; i < s->n_vars; i++)
		ret_vars[i] = (struct rule_var){s->vars[i].name, s->vars[i].value};
	ret_vars[s->n_vars] = (struct rule_var){NULL, NULL};
}

static int check(struct settings *s, const char *where, struct diag *ret_diag)
{
	if (strcmp(s->socket, s->dataplane_socket) == 0) {
		diag_set(ret_diag, where, 0, 0,
			 "socket and dataplane_socket are both %s: they must be two files",
			 s->socket);
		return -EINVAL;
	}
	if (check_events(s, where, ret_diag) != 0 || check_metrics(s, where, ret_diag) != 0 ||
	    check_nats(s, where, ret_diag) != 0)
		return -EINVAL;
	return check_vars(s, where, ret_diag);
}

int settings_read_text(struct settings *s, const char *name, const char *text,
		       struct diag *ret_diag)
{
	int err = cfg_read_text(name, text, keys, s, ret_diag);

	return err != 0 ? err : check(s, name, ret_diag);
}

static const char help[] =
	"usage: wireglassd [options]\n"
	"\n"
	"Verifies and compiles rule bundles, hands them to wireglass-dataplane, stores and reports "
	"hits.\n"
	"Runs in the foreground; SIGTERM ends it, SIGHUP reopens the EVE file.\n"
	"\n"
	"  --config FILE      configuration (default " SETTINGS_CONFIG " if it exists)\n"
	"  --state DIR        database and bundles (default " SETTINGS_STATE_DIR ")\n"
	"  --socket PATH      where the wireglass program connects (default " SETTINGS_SOCKET ")\n"
	"  --dataplane PATH   socket of wireglass-dataplane (default " SETTINGS_DATAPLANE_SOCKET
	")\n"
	"  --key FILE         trusted minisign public key; may be repeated, replaces those of the\n"
	"                     configuration (default: every *.pub in " SETTINGS_KEYS_DIR ")\n"
	"  --eve FILE         append events as EVE JSON lines\n"
	"  --check            check the configuration and leave\n"
	"  --version, --help\n"
	"\n"
	"Options override the configuration file. Example, everything in one directory:\n"
	"  wireglassd --state d --socket d/control.sock --dataplane d/dataplane.sock --key "
	"d/demo.pub\n";

enum {
	OPT_CONFIG = 256,
	OPT_STATE,
	OPT_SOCKET,
	OPT_DATAPLANE,
	OPT_KEY,
	OPT_EVE,
	OPT_CHECK,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"state", required_argument, NULL, OPT_STATE},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"dataplane", required_argument, NULL, OPT_DATAPLANE},
	{"key", required_argument, NULL, OPT_KEY},
	{"eve", required_argument, NULL, OPT_EVE},
	{"check", no_argument, NULL, OPT_CHECK},
	{"version", no_argument, NULL, OPT_VERSION},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int set_path(char *dst, size_t size, const char *option, const char *value,
		    struct diag *ret_diag)
{
	size_t len = strlen(value);

	if (len == 0 || len >= size) {
		diag_set(ret_diag, NULL, 0, 0, "--%s: the path must have 1 to %zu characters",
			 option, size - 1);
		return -EINVAL;
	}
	memcpy(dst, value, len + 1);
	return 0;
}

static int apply(struct settings *s, int opt, const char *value, bool *io_own_keys,
		 struct diag *ret_diag)
{
	switch (opt) {
	case OPT_STATE:
		return set_path(s->state_dir, sizeof(s->state_dir), "state", value, ret_diag);
	case OPT_SOCKET:
		return set_path(s->socket, sizeof(s->socket), "socket", value, ret_diag);
	case OPT_DATAPLANE:
		return set_path(s->dataplane_socket, sizeof(s->dataplane_socket), "dataplane",
				value, ret_diag);
	case OPT_EVE:
		return set_path(s->eve.file, sizeof(s->eve.file), "eve", value, ret_diag);
	case OPT_KEY:
		if (!*io_own_keys)
			s->n_keys = 0;
		*io_own_keys = true;
		if (s->n_keys == SETTINGS_KEYS_MAX) {
			diag_set(ret_diag, NULL, 0, 0, "--key: at most %d keys", SETTINGS_KEYS_MAX);
			return -EINVAL;
		}
		return set_path(s->keys[s->n_keys++], SETTINGS_PATH_BYTES, "key", value, ret_diag);
	case OPT_CHECK:
		s->check = true;
		return 0;
	default: // OPT_CONFIG: read before
		return 0;
	}
}

// --help, --version and --config first: the file lies below the other options.
static int first_pass(struct settings *s, int argc, char **argv, struct diag *ret_diag)
{
	int opt;

	opterr = 0;
	optind = 1;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (opt == OPT_VERSION) {
			puts("wireglassd " WIREGLASS_VERSION);
			return 1;
		}
		if (opt == '?') {
			diag_set(ret_diag, NULL, 0, 0,
				 "option \"%s\" is unknown or lacks its value (see wireglassd "
				 "--help)",
				 argv[optind - 1]);
			return -EINVAL;
		}
		if (opt == OPT_CONFIG) {
			int err =
				set_path(s->config, sizeof(s->config), "config", optarg, ret_diag);
			if (err != 0)
				return err;
		}
	}
	if (optind < argc) {
		diag_set(ret_diag, NULL, 0, 0, "unexpected argument \"%s\" (see wireglassd --help)",
			 argv[optind]);
		return -EINVAL;
	}
	return 0;
}

int settings_args(struct settings *s, int argc, char **argv, struct diag *ret_diag)
{
	bool own_keys = false;
	int opt, err;

	settings_defaults(s);
	err = first_pass(s, argc, argv, ret_diag);
	if (err != 0)
		return err;
	if (s->config[0] == '\0' && access(SETTINGS_CONFIG, F_OK) == 0)
		snprintf(s->config, sizeof(s->config), SETTINGS_CONFIG);
	if (s->config[0] != '\0')
		err = cfg_read(s->config, keys, s, ret_diag);
	optind = 1;
	while (err == 0 && (opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		err = apply(s, opt, optarg, &own_keys, ret_diag);
	return err != 0 ? err : check(s, s->config, ret_diag);
}
