// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How much of an skb lies in its head, and not in fragments? Counted where a pod receives. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

enum { LARGE_PACKETS, LONGEST_HEAD };

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u64);
} heads SEC(".maps");

SEC("tc")
int measure_head(struct __sk_buff* skb) {
    __u32 large = LARGE_PACKETS, longest = LONGEST_HEAD;
    __u64 *packets = bpf_map_lookup_elem(&heads, &large), *most = bpf_map_lookup_elem(&heads, &longest);
    __u64 head = (void*)(long)skb->data_end - (void*)(long)skb->data;

    /* A short packet has nothing to put anywhere else. */
    if (!packets || !most || skb->len < 1000) return -1;
    __sync_fetch_and_add(packets, 1);
    if (head > *most) *most = head;
    return -1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
