/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount flags, extended attributes, and the ioctls of files.
 */
#pragma once

#include <base/compiler.h>
#include <base/types.h>

#define MS_RDONLY      (1u << 0)
#define MS_NOSUID      (1u << 1)
#define MS_NODEV       (1u << 2)
#define MS_NOEXEC      (1u << 3)
#define MS_SYNCHRONOUS (1u << 4)
#define MS_REMOUNT     (1u << 5)
#define MS_MANDLOCK    (1u << 6)
#define MS_DIRSYNC     (1u << 7)
#define MS_NOSYMFOLLOW (1u << 8)
#define MS_NOATIME     (1u << 10)
#define MS_NODIRATIME  (1u << 11)
#define MS_BIND	       (1u << 12)
#define MS_MOVE	       (1u << 13)
#define MS_REC	       (1u << 14)
#define MS_SILENT      (1u << 15)
#define MS_UNBINDABLE  (1u << 17)
#define MS_PRIVATE     (1u << 18)
#define MS_SLAVE       (1u << 19)
#define MS_SHARED      (1u << 20)
#define MS_RELATIME    (1u << 21)
#define MS_STRICTATIME (1u << 24)
#define MS_LAZYTIME    (1u << 25)
#define MS_MGC_VAL     0xc0ed0000u
#define MS_MGC_MSK     0xffff0000u

#define MNT_FORCE	1
#define MNT_DETACH	2
#define MNT_EXPIRE	4
#define UMOUNT_NOFOLLOW 8

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536
#define XATTR_LIST_MAX 65536
#define XATTR_CREATE   1
#define XATTR_REPLACE  2

#define FIONREAD      0x541b
#define FIGETBSZ      2
#define FIBMAP	      1
#define FICLONE	      0x40049409u
#define FICLONERANGE  0x4020940du
#define FIDEDUPERANGE 0xc0189436u

#define FS_IOC_GETFLAGS	  0x80086601u
#define FS_IOC_SETFLAGS	  0x40086602u
#define FS_IOC_FSGETXATTR 0x801c581fu
#define FS_IOC_FSSETXATTR 0x401c5820u

/* Of FS_IOC_GETFLAGS, and of ext4's inodes on the disk. */
#define FS_FL_SECRM	  0x00000001u
#define FS_FL_UNRM	  0x00000002u
#define FS_FL_COMPR	  0x00000004u
#define FS_FL_SYNC	  0x00000008u
#define FS_FL_IMMUTABLE	  0x00000010u
#define FS_FL_APPEND	  0x00000020u
#define FS_FL_NODUMP	  0x00000040u
#define FS_FL_NOATIME	  0x00000080u
#define FS_FL_NOTAIL	  0x00008000u
#define FS_FL_DIRSYNC	  0x00010000u
#define FS_FL_TOPDIR	  0x00020000u
#define FS_FL_DAX	  0x02000000u
#define FS_FL_PROJINHERIT 0x20000000u

struct fsxattr {
	uint32_t fsx_xflags, fsx_extsize, fsx_nextents, fsx_projid;
	uint32_t fsx_cowextsize;
	uint8_t fsx_pad[8];
};
static_assert(sizeof(struct fsxattr) == 28, "struct fsxattr");

/* Of block devices. */
#define BLKROGET	 0x125eu
#define BLKGETSIZE	 0x1260u
#define BLKFLSBUF	 0x1261u
#define BLKSSZGET	 0x1268u
#define BLKBSZGET	 0x80081270u
#define BLKGETSIZE64	 0x80081272u
#define BLKDISCARD	 0x1277u
#define BLKIOMIN	 0x1278u
#define BLKIOOPT	 0x1279u
#define BLKALIGNOFF	 0x127au
#define BLKPBSZGET	 0x127bu
#define BLKDISCARDZEROES 0x127cu
#define BLKROTATIONAL	 0x127eu
#define BLKZEROOUT	 0x127fu

#define NR_OPEN_MAX 1048576
