/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACLs on the disk: attributes 2 and 3, whose value is version 1 of the form
 * (entries of 8 bytes where there is an id, else of 4).  An inode's are read
 * with it, so that permission is asked without waiting.  What cannot be
 * understood is an ACL of no entries, which lets in the owner alone.
 */
#include "journal.h"
#include "xattr.h"

#include <abi/errno.h>
#include <base/string.h>
#include <fs/acl.h>
#include <fs/attr.h>
#include <mem/heap.h>

#define DISK_VERSION 1u

static const uint8_t indexes[2] = { [ACL_ACCESS] = 2, [ACL_DEFAULT] = 3 };

static bool
has_id(uint16_t tag)
{
	return tag == ACL_USER || tag == ACL_GROUP;
}

/* Entries of a value on the disk into e (NULL: counts); -1: not well formed. */
static int
take_entries(const uint8_t *p, size_t len, struct acl_entry *e)
{
	const uint8_t *end = p + len;
	uint32_t version;
	int n = 0;

	if (len < sizeof(version))
		return -1;
	memcpy(&version, p, sizeof(version));
	if (version != DISK_VERSION)
		return -1;
	for (p += sizeof(version); end - p >= 4; n++) {
		struct acl_entry x = { .id = UINT32_MAX };
		size_t size;

		memcpy(&x.tag, p, 2);
		memcpy(&x.perm, p + 2, 2);
		size = has_id(x.tag) ? 8 : 4;
		if ((size_t)(end - p) < size)
			return -1;
		if (size == 8)
			memcpy(&x.id, p + 4, 4);
		if (e)
			e[n] = x;
		p += size;
	}
	return p == end ? n : -1;
}

static struct acl *
from_disk(const uint8_t *value, size_t len)
{
	int n = take_entries(value, len, NULL);
	struct acl *a = acl_new(n > 0 ? (uint32_t)n : 0, ALLOC_NOFS);

	if (a && a->n && (take_entries(value, len, a->e), !acl_valid(a)))
		a->n = 0;
	return a;
}

static size_t
to_disk(const struct acl *a, uint8_t *out)
{
	const uint32_t version = DISK_VERSION;
	size_t n = sizeof(version);

	memcpy(out, &version, sizeof(version));
	for (uint32_t k = 0; k < a->n; k++) {
		size_t size = has_id(a->e[k].tag) ? 8 : 4;

		memcpy(out + n, &a->e[k], size);
		n += size;
	}
	return n;
}

/* ---- with the inode ---- */

static int
load_area(struct inode *i, const struct ext4_xattr_area *a)
{
	const struct ext4_xattr_entry *e;
	const uint8_t *p = a->first;
	bool bad;

	while ((e = ext4_xattr_at(a, p, &bad))) {
		for (unsigned k = 0; k < 2; k++) {
			if (e->e_name_index != indexes[k] || e->e_name_len ||
			    i->acl[k])
				continue;
			i->acl[k] = from_disk(a->base + e->e_value_offs,
					      e->e_value_size);
			if (!i->acl[k])
				return -ENOMEM;
		}
		p = ext4_xattr_after(e);
	}
	return bad ? -EUCLEAN : 0;
}

static int
load_block(struct inode *i)
{
	struct ext4_xattr_area a;
	struct ext4_buf b;
	int err = ext4_xattr_block(i, &b, &a);

	if (err)
		return err;
	err = load_area(i, &a);
	ext4_brelse(&b);
	return err;
}

int
ext4_acl_load(struct inode *i, const uint8_t *raw)
{
	struct ext4_xattr_area a;
	int err = 0;

	if (ext4_xattr_inode_area(i, raw, &a))
		err = load_area(i, &a);
	if (!err && ext4_i(i)->file_acl)
		err = load_block(i);
	if (!err || err == -ENOMEM)
		return err;
	/* What could not be read may have been one. */
	if (!i->acl[ACL_ACCESS])
		i->acl[ACL_ACCESS] = acl_new(0, ALLOC_NOFS);
	return i->acl[ACL_ACCESS] ? 0 : -ENOMEM;
}

int
ext4_acl_init(struct jhandle *h, struct inode *i)
{
	struct ext4_xattr_value v[2];
	uint8_t *values[2] = { NULL, NULL };
	unsigned n = 0;
	int err = 0;

	for (unsigned k = 0; k < 2 && !err; k++) {
		if (!i->acl[k])
			continue;
		values[k] = kmalloc(4 + 8 * i->acl[k]->n, ALLOC_NOFS);
		if (!values[k]) {
			err = -ENOMEM;
			break;
		}
		v[n].index = indexes[k];
		v[n].value = values[k];
		v[n++].size = (uint32_t)to_disk(i->acl[k], values[k]);
	}
	if (!err && n)
		err = ext4_xattr_init(h, i, v, n);
	kfree(values[0]);
	kfree(values[1]);
	return err;
}

/* ---- set ---- */

/* The mode alone. */
static int
set_mode(struct inode *i, uint32_t mode)
{
	struct inode_attr a = { .valid = ATTR_MODE, .mode = mode };

	return ext4_setattr(i, &a);
}

int
ext4_set_acl(struct inode *i, unsigned type, const struct acl *a, uint32_t mode)
{
	const char *name = acl_names[type];
	uint32_t old = i->mode;
	uint8_t *value;
	int err;

	if (!a && !i->acl[type])
		return set_mode(i, mode);
	if (a && (uint64_t)a->n * 4 > ext4_sb(i)->block_size)
		return -ENOSPC;
	value = a ? kmalloc(4 + 8 * a->n, ALLOC_KERNEL) : NULL;
	if (a && !value)
		return -ENOMEM;
	i->mode = mode; /* goes to the disk with the attribute */
	err = ext4_xattr_change(i, name, value, a ? to_disk(a, value) : 0, 0);
	if (err)
		i->mode = old;
	kfree(value);
	return err;
}
