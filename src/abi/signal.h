/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux signals: numbers, codes, and the structures that cross the system
 * call boundary (x86-64 layout; asserted).  Values: signal(7), sigaction(2),
 * and the uapi headers' documented ABI.
 *
 * Names differ from libc's (siginfo, not siginfo_t; union members without
 * macros), so that kernel code reads fields by their path.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIGHUP	  1
#define SIGINT	  2
#define SIGQUIT	  3
#define SIGILL	  4
#define SIGTRAP	  5
#define SIGABRT	  6
#define SIGBUS	  7
#define SIGFPE	  8
#define SIGKILL	  9
#define SIGUSR1	  10
#define SIGSEGV	  11
#define SIGUSR2	  12
#define SIGPIPE	  13
#define SIGALRM	  14
#define SIGTERM	  15
#define SIGSTKFLT 16
#define SIGCHLD	  17
#define SIGCONT	  18
#define SIGSTOP	  19
#define SIGTSTP	  20
#define SIGTTIN	  21
#define SIGTTOU	  22
#define SIGURG	  23
#define SIGXCPU	  24
#define SIGXFSZ	  25
#define SIGVTALRM 26
#define SIGPROF	  27
#define SIGWINCH  28
#define SIGIO	  29
#define SIGPOLL	  SIGIO
#define SIGPWR	  30
#define SIGSYS	  31
#define SIGRTMIN  32 /* the kernel's; libc keeps two or three for itself */
#define SIGRTMAX  64

#define SIG_DFL 0ull
#define SIG_IGN 1ull

#define SIG_BLOCK   0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

#define SA_NOCLDSTOP	  0x00000001ull
#define SA_NOCLDWAIT	  0x00000002ull
#define SA_SIGINFO	  0x00000004ull
#define SA_UNSUPPORTED	  0x00000400ull
#define SA_EXPOSE_TAGBITS 0x00000800ull
#define SA_RESTORER	  0x04000000ull
#define SA_ONSTACK	  0x08000000ull
#define SA_RESTART	  0x10000000ull
#define SA_NODEFER	  0x40000000ull
#define SA_RESETHAND	  0x80000000ull

#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM (1u << 31)
#define MINSIGSTKSZ   2048u

/* si_code */
#define SI_USER	   0
#define SI_KERNEL  0x80
#define SI_QUEUE   (-1)
#define SI_TIMER   (-2)
#define SI_MESGQ   (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO   (-5)
#define SI_TKILL   (-6)

#define ILL_ILLOPC  1
#define ILL_ILLOPN  2
#define ILL_PRVOPC  5
#define FPE_INTDIV  1
#define FPE_INTOVF  2
#define FPE_FLTDIV  3
#define FPE_FLTOVF  4
#define FPE_FLTUND  5
#define FPE_FLTRES  6
#define FPE_FLTINV  7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN  1
#define BUS_ADRERR  2
#define BUS_OBJERR  3
#define TRAP_BRKPT  1
#define TRAP_TRACE  2
#define CLD_EXITED  1

/* struct sigevent */
#define SIGEV_SIGNAL	0
#define SIGEV_NONE	1
#define SIGEV_THREAD	2
#define SIGEV_THREAD_ID 4

union sigval {
	int32_t sival_int;
	uint64_t sival_ptr;
};

/* si_code of SIGIO and what F_SETSIG names */
#define POLL_IN	 1
#define POLL_OUT 2
#define POLL_MSG 3
#define POLL_ERR 4
#define POLL_PRI 5
#define POLL_HUP 6

struct siginfo {
	int32_t si_signo, si_errno, si_code;
	int32_t pad0;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			union sigval value; /* sigqueue */
		} rt;			    /* kill, tgkill, sigqueue */
		struct {
			int32_t timerid;
			int32_t overrun;
			union sigval value;
			int32_t private_;
		} timer;
		struct {
			uint64_t addr;
			int16_t addr_lsb;
		} fault;
		struct {
			int64_t band;
			int32_t fd;
		} poll;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status;
			int64_t utime, stime;
		} chld;
		struct {
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		} sys;
		uint8_t pad[112];
	} u;
};

struct sigaltstack {
	uint64_t sp;
	int32_t flags;
	int32_t pad;
	uint64_t size;
};

/* As rt_sigaction(2) takes it on x86-64. */
struct ksigaction {
	uint64_t handler; /* SIG_DFL, SIG_IGN or an address */
	uint64_t flags;	  /* SA_* */
	uint64_t restorer;
	uint64_t mask; /* bit sig-1 */
};

struct sigevent {
	union sigval sigev_value;
	int32_t sigev_signo;
	int32_t sigev_notify;
	union {
		int32_t tid;
		uint8_t pad[48];
	} u;
};

/* read(2) of a signalfd */
struct signalfd_siginfo {
	uint32_t ssi_signo;
	int32_t ssi_errno;
	int32_t ssi_code;
	uint32_t ssi_pid;
	uint32_t ssi_uid;
	int32_t ssi_fd;
	uint32_t ssi_tid;
	uint32_t ssi_band;
	uint32_t ssi_overrun;
	uint32_t ssi_trapno;
	int32_t ssi_status;
	int32_t ssi_int;
	uint64_t ssi_ptr;
	uint64_t ssi_utime;
	uint64_t ssi_stime;
	uint64_t ssi_addr;
	uint16_t ssi_addr_lsb;
	uint16_t pad2;
	int32_t ssi_syscall;
	uint64_t ssi_call_addr;
	uint32_t ssi_arch;
	uint8_t pad[28];
};

#define SFD_NONBLOCK 04000
#define SFD_CLOEXEC  02000000

/* Results of an interrupted call, seen only inside the kernel: the return to
 * user mode turns them into a restart or -EINTR (signal(7)). */
#define ERESTARTSYS	      512 /* restart when SA_RESTART */
#define ERESTARTNOINTR	      513 /* restart always */
#define ERESTARTNOHAND	      514 /* restart when no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* by restart_syscall(2) */

_Static_assert(sizeof(struct siginfo) == 128, "siginfo");
_Static_assert(offsetof(struct siginfo, u) == 16, "siginfo.u");
_Static_assert(sizeof(struct sigaltstack) == 24, "sigaltstack");
_Static_assert(sizeof(struct ksigaction) == 32, "ksigaction");
_Static_assert(sizeof(struct sigevent) == 64, "sigevent");
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo");
