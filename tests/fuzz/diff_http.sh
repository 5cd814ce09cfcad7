#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# diff_http.sh [COUNT [SEED]]: the HTTP parser against llhttp and libhtp on random messages (diff_http.c). Needs the packages
# node-llhttp and libhtp-dev when BUILD (default build) is configured; not part of the test suites.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
if ! ninja -C "$build" tests/fuzz/diff_http >/dev/null; then
    echo "diff_http.sh: install node-llhttp and libhtp-dev, then: meson setup --reconfigure $build" >&2
    exit 2
fi
exec nice "$build/tests/fuzz/diff_http" "$@"
