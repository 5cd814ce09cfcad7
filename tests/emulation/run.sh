#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The dataplane on PCI cards: a machine is emulated (QEMU without KVM, an emulated IOMMU) that has six of them, boots Debian's kernel and runs
# guest.sh on this very root file system, which it cannot write to. Not part of `make test`: docs/TESTING.md says how long it takes.
#
#   hub a0 == [virtio, the guest's kernel: a0]      hub a1 == [virtio, the guest's kernel: a1]
#          == [e1000e 0000:00:10.0]                        == [e1000e 0000:00:11.0]
#   hubs b0, b1: virtio 0000:00:12.0, 0000:00:13.0         hubs c0, c1: vmxnet3 0000:00:14.0, 0000:00:15.0
#
# usage: run.sh [CARD...]      e1000e, virtio, vmxnet3, tap; default: all
# WIREGLASS_BUILD: where the programs are; WIREGLASS_EMULATION: where the kernel is kept (BUILD/emulation)
set -u

SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/emulation/machine.sh
. "$SOURCE/tests/emulation/machine.sh"
BUILD=$(realpath "${WIREGLASS_BUILD:-$SOURCE/build}")
KEEP=${WIREGLASS_EMULATION:-$BUILD/emulation}
MODULES='virtio_pci 9pnet_virtio 9p virtio_net e1000e vmxnet3 vfio_iommu_type1 vfio-pci tun sch_ingress sch_multiq cls_flower act_gact'
TIME_LIMIT=${WIREGLASS_EMULATION_LIMIT:-3600}

# card HUB DRIVER SLOT[,OPTIONS] : a card, and the guest's own one at the other end
hubs=0
cards=()
card() {
    local mac
    mac=$(printf '52:54:00:00:%02x' "$hubs")
    cards+=(
        -netdev "hubport,id=$1-card,hubid=$hubs" -device "$2,netdev=$1-card,id=$1,mac=$mac:01,bus=pcie.0,addr=$3"
        -netdev "hubport,id=$1-peer,hubid=$hubs" -device "virtio-net-pci,netdev=$1-peer,mac=$mac:02,bus=pcie.0,addr=$4"
    )
    hubs=$((hubs + 1))
}

[ "$(id -u)" = 0 ] || fail 'run it as root: the guest reads this root file system'
tool qemu-system-x86_64 qemu-system-x86
tool busybox busybox-static
for name in nginx curl openssl jq ss python3 ethtool; do
    tool "$name" "the packages that ./setup installs"
done
[ -x "$BUILD/wireglass-dataplane" ] || fail "$BUILD has no programs: ninja -C $BUILD (WIREGLASS_BUILD names another folder)"
mkdir -p "$KEEP" || exit 1
kernel=$(kernel_of "$KEEP") || exit 1
# shellcheck disable=SC2086
initramfs "$KEEP" "$kernel" "$SOURCE/tests/emulation/init.sh" $MODULES
card a0 e1000e 0x10 0x18
card a1 e1000e 0x11 0x19
card b0 virtio-net-pci,disable-legacy=on,iommu_platform=on 0x12 0x1a
card b1 virtio-net-pci,disable-legacy=on,iommu_platform=on 0x13 0x1b
card c0 vmxnet3 0x14 0x1c
card c1 vmxnet3 0x15 0x1d

# no_timer_check: a busy host makes the guest's timer look broken. Serial lines: the kernel's log, the test's output, QEMU's monitor for what happens to a link.
timeout "$TIME_LIMIT" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 4096 \
    -nodefaults -no-user-config -display none -no-reboot \
    -kernel "$kernel" -initrd "$KEEP/initramfs.gz" \
    -append "console=ttyS0 no_timer_check intel_iommu=on iommu=pt hugepages=768 panic=-1 wireglass.source=$SOURCE wireglass.build=$BUILD wireglass.cards=$(IFS=, && echo "$*")" \
    -device intel-iommu,intremap=on,aw-bits=48 "${cards[@]}" \
    -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -serial "file:$KEEP/kernel.log" -serial stdio \
    -chardev "socket,id=monitor,path=$KEEP/monitor.sock,server=on,wait=off" -mon chardev=monitor \
    -chardev "socket,id=line,path=$KEEP/monitor.sock" -serial chardev:line 2>"$KEEP/qemu.log" | tee "$KEEP/guest.log"
grep -q '^1\.\.' "$KEEP/guest.log" || fail "the machine ended before the test did: see $KEEP/kernel.log and $KEEP/qemu.log"
! grep -q '^not ok' "$KEEP/guest.log"
