/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sock_stubs.h.  Names are in the abstract space only, and memory is the
 * kernel's: what paths and the program's memory need is never called.
 */
#include "sock_stubs.h"

#include "../unit.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <dev/control.h>
#include <dev/random.h>
#include <file/anon.h>
#include <file/cred.h>
#include <file/file.h>
#include <file/fs_context.h>
#include <fs/namei.h>
#include <fs/vfs.h>
#include <mem/heap.h>
#include <net/bpf.h>
#include <net/inet.h>
#include <net/settings.h>
#include <net/socket.h>
#include <vm/uaccess.h>

#include <pthread.h>

struct net_settings net_settings = { .dgram_qlen = 4 };
const struct socket_family netlink_family, packet_family;
const struct socket_family inet_family __attribute__((weak)),
	inet6_family __attribute__((weak));

static struct file *slots[NSLOTS]; /* [slot_lock] */
static pthread_mutex_t slot_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the host: /dev/log is a path ---- */

void
control_send(uint16_t type, const void *payload, size_t len)
{
	(void)type, (void)payload, (void)len;
	CHECK(false);
}

bool
control_has_log(void)
{
	return false;
}

/* ---- files ---- */

int
file_create(const struct file_ops *ops, unsigned flags, void *priv,
	    struct file **out)
{
	struct file *f = calloc(1, sizeof(*f));

	CHECK(f);
	f->ops = ops;
	f->flags = flags;
	f->priv = priv;
	refcount_set(&f->refs, 1);
	*out = f;
	return 0;
}

void
file_put(struct file *f)
{
	if (!refcount_put(&f->refs))
		return;
	f->ops->release(f);
	free(f);
}

struct file *
sock_new_file(struct socket *s, uint64_t random)
{
	struct file *f;

	s->rcvtimeo_ns = s->sndtimeo_ns = 1 + random % 300000;
	if (random >> 20 & 1)
		s->sndbuf = SOCK_SNDBUF_MIN;
	CHECK(!socket_file(s, 0, &f));
	return f;
}

void
slot_put(uint64_t i, struct file *f)
{
	struct file *old;

	pthread_mutex_lock(&slot_lock);
	old = slots[i % NSLOTS];
	slots[i % NSLOTS] = f;
	pthread_mutex_unlock(&slot_lock);
	if (old)
		file_put(old);
}

struct file *
slot_get(uint64_t i)
{
	struct file *f;

	pthread_mutex_lock(&slot_lock);
	f = slots[i % NSLOTS];
	if (f)
		file_get(f);
	pthread_mutex_unlock(&slot_lock);
	return f;
}

void
slots_clear(void)
{
	for (unsigned i = 0; i < NSLOTS; i++)
		slot_put(i, NULL);
}

/* ---- what is called ---- */

uint64_t
anon_ino(void)
{
	static uint64_t n;

	return atomic_add(&n, 1);
}
void
random_bytes(void *buf, size_t len)
{
	memset(buf, 7, len);
}
uint64_t
rlimit_soft(unsigned which)
{
	(void)which;
	return 1000;
}
bool
cred_capable(const struct cred *c, unsigned cap)
{
	(void)c, (void)cap;
	return true;
}
void
cred_get(struct cred *c)
{
	(void)c;
}
void
cred_put(struct cred *c)
{
	(void)c;
}
void
net_need(void)
{
}
void
sock_filter_drop(struct socket *s)
{
	(void)s;
}
__attribute__((weak)) void
sock_signal_urgent(int owner)
{
	(void)owner;
}
void
socket_inherit(struct socket *s, const struct socket *l)
{
	s->sndbuf = READ_ONCE(l->sndbuf);
	s->opts = READ_ONCE(l->opts);
}
int
sock_opt_int(const void *val, uint32_t len, int *out)
{
	(void)len;
	memcpy(out, val, sizeof(*out));
	return 0;
}
int
sock_put_int(void *val, uint32_t *len, int v)
{
	(void)len;
	memcpy(val, &v, sizeof(v));
	return 0;
}
int
copy_to_user(void __user *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

/* ---- what is not ---- */

#define NEVER                                              \
	{                                                  \
		unit_fail(__FILE__, __LINE__, "not here"); \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"
int
path_lookup(int dfd, const char *path, unsigned flags,
	    struct dentry **out) NEVER
	int path_mknod(int dfd, const char *path, uint32_t mode,
		       uint64_t rdev) NEVER
	int inode_permission(struct inode *i, unsigned mask) NEVER
	void inode_put(struct inode *i) NEVER
	void dentry_put(struct dentry *d) NEVER
	void anon_stat(struct kstat *st, uint64_t ino, uint32_t mode) NEVER
	long socket_ioctl(struct socket *s, unsigned cmd, uint64_t arg) NEVER
	bool user_range_ok(const void __user *p, size_t len) NEVER
	int user_prefault(const void __user *p, size_t len, bool write) NEVER
	int copy_from_user(void *dst, const void __user *src,
			   size_t len) NEVER size_t
	copy_from_user_partial(void *dst, const void __user *src,
			       size_t len) NEVER size_t
	copy_from_user_nofault(void *dst, const void __user *src,
			       size_t len) NEVER size_t
	copy_to_user_partial(void __user *dst, const void *src,
			     size_t len) NEVER size_t
	copy_to_user_nofault(void __user *dst, const void *src,
			     size_t len) NEVER size_t
	clear_user_partial(void __user *dst, size_t len, bool nofault) NEVER
