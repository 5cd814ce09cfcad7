#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Sources look as clang-format 14 leaves them (other versions format differently). Remedy: make format
. "$(dirname "$0")/files.sh"

if ! command -v clang-format-14 >/dev/null; then
    skip 'clang-format' 'clang-format-14 is not installed'
    finish
fi
for file in $(sources '*.c' '*.h'); do
    if ! out=$(clang-format-14 --dry-run --Werror "$file" 2>&1); then
        complain "$(grep -m1 -E '(error|warning):' <<<"$out") (make format)"
    fi
done
verdict 'clang-format'
finish
