#include "CScan.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Bytes of a distance or a 32-bit address. */
#define WIDTH 4

static uint32_t word_at(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

size_t sxs_next_absolute(const uint8_t *bytes, size_t from, size_t count, uint32_t base, uint32_t length) {
    size_t index = from;
#if defined(__SSE2__)
    /* There is only a signed comparison: both sides are moved down by half the range. */
    const __m128i low = _mm_set1_epi32((int)(base ^ UINT32_C(0x80000000)));
    const __m128i end = _mm_set1_epi32((int)(length ^ UINT32_C(0x80000000)));
    while (index + 16 + WIDTH <= count) {
        __m128i near = _mm_setzero_si128();
        for (int phase = 0; phase < WIDTH; phase++) {
            const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(bytes + index + phase));
            near = _mm_or_si128(near, _mm_cmplt_epi32(_mm_sub_epi32(words, low), end));
        }
        if (_mm_movemask_epi8(near) != 0) {
            for (size_t place = index; place < index + 16; place++) {
                if (word_at(bytes + place) - base < length) return place;
            }
        }
        index += 16;
    }
#endif
    for (; index + WIDTH <= count; index++) {
        if (word_at(bytes + index) - base < length) return index;
    }
    return count;
}

/* Whether the ModRM byte at `place`, which has a distance after it, leads to the range. */
static int leads(const uint8_t *bytes, size_t place, uint64_t address, uint64_t base, uint64_t length) {
    const uint64_t distance = (uint64_t)(int64_t)(int32_t)word_at(bytes + place + 1);
    return address + place + 1 + WIDTH + distance - base < length;
}

size_t sxs_next_relative(
    const uint8_t *bytes, size_t from, size_t count, uint64_t address, uint64_t base, uint64_t length) {
    size_t index = from;
#if defined(__SSE2__)
    const __m128i mask = _mm_set1_epi8((char)0xc7);
    const __m128i wanted = _mm_set1_epi8(0x05);
    while (index + 16 + WIDTH <= count) {
        const __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)(bytes + index));
        unsigned hits = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(chunk, mask), wanted));
        while (hits != 0) {
            const size_t place = index + (unsigned)__builtin_ctz(hits);
            if (leads(bytes, place, address, base, length)) return place;
            hits &= hits - 1;
        }
        index += 16;
    }
#endif
    for (; index + 1 + WIDTH <= count; index++) {
        if ((bytes[index] & 0xc7) == 0x05 && leads(bytes, index, address, base, length)) return index;
    }
    return count;
}
