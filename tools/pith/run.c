/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith run`: packages the program (or opens the image), starts QEMU, and
 * stands between the machine and the user until it ends.
 *
 * One poll loop moves the streams, the control frames and the signals.  All
 * signals that concern the program are blocked and read from a signalfd, so
 * nothing happens inside a handler.  QEMU has its own process group, out of
 * the reach of the terminal's Ctrl-C, and dies with us (PR_SET_PDEATHSIG).
 */
#include "run.h"

#include "block.h"
#include "cache.h"
#include "control.h"
#include "ending.h"
#include "image.h"
#include "klib.h"
#include "lastwords.h"
#include "net.h"
#include "qemu.h"
#include "stream.h"
#include "tty.h"
#include "volume.h"
#include "vsock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_NS  5000000000ll /* the same signal twice within this ends */
#define ECHO_NS	  100000000ll  /* below this it is one signal, sent twice */
#define PARENT_NS 1000000000ll /* the same, of our parent's */
#define LINGER_NS 2000000000ll /* from the exit frame to QEMU's end */
#define STOP_NS \
	30000000000ll /* from asking it to write its disks and stop
				  * to killing it */
#define ECHO_STREAM 3

struct run {
	struct options *o;
	struct net net;
	bool listening; /* QEMU does, with a real backlog */
	struct control control;
	struct stream streams[4]; /* stdin, stdout, stderr, its echo */
	bool have_stream[4];
	pid_t qemu;
	int qemu_status, qemu_err;
	int uart;	      /* the kernel's early log, or -1 */
	struct buf qemu_text; /* what QEMU said on stderr */
	int signals;
	int64_t deadline, linger, kill_at;
	int64_t last_signal_at;
	int last_signal;
	int ended_by; /* 0, or the status to end with */
	const char *ended_why;
	const char *key; /* of the image in the cache; NULL: it is no such */
};

static int64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* enum pith_stream_kind of one of our own descriptors. */
static uint32_t
stream_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return PITH_STREAM_CLOSED;
	if (isatty(fd))
		return PITH_STREAM_TTY;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		return PITH_STREAM_NULL;
	if (S_ISREG(st.st_mode))
		return PITH_STREAM_FILE;
	return PITH_STREAM_PIPE;
}

/* After 2>&1: one stream, so that what goes to the one does not overtake what
 * went to the other. */
static bool
stderr_is_stdout(const struct pith_streams *s)
{
	struct stat out, err;

	return s->kind[1] == s->kind[2] &&
	       (s->kind[1] == PITH_STREAM_PIPE ||
		s->kind[1] == PITH_STREAM_FILE) &&
	       !fstat(1, &out) && !fstat(2, &err) && out.st_dev == err.st_dev &&
	       out.st_ino == err.st_ino;
}

/* Descriptors 0-2 that are closed must not become something of ours. */
static void
guard_standard_fds(struct pith_streams *s)
{
	for (int fd = 0; fd < 3; fd++) {
		s->kind[fd] = stream_kind(fd);
		if (s->kind[fd] == PITH_STREAM_CLOSED)
			open("/dev/null", O_RDWR);
	}
	if (stderr_is_stdout(s))
		s->kind[2] = PITH_STREAM_STDOUT;
}

/* The part of the run block that depends on this very run. */
static void
put_circumstances(struct buf *b, const struct options *o,
		  const struct pith_streams *streams, uint32_t flags)
{
	unsigned char termios[36], seed[32];
	struct winsize ws;
	struct timespec t;
	struct {
		int64_t s;
		uint32_t ns;
	} __attribute__((packed)) wall;

	flags |= o->no_aslr || o->gdb ? PITH_FLAG_NO_ASLR : 0;
	flags |= o->missing_files ? PITH_FLAG_MISSING : 0;
	flags |= verbose ? PITH_FLAG_VERBOSE : 0;
	flags |= o->gdb ? PITH_FLAG_WAIT_GDB : 0;
	block_put_u32(b, PITH_REC_FLAGS, flags);
	block_put(b, PITH_REC_STREAMS, streams, sizeof(*streams));
	if (tty_termios(termios))
		block_put(b, PITH_REC_TERMIOS, termios, sizeof(termios));
	if (tty_size(&ws))
		block_put(b, PITH_REC_WINSIZE, &ws, sizeof(ws));
	if (o->trace)
		block_put_str(b, PITH_REC_TRACE, o->trace_filter);
	if (o->profile_hz)
		block_put(b, PITH_REC_PROFILE, &o->profile_hz,
			  sizeof(o->profile_hz));
	clock_gettime(CLOCK_REALTIME, &t);
	wall.s = t.tv_sec;
	wall.ns = t.tv_nsec;
	block_put(b, PITH_REC_TIME, &wall, sizeof(wall));
	if (getrandom(seed, sizeof(seed), 0) == sizeof(seed))
		block_put(b, PITH_REC_SEED, seed, sizeof(seed));
}

static int
block_memfd(struct buf *b)
{
	/* Inherited by QEMU, which opens it by its number. */
	int fd = memfd_create("pith-run", 0);

	if (block_finish(b))
		die(STATUS_FAILED,
		    "arguments and environment are larger than "
		    "%u KB",
		    PITH_BLOCK_MAX >> 10);
	if (fd < 0 || write_all(fd, b->p, b->len))
		die(STATUS_FAILED, "can not make the run block: %s",
		    strerror(errno));
	return fd;
}

/* A packaged image given in place of a program: its descriptor, or -1. */
static int
open_image(struct options *o, struct buf *manifest)
{
	struct image_layout l;
	const char *why = "";
	struct stat st;
	int fd, err;

	if (o->root || !o->program || stat(o->program, &st) < 0 ||
	    !S_ISREG(st.st_mode))
		return -1;
	fd = open(o->program, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	err = image_read_layout(fd, &l, &why);
	if (!err)
		err = image_read_manifest(fd, &l, manifest, &why);
	if (!err)
		return fd;
	if (err != -ENOEXEC)
		die(STATUS_FAILED, "%s: the image is damaged: %s",
		    printable(o->program), why);
	close(fd);
	return -1;
}

/* Takes from the manifest what the run block must repeat or the machine
 * needs to know; returns its flags. */
static uint32_t
merge_manifest(struct options *o, const struct buf *manifest, struct buf *b)
{
	struct block_item item;
	struct options net = { 0 };
	uint32_t flags = 0;
	size_t at = 0;
	bool first = true;

	while (block_next(manifest, &at, &item)) {
		uint64_t memory;
		uint32_t cpus;

		if (item.tag == PITH_REC_FLAGS && item.len == 4) {
			memcpy(&flags, item.value, 4);
			o->no_aslr |= (flags & PITH_FLAG_NO_ASLR) != 0;
		} else if (item.tag == PITH_REC_ARG && first && o->args.n) {
			/* New arguments replace all but argv[0]. */
			block_put(b, PITH_REC_ARG, item.value, item.len);
			for (size_t i = 0; i < o->args.n; i++)
				block_put_str(b, PITH_REC_ARG, o->args.v[i]);
			first = false;
		} else if (item.tag == PITH_REC_MACHINE && item.len == 12) {
			memcpy(&memory, item.value, 8);
			memcpy(&cpus, item.value + 8, 4);
			if (!o->memory_bytes && memory >= MEMORY_MIN &&
			    memory <= MEMORY_MAX)
				o->memory_bytes = memory;
			if (!o->cpus && cpus <= 64)
				o->cpus = cpus;
		} else {
			net_take_record(&net, item.tag, item.value, item.len);
		}
	}
	if (!o->ips.n)
		o->ips = net.ips;
	if (!o->dns.n)
		o->dns = net.dns;
	if (!o->publish.n)
		o->publish = net.publish;
	return flags;
}

/* What the manifest says of volumes holds where nothing was said.  Mounts of
 * ours in the run block replace the manifest's, which go there with them. */
static void
merge_volumes(struct options *o, const struct buf *manifest)
{
	bool said = o->nvolumes > 0, mounts = o->mounts.n > 0;
	struct block_item item;
	size_t at = 0;

	while (block_next(manifest, &at, &item)) {
		char *text = xstrndup(item.value, item.len);
		const char *why = NULL;

		if (item.tag == PITH_REC_VOLUME && !said)
			why = options_add_volume(o, text);
		if (why)
			die(STATUS_FAILED, "the image's volume %s: %s",
			    printable(text), why);
		/* Who made the image has no say over this host's files. */
		if (item.tag == PITH_REC_VOLUME && !said &&
		    volume_is_dir(&o->volumes[o->nvolumes - 1]))
			die(STATUS_FAILED,
			    "the image asks for a directory of this host; to "
			    "give it, say -v %s",
			    printable(text));
		free(text);
	}
	at = 0;
	while (o->nvolumes && !mounts && block_next(manifest, &at, &item)) {
		char *text = xcalloc(1, item.len + 1);

		for (uint32_t i = 0; i < item.len; i++)
			text[i] = item.value[i] ? item.value[i] : ':';
		if (item.tag == PITH_REC_MOUNT)
			strv_add(&o->mounts, text);
		free(text);
	}
}

static char *
volume_dir(const struct volume *v)
{
	char *real = realpath(v->source, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0)
		die(STATUS_FAILED, "-v %s: %s", printable(v->source),
		    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		die(STATUS_FAILED, "-v %s: it is not a directory",
		    printable(v->source));
	if (strchr(real, ','))
		die(STATUS_FAILED,
		    "-v %s: a directory with a comma in its "
		    "path can not be given to QEMU",
		    printable(real));
	return real;
}

/* Opens the volumes for QEMU, and has the kernel mount them. */
static void
open_volumes(struct options *o, struct qemu_fds *f)
{
	for (unsigned i = 0; i < o->nvolumes; i++) {
		const struct volume *v = &o->volumes[i];
		struct qemu_volume *q = &f->volumes[i];
		bool dir = volume_is_dir(v);
		char *mount;

		*q = (struct qemu_volume){ .fd = -1,
					   .writable = !v->read_only };
		snprintf(q->id, sizeof(q->id), "pith%u", i);
		if (dir) {
			q->dir = volume_dir(v);
		} else {
			q->fd = volume_open(v->source, v->read_only);
			volume_must_be_ext4(v->source, q->fd);
			fcntl(q->fd, F_SETFD, 0);
		}
		mount = xasprintf("%s:%s%s:%s:%s", dir ? "9p" : "ext4",
				  dir ? "" : "SERIAL=", q->id, v->target,
				  v->read_only ? "ro" : "");
		strv_add(&o->mounts, mount);
		free(mount);
	}
	f->nvolumes = o->nvolumes;
}

/* Both ends of a port: ours is returned, QEMU's is inherited. */
static int
make_port(int *theirs)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		die(STATUS_FAILED, "can not make a socket: %s",
		    strerror(errno));
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
	*theirs = fd[1];
	return fd[0];
}

/* QEMU's stdin and stdout are /dev/null; its stderr is kept, to be shown
 * when it fails. */
static void
start_qemu(struct run *r, struct qemu *q)
{
	sigset_t none;
	int err[2], null;
	pid_t parent = getpid();

	if (pipe2(err, O_CLOEXEC) < 0)
		die(STATUS_FAILED, "can not make a pipe: %s", strerror(errno));
	r->qemu = fork();
	if (r->qemu < 0)
		die(STATUS_FAILED, "can not start QEMU: %s", strerror(errno));
	if (r->qemu == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* We may have died before the line above. */
		if (getppid() != parent)
			_exit(1);
		setpgid(0, 0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, 0);
		dup2(null, 1);
		dup2(err[1], 2);
		execv(q->argv[0], q->argv);
		dprintf(2, "%s: %s\n", q->argv[0], strerror(errno));
		_exit(127);
	}
	close(err[1]);
	r->qemu_err = err[0];
	fcntl(err[0], F_SETFL, O_NONBLOCK);
}

static void
take_signals(struct run *r)
{
	static const int sigs[] = { SIGINT,  SIGTERM, SIGHUP,	SIGQUIT,
				    SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD,
				    SIGCONT, SIGTSTP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(sigs); i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool
keeps_disk(const struct options *o)
{
	bool keeps = o->persist;

	for (unsigned i = 0; i < o->nvolumes; i++)
		keeps |= !o->volumes[i].read_only;
	return keeps;
}

/* Ends the machine: asks the kernel, and kills QEMU when it does not. */
static void
end_machine(struct run *r, int status, const char *why)
{
	if (r->ended_by)
		return;
	r->ended_by = status;
	r->ended_why = why;
	control_send(&r->control, PITH_FRAME_STOP, NULL, 0);
	/* Only a disk that is kept is worth waiting for. */
	r->kill_at = now_ns() + (keeps_disk(r->o) ? STOP_NS : 0);
}

static void
send_winsize(struct run *r)
{
	struct winsize ws;

	if (tty_size(&ws))
		control_send(&r->control, PITH_FRAME_WINSIZE, &ws, sizeof(ws));
}

/* A program may ignore what asks it to end; who sends it twice wants the end.
 * The other signals are its own, however often they come. */
static void
forward_signal(struct run *r, uint32_t sig, uint32_t sender)
{
	int64_t now = now_ns(), since = now - r->last_signal_at;

	if (sig != SIGINT && sig != SIGTERM && sig != SIGQUIT) {
		control_send(&r->control, PITH_FRAME_SIGNAL, &sig, sizeof(sig));
		return;
	}
	/* timeout(1) signals its child and then the child's group, on a busy
	 * host not at once. */
	if ((uint32_t)r->last_signal == sig &&
	    since < (sender == (uint32_t)getppid() ? PARENT_NS : ECHO_NS))
		return;
	if ((uint32_t)r->last_signal == sig && since < AGAIN_NS) {
		end_machine(r, 128 + sig,
			    "the same signal twice: the machine "
			    "is ended");
		return;
	}
	r->last_signal = sig;
	r->last_signal_at = now;
	control_send(&r->control, PITH_FRAME_SIGNAL, &sig, sizeof(sig));
}

/* SIGTSTP from outside (the key goes to the program): the terminal must be
 * the shell's while we are stopped. */
static void
stop_ourselves(void)
{
	tty_restore();
	raise(SIGSTOP);
	tty_resume();
}

static void
read_signals(struct run *r)
{
	struct signalfd_siginfo si;

	while (read(r->signals, &si, sizeof(si)) == sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGCHLD:
			if (r->qemu > 0 && waitpid(r->qemu, &r->qemu_status,
						   WNOHANG) == r->qemu)
				r->qemu = 0;
			break;
		case SIGWINCH:
			send_winsize(r);
			break;
		case SIGCONT:
			tty_resume();
			send_winsize(r);
			break;
		case SIGTSTP:
			stop_ourselves();
			break;
		default:
			forward_signal(r, si.ssi_signo, si.ssi_pid);
		}
	}
}

static void
read_qemu_text(struct run *r)
{
	char chunk[4096];
	ssize_t n = read(r->qemu_err, chunk, sizeof(chunk));

	if (n > 0 && r->qemu_text.len < 65536)
		buf_add(&r->qemu_text, chunk, n);
	if (n > 0 && verbose)
		tty_print(2, chunk, n);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		close(r->qemu_err);
		r->qemu_err = -1;
	}
}

/* Until the control port speaks, the UART is the only voice of the kernel;
 * afterwards it would say everything twice. */
static void
read_uart(struct run *r)
{
	char chunk[4096];
	ssize_t n = read(r->uart, chunk, sizeof(chunk));

	if (n > 0 && !r->control.hello)
		tty_print(2, chunk, n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(r->uart);
		r->uart = -1;
	}
}

/* The next moment something must happen, in poll's milliseconds. */
static int
poll_timeout(struct run *r)
{
	const int64_t when[] = { r->deadline, r->linger, r->kill_at };
	int64_t now = now_ns(), next = -1;

	for (size_t i = 0; i < ARRAY_LEN(when); i++)
		if (when[i] && (next < 0 || when[i] < next))
			next = when[i];
	if (next < 0)
		return -1;
	return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

static void
check_clocks(struct run *r)
{
	int64_t now = now_ns();

	if (r->deadline && now >= r->deadline) {
		r->deadline = 0;
		end_machine(r, STATUS_TIMEOUT, "time is up");
	}
	if (r->kill_at && now >= r->kill_at && r->qemu > 0) {
		r->kill_at = 0;
		kill(r->qemu, SIGKILL);
	}
	if (r->linger && now >= r->linger && r->qemu > 0) {
		/* The exit frame came and everything is said. */
		r->linger = 0;
		kill(r->qemu, SIGKILL);
	}
}

/* All output is out.  Input does not count: nobody waits for it. */
static bool
streams_done(struct run *r)
{
	for (int i = 1; i < 4; i++)
		if (r->have_stream[i] && !stream_done(&r->streams[i]))
			return false;
	return true;
}

static void
move_streams(struct run *r, const struct pollfd *p, const int count[4])
{
	for (int i = 0; i < 4; i++) {
		if (r->have_stream[i] &&
		    stream_move(&r->streams[i], p, count[i]) < 0)
			end_machine(r, STATUS_FAILED, "ended by Ctrl-A x");
		p += count[i];
	}
}

static void
loop_once(struct run *r)
{
	struct pollfd p[13] = { 0 };
	int n = 0, count[4] = { 0 }, at;

	p[n++] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
	p[n++] = (struct pollfd){ .fd = r->qemu_err, .events = POLLIN };
	p[n++] = (struct pollfd){
		.fd = r->control.fd,
		.events =
			POLLIN | (control_has_output(&r->control) ? POLLOUT : 0)
	};
	p[n++] = (struct pollfd){ .fd = r->uart, .events = POLLIN };
	at = n;
	for (int i = 0; i < 4; i++) {
		/* Input after the program's end would only be lost. */
		if (!r->have_stream[i] ||
		    (!i && (r->control.exited || r->ended_by)))
			continue;
		count[i] = stream_poll(&r->streams[i], p + n);
		n += count[i];
	}
	if (poll(p, n, poll_timeout(r)) < 0)
		return;
	check_clocks(r);
	if (p[0].revents)
		read_signals(r);
	if (p[1].revents && r->qemu_err >= 0)
		read_qemu_text(r);
	if (p[2].revents & POLLOUT)
		control_write(&r->control);
	if (p[2].revents & (POLLIN | POLLHUP) && !control_read(&r->control)) {
		close(r->control.fd);
		r->control.fd = -1;
		if (r->control.broken)
			end_machine(r, STATUS_FAILED,
				    "the kernel sent a frame "
				    "that makes no sense");
	}
	if (p[3].revents && r->uart >= 0)
		read_uart(r);
	if (r->control.hello && !r->listening && r->qemu > 0) {
		r->listening = true;
		net_raise_backlog(&r->net, r->qemu);
	}
	if (r->control.exited && !r->linger)
		r->linger = now_ns() + LINGER_NS;
	move_streams(r, p + at, count);
}

/* A port for each stream that is open; none for /dev/null, which the guest
 * has itself, and none for a stderr that is stdout. */
static void
open_streams(struct run *r, struct qemu_fds *f,
	     const struct pith_streams *streams)
{
	for (int i = 0; i < 3; i++) {
		int port, fd = i;

		f->stream[i] = -1;
		if (streams->kind[i] == PITH_STREAM_CLOSED ||
		    streams->kind[i] == PITH_STREAM_NULL ||
		    streams->kind[i] == PITH_STREAM_STDOUT)
			continue;
		port = make_port(&f->stream[i]);
		r->have_stream[i] = true;
		if (i == 0) {
			stream_open(&r->streams[0], 0, port, true);
			if (streams->kind[0] != PITH_STREAM_TTY)
				continue;
			/* What the guest's terminal echoes comes back on the
			 * port of its input. */
			r->have_stream[ECHO_STREAM] = true;
			stream_open(&r->streams[ECHO_STREAM], port, 0, false);
			continue;
		}
		/* stderr stays for our own words. */
		if (i == 2)
			fd = fcntl(2, F_DUPFD_CLOEXEC, 3);
		stream_open(&r->streams[i], port, fd, false);
	}
}

/* The kernel is linked low and runs high, always at the same place when a
 * debugger is meant to follow. */
static void
say_gdb(const struct options *o)
{
	char *kernel = kernel_find(), *debug = kernel_debug();
	char *klibs = klib_gdb(o, KLIB_GDB_START, KLIB_GDB_GAP);

	warn("the machine waits: gdb -ex 'symbol-file -o 0x%llx %s' %s"
	     "-ex 'target remote 127.0.0.1:%u'",
	     KERNEL_GDB_OFFSET, access(debug, R_OK) ? kernel : debug, klibs,
	     o->gdb_port);
	free(klibs);
	free(debug);
	free(kernel);
}

/* A server that fails has a reason; one that tells it nobody is looked at from
 * outside.  What is sent to /dev/null was not seen here. */
static void
explain_silence(const struct run *r, int status)
{
	const struct control *c = &r->control;

	if (!status || !c->exited || c->exit.kind != PITH_EXIT_STATUS ||
	    c->spoke || !r->o->publish.n || !r->have_stream[1] ||
	    !last_words_none(r->streams + 1, 2))
		return;
	warn("the program ended with status %d without a word; "
	     "--missing-files and --trace show what it asked for",
	     status);
}

static int
run_machine(struct run *r, struct qemu_fds *f,
	    const struct pith_streams *streams, bool kvm)
{
	int control_theirs, status;
	struct qemu q;

	control_start(&r->control, make_port(&control_theirs), r->o);
	f->control = control_theirs;
	r->uart = f->uart = -1;
	if (verbose)
		r->uart = make_port(&f->uart);
	open_streams(r, f, streams);
	qemu_build(&q, r->o, f, kvm);
	take_signals(r);
	net_release(&r->net);
	start_qemu(r, &q);
	close(control_theirs);
	if (f->uart >= 0)
		close(f->uart);
	for (int i = 0; i < 3; i++)
		if (f->stream[i] >= 0)
			close(f->stream[i]);
	tty_start();
	if (r->o->timeout_s)
		r->deadline = now_ns() + r->o->timeout_s * 1000000000ll;
	if (r->o->gdb)
		say_gdb(r->o);
	while (r->qemu > 0 || r->control.fd >= 0 || r->qemu_err >= 0 ||
	       !streams_done(r))
		loop_once(r);
	tty_restore();
	control_finish(&r->control);
	status = ending_status(&(struct ending){ .options = r->o,
						 .control = &r->control,
						 .qemu_status = r->qemu_status,
						 .qemu_text = r->qemu_text.p,
						 .by_us = r->ended_by,
						 .why = r->ended_why });
	if (status && !r->ended_by && r->key)
		last_words_explain(r->streams + 1, 3, r->key);
	explain_silence(r, status);
	return status;
}

/* QEMU takes the disk by a descriptor with the access it asks for. */
static int
reopen_image(int fd, bool writable)
{
	char path[40];
	int again;

	if (writable) {
		fcntl(fd, F_SETFD, 0);
		return fd;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY);
	if (again < 0)
		die(STATUS_FAILED, "can not open the image: %s",
		    strerror(errno));
	return again;
}

/* The name under which --persist keeps an image's disk. */
static void
image_key(const char *path, char key[65])
{
	char *real = realpath(path, NULL);
	unsigned char out[32];
	struct sha256 h;

	sha256_init(&h);
	sha256_add_str(&h, real ? real : path);
	sha256_end(&h, out);
	for (int i = 0; i < 32; i++)
		sprintf(key + 2 * i, "%02x", out[i]);
	free(real);
}

int
command_run(int argc, char **argv)
{
	struct buf manifest = { 0 }, block = { 0 };
	struct qemu_fds f = { 0 };
	struct pith_streams streams;
	struct run r = { 0 };
	struct options o;
	struct target t = { 0 };
	uint32_t flags = 0;
	char key[65];
	bool kvm;
	int image;

	guard_standard_fds(&streams);
	options_parse(&o, CMD_RUN, argc, argv);
	r.o = &o;
	block_start(&block);
	image = open_image(&o, &manifest);
	if (o.persist)
		o.root_mode = PITH_ROOT_RW;
	if (image >= 0) {
		flags = merge_manifest(&o, &manifest, &block);
		merge_volumes(&o, &manifest);
	}
	/* Before the packaging, which may take a while. */
	net_resolve(&r.net, &o);
	if (o.print_qemu)
		net_pretend(&r.net, &o);
	else
		net_open(&r.net, &o, o.cpus);
	f.net = &r.net;
	f.vsock = vsock_open(&o);
	if (image >= 0) {
		image_key(o.program, key);
		open_volumes(&o, &f);
		block_put_said(&block, &o);
		klib_put_beside(&block, &o, &manifest);
	} else {
		klib_choose(&o);
		pack_find(&o, &t);
		image = cache_image(&o, &t, key);
		r.key = o.root ? NULL : key;
		default_env(&o, &t, true);
		open_volumes(&o, &f);
		block_put_app(&block, &o, &t);
		klib_put(&block, &o);
	}
	if (o.persist)
		image = cache_instance(image, key);
	f.image = reopen_image(image, o.persist);
	f.writable = o.persist;
	put_circumstances(&block, &o, &streams, flags);
	net_put_block(&block, &r.net);
	f.run_block = block_memfd(&block);
	kvm = accel_choose(&o);
	if (o.print_qemu) {
		struct qemu q;

		/* Numbers that stand for the sockets of a run. */
		f.control = 100;
		f.uart = verbose ? 104 : -1;
		for (int i = 0; i < 3; i++)
			f.stream[i] = 101 + i;
		qemu_build(&q, &o, &f, kvm);
		qemu_print(&q);
		return 0;
	}
	return run_machine(&r, &f, &streams, kvm);
}
