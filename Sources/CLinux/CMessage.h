/* Descriptors between a process and its child, for the sources of this module. */
#ifndef CMESSAGE_H
#define CMESSAGE_H

/* A message of one int, with a descriptor where it is not -1. */
int sxs_send_descriptor(int socket, int value, int descriptor);

/* Receives one: the descriptor, or -1. *value is ECHILD where the other side
   is gone. */
int sxs_receive_descriptor(int socket, int *value);

#endif
