#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone: with the flags of its own layer, and DPDK's only in the shell.
. "$(dirname "$0")/files.sh"

flags=(-std=gnu17 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -Wno-unused-parameter -Wno-unused-function
    -Wno-missing-field-initializers -fsyntax-only -x c)
plain=$(pkg-config --cflags libhs libpcap libconfig libarchive libsodium sqlite3 jansson libpcre2-8 libisal \
    libcrypto)
dpdk=$(pkg-config --cflags libdpdk)

for header in $(sources '*.h'); do
    extra=$plain
    case $header in
    dataplane/engine/*) ;;
    dataplane/*) extra="$plain $dpdk" ;;
    esac
    # shellcheck disable=SC2086 # lists of flags
    if ! out=$(printf '#include "%s"\n' "$header" | gcc "${flags[@]}" $extra - 2>&1); then
        complain "$header does not compile alone:"
        complain_lines "$(head -n 5 <<<"$out")"
    fi
done
verdict 'headers compile alone'
finish
