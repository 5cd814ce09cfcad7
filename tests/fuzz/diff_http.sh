#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# diff_http.sh [COUNT [SEED]]: the HTTP parser against llhttp and libhtp on random messages (diff_http.c). Needs the packages
# node-llhttp and libhtp-dev; not part of the test suites.
set -eu
cd "$(dirname "$0")/../.."
llhttp=/usr/share/llhttp
if [ ! -e "$llhttp/llhttp.c" ] || [ ! -e /usr/include/htp/htp.h ]; then
    echo "diff_http.sh: install node-llhttp and libhtp-dev" >&2
    exit 2
fi
program=$(mktemp)
trap 'rm -f "$program"' EXIT
"${CC:-cc}" -std=gnu17 -O2 -w -I. -I/usr/share/include/llhttp tests/fuzz/diff_http.c dataplane/engine/http*.c \
    dataplane/engine/app.c common/counters.c "$llhttp"/{llhttp,api,http}.c -lhtp -o "$program"
"$program" "$@"
