/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NICs (dev/nic.h) as interfaces of lwIP.
 *
 * Receiving: the driver's interrupt asks for rx_work, which the core runs at
 * once, in the interrupt, or when its holder lets go: no thread is switched
 * to before the one that waits for the data.  A burst that is longer than
 * the budget goes on in a worker thread, so that programs run in between.
 *
 * A received piece becomes a pbuf that lives in the piece's own private
 * bytes: no memory is allocated and nothing is copied.  What sockets and
 * reassembly hold of such pieces is counted in bytes; above the limit new
 * packets are dropped at once.
 *
 * Sending: the pbufs of a packet are given to the device as they lie, with a
 * reference that done() gives back.  The device is told once for all that a
 * stretch under the core lock has sent.
 */
#include "ether.h"

#include <abi/errno.h>
#include <base/atomic.h>
#include <base/fmt.h>
#include <base/string.h>
#include <core/log.h>
#include <core/percpu.h>
#include <mem/heap.h>
#include <mem/page.h>
#include <sched/thread.h>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/snmp.h>
#include <lwip/tcp.h>
#include <netif/ethernet.h>

#include "port_input.h"

#define RX_BUDGET   64u
#define WAITING_LEN 160u  /* of a packet that waits for room: headers */
#define WAITING_MAX 4096u /* such packets */

struct net_port *net_ports[IF_MAX];
uint64_t net_rx_held;

/* ---- receiving ---- */

/* Lies in nic_buf.stack_priv. */
struct rx_pbuf {
	struct pbuf_custom pc; /* first */
	struct nic_buf *b;
};
static_assert(sizeof(struct rx_pbuf) <= NIC_STACK_PRIV, "a piece's pbuf");

uint64_t
net_rx_limit(void)
{
	return mem_total_pages() * PAGE_SIZE / 6;
}

static void
rx_free(struct pbuf *p)
{
	struct nic_buf *b = ((struct rx_pbuf *)(void *)p)->b;

	atomic_sub(&net_rx_held, b->truesize);
	nic_buf_free(b);
}

static void
drop_chain(struct nic_buf *b)
{
	while (b) {
		struct nic_buf *next = b->next;

		nic_buf_free(b);
		b = next;
	}
}

static struct pbuf *
pbuf_of_piece(struct nic_buf *b, uint32_t skip)
{
	struct rx_pbuf *r = (struct rx_pbuf *)(void *)b->stack_priv;
	u16_t len = (u16_t)(b->len - skip);

	r->b = b;
	r->pc.custom_free_function = rx_free;
	atomic_add(&net_rx_held, b->truesize);
	return pbuf_alloced_custom(PBUF_RAW, len, PBUF_REF, &r->pc,
				   b->data + skip, len);
}

/* The link header is taken off first: with it a packet may exceed what a
 * pbuf can count. */
static struct pbuf *
pbuf_of_packet(struct nic_buf *b)
{
	struct pbuf *first = NULL, *last = NULL;
	uint32_t left = b->packet_len - SIZEOF_ETH_HDR;

	for (; b; b = b->next) {
		struct pbuf *p = pbuf_of_piece(b, first ? 0 : SIZEOF_ETH_HDR);

		if (!first)
			first = p;
		else
			last->next = p;
		p->tot_len = (u16_t)left;
		left -= p->len;
		last = p;
	}
	return first;
}

static u8_t
link_flags(const struct eth_hdr *h)
{
	if (!(h->dest.addr[0] & 1))
		return 0;
	return eth_addr_cmp(&h->dest, &ethbroadcast) ? PBUF_FLAG_LLBCAST :
						       PBUF_FLAG_LLMCAST;
}

static void
input_packet(struct net_port *e, struct pbuf *p, uint16_t type,
	     const struct nic_meta *m)
{
	bool good = m->csum_ok || m->csum_partial;
	u16_t all = e->netif.chksum_flags;

	p = port_whole_head(p, type);
	if (!p)
		return;
	if (good)
		e->netif.chksum_flags =
			all & (u16_t) ~(NETIF_CHECKSUM_CHECK_TCP |
					NETIF_CHECKSUM_CHECK_UDP);
	switch (type) {
	case ETHTYPE_IP:
		ip4_input(p, &e->netif);
		break;
	case ETHTYPE_IPV6:
		ip6_input(p, &e->netif);
		break;
	case ETHTYPE_ARP:
		etharp_input(p, &e->netif);
		break;
	default:
		pbuf_free(p);
	}
	e->netif.chksum_flags = all;
}

/* May it come in, as much as what came before and nobody read holds?  What is
 * too short for more than headers may for longer: acknowledgements among them
 * set free what is sent, and a program may read only when it has sent. */
static bool
has_room(const struct nic_buf *b)
{
	uint64_t held = atomic_load_relaxed(&net_rx_held);
	uint64_t most = net_rx_limit();

	return likely(held <= most) ||
	       (b->packet_len <= WAITING_LEN && held <= most + most / 2);
}

static void
input_frame(struct net_port *e, struct nic_buf *b)
{
	const struct eth_hdr *h = (const struct eth_hdr *)(void *)b->data;
	struct nic_meta m = b->meta;
	struct pbuf *p;
	uint16_t type;
	u8_t flags;

	if (b->len <= SIZEOF_ETH_HDR ||
	    b->packet_len > 0xffff + SIZEOF_ETH_HDR || !e->admin_up ||
	    !has_room(b)) {
		atomic_add(&e->nic->stats.rx_dropped, 1);
		drop_chain(b);
		return;
	}
	flags = link_flags(h);
	type = lwip_ntohs(h->type);
	if (!flags && memcmp(&h->dest, e->netif.hwaddr, 6))
		flags = 0x80; /* somebody else's: for taps only */
	p = pbuf_of_packet(b);
	p->if_idx = netif_get_index(&e->netif);
	if (unlikely(net_taps_any)) {
		p->payload = (u8_t *)p->payload - SIZEOF_ETH_HDR;
		p->len = (u16_t)(p->len + SIZEOF_ETH_HDR);
		net_taps_see(e, p, false, m.csum_partial);
		p->payload = (u8_t *)p->payload + SIZEOF_ETH_HDR;
		p->len = (u16_t)(p->len - SIZEOF_ETH_HDR);
	}
	if (flags == 0x80) {
		pbuf_free(p);
		return;
	}
	p->flags |= flags;
	input_packet(e, p, type, &m);
}

static void done_run(struct net_work *w);

/* true: more is waiting. */
static bool
rx_queue(struct net_port *e, unsigned q)
{
	struct nic_buf *v[RX_BUDGET];
	unsigned n;

	e->in_poll = q + 1;
	n = e->nic->ops->rx_poll(e->nic, q, v, RX_BUDGET);
	e->in_poll = 0;
	/* What was sent is back by now: acknowledgements may ask for it. */
	if (atomic_load_relaxed(&e->done))
		done_run(&e->done_work);
	for (unsigned i = 0; i < n; i++)
		input_frame(e, v[i]);
	return n == RX_BUDGET;
}

static void
rx_run(struct net_work *w)
{
	struct net_port *e = container_of(w, struct net_port, rx_work);
	uint32_t bits = __atomic_exchange_n(&e->rx_queues, 0, __ATOMIC_ACQ_REL);
	uint32_t more = 0;

	for (unsigned q = 0; q < e->nic->nrxq && q < 32; q++)
		if (bits & 1u << q && rx_queue(e, q))
			more |= 1u << q;
	if (!more)
		return;
	atomic_or(&e->rx_queues, more);
	work_queue(&e->rx_more);
}

/* A worker: programs on this CPU have their turn between two budgets. */
static void
rx_more(struct work *w)
{
	struct net_port *e = container_of(w, struct net_port, rx_more);

	net_core_run(&e->rx_work);
	thread_yield();
}

static void
nic_rx_notify(struct nic *n, unsigned q)
{
	struct net_port *e = n->stack;

	atomic_or(&e->rx_queues, 1u << (q & 31));
	/* From a poll that gave up for want of memory: at once would be for
	 * ever while the device has packets. */
	if (unlikely(READ_ONCE(e->in_poll) == q + 1))
		work_queue(&e->rx_more);
	else
		net_core_run(&e->rx_work);
}

/* ---- sending ---- */

/* The device has sent p; any context, the core lock held or not. */
static void
tx_done(void *arg)
{
	struct pbuf *p = arg;
	struct net_port *e = net_ports[p->if_idx - 1];
	struct pbuf *head = atomic_load_relaxed(&e->done);

	do
		p->done_next = head;
	while (!atomic_cas(&e->done, &head, p));
	net_core_run(&e->done_work);
}

static void
done_run(struct net_work *w)
{
	struct net_port *e = container_of(w, struct net_port, done_work);
	struct pbuf *p = __atomic_exchange_n(&e->done, NULL, __ATOMIC_ACQUIRE);

	while (p) {
		struct pbuf *next = p->done_next;

		pbuf_free(p);
		p = next;
	}
}

/* The pieces of a chain, neighbours in memory as one.  0: too many. */
static unsigned
gather(const struct pbuf *p, struct nic_seg *segs)
{
	unsigned n = 0;

	for (; p; p = p->next) {
		if (!p->len)
			continue;
		if (n && (const u8_t *)segs[n - 1].data + segs[n - 1].len ==
				 (const u8_t *)p->payload) {
			segs[n - 1].len += p->len;
			continue;
		}
		if (n == NIC_TX_SEGS)
			return 0;
		segs[n].data = p->payload;
		segs[n++].len = p->len;
	}
	return n;
}

/* Sum of the pseudo header, as the device wants it in the checksum field. */
static uint16_t
pseudo_sum(const uint8_t *addrs, unsigned addr_len, uint8_t proto, uint32_t len)
{
	uint8_t tail[8] = { (uint8_t)(len >> 24),
			    (uint8_t)(len >> 16),
			    (uint8_t)(len >> 8),
			    (uint8_t)len,
			    0,
			    0,
			    0,
			    proto };
	uint32_t sum = lwip_port_chksum(addrs, (int)addr_len) +
		       lwip_port_chksum(tail, 8);

	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* Lets the device end the checksum of TCP and UDP.  The header is in the
 * first piece, as our own stack made it. */
static void
offload_checksum(struct pbuf *p, struct nic_meta *m)
{
	uint8_t *h = p->payload;
	uint32_t start, off, ip = SIZEOF_ETH_HDR;
	uint8_t proto;
	uint16_t sum, type = (uint16_t)(h[12] << 8 | h[13]);

	if (type == ETHTYPE_IP && p->len >= ip + IP_HLEN) {
		proto = h[ip + 9];
		start = ip + (h[ip] & 15u) * 4;
		if ((h[ip + 6] & 0x3f) | h[ip + 7])
			return; /* a fragment: summed by the sender */
	} else if (type == ETHTYPE_IPV6 && p->len >= ip + IP6_HLEN) {
		proto = h[ip + 6];
		start = ip + IP6_HLEN;
	} else {
		return;
	}
	if (proto != IP_PROTO_TCP && proto != IP_PROTO_UDP)
		return;
	off = proto == IP_PROTO_TCP ? 16 : 6;
	if (p->len < start + off + 2)
		return;
	if (type == ETHTYPE_IP)
		sum = pseudo_sum(h + ip + 12, 8, proto, p->tot_len - start);
	else
		sum = pseudo_sum(h + ip + 8, 32, proto, p->tot_len - start);
	memcpy(h + start + off, &sum, 2);
	m->csum_partial = true;
	m->csum_start = (uint16_t)start;
	m->csum_offset = (uint16_t)off;
}

static unsigned
tx_queue_of(const struct nic *n)
{
	return n->ntxq > 1 ? this_cpu()->id % n->ntxq : 0;
}

static err_t
transmit(struct net_port *e, struct pbuf *p, bool again)
{
	struct nic_seg segs[NIC_TX_SEGS];
	struct nic_tx tx = { .segs = segs, .done = tx_done };
	unsigned q = tx_queue_of(e->nic);
	int err;

	if (e->nic->tx_csum)
		offload_checksum(p, &tx.meta);
	if (unlikely(net_taps_any) && !again)
		net_taps_see(e, p, true, tx.meta.csum_partial);
	if (p->flags & PBUF_FLAG_GSO)
		tx.nsegs = net_gso_gather(p, segs, &tx.meta);
	else
		tx.nsegs = gather(p, segs);
	if (tx.nsegs) {
		pbuf_ref(p);
	} else {
		p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
		if (!p)
			return ERR_MEM;
		tx.nsegs = gather(p, segs);
	}
	p->if_idx = netif_get_index(&e->netif);
	tx.arg = p;
	err = e->nic->ops->tx(e->nic, q, &tx, false);
	if (err == -ENOSPC && e->nic->ops->tx_reap &&
	    e->nic->ops->tx_reap(e->nic, q))
		err = e->nic->ops->tx(e->nic, q, &tx, false);
	if (err) {
		pbuf_free(p);
		if (err != -ENOSPC)
			return ERR_IF;
		e->kick_queues |= 1u << (q & 31);
		return ERR_MEM; /* TCP keeps it; tx_ready() comes */
	}
	e->kick_queues |= 1u << (q & 31);
	return ERR_OK;
}

/* Sends what waits, as far as there is room. */
static void
send_waiting(struct net_port *e)
{
	while (e->waiting) {
		struct pbuf *p = e->waiting, *next = p->done_next;

		if (transmit(e, p, true) == ERR_MEM)
			return;
		e->waiting = next;
		if (!next)
			e->waiting_end = &e->waiting;
		e->nwaiting--;
		pbuf_free(p);
	}
}

/* TCP sends data again that the device had no room for, but not what has none:
 * a reset that is lost leaves the other end waiting for ever.  Small packets
 * are copied and go when there is room. */
static err_t
link_output(struct netif *netif, struct pbuf *p)
{
	struct net_port *e = netif->state;
	err_t err = ERR_MEM;

	if (unlikely(e->waiting))
		send_waiting(e);
	if (!e->waiting)
		err = transmit(e, p, false);
	if (likely(err != ERR_MEM) || p->flags & PBUF_FLAG_GSO ||
	    p->tot_len > WAITING_LEN || e->nwaiting >= WAITING_MAX)
		return err;
	p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
	if (!p)
		return ERR_MEM;
	p->done_next = NULL;
	*e->waiting_end = p;
	e->waiting_end = &p->done_next;
	e->nwaiting++;
	return ERR_OK;
}

static void
kick_all(void)
{
	for (unsigned i = 1; i < IF_MAX && net_ports[i]; i++) {
		struct net_port *e = net_ports[i];

		while (e->kick_queues) {
			unsigned q = (unsigned)__builtin_ctz(e->kick_queues);

			e->kick_queues &= e->kick_queues - 1;
			e->nic->ops->tx_kick(e->nic, q);
		}
	}
}

static void
ready_run(struct net_work *w)
{
	send_waiting(container_of(w, struct net_port, ready_work));
	tcp_txnow();
}

static void
nic_tx_ready(struct nic *n, unsigned q)
{
	struct net_port *e = n->stack;

	(void)q;
	net_core_run(&e->ready_work);
}

/* ---- state ---- */

static void
link_run(struct net_work *w)
{
	struct net_port *e = container_of(w, struct net_port, link_work);

	if (e->nic->link_up)
		netif_set_link_up(&e->netif);
	else
		netif_set_link_down(&e->netif);
	net_changed(NET_CHANGE_LINK, netif_get_index(&e->netif));
}

static void
nic_link_changed(struct nic *n)
{
	struct net_port *e = n->stack;

	net_core_run(&e->link_work);
}

static err_t
igmp_filter(struct netif *netif, const ip4_addr_t *group,
	    enum netif_mac_filter_action action)
{
	(void)group, (void)action;
	net_port_filter(netif->state);
	return ERR_OK;
}

static err_t
mld_filter(struct netif *netif, const ip6_addr_t *group,
	   enum netif_mac_filter_action action)
{
	(void)group, (void)action;
	net_port_filter(netif->state);
	return ERR_OK;
}

/* Groups come and go seldom, and IPv6 cannot do without: all multicast is
 * let in, and the stack looks at each. */
void
net_port_filter(struct net_port *e)
{
	if (e->nic && e->nic->ops->set_filter)
		ignore(e->nic->ops->set_filter(e->nic, NULL, 0,
					       e->promisc > 0));
}

static err_t
port_init(struct netif *netif)
{
	struct net_port *e = netif->state;
	struct nic *n = e->nic;

	netif->name[0] = 'e';
	netif->name[1] = 't';
	netif->output = etharp_output;
	netif->output_ip6 = ethip6_output;
	netif->linkoutput = link_output;
	netif->mtu = netif->mtu6 = n->mtu;
	netif->hwaddr_len = 6;
	memcpy(netif->hwaddr, n->mac, 6);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
		       NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
	netif->igmp_mac_filter = igmp_filter;
	netif->mld_mac_filter = mld_filter;
	if (n->tx_csum)
		NETIF_SET_CHECKSUM_CTRL(netif,
					NETIF_CHECKSUM_ENABLE_ALL &
						~(NETIF_CHECKSUM_GEN_TCP |
						  NETIF_CHECKSUM_GEN_UDP));
	return ERR_OK;
}

static void
nic_appeared(struct nic *n)
{
	struct net_port *e = kzalloc(sizeof(*e), ALLOC_KERNEL);
	unsigned i = 1;

	if (!e) {
		log_err("%s: no memory for the interface", n->name);
		return;
	}
	e->nic = n;
	e->waiting_end = &e->waiting;
	memcpy(e->name, n->name, sizeof(e->name) - 1);
	e->rx_work.fn = rx_run;
	e->done_work.fn = done_run;
	e->ready_work.fn = ready_run;
	e->link_work.fn = link_run;
	work_init(&e->rx_more, rx_more);
	net_core_lock();
	while (i < IF_MAX && net_ports[i])
		i++;
	if (i < IF_MAX) {
		netif_add_noaddr(&e->netif, e, port_init, netif_input);
		net_ports[netif_get_index(&e->netif) - 1] = e;
	}
	net_core_unlock();
	if (i == IF_MAX) {
		kfree(e);
		return;
	}
	n->stack = e;
	/* The device has been running: another CPU's interrupt may call. */
	atomic_store_release(&n->rx_notify, nic_rx_notify);
	atomic_store_release(&n->tx_ready, nic_tx_ready);
	atomic_store_release(&n->link_changed, nic_link_changed);
	net_configure_port(e);
}

/* ---- lo ---- */

/* What still goes through lo (ICMP, raw sockets) comes in again at the end
 * of this stretch under the lock. */
static err_t
lo_output(struct netif *netif, struct pbuf *p)
{
	struct net_port *e = netif->state;
	struct pbuf *c = pbuf_clone(PBUF_LINK, PBUF_RAM, p);

	if (!c) {
		e->stats.tx_dropped++;
		return ERR_MEM;
	}
	c->done_next = NULL;
	*e->loop_end = c;
	e->loop_end = &c->done_next;
	e->stats.tx_packets++;
	e->stats.tx_bytes += p->tot_len;
	return ERR_OK;
}

static err_t
lo_output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
	(void)to;
	return lo_output(netif, p);
}

static err_t
lo_output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *to)
{
	(void)to;
	return lo_output(netif, p);
}

static void
lo_run(struct net_port *e)
{
	for (unsigned n = 0; e->loop && n < 256; n++) {
		struct pbuf *p = e->loop;

		e->loop = p->done_next;
		if (!e->loop)
			e->loop_end = &e->loop;
		e->stats.rx_packets++;
		e->stats.rx_bytes += p->tot_len;
		if (unlikely(net_taps_any))
			net_taps_see(e, p, false, true);
		ip_input(p, &e->netif);
	}
}

static err_t
lo_init(struct netif *netif)
{
	netif->name[0] = 'l';
	netif->name[1] = 'o';
	netif->mtu = netif->mtu6 = 65535;
	netif->output = lo_output4;
	netif->output_ip6 = lo_output6;
	netif->flags |= NETIF_FLAG_IGMP;
	NETIF_SET_CHECKSUM_CTRL(
		netif, NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_GEN_ICMP |
			       NETIF_CHECKSUM_GEN_ICMP6 |
			       NETIF_CHECKSUM_GEN_UDP | NETIF_CHECKSUM_GEN_TCP);
	return ERR_OK;
}

static void
end_of_stretch(void)
{
	if (net_ports[0]->loop)
		lo_run(net_ports[0]);
	kick_all();
}

void
net_lo_init(void)
{
	static struct net_port lo;
	ip4_addr_t addr, mask, none = { 0 };

	lo.loop_end = &lo.loop;
	memcpy(lo.name, "lo", 3);
	lo.admin_up = true;
	IP4_ADDR(&addr, 127, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	netif_add(&lo.netif, &addr, &mask, &none, &lo, lo_init, ip_input);
	IP_ADDR6_HOST(lo.netif.ip6_addr, 0, 0, 0, 1);
	lo.netif.ip6_addr_state[0] = IP6_ADDR_PREFERRED;
	net_ports[0] = &lo;
	netif_set_link_up(&lo.netif);
	netif_set_up(&lo.netif);
	net_core_on_end(end_of_stretch);
}

void
net_ether_init(void)
{
	nic_on_register(nic_appeared);
}

struct net_port *
net_port_of(int index)
{
	return index >= 1 && index <= IF_MAX ? net_ports[index - 1] : NULL;
}
