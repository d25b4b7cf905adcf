/* The inner loops of the search for references, over every byte of a program's code. In C for the sake of 16-byte
   vectors and of loops without checks: each reads only what `count` allows. */
#ifndef CSCAN_H
#define CSCAN_H

#include <stddef.h>
#include <stdint.h>

/* The first place from `from` on where four little-endian bytes, read anywhere, are an address in
   [base, base + length); `count` if there is none. */
size_t sxs_next_absolute(const uint8_t *bytes, size_t from, size_t count, uint32_t base, uint32_t length);

/* The first place from `from` on of an x86-64 ModRM byte for a distance from the next instruction (mod 00, r/m 101)
   whose target, were the instruction to end with the distance, is in [base, base + length); `count` if there is
   none. `address` is that of the first byte. Addresses are modulo 2^64. */
size_t sxs_next_relative(
    const uint8_t *bytes, size_t from, size_t count, uint64_t address, uint64_t base, uint64_t length);

#endif
