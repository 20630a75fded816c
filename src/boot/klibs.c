/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The klibs that the manifest or the run block brings, loaded in their order.
 * One that cannot be loaded ends the machine: who asked for it needs it.
 */
#include "boot_priv.h"

#include <abi/errno.h>
#include <boot/runinfo.h>
#include <core/log.h>
#include <dev/control.h>
#include <klib/klib.h>
#include <mem/heap.h>

void
boot_load_klibs(struct run_info *ri)
{
	for (unsigned i = 0; i < ri->nklibs; i++) {
		struct run_klib *k = &ri->klibs[i];
		bool started = false;
		int err = -ENOENT;

		if (k->file)
			err = klib_load(k->name, k->args, k->file, k->len,
					&started);
		else
			log_err("klib %s: it is named, and not there", k->name);
		if (err)
			control_exit(PITH_EXIT_KLIB,
				     PITH_KLIB_FAILED(i, -err, started));
		kfree(k->file);
		k->file = NULL;
	}
}
