/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-mmio transport, a platform bus.
 */
#pragma once

#include <dev/device.h>

extern const struct driver virtio_mmio;
