// SPDX-License-Identifier: BSD-2-Clause
// frame_sums IFACE: what leaves by an interface and what comes in by it, as numbers that do not depend on the order: frames, bytes,
// and the sum of their 64-bit hashes. Two ends of a wire that lost, made or changed a frame differ. Until SIGTERM; then one line
// of JSON, with the frames that the kernel could not show us (the sums are worth nothing unless that is 0).
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	BUFFER_BYTES = 512 << 20,
	FRAME_BYTES = 16384,
	BATCH = 64,
};

struct way {
	uint64_t frames, bytes, sum;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static int tap(const char *iface)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(iface)};
	const int bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || at.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror(iface);
		return -1;
	}
	return fd;
}

// What is there, of both ways. Returns the number of frames.
static int drain(int fd, struct way ways[2])
{
	static unsigned char frame[BATCH][FRAME_BYTES];
	struct sockaddr_ll from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH] = {0};
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){frame[i], FRAME_BYTES};
		m[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
					       .msg_namelen = sizeof(from[i]),
					       .msg_iov = &iov[i],
					       .msg_iovlen = 1};
	}
	n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct way *w = &ways[from[i].sll_pkttype == PACKET_OUTGOING ? 0 : 1];

		w->frames++;
		w->bytes += m[i].msg_len;
		w->sum += XXH3_64bits(frame[i], m[i].msg_len);
	}
	return n;
}

int main(int argc, char **argv)
{
	struct way ways[2] = {0};
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);
	int fd = argc == 2 ? tap(argv[1]) : -1;

	if (fd < 0) {
		fprintf(stderr, "usage: frame_sums IFACE\n");
		return 2;
	}
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	fprintf(stderr, "frame_sums: %s: counting\n", argv[1]);
	while (!stopping) {
		struct pollfd pfd = {fd, POLLIN, 0};

		poll(&pfd, 1, 100);
		while (drain(fd, ways) == BATCH)
			;
	}
	while (drain(fd, ways) > 0)
		;
	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
	printf("{");
	for (int i = 0; i < 2; i++)
		printf("\"%s\": {\"frames\": %" PRIu64 ", \"bytes\": %" PRIu64
		       ", \"sum\": \"%016" PRIx64 "\"}, ",
		       i == 0 ? "out" : "in", ways[i].frames, ways[i].bytes, ways[i].sum);
	printf("\"unseen\": %u}\n", stats.tp_drops);
	return 0;
}
