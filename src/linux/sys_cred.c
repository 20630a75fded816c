/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User and group numbers, capabilities.  They belong to the thread, as on
 * Linux (libc makes them the process's); a change makes a new struct cred.
 */
#include <linux/syscalls_gen.h>

#include <abi/errno.h>
#include <abi/prctl.h>
#include <base/string.h>
#include <file/cred.h>
#include <linux/cred_prctl.h>
#include <mem/heap.h>
#include <proc/process.h>
#include <sched/thread.h>
#include <vm/uaccess.h>

#define NGROUPS_MAX		    65536
#define SECBIT_KEEP_CAPS	    (1u << 4)
#define SECBIT_NO_SETUID_FIXUP	    (1u << 2)
#define SECBIT_NO_CAP_AMBIENT_RAISE (1u << 6)
#define SECUREBITS_ALL		    0xffu
#define ALL_CAPS		    ((1ull << (CAP_LAST_CAP + 1)) - 1)
#define UNCHANGED		    0xffffffffu

static void
publish(struct thread *t, struct cred *n)
{
	struct cred *old = t->cred;

	atomic_store_release(&t->cred, n);
	cred_put(old);
}

/* What a change of users does to capabilities (capabilities(7)). */
static void
fix_caps(const struct cred *o, struct cred *n)
{
	bool was_root = !o->uid || !o->euid || !o->suid;
	bool is_root = !n->uid || !n->euid || !n->suid;

	if (n->securebits & SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(n->securebits & SECBIT_KEEP_CAPS))
			n->cap_permitted = n->cap_effective = 0;
		n->cap_ambient = 0;
	}
	if (!o->euid && n->euid)
		n->cap_effective = 0;
	if (o->euid && !n->euid)
		n->cap_effective = n->cap_permitted;
}

/* The capabilities on files. */
#define CAP_FS_SET                                          \
	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |     \
	 1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_FOWNER | \
	 1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE | \
	 1ull << CAP_MKNOD | 1ull << CAP_MAC_OVERRIDE)

/* Real, effective and saved: of users or of groups. */
struct ids {
	uint32_t r, e, s;
};

static struct ids
uids(const struct cred *c)
{
	return (struct ids){ c->uid, c->euid, c->suid };
}

static struct ids
gids(const struct cred *c)
{
	return (struct ids){ c->gid, c->egid, c->sgid };
}

static long
commit_uids(struct thread *t, const struct ids *v)
{
	struct cred *n = cred_dup(t->cred);

	if (!n)
		return -ENOMEM;
	n->uid = v->r;
	n->euid = n->fsuid = v->e;
	n->suid = v->s;
	fix_caps(t->cred, n);
	publish(t, n);
	return 0;
}

static long
commit_gids(struct thread *t, const struct ids *v)
{
	struct cred *n = cred_dup(t->cred);

	if (!n)
		return -ENOMEM;
	n->gid = v->r;
	n->egid = n->fsgid = v->e;
	n->sgid = v->s;
	publish(t, n);
	return 0;
}

long
sys_getuid(struct thread *t)
{
	return t->cred->uid;
}

long
sys_geteuid(struct thread *t)
{
	return t->cred->euid;
}

long
sys_getgid(struct thread *t)
{
	return t->cred->gid;
}

long
sys_getegid(struct thread *t)
{
	return t->cred->egid;
}

static long
put_three(void __user *r, void __user *e, void __user *s, uint32_t rv,
	  uint32_t ev, uint32_t sv)
{
	if (copy_to_user(r, &rv, sizeof(rv)) ||
	    copy_to_user(e, &ev, sizeof(ev)) ||
	    copy_to_user(s, &sv, sizeof(sv)))
		return -EFAULT;
	return 0;
}

long
sys_getresuid(struct thread *t, void __user *r, void __user *e, void __user *s)
{
	return put_three(r, e, s, t->cred->uid, t->cred->euid, t->cred->suid);
}

long
sys_getresgid(struct thread *t, void __user *r, void __user *e, void __user *s)
{
	return put_three(r, e, s, t->cred->gid, t->cred->egid, t->cred->sgid);
}

static bool
one_of(const struct ids *v, uint32_t id)
{
	return id == UNCHANGED || id == v->r || id == v->e || id == v->s;
}

/* What setuid() makes of them, and its kin below; may: with the capability.
 * -EINVAL, -EPERM. */
static int
set_all(struct ids *v, uint32_t id, bool may)
{
	if (id == UNCHANGED)
		return -EINVAL;
	if (!may && id != v->r && id != v->s)
		return -EPERM;
	if (may)
		v->r = v->s = id;
	v->e = id;
	return 0;
}

static int
set_three(struct ids *v, uint32_t r, uint32_t e, uint32_t s, bool may)
{
	if (!may && (!one_of(v, r) || !one_of(v, e) || !one_of(v, s)))
		return -EPERM;
	if (r != UNCHANGED)
		v->r = r;
	if (e != UNCHANGED)
		v->e = e;
	if (s != UNCHANGED)
		v->s = s;
	return 0;
}

static int
set_two(struct ids *v, uint32_t r, uint32_t e, bool may)
{
	uint32_t real = v->r;

	if (!may && r != UNCHANGED && r != v->r && r != v->e)
		return -EPERM;
	if (!may && !one_of(v, e))
		return -EPERM;
	if (r != UNCHANGED)
		v->r = r;
	if (e != UNCHANGED)
		v->e = e;
	if (r != UNCHANGED || (e != UNCHANGED && e != real))
		v->s = v->e;
	return 0;
}

long
sys_setuid(struct thread *t, uint32_t uid)
{
	struct ids v = uids(t->cred);
	int err = set_all(&v, uid, cred_capable(t->cred, CAP_SETUID));

	return err ? err : commit_uids(t, &v);
}

long
sys_setgid(struct thread *t, uint32_t gid)
{
	struct ids v = gids(t->cred);
	int err = set_all(&v, gid, cred_capable(t->cred, CAP_SETGID));

	return err ? err : commit_gids(t, &v);
}

long
sys_setresuid(struct thread *t, uint32_t r, uint32_t e, uint32_t s)
{
	struct ids v = uids(t->cred);
	int err = set_three(&v, r, e, s, cred_capable(t->cred, CAP_SETUID));

	return err ? err : commit_uids(t, &v);
}

long
sys_setresgid(struct thread *t, uint32_t r, uint32_t e, uint32_t s)
{
	struct ids v = gids(t->cred);
	int err = set_three(&v, r, e, s, cred_capable(t->cred, CAP_SETGID));

	return err ? err : commit_gids(t, &v);
}

long
sys_setreuid(struct thread *t, uint32_t r, uint32_t e)
{
	struct ids v = uids(t->cred);
	int err = set_two(&v, r, e, cred_capable(t->cred, CAP_SETUID));

	return err ? err : commit_uids(t, &v);
}

long
sys_setregid(struct thread *t, uint32_t r, uint32_t e)
{
	struct ids v = gids(t->cred);
	int err = set_two(&v, r, e, cred_capable(t->cred, CAP_SETGID));

	return err ? err : commit_gids(t, &v);
}

/* Both answer the old value, also when they do nothing: setfsuid(2). */
long
sys_setfsuid(struct thread *t, uint32_t uid)
{
	uint32_t old = t->cred->fsuid;
	struct ids v = uids(t->cred);
	struct cred *n;

	if (uid == UNCHANGED || uid == old)
		return old;
	if (!cred_capable(t->cred, CAP_SETUID) && !one_of(&v, uid))
		return old;
	n = cred_dup(t->cred);
	if (!n)
		return old;
	n->fsuid = uid;
	/* What lets root into files goes with it (capabilities(7)). */
	if (!(n->securebits & SECBIT_NO_SETUID_FIXUP)) {
		if (!old)
			n->cap_effective &= ~CAP_FS_SET;
		else if (!uid)
			n->cap_effective |= n->cap_permitted & CAP_FS_SET;
	}
	publish(t, n);
	return old;
}

long
sys_setfsgid(struct thread *t, uint32_t gid)
{
	uint32_t old = t->cred->fsgid;
	struct ids v = gids(t->cred);
	struct cred *n;

	if (gid == UNCHANGED || gid == old)
		return old;
	if (!cred_capable(t->cred, CAP_SETGID) && !one_of(&v, gid))
		return old;
	n = cred_dup(t->cred);
	if (!n)
		return old;
	n->fsgid = gid;
	publish(t, n);
	return old;
}

/* ---- groups ---- */

long
sys_getgroups(struct thread *t, int size, void __user *list)
{
	const struct cred *c = t->cred;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return c->ngroups;
	if ((unsigned)size < c->ngroups)
		return -EINVAL;
	if (copy_to_user(list, c->groups, c->ngroups * sizeof(uint32_t)))
		return -EFAULT;
	return c->ngroups;
}

/* getgroups shows them so. */
static void
sift_down(uint32_t *g, unsigned at, unsigned n)
{
	while (2 * at + 1 < n) {
		unsigned c = 2 * at + 1;
		uint32_t v = g[at];

		if (c + 1 < n && g[c + 1] > g[c])
			c++;
		if (g[c] <= v)
			return;
		g[at] = g[c];
		g[c] = v;
		at = c;
	}
}

/* By a heap: the program says how many there are. */
static void
sort_groups(uint32_t *g, unsigned n)
{
	for (unsigned i = n / 2; i-- > 0;)
		sift_down(g, i, n);
	for (unsigned end = n; end-- > 1;) {
		uint32_t v = g[0];

		g[0] = g[end];
		g[end] = v;
		sift_down(g, 0, end);
	}
}

long
sys_setgroups(struct thread *t, int size, const void __user *list)
{
	const struct cred *c = t->cred;
	uint32_t *groups = NULL;
	struct cred *n;
	int err;

	if (!cred_capable(c, CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > NGROUPS_MAX)
		return -EINVAL;
	if (size) {
		groups = kmalloc((size_t)size * sizeof(*groups), ALLOC_KERNEL);
		if (!groups)
			return -ENOMEM;
		if (copy_from_user(groups, list,
				   (size_t)size * sizeof(*groups))) {
			kfree(groups);
			return -EFAULT;
		}
	}
	sort_groups(groups, (unsigned)size);
	/* A new one with these groups, and the rest of the old. */
	err = cred_create(c->uid, c->gid, groups, (unsigned)size, &n);
	kfree(groups);
	if (err)
		return err;
	n->euid = c->euid;
	n->suid = c->suid;
	n->fsuid = c->fsuid;
	n->egid = c->egid;
	n->sgid = c->sgid;
	n->fsgid = c->fsgid;
	n->cap_permitted = c->cap_permitted;
	n->cap_effective = c->cap_effective;
	n->cap_inheritable = c->cap_inheritable;
	n->cap_bounding = c->cap_bounding;
	n->cap_ambient = c->cap_ambient;
	n->securebits = c->securebits;
	publish(t, n);
	return 0;
}

/* ---- capabilities ---- */

/* Number of struct cap_data, or -EINVAL with the version that we speak. */
static int
cap_version(void __user *uhdr, const struct cap_header *h)
{
	uint32_t mine = LINUX_CAPABILITY_VERSION_3;

	switch (h->version) {
	case LINUX_CAPABILITY_VERSION_1:
		return 1;
	case LINUX_CAPABILITY_VERSION_2:
	case LINUX_CAPABILITY_VERSION_3:
		return 2;
	default:
		if (copy_to_user(uhdr, &mine, sizeof(mine)))
			return -EFAULT;
		return -EINVAL;
	}
}

long
sys_capget(struct thread *t, void __user *uhdr, void __user *udata)
{
	struct cap_data d[2];
	struct cap_header h;
	const struct cred *c = t->cred;
	struct thread *o = NULL;
	int n, i;

	if (copy_from_user(&h, uhdr, sizeof(h)))
		return -EFAULT;
	n = cap_version(uhdr, &h);
	if (n < 0)
		return udata || n != -EINVAL ? n : 0;
	if (h.pid < 0)
		return -EINVAL;
	if (h.pid && h.pid != t->tid) {
		o = thread_find(h.pid);
		if (!o || o->proc != t->proc || !o->cred) {
			if (o)
				thread_put(o);
			return -ESRCH;
		}
		c = o->cred;
	}
	for (i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)(c->cap_effective >> (32 * i));
		d[i].permitted = (uint32_t)(c->cap_permitted >> (32 * i));
		d[i].inheritable = (uint32_t)(c->cap_inheritable >> (32 * i));
	}
	if (o)
		thread_put(o);
	if (!udata)
		return 0;
	return copy_to_user(udata, d, (size_t)n * sizeof(d[0]));
}

long
sys_capset(struct thread *t, void __user *uhdr, const void __user *udata)
{
	struct cap_data d[2];
	struct cap_header h;
	uint64_t e, p, i;
	struct cred *n;
	int k;

	if (copy_from_user(&h, uhdr, sizeof(h)))
		return -EFAULT;
	k = cap_version(uhdr, &h);
	if (k < 0)
		return k;
	if (h.pid && h.pid != t->tid)
		return -EPERM;
	memset(d, 0, sizeof(d));
	if (copy_from_user(d, udata, (size_t)k * sizeof(d[0])))
		return -EFAULT;
	e = (d[0].effective | (uint64_t)d[1].effective << 32) & ALL_CAPS;
	p = (d[0].permitted | (uint64_t)d[1].permitted << 32) & ALL_CAPS;
	i = (d[0].inheritable | (uint64_t)d[1].inheritable << 32) & ALL_CAPS;
	if (p & ~t->cred->cap_permitted || e & ~p)
		return -EPERM;
	if (i & ~(t->cred->cap_inheritable | t->cred->cap_permitted) &&
	    !cred_capable(t->cred, CAP_SETPCAP))
		return -EPERM;
	if (i & ~(t->cred->cap_inheritable | t->cred->cap_bounding))
		return -EPERM;
	n = cred_dup(t->cred);
	if (!n)
		return -ENOMEM;
	n->cap_effective = e;
	n->cap_permitted = p;
	n->cap_inheritable = i;
	n->cap_ambient &= p & i;
	publish(t, n);
	return 0;
}

static long
ambient(struct thread *t, struct cred *n, const uint64_t a[4], bool *changed)
{
	uint64_t bit;

	if (a[2] || a[3])
		return -EINVAL;
	if (a[0] == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (a[1])
			return -EINVAL;
		n->cap_ambient = 0;
		*changed = true;
		return 0;
	}
	if (a[1] > CAP_LAST_CAP)
		return -EINVAL;
	bit = 1ull << a[1];
	switch (a[0]) {
	case PR_CAP_AMBIENT_IS_SET:
		return !!(t->cred->cap_ambient & bit);
	case PR_CAP_AMBIENT_RAISE:
		if (!(n->cap_permitted & n->cap_inheritable & bit) ||
		    n->securebits & SECBIT_NO_CAP_AMBIENT_RAISE)
			return -EPERM;
		n->cap_ambient |= bit;
		break;
	case PR_CAP_AMBIENT_LOWER:
		n->cap_ambient &= ~bit;
		break;
	default:
		return -EINVAL;
	}
	*changed = true;
	return 0;
}

static long
change(struct thread *t, struct cred *n, int option, const uint64_t a[4],
       bool *changed)
{
	switch (option) {
	case PR_SET_KEEPCAPS:
		if (a[0] > 1)
			return -EINVAL;
		n->securebits &= ~SECBIT_KEEP_CAPS;
		n->securebits |= a[0] ? SECBIT_KEEP_CAPS : 0;
		break;
	case PR_CAPBSET_DROP:
		if (!cred_capable(t->cred, CAP_SETPCAP))
			return -EPERM;
		if (a[0] > CAP_LAST_CAP)
			return -EINVAL;
		n->cap_bounding &= ~(1ull << a[0]);
		break;
	case PR_SET_SECUREBITS:
		if (!cred_capable(t->cred, CAP_SETPCAP) ||
		    a[0] & ~(uint64_t)SECUREBITS_ALL)
			return -EPERM;
		/* A locked bit (the odd ones) keeps its neighbour. */
		if ((n->securebits & 0xaa) & ~a[0] ||
		    ((n->securebits & 0xaa) >> 1 & (n->securebits ^ a[0])))
			return -EPERM;
		n->securebits = (uint32_t)a[0];
		break;
	default:
		return ambient(t, n, a, changed);
	}
	*changed = true;
	return 0;
}

long
cred_prctl(struct thread *t, int option, const uint64_t a[4])
{
	bool changed = false;
	struct cred *n;
	long err;

	switch (option) {
	case PR_GET_KEEPCAPS:
		return !!(t->cred->securebits & SECBIT_KEEP_CAPS);
	case PR_GET_SECUREBITS:
		return t->cred->securebits;
	case PR_CAPBSET_READ:
		if (a[0] > CAP_LAST_CAP)
			return -EINVAL;
		return !!(t->cred->cap_bounding >> a[0] & 1);
	}
	n = cred_dup(t->cred);
	if (!n)
		return -ENOMEM;
	err = change(t, n, option, a, &changed);
	if (changed)
		publish(t, n);
	else
		cred_put(n);
	return err;
}
