#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The packages on a machine of their own: a fresh Debian below a folder, with systemd, boots in QEMU (without KVM, on Debian's kernel) and runs
# systemd_guest.sh: the units start, are watched over, confined, and end. What it writes is gone with it.
#
# usage: systemd.sh FOLDER      that of tests/packages.sh, with the packages in FOLDER/build; the system is kept in FOLDER/system
set -u
SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/emulation/machine.sh
. "$SOURCE/tests/emulation/machine.sh"
TIME_LIMIT=${WIREGLASS_EMULATION_LIMIT:-1800}

[ "$(id -u)" = 0 ] || fail 'run it as root: it makes a system below a folder'
[ $# -eq 1 ] || fail 'usage: systemd.sh FOLDER, that of tests/packages.sh'
KEEP=$(realpath "$1")
SYSTEM=$KEEP/system
compgen -G "$KEEP/build/wireglass-dataplane_*.deb" >/dev/null || fail "no packages in $KEEP/build: sudo tests/packages.sh $KEEP"
tool qemu-system-x86_64 qemu-system-x86
tool busybox busybox-static
tool debootstrap debootstrap

inside() {
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$SYSTEM" "$@"
}

# The mirror this machine has its packages from.
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk -v release="$VERSION_CODENAME" '
        $2 == release { print $1; exit }'
}

make_system() {
    # shellcheck source=/dev/null
    . /etc/os-release
    rm -rf --one-file-system "$SYSTEM"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2,ethtool,jq,python3-minimal "$VERSION_CODENAME" "$SYSTEM" "$(mirror)" || return 1
    cp -a /etc/apt/. "$SYSTEM/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$SYSTEM/etc/"
}

# The packages as they are now, and the test as a service of its own, whose output is the machine's second serial line.
install_packages() {
    mkdir -p "$SYSTEM/packages" "$SYSTEM/test"
    rm -f "$SYSTEM"/packages/*
    find "$KEEP/build/" -maxdepth 1 -name '*.deb' ! -name '*dbgsym*' -exec cp -t "$SYSTEM/packages" {} + || return 1
    mount -t proc proc "$SYSTEM/proc" || return 1
    inside apt-get -q update && inside sh -c 'apt-get -q -y --no-install-recommends --reinstall install /packages/*.deb'
    local done=$?
    umount "$SYSTEM/proc"
    [ $done -eq 0 ] || return 1
    cp "$SOURCE/tests/emulation/systemd_guest.sh" "$SOURCE/tests/e2e/flows.py" "$SYSTEM/test/" || return 1
    cat >"$SYSTEM/etc/systemd/system/test.service" <<'UNIT'
[Unit]
After=multi-user.target

[Service]
Type=simple
Environment=HOME=/root
ExecStart=/bin/bash /test/systemd_guest.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=file:/dev/ttyS1
StandardError=file:/dev/ttyS1
UNIT
    ln -sf ../test.service "$SYSTEM/etc/systemd/system/multi-user.target.wants/test.service"
    inside systemctl mask --quiet getty@tty1.service serial-getty@ttyS0.service systemd-timesyncd.service
}

[ -x "$SYSTEM/lib/systemd/systemd" ] || make_system >"$KEEP/system.log" 2>&1 || fail "no system: see $KEEP/system.log"
install_packages >"$KEEP/install.log" 2>&1 || fail "the packages do not install: see $KEEP/install.log"
kernel=$(kernel_of "$KEEP") || exit 1
initramfs "$KEEP" "$kernel" "$SOURCE/tests/emulation/systemd_init.sh" virtio_pci 9pnet_virtio 9p overlay veth
timeout "$TIME_LIMIT" qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
    -nodefaults -no-user-config -display none -no-reboot -kernel "$kernel" -initrd "$KEEP/initramfs.gz" \
    -append 'console=ttyS0 no_timer_check panic=-1 systemd.show_status=0' \
    -fsdev "local,id=root,path=$SYSTEM,security_model=none,readonly=on,multidevs=remap" \
    -device virtio-9p-pci,fsdev=root,mount_tag=root \
    -serial "file:$KEEP/kernel.log" -serial stdio 2>"$KEEP/qemu.log" | tee "$KEEP/guest.log"
grep -q '^1\.\.' "$KEEP/guest.log" || fail "the machine ended before the test did: see $KEEP/kernel.log and $KEEP/qemu.log"
! grep -q '^not ok' "$KEEP/guest.log"
