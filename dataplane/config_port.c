// SPDX-License-Identifier: BSD-2-Clause
// --port TYPE:ARG[,OPTION]. What ends up in DPDK's device arguments is let through here character by character.
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/config.h"

static const char *const port_type_names[] = {
	[PORT_PCAP] = "pcap",   [PORT_AF_PACKET] = "af_packet", [PORT_NET_PCAP] = "net_pcap",
	[PORT_PCI] = "pci",     [PORT_AF_XDP] = "af_xdp",       [PORT_TAP] = "tap",
	[PORT_MEMIF] = "memif", [PORT_VHOST] = "vhost",         [PORT_VIRTIO_USER] = "virtio_user",
};

const char *config_port_type_name(enum port_type type)
{
	return port_type_names[type];
}

// The kernel's rule for names, and nothing that has a meaning in DPDK's device arguments.
static bool is_iface_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len >= IF_NAMESIZE || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s != '\0'; s++)
		if (!isgraph((unsigned char)*s) || strchr("/:,=[]\"", *s) != NULL)
			return false;
	return true;
}

// "0000:3b:00.0" or "3b:00.0"; ret of 13 bytes takes the long form.
static bool pci_address(const char *s, char ret[13])
{
	char full[16];
	unsigned int domain, bus, dev, fn;
	int end = 0;

	if (strlen(s) == 7)
		snprintf(full, sizeof(full), "0000:%.7s", s);
	else if (strlen(s) == 12)
		snprintf(full, sizeof(full), "%.12s", s);
	else
		return false;
	for (const char *p = full; *p != '\0'; p++)
		if (!isxdigit((unsigned char)*p) && *p != ':' && *p != '.')
			return false;
	if (sscanf(full, "%4x:%2x:%2x.%1x%n", &domain, &bus, &dev, &fn, &end) != 4 || end != 12 ||
	    dev > 31 || fn > 7)
		return false;
	snprintf(ret, 13, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, dev, fn);
	return true;
}

static bool parse_rounds(const char *text, uint32_t *ret)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || v < 1 || v > CONFIG_ROUNDS_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static int parse_pcap_port(const char *arg, struct port_spec *s, struct diag *ret_diag)
{
	static const char option[] = ",rounds=";
	const char *rounds = NULL;
	size_t len = strlen(arg);

	for (const char *p = arg; (p = strstr(p, option)) != NULL; p++)
		rounds = p;
	if (rounds != NULL) {
		if (!parse_rounds(rounds + strlen(option), &s->rounds)) {
			diag_set(ret_diag, NULL, 0, 0,
				 "port pcap:%s: rounds must be a number from 1 to %d", arg,
				 CONFIG_ROUNDS_MAX);
			return -EINVAL;
		}
		len = (size_t)(rounds - arg);
	}
	if (len == 0) {
		diag_set(ret_diag, NULL, 0, 0, "port pcap: names no file (pcap:FILE)");
		return -EINVAL;
	}
	memcpy(s->arg, arg, len);
	s->arg[len] = '\0';
	return 0;
}

static bool is_socket_type(enum port_type type)
{
	return type == PORT_MEMIF || type == PORT_VHOST || type == PORT_VIRTIO_USER;
}

// A path, and of memif ",server".
static int parse_socket_port(const char *arg, struct port_spec *s, struct diag *ret_diag)
{
	static const char server[] = ",server";
	size_t len = strlen(arg), tail = strlen(server);

	if (s->type == PORT_MEMIF && len > tail && strcmp(arg + len - tail, server) == 0) {
		s->is_server = true;
		len -= tail;
	}
	memcpy(s->arg, arg, len);
	s->arg[len] = '\0';
	// sun_path is 108, and memif's own limit less than that
	if (len > 0 && len <= 100 && strpbrk(s->arg, ",=[]\" \t\n") == NULL)
		return 0;
	diag_set(ret_diag, NULL, 0, 0,
		 "port \"%.120s\": write the path of a socket of 1 to 100 bytes, without comma, "
		 "blank, =, brackets or quotes",
		 arg);
	return -EINVAL;
}

int config_port(const char *spec, struct port_spec *ret_spec, struct diag *ret_diag)
{
	const char *colon = strchr(spec, ':');
	const char *arg = colon != NULL ? colon + 1 : "";
	size_t len = colon != NULL ? (size_t)(colon - spec) : strlen(spec);
	struct port_spec s = {.rounds = 1};
	unsigned int type = 0;
	int err = 0;

	while (type < PORT_TYPE_N && (strlen(port_type_names[type]) != len ||
				      memcmp(port_type_names[type], spec, len) != 0))
		type++;
	if (colon == NULL || type == PORT_TYPE_N) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port \"%s\": write pcap:FILE, af_packet:IFACE, net_pcap:IFACE, "
			 "pci:ADDRESS, or see --help",
			 spec);
		return -EINVAL;
	}
	if (strlen(arg) >= sizeof(s.arg)) {
		diag_set(ret_diag, NULL, 0, 0, "port \"%.60s...\": longer than %d bytes", spec,
			 CONFIG_ARG_MAX - 1);
		return -EINVAL;
	}
	s.type = type;
	if (type == PORT_PCAP) {
		err = parse_pcap_port(arg, &s, ret_diag);
	} else if (is_socket_type(s.type)) {
		err = parse_socket_port(arg, &s, ret_diag);
	} else if (type == PORT_PCI && !pci_address(arg, s.arg)) {
		diag_set(ret_diag, NULL, 0, 0,
			 "port \"%s\": not a PCI address such as 0000:3b:00.0 (see lspci -D)",
			 spec);
		err = -EINVAL;
	} else if (type != PORT_PCI && !is_iface_name(arg)) {
		diag_set(ret_diag, NULL, 0, 0, "port \"%s\": not an interface name (see ip link)",
			 spec);
		err = -EINVAL;
	} else if (type != PORT_PCI) {
		strcpy(s.arg, arg);
	}
	if (err == 0)
		*ret_spec = s;
	return err;
}
