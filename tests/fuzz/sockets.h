/* Put in front of every file of the engine: its system calls are those of the scripted socket.
 *
 * Owns:  the renaming.
 * Knows: that it comes before the system's own headers, which then declare the new names.
 * Never: in front of a target itself, which may want the real ones.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#define recv fuzz_recv
#define send fuzz_send
#define sendmsg fuzz_sendmsg
#define shutdown fuzz_shutdown
#define setsockopt fuzz_setsockopt
#define epoll_ctl fuzz_epoll_ctl
#define epoll_wait fuzz_epoll_wait
#define close fuzz_close
#define clock_gettime fuzz_clock_gettime

#endif
