/* The private view of the store, as the launcher makes it before libc starts. */
#ifndef CVIEW_H
#define CVIEW_H

#include <stddef.h>

/* Gives this process the view of a root whose store the host does not show, as StoreView.enter does it: its own mount
   namespace, and a user namespace where that takes one, in which /usr is an overlay with the root's store and aliases.

   directory is the path of the launcher's directory, shims/<base> in the root, whose path is its first bytes. Returns
   whether it is done; where not, nothing is shown, and the process is where it was, but for a namespace. */
__attribute__((visibility("hidden"))) int sxs_show_store(const char *directory, size_t root);

#endif
