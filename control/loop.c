// SPDX-License-Identifier: BSD-2-Clause
// epoll with one event per call, and a sorted list of timers.
//
// The daemon has a few dozen descriptors and a handful of timers, and hits come in batches of 256: taking one event
// at a time costs nothing that matters and rules out stale events. The kernel rotates its ready list, so no source
// starves another.
#include "control/loop.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t loop_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t loop_wall_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int loop_init(struct loop *l)
{
	*l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	return l->epoll_fd < 0 ? -errno : 0;
}

void loop_done(struct loop *l)
{
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	l->epoll_fd = -1;
}

int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fd_fn *fn,
	     void *ctx)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	*s = (struct loop_source){.fd = fd, .fn = fn, .ctx = ctx};
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		s->fd = -1;
		return -errno;
	}
	return 0;
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, s->fd, &ev) == 0 ? 0 : -errno;
}

void loop_remove(struct loop *l, struct loop_source *s)
{
	if (s->fd < 0 || s->fn == NULL)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	s->fd = -1;
	s->fn = NULL;
}

void loop_timer_cancel(struct loop *l, struct loop_timer *t)
{
	for (struct loop_timer **p = &l->timers; *p != NULL; p = &(*p)->next)
		if (*p == t) {
			*p = t->next;
			break;
		}
	t->due_ns = 0;
	t->next = NULL;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms, loop_timer_fn *fn,
		    void *ctx)
{
	struct loop_timer **p = &l->timers;

	loop_timer_cancel(l, t);
	*t = (struct loop_timer){
		.due_ns = loop_now_ns() + delay_ms * 1000000u,
		.fn = fn,
		.ctx = ctx,
	};
	while (*p != NULL && (*p)->due_ns <= t->due_ns)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

static int wait_ms(const struct loop *l, int max_ms)
{
	if (l->timers == NULL)
		return max_ms;
	uint64_t now = loop_now_ns();
	uint64_t ms = l->timers->due_ns <= now ? 0 : (l->timers->due_ns - now + 999999) / 1000000;
	if (ms > 3600000)
		ms = 3600000;
	return max_ms >= 0 && (uint64_t)max_ms < ms ? max_ms : (int)ms;
}

// Timers that were due when we looked: one that arms itself again with 0 ms waits for the next step.
static void run_timers(struct loop *l)
{
	uint64_t now = loop_now_ns();

	while (l->timers != NULL && l->timers->due_ns <= now && !l->stop) {
		struct loop_timer *t = l->timers;

		l->timers = t->next;
		t->next = NULL;
		t->due_ns = 0;
		t->fn(t->ctx);
	}
}

int loop_step(struct loop *l, int max_ms)
{
	struct epoll_event ev;
	int n = epoll_wait(l->epoll_fd, &ev, 1, wait_ms(l, max_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	if (n == 1) {
		struct loop_source *s = ev.data.ptr;
		s->fn(s->ctx, ev.events);
	}
	run_timers(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	while (!l->stop && err == 0)
		err = loop_step(l, -1);
	return err;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
