/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lwIP asks of its compiler and its platform: fixed-width types come
 * from <stdint.h>, everything that prints is off.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_LIMITS_H   1
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H	   1
#define BYTE_ORDER	   LITTLE_ENDIAN
/* Otherwise each is a call. */
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "lu"

#ifndef INT_MAX
#define INT_MAX 0x7fffffff
#endif
typedef int64_t ssize_t; /* as base/types.h has it */
#define SSIZE_MAX INT64_MAX

/* lwIP's assertions are about its own state, not about packets. */
void lwip_port_assert(const char *what, const char *file, int line)
	__attribute__((noreturn));
#define LWIP_PLATFORM_ASSERT(x) lwip_port_assert(x, __FILE__, __LINE__)
#define LWIP_PLATFORM_DIAG(x) \
	do {                  \
	} while (0)

uint32_t lwip_port_rand(void);
#define LWIP_RAND() lwip_port_rand()

uint16_t lwip_port_chksum(const void *data, int len);
#define LWIP_CHKSUM lwip_port_chksum

int atoi(const char *s);
