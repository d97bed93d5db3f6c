/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the flow of an ICMP error and rewrites the error (RFC 5508, REQ-4 and 5). The packet that it quotes went the
 * other way, in its rewritten form. Turned around, its tuple is the key of the flow that the error belongs to, and the
 * flow's rewrite, turned around too, is what the quotation needs. So path MTU discovery works through NAT.
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

static __always_inline int is_icmp_error(__u8 family, __u8 type)
{
    if (family == FAMILY_IPV6)
        return type < ICMP6_INFORMATIONAL;
    return type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* The part of the packet that an ICMP error quotes that the rewrite needs. */
struct quotation {
    struct flow6_key reply; /* the quoted tuple, turned around */
    __u32 l4_offset;        /* of the quoted transport header, in the frame */
    __u32 protocol;
};

/* Reads the quoted packet, which must be one that the error's addressee has sent. */
static __always_inline int parse_quotation_of_family(context *ctx, const struct packet *p, __u8 family,
                                                     struct packet *quoted)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    __u32 offset = l4_offset_of(p) + ICMP_HEADER_LENGTH;
    int verdict, is_senders;

    quoted->end = p->end;
    if (family == FAMILY_IPV4) {
        verdict = parse_ipv4(ctx, data, data_end, offset, EXTENT_QUOTATION, quoted);
        is_senders = quoted->key.v4.source_be == p->key.v4.destination_be;
    } else {
        verdict = parse_ipv6(ctx, data, data_end, offset, EXTENT_QUOTATION, quoted);
        is_senders = same_address(&quoted->key.v6.source, &p->key.v6.destination);
    }
    if (verdict != UNDECIDED)
        return verdict;
    if (quoted->kind == PACKET_LATER_FRAGMENT)
        return VERDICT_PASS_FRAGMENT;
    if (!is_senders)
        return VERDICT_PASS_MALFORMED;
    return quoted->kind == PACKET_ICMP || quoted->kind == PACKET_OTHER ? VERDICT_PASS_PROTOCOL : UNDECIDED;
}

static __always_inline int read_quotation(context *ctx, const struct packet *p, __u8 family,
                                          struct quotation *quotation)
{
    struct packet quoted = {0};
    struct flow6_key tuple;
    int verdict = parse_quotation_of_family(ctx, p, family, &quoted);

    if (verdict != UNDECIDED)
        return verdict;
    tuple_of(&quoted, family, &tuple);
    tuple_reverse(&tuple, &quotation->reply);
    quotation->l4_offset = quoted.l4_offset;
    quotation->protocol = quoted.protocol;
    return UNDECIDED;
}

/*
 * Global, so that the verifier walks the extension headers once: inlined, each of their exits goes on through the flow
 * lookup and the rewrite, which doubles its work. struct packet stays on this function's stack, since that of the
 * caller is nearly full where Linux rounds a frame up to 32 octets (before 6.8).
 */
__noinline int parse_quotation(context *ctx, const struct packet *p, __u32 family, struct quotation *quoted)
{
    if (!p || !quoted)
        return VERDICT_PASS_MALFORMED;
    if (family == FAMILY_IPV4)
        return read_quotation(ctx, p, FAMILY_IPV4, quoted);
    return read_quotation(ctx, p, FAMILY_IPV6, quoted);
}

static __always_inline __u32 quoted_l4_offset(const struct quotation *quoted)
{
    return quoted->l4_offset & HEADERS_MAX;
}

/*
 * Rewrites the quotation's ports and, where it is quoted that far, its checksum. Returns by how much the sum of its
 * octets changes; its addresses are the caller's.
 */
static __always_inline __u64 translate_quoted_ports(void *data, void *data_end, const struct packet *p,
                                                    const struct quotation *quoted, const struct flow *f)
{
    __be16 *ports = data + quoted_l4_offset(quoted);
    __u32 check_offset = quoted->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
                                                         : __builtin_offsetof(struct udphdr, check);
    __u16 *check = (void *)ports + check_offset;

    if ((void *)(ports + 2) > data_end)
        return 0;
    __u64 sum = csum_difference_port(0, ports[0], f->destination_port_be);
    sum = csum_difference_port(sum, ports[1], f->source_port_be);
    ports[0] = f->destination_port_be;
    ports[1] = f->source_port_be;
    if (quoted->protocol == IPPROTO_SCTP || (void *)(check + 1) > data_end ||
        quoted_l4_offset(quoted) + check_offset + sizeof(*check) > p->end)
        return sum; /* SCTP's checksum is left as it is: it covers the whole packet, and only a part is quoted */
    if (quoted->protocol == IPPROTO_UDP && !*check)
        return sum;
    __u16 before = *check;
    *check = csum_apply(before, f->address_delta + (__u32)sum);
    if (quoted->protocol == IPPROTO_UDP && !*check)
        *check = 0xffff;
    return sum + (__u16)~before + *check;
}

/*
 * Rewrites the error and what it quotes. Where the flow's source is rewritten, the error gets the new source too,
 * whichever router has sent it: hosts beyond this node know only that address, and the router that sent the packet
 * would take its own address for a forgery (nf_nat does the same).
 */
static __always_inline int translate_error4(void *data, void *data_end, const struct packet *p,
                                            const struct quotation *quoted, const struct flow *f, int forwarded)
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
    if (f4->source_be != quoted->reply.source.words_be[3]) {
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

static __always_inline int translate_error6(context *ctx, void *data, void *data_end, const struct packet *p,
                                            const struct quotation *quoted, const struct flow *f, int forwarded)
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
    if (!same_address(&f6->source, &quoted->reply.source)) {
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
 * Finds the flow that an ICMP error is about. Returns UNDECIDED with *quoted and *found filled in. The flow itself
 * stays as it is: an error is easily forged, so it neither keeps the flow alive nor changes its state.
 */
static __always_inline int icmp_flow(context *ctx, const struct packet *p, __u8 family, struct quotation *quoted,
                                     struct flow **found)
{
    __u8 *type = context_data(ctx) + l4_offset_of(p);

    if (p->protocol != (family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
        return VERDICT_PASS_PROTOCOL;
    if ((void *)(type + 1) > context_data_end(ctx))
        return VERDICT_PASS_MALFORMED;
    if (!is_icmp_error(family, *type))
        return VERDICT_PASS_PROTOCOL;
    int verdict = parse_quotation(ctx, p, family, quoted);
    if (verdict != UNDECIDED)
        return verdict;
    *found = flow_find(family, &quoted->reply);
    return *found ? UNDECIDED : VERDICT_PASS_NO_FRONTEND;
}

static __always_inline int icmp_translate(context *ctx, const struct packet *p, const struct quotation *quoted,
                                          const struct decision *d, __u8 family, const struct flow *f, int forwarded)
{
    void *data = context_data(ctx);
    void *data_end = context_data_end(ctx);
    struct ethhdr *eth = data;

    if ((void *)(eth + 1) > data_end)
        return VERDICT_PASS_MALFORMED;
    if (forwarded)
        ethernet_forward(eth, d, f);
    if (family == FAMILY_IPV4)
        return translate_error4(data, data_end, p, quoted, f, forwarded);
    return translate_error6(ctx, data, data_end, p, quoted, f, forwarded);
}

#endif
