/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring: buffers that the program provides for whatever receives first.
 *
 * A group of them is a list that the program fills by requests, or a ring in
 * its own memory: entries, and in the first one's spare bytes the tail.  The
 * ring is read by copies outside of the ring's lock; the head, which is only
 * ours, is moved under it if it is still where the entry was read.  Unmapping
 * the memory leaves the group without buffers.
 *
 * A buffer that was taken and got nothing goes back to where it came from.
 */
#include "uring_priv.h"

#include <abi/errno.h>
#include <base/string.h>
#include <mem/heap.h>
#include <vm/uaccess.h>

#define MAX_PROVIDED 65536u

struct uring_provided {	  /* one buffer of a list */
	struct list link; /* [ring lock] */
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
};

struct group {
	struct list link;    /* [ring lock] */
	struct list buffers; /* [ring lock] */
	unsigned n;	     /* [ring lock] of the list */
	uint64_t ring;	     /* [I] the program's address, or 0: a list */
	uint32_t entries;    /* [I] of the ring, a power of two */
	uint16_t head;	     /* [ring lock] of the ring */
	uint16_t id;
};

static struct group *
find_group(struct uring *u, uint16_t id)
{
	struct group *g;

	list_for_each_entry(g, &u->groups, link)
		if (g->id == id)
			return g;
	return NULL;
}

/* What the group is now; its n of a ring is unknown. */
static bool
look(struct uring *u, uint16_t id, struct group *out)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *g = find_group(u, id);

	if (g)
		*out = *g;
	spin_unlock_irq(&u->lock, f);
	return g != NULL;
}

/* The entry at the head of a ring, or -ENOBUFS. */
static int
peek(const struct group *g, struct io_uring_buf *b)
{
	const struct io_uring_buf __user *ring = (const void __user *)g->ring;
	uint32_t bid_tail; /* a word, so that it is read whole */

	if (user_load32((const uint32_t __user *)ring + 3, &bid_tail) ||
	    bid_tail >> 16 == g->head ||
	    copy_from_user(b, ring + (g->head & (g->entries - 1)), sizeof(*b)))
		return -ENOBUFS;
	return 0;
}

/* Moves the head, if nobody has since g was looked at. */
static bool
move_head(struct uring *u, const struct group *g, uint16_t from, uint16_t to)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *now = find_group(u, g->id);
	bool ok = now && now->ring == g->ring && now->head == from;

	if (ok)
		now->head = to;
	spin_unlock_irq(&u->lock, f);
	return ok;
}

static struct uring_provided *
pop(struct uring *u, uint16_t id)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *g = find_group(u, id);
	struct uring_provided *b = NULL;

	if (g && g->n) {
		b = list_first_entry(&g->buffers, struct uring_provided, link);
		list_del(&b->link);
		g->n--;
	}
	spin_unlock_irq(&u->lock, f);
	return b;
}

bool
uring_has_buffer(struct uring_req *r)
{
	struct io_uring_buf b;
	struct group g;

	if (r->has_buffer)
		return true;
	if (!look(r->ring, r->sqe.buf_index, &g))
		return false;
	return g.ring ? !peek(&g, &b) : g.n > 0;
}

int
uring_take_buffer(struct uring_req *r)
{
	uint32_t len = r->sqe.len;
	struct io_uring_buf b;
	struct group g;

	do {
		if (!look(r->ring, r->sqe.buf_index, &g))
			return -ENOBUFS;
		if (!g.ring) {
			r->provided = pop(r->ring, g.id);
			if (!r->provided)
				return -ENOBUFS;
			b.addr = r->provided->addr;
			b.len = r->provided->len;
			b.bid = r->provided->bid;
			break;
		}
		if (peek(&g, &b))
			return -ENOBUFS;
		r->buf_head = g.head;
	} while (!move_head(r->ring, &g, g.head, (uint16_t)(g.head + 1)));
	r->has_buffer = true;
	r->cflags = IORING_CQE_F_BUFFER | (uint32_t)b.bid
						  << IORING_CQE_BUFFER_SHIFT;
	if (!len || len > b.len)
		len = b.len;
	if (!user_range_ok((void __user *)b.addr, len))
		return -EFAULT;
	uio_init_user(&r->uio, (void __user *)b.addr, len);
	r->want = len;
	return 0;
}

void
uring_forget_buffer(struct uring_req *r)
{
	kfree(r->provided);
	r->provided = NULL;
	r->has_buffer = false;
}

/* In front; takes b over, if there is room. */
static bool
push(struct uring *u, uint16_t id, struct uring_provided *b)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *g = find_group(u, id);
	bool ok = g && !g->ring && g->n < MAX_PROVIDED;

	if (ok) {
		list_add(&g->buffers, &b->link);
		g->n++;
	}
	spin_unlock_irq(&u->lock, f);
	return ok;
}

bool
uring_give_back(struct uring_req *r)
{
	uint16_t id = r->sqe.buf_index;
	struct group g;
	bool ok;

	if (r->provided) {
		ok = push(r->ring, id, r->provided);
		if (ok)
			r->provided = NULL;
	} else {
		ok = look(r->ring, id, &g) && g.ring &&
		     move_head(r->ring, &g, (uint16_t)(r->buf_head + 1),
			       r->buf_head);
	}
	uring_forget_buffer(r);
	if (ok)
		r->cflags = 0;
	return ok;
}

/* ---- lists ---- */

static int
add_buffer(struct uring *u, uint16_t gid, struct uring_provided *b,
	   struct group **spare)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *g = find_group(u, gid);
	int err = 0;

	if (!g) {
		g = *spare;
		*spare = NULL;
		g->id = gid;
		list_add_tail(&u->groups, &g->link);
	}
	if (g->ring) {
		err = -EINVAL;
	} else if (g->n >= MAX_PROVIDED) {
		err = -EOVERFLOW;
	} else {
		list_add_tail(&g->buffers, &b->link);
		g->n++;
	}
	spin_unlock_irq(&u->lock, f);
	return err;
}

static struct group *
make_group(uint16_t id)
{
	struct group *g = kzalloc(sizeof(*g), ALLOC_KERNEL);

	if (g) {
		list_init(&g->link);
		list_init(&g->buffers);
		g->id = id;
	}
	return g;
}

/* len bytes each, fd of them, from addr on; numbered from off on. */
long
uring_provide_buffers(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	struct group *spare;
	int n = s->fd, k, err = 0;
	uint64_t bytes;

	if (s->op_flags || n <= 0 || n > (int)UINT16_MAX)
		return s->op_flags ? -EINVAL : -E2BIG;
	if (s->off > UINT16_MAX || s->off + (uint64_t)n > MAX_PROVIDED)
		return -EINVAL;
	bytes = (uint64_t)s->len * (uint64_t)n;
	if (!s->len)
		return -EINVAL;
	if (!user_range_ok((void __user *)s->addr, bytes))
		return -EFAULT;
	spare = make_group(s->buf_index);
	if (!spare)
		return -ENOMEM;
	for (k = 0; k < n && !err; k++) {
		struct uring_provided *b = kmalloc(sizeof(*b), ALLOC_KERNEL);

		if (!b) {
			err = -ENOMEM;
			break;
		}
		list_init(&b->link);
		b->addr = s->addr + (uint64_t)k * s->len;
		b->len = s->len;
		b->bid = (uint16_t)(s->off + (uint64_t)k);
		err = add_buffer(r->ring, s->buf_index, b, &spare);
		if (err)
			kfree(b);
	}
	kfree(spare);
	return err;
}

long
uring_remove_buffers(struct uring_req *r)
{
	const struct io_uring_sqe *s = &r->sqe;
	int n = s->fd, done = 0;
	struct group g;

	if (s->op_flags || s->addr || s->len || s->off || n <= 0 ||
	    n > (int)UINT16_MAX)
		return -EINVAL;
	if (!look(r->ring, s->buf_index, &g))
		return -ENOENT;
	if (g.ring)
		return -EINVAL;
	while (done < n) {
		struct uring_provided *b = pop(r->ring, s->buf_index);

		if (!b)
			break;
		kfree(b);
		done++;
	}
	return done;
}

/* ---- rings ---- */

/* g instead of what has its number, if that is an empty list. */
static int
enter_group(struct uring *u, struct group *g)
{
	irqflags_t f = spin_lock_irq(&u->lock);
	struct group *old = find_group(u, g->id);
	int err = old && (old->ring || old->n) ? -EEXIST : 0;

	if (!err) {
		if (old)
			list_del(&old->link);
		list_add_tail(&u->groups, &g->link);
	}
	spin_unlock_irq(&u->lock, f);
	kfree(err ? g : old);
	return err;
}

static int
get_reg(const void __user *arg, struct io_uring_buf_reg *reg)
{
	if (copy_from_user(reg, arg, sizeof(*reg)))
		return -EFAULT;
	/* A ring that the kernel allocates, and the like: later than this. */
	if (reg->pad || reg->resv[0] || reg->resv[1] || reg->resv[2])
		return -EINVAL;
	return 0;
}

long
uring_register_ring(struct uring *u, const void __user *arg)
{
	struct io_uring_buf_reg reg;
	struct group *g;
	int err = get_reg(arg, &reg);

	if (err)
		return err;
	if (!reg.ring_addr)
		return -EFAULT;
	if (reg.ring_addr & PAGE_MASK || !reg.ring_entries ||
	    reg.ring_entries & (reg.ring_entries - 1) ||
	    reg.ring_entries >= MAX_PROVIDED)
		return -EINVAL;
	err = user_prefault((void __user *)reg.ring_addr,
			    reg.ring_entries * sizeof(struct io_uring_buf),
			    true);
	if (err)
		return err;
	g = make_group(reg.bgid);
	if (!g)
		return -ENOMEM;
	g->ring = reg.ring_addr;
	g->entries = reg.ring_entries;
	return enter_group(u, g);
}

long
uring_unregister_ring(struct uring *u, const void __user *arg)
{
	struct io_uring_buf_reg reg;
	struct group *g;
	irqflags_t f;
	int err = get_reg(arg, &reg);

	if (err)
		return err;
	f = spin_lock_irq(&u->lock);
	g = find_group(u, reg.bgid);
	if (!g)
		err = -ENOENT;
	else if (!g->ring)
		err = -EINVAL;
	else
		list_del(&g->link);
	spin_unlock_irq(&u->lock, f);
	if (!err)
		kfree(g);
	return err;
}

void
uring_drop_groups(struct uring *u)
{
	while (!list_empty(&u->groups)) {
		struct group *g =
			list_first_entry(&u->groups, struct group, link);
		struct uring_provided *b;

		while ((b = pop(u, g->id)))
			kfree(b);
		list_del(&g->link);
		kfree(g);
	}
}
