// SPDX-License-Identifier: BSD-2-Clause
// The dataplane's options and configuration file: what is understood, and that what is not is refused with a reason.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/config.h"
#include "dataplane/vdev.h"
#include "dataplane/engine/tunnel.h"

static int read_args(struct config *c, struct diag *diag, const char *const *args)
{
	char *argv[32] = {NULL};
	char text[32][300];
	int argc = 1;

	snprintf(text[0], sizeof(text[0]), "wireglass-dataplane");
	argv[0] = text[0];
	for (; args[argc - 1] != NULL; argc++) {
		snprintf(text[argc], sizeof(text[argc]), "%s", args[argc - 1]);
		argv[argc] = text[argc];
	}
	memset(diag, 0, sizeof(*diag));
	return config_read(argc, argv, c, diag);
}

#define READ(c, diag, ...) read_args(c, diag, (const char *const[]){__VA_ARGS__, NULL})

static void test_ports(void **state)
{
	static const struct {
		const char *spec;
		int type; // -1: refused
		const char *arg;
		uint32_t rounds;
	} cases[] = {
		{"pcap:a.pcap", PORT_PCAP, "a.pcap", 1},
		{"pcap:/x/a:b.pcap", PORT_PCAP, "/x/a:b.pcap", 1},
		{"pcap:a.pcap,rounds=1000", PORT_PCAP, "a.pcap", 1000},
		{"pcap:a,b.pcap", PORT_PCAP, "a,b.pcap", 1},
		{"pcap:a,rounds=2,rounds=3", PORT_PCAP, "a,rounds=2", 3},
		{"pcap:a,rounds=0", -1, NULL, 0},
		{"pcap:a,rounds=-1", -1, NULL, 0},
		{"pcap:a,rounds=x", -1, NULL, 0},
		{"pcap:a,rounds=", -1, NULL, 0},
		{"pcap:a,rounds=99999999999999999999", -1, NULL, 0},
		{"pcap:", -1, NULL, 0},
		{"pcap:,rounds=2", -1, NULL, 0},
		{"af_packet:eth0", PORT_AF_PACKET, "eth0", 1},
		{"net_pcap:veth1.100", PORT_NET_PCAP, "veth1.100", 1},
		{"af_packet:", -1, NULL, 0},
		{"af_packet:.", -1, NULL, 0},
		{"af_packet:a b", -1, NULL, 0},
		{"af_packet:eth0,framesz=1", -1, NULL, 0}, // nothing slips into DPDK's arguments
		{"af_packet:../../x", -1, NULL, 0},
		{"af_packet:0123456789abcdef", -1, NULL, 0},
		{"pci:0000:3b:00.0", PORT_PCI, "0000:3b:00.0", 1},
		{"pci:3B:00.1", PORT_PCI, "0000:3b:00.1", 1},
		{"pci:3b:20.0", -1, NULL, 0},
		{"pci:3b:00.8", -1, NULL, 0},
		{"pci:3b:00.0,x=1", -1, NULL, 0},
		{"pci:", -1, NULL, 0},
		{"af_xdp:eth0", PORT_AF_XDP, "eth0", 1},
		{"tap:wg0", PORT_TAP, "wg0", 1},
		{"tap:", -1, NULL, 0},
		{"memif:/run/m.sock", PORT_MEMIF, "/run/m.sock", 1},
		{"memif:/run/m.sock,server", PORT_MEMIF, "/run/m.sock", 1},
		{"memif:/run/m.sock,id=7", -1, NULL, 0},
		{"memif:,server", -1, NULL, 0},
		{"memif:", -1, NULL, 0},
		{"vhost:/run/v.sock", PORT_VHOST, "/run/v.sock", 1},
		{"vhost:/run/v.sock,server", -1, NULL, 0},
		{"vhost:/run/a b", -1, NULL, 0},
		{"virtio_user:/run/v.sock", PORT_VIRTIO_USER, "/run/v.sock", 1},
		{"eth0", -1, NULL, 0},
		{"xdp:eth0", -1, NULL, 0},
		{"", -1, NULL, 0},
		{":", -1, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct port_spec spec;
		struct diag diag = {.text = ""};
		int err = config_port(cases[i].spec, &spec, &diag);

		if (cases[i].type < 0) {
			assert_int_equal(err, -EINVAL);
			assert_true(strlen(diag.text) > 10);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(spec.type, cases[i].type);
		assert_string_equal(spec.arg, cases[i].arg);
		assert_int_equal(spec.rounds, cases[i].rounds);
	}
}

static void test_device_arguments(void **state)
{
	static const struct {
		const char *spec;
		bool is_inline;
		const char *name, *args;
	} cases[] = {
		{"net_pcap:nope0", false, "net_pcap7", "rx_iface=nope0"},
		{"net_pcap:nope0", true, "net_pcap7", "rx_iface_in=nope0,tx_iface=nope0"},
		{"af_packet:nope0", true, "net_af_packet7",
		 "iface=nope0,qpairs=1,blocksz=65536,framesz=2048,framecnt=8192,qdisc_bypass=0"},
		{"af_xdp:nope0", false, "net_af_xdp7", "iface=nope0,start_queue=0,queue_count=3"},
		{"tap:nope0", false, "net_tap7", "iface=nope0"},
		{"memif:/s", false, "net_memif7", "role=client,id=0,socket-abstract=no,socket=/s"},
		{"memif:/s,server", true, "net_memif7",
		 "role=server,id=0,socket-abstract=no,socket=/s"},
		{"vhost:/s", false, "net_vhost7", "iface=/s,queues=3"},
		{"virtio_user:/s", false, "net_virtio_user7", "path=/s,queues=3,queue_size=1024"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[32], args[256];
		struct port_spec spec;
		struct diag diag;

		assert_int_equal(config_port(cases[i].spec, &spec, &diag), 0);
		vdev_args(&spec, 7, cases[i].is_inline, 3, name, sizeof(name), args, sizeof(args));
		assert_string_equal(name, cases[i].name);
		assert_string_equal(args, cases[i].args);
	}
}

static void test_long_port(void **state)
{
	char spec[CONFIG_ARG_MAX + 32] = "pcap:";
	struct port_spec out;
	struct diag diag;

	memset(spec + 5, 'x', CONFIG_ARG_MAX - 1);
	assert_int_equal(config_port(spec, &out, &diag), 0);
	spec[5 + CONFIG_ARG_MAX - 1] = 'x';
	assert_int_equal(config_port(spec, &out, &diag), -EINVAL);
}

static void test_defaults(void **state)
{
	struct config c;
	struct diag diag;

	assert_int_equal(READ(&c, &diag, "--port", "pcap:x"), 0);
	assert_int_equal(c.mode, MODE_TAP);
	assert_int_equal(c.workers, 1);
	assert_int_equal(c.control_uid, -1);
	assert_int_equal(c.n_ports, 1);
	assert_true(c.pipeline.verify_checksums);
	assert_int_equal(c.pipeline.event_mask, 1u << EVENT_HTTP);
	assert_false(c.wait_rules || c.exit_when_done || c.check);
}

static void test_options(void **state)
{
	struct config c;
	struct diag diag;

	assert_int_equal(READ(&c, &diag, "--mode", "inline", "--port", "af_packet:a", "--port",
			      "net_pcap:b", "--workers", "3", "--socket", "s", "--memory", "100",
			      "--events", "flow,http", "--wait-rules", "--exit-when-done",
			      "--control-uid", "33", "--image", "i", "--profiles", "p", "--check"),
			 0);
	assert_int_equal(c.mode, MODE_INLINE);
	assert_int_equal(c.n_ports, 2);
	assert_int_equal(c.workers, 3);
	assert_string_equal(c.socket, "s");
	assert_int_equal(c.memory_mb, 100);
	assert_int_equal(c.pipeline.event_mask, 1u << EVENT_HTTP | 1u << EVENT_FLOW);
	assert_int_equal(c.control_uid, 33);
	assert_string_equal(c.image, "i");
	assert_string_equal(c.profiles, "p");
	assert_true(c.wait_rules && c.exit_when_done && c.check);
	assert_int_equal(READ(&c, &diag, "--port", "pcap:x", "--events", "none"), 0);
	assert_int_equal(c.pipeline.event_mask, 0);
	assert_int_equal(READ(&c, &diag, "--port", "pcap:x", "--tunnels", "gre,vxlan"), 0);
	assert_int_equal(c.pipeline.tunnels_off,
			 TUNNEL_ALL & ~(1 << TUNNEL_GRE | 1 << TUNNEL_VXLAN));
	assert_int_equal(READ(&c, &diag, "--port", "pcap:x", "--tunnels", "none"), 0);
	assert_int_equal(c.pipeline.tunnels_off, TUNNEL_ALL);
	assert_int_equal(READ(&c, &diag, "--port", "pcap:x", "--tunnels", "all"), 0);
	assert_int_equal(c.pipeline.tunnels_off, 0);
	assert_int_equal(READ(&c, &diag, "--port", "pcap:x", "--events", "all"), 0);
	assert_int_equal(c.pipeline.event_mask, (1u << EVENT_N) - 1);
}

static void test_refused(void **state)
{
	static const struct {
		const char *args[8];
		const char *says;
	} cases[] = {
		{{NULL}, "no port"},
		{{"--prot", "pcap:x"}, "did you mean --port"},
		{{"--port"}, "lacks its value"},
		{{"x"}, "not an option"},
		{{"--port", "pcap:x", "--workers", "0"}, "--workers"},
		{{"--port", "pcap:x", "--workers", "128"}, "--workers"},
		{{"--port", "pcap:x", "--mode", "bridge"}, "neither tap nor inline"},
		{{"--port", "pcap:x", "--events", "htp"}, "did you mean http"},
		{{"--port", "pcap:x", "--events", ""}, "unknown event"},
		{{"--port", "pcap:x", "--tunnels", "vxlam"}, "did you mean vxlan"},
		{{"--port", "pcap:x", "--tunnels", "gre,"}, "unknown tunnel"},
		{{"--port", "pcap:x", "--socket", ""}, "--socket"},
		{{"--port", "pcap:x", "--profiles", ""}, "--profiles"},
		{{"--port", "pcap:x", "--control-uid", "-5"}, "--control-uid"},
		{{"--port", "pcap:x", "--port", "af_packet:a"}, "cannot be mixed"},
		{{"--port", "af_packet:a", "--port", "net_pcap:a"}, "named twice"},
		{{"--mode", "inline", "--port", "af_packet:a"}, "not an even number"},
		{{"--mode", "inline", "--port", "pcap:a", "--port", "pcap:b"}, "forwards nowhere"},
		{{"--config", "/nonexistent/x.cfg"}, "No such file"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		struct diag diag;

		assert_true(read_args(&c, &diag, cases[i].args) < 0);
		if (strstr(diag.text, cases[i].says) == NULL)
			fail_msg("case %zu: \"%s\" lacks \"%s\"", i, diag.text, cases[i].says);
	}
}

static int read_text(struct config *c, struct diag *diag, const char *text, const char *option,
		     const char *value)
{
	char path[] = P_tmpdir "/wireglass-test-XXXXXX";
	int fd = mkstemp(path), rc;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	rc = READ(c, diag, "--config", path, option, value);
	unlink(path);
	return rc;
}

static void test_file(void **state)
{
	static const char text[] = "socket = \"/run/x.sock\";\n"
				   "mode = \"inline\";\n"
				   "workers = 2;\n"
				   "profiles = \"/x/y\";\n"
				   "ports = [ \"af_packet:a\", \"af_packet:b\" ];\n"
				   "events = [ \"flow\" ];\n"
				   "tunnels = [ \"mpls\" ];\n"
				   "verify_checksums = false;\n"
				   "hops_to_servers = 3;\n"
				   "offload_flows = 7;\n"
				   "skip_bodies = true;\n"
				   "mtu = 9000;\n"
				   "limits = { flows = 1000; windows = 7; fragments = 9; };\n";
	struct config c;
	struct diag diag;

	assert_int_equal(read_text(&c, &diag, text, NULL, NULL), 0);
	assert_string_equal(c.socket, "/run/x.sock");
	assert_int_equal(c.mode, MODE_INLINE);
	assert_int_equal(c.workers, 2);
	assert_string_equal(c.profiles, "/x/y");
	assert_int_equal(c.n_ports, 2);
	assert_string_equal(c.ports[1].arg, "b");
	assert_int_equal(c.pipeline.event_mask, 1u << EVENT_FLOW);
	assert_false(c.pipeline.verify_checksums);
	assert_int_equal(c.pipeline.hops_to_servers, 3);
	assert_int_equal(c.offload_flows, 7);
	assert_true(c.skip_bodies);
	assert_int_equal(c.mtu, 9000);
	assert_int_equal(c.offload_after_mb, 0); // off
	assert_int_equal(c.pipeline.flows, 1000);
	assert_int_equal(c.pipeline.windows, 7);
	assert_int_equal(c.pipeline.fragments, 9);
	assert_int_equal(c.pipeline.tunnels_off, TUNNEL_ALL & ~(1 << TUNNEL_MPLS));
	assert_int_equal(c.pipeline.segments, 0);
	// The command line wins; its ports replace those of the file.
	assert_int_equal(read_text(&c, &diag, text, "--workers", "5"), 0);
	assert_int_equal(c.workers, 5);
	assert_int_equal(read_text(&c, &diag, "ports = [ \"af_packet:a\" ];", "--port", "pcap:x"),
			 0);
	assert_int_equal(c.n_ports, 1);
	assert_int_equal(c.ports[0].type, PORT_PCAP);
}

static void test_offload(void **state)
{
	struct config c;
	struct diag diag;

	assert_int_equal(
		read_text(&c, &diag, "offload_after_mb = 4;", "--port", "pci:0000:01:00.0"), 0);
	assert_int_equal(c.offload_after_mb, 4);
	assert_int_equal(c.offload_flows, 512);
	assert_false(c.skip_bodies); // off
	assert_int_equal(c.mtu, 1500);
	assert_int_equal(read_text(&c, &diag,
				   "offload_after_mb = 4; mode = \"inline\";"
				   "ports = [ \"af_packet:a\", \"af_packet:b\" ];",
				   NULL, NULL),
			 -EINVAL);
	assert_non_null(strstr(diag.text, "offload_after_mb needs mode tap"));
}

static void test_scope(void **state)
{
	static const char text[] =
		"ports = [ \"af_packet:a\" ];"
		"scope = [ \"in 192.0.2.0/24 80,8000-8090\", \"both 2001:db8::/32\" ];";
	struct config c;
	struct diag diag;

	assert_int_equal(read_text(&c, &diag, text, NULL, NULL), 0);
	assert_int_equal(c.scope.n, 3);
	assert_int_equal(c.scope.v[0].directions, SCOPE_IN);
	assert_int_equal(c.scope.v[0].port_lo, 80);
	assert_int_equal(c.scope.v[0].port_hi, 80);
	assert_int_equal(c.scope.v[1].port_lo, 8000);
	assert_int_equal(c.scope.v[1].port_hi, 8090);
	assert_memory_equal(&c.scope.v[1].net, &c.scope.v[0].net, sizeof(struct prefix));
	assert_int_equal(c.scope.v[2].directions, SCOPE_IN | SCOPE_OUT);
	assert_int_equal(c.scope.v[2].port_lo, 0);
	assert_int_equal(c.scope.v[2].port_hi, 65535);
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"prots = [ ];", "prots"},
		{"workers = 0;", "workers"},
		{"workers = \"two\";", "workers"},
		{"mode = \"bridge\";", "mode"},
		{"ports = [ \"eth0\" ];", "eth0"},
		{"events = [ \"htp\" ];", "htp"},
		{"tunnels = [ \"gre\", \"ipp\" ];", "ipip"},
		{"limits = { flow = 1; };", "flow"},
		{"limits = { flows = -1; };", "flows"},
		{"socket = \"\";", "socket"},
		{"mode = ", ""},
		{"scope = [ \"192.0.2.0/24\" ];", "direction"},
		{"scope = [ \"in\" ];", "no prefix"},
		{"scope = [ \"in 192.0.2.0/33\" ];", "no prefix"},
		{"scope = [ \"in 192.0.2.0/24 80,\" ];", "no ports"},
		{"scope = [ \"in 192.0.2.0/24 90-80\" ];", "no ports"},
		{"scope = [ \"in 192.0.2.0/24 80-65536\" ];", "no ports"},
		{"scope = [ \"in 192.0.2.0/24 80 81\" ];", "no ports"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c;
		struct diag diag;

		assert_true(read_text(&c, &diag, cases[i].text, NULL, NULL) < 0);
		assert_non_null(strstr(diag.file, "wireglass-test-"));
		if (strstr(diag.text, cases[i].says) == NULL)
			fail_msg("case %zu: \"%s\" lacks \"%s\"", i, diag.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),     cmocka_unit_test(test_device_arguments),
		cmocka_unit_test(test_long_port), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_options),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file),      cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_offload),   cmocka_unit_test(test_scope),
	};

	return cmocka_run_group_tests_name("dpconfig", tests, NULL, NULL);
}
