/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-rng driver.
 */
#pragma once

#include <drivers/virtio/virtio.h>

extern const struct virtio_driver virtio_rng;
