// SPDX-License-Identifier: BSD-2-Clause
// What a service tells the manager that started it (systemd, Type=notify). Without one, NOTIFY_SOCKET is not set and nothing
// happens. Kept by systemd: the last status.
#ifndef COMMON_NOTIFY_H
#define COMMON_NOTIFY_H

#include <stdbool.h>

// It works from now on.
void notify_ready(void);

// What it does, in one line; alive: and it is well, which holds the manager's watchdog off.
__attribute__((format(printf, 2, 3))) void notify_status(bool alive, const char *fmt, ...);

// It is ending.
void notify_stopping(void);

#endif
