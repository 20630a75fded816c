/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the system.  The release is that of the Linux whose system
 * calls are meant, so that libraries which look at it do the right thing.
 */
#include <proc/uts.h>

#include <abi/errno.h>
#include <abi/utsname.h>
#include <base/string.h>
#include <core/spinlock.h>

static struct spinlock lock = SPINLOCK_INIT(RANK_FUTEX);
static struct utsname uts = {
	/* [lock] */
	.sysname = "Linux",	 .nodename = "pith",
	.release = "6.1.0-pith", .version = "#1 SMP Pith " PITH_VERSION,
	.machine = "x86_64",	 .domainname = "(none)",
};

void
uts_get(struct utsname *u)
{
	spin_lock(&lock);
	*u = uts;
	spin_unlock(&lock);
}

static int
set(char *field, const char *name, size_t len)
{
	if (len > UTS_LEN)
		return -EINVAL;
	spin_lock(&lock);
	memset(field, 0, UTS_LEN + 1);
	memcpy(field, name, len);
	spin_unlock(&lock);
	return 0;
}

int
uts_set_hostname(const char *name, size_t len)
{
	return set(uts.nodename, name, len);
}

int
uts_set_domainname(const char *name, size_t len)
{
	return set(uts.domainname, name, len);
}
