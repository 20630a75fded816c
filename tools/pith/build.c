/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `pith build`: a program and its files as a disk image.  The image appears
 * under its name only when it is complete.
 */
#include "run.h"

#include "block.h"
#include "cache.h"
#include "image.h"
#include "klib.h"
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
put_manifest(struct buf *b, const struct options *o, const struct target *t)
{
	struct {
		uint64_t memory;
		uint32_t cpus;
	} __attribute__((packed)) machine = { o->memory_bytes, o->cpus };

	/* Memory and CPUs are no business of the kernel's: they are kept for
	 * `pith run IMAGE`. */
	block_start(b);
	block_put_app(b, o, t);
	net_put_manifest(b, o);
	klib_put(b, o);
	if (o->no_aslr)
		block_put_u32(b, PITH_REC_FLAGS, PITH_FLAG_NO_ASLR);
	for (unsigned i = 0; i < o->nvolumes; i++) {
		const struct volume *v = &o->volumes[i];
		char *words = xasprintf("%s:%s%s", v->source, v->target,
					v->read_only ? ":ro" : "");

		block_put_str(b, PITH_REC_VOLUME, words);
		free(words);
	}
	if (o->memory_bytes || o->cpus)
		block_put(b, PITH_REC_MACHINE, &machine, sizeof(machine));
	if (block_finish(b))
		die(STATUS_FAILED,
		    "arguments and environment are larger than "
		    "%u KB",
		    PITH_BLOCK_MAX >> 10);
}

int
command_build(int argc, char **argv)
{
	struct buf manifest = { 0 };
	struct fileset fs;
	struct options o;
	struct target t;
	char *dir, *copy;
	struct stat st;
	mode_t mask;
	int fd, err;

	/* An image must not depend on who builds it: LANG counts only when
	 * -e gives it. */
	unsetenv("LANG");
	options_parse(&o, CMD_BUILD, argc, argv);
	if (!o.output)
		die(STATUS_FAILED, "no output is named; use -o FILE");
	klib_choose(&o);
	pack_find(&o, &t);
	if (!stat(o.output, &st) && !S_ISREG(st.st_mode))
		die(STATUS_FAILED,
		    "--output %s: it is there and not a "
		    "regular file",
		    printable(o.output));
	default_env(&o, &t, false);
	put_manifest(&manifest, &o, &t);
	copy = xstrdup(o.output);
	dir = dirname(copy);
	if (access(dir, W_OK | X_OK) < 0)
		die(STATUS_FAILED, "--output %s: %s", printable(o.output),
		    strerror(errno));
	fd = build_image(&o, &t, &fs, dir, &manifest, o.free_bytes);
	/* The unnamed file is 0600; the named one follows the umask. */
	mask = umask(0);
	umask(mask);
	fchmod(fd, 0666 & ~mask);
	err = name_file(fd, o.output);
	if (err)
		die(STATUS_FAILED, "--output %s: %s", printable(o.output),
		    strerror(-err));
	fstat(fd, &st);
	say("%s: %zu files, %llu KB of them, %llu KB on disk",
	    printable(o.output), fs.nnodes,
	    (unsigned long long)(fs.bytes >> 10),
	    (unsigned long long)(st.st_blocks / 2));
	free(copy);
	return 0;
}
