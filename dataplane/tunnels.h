// SPDX-License-Identifier: BSD-2-Clause
// Which tunnels are looked into, as operators write it: --tunnels gre,vxlan.
#ifndef DATAPLANE_TUNNELS_H
#define DATAPLANE_TUNNELS_H

#include <stddef.h>
#include <stdint.h>

#include "common/diag.h"

#define TUNNELS_HELP "pppoe,mpls,pbb,gre,erspan,ipip,vxlan,geneve,teredo,l2tp"

// One name, or "all" or "none": *io_off is pipeline_conf.tunnels_off; start with TUNNEL_ALL. 0 or -EINVAL.
int tunnels_add(const char *name, size_t len, uint32_t *io_off, struct diag *ret_diag);

// Names with commas between them, the whole of it. Nothing is written when one is wrong. 0 or -EINVAL.
int tunnels_parse(const char *list, uint32_t *ret_off, struct diag *ret_diag);

#endif
