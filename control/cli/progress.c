// SPDX-License-Identifier: BSD-2-Clause
#include "control/cli/progress.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	FIRST_MS = 1000,
	EVERY_MS = 200,
};

static void deadline(struct timespec *t, int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_nsec += (long)ms * 1000000;
	t->tv_sec += t->tv_nsec / 1000000000;
	t->tv_nsec %= 1000000000;
}

static void *watch(void *ctx)
{
	struct cli_progress *p = ctx;
	struct timespec until;
	bool shown = false;

	pthread_mutex_lock(&p->lock);
	deadline(&until, FIRST_MS);
	while (!p->stopped) {
		uint32_t total, done;

		if (pthread_cond_timedwait(&p->stop, &p->lock, &until) != ETIMEDOUT)
			continue;
		total = atomic_load_explicit(&p->progress.total, memory_order_relaxed);
		done = atomic_load_explicit(&p->progress.done, memory_order_relaxed);
		if (total == 0)
			fputs("\rreading rules ...", stderr);
		else if (done < total)
			fprintf(stderr, "\rcompiling: %u of %u rules", done, total);
		else
			fputs("\rmeasuring what they cost ...        ", stderr);
		shown = true;
		deadline(&until, EVERY_MS);
	}
	pthread_mutex_unlock(&p->lock);
	if (shown)
		fputs("\r\033[K", stderr);
	return NULL;
}

void cli_progress_begin(struct cli_progress *p, bool quiet)
{
	pthread_condattr_t attr;

	memset(p, 0, sizeof(*p));
	if (quiet || !isatty(STDERR_FILENO))
		return;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->stop, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	p->runs = pthread_create(&p->thread, NULL, watch, p) == 0;
}

void cli_progress_end(struct cli_progress *p)
{
	if (!p->runs)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopped = true;
	pthread_cond_signal(&p->stop);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	p->runs = false;
}
