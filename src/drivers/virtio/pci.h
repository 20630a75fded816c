/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-pci transport.
 */
#pragma once

#include <dev/device.h>

extern const struct driver virtio_pci;
