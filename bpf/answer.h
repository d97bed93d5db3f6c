/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers a packet in its addressee's place: with a RST, an ICMP error or a ping's reply. The answer is made out of the
 * packet itself and goes back where the packet came from.
 */
#ifndef WEIR_ANSWER_H
#define WEIR_ANSWER_H

#include "bpf/config.h"
#include "bpf/icmp.h"
#include "bpf/node.h"

/* The TTL of an answer's own header, as Linux' ip_default_ttl (RFC 1700). */
#define ANSWER_TTL 64

/*
 * Octets of the transport header that we quote. TCP's checksum is among them: an skb whose checksum the device is to
 * fill in must not lose the place for it.
 */
#define QUOTED_L4_LENGTH 20
/* Words of 4 octets that we quote at most; longer chains of headers are cut. */
#define QUOTED_WORDS_MAX 32

/*
 * A flood of packets that get an answer would make us send as much as we receive. So a CPU gives this many answers in a
 * tick, 15,000 a second. Linux itself gives 1,000 ICMP errors a second (icmp_msgs_per_sec).
 */
#define ANSWERS_PER_TICK 256

struct answer_budget {
    __u32 tick;
    __u32 given;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct answer_budget);
} answer_budgets SEC(".maps");

static __always_inline int budget_allows(void)
{
    __u32 key = 0, now = now_ticks();
    struct answer_budget *budget = bpf_map_lookup_elem(&answer_budgets, &key);

    if (!budget)
        return 0;
    if (budget->tick != now) {
        budget->tick = now;
        budget->given = 0;
    }
    return budget->given++ < ANSWERS_PER_TICK;
}

static __always_inline void ethernet_turn(struct ethhdr *eth, const struct ethhdr *from)
{
    __builtin_memcpy(eth->h_dest, from->h_source, ETH_ALEN);
    __builtin_memcpy(eth->h_source, from->h_dest, ETH_ALEN);
    eth->h_proto = from->h_proto;
}

/*
 * Returns the sum over a pseudo-header (RFC 793, RFC 8200 section 8.1): the addresses of the tuple, protocol and
 * length. The prefixes of two mapped IPv4 addresses add up to minus zero.
 */
static __always_inline __u64 pseudo_header_sum(const struct flow6_key *tuple, __u8 protocol, __u32 length)
{
    __u64 sum = bpf_htonl(length) + (__u64)bpf_htonl(protocol);

    for (int i = 0; i < 4; i++)
        sum += (__u64)tuple->source.words_be[i] + tuple->destination.words_be[i];
    return sum;
}

/* Writes the IP header of an answer. octets: what follows the header. */
static __always_inline int write_ip_header(void *data, void *data_end, __u8 family, const struct address *from,
                                           const struct address *to, __u8 protocol, __u16 octets)
{
    if (family == FAMILY_IPV4) {
        struct iphdr *ip = data + ETH_HLEN;
        __u32 *words = (void *)ip;
        __u64 sum = 0;
        if ((void *)(ip + 1) > data_end)
            return -1;
        __builtin_memset(ip, 0, sizeof(*ip));
        ip->version = 4;
        ip->ihl = 5;
        ip->tot_len = bpf_htons(sizeof(*ip) + octets);
        ip->frag_off = bpf_htons(0x4000); /* don't fragment: so the identification may be 0 (RFC 6864) */
        ip->ttl = ANSWER_TTL;
        ip->protocol = protocol;
        ip->saddr = from->words_be[3];
        ip->daddr = to->words_be[3];
        for (int i = 0; i < 5; i++)
            sum += words[i];
        ip->check = ~csum_fold(sum);
    } else {
        struct ipv6hdr *ip = data + ETH_HLEN;
        if ((void *)(ip + 1) > data_end)
            return -1;
        __builtin_memset(ip, 0, sizeof(*ip));
        ip->version = 6;
        ip->payload_len = bpf_htons(octets);
        ip->nexthdr = protocol;
        ip->hop_limit = ANSWER_TTL;
        __builtin_memcpy(&ip->saddr, from, sizeof(ip->saddr));
        __builtin_memcpy(&ip->daddr, to, sizeof(ip->daddr));
    }
    return 0;
}

/*
 * Can the packet be turned into a RST? IP options or extension headers would have to be cut out, and an skb that waits
 * for its checksum cannot be told that the checksum's place has moved. Such a packet gets an ICMP error instead.
 */
static __always_inline int rst_fits(const struct packet *p, __u8 family)
{
    return p->kind == PACKET_WHOLE && p->protocol == IPPROTO_TCP &&
           p->l4_offset == ETH_HLEN + (family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* Turns a TCP packet into a RST. It takes its number from the ACK, or else acknowledges what came (RFC 9293, 3.5.2). */
static __always_inline int answer_rst(context *ctx, const struct packet *p, __u8 family, const struct flow6_key *tuple)
{
    const __u32 l4_offset = ETH_HLEN + (family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
    void *data = context_data(ctx), *data_end = context_data_end(ctx);
    struct tcphdr *tcp = data + l4_offset;
    struct ethhdr *eth = data, from;

    if ((void *)(tcp + 1) > data_end || tcp->doff * 4 > p->end - l4_offset)
        return -1;
    __u32 consumed = p->end - l4_offset - tcp->doff * 4;
    consumed += !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
    __be32 number = tcp->seq, acknowledged = tcp->ack_seq;
    from = *eth;
    if (context_reshape(ctx, l4_offset + sizeof(*tcp), 0))
        return -1;

    data = context_data(ctx);
    data_end = context_data_end(ctx);
    eth = data;
    tcp = data + l4_offset;
    if ((void *)(tcp + 1) > data_end ||
        write_ip_header(data, data_end, family, &tuple->destination, &tuple->source, IPPROTO_TCP, sizeof(*tcp)))
        return -1;
    ethernet_turn(eth, &from);
    __builtin_memset(tcp, 0, sizeof(*tcp));
    tcp->source = tuple->destination_port_be;
    tcp->dest = tuple->source_port_be;
    tcp->doff = sizeof(*tcp) / 4;
    tcp->rst = 1;
    if (p->tcp_flags & TCP_ACK) {
        tcp->seq = acknowledged;
    } else {
        tcp->ack = 1;
        tcp->ack_seq = bpf_htonl(bpf_ntohl(number) + consumed);
    }
    __u32 *words = (void *)tcp;
    __u64 sum = 0;
    for (int i = 0; i < 5; i++)
        sum += words[i];
    __u16 pseudo = csum_fold(pseudo_header_sum(tuple, IPPROTO_TCP, sizeof(*tcp)));
    return context_write_checksum(ctx, l4_offset + __builtin_offsetof(struct tcphdr, check), pseudo, csum_fold(sum));
}

struct icmp_error {
    __u8 type;
    __u8 code;
    __u8 from_node; /* such a message comes from a router: from the node, not from the addressee */
    __be32 rest_be;
};

static __always_inline struct icmp_error error_of(enum verdict verdict, __u8 family, __u32 mtu)
{
    struct icmp_error error = {0};
    int v4 = family == FAMILY_IPV4;

    if (verdict == VERDICT_ANSWER_TOO_BIG) {
        error.type = v4 ? ICMP_UNREACHABLE : ICMP6_TOO_BIG;
        error.code = v4 ? ICMP_FRAG_NEEDED : 0;
        error.rest_be = bpf_htonl(mtu); /* IPv4 has it in the lower 16 bits (RFC 1191) */
        error.from_node = 1;
    } else if (verdict == VERDICT_ANSWER_TTL) {
        error.type = v4 ? ICMP_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED;
        error.from_node = 1;
    } else {
        error.type = v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
        error.code = v4 ? ICMP_PORT : ICMP6_PORT;
    }
    return error;
}

/* Turns a packet into an ICMP error that quotes it (RFC 792, RFC 4443 section 3). */
static __always_inline int answer_icmp(context *ctx, const struct packet *p, __u8 family, struct flow6_key *tuple,
                                       enum verdict verdict, __u32 mtu)
{
    const __u32 ip_length = family == FAMILY_IPV4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
    const __u32 quote_offset = ETH_HLEN + ip_length + ICMP_HEADER_LENGTH;
    struct icmp_error error = error_of(verdict, family, mtu);
    void *data = context_data(ctx), *data_end = context_data_end(ctx);
    struct ethhdr *eth = data, from;
    __u32 end = l4_offset_of(p) + QUOTED_L4_LENGTH < p->end ? l4_offset_of(p) + QUOTED_L4_LENGTH : p->end;
    __u32 words = (end - ETH_HLEN) / 4; /* whole words: the sum below goes by them */

    if ((void *)(eth + 1) > data_end)
        return -1;
    if (words > QUOTED_WORDS_MAX)
        words = QUOTED_WORDS_MAX;
    from = *eth;
    __u32 pending = context_checksum_pending(ctx, p);
    if (context_reshape(ctx, ETH_HLEN + words * 4, ip_length + ICMP_HEADER_LENGTH))
        return -1;

    if (error.from_node) {
        struct address node;
        if (node_address(family, &node))
            tuple->destination = node;
    }
    data = context_data(ctx);
    data_end = context_data_end(ctx);
    eth = data;
    struct icmp_header *icmp = data + ETH_HLEN + ip_length;
    __u8 protocol = family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    if ((void *)(icmp + 1) > data_end || write_ip_header(data, data_end, family, &tuple->destination, &tuple->source,
                                                         protocol, ICMP_HEADER_LENGTH + words * 4))
        return -1;
    ethernet_turn(eth, &from);
    icmp->type = error.type;
    icmp->code = error.code;
    icmp->checksum = 0;
    icmp->rest_be = error.rest_be;

    __u64 sum = *(__u32 *)icmp + (__u64)error.rest_be;
    /*
     * If the checksum is pending, the device will still fill it in, inside our quotation. The octets from the transport
     * header on will then add up to the complement of what the checksum field holds now.
     */
    __u32 summed = pending ? (l4_offset_of(p) - ETH_HLEN) / 4 : words;
    for (__u32 i = 0; i < QUOTED_WORDS_MAX && i < summed; i++) {
        __u32 *word = data + quote_offset + i * 4;
        /* Without the barrier clang computes with data_end ahead of the loop, which no verifier allows. */
        barrier_var(word);
        if ((void *)(word + 1) > data_end)
            return -1;
        sum += *word;
    }
    if (pending)
        sum += (__u16) ~(pending & 0xffff);
    if (family == FAMILY_IPV6)
        sum += pseudo_header_sum(tuple, protocol, ICMP_HEADER_LENGTH + words * 4);
    icmp->checksum = ~csum_fold(sum);
    return 0;
}

/* Turns a ping into its reply (RFC 792, RFC 4443 section 4.2). */
static __always_inline int answer_echo(context *ctx, const struct packet *p, __u8 family)
{
    void *data = context_data(ctx), *data_end = context_data_end(ctx);
    struct ethhdr *eth = data, from;
    struct icmp_header *icmp = data + l4_offset_of(p);

    if ((void *)(eth + 1) > data_end || (void *)(icmp + 1) > data_end)
        return -1;
    from = *eth;
    ethernet_turn(eth, &from);
    __u8 type = family == FAMILY_IPV4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
    icmp->checksum = csum_apply(icmp->checksum, csum_fold(csum_difference_port(0, icmp->type, type)));
    icmp->type = type;
    if (family == FAMILY_IPV4) {
        struct iphdr *ip = data + ETH_HLEN;
        if ((void *)(ip + 1) > data_end)
            return -1;
        ip->saddr = p->key.v4.destination_be;
        ip->daddr = p->key.v4.source_be;
        ip->check = csum_apply(ip->check, csum_fold(csum_difference_port(0, ip->ttl, ANSWER_TTL)));
        ip->ttl = ANSWER_TTL;
    } else {
        struct ipv6hdr *ip = data + ETH_HLEN;
        if ((void *)(ip + 1) > data_end)
            return -1;
        __builtin_memcpy(&ip->saddr, &p->key.v6.destination, sizeof(ip->saddr));
        __builtin_memcpy(&ip->daddr, &p->key.v6.source, sizeof(ip->daddr));
        ip->hop_limit = ANSWER_TTL;
    }
    return 0;
}

/* Is the source a single host, and was the frame sent to this node alone? Else no answer is due (RFC 1122, 3.2.2). */
static __always_inline int may_be_answered(context *ctx, const struct flow6_key *tuple, __u8 family)
{
    const __u8 *source = tuple->source.bytes;
    const __u8 *mac = context_data(ctx);

    if ((void *)(mac + ETH_ALEN) > context_data_end(ctx) || mac[0] & 1)
        return 0;
    if (family == FAMILY_IPV4)
        return source[12] != 0 && source[12] != 127 && source[12] < 224;
    return source[0] != 0xff && (tuple->source.words_be[0] | tuple->source.words_be[1] | tuple->source.words_be[2]);
}

static __always_inline int answer_of_family(context *ctx, const struct packet *p, __u8 family, int verdict, __u32 mtu)
{
    struct flow6_key tuple;
    int failed;

    tuple_of(p, family, &tuple);
    if (!may_be_answered(ctx, &tuple, family) || p->kind == PACKET_LATER_FRAGMENT || p->kind == PACKET_OTHER)
        return VERDICT_DROP_NO_ANSWER;
    if (!budget_allows())
        return VERDICT_DROP_ANSWER_LIMIT;
    if (verdict == VERDICT_ECHO_REPLY) {
        failed = answer_echo(ctx, p, family);
    } else if (p->kind == PACKET_ICMP) {
        return VERDICT_DROP_NO_ANSWER; /* an error about an error */
    } else if (verdict == VERDICT_ANSWER_TOO_BIG || verdict == VERDICT_ANSWER_TTL) {
        failed = answer_icmp(ctx, p, family, &tuple, verdict, mtu);
    } else if (p->tcp_flags & TCP_RST) {
        return VERDICT_DROP_NO_ANSWER;
    } else if (rst_fits(p, family)) {
        failed = answer_rst(ctx, p, family, &tuple);
    } else {
        failed = answer_icmp(ctx, p, family, &tuple, verdict, mtu);
    }
    return failed ? VERDICT_DROP_NO_ANSWER : verdict;
}

/*
 * Makes the answer that the verdict promises. Returns the verdict, or the drop that it has come to. mtu: see struct
 * decision. Global: see next_hop_find.
 */
__noinline int answer(context *ctx, const struct packet *p, __u32 family, int verdict, __u32 mtu)
{
    if (!p)
        return VERDICT_DROP_NO_ANSWER;
    if (family == FAMILY_IPV4)
        return answer_of_family(ctx, p, FAMILY_IPV4, verdict, mtu);
    return answer_of_family(ctx, p, FAMILY_IPV6, verdict, mtu);
}

#endif
