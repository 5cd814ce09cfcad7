# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts here share beside the end-to-end tests' own library.
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.sh"

# reload SECONDS : a new rule set every so many, each with a rule of its own, until $WORK/enough exists; "GOOD BAD" in $WORK/reloaded
reload() {
    local every=$1 good=0 bad=0 serial=1
    while [ ! -e "$WORK/enough" ]; do
        serial=$((serial + 1))
        sleep "$every" &
        { cat "$WORK/needle.rules" &&
            echo "alert http any any -> any any (msg:\"never\"; http.uri; content:\"/set-$serial\"; sid:$((100 + serial));)"; } \
            >"$WORK/set.rules"
        pack "$serial" "$WORK/set.rules"
        if wg rules load "$WORK/$serial.wgb" >>"$WORK/cli.log" 2>&1; then
            good=$((good + 1))
        else
            bad=$((bad + 1))
        fi
        rm "$WORK/$serial.wgb"
        wait $!
    done
    echo "$good $bad" >"$WORK/reloaded"
}
