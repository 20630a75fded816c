/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages that tell routers of multicast groups (report.c): reports of
 * IGMPv3 and MLDv2, which have records of groups with sources, as many packets
 * as it takes, and those of the older versions.
 */
#include "report_priv.h"

#include <lwip/icmp6.h>
#include <lwip/igmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/mld6.h>
#include <lwip/prot/igmp.h>
#include <lwip/prot/mld6.h>

#define REPORT_V3	 0x22 /* RFC 3376, 4 */
#define REPORT_MLD2	 143  /* RFC 3810, 5.2 */
#define HEAD		 8u   /* of a report, both */
#define ROUTER_ALERT_OPT 0x9404

static unsigned
addr_len(const struct inet_addr *a)
{
	return inet_is_v4(a) ? 4 : 16;
}

static const uint8_t *
addr_bytes(const struct inet_addr *a)
{
	return a->b + 16 - addr_len(a);
}

/* p is the message.  Consumes it. */
static void
output(struct netif *n, bool v6, struct pbuf *p, const struct inet_addr *to)
{
	static u16_t alert[2] = { PP_HTONS(ROUTER_ALERT_OPT), 0 };
	uint8_t *b = p->payload;

	if (!v6) {
		u16_t sum = inet_chksum(b, p->len);
		ip4_addr_t dst = { to->w[3] };

		memcpy(b + 2, &sum, 2);
		ip4_output_if_opt(p, netif_ip4_addr(n), &dst, IGMP_TTL, 0xc0,
				  IP_PROTO_IGMP, n, alert, sizeof(alert));
	} else {
		bool has = ip6_addr_isvalid(netif_ip6_addr_state(n, 0));
		const ip6_addr_t *src =
			has ? netif_ip6_addr(n, 0) : IP6_ADDR_ANY6;
		ip6_addr_t dst;
		u16_t sum;

		memset(&dst, 0, sizeof(dst));
		memcpy(dst.addr, to->b, 16);
		ip6_addr_assign_zone(&dst, IP6_MULTICAST, n);
		sum = ip6_chksum_pseudo(p, IP6_NEXTH_ICMP6, p->tot_len, src,
					&dst);
		memcpy(b + 2, &sum, 2);
		if (ip6_options_add_hbh_ra(p, IP6_NEXTH_ICMP6,
					   IP6_ROUTER_ALERT_VALUE_MLD) ==
		    ERR_OK)
			ip6_output_if(p, has ? src : NULL, &dst, 1, 0,
				      IP6_NEXTH_HOPBYHOP, n);
	}
	pbuf_free(p);
}

/* Room for an extension header in front of a message of ICMPv6. */
static struct pbuf *
message(bool v6, unsigned len)
{
	struct pbuf *p = pbuf_alloc(
		PBUF_IP, (u16_t)(len + (v6 ? MLD6_HBH_HLEN : 0)), PBUF_RAM);

	if (p && v6)
		pbuf_remove_header(p, MLD6_HBH_HLEN);
	if (p)
		memset(p->payload, 0, len);
	return p;
}

void
mc_send_old(struct netif *n, unsigned age, struct mc_group *g, bool leave)
{
	static const struct inet_addr routers6 = { .b = { 0xff, 2, [15] = 2 } };
	struct inet_addr routers4 = inet_v4(PP_HTONL(0xe0000002u));
	bool v6 = !inet_is_v4(&g->addr);
	struct pbuf *p = message(v6, v6 ? 24 : 8);
	uint8_t *b;

	if (!p)
		return;
	b = p->payload;
	if (v6)
		b[0] = leave ? ICMP6_TYPE_MLD : ICMP6_TYPE_MLR;
	else
		b[0] = leave	? IGMP_LEAVE_GROUP :
		       age == 1 ? IGMP_V2_MEMB_REPORT :
				  IGMP_V1_MEMB_REPORT;
	memcpy(b + (v6 ? 8 : 4), addr_bytes(&g->addr), v6 ? 16 : 4);
	g->reporter = !leave;
	output(n, v6, p, !leave ? &g->addr : v6 ? &routers6 : &routers4);
}

void
mc_report_end(struct mc_report *r)
{
	static const struct inet_addr to6 = { .b = { 0xff, 2, [15] = 0x16 } };
	struct inet_addr to4 = inet_v4(PP_HTONL(0xe0000016u));

	if (!r->p)
		return;
	pbuf_realloc(r->p, (u16_t)r->len);
	output(r->n, r->v6, r->p, r->v6 ? &to6 : &to4);
	r->p = NULL;
}

static void
count_up(uint8_t *be16)
{
	if (!++be16[1])
		be16[0]++;
}

/* Begins a record, in a packet of its own where it and one source would not
 * fit. */
void
mc_report_record(struct mc_report *r, const struct mc_group *g, unsigned kind)
{
	unsigned alen = addr_len(&g->addr);
	uint8_t *b;

	r->group = g;
	r->kind = kind;
	r->full = false;
	if (r->p && r->len + 4 + alen * 2 > r->room)
		mc_report_end(r);
	if (!r->p) {
		r->p = message(r->v6, r->room);
		r->full = !r->p;
		if (!r->p)
			return;
		b = r->p->payload;
		b[0] = r->v6 ? REPORT_MLD2 : REPORT_V3;
		r->len = HEAD;
	}
	b = r->p->payload;
	r->record = r->len;
	b[r->len] = (uint8_t)kind;
	memcpy(b + r->len + 4, addr_bytes(&g->addr), alen);
	r->len += 4 + alen;
	count_up(b + 6);
}

/* Of a list of who is not heard what does not fit is left out, any other goes
 * on in the next packet (RFC 3376, 4.2.16). */
void
mc_report_source(struct mc_report *r, const struct mc_group *g, unsigned kind,
		 const struct inet_addr *a)
{
	unsigned alen = addr_len(a);
	uint8_t *b;

	if (r->group != g || r->kind != kind)
		mc_report_record(r, g, kind);
	if (!r->full && r->len + alen > r->room) {
		r->full = kind == IS_EX || kind == TO_EX;
		if (!r->full) {
			mc_report_end(r);
			mc_report_record(r, g, kind);
		}
	}
	if (r->full)
		return;
	b = r->p->payload;
	memcpy(b + r->len, addr_bytes(a), alen);
	r->len += alen;
	count_up(b + r->record + 2);
}

struct mc_report
mc_report_begin(struct netif *n, bool v6)
{
	unsigned around = v6 ? IP6_HLEN + MLD6_HBH_HLEN : IP_HLEN + 4;
	unsigned mtu = v6 ? n->mtu6 : n->mtu;
	struct mc_report r = { .n = n, .v6 = v6 };

	r.room = mtu > around + 64 ? mtu - around : 64;
	if (r.room > 1400)
		r.room = 1400;
	return r;
}
