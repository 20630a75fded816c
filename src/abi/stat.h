/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stat and statx say of a file.  struct kstat is what the kernel fills
 * in; struct stat is x86-64's and struct statx everybody's.  aarch64 has its
 * own order of the fields of struct stat.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define S_IFMT	 0170000
#define S_IFSOCK 0140000
#define S_IFLNK	 0120000
#define S_IFREG	 0100000
#define S_IFBLK	 0060000
#define S_IFDIR	 0040000
#define S_IFCHR	 0020000
#define S_IFIFO	 0010000
#define S_ISUID	 0004000
#define S_ISGID	 0002000
#define S_ISVTX	 0001000

#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

#define S_IRWXUGO 00777
#define S_IALLUGO 07777
#define S_IXUGO	  00111

/* Device numbers as user space sees them (Linux's "huge" encoding). */
#define DEV_MAKE(maj, min)                                         \
	((((uint64_t)(maj)&0xfff) << 8) | ((uint64_t)(min)&0xff) | \
	 (((uint64_t)(min)&0xffffff00) << 12) |                    \
	 (((uint64_t)(maj)&0xfffff000) << 32))
#define DEV_MAJOR(d) \
	((uint32_t)((((d) >> 8) & 0xfff) | (((d) >> 32) & 0xfffff000)))
#define DEV_MINOR(d) ((uint32_t)(((d)&0xff) | (((d) >> 12) & 0xffffff00)))

struct kstat_time {
	int64_t sec;
	uint32_t nsec;
};

/* In the kernel: the widest form; the system calls convert it. */
struct kstat {
	uint64_t dev, ino, rdev;
	uint64_t size;
	uint64_t blocks; /* 512-byte units */
	uint32_t mode, nlink, uid, gid;
	uint32_t blksize;
	uint32_t have_btime;
	uint64_t attributes, attributes_mask; /* STATX_ATTR_* */
	uint64_t mnt_id;
	struct kstat_time atime, mtime, ctime, btime;
};

struct stat {
	uint64_t st_dev;
	uint64_t st_ino;
	uint64_t st_nlink;
	uint32_t st_mode;
	uint32_t st_uid;
	uint32_t st_gid;
	uint32_t pad0;
	uint64_t st_rdev;
	int64_t st_size;
	int64_t st_blksize;
	int64_t st_blocks;
	uint64_t st_atime, st_atime_nsec;
	uint64_t st_mtime, st_mtime_nsec;
	uint64_t st_ctime, st_ctime_nsec;
	int64_t unused[3];
};
static_assert(sizeof(struct stat) == 144, "struct stat");
static_assert(offsetof(struct stat, st_size) == 48, "st_size");
static_assert(offsetof(struct stat, st_mtime) == 88, "st_mtime");

struct statx_timestamp {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t reserved;
};

struct statx {
	uint32_t stx_mask;
	uint32_t stx_blksize;
	uint64_t stx_attributes;
	uint32_t stx_nlink;
	uint32_t stx_uid;
	uint32_t stx_gid;
	uint16_t stx_mode;
	uint16_t pad0;
	uint64_t stx_ino;
	uint64_t stx_size;
	uint64_t stx_blocks;
	uint64_t stx_attributes_mask;
	struct statx_timestamp stx_atime, stx_btime, stx_ctime, stx_mtime;
	uint32_t stx_rdev_major, stx_rdev_minor;
	uint32_t stx_dev_major, stx_dev_minor;
	uint64_t stx_mnt_id;
	uint32_t stx_dio_mem_align, stx_dio_offset_align;
	uint64_t spare[12];
};
static_assert(sizeof(struct statx) == 256, "struct statx");
static_assert(offsetof(struct statx, stx_atime) == 64, "stx_atime");
static_assert(offsetof(struct statx, stx_mnt_id) == 144, "stx_mnt_id");

#define STATX_TYPE	  0x0001u
#define STATX_MODE	  0x0002u
#define STATX_NLINK	  0x0004u
#define STATX_UID	  0x0008u
#define STATX_GID	  0x0010u
#define STATX_ATIME	  0x0020u
#define STATX_MTIME	  0x0040u
#define STATX_CTIME	  0x0080u
#define STATX_INO	  0x0100u
#define STATX_SIZE	  0x0200u
#define STATX_BLOCKS	  0x0400u
#define STATX_BASIC_STATS 0x07ffu
#define STATX_BTIME	  0x0800u
#define STATX_MNT_ID	  0x1000u
#define STATX__RESERVED	  0x80000000u

#define STATX_ATTR_IMMUTABLE  0x00000010u
#define STATX_ATTR_APPEND     0x00000020u
#define STATX_ATTR_MOUNT_ROOT 0x00002000u

#define UTIME_NOW  ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)
