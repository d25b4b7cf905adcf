#include <isa-l/igzip_lib.h>
#include <stdlib.h>

/* ISA-L's state holds arrays that Swift does not take in: here it is a place in memory. */

/* A new state, to be released by free(3); NULL without memory. */
static inline void *sxs_inflate_make(int is_gzip) {
    struct inflate_state *const state = malloc(sizeof(struct inflate_state));
    if (state == NULL) return NULL;
    isal_inflate_init(state);
    state->crc_flag = is_gzip ? ISAL_GZIP : ISAL_DEFLATE;
    return state;
}

static inline void sxs_inflate_give(void *state, const uint8_t *bytes, uint32_t count) {
    ((struct inflate_state *)state)->next_in = (uint8_t *)bytes;
    ((struct inflate_state *)state)->avail_in = count;
}

static inline const uint8_t *sxs_inflate_next(const void *state) {
    return ((const struct inflate_state *)state)->next_in;
}

static inline uint32_t sxs_inflate_left(const void *state) { return ((const struct inflate_state *)state)->avail_in; }

/* Fills the beginning of `out`, and says of how many bytes; a negative number is an error. */
static inline int sxs_inflate(void *state, uint8_t *out, uint32_t count, uint32_t *filled) {
    struct inflate_state *const inflate = state;
    inflate->next_out = out;
    inflate->avail_out = count;
    const int result = isal_inflate(inflate);
    *filled = count - inflate->avail_out;
    return result;
}

static inline int sxs_inflate_is_over(const void *state) {
    return ((const struct inflate_state *)state)->block_state == ISAL_BLOCK_FINISH;
}

static inline void sxs_inflate_reset(void *state) { isal_inflate_reset(state); }
