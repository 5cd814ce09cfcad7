// SPDX-License-Identifier: BSD-2-Clause
// Options and configuration file of wireglass-dataplane.
//
// Everything is checked here, before DPDK is started: EAL answers a wrong argument with its own usage text.
#include "dataplane/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "common/cfg.h"
#include "common/suggest.h"
#include "dataplane/engine/tunnel.h"
#include "dataplane/tunnels.h"

static const char HELP[] =
	"usage: wireglass-dataplane [options]\n"
	"\n"
	"Inspects frames from capture files, interfaces or NICs; forwards (inline) or frees (tap) "
	"them unchanged.\n"
	"\n"
	"  --port SPEC         add a port (replaces the ports of the configuration file):\n"
	"                        pcap:FILE[,rounds=N]   a capture file, N times with new "
	"addresses\n"
	"                        af_packet:IFACE        a kernel interface\n"
	"                        net_pcap:IFACE         a kernel interface through libpcap\n"
	"                        pci:ADDRESS            a NIC bound to DPDK\n"
	"                        af_xdp:IFACE           a kernel interface through AF_XDP\n"
	"                        tap:NAME               a kernel interface that is made\n"
	"                        memif:SOCKET[,server]  shared memory with another program\n"
	"                        vhost:SOCKET           a virtual machine's card (its host)\n"
	"                        virtio_user:SOCKET     the same from the other side\n"
	"  --mode tap|inline   inspect only, or forward between ports 0-1, 2-3... (default tap)\n"
	"  --enforce           inline only: drop and reject rules stop their flows (default: they "
	"alert)\n"
	"  --workers N         threads that inspect (default 1)\n"
	"  --socket PATH       where wireglassd connects (default /run/wireglass/dataplane.sock)\n"
	"  --control-uid UID   user that may connect, besides root and the own one\n"
	"  --events LIST       http,fileinfo,flow,anomaly, or all, or none (default http)\n"
	"  --tunnels LIST      what to look into: " TUNNELS_HELP ",\n"
	"                      all or none (default all)\n"
	"  --memory MB         memory for packets when there are no hugepages (default: computed)\n"
	"  --no-huge           do not use hugepages\n"
	"  --profiles DIR      profiles of NIC families (default: as installed)\n"
	"  --image FILE        start with this compiled rule set\n"
	"  --wait-rules        do not read capture files before a rule set is live\n"
	"  --exit-when-done    stop when all capture files have ended\n"
	"  --config FILE       read FILE first\n"
	"  --check             check configuration, ports and CPU, start nothing\n"
	"  --verbose           say more\n"
	"  --help, --version\n"
	"\n"
	"See wireglass-dataplane(8) and docs/DATAPLANE.md.\n";

// What the file can say, as text; turned into struct config with the same code as the options.
struct config_file {
	struct config c;
	char ports[IPC_PORTS_MAX][CONFIG_ARG_MAX + 32];
	uint32_t n_ports;
	char events[EVENT_N + 2][16];
	uint32_t n_events; // UINT32_MAX: the key is not there
	char tunnels[TUNNEL_N + 2][16];
	uint32_t n_tunnels; // UINT32_MAX: the key is not there
	char scope[SCOPE_MAX][CONFIG_ARG_MAX];
	uint32_t n_scope;
	int64_t limits[10];
	int64_t hops_to_servers;
	bool verify_checksums, hash_bodies, enforce;
};

// Limits of struct pipeline_conf by name; the order of struct config_file.limits.
enum { LIMIT_N = 10 };
static const char *const limit_names[LIMIT_N] = {
	"flows",     "segments", "connections", "messages", "heads",
	"inflaters", "windows",  "hits",        "events",   "fragments",
};

static uint32_t *limit_field(struct pipeline_conf *p, unsigned int i)
{
	uint32_t *const fields[LIMIT_N] = {
		&p->flows,     &p->segments, &p->conns, &p->messages, &p->heads,
		&p->inflaters, &p->windows,  &p->hits,  &p->events,   &p->fragments,
	};
	return fields[i];
}

#define LIMIT(i, top)                                                                              \
	{                                                                                          \
		.name = NULL, .type = CFG_INT,                                                     \
		.offset = offsetof(struct config_file, limits) + (i) * sizeof(int64_t), .min = 0,  \
		.max = (top)                                                                       \
	}

static const char *const mode_names[] = {"tap", "inline", NULL};
static const char *const idle_names[] = {"sleep", "poll", NULL};

static int read_file(const char *path, struct config_file *f, struct diag *ret_diag)
{
	struct cfg_key limits[LIMIT_N + 1] = {
		LIMIT(0, 1 << 26), LIMIT(1, 1 << 24), LIMIT(2, 1 << 26), LIMIT(3, 1 << 26),
		LIMIT(4, 1 << 20), LIMIT(5, 1 << 20), LIMIT(6, 1 << 20), LIMIT(7, 1 << 24),
		LIMIT(8, 1 << 24), LIMIT(9, 1 << 20),
	};
	const struct cfg_key keys[] = {
		{"socket", CFG_STRING, offsetof(struct config_file, c.socket), 1,
		 sizeof(f->c.socket) - 1, sizeof(f->c.socket)},
		{"profiles", CFG_STRING, offsetof(struct config_file, c.profiles), 0,
		 sizeof(f->c.profiles) - 1, sizeof(f->c.profiles)},
		{"mode", CFG_ENUM, offsetof(struct config_file, c.mode), .values = mode_names},
		{"idle", CFG_ENUM, offsetof(struct config_file, c.idle), .values = idle_names},
		{"workers", CFG_INT, offsetof(struct config_file, c.workers), 1,
		 IPC_WORKERS_MAX - 1},
		{"memory_mb", CFG_INT, offsetof(struct config_file, c.memory_mb), 0, 1 << 20},
		{"control_uid", CFG_INT, offsetof(struct config_file, c.control_uid), -1,
		 UINT32_MAX - 1},
		{"grace_s", CFG_INT, offsetof(struct config_file, c.grace_s), 1, 3600},
		{"spool_hits", CFG_INT, offsetof(struct config_file, c.spool_hits), 256, 1 << 24},
		{"mtu", CFG_INT, offsetof(struct config_file, c.mtu), PORT_MTU, 16000},
		{"offload_after_mb", CFG_INT, offsetof(struct config_file, c.offload_after_mb), 0,
		 1 << 20},
		{"offload_flows", CFG_INT, offsetof(struct config_file, c.offload_flows), 1, 65536},
		{"hops_to_servers", CFG_INT, offsetof(struct config_file, hops_to_servers), 0, 255},
		{"verify_checksums", CFG_BOOL, offsetof(struct config_file, verify_checksums)},
		{"enforce", CFG_BOOL, offsetof(struct config_file, enforce)},
		{"hash_bodies", CFG_BOOL, offsetof(struct config_file, hash_bodies)},
		{"skip_bodies", CFG_BOOL, offsetof(struct config_file, c.skip_bodies)},
		{"ports", CFG_STRINGS, offsetof(struct config_file, ports), 0, IPC_PORTS_MAX,
		 sizeof(f->ports[0]), offsetof(struct config_file, n_ports)},
		{"events", CFG_STRINGS, offsetof(struct config_file, events), 0, EVENT_N + 2,
		 sizeof(f->events[0]), offsetof(struct config_file, n_events)},
		{"tunnels", CFG_STRINGS, offsetof(struct config_file, tunnels), 0, TUNNEL_N + 2,
		 sizeof(f->tunnels[0]), offsetof(struct config_file, n_tunnels)},
		{"scope", CFG_STRINGS, offsetof(struct config_file, scope), 0, SCOPE_MAX,
		 sizeof(f->scope[0]), offsetof(struct config_file, n_scope)},
		{"limits", CFG_GROUP, 0, .keys = limits},
		{NULL},
	};

	for (unsigned int i = 0; i < LIMIT_N; i++)
		limits[i].name = limit_names[i];
	return cfg_read(path, keys, f, ret_diag);
}

// --- values ---------------------------------------------------------------------------------------------------------

static int parse_number(const char *what, const char *text, int64_t min, int64_t max, int64_t *ret,
			struct diag *ret_diag)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < min || v > max) {
		diag_set(ret_diag, NULL, 0, 0, "%s: \"%s\" is not a number from %lld to %lld", what,
			 text, (long long)min, (long long)max);
		return -EINVAL;
	}
	*ret = v;
	return 0;
}

static int parse_event(const char *name, size_t len, uint32_t *io_mask, struct diag *ret_diag)
{
	static const char *const names[] = {"http", "fileinfo", "flow", "anomaly",
					    "all",  "none",     "alert"};
	static const uint32_t bits[] = {
		1u << EVENT_HTTP,
		1u << EVENT_FILEINFO,
		1u << EVENT_FLOW,
		1u << EVENT_ANOMALY,
		(1u << EVENT_N) - 1,
		0,
		0 /* alerts are always sent */,
	};
	char word[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			*io_mask |= bits[i];
			return 0;
		}
	snprintf(word, sizeof(word), "%.*s", (int)(len < 15 ? len : 15), name);
	const char *near = suggest_closest(word, names, sizeof(names) / sizeof(names[0]));

	diag_set(ret_diag, NULL, 0, 0, "unknown event type \"%s\"%s%s%s", word,
		 near != NULL ? " (did you mean " : " (http, fileinfo, flow, anomaly, all, none",
		 near != NULL ? near : "", near != NULL ? "?)" : ")");
	return -EINVAL;
}

static int parse_events(const char *list, uint32_t *ret_mask, struct diag *ret_diag)
{
	uint32_t mask = 0;

	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		int err = parse_event(p, len, &mask, ret_diag);

		if (err < 0)
			return err;
		p += len;
		if (*p == '\0')
			break;
	}
	*ret_mask = mask;
	return 0;
}

// Things that can only be judged together.
static int check_ports(const struct config *c, struct diag *ret_diag)
{
	unsigned int files = 0;

	for (uint32_t i = 0; i < c->n_ports; i++) {
		files += c->ports[i].type == PORT_PCAP;
		for (uint32_t j = 0; j < i; j++)
			if (c->ports[i].type != PORT_PCAP &&
			    strcmp(c->ports[i].arg, c->ports[j].arg) == 0) {
				diag_set(ret_diag, NULL, 0, 0, "port \"%s\" is named twice",
					 c->ports[i].arg);
				return -EINVAL;
			}
	}
	if (c->n_ports == 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "no port: give --port pcap:FILE, --port af_packet:IFACE or see --help");
		return -EINVAL;
	}
	if (files > 0 && files < c->n_ports) {
		diag_set(ret_diag, NULL, 0, 0,
			 "capture files have their own time and cannot be mixed with live ports: "
			 "start one process for each");
		return -EINVAL;
	}
	if (c->mode == MODE_INLINE && files > 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "mode inline needs live ports: a capture file forwards nowhere");
		return -EINVAL;
	}
	if (c->mode != MODE_INLINE && c->pipeline.enforce) {
		diag_set(ret_diag, NULL, 0, 0,
			 "enforce needs mode inline: in tap mode nothing can be stopped");
		return -EINVAL;
	}
	if (c->mode == MODE_INLINE && c->offload_after_mb != 0) {
		diag_set(
			ret_diag, NULL, 0, 0,
			"offload_after_mb needs mode tap: inline, what the card drops would not be "
			"forwarded");
		return -EINVAL;
	}
	if (c->mode == MODE_INLINE && c->n_ports % 2 != 0) {
		diag_set(ret_diag, NULL, 0, 0,
			 "mode inline pairs ports 0-1, 2-3...: %u is not an even number",
			 c->n_ports);
		return -EINVAL;
	}
	return 0;
}

// --- putting it together --------------------------------------------------------------------------------------------

static int add_port(struct config *c, const char *spec, struct diag *ret_diag)
{
	if (c->n_ports == IPC_PORTS_MAX) {
		diag_set(ret_diag, NULL, 0, 0, "more than %d ports", IPC_PORTS_MAX);
		return -EINVAL;
	}
	int err = config_port(spec, &c->ports[c->n_ports], ret_diag);

	if (err == 0)
		c->n_ports++;
	return err;
}

static int load_file(const char *path, struct config *c, struct diag *ret_diag)
{
	struct config_file *f = calloc(1, sizeof(*f));
	int err;

	if (f == NULL)
		return -ENOMEM;
	f->c = *c;
	f->verify_checksums = c->pipeline.verify_checksums;
	f->n_events = f->n_tunnels = UINT32_MAX; // stays so if the key is not there
	err = read_file(path, f, ret_diag);
	if (err < 0) {
		if (err == -ENOENT || err == -EACCES)
			diag_set(ret_diag, path, 0, 0, "cannot read the configuration: %s",
				 strerror(-err));
		goto out;
	}
	*c = f->c;
	c->pipeline.verify_checksums = f->verify_checksums;
	c->pipeline.hash_bodies = f->hash_bodies;
	c->pipeline.hops_to_servers = (uint32_t)f->hops_to_servers;
	c->pipeline.enforce = f->enforce;
	for (unsigned int i = 0; i < LIMIT_N; i++)
		*limit_field(&c->pipeline, i) = (uint32_t)f->limits[i];
	for (uint32_t i = 0; i < f->n_ports && err == 0; i++)
		err = add_port(c, f->ports[i], ret_diag);
	if (f->n_events != UINT32_MAX)
		c->pipeline.event_mask = 0;
	for (uint32_t i = 0; f->n_events != UINT32_MAX && i < f->n_events && err == 0; i++)
		err = parse_event(f->events[i], strlen(f->events[i]), &c->pipeline.event_mask,
				  ret_diag);
	if (f->n_tunnels != UINT32_MAX)
		c->pipeline.tunnels_off = TUNNEL_ALL;
	for (uint32_t i = 0; f->n_tunnels != UINT32_MAX && i < f->n_tunnels && err == 0; i++)
		err = tunnels_add(f->tunnels[i], strlen(f->tunnels[i]), &c->pipeline.tunnels_off,
				  ret_diag);
	for (uint32_t i = 0; i < f->n_scope && err == 0; i++)
		err = config_scope(f->scope[i], &c->scope, ret_diag);
	if (err < 0)
		snprintf(ret_diag->file, sizeof(ret_diag->file), "%s", path);
out:
	free(f);
	return err;
}

static int copy_text(char *dst, size_t size, const char *what, const char *text,
		     struct diag *ret_diag)
{
	if (text[0] == '\0' || strlen(text) >= size) {
		diag_set(ret_diag, NULL, 0, 0, "%s: 1 to %zu bytes are allowed", what, size - 1);
		return -EINVAL;
	}
	strcpy(dst, text);
	return 0;
}

static int parse_mode(struct config *c, const char *text, struct diag *ret_diag)
{
	for (int i = 0; mode_names[i] != NULL; i++)
		if (strcmp(text, mode_names[i]) == 0) {
			c->mode = i;
			return 0;
		}
	diag_set(ret_diag, NULL, 0, 0, "--mode: \"%s\" is neither tap nor inline", text);
	return -EINVAL;
}

enum { // long options without a letter
	OPT_CONFIG = 256,
	OPT_SOCKET,
	OPT_WORKERS,
	OPT_PORT,
	OPT_MODE,
	OPT_ENFORCE,
	OPT_MEMORY,
	OPT_NO_HUGE,
	OPT_WAIT,
	OPT_EXIT,
	OPT_EVENTS,
	OPT_TUNNELS,
	OPT_IMAGE,
	OPT_PROFILES,
	OPT_UID,
	OPT_CHECK,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"port", required_argument, NULL, OPT_PORT},
	{"mode", required_argument, NULL, OPT_MODE},
	{"enforce", no_argument, NULL, OPT_ENFORCE},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"no-huge", no_argument, NULL, OPT_NO_HUGE},
	{"wait-rules", no_argument, NULL, OPT_WAIT},
	{"exit-when-done", no_argument, NULL, OPT_EXIT},
	{"events", required_argument, NULL, OPT_EVENTS},
	{"tunnels", required_argument, NULL, OPT_TUNNELS},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"profiles", required_argument, NULL, OPT_PROFILES},
	{"control-uid", required_argument, NULL, OPT_UID},
	{"check", no_argument, NULL, OPT_CHECK},
	{"verbose", no_argument, NULL, OPT_VERBOSE},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

// One option but --config. io_ports: --port was met before (the first one replaces those of the file).
static int apply_option(struct config *c, int opt, const char *arg, bool *io_ports,
			struct diag *ret_diag)
{
	switch (opt) {
	case OPT_SOCKET:
		return copy_text(c->socket, sizeof(c->socket), "--socket", arg, ret_diag);
	case OPT_WORKERS:
		return parse_number("--workers", arg, 1, IPC_WORKERS_MAX - 1, &c->workers,
				    ret_diag);
	case OPT_PORT:
		if (!*io_ports)
			c->n_ports = 0;
		*io_ports = true;
		return add_port(c, arg, ret_diag);
	case OPT_MODE:
		return parse_mode(c, arg, ret_diag);
	case OPT_ENFORCE:
		c->pipeline.enforce = true;
		return 0;
	case OPT_MEMORY:
		return parse_number("--memory", arg, 0, 1 << 20, &c->memory_mb, ret_diag);
	case OPT_EVENTS:
		return parse_events(arg, &c->pipeline.event_mask, ret_diag);
	case OPT_TUNNELS:
		return tunnels_parse(arg, &c->pipeline.tunnels_off, ret_diag);
	case OPT_IMAGE:
		return copy_text(c->image, sizeof(c->image), "--image", arg, ret_diag);
	case OPT_PROFILES:
		return copy_text(c->profiles, sizeof(c->profiles), "--profiles", arg, ret_diag);
	case OPT_UID:
		return parse_number("--control-uid", arg, -1, UINT32_MAX - 1, &c->control_uid,
				    ret_diag);
	case OPT_NO_HUGE:
		c->no_huge = true;
		return 0;
	case OPT_WAIT:
		c->wait_rules = true;
		return 0;
	case OPT_EXIT:
		c->exit_when_done = true;
		return 0;
	case OPT_CHECK:
		c->check = true;
		return 0;
	default: // OPT_VERBOSE
		c->verbose = true;
		return 0;
	}
}

static int bad_option(const char *word, struct diag *ret_diag)
{
	const char *names[sizeof(options) / sizeof(options[0])];
	size_t n = 0;
	const char *near = NULL;

	for (; options[n].name != NULL; n++)
		names[n] = options[n].name;
	if (strncmp(word, "--", 2) == 0)
		near = suggest_closest(word + 2, names, n);
	if (near != NULL)
		diag_set(ret_diag, NULL, 0, 0,
			 "option %s is unknown or lacks its value (did you mean --%s?)", word,
			 near);
	else
		diag_set(ret_diag, NULL, 0, 0,
			 "option %s is unknown or lacks its value; see --help", word);
	return -EINVAL;
}

// First pass, to find --config and the options that run nothing; also refuses what getopt refuses.
static int first_pass(int argc, char **argv, const char **ret_file, struct diag *ret_diag)
{
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (opt == OPT_HELP) {
			fputs(HELP, stdout);
			return 1;
		}
		if (opt == OPT_VERSION) {
			puts("wireglass-dataplane " WIREGLASS_VERSION);
			return 1;
		}
		if (opt == '?')
			return bad_option(argv[optind - 1], ret_diag);
		if (opt == OPT_CONFIG)
			*ret_file = optarg;
	}
	if (optind < argc) {
		diag_set(ret_diag, NULL, 0, 0, "\"%s\" is not an option; see --help", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

int config_read(int argc, char **argv, struct config *ret_config, struct diag *ret_diag)
{
	struct config c = {
		.socket = "/run/wireglass/dataplane.sock",
		.workers = 1,
		.control_uid = -1,
		.grace_s = 30, // longer than most downloads that were running at the swap
		.spool_hits = 65536,
		.mtu = PORT_MTU,
		.offload_flows = 512,
		.pipeline = {.verify_checksums = true, .event_mask = 1u << EVENT_HTTP},
	};
	const char *file = NULL;
	bool ports = false;
	int opt, err = first_pass(argc, argv, &file, ret_diag);

	if (err != 0)
		return err;
	if (file != NULL) {
		err = load_file(file, &c, ret_diag);
		if (err < 0)
			return err;
	}
	optind = 0;
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (opt == OPT_CONFIG)
			continue;
		err = apply_option(&c, opt, optarg, &ports, ret_diag);
		if (err < 0)
			return err;
	}
	err = check_ports(&c, ret_diag);
	if (err < 0)
		return err;
	*ret_config = c;
	return 0;
}
