# SPDX-License-Identifier: Apache-2.0
# Sourced by pktgen: the kernel's packet generator (Documentation/networking/pktgen.rst in the kernel's tree).

# The file says what the kernel made of a command in its last line, and not by an error alone.
pg() {
    file=$1
    shift
    { echo "$*" >"$proc/$file"; } 2>/dev/null || true
    result=$(grep '^Result: ' "$proc/$file" | tail -1)
    case $result in
        *OK* | '') ;;
        *) fail "$proc/$file: $*: $result" ;;
    esac
}

forget_devices() {
    for thread in "$proc"/kpktgend_*; do
        [ -e "$thread" ] && echo rem_device_all >"$thread" 2>/dev/null || true
    done
}

# A range of addresses: the last two bytes vary.
last_of_range() {
    echo "$1" | awk -F. '{ print $1 "." $2 ".255.255" }'
}

set_addresses() {
    device=$1
    case $address in
        *:*)
            pg "$device" "dst6 $address"
            pg "$device" "src6 ${source:-2001:db8:f::1}"
            ;;
        *)
            first=${source:-198.18.0.0}
            pg "$device" "dst_min $address"
            pg "$device" "dst_max $address"
            pg "$device" "src_min $first"
            if [ "$mode" = single ]; then
                pg "$device" "src_max $first"
            else
                pg "$device" "src_max $(last_of_range "$first")"
                pg "$device" "flag IPSRC_RND"
            fi
            ;;
    esac
}

configure() {
    device=$1 queue=$2
    pg "$device" "count $packets"
    pg "$device" "pkt_size $size"
    pg "$device" "dst_mac $mac"
    pg "$device" "delay 0"
    [ "$rate" = 0 ] || pg "$device" "ratep $rate"
    pg "$device" "queue_map_min $queue"
    pg "$device" "queue_map_max $queue"
    pg "$device" "udp_dst_min $port"
    pg "$device" "udp_dst_max $port"
    # Each thread sends from ports of its own: threads do not share flows.
    low=$((1024 + queue % 16 * 4000))
    pg "$device" "udp_src_min $low"
    pg "$device" "udp_src_max $((mode_is_single ? low : low + 3999))"
    [ "$mode" = single ] || pg "$device" "flag UDPSRC_RND"
    if [ "$mode" = flows ]; then
        pg "$device" "flows $flows"
        pg "$device" "flowlen 8"
    fi
    set_addresses "$device"
}

start_generator() {
    [ -d "$proc" ] || modprobe pktgen 2>/dev/null || true
    [ -d "$proc" ] || fail "no $proc: this kernel has no pktgen (CONFIG_NET_PKTGEN); see also mode syn"
    mode_is_single=0
    [ "$mode" != single ] || mode_is_single=1
    ended=$(mktemp)
    trap 'echo stop >"$proc/pgctrl"; forget_devices; rm -f "$ended"' EXIT
    trap 'exit 130' INT TERM HUP
    forget_devices
    queue=0
    while [ "$queue" -lt "$queues" ]; do
        [ -e "$proc/kpktgend_$queue" ] || fail "-q $queues: CPU $queue has no generator thread"
        pg "kpktgend_$queue" "add_device $interface@$queue"
        configure "$interface@$queue" "$queue"
        queue=$((queue + 1))
    done
    # Writing "start" waits until all has been sent; "stop" from elsewhere ends it.
    (
        echo start >"$proc/pgctrl" || true
        echo ended >"$ended"
    ) 2>/dev/null &
    running=$!
    [ "$packets" = 0 ] || seconds=3600
    waited=0
    while [ "$waited" -lt "$seconds" ] && [ ! -s "$ended" ]; do
        sleep 1
        waited=$((waited + 1))
    done
    echo stop >"$proc/pgctrl"
    wait "$running" || true
    collect
}

# "Result: OK: 1000(c990+d10) usec, 500 (60byte,0frags)" and, in the line behind, "500000pps 240Mb/sec ... errors: 0"
collect() {
    rates=$(
        queue=0
        while [ "$queue" -lt "$queues" ]; do
            sed -n 's/^Result: OK: \([0-9]*\)(.*) usec, \([0-9]*\) (.*/took \1 \2/p
                    s/^ *\([0-9]*\)pps .*errors: \([0-9]*\).*/rate \1 \2/p' "$proc/$interface@$queue" |
                awk -v cpu="$queue" '$1 == "took" { us = $2; n = $3 } $1 == "rate" { pps = $2; bad = $3 }
                    END { print cpu, n + 0, pps + 0, us + 0, bad + 0 }'
            queue=$((queue + 1))
        done
    )
    sent=$(printf '%s\n' "$rates" | awk '{ n += $2 } END { print n + 0 }')
    elapsed=$(printf '%s\n' "$rates" | awk '$4 > t { t = $4 } END { print t + 0 }')
    errors=$(printf '%s\n' "$rates" | awk '{ n += $5 } END { print n + 0 }')
    rates=$(printf '%s\n' "$rates" | awk '{ print $1, $2, $3 }')
}
