/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checked arithmetic for numbers from outside; see base/math.h.
 */
#pragma once

#include <base/math.h>
