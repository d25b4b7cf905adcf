#ifndef SXS_CDIGEST_H
#define SXS_CDIGEST_H

#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4) of many messages side by side: one in each 32-bit lane of the widest vectors. */

#define SXS_SHA256_WORDS 8
#define SXS_SHA256_BLOCK 64

/* With fewer messages than these, one after the other by the processor's instructions for SHA-256 takes less: a lane has a
   sixteenth of 4.2 GB/s, they have 2.1. */
#define SXS_SHA256_LEAST 8

struct sxs_sha256_state {
    uint32_t words[SXS_SHA256_WORDS];
};

/* Whether this processor can: it has AVX-512. */
int sxs_sha256_has_lanes(void);

/* One message, or the rest of one. */
struct sxs_sha256_job {
    /* The bytes that are to come. */
    const uint8_t *bytes;
    size_t count;
    /* Bytes that came before: a multiple of SXS_SHA256_BLOCK. */
    uint64_t before;
    /* In: the state after those, which a new message has from the standard. Out: the digest's words, unless `is_left`. */
    struct sxs_sha256_state state;
    /* Where the state goes after each `step` bytes of a new message, a multiple of SXS_SHA256_BLOCK, and how many times.
       Out: where the next would go, and how many times there were not. */
    struct sxs_sha256_state *steps;
    size_t step, step_count;
    /* Out: whether too few others were left for it to be worth while. What has been done is in `state` and `before`, and
       `bytes` and `count` are the rest. */
    int is_left;
};

/* Hashes messages; changes the order of the list. Not to be called unless sxs_sha256_has_lanes(). */
void sxs_sha256_many(struct sxs_sha256_job **jobs, size_t count);

#endif
