/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classic BPF, as McCanne and Jacobson described it (USENIX 1993), with
 * Linux's ancillary loads at negative offsets.
 *
 * Jumps go forward only, so a program ends after as many steps as it has
 * instructions.  A load beyond the packet ends it with 0.
 */
#include <net/bpf.h>

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <core/percpu.h>
#include <core/reclaim.h>
#include <dev/random.h>
#include <mem/heap.h>
#include <net/socket.h>
#include <vm/uaccess.h>

/* Classes, and fields of a code. */
#define CLASS(c) ((c)&0x07)
#define LD	 0x00
#define LDX	 0x01
#define ST	 0x02
#define STX	 0x03
#define ALU	 0x04
#define JMP	 0x05
#define RET	 0x06
#define MISC	 0x07

#define SIZE(c) ((c)&0x18)
#define W	0x00
#define H	0x08
#define B	0x10

#define MODE(c) ((c)&0xe0)
#define IMM	0x00
#define ABS	0x20
#define IND	0x40
#define MEM	0x60
#define LEN	0x80
#define MSH	0xa0

#define OP(c)  ((c)&0xf0)
#define SRC(c) ((c)&0x08)
#define X      0x08
#define ADD    0x00
#define SUB    0x10
#define MUL    0x20
#define DIV    0x30
#define OR     0x40
#define AND    0x50
#define LSH    0x60
#define RSH    0x70
#define NEG    0x80
#define MOD    0x90
#define XOR    0xa0

#define JA   0x00
#define JEQ  0x10
#define JGT  0x20
#define JGE  0x30
#define JSET 0x40

#define RVAL(c) ((c)&0x18)
#define RET_A	0x10
#define TAX	0x00
#define TXA	0x80

#define MEMWORDS 16u

/* Ancillary data: absolute loads from here on. */
#define AD_OFF		    0xfffff000u
#define AD_PROTOCOL	    0
#define AD_PKTTYPE	    4
#define AD_IFINDEX	    8
#define AD_MARK		    20
#define AD_QUEUE	    24
#define AD_HATYPE	    28
#define AD_RXHASH	    32
#define AD_CPU		    36
#define AD_VLAN_TAG	    44
#define AD_VLAN_TAG_PRESENT 48
#define AD_RANDOM	    56
#define AD_VLAN_TPID	    60

struct sock_prog {
	struct reclaim_head reclaim;
	uint32_t n;
	struct sock_filter insn[];
};

/* ---- checking ---- */

static bool
ancillary_ok(uint32_t k)
{
	switch (k - AD_OFF) {
	case AD_PROTOCOL:
	case AD_PKTTYPE:
	case AD_IFINDEX:
	case AD_MARK:
	case AD_QUEUE:
	case AD_HATYPE:
	case AD_RXHASH:
	case AD_CPU:
	case AD_VLAN_TAG:
	case AD_VLAN_TAG_PRESENT:
	case AD_RANDOM:
	case AD_VLAN_TPID:
		return true;
	default:
		return k < AD_OFF;
	}
}

static bool
load_ok(const struct sock_filter *i)
{
	switch (MODE(i->code)) {
	case ABS:
		return CLASS(i->code) == LD && SIZE(i->code) != 0x18 &&
		       ancillary_ok(i->k);
	case IND:
		return CLASS(i->code) == LD && SIZE(i->code) != 0x18;
	case IMM:
	case LEN:
		return SIZE(i->code) == W;
	case MEM:
		return SIZE(i->code) == W && i->k < MEMWORDS;
	case MSH:
		return CLASS(i->code) == LDX && SIZE(i->code) == B;
	default:
		return false;
	}
}

static bool
alu_ok(const struct sock_filter *i)
{
	uint16_t op = OP(i->code);

	if (op > XOR)
		return false;
	if (SRC(i->code) == X)
		return true;
	if ((op == DIV || op == MOD) && !i->k)
		return false;
	return (op != LSH && op != RSH) || i->k < 32;
}

static bool
jump_ok(const struct sock_filter *i, uint32_t at, uint32_t n)
{
	uint32_t left = n - at - 1;

	if (OP(i->code) == JA)
		return i->k < left;
	return OP(i->code) <= JSET && i->jt < left && i->jf < left;
}

static bool
insn_ok(const struct sock_filter *i, uint32_t at, uint32_t n)
{
	if (i->code > 0xff)
		return false;
	switch (CLASS(i->code)) {
	case LD:
	case LDX:
		return load_ok(i);
	case ST:
	case STX:
		return i->k < MEMWORDS;
	case ALU:
		return alu_ok(i);
	case JMP:
		return jump_ok(i, at, n);
	case RET:
		return RVAL(i->code) == 0 || RVAL(i->code) == RET_A;
	default:
		return i->code == (MISC | TAX) || i->code == (MISC | TXA);
	}
}

/* Every way ends at a return, as the last instruction is one. */
static bool
program_ok(const struct sock_prog *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (!insn_ok(&p->insn[i], i, p->n))
			return false;
	return CLASS(p->insn[p->n - 1].code) == RET;
}

/* ---- running ---- */

struct machine {
	uint32_t a, x, mem[MEMWORDS];
};

static uint32_t
ancillary(const struct bpf_packet *p, uint32_t what)
{
	switch (what) {
	case AD_PROTOCOL:
		return p->protocol;
	case AD_PKTTYPE:
		return p->pkttype;
	case AD_IFINDEX:
		return p->ifindex;
	case AD_HATYPE:
		return 1; /* Ethernet; lo has such headers, too */
	case AD_CPU:
		return this_cpu()->id;
	case AD_RANDOM:
		return (uint32_t)random_u64();
	default: /* no marks, hashes or tags come apart from the frame */
		return 0;
	}
}

/* Big endian, of 1, 2 or 4 bytes. */
static bool
fetch(const struct bpf_packet *p, uint32_t off, uint16_t size, uint32_t *v)
{
	uint32_t n = size == W ? 4 : size == H ? 2 : 1;
	uint8_t b[4];

	if (off > INT32_MAX || !p->load(p->ctx, off, b, n))
		return false;
	*v = 0;
	for (uint32_t i = 0; i < n; i++)
		*v = *v << 8 | b[i];
	return true;
}

static bool
load(struct machine *m, const struct sock_filter *i, const struct bpf_packet *p)
{
	uint32_t v = 0;

	switch (MODE(i->code)) {
	case IMM:
		v = i->k;
		break;
	case LEN:
		v = p->len;
		break;
	case MEM:
		v = m->mem[i->k];
		break;
	case ABS:
		if (i->k >= AD_OFF)
			v = ancillary(p, i->k - AD_OFF);
		else if (!fetch(p, i->k, SIZE(i->code), &v))
			return false;
		break;
	case IND:
		if (!fetch(p, i->k + m->x, SIZE(i->code), &v))
			return false;
		break;
	default: /* MSH: the length of an IPv4 header */
		if (!fetch(p, i->k, B, &v))
			return false;
		v = (v & 0xf) * 4;
	}
	if (CLASS(i->code) == LD)
		m->a = v;
	else
		m->x = v;
	return true;
}

static bool
alu(struct machine *m, const struct sock_filter *i)
{
	uint32_t v = SRC(i->code) == X ? m->x : i->k;

	switch (OP(i->code)) {
	case ADD:
		m->a += v;
		break;
	case SUB:
		m->a -= v;
		break;
	case MUL:
		m->a *= v;
		break;
	case OR:
		m->a |= v;
		break;
	case AND:
		m->a &= v;
		break;
	case XOR:
		m->a ^= v;
		break;
	case LSH:
		m->a = v < 32 ? m->a << v : 0;
		break;
	case RSH:
		m->a = v < 32 ? m->a >> v : 0;
		break;
	case NEG:
		m->a = -m->a;
		break;
	case DIV:
	case MOD:
		if (!v)
			return false;
		m->a = OP(i->code) == DIV ? m->a / v : m->a % v;
		break;
	default:
		return false;
	}
	return true;
}

static uint32_t
jump(const struct machine *m, const struct sock_filter *i)
{
	uint32_t v = SRC(i->code) == X ? m->x : i->k;
	bool yes;

	switch (OP(i->code)) {
	case JA:
		return i->k;
	case JEQ:
		yes = m->a == v;
		break;
	case JGT:
		yes = m->a > v;
		break;
	case JGE:
		yes = m->a >= v;
		break;
	default:
		yes = m->a & v;
	}
	return yes ? i->jt : i->jf;
}

uint32_t
sock_prog_run(const struct sock_prog *prog, const struct bpf_packet *p)
{
	struct machine m = { 0 };

	for (uint32_t at = 0;; at++) {
		const struct sock_filter *i = &prog->insn[at];

		switch (CLASS(i->code)) {
		case LD:
		case LDX:
			if (!load(&m, i, p))
				return 0;
			break;
		case ST:
			m.mem[i->k] = m.a;
			break;
		case STX:
			m.mem[i->k] = m.x;
			break;
		case ALU:
			if (!alu(&m, i))
				return 0;
			break;
		case JMP:
			at += jump(&m, i);
			break;
		case RET:
			return RVAL(i->code) == RET_A ? m.a : i->k;
		default:
			if (i->code == (MISC | TAX))
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
}

uint32_t
sock_filter_run(const struct socket *s, const struct bpf_packet *p)
{
	const struct sock_prog *prog = atomic_load_consume(&s->filter);

	return prog ? (uint32_t)min_u64(sock_prog_run(prog, p), p->len) :
		      p->len;
}

/* ---- options ---- */

static void
free_prog(struct reclaim_head *h)
{
	kfree(container_of(h, struct sock_prog, reclaim));
}

void
sock_prog_free(struct sock_prog *p)
{
	if (p)
		reclaim_call(&p->reclaim, free_prog);
}

static void
replace(struct socket *s, struct sock_prog *p)
{
	sock_prog_free(atomic_xchg(&s->filter, p));
}

void
sock_filter_drop(struct socket *s)
{
	replace(s, NULL);
}

int
sock_prog_load(const void *val, uint32_t len, struct sock_prog **out)
{
	struct sock_fprog f;
	struct sock_prog *p;
	size_t bytes;
	int err;

	if (len != sizeof(f))
		return -EINVAL;
	memcpy(&f, val, sizeof(f));
	if (!f.len || f.len > BPF_MAXINSNS)
		return -EINVAL;
	bytes = f.len * sizeof(struct sock_filter);
	p = kmalloc(sizeof(*p) + bytes, ALLOC_KERNEL);
	if (!p)
		return -ENOMEM;
	p->n = f.len;
	err = copy_from_user(p->insn, (const void __user *)f.filter, bytes);
	if (!err && !program_ok(p))
		err = -EINVAL;
	if (err) {
		kfree(p);
		return err;
	}
	*out = p;
	return 0;
}

static int
attach(struct socket *s, const void *val, uint32_t len)
{
	struct sock_prog *p;
	int err = sock_prog_load(val, len, &p);

	if (!err)
		replace(s, p);
	return err;
}

int
sock_filter_setopt(struct socket *s, int name, const void *val, uint32_t len)
{
	if (name != SO_ATTACH_FILTER && name != SO_DETACH_FILTER)
		return -ENOPROTOOPT;
	if (sock_opt(s, SOCKOPT_LOCK_FILTER))
		return -EPERM;
	if (name == SO_ATTACH_FILTER)
		return attach(s, val, len);
	if (!atomic_load_relaxed(&s->filter))
		return -ENOENT;
	replace(s, NULL);
	return 0;
}
