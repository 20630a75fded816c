/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-serial driver.
 */
#pragma once

#include <drivers/virtio/virtio.h>

extern const struct virtio_driver virtio_serial;
