// SPDX-License-Identifier: BSD-2-Clause
// Capture files written byte by byte, read back as frames; rounds checked against checksums computed from scratch.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/capture.h"

struct tmp {
	char path[64];
	char file[96];
};

static int setup(void **state)
{
	struct tmp *d = calloc(1, sizeof(*d));

	strcpy(d->path, P_tmpdir "/wireglass-test-XXXXXX");
	if (mkdtemp(d->path) == NULL)
		return -1;
	snprintf(d->file, sizeof(d->file), "%s/t.pcap", d->path);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	struct tmp *d = *state;

	unlink(d->file);
	rmdir(d->path);
	free(d);
	return 0;
}

// --- writing captures -----------------------------------------------------------------------------------------------

struct bytes {
	uint8_t v[4096];
	size_t n;
};

static void add(struct bytes *b, const void *p, size_t n)
{
	assert_true(b->n + n <= sizeof(b->v));
	memcpy(b->v + b->n, p, n);
	b->n += n;
}

static void add32(struct bytes *b, uint32_t v)
{
	add(b, &v, 4);
}

static void add16(struct bytes *b, uint16_t v)
{
	add(b, &v, 2);
}

static void pcap_head(struct bytes *b, uint32_t link)
{
	add32(b, 0xa1b23c4d); // nanoseconds
	add16(b, 2);
	add16(b, 4);
	add32(b, 0);
	add32(b, 0);
	add32(b, 262144);
	add32(b, link);
}

static void pcap_frame(struct bytes *b, uint32_t sec, uint32_t nsec, const void *p, uint32_t caplen,
		       uint32_t len)
{
	add32(b, sec);
	add32(b, nsec);
	add32(b, caplen);
	add32(b, len);
	add(b, p, caplen);
}

static void store(const struct tmp *d, const void *p, size_t n)
{
	FILE *f = fopen(d->file, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static const uint8_t IP4[20] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
static const uint8_t IP6[40] = {0x60, 0, 0, 0, 0, 0, 59, 64};

static void expect_tail(const struct frame *f)
{
	assert_true(f->tail_bytes >= PIPELINE_TAIL_BYTES);
	for (uint32_t i = 0; i < PIPELINE_TAIL_BYTES; i++)
		assert_int_equal(f->data[f->len + i], 0);
}

// --- link types -----------------------------------------------------------------------------------------------------

static void test_link_types(void **state)
{
	static const uint8_t sll[16] = {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00};
	static const uint8_t sll6[16] = {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x86, 0xdd};
	static const uint8_t sll2[20] = {0x08, 0x00};
	static const uint8_t null_le[4] = {2, 0, 0, 0}, null_be[4] = {0, 0, 0, 2};
	static const uint8_t null_linux6[4] = {10, 0, 0, 0}, null_mac6[4] = {0, 0, 0, 30};
	static const uint8_t null_odd[4] = {7, 0, 0, 0}, enc[12] = {2, 0, 0, 0};
	static const uint8_t hdlc[4] = {0x0f, 0, 0x08, 0x00}, hdlc6[4] = {0x8f, 0, 0x86, 0xdd};
	static const uint8_t ppp[4] = {0xff, 0x03, 0x00, 0x21};
	static const uint8_t ppp_proto[2] = {0x00, 0x57}, ppp_byte[1] = {0x21},
			     lcp[2] = {0xc0, 0x21};
	static const uint8_t ppp_mpls[2] = {0x02, 0x81}, ppp_dir[3] = {1, 0x00, 0x21};
	static const uint8_t arc_old[5] = {1, 2, 0, 0, 240}, arc[8] = {1, 2, 0, 0, 212, 0, 0, 1};
	static const uint8_t arc_more[12] = {1, 2, 0, 0, 212, 0xff, 0xff, 0xff, 0, 0, 0, 1};
	static const uint8_t nflog[] = {2, 0, 0, 42, 5, 0, 10, 0, 0, 0, 0, 0, 4 + sizeof(IP4),
					0, 9, 0};
	static const uint8_t nflog6[] = {10, 0, 0, 42, 4 + sizeof(IP6), 0, 9, 0};
	static const uint8_t nflog_odd[] = {7, 0, 0, 42, 4 + sizeof(IP4), 0, 9, 0};
	static const struct {
		uint32_t link; // as in the file
		const uint8_t *head;
		uint32_t head_len;
		int version;
		uint16_t type;
	} cases[] = {
		{101, NULL, 0, 4, 0x0800},
		{101, NULL, 0, 6, 0x86dd},
		{228, NULL, 0, 4, 0x0800},
		{229, NULL, 0, 6, 0x86dd},
		{113, sll, 16, 4, 0x0800},
		{113, sll6, 16, 6, 0x86dd},
		{276, sll2, 20, 4, 0x0800},
		{0, null_le, 4, 4, 0x0800},
		{0, null_be, 4, 4, 0x0800},
		{0, null_linux6, 4, 6, 0x86dd},
		{0, null_mac6, 4, 6, 0x86dd},
		{108, null_be, 4, 4, 0x0800},
		{0, null_odd, 4, 4, 0xffff},
		{109, enc, 12, 4, 0x0800},
		{104, hdlc, 4, 4, 0x0800},
		{104, hdlc6, 4, 6, 0x86dd},
		{9, ppp, 4, 4, 0x0800},
		{9, ppp_proto, 2, 6, 0x86dd},
		{9, ppp_byte, 1, 4, 0x0800},
		{9, lcp, 2, 4, 0xffff},
		{9, ppp_mpls, 2, 4, 0x8847},
		{9, hdlc, 4, 4, 0x0800},
		{50, ppp, 4, 4, 0x0800},
		{50, hdlc6, 4, 6, 0x86dd},
		{204, ppp_dir, 3, 4, 0x0800},
		{51, NULL, 0, 4, 0x8864},
		{219, NULL, 0, 4, 0x8847},
		{129, arc_old, 5, 4, 0x0800},
		{129, arc, 8, 4, 0x0800},
		{129, arc_more, 12, 4, 0x0800},
		{239, nflog, sizeof(nflog), 4, 0x0800},
		{239, nflog6, sizeof(nflog6), 6, 0x86dd},
		{239, nflog_odd, sizeof(nflog_odd), 4, 0xffff},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes b = {.n = 0}, pkt = {.n = 0};
		const uint8_t *ip = cases[i].version == 4 ? IP4 : IP6;
		uint32_t ip_len = cases[i].version == 4 ? sizeof(IP4) : sizeof(IP6);
		struct capture *c;
		struct frame f;
		struct diag diag;

		if (cases[i].head_len > 0)
			add(&pkt, cases[i].head, cases[i].head_len);
		add(&pkt, ip, ip_len);
		pcap_head(&b, cases[i].link);
		pcap_frame(&b, 1, 2, pkt.v, (uint32_t)pkt.n, (uint32_t)pkt.n + 100);
		store(*state, b.v, b.n);
		assert_int_equal(capture_open(((struct tmp *)*state)->file, &c, &diag), 0);
		assert_int_equal(capture_next(c, &f, &diag), 1);
		assert_int_equal(f.len, 14 + ip_len);
		assert_int_equal(f.wire_len, 14 + ip_len + 100);
		assert_int_equal(f.data[12] << 8 | f.data[13], cases[i].type);
		assert_memory_equal(f.data + 14, ip, ip_len);
		assert_int_equal(f.ts_ns, 1000000002u);
		expect_tail(&f);
		assert_int_equal(capture_next(c, &f, &diag), 0);
		assert_int_equal(capture_next(c, &f, &diag), 0);
		capture_close(c);
	}
}

// Frames shorter than their link header are frames of no protocol, not errors and not reads past the end.
static void test_short_frames(void **state)
{
	static const uint32_t links[] = {1,  101, 0,  108, 113, 276, 104, 9,
					 50, 204, 51, 109, 129, 219, 239};
	uint8_t zero[32] = {0};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct bytes b = {.n = 0};
		struct capture *c;
		struct frame f;
		struct diag diag;

		pcap_head(&b, links[i]);
		for (uint32_t n = 0; n < 24; n++)
			pcap_frame(&b, 0, 0, zero, n, n);
		store(*state, b.v, b.n);
		assert_int_equal(capture_open(((struct tmp *)*state)->file, &c, &diag), 0);
		for (uint32_t n = 0; n < 24; n++) {
			assert_int_equal(capture_next(c, &f, &diag), 1);
			assert_true(f.wire_len >= f.len);
			assert_true(f.len == n || (links[i] != 1 && f.len >= 14));
			expect_tail(&f);
		}
		assert_int_equal(capture_next(c, &f, &diag), 0);
		capture_close(c);
	}
}

static void test_ethernet_and_times(void **state)
{
	struct bytes b = {.n = 0};
	uint8_t eth[60];
	struct capture *c;
	struct frame f;

	memset(eth, 0xab, sizeof(eth));
	pcap_head(&b, 1);
	pcap_frame(&b, 1700000000, 123456789, eth, 60, 60);
	pcap_frame(&b, 1700000001, 5, eth, 50, 40); // a length on the wire below what was captured
	store(*state, b.v, b.n);
	assert_int_equal(capture_open(((struct tmp *)*state)->file, &c, NULL), 0);
	assert_int_equal(capture_next(c, &f, NULL), 1);
	assert_int_equal(f.ts_ns, 1700000000123456789u);
	assert_int_equal(f.len, 60);
	assert_memory_equal(f.data, eth, 60);
	assert_int_equal(capture_next(c, &f, NULL), 1);
	assert_int_equal(f.ts_ns, 1700000001000000005u);
	assert_int_equal(f.wire_len, 50);
	expect_tail(&f); // nothing of the longer frame before it
	capture_close(c);
}

static void ng_block(struct bytes *b, uint32_t type, const void *body, uint32_t n)
{
	uint32_t total = 12 + (n + 3) / 4 * 4;
	uint8_t pad[4] = {0};

	add32(b, type);
	add32(b, total);
	add(b, body, n);
	add(b, pad, (4 - n % 4) % 4);
	add32(b, total);
}

static void test_pcapng(void **state)
{
	struct bytes b = {.n = 0}, shb = {.n = 0}, idb = {.n = 0}, epb = {.n = 0};
	uint64_t us = 1700000000u * 1000000ull + 42;
	uint8_t eth[33];
	struct capture *c;
	struct frame f;

	memset(eth, 0x5a, sizeof(eth));
	add32(&shb, 0x1a2b3c4d);
	add16(&shb, 1);
	add16(&shb, 0);
	add32(&shb, UINT32_MAX);
	add32(&shb, UINT32_MAX);
	add16(&idb, 1); // Ethernet
	add16(&idb, 0);
	add32(&idb, 65535);
	add32(&epb, 0);
	add32(&epb, (uint32_t)(us >> 32));
	add32(&epb, (uint32_t)us);
	add32(&epb, sizeof(eth));
	add32(&epb, 1500);
	add(&epb, eth, sizeof(eth));
	ng_block(&b, 0x0a0d0d0a, shb.v, (uint32_t)shb.n);
	ng_block(&b, 1, idb.v, (uint32_t)idb.n);
	ng_block(&b, 6, epb.v, (uint32_t)epb.n);
	store(*state, b.v, b.n);
	assert_int_equal(capture_open(((struct tmp *)*state)->file, &c, NULL), 0);
	assert_int_equal(capture_next(c, &f, NULL), 1);
	assert_int_equal(f.len, sizeof(eth));
	assert_int_equal(f.wire_len, 1500);
	assert_int_equal(f.ts_ns, us * 1000);
	assert_memory_equal(f.data, eth, sizeof(eth));
	assert_int_equal(capture_next(c, &f, NULL), 0);
	capture_close(c);
}

// --- refusals -------------------------------------------------------------------------------------------------------

static void test_refused(void **state)
{
	struct tmp *d = *state;
	struct bytes b = {.n = 0};
	struct capture *c = NULL;
	struct diag diag;

	assert_int_equal(capture_open("/nonexistent/x.pcap", &c, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "No such file"));
	assert_string_equal(diag.file, "/nonexistent/x.pcap");
	assert_int_equal(capture_open(d->path, &c, &diag), -EBADMSG); // a directory
	store(d, "", 0);
	assert_int_equal(capture_open(d->file, &c, &diag), -EBADMSG);
	store(d, "hello, this is a text and not a capture", 39);
	assert_int_equal(capture_open(d->file, &c, &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, "not a pcap"));
	store(d, "\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 27);
	assert_int_equal(capture_open(d->file, &c, &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, "gunzip"));
	store(d, "\x28\xb5\x2f\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 27);
	assert_int_equal(capture_open(d->file, &c, &diag), -EBADMSG);
	assert_non_null(strstr(diag.text, "unzstd"));
	pcap_head(&b, 105); // IEEE 802.11
	store(d, b.v, b.n);
	assert_int_equal(capture_open(d->file, &c, &diag), -ENOTSUP);
	assert_non_null(strstr(diag.text, "IEEE802_11"));
	assert_null(c);
}

// A file cut at any byte gives the whole frames before the cut and then one error (or a clean end between frames).
static void test_cut_anywhere(void **state)
{
	struct tmp *d = *state;
	struct bytes b = {.n = 0};
	uint8_t eth[40] = {0};

	pcap_head(&b, 1);
	for (int i = 0; i < 3; i++)
		pcap_frame(&b, 1, 0, eth, sizeof(eth), sizeof(eth));
	for (size_t cut = 24; cut <= b.n; cut++) {
		size_t whole = (cut - 24) / 56, rest = (cut - 24) % 56;
		struct capture_set set;
		struct capture *c;
		struct frame f;
		struct diag diag;

		store(d, b.v, cut);
		assert_int_equal(capture_open(d->file, &c, &diag), 0);
		for (size_t i = 0; i < whole; i++)
			assert_int_equal(capture_next(c, &f, &diag), 1);
		assert_int_equal(capture_next(c, &f, &diag), rest == 0 ? 0 : -EBADMSG);
		if (rest != 0) {
			assert_string_equal(diag.file, d->file);
			assert_non_null(strstr(diag.text, "truncated"));
		}
		capture_close(c);
		assert_int_equal(capture_load(d->file, &set, &diag), rest == 0 ? 0 : 1);
		assert_int_equal(set.n, whole);
		assert_int_equal(set.bytes, whole * sizeof(eth));
		capture_unload(&set);
	}
}

static void test_hostile_length(void **state)
{
	struct bytes b = {.n = 0};
	struct capture *c;
	struct frame f;
	struct diag diag;

	pcap_head(&b, 1);
	add32(&b, 0);
	add32(&b, 0);
	add32(&b, 0x7fffffff);
	add32(&b, 0x7fffffff);
	add(&b, IP4, sizeof(IP4));
	store(*state, b.v, b.n);
	assert_int_equal(capture_open(((struct tmp *)*state)->file, &c, &diag), 0);
	assert_int_equal(capture_next(c, &f, &diag), -EBADMSG);
	capture_close(c);
}

// More than the first block holds: it moves while it grows, the frames must not.
static void test_load_grows(void **state)
{
	struct tmp *d = *state;
	uint8_t *eth = calloc(1, 9000);
	struct capture_set set;
	FILE *f = fopen(d->file, "wb");
	struct bytes b = {.n = 0};

	pcap_head(&b, 1);
	assert_int_equal(fwrite(b.v, 1, b.n, f), b.n);
	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t hdr[4] = {i, 0, 9000 - i % 7, 9000};

		memcpy(eth, &i, 4);
		assert_int_equal(fwrite(hdr, 1, sizeof(hdr), f), sizeof(hdr));
		assert_int_equal(fwrite(eth, 1, hdr[2], f), hdr[2]);
	}
	assert_int_equal(fclose(f), 0);
	assert_int_equal(capture_load(d->file, &set, NULL), 0);
	assert_int_equal(set.n, 5000);
	for (uint32_t i = 0; i < 5000; i++) {
		const uint8_t *end = set.frames[i].data + set.frames[i].len + PIPELINE_TAIL_BYTES;

		assert_int_equal(set.frames[i].len, 9000 - i % 7);
		assert_int_equal((uintptr_t)set.frames[i].data % 64, 0);
		assert_memory_equal(set.frames[i].data, &i, 4);
		assert_true(end <= (uint8_t *)set.memory + set.memory_bytes);
	}
	capture_unload(&set);
	assert_null(set.memory);
	free(eth);
}

// --- rounds ---------------------------------------------------------------------------------------------------------

static uint32_t sum16(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

// A frame to rewrite and where its parts lie.
struct sample {
	uint8_t v[256];
	uint32_t len, ip, tcp;
	int version;
};

static bool ip_right(const struct sample *s)
{
	return s->version == 6 || sum16(s->v + s->ip, (s->v[s->ip] & 15) * 4u, 0) == 0xffff;
}

static bool tcp_right(const struct sample *s)
{
	uint32_t bytes = s->len - s->tcp;
	const uint8_t *addrs = s->v + s->ip + (s->version == 4 ? 12 : 8);

	return sum16(s->v + s->tcp, bytes, sum16(addrs, s->version == 4 ? 8 : 32, 6 + bytes)) ==
	       0xffff;
}

enum {
	S_VLAN = 1,
	S_QINQ = 2,
	S_IP6 = 4,
	S_BAD_IP = 8,
	S_BAD_TCP = 16,
	S_OPTIONS = 32, // IPv4 options, IPv6 destination options
};

static struct sample make_sample(unsigned int how, uint16_t sport, uint16_t dport, const char *body)
{
	struct sample s = {.version = how & S_IP6 ? 6 : 4};
	uint8_t *p = s.v + 12;
	uint32_t n = (uint32_t)strlen(body), opt = how & S_OPTIONS ? 8 : 0;

	for (int i = how & S_QINQ ? 2 : how & S_VLAN ? 1 : 0; i > 0; i--, p += 4)
		memcpy(p, i == 2 ? "\x88\xa8\0\x05" : "\x81\x00\0\x07", 4);
	memcpy(p, how & S_IP6 ? "\x86\xdd" : "\x08\x00", 2);
	p += 2;
	s.ip = (uint32_t)(p - s.v);
	if (how & S_IP6) {
		memcpy(p, IP6, 40);
		p[5] = (uint8_t)(20 + n + opt);
		p[6] = opt ? 60 : 6;
		memcpy(p + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\xff\xfe", 16);
		memcpy(p + 24, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		p += 40;
		if (opt)
			memcpy(p, "\x06\x00\x01\x04\0\0\0\0", 8);
		p += opt;
	} else {
		memcpy(p, IP4, 20);
		p[0] = (uint8_t)(0x45 + opt / 4);
		p[3] = (uint8_t)(40 + n + opt);
		memset(p + 20, 1, opt); // no operation
		uint16_t c = (uint16_t)~sum16(p, 20 + opt, how & S_BAD_IP ? 7 : 0);

		p[10] = (uint8_t)(c >> 8);
		p[11] = (uint8_t)c;
		p += 20 + opt;
	}
	s.tcp = (uint32_t)(p - s.v);
	memcpy(p, (uint8_t[]){sport >> 8, (uint8_t)sport, dport >> 8, (uint8_t)dport}, 4);
	p[12] = 0x50;
	memcpy(p + 20, body, n);
	s.len = s.tcp + 20 + n;
	const uint8_t *addrs = s.v + s.ip + (how & S_IP6 ? 8 : 12);
	uint32_t pseudo = sum16(addrs, how & S_IP6 ? 32 : 8, 6 + 20 + n);
	uint16_t c = (uint16_t)~sum16(p, 20 + n, pseudo + (how & S_BAD_TCP ? 9 : 0));

	p[16] = (uint8_t)(c >> 8);
	p[17] = (uint8_t)c;
	return s;
}

static void test_round_checksums(void **state)
{
	static const uint32_t rounds[] = {1,     2,     3,        255,        256,       65535,
					  65536, 65537, 1u << 20, 0x7fffffff, UINT32_MAX};
	static const char *const bodies[] = {"", "x", "GET / HTTP/1.1\r\n\r\n",
					     "odd number of bytes..."};

	for (unsigned int how = 0; how < 64; how++)
		for (size_t r = 0; r < sizeof(rounds) / sizeof(rounds[0]); r++)
			for (size_t n = 0; n < 4; n++) {
				struct sample s = make_sample(how, 40000, 80, bodies[n]);
				struct sample was = s;

				assert_int_equal(ip_right(&s), !(how & S_BAD_IP) || how & S_IP6);
				assert_int_equal(tcp_right(&s), !(how & S_BAD_TCP));
				capture_rewrite_round(s.v, s.len, 0, rounds[r]);
				assert_memory_not_equal(s.v, was.v, s.len);
				assert_int_equal(ip_right(&s), ip_right(&was));
				assert_int_equal(tcp_right(&s), tcp_right(&was));
				capture_rewrite_round(s.v, s.len, rounds[r], 0);
				assert_memory_equal(s.v, was.v, s.len);
			}
}

// r -> r + 1 -> ... is the same as 0 -> n, both directions move alike, nets and low ports stay.
static void test_round_moves(void **state)
{
	struct sample step = make_sample(0, 40000, 80, "a");
	struct sample back = make_sample(0, 80, 40000, "a");
	const struct sample was = step;
	uint8_t swap[4];

	memcpy(swap, back.v + back.ip + 12, 4);
	memcpy(back.v + back.ip + 12, back.v + back.ip + 16, 4);
	memcpy(back.v + back.ip + 16, swap, 4);
	for (uint32_t r = 0; r < 70000; r++) {
		struct sample jump = was;

		capture_rewrite_round(step.v, step.len, r, r + 1);
		capture_rewrite_round(back.v, back.len, r, r + 1);
		capture_rewrite_round(jump.v, jump.len, 0, r + 1);
		assert_memory_equal(step.v, jump.v, step.len);
		assert_memory_equal(step.v + step.ip + 12, back.v + back.ip + 16, 4);
		assert_memory_equal(step.v + step.ip + 16, back.v + back.ip + 12, 4);
		assert_memory_equal(step.v + step.tcp, back.v + back.tcp + 2, 2);
		assert_memory_equal(step.v + step.ip + 12, was.v + was.ip + 12, 2);
		assert_memory_equal(step.v + step.tcp + 2, was.v + was.tcp + 2, 2); // port 80
		assert_memory_not_equal(step.v + step.ip, was.v + was.ip, step.len - step.ip);
		assert_true(step.v[step.tcp] >= 0x80); // stays in the upper half
	}
}

// What is not a complete TCP/IP header stays as it is, byte for byte; cut anywhere, nothing behind it is written.
static void test_round_untouched(void **state)
{
	for (unsigned int how = 0; how < 64; how++) {
		const struct sample whole = make_sample(how, 50000, 60000, "body");

		for (uint32_t cut = 0; cut <= whole.len; cut++) {
			uint8_t *p =
				malloc(cut + 1); // exact size: the sanitizer sees a write behind it
			struct sample s = whole;

			memcpy(p, s.v, cut);
			p[cut] = 0xee;
			capture_rewrite_round(p, cut, 0, 3);
			assert_int_equal(p[cut], 0xee);
			if (cut < whole.ip + (whole.version == 4 ? 20 : 40))
				assert_memory_equal(p, whole.v, cut);
			free(p);
		}
	}
	struct sample udp = make_sample(0, 40000, 53, "query"), was;

	udp.v[udp.ip + 9] = 17;
	was = udp;
	capture_rewrite_round(udp.v, udp.len, 0, 5);
	assert_memory_equal(udp.v, was.v, udp.len);

	struct sample arp = was = make_sample(0, 1, 2, "");

	arp.v[13] = was.v[13] = 0x06;
	capture_rewrite_round(arp.v, arp.len, 0, 5);
	assert_memory_equal(arp.v, was.v, arp.len);

	struct sample tags = was = make_sample(0, 1, 2, "");

	for (uint32_t i = 12; i + 1 < tags.len; i += 2)
		memcpy(tags.v + i, "\x81\x00", 2);
	was = tags;
	capture_rewrite_round(tags.v, tags.len, 0, 5);
	assert_memory_equal(tags.v, was.v, tags.len);

	struct sample same = was = make_sample(S_IP6, 50000, 80, "x");

	capture_rewrite_round(same.v, same.len, 7, 7);
	assert_memory_equal(same.v, was.v, same.len);
}

// A later fragment moves with its first one: addresses and header checksum, not the bytes where no TCP header is.
static void test_round_fragment(void **state)
{
	struct sample s = make_sample(0, 40000, 80, "abcdefgh"), was;

	s.v[s.ip + 7] = 4; // offset 32 bytes
	s.v[s.ip + 10] = s.v[s.ip + 11] = 0;
	uint16_t c = (uint16_t)~sum16(s.v + s.ip, 20, 0);

	s.v[s.ip + 10] = (uint8_t)(c >> 8);
	s.v[s.ip + 11] = (uint8_t)c;
	was = s;
	capture_rewrite_round(s.v, s.len, 0, 70000);
	assert_true(ip_right(&s));
	assert_memory_not_equal(s.v + s.ip + 12, was.v + was.ip + 12, 8);
	assert_memory_equal(s.v + s.tcp, was.v + was.tcp, s.len - s.tcp);
}

// Bytes behind the IP packet (Ethernet padding) are not a TCP header.
static void test_round_padding(void **state)
{
	struct sample s = make_sample(0, 40000, 80, "padding"), was;

	s.v[s.ip + 3] = 30; // ends inside the TCP header
	was = s;
	capture_rewrite_round(s.v, s.len, 0, 70000);
	assert_memory_not_equal(s.v + s.ip + 12, was.v + was.ip + 12, 8);
	assert_memory_equal(s.v + s.tcp, was.v + was.tcp, s.len - s.tcp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_link_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ethernet_and_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pcapng, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_grows, setup, teardown),
		cmocka_unit_test(test_round_checksums),
		cmocka_unit_test(test_round_moves),
		cmocka_unit_test(test_round_untouched),
		cmocka_unit_test(test_round_fragment),
		cmocka_unit_test(test_round_padding),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
