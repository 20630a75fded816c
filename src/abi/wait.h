/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait4(2) and waitid(2).
 */
#pragma once

#define WNOHANG	    0x00000001
#define WUNTRACED   0x00000002
#define WSTOPPED    WUNTRACED
#define WEXITED	    0x00000004
#define WCONTINUED  0x00000008
#define WNOWAIT	    0x01000000
#define W__NOTHREAD 0x20000000
#define W__ALL	    0x40000000
#define W__CLONE    0x80000000u

#define P_ALL	0
#define P_PID	1
#define P_PGID	2
#define P_PIDFD 3
