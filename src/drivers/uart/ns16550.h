/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PC's serial port.
 */
#pragma once

#include <dev/device.h>

extern const struct driver ns16550;
