/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of frames that a capturing program maps (PACKET_RX_RING), in the
 * form of TPACKET_V2.
 *
 * Blocks of pages hold whole frames; a frame begins with a header whose first
 * word says whose it is.  The program may write anything anywhere in it at
 * any time: nothing but that word is ever read back, and only compared.
 *
 * The ring is a memory object: pages live until the last mapping and the
 * socket are gone.
 */
#include "packet_priv.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/math.h>
#include <base/string.h>
#include <file/file.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <vm/object.h>
#include <vm/space.h>

#define RING_PAGES_MAX 16384u /* 64 MiB */
#define NET_ALIGN      16u    /* the network header is aligned to this */
#define MAC_ROOM       16u    /* at least, before the network header */

struct packet_ring {
	struct vm_object object; /* first */
	struct page **pages;	 /* [I] npages */
	uint32_t npages, frame_size, nframes, per_block, block_size; /* [I] */
	uint32_t reserve;					     /* [I] */
	uint32_t head; /* [socket's lock] next to be filled */
};

static struct packet_ring *
ring_of(struct vm_object *o)
{
	return container_of(o, struct packet_ring, object);
}

/* ---- as a memory object ---- */

static struct page *
ring_peek(struct vm_object *o, uint64_t index)
{
	struct packet_ring *r = ring_of(o);

	if (index >= r->npages)
		return NULL;
	page_get(r->pages[index]);
	return r->pages[index];
}

static int
ring_fault(struct vm_object *o, uint64_t index, bool write, struct page **out)
{
	(void)write;
	*out = ring_peek(o, index);
	return *out ? 0 : -ENXIO;
}

static int
ring_writable(struct vm_object *o, uint64_t index, struct page *p)
{
	(void)o, (void)index, (void)p;
	return 0;
}

static void
ring_dirty(struct vm_object *o, struct page *p)
{
	(void)o, (void)p; /* the pages are the only copy */
}

static int
ring_writeback(struct vm_object *o, struct file *f, uint64_t first,
	       uint64_t end)
{
	(void)o, (void)f, (void)first, (void)end;
	return 0;
}

static void
ring_release(struct vm_object *o)
{
	struct packet_ring *r = ring_of(o);

	for (uint32_t i = 0; i < r->npages && r->pages[i]; i++)
		page_put(r->pages[i]);
	kfree(r->pages);
	kfree(r);
}

static const struct vm_object_ops ring_ops = {
	.fault = ring_fault,
	.peek = ring_peek,
	.make_writable = ring_writable,
	.set_dirty = ring_dirty,
	.writeback = ring_writeback,
	.release = ring_release,
};

/* ---- making one ---- */

static uint32_t
align(uint32_t n, uint32_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static int
check(const struct tpacket_req *q, uint32_t reserve)
{
	uint64_t pages = (uint64_t)q->block_size / PAGE_SIZE * q->block_nr;
	/* What ring_put() writes of a frame that has no room for data. */
	uint32_t least = align(sizeof(struct tpacket2_hdr), TPACKET_ALIGNMENT) +
			 (uint32_t)sizeof(struct sockaddr_ll) + reserve;

	if (!q->block_nr || !q->block_size || q->block_size & PAGE_MASK)
		return -EINVAL;
	if (q->frame_size < least || q->frame_size & (TPACKET_ALIGNMENT - 1) ||
	    q->frame_size > q->block_size)
		return -EINVAL;
	if ((uint64_t)(q->block_size / q->frame_size) * q->block_nr !=
	    q->frame_nr)
		return -EINVAL;
	return pages > RING_PAGES_MAX ? -ENOMEM : 0;
}

int
ring_create(const struct tpacket_req *q, uint32_t reserve,
	    struct packet_ring **out)
{
	struct packet_ring *r;
	int err = check(q, reserve);

	if (err)
		return err;
	r = kzalloc(sizeof(*r), ALLOC_KERNEL);
	if (!r)
		return -ENOMEM;
	vm_object_init(&r->object, &ring_ops);
	r->npages = q->block_size / PAGE_SIZE * q->block_nr;
	r->block_size = q->block_size;
	r->frame_size = q->frame_size;
	r->nframes = q->frame_nr;
	r->per_block = q->block_size / q->frame_size;
	r->reserve = reserve;
	r->pages = kcalloc(r->npages, sizeof(*r->pages), ALLOC_KERNEL);
	if (!r->pages) {
		kfree(r);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < r->npages; i++) {
		r->pages[i] = page_alloc(0, ALLOC_USER);
		if (!r->pages[i]) {
			vm_object_put(&r->object);
			return -ENOMEM;
		}
	}
	*out = r;
	return 0;
}

void
ring_drop(struct packet_ring *r)
{
	if (r)
		vm_object_put(&r->object);
}

int
ring_mmap(struct packet_ring *r, struct file_mmap *m)
{
	if (m->offset || m->len != (size_t)r->npages << PAGE_SHIFT ||
	    !(m->vma_flags & VMA_SHARED))
		return -EINVAL;
	vm_object_get(&r->object);
	m->object = &r->object;
	return 0;
}

/* ---- frames ---- */

/* Where byte off of a frame lies. */
static uint8_t *
at(const struct packet_ring *r, uint32_t frame, uint32_t off)
{
	uint64_t byte = (uint64_t)(frame / r->per_block) * r->block_size +
			(uint64_t)(frame % r->per_block) * r->frame_size + off;

	return (uint8_t *)page_addr(r->pages[byte >> PAGE_SHIFT]) +
	       (byte & PAGE_MASK);
}

static uint32_t
page_left(const uint8_t *p)
{
	return (uint32_t)(PAGE_SIZE - ((uint64_t)p & PAGE_MASK));
}

static void
put_bytes(struct packet_ring *r, uint32_t frame, uint32_t off, const void *from,
	  uint32_t n)
{
	while (n) {
		uint8_t *to = at(r, frame, off);
		uint32_t now = (uint32_t)min_u64(n, page_left(to));

		memcpy(to, from, now);
		from = (const uint8_t *)from + now;
		off += now;
		n -= now;
	}
}

static void
put_data(struct packet_ring *r, uint32_t frame, uint32_t off,
	 const struct packet_view *v, uint32_t n)
{
	uint32_t from = v->from;

	while (n) {
		uint8_t *to = at(r, frame, off);
		uint32_t now = (uint32_t)min_u64(n, page_left(to));

		if (net_frame_copy(v->frame, from, to, now) != now)
			return; /* the rest keeps what was there */
		off += now;
		from += now;
		n -= now;
	}
}

bool
ring_put(struct packet_ring *r, const struct packet_view *v,
	 const struct sockaddr_ll *from, bool losing)
{
	uint32_t *status = (uint32_t *)(void *)at(r, r->head, 0);
	uint32_t link = v->from ? 0 : v->frame->link_len;
	uint32_t meta = align(sizeof(struct tpacket2_hdr), TPACKET_ALIGNMENT);
	uint32_t net = align(meta + (uint32_t)sizeof(*from) +
				     (uint32_t)max_u64(link, MAC_ROOM),
			     NET_ALIGN) +
		       r->reserve;
	uint32_t mac = net - link, room;
	struct tpacket2_hdr h = { 0 };

	if (atomic_load_acquire(status) & TP_STATUS_USER)
		return false;
	room = r->frame_size > mac ? r->frame_size - mac : 0;
	h.len = v->len;
	h.snaplen = (uint32_t)min_u64(v->keep, room);
	h.mac = (uint16_t)mac;
	h.net = (uint16_t)net;
	h.sec = (uint32_t)(v->frame->time_ns / 1000000000u);
	h.nsec = (uint32_t)(v->frame->time_ns % 1000000000u);
	put_data(r, r->head, mac, v, h.snaplen);
	put_bytes(r, r->head, sizeof(uint32_t),
		  (uint8_t *)&h + sizeof(uint32_t),
		  sizeof(h) - sizeof(uint32_t));
	put_bytes(r, r->head, meta, from, sizeof(*from));
	atomic_store_release(
		status,
		TP_STATUS_USER | (losing ? TP_STATUS_LOSING : 0) |
			(v->frame->csum_partial ? TP_STATUS_CSUMNOTREADY : 0));
	r->head = (r->head + 1) % r->nframes;
	return true;
}

/* The frame that was filled last is still the program's to read. */
bool
ring_readable(const struct packet_ring *r)
{
	uint32_t last = r->head ? r->head - 1 : r->nframes - 1;
	uint32_t *status = (uint32_t *)(void *)at(r, last, 0);

	return atomic_load_acquire(status) & TP_STATUS_USER;
}
