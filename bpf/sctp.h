/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SCTP's checksum (CRC-32C, RFC 9260 appendix A) after a change of ports. A CRC is linear: the new one is the old one
 * plus that of {old xor new ports, zeros}, and zeros behind a message multiply its CRC by a power of x. So the change
 * costs the same however long the packet is, and an skb's fragments need not be read.
 */
#ifndef WEIR_SCTP_H
#define WEIR_SCTP_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define SCTP_CHECKSUM_OFFSET 8

/* Bit-reflected, as everything here: bit 31 is x^0. */
#define CRC32C_POLYNOMIAL 0x82f63b78

static __always_inline __u32 crc32c_multiply(__u32 a, __u32 b)
{
    __u32 product = 0;

    for (int i = 0; i < 32; i++) {
        /* Masks instead of branches: each branch would double the verifier's work. */
        product ^= b & -(a >> 31);
        a <<= 1;
        b = (b >> 1) ^ (CRC32C_POLYNOMIAL & -(b & 1));
    }
    return product;
}

/* x^(8 * 2^n) */
static const __u32 crc32c_powers[16] = {
    0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
    0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/*
 * Returns what has to be xored into the checksum. ports: old xor new, the four octets as they lie in memory. length:
 * that of the SCTP packet. Global, so that the verifier looks at it once.
 */
__noinline __u32 sctp_checksum_change(__u32 ports, __u32 length)
{
    __u32 crc = crc32c_multiply(ports, crc32c_powers[2]); /* the 32 bits of the ports themselves */
    __u32 zeros = length - 4;

    for (int i = 0; i < 16; i++)
        if (zeros & (1 << i))
            crc = crc32c_multiply(crc, crc32c_powers[i]);
    return crc;
}

#endif
