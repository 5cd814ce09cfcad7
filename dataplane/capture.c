// SPDX-License-Identifier: BSD-2-Clause
// Capture files: libpcap reads them, this file makes every frame Ethernet with a readable tail.
//
// A frame is copied once, behind room for an Ethernet header:
//
//   buf                LINK_MAX - link header            + caplen
//   | room for Ethernet | bytes of the link header | network bytes | zeros, PIPELINE_TAIL_BYTES |
//                 ^ frame.data when the link header is replaced: 14 bytes before the network bytes
//
// Invariants: len never exceeds CAPTURE_FRAME_MAX, wire_len is never below len, the tail is inside the buffer.
#include "dataplane/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/linktype.h"

enum {
	ETH_BYTES = 14,
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_IPV6 = 0x86dd,
	LINK_MAX = 20,              // room in front, for an Ethernet header at least
	CAPTURE_FRAME_MAX = 262144, // libpcap refuses longer frames as damage
	LOAD_ALIGN = 64,            // as a NIC would place a frame
};
#define LOAD_FIRST_BYTES ((size_t)16 << 20)
#define LOAD_MAX_BYTES   ((size_t)8 << 30) // a capture to loop over, not an archive

struct capture {
	pcap_t *pcap;
	FILE *file;
	char name[256];
	int link;
	uint64_t frames;
	uint8_t buf[LINK_MAX + CAPTURE_FRAME_MAX + PIPELINE_TAIL_BYTES];
};

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

// Why libpcap refused the file, with what to do about it.
static void open_failed(FILE *f, const char *path, const char *why, struct diag *ret_diag)
{
	uint8_t magic[4] = {0};
	size_t n = 0;

	if (fseek(f, 0, SEEK_SET) == 0)
		n = fread(magic, 1, sizeof(magic), f);
	if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
		diag_set(ret_diag, path, 0, 0, "is gzip-compressed: unpack it with gunzip first");
	else if (n == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
		diag_set(ret_diag, path, 0, 0, "is zstd-compressed: unpack it with unzstd first");
	else
		diag_set(ret_diag, path, 0, 0, "is not a pcap or pcapng capture (%s)", why);
}

int capture_open(const char *path, struct capture **ret_capture, struct diag *ret_diag)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	struct capture *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return -ENOMEM;
	snprintf(c->name, sizeof(c->name), "%s", path);
	c->file = fopen(path, "rbe");
	if (c->file == NULL) {
		err = -errno;
		diag_set(ret_diag, path, 0, 0, "cannot open the capture file: %s", strerror(-err));
		goto free_capture;
	}
	c->pcap =
		pcap_fopen_offline_with_tstamp_precision(c->file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (c->pcap == NULL) {
		open_failed(c->file, path, why, ret_diag);
		err = -EBADMSG;
		goto close_file;
	}
	c->link = pcap_datalink(c->pcap);
	if (!linktype_is_read(c->link)) {
		const char *name = pcap_datalink_val_to_name(c->link);

		diag_set(ret_diag, path, 0, 0,
			 "link type %s (%d) is not read: capture on an Ethernet, cooked, loopback "
			 "or raw IP interface",
			 name != NULL ? name : "unknown", c->link);
		err = -ENOTSUP;
		goto close_pcap;
	}
	*ret_capture = c;
	return 0;

close_pcap:
	pcap_close(c->pcap); // closes the file as well
	goto free_capture;
close_file:
	fclose(c->file);
free_capture:
	free(c);
	return err;
}

void capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	pcap_close(c->pcap);
	free(c);
}

// Turn the caplen bytes at p, in c->buf, into an Ethernet frame.
static void make_ethernet(struct capture *c, uint8_t *p, uint32_t caplen, uint32_t wire_len,
			  struct frame *ret_frame)
{
	if (wire_len < caplen)
		wire_len = caplen;
	if (c->link != DLT_EN10MB) {
		uint32_t skip, end;
		uint16_t type = linktype_header(c->link, p, caplen, &skip, &end);

		wire_len -= caplen - end; // what is behind the packet is not of it
		caplen = end - skip + ETH_BYTES;
		wire_len -= skip;
		wire_len += wire_len <= UINT32_MAX - ETH_BYTES ? ETH_BYTES : 0;
		p += skip;
		p -= ETH_BYTES;
		memset(p, 0, ETH_BYTES);
		put_be16(p + 12, type);
	}
	memset(p + caplen, 0, PIPELINE_TAIL_BYTES);
	ret_frame->data = p;
	ret_frame->len = caplen;
	ret_frame->wire_len = wire_len;
	ret_frame->tail_bytes = PIPELINE_TAIL_BYTES;
}

int capture_next(struct capture *c, struct frame *ret_frame, struct diag *ret_diag)
{
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int rc = pcap_next_ex(c->pcap, &hdr, &data);

	if (rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc != 1 || hdr->caplen > CAPTURE_FRAME_MAX) {
		diag_set(ret_diag, c->name, 0, 0,
			 "the capture is damaged or cut after frame %llu (%s); the frames before "
			 "it are good",
			 (unsigned long long)c->frames,
			 rc != 1 ? pcap_geterr(c->pcap) : "frame longer than 262144 bytes");
		return -EBADMSG;
	}
	uint8_t *p = c->buf + LINK_MAX;

	memcpy(p, data, hdr->caplen);
	memset(ret_frame, 0, sizeof(*ret_frame));
	make_ethernet(c, p, hdr->caplen, hdr->len, ret_frame);
	// With nanosecond precision asked for, libpcap puts nanoseconds in tv_usec.
	ret_frame->ts_ns = (uint64_t)hdr->ts.tv_sec * 1000000000u + (uint64_t)hdr->ts.tv_usec;
	c->frames++;
	return 1;
}

// The set while it grows. Frames hold offsets in place of pointers until the memory stops moving.
struct load {
	uint8_t *memory;
	size_t used, size;
	struct frame *frames;
	size_t n, cap;
	uint64_t bytes;
};

static int load_reserve(struct load *l, uint32_t len)
{
	if (l->used + len + LOAD_ALIGN + PIPELINE_TAIL_BYTES > l->size) {
		size_t size = l->size * 2;
		void *memory;

		if (size > LOAD_MAX_BYTES)
			return -EFBIG;
		memory = mremap(l->memory, l->size, size, MREMAP_MAYMOVE);
		if (memory == MAP_FAILED)
			return -ENOMEM;
		l->memory = memory;
		l->size = size;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap > 0 ? l->cap * 2 : 4096;
		struct frame *frames = reallocarray(l->frames, cap, sizeof(*frames));

		if (frames == NULL)
			return -ENOMEM;
		l->frames = frames;
		l->cap = cap;
	}
	return 0;
}

static int load_all(struct capture *c, struct load *l, struct diag *ret_diag)
{
	struct frame f;
	int rc;

	while ((rc = capture_next(c, &f, ret_diag)) == 1) {
		int err = load_reserve(l, f.len);

		if (err == -EFBIG)
			diag_set(ret_diag, c->name, 0, 0,
				 "does not fit in 8 GiB of memory: use a shorter capture");
		else if (err < 0)
			diag_set(ret_diag, c->name, 0, 0, "not enough memory after frame %zu",
				 l->n);
		if (err < 0)
			return err;
		memcpy(l->memory + l->used, f.data, f.len);
		f.data = NULL;
		l->frames[l->n++] = f;
		l->bytes += f.len;
		l->used += (f.len + LOAD_ALIGN - 1) / LOAD_ALIGN * LOAD_ALIGN;
	}
	return rc == -EBADMSG ? 1 : rc;
}

int capture_load(const char *path, struct capture_set *ret_set, struct diag *ret_diag)
{
	struct load l = {.size = LOAD_FIRST_BYTES};
	struct capture *c;
	int rc = capture_open(path, &c, ret_diag);

	if (rc < 0)
		return rc;
	l.memory = mmap(NULL, l.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l.memory == MAP_FAILED) {
		diag_set(ret_diag, path, 0, 0, "not enough memory to load the capture");
		capture_close(c);
		return -ENOMEM;
	}
	(void)madvise(l.memory, l.size,
		      MADV_HUGEPAGE); // a wish; it moves along when the memory grows
	rc = load_all(c, &l, ret_diag);
	capture_close(c);
	if (rc < 0) {
		munmap(l.memory, l.size);
		free(l.frames);
		return rc;
	}
	for (size_t i = 0, off = 0; i < l.n; i++) {
		l.frames[i].data = l.memory + off;
		off += (l.frames[i].len + LOAD_ALIGN - 1) / LOAD_ALIGN * LOAD_ALIGN;
	}
	*ret_set = (struct capture_set){
		.frames = l.frames,
		.n = l.n,
		.bytes = l.bytes,
		.memory = l.memory,
		.memory_bytes = l.size,
	};
	return rc;
}

void capture_unload(struct capture_set *set)
{
	if (set->memory != NULL)
		munmap(set->memory, set->memory_bytes);
	free(set->frames);
	memset(set, 0, sizeof(*set));
}

// --- rounds ---------------------------------------------------------------------------------------------------------
//
// The low 16 bits of both addresses move by round * ROUND_STEP, so a /16 (and with it a rule's $HOME_NET) keeps its
// members, and both directions of a flow move alike. Only after 65536 rounds do the ports of the upper half move too:
// rules name ports of the lower half. The step is odd (no address repeats within 65536 rounds) and far from small
// numbers, so that neighbours in a capture do not become each other in the next round.
enum {
	ROUND_STEP = 0x9e37,
	ROUND_PORT_MIN = 0x8000,
	IP_PROTO_TCP = 6,
	IP6_EXT_MAX = 8,
	VLAN_MAX = 4,
};

// What a checksum field has to take in: sum of ~old + new over the 16-bit words that changed (RFC 1624, equation 3).
static void word_change(uint8_t *p, uint16_t to, uint32_t *io_sum)
{
	*io_sum += (uint16_t)~get_be16(p) + (uint32_t)to;
	put_be16(p, to);
}

static void checksum_change(uint8_t *p, uint32_t sum)
{
	sum += (uint16_t)~get_be16(p);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(p, (uint16_t)~sum);
}

static void port_change(uint8_t *p, uint16_t delta, uint32_t *io_sum)
{
	uint16_t port = get_be16(p);

	if (port >= ROUND_PORT_MIN && delta != 0)
		word_change(p, ROUND_PORT_MIN | ((port + delta) & (ROUND_PORT_MIN - 1)), io_sum);
}

// What of a frame a round touches; NULL where the capture does not hold it.
struct round_fields {
	uint8_t *addr[2]; // the last 16 bits of source and destination
	uint8_t *ip_csum;
	uint8_t *tcp;
};

// p: an IPv4 header with len bytes. False: not TCP, or too short to tell.
static bool ipv4_fields(uint8_t *p, uint32_t len, struct round_fields *ret)
{
	uint32_t head, total;

	if (len < 20 || p[0] >> 4 != 4 || p[9] != IP_PROTO_TCP)
		return false;
	head = (p[0] & 15) * 4u;
	total = get_be16(p + 2);
	if (head < 20)
		return false;
	if (total != 0 && total < len) // 0: segmentation offload left the field empty
		len = total;
	*ret = (struct round_fields){.addr = {p + 14, p + 18}, .ip_csum = p + 10};
	if ((get_be16(p + 6) & 0x1fff) == 0 && len >= head + 18) // ports and checksum are there
		ret->tcp = p + head;
	return true;
}

static bool ipv6_fields(uint8_t *p, uint32_t len, struct round_fields *ret)
{
	uint32_t off = 40, total;
	bool first = true; // first or only fragment

	if (len < 40 || p[0] >> 4 != 6)
		return false;
	total = get_be16(p + 4);
	if (total != 0 && total + 40 < len)
		len = total + 40;
	uint8_t next = p[6];

	for (unsigned int i = 0; i < IP6_EXT_MAX && next != IP_PROTO_TCP; i++) {
		uint32_t bytes;

		if (off + 8 > len)
			return false;
		if (next == 44) { // fragment
			bytes = 8;
			first = (get_be16(p + off + 2) & 0xfff8) == 0;
		} else if (next == 0 || next == 60 || (next == 43 && p[off + 3] == 0)) {
			bytes = (p[off + 1] + 1u) * 8;
		} else if (next == 51) { // authentication header counts in words
			bytes = (p[off + 1] + 2u) * 4;
		} else {
			return false; // not TCP, or its checksum is over another destination (source routing)
		}
		next = p[off];
		off += bytes;
		if (!first)
			break;
	}
	if (next != IP_PROTO_TCP)
		return false;
	*ret = (struct round_fields){.addr = {p + 22, p + 38}};
	if (first && len >= off + 18)
		ret->tcp = p + off;
	return true;
}

static bool frame_fields(uint8_t *data, uint32_t len, struct round_fields *ret)
{
	uint32_t off = 12;

	for (unsigned int i = 0; i <= VLAN_MAX; i++, off += 4) {
		if (off + 2 > len)
			return false;
		switch (get_be16(data + off)) {
		case ETH_TYPE_IPV4:
			return ipv4_fields(data + off + 2, len - off - 2, ret);
		case ETH_TYPE_IPV6:
			return ipv6_fields(data + off + 2, len - off - 2, ret);
		case 0x8100:
		case 0x88a8:
		case 0x9100:
			break;
		default:
			return false;
		}
	}
	return false;
}

void capture_rewrite_round(uint8_t *data, uint32_t len, uint32_t from_round, uint32_t to_round)
{
	uint16_t addr_delta = (uint16_t)((to_round - from_round) * ROUND_STEP);
	uint16_t port_delta = (uint16_t)((to_round >> 16) - (from_round >> 16));
	struct round_fields f;
	uint32_t sum = 0;

	if (from_round == to_round || !frame_fields(data, len, &f))
		return;
	for (unsigned int i = 0; i < 2 && addr_delta != 0; i++)
		word_change(f.addr[i], (uint16_t)(get_be16(f.addr[i]) + addr_delta), &sum);
	if (f.ip_csum != NULL && addr_delta != 0)
		checksum_change(f.ip_csum, sum);
	if (f.tcp == NULL)
		return;
	port_change(f.tcp, port_delta, &sum);
	port_change(f.tcp + 2, port_delta, &sum);
	if (sum != 0)
		checksum_change(f.tcp + 16, sum);
}
