/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run comes to: the status that `pith` ends with, and its last line.
 * A status of our own always has one, which says what happened and what to
 * do; the program's own status has none.
 */
#include "ending.h"

#include "klib.h"
#include "qemu.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* QEMU ended without an exit frame: its own words, or what it died of. */
_Noreturn static void
qemu_failed(const struct ending *e)
{
	static const char mark[] = "qemu-system-x86_64: ";
	const char *text = e->qemu_text ? e->qemu_text : "";
	const char *line = strstr(text, mark);

	line = line ? line + strlen(mark) : text;
	if (*line)
		die(STATUS_FAILED, "QEMU: %s",
		    printable(xstrndup(line, strcspn(line, "\r\n"))));
	if (WIFSIGNALED(e->qemu_status))
		die(STATUS_FAILED, "QEMU was killed by signal %d",
		    WTERMSIG(e->qemu_status));
	die(STATUS_FAILED, "the machine ended without a word from the kernel; "
			   "--verbose shows its log");
}

/* A klib could not be loaded, or its init() failed; the kernel's log, under
 * --verbose, has the details. */
_Noreturn static void
klib_failed(const struct ending *e)
{
	uint32_t code = e->control->exit.code, i = PITH_KLIB_INDEX(code);
	int err = PITH_KLIB_ERRNO(code);
	const struct strv *klibs = &e->options->klibs;
	const char *why = strerror(err);
	char *name = i < klibs->n ? klib_name(klibs->v[i]) : xstrdup("?");

	if (!PITH_KLIB_INIT(code))
		why = err == ESTALE  ? "it was built for another kernel than "
				       "this one; build both anew" :
		      err == ENOEXEC ? "its file is damaged; --verbose says "
				       "how" :
		      err == ENOENT  ? "it is not there, or wants what this "
				       "kernel does not export; --verbose "
				       "says what" :
		      err == ENOMEM  ? "the machine's memory is too small" :
				       why;
	die(STATUS_FAILED, "the klib %s can not be used: %s", printable(name),
	    why);
}

/* What pith ends with, and its last line when that is not the program's. */
int
ending_status(const struct ending *e)
{
	const struct pith_exit *x = &e->control->exit;
	const struct options *o = e->options;

	/* Killed because we said so: we know why. */
	if (e->by_us && (!e->control->exited ||
			 (x->kind == PITH_EXIT_SIGNAL && x->code == SIGKILL))) {
		warn("%s", e->why);
		return e->by_us;
	}
	if (!e->control->exited)
		qemu_failed(e);
	switch (x->kind) {
	case PITH_EXIT_STATUS:
		return x->code & 0xff;
	case PITH_EXIT_SIGNAL:
		return 128 + (x->code & 0x7f);
	case PITH_EXIT_NOEXEC:
		if (x->code == ENOMEM)
			die(STATUS_NOEXEC,
			    "the program does not fit into the "
			    "machine's memory of %llu MB; --memory gives more",
			    (unsigned long long)machine_memory(o) >> 20);
		die(x->code == ENOENT ? STATUS_NOTFOUND : STATUS_NOEXEC,
		    "the program can not be executed: %s", strerror(x->code));
	case PITH_EXIT_PANIC:
		die(STATUS_FAILED, "the kernel panicked; its report is above");
	case PITH_EXIT_BOOT:
		if (x->code == EROFS && o->root_mode == PITH_ROOT_RW)
			die(STATUS_FAILED,
			    "%s: the disk's file system can "
			    "only be read; --verbose says why",
			    o->persist ? "--persist" : "--root-mode rw");
		if (x->code == EROFS && o->nvolumes)
			die(STATUS_FAILED,
			    "a volume's file system can only be "
			    "read (-v NAME:/PATH:ro); --verbose says why");
		if (x->code == ENODEV && o->nvolumes)
			die(STATUS_FAILED, "-v: this kernel can not use "
					   "directories of the host");
		die(STATUS_FAILED,
		    "the kernel can not use the image or the "
		    "options: %s",
		    strerror(x->code));
	case PITH_EXIT_KLIB:
		klib_failed(e);
	case PITH_EXIT_WATCHDOG:
		die(STATUS_FAILED, "the kernel made no progress and was "
				   "stopped; its report is above");
	}
	die(STATUS_FAILED, "the kernel ended in an unknown way (%u)", x->kind);
}
