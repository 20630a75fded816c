/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP includes it; nothing of it is used: it does not print. */
#pragma once

#if __STDC_HOSTED__ /* the unit tests */
#include_next <stdio.h>
#endif
