// SPDX-License-Identifier: BSD-2-Clause
// Giving up what wireglassd does not need once it is set up.
#ifndef CONTROL_CONFINE_H
#define CONTROL_CONFINE_H

struct daemon;

// For the whole process, and for good: only from main(), after daemon_init(). Failures are logged; show status says what is
// in force.
void confine(struct daemon *d);

#endif
