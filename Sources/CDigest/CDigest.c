#include "CDigest.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw")))

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

int sxs_sha256_has_lanes(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

/* What a lane is at: a message's whole blocks, then its last one or two, which are padded. */
struct lane {
    struct sxs_sha256_job *job;
    const uint8_t *bytes;
    /* Blocks until something is to be done: a step's end, that of the whole blocks, or of the padded ones; and those since. */
    size_t blocks, done;
    int is_last;
    uint8_t tail[2 * SXS_SHA256_BLOCK];
};

#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define ADD(a, b) _mm512_add_epi32(a, b)
#define ROR(a, n) _mm512_ror_epi32(a, n)

/* Turns sixteen lanes' blocks into sixteen words of all lanes. */
TARGET static inline __attribute__((always_inline)) void transpose(__m512i w[LANES]) {
    __m512i t[LANES];
    for (int i = 0; i < 16; i += 4) {
        const __m512i a = _mm512_unpacklo_epi32(w[i], w[i + 1]), b = _mm512_unpackhi_epi32(w[i], w[i + 1]);
        const __m512i c = _mm512_unpacklo_epi32(w[i + 2], w[i + 3]), d = _mm512_unpackhi_epi32(w[i + 2], w[i + 3]);
        t[i] = _mm512_unpacklo_epi64(a, c);
        t[i + 1] = _mm512_unpackhi_epi64(a, c);
        t[i + 2] = _mm512_unpacklo_epi64(b, d);
        t[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
    /* Now t[i + j] has word 4q + j of lanes i to i + 3 in its quarter q. */
    for (int j = 0; j < 4; j++) {
        const __m512i a = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x44), b = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xee);
        const __m512i c = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x44), d = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xee);
        w[j] = _mm512_shuffle_i32x4(a, c, 0x88);
        w[4 + j] = _mm512_shuffle_i32x4(a, c, 0xdd);
        w[8 + j] = _mm512_shuffle_i32x4(b, d, 0x88);
        w[12 + j] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

/* Takes so many blocks of every lane into the states, which are words of all lanes. Idle lanes have a block that counts for
   nothing, again and again. */
TARGET static void take_blocks(__m512i state[SXS_SHA256_WORDS], const uint8_t *bytes[LANES], const size_t stride[LANES], size_t blocks) {
    const __m512i swap = _mm512_broadcast_i32x4(_mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
    __m512i s[8];
    for (int i = 0; i < 8; i++) s[i] = state[i];
    for (; blocks > 0; blocks--) {
        __m512i w[LANES];
        for (int i = 0; i < LANES; i++) {
            w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(bytes[i]), swap);
            bytes[i] += stride[i];
        }
        transpose(w);
        __m512i a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#pragma clang loop unroll(full)
        for (int t = 0; t < 64; t++) {
            if (t >= 16) {
                const __m512i x = w[(t - 15) & 15], y = w[(t - 2) & 15];
                const __m512i s0 = XOR3(ROR(x, 7), ROR(x, 18), _mm512_srli_epi32(x, 3));
                const __m512i s1 = XOR3(ROR(y, 17), ROR(y, 19), _mm512_srli_epi32(y, 10));
                w[t & 15] = ADD(ADD(w[t & 15], s0), ADD(w[(t - 7) & 15], s1));
            }
            const __m512i sum1 = XOR3(ROR(e, 6), ROR(e, 11), ROR(e, 25));
            const __m512i choice = _mm512_ternarylogic_epi32(e, f, g, 0xca);
            /* One addition more, and the way from one round's e to the next's is two shorter. */
            const __m512i known = ADD(ADD(h, _mm512_set1_epi32((int)K[t])), w[t & 15]);
            const __m512i first = ADD(ADD(known, choice), sum1);
            const __m512i next = ADD(ADD(ADD(known, d), choice), sum1);
            const __m512i sum0 = XOR3(ROR(a, 2), ROR(a, 13), ROR(a, 22));
            const __m512i majority = _mm512_ternarylogic_epi32(a, b, c, 0xe8);
            h = g, g = f, f = e, e = next, d = c, c = b, b = a;
            a = ADD(first, ADD(sum0, majority));
        }
        s[0] = ADD(s[0], a), s[1] = ADD(s[1], b), s[2] = ADD(s[2], c), s[3] = ADD(s[3], d);
        s[4] = ADD(s[4], e), s[5] = ADD(s[5], f), s[6] = ADD(s[6], g), s[7] = ADD(s[7], h);
    }
    for (int i = 0; i < 8; i++) state[i] = s[i];
}

/* The last bytes with what FIPS 180-4, 5.1.1, puts behind them. */
static void pad(struct lane *lane) {
    struct sxs_sha256_job *job = lane->job;
    const uint64_t bits = (job->before + job->count) * 8;
    const size_t length = job->count % SXS_SHA256_BLOCK;
    lane->blocks = length + 9 > SXS_SHA256_BLOCK ? 2 : 1;
    memset(lane->tail, 0, sizeof lane->tail);
    if (length > 0) memcpy(lane->tail, lane->bytes, length);
    lane->tail[length] = 0x80;
    uint8_t *end = lane->tail + lane->blocks * SXS_SHA256_BLOCK;
    for (int i = 1; i <= 8; i++) end[-i] = (uint8_t)(bits >> (8 * (i - 1)));
    lane->bytes = lane->tail;
    lane->is_last = 1;
}

/* What a lane does next with its message. */
static void plan(struct lane *lane) {
    struct sxs_sha256_job *job = lane->job;
    lane->done = 0;
    const size_t whole = job->count / SXS_SHA256_BLOCK;
    if (whole == 0) {
        pad(lane);
        return;
    }
    lane->blocks = whole;
    if (job->step_count > 0 && job->step / SXS_SHA256_BLOCK < whole) lane->blocks = job->step / SXS_SHA256_BLOCK;
}

/* The longest first: so lanes that find no other message are idle for the shortest time. */
static int compare(const void *left, const void *right) {
    const size_t a = (*(struct sxs_sha256_job *const *)left)->count, b = (*(struct sxs_sha256_job *const *)right)->count;
    return a < b ? 1 : a > b ? -1 : 0;
}

static uint32_t *word(__m512i state[SXS_SHA256_WORDS], int number, int lane) {
    return (uint32_t *)(void *)&state[number] + lane;
}

/* Tells a message what its lane has done since the last time. */
static void take_over(struct lane *lane, __m512i state[SXS_SHA256_WORDS], int number) {
    struct sxs_sha256_job *job = lane->job;
    for (int i = 0; i < SXS_SHA256_WORDS; i++) job->state.words[i] = *word(state, i, number);
    if (lane->is_last) return;
    const size_t count = lane->done * SXS_SHA256_BLOCK;
    job->bytes += count, job->count -= count, job->before += count;
    if (job->step_count > 0 && job->before % job->step == 0) {
        *job->steps++ = job->state;
        job->step_count--;
    }
}

/* Puts the next message into a lane. */
static void begin(struct lane *lane, struct sxs_sha256_job *job, __m512i state[SXS_SHA256_WORDS], int number) {
    lane->job = job;
    lane->bytes = job->bytes;
    lane->is_last = 0;
    job->is_left = 0;
    for (int i = 0; i < SXS_SHA256_WORDS; i++) *word(state, i, number) = job->state.words[i];
    plan(lane);
}

TARGET void sxs_sha256_many(struct sxs_sha256_job **jobs, size_t count) {
    static const uint8_t nothing[SXS_SHA256_BLOCK];
    struct lane lanes[LANES];
    __m512i state[SXS_SHA256_WORDS];
    const uint8_t *bytes[LANES];
    size_t stride[LANES];
    size_t taken = 0;
    qsort(jobs, count, sizeof *jobs, compare);
    for (int i = 0; i < LANES; i++) lanes[i].job = NULL;
    for (;;) {
        int active = 0;
        size_t blocks = SIZE_MAX;
        for (int i = 0; i < LANES; i++) {
            struct lane *lane = &lanes[i];
            if (lane->job == NULL && taken < count) begin(lane, jobs[taken++], state, i);
            const int is_idle = lane->job == NULL;
            bytes[i] = is_idle ? nothing : lane->bytes;
            stride[i] = is_idle ? 0 : SXS_SHA256_BLOCK;
            if (is_idle) continue;
            active++;
            if (lane->blocks < blocks) blocks = lane->blocks;
        }
        if (active == 0) return;
        if (active < SXS_SHA256_LEAST) {
            for (int i = 0; i < LANES; i++) {
                struct lane *lane = &lanes[i];
                if (lane->job == NULL) continue;
                lane->job->is_left = 1;
                /* What was padded is begun again: it is a block or two. */
                if (!lane->is_last && lane->done > 0) take_over(lane, state, i);
            }
            return;
        }
        take_blocks(state, bytes, stride, blocks);
        for (int i = 0; i < LANES; i++) {
            struct lane *lane = &lanes[i];
            if (lane->job == NULL) continue;
            lane->bytes = bytes[i];
            lane->blocks -= blocks;
            lane->done += blocks;
            if (lane->blocks > 0) continue;
            take_over(lane, state, i);
            if (lane->is_last) lane->job = NULL;
            else plan(lane);
        }
    }
}

#else

int sxs_sha256_has_lanes(void) { return 0; }

void sxs_sha256_many(struct sxs_sha256_job **jobs, size_t count) {
    for (size_t i = 0; i < count; i++) jobs[i]->is_left = 1;
}

#endif
