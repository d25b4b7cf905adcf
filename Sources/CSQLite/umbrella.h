#include <sqlite3.h>

/* sqlite3_config(3) and sqlite3_db_config(3) are variadic, which Swift cannot call. */

/* Counts no memory, which takes a lock for each piece of it; to be called before anything else of SQLite. */
static inline int sxs_sqlite3_count_no_memory(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

static inline int sxs_sqlite3_make_defensive(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

/* Leaves the log to who closes a connection. */
static inline int sxs_sqlite3_keep_log_on_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
