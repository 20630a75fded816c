/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever the PVH start info says, boot_info is well formed: ranges
 * sorted, none over another, within the table; modules that do not wrap; a
 * command line that ends.
 * Method: the reader itself, on structures of random numbers, of which many
 * overlap, touch or wrap.  Only addresses of tables are real, as a machine's
 * are.
 * INCLUDE: src/arch/x86_64
 */
#include "../unit.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#include "../../../src/arch/x86_64/early.c"

/* The image's own, which the rest of the file names. */
char image_start[1], rodata_start[1], data_start[1], image_end[1];
const uint64_t relr_start[1], relr_end[1];
uint64_t boot_pml4[512];

size_t
strlcpy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (size) {
		size_t k = n < size - 1 ? n : size - 1;

		memcpy(to, from, k);
		to[k] = 0;
	}
	return n;
}

static struct hvm_memmap_entry map[100];
static struct hvm_modlist_entry mods[8];
static char cmdline[4000];

static uint64_t
number(uint64_t *state)
{
	uint64_t r = unit_random(state);

	switch (r % 6) {
	case 0:
		return r >> 8;
	case 1:
		return 0;
	case 2:
		return ~0ull - (r >> 60);
	default:
		return (r >> 8) % 64 * 0x1000;
	}
}

static void
check(const struct boot_info *b)
{
	CHECK(b->nmem <= BOOT_MAX_RANGES);
	for (unsigned i = 0; i < b->nmem; i++) {
		CHECK(b->mem[i].start <= b->mem[i].end);
		if (i)
			CHECK(b->mem[i - 1].end <= b->mem[i].start);
	}
	CHECK(b->nmodules <= BOOT_MAX_MODULES);
	for (unsigned i = 0; i < b->nmodules; i++)
		CHECK(b->module[i].start <= b->module[i].end);
	CHECK(memchr(b->cmdline, 0, sizeof(b->cmdline)));
}

static void
test_random(void)
{
	uint64_t state = 1;
	unsigned rounds = getenv("PITH_LONG") ? 2000000 : 20000;

	for (unsigned k = 0; k < rounds; k++) {
		struct hvm_start_info si = {
			.magic = START_MAGIC,
			.version = 1 + (uint32_t)(unit_random(&state) % 2),
			.nr_modules = (uint32_t)(unit_random(&state) % 9),
			.modlist_paddr = (uint64_t)mods,
			.cmdline_paddr = k % 3 ? (uint64_t)cmdline : 0,
			.memmap_paddr = (uint64_t)map,
			.memmap_entries = (uint32_t)(unit_random(&state) % 101),
		};

		for (unsigned i = 0; i < 100; i++)
			map[i] = (struct hvm_memmap_entry){
				number(&state), number(&state),
				(uint32_t)(unit_random(&state) % 5), 0
			};
		for (unsigned i = 0; i < 8; i++)
			mods[i] = (struct hvm_modlist_entry){ number(&state),
							      number(&state), 0,
							      0 };
		memset(cmdline, 'c', unit_random(&state) % sizeof(cmdline));
		cmdline[unit_random(&state) % sizeof(cmdline)] = 0;
		cmdline[sizeof(cmdline) - 1] = 0;
		memset(&boot_info, 0, sizeof(boot_info));
		read_start_info(&si);
		check(&boot_info);
	}
}

/* A map as QEMU gives it comes out as it is. */
static void
test_usual(void)
{
	struct hvm_start_info si = {
		.magic = START_MAGIC,
		.version = 1,
		.memmap_paddr = (uint64_t)map,
		.memmap_entries = 3,
	};

	map[0] = (struct hvm_memmap_entry){ 0x100000, 0x7f00000, 1, 0 };
	map[1] = (struct hvm_memmap_entry){ 0, 0xa0000, 1, 0 };
	map[2] = (struct hvm_memmap_entry){ 0xf0000, 0x10000, 2, 0 };
	memset(&boot_info, 0, sizeof(boot_info));
	read_start_info(&si);
	CHECK_EQ(boot_info.nmem, 3);
	CHECK_EQ(boot_info.mem[0].end, 0xa0000);
	CHECK_EQ(boot_info.mem[1].type, BOOT_MEM_RESERVED);
	CHECK_EQ(boot_info.mem[2].start, 0x100000);
	CHECK_EQ(boot_info.mem[2].end, 0x8000000);
}

static const struct unit_test tests[] = {
	{ "usual", test_usual },
	{ "random", test_random },
	{ NULL, NULL },
};
UNIT_MAIN(tests)
