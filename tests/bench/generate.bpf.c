// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Makes frames: under BPF_PROG_TEST_RUN with BPF_F_TEST_XDP_LIVE_FRAMES the kernel hands this program one page after
 * the other and really sends those for which the program returns XDP_REDIRECT. A page that comes back still has its
 * last frame, perhaps changed on the way, so the program writes every frame anew from the template.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TEMPLATE_SIZE 80 /* Ethernet, IPv6 and TCP headers, in whole words */
#define BURST 64         /* frames that may be made up for at once */
#define LATE 100000      /* nanoseconds */

/* Offsets into the frame; addresses vary in their last word. */
const volatile struct { __u32 source, destination, ports, ip_checksum, checksum; } at;
const volatile __u32 out_ifindex;
const volatile __u32 flows; /* 0: 2^32 */
/* How flows differ: value = first + index % count. */
const volatile struct { __u32 first, count; /* host order */ } sources, destinations, source_ports, destination_ports;
/* Sums of the words that do not vary. */
const volatile __u32 ip_sum, sum;
const volatile __u8 template_frame[TEMPLATE_SIZE] __attribute__((aligned(8)));

const volatile __u64 count;    /* frames to send; 0: until interrupted */
const volatile __u64 interval; /* nanoseconds between frames; 0: as soon as they go */
__u64 due;                     /* nanoseconds of the monotonic clock */
__u64 sent;

/* Picks every flow about equally often, in a scattered order that the hardware cannot predict. */
static __always_inline __u32 next_flow(void) {
    __u32 scattered = (__u32)sent * 2654435761u;

    return flows ? (__u32)(((__u64)scattered * flows) >> 32) : scattered;
}

static __always_inline __u32 halves(__u32 word) {
    return (word >> 16) + (word & 0xffff);
}

static __always_inline __be16 folded(__u32 total) {
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return bpf_htons(~total & 0xffff);
}

/*
 * A BPF program cannot wait: it drops a frame that comes too early, and the next frame asks again. After a long delay
 * the generator does not catch up: a burst would only fill the queue at the far end.
 */
static __always_inline int is_due(void) {
    __u64 now = bpf_ktime_get_ns();

    if (now < due) return 0;
    due = (now - due > BURST * interval ? now : due) + interval;
    return 1;
}

SEC("xdp")
int generate(struct xdp_md* ctx) {
    void *data = (void*)(long)ctx->data, *data_end = (void*)(long)ctx->data_end;

    if (count && sent >= count) return XDP_DROP;
    if (interval && !is_due()) return XDP_DROP;

    __u32 flow = next_flow();
    __u32 source = sources.first + flow / source_ports.count % sources.count;
    __u32 destination = destinations.first + flow % destinations.count;
    __u32 source_port = source_ports.first + flow % source_ports.count;
    __u32 destination_port = destination_ports.first + flow % destination_ports.count;
    __u32 ports = source_port << 16 | destination_port;
    __u32 addresses = halves(source) + halves(destination);

    if (data + TEMPLATE_SIZE > data_end) return XDP_ABORTED;
    for (int i = 0; i < TEMPLATE_SIZE / 8; i++) ((__u64*)data)[i] = ((const volatile __u64*)template_frame)[i];
    *(__be32*)(data + at.source) = bpf_htonl(source);
    *(__be32*)(data + at.destination) = bpf_htonl(destination);
    *(__be32*)(data + at.ports) = bpf_htonl(ports);
    if (at.ip_checksum) *(__be16*)(data + at.ip_checksum) = folded(ip_sum + addresses);
    /* In UDP a sum of 0 means none (RFC 768); to the receiver both forms of zero are the same. */
    *(__be16*)(data + at.checksum) = folded(sum + addresses + halves(ports)) ?: 0xffff;
    sent++;
    return bpf_redirect(out_ifindex, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
