// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * BPF_PROG_TEST_RUN repeats a program on the packet as the last run left it. This wrapper writes the template's headers
 * back, varies the address and port by which flows differ, and tail-calls the program under test; or the null program,
 * which costs as much as the wrapper and the least possible XDP_TX.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEMPLATE_SIZE 80 /* Ethernet, IPv6 and TCP headers, in whole words */
#define PORTS_MAX 4096

/* Where the family has its source address's last word, and its source port. */
const volatile __u32 address_offset = 26;
const volatile __u32 port_offset = 34;
/* Octets of a frame, where the program under test may leave it shorter; else 0. */
const volatile __u32 whole = 0;

__u64 template_frame[TEMPLATE_SIZE / 8];
__u32 first_address; /* host order: the last word of flow 0's source address */
__u32 flow_mask;     /* flows - 1; flows is a power of two */
__u32 iteration;
__u64 settled;
__u16 destination_ports_be[PORTS_MAX]; /* replies: the source ports that the flows were given */

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} under_test SEC(".maps");

/* The kernel ties such a map to the type of its first program. */
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} under_test_tc SEC(".maps");

static __always_inline int restore(void* data, void* data_end) {
    __u64* words = data;

    if (data + TEMPLATE_SIZE > data_end) return 0;
    for (int i = 0; i < TEMPLATE_SIZE / 8; i++) words[i] = template_frame[i];
    return 1;
}

/* Picks every flow once in a scattered order: the hardware must not predict the next entry. */
static __always_inline __u32 next_flow(void) {
    return iteration++ * 2654435761u & flow_mask;
}

/*
 * A packet from a NIC is not in the CPU's store buffer; one that was written a moment ago is, and the CPU stalls when
 * it reads that in other pieces than it wrote. A locked instruction waits until the stores have reached the cache.
 */
static __always_inline void settle(void) {
    __sync_fetch_and_add(&settled, 1);
}

/* Writes a packet of the next flow, from client to frontend. */
static __always_inline int restore_client(void* data, void* data_end) {
    __u32 flow = next_flow();

    if (!restore(data, data_end)) return 0;
    *(__be32*)(data + address_offset) = bpf_htonl(first_address + (flow >> 15));
    *(__be16*)(data + port_offset) = bpf_htons(1024 + (flow & 0x7fff));
    settle();
    return 1;
}

/* Writes a packet of the next flow, from the backend to the source that weir gave the flow. */
static __always_inline int restore_backend(void* data, void* data_end) {
    __u32 flow = next_flow();

    if (!restore(data, data_end)) return 0;
    *(__be16*)(data + port_offset + 2) = destination_ports_be[flow & (PORTS_MAX - 1)];
    settle();
    return 1;
}

static __always_inline int swap_addresses(void* data, void* data_end) {
    struct ethhdr* eth = data;
    __u8 address[ETH_ALEN];

    if ((void*)(eth + 1) > data_end) return 0;
    __builtin_memcpy(address, eth->h_dest, ETH_ALEN);
    __builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
    __builtin_memcpy(eth->h_source, address, ETH_ALEN);
    return 1;
}

SEC("xdp.frags")
int restore_forward(struct xdp_md* ctx) {
    if (whole && ctx->data_end - ctx->data != whole) bpf_xdp_adjust_tail(ctx, whole - (ctx->data_end - ctx->data));
    if (restore_client((void*)(long)ctx->data, (void*)(long)ctx->data_end)) bpf_tail_call(ctx, &under_test, 0);
    return XDP_ABORTED;
}

SEC("xdp.frags")
int restore_reply(struct xdp_md* ctx) {
    if (restore_backend((void*)(long)ctx->data, (void*)(long)ctx->data_end)) bpf_tail_call(ctx, &under_test, 0);
    return XDP_ABORTED;
}

SEC("xdp.frags")
int null_tx(struct xdp_md* ctx) {
    return swap_addresses((void*)(long)ctx->data, (void*)(long)ctx->data_end) ? XDP_TX : XDP_ABORTED;
}

SEC("tc")
int restore_forward_tc(struct __sk_buff* skb) {
    if (whole && skb->len != whole) bpf_skb_change_tail(skb, whole, 0);
    if (restore_client((void*)(long)skb->data, (void*)(long)skb->data_end)) bpf_tail_call(skb, &under_test_tc, 0);
    return TC_ACT_SHOT;
}

SEC("tc")
int restore_reply_tc(struct __sk_buff* skb) {
    if (restore_backend((void*)(long)skb->data, (void*)(long)skb->data_end)) bpf_tail_call(skb, &under_test_tc, 0);
    return TC_ACT_SHOT;
}

SEC("tc")
int null_tc(struct __sk_buff* skb) {
    return swap_addresses((void*)(long)skb->data, (void*)(long)skb->data_end) ? TC_ACT_OK : TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
