/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The random generator.
 *
 * A pool of 256 bits is mixed with BLAKE2s: pool = H(pool, input).  From it a
 * base key is drawn at each reseed; each CPU derives its own key from that
 * and makes bytes with ChaCha20 by fast key erasure: the first 32 bytes of a
 * block become the next key before the rest is handed out, so that what was
 * made can't be made again from a stolen state.
 *
 * Bytes may be drawn from any context: the per-CPU state is used with
 * interrupts off, the pool is under pool_lock.  A new generation number
 * makes every CPU fetch a new key.  It is counted up by each reseed, so a
 * cloned machine diverges as soon as anything new was mixed in.
 *
 * Seeded means SEED_BITS of credited input.  Timing (a cycle counter at every
 * call that mixes) is always put in and never credited.
 */
#include <dev/random.h>

#include <abi/errno.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/spinlock.h>
#include <sched/thread.h>
#include <sched/wait.h>

#define SEED_BITS   256u
#define KEY_BYTES   32u
#define BLOCK_BYTES 64u
#define RESEED_NS   (60 * NSEC_PER_SEC)

struct cpu_state {
	uint32_t key[8];
	uint32_t generation; /* 0: none yet */
};

static struct spinlock pool_lock = SPINLOCK_INIT(RANK_LOG);
static uint8_t pool[KEY_BYTES]; /* [pool_lock] */
static uint32_t bits;		/* [pool_lock, a read] credited */
static uint32_t generation;	/* [a] */
static uint64_t drawn;		/* [pool_lock] keys drawn from the pool */
static uint64_t reseed_at_ns;	/* [a] */
static struct cpu_state states[ARCH_MAX_CPUS]; /* [own CPU, irqs off] */
static struct waitq seed_wq = WAITQ_INIT(seed_wq);

/* ---- ChaCha20 block (RFC 8439, 2.3) ---- */

static inline uint32_t
rotl(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static inline void
quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl(x[b] ^ x[c], 7);
}

static void
chacha_block(const uint32_t key[8], uint64_t counter, uint32_t out[16])
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	uint32_t x[16]; /* not out: the compiler keeps it in registers */
	unsigned i;

	memcpy(in + 4, key, KEY_BYTES);
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	for (i = 0; i < 16; i++)
		x[i] = in[i];
	for (i = 0; i < 10; i++) {
		quarter(x, 0, 4, 8, 12);
		quarter(x, 1, 5, 9, 13);
		quarter(x, 2, 6, 10, 14);
		quarter(x, 3, 7, 11, 15);
		quarter(x, 0, 5, 10, 15);
		quarter(x, 1, 6, 11, 12);
		quarter(x, 2, 7, 8, 13);
		quarter(x, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

/* ---- BLAKE2s, 32 bytes, no key (RFC 7693) ---- */

struct blake {
	uint32_t h[8];
	uint64_t total;
	uint32_t used;
	uint8_t buf[64];
};

static const uint32_t blake_iv[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint8_t blake_sigma[10][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
};

static void
blake_g(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x,
	uint32_t y)
{
	v[a] += v[b] + x;
	v[d] = rotl(v[d] ^ v[a], 16);
	v[c] += v[d];
	v[b] = rotl(v[b] ^ v[c], 20);
	v[a] += v[b] + y;
	v[d] = rotl(v[d] ^ v[a], 24);
	v[c] += v[d];
	v[b] = rotl(v[b] ^ v[c], 25);
}

static void
blake_compress(struct blake *b, bool last)
{
	/* Index pairs of the eight mixings of a round. */
	static const uint8_t at[8][4] = {
		{ 0, 4, 8, 12 },  { 1, 5, 9, 13 },  { 2, 6, 10, 14 },
		{ 3, 7, 11, 15 }, { 0, 5, 10, 15 }, { 1, 6, 11, 12 },
		{ 2, 7, 8, 13 },  { 3, 4, 9, 14 },
	};
	uint32_t v[16], m[16];
	unsigned r, i;

	memcpy(m, b->buf, sizeof(m));
	memcpy(v, b->h, sizeof(b->h));
	memcpy(v + 8, blake_iv, sizeof(blake_iv));
	v[12] ^= (uint32_t)b->total;
	v[13] ^= (uint32_t)(b->total >> 32);
	if (last)
		v[14] = ~v[14];
	for (r = 0; r < 10; r++)
		for (i = 0; i < 8; i++)
			blake_g(v, at[i][0], at[i][1], at[i][2], at[i][3],
				m[blake_sigma[r][2 * i]],
				m[blake_sigma[r][2 * i + 1]]);
	for (i = 0; i < 8; i++)
		b->h[i] ^= v[i] ^ v[i + 8];
}

static void
blake_init(struct blake *b)
{
	memset(b, 0, sizeof(*b));
	memcpy(b->h, blake_iv, sizeof(b->h));
	b->h[0] ^= 0x01010000u | KEY_BYTES;
}

static void
blake_add(struct blake *b, const void *p, size_t len)
{
	const uint8_t *s = p;

	while (len) {
		size_t n;

		if (b->used == sizeof(b->buf)) {
			b->total += sizeof(b->buf);
			blake_compress(b, false);
			b->used = 0;
		}
		n = min_size(len, sizeof(b->buf) - b->used);
		memcpy(b->buf + b->used, s, n);
		b->used += (uint32_t)n;
		s += n;
		len -= n;
	}
}

static void
blake_end(struct blake *b, void *out)
{
	b->total += b->used;
	memset(b->buf + b->used, 0, sizeof(b->buf) - b->used);
	blake_compress(b, true);
	memcpy(out, b->h, KEY_BYTES);
}

/* ---- the pool ---- */

/* Overwrites what must not be left on a stack. */
static void
wipe(void *p, size_t len)
{
	memset(p, 0, len);
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void
mix_locked(const void *buf, size_t len)
{
	uint64_t now = cpu_cycles();
	struct blake b;

	blake_init(&b);
	blake_add(&b, pool, sizeof(pool));
	blake_add(&b, &now, sizeof(now));
	blake_add(&b, buf, len);
	blake_end(&b, pool);
	wipe(&b, sizeof(b));
}

void
random_add(const void *buf, size_t len, unsigned credit)
{
	irqflags_t f = spin_lock_irq(&pool_lock);
	bool was = bits >= SEED_BITS, is;

	mix_locked(buf, len);
	credit = (unsigned)min_u64(credit, len * 8);
	atomic_store_relaxed(&bits,
			     (uint32_t)min_u64(bits + credit, SEED_BITS));
	is = bits >= SEED_BITS;
	spin_unlock_irq(&pool_lock, f);
	/* Keys of before are as good as before; fetch better ones. */
	atomic_add(&generation, 1);
	if (is && !was)
		wait_wake_all(&seed_wq, 0);
}

bool
random_ready(void)
{
	return atomic_load_relaxed(&bits) >= SEED_BITS;
}

/* Waits for a source, and makes the best of the wait: each pass mixes the
 * time in.  Jitter is credited one bit a wake of a millisecond's sleep. */
int
random_wait(bool intr)
{
	struct wait_entry e;
	uint64_t t;
	int err = 0;

	if (likely(random_ready()))
		return 0;
	wait_start(&seed_wq, &e, intr);
	while (!random_ready()) {
		err = wait_sleep(&e, clock_mono_ns() + 1000000);
		if (err == -EINTR)
			break;
		t = cpu_cycles();
		random_add(&t, sizeof(t), 1);
		err = 0;
	}
	wait_end(&seed_wq, &e);
	return err;
}

/* ---- drawing ---- */

static void
fetch_key(struct cpu_state *s, uint32_t now_generation)
{
	static const char label[] = "key";
	struct blake b;

	spin_lock(&pool_lock);
	drawn++;
	blake_init(&b);
	blake_add(&b, pool, sizeof(pool));
	blake_add(&b, label, sizeof(label));
	blake_add(&b, &drawn, sizeof(drawn));
	blake_end(&b, s->key);
	/* And forward, so that this key can't be had from the pool again. */
	mix_locked(label, sizeof(label));
	spin_unlock(&pool_lock);
	wipe(&b, sizeof(b));
	s->generation = now_generation;
}

/* With interrupts off: one block, of which 32 bytes are for the caller. */
static void
draw(void *out, size_t len)
{
	struct cpu_state *s = &states[this_cpu()->id];
	uint32_t g = atomic_load_acquire(&generation);
	uint32_t block[16];

	if (unlikely(s->generation != g))
		fetch_key(s, g);
	chacha_block(s->key, 0, block);
	memcpy(s->key, block, KEY_BYTES);
	memcpy(out, block + 8, len);
	wipe(block, sizeof(block));
}

/* Long requests: a key of their own, whole blocks, interrupts on. */
static void
draw_long(uint8_t *out, size_t len)
{
	uint32_t key[8], block[16];
	uint64_t counter = 0;
	irqflags_t f = irq_save();

	draw(key, sizeof(key));
	irq_restore(f);
	while (len) {
		size_t n = min_size(len, sizeof(block));

		chacha_block(key, counter++, block);
		memcpy(out, block, n);
		out += n;
		len -= n;
	}
	wipe(key, sizeof(key));
	wipe(block, sizeof(block));
}

/* Mixes the hardware's generator in once in a while. */
static void
reseed(void)
{
	uint64_t now = clock_mono_ns(), at = atomic_load_relaxed(&reseed_at_ns);
	uint8_t seed[KEY_BYTES];
	size_t n;

	if (likely(now < at) ||
	    !atomic_cas(&reseed_at_ns, &at, now + RESEED_NS))
		return;
	n = cpu_hw_random(seed, sizeof(seed));
	random_add(seed, n, 0);
	wipe(seed, sizeof(seed));
}

void
random_bytes(void *buf, size_t len)
{
	irqflags_t f;

	reseed();
	if (len > KEY_BYTES) {
		draw_long(buf, len);
		return;
	}
	f = irq_save();
	draw(buf, len);
	irq_restore(f);
}

uint64_t
random_u64(void)
{
	uint64_t x;

	random_bytes(&x, sizeof(x));
	return x;
}

void
random_init(void)
{
	uint8_t seed[KEY_BYTES];
	size_t n = cpu_hw_random(seed, sizeof(seed));

	random_add(seed, n, (unsigned)n * 8);
	wipe(seed, sizeof(seed));
	atomic_store_relaxed(&reseed_at_ns, clock_mono_ns() + RESEED_NS);
}
