/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest and the run block, parsed (abi/pith.h).
 *
 * Both are input from outside: every length is checked before it is used,
 * and what is wrong is logged.  A record of the run block replaces all of its
 * tag that the manifest has, but for PITH_REC_ENV, which replaces only the
 * variable that it names.
 */
#include <abi/errno.h>
#include <abi/socket.h>
#include <base/hash.h>
#include <base/limits.h>
#include <base/math.h>
#include <base/string.h>
#include <boot/runinfo.h>
#include <core/log.h>
#include <mem/heap.h>

#define LIST_RECORDS_MAX 65536u
#define MOUNTS_MAX	 256u
#define RLIMITS_MAX	 64u

#define KLIB_STRINGS_MAX 4096u /* name and arguments */

struct parse {
	struct run_info *out;
	uint64_t seen; /* tags of the block before: bit per tag */
	uint64_t mine; /* tags of this block */
	unsigned argcap, envcap;
};

static char *
dup_string(const uint8_t *v, uint32_t len)
{
	char *s = kmalloc((size_t)len + 1, ALLOC_KERNEL);

	if (s) {
		memcpy(s, v, len);
		s[len] = 0;
	}
	return s;
}

static uint32_t
u32_at(const uint8_t *v, uint32_t len, uint32_t at)
{
	uint32_t r = 0;

	if (at + 4 <= len)
		memcpy(&r, v + at, 4);
	return r;
}

/* Grows a NULL-terminated array by one string. */
static int
push(char ***list, unsigned *n, unsigned *cap, char *s)
{
	if (!s)
		return -ENOMEM;
	if (*n >= LIST_RECORDS_MAX)
		return -E2BIG;
	if (*n + 2 > *cap) {
		unsigned newcap = *cap ? *cap * 2 : 16;
		char **l = kcalloc(newcap, sizeof(*l), ALLOC_KERNEL);

		if (!l)
			return -ENOMEM;
		if (*n)
			memcpy(l, *list, *n * sizeof(*l));
		kfree(*list);
		*list = l;
		*cap = newcap;
	}
	(*list)[(*n)++] = s;
	(*list)[*n] = NULL;
	return 0;
}

static int
add_env(struct parse *p, char *s)
{
	struct run_info *o = p->out;
	const char *eq = s ? strchr(s, '=') : NULL;

	for (unsigned i = 0; eq && i < o->envc; i++) {
		if (!strncmp(o->envp[i], s, (size_t)(eq - s) + 1)) {
			kfree(o->envp[i]);
			o->envp[i] = s;
			return 0;
		}
	}
	return push(&o->envp, &o->envc, &p->envcap, s);
}

static int
add_mount(struct run_info *o, const uint8_t *v, uint32_t len)
{
	char *s = dup_string(v, len);
	const char *part[4];
	struct run_mount *m;
	uint32_t at = 0;

	if (!s)
		return -ENOMEM;
	if (o->nmounts >= MOUNTS_MAX)
		return -E2BIG;
	for (unsigned i = 0; i < 4; i++) {
		if (at > len)
			return -EINVAL;
		part[i] = s + at;
		at += (uint32_t)strlen(s + at) + 1;
	}
	m = kcalloc(o->nmounts + 1, sizeof(*m), ALLOC_KERNEL);
	if (!m)
		return -ENOMEM;
	if (o->nmounts)
		memcpy(m, o->mounts, o->nmounts * sizeof(*m));
	kfree(o->mounts);
	m[o->nmounts++] =
		(struct run_mount){ part[0], part[1], part[2], part[3] };
	o->mounts = m;
	return 0;
}

static int
add_klib(struct run_info *o, const uint8_t *v, uint32_t len)
{
	struct run_klib *k;
	size_t name_len;
	char *s;

	if (o->nklibs >= LIMIT_KLIBS || len > KLIB_STRINGS_MAX)
		return -E2BIG;
	s = dup_string(v, len);
	k = kcalloc(o->nklibs + 1, sizeof(*k), ALLOC_KERNEL);
	if (!s || !k) {
		kfree(s);
		kfree(k);
		return -ENOMEM;
	}
	if (o->nklibs)
		memcpy(k, o->klibs, o->nklibs * sizeof(*k));
	kfree(o->klibs);
	name_len = strlen(s);
	o->klibs = k;
	o->klibs[o->nklibs++] = (struct run_klib){
		.name = s,
		.args = name_len < len ? s + name_len + 1 : "",
	};
	return 0;
}

/* Belongs to the klib named last. */
static int
set_klib_file(struct run_info *o, const uint8_t *v, uint32_t len)
{
	struct run_klib *k = o->nklibs ? &o->klibs[o->nklibs - 1] : NULL;

	if (!k || k->file || !len || len > LIMIT_KLIB_BYTES)
		return -EINVAL;
	k->file = kmemdup(v, len, ALLOC_KERNEL);
	k->len = len;
	return k->file ? 0 : -ENOMEM;
}

static void
drop_klibs(struct run_info *o)
{
	for (unsigned i = 0; i < o->nklibs; i++) {
		kfree(o->klibs[i].name);
		kfree(o->klibs[i].file);
	}
	kfree(o->klibs);
	o->klibs = NULL;
	o->nklibs = 0;
}

static int
add_rlimit(struct run_info *o, const uint8_t *v, uint32_t len)
{
	struct run_rlimit *l;

	if (len != 24)
		return -EINVAL;
	if (o->nrlimits >= RLIMITS_MAX)
		return -E2BIG;
	l = kcalloc(o->nrlimits + 1, sizeof(*l), ALLOC_KERNEL);
	if (!l)
		return -ENOMEM;
	if (o->nrlimits)
		memcpy(l, o->rlimits, o->nrlimits * sizeof(*l));
	kfree(o->rlimits);
	l[o->nrlimits].resource = u32_at(v, len, 0);
	memcpy(&l[o->nrlimits].soft, v + 8, 8);
	memcpy(&l[o->nrlimits].hard, v + 16, 8);
	o->nrlimits++;
	o->rlimits = l;
	return 0;
}

static int
set_cred(struct run_info *o, const uint8_t *v, uint32_t len)
{
	if (len < 8 || len % 4 || len > 8 + 65536 * 4)
		return -EINVAL;
	o->uid = u32_at(v, len, 0);
	o->gid = u32_at(v, len, 4);
	o->ngroups = (len - 8) / 4;
	kfree(o->groups);
	o->groups = NULL;
	if (o->ngroups) {
		o->groups = kmemdup(v + 8, len - 8, ALLOC_KERNEL);
		if (!o->groups)
			return -ENOMEM;
	}
	return 0;
}

static uint16_t
net_family(uint8_t family)
{
	return family == 4 ? AF_INET : family == 6 ? AF_INET6 : 0;
}

static int
add_net(struct net_config *c, const uint8_t *v, uint32_t len)
{
	struct net_if_config *n;
	struct pith_net r;

	static_assert(ARRAY_SIZE(n->addr) >= PITH_NET_ADDRS, "room for all");
	if (len != sizeof(r))
		return -EINVAL;
	memcpy(&r, v, sizeof(r));
	if (c->nifs == ARRAY_SIZE(c->ifs))
		return -E2BIG;
	if (r.method > PITH_NET_NONE)
		return -EINVAL;
	n = &c->ifs[c->nifs++];
	memset(n, 0, sizeof(*n));
	n->has_mac = r.has_mac;
	memcpy(n->mac, r.mac, sizeof(n->mac));
	n->method = r.method == PITH_NET_DHCP	? NET_DHCP :
		    r.method == PITH_NET_STATIC ? NET_STATIC :
						  NET_NONE;
	n->no_autoconf6 = n->method == NET_NONE;
	n->mtu = r.mtu;
	for (unsigned i = 0; i < PITH_NET_ADDRS; i++) {
		const struct pith_net_addr *a = &r.addr[i];
		struct net_static *s = &n->addr[i];

		s->family = net_family(a->family);
		if (a->prefix > (a->family == 6 ? 128 : 32))
			return -EINVAL;
		s->prefix = a->prefix;
		s->has_gateway = a->has_gateway;
		memcpy(s->addr, a->addr, sizeof(s->addr));
		memcpy(s->gateway, a->gateway, sizeof(s->gateway));
	}
	return 0;
}

static int
add_dns(struct net_config *c, const uint8_t *v, uint32_t len)
{
	struct pith_dns r;
	unsigned i;

	if (len != sizeof(r))
		return -EINVAL;
	memcpy(&r, v, sizeof(r));
	for (i = 0; i < ARRAY_SIZE(c->dns); i++) {
		if (c->dns[i].family)
			continue;
		c->dns[i].family = net_family(r.family);
		memcpy(c->dns[i].addr, r.addr, sizeof(r.addr));
		return c->dns[i].family ? 0 : -EINVAL;
	}
	return -E2BIG;
}

/* A later block's first record of a repeated tag drops the earlier ones. */
static void
replace_lists(struct parse *p, unsigned tag)
{
	struct run_info *o = p->out;

	if (tag >= 64 || p->mine >> tag & 1 || !(p->seen >> tag & 1))
		return;
	switch (tag) {
	case PITH_REC_ARG:
		o->argc = 0;
		break;
	case PITH_REC_MOUNT:
		o->nmounts = 0;
		break;
	case PITH_REC_RLIMIT:
		o->nrlimits = 0;
		break;
	case PITH_REC_KLIB:
		drop_klibs(o);
		break;
	case PITH_REC_NET:
		o->net.nifs = 0;
		break;
	case PITH_REC_DNS:
		memset(o->net.dns, 0, sizeof(o->net.dns));
		break;
	}
}

static int
set_string(const char **to, const uint8_t *v, uint32_t len)
{
	*to = dup_string(v, len);
	return *to ? 0 : -ENOMEM;
}

static int
record(struct parse *p, unsigned tag, const uint8_t *v, uint32_t len)
{
	struct run_info *o = p->out;

	replace_lists(p, tag);
	switch (tag) {
	case PITH_REC_PROGRAM:
		return set_string(&o->program, v, len);
	case PITH_REC_ARG:
		return push(&o->argv, &o->argc, &p->argcap, dup_string(v, len));
	case PITH_REC_ENV:
		return add_env(p, dup_string(v, len));
	case PITH_REC_CWD:
		return set_string(&o->cwd, v, len);
	case PITH_REC_CRED:
		return set_cred(o, v, len);
	case PITH_REC_ROOT_MODE:
		o->root_mode = u32_at(v, len, 0);
		return o->root_mode <= PITH_ROOT_RW ? 0 : -EINVAL;
	case PITH_REC_HOSTNAME:
		return set_string(&o->hostname, v, len);
	case PITH_REC_FLAGS:
		o->flags |= u32_at(v, len, 0);
		return 0;
	case PITH_REC_STREAMS:
		if (len != sizeof(o->streams))
			return -EINVAL;
		memcpy(&o->streams, v, len);
		return 0;
	case PITH_REC_TERMIOS:
		if (len != sizeof(o->termios))
			return -EINVAL;
		memcpy(o->termios, v, len);
		o->has_termios = true;
		return 0;
	case PITH_REC_WINSIZE:
		if (len != sizeof(o->winsize))
			return -EINVAL;
		memcpy(o->winsize, v, len);
		o->has_winsize = true;
		return 0;
	case PITH_REC_PROFILE:
		o->profile_hz = u32_at(v, len, 0);
		return len == 4 && o->profile_hz <= PITH_PROFILE_HZ_MAX ?
			       0 :
			       -EINVAL;
	case PITH_REC_TRACE:
		o->trace = true;
		return set_string(&o->trace_filter, v, len);
	case PITH_REC_UMASK:
		o->umask = u32_at(v, len, 0) & 0777;
		return 0;
	case PITH_REC_RLIMIT:
		return add_rlimit(o, v, len);
	case PITH_REC_MOUNT:
		return add_mount(o, v, len);
	case PITH_REC_KLIB:
		return add_klib(o, v, len);
	case PITH_REC_KLIB_FILE:
		return set_klib_file(o, v, len);
	case PITH_REC_TIME:
		if (len != 12)
			return -EINVAL;
		memcpy(&o->time_sec, v, 8);
		o->time_nsec = u32_at(v, len, 8);
		return 0;
	case PITH_REC_SEED:
		o->seed = kmemdup(v, len ? len : 1, ALLOC_KERNEL);
		o->seed_len = len;
		return o->seed ? 0 : -ENOMEM;
	case PITH_REC_NET:
		return add_net(&o->net, v, len);
	case PITH_REC_DNS:
		return add_dns(&o->net, v, len);
	default:
		return -ENOENT;
	}
}

static int
parse_block(struct parse *p, const char *what, const void *block, size_t size)
{
	const struct pith_block_header *h = block;
	const uint8_t *at, *end;

	if (size < sizeof(*h) || h->magic != PITH_BLOCK_MAGIC ||
	    h->version != PITH_BLOCK_VERSION ||
	    h->len_bytes > size - sizeof(*h) || h->len_bytes > PITH_BLOCK_MAX) {
		log_err("%s: not a block of this version", what);
		return -EINVAL;
	}
	at = (const uint8_t *)(h + 1);
	end = at + h->len_bytes;
	if (~crc32c(~0u, at, h->len_bytes) != h->crc32c) {
		log_err("%s: wrong checksum", what);
		return -EINVAL;
	}
	p->mine = 0;
	while ((size_t)(end - at) >= sizeof(struct pith_record)) {
		struct pith_record r;
		unsigned tag;
		int err;

		memcpy(&r, at, sizeof(r));
		at += sizeof(r);
		if (r.len_bytes > (size_t)(end - at)) {
			log_err("%s: a record is cut", what);
			return -EINVAL;
		}
		tag = r.tag & ~PITH_REC_OPTIONAL;
		err = record(p, tag, at, r.len_bytes);
		if (err == -ENOENT && r.tag & PITH_REC_OPTIONAL)
			err = 0;
		if (err) {
			log_err("%s: record %u: error %d", what, tag, -err);
			return err == -ENOENT ? -EINVAL : err;
		}
		p->mine |= 1ull << (tag & 63);
		at += min_u64(align_up(r.len_bytes, 4), (uint64_t)(end - at));
	}
	p->seen |= p->mine;
	return 0;
}

int
run_info_parse(const void *manifest, size_t manifest_len, const void *run,
	       size_t run_len, struct run_info *out)
{
	struct parse p = { .out = out };
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->cwd = "/";
	out->umask = 022;
	out->hostname = "pith";
	for (unsigned i = 0; i < 3; i++)
		out->streams.kind[i] = PITH_STREAM_PIPE;
	if (manifest)
		err = parse_block(&p, "manifest", manifest, manifest_len);
	if (!err && run)
		err = parse_block(&p, "run block", run, run_len);
	if (err)
		return err;
	if (!out->program) {
		log_err("neither the image nor the run names a program");
		return -ENOEXEC;
	}
	if (!out->argc)
		err = push(&out->argv, &out->argc, &p.argcap,
			   dup_string((const uint8_t *)out->program,
				      (uint32_t)strlen(out->program)));
	if (!err && !out->envp) {
		out->envp = kcalloc(1, sizeof(*out->envp), ALLOC_KERNEL);
		if (!out->envp)
			err = -ENOMEM;
	}
	return err;
}
