// SPDX-License-Identifier: BSD-2-Clause
// What traffic may be wrapped in: X(id, "name in options", "what it is"). Numbers are part of flow keys.
//
// The inner packet is what is inspected. Its flow is kept apart from the same addresses elsewhere by what identifies
// the tunnel in both directions: the network identifier of VXLAN, Geneve and PBB, the session of PPPoE, the pair of
// end points of GRE, IP in IP and L2TP (their keys and sessions differ by direction). A mirror (ERSPAN) and Teredo
// have neither. MPLS labels belong to one direction, and are often on one only: a flow in MPLS is the flow without it.
#ifndef ENGINE_TUNNEL_H
#define ENGINE_TUNNEL_H

#define TUNNEL_TABLE(X)                                                                            \
	X(PPPOE, "pppoe", "PPPoE sessions")                                                        \
	X(MPLS, "mpls", "MPLS, with or without a pseudowire, in Ethernet, IP or UDP")              \
	X(PBB, "pbb", "provider backbone bridges, 802.1ah")                                        \
	X(GRE, "gre", "GRE of versions 0 and 1, in IP or UDP")                                     \
	X(ERSPAN, "erspan", "ERSPAN mirrors, types I to III, in GRE")                              \
	X(IPIP, "ipip", "IPv4 or IPv6 in IPv4 or IPv6")                                            \
	X(VXLAN, "vxlan", "VXLAN and VXLAN-GPE, UDP ports 4789, 8472 and 4790")                    \
	X(GENEVE, "geneve", "Geneve, UDP port 6081")                                               \
	X(TEREDO, "teredo", "Teredo, UDP port 3544")                                               \
	X(L2TP, "l2tp", "L2TP version 2, UDP port 1701")

enum tunnel {
#define X(id, name, text) TUNNEL_##id,
	TUNNEL_TABLE(X)
#undef X
		TUNNEL_N
};

enum {
	TUNNEL_ALL = (1 << TUNNEL_N) - 1,
	TUNNEL_DEPTH_MAX = 4, // tunnels in tunnels: VXLAN in PPPoE in MPLS, and one more
};

#endif
