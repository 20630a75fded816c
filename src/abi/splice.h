/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags of splice(2), tee(2), vmsplice(2): MOVE, MORE and GIFT are hints.
 */
#pragma once

#define SPLICE_F_MOVE	  0x1u
#define SPLICE_F_NONBLOCK 0x2u
#define SPLICE_F_MORE	  0x4u
#define SPLICE_F_GIFT	  0x8u
#define SPLICE_F_ALL	  0xfu
