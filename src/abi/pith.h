/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `pith` (the host command) and the kernel say to each other.
 *
 * Three things cross the border, and this file is the only place that
 * defines them; tools, kernel and tests include it.
 *
 *  - The disk layout: partition types of an image (docs/design/image.md).
 *  - The block: a sequence of tagged records.  The same format holds the
 *    image's compiled manifest (in its own partition, never changes) and the
 *    run block (arguments, environment and streams of one run, handed to
 *    the kernel as the first PVH module, i.e. QEMU's -initrd).  A record in
 *    the run block replaces all records of that tag in the manifest, but for
 *    PITH_REC_ENV, which replaces only the variable it names.
 *  - The control port: frames over the virtio-serial port PITH_PORT_CONTROL.
 *
 * All integers are little-endian.  Strings are bytes without a terminating
 * NUL, the length is the record's.  Readers check every length, skip tags
 * that they do not know when PITH_REC_OPTIONAL is set in the tag, and refuse
 * the block otherwise.
 */
#pragma once

#include <stdint.h>

/* Partition type GUIDs, in GPT's mixed-endian text form (UEFI 2.10, 5.3.3).
 * Order on disk: BIOS boot, EFI system, manifest, root. */
#define PITH_GPT_BIOS_BOOT "21686148-6449-6E6F-744E-656564454649"
#define PITH_GPT_ESP	   "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define PITH_GPT_MANIFEST  "B0E74D92-4C1F-4E5A-9C0B-50495448004D"
#define PITH_GPT_ROOT	   "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

#define PITH_BLOCK_MAGIC   0x314b4c4248544950ull /* "PITHBLK1" */
#define PITH_BLOCK_VERSION 1
#define PITH_BLOCK_MAX	   (4u << 20) /* bytes, header included */

struct pith_block_header {
	uint64_t magic;
	uint32_t version;
	uint32_t len_bytes; /* of all records that follow */
	uint32_t crc32c;    /* of those records */
	uint32_t reserved;  /* 0 */
};

/* A record: this header, len_bytes of value, zero padding to 4 bytes. */
struct pith_record {
	uint16_t tag;
	uint16_t reserved; /* 0 */
	uint32_t len_bytes;
};

#define PITH_REC_OPTIONAL 0x8000u /* a reader may skip an unknown tag */

enum pith_tag {
	PITH_REC_PROGRAM = 1, /* string: absolute path of what to execute */
	PITH_REC_ARG,	      /* string, repeated in order; argv[0] first */
	PITH_REC_ENV,	      /* string "K=V", repeated */
	PITH_REC_CWD,	      /* string: absolute path */
	PITH_REC_CRED,	      /* u32 uid, u32 gid, u32 groups[] */
	PITH_REC_ROOT_MODE,   /* u32: enum pith_root_mode */
	PITH_REC_HOSTNAME,    /* string */
	PITH_REC_FLAGS,	      /* u32: PITH_FLAG_* */
	PITH_REC_STREAMS,     /* struct pith_streams */
	PITH_REC_TERMIOS,     /* Linux struct termios (36 bytes, c_cc[19]) */
	PITH_REC_WINSIZE,     /* Linux struct winsize (8 bytes) */
	PITH_REC_TRACE,	      /* string: comma-separated call names, "" = all */
	PITH_REC_UMASK,	      /* u32 */
	PITH_REC_RLIMIT,   /* u32 resource, u32 0, u64 soft, hard; repeated */
	PITH_REC_MOUNT,	   /* strings "TYPE\0SOURCE\0TARGET\0OPTIONS" */
	PITH_REC_KLIB,	   /* strings "NAME\0ARGUMENTS", repeated */
	PITH_REC_TIME,	   /* i64 seconds, u32 ns: the host's wall clock */
	PITH_REC_SEED,	   /* bytes: extra entropy from the host */
	PITH_REC_NET = 32, /* struct pith_net, repeated: one a NIC */
	PITH_REC_DNS = 33, /* struct pith_dns, repeated */
	PITH_REC_KLIB_FILE = 35, /* bytes: the klib that the PITH_REC_KLIB
				  * before it names (abi/klib.h) */
	PITH_REC_PROFILE =
		36, /* u32 samples a second, 1..PITH_PROFILE_HZ_MAX */
	/* for `pith run IMAGE` alone, the kernel skips these */
	PITH_REC_PUBLISH = PITH_REC_OPTIONAL | 34, /* string, repeated: what
						    * --publish takes */
	PITH_REC_MACHINE = PITH_REC_OPTIONAL | 19, /* u64 memory, u32 cpus */
	PITH_REC_VOLUME = PITH_REC_OPTIONAL | 20,  /* string "NAME:/PATH[:ro]",
						   * repeated */
};

#define PITH_PROFILE_HZ_MAX 10000u

enum pith_root_mode {
	PITH_ROOT_OVERLAY = 0, /* writes stay in memory */
	PITH_ROOT_RO = 1,
	PITH_ROOT_RW = 2,
};

#define PITH_FLAG_NO_ASLR  (1u << 0) /* manifest key "aslr": false */
#define PITH_FLAG_MISSING  (1u << 1) /* report paths looked for in vain */
#define PITH_FLAG_VERBOSE  (1u << 2) /* kernel log to the control port */
#define PITH_FLAG_WAIT_GDB (1u << 3) /* stop before the first user insn */

/* How a NIC gets its addresses; family is 4 or 6, 0: unused.  IPv6 comes by
 * router advertisements besides, and a static IPv6 address beside DHCP. */
enum pith_net_method {
	PITH_NET_DHCP = 0,
	PITH_NET_STATIC = 1,
	PITH_NET_NONE = 2,
};

#define PITH_NET_ADDRS 4

struct pith_net_addr {
	uint8_t family, prefix, has_gateway, zero;
	uint8_t addr[16], gateway[16]; /* network order, IPv4 in the first 4 */
};

struct pith_net {
	uint8_t mac[6], has_mac; /* which NIC; without: by position */
	uint8_t method;		 /* enum pith_net_method */
	uint32_t mtu;		 /* 0: the device's */
	struct pith_net_addr addr[PITH_NET_ADDRS];
};

struct pith_dns {
	uint8_t family, zero[3];
	uint8_t addr[16];
};

/* What the three standard streams are on the host. */
enum pith_stream_kind {
	PITH_STREAM_CLOSED = 0, /* the descriptor is not open */
	PITH_STREAM_PIPE = 1,	/* pipe or socket: a FIFO to the program */
	PITH_STREAM_TTY = 2,	/* a terminal: the kernel's line discipline */
	PITH_STREAM_FILE = 3,	/* regular file; still a stream, see limits */
	PITH_STREAM_NULL = 4,	/* /dev/null; no port is used */
	PITH_STREAM_STDOUT = 5, /* stderr only: the same file as stdout */
};

struct pith_streams {
	uint32_t kind[3]; /* enum pith_stream_kind of stdin, stdout, stderr */
};

/* virtio-serial ports are found by these names (virtio 1.2, 5.3.6.1,
 * VIRTIO_CONSOLE_PORT_NAME). */
#define PITH_PORT_CONTROL "pith.control"
#define PITH_PORT_STDIN	  "pith.stdin"
#define PITH_PORT_STDOUT  "pith.stdout"
#define PITH_PORT_STDERR  "pith.stderr"

/* A frame on the control port: this header, len_bytes of payload. */
struct pith_frame {
	uint16_t type;
	uint16_t flags; /* 0 */
	uint32_t len_bytes;
};

#define PITH_NOT_A_CALL UINT32_MAX  /* in PITH_FRAME_ENOSYS */
#define PITH_FRAME_MAX	(64u << 10) /* payload bytes; longer data is split */

enum pith_frame_type {
	/* guest to host */
	PITH_FRAME_HELLO = 1,	/* u32 protocol version (1); kernel is up */
	PITH_FRAME_EXIT = 2,	/* struct pith_exit; the last frame */
	PITH_FRAME_LOG = 3,	/* text: kernel log, panic report */
	PITH_FRAME_TRACE = 4,	/* text: one or more traced calls */
	PITH_FRAME_MISSING = 5, /* string: a path that was not there */
	PITH_FRAME_ENOSYS = 6,	/* u32 nr (PITH_NOT_A_CALL: an option),
				 * u32 count, string name */
	PITH_FRAME_CRASH = 7,	/* text lines "key value", see crash.md */
	PITH_FRAME_TTYMODE = 8, /* u32 1 = guest's tty is in use, 0 = not */
	PITH_FRAME_NOTICE = 9,	/* text: one line for the user ("fork ...") */
	PITH_FRAME_SAMPLES =
		10, /* struct pith_sample, each with its addresses */
	PITH_FRAME_PROFILE = 11, /* text lines "key value", see profile.md */
	PITH_FRAME_FORK = 12,	 /* text: as a notice; begins with the program's
			       * name, and the host adds what to do */
	PITH_FRAME_SYSLOG = 13,	 /* text: as the program sent it to /dev/log */
	/* host to guest */
	PITH_FRAME_SIGNAL = 64,	 /* u32 Linux signal number, to the program */
	PITH_FRAME_WINSIZE = 65, /* Linux struct winsize (8 bytes) */
	PITH_FRAME_STOP = 66,	 /* end the machine now: sync, then power off */
};

enum pith_sample_mode {
	PITH_SAMPLE_IDLE = 0,
	PITH_SAMPLE_USER = 1, /* the CPU ran the program */
	PITH_SAMPLE_KERNEL = 2,
};

/* Where a CPU was: depth addresses (u64) follow, the innermost first.  The
 * first so many are the kernel's, as in the linked image. */
struct pith_sample {
	uint32_t thread;
	uint8_t cpu;
	uint8_t mode; /* enum pith_sample_mode */
	uint8_t kernel;
	uint8_t depth; /* those of the kernel included */
};

enum pith_exit_kind {
	PITH_EXIT_STATUS = 0, /* the program called exit: code is its status */
	PITH_EXIT_SIGNAL = 1, /* a signal ended it: code is its number */
	PITH_EXIT_NOEXEC = 2, /* could not be executed: code is an errno */
	PITH_EXIT_PANIC = 3,  /* the kernel cannot go on */
	PITH_EXIT_BOOT = 4,   /* bad image or run block: code is an errno */
	PITH_EXIT_WATCHDOG = 5,
	PITH_EXIT_KLIB = 6, /* code: PITH_KLIB_FAILED() of which and why */
};

/* Which klib, counted from 0, an errno, and whether its own init() said so:
 * else -ENOEXEC: damaged, -ESTALE: of another build than the kernel, -ENOENT:
 * it is not with its name, or wants what is not exported. */
#define PITH_KLIB_FAILED(index, err, init) \
	((uint32_t)(err) | (uint32_t)(index) << 16 | ((init) ? 1u << 31 : 0))
#define PITH_KLIB_ERRNO(code) ((code)&0xffffu)
#define PITH_KLIB_INDEX(code) ((code) >> 16 & 0x7fffu)
#define PITH_KLIB_INIT(code)  ((code) >> 31)

struct pith_exit {
	uint32_t kind; /* enum pith_exit_kind */
	uint32_t code;
};

/* After PITH_FRAME_EXIT is consumed the kernel writes this value to QEMU's
 * isa-debug-exit device at this I/O port, where it has one; QEMU then ends
 * with status 1. */
#define PITH_DEBUG_EXIT_PORT 0xf4

_Static_assert(sizeof(struct pith_block_header) == 24, "block header");
_Static_assert(sizeof(struct pith_record) == 8, "record");
_Static_assert(sizeof(struct pith_frame) == 8, "frame");
_Static_assert(sizeof(struct pith_sample) == 8, "sample");
_Static_assert(sizeof(struct pith_net_addr) == 36, "address");
_Static_assert(sizeof(struct pith_net) == 156, "interface");
_Static_assert(sizeof(struct pith_dns) == 20, "name server");
