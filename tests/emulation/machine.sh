# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts that emulate a machine share: Debian's kernel, the modules of the guest, the file system it begins with.

fail() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
    exit 1
}

tool() {
    command -v "$1" >/dev/null || fail "$1 is not there: sudo apt-get install $2"
}

# kernel_of FOLDER : its path; the package that linux-image-amd64 stands for, unpacked there and not installed
kernel_of() {
    local package kernel
    if ! compgen -G "$1/kernel/boot/vmlinuz-*" >/dev/null; then
        package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*-amd64\)$/\1/p' | head -n 1)
        [ -n "$package" ] || fail 'apt knows no linux-image-amd64: sudo apt-get update'
        mkdir -p "$1/download"
        (cd "$1/download" && apt-get download "$package") >"$1/download.log" 2>&1 ||
            fail "apt-get download $package: $(tail -n 1 "$1/download.log")"
        dpkg-deb -x "$1/download/$package"_*.deb "$1/kernel" || fail "$package cannot be unpacked"
        rm -r "$1/download"
    fi
    kernel=$(compgen -G "$1/kernel/boot/vmlinuz-*" | head -n 1)
    printf '%s\n' "$kernel"
}

# modules FOLDER RELEASE TO NAME... : the modules the guest needs, with those they need, in the order to load them
modules() {
    local name file number=100 found to=$3
    local root=$1/kernel/lib/modules/$2
    [ -s "$root/modules.dep" ] || busybox depmod -b "$1/kernel" "$2" || fail 'busybox depmod failed'
    shift 3
    for name in "$@"; do
        found=$(grep -E "^([^:]*/)?$name\.ko:" "$root/modules.dep") || fail "the kernel has no module $name"
        for file in $(tr -d : <<<"$found" | tr ' ' '\n' | tac); do
            [ -z "$(find "$to" -name "*-${file##*/}")" ] || continue
            cp "$root/$file" "$to/$number-${file##*/}"
            number=$((number + 1))
        done
    done
}

# initramfs FOLDER KERNEL INIT MODULE... : FOLDER/initramfs.gz, what runs first: busybox, modules, INIT
initramfs() {
    local root=$1/initramfs keep=$1 kernel=$2
    rm -rf "$root"
    mkdir -p "$root"/{bin,modules,root}
    cp "$(command -v busybox)" "$root/bin/busybox"
    cp "$3" "$root/init"
    shift 3
    modules "$keep" "${kernel##*/vmlinuz-}" "$root/modules" "$@"
    (cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$keep/initramfs.gz"
}
