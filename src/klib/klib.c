/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading klibs: memory near the kernel, the table of exports, protections,
 * init().
 *
 * One thread loads, at boot, and what is loaded stays.  A panic on any CPU
 * reads the list: an entry is complete before it counts.
 */
#include <klib/klib.h>

#include <abi/errno.h>
#include <abi/stat.h>
#include <arch/mmu.h>
#include <base/atomic.h>
#include <base/limits.h>
#include <base/string.h>
#include <core/backtrace.h>
#include <core/bootinfo.h>
#include <core/log.h>
#include <dev/random.h>
#include <fs/pseudo.h>
#include <klib/image.h>
#include <mem/kmap.h>

struct loaded {
	char name[KLIB_NAME_MAX + 1];
	uintptr_t text, len;
	size_t size; /* of all its parts */
};

/* An export: two distances, each from where it stands.  Sorted by name. */
struct export
{
	int32_t name, addr;
};

/* tools/exports.sh makes them. */
extern const struct export klib_exports[];
extern const uint32_t klib_nexports;

static struct loaded list[LIMIT_KLIBS];
static unsigned nloaded; /* [a] */

static const void *
at_distance(const int32_t *d)
{
	return (const char *)d + *d;
}

static uintptr_t
resolve(const char *name)
{
	uint32_t low = 0, high = klib_nexports;

	while (low < high) {
		uint32_t mid = (low + high) / 2;
		const struct export *e = &klib_exports[mid];
		int order = strcmp(name, at_distance(&e->name));

		if (!order)
			return (uintptr_t)at_distance(&e->addr);
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return 0;
}

/* For a backtrace: which klib's text pc lies in. */
static bool
find(uint64_t pc, const char **name, uint64_t *offset)
{
	for (unsigned i = 0; i < atomic_load(&nloaded); i++) {
		if (pc - list[i].text >= list[i].len)
			continue;
		*name = list[i].name;
		*offset = pc - list[i].text;
		return true;
	}
	return false;
}

/* /proc/modules (proc(5)): name, size, users, who they are, state, address.
 * Where it lies is nobody's business: Linux prints zeroes to most, too. */
static int
show_modules(struct seq_buf *s, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < atomic_load(&nloaded); i++)
		seq_printf(s, "%s %lu 0 - Live 0x%016x\n", list[i].name,
			   (unsigned long)list[i].size, 0);
	return 0;
}

static const struct pseudo_entry modules = {
	.path = "modules",
	.mode = S_IFREG | 0444,
	.show = show_modules,
};

/* Each part its protection: from here on nothing of it can be changed but
 * its data. */
static int
seal(const struct klib_image *k, uint8_t *mem)
{
	static const unsigned prot[KLIB_PARTS] = {
		PTE_READ | PTE_EXEC,
		PTE_READ,
		PTE_READ | PTE_WRITE,
	};
	int err = 0;

	for (unsigned p = 0; p < KLIB_PARTS && !err; p++)
		if (k->part[p].len)
			err = kmap_seal(mem + k->part[p].at, k->part[p].len,
					prot[p]);
	return err;
}

static int
check_head(const struct klib_image *k, const char *name)
{
	if (memcmp(k->head.id, KLIB_ID, KLIB_ID_LEN)) {
		log_err("klib %s: it is of another build than this kernel "
			"(%.12s, not %.12s)",
			name, k->head.id, KLIB_ID);
		return -ESTALE;
	}
	if (strcmp(k->head.name, name)) {
		log_err("klib %s: it calls itself %s", name, k->head.name);
		return -ENOEXEC;
	}
	for (unsigned i = 0; i < nloaded; i++) {
		if (!strcmp(list[i].name, name)) {
			log_err("klib %s: it is loaded already", name);
			return -EEXIST;
		}
	}
	return nloaded < LIMIT_KLIBS ? 0 : -ENOSPC;
}

/* The list knows it before its init() runs, which may panic. */
static void
add(const struct klib_image *k, uint8_t *mem)
{
	struct loaded *l = &list[nloaded];

	strlcpy(l->name, k->head.name, sizeof(l->name));
	l->text = (uintptr_t)mem + k->part[KLIB_TEXT].at;
	l->len = k->part[KLIB_TEXT].len;
	l->size = k->size;
	backtrace_module = find;
	atomic_store(&nloaded, nloaded + 1);
}

void
klib_init(void)
{
	if (proc_register(&modules))
		log_err("no memory for /proc/modules");
}

int
klib_load(const char *name, const char *args, const void *file, size_t len,
	  bool *started)
{
	const struct klib_head *head;
	struct klib_image k;
	uint8_t *mem = NULL;
	int err = klib_image_open(&k, file, len);

	*started = false;
	if (err)
		goto wrong;
	err = check_head(&k, name);
	if (err)
		return err;
	if (!nloaded && !boot_info.no_aslr)
		kmap_module_base(random_u64());
	mem = kmap_module_alloc(k.size);
	if (!mem)
		return -ENOMEM;
	err = klib_image_place(&k, mem, resolve, &head);
	if (err)
		goto wrong;
	err = seal(&k, mem);
	if (err) {
		vfree(mem);
		return err;
	}
	add(&k, mem);
	*started = true;
	err = head->init(args);
	if (err)
		log_err("klib %s: error %d", name, -err);
	else
		log_info("klib %s: %lu KB", name, (unsigned long)k.size >> 10);
	return err;
wrong:
	log_err("klib %s: %s%s%s", name, k.why, k.symbol ? " " : "",
		k.symbol ? k.symbol : "");
	vfree(mem);
	return err;
}
