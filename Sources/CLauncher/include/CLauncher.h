/* The way of a launcher that needs nothing set up: before libc and the Swift
   runtime start, at the program's entry point. Names on disk are StoreLayout's;
   a test compares them. */
#ifndef CLAUNCHER_H
#define CLAUNCHER_H

#define SXS_STORE_DIRECTORY "/usr/store"
#define SXS_ALIAS_DIRECTORY "/usr/_"
#define SXS_STORE "store"
#define SXS_ALIASES "aliases"
#define SXS_SHIMS "shims"
#define SXS_PROGRAM_LINK "../../libexec/sxs"
#define SXS_LAUNCH_DESCRIPTION "launch"
#define SXS_LAUNCH_HEADING "sxs-launch 1"
#define SXS_DEFAULT_SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"
#define SXS_DEFAULT_DATA_PATH "/usr/local/share:/usr/share"

/* The entry point, named to the linker (-e). */
void sxs_start(void);

#endif
