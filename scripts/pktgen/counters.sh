# SPDX-License-Identifier: Apache-2.0
# Sourced by pktgen: what the node counted, and the report. Generators have set sent (packets), elapsed (microseconds),
# errors, and rates: one line "CPU PACKETS PPS" for each thread.

# One line "VERDICT PACKETS" for each verdict, over all hooks; nothing without -c.
read_counters() {
    [ -n "$counters" ] || return 0
    text=$($counters) || fail "$counters: failed, see above"
    printf '%s' "$text" | sed 's/.*"verdicts":{//; s/"verdictsByHook".*//' | tr '}' '\n' |
        sed -n 's/^[,{]*"\([a-z_]*\)":{"packets":\([0-9]*\).*/\1 \2/p'
}

# What the interface sent, and refused to, one "NAME NUMBER" a line: the driver's view beside the generator's.
read_interface() {
    tr ':' ' ' </proc/net/dev | awk -v name="$interface" '$1 == name { print "packets", $11; print "dropped", $13 }'
}

# What grew between two readings: one line "NAME NUMBER".
differences() {
    {
        printf '%s\n' "$1" | sed 's/^/b /'
        printf '%s\n' "$2" | sed 's/^/a /'
    } | awk '$1 == "b" && NF == 3 { was[$2] = $3 } $1 == "a" && NF == 3 && $3 > was[$2] { print $2, $3 - was[$2] }'
}

# Of the differences: those that a pattern of names takes in.
sum_of() {
    printf '%s\n' "$grown" | awk -v names="$1" '$1 ~ names { n += $2 } END { print n + 0 }'
}

report() {
    grown=$(differences "$interface_before" "$interface_after")
    out=$(sum_of '^packets$') refused=$(sum_of '^dropped$')
    grown=$(differences "$before" "$after")
    forwarded=$(sum_of '^(forward|deliver|reply_forward|reply_deliver)$')
    dropped=$(sum_of '^drop_')
    other=$(($(sum_of .) - forwarded - dropped))
    total=$(awk -v n="$sent" -v t="$elapsed" 'BEGIN { printf "%.0f", (t > 0 ? n * 1e6 / t : 0) }')
    if [ "$json" = 1 ]; then
        printf '{"bench":"pktgen","kernel":"%s","mode":"%s","interface":"%s","size_bytes":%s,"sent":%s,"errors":%s,' \
            "$(uname -r)" "$mode" "$interface" "$size" "$sent" "$errors"
        printf '"interface_sent":%s,"interface_dropped":%s,' "$out" "$refused"
        printf '"elapsed_us":%s,"packets_per_second":%s,"cpus":[' "$elapsed" "$total"
        printf '%s\n' "$rates" | awk 'NF == 3 {
            printf "%s{\"cpu\":%s,\"sent\":%s,\"packets_per_second\":%s}", (n++ ? "," : ""), $1, $2, $3 }'
        printf ']'
        if [ -n "$counters" ]; then
            printf ',"forwarded":%s,"dropped":%s,"other":%s,"verdicts":{' "$forwarded" "$dropped" "$other"
            printf '%s\n' "$grown" | awk 'NF == 2 { printf "%s\"%s\":%s", (n++ ? "," : ""), $1, $2 }'
            printf '}'
        fi
        printf '}\n'
        return
    fi
    echo "sent        $sent packets of $size bytes in $elapsed us: $total a second, $errors errors"
    printf '%s\n' "$rates" | awk 'NF == 3 { printf "  CPU %-4s %12s packets %12s a second\n", $1, $2, $3 }'
    echo "interface   $out packets, $refused dropped"
    if [ -n "$counters" ]; then
        echo "forwarded   $forwarded"
        echo "dropped     $dropped"
        echo "other       $other"
        printf '%s\n' "$grown" | awk 'NF == 2 { printf "  %-28s %12s\n", $1, $2 }'
    fi
}
