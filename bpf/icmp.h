/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors about translated packets (RFC 5508, REQ-4 and 5): the packet that an error quotes went the other way as
 * this packet goes, in its rewritten form. Turned around, its tuple is the key of the flow that the error belongs to,
 * and the flow's rewrite, turned around too, is what the quotation needs. So path MTU discovery works through NAT.
 */
#ifndef WEIR_ICMP_H
#define WEIR_ICMP_H

#include "bpf/checksum.h"
#include "bpf/parse.h"
#include "bpf/translate.h"
#include "bpf/unassured.h"

/* RFC 792 and RFC 4443; <linux/icmp.h> brings in headers that a BPF program cannot have. */
struct icmp_header {
    __u8 type;
    __u8 code;
    __u16 checksum;
    __be32 rest_be;
};

enum icmp_type {
    ICMP_ECHO_REPLY = 0,
    ICMP_UNREACHABLE = 3,
    ICMP_ECHO_REQUEST = 8,
    ICMP_TIME_EXCEEDED = 11,
    ICMP_PARAMETER_PROBLEM = 12,

    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_INFORMATIONAL = 128, /* this and everything above */
    ICMP6_ECHO_REQUEST = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_NEIGHBOUR_FIRST = 133, /* router solicitation, ... */
    ICMP6_NEIGHBOUR_LAST = 137,  /* ... redirect (RFC 4861) */
};

enum icmp_code {
    ICMP_PORT = 3,        /* unreachable */
    ICMP_FRAG_NEEDED = 4, /* unreachable */
    ICMP6_PORT = 4,       /* unreachable */
};

/* Where the quotation's transport header lies, and what it is. */
struct quotation {
    __u32 l4_offset;
    __u8 protocol;
};

static __always_inline int is_icmp_error(__u8 family, __u8 type)
{
    if (family == FAMILY_IPV6)
        return type < ICMP6_INFORMATIONAL;
    return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

static __always_inline int parse_quoted_ports(void *data, void *data_end, const struct packet *p,
                                              const struct quotation *quoted, __be16 *source_port,
                                              __be16 *destination_port)
{
    __be16 *ports = data + quoted->l4_offset;

    /* RFC 792 promises eight octets; behind the packet's end lies what no checksum covers. */
    if ((void *)(ports + 4) > data_end || quoted->l4_offset + 8 > p->end)
        return VERDICT_PASS_MALFORMED;
    if (quoted->protocol != IPPROTO_TCP && quoted->protocol != IPPROTO_UDP && quoted->protocol != IPPROTO_SCTP)
        return VERDICT_PASS_PROTOCOL;
    /* Turned around: the packet's source is where the error goes to. */
    *destination_port = ports[0];
    *source_port = ports[1];
    return UNDECIDED;
}

static __always_inline int parse_quotation4(void *data, void *data_end, struct quotation *quoted, struct packet *p)
{
    struct iphdr *ip = data + l4_offset_of(p) + ICMP_HEADER_LENGTH;

    if ((void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
        return VERDICT_PASS_MALFORMED;
    if (ip->frag_off & IPV4_FRAGMENT_OFFSET)
        return VERDICT_PASS_FRAGMENT;
    if (ip->saddr != p->key.v4.destination_be)
        return VERDICT_PASS_MALFORMED; /* not to the sender of what it quotes */
    quoted->l4_offset = l4_offset_of(p) + ICMP_HEADER_LENGTH + ip->ihl * 4;
    quoted->protocol = ip->protocol;
    p->key.v4.source_be = ip->daddr;
    p->key.v4.protocol = ip->protocol;
    return parse_quoted_ports(data, data_end, p, quoted, &p->key.v4.source_port_be, &p->key.v4.destination_port_be);
}

static __always_inline int parse_quotation6(void *data, void *data_end, struct quotation *quoted, struct packet *p)
{
    struct ipv6hdr *ip = data + l4_offset_of(p) + ICMP_HEADER_LENGTH;

    if ((void *)(ip + 1) > data_end || ip->version != 6)
        return VERDICT_PASS_MALFORMED;
    if (!same_address((struct address *)&ip->saddr, &p->key.v6.destination))
        return VERDICT_PASS_MALFORMED;
    quoted->l4_offset = l4_offset_of(p) + ICMP_HEADER_LENGTH + sizeof(*ip);
    quoted->protocol = ip->nexthdr;
    if (ip->nexthdr == IPPROTO_FRAGMENT) {
        struct ipv6_extension *ext = (void *)(ip + 1);
        if ((void *)(ext + 1) > data_end || ext->fragment_be & IPV6_FRAGMENT_OFFSET)
            return VERDICT_PASS_FRAGMENT;
        quoted->protocol = ext->next;
        quoted->l4_offset += 8;
    }
    __builtin_memcpy(&p->key.v6.source, &ip->daddr, sizeof(p->key.v6.source));
    p->key.v6.protocol = quoted->protocol;
    return parse_quoted_ports(data, data_end, p, quoted, &p->key.v6.source_port_be, &p->key.v6.destination_port_be);
}

/*
 * Rewrites the quotation's ports and, where it was quoted that far, its checksum. Answers by how much the sum of its
 * octets changes; addresses are the caller's.
 */
static __always_inline __u64 translate_quoted_ports(void *data, void *data_end, const struct packet *p,
                                                    const struct quotation *quoted, const struct flow *f)
{
    __be16 *ports = data + quoted->l4_offset;
    __u32 check_offset = quoted->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                         : __builtin_offsetof(struct udphdr, check);
    __u16 *check = (void *)ports + check_offset;
    __u64 sum = f->port_delta;

    if ((void *)(ports + 2) > data_end)
        return 0;
    ports[0] = f->destination_port_be;
    ports[1] = f->source_port_be;
    if (quoted->protocol == IPPROTO_SCTP || (void *)(check + 1) > data_end ||
        quoted->l4_offset + check_offset + sizeof(*check) > p->end)
        return sum; /* SCTP's checksum cannot be right: the packet is not quoted whole */
    if (quoted->protocol == IPPROTO_UDP && !*check)
        return sum;
    __u16 before = *check;
    *check = csum_apply(before, (__u32)f->address_delta + f->port_delta);
    if (quoted->protocol == IPPROTO_UDP && !*check)
        *check = 0xffff;
    return sum + (__u16)~before + *check;
}

/*
 * Where the flow's source is rewritten, the error comes from the new one too, whoever on the way has sent it: beyond
 * this node nobody knows the others, and the router that sent it would take its own address for a forgery (nf_nat does
 * the same).
 */
static __always_inline int translate_error4(void *data, void *data_end, const struct quotation *quoted,
                                            const struct packet *p, const struct flow *f, int forwarded)
{
    const struct flow4 *f4 = (const struct flow4 *)f;
    struct iphdr *outer = data + ETH_HLEN, *inner;
    struct {
        struct icmp_header icmp;
        struct iphdr quoted_ip;
    } *message = data + l4_offset_of(p);

    if ((void *)(outer + 1) > data_end || (void *)(message + 1) > data_end)
        return VERDICT_PASS_MALFORMED;
    inner = &message->quoted_ip;
    __u64 sum = csum_difference_word(0, outer->daddr, f4->destination_be);
    if (f4->source_be != p->key.v4.source_be) {
        sum = csum_difference_word(sum, outer->saddr, f4->source_be);
        outer->saddr = f4->source_be;
    }
    outer->daddr = f4->destination_be;
    outer->check = csum_apply(outer->check, csum_fold(sum) + (forwarded ? TTL_DELTA : 0));
    if (forwarded)
        outer->ttl = p->ttl - 1;
    /* The quotation's addresses and its header checksum cancel out in the sum of the message. */
    inner->saddr = f4->destination_be;
    inner->daddr = f4->source_be;
    inner->check = csum_apply(inner->check, f->address_delta);
    sum = translate_quoted_ports(data, data_end, p, quoted, f);
    message->icmp.checksum = csum_apply(message->icmp.checksum, csum_fold(sum));
    return UNDECIDED;
}

static __always_inline int translate_error6(context *ctx, void *data, void *data_end, const struct quotation *quoted,
                                            const struct packet *p, const struct flow *f, int forwarded)
{
    const struct flow6 *f6 = (const struct flow6 *)f;
    struct ipv6hdr *outer = data + ETH_HLEN, *inner;
    struct {
        struct icmp_header icmp;
        struct ipv6hdr quoted_ip;
    } *message = data + l4_offset_of(p);

    if ((void *)(outer + 1) > data_end || (void *)(message + 1) > data_end)
        return VERDICT_PASS_MALFORMED;
    inner = &message->quoted_ip;
    /* ICMPv6 sums a pseudo-header too; the quotation has no header checksum. */
    __u64 sum = csum_difference(f->address_delta, &p->key.v6.destination, &f6->destination);
    if (!same_address(&f6->source, &p->key.v6.source)) {
        sum = csum_difference(sum, (struct address *)&outer->saddr, &f6->source);
        __builtin_memcpy(&outer->saddr, &f6->source, sizeof(outer->saddr));
    }
    __builtin_memcpy(&outer->daddr, &f6->destination, sizeof(outer->daddr));
    if (forwarded)
        outer->hop_limit = p->ttl - 1;
    __builtin_memcpy(&inner->saddr, &f6->destination, sizeof(inner->saddr));
    __builtin_memcpy(&inner->daddr, &f6->source, sizeof(inner->daddr));
    sum += translate_quoted_ports(data, data_end, p, quoted, f);
    message->icmp.checksum = csum_apply(message->icmp.checksum, csum_fold(sum));
    if (forwarded)
        context_sum_changed(ctx, 0, 1);
    return UNDECIDED;
}

/*
 * What the quotation belongs to. Answers UNDECIDED with *found set, and p->key the flow's; the flow itself is left
 * alone: errors are easily forged, so they neither keep it alive nor move it on.
 */
static __always_inline int icmp_flow(context *ctx, struct packet *p, __u8 family, struct quotation *quoted,
                                     struct flow **found)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    __u8 *type = data + l4_offset_of(p);

    if (p->protocol != (family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return VERDICT_PASS_PROTOCOL;
    if ((void *)(type + 1) > data_end)
        return VERDICT_PASS_MALFORMED;
    if (!is_icmp_error(family, *type))
        return VERDICT_PASS_PROTOCOL;
    int verdict = family == FAMILY_IPV4 ? parse_quotation4(data, data_end, quoted, p)
                                        : parse_quotation6(data, data_end, quoted, p);
    if (verdict != UNDECIDED)
        return verdict;
    struct flow6_key tuple;
    tuple_of(p, family, &tuple);
    *found = flow_find(family, &tuple);
    return *found ? UNDECIDED : VERDICT_PASS_NO_FRONTEND;
}

static __always_inline int icmp_translate(context *ctx, const struct packet *p, __u8 family,
                                          const struct quotation *quoted, const struct flow *f, int forwarded)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;

    if ((void *)(eth + 1) > data_end)
        return VERDICT_PASS_MALFORMED;
    if (forwarded)
        ethernet_forward(eth, p, f);
    if (family == FAMILY_IPV4)
        return translate_error4(data, data_end, quoted, p, f, forwarded);
    return translate_error6(ctx, data, data_end, quoted, p, f, forwarded);
}

#endif
