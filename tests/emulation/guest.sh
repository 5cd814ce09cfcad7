#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# In the emulated machine of run.sh: each kind of card is given to vfio-pci, used inline and as a tap, and given back.
#
#   ends, or client and server       this namespace                        ends, or client and server
#   [e0] ============== hub [pci:A]  wireglass-dataplane  [pci:B] hub =============== [e1]
export WIREGLASS_E2E_INSIDE=$0 # the machine is this test's alone
WIREGLASS_PATIENCE=${WIREGLASS_PATIENCE:-60}
. "$(dirname "$0")/../e2e/lib.sh"
e2e_enter "$@"
need nginx curl openssl ss jq python3 busybox

# monitor COMMAND : to QEMU
stty -F /dev/ttyS1 -opost
stty -F /dev/ttyS2 raw -echo
monitor() {
    printf '\n%s\n' "$1" >/dev/ttyS2
}

# interface MAC : the kernel's name of a card
interface() {
    grep -l "$1" /sys/class/net/*/address | cut -d / -f 5
}

# --- who has a card

driver_of() {
    basename "$(readlink "/sys/bus/pci/devices/$1/driver")"
}

# give ADDRESS DRIVER : "" is the driver that the kernel would choose
give() {
    echo "$2" >"/sys/bus/pci/devices/$1/driver_override" &&
        echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind" && echo "$1" >/sys/bus/pci/drivers_probe
}

# doctor_says CHECK LEVEL TEXT : is that among its findings?
doctor_says() {
    wg --json doctor --profiles "$SOURCE/hwprofiles" >"$WORK/doctor.json"
    jq -e --arg check "$1" --arg level "$2" --arg text "$3" \
        '.findings | any(.check == $check and .level == $level and (.text | contains($text)))' "$WORK/doctor.json" ||
        { cat "$WORK/doctor.json" && return 1; }
}

# --- the guest's own ends of the wires

# place NAMESPACE0 NAMESPACE1 : where e0 and e1 are to be
where0=- where1=-
place() {
    move e0 "$where0" "$1" && where0=$1
    move e1 "$where1" "$2" && where1=$2
}

# move INTERFACE FROM TO
move() {
    [ "$2" = "$3" ] || in_ns "$2" ip link set "$1" netns "$([ "$3" = - ] && echo 1 || echo "$3")"
    link_up "$3" "$1"
    in_ns "$3" ip link set "$1" arp on
}

# --- what is tried with each kind of card

start() {
    dataplane_start --profiles "$SOURCE/hwprofiles" --events all "$@" && wait_for "$PATIENCE" status_is .rules.live true
}

# show_ports : what the log says of the ports
show_ports() {
    grep -E 'port [01]:|flows come' "$WORK/dataplane.log" | sed 's/^/# /'
}

pages() {
    get http://10.20.0.1/clean.html && cmp "$WORK/answer" "$WORK/www/clean.html" &&
        get http://10.20.0.1/needle.html && cmp "$WORK/answer" "$WORK/www/needle.html" &&
        get --compressed http://10.20.0.1/needle.html && cmp "$WORK/answer" "$WORK/www/needle.html" &&
        get 'http://10.20.0.1/e2e-path?x=1' && get -d 'a=E2E-UPLOAD' http://10.20.0.1/upload &&
        get -k https://10.20.0.1/needle.html
}

# inline NAME A B LINK
inline() {
    check "$1: inline: it starts" start --mode inline --port "pci:$2" --port "pci:$3"
    show_ports
    place ends ends
    port_up ends e0
    port_up ends e1
    frames_through "$1" 40 "$1" wire
    is "$1: as many frames left as came" "$(stat_of forward.failed)" 0
    place client server
    ip -n client addr add 10.20.0.2/24 dev e0
    ip -n server addr add 10.20.0.1/24 dev e1
    check "$1: pages come, whole" pages
    check "$1: four hits" wait_for "$PATIENCE" stat_is detect.hits 4
    hits=$((hits + 4))
    check "$1: the hits are stored" wait_for "$PATIENCE" hits_are "$hits"
    monitor "set_link $4 off"
    check "$1: the link goes" wait_for "$PATIENCE" grep -q "$2: the link is down" "$WORK/dataplane.log"
    monitor "set_link $4 on"
    check "$1: the link comes back" wait_for "$PATIENCE" grep -q "$2: the link is up again" "$WORK/dataplane.log"
    check "$1: pages come again" wait_for "$PATIENCE" get --max-time 5 http://10.20.0.1/clean.html
    check "$1: inline: it stops" stop "$DATAPLANE"
}

# jumbo NAME A B : frames of several buffers
jumbo() {
    echo 'mtu = 9000;' >"$WORK/jumbo.cfg"
    check "$1: jumbo: it starts" start --config "$WORK/jumbo.cfg" --mode inline --port "pci:$2" --port "pci:$3"
    place ends ends
    port_up ends e0
    port_up ends e1
    ip -n ends link set e0 mtu 9000
    ip -n ends link set e1 mtu 9000
    frames_through "$1, jumbo" 12 "$1, jumbo" jumbo wire
    check "$1: jumbo: it stops" stop "$DATAPLANE"
}

# no_jumbo A : vmxnet3 loses what does not fit into one buffer: said, and not tried
no_jumbo() {
    echo 'mtu = 9000;' >"$WORK/jumbo.cfg"
    "$BUILD/wireglass-dataplane" --socket "$DP_SOCKET" --profiles "$SOURCE/hwprofiles" --config "$WORK/jumbo.cfg" --port "pci:$1" \
        >"$WORK/jumbo.log" 2>&1
    is 'vmxnet3: jumbo frames are refused' \
        "$(grep -c "port $1: packets of 9000 bytes (mtu): the card takes 2022 at most" "$WORK/jumbo.log")" 1
}

# tap NAME A
tap() {
    : >"$WORK/dataplane.log"
    check "$1: tap, two workers: it starts" start --mode tap --workers 2 --port "pci:$2"
    show_ports
    place - -
    check "$1: 90 flows" python3 "$SOURCE/tests/e2e/flows.py" e0 90 1
    check "$1: each is inspected" wait_for "$PATIENCE" stat_is http.transactions 90
    check "$1: each hits" wait_for "$PATIENCE" stat_is detect.hits 90
    hits=$((hits + 90))
    check "$1: tap: it stops" stop "$DATAPLANE"
}

# card NAME A B KERNEL-DRIVER LINK MAC-A MAC-B
card() {
    local name=$1 kernel=$4 link address
    for link in "$6" "$7"; do
        ip link set "$(interface "$link:02")" name "e$([ "$link" = "$7" ]; echo $((1 - $?)))"
    done
    check "$name: the doctor says who has the card" doctor_says card note "with $kernel: port pci:$2 needs"
    for address in "$2" "$3"; do
        check "$name: $address goes to vfio-pci" give "$address" vfio-pci
        is "$name: which has it" "$(driver_of "$address")" vfio-pci
    done
    check "$name: the doctor sees that" doctor_says card ok "$2"
    check "$name: and that there are hugepages" doctor_says hugepages ok 'MB free'
    inline "$name" "$2" "$3" "$5"
    if [ "$name" = vmxnet3 ]; then
        no_jumbo "$2"
    else
        jumbo "$name" "$2" "$3"
    fi
    tap "$name" "$2"
    for address in "$2" "$3"; do
        check "$name: $address goes back" give "$address" ''
        is "$name: to its driver" "$(driver_of "$address")" "$kernel"
    done
    check "$name: whose interface works" works "$(interface "$6:01")"
    for link in e0 e1; do
        ip link set "$link" down
        ip link set "$link" name "$name-$link"
    done
}

# works INTERFACE : does it answer to the card at the other end, e0?
works() {
    local answers=0
    move "$1" - ends
    ip -n ends addr add 10.30.0.1/24 dev "$1"
    ip addr add 10.30.0.2/24 dev e0
    wait_for 10 busybox ping -c 1 -W 1 10.30.0.1 || answers=1
    ip -n ends link set "$1" down # the next card has the same address
    return $answers
}

# elephant PORT FIRST COUNT : segments of a TLS connection
elephant() {
    python3 "$SOURCE/tests/emulation/elephant.py" t0 "$@"
}

# Released flows that the card drops: of the drivers here DPDK's TAP does it, by filters of the kernel.
offload() {
    echo 'offload_after_mb = 1;' >"$WORK/offload.cfg"
    check 'offload: it starts' start --config "$WORK/offload.cfg" --mode tap --port tap:t0
    port_up - t0
    ip link set t0 txqueuelen 5000 # none is lost on the way
    check 'offload: half of what it takes' elephant 1000 0 600
    check 'offload: is received' wait_for "$PATIENCE" stat_is decode.tcp 603
    is 'offload: and that is all' "$(stat_of offload.flows)" 0
    check 'offload: more' elephant 1000 600 600
    check 'offload: the driver is told' wait_for "$PATIENCE" stat_is offload.active 1
    is 'offload: it did not refuse' "$(stat_of offload.refused)" 0
    before=$(stat_of decode.tcp)
    check 'offload: more of this connection' elephant 1000 1200 200
    check 'offload: and of another' elephant 1001 0 10
    check 'offload: only the other one comes' wait_for "$PATIENCE" stat_is decode.tcp $((before + 13))
    is 'offload: what did not come is in no row, and all add up' "$(wg --json show coverage | jq .exact)" true
    # 60 s later the rule goes, and the flow, which is still known, comes again.
    check 'offload: the rule goes' wait_for $((2 * PATIENCE)) stat_is offload.active 0
    check 'offload: more of the first connection' elephant 1000 1400 10
    check 'offload: comes again' wait_for "$PATIENCE" stat_is decode.tcp $((before + 23))
    is 'offload: and is not taken for a new one' "$(stat_of app.tls) $(stat_of app.read_after_release)" '2 0'
    check 'offload: it stops' stop "$DATAPLANE"
}

for namespace in ends client server; do
    ns_add "$namespace"
done
in_ns server sysctl -qw net.ipv4.ip_nonlocal_bind=1 # the address comes and goes with e1
hits=0
site
pack 1 "$WORK/needle.rules"
check 'control starts' control_start
check 'it takes the bundle' wg rules load "$WORK/1.wgb"
check 'the doctor: there is an IOMMU' doctor_says iommu ok 'is on'
# The addresses are those that run.sh puts the cards at.
cards=${1:-e1000e virtio vmxnet3 tap}
[[ " $cards " != *' e1000e '* ]] || card e1000e 0000:00:10.0 0000:00:11.0 e1000e a0 52:54:00:00:00 52:54:00:00:01
[[ " $cards " != *' virtio '* ]] || card virtio 0000:00:12.0 0000:00:13.0 virtio-pci b0 52:54:00:00:02 52:54:00:00:03
[[ " $cards " != *' vmxnet3 '* ]] || card vmxnet3 0000:00:14.0 0000:00:15.0 vmxnet3 c0 52:54:00:00:04 52:54:00:00:05
[[ " $cards " != *' tap '* ]] || offload
check 'control stops' stop "$CONTROL"
finish
