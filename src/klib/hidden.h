/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes before everything in a klib's files: all that they name is in this
 * klib or in the kernel, and is reached without a table of addresses.
 */
#pragma GCC visibility push(hidden)
