/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Modules of the program (modules.h).  Everything comes from the guest and is
 * checked.
 */
#include "modules.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the guest's file is on the host; NULL when nowhere. */
static char *
host_file(const struct options *o, const char *guest)
{
	char *path;

	for (unsigned i = 0; i < o->nincludes; i++) {
		const struct include *in = &o->includes[i];
		size_t len = in->guest ? strlen(in->guest) : 0;

		if (!len || strncmp(guest, in->guest, len) ||
		    (guest[len] && guest[len] != '/'))
			continue;
		path = guest[len] ? path_join(in->host, guest + len) :
				    xstrdup(in->host);
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	path = o->root ? path_join(o->root, guest) : xstrdup(guest);
	if (path[0] && access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

void
modules_add(struct modules *m, const struct options *o, char *line)
{
	struct module_map *map = &m->maps[m->n];
	int at = 0;

	if (m->n == MODULES_MAX ||
	    sscanf(line, "%lx %lx %lx %n", &map->start, &map->end, &map->offset,
		   &at) < 3 ||
	    !at || line[at] != '/' || map->end <= map->start)
		return;
	map->host = host_file(o, line + at);
	m->n += map->host != NULL;
}

void
modules_free(struct modules *m)
{
	for (unsigned i = 0; i < m->n; i++)
		free(m->maps[i].host);
	m->n = 0;
}

static char *debug_path;
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.debuginfo_path = &debug_path,
};

/* Where the file would have to begin for the mapping to be where it is. */
static bool
find_bias(Elf *elf, const struct module_map *m, uint64_t *bias)
{
	bool found = false;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	*bias = 0;
	for (size_t k = 0; k < n; k++) {
		GElf_Phdr p;

		if (!gelf_getphdr(elf, k, &p) || p.p_type != PT_LOAD ||
		    m->offset < (p.p_offset & -4096ull) ||
		    m->offset >= p.p_offset + p.p_filesz)
			continue;
		*bias = m->start - (p.p_vaddr & -4096ull) -
			(m->offset - (p.p_offset & -4096ull));
		found = true;
	}
	return found;
}

/* Each file once, at the lowest address where it would be mapped whole. */
Dwfl *
modules_open(const struct modules *m, Elf **first)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Elf *kept = NULL;

	if (first)
		*first = NULL;
	if (!dwfl)
		return NULL;
	dwfl_report_begin(dwfl);
	for (unsigned i = 0; i < m->n; i++) {
		const char *host = m->maps[i].host;
		int fd = open(host, O_RDONLY | O_CLOEXEC);
		Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
		Dwfl_Module *mod = NULL;
		uint64_t bias;

		/* libdw takes the descriptor over. */
		if (elf && find_bias(elf, &m->maps[i], &bias))
			mod = dwfl_report_elf(dwfl, host, host, fd, bias,
					      false);
		if (mod && !kept)
			kept = elf;
		else
			elf_end(elf);
		if (!mod && fd >= 0)
			close(fd);
	}
	dwfl_report_end(dwfl, NULL, NULL);
	if (first)
		*first = kept;
	return dwfl;
}
