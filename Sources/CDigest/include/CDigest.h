#ifndef SXS_CDIGEST_H
#define SXS_CDIGEST_H

#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4) of several messages side by side, by the processor's instructions for it. */

#define SXS_SHA256_WORDS 8
#define SXS_SHA256_BLOCK 64

/* Messages that are side by side at most: one alone takes 2.1 GB/s, two 3.2, three 3.5, four 3.8. Eight would take 4.1, but so
   many are rarely there, and imports gained nothing. */
#define SXS_SHA256_STREAMS 4

struct sxs_sha256_state {
    uint32_t words[SXS_SHA256_WORDS];
};

/* Whether this processor can. */
int sxs_sha256_has_streams(void);

/* One message, or a part of one. */
struct sxs_sha256_job {
    /* The bytes that are to come. Out: those that were not taken. */
    const uint8_t *bytes;
    size_t count;
    /* Bytes that came before: a multiple of SXS_SHA256_BLOCK. Out: those that came before what is left. */
    uint64_t before;
    /* In: the state after those, which a new message has from the standard. Out: the digest's words, or the state after what
       was taken of an open one. */
    struct sxs_sha256_state state;
    /* Where the state goes after each `step` bytes of the message, a multiple of SXS_SHA256_BLOCK, and how many times. Out:
       where the next would go, and how many times there were not. */
    struct sxs_sha256_state *steps;
    size_t step, step_count;
    /* Whether more is to come later: nothing is put behind, and `count` is a multiple of SXS_SHA256_BLOCK. */
    int is_open;
    /* Out: whether nothing is left of it. */
    int is_done;
    /* What follows an open one, with `before` and `state` yet to be known; or NULL. */
    struct sxs_sha256_job *next;
};

/* Hashes messages, and as much of others that keep them company as is done while they go on. Companions are open, not empty,
   and fewer than SXS_SHA256_STREAMS. Returns how many messages are not done, as there may be new companions after some time:
   the list begins with these then, and its order is another. Not to be called unless sxs_sha256_has_streams(). */
size_t sxs_sha256_many(
    struct sxs_sha256_job **jobs, size_t count, struct sxs_sha256_job **companions, size_t companion_count);

#endif
