#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Debian packages, from the source tree to the purge: they build, lintian finds nothing, they install in a fresh Debian below a
# folder, what they install works as their user, and a purge leaves nothing. By hand, as root, with network: it takes minutes.
#
# usage: tests/packages.sh [FOLDER]      FOLDER: for packages and the system, kept; default: a temporary one
# With WIREGLASS_PACKAGES_BUILT=1 those in FOLDER/build are tried as they are.
set -u
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
failures=0 number=0

# step NAME COMMAND... : its output is shown if it fails
step() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@" >"$WORK/step.log" 2>&1; then
        printf 'ok %d - %s\n' "$number" "$name"
    else
        failures=$((failures + 1))
        printf 'not ok %d - %s\n' "$number" "$name"
        tail -n 30 "$WORK/step.log" | sed 's/^/# /'
    fi
}

# required NAME COMMAND... : what comes after makes no sense without it
required() {
    local before=$failures
    step "$@"
    [ "$failures" -eq "$before" ] || finish
}

finish() {
    printf '1..%d\n' "$number"
    [ "$failures" -eq 0 ]
    exit
}

for tool in debootstrap dpkg-buildpackage dh lintian git unshare; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install debootstrap dpkg-dev debhelper lintian git" >&2 && exit 77; }
done
[ "$(id -u)" = 0 ] || { echo 'needs root' >&2 && exit 77; }
# Its own mounts and processes: nothing is left of them, however it ends.
if [ "${WIREGLASS_PACKAGES_INSIDE:-}" = '' ]; then
    WIREGLASS_PACKAGES_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi
if [ $# -gt 0 ]; then
    mkdir -p "$1" && WORK=$(cd "$1" && pwd) || exit 1
else
    WORK=$(mktemp -d) || exit 1
    trap 'umount "$ROOT"/{proc,sys,dev,run} 2>/dev/null; rm -rf --one-file-system "$WORK"' EXIT
fi
ROOT=$WORK/root

# --- build
build() {
    rm -rf "$WORK/build"
    mkdir -p "$WORK/build/wireglass" && cd "$SOURCE" || return 1
    git ls-files -z | tar --null -T - -cf - | tar -xf - -C "$WORK/build/wireglass" || return 1
    cd "$WORK/build/wireglass" && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -b -us -uc
}

if [ -z "${WIREGLASS_PACKAGES_BUILT:-}" ]; then
    required 'the packages build' build
fi
step 'lintian finds no error and no warning' lintian --fail-on error,warning --suppress-tags bad-distribution-in-changes-file \
    "$WORK"/build/*.changes

# --- a fresh system, from where this one has its packages
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' | awk -v release="$VERSION_CODENAME" '
        $2 == release { print $1; exit }'
}

fresh() {
    # shellcheck source=/dev/null
    . /etc/os-release
    rm -rf --one-file-system "$ROOT"
    debootstrap --variant=minbase "$VERSION_CODENAME" "$ROOT" "$(mirror)" || return 1
    cp -a /etc/apt/. "$ROOT/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$ROOT/etc/"
    printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d" # there is no service manager
    chmod 755 "$ROOT/usr/sbin/policy-rc.d"
}

inside() {
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$ROOT" "$@"
}

# Files of the system, without those that tell what was installed when.
files() {
    inside find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/apt -o \
        -path /var/cache -o -path /var/log/apt \) -prune -o -print | sort
}

install_all() {
    mkdir -p "$ROOT/packages"
    find "$WORK/build/" -maxdepth 1 -name '*.deb' ! -name '*dbgsym*' -exec cp -t "$ROOT/packages" {} + || return 1
    inside apt-get -q update && inside sh -c 'apt-get -q -y --no-install-recommends install /packages/*.deb'
}

required 'a fresh system' fresh
for folder in proc sys dev; do # DPDK looks for CPUs in /sys
    mount --bind "/$folder" "$ROOT/$folder" || exit 1
done
mount -t tmpfs tmpfs "$ROOT/run" || exit 1
required 'the packages install, and what they depend on' install_all
step 'the user is there' inside id wireglass
step 'so is the folder of the sockets' test "$(inside stat -c '%U %a' /run/wireglass)" = 'wireglass 755'
enabled() {
    [ -L "$ROOT/etc/systemd/system/multi-user.target.wants/$1.service" ]
}
step 'the daemon starts with the machine' enabled wireglassd
not_enabled() {
    ! enabled wireglass-dataplane
}
step 'the packet path does not: it has no ports yet' not_enabled
step 'the units are good' inside systemd-analyze verify --man=no /lib/systemd/system/wireglassd.service \
    /lib/systemd/system/wireglass-dataplane.service
step 'the manual pages are there' test -s "$ROOT/usr/share/man/man1/wireglass.1.gz"

# --- it works, as its user, with the configuration of the packages
use() {
    inside install -d -o wireglass -g wireglass -m 750 /var/lib/wireglass /var/cache/wireglass # as the unit does
    inside sh -e -u -c '
        cd /root
        wireglass keygen publisher
        install -m 644 publisher.pub /etc/wireglass/keys/
        wireglass rules pack --id first --serial 1 --sign publisher.key -o first.wgb /usr/share/wireglass/examples/demo.rules
        run() { exec setpriv --reuid wireglass --regid wireglass --clear-groups "$@"; }
        run wireglassd & control=$!
        run wireglass-dataplane --config /etc/wireglass/dataplane.cfg --wait-rules \
            --port pcap:/usr/share/wireglass/demo/demo.pcap & dataplane=$!
        wait_for() { for i in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; "$@"; }
        wait_for wireglass show status
        wireglass rules load first.wgb
        hit() { wireglass --json hits list | grep -q msg; }
        wait_for hit
        wireglass check --disk - --silent -
        kill $control $dataplane
        wait $control
        wait $dataplane'
}
step 'a key, a bundle, both daemons as their user, a hit' use
step 'the demo' inside wireglass demo
step 'they install again over themselves' inside sh -c 'apt-get -q -y --reinstall install /packages/*.deb'
kept() {
    [ -s "$ROOT/var/lib/wireglass/hits.db" ] && [ -s "$ROOT/etc/wireglass/keys/publisher.pub" ]
}
step 'hits and keys are still there' kept
step 'they are removed' inside apt-get -q -y remove 'wireglass-*'
step 'hits and keys stay until a purge' kept
step 'they are purged' inside apt-get -q -y purge 'wireglass-*'
left_over() {
    rm "$ROOT/etc/wireglass/keys/publisher.pub" || return 1
    rm -r "$ROOT/etc/wireglass" "$ROOT/packages"
    files | grep -i wireglass && return 1
    inside id wireglass # as Debian has it: a user's number is not given to somebody else
}
step 'a key is left, as it was not of the packages; else nothing but the user' left_over
finish
