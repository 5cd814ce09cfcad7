#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`wireglass doctor --root` on machines made of files: each has one thing wrong, and that and its remedy must be said.

usage: doctor_trees.py WIREGLASS
"""
import json
import os
import subprocess
import sys
import tempfile

FLAGS = "fpu sse4_1 sse4_2 ssse3 popcnt avx2 constant_tsc nonstop_tsc"
PAGES = "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/%s"
CARD = "/sys/bus/pci/devices/0000:3b:00.0"
PACKAGE = "/var/lib/dpkg/info/librte-net-%s:amd64.list"


def machine(**changes):
    """A good one: an E810 bound to vfio-pci, hugepages on one node. A change of None takes a file away."""
    files = {
        "/proc/cpuinfo": f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {FLAGS}\n",
        "/proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable:   12000000 kB\n",
        "/proc/self/status": "Name:\tx\nCapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-7\n",
        "/proc/net/route": "Iface\tDestination\tGateway\neth0\t00000000\t0102000A\neth0\t0002000A\t0\n",
        "/proc/sys/kernel/osrelease": "6.1.0\n",
        "/sys/devices/system/cpu/online": "0-7\n",
        "/sys/devices/system/cpu/isolated": "2-7\n",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
        "/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance\n",
        "/sys/kernel/mm/hugepages/x": "",
        "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        PAGES % (0, "nr_hugepages"): "1024\n",
        PAGES % (0, "free_hugepages"): "1024\n",
        "/sys/kernel/iommu_groups/0/x": "",
        "/sys/module/vfio_pci/x": "",
        "/run/systemd/timesync/synchronized": "",
        "/var/lib/wireglass/x": "",
        "/lib/firmware/intel/ice/ddp/ice.pkg": "",
        PACKAGE % "ice23": "",
        CARD + "/class": "0x020000\n",
        CARD + "/vendor": "0x8086\n",
        CARD + "/device": "0x1593\n",
        CARD + "/numa_node": "0\n",
        CARD + "/driver": "-> /drivers/vfio-pci",
        "/sys/bus/pci/devices/0000:00:00.0/class": "0x060000\n",
    }
    files.update(changes.pop("files", {}))
    return {path: text for path, text in files.items() if text is not None}


def other_card(device, driver, vendor="8086", **more):
    return {CARD + "/device": f"0x{device}\n", CARD + "/vendor": f"0x{vendor}\n", CARD + "/driver": f"-> /drivers/{driver}", **more}


TWO_NODES = {
    PAGES % (1, "nr_hugepages"): "0\n", PAGES % (1, "free_hugepages"): "0\n", CARD + "/numa_node": "1\n",
    "/sys/devices/system/node/node1/cpulist": "8-15\n",
}
NO_PAGES = {PAGES % (0, "nr_hugepages"): "0\n", PAGES % (0, "free_hugepages"): "0\n"}
STATUS = "/proc/self/status"

# what is wrong, files, exit code, [(check, level, in the text, in the remedy)]
CASES = [
    ("nothing", {}, 0, []),
    ("a CPU without SSE4.2", {"/proc/cpuinfo": "flags : fpu ssse3 sse4_1 popcnt\n"}, 1,
     [("cpu", "failed", "lacks sse4_2: Hyperscan and DPDK end with \"illegal instruction\"", "-cpu host")]),
    ("an emulated CPU", {"/proc/cpuinfo": "flags : fpu sse\n"}, 1, [("cpu", "failed", "lacks ssse3 sse4_1 sse4_2 popcnt", "x86-64")]),
    ("no AVX2", {"/proc/cpuinfo": f"model name: M\nflags : {FLAGS.replace('avx2 ', '')}\n"}, 0, [("cpu", "warning", "M: no AVX2", "-cpu host")]),
    ("an unsteady clock", {"/proc/cpuinfo": f"model name: M\nflags : {FLAGS.replace(' nonstop_tsc', '')}\n"}, 0,
     [("cpu", "warning", "time stamp counter", "+invtsc")]),
    ("no hugepages", NO_PAGES, 1, [("hugepages", "warning", "node 0 has none", "node0/hugepages/hugepages-2048kB/nr_hugepages"),
                                   ("hugepages", "failed", "no hugepage is free on any node", "sysctl -w vm.nr_hugepages")]),
    ("hugepages in use", {PAGES % (0, "free_hugepages"): "10\n"}, 0, [("hugepages", "note", "2048 MB, 20 MB of them free", "node0")]),
    ("a kernel without hugepages", {"/sys/kernel/mm/hugepages/x": None}, 1, [("hugepages", "failed", "this kernel has no hugepages", "CONFIG_HUGETLBFS")]),
    ("a card on a node without hugepages", TWO_NODES, 0,
     [("hugepages", "warning", "node 1 has none", "node1"),
      ("node", "warning", "0000:3b:00.0 is on node 1 with the CPUs 8-15, and only 0-7 may be used", "CPUAffinity=8-15")]),
    ("a card on the second node, its CPUs allowed", {**TWO_NODES, STATUS: "CapEff:\t1ffffffffff\nCpus_allowed_list:\t0-15\n"}, 0,
     [("hugepages", "warning", "node 1 has none", "node1"), ("node", "note", "its CPUs are 8-15", "taskset -c 8-15")]),
    ("no IOMMU", {"/sys/kernel/iommu_groups/0/x": None}, 1, [("iommu", "failed", "error -22", "intel_iommu=on iommu=pt")]),
    ("no IOMMU, and vfio does without", {"/sys/kernel/iommu_groups/0/x": None, "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode": "Y\n"}, 0,
     [("iommu", "warning", "a card can write to all of the memory", "VT-d")]),
    ("no vfio-pci", {"/sys/module/vfio_pci/x": None}, 1, [("kernel", "failed", "vfio-pci is not there", "modprobe vfio-pci")]),
    ("a card with its kernel driver", other_card("1593", "ice"), 0,
     [("card", "note", "8086:1593 (intel-e810): with ice: port pci:0000:3b:00.0 needs it bound", "driverctl set-override 0000:3b:00.0 vfio-pci")]),
    ("the card of the default route", {**other_card("1593", "ice"), CARD + "/net/eth0/x": ""}, 0,
     [("card", "note", "is eth0 with the default route: leave it to ice", None)]),
    ("a virtio card of the default route", {**other_card("1041", "virtio-pci", "1af4"), CARD + "/virtio3/net/eth0/x": "", PACKAGE % "virtio23": ""}, 0,
     [("card", "note", "1af4:1041 (virtio): is eth0 with the default route", None)]),
    ("no driver package", {PACKAGE % "ice23": None}, 1, [("card", "failed", "DPDK's driver is not installed", "apt-get install librte-net-ice23")]),
    ("no firmware", {"/lib/firmware/intel/ice/ddp/ice.pkg": None}, 1,
     [("card", "failed", "/lib/firmware/intel/ice/ddp/ice.pkg is missing", "non-free-firmware")]),
    ("a Mellanox card", {**other_card("1017", "mlx5_core", "15b3"), PACKAGE % "mlx5-23": ""}, 0, []),
    ("a Mellanox card taken from its driver", {**other_card("1017", "vfio-pci", "15b3"), PACKAGE % "mlx5-23": ""}, 1,
     [("card", "failed", "with vfio-pci, but DPDK uses it together with mlx5_core", "driverctl unset-override 0000:3b:00.0")]),
    ("an unknown card", other_card("4242", "vfio-pci", "4242"), 0, [("card", "note", "4242:4242: no profile names it", None)]),
    ("no card", {CARD + "/class": "0x030000\n"}, 0, [("card", "note", "no network card", None)]),
    ("little memory", {"/proc/meminfo": "MemAvailable: 500000 kB\n"}, 0, [("memory", "warning", "488 MB are free", "limits")]),
    ("no CPUs kept free", {"/sys/devices/system/cpu/isolated": "\n"}, 0, [("isolcpus", "note", "(online: 0-7)", "isolcpus=LIST nohz_full=LIST")]),
    ("a slow governor", {"/sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave\n"}, 0,
     [("governor", "warning", "1 of 2 CPUs", "cpupower frequency-set -g performance")]),
    ("an ordinary user", {STATUS: "CapEff:\t0000000000000000\n"}, 0, [("rights", "note", "CAP_NET_RAW CAP_NET_ADMIN CAP_IPC_LOCK", "systemd unit")]),
    ("one right missing", {STATUS: f"CapEff:\t{0x1ffffffffff & ~(1 << 14):x}\n"}, 0, [("rights", "note", "lacks CAP_IPC_LOCK:", "root")]),
    ("no transparent hugepages", {"/sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]\n"}, 0,
     [("kernel", "note", "transparent hugepages are off", "echo madvise")]),
    ("no state folder", {"/var/lib/wireglass/x": None}, 0, [("disk", "note", "/var/lib/wireglass does not exist", "install -d")]),
    ("no time server", {"/run/systemd/timesync/synchronized": None}, 0, [("clock", "warning", "follows no time server", "set-ntp true")]),
    ("nothing is there", {path: None for path in machine()}, 1, None),
]


def build(root, files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        if text.startswith("-> "):
            os.symlink(text[3:], root + path)
        else:
            with open(root + path, "w", encoding="ascii") as f:
                f.write(text)


def judge(files, code, wanted, root):
    build(root, machine(files=files))
    run = subprocess.run([sys.argv[1], "--json", "doctor", "--profiles", "hwprofiles", "--root", root], capture_output=True, text=True, check=False)
    if run.returncode != code:
        return f"exit code {run.returncode} instead of {code}: {run.stderr}"
    reply = json.loads(run.stdout)
    found = [f for f in reply["findings"] if f["level"] != "ok"]
    if wanted is None:
        return ""
    for check, level, text, mend in wanted:
        fits = [f for f in found if f["check"] == check and f["level"] == level and text in f["text"]]
        if len(fits) != 1 or (mend or "") not in (fits[0]["mend"] or "") or (mend is None) != (fits[0]["mend"] is None):
            return f"no {level} of {check} with {text!r} and {mend!r} in {found}"
        found.remove(fits[0])
    if found:
        return f"more than was expected: {found}"
    if reply["failed"] != sum(f["level"] == "failed" for f in reply["findings"]):
        return "miscounted"
    people = subprocess.run([sys.argv[1], "doctor", "--profiles", "hwprofiles", "--root", root], capture_output=True, text=True, check=False).stdout
    # The disk is this machine's, and others write to it.
    missing = [f["text"] for f in reply["findings"] if f["check"] != "disk" and (f["text"] not in people or (f["mend"] or "") not in people)]
    return f"not among what people read: {missing}" if missing else ""


failed = 0
for number, (name, files, code, wanted) in enumerate(CASES, 1):
    with tempfile.TemporaryDirectory() as folder:
        why = judge(files, code, wanted, folder)
    failed += why != ""
    print(f"{'not ok' if why else 'ok'} {number} - {name}" + (f"\n# {why}" if why else ""))
sys.exit(failed > 0)
