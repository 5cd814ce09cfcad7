// SPDX-License-Identifier: BSD-2-Clause
// A message that cannot be sent is not sent: a manager that does not hear from us does what it is there for.
#include "common/notify.h"

#include <stdarg.h>
#include <stdio.h>

#include <systemd/sd-daemon.h>

void notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void notify_status(bool alive, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	// A line is an assignment: a name from outside must not make another.
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	(void)sd_notifyf(0, "STATUS=%s%s", line, alive ? "\nWATCHDOG=1" : "");
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}
