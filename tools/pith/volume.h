/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: disks with names that outlive a run (volume.c), each a file that
 * holds one ext4 file system (volfs.c).  docs/design/volumes.md.
 */
#pragma once

#include "options.h"

#include <ext2fs/ext2fs.h>
#include <sys/stat.h>

/* Opens a volume by name and locks it for this process: alone, or with
 * `shared` beside others that only read.  Ends pith (125) when it is not
 * there, in use, or (shared) needs its journal played back. */
int volume_open(const char *name, bool shared);
/* Dies with a message unless the file holds one: the kernel's would not name
 * the volume. */
void volume_must_be_ext4(const char *name, int fd);
/* NULL when the name can be one of a volume, else what is wrong with it. */
const char *volume_name_wrong(const char *name);
/* A directory of the host, not a volume of a name. */
bool volume_is_dir(const struct volume *v);
int command_volume(int argc, char **argv);

/* ---- volfs.c ---- */

/* Makes an empty file system in fd, which has its size; 0 or -errno. */
int volfs_create(int fd, const char *label);
/* Has a machine ended without playing its journal back? */
bool volfs_needs_recovery(int fd);
/* Ends pith (125) when it is damaged. */
ext2_filsys volfs_open(int fd, const char *name, bool writable);
/* Copies a file or tree between the host and the volume; `to` may be a
 * directory, into which it goes.  Ends pith on an error. */
void volfs_get(ext2_filsys fs, const char *path, const char *to);
void volfs_put(ext2_filsys fs, const char *from, const char *path);

/* ---- volattr.c ---- */

/* Extended attributes of a file of the host, to the volume and back. */
void volattr_put(ext2_filsys fs, ext2_ino_t ino, const char *from);
void volattr_get(ext2_filsys fs, ext2_ino_t ino, const char *to);
/* The inode is going: frees its block of attributes. */
void volattr_free(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *in);
/* The inode on the volume that this file of the host, copied before under
 * another name, has become; 0: none. */
ext2_ino_t volattr_known(const struct stat *st);
void volattr_remember(const struct stat *st, ext2_ino_t ino);
/* Makes `to` another name of what the inode was copied to before; false: this
 * is its first name. */
bool volattr_link(ext2_ino_t ino, const struct ext2_inode *in, const char *to);
