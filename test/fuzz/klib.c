/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real klib's file, damaged: klib FILE SEED ROUNDS.  Each round changes some
 * bytes, rather in headers, symbols and relocations than in code, or cuts the
 * file, and loads it as the kernel does; the sanitizers judge.  Prints how
 * many were taken, since damage in code is none to the loader.
 */
#include "../unit/unit.h"

#include <abi/errno.h>
#include <base/limits.h>
#include <klib/image.h>

static uint8_t *good;
static size_t len;
static uint64_t seed;
static uintptr_t near; /* where all that is imported lies */

static uintptr_t
resolve(const char *name)
{
	return strlen(name) > 200 ? 0 : near;
}

static uint64_t
below(uint64_t n)
{
	return unit_random(&seed) % n;
}

static void
read_all(const char *path)
{
	FILE *f = fopen(path, "rb");

	CHECK(f);
	good = malloc(LIMIT_KLIB_BYTES);
	CHECK(good);
	len = fread(good, 1, LIMIT_KLIB_BYTES, f);
	CHECK(len > sizeof(struct elf64_ehdr));
	fclose(f);
}

/* A place in a table of the file: a header, a symbol, a relocation. */
static size_t
spot(void)
{
	const struct elf64_ehdr *e = (const void *)good;
	const struct elf64_shdr *s = (const void *)(good + e->e_shoff);
	unsigned i = (unsigned)below(e->e_shnum);

	switch (below(4)) {
	case 0:
		return below(sizeof(*e));
	case 1:
		return e->e_shoff + below(e->e_shnum * sizeof(*s));
	case 2:
		if ((s[i].sh_type == SHT_RELA || s[i].sh_type == SHT_SYMTAB) &&
		    s[i].sh_size)
			return s[i].sh_offset + below(s[i].sh_size);
	}
	return below(len);
}

static int
load(const uint8_t *file, size_t n)
{
	const struct klib_head *head;
	struct klib_image k;
	uint8_t *mem;
	int err = klib_image_open(&k, file, n);

	if (err) {
		CHECK(err == -ENOEXEC && *k.why);
		return err;
	}
	CHECK(k.size && k.size <= LIMIT_KLIB_BYTES && k.size % PAGE_SIZE == 0);
	mem = calloc(1, k.size);
	CHECK(mem);
	near = (uintptr_t)mem;
	err = klib_image_place(&k, mem, resolve, &head);
	CHECK(!err || err == -ENOEXEC || err == -ENOENT);
	free(mem);
	return err;
}

int
main(int argc, char **argv)
{
	unsigned long rounds, taken = 0;

	CHECK(argc == 4);
	read_all(argv[1]);
	seed = strtoull(argv[2], NULL, 0);
	rounds = strtoul(argv[3], NULL, 0);
	CHECK(load(good, len) == 0);
	for (unsigned long i = 0; i < rounds; i++) {
		size_t n = below(16) ? len : below(len);
		uint8_t *file = malloc(n ? n : 1);

		CHECK(file);
		memcpy(file, good, n);
		for (uint64_t k = below(8); n && k; k--) {
			size_t at = spot();

			if (at < n)
				file[at] = (uint8_t)(below(2) ? below(256) :
								below(2) * 255);
		}
		taken += load(file, n) == 0;
		free(file);
	}
	printf("%lu of %lu taken\n", taken, rounds);
	return 0;
}
