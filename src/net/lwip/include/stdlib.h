/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP includes it and, as configured, uses only atoi of it: arch/cc.h. */
#pragma once

#if __STDC_HOSTED__ /* the unit tests */
#include_next <stdlib.h>
#endif
