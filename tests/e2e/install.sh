#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `make install` below DESTDIR: every file that a package wants is there and nothing else, and the installed programs find
# their data without the source tree. Topology: none; root is not needed, so there are no namespaces.
. "$(dirname "$0")/lib.sh"
[ -x "$BUILD/wireglass" ] || { printf 'not ok 1 - %s is not built: ninja -C %s\n' "$BUILD" "$BUILD" && exit 1; }
need meson jq
[ -w "$BUILD/meson-logs" ] || skip_all "meson install writes its log in $BUILD, which is another user's"
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
export TMPDIR=$WORK

# option NAME : the value this build was configured with
option() {
    jq -r --arg name "$1" '.[] | select(.name == $name) | .value' "$WORK/options.json"
}

# where PATH : where a path of debian/*.install, which are for --prefix=/usr, is in this installation
where() {
    case $1 in
    etc/*) printf '%s/%s' "$etc" "${1#etc/}" ;;
    usr/bin/*) printf '%s/%s' "$bin" "${1#usr/bin/}" ;;
    usr/lib/*) below "lib/${1#usr/lib/}" ;;
    usr/share/man/*) printf '%s/%s' "$man" "${1#usr/share/man/}" ;;
    usr/share/*) printf '%s/%s' "$share" "${1#usr/share/}" ;;
    *) printf '%s' "$1" ;;
    esac
}

# below PATH : a directory option, which may be relative to the prefix, below the destination
below() {
    case $1 in
    /*) printf '%s%s' "$root" "$1" ;;
    *) printf '%s%s/%s' "$root" "$(option prefix)" "$1" ;;
    esac
}

# packaged : the installed files that the packages take, a file twice if two packages take it
packaged() {
    local path
    cat "$SOURCE"/debian/*.install | while read -r path _; do
        find "$(where "$path")" -type f 2>/dev/null || printf '%s\n' "$path: nothing there"
    done | sort
}

# mode_of FILE MODE : is it installed with these permissions?
mode_of() {
    is "$1" "$(stat -c %a "$(where "$1")" 2>&1)" "$2"
}

root=$WORK/root
check 'meson says how the build is configured' meson introspect --buildoptions "$BUILD"
cp "$WORK/check.out" "$WORK/options.json"
bin=$(below "$(option bindir)") share=$(below "$(option datadir)") man=$(below "$(option mandir)")
etc=$(below "$(option sysconfdir)")

check 'it installs below DESTDIR' env DESTDIR="$root" meson install -C "$BUILD" --no-rebuild
for file in wireglass wireglassd wireglass-dataplane; do
    mode_of "usr/bin/$file" 755
done
for file in etc/wireglass/{control,dataplane}.cfg usr/share/wireglass/{demo/demo.pcap,examples/demo.rules} \
    usr/share/wireglass/hwprofiles/{af_packet,generic,pcap}.cfg; do
    mode_of "$file" 644
done
is 'every example is installed' "$(ls "$share/wireglass/examples")" "$(cd "$SOURCE/rules/examples" && ls -- *.rules)"
is 'every profile is installed' "$(ls "$share/wireglass/hwprofiles")" "$(cd "$SOURCE/hwprofiles" && ls -- *.cfg)"
if command -v scdoc >/dev/null; then
    is 'the packages take every installed file once' "$(packaged)" "$(find "$root" -type f | sort)"
else
    ok 'the packages take every installed file once # SKIP scdoc is not installed: no manual pages'
fi

cd / || exit 1
check 'the installed demo succeeds' "$bin/wireglass" --quiet demo
is 'and says nothing, as it was told' "$(cat "$WORK/check.out")" ''
check 'it succeeds aloud' "$bin/wireglass" demo
cp "$WORK/check.out" "$WORK/demo.out"
at_least 'with the installed rules and capture' \
    "$(grep -cE "$bin/\.\./.*/wireglass/(examples/demo\.rules|demo/demo\.pcap)" "$WORK/demo.out")" 2
check 'the installed dataplane starts with the installed configuration' \
    "$bin/wireglass-dataplane" --check --no-huge --config "$etc/wireglass/dataplane.cfg" --port "pcap:$share/wireglass/demo/demo.pcap"
rm "$share/wireglass/demo/demo.pcap"
is 'without its capture it does not use another one' \
    "$("$bin/wireglass" --quiet demo --data "$share/wireglass" 2>&1 | grep -c 'demo capture is not here')" 1
finish
