#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A table of speeds: every capture without rules and with each rule file, `wireglass bench` each time.
# Numbers of different sittings on a shared machine do not compare; ratios within one table do.
set -u

usage() {
    cat <<'TEXT'
usage: tests/bench/run.sh [-b BUILD] [-r RULES]... [-v NAME=VALUE]... [-s SECONDS] [-n RUNS] [PCAP]...
  -b  build folder (default build)         -r  rule file, repeat for more (default the demo's)
  -s  seconds of a run (default 1)         -n  runs (default 5)
  -v  rule variable, e.g. HOME_NET=any, repeat for more
  PCAP defaults to tests/demo/demo.pcap
TEXT
}

cd "$(dirname "$0")/../.." || exit 1
build=build seconds=1 runs=5
rules=() variables=()
while getopts b:r:s:n:v:h option; do
    case $option in
    b) build=$OPTARG ;;
    r) rules+=("$OPTARG") ;;
    s) seconds=$OPTARG ;;
    n) runs=$OPTARG ;;
    v) variables+=(--var "$OPTARG") ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || set -- tests/demo/demo.pcap
[ ${#rules[@]} -gt 0 ] || rules=(rules/examples/demo.rules)

status=0
printf '%-24s %-20s %8s %8s %8s %8s %9s %9s %9s\n' capture rules Gbit/s min max ns/pkt packets trans. hits
for pcap in "$@"; do
    for rule in '' "${rules[@]}"; do
        name=none
        [ -z "$rule" ] || name=$(basename "$rule")
        if ! json=$("$build/wireglass" bench --json --seconds "$seconds" --runs "$runs" \
            ${rule:+--rules "$rule" "${variables[@]}"} "$pcap"); then
            status=1
            continue
        fi
        jq -r '[.gbps.median, .gbps.min, .gbps.max, .ns_per_packet, .packets, .transactions, .hits] | @tsv' <<<"$json" |
            while IFS=$'\t' read -r median min max ns packets transactions hits; do
                LC_ALL=C printf '%-24s %-20s %8.2f %8.2f %8.2f %8.1f %9d %9d %9d\n' "$(basename "$pcap")" "$name" \
                    "$median" "$min" "$max" "$ns" "$packets" "$transactions" "$hits"
            done
    done
done
exit $status
