# SPDX-License-Identifier: Apache-2.0
# Sourced by pktgen: SYNs, which the kernel's generator cannot make, by weir's own generator of live XDP frames
# (tests/bench). It runs on one CPU.

start_generator() {
    command -v "$generate" >/dev/null || fail "mode syn: the kernel's generator makes UDP only, and $generate is not here; \
build it (target weir-bench-generate) and name it with -g"
    [ "$queues" = 1 ] || fail "-q $queues: mode syn runs on one CPU" 2
    set -- --interface "$interface" --destination-mac "$mac" --destination "$address" --destination-ports "$port" \
        --protocol tcp --flags syn
    case $address in
        *:*) set -- "$@" --source "${source:-2001:db8:f::/64}" ;;
        *) set -- "$@" --source "${source:-198.18.0.0}/15" ;;
    esac
    set -- "$@" --size "$size"
    [ "$rate" = 0 ] || set -- "$@" --rate "$rate"
    if [ "$packets" = 0 ]; then set -- "$@" --seconds "$seconds"; else set -- "$@" --count "$packets"; fi
    answer=$("$generate" "$@") || fail "$generate failed, see above"
    sent=$(printf '%s' "$answer" | tr -d '\n ' | sed -n 's/.*"sent[a-z_]*":\([0-9]*\).*/\1/p')
    elapsed=$(printf '%s' "$answer" | tr -d '\n ' | sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' | awk '{ printf "%.0f", $1 * 1e6 }')
    errors=0
    [ -n "$sent" ] && [ -n "$elapsed" ] || fail "$generate: an answer that cannot be read: $answer"
    rates="null $sent $(awk -v n="$sent" -v t="$elapsed" 'BEGIN { printf "%.0f", (t > 0 ? n * 1e6 / t : 0) }')"
}
