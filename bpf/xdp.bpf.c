// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Uplink XDP: finishes external traffic without an skb; everything else is passed on untouched. */
#include "bpf/xdp_context.h"

#include "bpf/core.h"

/* frags: the kernel hands over multi-buffer frames too (jumbo MTU). Their headers are in the first buffer. */
SEC("xdp.frags")
int weir_xdp(struct xdp_md *ctx)
{
    /* Zeroed as a whole: up to Linux 6.2 no global function takes a pointer to memory that has never been written. */
    struct packet p = {0};
    struct decision d = {0};

    p.length = ctx->data_end - ctx->data;
    p.segments = 1;
    enum verdict verdict = count_verdict(HOOK_XDP, &p, process_frame(ctx, &p, &d, HOOK_XDP));
    if (verdict == VERDICT_FORWARD || verdict == VERDICT_REPLY_FORWARD)
        return d.out_ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(d.out_ifindex, 0);
    if (verdict_is_answered(verdict))
        return XDP_TX;
    return verdict_is_dropped(verdict) ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
