// SPDX-License-Identifier: BSD-2-Clause
// "wireglass doctor": what of this machine keeps the dataplane from starting, or from being fast. It reads files of the kernel
// and changes nothing; every finding that can be mended comes with the command that does it.
#include "control/cli/doctor.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/client.h"
#include "control/cli/table.h"
#include "dataplane/engine/ruleset.h"

enum {
	LINE_BYTES = 8192,       // the flags line of /proc/cpuinfo has 2,000
	HUGEPAGES_MB_MIN = 1024, // one worker in the full size, and the buffers of a card
	MEMORY_MB_MIN = 1024,
	DISK_MB_MIN = 1024,
	CAP_NET_ADMIN_BIT = 12,
	CAP_NET_RAW_BIT = 13,
	CAP_IPC_LOCK_BIT = 14,
};

static const char help[] =
	"usage: wireglass doctor [--profiles DIR] [--root DIR]\n"
	"\n"
	"Look at this machine as the dataplane needs it: CPU, Hyperscan, hugepages of each node, "
	"IOMMU, network cards\n"
	"with their drivers, packages and firmware, CPUs and their governor, rights, kernel, disk, "
	"clock. Nothing is changed.\n"
	"Every finding comes with the command that mends it.\n"
	"\n"
	"  --profiles DIR  profiles of network cards (default: as installed)\n"
	"  --root DIR      look at the files below DIR in place of this machine's\n"
	"\n"
	"Exit codes: 0 nothing failed (there may be warnings), 1 something failed, 2 usage.\n";

static const char *const level_names[DOCTOR_LEVEL_N] = {"ok", "note", "warning", "failed"};

// --- reading --------------------------------------------------------------------------------------------------------

void doctor_find(struct doctor *d, enum doctor_level level, const char *check, const char *mend,
		 const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->count[level]++;
	json_array_append_new(d->findings,
			      json_pack("{s:s, s:s, s:o, s:o}", "check", check, "level",
					level_names[level], "text", cli_json_text(text), "mend",
					mend[0] != '\0' ? cli_json_text(mend) : json_null()));
}

static FILE *open_below(const struct doctor *d, const char *path)
{
	char full[PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", d->root, path);

	return n > 0 && (size_t)n < sizeof(full) ? fopen(full, "re") : NULL;
}

const char *doctor_read(const struct doctor *d, char *buf, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	buf[0] = '\0';
	f = open_below(d, path);
	if (f == NULL)
		return buf;
	if (fgets(buf, (int)size, f) == NULL)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
	return buf;
}

const char *doctor_field(const struct doctor *d, const char *path, const char *label, char *buf,
			 size_t size)
{
	static char line[LINE_BYTES];
	FILE *f = open_below(d, path);

	buf[0] = '\0';
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *at = line + strlen(label);

		if (strncmp(line, label, strlen(label)) != 0)
			continue;
		at += strspn(at, " \t:");
		snprintf(buf, size, "%.*s", (int)strcspn(at, "\n"), at);
		break;
	}
	if (f != NULL)
		fclose(f);
	return buf;
}

bool doctor_exists(const struct doctor *d, const char *fmt, ...)
{
	char path[PATH_MAX], full[PATH_MAX];
	glob_t found;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (snprintf(full, sizeof(full), "%s%s", d->root, path) >= (int)sizeof(full) ||
	    glob(full, GLOB_NOSORT, NULL, &found) != 0)
		return false;
	globfree(&found);
	return true;
}

static bool cpu_is_in(const char *list, long cpu)
{
	while (*list != '\0') {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			return false;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
		if (list == end)
			return false;
	}
	return false;
}

bool doctor_lists_meet(const char *a, const char *b)
{
	for (long cpu = 0; cpu < 4096; cpu++)
		if (cpu_is_in(a, cpu) && cpu_is_in(b, cpu))
			return true;
	return false;
}

static unsigned long long number(const char *text)
{
	return strtoull(text, NULL, 10);
}

// --- CPU and memory -------------------------------------------------------------------------------------------------

static bool has_word(const char *words, const char *word)
{
	const size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += len)
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || p[len] == '\0'))
			return true;
	return false;
}

static void check_cpu(struct doctor *d)
{
	static const char *const needed[] = {"ssse3", "sse4_1", "sse4_2", "popcnt"};
	static char flags[LINE_BYTES];
	char model[128], missing[64] = "";

	doctor_field(d, "/proc/cpuinfo", "model name", model, sizeof(model));
	doctor_field(d, "/proc/cpuinfo", "flags", flags, sizeof(flags));
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!has_word(flags, needed[i]))
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 " %s", needed[i]);
	if (missing[0] != '\0')
		doctor_find(d, DOCTOR_FAIL, "cpu",
			    "use an x86-64 machine of 2009 or later; in a virtual one show it the "
			    "host's CPU (QEMU: -cpu host)",
			    "the CPU lacks%s: Hyperscan and DPDK end with \"illegal instruction\"",
			    missing);
	else if (!has_word(flags, "avx2"))
		doctor_find(d, DOCTOR_WARN, "cpu",
			    "in a virtual machine show it the host's CPU (QEMU: -cpu host)",
			    "%s: no AVX2, scanning is slower", model);
	else
		doctor_find(d, DOCTOR_OK, "cpu", "", "%s: SSE4.2, AVX2%s", model,
			    has_word(flags, "avx512vbmi") ? ", AVX-512 VBMI" : "");
	if (missing[0] == '\0' &&
	    !(has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc")))
		doctor_find(
			d, DOCTOR_WARN, "cpu",
			"in a virtual machine: QEMU -cpu host,+invtsc; otherwise look for it in "
			"the BIOS",
			"its time stamp counter is not said to be steady: time stamps may drift");
}

static void check_hyperscan(struct doctor *d)
{
	struct diag diag = {.text = ""};

	if (d->root[0] != '\0')
		return; // says nothing about another machine
	if (ruleset_selftest(&diag) == 0)
		doctor_find(d, DOCTOR_OK, "hyperscan", "", "finds what it must on this CPU");
	else
		doctor_find(d, DOCTOR_FAIL, "hyperscan",
			    "sudo apt-get install --reinstall libhyperscan5", "%s", diag.text);
}

static void check_node_pages(struct doctor *d, unsigned int node, unsigned long long *io_mb)
{
	static const unsigned long long kb[] = {2048, 1048576};
	unsigned long long mb = 0, free_mb = 0;
	char text[64], mend[160];

	for (int i = 0; i < 2; i++) {
		const char *base = "/sys/devices/system/node/node%u/hugepages/hugepages-%llukB/%s";

		mb += number(doctor_read(d, text, sizeof(text), base, node, kb[i],
					 "nr_hugepages")) *
		      kb[i] / 1024;
		free_mb += number(doctor_read(d, text, sizeof(text), base, node, kb[i],
					      "free_hugepages")) *
			   kb[i] / 1024;
	}
	*io_mb += free_mb;
	snprintf(mend, sizeof(mend),
		 "echo %d | sudo tee "
		 "/sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages",
		 HUGEPAGES_MB_MIN / 2, node);
	if (mb == 0)
		doctor_find(d, d->wants_vfio ? DOCTOR_WARN : DOCTOR_NOTE, "hugepages", mend,
			    "node %u has none: interfaces and files work without, in small sizes; "
			    "a card bound to vfio-pci needs them",
			    node);
	else if (free_mb < HUGEPAGES_MB_MIN)
		doctor_find(
			d, DOCTOR_NOTE, "hugepages", mend,
			"node %u: %llu MB, %llu MB of them free; one worker in the full size and "
			"a card take about %d MB",
			node, mb, free_mb, HUGEPAGES_MB_MIN);
	else
		doctor_find(d, DOCTOR_OK, "hugepages", "", "node %u: %llu MB, %llu MB free", node,
			    mb, free_mb);
}

static void check_hugepages(struct doctor *d)
{
	unsigned long long mb = 0;
	unsigned int nodes = 0;

	if (!doctor_exists(d, "/sys/kernel/mm/hugepages")) {
		doctor_find(
			d, d->wants_vfio ? DOCTOR_FAIL : DOCTOR_NOTE, "hugepages",
			"start a kernel with CONFIG_HUGETLBFS",
			"this kernel has no hugepages: no card can be used, only interfaces and "
			"files");
		return;
	}
	while (nodes < 64 && doctor_exists(d, "/sys/devices/system/node/node%u", nodes))
		check_node_pages(d, nodes++, &mb);
	if (d->wants_vfio && mb == 0)
		doctor_find(d, DOCTOR_FAIL, "hugepages",
			    "sudo sysctl -w vm.nr_hugepages=512 (and vm.nr_hugepages = 512 in "
			    "/etc/sysctl.d)",
			    "no hugepage is free on any node, and a card is bound to vfio-pci: the "
			    "dataplane will not start on it");
}

static void check_memory(struct doctor *d)
{
	char text[64];
	unsigned long long mb =
		number(doctor_field(d, "/proc/meminfo", "MemAvailable", text, sizeof(text))) / 1024;

	if (text[0] == '\0')
		return;
	if (mb < MEMORY_MB_MIN)
		doctor_find(d, DOCTOR_WARN, "memory",
			    "lower \"limits\" in dataplane.cfg, or add memory",
			    "%llu MB are free: a worker and control take about %d MB in the small "
			    "size",
			    mb, MEMORY_MB_MIN);
	else
		doctor_find(d, DOCTOR_OK, "memory", "", "%llu MB are free", mb);
}

// --- CPUs -----------------------------------------------------------------------------------------------------------

static void check_isolated(struct doctor *d)
{
	char online[256], isolated[256];

	doctor_read(d, online, sizeof(online), "/sys/devices/system/cpu/online");
	doctor_read(d, isolated, sizeof(isolated), "/sys/devices/system/cpu/isolated");
	if (isolated[0] != '\0')
		doctor_find(d, DOCTOR_OK, "isolcpus", "",
			    "CPUs %s are kept free of other work (online: %s)", isolated, online);
	else
		doctor_find(
			d, DOCTOR_NOTE, "isolcpus",
			"for low latency add isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST to the "
			"kernel command line, with the CPUs of the workers",
			"no CPU is kept free for workers (online: %s): the kernel may put other "
			"work beside them",
			online);
}

static void check_governor(struct doctor *d)
{
	char governor[64];
	unsigned int slow = 0, cpus = 0;

	for (; cpus < 1024; cpus++) {
		doctor_read(d, governor, sizeof(governor),
			    "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", cpus);
		if (governor[0] == '\0')
			break;
		slow += strcmp(governor, "performance") != 0;
	}
	if (cpus == 0)
		doctor_find(d, DOCTOR_OK, "governor", "",
			    "the frequency of the CPUs is not the kernel's to set");
	else if (slow > 0)
		doctor_find(
			d, DOCTOR_WARN, "governor", "sudo cpupower frequency-set -g performance",
			"%u of %u CPUs are not run at full speed by their governor", slow, cpus);
	else
		doctor_find(d, DOCTOR_OK, "governor", "", "performance on all %u CPUs", cpus);
}

// --- rights and kernel ----------------------------------------------------------------------------------------------

static void check_rights(struct doctor *d)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} caps[] = {{CAP_NET_RAW_BIT, "CAP_NET_RAW"},
		    {CAP_NET_ADMIN_BIT, "CAP_NET_ADMIN"},
		    {CAP_IPC_LOCK_BIT, "CAP_IPC_LOCK"}};
	char text[64], missing[96] = "";
	unsigned long long set;

	doctor_field(d, "/proc/self/status", "CapEff", text, sizeof(text));
	set = strtoull(text, NULL, 16);
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if ((set >> caps[i].bit & 1) == 0)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 " %s", caps[i].name);
	if (missing[0] == '\0')
		doctor_find(d, DOCTOR_OK, "rights", "",
			    "may capture, set up interfaces and lock memory");
	else
		doctor_find(d, DOCTOR_NOTE, "rights",
			    "run the dataplane as root or under its systemd unit",
			    "whoever asks lacks%s: interfaces and cards need them", missing);
}

static void check_iommu(struct doctor *d)
{
	const char *unsafe = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
	char text[16];

	if (doctor_exists(d, "/sys/kernel/iommu_groups/*"))
		doctor_find(d, DOCTOR_OK, "iommu", "", "is on");
	else if (doctor_read(d, text, sizeof(text), "%s", unsafe)[0] == 'Y')
		doctor_find(
			d, DOCTOR_WARN, "iommu",
			"intel_iommu=on iommu=pt on the kernel command line, and VT-d in the BIOS",
			"is off, and vfio may do without: a card can write to all of the memory");
	else
		doctor_find(d, d->wants_vfio ? DOCTOR_FAIL : DOCTOR_NOTE, "iommu",
			    "intel_iommu=on iommu=pt on the kernel command line, and VT-d in the "
			    "BIOS; in "
			    "a virtual machine without one: echo 1 | sudo tee "
			    "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			    "is off: vfio-pci takes no card (\"probe failed with error -22\")");
}

static void check_kernel(struct doctor *d)
{
	char text[128], release[128];

	doctor_read(d, release, sizeof(release), "/proc/sys/kernel/osrelease");
	if (d->wants_vfio && !doctor_exists(d, "/sys/module/vfio_pci"))
		doctor_find(d, DOCTOR_FAIL, "kernel", "sudo modprobe vfio-pci",
			    "%s: the driver vfio-pci is not there", release);
	else
		doctor_find(d, DOCTOR_OK, "kernel", "", "%s", release);
	doctor_read(d, text, sizeof(text), "/sys/kernel/mm/transparent_hugepage/enabled");
	if (strstr(text, "[never]") != NULL)
		doctor_find(
			d, DOCTOR_NOTE, "kernel",
			"echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
			"transparent hugepages are off: without reserved ones flow tables lie in "
			"small pages");
}

// --- disk and clock -------------------------------------------------------------------------------------------------

static void check_disk(struct doctor *d)
{
	static const char state[] = "/var/lib/wireglass";
	char path[PATH_MAX];
	struct statvfs fs;

	snprintf(path, sizeof(path), "%s%s", d->root, state);
	if (statvfs(path, &fs) != 0 && errno == ENOENT) {
		doctor_find(d, DOCTOR_NOTE, "disk", "sudo install -d -m 750 /var/lib/wireglass",
			    "%s does not exist: wireglassd keeps bundles and hits there", state);
		return;
	}
	unsigned long long mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;

	if (mb < DISK_MB_MIN)
		doctor_find(d, DOCTOR_WARN, "disk",
			    "make room, or keep fewer hits (store in control.cfg)",
			    "%s: %llu MB are free: hits wait in memory when nothing can be written",
			    state, mb);
	else
		doctor_find(d, DOCTOR_OK, "disk", "", "%s: %llu MB are free", state, mb);
}

static void check_clock(struct doctor *d)
{
	struct timex t = {0};
	bool good = doctor_exists(d, "/run/systemd/timesync/synchronized");

	if (!good && d->root[0] == '\0')
		good = adjtimex(&t) != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
	if (good)
		doctor_find(d, DOCTOR_OK, "clock", "", "follows a time server");
	else
		doctor_find(d, DOCTOR_WARN, "clock", "sudo timedatectl set-ntp true",
			    "follows no time server: hits of several sensors do not compare");
}

// --- the command ----------------------------------------------------------------------------------------------------

static void examine(struct doctor *d)
{
	check_cpu(d);
	check_hyperscan(d);
	doctor_cards(d); // says whether vfio is wanted
	check_hugepages(d);
	check_memory(d);
	check_iommu(d);
	check_isolated(d);
	check_governor(d);
	check_rights(d);
	check_kernel(d);
	check_disk(d);
	check_clock(d);
}

static void print(const struct cli *cli, const struct doctor *d)
{
	size_t i;
	json_t *f;

	json_array_foreach(d->findings, i, f)
	{
		const char *level = reply_text(f, "level");
		char text[1200], mend[600];

		if (cli->quiet && strcmp(level, "ok") == 0)
			continue;
		printf("%-8s%-10s %s\n", level, reply_text(f, "check"),
		       table_safe(text, sizeof(text), reply_text(f, "text")));
		if (reply_text(f, "mend")[0] != '\0')
			printf("%-19s> %s\n", "",
			       table_safe(mend, sizeof(mend), reply_text(f, "mend")));
	}
	printf("ok %u, notes %u, warnings %u, failed %u\n", d->count[DOCTOR_OK],
	       d->count[DOCTOR_NOTE], d->count[DOCTOR_WARN], d->count[DOCTOR_FAIL]);
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {{"root", required_argument, NULL, 'r'},
						{"profiles", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct doctor d = {.root = "", .profiles = "", .findings = json_array()};
	int c, ret = CLI_OK;

	while ((c = cli_option(cli, "doctor", argc, argv, ":h", options)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			goto out;
		}
		if (c == 'r')
			d.root = optarg;
		else if (c == 'p')
			d.profiles = optarg;
		else
			ret = CLI_USAGE;
		if (ret != CLI_OK)
			goto out;
	}
	if (optind != argc) {
		ret = cli_usage(cli, "doctor", help);
		goto out;
	}
	examine(&d);
	if (cli->json) {
		json_t *reply =
			json_pack("{s:O, s:i, s:i}", "findings", d.findings, "warnings",
				  (int)d.count[DOCTOR_WARN], "failed", (int)d.count[DOCTOR_FAIL]);

		ret = reply != NULL ? client_print_json(reply) : CLI_FAILED;
		json_decref(reply);
	} else {
		print(cli, &d);
	}
	if (ret == CLI_OK && d.count[DOCTOR_FAIL] > 0)
		ret = CLI_FAILED;
out:
	json_decref(d.findings);
	return ret;
}
