#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# The first process of the emulated machine: modules, the system's folder with a memory file system over it, and systemd in that.
b=/bin/busybox
$b mkdir -p /proc /sys /below /over
$b mount -t proc proc /proc
for module in /modules/*; do
    $b insmod "$module" || echo "init: $module cannot be loaded"
done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose root /below || $b poweroff -f
$b mount -t tmpfs -o size=1g tmpfs /over || $b poweroff -f
$b mkdir /over/upper /over/work
$b mount -t overlay -o lowerdir=/below,upperdir=/over/upper,workdir=/over/work overlay /root || $b poweroff -f
$b umount /proc
exec $b switch_root /root /lib/systemd/systemd
