// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The far end of a benchmark: counts frames to the backends' port and drops them, or answers each once so that flows
 * become established. Passes everything else (ARP, neighbour discovery, other ports).
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { COUNT_DELIVERED, COUNT_RETURNED, COUNTS };

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, COUNTS);
    __type(key, __u32);
    __type(value, __u64);
} counts SEC(".maps");

const volatile __u16 backend_port;
const volatile __u16 frontend_port; /* answers come back from it */
int answering;

struct ports {
    __be16 source, destination;
};

static __always_inline void count(__u32 which) {
    __u64* value = bpf_map_lookup_elem(&counts, &which);

    if (value) ++*value;
}

static __always_inline void swap(void* a, void* b, int words) {
    for (int i = 0; i < words; i++) {
        __u16 word = ((__u16*)a)[i];

        ((__u16*)a)[i] = ((__u16*)b)[i];
        ((__u16*)b)[i] = word;
    }
}

/* Sets ACK and corrects the checksum for it. Swapped addresses and ports do not change a sum. */
static __always_inline void answer_syn(struct tcphdr* tcp) {
    __u32 total = (__u16)~tcp->check + bpf_htons(0x0010);

    tcp->ack = 1;
    tcp->check = ~((total & 0xffff) + (total >> 16));
}

SEC("xdp")
int sink(struct xdp_md* ctx) {
    void *data = (void*)(long)ctx->data, *data_end = (void*)(long)ctx->data_end;
    struct ethhdr* eth = data;
    struct ports* ports;
    __u8 protocol;

    if ((void*)(eth + 1) > data_end) return XDP_PASS;
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr* ip = (void*)(eth + 1);

        if ((void*)(ip + 1) + sizeof(*ports) > data_end || ip->ihl != 5) return XDP_PASS;
        protocol = ip->protocol;
        ports = (void*)(ip + 1);
    } else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr* ip = (void*)(eth + 1);

        if ((void*)(ip + 1) + sizeof(*ports) > data_end) return XDP_PASS;
        protocol = ip->nexthdr;
        ports = (void*)(ip + 1);
    } else {
        return XDP_PASS;
    }
    if (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP) return XDP_PASS;
    if (ports->source == bpf_htons(frontend_port)) {
        count(COUNT_RETURNED);
        return XDP_DROP;
    }
    if (ports->destination != bpf_htons(backend_port)) return XDP_PASS;
    count(COUNT_DELIVERED);
    if (!answering) return XDP_DROP;

    swap(eth->h_dest, eth->h_source, 3);
    if (eth->h_proto == bpf_htons(ETH_P_IP)) {
        struct iphdr* ip = (void*)(eth + 1);

        swap(&ip->saddr, &ip->daddr, 2);
    } else {
        struct ipv6hdr* ip = (void*)(eth + 1);

        if ((void*)(ip + 1) > data_end) return XDP_DROP;
        swap(&ip->saddr, &ip->daddr, 8);
    }
    swap(&ports->source, &ports->destination, 1);
    if (protocol == IPPROTO_TCP) {
        struct tcphdr* tcp = (void*)ports;

        if ((void*)(tcp + 1) <= data_end && tcp->syn && !tcp->ack) answer_syn(tcp);
    }
    return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
