// SPDX-License-Identifier: BSD-2-Clause
// The event loop of wireglassd: file descriptors and timers, one thread, nothing else.
//
// Sources and timers are embedded in their owners and must stay where they are while armed. Both may be added,
// changed and removed from any callback, their own included: one event is taken from the kernel at a time, so
// there never is a second one that could point at something already gone.
#ifndef CONTROL_LOOP_H
#define CONTROL_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop_source;
struct loop_timer;

typedef void loop_fd_fn(void *ctx, uint32_t events); // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR
typedef void loop_timer_fn(void *ctx);

struct loop_source {
	int fd; // -1: not added
	loop_fd_fn *fn;
	void *ctx;
};

struct loop_timer {
	uint64_t due_ns; // 0: not armed
	loop_timer_fn *fn;
	void *ctx;
	struct loop_timer *next;
};

struct loop {
	int epoll_fd;
	bool stop;
	struct loop_timer *timers; // soonest first
};

// 0 or negative errno.
int loop_init(struct loop *l);
void loop_done(struct loop *l);

// Call fn(ctx, events) while fd is ready for events. The descriptor stays the caller's.
int loop_add(struct loop *l, struct loop_source *s, int fd, uint32_t events, loop_fd_fn *fn,
	     void *ctx);
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);
// Before the descriptor is closed. Does nothing to a source that is not added.
void loop_remove(struct loop *l, struct loop_source *s);

// Call fn(ctx) once, delay_ms from now. Arming again moves it.
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t delay_ms, loop_timer_fn *fn,
		    void *ctx);
void loop_timer_cancel(struct loop *l, struct loop_timer *t);

// One event or the timers that are due; waits at most max_ms (-1: for ever). 0 or negative errno.
int loop_step(struct loop *l, int max_ms);

// Until loop_stop(). 0 or negative errno.
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

// CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds.
uint64_t loop_now_ns(void);
uint64_t loop_wall_ns(void);

#endif
