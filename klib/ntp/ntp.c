/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The klib "ntp": keeps the wall clock right by time servers.
 *
 * One thread asks, compares and sleeps; nothing else is here, and it shares
 * nothing.  Its intervals: 64 s at first, up to 1024 s while the clock agrees;
 * after a round without an answer 16 s, twice that the next time, up to
 * 1024 s (RFC 4330, 10: never under 15 s, and less often where nobody
 * answers).
 */
#include "ntp.h"

#include <abi/errno.h>
#include <abi/socket.h>
#include <base/math.h>
#include <base/string.h>
#include <core/clock.h>
#include <core/log.h>
#include <dev/random.h>
#include <klib/klib.h>
#include <net/netif.h>
#include <net/socket.h>
#include <sched/thread.h>
#include <vm/uio.h>

#define NETWORK_WAIT_NS (30 * NSEC_PER_SEC)
#define ANSWER_WAIT_NS	(2 * NSEC_PER_SEC)
#define INTERVAL_MIN_S	64u
#define INTERVAL_MAX_S	1024u
#define RETRY_MIN_S	16u
#define STRAY_MAX	16u /* packets that are no answer, in one question */
#define STEP_NS		(128 * (int64_t)NSEC_PER_SEC / 1000) /* STEPT, 13 */
#define AGREES_NS	(10 * (int64_t)NSEC_PER_SEC / 1000)
/* A clock that was right does not lose so much: the server is mad (PANICT,
 * RFC 5905, 13). */
#define PANIC_NS (1000 * (int64_t)NSEC_PER_SEC)

static struct sockaddr_in servers[NTP_SERVERS_MAX];
static bool refused[NTP_SERVERS_MAX]; /* wants never to be asked again */
static unsigned nservers;
static bool compared; /* the clock was right once */

static uint64_t
distance(int64_t ns)
{
	return ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
}

static int
send_question(struct socket *s, uint64_t nonce)
{
	uint8_t packet[NTP_PACKET_BYTES];
	struct sock_msg m = { 0 };
	struct uio u UNINIT;
	ssize_t n;

	ntp_ask(packet, nonce);
	uio_init_kernel(&u, packet, sizeof(packet));
	n = s->ops->send(s, &u, &m);
	return n < 0 ? (int)n : 0;
}

/* Waits for the answer to nonce, sent at sent_ns (monotonic); others may send
 * what they like meanwhile. */
static int
wait_answer(struct socket *s, uint64_t nonce, uint64_t sent_ns,
	    struct ntp_sample *out)
{
	uint8_t packet[NTP_PACKET_BYTES];
	struct ntp_answer answer;
	unsigned stray;

	for (stray = 0; stray < STRAY_MAX; stray++) {
		uint64_t past = clock_mono_ns() - sent_ns, real, now;
		struct sock_msg m = { 0 };
		struct uio u UNINIT;
		ssize_t n;
		int err;

		if (past >= ANSWER_WAIT_NS)
			break;
		s->rcvtimeo_ns = ANSWER_WAIT_NS - past;
		uio_init_kernel(&u, packet, sizeof(packet));
		n = s->ops->recv(s, &u, &m);
		if (n < 0)
			return (int)n;
		real = clock_real_ns();
		now = clock_mono_ns();
		err = ntp_read(packet, (size_t)n, nonce, &answer);
		if (!err)
			err = ntp_compare(&answer, real, now - sent_ns, out);
		if (err != -EAGAIN)
			return err;
	}
	return -ETIMEDOUT;
}

static int
ask(const struct sockaddr_in *server, struct ntp_sample *out)
{
	uint64_t nonce, sent_ns;
	struct socket *s;
	int err = socket_create(AF_INET, SOCK_DGRAM, 0, &s);

	if (err)
		return err;
	/* From then on only what comes from there arrives. */
	err = s->ops->connect(s, server, sizeof(*server), false);
	if (!err) {
		random_bytes(&nonce, sizeof(nonce));
		sent_ns = clock_mono_ns();
		err = send_question(s, nonce);
		if (!err)
			err = wait_answer(s, nonce, sent_ns, out);
	}
	s->ops->release(s);
	return err;
}

/* What the round has come to, or NULL. */
static const struct ntp_sample *
ask_all(struct ntp_sample samples[NTP_SERVERS_MAX], bool *less_often)
{
	unsigned n = 0;

	*less_often = false;
	for (unsigned i = 0; i < nservers; i++) {
		int err;

		if (refused[i])
			continue;
		err = ask(&servers[i], &samples[n]);
		if (!err)
			n++;
		*less_often |= err == -EBUSY;
		if (err == -EPERM) {
			log_warn("ntp: server %u of %u wants not to be asked",
				 i + 1, nservers);
			refused[i] = true;
		}
	}
	return ntp_choose(samples, n);
}

static void
set_clock(const struct ntp_sample *s)
{
	if (distance(s->offset_ns) > STEP_NS) {
		clock_set_real_ns(clock_real_ns() + (uint64_t)s->offset_ns);
		log_info("ntp: the clock is set by %ld ms",
			 (long)(s->offset_ns / 1000000));
	} else {
		clock_slew(s->offset_ns);
	}
	clock_synchronised(s->error_ns);
	compared = true;
}

static uint32_t
clamp_s(uint32_t s)
{
	return (uint32_t)min_u64(max_u64(s, INTERVAL_MIN_S), INTERVAL_MAX_S);
}

static void
keep_clock(void *arg)
{
	uint32_t interval_s = INTERVAL_MIN_S, retry_s = RETRY_MIN_S;

	(void)arg;
	net_need();
	ignore(net_wait_configured(clock_mono_ns() + NETWORK_WAIT_NS));
	for (;;) {
		struct ntp_sample samples[NTP_SERVERS_MAX];
		bool less_often;
		const struct ntp_sample *s = ask_all(samples, &less_often);
		uint32_t sleep_s;

		if (s && compared && distance(s->offset_ns) > PANIC_NS) {
			log_warn("ntp: a time that is off by %ld s is not "
				 "believed",
				 (long)(s->offset_ns / (int64_t)NSEC_PER_SEC));
			s = NULL;
		}
		if (s) {
			set_clock(s);
			interval_s =
				clamp_s(distance(s->offset_ns) < AGREES_NS ?
						interval_s * 2 :
						interval_s / 2);
			retry_s = RETRY_MIN_S;
			sleep_s = interval_s;
		} else {
			sleep_s = retry_s;
			retry_s =
				(uint32_t)min_u64(retry_s * 2, INTERVAL_MAX_S);
		}
		if (less_often)
			sleep_s = INTERVAL_MAX_S;
		thread_delay(sleep_s * NSEC_PER_SEC);
	}
}

static int
init(const char *args)
{
	struct thread *t;
	int n = ntp_parse_servers(args, servers), err;

	if (n < 0) {
		log_err("ntp: it wants ADDR[:PORT][,ADDR...], IPv4 addresses "
			"of up to %u servers",
			NTP_SERVERS_MAX);
		return n;
	}
	nservers = (unsigned)n;
	err = thread_create("ntp", keep_clock, NULL, &t);
	if (!err)
		thread_start(t);
	return err;
}

KLIB("ntp", init);
