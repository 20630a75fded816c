/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io_uring's operations, handed down to src/aio at boot.
 */
#pragma once

void uring_ops_init(void);
