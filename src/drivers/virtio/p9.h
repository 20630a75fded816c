/* SPDX-License-Identifier: Apache-2.0 */
/* virtio-9p: directories of the host. */
#pragma once

#include <drivers/virtio/virtio.h>

extern const struct virtio_driver virtio_9p;
