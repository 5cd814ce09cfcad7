#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# The first process of the emulated machine: modules, the host's root file system (read only), and guest.sh in it.
b=/bin/busybox
$b mkdir -p /proc /sys
$b mount -t proc proc /proc
for module in /modules/*; do
    $b insmod "$module" || echo "init: $module cannot be loaded"
done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose root /root || $b poweroff -f
$b mount -t proc proc /root/proc
$b mount -t sysfs sysfs /root/sys
$b mount -t devtmpfs dev /root/dev
$b mkdir -p /root/dev/shm /root/dev/hugepages /root/dev/pts
$b mount -t tmpfs tmpfs /root/dev/shm
$b mount -t hugetlbfs hugetlbfs /root/dev/hugepages
$b mount -t devpts devpts /root/dev/pts
$b mount -t tmpfs tmpfs /root/run
for word in $($b cat /proc/cmdline); do
    case $word in
    wireglass.source=*) source=${word#*=} ;;
    wireglass.build=*) build=${word#*=} ;;
    wireglass.cards=*) cards=${word#*=} ;;
    esac
done
$b chroot /root /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    WIREGLASS_SOURCE="$source" WIREGLASS_BUILD="$build" HOME=/run \
    bash "$source/tests/emulation/guest.sh" "$($b echo "$cards" | $b tr , ' ')" </root/dev/null >/root/dev/ttyS1 2>&1
$b poweroff -f
