/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal mask for the time of one call (ppoll, io_pgetevents and others).
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

struct thread;

/* Puts it in place; no pointer: nothing.  Its size is looked at where there is
 * one.  -EINVAL, -EFAULT. */
MUST_CHECK int get_user_mask(struct thread *t, const void __user *umask,
			     uint64_t size);
/* The call's own mask again, when the call answers r.  After a signal the old
 * mask goes back when the handler is set up. */
void drop_user_mask(struct thread *t, const void __user *umask, long r);
