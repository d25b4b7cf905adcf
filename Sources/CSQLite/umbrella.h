#include <sqlite3.h>

/* sqlite3_db_config(3) is variadic, which Swift cannot call. */
static inline int sxs_sqlite3_make_defensive(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
}

/* Leaves the log to who closes a connection. */
static inline int sxs_sqlite3_keep_log_on_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
