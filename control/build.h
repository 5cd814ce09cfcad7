// SPDX-License-Identifier: BSD-2-Clause
// From a signed bundle to a compiled image, in a child process with limits.
#ifndef CONTROL_BUILD_H
#define CONTROL_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/sandbox.h"
#include "control/loop.h"
#include "control/settings.h"
#include "rules/bundle.h"
#include "rules/cache.h"
#include "rules/progress.h"

enum {
	BUILD_REFUSED_MAX = 20, // refused rules that a report lists
};

// How far the child is; it counts up.
enum build_stage {
	BUILD_PARSE, // bundle and rules
	BUILD_COMPILE,
	BUILD_DONE,
};

// What the child tells while it works, in memory shared with it; to be read with suspicion.
struct build_shared {
	uint32_t stage;           // enum build_stage
	struct progress progress; // of compilation
};

struct build_request {
	const char *name; // of the bundle, for messages
	struct span data; // bundle, embedded form
	const struct sig_trust *trust;
	bool check_expiry;
	bool strict; // its manifest and its rules must say who answers for them
	struct settings_compile limits;
	const struct rule_var *vars; // ends with name NULL; NULL: Suricata's defaults
	const struct cache *cache;   // NULL: none
};

// What came out. error 0: the report holds id, serial, rules, refused, skipped, refused_rules, alert_only,
// expired (rules), expired_sids (the first ones), next_expiry (Unix time, 0: none), parse_ms, plan_ms, compile_ms, image_bytes, cached; image_fd is a sealed memfd, now the receiver's. Otherwise the report is {"error", "code"}
// and image_fd is -1. The report is lent for the call.
typedef void build_done_fn(void *ctx, int error, json_t *report, int image_fd);

// One child at a time. Init to zero.
struct build {
	struct loop *loop;
	pid_t pid; // 0: none
	int pidfd, image_fd, report_fd;
	struct loop_source source;
	struct loop_timer wall;
	bool wall_over;
	struct settings_compile limits;
	struct build_shared *shared;
	struct sandbox_seen seen;  // what the last child had given up
	const struct cache *cache; // NULL: none
	struct cache_key key;      // of this bundle
	build_done_fn *done;
	void *ctx;
};

// Start. The request need not outlive the call. 0 or negative errno; done() is called later, from the loop.
int build_start(struct build *b, struct loop *loop, const struct build_request *request,
		build_done_fn *done, void *ctx);
bool build_running(const struct build *b);
enum build_stage build_stage(const struct build *b);
// Kill the child, if any; done() is not called.
void build_cancel(struct build *b);

// The image was found to be good: keep it, unless it came from the cache. Failures are logged.
void build_keep(const struct build *b, struct span image, const json_t *report);

// A bundle that was compiled before, found by the parent: the child, which cannot open files, inherits it.
struct build_cached {
	struct span image, report; // image empty: there is none
};

// The child's work, in the process of the caller: image to image_fd, report (JSON) to report_fd.
void build_child(const struct build_request *request, const struct build_cached *cached,
		 int image_fd, int report_fd, struct build_shared *shared);

#endif
