/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of the guest's CPUs, with names.
 *
 * Samples are kept as they come until the kernel says which mappings they
 * belong to; then each becomes a stack of names, outermost first and with
 * semicolons between, and is counted.  The same stacks are what tools that
 * draw flame graphs read (--profile-file).
 *
 * The guest is not trusted: what makes no sense is left out, and what is kept
 * is bounded.
 */
#include "profile.h"

#include "control.h"
#include "modules.h"
#include "tty.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX (64u << 20) /* bytes between two reports of mappings */
#define TEXT_MAX    (1u << 20)
#define ROWS	    30

/* A stack, or a function of the table. */
struct count {
	char *name;
	unsigned long self, total;
	unsigned long seen; /* the sample that counted it last */
};

static FILE *file; /* --profile-file */
static struct buf samples, text;
static unsigned long modes[3], dropped, lost, nsamples;
static unsigned rate, cpus;
static void *stacks, *functions; /* trees of entries, by name */
static struct count **sorted;
static size_t nsorted;

void
profile_begin(const struct options *o)
{
	if (!o->profile_file)
		return;
	file = fopen(o->profile_file, "we");
	if (!file)
		die(STATUS_FAILED, "--profile-file %s: %s",
		    printable(o->profile_file), strerror(errno));
}

void
profile_samples(const char *p, size_t len)
{
	if (samples.len + len > SAMPLES_MAX)
		dropped += len / sizeof(struct pith_sample);
	else
		buf_add(&samples, p, len);
}

/* ---- names ---- */

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct count *)a)->name,
		      ((const struct count *)b)->name);
}

static struct count *
entry_of(void **tree, const char *name)
{
	struct count key = { .name = (char *)(uintptr_t)name }, *e;
	struct count **at = tfind(&key, tree, by_name);

	if (at)
		return *at;
	e = xcalloc(1, sizeof(*e));
	e->name = xstrdup(name);
	if (!tsearch(e, tree, by_name))
		die(STATUS_FAILED, "no memory for the profile");
	return e;
}

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "function  file", or less where less is known. */
static char *
kernel_name(uint64_t pc)
{
	char *name = symbols_function(pc);
	char *both = xasprintf("%s  kernel", name ? name : "[no name]");

	free(name);
	return both;
}

static char *
program_name(Dwfl *dwfl, uint64_t pc)
{
	Dwfl_Module *m;
	const char *name, *path;

	m = dwfl ? dwfl_addrmodule(dwfl, pc) : NULL;
	if (!m)
		return xstrdup("[code of no file]");
	name = dwfl_module_addrname(m, pc);
	path = dwfl_module_info(m, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	return xasprintf("%s  %s", name ? name : "[no name]",
			 path ? base_of(path) : "?");
}

/* Names by address: a table of symbols is walked for each, and the same few
 * thousand addresses come again and again. */
struct place {
	uint64_t pc;
	bool kernel;
	char *name;
};

static void *places;

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->pc != y->pc)
		return x->pc < y->pc ? -1 : 1;
	return x->kernel - y->kernel;
}

/* Stays the table's. */
static const char *
name_at(Dwfl *dwfl, uint64_t pc, bool kernel)
{
	struct place key = { .pc = pc, .kernel = kernel }, *p;
	struct place **at = tfind(&key, &places, by_place);

	if (at)
		return (*at)->name;
	p = xcalloc(1, sizeof(*p));
	*p = key;
	p->name = kernel ? kernel_name(pc) : program_name(dwfl, pc);
	if (!tsearch(p, &places, by_place))
		die(STATUS_FAILED, "no memory for the profile");
	return p->name;
}

static void
free_place(void *node)
{
	struct place *p = node;

	free(p->name);
	free(p);
}

/* ---- samples to stacks ---- */

/* A name in a line of stacks: what separates there is replaced. */
static void
add_frame(struct buf *b, const char *name)
{
	for (; *name; name++)
		buf_add(b, *name == ';' ? ":" : *name == ' ' ? "_" : name, 1);
}

static void
count_stack(Dwfl *dwfl, const uint64_t *pc, unsigned depth, unsigned kernel)
{
	struct buf b = { 0 };

	nsamples++;
	for (unsigned i = depth; i-- > 0;) {
		/* Of a caller the address is where it goes on, which may be
		 * in the next function; not so of the innermost, nor of where
		 * the program entered the kernel. */
		uint64_t at = pc[i] - (i > 0 && i != kernel);
		const char *name = name_at(dwfl, at, i < kernel);
		struct count *e = entry_of(&functions, name);

		if (e->seen != nsamples)
			e->total++;
		e->seen = nsamples;
		if (!i)
			e->self++;
		if (b.len)
			buf_add(&b, ";", 1);
		add_frame(&b, name);
	}
	buf_add(&b, "", 1);
	entry_of(&stacks, b.p)->self++;
	buf_free(&b);
}

static void
count_samples(Dwfl *dwfl)
{
	struct pith_sample h;
	size_t at = 0;

	while (samples.len - at >= sizeof(h)) {
		uint64_t pc[UINT8_MAX];
		size_t len;

		memcpy(&h, samples.p + at, sizeof(h));
		at += sizeof(h);
		len = h.depth * sizeof(pc[0]);
		if (h.mode >= ARRAY_LEN(modes) || samples.len - at < len)
			break;
		memcpy(pc, samples.p + at, len);
		at += len;
		modes[h.mode]++;
		if (h.depth)
			count_stack(dwfl, pc, h.depth, h.kernel);
	}
	buf_free(&samples);
	samples = (struct buf){ 0 };
	/* The next program has others at these addresses. */
	tdestroy(places, free_place);
	places = NULL;
}

void
profile_text(const char *p, size_t len, const struct options *o)
{
	struct modules *m;
	char *line, *next;
	Dwfl *dwfl;

	if (text.len + len > TEXT_MAX)
		return;
	buf_add(&text, p, len);
	if (text.len < 4 || memcmp(text.p + text.len - 4, "end\n", 4))
		return;
	text.p[text.len - 1] = '\0';
	m = xcalloc(1, sizeof(*m));
	for (line = text.p; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!strncmp(line, "map ", 4))
			modules_add(m, o, line + 4);
		else if (!strncmp(line, "rate ", 5))
			rate = strtoul(line + 5, NULL, 10);
		else if (!strncmp(line, "cpus ", 5))
			cpus = strtoul(line + 5, NULL, 10);
		else if (!strncmp(line, "lost ", 5))
			lost = strtoul(line + 5, NULL, 10);
	}
	dwfl = modules_open(m, NULL);
	count_samples(dwfl);
	if (dwfl)
		dwfl_end(dwfl);
	modules_free(m);
	free(m);
	buf_free(&text);
	text = (struct buf){ 0 };
}

/* ---- the end ---- */

static void
collect(const void *node, VISIT which, int depth)
{
	(void)depth;
	if (which != postorder && which != leaf)
		return;
	sorted = xrealloc(sorted, (nsorted + 1) * sizeof(*sorted));
	sorted[nsorted++] = *(struct count *const *)node;
}

/* The most first; equals by name, so that the same samples print the same. */
static int
by_count(const void *a, const void *b)
{
	const struct count *x = *(struct count *const *)a;
	const struct count *y = *(struct count *const *)b;

	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void
sort(const void *tree)
{
	nsorted = 0;
	twalk(tree, collect);
	if (nsorted)
		qsort(sorted, nsorted, sizeof(*sorted), by_count);
}

static void
write_stacks(const char *path)
{
	bool bad;

	sort(stacks);
	for (size_t i = 0; i < nsorted; i++)
		fprintf(file, "%s %lu\n", sorted[i]->name, sorted[i]->self);
	bad = ferror(file);
	if (fclose(file) || bad)
		warn("--profile-file %s: %s", printable(path), strerror(errno));
}

static void
print_table(void)
{
	unsigned long all = modes[0] + modes[1] + modes[2];
	double percent = all ? 100.0 / all : 0;
	struct buf b = { 0 };

	buf_addf(&b,
		 "profile: %lu samples, %u a second on %u CPU%s: "
		 "%.1f%% program, %.1f%% kernel, %.1f%% idle\n",
		 all, rate, cpus, cpus == 1 ? "" : "s",
		 modes[PITH_SAMPLE_USER] * percent,
		 modes[PITH_SAMPLE_KERNEL] * percent,
		 modes[PITH_SAMPLE_IDLE] * percent);
	if (lost + dropped)
		buf_addf(&b, "profile: %lu samples more were lost\n",
			 lost + dropped);
	sort(functions);
	if (nsorted)
		buf_addf(&b, "   self   total  function\n");
	for (size_t i = 0; i < nsorted && i < ROWS && sorted[i]->self; i++)
		buf_addf(&b, "%6.1f%%  %5.1f%%  %s\n",
			 100.0 * sorted[i]->self / nsamples,
			 100.0 * sorted[i]->total / nsamples, sorted[i]->name);
	tty_say(b.p, b.len);
	buf_free(&b);
}

void
profile_finish(const struct options *o)
{
	if (!o->profile_hz)
		return;
	if (samples.len) /* a panic: what they belong to was never said */
		count_samples(NULL);
	if (o->profile_file)
		write_stacks(o->profile_file);
	else
		print_table();
}
