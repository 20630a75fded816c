/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net/unix.
 */
#include "proc_priv.h"
#include "unix_priv.h"

#include <abi/errno.h>
#include <mem/heap.h>

#define LINES_AT_ONCE 64u
#define FLAG_LISTENS  0x10000u

/* What is copied of a socket under the lock; printing allocates. */
struct line {
	uint32_t refs, flags, type, state, addrlen;
	uint64_t ino;
	struct sockaddr_un addr;
};

/* Linux's socket_state. */
static uint32_t
state_of(const struct unix_sock *u)
{
	return u->state == UNIX_CONNECTED ? 3 : 1;
}

static unsigned
take_lines(struct line *v, unsigned skip)
{
	struct unix_sock *u;
	unsigned n = 0;

	spin_lock(&unix_lock);
	list_for_each_entry(u, &unix_all, all) {
		if (skip) {
			skip--;
			continue;
		}
		v[n].refs = refcount_read(&u->refs) + 1;
		v[n].flags = u->state == UNIX_LISTEN ? FLAG_LISTENS : 0;
		v[n].type = u->sock.type;
		v[n].state = state_of(u);
		v[n].ino = READ_ONCE(u->sock.file) ? u->sock.ino : 0;
		v[n].addr = u->addr;
		v[n].addrlen = u->addrlen;
		if (++n == LINES_AT_ONCE)
			break;
	}
	spin_unlock(&unix_lock);
	return n;
}

/* A name of the abstract space begins with '@', and its NULs are too. */
static void
put_name(struct seq_buf *s, const struct line *l)
{
	uint32_t n = l->addrlen - (uint32_t)sizeof(l->addr.family);

	if (l->addr.path[0] && n && !l->addr.path[n - 1])
		n--;
	seq_printf(s, " ");
	for (uint32_t i = 0; i < n; i++)
		seq_printf(s, "%c", l->addr.path[i] ? l->addr.path[i] : '@');
}

int
proc_show_unix(struct seq_buf *s, void *arg)
{
	struct line *v = kcalloc(LINES_AT_ONCE, sizeof(*v), ALLOC_KERNEL);
	unsigned done = 0, n;

	(void)arg;
	if (!v)
		return -ENOMEM;
	seq_printf(s, "Num       RefCount Protocol Flags    Type St Inode "
		      "Path\n");
	while (!s->err && (n = take_lines(v, done)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			seq_printf(s,
				   "0000000000000000: %08X 00000000 %08X "
				   "%04X %02X %5lu",
				   v[i].refs, v[i].flags, v[i].type, v[i].state,
				   (unsigned long)v[i].ino);
			if (v[i].addrlen)
				put_name(s, &v[i]);
			seq_printf(s, "\n");
		}
		done += n;
	}
	kfree(v);
	return 0;
}
