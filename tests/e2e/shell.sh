#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The shell: `wireglass` alone on a terminal reads commands. Without a terminal it prints its help: cli.sh.
# Topology: none; root is not needed, so there are no namespaces. No daemon runs, which many a command says.
. "$(dirname "$0")/lib.sh"
[ -x "$BUILD/wireglass" ] || { printf 'not ok 1 - %s is not built: ninja -C %s\n' "$BUILD" "$BUILD" && exit 1; }
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
cases_of shell 36 python3 "$SOURCE/tests/e2e/shell.py" "$BUILD/wireglass" "$SOURCE/tests/demo/demo.pcap" "$WORK"
finish
