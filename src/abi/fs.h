/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mount flags, extended attributes, and the ioctls of files.
 */
#pragma once

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

#define FIONREAD	0x541b
#define FIGETBSZ	2
#define FIBMAP		1
#define FS_IOC_GETFLAGS 0x80086601u

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
