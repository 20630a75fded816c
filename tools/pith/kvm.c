/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does KVM run a guest on this machine?
 *
 * /dev/kvm may open and still not run a guest: in a container without the
 * rights, in a cloud VM whose KVM runs only guests made for it.  So the
 * question is asked of QEMU itself, with the very CPU model that a run uses:
 * it boots a PVH program of a few instructions, which switches to 64-bit mode
 * with paging and ends the machine through the exit device with a value that
 * only this path gives.  The answer is remembered for this boot of the host; a
 * "no" with what QEMU said, as it may be QEMU that is not whole.
 */
#include "cache.h"
#include "qemu.h"

#include <abi/pith.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GUEST_BASE  0x100000u
#define GUEST_VALUE 0x2a  /* QEMU's status is then (value << 1) | 1 */
#define PROBE_MS    10000 /* a machine in a machine is slow */

/* Entered in 32-bit mode without paging (the PVH boot protocol).  One page
 * each for the tables of a 1:1 map of the first gigabyte, from 0x200000. */
__asm__(".pushsection .rodata\n"
	".balign 16\n"
	"probe_start:\n"
	".code32\n"
	"	movl $0x200000, %edi\n"
	"	xorl %eax, %eax\n"
	"	movl $3072, %ecx\n"
	"	cld\n"
	"	rep stosl\n"
	"	movl $0x201003, 0x200000\n" /* PML4[0] -> PDPT */
	"	movl $0x202003, 0x201000\n" /* PDPT[0] -> PD */
	"	movl $0x83, 0x202000\n"	    /* PD[0]: 2 MiB at 0 */
	"	movl $0x200000, %eax\n"
	"	movl %eax, %cr3\n"
	"	movl %cr4, %eax\n"
	"	orl $0x20, %eax\n" /* PAE */
	"	movl %eax, %cr4\n"
	"	movl $0xc0000080, %ecx\n" /* EFER */
	"	rdmsr\n"
	"	orl $0x100, %eax\n" /* LME */
	"	wrmsr\n"
	"	movl %cr0, %eax\n"
	"	orl $0x80000000, %eax\n" /* PG */
	"	movl %eax, %cr0\n"
	"	lgdt 0x100000 + probe_gdtr - probe_start + 0x1000\n"
	"	ljmp $8, $(0x101000 + probe_64 - probe_start)\n"
	".code64\n"
	"probe_64:\n"
	"	movabsq $0x1234567890, %rax\n"
	"	shrq $32, %rax\n" /* 0x12: 64-bit only */
	"	addb $0x18, %al\n"
	"	outb %al, $0xf4\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	".balign 8\n"
	"probe_gdt:\n"
	"	.quad 0, 0x00af9b000000ffff\n"
	"probe_gdtr:\n"
	"	.word 15\n"
	"	.long 0x101000 + probe_gdt - probe_start\n"
	"probe_end:\n"
	".popsection\n");
extern const char probe_start[], probe_end[];

_Static_assert(PITH_DEBUG_EXIT_PORT == 0xf4, "the probe's outb");
_Static_assert(0x12 + 0x18 == GUEST_VALUE, "the probe's arithmetic");

/* The ELF file: header, two program headers, the PVH note, the code. */
static int
probe_file(void)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr load, note;
		Elf64_Nhdr nh;
		char name[4];
		uint32_t entry;
	} f = { 0 };
	size_t code = probe_end - probe_start;
	int fd = memfd_create("pith-probe", 0);

	if (fd < 0)
		return -errno;
	memcpy(f.eh.e_ident, ELFMAG, SELFMAG);
	f.eh.e_ident[EI_CLASS] = ELFCLASS64;
	f.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	f.eh.e_ident[EI_VERSION] = EV_CURRENT;
	f.eh.e_type = ET_EXEC;
	f.eh.e_machine = EM_X86_64;
	f.eh.e_version = EV_CURRENT;
	f.eh.e_entry = GUEST_BASE + 0x1000;
	f.eh.e_phoff = sizeof(f.eh);
	f.eh.e_ehsize = sizeof(f.eh);
	f.eh.e_phentsize = sizeof(Elf64_Phdr);
	f.eh.e_phnum = 2;
	f.load = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_vaddr = GUEST_BASE,
		.p_paddr = GUEST_BASE,
		.p_filesz = 0x1000 + code,
		.p_memsz = 0x1000 + code,
		.p_align = 0x1000,
	};
	f.note = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_flags = PF_R,
		.p_offset = offsetof(typeof(f), nh),
		.p_vaddr = GUEST_BASE + offsetof(typeof(f), nh),
		.p_paddr = GUEST_BASE + offsetof(typeof(f), nh),
		.p_filesz = sizeof(f) - offsetof(typeof(f), nh),
		.p_memsz = sizeof(f) - offsetof(typeof(f), nh),
		.p_align = 4,
	};
	/* XEN_ELFNOTE_PHYS32_ENTRY */
	f.nh = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 4, .n_type = 18 };
	memcpy(f.name, "Xen", 4);
	f.entry = GUEST_BASE + 0x1000;
	if (pwrite(fd, &f, sizeof(f), 0) != sizeof(f) ||
	    pwrite(fd, probe_start, code, 0x1000) != (ssize_t)code) {
		close(fd);
		return -EIO;
	}
	return fd;
}

/* Waits for the probe, not for ever; its status or -1. */
static int
wait_probe(pid_t pid)
{
	int status;

	for (int ms = 0; ms < PROBE_MS; ms += 5) {
		struct timespec t = { 0, 5000000 };

		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		nanosleep(&t, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* What QEMU said, in one line: "" when it said nothing. */
static void
read_words(int fd, char *said, size_t size)
{
	ssize_t n;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	n = read(fd, said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\r\n")] = '\0';
}

static bool
run_probe(char *said, size_t size)
{
	char path[40], *qemu = qemu_find();
	int fd = probe_file(), status, words[2];
	pid_t pid;

	*said = '\0';
	if (fd < 0)
		return false;
	if (pipe2(words, O_CLOEXEC) < 0) {
		close(fd);
		return false;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 0);
		dup2(null, 1);
		dup2(words[1], 2);
		execl(qemu, qemu, "-nodefaults", "-no-user-config", "-display",
		      "none", "-no-reboot", "-machine",
		      "microvm,x-option-roms=off,isa-serial=off", "-bios",
		      "qboot.rom", "-accel", "kvm", "-cpu", "host", "-m", "16M",
		      "-kernel", path, "-device", "isa-debug-exit,iobase=0xf4",
		      (char *)NULL);
		_exit(127);
	}
	close(fd);
	close(words[1]);
	free(qemu);
	status = pid < 0 ? -1 : wait_probe(pid);
	read_words(words[0], said, size);
	close(words[0]);
	return status == (GUEST_VALUE << 1 | 1);
}

static const char *
open_error(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	if (errno == EACCES)
		return "/dev/kvm may not be opened; add yourself to the group "
		       "kvm";
	return "there is no /dev/kvm";
}

bool
kvm_works(const char **why)
{
	struct buf boot = { 0 };
	char *known, *value, said[200];
	bool works;

	*why = open_error();
	if (*why)
		return false;
	read_file("/proc/sys/kernel/random/boot_id", &boot);
	buf_add(&boot, "", 0);
	boot.p[strcspn(boot.p, "\n")] = '\0';
	known = cache_get("kvm");
	if (known && !strncmp(known, boot.p, strlen(boot.p)) && *boot.p) {
		value = known + strlen(boot.p);
		works = *value == '+';
		snprintf(said, sizeof(said), "%s", *value ? value + 1 : "");
	} else {
		works = run_probe(said, sizeof(said));
		value = xasprintf("%s%c%s", boot.p, works ? '+' : '-', said);
		cache_set("kvm", value);
		free(value);
	}
	free(known);
	buf_free(&boot);
	if (!works)
		*why = xasprintf("/dev/kvm opens but a guest does not run in "
				 "it%s%s%s",
				 *said ? " (QEMU: " : "", printable(said),
				 *said ? ")" : "");
	return works;
}

bool
accel_choose(const struct options *o)
{
	const char *why;

	if (o->accel == ACCEL_TCG)
		return false;
	if (kvm_works(&why))
		return true;
	if (o->accel == ACCEL_KVM)
		die(STATUS_FAILED, "--accel kvm: %s", why);
	say("no KVM (%s); using QEMU's TCG, which is slower", why);
	return false;
}
