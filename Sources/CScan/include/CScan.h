/* The inner loops of the search for references, over every byte of a program's code. In C for the sake of vectors of 16
   and 32 bytes and of loops without checks: each reads only what `count` allows. */
#ifndef CSCAN_H
#define CSCAN_H

#include <stddef.h>
#include <stdint.h>

/* Addresses that are looked for: of those from `base` on, `span` of them, the ones whose bit is set. There is one bit
   for each 2^shift addresses, in words of 64, least significant first. Addresses are modulo 2^64. */
struct sxs_addresses {
    uint64_t base, span, shift;
    const uint64_t *bits;
};

/* Bytes that an instruction's immediate operand may have, between its distance and its end. */
#define SXS_LONGEST_IMMEDIATE 4

/* The first place from `from` on where four little-endian bytes, read anywhere, are an address that is wanted; `count`
   if there is none. */
size_t sxs_next_absolute(const uint8_t *bytes, size_t from, size_t count, const struct sxs_addresses *wanted);

/* The first place from `from` on of an x86-64 ModRM byte for a distance from the next instruction (mod 00, r/m 101)
   whose target is wanted if the instruction ends with the distance, or with the longest immediate; `count` if there is
   none. `address` is that of the first byte. */
size_t sxs_next_relative(
    const uint8_t *bytes, size_t from, size_t count, uint64_t address, const struct sxs_addresses *wanted);

#endif
