/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose terminal it is: open files, the controlling terminal of a session,
 * its foreground group, hang-ups (credentials(7), ioctl_tty(2)).
 *
 * Locks: jobs_lock (RANK_TTY_JOB) for all of it and for the table of ptys;
 * signals are sent when it has been let go.
 */
#include "tty_priv.h"

#include <abi/errno.h>
#include <abi/poll.h>
#include <abi/signal.h>
#include <abi/stat.h>
#include <base/atomic.h>
#include <dev/stream.h>

static struct mutex jobs_lock;
static struct list ttys = LIST_INIT(ttys); /* [jobs_lock] */
static const struct tty_jobs *jobs;	   /* [a] */

void
tty_init(void)
{
	mutex_init(&jobs_lock, RANK_TTY_JOB);
}

void
tty_jobs_lock(void)
{
	mutex_lock(&jobs_lock);
}

void
tty_jobs_unlock(void)
{
	mutex_unlock(&jobs_lock);
}

void
tty_jobs_add(struct tty *t)
{
	tty_jobs_lock();
	list_add_tail(&ttys, &t->link);
	tty_jobs_unlock();
}

void
tty_jobs_remove_locked(struct tty *t)
{
	list_del(&t->link);
}

void
tty_on_jobs(const struct tty_jobs *j, int sid, int pgrp)
{
	struct tty *t = tty_get();

	atomic_store_release(&jobs, j);
	if (!t)
		return;
	tty_jobs_lock();
	t->session = sid;
	atomic_store_relaxed(&t->pgrp, pgrp);
	tty_jobs_unlock();
}

/* ---- signals ---- */

static void
send(int pgrp, int sig)
{
	const struct tty_jobs *j = atomic_load_acquire(&jobs);

	if (j && pgrp)
		j->signal(pgrp, sig);
}

void
tty_raise(struct tty *t, int sig)
{
	send(tty_pgrp(t), sig);
}

void
tty_signal(struct tty *t, int sig)
{
	tty_raise(t, sig);
}

void
tty_tell_hangup(int pgrp)
{
	send(pgrp, SIGHUP);
	send(pgrp, SIGCONT);
}

/* ---- sessions ---- */

static int
caller_session(bool *leader)
{
	const struct tty_jobs *j = atomic_load_acquire(&jobs);

	*leader = false;
	return j ? j->session(leader) : 0;
}

int
tty_caller(void)
{
	bool leader;

	return caller_session(&leader);
}

static struct tty *
find_locked(int sid)
{
	struct tty *t;

	list_for_each_entry(t, &ttys, link)
		if (sid && t->session == sid)
			return t;
	return NULL;
}

/* Nobody's from now on: the group that was in the foreground. */
static int
disown_locked(struct tty *t)
{
	int pgrp = t->pgrp;

	t->session = 0;
	atomic_store_relaxed(&t->pgrp, 0);
	return pgrp;
}

int
tty_control(struct tty *t, bool open, bool steal)
{
	bool leader;
	int sid = caller_session(&leader), err = 0;

	tty_jobs_lock();
	if (t->session == sid && leader)
		goto out;
	if (!leader || find_locked(sid) || (t->session && !steal)) {
		err = open ? 0 : -EPERM;
		goto out;
	}
	t->session = sid;
	/* The leader's own group: its number is the session's. */
	atomic_store_relaxed(&t->pgrp, sid);
out:
	tty_jobs_unlock();
	return err;
}

bool
tty_is_controlling(struct tty *t)
{
	bool leader;
	int sid = caller_session(&leader);

	return sid && READ_ONCE(t->session) == sid;
}

int
tty_give_up(struct tty *t)
{
	bool leader;
	int sid = caller_session(&leader), pgrp = 0;

	tty_jobs_lock();
	if (!sid || t->session != sid) {
		tty_jobs_unlock();
		return -ENOTTY;
	}
	if (leader)
		pgrp = disown_locked(t);
	tty_jobs_unlock();
	tty_tell_hangup(pgrp);
	return 0;
}

int
tty_pgrp(struct tty *t)
{
	return atomic_load_relaxed(&t->pgrp);
}

int
tty_session(struct tty *t)
{
	return READ_ONCE(t->session);
}

int
tty_set_pgrp(struct tty *t, int pgrp)
{
	const struct tty_jobs *j = atomic_load_acquire(&jobs);
	int sid;

	if (pgrp < 0)
		return -EINVAL;
	sid = j ? j->session_of(pgrp) : -ESRCH;
	if (sid < 0)
		return sid;
	if (sid != READ_ONCE(t->session))
		return -EPERM;
	atomic_store_relaxed(&t->pgrp, pgrp);
	return 0;
}

static uint64_t
rdev_of(const struct tty *t)
{
	return t->pty ? pty_rdev(t->pty) : DEV_MAKE(TTYAUX_MAJOR, 1);
}

bool
tty_of_session(int sid, uint64_t *rdev, int *pgrp)
{
	struct tty *t;

	tty_jobs_lock();
	t = find_locked(sid);
	if (t) {
		*rdev = rdev_of(t);
		*pgrp = t->pgrp;
	}
	tty_jobs_unlock();
	return t;
}

/* ---- open files ---- */

int
tty_open_locked(struct tty *t, bool privileged, uint32_t *era)
{
	int err = 0;

	if (tty_exclusive(t) && t->opens && !privileged)
		return -EBUSY;
	if (t->pty)
		err = pty_slave_opens_locked(t->pty);
	if (err)
		return err;
	t->opens++;
	*era = t->era;
	return 0;
}

int
tty_open(struct tty *t, bool privileged, uint32_t *era)
{
	int err;

	tty_jobs_lock();
	err = tty_open_locked(t, privileged, era);
	tty_jobs_unlock();
	return err;
}

int
tty_open_controlling(struct tty **out, uint32_t *era)
{
	bool leader;
	int sid = caller_session(&leader), err = -ENXIO;

	tty_jobs_lock();
	*out = find_locked(sid);
	if (*out)
		err = tty_open_locked(*out, true, era);
	tty_jobs_unlock();
	return err;
}

/* It stays the session's when nobody has it open. */
void
tty_close(struct tty *t)
{
	tty_jobs_lock();
	if (!--t->opens) {
		atomic_store_relaxed(&t->exclusive, false);
		if (t->pty)
			pty_slave_closed_locked(t->pty);
	}
	tty_jobs_unlock();
}

int
tty_hangup_locked(struct tty *t)
{
	atomic_store_release(&t->era, t->era + 1);
	wait_wake_all(&t->wq, POLLIN | POLLRDNORM | POLLHUP | POLLERR);
	if (t->out)
		wait_wake_all(&t->out->wq,
			      POLLOUT | POLLWRNORM | POLLHUP | POLLERR);
	return disown_locked(t);
}

void
tty_hangup(struct tty *t)
{
	int pgrp;

	tty_jobs_lock();
	pgrp = tty_hangup_locked(t);
	tty_jobs_unlock();
	tty_tell_hangup(pgrp);
}

void
tty_hangup_session(int sid)
{
	struct tty *t;
	int pgrp = 0;

	tty_jobs_lock();
	t = find_locked(sid);
	if (t)
		pgrp = tty_hangup_locked(t);
	tty_jobs_unlock();
	tty_tell_hangup(pgrp);
}

void
tty_set_exclusive(struct tty *t, bool on)
{
	atomic_store_relaxed(&t->exclusive, on);
}

bool
tty_exclusive(struct tty *t)
{
	return atomic_load_relaxed(&t->exclusive);
}
