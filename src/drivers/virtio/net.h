/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-net driver.
 */
#pragma once

#include <drivers/virtio/virtio.h>

extern const struct virtio_driver virtio_net;
