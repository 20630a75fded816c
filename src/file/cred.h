/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials: immutable once published; a change makes a new one.
 */
#pragma once

#include <base/compiler.h>
#include <base/refcount.h>
#include <base/types.h>
#include <core/reclaim.h>

struct cred {
	struct refcount refs;
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_permitted, cap_effective, cap_inheritable, cap_bounding,
		cap_ambient;
	uint32_t securebits;
	unsigned ngroups;
	uint32_t *groups;
	struct reclaim_head reclaim;
};

MUST_CHECK int cred_create(uint32_t uid, uint32_t gid, const uint32_t *groups,
			   unsigned ngroups, struct cred **out);
MUST_CHECK struct cred *cred_dup(const struct cred *c); /* NULL: no memory */
void cred_get(struct cred *c);
void cred_put(struct cred *c);
bool cred_in_group(const struct cred *c, uint32_t gid);
bool cred_capable(const struct cred *c, unsigned cap);
