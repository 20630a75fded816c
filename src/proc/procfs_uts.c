/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the system in /proc: version, and ostype, osrelease, version,
 * hostname and domainname below sys/kernel, of which the last two can be
 * written.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/utsname.h>
#include <core/log.h>
#include <fs/pseudo.h>
#include <proc/uts.h>

enum uts_field { OSTYPE, OSRELEASE, VERSION, HOSTNAME, DOMAINNAME, BANNER };

static int
show(struct seq_buf *s, void *arg)
{
	struct utsname u;

	uts_get(&u);
	switch ((enum uts_field)(uintptr_t)arg) {
	case OSTYPE:
		seq_printf(s, "%s\n", u.sysname);
		break;
	case OSRELEASE:
		seq_printf(s, "%s\n", u.release);
		break;
	case VERSION:
		seq_printf(s, "%s\n", u.version);
		break;
	case HOSTNAME:
		seq_printf(s, "%s\n", u.nodename);
		break;
	case DOMAINNAME:
		seq_printf(s, "%s\n", u.domainname);
		break;
	case BANNER:
		seq_printf(s, "%s version %s (pith@pith) (gcc %s) %s\n",
			   u.sysname, u.release, __VERSION__, u.version);
		break;
	}
	return 0;
}

static int
store(const char *buf, size_t len, void *arg)
{
	if (len && buf[len - 1] == '\n')
		len--;
	if ((uintptr_t)arg == HOSTNAME)
		return uts_set_hostname(buf, len);
	return uts_set_domainname(buf, len);
}

static const struct pseudo_entry entries[] = {
	{ .path = "version",
	  .mode = 0100444,
	  .show = show,
	  .arg = (void *)BANNER },
	{ .path = "sys/kernel/ostype",
	  .mode = 0100444,
	  .show = show,
	  .arg = (void *)OSTYPE },
	{ .path = "sys/kernel/osrelease",
	  .mode = 0100444,
	  .show = show,
	  .arg = (void *)OSRELEASE },
	{ .path = "sys/kernel/version",
	  .mode = 0100444,
	  .show = show,
	  .arg = (void *)VERSION },
	{ .path = "sys/kernel/hostname",
	  .mode = 0100644,
	  .show = show,
	  .store = store,
	  .arg = (void *)HOSTNAME },
	{ .path = "sys/kernel/domainname",
	  .mode = 0100644,
	  .show = show,
	  .store = store,
	  .arg = (void *)DOMAINNAME },
};

void
uts_proc_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		int err = proc_register(&entries[i]);

		if (err)
			log_err("proc: %s is missing (%d)", entries[i].path,
				err);
	}
}
