#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a newcomer gets: a minimal Debian 12 that has nothing installed, a copy of this tree, the commands of README.md.
# Not part of `make test`: needs root, the network, debootstrap, about 2 GB of disk and ten minutes.
# usage: newcomer.sh [DIRECTORY]      keeps the system there for the next run; default: a temporary one
set -eu
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo 'newcomer.sh: run as root' >&2; exit 1; }
command -v debootstrap >/dev/null || { echo 'newcomer.sh: install debootstrap first' >&2; exit 1; }

# Mounts of this script are its own and vanish with it.
if [ "${WIREGLASS_NEWCOMER:-}" != inside ]; then
    WIREGLASS_NEWCOMER=inside exec unshare --mount --pid --fork --kill-child bash "$0" "$@"
fi

root=${1:-$(mktemp -d)}
[ $# -ge 1 ] || trap 'rm -rf "$root"' EXIT
mirror=${MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)}

if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log"; exit 1; }
fi
# what the host needs to reach its mirror, it needs too
for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e "$file" ] || cp -L "$file" "$root$file"
done
apt-config dump 2>/dev/null | grep -iE '^Acquire::(http|https)::' >"$root/etc/apt/apt.conf.d/99host" || true
mount --bind "$root" "$root" # the tests change mount options of /, so it must be one
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --bind /dev "$root/dev"

rm -rf "$root/root/wireglass"
mkdir -p "$root/root/wireglass"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -path './build*' -prune -o -type f -print0
fi | tar --null -T - -cf - --ignore-failed-read | tar -xf - -C "$root/root/wireglass"

in_root() {
    printf '\n=== %s\n' "$*"
    chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        sh -c "cd /root/wireglass && $*"
}

in_root './setup --dry-run'
in_root './setup --build-only'
in_root 'make demo'
in_root 'make test'
in_root './setup --dry-run'
