/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every bound on a queue, a table or a loop over input from outside, by
 * name.  Reaching one is an errno, never an assertion.
 */
#pragma once

#define LIMIT_THREADS	    32768     /* threads in the machine */
#define LIMIT_FDS	    (1 << 20) /* RLIMIT_NOFILE's ceiling */
#define LIMIT_MAPS	    65530     /* vmas, as vm.max_map_count */
#define LIMIT_ARG_BYTES	    (2 << 20) /* arguments and environment */
#define LIMIT_INTERP_DEPTH  4	      /* "#!" of "#!" */
#define LIMIT_ELF_PHDRS	    128
#define LIMIT_KLIBS	    16
#define LIMIT_KLIB_BYTES    (1 << 20) /* file, and memory */
#define LIMIT_KLIB_SECTIONS 256
#define LIMIT_PARTITIONS    128
#define LIMIT_PIPE_BYTES    (1 << 20) /* F_SETPIPE_SZ without rights */
#define LIMIT_PIPE_PAGES    16384     /* in all pipes of users without rights */
#define LIMIT_PTYS	    4096
#define LIMIT_EPOLL_DEPTH   5 /* instances, each in the next */
#define LIMIT_EPOLL_CHAINS  1000
#define LIMIT_SIGQUEUE	    32768
