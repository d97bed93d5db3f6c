// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tc programs: uplink and workload ingress (the core on what XDP left), and egress (replies that crossed the stack). */
#include "bpf/tc_context.h"

#include "bpf/core.h"

/* TC_ACT_UNSPEC: the next program or filter decides (TCX_NEXT has the same value), so others are not disturbed. */
#define TC_ACT_UNSPEC (-1)
#define TC_ACT_SHOT   2

/* IPv6 with a few extension headers and TCP: what is pulled out of an skb's fragments to be looked at. */
#define HEADERS_LENGTH (ETH_HLEN + 40 + 64 + 20)

/*
 * Returns how much of the packet the core will look at. No more than that is pulled: octets of payload in an skb's head
 * keep the receiver from merging segments, which cost a third of the throughput with 1500-byte packets.
 */
static __always_inline __u32 headers_length(struct __sk_buff *skb)
{
    void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
    struct iphdr *ip = data + ETH_HLEN;
    struct ipv6hdr *ip6 = data + ETH_HLEN;

    if (skb->protocol == bpf_htons(ETH_P_IP) && (void *)(ip + 1) <= data_end && ip->ihl == 5 &&
        (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP))
        return ETH_HLEN + sizeof(*ip) + sizeof(struct tcphdr);
    if (skb->protocol == bpf_htons(ETH_P_IPV6) && (void *)(ip6 + 1) <= data_end &&
        (ip6->nexthdr == IPPROTO_TCP || ip6->nexthdr == IPPROTO_UDP))
        return ETH_HLEN + sizeof(*ip6) + sizeof(struct tcphdr);
    return HEADERS_LENGTH;
}

/*
 * Puts the Ethernet header back in front. Generic XDP copies an skb whose headroom is too small for it, and the copy
 * has forgotten how long its link-layer header is (skb_pp_cow_data() and mac_len, seen on Linux 6.18): tc then shows
 * the packet from L3 on. Pushing the header makes the kernel count it again. A device without Ethernet headers has
 * other octets there, and the packet stays as it is.
 */
__noinline int restore_ethernet(struct __sk_buff *skb)
{
    struct ethhdr eth;

    if (bpf_skb_load_bytes_relative(skb, 0, &eth, sizeof(eth), BPF_HDR_START_MAC) || eth.h_proto != skb->protocol)
        return 0;
    return !bpf_skb_change_head(skb, sizeof(eth), 0) && !bpf_skb_store_bytes(skb, 0, &eth, sizeof(eth), 0);
}

static __always_inline int lacks_ethernet(const struct __sk_buff *skb)
{
    struct ethhdr *eth = (void *)(long)skb->data;

    return (void *)(eth + 1) <= (void *)(long)skb->data_end && eth->h_proto != skb->protocol &&
           (skb->protocol == bpf_htons(ETH_P_IP) || skb->protocol == bpf_htons(ETH_P_IPV6));
}

static __always_inline int handle(struct __sk_buff *skb, enum hook hook)
{
    /* Zeroed as a whole: up to Linux 6.2 no global function takes a pointer to memory that has never been written. */
    struct packet p = {0};
    struct decision d = {0};

    /* A tag taken off by the device: the packet belongs to the VLAN device above, which has hooks of its own. */
    if (skb->vlan_present)
        return TC_ACT_UNSPEC;
    if (lacks_ethernet(skb))
        restore_ethernet(skb); /* or else the packet is passed as one that is not IP */
    __u32 wanted = headers_length(skb);
    if (wanted > skb->len)
        wanted = skb->len;
    if ((void *)(long)skb->data + wanted > (void *)(long)skb->data_end)
        bpf_skb_pull_data(skb, wanted);

    p.length = skb->len;
    p.segments = skb->gso_segs > 1 ? skb->gso_segs : 1;
    enum verdict verdict = count_verdict(hook, &p, process_frame(skb, &p, &d, hook));
    if (verdict == VERDICT_FORWARD || verdict == VERDICT_REPLY_FORWARD)
        return d.to_neighbour ? bpf_redirect_neigh(d.out_ifindex, NULL, 0, 0) : bpf_redirect(d.out_ifindex, 0);
    if (verdict_is_answered(verdict))
        return bpf_redirect(skb->ifindex, 0);
    return verdict_is_dropped(verdict) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

SEC("tc")
int weir_uplink_ingress(struct __sk_buff *skb)
{
    return handle(skb, HOOK_UPLINK_INGRESS);
}

SEC("tc")
int weir_workload_ingress(struct __sk_buff *skb)
{
    return handle(skb, HOOK_WORKLOAD_INGRESS);
}

/* Serves uplinks and workload interfaces alike: it undoes a reply wherever that leaves towards its client. */
SEC("tc")
int weir_egress(struct __sk_buff *skb)
{
    return handle(skb, HOOK_EGRESS);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
