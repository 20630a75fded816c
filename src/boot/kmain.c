/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of initialisation: one call a line, each with what is usable
 * from there on.  Entered on the boot stack with interrupts off; ends as the
 * idle thread of the boot CPU.
 */
#include "boot_priv.h"

#include <abi/errno.h>
#include <abi/signal.h>
#include <arch/start.h>
#include <arch/upcall.h>
#include <base/string.h>
#include <boot/runinfo.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/timer_queue.h>
#include <core/watchdog.h>
#include <dev/control.h>
#include <dev/device.h>
#include <dev/random.h>
#include <fs/bdev.h>
#include <fs/pseudo.h>
#include <fs/pseudo/stdio.h>
#include <fs/vfs.h>
#include <ipc/ipc.h>
#include <klib/klib.h>
#include <linux/gate.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <net/netif.h>
#include <net/socket.h>
#include <proc/process.h>
#include <proc/profile.h>
#include <proc/uts.h>
#include <sched/thread.h>
#include <sched/work.h>

/* How long a program that was killed may take, when the host wants an end. */
#define STOP_WAIT_NS NSEC_PER_SEC

static struct run_info run;

/* The program is over: nothing of it runs any more. */
static void
program_ended(void)
{
	gate_end();
	vfs_shutdown();
}

static void
program_ended_itself(void)
{
	net_finish();
	program_ended();
}

/* `pith` wants the machine to end, whatever the program does. */
static void
host_stop(const void *payload, size_t len)
{
	(void)payload, (void)len;
	/* First, so that it does not meet what comes then. */
	process_kill(STOP_WAIT_NS);
	program_ended();
	control_exit_now(PITH_EXIT_SIGNAL, SIGKILL);
}

static void
set_names_and_limits(void)
{
	unsigned i;

	if (uts_set_hostname(run.hostname, strlen(run.hostname)))
		log_err("the host name is too long");
	for (i = 0; i < run.nrlimits; i++)
		if (process_initial_limit(run.rlimits[i].resource,
					  run.rlimits[i].soft,
					  run.rlimits[i].hard))
			log_err("limit %u of the run block makes no sense",
				run.rlimits[i].resource);
}

/* What needs to sleep: runs as a thread, beside the idle loop. */
static void
start_program(void *arg)
{
	struct file *stdio[3];
	int err;

	(void)arg;
	device_init();	   /* disks, ports; the control port answers */
	bdev_nodes_init(); /* /dev/vda */
	control_init();	   /* errors below reach the user */
	control_on(PITH_FRAME_STOP, host_stop);
	err = boot_read_run_info(&run);
	if (err)
		control_exit(PITH_EXIT_BOOT, (uint32_t)-err);
	if (run.seed)
		random_add(run.seed, run.seed_len, (unsigned)run.seed_len * 8);
	if (run.time_sec)
		clock_set_real_ns((uint64_t)run.time_sec * NSEC_PER_SEC +
				  run.time_nsec);
	else
		clock_init(); /* wall clock from the machine */
	if (run.flags & PITH_FLAG_VERBOSE)
		ignore(control_log_start()); /* the log stays in its ring */
	gate_init(run.trace ? run.trace_filter : NULL,
		  run.flags & PITH_FLAG_MISSING);
	process_on_end(program_ended_itself);
	set_names_and_limits();
	run.net.hostname = run.hostname;
	net_start_later(&run.net); /* when it is needed, or soon */
	boot_load_klibs(&run);	   /* their drivers and file systems */
	err = boot_mount(&run);	   /* paths */
	if (!err)
		err = stdio_open(&run.streams,
				 run.has_termios ? run.termios : NULL,
				 run.has_winsize ? run.winsize : NULL, stdio);
	if (err)
		control_exit(PITH_EXIT_BOOT, (uint32_t)-err);
	boot_start_cpus(); /* more than one CPU from here on */
	if (run.profile_hz)
		profile_start(run.profile_hz);
	err = process_start(run.program, run.argv, run.envp, stdio, run.uid,
			    run.gid, run.groups, run.ngroups, run.umask,
			    run.cwd, !(run.flags & PITH_FLAG_NO_ASLR));
	if (err)
		control_exit(PITH_EXIT_NOEXEC, (uint32_t)-err);
}

void
upcall_start(void)
{
	struct thread *t;

	this_cpu()->timers = &timer_boot_queue;
	mem_init();	  /* page frames */
	heap_init();	  /* kmalloc */
	arch_init_late(); /* interrupts, the clock */
	sched_init();	  /* threads; this becomes the idle thread */
	random_init();	  /* layout-quality bytes at once */
	boot_vm_init();	  /* address spaces can be made */
	work_start();	  /* work items */
	vfs_init();	  /* file-system types register */
	pseudo_init();
	process_proc_init();		/* /proc/self */
	ipc_init();			/* /proc/sysvipc */
	procnet_init();			/* /proc/net */
	klib_init();			/* /proc/modules */
	sock_on_urgent(process_urgent); /* SIGURG */
	watchdog_init();
	irq_enable();
	if (thread_create("boot", start_program, NULL, &t))
		panic("no memory for the first thread");
	thread_start(t);
	sched_idle();
}
