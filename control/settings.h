// SPDX-License-Identifier: BSD-2-Clause
// What wireglassd is told: configuration file (libconfig, see etc/control.cfg) and command line.
#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/diag.h"
#include "common/hit.h"
#include "rules/parse.h"
#include "rules/sig.h"

#define SETTINGS_CONFIG           "/etc/wireglass/control.cfg"
#define SETTINGS_SOCKET           "/run/wireglass/control.sock"
#define SETTINGS_DATAPLANE_SOCKET "/run/wireglass/dataplane.sock"
#define SETTINGS_STATE_DIR        "/var/lib/wireglass"
#define SETTINGS_KEYS_DIR         "/etc/wireglass/keys"
#define SETTINGS_CACHE_DIR        "/var/cache/wireglass"

enum {
	SETTINGS_VARS_MAX = 64,
	SETTINGS_VAR_NAME_BYTES = 64,
	SETTINGS_VAR_BYTES = 2048, // a list of about 100 prefixes
	SETTINGS_PATH_BYTES = 256,
	SETTINGS_SOCKET_BYTES = 108, // sun_path
	SETTINGS_KEYS_MAX = 16,
	SETTINGS_NATS_SERVERS_MAX = 8,
	SETTINGS_NATS_BYTES = 128,
};

// Kinds of EVE line, in the order of settings_eve_names. The first EVENT_N are enum event_type.
enum settings_eve {
	SETTINGS_EVE_HTTP = EVENT_HTTP,
	SETTINGS_EVE_FILEINFO = EVENT_FILEINFO,
	SETTINGS_EVE_FLOW = EVENT_FLOW,
	SETTINGS_EVE_ANOMALY = EVENT_ANOMALY,
	SETTINGS_EVE_ALERT = EVENT_N,
	SETTINGS_EVE_STATS,
	SETTINGS_EVE_ENGINE,
	SETTINGS_EVE_N,
};
extern const char *const settings_eve_names[SETTINGS_EVE_N + 1];

struct settings_eve_file {
	char file[SETTINGS_PATH_BYTES];     // "": no EVE
	char socket[SETTINGS_SOCKET_BYTES]; // a unix socket that takes the alerts, "": none
	char events[SETTINGS_EVE_N][16];
	uint32_t n_events;
	uint32_t mask; // bit per enum settings_eve, from events
	int64_t stats_interval_s;
};

struct settings_nats {
	char servers[SETTINGS_NATS_SERVERS_MAX][SETTINGS_NATS_BYTES]; // none: NATS is not used
	uint32_t n_servers;
	char stream[SETTINGS_SOCKET_BYTES], subject[SETTINGS_NATS_BYTES];
	char credentials[SETTINGS_PATH_BYTES], ca[SETTINGS_PATH_BYTES]; // files, "": none
};

struct settings_compile {
	int64_t cpu_s, memory_mb, wall_s;
};

struct settings_cache {
	// of compiled rule sets; "": SETTINGS_CACHE_DIR, or STATE/cache if the state is not in SETTINGS_STATE_DIR
	char dir[SETTINGS_PATH_BYTES];
	int64_t size_mb; // 0: no cache
};

struct settings_retention {
	int64_t hits;    // rows
	int64_t days;    // age of a hit, 0: any
	int64_t size_mb; // of the database, 0: any
	int64_t bundles; // stored bundles, the live one not counted
};

// Value of $NAME in rules.
struct settings_var {
	char name[SETTINGS_VAR_NAME_BYTES];
	char value[SETTINGS_VAR_BYTES];
};

struct settings {
	char config[SETTINGS_PATH_BYTES]; // file that was read, "" if none
	char socket[SETTINGS_SOCKET_BYTES];
	char dataplane_socket[SETTINGS_SOCKET_BYTES];
	char state_dir[SETTINGS_PATH_BYTES];
	char keys[SETTINGS_KEYS_MAX][SETTINGS_PATH_BYTES]; // minisign public key files
	uint32_t n_keys;
	char keys_dir[SETTINGS_PATH_BYTES]; // every *.pub in it; used if no key is named
	bool strict;                        // bundles and rules must say who answers for them
	int64_t signatures;                 // trusted keys that must have signed a bundle
	char host[64];
	char read_group[64];    // its members may look, "": nobody
	char operate_group[64]; // its members may change something, too
	int64_t operator_uid;   // may use the control socket, besides root and our own
	int64_t dataplane_uid;  // the dataplane may run as this user, besides root and our own
	struct settings_eve_file eve;
	char metrics
		[128]; // where Prometheus may ask: a unix socket or a loopback address, "": nowhere
	char syslog[SETTINGS_SOCKET_BYTES]; // a unix socket that takes RFC 5424, "": none
	struct settings_nats nats;
	struct settings_compile compile;
	struct settings_cache cache;
	struct settings_retention retention;
	int client_address; // enum privacy_mode: what is kept of it
	struct settings_var vars[SETTINGS_VARS_MAX];
	uint32_t n_vars;
	bool check; // --check: say whether the configuration is good and leave
};

void settings_defaults(struct settings *s);

// The variables as rules_parse() takes them. They point into s.
void settings_vars(const struct settings *s, struct rule_var ret_vars[SETTINGS_VARS_MAX + 1]);

// Read a configuration text (name is for messages) over the values in s. 0 or -EINVAL with ret_diag.
int settings_read_text(struct settings *s, const char *name, const char *text,
		       struct diag *ret_diag);

// Command line over configuration file over defaults. Fills s.
// 0: go on; 1: --help or --version was printed, leave with success; -EINVAL and other negative errno with ret_diag.
int settings_args(struct settings *s, int argc, char **argv, struct diag *ret_diag);

#endif
