/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracer: one line per system call, as strace(1) writes them.
 *
 * A call's arguments are written when it begins, up to the first one that
 * the call fills in; that one and what follows when it ends.  So a path is
 * what the program passed, and a call that never ends is there too: at exit
 * each call under way is printed as unfinished.
 *
 * Lines collect in one buffer, which goes to the host when it is full and
 * 20 ms after its first line.
 *
 * Locks: trace_lock (RANK_TRACE) holds the buffer and the list of calls; no
 * system call holds a lock when it comes here.
 */
#include <linux/trace.h>

#include <abi/errno.h>
#include <abi/fcntl.h>
#include <abi/mman.h>
#include <abi/pith.h>
#include <abi/signal.h>
#include <abi/syscall_nr.h>
#include <abi/time.h>
#include <base/fmt.h>
#include <base/list.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/timer.h>
#include <dev/control.h>
#include <linux/errname.h>
#include <linux/syscalls_gen.h>
#include <linux/table.h>
#include <mem/heap.h>
#include <sched/mutex.h>
#include <sched/thread.h>
#include <sched/work.h>
#include <vm/uaccess.h>

#define LINE_MAX     1024u	/* a line is cut here */
#define PATH_SHOWN   256u	/* bytes of a path */
#define DATA_SHOWN   32u	/* bytes of a buffer, as strace's -s */
#define BUFFER_BYTES (32u << 10)
#define FLUSH_AFTER  (NSEC_PER_SEC / 50)

/* A call under way; thread->trace. */
struct trace_call {
	struct list link;	/* [trace_lock] */
	const struct syscall_desc *desc;
	unsigned next;		/* [o] first argument not yet written */
	int tid;
	size_t len;
	char text[LINE_MAX];
};

typedef void print_fn(struct trace_call *c, uint64_t v, long ret,
		      uint64_t next_arg);

bool trace_on;

static uint64_t wanted[SYSCALL_MAX / 64];	/* [I] after trace_init() */
static struct mutex trace_lock;
static struct list calls = LIST_INIT(calls);	/* [trace_lock] */
static char *buffer;				/* [I] */
static size_t buffered;				/* [trace_lock] */
static struct timer flush_timer;
static struct work flush_work;

/* ---- printers, one for each kind's second word in syscalls.tbl ---- */

static void
put(struct trace_call *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(c->text + c->len, LINE_MAX - c->len, fmt, ap);
	va_end(ap);
	c->len = min_size(c->len + (size_t)n, LINE_MAX - 1);
}

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

static void
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
static void
put_bytes(struct trace_call *c, const char *p, size_t len)
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

static void
print_path(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	char path[PATH_SHOWN];
	ssize_t n = copy_string_from_user(path, (const char __user *)v,
					  sizeof(path));

	if (n >= 0) {
		put_bytes(c, path, (size_t)n);
	} else if (n == -ENAMETOOLONG) {
		put_bytes(c, path, sizeof(path));
		put(c, "...");
	} else {
		print_hex(c, v, ret, next);
	}
}

static void
put_data(struct trace_call *c, uint64_t v, uint64_t len)
{
	char data[DATA_SHOWN];
	size_t n = min_size(len, sizeof(data));

	if (!v || copy_from_user(data, (const void __user *)v, n)) {
		print_hex(c, v, 0, 0);
		return;
	}
	put_bytes(c, data, n);
	if (len > n)
		put(c, "...");
}

/* What goes in: as long as the next argument says. */
static void
print_ibuf(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)ret;
	put_data(c, v, next);
}

/* What comes out: as long as the result says. */
static void
print_obuf(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	(void)next;
	if (ret < 0)
		print_hex(c, v, ret, next);
	else
		put_data(c, v, (uint64_t)ret);
}

/* ---- flags ---- */

struct flag {
	uint64_t bits;
	const char *name;
};
#define FLAG(f) { f, #f }

/* Flags after `first` names have been printed; the rest as a number. */
static void
put_flags(struct trace_call *c, uint64_t v, const struct flag *f, size_t n,
	  bool first)
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
	static const struct flag flags[] = {
		FLAG(O_TMPFILE), FLAG(O_SYNC), FLAG(O_CREAT), FLAG(O_EXCL),
		FLAG(O_NOCTTY), FLAG(O_TRUNC), FLAG(O_APPEND),
		FLAG(O_NONBLOCK), FLAG(O_DSYNC), FLAG(O_ASYNC), FLAG(O_DIRECT),
		FLAG(O_LARGEFILE), FLAG(O_DIRECTORY), FLAG(O_NOFOLLOW),
		FLAG(O_NOATIME), FLAG(O_CLOEXEC), FLAG(O_PATH),
	};
	static const char *const access[] = {
		"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE",
	};

	(void)ret, (void)next;
	put(c, "%s", access[v & O_ACCMODE]);
	if ((uint32_t)v & ~(uint32_t)O_ACCMODE)
		put_flags(c, (uint32_t)v & ~(uint32_t)O_ACCMODE, flags,
			  ARRAY_SIZE(flags), false);
}

static void
print_prot(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct flag flags[] = {
		FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC),
		FLAG(PROT_GROWSDOWN), FLAG(PROT_GROWSUP),
	};

	(void)ret, (void)next;
	if ((uint32_t)v == PROT_NONE)
		put(c, "PROT_NONE");
	else
		put_flags(c, (uint32_t)v, flags, ARRAY_SIZE(flags), true);
}

static void
print_mflags(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const struct flag flags[] = {
		FLAG(MAP_FIXED_NOREPLACE), FLAG(MAP_FIXED),
		FLAG(MAP_ANONYMOUS), FLAG(MAP_32BIT), FLAG(MAP_GROWSDOWN),
		FLAG(MAP_DENYWRITE), FLAG(MAP_LOCKED), FLAG(MAP_NORESERVE),
		FLAG(MAP_POPULATE), FLAG(MAP_NONBLOCK), FLAG(MAP_STACK),
		FLAG(MAP_HUGETLB), FLAG(MAP_SYNC),
	};
	static const char *const type[] = {
		"MAP_FILE", "MAP_SHARED", "MAP_PRIVATE", "MAP_SHARED_VALIDATE",
	};

	(void)ret, (void)next;
	put(c, "%s", type[v & 3]);
	if ((uint32_t)v & ~3u)
		put_flags(c, (uint32_t)v & ~3u, flags, ARRAY_SIZE(flags),
			  false);
}

static void
print_signal(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
	static const char *const names[] = {
		"0",	   "SIGHUP",  "SIGINT",	   "SIGQUIT", "SIGILL",
		"SIGTRAP", "SIGABRT", "SIGBUS",	   "SIGFPE",  "SIGKILL",
		"SIGUSR1", "SIGSEGV", "SIGUSR2",   "SIGPIPE", "SIGALRM",
		"SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP",
		"SIGTSTP", "SIGTTIN", "SIGTTOU",   "SIGURG",  "SIGXCPU",
		"SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",
		"SIGPWR",  "SIGSYS",
	};

	if ((uint32_t)v < ARRAY_SIZE(names))
		put(c, "%s", names[(uint32_t)v]);
	else if ((int)v >= 32 && (int)v <= 64)
		put(c, "SIGRT_%d", (int)v - 32);
	else
		print_dec(c, v, ret, next);
}

static void
print_clockid(struct trace_call *c, uint64_t v, long ret, uint64_t next)
{
#define CLOCK(id) [id] = #id
	static const char *const names[] = {
		CLOCK(CLOCK_REALTIME), CLOCK(CLOCK_MONOTONIC),
		CLOCK(CLOCK_PROCESS_CPUTIME_ID),
		CLOCK(CLOCK_THREAD_CPUTIME_ID), CLOCK(CLOCK_MONOTONIC_RAW),
		CLOCK(CLOCK_REALTIME_COARSE), CLOCK(CLOCK_MONOTONIC_COARSE),
		CLOCK(CLOCK_BOOTTIME), CLOCK(CLOCK_REALTIME_ALARM),
		CLOCK(CLOCK_BOOTTIME_ALARM), CLOCK(CLOCK_TAI),
	};
#undef CLOCK

	if ((uint32_t)v < ARRAY_SIZE(names) && names[(uint32_t)v])
		put(c, "%s", names[(uint32_t)v]);
	else
		print_dec(c, v, ret, next);
}

#define PRINTER(kind, printer) [KIND_##kind] = print_##printer,
static print_fn *const printers[KIND_COUNT] = { SYSCALL_KINDS(PRINTER) };
#undef PRINTER

/* ---- lines ---- */

/* Writes arguments from c->next on; before the call has ended (ended false)
 * up to the first that it fills in. */
static void
put_args(struct trace_call *c, const uint64_t a[6], long ret, bool ended)
{
	const struct syscall_desc *d = c->desc;

	for (; c->next < d->nargs; c->next++) {
		const unsigned i = c->next;
		print_fn *print = printers[d->args[i].kind];

		if (!ended && print == print_obuf)
			return;
		if (i)
			put(c, ", ");
		print(c, a[i], ret, i + 1 < d->nargs ? a[i + 1] : 0);
	}
}

static void
flush_locked(void)
{
	if (buffered)
		control_send(PITH_FRAME_TRACE, buffer, buffered);
	buffered = 0;
}

static void
append_locked(const char *text, size_t len)
{
	if (buffered + len > BUFFER_BYTES)
		flush_locked();
	if (!buffered)
		timer_set(&flush_timer, clock_mono_ns() + FLUSH_AFTER);
	memcpy(buffer + buffered, text, len);
	buffered += len;
}

static void
append(const char *text, size_t len)
{
	mutex_lock(&trace_lock);
	append_locked(text, len);
	mutex_unlock(&trace_lock);
}

static void
flush_now(struct work *w)
{
	(void)w;
	mutex_lock(&trace_lock);
	flush_locked();
	mutex_unlock(&trace_lock);
}

static void
flush_due(struct timer *t)
{
	(void)t;
	work_queue(&flush_work);
}

/* ---- the gate's hooks ---- */

static bool
is_wanted(unsigned nr)
{
	return wanted[nr / 64] & 1ull << nr % 64;
}

void
trace_enter(struct thread *t, const struct syscall_desc *d, unsigned nr,
	    const uint64_t a[6])
{
	struct trace_call *c;

	if (!is_wanted(nr))
		return;
	c = kmalloc(sizeof(*c), ALLOC_KERNEL);
	if (!c)
		return;	/* a line is lost, the call is not */
	c->desc = d;
	c->next = 0;
	c->len = 0;
	c->tid = t->tid;
	put(c, "[%d] ", c->tid);
	if (d->name)
		put(c, "%s(", d->name);
	else
		put(c, "syscall_%u(", nr);
	put_args(c, a, 0, false);
	if (nr == SYS_exit || nr == SYS_exit_group) {
		put(c, ") = ?\n");
		append(c->text, c->len);
		kfree(c);
		return;
	}
	mutex_lock(&trace_lock);
	list_add_tail(&calls, &c->link);
	mutex_unlock(&trace_lock);
	t->trace = c;
}

static bool
returns_address(unsigned nr)
{
	return nr == SYS_mmap || nr == SYS_brk || nr == SYS_mremap;
}

static void
put_result(struct trace_call *c, unsigned nr, long ret)
{
	const char *name = ret < 0 ? err_name(-ret) : NULL;

	if (name)
		put(c, ") = -1 %s (%s)\n", name, err_text(-ret));
	else if (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK)
		put(c, ") = ? (interrupted, to be restarted)\n");
	else if (returns_address(nr))
		put(c, ") = %#lx\n", ret);
	else
		put(c, ") = %ld\n", ret);
}

void
trace_leave(struct thread *t, const struct syscall_desc *d, unsigned nr,
	    const uint64_t a[6], long ret)
{
	struct trace_call *c = t->trace;

	(void)d;
	if (!c)
		return;
	t->trace = NULL;
	put_args(c, a, ret, true);
	if (nr == SYS_rt_sigreturn)
		put(c, ") = ?\n");
	else
		put_result(c, nr, ret);
	if (c->text[c->len - 1] != '\n')
		c->text[c->len - 1] = '\n';
	mutex_lock(&trace_lock);
	list_del(&c->link);
	append_locked(c->text, c->len);
	mutex_unlock(&trace_lock);
	kfree(c);
}

void
trace_end(void)
{
	struct trace_call *c;

	if (!trace_on)
		return;
	mutex_lock(&trace_lock);
	list_for_each_entry(c, &calls, link) {
		static const char rest[] = " <unfinished ...>\n";

		append_locked(c->text, c->len);
		append_locked(rest, sizeof(rest) - 1);
	}
	list_init(&calls);
	flush_locked();
	mutex_unlock(&trace_lock);
}

/* ---- starting ---- */

static bool
want(const char *name, size_t len)
{
	for (unsigned nr = 0; nr < SYSCALL_MAX; nr++) {
		const char *s = syscall_table[nr].name;

		if (s && strlen(s) == len && !memcmp(s, name, len)) {
			wanted[nr / 64] |= 1ull << nr % 64;
			return true;
		}
	}
	return false;
}

void
trace_init(const char *filter)
{
	buffer = kmalloc(BUFFER_BYTES, ALLOC_KERNEL);
	if (!buffer) {
		control_notice("no memory for tracing");
		return;
	}
	mutex_init(&trace_lock, RANK_TRACE);
	timer_init(&flush_timer, flush_due);
	work_init(&flush_work, flush_now);
	if (!*filter)
		memset(wanted, 0xff, sizeof(wanted));
	while (*filter) {
		const char *comma = strchr(filter, ',');
		size_t len = comma ? (size_t)(comma - filter) :
				     strlen(filter);

		if (len && !want(filter, len))
			control_notice("--trace: no system call is named %.*s",
				       (int)len, filter);
		filter += len;
		filter += *filter == ',';
	}
	trace_on = true;
}
