#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo capture through `wireglass replay`: the hits of tests/demo/expected.json, no more and no less.
# Needs neither root nor namespaces.
set -u -o pipefail
SOURCE=${WIREGLASS_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILD=${WIREGLASS_BUILD:-$SOURCE/build}

"$BUILD/wireglass" replay --rules "$SOURCE/rules/examples/demo.rules" --events alert,http,flow \
    "$SOURCE/tests/demo/demo.pcap" | python3 "$SOURCE/tests/demo/check.py"
