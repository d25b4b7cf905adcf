#include <selinux/label.h>
#include <selinux/selinux.h>

static int sxs_selinux_drop(int type, const char *format, ...) {
    (void)type;
    (void)format;
    return 0;
}

/* Keeps libselinux from writing to standard error. A union by value, which Swift cannot pass. */
static inline void sxs_selinux_silence(void) {
    union selinux_callback callback = {.func_log = sxs_selinux_drop};
    selinux_set_callback(SELINUX_CB_LOG, callback);
}
