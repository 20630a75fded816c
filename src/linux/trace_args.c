/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the arguments of a traced call look like: a printer for each kind's
 * second word in syscalls.tbl, in the words of strace(1).
 *
 * Structures are read from the program's memory when they are printed: what
 * goes in before the call, what comes out after it.  What can't be read is
 * printed as its address.  Nothing here sleeps but for a page of the
 * program's, and nothing is held.
 */
#include "trace_priv.h"

#include <abi/epoll.h>
#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/futex.h>
#include <abi/mman.h>
#include <abi/resource.h>
#include <abi/sched.h>
#include <abi/signal.h>
#include <abi/socket.h>
#include <abi/time.h>
#include <base/fmt.h>
#include <base/math.h>
#include <base/string.h>
#include <linux/errname.h>
#include <linux/syscalls_gen.h>
#include <linux/table.h>
#include <vm/uaccess.h>

#define PATH_SHOWN 256u /* bytes of a path */
#define DATA_SHOWN 32u	/* bytes of a buffer, as strace's -s */

#define put trace_put
#define get trace_get

void
trace_put(struct trace_call *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(c->text + c->len, LINE_MAX - c->len, fmt, ap);
	va_end(ap);
	c->len = min_size(c->len + (size_t)n, LINE_MAX - 1);
}

/* Reads what v points to; prints v itself and answers false when it is NULL
 * or can't be read. */
bool
trace_get(struct trace_call *c, uint64_t v, void *to, size_t size)
{
	if (v && !copy_from_user(to, (const void __user *)v, size))
		return true;
	if (v)
		put(c, "%#llx", (unsigned long long)v);
	else
		put(c, "NULL");
	return false;
}

/* The same for what a call fills in, if it did. */
bool
trace_get_out(struct trace_call *c, uint64_t v, long ret, void *to, size_t size)
{
	if (ret >= 0)
		return get(c, v, to, size);
	put(c, v ? "%#llx" : "NULL", (unsigned long long)v);
	return false;
}

/* ---- numbers, paths, data ---- */

static void
print_dec(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, "%d", (int)v);
}

static void
print_udec(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, "%u", (unsigned)v);
}

static void
print_size(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, "%llu", (unsigned long long)v);
}

static void
print_off(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, "%lld", (long long)v);
}

void
print_hex(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	if (v)
		put(c, "%#llx", (unsigned long long)v);
	else
		put(c, "NULL");
}

static void
print_num(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, v ? "%#llx" : "%llu", (unsigned long long)v);
}

static void
print_hex32(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	print_num(c, (uint32_t)v, ret, next);
}

static void
print_octal(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	put(c, "%#o", (unsigned)v);
}

static void
print_dirfd(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	if ((int)v == AT_FDCWD)
		put(c, "AT_FDCWD");
	else
		print_dec(c, v, ret, next);
}

/* Bytes between quotes, escaped as in C. */
void
trace_put_bytes(struct trace_call *c, const char *p, size_t len)
{
	put(c, "\"");
	for (size_t i = 0; i < len; i++) {
		const uint8_t b = (uint8_t)p[i];

		if (b == '"' || b == '\\')
			put(c, "\\%c", b);
		else if (b >= ' ' && b < 0x7f)
			put(c, "%c", b);
		else if (b == '\n')
			put(c, "\\n");
		else if (b == '\t')
			put(c, "\\t");
		else if (b == '\r')
			put(c, "\\r");
		else if (i + 1 < len && p[i + 1] >= '0' && p[i + 1] <= '9')
			put(c, "\\%03o", b);
		else
			put(c, "\\%o", b);
	}
	put(c, "\"");
}

void
print_path(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	char path[PATH_SHOWN];
	ssize_t n = copy_string_from_user(path, (const char __user *)v,
					  sizeof(path));

	if (n >= 0) {
		trace_put_bytes(c, path, (size_t)n);
	} else if (n == -ENAMETOOLONG) {
		trace_put_bytes(c, path, sizeof(path));
		put(c, "...");
	} else {
		print_hex(c, v, ret, next);
	}
}

void
trace_put_data(struct trace_call *c, uint64_t v, uint64_t len)
{
	char data[DATA_SHOWN];
	size_t n = min_size(len, sizeof(data));

	if (!v || copy_from_user(data, (const void __user *)v, n)) {
		print_hex(c, v, 0, 0);
		return;
	}
	trace_put_bytes(c, data, n);
	if (len > n)
		put(c, "...");
}

/* What goes in: as long as the next argument says. */
static void
print_ibuf(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret;
	trace_put_data(c, v, next);
}

/* What comes out: as long as the result says. */
static void
print_obuf(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)next;
	if (ret < 0)
		print_hex(c, v, ret, next);
	else
		trace_put_data(c, v, (uint64_t)ret);
}

/* ---- flags ---- */

/* Flags after `first` names have been printed; the rest as a number. */
void
trace_put_flags(struct trace_call *c, uint64_t v, const struct trace_flag *f,
		size_t n, bool first)
{
	for (size_t i = 0; i < n; i++) {
		if (!f[i].bits || (v & f[i].bits) != f[i].bits)
			continue;
		put(c, "%s%s", first ? "" : "|", f[i].name);
		v &= ~f[i].bits;
		first = false;
	}
	if (v || first)
		put(c, v ? "%s%#llx" : "%s%llu", first ? "" : "|",
		    (unsigned long long)v);
}

static void
print_oflags(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct trace_flag flags[] = {
		TRACE_FLAG(O_TMPFILE),	 TRACE_FLAG(O_SYNC),
		TRACE_FLAG(O_CREAT),	 TRACE_FLAG(O_EXCL),
		TRACE_FLAG(O_NOCTTY),	 TRACE_FLAG(O_TRUNC),
		TRACE_FLAG(O_APPEND),	 TRACE_FLAG(O_NONBLOCK),
		TRACE_FLAG(O_DSYNC),	 TRACE_FLAG(O_ASYNC),
		TRACE_FLAG(O_DIRECT),	 TRACE_FLAG(O_LARGEFILE),
		TRACE_FLAG(O_DIRECTORY), TRACE_FLAG(O_NOFOLLOW),
		TRACE_FLAG(O_NOATIME),	 TRACE_FLAG(O_CLOEXEC),
		TRACE_FLAG(O_PATH),
	};
	static const char *const access[] = {
		"O_RDONLY",
		"O_WRONLY",
		"O_RDWR",
		"O_ACCMODE",
	};

	(void)ret, (void)next;
	put(c, "%s", access[v & O_ACCMODE]);
	if ((uint32_t)v & ~(uint32_t)O_ACCMODE)
		trace_put_flags(c, (uint32_t)v & ~(uint32_t)O_ACCMODE, flags,
				ARRAY_SIZE(flags), false);
}

static void
print_prot(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct trace_flag flags[] = {
		TRACE_FLAG(PROT_READ),	  TRACE_FLAG(PROT_WRITE),
		TRACE_FLAG(PROT_EXEC),	  TRACE_FLAG(PROT_GROWSDOWN),
		TRACE_FLAG(PROT_GROWSUP),
	};

	(void)ret, (void)next;
	if ((uint32_t)v == PROT_NONE)
		put(c, "PROT_NONE");
	else
		trace_put_flags(c, (uint32_t)v, flags, ARRAY_SIZE(flags), true);
}

static void
print_mflags(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct trace_flag flags[] = {
		TRACE_FLAG(MAP_FIXED_NOREPLACE),
		TRACE_FLAG(MAP_FIXED),
		TRACE_FLAG(MAP_ANONYMOUS),
		TRACE_FLAG(MAP_32BIT),
		TRACE_FLAG(MAP_GROWSDOWN),
		TRACE_FLAG(MAP_DENYWRITE),
		TRACE_FLAG(MAP_LOCKED),
		TRACE_FLAG(MAP_NORESERVE),
		TRACE_FLAG(MAP_POPULATE),
		TRACE_FLAG(MAP_NONBLOCK),
		TRACE_FLAG(MAP_STACK),
		TRACE_FLAG(MAP_HUGETLB),
		TRACE_FLAG(MAP_SYNC),
	};
	static const char *const type[] = {
		"MAP_FILE",
		"MAP_SHARED",
		"MAP_PRIVATE",
		"MAP_SHARED_VALIDATE",
	};

	(void)ret, (void)next;
	put(c, "%s", type[v & 3]);
	if ((uint32_t)v & ~3u)
		trace_put_flags(c, (uint32_t)v & ~3u, flags, ARRAY_SIZE(flags),
				false);
}

void
trace_put_signal(struct trace_call *c, unsigned sig)
{
	static const char *const names[] = {
		"0",	   "SIGHUP",	"SIGINT",  "SIGQUIT",  "SIGILL",
		"SIGTRAP", "SIGABRT",	"SIGBUS",  "SIGFPE",   "SIGKILL",
		"SIGUSR1", "SIGSEGV",	"SIGUSR2", "SIGPIPE",  "SIGALRM",
		"SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",  "SIGSTOP",
		"SIGTSTP", "SIGTTIN",	"SIGTTOU", "SIGURG",   "SIGXCPU",
		"SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",
		"SIGPWR",  "SIGSYS",
	};

	if (sig < ARRAY_SIZE(names))
		put(c, "%s", names[sig]);
	else if (sig <= 64)
		put(c, "SIGRT_%u", sig - 32);
	else
		put(c, "%d", (int)sig);
}

static void
print_signal(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	trace_put_signal(c, (unsigned)v);
}

/* ---- one of several names ---- */

static void
put_name(struct trace_call *c, uint64_t v, const char *const *names, size_t n)
{
	if ((uint32_t)v < n && names[(uint32_t)v])
		put(c, "%s", names[(uint32_t)v]);
	else
		put(c, "%d", (int)v);
}

/* A printer of the names in a table that the value indexes. */
#define NAMES(printer, ...)                                           \
	static void print_##printer(struct trace_call *c, uint64_t v, \
				    long ret, uint64_t next)          \
	{                                                             \
		static const char *const names[] = { __VA_ARGS__ };   \
                                                                      \
		(void)ret, (void)next;                                \
		put_name(c, v, names, ARRAY_SIZE(names));             \
	}
#define NAME(id) [id] = #id

NAMES(clockid, NAME(CLOCK_REALTIME), NAME(CLOCK_MONOTONIC),
      NAME(CLOCK_PROCESS_CPUTIME_ID), NAME(CLOCK_THREAD_CPUTIME_ID),
      NAME(CLOCK_MONOTONIC_RAW), NAME(CLOCK_REALTIME_COARSE),
      NAME(CLOCK_MONOTONIC_COARSE), NAME(CLOCK_BOOTTIME),
      NAME(CLOCK_REALTIME_ALARM), NAME(CLOCK_BOOTTIME_ALARM), NAME(CLOCK_TAI))
NAMES(whence, NAME(SEEK_SET), NAME(SEEK_CUR), NAME(SEEK_END), NAME(SEEK_DATA),
      NAME(SEEK_HOLE))
NAMES(sighow, [SIG_BLOCK] = "SIG_BLOCK", [1] = "SIG_UNBLOCK",
      [2] = "SIG_SETMASK")
NAMES(resource, NAME(RLIMIT_CPU), NAME(RLIMIT_FSIZE), NAME(RLIMIT_DATA),
      NAME(RLIMIT_STACK), NAME(RLIMIT_CORE), NAME(RLIMIT_RSS),
      NAME(RLIMIT_NPROC), NAME(RLIMIT_NOFILE), NAME(RLIMIT_MEMLOCK),
      NAME(RLIMIT_AS), NAME(RLIMIT_LOCKS), NAME(RLIMIT_SIGPENDING),
      NAME(RLIMIT_MSGQUEUE), NAME(RLIMIT_NICE), NAME(RLIMIT_RTPRIO),
      NAME(RLIMIT_RTTIME))
NAMES(madvice, NAME(MADV_NORMAL), NAME(MADV_RANDOM), NAME(MADV_SEQUENTIAL),
      NAME(MADV_WILLNEED), NAME(MADV_DONTNEED), NAME(MADV_FREE),
      NAME(MADV_REMOVE), NAME(MADV_DONTFORK),
      NAME(MADV_DOFORK), [14] = "MADV_HUGEPAGE", [15] = "MADV_NOHUGEPAGE",
      [16] = "MADV_DONTDUMP", [17] = "MADV_DODUMP")
NAMES(epollop, NAME(EPOLL_CTL_ADD), NAME(EPOLL_CTL_DEL), NAME(EPOLL_CTL_MOD))
NAMES(shut, NAME(SHUT_RD), NAME(SHUT_WR), NAME(SHUT_RDWR))

static void
print_fcntl(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		NAME(F_DUPFD),	   NAME(F_GETFD),      NAME(F_SETFD),
		NAME(F_GETFL),	   NAME(F_SETFL),      NAME(F_GETLK),
		NAME(F_SETLK),	   NAME(F_SETLKW),     NAME(F_SETOWN),
		NAME(F_GETOWN),	   NAME(F_SETSIG),     NAME(F_GETSIG),
		NAME(F_SETOWN_EX), NAME(F_GETOWN_EX),  NAME(F_OFD_GETLK),
		NAME(F_OFD_SETLK), NAME(F_OFD_SETLKW),
	};
	static const char *const more[] = {
		"F_SETLEASE",
		"F_GETLEASE",
		"F_NOTIFY",
		NULL,
		NULL,
		NULL,
		"F_DUPFD_CLOEXEC",
		"F_SETPIPE_SZ",
		"F_GETPIPE_SZ",
		"F_ADD_SEALS",
		"F_GET_SEALS",
	};

	(void)ret, (void)next;
	if ((uint32_t)v >= F_SETLEASE &&
	    (uint32_t)v - F_SETLEASE < ARRAY_SIZE(more))
		put_name(c, v - F_SETLEASE, more, ARRAY_SIZE(more));
	else
		put_name(c, v, names, ARRAY_SIZE(names));
}

static bool
fcntl_has_no_arg(uint64_t cmd)
{
	return cmd == F_GETFD || cmd == F_GETFL || cmd == F_GETOWN ||
	       cmd == F_GETSIG || cmd == F_GETLEASE || cmd == F_GETPIPE_SZ ||
	       cmd == F_GET_SEALS;
}

static void
print_fcntlarg(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	switch (c->a[c->next - 1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETOWN:
	case F_SETPIPE_SZ:
		print_dec(c, v, ret, next);
		break;
	case F_SETFD:
		put(c, v == 1 ? "FD_CLOEXEC" : "%#llx", (unsigned long long)v);
		break;
	case F_SETFL:
		print_oflags(c, v, ret, next);
		break;
	default:
		print_hex(c, v, ret, next);
	}
}

static void
print_ioctl(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		[0x01] = "TCGETS",     [0x02] = "TCSETS",
		[0x03] = "TCSETSW",    [0x04] = "TCSETSF",
		[0x09] = "TCSBRK",     [0x0a] = "TCXONC",
		[0x0b] = "TCFLSH",     [0x0e] = "TIOCSCTTY",
		[0x0f] = "TIOCGPGRP",  [0x10] = "TIOCSPGRP",
		[0x11] = "TIOCOUTQ",   [0x13] = "TIOCGWINSZ",
		[0x14] = "TIOCSWINSZ", [0x1b] = "FIONREAD",
		[0x21] = "FIONBIO",    [0x24] = "TIOCGETD",
		[0x25] = "TCSBRKP",    [0x29] = "TIOCGSID",
		[0x50] = "FIONCLEX",   [0x51] = "FIOCLEX",
	};
	const uint32_t i = (uint32_t)v - 0x5400;

	(void)ret, (void)next;
	if (i < ARRAY_SIZE(names) && names[i])
		put(c, "%s", names[i]);
	else
		put(c, "%#x", (unsigned)v);
}

static void
print_archprctl(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		"ARCH_SET_GS",
		"ARCH_SET_FS",
		"ARCH_GET_FS",
		"ARCH_GET_GS",
	};
	const uint32_t i = (uint32_t)v - 0x1001;

	(void)ret, (void)next;
	if (i < ARRAY_SIZE(names))
		put(c, "%s", names[i]);
	else
		put(c, "%#x", (unsigned)v);
}

static void
print_futexop(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		NAME(FUTEX_WAIT),
		NAME(FUTEX_WAKE),
		NAME(FUTEX_FD),
		NAME(FUTEX_REQUEUE),
		NAME(FUTEX_CMP_REQUEUE),
		NAME(FUTEX_WAKE_OP),
		NAME(FUTEX_LOCK_PI),
		NAME(FUTEX_UNLOCK_PI),
		NAME(FUTEX_TRYLOCK_PI),
		NAME(FUTEX_WAIT_BITSET),
		NAME(FUTEX_WAKE_BITSET),
		NAME(FUTEX_WAIT_REQUEUE_PI),
		NAME(FUTEX_CMP_REQUEUE_PI),
		NAME(FUTEX_LOCK_PI2),
	};

	(void)ret, (void)next;
	put_name(c, v & (uint32_t)FUTEX_CMD_MASK, names, ARRAY_SIZE(names));
	if (v & FUTEX_PRIVATE_FLAG)
		put(c, "_PRIVATE");
	if (v & FUTEX_CLOCK_REALTIME)
		put(c, "|FUTEX_CLOCK_REALTIME");
}

/* ---- more flags ---- */

/* A printer of the flags of a table; what is zero is printed as none. */
#define FLAGS(printer, none, ...)                                         \
	static void print_##printer(struct trace_call *c, uint64_t v,     \
				    long ret, uint64_t next)              \
	{                                                                 \
		static const struct trace_flag flags[] = { __VA_ARGS__ }; \
                                                                          \
		(void)ret, (void)next;                                    \
		if ((uint32_t)v)                                          \
			trace_put_flags(c, (uint32_t)v, flags,            \
					ARRAY_SIZE(flags), true);         \
		else                                                      \
			put(c, none);                                     \
	}

FLAGS(atflags, "0", TRACE_FLAG(AT_SYMLINK_NOFOLLOW), TRACE_FLAG(AT_REMOVEDIR),
      TRACE_FLAG(AT_SYMLINK_FOLLOW), TRACE_FLAG(AT_NO_AUTOMOUNT),
      TRACE_FLAG(AT_EMPTY_PATH))
FLAGS(access, "F_OK", { 4, "R_OK" }, { 2, "W_OK" }, { 1, "X_OK" })
FLAGS(fdflags, "0", TRACE_FLAG(O_DIRECT), TRACE_FLAG(O_NONBLOCK),
      TRACE_FLAG(O_CLOEXEC))
FLAGS(epollflags, "0", { O_CLOEXEC, "EPOLL_CLOEXEC" })
FLAGS(grnd, "0", { 1, "GRND_NONBLOCK" }, { 2, "GRND_RANDOM" },
      { 4, "GRND_INSECURE" })
FLAGS(messageflags, "0", TRACE_FLAG(MSG_OOB), TRACE_FLAG(MSG_PEEK),
      TRACE_FLAG(MSG_DONTROUTE), TRACE_FLAG(MSG_CTRUNC), TRACE_FLAG(MSG_TRUNC),
      TRACE_FLAG(MSG_DONTWAIT), TRACE_FLAG(MSG_EOR), TRACE_FLAG(MSG_WAITALL),
      TRACE_FLAG(MSG_CONFIRM), TRACE_FLAG(MSG_ERRQUEUE),
      TRACE_FLAG(MSG_NOSIGNAL), TRACE_FLAG(MSG_MORE),
      TRACE_FLAG(MSG_WAITFORONE), TRACE_FLAG(MSG_ZEROCOPY),
      TRACE_FLAG(MSG_FASTOPEN), TRACE_FLAG(MSG_CMSG_CLOEXEC))

void
print_msgflags(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	print_messageflags(c, v, ret, next);
}

static const struct trace_flag clone_flags[] = {
	TRACE_FLAG(CLONE_VM),
	TRACE_FLAG(CLONE_FS),
	TRACE_FLAG(CLONE_FILES),
	TRACE_FLAG(CLONE_SIGHAND),
	TRACE_FLAG(CLONE_PIDFD),
	TRACE_FLAG(CLONE_PTRACE),
	TRACE_FLAG(CLONE_VFORK),
	TRACE_FLAG(CLONE_PARENT),
	TRACE_FLAG(CLONE_THREAD),
	TRACE_FLAG(CLONE_SYSVSEM),
	TRACE_FLAG(CLONE_SETTLS),
	TRACE_FLAG(CLONE_PARENT_SETTID),
	TRACE_FLAG(CLONE_CHILD_CLEARTID),
	TRACE_FLAG(CLONE_DETACHED),
	TRACE_FLAG(CLONE_UNTRACED),
	TRACE_FLAG(CLONE_CHILD_SETTID),
};

static void
print_clone(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret, (void)next;
	trace_put_flags(c, v & ~0xffull, clone_flags, ARRAY_SIZE(clone_flags),
			true);
	if (v & 0xff) {
		put(c, "|");
		trace_put_signal(c, v & 0xff);
	}
}

static void
print_clone3(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	struct clone_args a;

	(void)ret;
	if (next < CLONE_ARGS_SIZE_VER0) {
		print_hex(c, v, ret, next);
		return;
	}
	if (!get(c, v, &a, CLONE_ARGS_SIZE_VER0))
		return;
	put(c, "{flags=");
	trace_put_flags(c, a.flags, clone_flags, ARRAY_SIZE(clone_flags), true);
	put(c, ", exit_signal=");
	trace_put_signal(c, (unsigned)a.exit_signal);
	put(c, ", stack=%#llx, stack_size=%#llx, tls=%#llx}",
	    (unsigned long long)a.stack, (unsigned long long)a.stack_size,
	    (unsigned long long)a.tls);
}

static void
print_socktype(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		NAME(SOCK_STREAM),
		NAME(SOCK_DGRAM),
		NAME(SOCK_RAW),
		NAME(SOCK_SEQPACKET),
	};

	(void)ret, (void)next;
	put_name(c, v & SOCK_TYPE_MASK, names, ARRAY_SIZE(names));
	if (v & SOCK_CLOEXEC)
		put(c, "|SOCK_CLOEXEC");
	if (v & SOCK_NONBLOCK)
		put(c, "|SOCK_NONBLOCK");
}

/* ---- the table ---- */

#define PRINTER(kind, printer) [KIND_##kind] = print_##printer,
static print_fn *const printers[KIND_COUNT] = { SYSCALL_KINDS(PRINTER) };
#undef PRINTER

static print_fn *
printer(const struct trace_call *c)
{
	return printers[c->desc->kind[c->next]];
}

void
trace_arg(struct trace_call *c, long ret)
{
	const unsigned i = c->next;

	printer(c)(c, c->a[i], ret, i + 1 < c->desc->nargs ? c->a[i + 1] : 0);
}

bool
trace_arg_is_output(const struct trace_call *c)
{
	static print_fn *const outputs[] = {
		print_obuf,    print_ostat,    print_otspec,  print_oitimer,
		print_orlim,   print_osigset,  print_osigact, print_oiov,
		print_ofds,    print_opoll,    print_oevents, print_osockaddr,
		print_socklen, print_osovalue, print_omsghdr, print_mmsg,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(outputs); i++)
		if (printer(c) == outputs[i])
			return true;
	return false;
}

bool
trace_arg_is_absent(const struct trace_call *c)
{
	const unsigned kind = c->desc->kind[c->next];

	if (!c->next)
		return false;
	if (kind == KIND_omode)
		return !(c->a[c->next - 1] & (O_CREAT | __O_TMPFILE));
	return kind == KIND_fcntlarg && fcntl_has_no_arg(c->a[c->next - 1]);
}
