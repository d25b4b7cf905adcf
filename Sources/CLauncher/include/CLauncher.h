/* The way of a launcher that needs nothing set up but the store: before libc
   and the Swift runtime start, at the program's entry point. Names on disk are
   StoreLayout's; a test compares them. */
#ifndef CLAUNCHER_H
#define CLAUNCHER_H

#define SXS_STORE_DIRECTORY "/usr/store"
#define SXS_ALIAS_DIRECTORY "/usr/_"
#define SXS_HOST_DIRECTORY "/usr"
#define SXS_SYSTEM_ROOT "/var/lib/sxs"
#define SXS_STORE "store"
#define SXS_ALIASES "aliases"
#define SXS_SHIMS "shims"
#define SXS_HOSTS "gcroots/hosts"
#define SXS_HOST_HEADING "sxs-host 1"
#define SXS_PROGRAM_LINK "../../libexec/sxs"
#define SXS_LAUNCH_DESCRIPTION "launch"
#define SXS_LAUNCH_HEADING "sxs-launch 1"
#define SXS_DEFAULT_SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"
#define SXS_DEFAULT_DATA_PATH "/usr/local/share:/usr/share"
#define SXS_MACHINE_IDENTITY "/etc/machine-id"
#define SXS_OLD_MACHINE_IDENTITY "/var/lib/dbus/machine-id"
#define SXS_BOOT_IDENTITY "/proc/sys/kernel/random/boot_id"
#define SXS_METHOD_VARIABLE "SXS_NAMESPACE"

/* The entry point, named to the linker (-e). */
void sxs_start(void);

/* The error number with which the kernel refused this process its own user and
   group in the user namespace that it has entered, in which it is nobody: all
   it can still do is to say so. 0 where that is not so. */
int sxs_launch_refusal(void);

#endif
