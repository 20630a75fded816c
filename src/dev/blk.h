/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The block class.  A bio is one request for consecutive sectors over a list
 * of page pieces; it completes by its callback, in interrupt context or in
 * the submitter's.  Sectors are 512 bytes.  Bios and the driver's own memory
 * come from reserved pools, so that a machine without memory can write back.
 */
#pragma once

#include <base/compiler.h>
#include <base/list.h>
#include <base/types.h>

struct page;

#define BLK_SECTOR_SHIFT 9
#define BLK_SECTOR_SIZE	 512u

enum bio_op {
	BIO_READ,
	BIO_WRITE,
	BIO_FLUSH,
	BIO_DISCARD,  /* the contents are not wanted any more */
	BIO_ZEROES,   /* read as zeroes from now on */
	BIO_IDENTIFY, /* between the class and a driver: 20 bytes of name */
};

struct bio_vec {
	struct page *page;
	uint32_t offset; /* bytes in the page */
	uint32_t len;	 /* bytes; offset and len multiples of 512 */
};

struct bio {
	struct blk_device *dev;
	enum bio_op op;
	uint64_t sector;
	uint64_t nsectors; /* of BIO_DISCARD and BIO_ZEROES */
	uint32_t nvecs;	   /* used */
	uint32_t max_vecs; /* room in vecs */
	bool from_reserve; /* [I] the class's */
	int status;	   /* 0 or -errno, when done */
	void (*done)(struct bio *);
	void *arg;	    /* the submitter's */
	struct list link;   /* the driver's, from submit to done */
	struct bio *merged; /* the driver's: part of the same request */
	bool alone;	    /* the driver's: never merged */
	struct bio_vec vecs[];
};

#define BLK_SERIAL_BYTES 20u /* what BIO_IDENTIFY fills, NULs behind */

struct blk_ops {
	/* Queues the request; a full device queue holds it, in order.  Errors
	 * come through done().  Any context that may not sleep is fine. */
	void (*submit)(struct blk_device *dev, struct bio *bio);
	/* The same for several, which leaves the list empty.  NULL: submit()
	 * for each. */
	void (*submit_list)(struct blk_device *dev, struct list *bios);
	/* Looks for completed requests without an interrupt; panics and
	 * the idle loop. */
	void (*poll)(struct blk_device *dev);
	/* For an idle CPU, of its own requests; all or none of the three.
	 * due: are some under way?  *taken changes with each that ends.
	 * quiet: whether they cause interrupts.  look: takes what has ended;
	 * has anything? */
	bool (*due)(struct blk_device *dev, uint32_t *taken);
	void (*quiet)(struct blk_device *dev, bool on);
	bool (*look)(struct blk_device *dev);
};

struct blk_stats {		     /* [a] relaxed */
	uint64_t ios[3], sectors[3]; /* by BIO_READ, BIO_WRITE, the rest */
	uint64_t errors;
};

struct blk_device {
	char name[16];	 /* set by the class: "vda" */
	char serial[24]; /* asked for by blk_find_serial() */
	bool serial_known;
	uint64_t sectors;    /* [a] set by the driver; may grow */
	uint32_t block_size; /* logical, bytes */
	uint32_t max_vecs;   /* pieces in one request */
	uint32_t max_sectors;
	bool read_only;
	bool has_flush, has_discard, has_zeroes, has_identify;
	uint32_t max_discard, max_zeroes; /* sectors in one request */
	const struct blk_ops *ops;
	void *priv;
	struct blk_device *parent; /* a partition's whole disk, else NULL */
	uint64_t start;		   /* a partition's first sector */
	uint8_t part_type[16];	   /* GPT type GUID as on disk */
	uint8_t part_uuid[16];
	struct blk_stats stats;
	struct list link;
};

/* Registers a disk and reads its partition table in a work item or, before
 * the scheduler runs, at once.  Returns 0 or -errno. */
MUST_CHECK int blk_register(struct blk_device *dev);
/* By index in order of registration, disks and partitions; NULL at the end. */
struct blk_device *blk_get(unsigned i);
/* First partition with this GPT type (text form), or NULL. */
struct blk_device *blk_find_type(const char *guid);
struct blk_device *blk_find(const char *name);
/* The whole disk with this serial; asks the disks for theirs.  Sleeps. */
struct blk_device *blk_find_serial(const char *serial);
/* A driver's disk has another size now: any context. */
void blk_resized(struct blk_device *dev, uint64_t sectors);

/* NULL only when alloc has no ALLOC_SLEEP.  From the reserve a bio may have
 * less room than asked for: bio_add() says when it is full. */
MUST_CHECK struct bio *bio_alloc(unsigned nvecs, unsigned alloc);
void bio_free(struct bio *b);
MUST_CHECK int bio_add(struct bio *b, struct page *p, uint32_t offset,
		       uint32_t len); /* -ENOSPC: full */
/* Checks the range against the device, maps partitions (dev and sector are
 * then the whole disk's), splits what is too large, submits. */
void bio_submit(struct bio *b);
/* Between the two the thread's requests are gathered, so that the device
 * hears of them at once, those that follow each other as one.  They go when
 * there are many, when the thread sleeps, and at the end.  Of two that are
 * nested the outer one counts. */
struct blk_plug { /* [o] */
	struct list bios;
	unsigned n;
};
void blk_plug(struct blk_plug *p);
void blk_unplug(struct blk_plug *p);
/* Submits and sleeps until done; returns the status. */
MUST_CHECK int bio_submit_wait(struct bio *b);

/* Discards (zeroes: zeroes) sectors in pieces of the device's size and waits;
 * -EOPNOTSUPP. */
MUST_CHECK int blk_discard(struct blk_device *dev, uint64_t sector,
			   uint64_t nsectors, bool zeroes);

/* The disks' part of core/idle.h. */
struct idle_due;
void blk_idle_begin(struct idle_due *due);
bool blk_idle_look(struct idle_due *due);
bool blk_idle_end(struct idle_due *due);

/* Small synchronous read of bytes into a buffer, for tables and probes. */
MUST_CHECK int blk_read(struct blk_device *dev, uint64_t offset, void *buf,
			size_t len);
