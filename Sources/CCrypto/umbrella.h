/* The one-shot functions are deprecated in favour of EVP, which would link
   every provider and cost a fetch for each digest; they are the same code. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
