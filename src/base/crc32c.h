/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32C; see base/hash.h.
 */
#pragma once

#include <base/hash.h>
