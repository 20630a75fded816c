/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How lwIP is built into the kernel.  The core runs under one lock of ours
 * (core.c), without threads or mailboxes of its own; memory comes from the
 * kernel heap; timers are on demand (timeouts.c of the port).
 */
#pragma once

#include <stddef.h>

#define NO_SYS		     1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET	     0
#define LWIP_NETCONN	     0
#define LWIP_TIMERS	     1
#define LWIP_TIMERS_CUSTOM   1
#define LWIP_STATS	     1
#define LWIP_STATS_LARGE     1
#define MEM_STATS	     0
#define MEMP_STATS	     0
#define SYS_STATS	     0

/* Memory: kmalloc, with a bound in bytes (mem.c). */
#define MEM_ALIGNMENT	8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_SIZE	(1 << 20) /* not used by our malloc */
void *lwip_port_malloc(size_t);
void *lwip_port_calloc(size_t, size_t);
void lwip_port_free(void *);
#define mem_clib_malloc			lwip_port_malloc
#define mem_clib_calloc			lwip_port_calloc
#define mem_clib_free			lwip_port_free
#define LWIP_DISABLE_TCP_SANITY_CHECKS	1
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1
#define MEMP_NUM_ARP_QUEUE		64
#define MEMP_NUM_IGMP_GROUP		64
#define MEMP_NUM_REASSDATA		64
#define PBUF_POOL_BUFSIZE		1600

#define LWIP_PBUF_REF_T		  u16_t
#define LWIP_PBUF_CUSTOM_DATA	  struct pbuf *done_next; /* ether.c: sent */
#define LWIP_SUPPORT_CUSTOM_PBUF  1
#define PBUF_LINK_HLEN		  14
#define LWIP_NETIF_TX_SINGLE_PBUF 0

/* Links and addresses. */
#define LWIP_ARP		       1
#define ARP_TABLE_SIZE		       512
#define ARP_QUEUEING		       1
#define ARP_QUEUE_LEN		       32
#define ETHARP_SUPPORT_STATIC_ENTRIES  1
#define LWIP_NETIF_HWADDRHINT	       1
#define LWIP_NETIF_HOSTNAME	       1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_CHECKSUM_CTRL_PER_NETIF   1
#define LWIP_HAVE_LOOPIF	       0
#define LWIP_NETIF_LOOPBACK	       0

/* IPv4 */
#define LWIP_IPV4		  1
#define IP_REASSEMBLY		  1
#define IP_REASS_MAX_PBUFS	  512
#define IP_REASS_MAXAGE		  30
#define IP_FRAG			  1
#define IP_FORWARD		  0
#define IP_DEFAULT_TTL		  64
#define IP_SOF_BROADCAST	  0
#define LWIP_DHCP		  1
#define DHCP_DOES_ARP_CHECK	  0
#define LWIP_DHCP_MAX_DNS_SERVERS 4
/* A request and a host's name of 64 bytes (29 + 4 + 2 + 64 + 1). */
#define DHCP_OPTIONS_LEN 128U
/* Name servers are kept by the port (dns.c); programs resolve. */
#define LWIP_DNS		  1
#define DNS_MAX_SERVERS		  4
#define LWIP_IGMP		  1
#define LWIP_MULTICAST_TX_OPTIONS 1

/* IPv6 */
#define LWIP_IPV6		       1
#define LWIP_IPV6_NUM_ADDRESSES	       8
#define LWIP_IPV6_AUTOCONFIG	       1
#define LWIP_IPV6_ADDRESS_LIFETIMES    1
#define LWIP_IPV6_FRAG		       1
#define IPV6_FRAG_COPYHEADER	       1
#define LWIP_IPV6_REASS		       1
#define LWIP_IPV6_MLD		       1
#define LWIP_IPV6_SCOPES	       1
#define MEMP_NUM_MLD6_GROUP	       64
#define LWIP_IPV6_DHCP6		       1
#define LWIP_IPV6_DHCP6_STATELESS      1
#define LWIP_DHCP6_MAX_DNS_SERVERS     4
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 4
#define LWIP_ND6_NUM_NEIGHBORS	       64
#define LWIP_ND6_NUM_DESTINATIONS      64
#define LWIP_ND6_NUM_PREFIXES	       8
#define LWIP_ND6_NUM_ROUTERS	       4
#define LWIP_ND6_QUEUEING	       1
#define MEMP_NUM_ND6_QUEUE	       64

/* Transports.  Sockets on UDP are ours; lwIP's own are for DHCP. */
#define LWIP_UDP			1
#define LWIP_RAW			1
#define MEMP_NUM_RAW_PCB		64
#define LWIP_TCP			1
#define TCP_MSS				8960
#define TCP_CALCULATE_EFF_SEND_MSS	1
#define LWIP_WND_SCALE			1
#define TCP_RCV_SCALE			8
#define TCP_WND				(8 << 20)
#define TCP_SND_BUF			(64 << 20)
#define TCP_SND_QUEUELEN		32000
#define TCP_SNDLOWAT			1
#define TCP_SNDQUEUELOWAT		1
#define TCP_OVERSIZE			0
#define TCP_QUEUE_OOSEQ			1
#define TCP_OOSEQ_PBUFS_LIMIT(pcb)	((u16_t)((pcb)->wnd_max / 512 + 64))
#define LWIP_TCP_SACK_OUT		1
#define LWIP_TCP_TIMESTAMPS		1
#define TCP_LISTEN_BACKLOG		1
#define TCP_MAXRTX			12
#define TCP_SYNMAXRTX			6
#define TCP_MSL				30000UL
#define TCP_TMR_INTERVAL		20
#define TCP_SLOW_INTERVAL		TCP_TMR_INTERVAL
#define LWIP_TCP_CALC_INITIAL_CWND(mss) (10U * (mss)) /* RFC 6928 */

#define TCP_WND_UPDATE_THRESHOLD LWIP_MIN(TCP_WND_MAX(pcb) / 4, 4U * pcb->mss)

/* Pieces of a large segment, headers one: NIC_TX_SEGS has room for two more,
 * and 64 KB of pages that begin in the middle of one are 17. */
#define TCP_SEG_PIECES 18

#define LWIP_TCP_KEEPALIVE 0 /* sockets have a timer of their own */

#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* far_tcp.c: what is left in the table */

/* Checksums: the NIC's where it can; ours otherwise. */
#define LWIP_CHECKSUM_ON_COPY 0

/* What lwIP asks the port: port_hooks.h has the functions. */
#define LWIP_HOOK_IP4_ROUTE_SRC(src, dst)   port_route4(src, dst)
#define LWIP_HOOK_ETHARP_GET_GW(netif, dst) port_gateway4(netif, dst)
#define LWIP_HOOK_IP4_OWN(netif, addr) \
	(port_more_addrs && port_ip4_own(netif, addr))
#define LWIP_HOOK_IP4_BROADCAST(netif, addr) \
	(port_more_addrs && port_ip4_broadcast(netif, addr))
#define LWIP_HOOK_ND6_GET_GW(netif, dst) port_gateway6(netif, dst)
#define LWIP_HOOK_IP6_ROUTE(src, dst)	 port_route6(src, dst)
#define LWIP_HOOK_DHCP_PARSE_OPTION(netif, dhcp, state, msg, type, option, \
				    len, p, off)                           \
	((void)(msg), port_dhcp_option(p, option, len, off))
#define LWIP_HOOK_DHCP_BEGIN()	      port_dhcp_begin()
#define LWIP_HOOK_DHCP_GATEWAY(gw)    port_dhcp_gateway(gw)
#define LWIP_HOOK_DHCP_BOUND(netif)   port_dhcp_bound(netif)
#define LWIP_HOOK_UDP_INPUT(p, netif) port_udp_input(p, netif)
#define LWIP_HOOK_ICMP4_ERROR(p, type, code, mtu) \
	port_icmp4_error(p, type, code, mtu)
#define LWIP_HOOK_ICMP6_ERROR(p, type, code, mtu) \
	port_icmp6_error(p, type, code, mtu)
#define LWIP_HOOK_TCP_REF_PBUF(len) port_tcp_ref_pbuf(len)
#define LWIP_HOOK_TCP_SEG_PBUFS(optlen, data, len) \
	port_tcp_seg_pbufs(optlen, data, len)
#define LWIP_HOOK_TCP_SEG_PART(optlen, p, off) port_tcp_seg_part(optlen, p, off)
#define LWIP_HOOK_TCP_SEG_OF(p)		       port_tcp_seg_of(p)
#define LWIP_HOOK_TCP_SEG_FREE(seg)	       port_tcp_seg_free(seg)
#define LWIP_HOOK_TCP_LISTENER(inp, dest, src) port_tcp_listener(inp, dest, src)
#define LWIP_HOOK_TCP_SYN(l)		       port_tcp_syn(l)
#define LWIP_HOOK_TCP_COOKIE_MAKE(lip, lport, rip, rport, seq, mss) \
	port_tcp_cookie_make(lip, lport, rip, rport, seq, mss)
#define LWIP_HOOK_TCP_COOKIE_CHECK(lip, lport, rip, rport, seq, cookie) \
	port_tcp_cookie_check(lip, lport, rip, rport, seq, cookie)
#define LWIP_HOOK_TCP_USEC()		 port_tcp_usec()
#define LWIP_HOOK_TCP_URGENT(pcb, ahead) port_tcp_urgent(pcb, ahead)
#define LWIP_HOOK_TCP_PROCESSED(pcb)	 port_tcp_processed(pcb)
#define LWIP_HOOK_TCP_GSO_CAN(n, v6)	 port_gso_can(n, v6)
#define LWIP_HOOK_TCP_TRIES(pcb)	 port_tcp_tries(pcb)
#define LWIP_HOOK_TCP_IDLE()		 port_tcp_idle()
#define LWIP_HOOK_TCP_GSO_BEGIN(n, v6, hlen, size) \
	port_gso_begin(n, v6, hlen, size)
#define LWIP_HOOK_TCP_GSO_ADD(p, seg, off) port_gso_add(p, seg, off)
#define LWIP_HOOK_TCP_ISN(lip, lport, rip, rport) \
	port_tcp_isn(lip, lport, rip, rport)
#define LWIP_HOOK_FILENAME "port_hooks.h"
