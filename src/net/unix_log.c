/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_UNIX: what a program says by syslog(3).
 *
 * No daemon stands behind /dev/log here, and many a server says only there
 * why it does not start.  So where the program's own files have no such name,
 * a socket of the kernel's answers to it and tells the host.  It has no queue:
 * the sender's thread does the telling, so that the last words of a program
 * are out before its exit status.
 *
 * What is less than a warning goes on only when the user asked for the
 * kernel's log (--verbose): a server may have a line for each request.
 */
#include "unix_priv.h"

#include <abi/errno.h>
#include <abi/pith.h>
#include <base/string.h>
#include <dev/control.h>

#define LOG_PATH       "/dev/log"
#define LEVEL_MASK     7u /* of the number in front: RFC 3164, 4.1.1 */
#define LEVEL_WARNING  4u
#define PRI_DIGITS_MAX 3u

static struct unix_sock *log_sock; /* [unix_lock w, a] NULL: nobody asked yet */

static struct unix_sock *
make(void)
{
	struct unix_sock *u = unix_new(SOCK_DGRAM), *other;

	if (!u)
		return NULL;
	u->addr.family = AF_UNIX;
	memcpy(u->addr.path, LOG_PATH, sizeof(LOG_PATH));
	u->addrlen = sizeof(u->addr.family) + sizeof(LOG_PATH);
	spin_lock(&unix_lock);
	other = log_sock;
	if (!other)
		__atomic_store_n(&log_sock, u, __ATOMIC_RELEASE);
	spin_unlock(&unix_lock);
	if (!other)
		return u;
	unix_release(&u->sock);
	return other;
}

int
unix_log_find(const char *path, int type, struct unix_sock **out)
{
	struct unix_sock *u;

	if (strcmp(path, LOG_PATH))
		return -ENOENT;
	if (type != SOCK_DGRAM)
		return -EPROTOTYPE; /* what a daemon's socket answers */
	u = __atomic_load_n(&log_sock, __ATOMIC_ACQUIRE);
	if (!u)
		u = make();
	if (!u)
		return -ENOMEM;
	refcount_get(&u->refs);
	*out = u;
	return 0;
}

bool
unix_is_log(const struct unix_sock *u)
{
	return u == __atomic_load_n(&log_sock, __ATOMIC_ACQUIRE);
}

/* "<NUMBER>..."; without one it is not known to matter less. */
static unsigned
level_of(const uint8_t *p, uint32_t len)
{
	unsigned pri = 0;
	uint32_t i = 1;

	if (!len || p[0] != '<')
		return 0;
	for (; i < len && i <= PRI_DIGITS_MAX && p[i] >= '0' && p[i] <= '9';
	     i++)
		pri = pri * 10 + (p[i] - '0');
	return i > 1 && i < len && p[i] == '>' ? pri & LEVEL_MASK : 0;
}

void
unix_log_tell(const uint8_t *p, uint32_t len)
{
	if (len && (level_of(p, len) <= LEVEL_WARNING || control_has_log()))
		control_send(PITH_FRAME_SYSLOG, p, len);
}
