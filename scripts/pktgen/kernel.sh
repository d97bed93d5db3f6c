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

# The address that many behind another one.
address_after() {
    echo "$1" | awk -F. -v n="$2" '{
        n += (($1 * 256 + $2) * 256 + $3) * 256 + $4
        printf "%d.%d.%d.%d\n", int(n / 16777216) % 256, int(n / 65536) % 256, int(n / 256) % 256, n % 256 }'
}

# What pktgen calls a flow shares a destination, not a source. A flow here is a source address and port, drawn from as
# many as there shall be flows. Each thread has ports of its own: threads do not share flows.
choose_sources() {
    span=$((64000 / queues))
    case $mode in
        single) sources=1 ports=1 ;;
        flows) sources=$(((flows + span - 1) / span)) ports=$(((flows + sources - 1) / sources)) ;;
        flood) sources=65536 ports=$span ;;
    esac
    [ "$family" = 6 ] || return 0
    # It varies no IPv6 source address.
    [ "$mode" = flood ] || [ "$sources" = 1 ] ||
        fail "-f $flows: IPv6 flows differ by their port alone: at most $span for each of $queues queues" 2
    sources=1
}

set_addresses() {
    device=$1
    if [ "$family" = 6 ]; then
        pg "$device" "dst6 $address"
        pg "$device" "src6 ${source:-2001:db8:f::1}"
        return
    fi
    first=${source:-198.18.0.0}
    pg "$device" "dst_min $address"
    pg "$device" "dst_max $address"
    pg "$device" "src_min $first"
    # The end of a range is not drawn.
    pg "$device" "src_max $(address_after "$first" "$sources")"
    pg "$device" "flag IPSRC_RND"
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
    low=$((1024 + queue * span))
    pg "$device" "udp_src_min $low"
    pg "$device" "udp_src_max $((low + ports))"
    pg "$device" "flag UDPSRC_RND"
    # As clients do; IPv6 hosts drop a datagram without a checksum.
    pg "$device" "flag UDPCSUM"
    set_addresses "$device"
}

start_generator() {
    [ -d "$proc" ] || modprobe pktgen 2>/dev/null || true
    [ -d "$proc" ] || fail "no $proc: this kernel has no pktgen (CONFIG_NET_PKTGEN); see also mode syn"
    choose_sources
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
