/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Split virtqueues (virtio 1.2, 2.7).
 *
 * The state that matters (which descriptor heads a request, how many
 * descriptors it has, what may be written) is kept in our own memory: the
 * descriptor table is only ever written.  From the used ring come an index,
 * an id and a length, and each is checked before use.
 *
 * Free descriptors are linked through tokens[].next, not through the table,
 * for the same reason; a chain is a piece of the free list that was taken as
 * it was, so the same links give it back.
 */
#include <drivers/virtio/virtio.h>

#include <abi/errno.h>
#include <arch/io.h>
#include <base/math.h>
#include <base/string.h>
#include <mem/heap.h>
#include <mem/page.h>

#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u

#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY	   1u

/* Offsets in 16-bit units. */
#define RING_FLAGS 0
#define RING_IDX   1
#define RING_FIRST 2

static volatile uint16_t *
used_event(const struct virtq *q)
{
	return &q->avail[RING_FIRST + q->num];
}

static uint16_t
avail_event(const struct virtq *q)
{
	return q->used[RING_FIRST + 4u * q->num];
}

static bool
has_event_idx(const struct virtq *q)
{
	return q->v->features & VIRTIO_F_EVENT_IDX;
}

/* virtio 1.2, 2.7.10.1: did idx pass event since old? */
static bool
need_event(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* ---- memory ---- */

/* Zeroed memory for rings: small ones share a page. */
static void *
ring_alloc(struct virtio_device *v, size_t len)
{
	struct page *p;
	unsigned order = 0;
	void *mem;

	len = align_up(len, 64);
	if (v->ring_page && v->ring_used + len <= PAGE_SIZE) {
		mem = (char *)v->ring_page + v->ring_used;
		v->ring_used += len;
		return mem;
	}
	while (PAGE_SIZE << order < len)
		order++;
	p = page_alloc(order, ALLOC_KERNEL | ALLOC_ZERO);
	if (!p)
		return NULL;
	if (!order) {
		v->ring_page = page_addr(p);
		v->ring_used = len;
	}
	return page_addr(p);
}

static int
alloc_rings(struct virtq *q)
{
	size_t avail_at = sizeof(struct virtq_desc) * q->num;
	size_t used_at = align_up(avail_at + 6 + 2ul * q->num, 4);
	char *mem = ring_alloc(q->v, used_at + 6 + 8ul * q->num);

	if (!mem)
		return -ENOMEM;
	q->desc = (void *)mem;
	q->avail = (void *)(mem + avail_at);
	q->used = (void *)(mem + used_at);
	q->tokens = kcalloc(q->num, sizeof(q->tokens[0]), ALLOC_KERNEL);
	return q->tokens ? 0 : -ENOMEM;
}

int
virtq_setup(struct virtio_device *v, unsigned index, unsigned max_num,
	    void (*done)(struct virtq *q), struct virtq **out)
{
	uint16_t max, i;
	struct virtq *q;
	int err;

	if (index >= VIRTIO_MAX_QUEUES)
		return -ENOENT;
	max = v->ops->queue_max(v, index);
	if (!max)
		return -ENOENT;
	q = kzalloc(sizeof(*q), ALLOC_KERNEL);
	if (!q)
		return -ENOMEM;
	q->v = v;
	q->index = index;
	q->vector = -1;
	q->done = done;
	spin_init(&q->lock, RANK_DEVICE);
	q->num = (uint16_t)min_u64(min_u64(max, max_num), VIRTQ_MAX);
	/* A device may report any number; the ring needs a power of two. */
	q->num = (uint16_t)(1u << log2_u64(q->num));
	err = alloc_rings(q);
	if (err)
		goto failed;
	q->nfree = q->num;
	for (i = 0; i < q->num; i++)
		q->tokens[i].next = (uint16_t)(i + 1);
	virtq_irq_disable(q);
	if (done)
		virtq_irq_enable(q);
	err = v->ops->queue_enable(v, q);
	if (err)
		goto failed;
	v->queues[index] = q;
	if (v->nqueues <= index)
		v->nqueues = index + 1;
	*out = q;
	return 0;
failed:
	kfree(q->tokens);
	kfree(q); /* rings belong to the device's page */
	return err;
}

/* ---- adding ---- */

static uint16_t
desc_take(struct virtq *q)
{
	uint16_t d = q->free_head;

	q->free_head = q->tokens[d].next;
	q->nfree--;
	return d;
}

static void
add_direct(struct virtq *q, const struct virtq_sg *sg, unsigned nout,
	   unsigned n, uint16_t *head)
{
	struct virtq_desc *prev = NULL;
	unsigned i;

	for (i = 0; i < n; i++) {
		uint16_t d = desc_take(q);

		q->desc[d] = (struct virtq_desc){
			.addr = sg[i].addr,
			.len = sg[i].len,
			.flags = i < nout ? 0 : DESC_WRITE,
		};
		if (prev) {
			prev->next = d;
			prev->flags |= DESC_NEXT;
		} else {
			*head = d;
		}
		prev = &q->desc[d];
	}
}

static void
add_indirect(struct virtq *q, const struct virtq_sg *sg, unsigned nout,
	     unsigned n, struct virtq_desc *table, uint16_t *head)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		unsigned flags = i < nout ? 0 : DESC_WRITE;

		if (i + 1 < n)
			flags |= DESC_NEXT;
		table[i] = (struct virtq_desc){
			.addr = sg[i].addr,
			.len = sg[i].len,
			.flags = (uint16_t)flags,
			.next = (uint16_t)(i + 1),
		};
	}
	*head = desc_take(q);
	q->desc[*head] = (struct virtq_desc){
		.addr = virt_to_phys(table),
		.len = n * (uint32_t)sizeof(table[0]),
		.flags = DESC_INDIRECT,
	};
}

int
virtq_add(struct virtq *q, const struct virtq_sg *sg, unsigned nout,
	  unsigned nin, void *token, struct virtq_desc *table)
{
	unsigned n = nout + nin, need, i;
	struct virtq_token *t;
	uint16_t head = 0;

	if (!(q->v->features & VIRTIO_F_INDIRECT_DESC) || n == 1)
		table = NULL;
	need = table ? 1 : n;
	if (unlikely(q->v->broken))
		return -EIO;
	if (need > q->nfree)
		return -ENOSPC;
	if (table)
		add_indirect(q, sg, nout, n, table, &head);
	else
		add_direct(q, sg, nout, n, &head);
	t = &q->tokens[head];
	t->token = token;
	t->ndesc = (uint16_t)need;
	t->writable = 0;
	for (i = nout; i < n; i++)
		t->writable += sg[i].len;
	q->in_flight++;
	q->avail[RING_FIRST + (q->avail_idx & (q->num - 1))] = head;
	q->avail_idx++;
	io_wmb();
	q->avail[RING_IDX] = q->avail_idx;
	return 0;
}

void
virtq_kick(struct virtq *q)
{
	uint16_t old = q->kicked_idx;
	bool want;

	if (old == q->avail_idx || unlikely(q->v->broken))
		return;
	io_mb();
	if (has_event_idx(q))
		want = need_event(avail_event(q), q->avail_idx, old);
	else
		want = !(q->used[RING_FLAGS] & USED_NO_NOTIFY);
	q->kicked_idx = q->avail_idx;
	if (!want)
		return;
	q->v->ops->notify(q);
	q->rekicked_idx = q->avail_idx; /* the device will look */
}

/* A notification that virtq_kick() left out may have been needed after all,
 * if its view of the device's wish was stale.  Once for each state of the
 * ring: a device that leaves buffers lie (input) always looks that way. */
void
virtq_rekick(struct virtq *q)
{
	if (q->rekicked_idx == q->avail_idx || !q->in_flight)
		return;
	q->rekicked_idx = q->avail_idx;
	if (has_event_idx(q) ? (uint16_t)(q->avail_idx - avail_event(q) - 1) <
				       q->in_flight :
			       !(q->used[RING_FLAGS] & USED_NO_NOTIFY))
		q->v->ops->notify(q);
}

/* ---- taking ---- */

bool
virtq_pending(const struct virtq *q)
{
	return q->used[RING_IDX] != q->last_used;
}

static void *
release(struct virtq *q, uint16_t head)
{
	struct virtq_token *t = &q->tokens[head];
	void *token = t->token;
	uint16_t last = head, i;

	for (i = 1; i < t->ndesc; i++)
		last = q->tokens[last].next;
	t->token = NULL;
	q->nfree = (uint16_t)(q->nfree + t->ndesc);
	q->in_flight--;
	q->tokens[last].next = q->free_head;
	q->free_head = head;
	return token;
}

void *
virtq_get(struct virtq *q, uint32_t *len)
{
	volatile uint32_t *e;
	uint32_t id, n;
	uint16_t idx = q->used[RING_IDX];

	if (idx == q->last_used || unlikely(q->v->broken))
		return NULL;
	if (unlikely((uint16_t)(idx - q->last_used) > q->in_flight)) {
		virtio_fail(q->v, "used index out of range");
		return NULL;
	}
	io_rmb();
	e = (volatile uint32_t *)(volatile void *)&q
		    ->used[RING_FIRST + 4u * (q->last_used & (q->num - 1))];
	id = e[0];
	n = e[1];
	if (unlikely(id >= q->num || !q->tokens[id].token)) {
		virtio_fail(q->v, "used id is no request");
		return NULL;
	}
	if (unlikely(n > q->tokens[id].writable)) {
		virtio_fail(q->v, "used length exceeds the buffer");
		return NULL;
	}
	q->last_used++;
	if (q->irq_on && has_event_idx(q))
		*used_event(q) = q->last_used;
	if (len)
		*len = n;
	return release(q, (uint16_t)id);
}

bool
virtq_irq_enable(struct virtq *q)
{
	q->irq_on = true;
	if (has_event_idx(q))
		*used_event(q) = q->last_used;
	else
		q->avail[RING_FLAGS] = 0;
	io_mb();
	return virtq_pending(q);
}

void
virtq_irq_after(struct virtq *q, uint16_t n)
{
	q->irq_on = false; /* virtq_get() leaves the event where it is */
	if (has_event_idx(q))
		*used_event(q) = (uint16_t)(q->last_used + n - 1);
	else
		q->avail[RING_FLAGS] = 0;
}

void
virtq_irq_disable(struct virtq *q)
{
	q->irq_on = false;
	if (has_event_idx(q))
		*used_event(q) = (uint16_t)(q->last_used - 1);
	else
		q->avail[RING_FLAGS] = AVAIL_NO_INTERRUPT;
}

void *
virtq_take_back(struct virtq *q)
{
	uint16_t i;

	for (i = 0; i < q->num && q->in_flight; i++)
		if (q->tokens[i].token)
			return release(q, i);
	return NULL;
}
