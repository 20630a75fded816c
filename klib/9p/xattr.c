/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extended attributes at a 9P server: each is a small file of its own, read
 * or written through a fid that Txattrwalk or Txattrcreate turns into it.
 */
#include "p9.h"

#include <abi/errno.h>
#include <abi/fs.h>
#include <base/math.h>
#include <base/string.h>
#include <mem/heap.h>

#define XATTR_MAX 65536u

/* Reads all of fid, size bytes, into buf (which may be user data's copy, but
 * not of the direct map). */
static int
read_value(struct p9_client *c, uint32_t fid, uint8_t *buf, uint32_t size)
{
	uint32_t got = 0;

	while (got < size) {
		struct p9_data d = { .buf = buf + got, .len = size - got };
		ssize_t r = p9_read(c, fid, got, &d);

		if (r <= 0)
			return r ? (int)r : -EIO;
		got += (uint32_t)r;
	}
	return 0;
}

/* The value, or with name "" the list of names. */
static ssize_t
read_attribute(struct inode *i, const char *name, void *buf, size_t size)
{
	struct p9_client *c = p9_c(i);
	uint8_t *copy = NULL;
	uint64_t len;
	uint32_t fid;
	int err = p9_xattrwalk(c, p9_i(i)->fid, name, &fid, &len);

	if (err)
		return err;
	if (len > XATTR_MAX)
		err = -E2BIG;
	else if (size && len > size)
		err = -ERANGE;
	if (err || !size || !len)
		goto out;
	copy = kmalloc(len, ALLOC_KERNEL);
	err = copy ? read_value(c, fid, copy, (uint32_t)len) : -ENOMEM;
	if (!err)
		memcpy(buf, copy, len);
	kfree(copy);
out:
	p9_clunk(c, fid);
	return err ? err : (ssize_t)len;
}

ssize_t
p9_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return read_attribute(i, name, buf, size);
}

ssize_t
p9_listxattr(struct inode *i, char *buf, size_t size)
{
	return read_attribute(i, "", buf, size);
}

int
p9_setxattr(struct inode *i, const char *name, const void *val, size_t len,
	    int flags)
{
	struct p9_client *c = p9_c(i);
	uint8_t *copy = NULL;
	uint32_t fid, done = 0;
	int err, end;

	if (len > XATTR_MAX)
		return -E2BIG;
	if (len) {
		copy = kmemdup(val, len, ALLOC_KERNEL);
		if (!copy)
			return -ENOMEM;
	}
	err = p9_walk(c, p9_i(i)->fid, NULL, 0, &fid);
	if (err)
		goto out;
	err = p9_xattrcreate(c, fid, name, len, flags);
	while (!err && done < len) {
		struct p9_data d = { .buf = copy + done,
				     .len = (uint32_t)len - done };
		ssize_t r = p9_write(c, fid, done, &d);

		if (r < 0)
			err = (int)r;
		else
			done += (uint32_t)r;
	}
	/* The server sets it when the fid goes. */
	end = p9_clunk_check(c, fid);
	if (!err)
		err = end;
out:
	kfree(copy);
	return err;
}

/* As the protocol has it: a value of no length removes. */
int
p9_removexattr(struct inode *i, const char *name)
{
	return p9_setxattr(i, name, NULL, 0, XATTR_REPLACE);
}
