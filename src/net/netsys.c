/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/sys/net, where what has an effect can be written, and the rest says
 * what the stack is set to; and /sys/class/net, a directory for each interface.
 */
#include "proc_priv.h"

#include <abi/errno.h>
#include <abi/netif.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/log.h>
#include <net/netif.h>
#include <net/settings.h>
#include <net/socket.h>
#include <sched/mutex.h>

#define FILE_MODE 0100444u
#define DIR_MODE  0040555u

/* ---- /proc/sys/net ---- */

#define SYSCTL(name, text)                                              \
	{                                                               \
		.path = "sys/net/" name, .mode = FILE_MODE,             \
		.show = seq_show_line, .arg = (void *)(uintptr_t)(text) \
	}

static const struct pseudo_entry sysctls[] = {
	SYSCTL("core/rmem_default", "212992"),
	SYSCTL("core/wmem_default", "212992"),
	SYSCTL("core/rmem_max", "4194304"),
	SYSCTL("core/wmem_max", "4194304"),
	SYSCTL("core/optmem_max", "65536"),
	SYSCTL("ipv4/ip_forward", "0"),
	SYSCTL("ipv4/ip_default_ttl", "64"),
	SYSCTL("ipv4/tcp_sack", "1"),
	SYSCTL("ipv4/tcp_timestamps", "1"),
	SYSCTL("ipv4/tcp_window_scaling", "1"),
	SYSCTL("ipv4/tcp_fastopen", "0"),
	SYSCTL("ipv4/tcp_available_congestion_control", "reno cubic"),
	SYSCTL("ipv4/tcp_allowed_congestion_control", "reno cubic"),
	SYSCTL("ipv4/conf/all/forwarding", "0"),
	SYSCTL("ipv6/conf/all/disable_ipv6", "0"),
	SYSCTL("ipv6/conf/default/disable_ipv6", "0"),
	SYSCTL("ipv6/conf/lo/disable_ipv6", "0"),
	SYSCTL("ipv6/conf/all/forwarding", "0"),
};

static_assert(SOCK_BUF_MAX == 4194304, "net/core/rmem_max");
static_assert(SOCK_BUF_DEFAULT == 212992, "net/core/rmem_default");

/* ---- what can be written ---- */

struct net_settings net_settings = {
	.somaxconn = SOMAXCONN,
	.dgram_qlen = 10,
	.ports = { 32768, 60999 },
	.port_priv = 1024,
	.keepalive_time = 7200,
	.keepalive_intvl = 75,
	.keepalive_probes = 9,
	.tw_reuse = 2,
	.start_after_idle = 1,
};

struct setting {
	int *at;
	unsigned n;
	int min, max;
};

static struct mutex writing;

static int
show_setting(struct seq_buf *s, void *arg)
{
	const struct setting *v = arg;

	for (unsigned i = 0; i < v->n; i++)
		seq_printf(s, "%s%d", i ? "\t" : "", READ_ONCE(v->at[i]));
	seq_printf(s, "\n");
	return 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* Numbers between spaces; those that are not there stay what they are. */
static int
parse(const struct setting *v, const char *buf, size_t len, int *out)
{
	unsigned n = 0;
	uint64_t x;

	for (size_t i = 0, end; i < len; i = end) {
		for (end = i; end < len && !is_space(buf[end]);)
			end++;
		if (end == i) {
			end++;
			continue;
		}
		if (n == v->n || parse_u64(buf + i, end - i, 10, &x) ||
		    x > (uint64_t)v->max || (int)x < v->min)
			return -EINVAL;
		out[n++] = (int)x;
	}
	return 0;
}

/* The kernel's choice of ports is none of those that need a right. */
static bool
fits(const struct setting *v, const int *new)
{
	if (v->at == net_settings.ports)
		return new[0] <= new[1] && new[0] >= net_settings.port_priv;
	if (v->at == &net_settings.port_priv)
		return new[0] <= net_settings.ports[0];
	return true;
}

static int
store_setting(const char *buf, size_t len, void *arg)
{
	const struct setting *v = arg;
	int new[2] = { v->at[0], v->n > 1 ? v->at[1] : 0 }, err;

	mutex_lock(&writing);
	err = parse(v, buf, len, new);
	if (!err && !fits(v, new))
		err = -EINVAL;
	for (unsigned i = 0; i < v->n && !err; i++)
		WRITE_ONCE(v->at[i], new[i]);
	mutex_unlock(&writing);
	return err;
}

static int
show_congestion(struct seq_buf *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%s\n",
		   tcp_congestion_name(READ_ONCE(net_settings.reno)));
	return 0;
}

static int
store_congestion(const char *buf, size_t len, void *arg)
{
	char name[16] = "";
	int reno;

	(void)arg;
	while (len && is_space(buf[len - 1]))
		len--;
	if (len >= sizeof(name))
		return -ENOENT;
	memcpy(name, buf, len);
	reno = tcp_congestion_find(name);
	if (reno >= 0)
		WRITE_ONCE(net_settings.reno, reno);
	return reno < 0 ? reno : 0;
}

#define SETTING(name, field, count, least, most)                     \
	{                                                            \
		.path = "sys/net/" name, .mode = FILE_MODE | 0200,   \
		.show = show_setting, .store = store_setting,        \
		.arg = &(struct setting)                             \
		{                                                    \
			.at = (field), .n = (count), .min = (least), \
			.max = (most)                                \
		}                                                    \
	}

static const struct pseudo_entry settings[] = {
	SETTING("core/somaxconn", &net_settings.somaxconn, 1, 0, 65535),
	SETTING("unix/max_dgram_qlen", &net_settings.dgram_qlen, 1, 0, 65535),
	SETTING("ipv4/ip_local_port_range", net_settings.ports, 2, 1, 65535),
	SETTING("ipv4/ip_unprivileged_port_start", &net_settings.port_priv, 1,
		0, 65535),
	SETTING("ipv4/ip_nonlocal_bind", &net_settings.nonlocal_bind, 1, 0, 1),
	SETTING("ipv4/tcp_keepalive_time", &net_settings.keepalive_time, 1, 1,
		32767),
	SETTING("ipv4/tcp_keepalive_intvl", &net_settings.keepalive_intvl, 1, 1,
		32767),
	SETTING("ipv4/tcp_keepalive_probes", &net_settings.keepalive_probes, 1,
		1, 127),
	SETTING("ipv4/tcp_tw_reuse", &net_settings.tw_reuse, 1, 0, 2),
	SETTING("ipv4/tcp_slow_start_after_idle",
		&net_settings.start_after_idle, 1, 0, 255),
	SETTING("ipv6/bindv6only", &net_settings.bindv6only, 1, 0, 1),
	{ .path = "sys/net/ipv4/tcp_congestion_control",
	  .mode = FILE_MODE | 0200,
	  .show = show_congestion,
	  .store = store_congestion },
};

/* ---- /sys/class/net ---- */

/* One file of an interface; arg of an entry: interface and file in one. */
struct if_file {
	const char *name;
	int (*show)(struct seq_buf *s, const struct net_if *i);
};

static int
put_mac(struct seq_buf *s, const uint8_t m[6])
{
	seq_printf(s, "%02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1], m[2], m[3],
		   m[4], m[5]);
	return 0;
}

static int
show_address(struct seq_buf *s, const struct net_if *i)
{
	return put_mac(s, i->mac);
}

static int
show_broadcast(struct seq_buf *s, const struct net_if *i)
{
	return put_mac(s, i->broadcast);
}

static int
show_addr_len(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%u\n", (unsigned)sizeof(i->mac));
	return 0;
}

static int
show_mtu(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%u\n", i->mtu);
	return 0;
}

static int
show_flags(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "0x%x\n", i->flags & 0xffff & ~IFF_RUNNING);
	return 0;
}

static int
show_index(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%d\n", i->index);
	return 0;
}

static int
show_type(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%u\n", i->type);
	return 0;
}

static int
show_txqlen(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%u\n", i->txqlen);
	return 0;
}

static int
show_operstate(struct seq_buf *s, const struct net_if *i)
{
	seq_printf(s, "%s\n",
		   i->flags & IFF_LOOPBACK ? "unknown" :
		   i->flags & IFF_RUNNING  ? "up" :
					     "down");
	return 0;
}

/* Down, an interface has no carrier to speak of. */
static int
show_carrier(struct seq_buf *s, const struct net_if *i)
{
	if (!(i->flags & IFF_UP))
		return -EINVAL;
	seq_printf(s, "%d\n", (i->flags & IFF_RUNNING) != 0);
	return 0;
}

static int
show_speed(struct seq_buf *s, const struct net_if *i)
{
	if (i->flags & IFF_LOOPBACK || !(i->flags & IFF_UP))
		return -EINVAL;
	seq_printf(s, "%d\n", i->speed_mbit ? (int)i->speed_mbit : -1);
	return 0;
}

static int
show_zero(struct seq_buf *s, const struct net_if *i)
{
	(void)i;
	seq_printf(s, "0\n");
	return 0;
}

#define STAT(field)                                                        \
	static int show_##field(struct seq_buf *s, const struct net_if *i) \
	{                                                                  \
		seq_printf(s, "%lu\n", (unsigned long)i->stats.field);     \
		return 0;                                                  \
	}

STAT(rx_packets)
STAT(rx_bytes)
STAT(rx_errors)
STAT(rx_dropped)
STAT(multicast)
STAT(tx_packets)
STAT(tx_bytes)
STAT(tx_errors)
STAT(tx_dropped)

static const struct if_file files[] = {
	{ "addr_len", show_addr_len },	 { "address", show_address },
	{ "broadcast", show_broadcast }, { "carrier", show_carrier },
	{ "dev_id", show_zero },	 { "flags", show_flags },
	{ "ifindex", show_index },	 { "iflink", show_index },
	{ "link_mode", show_zero },	 { "mtu", show_mtu },
	{ "operstate", show_operstate }, { "speed", show_speed },
	{ "tx_queue_len", show_txqlen }, { "type", show_type },
};

static const struct if_file stats[] = {
	{ "collisions", show_zero },	 { "multicast", show_multicast },
	{ "rx_bytes", show_rx_bytes },	 { "rx_dropped", show_rx_dropped },
	{ "rx_errors", show_rx_errors }, { "rx_packets", show_rx_packets },
	{ "tx_bytes", show_tx_bytes },	 { "tx_dropped", show_tx_dropped },
	{ "tx_errors", show_tx_errors }, { "tx_packets", show_tx_packets },
};

/* An entry's arg: the interface's index, and 1 + the file's, 0 for a
 * directory, in one word. */
static void *
make_arg(uintptr_t index, uintptr_t file)
{
	return (void *)(index << 8 | file);
}

static int
show_file(struct seq_buf *s, void *arg)
{
	unsigned file = (uintptr_t)arg & 0xff;
	struct net_if i;
	int err = net_if_get((int)((uintptr_t)arg >> 8), &i);

	if (err)
		return err;
	if (file >= 128)
		return stats[file - 128].show(s, &i);
	return files[file].show(s, &i);
}

static int
find_file(const struct if_file *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(v[i].name, name))
			return (int)i;
	return -ENOENT;
}

static int
stats_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	int n = find_file(stats, ARRAY_SIZE(stats), name);

	if (n < 0)
		return n;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = FILE_MODE,
		.show = show_file,
		.arg = make_arg((uintptr_t)arg >> 8, 128 + (uintptr_t)n),
	};
	return 0;
}

static int
stats_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	      void *arg)
{
	(void)arg;
	if (*cursor >= ARRAY_SIZE(stats))
		return -ENOENT;
	ksnprintf(name, size, "%s", stats[(*cursor)++].name);
	*mode = FILE_MODE;
	return 0;
}

static int
if_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	uintptr_t index = (uintptr_t)arg >> 8;
	int n;

	if (!strcmp(name, "statistics")) {
		*e = (struct pseudo_entry){
			.path = name,
			.mode = DIR_MODE,
			.lookup = stats_lookup,
			.iterate = stats_iterate,
			.arg = make_arg(index, 0),
		};
		return 0;
	}
	n = find_file(files, ARRAY_SIZE(files), name);
	if (n < 0)
		return n;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = FILE_MODE,
		.show = show_file,
		.arg = make_arg(index, (uintptr_t)n),
	};
	return 0;
}

static int
if_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode, void *arg)
{
	(void)arg;
	if (*cursor > ARRAY_SIZE(files))
		return -ENOENT;
	if (*cursor == ARRAY_SIZE(files)) {
		ksnprintf(name, size, "statistics");
		*mode = DIR_MODE;
	} else {
		ksnprintf(name, size, "%s", files[*cursor].name);
		*mode = FILE_MODE;
	}
	(*cursor)++;
	return 0;
}

static int
class_lookup(const char *name, struct pseudo_entry *e, void *arg)
{
	struct net_if i;

	(void)arg;
	net_need();
	if (net_if_find(name, &i))
		return -ENOENT;
	*e = (struct pseudo_entry){
		.path = name,
		.mode = DIR_MODE,
		.lookup = if_lookup,
		.iterate = if_iterate,
		.arg = make_arg((uintptr_t)i.index, 0),
	};
	return 0;
}

static int
class_iterate(uint64_t *cursor, char *name, size_t size, uint32_t *mode,
	      void *arg)
{
	struct net_if i;

	(void)arg;
	net_need();
	if (!net_if_next((int)*cursor, &i))
		return -ENOENT;
	*cursor = (uint64_t)i.index;
	ksnprintf(name, size, "%s", i.name);
	*mode = DIR_MODE;
	return 0;
}

static const struct pseudo_entry class_net = {
	.path = "class/net",
	.mode = DIR_MODE,
	.lookup = class_lookup,
	.iterate = class_iterate,
};

void
netsys_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sysctls); i++)
		if (proc_register(&sysctls[i]))
			log_err("no memory for /proc/%s", sysctls[i].path);
	mutex_init(&writing, RANK_SOCKET);
	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		if (proc_register(&settings[i]))
			log_err("no memory for /proc/%s", settings[i].path);
	if (sys_register(&class_net))
		log_err("no memory for /sys/%s", class_net.path);
}
