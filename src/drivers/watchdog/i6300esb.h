/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own watchdog.
 */
#pragma once

#include <dev/device.h>

extern const struct driver i6300esb;
