// SPDX-License-Identifier: BSD-2-Clause
// What is odd about a message head, by the names that rules use: app-layer-event:http.NAME.
#ifndef ENGINE_HEAD_EVENTS_H
#define ENGINE_HEAD_EVENTS_H

#include <stdint.h>

#include "dataplane/engine/http.h"
#include "rules/state.h"

// Bit per enum state_event.
uint32_t head_events(const struct http_head *h);

#endif
